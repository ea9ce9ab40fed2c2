/* Urgent data of TCP: the mark, what reads leave out, what arrives by itself, SIGURG. */
#include "call.h"
#include <netinet/in.h>

static int client, server;
static volatile int signals;

static void on_urgent(int signo) { signals++; }

static void pair(void) {
    struct sockaddr_in a = {AF_INET};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (void *)&a, sizeof a);
    listen(listener, 1);
    getsockname(listener, (void *)&a, &n);
    client = socket(AF_INET, SOCK_STREAM, 0);
    connect(client, (void *)&a, sizeof a);
    server = accept(listener, 0, 0);
    close(listener);
}

static void state(const char *what) {
    struct pollfd p = {server, POLLIN | POLLPRI | POLLRDHUP, 0};
    int mark = -1, bytes = -1;
    poll(&p, 1, 0);
    ioctl(server, 0x8905, &mark);
    ioctl(server, FIONREAD, &bytes);
    printf("%s: events %x, mark %d, bytes %d, signals %d\n", what, p.revents, mark, bytes, signals);
}

static void get(const char *what, int size, int flags) {
    char text[64] = "";
    int n = recv(server, text, size, flags | MSG_DONTWAIT);
    printf("%s: %d %s %s\n", what, n, n < 0 ? strerrorname_np(errno) : "", text);
    state("then");
}

static void reads(int inlined) {
    printf("inline %d\n", inlined);
    pair();
    T(setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &inlined, sizeof inlined));
    state("at first");
    get("urgent", 8, MSG_OOB);
    T(send(client, "abc!", 4, MSG_OOB));
    state("sent");
    T(send(client, "def", 3, 0));
    state("more");
    get("peek urgent", 8, MSG_OOB | MSG_PEEK);
    get("urgent", 8, MSG_OOB);
    get("urgent again", 8, MSG_OOB);
    get("peek", 32, MSG_PEEK);
    get("two", 2, 0);
    get("to the mark", 32, 0);
    get("peek", 32, MSG_PEEK);
    get("past it", 32, 0);
    get("nothing", 32, 0);
    T(send(client, "?", 1, MSG_OOB));
    state("alone");
    get("peek", 32, MSG_PEEK);
    get("stream", 32, 0);
    get("urgent", 8, MSG_OOB);
    T(send(client, "1", 1, MSG_OOB));
    T(send(client, "2", 1, MSG_OOB));
    state("two marks");
    get("urgent", 8, MSG_OOB);
    get("stream", 32, 0);
    get("stream", 32, 0);
    T(send(client, "xx1", 3, MSG_OOB));
    T(send(client, "yy2", 3, MSG_OOB));
    state("two marks");
    get("stream", 32, 0);
    get("stream", 32, 0);
    T(send(client, "z3", 2, MSG_OOB));
    get("all of it", 8, MSG_WAITALL);
    struct iovec part = {0, 0};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    T(recvmsg(server, &m, MSG_OOB));
    printf("%x\n", m.msg_flags);
    T(send(client, "end", 3, MSG_OOB));
    close(client);
    usleep(10000);
    state("closed");
    get("stream", 32, 0);
    get("stream", 32, 0);
    get("stream", 32, 0);
    close(server);
}

int main(void) {
    signal(SIGURG, on_urgent);
    reads(0);
    reads(1);
    pair();
    T(fcntl(server, F_SETOWN, getpid()));
    T(send(client, "s", 1, MSG_OOB));
    usleep(10000);
    state("process");
    T(fcntl(server, F_SETOWN, -getpgrp()));
    T(send(client, "t", 1, MSG_OOB));
    usleep(10000);
    state("group");
    int d = socket(AF_INET, SOCK_DGRAM, 0), u[2];
    struct sockaddr_in a = {AF_INET};
    socklen_t n = sizeof a;
    char c;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(d, (void *)&a, sizeof a);
    getsockname(d, (void *)&a, &n);
    T(sendto(d, "x", 1, MSG_OOB, (void *)&a, sizeof a));
    T(sendto(d, "x", 1, 0, (void *)&a, sizeof a));
    T(recv(d, &c, 1, MSG_OOB | MSG_DONTWAIT));
    socketpair(AF_UNIX, SOCK_DGRAM, 0, u);
    T(send(u[0], "x", 1, MSG_OOB));
    T(recv(u[1], &c, 1, MSG_OOB | MSG_DONTWAIT));
    return 0;
}
