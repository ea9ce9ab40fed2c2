/* Radix-2 fast Fourier transform, in place, with its own table of roots. */
#include "../kernel.h"
#include <math.h>
const char *const kernel_name = "fft";
const int kernel_rounds = 15000;

enum { LOG = 12, N = 1 << LOG };
static double re[N], im[N], wr[N / 2], wi[N / 2];

static void fft(void)
{
    for (int i = 1, j = 0; i < N; i++) {
        int bit = N >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            double t = re[i];
            re[i] = re[j];
            re[j] = t;
            t = im[i];
            im[i] = im[j];
            im[j] = t;
        }
    }
    for (int len = 2; len <= N; len <<= 1)
        for (int i = 0; i < N; i += len)
            for (int k = 0; k < len / 2; k++) {
                double cr = wr[k * (N / len)], ci = wi[k * (N / len)];
                int p = i + k, q = p + len / 2;
                double xr = re[q] * cr - im[q] * ci, xi = re[q] * ci + im[q] * cr;
                re[q] = re[p] - xr;
                im[q] = im[p] - xi;
                re[p] += xr;
                im[p] += xi;
            }
}

uint64_t kernel(int rounds)
{
    const double pi = 3.141592653589793;
    uint32_t seed = 23;
    for (int i = 0; i < N / 2; i++) {
        wr[i] = cos(2 * pi * i / N);
        wi[i] = sin(2 * pi * i / N);
    }
    double energy = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++) {
            re[i] = (double)(int32_t)next_random(&seed) / 2147483648.0;
            im[i] = 0;
        }
        fft();
        for (int i = 0; i < N; i += 64) energy += re[i] * re[i] + im[i] * im[i];
    }
    return (uint64_t)(energy * 4);
}
