/* What a handler is told of an interrupted program on riscv64, and what its changes do. With the argument `exact` it
   looks at what Linux documents in its source and qemu-user does not imitate; it fails then instead of printing. */
#include "call.h"
#include <ucontext.h>

typedef struct {
    uint64_t x[32];
    uint64_t f[32];
    uint64_t fcsr;
} Registers;

/* Loads all registers but sp, gp, tp from `in`, stops at `ebreak`, and stores what is in them after that. */
void probe(const Registers *in, Registers *out);
extern char probe_break[];
asm(".text\n.option push\n.option norvc\n.globl probe\n.type probe,@function\nprobe:\n"
    "addi sp,sp,-1024\n"
    "sd ra,0(sp)\nsd s0,8(sp)\nsd s1,16(sp)\nsd s2,24(sp)\nsd s3,32(sp)\nsd s4,40(sp)\nsd s5,48(sp)\nsd s6,56(sp)\n"
    "sd s7,64(sp)\nsd s8,72(sp)\nsd s9,80(sp)\nsd s10,88(sp)\nsd s11,96(sp)\nsd a1,104(sp)\n"
    "fsd fs0,112(sp)\nfsd fs1,120(sp)\nfsd fs2,128(sp)\nfsd fs3,136(sp)\nfsd fs4,144(sp)\nfsd fs5,152(sp)\n"
    "fsd fs6,160(sp)\nfsd fs7,168(sp)\nfsd fs8,176(sp)\nfsd fs9,184(sp)\nfsd fs10,192(sp)\nfsd fs11,200(sp)\n"
    "ld t0,512(a0)\nfscsr t0\n"
    ".altmacro\n"
    ".macro loadf n\nfld f\\n,256+8*\\n(a0)\n.endm\n"
    ".macro loadx n\nld x\\n,8*\\n(a0)\n.endm\n"
    ".macro storef n\nfsd f\\n,512+8*\\n(sp)\n.endm\n"
    ".macro storex n\nsd x\\n,256+8*\\n(sp)\n.endm\n"
    ".set i,0\n.rept 32\nloadf %i\n.set i,i+1\n.endr\n"
    "ld x1,8(a0)\n.set i,5\n.rept 5\nloadx %i\n.set i,i+1\n.endr\n"
    ".set i,11\n.rept 21\nloadx %i\n.set i,i+1\n.endr\nld a0,80(a0)\n"
    ".globl probe_break\nprobe_break: ebreak\n"
    "sd x0,256(sp)\n.set i,1\n.rept 31\nstorex %i\n.set i,i+1\n.endr\n"
    ".set i,0\n.rept 32\nstoref %i\n.set i,i+1\n.endr\n"
    "frcsr t0\nsd t0,768(sp)\n"
    "ld a1,104(sp)\nli t1,0\n"
    "1: add t2,sp,t1\nld t3,256(t2)\nadd t2,a1,t1\nsd t3,0(t2)\naddi t1,t1,8\nli t3,520\nbne t1,t3,1b\n"
    "ld ra,0(sp)\nld s0,8(sp)\nld s1,16(sp)\nld s2,24(sp)\nld s3,32(sp)\nld s4,40(sp)\nld s5,48(sp)\nld s6,56(sp)\n"
    "ld s7,64(sp)\nld s8,72(sp)\nld s9,80(sp)\nld s10,88(sp)\nld s11,96(sp)\n"
    "fld fs0,112(sp)\nfld fs1,120(sp)\nfld fs2,128(sp)\nfld fs3,136(sp)\nfld fs4,144(sp)\nfld fs5,152(sp)\n"
    "fld fs6,160(sp)\nfld fs7,168(sp)\nfld fs8,176(sp)\nfld fs9,184(sp)\nfld fs10,192(sp)\nfld fs11,200(sp)\n"
    "fscsr x0\naddi sp,sp,1024\nret\n.size probe,.-probe\n.option pop\n");

static Registers in, out;
static int wrong, seen_code;
static uint64_t seen_sp, seen_frame, seen_context;
static void *seen_addr;
static sigset_t seen_mask;
static stack_t seen_stack;
static uint64_t seen_flags, seen_end[3];

static uint64_t pattern(int bank, int n) {
    return 0x0123456789abcdefull * (2 * n + 1) ^ (uint64_t)bank << 56;
}

static void on_break(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    mcontext_t *mc = &uc->uc_mcontext;
    wrong = 0;
    for (int n = 1; n < 32; n++) {
        if (n < 2 || n > 4) wrong += mc->__gregs[n] != in.x[n];
    }
    for (int n = 0; n < 32; n++) wrong += mc->__fpregs.__d.__f[n] != in.f[n];
    wrong += mc->__fpregs.__d.__fcsr != in.fcsr;
    seen_code = info->si_code, seen_addr = info->si_addr;
    seen_sp = mc->__gregs[2], seen_frame = (uint64_t)info, seen_context = (uint64_t)context;
    seen_mask = uc->uc_sigmask, seen_stack = uc->uc_stack, seen_flags = uc->__uc_flags;
    uint32_t *end = (uint32_t *)((char *)mc + 256 + 516);
    seen_end[0] = end[0], seen_end[1] = end[1], seen_end[2] = end[2];
    for (int n = 1; n < 32; n++) {
        if (n < 2 || n > 4) mc->__gregs[n] = ~in.x[n];
    }
    for (int n = 0; n < 32; n++) mc->__fpregs.__d.__f[n] = ~in.f[n];
    mc->__fpregs.__d.__fcsr = 0x67;
    if (mc->__gregs[0] != (uint64_t)probe_break) wrong += 1000;
    mc->__gregs[0] += 4;
    /* What the handler does with them is its own business. */
    asm volatile("fmv.d.x ft0,zero\nfmv.d.x fs0,zero\nfsflags zero" ::: "ft0");
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *), int how) {
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | how};
    sigaction(signo, &act, 0);
}

static int registers(void) {
    handle(SIGTRAP, on_break, 0);
    for (int n = 0; n < 32; n++) in.x[n] = pattern(1, n), in.f[n] = pattern(2, n);
    in.fcsr = 0x15;
    probe(&in, &out);
    int kept = 0;
    for (int n = 1; n < 32; n++) {
        if (n < 2 || n > 4) kept += out.x[n] == ~in.x[n];
    }
    for (int n = 0; n < 32; n++) kept += out.f[n] == ~in.f[n];
    kept += out.fcsr == 0x67;
    return kept;
}

static int last_signo, last_code;
static uintptr_t last_addr, last_pc;
static char room[1 << 16] __attribute__((aligned(16)));

/* Goes on in another function, on another stack. */
static void on_fault(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    last_signo = signo, last_code = info->si_code, last_addr = (uintptr_t)info->si_addr;
    last_pc = uc->uc_mcontext.__gregs[0];
    uc->uc_mcontext.__gregs[0] = uc->uc_mcontext.__gregs[8 + 10]; /* s2 */
}

/* Runs an instruction with `address` in a0; s2 holds where to go on. */
#define RUN(instruction, address)                                                                                      \
    ({                                                                                                                 \
        last_signo = 0;                                                                                                \
        register uintptr_t a0 asm("a0") = (uintptr_t)(address);                                                        \
        uintptr_t pc;                                                                                                  \
        asm volatile(".option push\n.option norvc\nla s2,2f\nla %1,1f\n1: " instruction "\n2:\n.option pop"            \
                     : "+r"(a0), "=&r"(pc)                                                                             \
                     :                                                                                                 \
                     : "s2", "a1", "a2", "memory", "ra");                                                              \
        pc;                                                                                                            \
    })

static void tell(const char *what, uintptr_t pc, uintptr_t address) {
    printf("%-24s signal %d code %d, address %s, pc %s\n", what, last_signo, last_code,
           last_addr == address ? "as given" : last_addr == pc ? "of the instruction" : "another",
           last_pc == pc ? "of the instruction" : last_pc == address ? "as given" : "another");
    fflush(stdout);
}

#define FAULT(instruction, address) tell(instruction, RUN(instruction, address), (uintptr_t)(address))

static char *pages;

static void faults(void) {
    int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
    for (int i = 0; i < 5; i++) handle(signals[i], on_fault, 0);
    int file = memfd_create("short", 0);
    ftruncate(file, 100);
    char *beyond = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pages = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages, 4096, PROT_READ);
    mprotect(pages + 4096, 4096, PROT_NONE);
    munmap(pages + 8192, 4096);
    FAULT("ld a1,0(a0)", 0);
    FAULT("ld a1,0(a0)", 8);
    FAULT("sd a1,0(a0)", 16);
    FAULT("lbu a1,0(a0)", pages + 8192 + 5);
    FAULT("sb a1,0(a0)", pages + 77);
    FAULT("lbu a1,0(a0)", pages + 4096 + 3);
    FAULT("sh a1,0(a0)", pages + 4096 + 2);
    FAULT("fld fa0,0(a0)", pages + 8192);
    FAULT("fsw fa0,0(a0)", pages);
    FAULT("amoadd.w a1,a1,(a0)", pages + 4);
    FAULT("lr.d a1,(a0)", pages + 4096 + 8);
    FAULT("amoswap.d a1,a1,(a0)", pages + 8192 + 16);
    FAULT("ld a1,0(a0)", beyond + 4096 + 24);
    FAULT("sd a1,0(a0)", beyond + 8192 - 8);
    FAULT("jalr a0", 0);
    FAULT("jalr a0", pages);
    FAULT("jalr a0", pages + 8192);
    FAULT(".word 0", 1);
    FAULT(".word 0xffffffff", 1);
    FAULT("csrr a1,mstatus", 1);
    FAULT("csrw cycle,a1", 1);
    FAULT("sret", 1);
    FAULT("ebreak", 1);
    last_signo = 0;
    asm volatile("li a0,5\ndiv a1,a0,zero\nrem a1,a0,zero" ::: "a0", "a1");
    asm volatile("li a1,-1\nslli a0,a1,63\ndiv a2,a0,a1\nrem a2,a0,a1" ::: "a0", "a1", "a2");
    double zero = 0;
    asm volatile("fdiv.d %0,%0,%0" : "+f"(zero));
    printf("no signal from arithmetic: %d\n", last_signo);
}

static int in_room(uintptr_t sp) {
    return sp > (uintptr_t)room && sp <= (uintptr_t)room + sizeof room;
}

static volatile int calls;
static void arrived(int signo) {
    uintptr_t sp;
    asm volatile("mv %0,sp" : "=r"(sp));
    calls += signo;
    printf("arrived with %d on %s stack\n", signo, in_room(sp) ? "the other" : "the main");
    fflush(stdout);
}

/* The handler returns into a call of a function with an argument. */
static void redirects(int signo, siginfo_t *info, void *context) {
    mcontext_t *mc = &((ucontext_t *)context)->uc_mcontext;
    mc->__gregs[1] = mc->__gregs[0];
    mc->__gregs[2] &= ~15ul;
    mc->__gregs[10] = 21;
    mc->__gregs[0] = (uintptr_t)arrived;
}

/* The function that the handler calls may change what a function may. */
static void signals_itself(void) {
    long pid = getpid();
    asm volatile("mv a0,%0\nli a1,10\nli a7,129\necall" ::"r"(pid)
                 : "ra", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "memory");
}

static void jumps(void) {
    handle(SIGUSR1, redirects, SA_ONSTACK);
    signals_itself();
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    sigaltstack(&stack, 0);
    signals_itself();
    printf("%d\n", calls);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, 0);
}

#define MUST(what)                                                                                                     \
    do {                                                                                                               \
        if (!(what)) printf("not so: %s\n", #what), failed = 1;                                                        \
    } while (0)

static int exits_by(void (*run)(void)) {
    pid_t child = fork();
    int st;
    if (!child) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        run();
        _exit(0);
    }
    waitpid(child, &st, 0);
    return WIFSIGNALED(st) ? WTERMSIG(st) : -WEXITSTATUS(st);
}

static void bad_reserved(int signo, siginfo_t *info, void *context) {
    ((uint32_t *)((char *)&((ucontext_t *)context)->uc_mcontext + 256 + 516))[0] = 1;
}
static void bad_magic(int signo, siginfo_t *info, void *context) {
    ((uint32_t *)((char *)&((ucontext_t *)context)->uc_mcontext + 256 + 520))[0] = 0x53465457;
}
static void bad_size(int signo, siginfo_t *info, void *context) {
    ((uint32_t *)((char *)&((ucontext_t *)context)->uc_mcontext + 256 + 524))[0] = 8;
}
static void with_reserved(void) { handle(SIGUSR1, bad_reserved, 0), raise(SIGUSR1); }
static void with_magic(void) { handle(SIGUSR1, bad_magic, 0), raise(SIGUSR1); }
static void with_size(void) { handle(SIGUSR1, bad_size, 0), raise(SIGUSR1); }
static void says_how(int signo, siginfo_t *info, void *context) {
    _exit(info->si_code == SI_KERNEL && info->si_addr == 0 ? 7 : 8);
}
static void with_handler(void) { handle(SIGSEGV, says_how, 0), with_magic(); }
static void no_frame(void) {
    static char stack[4096] __attribute__((aligned(16)));
    handle(SIGSEGV, says_how, SA_ONSTACK);
    stack_t other = {.ss_sp = room, .ss_size = sizeof room};
    sigaltstack(&other, 0);
    asm volatile("li sp,0x1000\nli a7,139\necall");
}

static int exact(void) {
    int failed = 0;
    MUST(registers() == 61);
    MUST(wrong == 0);
    MUST(seen_code == TRAP_BRKPT);
    MUST(seen_addr == probe_break);
    /* struct rt_sigframe: siginfo, then ucontext, aligned to 16 bytes below the interrupted stack pointer. */
    MUST(seen_frame == ((seen_sp - 1088) & ~15ul));
    MUST(seen_context == seen_frame + 128);
    MUST(seen_flags == 0);
    MUST(seen_end[0] == 0 && seen_end[1] == 0 && seen_end[2] == 0);
    MUST(exits_by(with_reserved) == SIGSEGV);
    MUST(exits_by(with_magic) == SIGSEGV);
    MUST(exits_by(with_size) == SIGSEGV);
    MUST(exits_by(with_handler) == -7);
    MUST(exits_by(no_frame) == -7);
    handle(SIGBUS, on_fault, 0);
    pages = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* do_trap_load_misaligned and do_trap_store_misaligned say where the instruction is. */
#define MISALIGNED(instruction, by)                                                                                    \
    do {                                                                                                               \
        uintptr_t pc = RUN(instruction, pages + by);                                                                   \
        MUST(last_signo == SIGBUS && last_code == BUS_ADRALN && last_addr == pc && last_pc == pc);                     \
    } while (0)
    MISALIGNED("lr.w a1,(a0)", 2);
    MISALIGNED("lr.d a1,(a0)", 4);
    MISALIGNED("sc.w a2,a1,(a0)", 1);
    MISALIGNED("sc.d a2,a1,(a0)", 4);
    MISALIGNED("amoadd.w a1,a1,(a0)", 3);
    MISALIGNED("amoor.d a1,a1,(a0)", 12);
    RUN("ld a1,0(a0)", pages + 3);
    MUST(last_signo == 0);
    RUN("fsd fa0,0(a0)", pages + 5);
    MUST(last_signo == 0);
    return failed;
}

int main(int argc, char **argv) {
    if (argc == 2) return exact();
    printf("edited registers that arrived: %d, wrong in the handler: ", registers());
    printf("%d, code %d, address %d, mask %d, stack %d\n", wrong, seen_code, seen_addr == probe_break,
           sigismember(&seen_mask, SIGTRAP), (int)seen_stack.ss_size);
    fflush(stdout);
    faults();
    jumps();
    return 0;
}
