/* futex(2): every operation, what it returns and what it refuses; robust lists; futex_waitv. */
#include "call.h"
#include <linux/futex.h>
#include <stddef.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static uint32_t a, b, c, words[8];

static long futex(uint32_t *at, int op, uint32_t value, const void *timeout, uint32_t *at2, uint32_t value3) {
    return syscall(SYS_futex, at, op, value, timeout, at2, value3);
}

static const void *many(long count) {
    return (const void *)count;
}

/* Whether a thread sleeps: proc(5), the third field of stat. */
static int sleeps(int tid) {
    char path[64], text[256] = {0}, *state;
    sprintf(path, "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY);
    if (fd < 0) return 1;
    read(fd, text, sizeof text - 1);
    close(fd);
    state = strrchr(text, ')');
    return state && state[2] == 'S';
}

/* Waits until a thread has nothing to do but wait. */
static void settles(volatile int *tid, volatile int *over) {
    for (int quiet = 0; quiet < 3;) {
        usleep(1000);
        quiet = *over || *tid && sleeps(*tid) ? quiet + 1 : 0;
    }
}

/* A thread that makes one call, and what became of it. */
typedef struct {
    pthread_t thread;
    uint32_t *at, *at2;
    int op;
    uint32_t value, value3;
    const void *timeout;
    long result;
    int error, over, tid, keeps;
} Waiter;

static void *waits(void *arg) {
    Waiter *w = arg;
    w->tid = syscall(SYS_gettid);
    errno = 0;
    w->result = futex(w->at, w->op, w->value, w->timeout, w->at2, w->value3);
    w->error = w->result < 0 ? errno : 0;
    w->over = 1;
    while (w->keeps) usleep(1000);
    return 0;
}

static Waiter *start(uint32_t *at, int op, uint32_t value, const void *timeout, uint32_t *at2, uint32_t value3, int keeps) {
    Waiter *w = calloc(1, sizeof *w);
    *w = (Waiter){.at = at, .at2 = at2, .op = op, .value = value, .value3 = value3, .timeout = timeout, .keeps = keeps};
    pthread_create(&w->thread, 0, waits, w);
    settles(&w->tid, &w->over);
    return w;
}

static void ends(const char *what, Waiter *w) {
    w->keeps = 0;
    pthread_join(w->thread, 0);
    printf("  %s: %ld %s\n", what, w->result, w->error ? strerrorname_np(w->error) : "");
    fflush(stdout);
    free(w);
}

static void over(Waiter **w, int count) {
    for (int i = 0; i < count; i++) settles(&w[i]->tid, &w[i]->over);
    printf("  over:");
    for (int i = 0; i < count; i++) printf(" %d", w[i]->over);
    puts("");
    fflush(stdout);
}

/* A word with thread ids made comparable. */
static void word(const char *what, uint32_t value, Waiter *w) {
    uint32_t tid = value & FUTEX_TID_MASK;
    printf("  %s:%s%s owner %s\n", what, value & FUTEX_WAITERS ? " waiters" : "", value & FUTEX_OWNER_DIED ? " died" : "",
           !tid ? "none" : tid == syscall(SYS_gettid) ? "self" : w && tid == w->tid ? "other" : "unknown");
    fflush(stdout);
}

static void refusals(void) {
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}, past = {1, 0}, zero = {0, 0};
    char *closed = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *odd = (uint32_t *)((char *)words + 2), *nowhere = (uint32_t *)closed;
    T(futex(&a, FUTEX_WAIT, 1, 0, 0, 0));
    T(futex(odd, FUTEX_WAIT, 0, 0, 0, 0));
    T(futex(odd, FUTEX_WAKE, 1, 0, 0, 0));
    T(futex(odd, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    T(futex(odd, FUTEX_LOCK_PI, 1, 0, 0, 0));
    T(futex(nowhere, FUTEX_WAIT, 0, 0, 0, 0));
    T(futex(nowhere, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0));
    T(futex(nowhere, FUTEX_WAKE, 1, 0, 0, 0));
    T(futex(nowhere, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    T(futex((void *)16, FUTEX_WAKE, 1, 0, 0, 0));
    T(futex((void *)16, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    T(futex((void *)-16, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    T(futex(nowhere, FUTEX_LOCK_PI, 0, 0, 0, 0));
    T(futex(nowhere, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    T(futex(&a, FUTEX_WAIT, 0, &bad, 0, 0));
    T(futex(&a, FUTEX_WAIT, 1, &bad, 0, 0));
    T(futex(&a, FUTEX_WAIT, 0, &negative, 0, 0));
    T(futex(&a, FUTEX_WAIT, 0, (void *)1, 0, 0));
    T(futex(&a, FUTEX_WAIT, 0, &zero, 0, 0));
    T(futex(&a, FUTEX_WAIT, 1, &zero, 0, 0));
    T(futex(&a, FUTEX_WAIT_BITSET, 0, &past, 0, 0));
    T(futex(&a, FUTEX_WAIT_BITSET, 0, &past, 0, 1));
    T(futex(&a, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, 0, 1));
    T(futex(&a, FUTEX_WAKE_BITSET, 0, 0, 0, 0));
    T(futex(&a, FUTEX_WAKE, 0, 0, 0, 0));
    T(futex(&a, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &past, 0, 0));
    T(futex(&a, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
    T(futex(&a, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE | FUTEX_CLOCK_REALTIME, 0, 0, &b, 0));
    T(futex(&a, 2, 0, 0, 0, 0));
    T(futex(&a, 14, 0, 0, 0, 0));
    T(futex(&a, FUTEX_REQUEUE, -1, many(1), &b, 0));
    T(futex(&a, FUTEX_REQUEUE, 1, many(-1), &b, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE, 1, many(1), &b, 1));
    T(futex(&a, FUTEX_CMP_REQUEUE, 1, many(1), odd, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE, 1, many(1), &a, 0));
    T(futex(&a, FUTEX_WAKE_OP, 1, many(1), odd, 0));
    T(futex(&a, FUTEX_WAKE_OP, 1, many(1), nowhere, 0));
    T(futex(&a, FUTEX_WAKE_OP, 1, many(1), &b, 5 << 28));
    T(futex(&a, FUTEX_WAKE_OP, 1, many(1), &b, FUTEX_OP(FUTEX_OP_SET, 7, 6, 0)));
    T(b);
    b = 0;
    T(futex(&a, FUTEX_WAIT_REQUEUE_PI, 0, 0, &a, 0));
    T(futex(&a, FUTEX_WAIT_REQUEUE_PI, 1, 0, &b, 0));
    T(futex(&a, FUTEX_WAIT_REQUEUE_PI, 0, &past, &b, 0));
    T(futex(&a, FUTEX_WAIT_REQUEUE_PI, 0, 0, odd, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(1), &a, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 2, many(1), &b, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 0, many(1), &b, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(1), &b, 1));
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(1), &b, 0));
    T(b);
    munmap(closed, 4096);
}

static void waking(void) {
    Waiter *w[4];
    struct timespec now, later;
    /* Not even by 0 is nobody woken. */
    for (int i = 0; i < 3; i++) w[i] = start(&a, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0, 0);
    T(futex(&a, FUTEX_WAKE, 9, 0, 0, 0));
    T(futex(&a, FUTEX_WAKE_PRIVATE, 0, 0, 0, 0));
    over(w, 3);
    T(futex(&a, FUTEX_WAKE_PRIVATE, -1, 0, 0, 0));
    over(w, 3);
    T(futex(&a, FUTEX_WAKE_PRIVATE, 5, 0, 0, 0));
    for (int i = 0; i < 3; i++) ends("woken", w[i]);
    w[0] = start(&a, FUTEX_WAIT_BITSET, 0, 0, 0, 5, 0);
    w[1] = start(&a, FUTEX_WAIT_BITSET, 0, 0, 0, 2, 0);
    w[2] = start(&a, FUTEX_WAIT, 0, 0, 0, 0, 0);
    T(futex(&a, FUTEX_WAKE_BITSET, 9, 0, 0, 8));
    over(w, 3);
    T(futex(&a, FUTEX_WAKE_BITSET, 9, 0, 0, 2));
    over(w, 3);
    T(futex(&a, FUTEX_WAKE, 9, 0, 0, 0));
    for (int i = 0; i < 3; i++) ends("of a bit set", w[i]);
    for (int real = 0; real < 2; real++) {
        clock_gettime(real ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
        later = now, later.tv_nsec += 30000000;
        if (later.tv_nsec >= 1000000000) later.tv_nsec -= 1000000000, later.tv_sec++;
        T(futex(&a, FUTEX_WAIT_BITSET | (real ? FUTEX_CLOCK_REALTIME : 0), 0, &later, 0, -1));
        clock_gettime(real ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
        IS(now.tv_sec > later.tv_sec || now.tv_sec == later.tv_sec && now.tv_nsec >= later.tv_nsec);
    }
    T(futex(&a, FUTEX_WAKE, 9, 0, 0, 0));
}

static void operations(void) {
    static const int ops[] = {FUTEX_OP_SET, FUTEX_OP_ADD, FUTEX_OP_OR, FUTEX_OP_ANDN, FUTEX_OP_XOR};
    for (int op = 0; op < 5; op++) {
        static const int args[] = {0, 1, 12, 0x7ff, 0x800, 0xfff};
        for (int i = 0; i < 6; i++) {
            b = 0xf0f0000f;
            futex(&a, FUTEX_WAKE_OP, 1, many(1), &b, FUTEX_OP(ops[op], args[i], 0, 0));
            uint32_t plain = b;
            b = 0xf0f0000f;
            if (args[i] < 32) futex(&a, FUTEX_WAKE_OP, 1, many(1), &b, FUTEX_OP(ops[op] | 8, args[i], 0, 0));
            printf("  op %d of %x: %x, shifted %x\n", ops[op], args[i], plain, b);
        }
    }
    for (int cmp = 0; cmp < 6; cmp++) {
        printf("  cmp %d:", cmp);
        static const int old[] = {-3, -2, -1, 2, 3};
        for (int i = 0; i < 5; i++) {
            for (int than = -2; than <= 2; than += 4) {
                Waiter *w;
                b = 0;
                if (i == 2 && than == 2) continue;
                w = 0;
                b = old[i];
                /* Told by the number woken at the second word, where one waits. */
                Waiter *at2 = start(&b, FUTEX_WAIT, old[i], 0, 0, 0, 0);
                long woken = futex(&a, FUTEX_WAKE_OP, 1, many(1), &b, FUTEX_OP(FUTEX_OP_ADD, 0, cmp, than));
                printf(" %ld", woken);
                if (!woken) futex(&b, FUTEX_WAKE, 1, 0, 0, 0);
                pthread_join(at2->thread, 0);
                free(at2);
                if (cmp > 1) break;
            }
        }
        puts("");
    }
    a = b = 0;
    Waiter *w[4];
    for (int i = 0; i < 4; i++) w[i] = start(i < 2 ? &a : &b, FUTEX_WAIT, 0, 0, 0, 0, 0);
    T(futex(&a, FUTEX_WAKE_OP, 0, many(0), &b, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0)));
    over(w, 4);
    T(futex(&a, FUTEX_WAKE_OP, 9, many(9), &b, FUTEX_OP(FUTEX_OP_SET, 4, FUTEX_OP_CMP_NE, 0)));
    over(w, 4);
    T(futex(&b, FUTEX_WAKE, 9, 0, 0, 0));
    for (int i = 0; i < 4; i++) ends("woken", w[i]);
    b = 0;
}

static void requeues(void) {
    Waiter *w[5];
    for (int i = 0; i < 5; i++) w[i] = start(&a, FUTEX_WAIT, 0, 0, 0, 0, 0);
    T(futex(&a, FUTEX_REQUEUE, 1, many(2), &b, 0));
    over(w, 5);
    T(futex(&a, FUTEX_CMP_REQUEUE, 1, many(0), &b, 0));
    over(w, 5);
    T(futex(&a, FUTEX_CMP_REQUEUE, 0, many(9), &a, 0));
    T(futex(&a, FUTEX_REQUEUE, 0, many(9), &c, 0));
    T(futex(&a, FUTEX_WAKE, 9, 0, 0, 0));
    T(futex(&b, FUTEX_CMP_REQUEUE, 0, many(1), &c, 0));
    T(futex(&b, FUTEX_WAKE, 9, 0, 0, 0));
    over(w, 5);
    T(futex(&c, FUTEX_WAKE, 9, 0, 0, 0));
    for (int i = 0; i < 5; i++) ends("requeued", w[i]);
    struct timespec soon = {0, 200000000};
    w[0] = start(&a, FUTEX_WAIT, 0, &soon, 0, 0, 0);
    T(futex(&a, FUTEX_REQUEUE, 0, many(9), &b, 0));
    ends("requeued until its time", w[0]);
    T(futex(&b, FUTEX_WAKE, 9, 0, 0, 0));
}

static void *locks_and_ends(void *at) {
    futex(at, FUTEX_LOCK_PI, 0, 0, 0, 0);
    usleep(40000);
    return 0;
}

static void inheriting(void) {
    Waiter *w[3];
    a = 0;
    T(futex(&a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
    word("taken", a, 0);
    T(futex(&a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
    T(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    word("given back", a, 0);
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    a = FUTEX_OWNER_DIED;
    T(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
    word("of a dead owner", a, 0);
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    word("given back", a, 0);
    a = FUTEX_WAITERS;
    T(futex(&a, FUTEX_LOCK_PI2, 0, 0, 0, 0));
    word("of nobody, with waiters", a, 0);
    a = 0x3ffffff0;
    T(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
    IS(a == (0x3ffffff0 | FUTEX_WAITERS));
    a = 0x3ffffff0;
    T(futex(&a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
    IS(a == (0x3ffffff0 | FUTEX_WAITERS));
    /* One that is held by another. */
    a = 0;
    w[0] = start(&a, FUTEX_LOCK_PI, 0, 0, 0, 0, 1);
    word("of another", a, w[0]);
    T(futex(&a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
    word("tried", a, w[0]);
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    struct timespec soon, bad = {0, -1};
    clock_gettime(CLOCK_MONOTONIC, &soon), soon.tv_sec -= 1;
    T(futex(&a, FUTEX_LOCK_PI, 0, &soon, 0, 0));
    T(futex(&a, FUTEX_LOCK_PI2, 0, &soon, 0, 0));
    T(futex(&a, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &soon, 0, 0));
    T(futex(&a, FUTEX_LOCK_PI, 0, &bad, 0, 0));
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 1000000000) soon.tv_nsec -= 1000000000, soon.tv_sec++;
    T(futex(&a, FUTEX_LOCK_PI, 0, &soon, 0, 0));
    /* Ended with it locked, and nobody said it was robust. */
    w[0]->keeps = 0;
    T(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
    word("after its end", a, 0);
    ends("owner", w[0]);
    /* Handed over in order. */
    a = syscall(SYS_gettid);
    w[0] = start(&a, FUTEX_LOCK_PI, 0, 0, 0, 0, 1);
    w[1] = start(&a, FUTEX_LOCK_PI, 0, 0, 0, 0, 1);
    word("with waiters", a, 0);
    T(futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
    T(futex(&a, FUTEX_WAIT, a, &(struct timespec){0, 1000}, 0, 0));
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    over(w, 2);
    word("handed over", a, w[0]);
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    w[0]->keeps = 0;
    over(w, 2);
    word("died", a, w[1]);
    ends("first", w[0]), ends("second", w[1]);
    word("died as well", a, 0);
    /* Words that lie. */
    a = syscall(SYS_gettid);
    w[0] = start(&a, FUTEX_LOCK_PI, 0, 0, 0, 0, 0);
    uint32_t kept = a;
    a = 0;
    T(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
    a = kept;
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    ends("waiter", w[0]);
    a = 0;
    w[0] = start(&a, FUTEX_WAIT, 0, 0, 0, 0, 0);
    T(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
    a = syscall(SYS_gettid);
    T(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    T(futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
    ends("waiter", w[0]);
}

static void requeues_inheriting(void) {
    Waiter *w[4];
    struct timespec soon;
    a = b = c = 0;
    for (int i = 0; i < 3; i++) w[i] = start(&a, FUTEX_WAIT_REQUEUE_PI, 0, 0, &b, 0, 1);
    T(futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE, 1, many(1), &b, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(1), &c, 0));
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(0), &b, 0));
    over(w, 3);
    word("taken for the first", b, w[0]);
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(9), &b, 0));
    over(w, 3);
    word("with waiters", b, w[0]);
    w[0]->keeps = 0;
    over(w, 3);
    word("of the second", b, w[1]);
    w[1]->keeps = 0, w[2]->keeps = 0;
    for (int i = 0; i < 3; i++) ends("requeued", w[i]);
    b = syscall(SYS_gettid);
    clock_gettime(CLOCK_MONOTONIC, &soon), soon.tv_nsec += 200000000;
    if (soon.tv_nsec >= 1000000000) soon.tv_nsec -= 1000000000, soon.tv_sec++;
    w[0] = start(&a, FUTEX_WAIT_REQUEUE_PI, 0, &soon, &b, 0, 0);
    w[1] = start(&a, FUTEX_WAIT, 0, 0, 0, 0, 0);
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(9), &b, 0));
    T(futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
    ends("until its time", w[0]), ends("plain", w[1]);
    word("with a waiter that left", b, 0);
    T(futex(&b, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    w[0] = start(&a, FUTEX_WAIT, 0, 0, 0, 0, 0);
    T(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, many(9), &b, 0));
    T(futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
    ends("plain", w[0]);
}

typedef struct {
    uint64_t val, uaddr;
    uint32_t flags, reserved;
} Waitv;

static long waitv(Waitv *v, unsigned count, unsigned flags, void *timeout, int clock) {
    return syscall(449, v, count, flags, timeout, clock);
}

static Waitv several[3];
static long which;
static int several_tid, never;
static void *waits_for_several(void *arg) {
    several_tid = syscall(SYS_gettid);
    which = waitv(several, 3, 0, 0, 0);
    return 0;
}

static void vectors(void) {
    struct timespec past = {1, 0}, bad = {0, -5};
    Waitv v[130];
    memset(v, 0, sizeof v);
    for (int i = 0; i < 130; i++) v[i] = (Waitv){.uaddr = (uintptr_t)&words[i % 8], .flags = 2 | 128};
    T(waitv(v, 0, 0, 0, 0));
    T(waitv(v, 129, 0, 0, 0));
    T(waitv(0, 1, 0, 0, 0));
    T(waitv((void *)8, 1, 0, 0, 0));
    T(waitv(v, 1, 1, 0, 0));
    T(waitv(v, 1, 0, &past, 5));
    T(waitv(v, 1, 0, &bad, 1));
    T(waitv(v, 1, 0, (void *)8, 1));
    T(waitv(v, 128, 0, &past, 1));
    T(waitv(v, 3, 0, &past, 0));
    v[1].val = 1;
    T(waitv(v, 3, 0, &past, 1));
    v[1].val = 1ull << 32;
    T(waitv(v, 3, 0, &past, 1));
    v[1].val = 0, v[1].flags = 1;
    T(waitv(v, 3, 0, &past, 1));
    v[1].flags = 2 | 64;
    T(waitv(v, 3, 0, &past, 1));
    v[1].flags = 2, v[1].reserved = 1;
    T(waitv(v, 3, 0, &past, 1));
    v[1].reserved = 0, v[1].uaddr += 2;
    T(waitv(v, 3, 0, &past, 1));
    v[1].uaddr = 8;
    T(waitv(v, 3, 0, &past, 1));
    for (int i = 0; i < 3; i++) several[i] = (Waitv){.uaddr = (uintptr_t)&words[i], .flags = i == 1 ? 2 : 2 | 128};
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        several_tid = 0;
        pthread_create(&thread, 0, waits_for_several, 0);
        settles(&several_tid, &never);
        T(futex(&words[2 - i], i == 1 ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
        pthread_join(thread, 0);
        T(which);
        for (int k = 0; k < 3; k++) T(futex(&words[k], k == 1 ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    }
    pthread_t thread;
    several_tid = 0;
    pthread_create(&thread, 0, waits_for_several, 0);
    settles(&several_tid, &never);
    T(futex(&words[0], FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, many(1), &words[7], 0));
    T(futex(&words[7], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    pthread_join(thread, 0);
    T(which);
}

struct entry {
    struct robust_list list;
    uint32_t word, pad;
};
static struct entry entries[3000];
static struct robust_list_head head;
static uint32_t seen[4];

static void *dies(void *arg) {
    long how = (long)arg;
    uint32_t tid = syscall(SYS_gettid);
    int count = how == 0 ? 3 : 3000;
    for (int i = 0; i < count; i++) {
        entries[i].list.next = i + 1 < count ? &entries[i + 1].list : &head.list;
        entries[i].word = tid;
    }
    head.list.next = &entries[0].list;
    head.futex_offset = offsetof(struct entry, word);
    head.list_op_pending = 0;
    if (how == 0) {
        entries[0].word |= FUTEX_WAITERS;
        entries[1].word = 5;
    }
    if (how == 2) entries[2998].list.next = 0, head.list_op_pending = &entries[2999].list;
    if (how == 3) entries[5].list.next = (void *)8;
    if (how == 4) head.futex_offset += 2;
    if (how == 5) head.list.next = &head.list, head.list_op_pending = &entries[0].list, entries[0].word = 0;
    if (how == 6) {
        head.list_op_pending = &entries[2].list;
        entries[3].list.next = &head.list;
    }
    T(syscall(SYS_set_robust_list, &head, sizeof head));
    return 0;
}

static void robust(void) {
    T(syscall(SYS_set_robust_list, &head, sizeof head - 1));
    for (long how = 0; how < 7; how++) {
        memset(entries, 0, sizeof entries);
        Waiter *w = 0;
        pthread_t thread;
        if (how == 0 || how == 5) {
            w = start(&entries[0].word, FUTEX_WAIT, 0, 0, 0, 0, 0);
        }
        pthread_create(&thread, 0, dies, (void *)how);
        pthread_join(thread, 0);
        int died = 0;
        for (int i = 0; i < 3000; i++) died += entries[i].word == FUTEX_OWNER_DIED || entries[i].word == (FUTEX_OWNER_DIED | FUTEX_WAITERS);
        printf("  how %ld: %d died; %x %x %d\n", how, died, entries[0].word & ~FUTEX_TID_MASK, entries[1].word == 5,
               entries[2999].word == FUTEX_OWNER_DIED);
        fflush(stdout);
        if (w) ends("waiter", w);
    }
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    refusals();
    waking();
    operations();
    requeues();
    inheriting();
    requeues_inheriting();
    vectors();
    robust();
    return 0;
}
