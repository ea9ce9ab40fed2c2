/* What becomes of a call that waits when a signal comes: signal(7), "Interruption of system calls". Each call is made in
   a process of its own, in which a thread sends the signal and lets the call succeed some time later. */
#include "call.h"
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

enum { PLAIN, RESTART, STOP, VARIANTS };
enum { NAP = 40000 };

typedef struct {
    long result;
    int error, handled, over;
    long left;
} Outcome;

static Outcome *outcomes, *own;
static char buffer[1 << 20], path[64];
static int fds[2], other = -1, queue, set;
static uint32_t word;
static pthread_t waiter;
static long left = -1;

static void on_signal(int signo) {
    own->handled++;
}

static const struct timeval TEN = {10, 0};

static void piped(void) { pipe(fds); }
static void paired(void) { socketpair(AF_UNIX, SOCK_STREAM, 0, fds); }
static void full(int fd) {
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while (write(fd, buffer, sizeof buffer) > 0) {}
    while (write(fd, buffer, 1) > 0) {}
    fcntl(fd, F_SETFL, flags);
}
static void put(void) { write(fds[1], "x", 1); }
static void take(void) {
    for (int i = 0; i < 32; i++) read(fds[0], buffer, sizeof buffer);
}
static void nothing(void) {}

static void full_pipe(void) { piped(), full(fds[1]); }
static void full_pair(void) { paired(), full(fds[1]); }
static void timed_pair(void) { paired(), setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &TEN, sizeof TEN); }
static void timed_full_pair(void) { full_pair(), setsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &TEN, sizeof TEN); }
static void listening(void) {
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    listen(fds[0], 5);
}
static void timed_listening(void) { listening(), setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &TEN, sizeof TEN); }
static void connects(void) {
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    getsockname(fds[0], (void *)&name, &size);
    connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&name, size);
}
static void fifo(void) { sprintf(path, "fifo%d", getpid()), mkfifo(path, 0600); }
static void opens(void) { open(path, O_RDWR); }
static void child(void) {
    pipe(fds);
    if (!fork()) {
        close(fds[1]);
        read(fds[0], buffer, 1);
        _exit(0);
    }
    close(fds[0]);
}
static void closes(void) { close(fds[1]); }
static void locked(void) {
    sprintf(path, "lock%d", getpid());
    fds[0] = open(path, O_RDWR | O_CREAT, 0600);
    int p[2];
    pipe(p), pipe(fds);
    fds[0] = open(path, O_RDWR);
    if (!fork()) {
        other = open(path, O_RDWR);
        flock(other, LOCK_EX);
        struct flock lock = {.l_type = F_WRLCK};
        fcntl(other, F_SETLK, &lock);
        write(p[1], "l", 1);
        close(fds[1]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
    }
    read(p[0], buffer, 1);
}
static void kills(void) {
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
}
static void queue_(int size) {
    struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
    sprintf(path, "/restarts%d", getpid());
    mq_unlink(path);
    queue = mq_open(path, O_RDWR | O_CREAT, 0600, &attr);
    if (size) mq_send(queue, "x", 1, 0);
    mq_unlink(path);
}
static void empty_queue(void) { queue_(0); }
static void full_queue(void) { queue_(1); }
static void mq_put(void) { mq_send(queue, "x", 1, 0); }
static void mq_take(void) { mq_receive(queue, buffer, 8, 0); }
static void wakes(void) { syscall(SYS_futex, &word, FUTEX_WAKE, 1, 0, 0, 0); }
static void *holds(void *arg) {
    syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, 0, 0, 0);
    usleep(3 * NAP);
    syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
    return 0;
}
static void held(void) {
    pthread_t thread;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, 0);
    pthread_create(&thread, 0, holds, 0);
    usleep(NAP / 4);
    sigemptyset(&all);
    pthread_sigmask(SIG_SETMASK, &all, 0);
}
static void again(void) { pthread_kill(waiter, SIGUSR2); }
static void semaphore(void) { set = semget(IPC_PRIVATE, 1, 0600); }
static void sem_post_(void) {
    struct sembuf up = {0, 1, 0};
    semop(set, &up, 1);
}
static void messages(void) { queue = msgget(IPC_PRIVATE, 0600); }
static void full_messages(void) {
    messages();
    *(long *)buffer = 1;
    while (msgsnd(queue, buffer, 4096, IPC_NOWAIT) == 0) {}
}
static void msg_put(void) {
    *(long *)buffer = 1;
    msgsnd(queue, buffer, 1, 0);
}
static void msg_take(void) { msgrcv(queue, buffer, sizeof buffer - 8, 0, IPC_NOWAIT), msgrcv(queue, buffer, sizeof buffer - 8, 0, IPC_NOWAIT); }
static void epoll(void) {
    piped();
    other = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(other, EPOLL_CTL_ADD, fds[0], &event);
}
static void event(void) { fds[0] = fds[1] = eventfd(0, 0); }
static void event_put(void) { write(fds[1], &(uint64_t){3}, 8); }
static void timer(void) {
    fds[0] = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(fds[0], 0, &(struct itimerspec){{0, 0}, {0, 4 * NAP * 1000}}, 0);
}
static void watch(void) {
    fds[0] = inotify_init1(0);
    sprintf(path, "watched%d", getpid());
    mkdir(path, 0700);
    inotify_add_watch(fds[0], path, IN_CREATE);
}
static void creates(void) {
    strcat(path, "/new");
    open(path, O_CREAT | O_RDWR, 0600);
}
static void terminal(void) {
    setsid();
    fds[1] = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    int unlock = 0, number;
    ioctl(fds[1], TIOCSPTLCK, &unlock);
    ioctl(fds[1], TIOCGPTN, &number);
    sprintf(path, "/dev/pts/%d", number);
    fds[0] = open(path, O_RDWR | O_NOCTTY);
}
static void types(void) { write(fds[1], "x\n", 2); }
static void blocked(void) {
    sigset_t signals;
    sigemptyset(&signals), sigaddset(&signals, SIGALRM);
    sigprocmask(SIG_BLOCK, &signals, 0);
}
static void alarm_(void) { kill(getpid(), SIGALRM); }

static struct timespec *later(int clock, long micros) {
    static struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += micros * 1000;
    while (time.tv_nsec >= 1000000000) time.tv_nsec -= 1000000000, time.tv_sec++;
    return &time;
}
static long sleeps(int absolute) {
    struct timespec rest = {9, 9}, span = {0, 4 * NAP * 1000};
    long result = absolute ? clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, later(CLOCK_MONOTONIC, 4 * NAP), 0)
                           : syscall(SYS_nanosleep, &span, &rest);
    if (absolute && result) errno = result, result = -1;
    if (!absolute && result < 0) left = rest.tv_sec == 0 && rest.tv_nsec > 0 && rest.tv_nsec < 4 * NAP * 1000;
    return result;
}
static long selects(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    return select(fds[0] + 1, &set, 0, 0, 0);
}
static long pselects(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    sigset_t none;
    sigemptyset(&none);
    return pselect(fds[0] + 1, &set, 0, 0, &(struct timespec){10, 0}, &none);
}
static long suspends(void) {
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}
static long waits_for_alarm(int timed) {
    sigset_t signals;
    sigemptyset(&signals), sigaddset(&signals, SIGALRM);
    return timed ? sigtimedwait(&signals, 0, &(struct timespec){10, 0}) : sigwaitinfo(&signals, 0);
}
static long locks(int command) {
    struct flock lock = {.l_type = F_WRLCK};
    return fcntl(fds[0], command, &lock);
}
static long waitv(void) {
    struct { uint64_t val, uaddr; uint32_t flags, reserved; } wait = {0, (uintptr_t)&word, 2, 0};
    return syscall(449, &wait, 1, 0, later(CLOCK_MONOTONIC, 10000000), CLOCK_MONOTONIC);
}
static long receives(void) {
    struct iovec part = {buffer, 10};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return recvmsg(fds[0], &message, 0);
}
static long polls(int timeout) {
    struct pollfd at = {fds[0], POLLIN, 0};
    return poll(&at, 1, timeout);
}
static long ppolls(void) {
    struct pollfd at = {fds[0], POLLIN, 0};
    return ppoll(&at, 1, &(struct timespec){10, 0}, 0);
}

static struct sembuf down = {0, -1, 0};
static struct epoll_event got;

#define LIST(X)                                                                                                        \
    X(1, "read of a pipe", piped, read(fds[0], buffer, 1), put)                                                        \
    X(2, "write to a pipe", full_pipe, write(fds[1], buffer, 1), take)                                                 \
    X(3, "write of much to a pipe", piped, write(fds[1], buffer, 100000), take)                                        \
    X(4, "read of a socket", paired, read(fds[0], buffer, 1), put)                                                     \
    X(5, "recv of all", paired, recv(fds[0], buffer, 1, MSG_WAITALL), put)                                             \
    X(6, "recvmsg", paired, receives(), put)                                                                           \
    X(7, "send", full_pair, send(fds[1], buffer, 1, 0), take)                                                          \
    X(8, "recv with a timeout", timed_pair, recv(fds[0], buffer, 1, 0), put)                                           \
    X(9, "send with a timeout", timed_full_pair, send(fds[1], buffer, 1, 0), take)                                     \
    X(10, "accept", listening, accept(fds[0], 0, 0) > 0, connects)                                                     \
    X(11, "accept with a timeout", timed_listening, accept(fds[0], 0, 0) > 0, connects)                                \
    X(12, "open of a fifo", fifo, open(path, O_RDONLY) > 0, opens)                                                     \
    X(13, "waitpid", child, waitpid(-1, 0, 0) > 0, closes)                                                             \
    X(14, "waitid", child, waitid(P_ALL, 0, 0, WEXITED), closes)                                                       \
    X(15, "flock", locked, flock(fds[0], LOCK_EX), kills)                                                              \
    X(16, "F_SETLKW", locked, locks(F_SETLKW), kills)                                                                  \
    X(17, "F_OFD_SETLKW", locked, locks(F_OFD_SETLKW), kills)                                                          \
    X(18, "mq_receive", empty_queue, mq_receive(queue, buffer, 8, 0), mq_put)                                          \
    X(19, "mq_send", full_queue, mq_send(queue, "y", 1, 0), mq_take)                                                   \
    X(20, "mq_timedreceive", empty_queue, mq_timedreceive(queue, buffer, 8, 0, later(CLOCK_REALTIME, 9000000)), mq_put) \
    X(21, "FUTEX_WAIT", nothing, syscall(SYS_futex, &word, FUTEX_WAIT, 0, 0, 0, 0), wakes)                             \
    X(22, "FUTEX_WAIT, timed", nothing, syscall(SYS_futex, &word, FUTEX_WAIT, 0, &(struct timespec){10, 0}, 0, 0), wakes) \
    X(23, "futex_waitv", nothing, waitv(), wakes)                                                                      \
    X(24, "FUTEX_LOCK_PI", held, syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, 0, 0, 0), nothing)                        \
    X(25, "pause", nothing, pause(), again)                                                                            \
    X(26, "sigsuspend", nothing, suspends(), again)                                                                    \
    X(27, "sigtimedwait", blocked, waits_for_alarm(1), alarm_)                                                         \
    X(28, "sigwaitinfo", blocked, waits_for_alarm(0), alarm_)                                                          \
    X(29, "epoll_wait", epoll, epoll_wait(other, &got, 1, 10000), put)                                                 \
    X(30, "epoll_pwait", epoll, epoll_wait(other, &got, 1, -1), put)                                                   \
    X(31, "poll", piped, polls(10000), put)                                                                            \
    X(32, "poll without end", piped, polls(-1), put)                                                                   \
    X(33, "ppoll", piped, ppolls(), put)                                                                               \
    X(34, "select", piped, selects(), put)                                                                             \
    X(35, "pselect", piped, pselects(), put)                                                                           \
    X(36, "nanosleep", nothing, sleeps(0), nothing)                                                                    \
    X(37, "clock_nanosleep until", nothing, sleeps(1), nothing)                                                        \
    X(38, "semop", semaphore, semop(set, &down, 1), sem_post_)                                                         \
    X(39, "semtimedop", semaphore, semtimedop(set, &down, 1, &(struct timespec){10, 0}), sem_post_)                    \
    X(40, "msgrcv", messages, msgrcv(queue, buffer, 8, 0, 0), msg_put)                                                 \
    X(41, "msgsnd", full_messages, (*(long *)buffer = 1, msgsnd(queue, buffer, 8, 0)), msg_take)                       \
    X(42, "read of an eventfd", event, read(fds[0], buffer, 8), event_put)                                             \
    X(43, "read of a timerfd", timer, read(fds[0], buffer, 8), nothing)                                                \
    X(44, "read of an inotify", watch, read(fds[0], buffer, 4096) > 0, creates)                                        \
    X(45, "read of a terminal", terminal, read(fds[0], buffer, 10), types)

#define CALL(n, name, prepare, call, finish)                                                                           \
    static long call_##n(void) { return call; }
LIST(CALL)
static const struct { const char *name; void (*prepare)(void); long (*call)(void); void (*finish)(void); } cases[] = {
#define ROW(n, name, prepare, call, finish) {name, prepare, call_##n, finish},
    LIST(ROW)
};
enum { CASES = sizeof cases / sizeof *cases };

static int at_case, variant;

static void *sends(void *arg) {
    usleep(NAP);
    if (variant == STOP)
        kill(getpid(), SIGSTOP);
    else
        pthread_kill(waiter, SIGUSR1);
    usleep(NAP);
    for (int i = 0; i < 20 && !own->over; i++) {
        cases[at_case].finish();
        usleep(NAP / 2);
    }
    return 0;
}

static void run(void) {
    pthread_t thread;
    sigset_t all, before;
    setpgid(0, 0);
    cases[at_case].prepare();
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = variant == RESTART ? SA_RESTART : 0};
    sigaction(SIGUSR1, &act, 0);
    act.sa_flags = 0, sigaction(SIGUSR2, &act, 0);
    waiter = pthread_self();
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_create(&thread, 0, sends, 0);
    pthread_sigmask(SIG_SETMASK, &before, 0);
    errno = 0;
    long result = cases[at_case].call();
    own->error = result == -1 ? errno : 0;
    own->result = result, own->left = left;
    own->over = 1;
    if (cases[at_case].prepare == semaphore) semctl(set, 0, IPC_RMID);
    if (cases[at_case].prepare == messages || cases[at_case].prepare == full_messages) msgctl(queue, IPC_RMID, 0);
    kill(0, SIGKILL);
}

int main(void) {
    pid_t pids[CASES][VARIANTS];
    fresh_folder();
    outcomes = mmap(0, sizeof(Outcome) * CASES * VARIANTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int from = 0; from < CASES; from += 24) {
        int to = from + 24 < CASES ? from + 24 : CASES;
        for (at_case = from; at_case < to; at_case++) {
            for (variant = 0; variant < VARIANTS; variant++) {
                own = &outcomes[at_case * VARIANTS + variant];
                if (!(pids[at_case][variant] = fork())) run();
            }
        }
        for (at_case = from; at_case < to; at_case++) {
            for (variant = 0; variant < VARIANTS; variant++) {
                int st;
                while (waitpid(pids[at_case][variant], &st, WUNTRACED) > 0 && WIFSTOPPED(st)) {
                    usleep(1000);
                    kill(pids[at_case][variant], SIGCONT);
                }
            }
        }
    }
    for (at_case = 0; at_case < CASES; at_case++) {
        printf("%s:\n", cases[at_case].name);
        for (variant = 0; variant < VARIANTS; variant++) {
            static const char *names[] = {"plain", "SA_RESTART", "stopped"};
            Outcome *it = &outcomes[at_case * VARIANTS + variant];
            printf("  %s: %ld %s, handled %d", names[variant], it->result, it->error ? strerrorname_np(it->error) : "", it->handled);
            if (it->left >= 0) printf(", time left %ld", it->left);
            puts("");
        }
    }
    return 0;
}
