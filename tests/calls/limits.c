/* Resource limits and what is answered at them. A user of its own makes Linux's counts, which are a user's, start at 0. */
#include "call.h"
#include <mqueue.h>
#include <sys/inotify.h>

#define UID 54321

static void limit(int resource, rlim_t value) {
    struct rlimit limit = {value, value};
    if (setrlimit(resource, &limit)) exit(98);
}

/* Runs a part in a process of the user's, and tells how it ended. */
static void part(const char *name, void (*run)(void)) {
    printf("-- %s\n", name);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        if (setgid(UID) || setuid(UID)) exit(97);
        run();
        fflush(stdout);
        _exit(0);
    }
    int st;
    waitpid(child, &st, 0);
    printf("%s: status %x\n", name, st);
}

#define UNTIL_ERROR(call)                                                      \
    do {                                                                       \
        int n_ = 0;                                                            \
        errno = 0;                                                             \
        while (n_ < 100000 && (long)(call) != -1) n_++;                        \
        printf("%s: %s after %d\n", #call, strerrorname_np(errno), n_);        \
        fflush(stdout);                                                        \
    } while (0)

static void block_all(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, 0);
}

static void take(int signo) {
    sigset_t one;
    siginfo_t info = {0};
    struct timespec now = {0};
    sigemptyset(&one);
    sigaddset(&one, signo);
    int got = sigtimedwait(&one, &info, &now);
    printf("took %d: code %d, value %d, from %s\n", got == signo, info.si_code, got < 0 ? 0 : info.si_int,
           got < 0 || !info.si_pid ? "nobody" : "somebody");
}

static void signals(void) {
    union sigval value = {.sival_int = 5};
    sigset_t pending;
    block_all();
    limit(RLIMIT_SIGPENDING, 20);
    UNTIL_ERROR(sigqueue(getpid(), SIGRTMIN + 1, value));
    T(sigqueue(getpid(), SIGRTMIN + 2, value));
    T(kill(getpid(), SIGRTMIN + 3));
    T(kill(getpid(), SIGUSR1));
    T(sigqueue(getpid(), SIGUSR2, value));
    T(sigqueue(getpid(), 0, value));
    T(sigqueue(getpid(), 99, value));
    sigpending(&pending);
    T(sigismember(&pending, SIGRTMIN + 2));
    T(sigismember(&pending, SIGRTMIN + 3));
    T(sigismember(&pending, SIGUSR1));
    T(sigismember(&pending, SIGUSR2));
    take(SIGRTMIN + 3);
    take(SIGUSR1);
    take(SIGUSR2);
    take(SIGRTMIN + 1);
    T(sigqueue(getpid(), SIGRTMIN + 2, value));
    take(SIGRTMIN + 2);
    T(pthread_kill(pthread_self(), SIGRTMIN + 4));
    T(pthread_sigqueue(pthread_self(), SIGRTMIN + 4, value));
    /* What is ignored needs no place, unless it is blocked. */
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + 5);
    signal(SIGRTMIN + 5, SIG_IGN);
    T(sigqueue(getpid(), SIGRTMIN + 5, value));
    sigprocmask(SIG_UNBLOCK, &one, 0);
    T(sigqueue(getpid(), SIGRTMIN + 5, value));
}

static void users_signals(void) {
    union sigval value = {.sival_int = 5};
    block_all();
    limit(RLIMIT_SIGPENDING, 10);
    int p[2];
    T(pipe(p));
    pid_t child = fork();
    if (!child) {
        char c;
        read(p[0], &c, 1);
        _exit(0);
    }
    for (int i = 0; i < 6; i++) sigqueue(child, SIGRTMIN, value);
    /* All processes of a user count together, and so do timers. */
    timer_t timer;
    T(timer_create(CLOCK_MONOTONIC, 0, &timer));
    UNTIL_ERROR(sigqueue(getpid(), SIGRTMIN, value));
    T(timer_create(CLOCK_MONOTONIC, 0, &timer));
    write(p[1], "x", 1);
    waitpid(child, 0, 0);
    UNTIL_ERROR(sigqueue(getpid(), SIGRTMIN, value));
}

static void timers(void) {
    timer_t timer[40];
    int n = 0;
    limit(RLIMIT_SIGPENDING, 25);
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    while (n < 40 && !timer_create(CLOCK_MONOTONIC, n & 1 ? &none : 0, &timer[n])) n++;
    printf("timer_create: %s after %d\n", strerrorname_np(errno), n);
    T(timer_delete(timer[3]));
    T(timer_create(CLOCK_MONOTONIC, 0, &timer[3]));
    T(timer_create(CLOCK_MONOTONIC, 0, &timer[30]));
    pid_t child = fork();
    if (!child) {
        T(timer_delete(timer[0]));
        T(timer_create(CLOCK_MONOTONIC, 0, &timer[0]));
        _exit(0);
    }
    waitpid(child, 0, 0);
    T(timer_delete(timer[5]));
    child = fork();
    if (!child) {
        T(timer_create(CLOCK_MONOTONIC, 0, &timer[0]));
        T(timer_create(CLOCK_MONOTONIC, 0, &timer[0]));
        _exit(0);
    }
    waitpid(child, 0, 0);
    /* A child's timers end with it. */
    T(timer_create(CLOCK_MONOTONIC, 0, &timer[30]));
    /* An expired timer's signal has its place already. */
    block_all();
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    T(timer_settime(timer[0], 0, &soon, 0));
    sigset_t one;
    siginfo_t info;
    sigemptyset(&one);
    sigaddset(&one, SIGALRM);
    struct timespec second = {5, 0};
    T(sigtimedwait(&one, &info, &second) == SIGALRM);
    T(info.si_code == SI_TIMER);
}

static volatile int ticks;

static void on_tick(int signo) {
    (void)signo;
    ticks++;
}

/* A thread's own timer goes on when its signal was handled, and one whose signal was ignored when it is no more. */
static void periods(void) {
    timer_t timer;
    struct sigevent own = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1, ._sigev_un._tid = gettid()};
    struct itimerspec often = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
    struct timespec while_ = {0, 20000000};
    signal(SIGUSR1, on_tick);
    T(timer_create(CLOCK_MONOTONIC, &own, &timer));
    T(timer_settime(timer, 0, &often, 0));
    while (ticks < 5) {}
    signal(SIGUSR1, SIG_IGN);
    nanosleep(&while_, 0);
    ticks = 0;
    signal(SIGUSR1, on_tick);
    while (ticks < 5) {}
    T(timer_delete(timer));
}

static void *sleeper(void *arg) {
    for (;;) pause();
    return arg;
}

static void processes(void) {
    pid_t children[100];
    int n = 0;
    limit(RLIMIT_NPROC, 30);
    while (n < 100 && (children[n] = fork()) > 0) n++;
    if (n < 100 && !children[n]) for (;;) pause();
    printf("fork: %s after %d\n", strerrorname_np(errno), n);
    pthread_t thread;
    T(pthread_create(&thread, 0, sleeper, 0) == EAGAIN);
    kill(children[0], SIGKILL);
    siginfo_t info;
    waitid(P_PID, children[0], &info, WEXITED | WNOWAIT);
    /* A zombie counts until it is waited for. */
    errno = 0;
    T(fork());
    T(waitpid(children[0], 0, 0) == children[0]);
    T(pthread_create(&thread, 0, sleeper, 0));
    T(fork());
    for (int i = 1; i < n; i++) kill(children[i], SIGKILL), waitpid(children[i], 0, 0);
    n = 0;
    while (n < 100 && !(errno = pthread_create(&thread, 0, sleeper, 0))) n++;
    printf("pthread_create: %s after %d\n", strerrorname_np(errno), n);
    T(fork());
}

static void privileged_processes(void) {
    pid_t children[20];
    int n = 0;
    limit(RLIMIT_NPROC, 3);
    while (n < 20 && (children[n] = fork()) > 0) n++;
    if (n < 20 && !children[n]) for (;;) pause();
    printf("root's forks: %d\n", n);
    for (int i = 0; i < n; i++) kill(children[i], SIGKILL), waitpid(children[i], 0, 0);
}

static void files(void) {
    int p[2];
    limit(RLIMIT_NOFILE, 40);
    UNTIL_ERROR(open("/", O_RDONLY));
    T(dup(0));
    T(pipe(p));
    T(socket(AF_UNIX, SOCK_STREAM, 0));
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    T(epoll_create1(0));
    T(eventfd(0, 0));
    T(timerfd_create(CLOCK_MONOTONIC, 0));
    T(inotify_init1(0));
    T(memfd_create("m", 0));
    T(fcntl(0, F_DUPFD, 3));
    T(fcntl(0, F_DUPFD, 40));
    T(dup2(0, 40));
    T(syscall(SYS_pidfd_open, getpid(), 0));
    T(dup2(0, 39));
    close(38);
    T(pipe(p));
    T(open("/", O_RDONLY));
    struct pollfd many[41] = {{0}};
    T(poll(many, 41, 0));
}

static void mappings(void) {
    struct rlimit now;
    FILE *statm = fopen("/proc/self/statm", "r");
    long pages = 0;
    fscanf(statm, "%ld", &pages);
    limit(RLIMIT_AS, (pages << 12) + (64 << 20));
    UNTIL_ERROR(mmap(0, 4 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    T(mmap(0, 8 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    T(malloc(32 << 20) == 0);
    T(sbrk(32 << 20));
    T(getrlimit(RLIMIT_AS, &now));
}

static void file_size(void) {
    signal(SIGXFSZ, SIG_IGN);
    limit(RLIMIT_FSIZE, 8192);
    int fd = memfd_create("m", 0);
    char bytes[5000] = {0};
    T(write(fd, bytes, 5000));
    T(write(fd, bytes, 5000));
    T(write(fd, bytes, 5000));
    T(ftruncate(fd, 8193));
    T(ftruncate(fd, 8192));
    signal(SIGXFSZ, SIG_DFL);
    write(fd, bytes, 1);
}

static void queues(void) {
    limit(RLIMIT_MSGQUEUE, 200000);
    struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 4096};
    char name[20];
    int n = 0;
    mqd_t queues[10];
    while (n < 10) {
        sprintf(name, "/limit-%d", n);
        mq_unlink(name);
        if ((queues[n] = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr)) < 0) break;
        mq_unlink(name);
        n++;
    }
    printf("mq_open: %s after %d\n", strerrorname_np(errno), n);
    mq_close(queues[0]);
    T(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr) >= 0);
    T(mq_unlink(name));
}

static long deep(volatile char *above) {
    volatile char frame[512];
    frame[0] = above ? above[0] : 1;
    return deep(frame) + frame[0];
}

static void to_depth(char *above, long bytes) {
    volatile char frame[4096];
    frame[0] = 1;
    if (above - frame < bytes) to_depth(above, bytes);
    frame[1] = 2;
}

/* What a program is that stack() executes: it needs so much stack, or was given so many arguments. */
static int executed(int argc, char **argv) {
    char here;
    if (!strcmp(argv[1], "depth")) to_depth(&here, atol(argv[2]));
    printf("executed %s %d\n", argv[1], argc);
    return 0;
}

static void with_stack(rlim_t size, long depth, int strings) {
    static char text[100001], depth_text[20];
    char *argv[100] = {"limits", "depth", depth_text};
    pid_t child = fork();
    if (!child) {
        memset(text, 'x', 100000);
        sprintf(depth_text, "%ld", depth);
        for (int i = 0; i < strings; i++) argv[1] = "arguments", argv[2 + i] = text;
        limit(RLIMIT_STACK, size);
        char *none[] = {0};
        execve("/proc/self/exe", argv, none);
        printf("exec: %s\n", strerrorname_np(errno));
        exit(1);
    }
    int st;
    waitpid(child, &st, 0);
    printf("stack of %ld KiB, depth %ld KiB, %d strings: %x\n", (long)size >> 10, depth >> 10, strings, st);
}

static void stack(void) {
    with_stack(1 << 20, 512 << 10, 0);
    with_stack(1 << 20, 1100 << 10, 0);
    with_stack(1 << 20, 0, 2);
    with_stack(1 << 20, 0, 3);
    with_stack(64 << 20, 60 << 20, 0);
    with_stack(64 << 20, 65 << 20, 0);
    with_stack(64 << 20, 0, 60);
    with_stack(64 << 20, 0, 64);
}

static void recursion(void) {
    printf("%ld\n", deep(0));
}

static void arguments(void) {
    static char text[200000];
    memset(text, 'x', sizeof text - 1);
    char *one[] = {"true", text, 0}, *none[] = {0};
    T(execve("/proc/self/exe", one, none));
    text[131071] = 0;
    static char *many[200];
    for (int i = 0; i < 60; i++) many[i] = text;
    T(execve("/proc/self/exe", many, none));
    T(execve("/proc/self/exe", one, many));
}

static void locked(void) {
    limit(RLIMIT_MEMLOCK, 1 << 20);
    char *memory = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(mlock(memory, 1 << 20));
    T(mlock(memory + (1 << 20), 4096));
    T(mlock(memory, 4 << 20));
    T(munlock(memory, 1 << 20));
    T(mlock(memory + (1 << 20), 4096));
}

static void processor(void) {
    struct rlimit second = {1, 1};
    setrlimit(RLIMIT_CPU, &second);
    for (;;) {}
}

static void raising(void) {
    struct rlimit old, more;
    getrlimit(RLIMIT_NOFILE, &old);
    more = (struct rlimit){old.rlim_cur, old.rlim_max + 1};
    T(setrlimit(RLIMIT_NOFILE, &more));
    more = (struct rlimit){20, 10};
    T(setrlimit(RLIMIT_NOFILE, &more));
    T(setrlimit(99, &old));
}

int main(int argc, char **argv) {
    if (argc > 1) return executed(argc, argv);
    if (geteuid()) return 77;
    closefrom(3);
    setvbuf(stdout, 0, _IOLBF, 0);
    part("signals", signals);
    part("a user's signals", users_signals);
    part("timers", timers);
    part("periods", periods);
    part("processes", processes);
    pid_t child = fork();
    if (!child) {
        privileged_processes();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, 0, 0);
    part("files", files);
    part("mappings", mappings);
    part("file size", file_size);
    part("queues", queues);
    part("recursion", recursion);
    part("stack", stack);
    part("arguments", arguments);
    part("locked", locked);
    part("processor", processor);
    part("raising", raising);
    return 0;
}
