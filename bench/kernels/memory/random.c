/* Random access in 32 MiB: a chain of dependent loads, and words that are added to. */
#include "../kernel.h"
const char *const kernel_name = "random";
const int kernel_rounds = 300;

enum { N = 4 * 1024 * 1024, STEPS = 20000 };
static uint32_t next[N], counts[N];

uint64_t kernel(int rounds)
{
    uint32_t seed = 71, at = 0;
    /* One cycle through all: a multiplier of 1 modulo 4 and an odd increment (Knuth, 3.2.1.2). */
    for (uint32_t i = 0; i < N; i++) next[i] = (i * 1664525u + 1013904223u) % N;
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < STEPS; i++) at = next[at];
        for (int i = 0; i < STEPS; i++) counts[next_random(&seed) % N] += i;
        h = mix(h, at + counts[seed % N]);
    }
    return h;
}
