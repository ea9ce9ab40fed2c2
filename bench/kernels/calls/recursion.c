/* Deep and wide recursion: Ackermann's function, Takeuchi's, and queens on a chess board. */
#include "../kernel.h"
const char *const kernel_name = "recursion";
const int kernel_rounds = 7500;

__attribute__((noinline)) static uint64_t ackermann(uint64_t m, uint64_t n)
{
    if (!m) return n + 1;
    return n ? ackermann(m - 1, ackermann(m, n - 1)) : ackermann(m - 1, 1);
}

__attribute__((noinline)) static int64_t tak(int64_t x, int64_t y, int64_t z)
{
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

__attribute__((noinline)) static uint64_t queens(uint32_t columns, uint32_t left, uint32_t right, uint32_t all)
{
    if (columns == all) return 1;
    uint64_t found = 0;
    for (uint32_t free = all & ~(columns | left | right); free; free &= free - 1) {
        uint32_t bit = free & -free;
        found += queens(columns | bit, (left | bit) << 1, (right | bit) >> 1, all);
    }
    return found;
}

uint64_t kernel(int rounds)
{
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        /* What depends on the sum so far is computed every time. */
        h = mix(h, ackermann(3, 5 + (h >> 9 & 1)));
        h = mix(h, tak(14 + (h >> 11 & 1), 9, 4));
        h = mix(h, queens(0, 0, 0, h >> 13 & 1 ? 511 : 255));
    }
    return h;
}
