/* Divides by constants, all kinds of them: prints a sum for each. */
#include <stdint.h>
#include <stdio.h>

#define ROUNDS 60000

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    /* Small numbers and negative ones as well. */
    return (int64_t)*state >> (*state & 63);
}

/* The instruction itself: compilers may make a product of it. */
#define ONE(instruction, by) ({                                                                                     \
    uint64_t result;                                                                                                 \
    __asm__("li t0," #by "\n\t" instruction " %0,%1,t0" : "=r"(result) : "r"(n) : "t0");                             \
    result;                                                                                                          \
})

#define DIVISOR(name, by)                                                                                            \
    __attribute__((noinline)) static uint64_t by_##name(void)                                                        \
    {                                                                                                                \
        uint64_t sum = 0, state = 88172645463325252u;                                                                \
        for (int i = 0; i < ROUNDS; i++) {                                                                           \
            uint64_t n = i < 4 ? (uint64_t)1 << 63 >> (i & 1) * 32 | (uint64_t)-(i >> 1) : next(&state);             \
            sum = sum * 31 + ONE("div", by);                                                                         \
            sum = sum * 31 + ONE("divu", by);                                                                        \
            sum = sum * 31 + ONE("rem", by);                                                                         \
            sum = sum * 31 + ONE("remu", by);                                                                        \
            sum = sum * 31 + ONE("divw", by);                                                                        \
            sum = sum * 31 + ONE("divuw", by);                                                                       \
            sum = sum * 31 + ONE("remw", by);                                                                        \
            sum = sum * 31 + ONE("remuw", by);                                                                       \
        }                                                                                                            \
        return sum;                                                                                                  \
    }

DIVISOR(0, 0)
DIVISOR(1, 1)
DIVISOR(2, -1)
DIVISOR(3, 2)
DIVISOR(4, -2)
DIVISOR(5, 3)
DIVISOR(6, 7)
DIVISOR(7, -7)
DIVISOR(8, 10)
DIVISOR(9, 25)
DIVISOR(10, 60)
DIVISOR(11, 641)
DIVISOR(12, 1000)
DIVISOR(13, 4096)
DIVISOR(14, -4096)
DIVISOR(15, 1000000007)
DIVISOR(16, 0x7fffffff)
DIVISOR(17, 0x80000000)
DIVISOR(18, 0x80000001)
DIVISOR(19, 0xffffffff)
DIVISOR(20, 0x100000000)
DIVISOR(21, 6700417)
DIVISOR(22, 0x7fffffffffffffff)
DIVISOR(23, 0x8000000000000000)
DIVISOR(24, 0x8000000000000001)
DIVISOR(25, 0xaaaaaaaaaaaaaaab)

static uint64_t (*const by[])(void) = {
    by_0,
    by_1,
    by_2,
    by_3,
    by_4,
    by_5,
    by_6,
    by_7,
    by_8,
    by_9,
    by_10,
    by_11,
    by_12,
    by_13,
    by_14,
    by_15,
    by_16,
    by_17,
    by_18,
    by_19,
    by_20,
    by_21,
    by_22,
    by_23,
    by_24,
    by_25,
};

int main(void)
{
    /* Once to get them compiled. */
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < sizeof by / sizeof *by; i++) {
            uint64_t sum = by[i]();
            if (pass) printf("%u %016lx\n", i, sum);
        }
    return 0;
}
