// Memory that processes share, in all the ways there are, and what waits in it; then many processes and threads that are
// alive at once. Prints one line a case.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, ROUNDS = 500, PROCESSES = 60, THREADS = 200 };

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    sem_t ping, pong;
    volatile int turn, sum;
    volatile long count;
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int reap(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) != pid) die("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Two mappings of one object, a parent and a child that write in turns.
static void turns(const char *name, int fd) {
    int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
    volatile int *map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    volatile int *other = fd < 0 ? map : mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
    if (map == MAP_FAILED || other == MAP_FAILED) die(name);
    int last = 2 * PAGE / 4;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            while (map[0] != 2 * i + 1) sched_yield();
            map[last] += i;
            map[0] = 2 * i + 2;
        }
        _exit(7);
    }
    for (int i = 0; i < ROUNDS; i++) {
        map[0] = 2 * i + 1;
        while (map[0] != 2 * i + 2) sched_yield();
    }
    int seen = fd < 0 ? map[last] : other[0];
    int status = reap(child), read = seen;
    if (fd >= 0 && pread(fd, &read, 4, 2 * PAGE) != 4) die("pread");
    printf("%s: %d, read %d, status %d\n", name, seen, read, status);
}

static void locks(void) {
    struct shared *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&s->mutex, &attr);
    pthread_condattr_t cattr;
    pthread_condattr_init(&cattr);
    pthread_condattr_setpshared(&cattr, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&s->cond, &cattr);
    sem_init(&s->ping, 1, 0);
    sem_init(&s->pong, 1, 0);

    pid_t children[4];
    for (int c = 0; c < 4; c++) {
        if ((children[c] = fork()) == 0) {
            for (int i = 0; i < ROUNDS; i++) {
                pthread_mutex_lock(&s->mutex);
                long count = s->count;
                if (i % 50 == 0) sched_yield();
                s->count = count + 1;
                pthread_mutex_unlock(&s->mutex);
            }
            _exit(0);
        }
    }
    for (int c = 0; c < 4; c++) reap(children[c]);
    printf("mutex: %ld\n", s->count);

    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            sem_wait(&s->ping);
            s->sum += i;
            sem_post(&s->pong);
        }
        pthread_mutex_lock(&s->mutex);
        while (s->turn == 0) pthread_cond_wait(&s->cond, &s->mutex);
        // It dies with the mutex locked.
        kill(getpid(), SIGKILL);
    }
    for (int i = 0; i < ROUNDS; i++) {
        sem_post(&s->ping);
        sem_wait(&s->pong);
    }
    pthread_mutex_lock(&s->mutex);
    s->turn = 1;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    int status = reap(child);
    int error = pthread_mutex_lock(&s->mutex);
    printf("semaphores: %d; robust: status %d, %s\n", s->sum, status, error == EOWNERDEAD ? "owner died" : "?");
    pthread_mutex_consistent(&s->mutex);
    printf("consistent: %d\n", pthread_mutex_unlock(&s->mutex));
}

// All are alive at once: a token goes through all of them, twice.
static void ring(void) {
    int ends[PROCESSES + 1][2];
    pid_t pids[PROCESSES];
    volatile int *counters = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i <= PROCESSES; i++) {
        if (pipe(ends[i]) != 0) die("pipe");
    }
    for (int i = 0; i < PROCESSES; i++) {
        if ((pids[i] = fork()) < 0) die("fork");
        if (pids[i] == 0) {
            int own = i, token;
            for (int round = 0; round < 2; round++) {
                if (read(ends[i][0], &token, 4) != 4) _exit(1);
                counters[0]++;
                token += own;
                if (write(ends[i + 1][1], &token, 4) != 4) _exit(2);
            }
            _exit(i % 8);
        }
    }
    int token = 0;
    for (int round = 0; round < 2; round++) {
        if (write(ends[0][1], &token, 4) != 4 || read(ends[PROCESSES][0], &token, 4) != 4) die("token");
    }
    int statuses = 0;
    for (int i = 0; i < PROCESSES; i++) statuses += reap(pids[i]);
    printf("ring: token %d, count %d, statuses %d\n", token, counters[0], statuses);
}

static pthread_barrier_t barrier;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void *thread(void *number) {
    pthread_barrier_wait(&barrier);
    pthread_mutex_lock(&one);
    total += (intptr_t)number;
    pthread_mutex_unlock(&one);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void threads(void) {
    static pthread_t ids[THREADS];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 * 1024);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (intptr_t i = 0; i < THREADS; i++) {
        if (pthread_create(&ids[i], &attr, thread, (void *)i) != 0) die("pthread_create");
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++) pthread_join(ids[i], NULL);
    printf("threads: %ld\n", total);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    turns("anonymous", -1);
    int fd = memfd_create("page", 0);
    if (ftruncate(fd, 3 * PAGE) != 0) die("memfd");
    turns("memfd", fd);
    char path[] = "/tmp/page-XXXXXX";
    fd = mkstemp(path);
    unlink(path);
    if (ftruncate(fd, 3 * PAGE) != 0) die("file");
    turns("file", fd);
    char name[32];
    snprintf(name, sizeof name, "/page-%d", getpid());
    fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || ftruncate(fd, 3 * PAGE) != 0) die("shm_open");
    turns("shm_open", fd);
    shm_unlink(name);
    locks();
    ring();
    threads();
    return 0;
}
