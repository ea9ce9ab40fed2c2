/* SHA-256 (FIPS 180-4) over a buffer, again and again. */
#include "../kernel.h"
const char *const kernel_name = "sha256";
const int kernel_rounds = 4000;

static uint32_t k[64];

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The constants are the fractional bits of cube roots of primes; integers suffice to find them. */
static void constants(void)
{
    int n = 0;
    for (unsigned p = 2; n < 64; p++) {
        int prime = 1;
        for (unsigned d = 2; d * d <= p; d++)
            if (p % d == 0) prime = 0;
        if (!prime) continue;
        unsigned __int128 target = (unsigned __int128)p << 96;
        uint64_t root = 0;
        for (int bit = 35; bit >= 0; bit--) {
            uint64_t t = root | 1ull << bit;
            if ((unsigned __int128)t * t * t <= target) root = t;
        }
        k[n++] = (uint32_t)root;
    }
}

static void block(uint32_t *h, const uint8_t *p)
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + w[i - 7] + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
    for (int i = 0; i < 8; i++) v[i] = h[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e = v[4], a = v[0];
        uint32_t t1 = v[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
        uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6];
        v[6] = v[5];
        v[5] = e;
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = a;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

uint64_t kernel(int rounds)
{
    static uint8_t buf[64 * 1024];
    uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8}, seed = 1;
    constants();
    for (size_t i = 0; i < sizeof buf; i++) buf[i] = next_random(&seed);
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < sizeof buf; i += 64) block(h, buf + i);
    return (uint64_t)h[0] << 32 | h[7];
}
