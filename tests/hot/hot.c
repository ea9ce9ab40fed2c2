/* A loop with calls, loads and stores, hot enough to be compiled at any threshold that is not the default's. */
#include <stdio.h>
#include <stdlib.h>

#ifndef FACTOR
#define FACTOR 2654435761u
#endif

static unsigned table[256];

__attribute__((noinline)) unsigned mix(unsigned value, unsigned round)
{
    unsigned *cell = &table[(value ^ round) & 255];
    *cell += value * FACTOR;
    return *cell ^ (value >> 3);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 2000000;
    unsigned value = 1;
    for (unsigned round = 0; round < rounds; round++)
        value = mix(value, round);
    printf("%u\n", value);
    return 0;
}
