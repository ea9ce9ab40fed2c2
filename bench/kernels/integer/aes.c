/* AES-128 (FIPS 197) in counter mode by tables: byte extraction and dependent table look-ups. */
#include "../kernel.h"
const char *const kernel_name = "aes";
const int kernel_rounds = 5000;

static uint8_t sbox[256];
static uint32_t table[4][256], schedule[44];

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint8_t twice(uint8_t x) { return x << 1 ^ (x >> 7) * 0x1b; }

/* p runs through the field as powers of 3, q through the inverses. */
static void tables(void)
{
    uint8_t p = 1, q = 1;
    do {
        p ^= twice(p);
        q ^= q << 1;
        q ^= q << 2;
        q ^= q << 4;
        if (q & 0x80) q ^= 0x09;
        uint32_t wide = q * 0x01010101u;
        sbox[p] = q ^ wide >> 7 ^ wide >> 6 ^ wide >> 5 ^ wide >> 4 ^ 0x63;
    } while (p != 1);
    sbox[0] = 0x63;
    for (int i = 0; i < 256; i++) {
        uint8_t s = sbox[i], t = twice(s);
        table[0][i] = (uint32_t)t << 24 | s << 16 | s << 8 | (s ^ t);
        for (int j = 1; j < 4; j++) table[j][i] = rol(table[0][i], 32 - 8 * j);
    }
}

static uint32_t substitute(uint32_t x)
{
    return (uint32_t)sbox[x >> 24] << 24 | sbox[x >> 16 & 255] << 16 | sbox[x >> 8 & 255] << 8 | sbox[x & 255];
}

static void expand(const uint32_t *key)
{
    uint8_t constant = 1;
    for (int i = 0; i < 44; i++) {
        if (i < 4) {
            schedule[i] = key[i];
            continue;
        }
        uint32_t t = schedule[i - 1];
        if (i % 4 == 0) {
            t = substitute(rol(t, 8)) ^ (uint32_t)constant << 24;
            constant = twice(constant);
        }
        schedule[i] = schedule[i - 4] ^ t;
    }
}

static void encrypt(const uint32_t *in, uint32_t *out)
{
    const uint32_t *k = schedule;
    uint32_t a = in[0] ^ k[0], b = in[1] ^ k[1], c = in[2] ^ k[2], d = in[3] ^ k[3];
#define MIXED(w, x, y, z, i)                                                                                           \
    (table[0][(w) >> 24] ^ table[1][(x) >> 16 & 255] ^ table[2][(y) >> 8 & 255] ^ table[3][(z)&255] ^ k[i])
    for (int round = 1; round < 10; round++) {
        k += 4;
        uint32_t e = MIXED(a, b, c, d, 0), f = MIXED(b, c, d, a, 1), g = MIXED(c, d, a, b, 2), h = MIXED(d, a, b, c, 3);
        a = e, b = f, c = g, d = h;
    }
#define LAST(w, x, y, z, i)                                                                                            \
    (substitute(((w)&0xff000000) | ((x)&0xff0000) | ((y)&0xff00) | ((z)&0xff)) ^ k[4 + (i)])
    out[0] = LAST(a, b, c, d, 0);
    out[1] = LAST(b, c, d, a, 1);
    out[2] = LAST(c, d, a, b, 2);
    out[3] = LAST(d, a, b, c, 3);
}

uint64_t kernel(int rounds)
{
    static uint32_t text[16 * 1024];
    uint32_t key[4], counter[4] = {0}, stream[4], seed = 29;
    for (int i = 0; i < 4; i++) key[i] = next_random(&seed);
    tables();
    expand(key);
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < 16 * 1024; i += 4, counter[3]++) {
            encrypt(counter, stream);
            for (int j = 0; j < 4; j++) text[i + j] ^= stream[j];
        }
    uint64_t h = 0;
    for (int i = 0; i < 16 * 1024; i++) h = mix(h, text[i]);
    return h;
}
