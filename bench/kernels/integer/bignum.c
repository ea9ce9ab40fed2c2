/* Numbers of many words: powers modulo a 2,048-bit number by Montgomery's multiplication, and factorials divided into
 * decimal digits. 64-bit products of 128 bits carry both. */
#include "../kernel.h"
const char *const kernel_name = "bignum";
const int kernel_rounds = 600;

typedef unsigned __int128 uint128_t;
enum { LIMBS = 32, LONG = 160 };

static uint64_t modulus[LIMBS], inverse;

/* to = a * b / 2^2048 modulo the modulus. */
static void multiply(uint64_t *to, const uint64_t *a, const uint64_t *b)
{
    uint64_t t[LIMBS + 2] = {0};
    for (int i = 0; i < LIMBS; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < LIMBS; j++) {
            uint128_t sum = (uint128_t)a[j] * b[i] + t[j] + carry;
            t[j] = sum;
            carry = sum >> 64;
        }
        uint128_t top = (uint128_t)t[LIMBS] + carry;
        uint64_t m = t[0] * inverse;
        carry = ((uint128_t)m * modulus[0] + t[0]) >> 64;
        for (int j = 1; j < LIMBS; j++) {
            uint128_t sum = (uint128_t)m * modulus[j] + t[j] + carry;
            t[j - 1] = sum;
            carry = sum >> 64;
        }
        top += carry;
        t[LIMBS - 1] = top;
        t[LIMBS] = top >> 64;
    }
    uint64_t borrow = 0, less[LIMBS];
    for (int i = 0; i < LIMBS; i++) {
        uint128_t difference = (uint128_t)t[i] - modulus[i] - borrow;
        less[i] = difference;
        borrow = difference >> 127;
    }
    const uint64_t *from = t[LIMBS] >= borrow ? less : t;
    for (int i = 0; i < LIMBS; i++) to[i] = from[i];
}

static uint64_t digits_of_factorial(uint64_t n)
{
    uint64_t number[LONG] = {1}, sum = 0;
    int length = 1;
    for (uint64_t factor = 2; factor <= n; factor++) {
        uint64_t carry = 0;
        for (int i = 0; i < length; i++) {
            uint128_t product = (uint128_t)number[i] * factor + carry;
            number[i] = product;
            carry = product >> 64;
        }
        if (carry) number[length++] = carry;
    }
    /* Halves of words, whose remainders with the next half fit into a word. */
    while (length) {
        uint64_t rest = 0;
        for (int i = length - 1; i >= 0; i--) {
            uint64_t high = rest << 32 | number[i] >> 32;
            uint64_t low = high % 1000000000 << 32 | (uint32_t)number[i];
            number[i] = high / 1000000000 << 32 | low / 1000000000;
            rest = low % 1000000000;
        }
        sum = sum * 31 + rest;
        while (length && !number[length - 1]) length--;
    }
    return sum;
}

uint64_t kernel(int rounds)
{
    uint64_t base[LIMBS], power[LIMBS], h = 0;
    uint32_t seed = 61;
    for (int i = 0; i < LIMBS; i++) {
        modulus[i] = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
        base[i] = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
    }
    modulus[0] |= 1;
    modulus[LIMBS - 1] |= 1ull << 63;
    base[LIMBS - 1] >>= 1;
    inverse = 1;
    for (int i = 0; i < 6; i++) inverse *= 2 - modulus[0] * inverse;
    inverse = -inverse;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < LIMBS; i++) power[i] = base[i];
        for (int bit = 0; bit < 512; bit++) {
            multiply(power, power, power);
            if (modulus[bit / 64] >> bit % 64 & 1) multiply(power, power, base);
        }
        for (int i = 0; i < LIMBS; i++) h = mix(h, power[i]);
        base[0] ^= h >> 8;
        h = mix(h, digits_of_factorial(600 + r % 8));
    }
    return h;
}
