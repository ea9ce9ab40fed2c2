/* A position-independent program without a C library: it finds itself where the auxiliary vector says it is, and above
 * the lowest addresses. */
static long call(long number, long a, long b, long c)
{
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
}

/* Hidden, so that its address needs no relocation, which nobody would apply. */
__attribute__((visibility("hidden"))) extern char _start[];

void start_c(long *stack)
{
    long *at = stack + 1 + stack[0] + 1;
    int good = 0;
    while (*at) at++;
    for (at++; *at; at += 2)
        if (at[0] == 9 && at[1] == (long)_start && (long)_start > 0x10000) good = 1; /* AT_ENTRY */
    if (good) call(64, 1, (long)"in its place\n", 13);
    call(94, good ? 5 : 1, 0, 0);
}

__asm__(".globl _start\n_start:\nmv a0, sp\nandi sp, sp, -16\ntail start_c\n");
