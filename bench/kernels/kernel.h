/* What every kernel shares: it works for argv[1] rounds (default its own) and prints one checksum line, so that the
 * result is compared and nothing is optimised away. */
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
    int rounds = argc > 1 ? atoi(argv[1]) : kernel_rounds;
    printf("%s %016llx\n", kernel_name, (unsigned long long)kernel(rounds));
    return 0;
}
#endif
