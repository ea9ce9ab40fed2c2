/* Boyer–Moore–Horspool over generated text, and a naive byte loop. */
#include "../kernel.h"
const char *const kernel_name = "strsearch";
const int kernel_rounds = 950;

enum { N = 400000 };
static char text[N + 1];

static uint64_t horspool(const char *needle, long m)
{
    long skip[256];
    uint64_t found = 0;
    for (int i = 0; i < 256; i++) skip[i] = m;
    for (long i = 0; i < m - 1; i++) skip[(uint8_t)needle[i]] = m - 1 - i;
    for (long at = 0; at + m <= N;) {
        long j = m - 1;
        while (j >= 0 && text[at + j] == needle[j]) j--;
        if (j < 0) found += at;
        at += skip[(uint8_t)text[at + m - 1]];
    }
    return found;
}

uint64_t kernel(int rounds)
{
    uint32_t seed = 5;
    uint64_t h = 0;
    for (int i = 0; i < N; i++) text[i] = "abcd efg"[next_random(&seed) >> 7 & 7];
    for (int r = 0; r < rounds; r++) {
        h = mix(h, horspool(text + 1000 + r, 4 + r % 9));
        uint64_t spaces = 0;
        for (int i = 0; i < N; i++) spaces += text[i] == ' ' && text[i + 1] != ' ';
        h = mix(h, spaces);
    }
    return h;
}
