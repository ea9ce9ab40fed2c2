// UDP-Lite: its ports are its own, and who wants more of a datagram covered than is does not get it. A kernel without it
// ends this with status 77.
#include "call.h"
#include <netinet/in.h>
#include <sys/socket.h>

#define LITE 136
enum { SEND = 10, RECV = 11 };

static void options(const char *what, int fd, int level) {
    for (int name = SEND; name <= RECV + 1; name++) {
        for (int i = 0; i < 6; i++) {
            int values[] = {0, 3, 8, 20, 70000, -1}, value = 77;
            socklen_t n = sizeof value;
            printf("%s %d %d: ", what, name, values[i]);
            T(setsockopt(fd, level, name, &values[i], sizeof values[i]));
            T(getsockopt(fd, level, name, &value, &n));
            printf("%d\n", value);
        }
    }
}

static void set(int fd, int name, int value) {
    T(setsockopt(fd, LITE, name, &value, sizeof value));
}

int main(void) {
    int a = socket(AF_INET, SOCK_DGRAM, LITE), b = socket(AF_INET, SOCK_DGRAM, LITE), u = socket(AF_INET, SOCK_DGRAM, 0);
    if (a < 0) return 77;
    int value = 0;
    socklen_t n = sizeof value;
    T(getsockopt(a, SOL_SOCKET, SO_PROTOCOL, &value, &n));
    printf("%d\n", value);
    T(socket(AF_INET, SOCK_STREAM, LITE));
    options("lite", a, LITE);
    options("lite as udp", a, IPPROTO_UDP);
    options("udp", u, LITE);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    T(bind(b, (void *)&to, sizeof to));
    n = sizeof to;
    T(getsockname(b, (void *)&to, &n));
    T(bind(u, (void *)&to, sizeof to));
    int sends[] = {0, 8, 12, 20}, wants[] = {-2, 0, 8, 12, 20};
    for (int w = 0; w < 5; w++) {
        if (wants[w] >= 0) set(b, RECV, wants[w]);
        for (int s = 0; s < 4; s++) {
            char text[32] = "";
            set(a, SEND, sends[s]);
            T(sendto(a, "twelve bytes", 12, 0, (void *)&to, sizeof to));
            printf("covers %d, wanted %d: ", sends[s], wants[w]);
            T(recv(b, text, sizeof text, MSG_DONTWAIT));
            puts(text);
        }
    }
    T(recv(u, &value, sizeof value, MSG_DONTWAIT));
    return 0;
}
