/* An image blurred again and again in single precision, with some of the original mixed in. */
#include "../kernel.h"
const char *const kernel_name = "blur";
const int kernel_rounds = 15000;

enum { WIDTH = 256, HEIGHT = 256 };
static float original[HEIGHT][WIDTH], image[HEIGHT][WIDTH], soft[HEIGHT][WIDTH];

uint64_t kernel(int rounds)
{
    uint32_t seed = 67;
    double sum = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) original[y][x] = image[y][x] = (next_random(&seed) >> 16) / 65536.0f;
    for (int r = 0; r < rounds; r++) {
        float some = 0.25f + (r & 7) * 0.03125f;
        for (int y = 1; y + 1 < HEIGHT; y++)
            for (int x = 1; x + 1 < WIDTH; x++) {
                float corners = image[y - 1][x - 1] + image[y - 1][x + 1] + image[y + 1][x - 1] + image[y + 1][x + 1];
                float edges = image[y - 1][x] + image[y + 1][x] + image[y][x - 1] + image[y][x + 1];
                soft[y][x] = image[y][x] * 0.25f + edges * 0.125f + corners * 0.0625f;
            }
        for (int y = 1; y + 1 < HEIGHT; y++)
            for (int x = 1; x + 1 < WIDTH; x++) image[y][x] = soft[y][x] + (original[y][x] - soft[y][x]) * some;
        for (int y = 1; y + 1 < HEIGHT; y++) sum += soft[y][y];
    }
    return (uint64_t)sum;
}
