/* Hash tables: integers in open addressing with removal, and strings in chains, hashed and compared byte by byte. */
#include "../kernel.h"
const char *const kernel_name = "hashing";
const int kernel_rounds = 600;

enum { SLOTS = 1 << 15, KEYS = 20000, BUCKETS = 1 << 12, WORDS = 6000 };
static uint64_t keys[SLOTS], values[SLOTS];

static uint32_t slot_of(uint64_t key) { return key * 0x9e3779b97f4a7c15u >> 49; }

static void put(uint64_t key, uint64_t value)
{
    uint32_t i = slot_of(key);
    while (keys[i] && keys[i] != key) i = (i + 1) % SLOTS;
    keys[i] = key;
    values[i] += value;
}

static uint64_t get(uint64_t key)
{
    uint32_t i = slot_of(key);
    while (keys[i] && keys[i] != key) i = (i + 1) % SLOTS;
    return keys[i] ? values[i] : 0;
}

/* Later entries of the same run move up, so that no tombstones are needed. */
static void take(uint64_t key)
{
    uint32_t i = slot_of(key);
    while (keys[i] && keys[i] != key) i = (i + 1) % SLOTS;
    if (!keys[i]) return;
    for (uint32_t j = (i + 1) % SLOTS; keys[j]; j = (j + 1) % SLOTS) {
        uint32_t home = slot_of(keys[j]);
        if ((j - home) % SLOTS < (j - i) % SLOTS) continue;
        keys[i] = keys[j];
        values[i] = values[j];
        i = j;
    }
    keys[i] = values[i] = 0;
}

typedef struct Word {
    struct Word *next;
    uint32_t hash, count;
    char text[24];
} Word;
static Word words[WORDS], *buckets[BUCKETS];
static int used;

static Word *find(const char *text)
{
    uint32_t hash = 2166136261u;
    for (const char *p = text; *p; p++) hash = (hash ^ (uint8_t)*p) * 16777619u;
    Word **at = &buckets[hash % BUCKETS];
    for (; *at; at = &(*at)->next) {
        if ((*at)->hash != hash) continue;
        const char *p = (*at)->text, *q = text;
        while (*p && *p == *q) p++, q++;
        if (*p == *q) return *at;
    }
    Word *word = *at = &words[used++];
    word->next = 0;
    word->hash = hash;
    word->count = 0;
    char *to = word->text;
    while ((*to++ = *text++)) {}
    return word;
}

/* Few enough numbers that words come back, long enough that hashing them matters. */
static void spell(uint32_t number, char *text)
{
    static const char parts[16][4] = {"ba", "ne", "ri", "so", "tu", "ka", "le", "mi", "no", "pu", "da", "ge", "hi", "jo", "vu", "za"};
    number = number % WORDS + 1;
    for (; number; number /= 5) {
        const char *part = parts[number % 16];
        *text++ = part[0];
        *text++ = part[1];
    }
    *text = 0;
}

uint64_t kernel(int rounds)
{
    uint64_t h = 0;
    uint32_t seed = 41;
    for (int r = 0; r < rounds; r++) {
        uint32_t first = seed;
        for (int i = 0; i < KEYS; i++) put(next_random(&seed), i);
        uint32_t again = first;
        for (int i = 0; i < KEYS; i++) h += get(next_random(&again)) ^ get(i + 1);
        again = first;
        for (int i = 0; i < KEYS; i++) take(next_random(&again));
        used = 0;
        for (int i = 0; i < BUCKETS; i++) buckets[i] = 0;
        for (int i = 0; i < 3 * WORDS; i++) {
            char text[24];
            spell(next_random(&seed), text);
            find(text)->count++;
        }
        for (int i = 0; i < used; i++) h = mix(h, words[i].count);
    }
    return h;
}
