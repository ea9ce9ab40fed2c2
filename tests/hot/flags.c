/* Exception flags of floating point in code that runs long enough to be compiled: read often, cleared often, of tiny
 * results, and of conversions in every rounding mode. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

static unsigned flags(void)
{
    unsigned long flags;
    __asm__ volatile("frflags %0" : "=r"(flags));
    return flags;
}

static void set_flags(unsigned long flags) { __asm__ volatile("fsflags %0" ::"r"(flags)); }

static uint64_t hash = 14695981039346656037u;
static void mix(uint64_t value) { hash = (hash ^ value) * 1099511628211u; }

static volatile double numbers[] = {0.0,   -0.0,   0.5,  -0.5,    0.49999999999999994, 1.5,       -1.5,       2.5,
                                    -2.5,  1e9,    -1e9, 2147483647.5, -2147483648.5,  4294967295.5, -0.75,   1e17,
                                    -1e17, 9.3e18, 1e300, 5e-324, -5e-324,             2.2e-308,  INFINITY,   -INFINITY,
                                    NAN,   3.0,    -7.0, 9007199254740993.0, 1e-310, 123456.789};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

#define CONVERT(type, of, insn, rm)                                                     \
    do {                                                                                \
        unsigned long result, raised;                                                   \
        __asm__ volatile("fsflags x0; " insn " %0, %2, " rm "; frflags %1"              \
                         : "=r"(result), "=r"(raised)                                   \
                         : "f"((type)(of)));                                            \
        mix(result);                                                                    \
        mix(raised);                                                                    \
    } while (0)
#define ALL_MODES(what, type, of, insn) \
    do {                                \
        what(type, of, insn, "rne");    \
        what(type, of, insn, "rtz");    \
        what(type, of, insn, "rdn");    \
        what(type, of, insn, "rup");    \
        what(type, of, insn, "rmm");    \
    } while (0)

static void conversions(double x)
{
    ALL_MODES(CONVERT, double, x, "fcvt.w.d");
    ALL_MODES(CONVERT, double, x, "fcvt.wu.d");
    ALL_MODES(CONVERT, double, x, "fcvt.l.d");
    ALL_MODES(CONVERT, double, x, "fcvt.lu.d");
    ALL_MODES(CONVERT, float, x, "fcvt.w.s");
    ALL_MODES(CONVERT, float, x, "fcvt.wu.s");
    ALL_MODES(CONVERT, float, x, "fcvt.l.s");
    ALL_MODES(CONVERT, float, x, "fcvt.lu.s");
}

#define NUMBER(type, of, insn, rm)                                                                              \
    do {                                                                                                        \
        unsigned long raised;                                                                                   \
        type result;                                                                                            \
        __asm__ volatile("fsflags x0; " insn " %0, %2, " rm "; frflags %1" : "=f"(result), "=r"(raised) : "r"(of)); \
        mix((uint64_t)(int64_t)(result * 0.5));                                                                 \
        mix(raised);                                                                                            \
    } while (0)

static void read_and_cleared(void)
{
    for (int round = 0; round < 4000; round++) {
        /* Read often, set once. */
        set_flags(0);
        volatile double one = 1, three = 3, sum = 0;
        for (int i = 0; i < 500; i++) {
            sum = sum + i * 0.5;
            mix(flags());
            if (i == 300) sum = one / three;
            if (i == 400) sum = one / (three - three);
            mix(flags());
        }
        /* Cleared often. */
        for (int i = 0; i < 500; i++) {
            set_flags(i & 1 ? 0 : 16);
            sum = i % 3 ? one / three : one + three;
            mix(flags());
        }
    }
}

static void tiny_results(void)
{
    for (int round = 0; round < 30000; round++) {
        set_flags(0);
        volatile double tiny = 4.4501477170144028e-308;
        for (int i = 0; i < 100; i++) {
            tiny = tiny / (i < 60 ? 2 : 3);
            mix(flags());
            mix(tiny > 0);
        }
    }
}

static void converted(void)
{
    for (int round = 0; round < 8000; round++)
        for (int i = 0; i < NUMBERS; i++) {
            conversions(numbers[i]);
            mix(isless(numbers[i], numbers[round % NUMBERS]));
            long whole = (long)(i * 0x123456789abcdefL) >> (round % 60);
            ALL_MODES(NUMBER, double, whole, "fcvt.d.l");
            ALL_MODES(NUMBER, double, whole, "fcvt.d.lu");
            ALL_MODES(NUMBER, float, whole, "fcvt.s.l");
            ALL_MODES(NUMBER, float, whole, "fcvt.s.lu");
        }
}

/* What is read differs once flags were cleared often: so each part is a run of its own. */
int main(int argc, char **argv)
{
    switch (argc > 1 ? argv[1][0] : 0) {
    case 'r': read_and_cleared(); break;
    case 't': tiny_results(); break;
    case 'c': converted(); break;
    default: return 2;
    }
    printf("%s %016llx\n", argv[1], (unsigned long long)hash);
    return 0;
}
