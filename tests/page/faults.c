// Faults as runtimes handle them: null checks that edit the context, barriers by protection, stack overflows, files
// that end inside a mapping. Prints one line a case.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096 };

static volatile int faults, number, code;
static volatile uintptr_t address;
static enum { SKIP, ALLOW, JUMP, RETURN } how;
static sigjmp_buf back;

// An instruction's length is in its lowest bits.
static void handler(int signal, siginfo_t *info, void *context) {
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    faults++;
    number = signal;
    code = info->si_code;
    address = (uintptr_t)info->si_addr;
    switch (how) {
    case SKIP: {
        uint16_t bits;
        memcpy(&bits, (void *)m->__gregs[REG_PC], 2);
        m->__gregs[REG_PC] += (bits & 3) == 3 ? 4 : 2;
        m->__gregs[REG_A0] = 0x5a5a;
        break;
    }
    case ALLOW:
        mprotect((void *)(address & -PAGE), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
        break;
    case JUMP:
        siglongjmp(back, 1);
    case RETURN:
        m->__gregs[REG_PC] = m->__gregs[REG_RA];
        break;
    }
}

static void say(const char *name, uintptr_t base) {
    if (faults == 0) printf("%s: no fault\n", name);
    else printf("%s: %d faults, signal %d, code %d, address +%#lx\n", name, faults, number, code, (long)(address - base));
    faults = number = code = 0;
    address = 0;
}

#define ACCESS(name, text, base)                                                                                     \
    do {                                                                                                             \
        register uintptr_t a0 asm("a0") = (uintptr_t)(base);                                                         \
        how = SKIP;                                                                                                  \
        asm volatile(".option push\n.option norvc\n" text "\n.option pop" : "+r"(a0)::"a1", "fa0", "memory");        \
        printf("a0 %#lx; ", (long)(a0 == 0x5a5a ? a0 : 1));                                                          \
        say(name, (uintptr_t)(base));                                                                                \
    } while (0)

static int deep(volatile char *above) {
    volatile char here[512];
    here[0] = above[0];
    return deep(here) + here[0];
}

static void overflow(const char *name) {
    how = JUMP;
    volatile char top[16] = {0};
    if (sigsetjmp(back, 1) == 0) deep(top);
    printf("%s: %d faults, signal %d, code %d, below %d\n", name, faults, number, code, address < (uintptr_t)top);
    faults = number = code = 0;
}

static void *thread(void *unused) {
    stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&alt, NULL);
    overflow("overflow on a thread");
    return unused;
}

static char *pages(int prot, int count) {
    return mmap(NULL, (size_t)count * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&alt, NULL);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);

    ACCESS("null lb", "lb a1, 0(a0)", 0);
    ACCESS("null lhu", "lhu a1, 2(a0)", 0);
    ACCESS("null lw", "lw a1, 2044(a0)", 0);
    ACCESS("null ld", "ld a1, 8(a0)", 0);
    ACCESS("null sb", "sb a1, 7(a0)", 0);
    ACCESS("null sd", "sd a1, 2040(a0)", 0);
    ACCESS("null fld", "fld fa0, 16(a0)", 0);
    ACCESS("null amoadd", "amoadd.d a1, a1, (a0)", 0);
    ACCESS("null lr", "lr.w a1, (a0)", 0);
    ACCESS("below 64 KiB", "ld a1, 0(a0)", 0xff00);

    char *none = pages(PROT_NONE, 4);
    ACCESS("none read", "ld a1, 8(a0)", none);
    ACCESS("none write", "sw a1, 4(a0)", none);
    ACCESS("none amo", "amoswap.w a1, a1, (a0)", none);
    char *pair = pages(PROT_READ | PROT_WRITE, 2);
    mprotect(pair + PAGE, PAGE, PROT_NONE);
    ACCESS("last byte", "lbu a1, -1(a0)", pair + PAGE);
    ACCESS("across the end", "ld a1, -4(a0)", pair + PAGE);
    memset(pair + PAGE - 8, 0x77, 8);
    ACCESS("store across the end", "sd zero, -4(a0)", pair + PAGE);
    printf("stored %#x\n", pair[PAGE - 1]);
    char *only = pages(PROT_READ, 1);
    ACCESS("read-only read", "ld a1, 0(a0)", only);
    ACCESS("read-only write", "sd a1, 0(a0)", only);
    ACCESS("literal write", "sb a1, 1(a0)", "literal");
    munmap(only, PAGE);
    ACCESS("unmapped", "ld a1, 0(a0)", only);

    how = ALLOW;
    for (int i = 0; i < 4; i++) ((volatile uint64_t *)(none + i * PAGE))[3] = i + 1;
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) sum += ((volatile uint64_t *)(none + i * PAGE))[3];
    printf("barrier sum %ld; ", (long)sum);
    say("barrier", (uintptr_t)none);
    for (int round = 0; round < 100; round++) {
        mprotect(none, 4 * PAGE, PROT_READ);
        for (int i = 0; i < 4; i++) (*(volatile int *)(none + i * PAGE))++;
    }
    printf("barrier count %d; ", *(int *)(none + 3 * PAGE));
    say("barriers", (uintptr_t)none);

    uint32_t *text = (uint32_t *)pages(PROT_READ | PROT_WRITE, 1);
    text[0] = 0x02a00513; // li a0, 42
    text[1] = 0x00008067; // ret
    int (*function)(void) = (int (*)(void))text;
    how = RETURN;
    function();
    say("execute without permission", (uintptr_t)text);
    how = ALLOW;
    printf("executed %d; ", function());
    say("execute, allowed", (uintptr_t)text);
    how = RETURN;
    ((int (*)(void))0x1000)();
    say("execute nothing", 0);

    char path[] = "/tmp/page-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    if (ftruncate(fd, 3 * PAGE) != 0) return 1;
    char *file = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    file[2 * PAGE] = 1;
    if (ftruncate(fd, PAGE + 10) != 0) return 1;
    ACCESS("in the last page of a file", "ld a1, 2000(a0)", file + PAGE);
    ACCESS("beyond a file, read", "ld a1, 8(a0)", file + 2 * PAGE);
    ACCESS("beyond a file, write", "sd a1, 8(a0)", file + 2 * PAGE);
    if (ftruncate(fd, 3 * PAGE) != 0) return 1;
    ACCESS("within again", "sd a1, 8(a0)", file + 2 * PAGE);
    printf("cut off: %d\n", file[2 * PAGE]);

    overflow("overflow");
    overflow("overflow again");
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    pthread_t id;
    pthread_create(&id, &attr, thread, NULL);
    pthread_join(id, NULL);
    return 0;
}
