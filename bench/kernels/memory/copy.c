/* Copying 4 MiB under a mask, as frames of WebSockets are: a load and a store of a word each. */
#include "../kernel.h"
const char *const kernel_name = "copy";
const int kernel_rounds = 2500;

enum { WORDS = 512 * 1024 };
static uint64_t from[WORDS], to[WORDS];

uint64_t kernel(int rounds)
{
    uint32_t seed = 31;
    for (int i = 0; i < WORDS; i++) from[i] = next_random(&seed);
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        uint64_t mask = h | 1;
        for (int i = 0; i < WORDS; i++) to[i] = from[i] ^ mask;
        h = mix(h, to[r * 4099l % WORDS]);
    }
    return h;
}
