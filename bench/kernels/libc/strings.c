/* The C library's functions of strings: strlen, strcmp, strchr, strstr, strcpy on words and lines. */
#include "../kernel.h"
const char *const kernel_name = "strings";
const int kernel_rounds = 65000;

enum { LINES = 512 };
static char lines[LINES][96], other[LINES][96];

uint64_t kernel(int rounds)
{
    uint32_t seed = 47;
    uint64_t h = 0;
    for (int i = 0; i < LINES; i++) {
        int length = 1 + next_random(&seed) % 90;
        for (int j = 0; j < length; j++) lines[i][j] = 'a' + (next_random(&seed) >> 9) % 20;
        lines[i][length] = 0;
    }
    for (int r = 0; r < rounds; r++) {
        uint64_t sum = 0;
        for (int i = 0; i < LINES; i++) {
            const char *line = lines[i], *following = lines[(i + r) % LINES];
            sum += strlen(line);
            strcpy(other[i], line);
            sum += strcmp(other[i], line) == 0;
            sum += strcmp(line, following) < 0;
            const char *found = strchr(line, 'a' + r % 20);
            sum += found ? found - line : 100;
            sum += strstr(line, "ab") != 0;
        }
        h = mix(h, sum);
        lines[r % LINES][0] = 'a' + r % 20;
    }
    return h;
}
