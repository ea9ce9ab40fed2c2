/* Recursion: Fibonacci and Ackermann-like calls, and calls through a table of functions. */
#include "../kernel.h"
const char *const kernel_name = "calls";
const int kernel_rounds = 560;

__attribute__((noinline)) static uint64_t fib(uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

typedef uint64_t (*Op)(uint64_t, uint64_t);
static uint64_t op_add(uint64_t a, uint64_t b) { return a + b; }
static uint64_t op_xor(uint64_t a, uint64_t b) { return a ^ b * 3; }
static uint64_t op_rot(uint64_t a, uint64_t b) { return (a << 7 | a >> 57) - b; }
static Op volatile table[3] = {op_add, op_xor, op_rot};

uint64_t kernel(int rounds)
{
    uint64_t h = 0;
    for (int r = 0; r < rounds; r++) {
        h = mix(h, fib(27));
        for (uint64_t i = 0; i < 1000000; i++) h = table[i % 3](h, i);
    }
    return h;
}
