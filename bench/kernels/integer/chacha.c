/* ChaCha20 (RFC 8439) over a buffer: 32-bit additions and rotations in registers. */
#include "../kernel.h"
const char *const kernel_name = "chacha";
const int kernel_rounds = 8500;

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

#define QUARTER(a, b, c, d)                                                                                            \
    a += b, d = rol(d ^ a, 16), c += d, b = rol(b ^ c, 12), a += b, d = rol(d ^ a, 8), c += d, b = rol(b ^ c, 7)

static void block(const uint32_t *state, uint8_t *text)
{
    uint32_t x[16];
    for (int i = 0; i < 16; i++) x[i] = state[i];
    for (int i = 0; i < 10; i++) {
        QUARTER(x[0], x[4], x[8], x[12]);
        QUARTER(x[1], x[5], x[9], x[13]);
        QUARTER(x[2], x[6], x[10], x[14]);
        QUARTER(x[3], x[7], x[11], x[15]);
        QUARTER(x[0], x[5], x[10], x[15]);
        QUARTER(x[1], x[6], x[11], x[12]);
        QUARTER(x[2], x[7], x[8], x[13]);
        QUARTER(x[3], x[4], x[9], x[14]);
    }
    for (int i = 0; i < 16; i++) {
        uint32_t word = x[i] + state[i];
        text[4 * i] ^= word;
        text[4 * i + 1] ^= word >> 8;
        text[4 * i + 2] ^= word >> 16;
        text[4 * i + 3] ^= word >> 24;
    }
}

uint64_t kernel(int rounds)
{
    static uint8_t text[64 * 1024];
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, seed = 13;
    for (int i = 4; i < 16; i++) state[i] = next_random(&seed);
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < sizeof text; i += 64, state[12]++) block(state, text + i);
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof text; i++) h = mix(h, text[i]);
    return h;
}
