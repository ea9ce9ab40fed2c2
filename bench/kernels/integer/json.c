/* JSON: a generated document is parsed to a tree, and the tree printed. */
#include "../kernel.h"
const char *const kernel_name = "json";
const int kernel_rounds = 18000;

enum { SIZE = 1 << 18, NODES = 1 << 15 };
typedef enum { LITERAL, NUMBER, STRING, ARRAY, OBJECT } Kind;
typedef struct Node {
    Kind kind;
    int exponent;               /* of ten, for numbers */
    int64_t value;              /* of numbers; 0, 1 and 2 are null, false and true */
    const char *text, *key;     /* into the arena, ended by zero */
    struct Node *first, *next;  /* children, siblings */
} Node;

static char document[SIZE], printed[SIZE], arena[SIZE];
static Node nodes[NODES];
static const char *in;
static char *out, *strings;
static int used;

static void skip(void)
{
    while (*in == ' ' || *in == '\n') in++;
}

static const char *string(void)
{
    const char *start = strings;
    for (in++; *in != '"'; in++) {
        char c = *in;
        if (c == '\\') {
            c = *++in;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        *strings++ = c;
    }
    in++;
    *strings++ = 0;
    return start;
}

static void number(Node *node)
{
    int64_t value = 0;
    int negative = *in == '-', exponent = 0;
    in += negative;
    while (*in >= '0' && *in <= '9') value = value * 10 + *in++ - '0';
    if (*in == '.')
        for (in++; *in >= '0' && *in <= '9'; exponent--) value = value * 10 + *in++ - '0';
    node->kind = NUMBER;
    node->value = negative ? -value : value;
    node->exponent = exponent;
}

static Node *parse(void)
{
    Node *node = &nodes[used++];
    *node = (Node){0};
    skip();
    if (*in == '{' || *in == '[') {
        char end = *in++ == '{' ? '}' : ']';
        node->kind = end == '}' ? OBJECT : ARRAY;
        Node **at = &node->first;
        for (skip(); *in != end; skip()) {
            const char *key = 0;
            if (end == '}') {
                key = string();
                skip();
                in++; /* the colon */
            }
            *at = parse();
            (*at)->key = key;
            at = &(*at)->next;
            skip();
            if (*in == ',') in++;
        }
        in++;
    } else if (*in == '"') {
        node->kind = STRING;
        node->text = string();
    } else if (*in >= 'a') {
        node->value = *in == 'n' ? 0 : *in == 'f' ? 1 : 2;
        while (*in >= 'a' && *in <= 'z') in++;
    } else {
        number(node);
    }
    return node;
}

static void put_string(const char *text)
{
    *out++ = '"';
    for (; *text; text++) {
        char c = *text;
        if (c == '"' || c == '\\' || c == '\n' || c == '\t') {
            *out++ = '\\';
            c = c == '\n' ? 'n' : c == '\t' ? 't' : c;
        }
        *out++ = c;
    }
    *out++ = '"';
}

static void put_number(int64_t value, int exponent)
{
    char digits[24];
    int n = 0;
    uint64_t rest = value < 0 ? -value : value;
    if (value < 0) *out++ = '-';
    do {
        digits[n++] = '0' + rest % 10;
        rest /= 10;
    } while (rest || n <= -exponent);
    while (n) {
        *out++ = digits[--n];
        if (n && n == -exponent) *out++ = '.';
    }
}

static void put(const Node *node)
{
    static const char *const literals[] = {"null", "false", "true"};
    switch (node->kind) {
    case LITERAL:
        for (const char *p = literals[node->value]; *p; p++) *out++ = *p;
        break;
    case NUMBER: put_number(node->value, node->exponent); break;
    case STRING: put_string(node->text); break;
    default:
        *out++ = node->kind == OBJECT ? '{' : '[';
        for (const Node *child = node->first; child; child = child->next) {
            if (child->key) {
                put_string(child->key);
                *out++ = ':';
                *out++ = ' ';
            }
            put(child);
            if (child->next) *out++ = ',';
        }
        *out++ = node->kind == OBJECT ? '}' : ']';
    }
}

static Node *generate(uint32_t *seed, int depth)
{
    static const char *const texts[] = {"name", "a \"quoted\" word", "line\nbreak", "", "identifier", "x", "tab\there", "back\\slash"};
    Node *node = &nodes[used++];
    uint32_t r = next_random(seed);
    *node = (Node){0};
    node->kind = depth > 5 ? OBJECT : depth && r % 8 < 5 ? ARRAY + r % 2 : r / 8 % 3;
    node->value = node->kind == NUMBER ? (int64_t)(int32_t)next_random(seed) * (r % 5000) : r / 32 % 3;
    node->exponent = -(int)(r / 64 % 5);
    node->text = texts[r / 512 % 8];
    if (node->kind < ARRAY) return node;
    Node **at = &node->first;
    for (uint32_t i = 0; i < 4 + r / 4096 % 3; i++, at = &(*at)->next) {
        *at = generate(seed, depth - 1);
        if (node->kind == OBJECT) (*at)->key = texts[i % 8];
    }
    return node;
}

uint64_t kernel(int rounds)
{
    uint32_t seed = 77;
    used = 0;
    out = document;
    put(generate(&seed, 6));
    long length = out - document;
    uint64_t h = length;
    for (int r = 0; r < rounds; r++) {
        in = document;
        used = 0;
        strings = arena;
        const Node *tree = parse();
        out = printed;
        put(tree);
        h = mix(h, (out - printed) + (uint64_t)used * 7 + printed[r * 7919l % length]);
    }
    for (long i = 0; i < length; i++) h += document[i] != printed[i];
    return h;
}
