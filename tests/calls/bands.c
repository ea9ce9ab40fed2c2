/* Urgent data of stream sockets with local names (MSG_OOB, unix(7)), and who owns a file's signals: fcntl(2). */
#include "call.h"
#include <linux/sockios.h>
#include <asm/ioctls.h>

static int pair[2];
static char buffer[64];
static volatile int urgent;

static void on_urgent(int signo) {
    urgent++;
}

static void fresh(int kind) {
    close(pair[0]), close(pair[1]);
    socketpair(AF_UNIX, kind, 0, pair);
}

static void get(int flags) {
    memset(buffer, 0, sizeof buffer);
    errno = 0;
    long got = recv(pair[1], buffer, 40, flags | MSG_DONTWAIT);
    int mark = -1;
    ioctl(pair[1], SIOCATMARK, &mark);
    printf("  recv %#x: %ld %s '%s', at mark %d\n", flags, got, got < 0 ? strerrorname_np(errno) : "", got > 0 ? buffer : "", mark);
    fflush(stdout);
}

static int events(void) {
    struct pollfd at = {pair[1], POLLIN | POLLPRI};
    poll(&at, 1, 0);
    return at.revents;
}

static void urgency(void) {
    signal(SIGURG, on_urgent);
    fresh(SOCK_STREAM);
    get(MSG_OOB);
    T(fcntl(pair[1], F_SETOWN, getpid()));
    T(send(pair[0], "hello", 5, MSG_OOB));
    T(urgent);
    T(events());
    int waiting = -1;
    get(MSG_OOB | MSG_PEEK);
    get(MSG_OOB);
    get(MSG_OOB);
    T(events());
    get(0);
    get(0);
    T(events());
    puts("before and after");
    fresh(SOCK_STREAM);
    send(pair[0], "ab", 2, 0);
    send(pair[0], "c", 1, MSG_OOB);
    send(pair[0], "de", 2, 0);
    get(0);
    get(0);
    get(0);
    puts("received between");
    fresh(SOCK_STREAM);
    send(pair[0], "abc", 3, MSG_OOB);
    send(pair[0], "de", 2, 0);
    get(0);
    get(MSG_OOB);
    get(0);
    get(0);
    puts("two");
    fresh(SOCK_STREAM);
    send(pair[0], "abc", 3, MSG_OOB);
    send(pair[0], "def", 3, MSG_OOB);
    get(MSG_OOB);
    get(0);
    get(0);
    get(0);
    puts("part of the stream");
    fresh(SOCK_STREAM);
    int on = 1;
    T(setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
    send(pair[0], "abc", 3, MSG_OOB);
    send(pair[0], "de", 2, 0);
    get(MSG_OOB);
    get(0);
    get(0);
    get(0);
    puts("others");
    fresh(SOCK_DGRAM);
    T(send(pair[0], "a", 1, MSG_OOB));
    fresh(SOCK_SEQPACKET);
    T(send(pair[0], "a", 1, MSG_OOB));
    get(MSG_OOB);
    fresh(SOCK_STREAM);
    close(pair[1]);
    signal(SIGPIPE, SIG_IGN);
    T(send(pair[0], "a", 1, MSG_OOB));
    pair[1] = -1;
}

static void owner(int fd) {
    struct f_owner_ex it = {-9, -9};
    fcntl(fd, F_GETOWN_EX, &it);
    long plain = syscall(SYS_fcntl, fd, F_GETOWN, 0);
    const char *who = it.pid == getpid() ? "self" : it.pid == getpgrp() ? "group" : it.pid == 0 ? "nobody" : "other";
    printf("  kind %d, %s; F_GETOWN %s\n", it.type, who,
           plain == getpid() ? "self" : plain == -getpgrp() || plain == -1 && errno == getpgrp() ? "group" : plain == 0 ? "nobody" : "other");
    fflush(stdout);
}

static void owners(void) {
    setpgid(0, 0);
    if (getpgrp() == getpid()) {
        /* The group's number is another. */
        pid_t child = fork();
        if (child) {
            waitpid(child, 0, 0);
            return;
        }
    }
    int p[2], value = -5;
    pipe(p);
    fresh(SOCK_STREAM);
    struct f_owner_ex it;
    owner(p[0]);
    T(fcntl(p[0], F_SETOWN, getpid()));
    owner(p[0]);
    T(fcntl(p[0], F_SETOWN, -getpgrp()));
    owner(p[0]);
    T(fcntl(p[0], F_SETOWN, 0));
    owner(p[0]);
    T(fcntl(p[0], F_SETOWN, 1 << 22));
    T(fcntl(p[0], F_SETOWN, -(1 << 22)));
    T(fcntl(p[0], F_SETOWN, 1 << 31));
    for (int kind = 0; kind < 4; kind++) {
        it = (struct f_owner_ex){kind, kind == F_OWNER_PGRP ? getpgrp() : getpid()};
        T(fcntl(p[0], F_SETOWN_EX, &it));
    owner(p[0]);
        it.pid = 1 << 22;
        T(fcntl(p[0], F_SETOWN_EX, &it));
        it.pid = 0;
        T(fcntl(p[0], F_SETOWN_EX, &it));
    owner(p[0]);
    }
    T(fcntl(p[0], F_SETOWN_EX, (void *)8));
    T(fcntl(p[0], F_GETOWN_EX, (void *)8));
    T(fcntl(p[0], F_GETSIG));
    T(fcntl(p[0], F_SETSIG, 65));
    T(fcntl(p[0], F_SETSIG, -1));
    T(fcntl(p[0], F_SETSIG, SIGRTMIN));
    T(fcntl(p[0], F_GETSIG) == SIGRTMIN);
    T(fcntl(p[0], F_SETSIG, 0));
    /* The same by ioctl, of sockets alone. */
    value = getpid();
    T(ioctl(pair[0], SIOCSPGRP, &value));
    owner(pair[0]);
    value = -getpgrp();
    T(ioctl(pair[0], FIOSETOWN, &value));
    owner(pair[0]);
    T(ioctl(pair[0], FIOGETOWN, &value));
    IS(value == -getpgrp());
    value = 1 << 22;
    T(ioctl(pair[0], SIOCSPGRP, &value));
    T(ioctl(pair[0], SIOCGPGRP, &value));
    IS(value == -getpgrp());
    T(ioctl(pair[0], SIOCSPGRP, (void *)8));
    value = 0;
    T(ioctl(p[0], SIOCSPGRP, &value));
    T(ioctl(p[0], FIOGETOWN, &value));
    _exit(0);
}

static sigset_t signals;

static void arrives(const char *what) {
    siginfo_t info;
    int signo, any = 0;
    printf("  %s:", what);
    while ((signo = sigtimedwait(&signals, &info, &(struct timespec){0, any ? 0 : 20000000})) > 0) {
        any++;
        if (signo == SIGIO)
            printf(" SIGIO");
        else
            printf(" fd %d code %d band %lx", info.si_fd, info.si_code, info.si_band);
    }
    puts(any ? "" : " nothing");
    fflush(stdout);
}

/* SIGIO for one end of a pair; `out` is where to write to make it readable. */
static void asynchronous(const char *what, int in, int out) {
    char c;
    int on = 1;
    puts(what);
    T(fcntl(in, F_SETFL, O_NONBLOCK | O_ASYNC));
    write(out, "a\n", 2);
    arrives("nobody owns it");
    while (read(in, &c, 1) > 0) {}
    fcntl(in, F_SETOWN, getpid());
    arrives("before");
    write(out, "a\n", 2);
    arrives("written");
    while (read(in, &c, 1) > 0) {}
    fcntl(in, F_SETSIG, SIGRTMIN);
    dup2(in, 20);
    fcntl(20, F_SETFL, O_NONBLOCK);
    write(out, "b\n", 2);
    arrives("turned off");
    while (read(in, &c, 1) > 0) {}
    T(ioctl(20, FIOASYNC, &on));
    T(fcntl(in, F_GETFL) & O_ASYNC ? 1 : 0);
    while (sigtimedwait(&signals, 0, &(struct timespec){0, 0}) > 0) {}
    write(out, "c\n", 2);
    arrives("turned on by another descriptor");
    close(20);
    while (read(in, &c, 1) > 0) {}
    while (sigtimedwait(&signals, 0, &(struct timespec){0, 0}) > 0) {}
    pid_t child = fork();
    if (!child) {
        fcntl(in, F_SETOWN, getpid());
        write(out, "d\n", 2);
        arrives("child");
        _exit(0);
    }
    waitpid(child, 0, 0);
    arrives("parent");
}

static void signalled(void) {
    int p[2], unlock = 0, number;
    char name[64];
    sigemptyset(&signals), sigaddset(&signals, SIGIO), sigaddset(&signals, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &signals, 0);
    pipe(p);
    asynchronous("pipe", p[0], p[1]);
    fresh(SOCK_STREAM);
    asynchronous("stream", pair[1], pair[0]);
    fresh(SOCK_DGRAM);
    asynchronous("datagrams", pair[1], pair[0]);
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    ioctl(master, TIOCSPTLCK, &unlock), ioctl(master, TIOCGPTN, &number);
    sprintf(name, "/dev/pts/%d", number);
    int slave = open(name, O_RDWR | O_NOCTTY);
    asynchronous("terminal", slave, master);
}

int main(void) {
    urgency();
    owners();
    signalled();
    return 0;
}
