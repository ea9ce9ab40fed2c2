/* Canonical Huffman codes: counting, code lengths, encoding to bits, and decoding by a table as inflate does. */
#include "../kernel.h"
const char *const kernel_name = "huffman";
const int kernel_rounds = 700;

enum { N = 128 * 1024, SYMBOLS = 256, LONGEST = 15, ROOT = 10 };
static uint8_t text[N], back[N], packed[2 * N + 8], lengths[SYMBOLS];
static uint16_t codes[SYMBOLS];

/* Joins the two rarest trees until one is left; counts are scaled until no code is too long. */
static void find_lengths(const uint32_t *counts)
{
    for (int scale = 0;; scale++) {
        uint32_t weight[2 * SYMBOLS];
        int parent[2 * SYMBOLS], alive[SYMBOLS], n = 0, next = SYMBOLS, longest = 0;
        for (int i = 0; i < SYMBOLS; i++) {
            lengths[i] = 0;
            if (!counts[i]) continue;
            weight[i] = (counts[i] >> scale) + 1;
            alive[n++] = i;
        }
        while (n > 1) {
            for (int k = 0; k < 2; k++) {
                int least = k;
                for (int i = k + 1; i < n; i++)
                    if (weight[alive[i]] < weight[alive[least]]) least = i;
                int tree = alive[least];
                alive[least] = alive[k];
                alive[k] = tree;
            }
            weight[next] = weight[alive[0]] + weight[alive[1]];
            parent[alive[0]] = parent[alive[1]] = next;
            alive[0] = next++;
            alive[1] = alive[--n];
        }
        for (int i = 0; i < SYMBOLS; i++) {
            if (!counts[i]) continue;
            for (int node = i; node != next - 1; node = parent[node]) lengths[i]++;
            if (lengths[i] > longest) longest = lengths[i];
        }
        if (longest <= LONGEST) return;
    }
}

/* Codes are reversed, for bits are packed lowest first. */
static void find_codes(void)
{
    uint32_t code = 0;
    for (int length = 1; length <= LONGEST; length++, code <<= 1)
        for (int i = 0; i < SYMBOLS; i++) {
            if (lengths[i] != length) continue;
            uint32_t reversed = 0;
            for (int bit = 0; bit < length; bit++) reversed |= (code >> bit & 1) << (length - 1 - bit);
            codes[i] = reversed;
            code++;
        }
}

static size_t encode(void)
{
    uint64_t bits = 0;
    int held = 0;
    size_t n = 0;
    for (int i = 0; i < N; i++) {
        bits |= (uint64_t)codes[text[i]] << held;
        held += lengths[text[i]];
        for (; held >= 8; held -= 8, bits >>= 8) packed[n++] = bits;
    }
    packed[n++] = bits;
    return n;
}

static void decode(void)
{
    static uint16_t table[1 << LONGEST]; /* symbol and length; codes above ROOT bits stand in the long part */
    static uint16_t root[1 << ROOT];
    for (int i = 0; i < SYMBOLS; i++)
        if (lengths[i]) {
            uint16_t entry = i << 4 | lengths[i];
            if (lengths[i] <= ROOT) {
                for (uint32_t at = codes[i]; at < 1 << ROOT; at += 1u << lengths[i]) root[at] = entry;
            } else {
                root[codes[i] & ((1 << ROOT) - 1)] = 0;
                for (uint32_t at = codes[i]; at < 1 << LONGEST; at += 1u << lengths[i]) table[at] = entry;
            }
        }
    uint64_t bits = 0;
    int held = 0;
    const uint8_t *in = packed;
    for (int i = 0; i < N; i++) {
        for (; held < LONGEST; held += 8) bits |= (uint64_t)*in++ << held;
        uint16_t entry = root[bits & ((1 << ROOT) - 1)];
        if (!entry) entry = table[bits & ((1 << LONGEST) - 1)];
        back[i] = entry >> 4;
        bits >>= entry & 15;
        held -= entry & 15;
    }
}

uint64_t kernel(int rounds)
{
    uint32_t seed = 19;
    uint64_t h = 0;
    for (int i = 0; i < N; i++) {
        uint32_t r = next_random(&seed);
        text[i] = (r & 255) * (r >> 8 & 255) * (r >> 16 & 255) >> 16;
    }
    for (int r = 0; r < rounds; r++) {
        uint32_t counts[SYMBOLS];
        for (int i = 0; i < SYMBOLS; i++) counts[i] = 0;
        for (int i = 0; i < N; i++) counts[text[i]]++;
        find_lengths(counts);
        find_codes();
        h = mix(h, encode());
        decode();
        for (int i = 0; i < N; i++) h += text[i] != back[i];
        h = mix(h, back[r * 31 % N]);
        text[r * 17 % N] ^= r;
    }
    return h;
}
