/* A byte-oriented LZ77 compressor with a hash table, and its decompressor. */
#include "../kernel.h"
const char *const kernel_name = "lz";
const int kernel_rounds = 580;

enum { N = 256 * 1024 };
static uint8_t text[N], packed[2 * N], out[N];
static uint32_t table[1 << 14];

static uint32_t read32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

static size_t pack(void)
{
    size_t n = 0, i = 0, start = 0;
    for (int i = 0; i < 1 << 14; i++) table[i] = N; /* nowhere */
    while (i + 4 < N) {
        uint32_t h = read32(text + i) * 2654435761u >> 18;
        size_t at = table[h];
        table[h] = i;
        if (at < i && i - at < 65536 && read32(text + at) == read32(text + i)) {
            size_t len = 4;
            while (i + len < N && len < 255 + 4 && text[at + len] == text[i + len]) len++;
            while (start < i) {
                size_t run = i - start > 127 ? 127 : i - start;
                packed[n++] = run;
                for (size_t k = 0; k < run; k++) packed[n++] = text[start++];
            }
            packed[n++] = 128;
            packed[n++] = len - 4;
            packed[n++] = (i - at) & 255;
            packed[n++] = (i - at) >> 8;
            i += len;
            start = i;
        } else {
            i++;
        }
    }
    while (start < N) {
        size_t run = N - start > 127 ? 127 : N - start;
        packed[n++] = run;
        for (size_t k = 0; k < run; k++) packed[n++] = text[start++];
    }
    return n;
}

static size_t unpack(size_t n)
{
    size_t o = 0;
    for (size_t i = 0; i < n;) {
        size_t c = packed[i++];
        if (c < 128) {
            for (size_t k = 0; k < c; k++) out[o++] = packed[i++];
        } else {
            size_t len = packed[i] + 4, back = packed[i + 1] | packed[i + 2] << 8;
            i += 3;
            for (size_t k = 0; k < len; k++, o++) out[o] = out[o - back];
        }
    }
    return o;
}

uint64_t kernel(int rounds)
{
    uint32_t seed = 3;
    for (int i = 0; i < N; i++) {
        uint32_t r = next_random(&seed);
        text[i] = i > 500 && r % 8 ? text[i - 1 - (r >> 8) % 3 * 97 - 100] : "etaoin shrdlu"[(r >> 4) % 13];
    }
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        size_t n = pack();
        h = mix(h, n * 31 + unpack(n) + out[r * 100 % N]);
        text[r % N] ^= 1;
    }
    return h;
}
