/* What a program without bounds gets, and that everything works again when it has given back what it took. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bytes that each process of the bomb has to itself. */
#define OWN (32l << 20)

static void processes(void) {
    static pid_t children[5000];
    char *own = mmap(NULL, OWN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(own, 1, OWN);
    int n = 0;
    for (; n < 5000; n++) {
        children[n] = fork();
        if (children[n] < 0) break;
        if (children[n] == 0) {
            own[0] = 2;
            pause();
            _exit(0);
        }
    }
    int error = errno;
    printf("fork: %s, %s\n", n > 60 && n < 5000 ? "after many" : "at once or never",
           error == ENOMEM || error == EAGAIN ? "ENOMEM or EAGAIN" : strerror(error));
    for (int i = 0; i < n; i++) kill(children[i], SIGKILL);
    int killed = 0, status;
    while (wait(&status) > 0) killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    printf("all killed: %d\n", killed == n);
    munmap(own, OWN);
    pid_t child = fork();
    if (child == 0) _exit(7);
    waitpid(child, &status, 0);
    printf("fork again: %d\n", WEXITSTATUS(status));
}

static void files(void) {
    int n = 0, last = -1, fd;
    while ((fd = open("/", O_RDONLY)) >= 0) last = fd, n++;
    printf("open: %s\n", errno == EMFILE ? "EMFILE" : strerror(errno));
    for (; n > 0; n--) close(last--);
    printf("open again: %d\n", open("/", O_RDONLY) >= 0);
}

static void mappings(void) {
    static void *maps[100000];
    long n = 0;
    /* Neighbours of unequal protection do not merge. */
    for (; n < 100000; n++) {
        maps[n] = mmap(NULL, 4096, n & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (maps[n] == MAP_FAILED) break;
    }
    printf("mmap: %s\n", n < 100000 && errno == ENOMEM ? "ENOMEM" : "never");
    while (n > 0) munmap(maps[--n], 4096);
    long large = 0;
    while (large < 1000 && (maps[large] = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)
        large++;
    printf("large mmap: %s\n", large < 1000 && errno == ENOMEM ? "ENOMEM" : "never");
    while (large > 0) munmap(maps[--large], 64 << 20);
    printf("malloc again: %d\n", malloc(1 << 20) != NULL);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    files();
    mappings();
    processes();
    return 0;
}
