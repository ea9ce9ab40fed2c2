/* Signal handlers: alternate stacks, masks, flags of sigaction, and what a handler changes of its context. */
#include "call.h"
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

enum { ROOM = 1 << 16 };
static char stacks[3][ROOM] __attribute__((aligned(16)));

static const char *where(void *at) {
    for (int i = 0; i < 3; i++) {
        if ((char *)at > stacks[i] && (char *)at <= stacks[i] + ROOM) return i == 0 ? "first" : i == 1 ? "second" : "third";
    }
    return "main";
}

static const char *flags(unsigned value) {
    static char text[64];
    snprintf(text, sizeof text, "%s%s%s", value & SS_ONSTACK ? "on" : "", value & SS_DISABLE ? "disabled" : "",
             value & SS_AUTODISARM ? " disarms" : "");
    return text;
}

static void stack_is(const char *what) {
    stack_t now;
    sigaltstack(0, &now);
    printf("  %s: %s stack, flags [%s], size %ld, at %s\n", what, where(&now), flags(now.ss_flags), (long)now.ss_size,
           now.ss_sp ? where((char *)now.ss_sp + 1) : "nowhere");
    fflush(stdout);
}

static void set(int at, int how) {
    stack_t stack = {.ss_sp = stacks[at], .ss_size = ROOM, .ss_flags = how};
    T(sigaltstack(&stack, 0));
}

static void mask_is(const char *what, const sigset_t *set) {
    printf("  %s:", what);
    for (int signo = 1; signo < 65; signo++) {
        if (sigismember(set, signo) == 1) printf(" %d", signo);
    }
    puts("");
    fflush(stdout);
}

static void blocked(const char *what) {
    sigset_t set;
    sigprocmask(SIG_BLOCK, 0, &set);
    mask_is(what, &set);
}

static void tells(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    printf(" handler of %d\n", signo);
    stack_is("in it");
    printf("  context: flags [%s], size %ld\n", flags(uc->uc_stack.ss_flags), (long)uc->uc_stack.ss_size);
    mask_is("to come back", &uc->uc_sigmask);
    blocked("blocked");
    printf("  aligned: %d\n", ((uintptr_t)info | (uintptr_t)context) % 8 == 0);
}

static void nests(int signo, siginfo_t *info, void *context) {
    tells(signo, info, context);
    if (signo == SIGUSR1) raise(SIGUSR2);
    stack_t stack = {.ss_sp = stacks[1], .ss_size = ROOM};
    T(sigaltstack(&stack, 0));
    stack.ss_flags = SS_DISABLE;
    T(sigaltstack(&stack, 0));
    stack_is("at its end");
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *), int how) {
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | how};
    sigaction(signo, &act, 0);
}

static void calls(void) {
    stack_t stack = {.ss_sp = stacks[0], .ss_size = ROOM}, old;
    T(sigaltstack((void *)1, 0));
    T(sigaltstack(0, (void *)1));
    stack.ss_size = 1000;
    T(sigaltstack(&stack, 0));
    stack.ss_flags = 4;
    T(sigaltstack(&stack, 0));
    stack.ss_flags = SS_ONSTACK | SS_DISABLE, stack.ss_size = ROOM;
    T(sigaltstack(&stack, 0));
    stack.ss_flags = SS_ONSTACK;
    T(sigaltstack(&stack, &old));
    printf("  %s\n", flags(old.ss_flags));
    stack_is("set as in use");
    stack.ss_flags = SS_DISABLE | SS_AUTODISARM, stack.ss_size = 1;
    T(sigaltstack(&stack, &old));
    stack_is("disabled");
    stack.ss_flags = SS_DISABLE;
    T(sigaltstack(&stack, &old));
    stack_is("disabled again");
}

static void stacking(void) {
    handle(SIGUSR1, nests, SA_ONSTACK);
    handle(SIGUSR2, nests, SA_ONSTACK);
    puts("without a stack"), raise(SIGUSR1);
    set(0, 0);
    puts("with one"), raise(SIGUSR1);
    stack_is("after it");
    set(0, SS_ONSTACK);
    puts("with one said to be in use"), raise(SIGUSR1);
    handle(SIGUSR2, nests, 0);
    puts("one without SA_ONSTACK inside"), raise(SIGUSR1);
    set(0, SS_AUTODISARM);
    stack_is("before");
    puts("disarmed in the handler"), raise(SIGUSR1);
    stack_is("after it");
    handle(SIGUSR2, nests, SA_ONSTACK);
    puts("disarmed, another set in it"), raise(SIGUSR1);
    stack_is("after it");
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, 0);
}

static void masks(void) {
    struct sigaction act = {.sa_sigaction = tells, .sa_flags = SA_SIGINFO};
    sigemptyset(&act.sa_mask), sigaddset(&act.sa_mask, SIGTERM), sigaddset(&act.sa_mask, SIGKILL);
    sigaction(SIGUSR1, &act, 0), raise(SIGUSR1);
    act.sa_flags |= SA_NODEFER, sigaction(SIGUSR1, &act, 0), raise(SIGUSR1);
    act.sa_flags |= SA_RESETHAND, sigaction(SIGUSR1, &act, 0), raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, 0, &now);
    IS(now.sa_handler == SIG_DFL);
    printf("%x\n", now.sa_flags & ~0x4000000);
    mask_is("its mask", &now.sa_mask);
    sigset_t term;
    sigemptyset(&term), sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, 0);
    handle(SIGUSR1, tells, SA_RESETHAND | SA_NODEFER), raise(SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &term, 0);
    /* SA_UNSUPPORTED and unknown flags are taken out when read back. */
    act.sa_sigaction = tells, act.sa_flags = SA_SIGINFO | 0x400 | 0x2;
    sigaction(SIGUSR1, &act, 0), sigaction(SIGUSR1, 0, &now);
    printf("%x\n", now.sa_flags & ~0x4000000);
}

static void changes_mask(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    sigaddset(&uc->uc_sigmask, SIGUSR2);
    sigaddset(&uc->uc_sigmask, SIGKILL);
    sigaddset(&uc->uc_sigmask, SIGSTOP);
    sigdelset(&uc->uc_sigmask, SIGHUP);
}

static void changes_stack(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    uc->uc_stack.ss_sp = stacks[2];
    uc->uc_stack.ss_size = signo == SIGUSR1 ? ROOM : 10;
    uc->uc_stack.ss_flags = signo == SIGHUP ? SS_DISABLE : 0;
}

static void edits(void) {
    sigset_t set_;
    handle(SIGUSR1, changes_mask, 0);
    sigemptyset(&set_), sigaddset(&set_, SIGHUP), sigprocmask(SIG_BLOCK, &set_, 0);
    raise(SIGUSR1);
    blocked("after it");
    sigemptyset(&set_), sigprocmask(SIG_SETMASK, &set_, 0);
    set(0, 0);
    handle(SIGUSR1, changes_stack, 0), handle(SIGUSR2, changes_stack, 0), handle(SIGHUP, changes_stack, 0);
    raise(SIGUSR1), stack_is("changed");
    raise(SIGUSR2), stack_is("too small");
    raise(SIGHUP), stack_is("disabled");
}

static volatile int order[8], orders;

static void notes(int signo, siginfo_t *info, void *context) {
    if (orders < 8) order[orders++] = signo;
}

/* Which of several pending signals is handled first: the last frame runs first. */
static void several(void) {
    int all[] = {SIGHUP, SIGUSR1, SIGSEGV, SIGUSR2, SIGTERM};
    sigset_t set_;
    sigfillset(&set_), sigprocmask(SIG_BLOCK, &set_, 0);
    for (int i = 0; i < 5; i++) handle(all[i], notes, 0), raise(all[i]);
    kill(getpid(), SIGTERM);
    sigemptyset(&set_), sigprocmask(SIG_SETMASK, &set_, 0);
    for (int i = 0; i < orders; i++) printf(" %d", order[i]);
    puts("");
    orders = 0;
    for (int i = 0; i < 5; i++) {
        struct sigaction act = {.sa_sigaction = notes, .sa_flags = SA_SIGINFO};
        sigfillset(&act.sa_mask);
        sigaction(all[i], &act, 0);
    }
    sigfillset(&set_), sigprocmask(SIG_BLOCK, &set_, 0);
    for (int i = 0; i < 5; i++) raise(all[i]);
    sigemptyset(&set_), sigprocmask(SIG_SETMASK, &set_, 0);
    for (int i = 0; i < orders; i++) printf(" %d", order[i]);
    puts("");
}

static void overflows(int signo, siginfo_t *info, void *context) {
    raise(signo);
}

/* A fault that is blocked or whose frame has no room ends the process. */
static void deaths(void) {
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        int st;
        if (!child) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            sigset_t set_;
            sigemptyset(&set_), sigaddset(&set_, SIGSEGV);
            stack_t stack = {.ss_sp = stacks[0], .ss_size = ROOM};
            switch (i) {
            case 0: sigprocmask(SIG_BLOCK, &set_, 0), handle(SIGSEGV, tells, 0); break;
            case 1: signal(SIGSEGV, SIG_IGN); break;
            /* A stack that is not there. */
            case 2: stack.ss_sp = (void *)0x10000, sigaltstack(&stack, 0), handle(SIGSEGV, tells, SA_ONSTACK); break;
            /* Full of frames. */
            case 3: sigaltstack(&stack, 0), handle(SIGUSR1, overflows, SA_ONSTACK | SA_NODEFER), raise(SIGUSR1); break;
            case 4: handle(SIGSEGV, overflows, SA_RESETHAND); break;
            }
            *(volatile int *)8 = 1;
            _exit(1);
        }
        waitpid(child, &st, 0);
        printf("%d: %x\n", i, st);
        fflush(stdout);
    }
    /* Another signal's frame has no room: SIGSEGV, which has a handler. */
    pid_t child = fork();
    int st;
    if (!child) {
        stack_t stack = {.ss_sp = (void *)0x10000, .ss_size = ROOM};
        sigaltstack(&stack, 0);
        handle(SIGUSR1, tells, SA_ONSTACK);
        handle(SIGSEGV, tells, SA_RESETHAND);
        raise(SIGUSR1);
        puts("goes on");
        fflush(stdout);
        _exit(3);
    }
    waitpid(child, &st, 0);
    printf("%x\n", st);
}

int main(void) {
    stack_is("at the start");
    calls();
    stacking();
    masks();
    edits();
    several();
    deaths();
    return 0;
}
