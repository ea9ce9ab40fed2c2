/* A binary search tree that is built, searched and summed: dependent loads. */
#include "../kernel.h"
const char *const kernel_name = "pointers";
const int kernel_rounds = 140;

typedef struct Node {
    struct Node *left, *right;
    uint32_t key, count;
} Node;

enum { N = 20000 };
static Node pool[N];

static Node *insert(Node *root, uint32_t key, int *used)
{
    Node **at = &root;
    while (*at) {
        if ((*at)->key == key) {
            (*at)->count++;
            return root;
        }
        at = key < (*at)->key ? &(*at)->left : &(*at)->right;
    }
    Node *n = &pool[(*used)++];
    *n = (Node){0, 0, key, 1};
    *at = n;
    return root;
}

static uint64_t sum(const Node *n, uint64_t depth)
{
    return n ? sum(n->left, depth + 1) + n->key * depth + n->count + sum(n->right, depth + 1) : 0;
}

uint64_t kernel(int rounds)
{
    uint64_t h = 0;
    uint32_t seed = 11;
    for (int r = 0; r < rounds; r++) {
        int used = 0;
        Node *root = 0;
        for (int i = 0; i < N; i++) root = insert(root, next_random(&seed) >> 8, &used);
        for (int i = 0; i < 4 * N; i++) {
            uint32_t key = next_random(&seed) >> 8;
            const Node *n = root;
            while (n && n->key != key) n = key < n->key ? n->left : n->right;
            h += n ? n->count : 1;
        }
        h = mix(h, sum(root, 1));
    }
    return h;
}
