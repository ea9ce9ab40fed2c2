/* TCP and UDP over the loopback interface. */
#include "call.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static char buf[1 << 22];

static void events(const char *what, int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    int n = poll(&p, 1, 0);
    printf("%s: %d %x\n", what, n, p.revents);
}

static struct sockaddr_in v4(const char *ip, int port) {
    struct sockaddr_in a = {AF_INET, htons(port)};
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

/* The port of a socket, and its address printed without it. */
static int port_of(const char *what, int fd, int peer) {
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    char text[64] = "?";
    int r = (peer ? getpeername : getsockname)(fd, (void *)&a, &n);
    if (r) {
        printf("%s: %s\n", what, strerrorname_np(errno));
        return 0;
    }
    struct sockaddr_in *a4 = (void *)&a;
    struct sockaddr_in6 *a6 = (void *)&a;
    inet_ntop(a.ss_family, a.ss_family == AF_INET ? (void *)&a4->sin_addr : (void *)&a6->sin6_addr, text, sizeof text);
    int port = ntohs(a4->sin_port);
    printf("%s: family %d, %u bytes, %s, %s\n", what, a.ss_family, n, text, port ? "a port" : "no port");
    return port;
}

static int option(int fd, int level, int name) {
    int v = -1;
    socklen_t n = sizeof v;
    errno = 0;
    if (getsockopt(fd, level, name, &v, &n)) return -errno;
    return v;
}

static void connected(int *client, int *server, int listener, int port) {
    struct sockaddr_in a = v4("127.0.0.1", port);
    *client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*client, (void *)&a, sizeof a)) printf("connect: %m\n");
    *server = accept(listener, 0, 0);
}

static void *late_accept(void *fd) {
    usleep(50000);
    return (void *)(long)accept(*(int *)fd, 0, 0);
}

static void tcp(void) {
    int on = 1, c, s;
    T(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    T(socket(AF_INET, SOCK_SEQPACKET, 0));
    T(socket(AF_INET, SOCK_STREAM | 0x100, 0));
    T(socket(200, SOCK_STREAM, 0));
    int pair[2];
    T(socketpair(AF_INET, SOCK_STREAM, 0, pair));
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    events("new", l);
    port_of("new", l, 0);
    port_of("new", l, 1);
    T(read(l, buf, 1));
    T(send(l, buf, 1, MSG_NOSIGNAL));
    T(accept(l, 0, 0));
    T(shutdown(socket(AF_INET, SOCK_STREAM, 0), SHUT_RD));
    T(option(l, SOL_SOCKET, SO_TYPE));
    T(option(l, SOL_SOCKET, SO_DOMAIN));
    T(option(l, SOL_SOCKET, SO_PROTOCOL));
    T(option(l, SOL_SOCKET, SO_ERROR));
    T(option(l, SOL_SOCKET, SO_ACCEPTCONN));
    T(option(l, SOL_SOCKET, SO_REUSEADDR));
    T(option(l, SOL_SOCKET, 9999));
    T(option(l, IPPROTO_TCP, 9999));
    T(option(l, IPPROTO_TCP, TCP_NODELAY));
    T(option(l, IPPROTO_UDP + 100, 1));
    T(setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    T(option(l, IPPROTO_TCP, TCP_NODELAY));
    T(setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
    T(option(l, SOL_SOCKET, SO_KEEPALIVE));
    T(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, 3));
    T(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    struct sockaddr_in a = v4("127.0.0.1", 0);
    T(bind(l, (void *)&a, 8));
    a.sin_family = AF_INET6;
    T(bind(l, (void *)&a, sizeof a));
    struct sockaddr_in far = v4("192.0.2.1", 0);
    T(bind(l, (void *)&far, sizeof far));
    a.sin_family = AF_INET;
    T(bind(l, (void *)&a, sizeof a));
    T(bind(l, (void *)&a, sizeof a));
    int port = port_of("bound", l, 0);
    a.sin_port = htons(port);

    int other = socket(AF_INET, SOCK_STREAM, 0);
    T(bind(other, (void *)&a, sizeof a));
    T(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    T(bind(other, (void *)&a, sizeof a));
    T(close(other));
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(c, (void *)&a, sizeof a));
    T(listen(l, 5));
    T(option(l, SOL_SOCKET, SO_ACCEPTCONN));
    events("listens", l);
    T(connect(l, (void *)&a, sizeof a));
    other = socket(AF_INET, SOCK_STREAM, 0);
    T(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    T(bind(other, (void *)&a, sizeof a));
    T(close(other));
    T(connect(c, (void *)&a, sizeof a));
    T(connect(c, (void *)&a, sizeof a));
    events("to be accepted", l);
    events("client", c);
    T(write(c, "early", 5));
    struct sockaddr_in from;
    socklen_t n = sizeof from;
    s = accept4(l, (void *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    IS(from.sin_port == htons(port_of("client", c, 0)));
    IS(port_of("client's peer", c, 1) == port);
    IS(port_of("server", s, 0) == port);
    port_of("server's peer", s, 1);
    T(fcntl(s, F_GETFL));
    T(fcntl(s, F_GETFD));
    T(option(s, IPPROTO_TCP, TCP_NODELAY));
    int k;
    T(ioctl(s, FIONREAD, &k));
    printf("%d\n", k);
    T(recv(s, buf, 2, MSG_PEEK));
    T(recv(s, buf, 20, 0));
    T(recv(s, buf, 20, 0));
    T(recv(c, buf, 20, MSG_DONTWAIT));
    n = sizeof from;
    T(write(c, "xyz", 3));
    T(recvfrom(s, buf, 20, 0, (void *)&from, &n));
    printf("%u\n", n);
    events("connected", c);
    T(shutdown(c, SHUT_WR));
    events("no more writes", c);
    events("end seen", s);
    T(read(s, buf, 1));
    T(send(c, buf, 1, MSG_NOSIGNAL));
    T(write(s, "back", 4));
    T(read(c, buf, 9));
    T(close(s));
    events("both ended", c);
    T(read(c, buf, 9));
    T(close(c));

    /* The other end is closed, everything read: the first write is answered by a reset. */
    connected(&c, &s, l, port);
    T(close(s));
    events("peer closed", c);
    T(send(c, "a", 1, MSG_NOSIGNAL));
    events("reset", c);
    T(send(c, "a", 1, MSG_NOSIGNAL));
    T(read(c, buf, 1));
    T(option(c, SOL_SOCKET, SO_ERROR));
    port_of("after", c, 1);
    T(close(c));

    /* Closed with something unread: a reset at once. */
    connected(&c, &s, l, port);
    T(write(c, "a", 1));
    T(close(s));
    events("reset", c);
    T(read(c, buf, 1));
    T(read(c, buf, 1));
    T(send(c, "a", 1, MSG_NOSIGNAL));
    T(close(c));

    /* Linger of 0 resets. */
    connected(&c, &s, l, port);
    struct linger none = {1, 0};
    T(setsockopt(s, SOL_SOCKET, SO_LINGER, &none, sizeof none));
    T(write(s, "rest", 4));
    T(close(s));
    T(option(c, SOL_SOCKET, SO_ERROR));
    T(close(c));

    /* SIGPIPE. */
    connected(&c, &s, l, port);
    T(shutdown(c, SHUT_RDWR));
    events("shut down", c);
    pid_t pid = fork();
    if (!pid) {
        signal(SIGPIPE, SIG_DFL);
        write(c, "a", 1);
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("status %x\n", status);
    T(close(c));
    T(close(s));

    /* Timeouts, waiting for all, large transfers. */
    connected(&c, &s, l, port);
    struct timeval tv = {0, 30000};
    T(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    T(read(s, buf, 1));
    T(recv(s, buf, 1, 0));
    tv.tv_usec = 1000000;
    T(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    tv.tv_usec = 0;
    T(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    pid = fork();
    if (!pid) {
        for (int i = 0; i < 5; i++) {
            usleep(5000);
            write(c, "0123456789", 10);
        }
        shutdown(c, SHUT_WR);
        read(c, buf, 1);
        static char big[3000000];
        memset(big, 'x', sizeof big);
        struct iovec parts[2] = {{big, 1000000}, {big, 2000000}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        int c2 = socket(AF_INET, SOCK_STREAM, 0);
        connect(c2, (void *)&a, sizeof a);
        _exit(sendmsg(c2, &message, 0) != 3000000);
    }
    T(recv(s, buf, 45, MSG_WAITALL));
    printf("%.45s\n", buf);
    T(recv(s, buf, 45, MSG_WAITALL));
    T(recv(s, buf, 45, MSG_WAITALL));
    T(write(s, "x", 1));
    int s2 = accept(l, 0, 0);
    long total = 0, got;
    while ((got = read(s2, buf, sizeof buf)) > 0) total += got;
    waitpid(pid, &status, 0);
    printf("received %ld, status %x\n", total, status);
    T(close(s2));
    T(close(c));
    T(close(s));

    /* Without waiting. */
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    T(connect(c, (void *)&a, sizeof a));
    events("in progress", c);
    T(option(c, SOL_SOCKET, SO_ERROR));
    T(connect(c, (void *)&a, sizeof a));
    T(connect(c, (void *)&a, sizeof a));
    s = accept(l, 0, 0);
    T(close(c));
    T(close(s));
    fcntl(l, F_SETFL, O_NONBLOCK);
    T(accept(l, 0, 0));
    fcntl(l, F_SETFL, 0);
    struct sockaddr_in closed = v4("127.0.0.1", 1);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    T(connect(c, (void *)&closed, sizeof closed));
    events("refused", c);
    T(option(c, SOL_SOCKET, SO_ERROR));
    T(option(c, SOL_SOCKET, SO_ERROR));
    T(close(c));
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(c, (void *)&closed, sizeof closed));
    T(connect(c, (void *)&a, sizeof a));
    s = accept(l, 0, 0);
    struct sockaddr_in nothing = {AF_UNSPEC};
    T(connect(c, (void *)&nothing, sizeof nothing));
    T(read(s, buf, 1));
    T(read(s, buf, 1));
    T(close(c));
    T(close(s));

    /* A listener that goes takes its connections with it. */
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(c, (void *)&a, sizeof a));
    T(close(l));
    T(read(c, buf, 1));
    T(close(c));
}

/* A buffer whose size was set holds no more than that, about. */
static void buffers(void) {
    struct sockaddr_in a = v4("127.0.0.1", 0);
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client, server, size = 8192;
    bind(listener, (void *)&a, sizeof a);
    listen(listener, 4);
    getsockname(listener, (void *)&a, &n);
    for (int set = 0; set < 3; set++) {
        connected(&client, &server, listener, ntohs(a.sin_port));
        if (set > 0) T(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
        if (set > 1) T(setsockopt(server, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
        int sent = 0, more;
        while ((more = send(client, buf, 1 << 20, MSG_DONTWAIT)) > 0) sent += more;
        printf("%d set: more than 1,000,000 bytes: %d, more than 300,000: %d\n", set, sent > 1000000, sent > 300000);
        events("full", client);
        int got = 0;
        while (got < sent && (more = recv(server, buf, sizeof buf, 0)) > 0) got += more;
        printf("all came: %d\n", got == sent);
        events("empty", client);
        close(client);
        close(server);
    }
    close(listener);
}

static void v6(void) {
    int l = socket(AF_INET6, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in6 a = {AF_INET6};
    T(bind(l, (void *)&a, 20));
    T(bind(l, (void *)&a, sizeof a));
    T(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    T(listen(l, 1));
    int port = port_of("any", l, 0);
    struct sockaddr_in b = v4("127.0.0.1", port);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(c, (void *)&b, sizeof b));
    int s = accept(l, 0, 0);
    port_of("mapped", s, 0);
    port_of("mapped", s, 1);
    T(write(s, "ab", 2));
    T(read(c, buf, 9));
    close(c), close(s);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    a.sin6_addr = in6addr_loopback;
    a.sin6_port = htons(port);
    T(connect(c, (void *)&b, sizeof b));
    T(connect(c, (void *)&a, sizeof a));
    s = accept(l, 0, 0);
    port_of("six", s, 1);
    port_of("six", c, 0);
    close(c), close(s);
    int v4socket = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = v4("0.0.0.0", port);
    T(bind(v4socket, (void *)&any, sizeof any));
    T(close(l));
    l = socket(AF_INET6, SOCK_STREAM, 0);
    T(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    a.sin6_port = 0;
    T(bind(l, (void *)&a, sizeof a));
    T(option(l, IPPROTO_IPV6, IPV6_V6ONLY));
    T(close(l));
    T(close(v4socket));
}

static void udp(void) {
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = v4("127.0.0.1", 0), from;
    socklen_t n = sizeof from;
    events("datagrams", a);
    T(send(a, "x", 1, 0));
    T(listen(a, 1));
    T(accept(a, 0, 0));
    T(sendto(a, "x", 1, 0, (void *)&to, sizeof to));
    T(bind(b, (void *)&to, sizeof to));
    int port = port_of("bound", b, 0);
    to.sin_port = htons(port);
    T(sendto(a, "hello", 5, 0, (void *)&to, sizeof to));
    T(sendto(a, "", 0, 0, (void *)&to, sizeof to));
    T(sendto(a, buf, 65508, 0, (void *)&to, sizeof to));
    T(sendto(a, buf, 65507, 0, (void *)&to, sizeof to));
    port_of("sender", a, 0);
    int k;
    T(ioctl(b, FIONREAD, &k));
    printf("%d\n", k);
    T(recvfrom(b, buf, 3, MSG_TRUNC, (void *)&from, &n));
    printf("%u %.3s\n", n, buf);
    T(recv(b, buf, 9, 0));
    T(recv(b, buf, sizeof buf, 0));
    T(recv(b, buf, 9, MSG_DONTWAIT));
    T(connect(a, (void *)&to, sizeof to));
    port_of("connected", a, 0);
    port_of("connected", a, 1);
    T(write(a, "to b", 4));
    n = sizeof from;
    T(recvfrom(b, buf, 9, 0, (void *)&from, &n));
    T(sendto(b, "to a", 4, 0, (void *)&from, n));
    int c = socket(AF_INET, SOCK_DGRAM, 0);
    T(sendto(c, "strange", 7, 0, (void *)&from, n));
    T(recv(a, buf, 9, MSG_DONTWAIT));
    T(recv(a, buf, 9, MSG_DONTWAIT));
    T(close(b));
    T(write(a, "nobody", 6));
    events("told", a);
    T(write(a, "nobody", 6));
    T(write(a, "nobody", 6));
    T(recv(a, buf, 9, MSG_DONTWAIT));
    T(shutdown(c, SHUT_RD));
    T(shutdown(a, SHUT_RD));
    T(recv(a, buf, 9, 0));
    struct sockaddr_in nothing = {AF_UNSPEC};
    T(connect(a, (void *)&nothing, sizeof nothing));
    T(send(a, "x", 1, 0));
    struct mmsghdr many[2] = {0};
    struct iovec part[2] = {{"one", 3}, {"three", 5}};
    b = socket(AF_INET, SOCK_DGRAM, 0);
    to.sin_port = 0;
    T(bind(b, (void *)&to, sizeof to));
    to.sin_port = htons(port_of("again", b, 0));
    for (int i = 0; i < 2; i++) {
        many[i].msg_hdr.msg_iov = &part[i], many[i].msg_hdr.msg_iovlen = 1;
        many[i].msg_hdr.msg_name = &to, many[i].msg_hdr.msg_namelen = sizeof to;
    }
    T(sendmmsg(c, many, 2, 0));
    part[0].iov_base = buf, part[1].iov_base = buf + 10;
    part[0].iov_len = part[1].iov_len = 4;
    T(recvmmsg(b, many, 2, MSG_WAITFORONE, 0));
    printf("%u %x %u, %u %x %u\n", many[0].msg_len, many[0].msg_hdr.msg_flags, many[0].msg_hdr.msg_namelen,
           many[1].msg_len, many[1].msg_hdr.msg_flags, many[1].msg_hdr.msg_namelen);
    T(close(a));
    T(close(b));
    T(close(c));
}

static void names(void) {
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(r.ifr_name, "lo");
    T(ioctl(s, SIOCGIFINDEX, &r));
    printf("%d\n", r.ifr_ifindex);
    T(ioctl(s, SIOCGIFFLAGS, &r));
    printf("%x\n", r.ifr_flags);
    T(ioctl(s, SIOCGIFADDR, &r));
    T(ioctl(s, SIOCGIFMTU, &r));
    printf("%d\n", r.ifr_mtu);
    strcpy(r.ifr_name, "none0");
    T(ioctl(s, SIOCGIFFLAGS, &r));
    T(ioctl(s, 0x1234, &r));
    struct ifaddrs *all, *at;
    T(getifaddrs(&all));
    for (at = all; at; at = at->ifa_next)
        if (!strcmp(at->ifa_name, "lo")) {
            char text[64] = "";
            if (at->ifa_addr->sa_family == AF_INET)
                inet_ntop(AF_INET, &((struct sockaddr_in *)at->ifa_addr)->sin_addr, text, sizeof text);
            if (at->ifa_addr->sa_family == AF_INET6)
                inet_ntop(AF_INET6, &((struct sockaddr_in6 *)at->ifa_addr)->sin6_addr, text, sizeof text);
            printf("lo: family %d, %s, flags %x\n", at->ifa_addr->sa_family, text, at->ifa_flags);
        }
    T(if_nametoindex("lo"));
    T(close(s));
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    tcp();
    buffers();
    v6();
    udp();
    names();
    return 0;
}
