/* Waiting for children, process groups, sessions, orphans, what a death means to others. */
#include "call.h"

static volatile int seen[65];

static void on_signal(int signo) {
    seen[signo]++;
}

static void report(siginfo_t *info, pid_t child) {
    printf("  signo %d code %d status %d child %d uid %d errno %d\n", info->si_signo, info->si_code, info->si_status,
           info->si_pid == child, info->si_uid, info->si_errno);
    fflush(stdout);
    memset(info, 0, sizeof *info);
}

/* A child that waits to be killed. */
static pid_t idle(void) {
    pid_t child = fork();
    if (!child) {
        for (;;) pause();
    }
    return child;
}

static void nap(void) {
    usleep(30000);
}

static void waits(void) {
    siginfo_t info = {0};
    struct rusage usage;
    int st;
    T(waitid(P_ALL, 0, &info, WEXITED));
    T(waitid(P_ALL, 0, &info, 0));
    T(waitid(P_ALL, 0, &info, WNOHANG));
    T(waitid(P_ALL, 0, &info, WEXITED | 0x100));
    T(waitid(99, 0, &info, WEXITED));
    T(waitid(P_PID, 0, &info, WEXITED));
    T(waitid(P_PID, -1, &info, WEXITED));
    T(waitid(P_PGID, -1, &info, WEXITED));
    T(waitid(3, 0, &info, WEXITED));
    T(waitid(3, 99, &info, WEXITED));
    pid_t child = idle(), own = getpgrp();
    info.si_pid = 77;
    T(waitid(P_PID, child, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG));
    report(&info, 0);
    T(kill(child, SIGSTOP));
    T(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT));
    report(&info, child);
    T(waitid(P_PID, child, &info, WEXITED | WNOHANG));
    report(&info, 0);
    T(waitid(P_PGID, own, &info, WSTOPPED));
    report(&info, child);
    T(waitid(P_PGID, 0, &info, WSTOPPED | WNOHANG));
    report(&info, 0);
    T(kill(child, SIGCONT));
    T(waitid(P_ALL, 0, &info, WCONTINUED | WNOWAIT));
    report(&info, child);
    T(waitid(P_ALL, 0, &info, WCONTINUED | WEXITED));
    report(&info, child);
    int fd = syscall(SYS_pidfd_open, child, 0);
    T(waitid(3, fd, &info, WEXITED | WNOHANG));
    report(&info, 0);
    int nonblocking = syscall(SYS_pidfd_open, child, O_NONBLOCK);
    T(waitid(3, nonblocking, &info, WEXITED));
    T(kill(child, SIGABRT));
    T(syscall(SYS_waitid, 3, fd, &info, WEXITED | WNOWAIT, &usage));
    IS(info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
    T(info.si_status);
    T(syscall(SYS_waitid, P_PID, child, NULL, WEXITED, &usage));
    T(waitid(3, fd, &info, WEXITED));
    if (!(child = fork())) _exit(300);
    T(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    report(&info, child);
    T(waitpid(child, &st, WNOHANG) == child);
    printf("%x\n", st);

    /* Groups of others. */
    if (!(child = fork())) {
        setpgid(0, 0);
        _exit(3);
    }
    nap();
    T(waitid(P_PGID, getpgrp(), &info, WEXITED | WNOHANG));
    T(waitid(P_PGID, child, &info, WEXITED));
    report(&info, child);

    /* Nobody is left to wait for when the signal is ignored. */
    signal(SIGCHLD, SIG_IGN);
    if (!(child = fork())) _exit(0);
    T(waitpid(child, &st, 0));
    signal(SIGCHLD, SIG_DFL);
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_NOCLDWAIT | SA_RESTART};
    sigaction(SIGCHLD, &act, 0);
    if (!(child = fork())) _exit(0);
    T(waitpid(child, &st, 0));
    T(seen[SIGCHLD]);
    act.sa_flags = SA_NOCLDSTOP | SA_RESTART, seen[SIGCHLD] = 0;
    sigaction(SIGCHLD, &act, 0);
    child = idle();
    T(kill(child, SIGSTOP));
    T(waitpid(child, &st, WUNTRACED) == child);
    T(seen[SIGCHLD]);
    T(kill(child, SIGKILL));
    T(waitpid(child, &st, 0) == child);
    T(seen[SIGCHLD]);
    signal(SIGCHLD, SIG_DFL);
    /* A clone without a signal is waited for only when asked for. */
    child = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (!child) _exit(9);
    T(waitpid(child, &st, 0));
    T(waitpid(child, &st, __WCLONE) == child);
    child = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (!child) _exit(9);
    signal(SIGUSR1, on_signal);
    T(waitpid(-1, &st, __WALL) == child);
    T(seen[SIGUSR1]);
}

static void groups(void) {
    pid_t child = idle(), other = idle();
    T(setpgid(child, child));
    T(setpgid(other, child));
    T(getpgid(other) == child);
    T(setpgid(other, 1 << 21));
    T(setpgid(other, -5));
    T(kill(-child, SIGSTOP));
    int st;
    T(waitpid(-child, &st, WUNTRACED) > 0);
    T(waitpid(-child, &st, WUNTRACED) > 0);
    T(kill(-child, SIGCONT));
    T(kill(-child, SIGTERM));
    T(waitpid(-child, &st, 0) > 0);
    T(kill(-child, 0));
    T(waitpid(-child, &st, 0) > 0);
    T(waitpid(-child, &st, 0));
    T(kill(-child, 0));
    if (!(child = fork())) {
        execl("/bin/sh", "sh", "-c", "sleep 10", (char *)0);
        pause();
    }
    if (!(other = fork())) {
        setsid();
        pause();
    }
    nap();
    T(setpgid(other, 0));
    T(setpgid(other, other));
    kill(child, SIGKILL), kill(other, SIGKILL);
    waitpid(child, &st, 0), waitpid(other, &st, 0);
}

/* A stopped group that is orphaned gets SIGHUP and SIGCONT. */
static void orphans(void) {
    int p[2], st;
    pipe(p);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int is = -1;
    T(prctl(PR_GET_CHILD_SUBREAPER, &is));
    T(is);
    pid_t leader = fork();
    if (!leader) {
        setsid();
        pid_t middle = fork();
        if (!middle) {
            setpgid(0, 0);
            pid_t stopped = fork();
            if (!stopped) {
                signal(SIGHUP, on_signal), signal(SIGCONT, on_signal);
                raise(SIGSTOP);
                while (!seen[SIGHUP] || !seen[SIGCONT]) usleep(1000);
                write(p[1], "HC", 2);
                _exit(getppid() == *(volatile pid_t *)&leader);
            }
            waitpid(stopped, &st, WUNTRACED);
            _exit(0);
        }
        waitpid(middle, &st, 0);
        nap();
        _exit(0);
    }
    T(waitpid(leader, &st, 0) == leader);
    char text[3] = {0};
    T(read(p[0], text, 2));
    puts(text);
    /* The subreaper has got it. */
    T(waitpid(-1, &st, 0) > 0);
    printf("%x\n", st);
    T(waitpid(-1, &st, 0));

    /* A signal at the parent's death; it is not inherited. */
    pid_t parent = fork();
    if (!parent) {
        if (!fork()) {
            signal(SIGUSR2, on_signal);
            int signo = -1;
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            if (!fork()) {
                prctl(PR_GET_PDEATHSIG, &signo);
                printf("of a child: %d\n", signo);
                fflush(stdout);
                _exit(0);
            }
            wait(0);
            prctl(PR_GET_PDEATHSIG, &signo);
            printf("own: %d\n", signo);
            fflush(stdout);
            write(p[1], "r", 1);
            while (!seen[SIGUSR2]) usleep(1000);
            write(p[1], "d", 1);
            _exit(0);
        }
        read(p[0], text, 1);
        _exit(0);
    }
    T(waitpid(parent, &st, 0) == parent);
    T(read(p[0], text, 1));
    printf("%c\n", text[0]);
    T(waitpid(-1, &st, 0) > 0);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* The end of a process whose parent is in its group orphans nobody. */
static void unrelated(void) {
    int st;
    pid_t leader = fork();
    if (!leader) {
        setsid();
        signal(SIGHUP, on_signal);
        seen[SIGHUP] = 0;
        pid_t stopped = idle(), ends;
        kill(stopped, SIGSTOP);
        waitpid(stopped, &st, WUNTRACED);
        if (!(ends = fork())) _exit(0);
        waitpid(ends, &st, 0);
        nap();
        printf("hung up: %d\n", seen[SIGHUP]);
        T(waitpid(stopped, &st, WNOHANG | WCONTINUED));
        kill(stopped, SIGKILL), waitpid(stopped, &st, 0);
        _exit(0);
    }
    T(waitpid(leader, &st, 0) == leader);
    printf("%x\n", st);
}

static pthread_barrier_t barrier;

static void *ends_all(void *arg) {
    nap();
    exit(5);
}

static void *outlives(void *arg) {
    nap();
    printf("after the leader\n");
    fflush(stdout);
    return 0;
}

static void *executes(void *arg) {
    printf("%d\n", syscall(SYS_gettid) != getpid());
    fflush(stdout);
    execl("/proc/self/exe", "jobs", "executed", (char *)0);
    return 0;
}

static void *lives(void *arg) {
    for (;;) pause();
}

static void threads(void) {
    int st;
    pthread_t th;
    pid_t child;
    if (!(child = fork())) {
        pthread_create(&th, 0, ends_all, 0);
        for (;;) pause();
    }
    T(waitpid(child, &st, 0) == child);
    printf("%x\n", st);
    if (!(child = fork())) {
        pthread_create(&th, 0, outlives, 0);
        syscall(SYS_exit, 7);
    }
    usleep(10000);
    T(waitpid(child, &st, WNOHANG));
    T(kill(child, 0));
    T(waitpid(child, &st, 0) == child);
    printf("%x\n", st);
    if (!(child = fork())) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
        timer_t timer;
        timer_create(CLOCK_MONOTONIC, &event, &timer);
        timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {3600, 0}}, 0);
        setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {3600, 0}}, 0);
        stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
        sigaltstack(&stack, 0);
        signal(SIGUSR1, on_signal), signal(SIGUSR2, SIG_IGN);
        sigset_t set;
        sigemptyset(&set), sigaddset(&set, SIGWINCH);
        pthread_sigmask(SIG_BLOCK, &set, 0);
        raise(SIGWINCH);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        fcntl(dup2(1, 50), F_SETFD, FD_CLOEXEC), dup2(1, 51);
        printf("%d\n", getpid() == syscall(SYS_gettid));
        fflush(stdout);
        pthread_create(&th, 0, lives, 0);
        pthread_create(&th, 0, executes, 0);
        for (;;) pause();
    }
    T(waitpid(child, &st, 0) == child);
    printf("%x\n", st);
}

/* What is left of a program's state after execve by another thread than the leader. */
static int executed(void) {
    T(getpid() == syscall(SYS_gettid));
    int threads = 0, c;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status)) {
        if (sscanf(line, "Threads: %d", &threads) == 1) break;
    }
    T(threads);
    stack_t stack;
    sigaltstack(0, &stack);
    T(stack.ss_flags == SS_DISABLE);
    struct itimerval left;
    getitimer(ITIMER_REAL, &left);
    T(left.it_value.tv_sec > 3000);
    struct itimerspec spec;
    T(syscall(SYS_timer_gettime, 0, &spec));
    struct sigaction act;
    sigaction(SIGUSR1, 0, &act);
    IS(act.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, 0, &act);
    IS(act.sa_handler == SIG_IGN);
    sigset_t set;
    sigprocmask(SIG_BLOCK, 0, &set);
    T(sigismember(&set, SIGWINCH));
    T(sigpending(&set));
    T(sigismember(&set, SIGWINCH));
    int signo = -1;
    prctl(PR_GET_PDEATHSIG, &signo);
    T(signo);
    T(fcntl(50, F_GETFD));
    T(fcntl(51, F_GETFD));
    void *head;
    size_t size;
    T(syscall(SYS_get_robust_list, 0, &head, &size));
    return 4;
}

int main(int argc, char **argv) {
    if (argc == 2) return executed();
    waits();
    groups();
    orphans();
    unrelated();
    threads();
    return 0;
}
