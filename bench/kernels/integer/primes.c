/* Sieve of Eratosthenes over bytes, and trial division on what is left. */
#include "../kernel.h"
const char *const kernel_name = "primes";
const int kernel_rounds = 420;

uint64_t kernel(int rounds)
{
    enum { N = 1000000 };
    static uint8_t composite[N];
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++) composite[i] = ~i & 1;
        composite[2] = 0;
        for (int i = 3; i * i < N; i += 2)
            if (!composite[i])
                for (int j = i * i; j < N; j += i) composite[j] = 1;
        uint64_t count = 0, sum = 0;
        for (int i = 2; i < N; i++)
            if (!composite[i]) count++, sum += i % (r + 3);
        h = mix(h, count + (sum << 32));
    }
    return h;
}
