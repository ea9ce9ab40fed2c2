/* Loops that only load walk into memory that is not there: prints what the registers have when they do. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096, PAGES = 16 };

static sigjmp_buf back;
static int names[] = {REG_A0, REG_A0 + 1, REG_A0 + 2, REG_A0 + 3, REG_A0 + 4, REG_A0 + 5, REG_A0 + 6, REG_A0 + 7, 5, 6, 7, 28};
extern char loop_start[];

static void faulted(int signal, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    unsigned long *gregs = at->uc_mcontext.__gregs;
    printf("signal %d at pc +%ld, address %lx\n", signal, gregs[0] - (long)loop_start, (long)info->si_addr);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) printf(" %lx", gregs[names[i]]);
    printf(" fa5 %lx fflags %x\n", at->uc_mcontext.__fpregs.__d.__f[15], at->uc_mcontext.__fpregs.__d.__fcsr);
    siglongjmp(back, 1);
}

/* Sums of 16 bytes a round; most registers are set anew in each, and one in some only. */
uint64_t scan(const char *from, const char *to, uint64_t rounds);
__asm__(".text\n.globl scan\n.globl loop_start\nscan:\n"
        " li a3,0\n li a4,0\n li a5,0\n li t1,7\n li t2,9\n"
        "loop_start:\n"
        " ld a4,0(a0)\n"
        " fcvt.d.l fa5,a4\n"
        " ld a5,8(a0)\n"
        " xor a6,a4,a5\n"
        " sraiw a7,a6,3\n"
        " slli t0,a7,2\n"
        " add a3,a3,t0\n"
        " mv t3,a4\n"
        " addi a0,a0,16\n"
        " addi a2,a2,-1\n"
        " bne a0,a1,loop_start\n"
        " mv a0,a3\n ret\n");

int main(void)
{
    char *at = mmap((void *)0x20000000, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(at + PAGES * PAGE, PAGE, PROT_NONE);
    for (int i = 0; i < PAGES * PAGE; i++) at[i] = i * 7 + i / 256;
    struct sigaction action = {.sa_sigaction = faulted, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    uint64_t sum = 0;
    for (int i = 0; i < 3000; i++) sum += scan(at, at + PAGES * PAGE, i);
    printf("%lx\n", sum);
    /* Behind a page's end, in the first round, one load earlier than the other, and no memory at all. */
    const char *const starts[] = {at, at + 8 * PAGE, at + 8, at + PAGES * PAGE - 16, at + PAGES * PAGE, (char *)16};
    for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!sigsetjmp(back, 1)) printf("not reached %lx\n", scan(starts[i], (char *)8, i));
    printf("%lx\n", scan(at, at + PAGES * PAGE, 0));
    return 0;
}
