/* mremap in all its forms, locked memory, times of mapped files. */
#include "call.h"

static int page = 4096;

static char *fresh(int pages, int flags) {
    char *at = mmap(0, pages * page, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < pages; i++) at[i * page] = 'a' + i;
    return at;
}

static void print(char *at, int pages) {
    for (int i = 0; i < pages; i++) putchar(at[i * page] ? at[i * page] : '-');
    putchar('\n');
}

#define FAILS(call, error) IS((call) == MAP_FAILED && errno == error)

static void moves(int flags) {
    char *m = fresh(4, flags), *room = fresh(8, MAP_PRIVATE);
    FAILS(mremap(m + 1, page, page, 0), EINVAL);
    FAILS(mremap(m, page, 0, 0), EINVAL);
    FAILS(mremap(m, page, page, 16), EINVAL);
    FAILS(mremap(m, page, page, MREMAP_FIXED, room), EINVAL);
    FAILS(mremap(m, page, page, MREMAP_DONTUNMAP), EINVAL);
    FAILS(mremap(m, page, 2 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), EINVAL);
    FAILS(mremap(m, 2 * page, page, MREMAP_MAYMOVE | MREMAP_FIXED, m + page), EINVAL);
    FAILS(mremap(m, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, room + 1), EINVAL);
    IS(mremap(m, 4 * page, 3 * page, 0) == m);
    print(m, 3);
    FAILS(mremap(m, 5 * page, 6 * page, MREMAP_MAYMOVE), EFAULT);
    char *to = mremap(m, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_FIXED, room + page);
    IS(to == room + page);
    print(room, 8);
    FAILS(mremap(m, page, page, 0), EFAULT);
    /* Grown and moved at once; what is new is zero, or the object's. */
    to = mremap(to, 2 * page, 6 * page, MREMAP_MAYMOVE);
    IS(to != MAP_FAILED);
    if (flags & MAP_PRIVATE) print(to, 6);
    else print(to, 4);
    print(room + 3 * page, 5);
    /* The old range stays, without its pages. */
    char *kept = mremap(to, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
    IS(kept != MAP_FAILED && kept != to);
    print(kept, 2);
    print(to, 2);
    to[0] = 'N';
    print(kept, 1);
    /* Part of a mapping to a place of its own, over something. */
    char *part = mremap(kept + page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    IS(part == room);
    print(room, 1);
    IS(mremap(m, 0, page, MREMAP_MAYMOVE) == MAP_FAILED);
}

static void doubles(void) {
    char *s = fresh(2, MAP_SHARED);
    char *again = mremap(s, 0, 2 * page, MREMAP_MAYMOVE);
    IS(again != MAP_FAILED && again != s);
    again[page] = 'Z';
    print(s, 2);
    char *p = fresh(1, MAP_PRIVATE);
    FAILS(mremap(p, 0, page, MREMAP_MAYMOVE), EINVAL);
    if (!fork()) {
        again[0] = 'F';
        _exit(0);
    }
    wait(0);
    print(s, 2);
}

static long locked(void) {
    char line[256];
    long size = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status)) sscanf(line, "VmLck: %ld", &size);
    fclose(status);
    return size;
}

static void locks(void) {
    char *m = fresh(4, MAP_PRIVATE), *s = fresh(1, MAP_SHARED);
    T(mlock(m + 1, page));
    T(locked());
    T(munlock(m, page));
    T(locked());
    T(mlock(m, 0));
    char *gap = fresh(1, MAP_PRIVATE);
    T(munmap(gap, page));
    T(mlock(gap, page));
    T(syscall(SYS_mlock2, m, page, 1));
    T(syscall(SYS_mlock2, m, page, 2));
    T(mlock(s, page));
    T(msync(s, page, MS_SYNC));
    T(msync(s, page, MS_INVALIDATE));
    T(munlock(s, page));
    T(msync(s, page, MS_INVALIDATE));
    if (!fork()) {
        T(locked());
        _exit(0);
    }
    wait(0);
    T(munmap(m, page));
    T(locked());
    T(mlockall(0));
    T(mlockall(8));
    T(mlockall(MCL_ONFAULT));
    T(mlockall(MCL_CURRENT));
    IS(locked() > 100);
    T(munlockall());
    T(locked());
    T(mlockall(MCL_FUTURE));
    m = fresh(2, MAP_PRIVATE);
    T(locked());
    T(munlockall());
    T(locked());
    m = mmap(0, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    T(locked());
    struct rlimit limit = {2 * page, 2 * page};
    T(setrlimit(RLIMIT_MEMLOCK, &limit));
    if (!fork()) {
        T(setresuid(1000, 1000, 1000));
        m = fresh(4, MAP_PRIVATE);
        T(mlock(m, 3 * page));
        T(mlock(m, 2 * page));
        T(mlock(m + 2 * page, 1));
        FAILS(mmap(0, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
        T(mlockall(MCL_CURRENT));
        limit.rlim_cur = 0;
        T(setrlimit(RLIMIT_MEMLOCK, &limit));
        T(mlock(m, page));
        T(mlockall(MCL_FUTURE));
        T(munlock(m, 2 * page));
        T(locked());
        _exit(0);
    }
    wait(0);
}

static void times_of_files(void) {
    fresh_folder();
    struct stat before, after;
    int f = open("file", O_RDWR | O_CREAT, 0600);
    T(write(f, "content", 7));
    fstat(f, &before);
    usleep(20000);
    char *m = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    fstat(f, &after);
    IS(after.st_atim.tv_sec > before.st_atim.tv_sec || after.st_atim.tv_nsec != before.st_atim.tv_nsec);
    IS(!memcmp(&after.st_mtim, &before.st_mtim, sizeof after.st_mtim));
    usleep(20000);
    m[0] = 'C';
    T(msync(m, page, MS_SYNC));
    fstat(f, &after);
    IS(memcmp(&after.st_mtim, &before.st_mtim, sizeof after.st_mtim) != 0);
    IS(memcmp(&after.st_ctim, &before.st_ctim, sizeof after.st_ctim) != 0);
}

int main(void) {
    moves(MAP_PRIVATE);
    moves(MAP_SHARED);
    doubles();
    locks();
    times_of_files();
    return 0;
}
