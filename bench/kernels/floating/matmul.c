/* Matrix product in double precision, rows by columns of the transposed. */
#include "../kernel.h"
const char *const kernel_name = "matmul";
const int kernel_rounds = 320;

enum { N = 200 };
static double a[N][N], b[N][N], c[N][N];

uint64_t kernel(int rounds)
{
    uint32_t seed = 17;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (next_random(&seed) >> 20) / 4096.0;
            b[i][j] = (next_random(&seed) >> 20) / 4096.0;
        }
    double trace = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double s = 0;
                for (int k = 0; k < N; k++) s += a[i][k] * b[j][k];
                c[i][j] = s;
            }
        for (int i = 0; i < N; i++) trace += c[i][(i + r) % N];
        a[r % N][r % N] += 0.25;
    }
    return (uint64_t)(trace * 16);
}
