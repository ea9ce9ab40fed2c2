/* Programs without end, one a name: each takes of one thing until it is refused, says with what, and ends. What is
 * never refused ends by a signal. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void refused(const char *what, long count) {
    printf("%s: %s after %ld\n", what, strerrorname_np(errno), count);
    fflush(stdout);
}

static void refused_with(const char *what) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    fflush(stdout);
}

/* Everything works again: a process and some memory can be had. */
static void recovered(void) {
    int st = -1;
    pid_t child = fork();
    if (!child) {
        void *memory = malloc(1 << 20);
        _exit(memory ? 7 : 8);
    }
    waitpid(child, &st, 0);
    printf("a process again: %d\n", WEXITSTATUS(st));
}

static void fork_(void) {
    static pid_t children[100000];
    long n = 0;
    while (n < 100000 && (children[n] = fork()) > 0) n++;
    if (n < 100000 && !children[n]) {
        for (;;) pause();
    }
    refused("fork", n);
    int st, killed = 0;
    for (long i = 0; i < n; i++) kill(children[i], SIGKILL);
    while (wait(&st) > 0) killed += WIFSIGNALED(st);
    printf("all killed: %d\n", killed == n);
    recovered();
}

/* Children fork, too. */
static void tree(void) {
    pid_t parent = getpid();
    time_t end = time(0) + 1;
    while (fork() >= 0 || getpid() != parent) {}
    refused_with("fork");
    while (time(0) <= end) {}
    do kill(-1, SIGKILL);
    while (waitpid(-1, 0, WNOHANG) >= 0);
    recovered();
}

static void *sleeper(void *arg) {
    for (;;) pause();
    return arg;
}

static void threads(void) {
    pthread_attr_t attr;
    pthread_t thread;
    long n = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 16384);
    while (!(errno = pthread_create(&thread, &attr, sleeper, 0))) n++;
    refused("pthread_create", n);
}

static void mmap_small(void) {
    long n = 0;
    /* Neighbours of unequal protection do not merge. */
    while (mmap(0, 4096, n & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        n++;
    refused_with("mmap");
    printf("many: %d\n", n > 10000);
}

/* One mapping cut into pieces. */
static void mprotect_(void) {
    long pages = 200000, n = 0;
    char *memory = mmap(0, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    while (n < pages && !mprotect(memory + (n << 12), 4096, PROT_NONE)) n += 2;
    refused_with("mprotect");
    printf("many: %d\n", n > 10000);
}

/* Many processes with many mappings. */
static void mmap_fork(void) {
    long n = 0;
    for (int i = 0; i < 4000; i++)
        mmap(0, 4096, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t child;
    while ((child = fork()) > 0) n++;
    if (!child)
        for (;;) pause();
    refused_with("fork");
    printf("some: %d\n", n > 2 && n < 1000);
    kill(-1, SIGKILL);
    while (wait(0) > 0) {}
    recovered();
}

static void mmap_large(void) {
    long n = 0;
    while (mmap(0, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) n++;
    refused_with("mmap");
    printf("many: %d\n", n > 30);
}

static void touch(void) {
    for (;;) {
        char *memory = malloc(1 << 20);
        if (memory) memset(memory, 1, 1 << 20);
    }
}

static void touch_child(void) {
    int st;
    pid_t child = fork();
    if (!child) touch();
    waitpid(child, &st, 0);
    printf("killed by %d\n", WTERMSIG(st));
    recovered();
}

/* Shared memory belongs to nobody. */
static void touch_shared(void) {
    for (;;) {
        char *memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) memset(memory, 1, 1 << 20);
    }
}

static void files(void) {
    int pair[2];
#define UNTIL_REFUSED(call)                                                    \
    do {                                                                       \
        int n_ = 0;                                                            \
        while ((call) >= 0) n_++;                                              \
        printf("%s: %s, %s\n", #call, strerrorname_np(errno), n_ > 100 ? "after many" : "after few"); \
        closefrom(3);                                                          \
    } while (0)
    UNTIL_REFUSED(open("/", O_RDONLY));
    UNTIL_REFUSED(dup(1));
    UNTIL_REFUSED(pipe(pair));
    UNTIL_REFUSED(epoll_create1(0));
    UNTIL_REFUSED(inotify_init());
    UNTIL_REFUSED(eventfd(0, 0));
    UNTIL_REFUSED(timerfd_create(CLOCK_MONOTONIC, 0));
    UNTIL_REFUSED(memfd_create("m", 0));
    UNTIL_REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
    UNTIL_REFUSED(socket(AF_INET, SOCK_STREAM, 0));
    UNTIL_REFUSED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    UNTIL_REFUSED(open("/dev/ptmx", O_RDWR));
}

static void open_(void) {
    long n = 0;
    while (open("/", O_RDONLY) >= 0) n++;
    refused("open", n);
}

/* What is in no program's memory, but the system's. */
static void pipes(void) {
    static char bytes[1 << 20];
    int pair[2];
    for (;;) {
        if (pipe2(pair, O_NONBLOCK)) break;
        fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
        write(pair[1], bytes, sizeof bytes);
    }
    refused_with("pipe");
}

static void sockets(void) {
    static char bytes[1 << 20];
    int pair[2], most = 64 << 20;
    for (;;) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) break;
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
        while (write(pair[0], bytes, sizeof bytes) > 0) {}
    }
    refused_with("socketpair");
}

/* Sockets in flight in sockets in flight. */
static void rights(void) {
    int inner = open("/", O_RDONLY), pair[2];
    long n = 0;
    for (; n < 50000; n++) {
        char control[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec iov = {"x", 1};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) break;
        *cmsg = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(cmsg), &inner, sizeof inner);
        if (sendmsg(pair[0], &msg, 0) < 0) break;
        close(inner);
        close(pair[0]);
        inner = pair[1];
    }
    printf("in flight: %ld\n", n);
    close(inner);
    recovered();
}

static long deep(volatile char *above) {
    volatile char frame[512];
    frame[0] = above ? above[0] : 1;
    return deep(frame) + frame[0];
}

static void recurse(void) {
    printf("%ld\n", deep(0));
}

static void output(void) {
    static char bytes[1 << 16];
    memset(bytes, 'x', sizeof bytes);
    for (;;)
        if (write(1, bytes, sizeof bytes) < 0) _exit(1);
}

static void arguments(void) {
    static char text[131072];
    static char *many[65536];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 65535; i++) many[i] = text;
    char *none[] = {"x", 0};
    execve("/proc/self/exe", many, none);
    refused_with("arguments");
    execve("/proc/self/exe", none, many);
    refused_with("environment");
}

static void fill(const char *dir) {
    static char bytes[1 << 16];
    char name[100];
    long n = 0;
    sprintf(name, "%s/large", dir);
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    while (write(fd, bytes, sizeof bytes) > 0) n++;
    printf("%s: ", dir);
    refused_with("write");
    close(fd);
    unlink(name);
    for (n = 0;; n++) {
        sprintf(name, "%s/%ld", dir, n);
        fd = open(name, O_CREAT | O_RDWR, 0600);
        if (fd < 0) break;
        write(fd, "x", 1);
        close(fd);
    }
    printf("%s: ", dir);
    refused_with("open");
    printf("many: %d\n", n > 10000);
    while (n-- > 0) {
        sprintf(name, "%s/%ld", dir, n);
        if (unlink(name)) refused_with("unlink");
    }
}

static void tmp(void) {
    fill("/tmp");
    recovered();
}

static void shm(void) {
    fill("/dev/shm");
    recovered();
}

static void attributes(void) {
    static char bytes[60000];
    char name[40];
    long n = 0;
    close(open("/tmp/attributes", O_CREAT | O_RDWR, 0600));
    for (;; n++) {
        sprintf(name, "user.%ld", n);
        if (setxattr("/tmp/attributes", name, bytes, sizeof bytes, 0)) break;
    }
    refused_with("setxattr");
}

static void directories(void) {
    long n = 0;
    chdir("/tmp");
    while (!mkdir("d", 0700) && !chdir("d")) n++;
    refused_with("mkdir");
    printf("many: %d\n", n > 10000);
    char path[4096];
    if (!getcwd(path, sizeof path)) refused_with("getcwd");
    chdir("/");
    recovered();
}

static void timers(void) {
    timer_t timer;
    struct itimerspec soon = {.it_value.tv_sec = 1000};
    long n = 0;
    while (!timer_create(CLOCK_MONOTONIC, 0, &timer)) timer_settime(timer, 0, &soon, 0), n++;
    refused("timer_create", n);
}

static void block_all(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, 0);
}

static void signals(void) {
    union sigval value = {0};
    long n = 0;
    block_all();
    while (!sigqueue(getpid(), SIGRTMIN, value)) n++;
    refused("sigqueue", n);
}

/* A timer whose signal nobody takes. */
static void expiry(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    block_all();
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    for (int i = 0; i < 2000; i++) timer_settime(timer, 0, &soon, 0), usleep(10);
    sigset_t set;
    struct timespec now = {0};
    int n = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    while (sigtimedwait(&set, 0, &now) > 0) n++;
    printf("signals: %d\n", n);
}

static void mq(void) {
    char name[40];
    long n = 0;
    for (;; n++) {
        sprintf(name, "/q%ld", n);
        if (mq_open(name, O_CREAT | O_RDWR, 0600, 0) < 0) break;
    }
    refused("mq_open", n);
}

static void sysv(void) {
    long n = 0;
    while (msgget(IPC_PRIVATE, 0600) >= 0) n++;
    refused("msgget", n);
    for (n = 0; semget(IPC_PRIVATE, 1, 0600) >= 0; n++) {}
    refused("semget", n);
    for (n = 0; shmget(IPC_PRIVATE, 4096, 0600) >= 0; n++) {}
    refused("shmget", n);
}

/* Messages that nobody takes. */
static void messages(void) {
    struct {
        long type;
        char text[8192];
    } message = {1};
    for (;;) {
        int queue = msgget(IPC_PRIVATE, 0600);
        if (queue < 0) break;
        while (!msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT)) {}
    }
    refused_with("msgget");
}

/* Programs that come and go leave nothing. */
static void rounds(void) {
    for (int i = 0; i < 2000; i++) {
        pid_t child = fork();
        if (!child) _exit(0);
        waitpid(child, 0, 0);
    }
    puts("done");
}

static void exec_(void) {
    int left = atoi(getenv("LEFT") ? getenv("LEFT") : "500");
    char text[20];
    if (!left) {
        puts("done");
        return;
    }
    sprintf(text, "%d", left - 1);
    setenv("LEFT", text, 1);
    execl("/proc/self/exe", "bombs", "exec", (char *)0);
    refused_with("exec");
}

static int ready[2], go[2];

static void *answering(void *arg) {
    char byte;
    read(go[0], &byte, 1);
    write(ready[1], "t", 1);
    return arg;
}

/* 500 processes and 1,000 threads at once, of which each does something when all are there. */
static void many(void) {
    int processes = 0, threads = 0, st, processes_answered = 0, threads_answered = 0;
    pthread_attr_t attr;
    pthread_t thread;
    char byte;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    pipe(ready), pipe(go);
    for (; processes < 500; processes++) {
        pid_t child = fork();
        if (child < 0) break;
        if (!child) {
            read(go[0], &byte, 1);
            write(ready[1], "p", 1);
            pause();
        }
    }
    while (threads < 1000 && !pthread_create(&thread, &attr, answering, 0)) threads++;
    printf("there: %d processes, %d threads\n", processes, threads);
    for (int i = 0; i < 1500; i++) write(go[1], "g", 1);
    for (int i = 0; i < 1500 && read(ready[0], &byte, 1) == 1; i++)
        if (byte == 'p') processes_answered++;
        else threads_answered++;
    printf("answered: %d processes, %d threads\n", processes_answered, threads_answered);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    int ended = 0;
    while (wait(&st) > 0) ended += WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM;
    printf("ended: %d\n", ended);
}

static void asleep(void) {
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}

static void busy(void) {
    struct sched_param most = {99};
    sched_setscheduler(0, SCHED_FIFO, &most);
    puts("ready");
    fflush(stdout);
    for (;;) {}
}

static void on_signal(int signo) {
    (void)signo;
}

/* Ignores what may be ignored, or blocks it, or handles it. */
static void stubborn(const char *how) {
    for (int signo = 1; signo < 65; signo++) {
        if (!strcmp(how, "ignores")) signal(signo, SIG_IGN);
        if (!strcmp(how, "handles")) signal(signo, on_signal);
    }
    if (!strcmp(how, "blocks")) block_all();
    asleep();
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } bombs[] = {
        {"fork", fork_}, {"tree", tree}, {"threads", threads}, {"mmap-small", mmap_small}, {"mprotect", mprotect_},
        {"mmap-fork", mmap_fork}, {"mmap-large", mmap_large}, {"touch", touch}, {"touch-child", touch_child},
        {"touch-shared", touch_shared}, {"files", files}, {"open", open_}, {"pipes", pipes}, {"sockets", sockets},
        {"rights", rights}, {"recurse", recurse}, {"output", output}, {"arguments", arguments}, {"tmp", tmp},
        {"shm", shm}, {"attributes", attributes}, {"directories", directories}, {"timers", timers},
        {"signals", signals}, {"expiry", expiry}, {"mq", mq}, {"sysv", sysv}, {"messages", messages},
        {"rounds", rounds}, {"exec", exec_}, {"many", many}, {"asleep", asleep}, {"busy", busy},
    };
    if (argc == 3 && !strcmp(argv[1], "stubborn")) stubborn(argv[2]);
    for (size_t i = 0; argc == 2 && i < sizeof bombs / sizeof *bombs; i++)
        if (!strcmp(argv[1], bombs[i].name)) {
            bombs[i].run();
            return 0;
        }
    return 99;
}
