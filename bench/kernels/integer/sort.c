/* Quicksort with insertion sort below 16 elements, on 32-bit keys. */
#include "../kernel.h"
const char *const kernel_name = "sort";
const int kernel_rounds = 105;

static void sort(uint32_t *a, long n)
{
    while (n > 16) {
        uint32_t x = a[0], y = a[n / 2], z = a[n - 1];
        uint32_t pivot = x < y ? (y < z ? y : x < z ? z : x) : (x < z ? x : y < z ? z : y);
        long i = 0, j = n - 1;
        for (;;) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i >= j) break;
            uint32_t t = a[i];
            a[i++] = a[j];
            a[j--] = t;
        }
        sort(a + i, n - i);
        n = i;
    }
    for (long i = 1; i < n; i++) {
        uint32_t v = a[i];
        long j = i;
        for (; j > 0 && a[j - 1] > v; j--) a[j] = a[j - 1];
        a[j] = v;
    }
}

uint64_t kernel(int rounds)
{
    enum { N = 150000 };
    static uint32_t a[N];
    uint32_t seed = 7;
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++) a[i] = next_random(&seed);
        sort(a, N);
        for (int i = 0; i < N; i += 1000) h = mix(h, a[i]);
    }
    return h;
}
