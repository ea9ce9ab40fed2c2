/* Escape times over a grid, double precision without square roots. */
#include "../kernel.h"
const char *const kernel_name = "mandelbrot";
const int kernel_rounds = 50;

uint64_t kernel(int rounds)
{
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++)
        for (int y = 0; y < 300; y++)
            for (int x = 0; x < 400; x++) {
                double cx = x / 160.0 - 2.0 + r * 0.001, cy = y / 150.0 - 1.0, zx = 0, zy = 0;
                int n = 0;
                while (n < 200 && zx * zx + zy * zy < 4.0) {
                    double t = zx * zx - zy * zy + cx;
                    zy = 2 * zx * zy + cy;
                    zx = t;
                    n++;
                }
                h += n / 8;
            }
    return h >> 12;
}
