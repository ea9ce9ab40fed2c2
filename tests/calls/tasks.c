/* Processes, signals, identities, limits, memory. */
#include "call.h"

static volatile int count;
static volatile int last;

static void on_signal(int signo, siginfo_t *info, void *context) {
    (void)context;
    count++;
    last = signo * 1000 + info->si_code;
}

static void *thread(void *arg) {
    return (char *)arg + 1;
}

int main(void) {
    int st;
    fresh_folder();
    T(waitpid(-1, &st, 0));
    pid_t child = fork();
    if (!child) _exit(7);
    T(waitpid(child + 1000, &st, 0));
    T(waitpid(child, &st, 0) == child);
    printf("%x\n", st);
    T(waitpid(child, &st, WNOHANG));
    if (!(child = fork())) {
        raise(SIGTERM);
        _exit(1);
    }
    T(waitpid(child, &st, 0) == child);
    printf("%x\n", st);
    if (!(child = fork())) {
        for (;;) pause();
    }
    T(waitpid(child, &st, WNOHANG));
    T(kill(child, SIGSTOP));
    T(waitpid(child, &st, WUNTRACED) == child);
    printf("%x\n", st);
    T(kill(child, SIGCONT));
    T(waitpid(child, &st, WCONTINUED) == child);
    printf("%x\n", st);
    siginfo_t info = {0};
    T(waitid(P_PID, child, &info, WEXITED | WNOHANG));
    T(info.si_pid);
    T(kill(child, SIGKILL));
    T(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    printf("%d %d %d\n", info.si_signo, info.si_code, info.si_status);
    T(waitid(P_ALL, 0, &info, WEXITED));
    T(waitid(P_ALL, 0, &info, WEXITED));
    T(waitpid(-1, &st, 0x4000));
    T(kill(child, 0));
    T(kill(getpid(), 0));
    T(kill(getpid(), 99));

    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO}, old;
    T(sigaction(SIGUSR1, &sa, 0));
    T(sigaction(SIGKILL, &sa, 0));
    T(sigaction(65, &sa, 0));
    T(sigaction(SIGUSR1, 0, &old));
    T(old.sa_sigaction == on_signal);
    T(raise(SIGUSR1));
    printf("%d %d\n", count, last);
    T(kill(getpid(), SIGUSR1));
    printf("%d %d\n", count, last);
    sigset_t set, pending;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    T(sigprocmask(SIG_BLOCK, &set, 0));
    T(kill(getpid(), SIGUSR1));
    T(kill(getpid(), SIGUSR1));
    T(count);
    T(sigpending(&pending));
    T(sigismember(&pending, SIGUSR1));
    T(sigprocmask(SIG_UNBLOCK, &set, 0));
    T(count);
    T(sigprocmask(99, &set, 0));
    T(sigprocmask(SIG_BLOCK, &set, 0));
    T(kill(getpid(), SIGUSR1));
    T(sigwaitinfo(&set, &info));
    T(sigtimedwait(&set, &info, &(struct timespec){0, 1000}));
    union sigval value = {42};
    T(sigqueue(getpid(), SIGUSR1, value));
    T(sigwaitinfo(&set, &info));
    printf("%d %d %d\n", info.si_code, info.si_value.sival_int, info.si_pid == getpid());
    T(sigprocmask(SIG_UNBLOCK, &set, 0));
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGALRM, &sa, 0);
    struct itimerval it = {{0, 0}, {0, 20000}};
    T(setitimer(ITIMER_REAL, &it, 0));
    T(pause());
    T(last);
    T(setitimer(9, &it, 0));
    it.it_value.tv_usec = 20000;
    T(setitimer(ITIMER_REAL, &it, 0));
    T(nanosleep(&(struct timespec){5, 0}, &(struct timespec){0}));
    int p[2];
    T(pipe(p));
    char c;
    T(setitimer(ITIMER_REAL, &it, 0));
    T(read(p[0], &c, 1));
    sa.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGALRM, &sa, 0);
    if (!(child = fork())) {
        usleep(100000);
        write(p[1], "z", 1);
        _exit(0);
    }
    T(setitimer(ITIMER_REAL, &it, 0));
    T(read(p[0], &c, 1));
    T(waitpid(child, 0, 0) == child);
    stack_t ss = {.ss_size = 100};
    T(sigaltstack(&ss, 0));
    T(sigaltstack(0, &ss));
    printf("%d\n", ss.ss_flags);

    T(setpgid(0, 0) == 0 || errno == EPERM);
    T(setpgid(1 << 20, 0));
    T(setpgid(0, -1));
    T(getpgid(0) > 0);
    T(getsid(1 << 20));
    if (!fork()) {
        T(setsid() == getpid());
        T(getpgrp() == getpid());
        T(setsid());
        T(setpgid(0, 0));
        _exit(0);
    }
    wait(0);

    if (!(child = fork())) {
        for (;;) pause();
    }
    int pf = syscall(SYS_pidfd_open, child, 0);
    struct pollfd pp = {pf, POLLIN, 0};
    T(pf >= 0);
    T(fcntl(pf, F_GETFD));
    T(poll(&pp, 1, 0));
    T(syscall(SYS_pidfd_open, 1 << 22, 0));
    T(syscall(SYS_pidfd_open, child, 5));
    T(syscall(SYS_pidfd_send_signal, pf, SIGTERM, 0, 0));
    T(poll(&pp, 1, 2000));
    T(waitid(3, pf, &info, WEXITED));
    printf("%d %d\n", info.si_status, info.si_pid == child);
    T(syscall(SYS_pidfd_send_signal, pf, 0, 0, 0));
    T(syscall(SYS_pidfd_send_signal, 0, SIGTERM, 0, 0));
    int at = -1;
    struct { uint64_t flags, pidfd, child, parent, signal, stack, size, tls; } args = {0x1000, (uint64_t)&at, 0, 0, SIGCHLD, 0, 0, 0};
    if (!(child = syscall(SYS_clone3, &args, sizeof args))) _exit(4);
    IS(child > 0 && at > 2);
    T(waitid(3, at, &info, WEXITED));
    printf("%d %d\n", info.si_status, info.si_pid == child);
    T(close(at));
    pthread_t th;
    void *ret;
    T(pthread_create(&th, 0, thread, (void *)1));
    T(pthread_join(th, &ret));
    T(ret);
    T(syscall(SYS_gettid) == getpid());
    if (!fork()) {
        T(setresgid(5, 6, 7));
        T(setresuid(1000, 1001, 1002));
        T(geteuid());
        T(setuid(0));
        T(seteuid(1002));
        T(setreuid(1001, -1));
        T(setgid(9));
        T(setgroups(0, 0));
        uid_t a, b, d;
        T(getresuid(&a, &b, &d));
        printf("%d %d %d\n", a, b, d);
        T(open("/proc/1/mem", O_RDONLY) == -1);
        T(mkdir("/nope", 0700));
        T(chown("/tmp", 0, 0));
        T(kill(1, 9));
        _exit(0);
    }
    wait(0);
    struct rlimit lim = {10, 5};
    T(setrlimit(RLIMIT_NOFILE, &lim));
    T(getrlimit(99, &lim));
    lim.rlim_cur = lim.rlim_max = 20;
    if (!fork()) {
        T(setrlimit(RLIMIT_NOFILE, &lim));
        int made = 0;
        while (dup(0) >= 0) made = 1;
        printf("%d %s\n", made, strerrorname_np(errno));
        fflush(stdout);
        _exit(0);
    }
    wait(0);

    char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    IS(m != MAP_FAILED && m[0] == 0);
    IS(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    IS(mmap(0, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    IS(mmap(0, 4096, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF);
    IS(mmap(0, 4096, PROT_READ, MAP_PRIVATE, p[0], 0) == MAP_FAILED && errno == ENODEV);
    IS(mmap(m, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
    m[0] = 1, m[4096] = 2;
    T(madvise(m, 4096, MADV_DONTNEED));
    printf("%d %d\n", m[0], m[4096]);
    T(madvise(m + 1, 4096, MADV_DONTNEED));
    T(madvise(m, 4096, 999));
    T(munmap(m + 1, 4096));
    T(munmap(m, 0));
    T(mprotect(m, 4096, PROT_READ));
    T(mprotect(m + 8, 4096, PROT_READ));
    T(mprotect(m, 4096, 0x40));
    T(write(p[1], m, 1));
    T(read(p[0], m, 1));
    T(munmap(m, 8192));
    T(write(p[1], m, 1));
    T(msync(m, 4096, MS_SYNC));
    int f = open("file", O_RDWR | O_CREAT, 0600);
    T(ftruncate(f, 5000));
    char *shared = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    char *copy = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
    shared[1] = 'S', copy[2] = 'C';
    char got[4] = {0};
    T(pread(f, got, 3, 0));
    printf("%d %c %d\n", got[0], got[1], got[2]);
    T(pwrite(f, "W", 1, 3));
    printf("%c %c\n", shared[3], copy[1]);
    if (!fork()) {
        shared[4] = 'F';
        copy[4] = 'F';
        _exit(0);
    }
    wait(0);
    printf("%c %d\n", shared[4], copy[4] == 'F');
    char *grown = mremap(copy, 8192, 16384, MREMAP_MAYMOVE);
    printf("%c\n", grown[2]);
    IS(mremap(grown, 16384, 0, 0) == MAP_FAILED && errno == EINVAL);
    int ro = open("file", O_RDONLY);
    IS(mmap(0, 4096, PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
    void *brk0 = sbrk(0);
    IS(sbrk(10000) == brk0);
    IS((char *)sbrk(0) == (char *)brk0 + 10000);
    char name[17] = {0};
    T(prctl(PR_SET_NAME, "a name longer than it may be"));
    T(prctl(PR_GET_NAME, name));
    puts(name);
    T(prctl(PR_SET_PDEATHSIG, 99));
    T(sched_yield());
    T(sched_getscheduler(0));
    T(sched_get_priority_max(SCHED_FIFO));
    T(getpriority(PRIO_PROCESS, 0));
    struct timespec ts = {0, 2000000000};
    T(nanosleep(&ts, 0));
    T(clock_gettime(999, &ts));
    T(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){0, 1}, 0));
    execl("/no/such", "x", (char *)0);
    puts(strerrorname_np(errno));
    execl("file", "x", (char *)0);
    puts(strerrorname_np(errno));
    execl("/tmp", "x", (char *)0);
    puts(strerrorname_np(errno));
    return 0;
}
