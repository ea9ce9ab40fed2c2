/* Timers: timer_create(2), setitimer(2), timerfd_create(2), processor clocks. Times are compared, not printed. */
#include "call.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int count, last_tid, last_code;
static timer_t timer;

static void on_signal(int signo, siginfo_t *info, void *context) {
    count++;
    last_tid = syscall(SYS_gettid);
    last_code = info->si_code;
}

static struct itimerspec spec(long first_ms, long period_ms) {
    return (struct itimerspec){{period_ms / 1000, period_ms % 1000 * 1000000}, {first_ms / 1000, first_ms % 1000 * 1000000}};
}

static long arm(long first_ms, long period_ms) {
    struct itimerspec new = spec(first_ms, period_ms);
    return timer_settime(timer, 0, &new, 0);
}

static void nap(long ms) {
    struct timespec span = {0, ms * 1000000};
    while (nanosleep(&span, &span)) {}
}

static void spin(long ms) {
    struct timespec from, now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 < ms);
}

static long make(int clock, int how, int signo) {
    struct sigevent event = {.sigev_notify = how, .sigev_signo = signo, .sigev_value.sival_int = 77};
    if (how == SIGEV_THREAD_ID) event.sigev_notify_thread_id = syscall(SYS_gettid);
    return timer_create(clock, &event, &timer);
}

static void refusals(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 0};
    struct itimerspec bad = {{0, 0}, {0, 1000000000}};
    timer_t other;
    T(timer_create(99, 0, &other));
    T(timer_create(CLOCK_MONOTONIC_RAW, 0, &other));
    T(timer_create(CLOCK_MONOTONIC_COARSE, 0, &other));
    T(timer_create(CLOCK_REALTIME_COARSE, 0, &other));
    T(timer_create(CLOCK_MONOTONIC, &event, &other));
    event.sigev_signo = 65;
    T(timer_create(CLOCK_MONOTONIC, &event, &other));
    event.sigev_signo = 10, event.sigev_notify = 9;
    T(timer_create(CLOCK_MONOTONIC, &event, &other));
    event.sigev_notify = SIGEV_THREAD_ID, event.sigev_notify_thread_id = 0x3fffff;
    T(timer_create(CLOCK_MONOTONIC, &event, &other));
    event.sigev_notify = SIGEV_NONE, event.sigev_signo = 0;
    int id;
    T(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    struct itimerspec left;
    T(syscall(SYS_timer_settime, id, 0, &bad, 0));
    T(syscall(SYS_timer_settime, id, 0, 0, 0));
    T(syscall(SYS_timer_settime, id + 100, 0, &left, 0));
    T(syscall(SYS_timer_gettime, id + 100, &left));
    T(syscall(SYS_timer_getoverrun, id + 100));
    T(syscall(SYS_timer_delete, id + 100));
    T(syscall(SYS_timer_delete, id));
    T(syscall(SYS_timer_delete, id));
}

static void queued(void) {
    sigset_t set, pending;
    siginfo_t info;
    struct timespec no = {0, 0};
    sigemptyset(&set), sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, 0);
    T(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN));
    T(timer_getoverrun(timer));
    T(arm(10, 10));
    nap(95);
    T(timer_getoverrun(timer));
    T(sigwaitinfo(&set, &info) == SIGRTMIN);
    int overrun = timer_getoverrun(timer);
    IS(overrun >= 8);
    IS(info.si_overrun == overrun);
    printf("%d %d\n", info.si_code, info.si_value.sival_int);
    T(sigwaitinfo(&set, &info) == SIGRTMIN);
    T(timer_getoverrun(timer) == info.si_overrun);
    /* Armed anew, what was queued before is gone. */
    nap(25);
    sigpending(&pending);
    T(sigismember(&pending, SIGRTMIN));
    T(arm(0, 10));
    T(sigtimedwait(&set, &info, &no));
    T(timer_getoverrun(timer));
    struct itimerspec left, old, new = spec(5000, 2000);
    T(timer_gettime(timer, &left));
    printf("%ld %ld %ld %ld\n", left.it_value.tv_sec, left.it_value.tv_nsec, left.it_interval.tv_sec, left.it_interval.tv_nsec);
    T(timer_settime(timer, 0, &new, &old));
    printf("%ld %ld\n", old.it_value.tv_sec, old.it_value.tv_nsec);
    new = spec(1, 0);
    T(timer_settime(timer, 0, &new, &old));
    printf("%ld %d %ld\n", old.it_value.tv_sec, old.it_value.tv_nsec > 0, old.it_interval.tv_sec);
    nap(20);
    T(timer_gettime(timer, &left));
    printf("%ld %ld\n", left.it_value.tv_sec, left.it_value.tv_nsec);
    T(timer_delete(timer));
    T(sigtimedwait(&set, &info, &no));
    /* At a time that has been. */
    T(make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN));
    new = spec(1000, 0);
    T(timer_settime(timer, TIMER_ABSTIME, &new, 0));
    T(sigtimedwait(&set, &info, &(struct timespec){1, 0}) == SIGRTMIN);
    T(info.si_overrun);
    T(timer_delete(timer));
    /* Without an event the value is the timer's number. */
    int id;
    sigaddset(&set, SIGALRM), sigprocmask(SIG_BLOCK, &set, 0);
    T(syscall(SYS_timer_create, CLOCK_MONOTONIC, 0, &id));
    new = spec(1, 0);
    T(syscall(SYS_timer_settime, id, 0, &new, 0));
    T(sigwaitinfo(&set, &info) == SIGALRM);
    T(info.si_value.sival_int == id);
    T(info.si_timerid == id);
    T(syscall(SYS_timer_delete, id));
    T(make(CLOCK_MONOTONIC, SIGEV_NONE, 0));
    T(arm(5, 0));
    nap(20);
    T(timer_gettime(timer, &left));
    T(left.it_value.tv_nsec);
    T(arm(20, 20));
    nap(50);
    T(timer_gettime(timer, &left));
    IS(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 20000000);
    T(timer_getoverrun(timer));
    T(timer_delete(timer));
    sigprocmask(SIG_UNBLOCK, &set, 0);
}

static volatile int thread_id, stage;

static void *other(void *arg) {
    thread_id = syscall(SYS_gettid);
    make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1);
    stage = 1;
    while (stage == 1) usleep(1000);
    return 0;
}

static void threads(void) {
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    pthread_t thread;
    sigaction(SIGUSR1, &act, 0);
    count = stage = 0;
    pthread_create(&thread, 0, other, 0);
    while (!stage) usleep(1000);
    T(arm(10, 0));
    nap(30);
    T(count);
    IS(last_tid == thread_id);
    T(last_code);
    stage = 2;
    pthread_join(thread, 0);
    /* To nobody. */
    T(arm(1, 5));
    nap(30);
    T(count);
    T(timer_delete(timer));
}

static void processor(void) {
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    struct itimerspec left;
    sigaction(SIGUSR1, &act, 0), sigaction(SIGVTALRM, &act, 0), sigaction(SIGPROF, &act, 0);
    static const int clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (int i = 0; i < 2; i++) {
        count = 0;
        T(make(clocks[i], SIGEV_SIGNAL, SIGUSR1));
        T(arm(80, 0));
        nap(20);
        T(count);
        T(timer_gettime(timer, &left));
        IS(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 80000000);
        spin(90);
        T(count);
        T(timer_gettime(timer, &left));
        T(left.it_value.tv_nsec);
        T(timer_delete(timer));
    }
    clockid_t own;
    T(clock_getcpuclockid(getpid(), &own));
    T(make(own, SIGEV_SIGNAL, SIGUSR1));
    T(timer_delete(timer));
    static const int which[] = {ITIMER_VIRTUAL, ITIMER_PROF}, signo[] = {SIGVTALRM, SIGPROF};
    for (int i = 0; i < 2; i++) {
        struct itimerval new = {{0, 0}, {0, 80000}}, old;
        count = 0;
        T(setitimer(which[i], &new, 0));
        nap(20);
        T(count);
        T(getitimer(which[i], &old));
        IS(old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 90000);
        while (!count) {}
        T(count);
        T(getitimer(which[i], &old));
        printf("%ld %ld\n", old.it_value.tv_sec, old.it_value.tv_usec);
        new = (struct itimerval){{0, 20000}, {0, 20000}};
        T(setitimer(which[i], &new, 0));
        while (count < 3) {}
        new = (struct itimerval){{0, 0}, {0, 0}};
        T(setitimer(which[i], &new, &old));
        printf("%ld %ld\n", old.it_interval.tv_sec, old.it_interval.tv_usec);
    }
    struct timespec process, thread, now, later;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread);
    IS(thread.tv_sec < process.tv_sec || thread.tv_nsec <= process.tv_nsec);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    nap(30);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &later);
    IS((later.tv_sec - now.tv_sec) * 1000000000 + later.tv_nsec - now.tv_nsec < 29000000);
    T(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &now, 0));
    T(clock_gettime(7 - 16, &now));
}

static void descriptors(void) {
    struct itimerspec new = spec(10, 10), old, bad = {{0, -1}, {1, 0}};
    uint64_t times;
    T(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    T(timerfd_create(CLOCK_MONOTONIC, 1));
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), p[2];
    pipe(p);
    T(timerfd_settime(fd, 8, &new, 0));
    T(timerfd_settime(fd, 0, &bad, 0));
    T(timerfd_settime(p[0], 0, &new, 0));
    T(timerfd_gettime(p[0], &old));
    T(read(fd, &times, 8));
    T(timerfd_settime(fd, 0, &new, &old));
    printf("%ld %ld\n", old.it_value.tv_sec, old.it_value.tv_nsec);
    T(read(fd, &times, 8));
    nap(55);
    struct pollfd at = {fd, POLLIN | POLLOUT};
    T(poll(&at, 1, 0));
    T(at.revents);
    T(read(fd, &times, 4));
    T(read(fd, &times, 8));
    IS(times >= 5);
    T(timerfd_gettime(fd, &old));
    IS(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 10000000 && old.it_interval.tv_nsec == 10000000);
    nap(15);
    /* What expired before it was set anew is forgotten. */
    new = spec(3000, 0);
    T(timerfd_settime(fd, 0, &new, &old));
    T(old.it_interval.tv_nsec);
    T(read(fd, &times, 8));
    T(timerfd_gettime(fd, &old));
    IS(old.it_value.tv_sec == 2);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    new = (struct itimerspec){{0, 0}, {now.tv_sec + 1000, 0}};
    T(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &new, 0));
    T(read(fd, &times, 8));
    T(timerfd_gettime(fd, &old));
    IS(old.it_value.tv_sec >= 998 && old.it_value.tv_sec <= 1000);
    new.it_value = (struct timespec){1, 0};
    T(timerfd_settime(fd, TFD_TIMER_ABSTIME, &new, 0));
    T(read(fd, &times, 8));
    T(times);
    T(timerfd_gettime(fd, &old));
    printf("%ld %ld\n", old.it_value.tv_sec, old.it_value.tv_nsec);
    new.it_value = (struct timespec){0, 0};
    T(timerfd_settime(fd, 0, &new, 0));
    T(write(fd, &times, 8));
}

int main(void) {
    refusals();
    queued();
    threads();
    processor();
    descriptors();
    return 0;
}
