/* The C library's functions of memory: memcpy, memmove, memset, memcmp and memchr on blocks of 16 bytes to 4 KiB. */
#include "../kernel.h"
const char *const kernel_name = "blocks";
const int kernel_rounds = 75000;

static uint8_t from[8192], to[8192];

uint64_t kernel(int rounds)
{
    uint32_t seed = 59;
    uint64_t h = 0;
    for (int i = 0; i < 8192; i++) from[i] = 1 + next_random(&seed) % 255;
    for (int r = 0; r < rounds; r++) {
        uint64_t sum = 0;
        for (int i = 0; i < 256; i++) {
            size_t length = 16u << i % 9, at = i * 5 % 64;
            memcpy(to + at, from + at, length);
            sum += memcmp(to + at, from + at, length) == 0;
            memmove(to + at + 3, to + at, length);
            memset(to + at, r, length / 2);
            const uint8_t *found = memchr(from + at, 0, length);
            sum += (found ? found - from : 0) + to[at + length / 2];
        }
        h = mix(h, sum);
        from[r % 8192] = r % 255 + 1;
    }
    return h;
}
