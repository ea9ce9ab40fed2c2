/* The triad of the STREAM benchmark on three arrays of 8 MiB. */
#include "../kernel.h"
const char *const kernel_name = "triad";
const int kernel_rounds = 800;

enum { N = 1024 * 1024 };
static double a[N], b[N], c[N];

uint64_t kernel(int rounds)
{
    for (int i = 0; i < N; i++) {
        b[i] = i & 1023;
        c[i] = i >> 10;
    }
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        double scalar = r & 15;
        for (int i = 0; i < N; i++) a[i] = b[i] + scalar * c[i];
        h = mix(h, bits_of(a[r * 8191l % N]));
    }
    return h;
}
