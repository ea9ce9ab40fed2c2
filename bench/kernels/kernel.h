/* What every kernel shares: it works for its rounds, or for argv[1] times as many (0.01 a hundredth, at least one), and
 * prints one checksum line, so that the result is compared and nothing is optimised away. All rounds take about a second
 * natively by gcc -O2. Except in the folder libc, kernels have loops of their own in place of the C library's functions;
 * where a loop only clears an array, compilers may call memset. */
#ifndef KERNEL_H
#define KERNEL_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t kernel(int rounds);
extern const char *const kernel_name;
extern const int kernel_rounds;

static inline uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15u ^ (h >> 29); }

static inline uint32_t next_random(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

static inline uint64_t bits_of(double d)
{
    uint64_t u;
    memcpy(&u, &d, 8);
    return u;
}

int main(int argc, char **argv)
{
    double rounds = kernel_rounds * (argc > 1 ? atof(argv[1]) : 1);
    printf("%s %016llx\n", kernel_name, (unsigned long long)kernel(rounds < 1 ? 1 : (int)rounds));
    return 0;
}
#endif
