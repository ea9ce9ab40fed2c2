/* Doubles that hold integers, as JavaScript and Lua programs use them: results are exact, so the inexact flag stays
 * clear. */
#include "../kernel.h"
const char *const kernel_name = "intdoubles";
const int kernel_rounds = 14000;

uint64_t kernel(int rounds)
{
    enum { N = 100000 };
    static double a[N];
    uint64_t h = 0;
    for (int i = 0; i < N; i++) a[i] = i % 1000;
    for (int r = 0; r < rounds; r++) {
        double sum = 0, alt = 0;
        for (int i = 0; i < N; i++) {
            double v = a[i] * 3 - r;
            sum += v;
            alt = v - alt;
            a[i] = v > 1000 ? 1000 - a[i] : a[i] + 1; /* stays below 2^11 */
        }
        h = mix(h, bits_of(sum) + (uint64_t)(int64_t)alt);
    }
    return h;
}
