/* Spectral norm of an infinite matrix's corner: divisions, and doubles made from integers. */
#include "../kernel.h"
#include <math.h>
const char *const kernel_name = "spectral";
const int kernel_rounds = 6000;

enum { N = 200 };

static double entry(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void multiply(const double *v, double *to)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) sum += entry(i, j) * v[j];
        to[i] = sum;
    }
}

static void multiply_transposed(const double *v, double *to)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) sum += entry(j, i) * v[j];
        to[i] = sum;
    }
}

uint64_t kernel(int rounds)
{
    double u[N], v[N], t[N], uv = 0, vv = 0;
    for (int i = 0; i < N; i++) u[i] = 1;
    for (int r = 0; r < rounds; r++) {
        multiply(u, t);
        multiply_transposed(t, v);
        multiply(v, t);
        multiply_transposed(t, u);
        uv = vv = 0;
        for (int i = 0; i < N; i++) uv += u[i] * v[i], vv += v[i] * v[i];
        /* The norm is above 1: without this the vectors would grow out of range. */
        double length = sqrt(vv);
        for (int i = 0; i < N; i++) u[i] /= length;
        uv /= length;
        vv /= length * length;
    }
    return (uint64_t)(sqrt(uv / vv) * 1e6);
}
