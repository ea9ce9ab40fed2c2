/* Code that a program writes itself, as a JIT compiler does: hot loops written anew, made writable and executable by turns,
   and a loop that changes its own next round. With the argument `exact`: written through another mapping. */
#include "call.h"
#include <sys/mman.h>

typedef long (*Function)(long);

static uint32_t i_type(int op, int f3, int rd, int rs1, int imm)
{
    return (uint32_t)imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}
static uint32_t r_type(int f7, int f3, int rd, int rs1, int rs2)
{
    return (uint32_t)f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | 0x33;
}
static uint32_t bnez(int rs1, int offset)
{
    uint32_t o = offset;
    return (o >> 12 & 1) << 31 | (o >> 5 & 63) << 25 | rs1 << 15 | 1 << 12 | (o >> 1 & 15) << 8 | (o >> 11 & 1) << 7 | 0x63;
}

enum { ZERO = 0, RA = 1, A0 = 10, A2 = 12, A3 = 13, A4 = 14, A5 = 15 };

/* f(n): s = s * factor + n, for n down to 1. */
static int write_loop(uint32_t *code, int factor)
{
    int at = 0;
    code[at++] = i_type(0x13, 0, A2, ZERO, 0);
    code[at++] = i_type(0x13, 0, A3, ZERO, factor);
    int loop = at;
    code[at++] = r_type(1, 0, A2, A2, A3);
    code[at++] = r_type(0, 0, A2, A2, A0);
    code[at++] = i_type(0x13, 0, A0, A0, -1);
    code[at] = bnez(A0, 4 * (loop - at));
    at++;
    code[at++] = i_type(0x13, 0, A0, A2, 0);
    code[at++] = i_type(0x67, 0, ZERO, RA, 0);
    return at;
}

static void flush(void *start, int count) { __builtin___clear_cache((char *)start, (char *)start + 4 * count); }

static uint64_t hot(Function f)
{
    uint64_t sum = 0;
    for (int i = 0; i < 40; i++) sum = sum * 31 + f(5000 + i);
    return sum;
}

/* Through two mappings; qemu-user does not hear of what is written through the other. */
static int exact(void)
{
    int fd = memfd_create("code", 0);
    ftruncate(fd, 65536);
    uint32_t *write = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *run = mmap(0, 65536, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    for (int factor = 3; factor < 12; factor++) {
        flush(run, write_loop(write, factor));
        for (int again = 0; again < 40; again++) {
            long want = 0;
            for (long n = 5000 + again; n; n--) want = want * factor + n;
            if (((Function)run)(5000 + again) != want) return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) return exact();
    uint32_t *both = mmap(0, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int factor = 3; factor < 12; factor++) {
        flush(both, write_loop(both, factor));
        printf("one mapping %d %016lx\n", factor, hot((Function)both));
    }

    uint32_t *turns = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int factor = 3; factor < 12; factor++) {
        mprotect(turns, 65536, PROT_READ | PROT_WRITE);
        int count = write_loop(turns, factor);
        mprotect(turns, 65536, PROT_READ | PROT_EXEC);
        flush(turns, count);
        printf("by turns %d %016lx\n", factor, hot((Function)turns));
    }

    /* Many functions, each written once, hot by turns, then some of them written anew. */
    for (int i = 0; i < 100; i++) write_loop(both + 16 * i, 3 + i);
    flush(both, 1600);
    uint64_t sum = 0;
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 100; i++) sum = sum * 7 + ((Function)(both + 16 * i))(300);
        write_loop(both + 16 * (round % 100), 200 + round);
        flush(both + 16 * (round % 100), 16);
    }
    printf("many %016lx\n", sum);

    /* A loop that stores another addition over its own every time round: a5 counts up by what the code says. */
    int at = 0;
    both[at++] = i_type(0x13, 0, A5, ZERO, 0);
    both[at++] = i_type(0x17, 0, A3, 0, 0); /* auipc a3, 0 */
    int loop = at;
    both[at++] = i_type(0x13, 0, A5, A5, 1); /* the instruction that is changed */
    both[at++] = i_type(0x03, 6, A2, A3, 4); /* lwu a2, 4(a3) */
    both[at++] = 0x00100000 | A4 << 7 | 0x37; /* lui a4, 0x100: one more in the immediate */
    both[at++] = r_type(0, 0, A2, A2, A4);
    both[at++] = 0x00c6a223;                   /* sw a2, 4(a3) */
    both[at++] = 0x0000100f;                   /* fence.i */
    both[at++] = i_type(0x13, 0, A0, A0, -1);
    both[at] = bnez(A0, 4 * (loop - at));
    at++;
    both[at++] = i_type(0x13, 0, A0, A5, 0);
    both[at++] = i_type(0x67, 0, ZERO, RA, 0);
    flush(both, at);
    printf("itself %ld\n", ((Function)both)(1000));
    return 0;
}
