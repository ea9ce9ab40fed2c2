/* A blocking send of more than is held anywhere: all of it arrives, in order, with one call. */
#include "call.h"

enum { WINDOW = 1 << 20 };

/* The same file pages again and again make a large message of little memory. */
static char *large(long windows) {
    int fd = memfd_create("window", 0);
    char *at = mmap(0, windows * (long)WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ftruncate(fd, WINDOW);
    for (long i = 0; i < windows; i++) mmap(at + i * WINDOW, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    for (int i = 0; i < WINDOW; i += 4) *(uint32_t *)(at + i) = i;
    return at;
}

static void *reads(void *arg) {
    static char buffer[WINDOW];
    long total = 0, wrong = 0, got;
    while ((got = recv((int)(long)arg, buffer, sizeof buffer, MSG_WAITALL)) > 0) {
        for (int i = 0; i < got; i += 65536) wrong += *(uint32_t *)(buffer + i) != i;
        total += got;
    }
    printf("  received %ld, %ld wrong\n", total, wrong);
    fflush(stdout);
    return 0;
}

int main(void) {
    enum { WINDOWS = 80 };
    char *at = large(WINDOWS);
    long size = WINDOWS * (long)WINDOW;
    for (int how = 0; how < 3; how++) {
        int pair[2];
        pthread_t thread;
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        pthread_create(&thread, 0, reads, (void *)(long)pair[1]);
        struct iovec parts[] = {{at, WINDOW}, {at, 0}, {at + WINDOW, size - WINDOW}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
        if (how == 0) T(send(pair[0], at, size, 0));
        if (how == 1) T(sendmsg(pair[0], &message, 0));
        if (how == 2) T(write(pair[0], at, size));
        close(pair[0]);
        pthread_join(thread, 0);
    }
    int pair[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    T(send(pair[0], at, size, 0));
    return 0;
}
