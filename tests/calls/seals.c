/* Seals of files in memory: fcntl(2), "File sealing", and memfd_create(2). */
#include "call.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#define MFD_EXEC 16
#endif

static char bytes[8192] = "sealed";

static int sealed(int seals) {
    int fd = memfd_create("file", MFD_ALLOW_SEALING);
    write(fd, bytes, 4096 + 100);
    if (fcntl(fd, F_ADD_SEALS, seals)) exit(98);
    return fd;
}

static long mode(int fd) {
    struct stat st;
    fstat(fd, &st);
    return st.st_mode;
}

static long size(int fd) {
    struct stat st;
    fstat(fd, &st);
    return st.st_size;
}

static void *map(int fd, int prot, int flags) {
    return mmap(0, 4096, prot, flags, fd, 0);
}

/* 0, or the error of mapping or of making the mapping writable, in thousands. */
static long maps(int fd, int prot, int flags) {
    void *at = map(fd, prot, flags);
    if (at == MAP_FAILED) return errno;
    long late = mprotect(at, 4096, PROT_READ | PROT_WRITE) ? errno * 1000L : 0;
    munmap(at, 4096);
    return late;
}

static void making(void) {
    char name[300];
    memset(name, 'n', sizeof name);
    T(memfd_create("x", 0x100));
    T(memfd_create("x", MFD_EXEC | MFD_NOEXEC_SEAL));
    T(memfd_create((char *)1, 0));
    name[250] = 0;
    T(memfd_create(name, 0));
    name[249] = 0;
    T(memfd_create(name, 0) > 0);
    int plain = memfd_create("", 0), exec = memfd_create("", MFD_EXEC | MFD_ALLOW_SEALING);
    int data = memfd_create("", MFD_NOEXEC_SEAL), closes = memfd_create("", MFD_CLOEXEC);
    T(fcntl(plain, F_GET_SEALS));
    T(fcntl(exec, F_GET_SEALS));
    T(fcntl(data, F_GET_SEALS));
    T(mode(plain));
    T(mode(exec));
    T(mode(data));
    T(fcntl(closes, F_GETFD));
    T(fcntl(plain, F_GETFD));
    T(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
    T(fcntl(plain, F_ADD_SEALS, 0));
    T(fchmod(data, 0600));
    T(fchmod(data, 0700));
    T(mode(data));
    /* An executable one is sealed against all changes. */
    T(fcntl(exec, F_ADD_SEALS, F_SEAL_EXEC));
    T(fcntl(exec, F_GET_SEALS));
    T(fchmod(exec, 0600));
    T(fchmod(exec, 0711));
    T(mode(exec));
}

static void others(void) {
    int p[2], fd = open("file", O_RDWR | O_CREAT, 0600), null = open("/dev/null", O_RDWR);
    pipe(p);
    T(fcntl(p[1], F_GET_SEALS));
    T(fcntl(p[1], F_ADD_SEALS, F_SEAL_SEAL));
    T(fcntl(p[0], F_ADD_SEALS, F_SEAL_SEAL));
    T(fcntl(null, F_GET_SEALS));
    T(fcntl(99, F_GET_SEALS));
    int memory = memfd_create("x", MFD_ALLOW_SEALING);
    char path[40];
    sprintf(path, "/proc/self/fd/%d", memory);
    int ro = open(path, O_RDONLY), at = open(path, O_PATH);
    T(fcntl(ro, F_ADD_SEALS, F_SEAL_SEAL));
    T(fcntl(at, F_GET_SEALS));
    T(fcntl(ro, F_GET_SEALS));
    T(fcntl(memory, F_ADD_SEALS, 0x1000));
    T(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK));
    T(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    T(fcntl(ro, F_GET_SEALS));
    T(fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL));
    T(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
    T(fcntl(memory, F_ADD_SEALS, 0x1000));
    T(fcntl(memory, F_GET_SEALS));
}

static void changes(int seals) {
    int fd = sealed(seals);
    printf("-- %#x\n", seals);
    T(pwrite(fd, bytes, 10, 0));
    T(pwrite(fd, bytes, 0, 0));
    T(pwrite(fd, bytes, 100, 4096));
    T(pwrite(fd, bytes, 101, 4096));
    T(pwrite(fd, bytes, 8192, 0));
    T(pwrite(fd, bytes, 8192, 10));
    T(pwrite(fd, bytes, 1, 4500));
    T(size(fd));
    T(ftruncate(fd, size(fd)));
    T(ftruncate(fd, 9000));
    T(ftruncate(fd, 100));
    T(size(fd));
    T(fallocate(fd, 0, 0, 100));
    T(fallocate(fd, 0, 0, 20000));
    T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 40000));
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
    T(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 10));
    T(size(fd));
    T(maps(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
    T(maps(fd, PROT_READ, MAP_SHARED));
    T(maps(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE));
    T(maps(fd, PROT_READ, MAP_PRIVATE));
    T(lseek(fd, 0, SEEK_SET));
    T(read(fd, bytes, 50));
    T(fchmod(fd, 0600));
    close(fd);
}

static void mapped(void) {
    int fd = memfd_create("x", MFD_ALLOW_SEALING);
    ftruncate(fd, 4096);
    char *rw = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    rw[0] = 'a';
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
    T(fcntl(fd, F_GET_SEALS));
    T(mprotect(rw, 4096, PROT_READ));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    /* What is mapped already may still be written under F_SEAL_FUTURE_WRITE. */
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    T(mprotect(rw, 4096, PROT_READ | PROT_WRITE));
    rw[0] = 'b';
    T(pread(fd, bytes, 1, 0));
    T(bytes[0]);
    T(pwrite(fd, bytes, 1, 0));
    T(maps(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
    T(maps(fd, PROT_READ, MAP_SHARED));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    /* A child's mapping counts. */
    pid_t child = fork();
    if (!child) pause();
    T(munmap(rw, 4096));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    kill(child, SIGKILL), waitpid(child, 0, 0);
    char *ro = map(fd, PROT_READ, MAP_SHARED), *own = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    T(mprotect(ro, 4096, PROT_READ | PROT_WRITE));
    own[0] = 'c';
    T(ro[0]);
    T(fcntl(fd, F_GET_SEALS));
    /* A mapping of a file opened for writing may become writable, so that it counts. */
    int other = memfd_create("y", MFD_ALLOW_SEALING);
    ftruncate(other, 4096);
    char path[40];
    sprintf(path, "/proc/self/fd/%d", other);
    int reader = open(path, O_RDONLY);
    void *view = map(other, PROT_READ, MAP_SHARED);
    T(fcntl(other, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(view, 4096);
    view = map(reader, PROT_READ, MAP_SHARED);
    T(fcntl(other, F_ADD_SEALS, F_SEAL_WRITE));
    T(ftruncate(other, 0));
}

int main(void) {
    fresh_folder();
    making();
    others();
    int every[] = {0, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE,
                   F_SEAL_EXEC, F_SEAL_SEAL};
    for (int i = 0; i < 8; i++) changes(every[i]);
    mapped();
    return 0;
}
