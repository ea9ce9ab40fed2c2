/* Gravitation between five bodies, double precision with square roots. */
#include "../kernel.h"
#include <math.h>
const char *const kernel_name = "nbody";
const int kernel_rounds = 1000;

typedef struct {
    double x, y, z, vx, vy, vz, m;
} Body;

/* One heavy body, the others around it. They start anew each round, for small differences grow with time. */
uint64_t kernel(int rounds)
{
    enum { STEPS = 10000 };
    Body b[5];
    uint32_t seed = 99;
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < 5; i++) {
            double *f = &b[i].x;
            for (int j = 0; j < 6; j++) f[j] = (double)(int32_t)next_random(&seed) / 2147483648.0 * 0.1;
            b[i].m = i ? 0.04 : 39.5;
            if (i) {
                b[i].x += 4 * i;
                b[i].vy += sqrt(39.5 / b[i].x);
            }
        }
        for (int step = 0; step < STEPS; step++) {
            for (int i = 0; i < 5; i++)
                for (int j = i + 1; j < 5; j++) {
                    double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z;
                    double d2 = dx * dx + dy * dy + dz * dz;
                    double mag = 0.001 / (d2 * sqrt(d2));
                    b[i].vx -= dx * b[j].m * mag;
                    b[i].vy -= dy * b[j].m * mag;
                    b[i].vz -= dz * b[j].m * mag;
                    b[j].vx += dx * b[i].m * mag;
                    b[j].vy += dy * b[i].m * mag;
                    b[j].vz += dz * b[i].m * mag;
                }
            for (int i = 0; i < 5; i++) {
                b[i].x += 0.001 * b[i].vx;
                b[i].y += 0.001 * b[i].vy;
                b[i].z += 0.001 * b[i].vz;
            }
        }
        /* The guest contracts to fused multiply-adds, the host may not: only their common leading digits count. */
        h += (uint64_t)((int64_t)(b[0].vx * 1e3) + 1000);
    }
    return h;
}
