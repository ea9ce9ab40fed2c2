/* Record locks of processes and of descriptions, and flock. */
#include "call.h"

static int fd;
static char name[] = "locked";

static long lock(int file, int command, int type, long start, long length) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(file, command, &lock);
}

/* Whose lock is in the way, as another process sees it. */
static void who(int command, int type, long start, long length) {
    pid_t owner = getpid(), child = fork();
    if (!child) {
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
        int other = open(name, O_RDWR);
        if (fcntl(other, command, &lock) < 0) printf("  %s\n", strerrorname_np(errno));
        else if (lock.l_type == F_UNLCK) printf("  free\n");
        else printf("  type %d from %ld for %ld by %d\n", lock.l_type, lock.l_start, lock.l_len, lock.l_pid == owner ? 1 : lock.l_pid);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, 0, 0);
}

static long try(int command, int type, long start, long length) {
    pid_t child = fork();
    int st;
    if (!child) {
        int other = open(name, O_RDWR);
        _exit(lock(other, command, type, start, length) < 0 ? errno : 0);
    }
    waitpid(child, &st, 0);
    return WEXITSTATUS(st);
}

static void records(void) {
    T(lock(fd, F_SETLK, F_WRLCK, 10, 10));
    who(F_GETLK, F_RDLCK, 0, 0);
    who(F_GETLK, F_WRLCK, 0, 10);
    T(lock(fd, F_SETLK, F_RDLCK, 12, 3));
    who(F_GETLK, F_RDLCK, 12, 3);
    who(F_GETLK, F_WRLCK, 12, 3);
    who(F_GETLK, F_RDLCK, 12, 4);
    T(lock(fd, F_SETLK, F_UNLCK, 13, 1));
    who(F_GETLK, F_WRLCK, 13, 1);
    who(F_GETLK, F_WRLCK, 13, 100);
    T(lock(fd, F_SETLK, F_WRLCK, 20, 0));
    who(F_GETLK, F_WRLCK, 1000, 1);
    T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    who(F_GETLK, F_WRLCK, 0, 0);
    T(lock(fd, F_SETLK, F_RDLCK, -1, 1));
    T(lock(fd, F_SETLK, F_RDLCK, 10, -5));
    who(F_GETLK, F_WRLCK, 0, 0);
    T(lock(fd, F_SETLK, 9, 0, 0));
    int ro = open(name, O_RDONLY);
    T(lock(ro, F_SETLK, F_WRLCK, 0, 1));
    T(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    /* Any descriptor's end takes them all. */
    T(close(ro));
    who(F_GETLK, F_WRLCK, 0, 0);
    T(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    T(dup2(fd, 40));
    T(close(40));
    who(F_GETLK, F_WRLCK, 0, 0);
    /* A waiter gets it when the owner ends. */
    int p[2];
    char c;
    pipe(p);
    pid_t child = fork();
    if (!child) {
        lock(fd, F_SETLK, F_WRLCK, 0, 1);
        write(p[1], "l", 1);
        usleep(50000);
        _exit(0);
    }
    read(p[0], &c, 1);
    T(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    T(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
    T(waitpid(child, 0, 0) == child);
    /* Two who would wait for each other. */
    child = fork();
    if (!child) {
        lock(fd, F_SETLK, F_WRLCK, 5, 1);
        write(p[1], "l", 1);
        lock(fd, F_SETLKW, F_WRLCK, 0, 1);
        _exit(0);
    }
    read(p[0], &c, 1);
    usleep(50000);
    T(lock(fd, F_SETLKW, F_RDLCK, 5, 1));
    T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    T(waitpid(child, 0, 0) == child);
    /* execve ends those of descriptors that it closes. */
    child = fork();
    if (!child) {
        int other = open(name, O_RDWR | O_CLOEXEC);
        lock(other, F_SETLK, F_WRLCK, 0, 1);
        execl("/proc/self/exe", "locks", "sleeps", (char *)0);
    }
    usleep(100000);
    who(F_GETLK, F_WRLCK, 0, 1);
    kill(child, SIGKILL), waitpid(child, 0, 0);
}

static void descriptions(void) {
    int other = open(name, O_RDWR);
    T(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
    T(lock(other, F_OFD_SETLK, F_RDLCK, 5, 10));
    T(lock(other, F_SETLK, F_RDLCK, 5, 10));
    who(F_GETLK, F_RDLCK, 0, 0);
    who(F_OFD_GETLK, F_RDLCK, 0, 0);
    T(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    struct flock bad = {.l_type = F_WRLCK, .l_pid = 5};
    T(fcntl(fd, F_OFD_SETLK, &bad));
    T(dup2(fd, 41));
    T(close(41));
    T(try(F_OFD_SETLK, F_RDLCK, 0, 1) == EAGAIN);
    T(lock(fd, F_OFD_SETLK, F_RDLCK, 0, 10));
    T(lock(other, F_OFD_SETLK, F_RDLCK, 5, 10));
    T(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
    T(close(other));
    T(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
    T(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
}

static void whole(void) {
    int other = open(name, O_RDWR), ro = open(name, O_RDONLY);
    T(flock(fd, LOCK_SH));
    T(flock(other, LOCK_SH | LOCK_NB));
    T(flock(fd, LOCK_EX | LOCK_NB));
    T(flock(other, LOCK_UN));
    T(flock(fd, LOCK_EX | LOCK_NB));
    T(flock(ro, LOCK_SH | LOCK_NB));
    T(flock(fd, 16));
    T(flock(99, LOCK_SH));
    T(lock(fd, F_SETLK, F_WRLCK, 0, 0));
    T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    int same = dup(fd);
    T(flock(same, LOCK_SH));
    T(flock(ro, LOCK_EX | LOCK_NB));
    T(close(fd));
    T(flock(ro, LOCK_EX | LOCK_NB));
    pid_t child = fork();
    if (!child) {
        usleep(50000);
        _exit(0);
    }
    T(close(same));
    T(flock(ro, LOCK_EX | LOCK_NB));
    T(flock(ro, LOCK_EX));
    T(waitpid(child, 0, 0) == child);
}

int main(int argc, char **argv) {
    if (argc == 2) return pause();
    fresh_folder();
    fd = open(name, O_RDWR | O_CREAT, 0600);
    T(ftruncate(fd, 100));
    records();
    descriptions();
    whole();
    return 0;
}
