/* POSIX message queues, mq_overview(7). */
#include "call.h"
#include <mqueue.h>

static char name[64];
static volatile sig_atomic_t told;
static siginfo_t seen;

static void on_message(int signo, siginfo_t *info, void *context) {
    told++;
    seen = *info;
}

static struct timespec in(long milliseconds) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += milliseconds * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void show(mqd_t queue) {
    struct mq_attr a;
    T(mq_getattr(queue, &a));
    printf("flags %lx, %ld of %ld messages of %ld bytes\n", a.mq_flags, a.mq_curmsgs, a.mq_maxmsg, a.mq_msgsize);
}

static void take(mqd_t queue, unsigned size) {
    char text[64] = "";
    unsigned priority = 77;
    long n = mq_receive(queue, text, size, &priority);
    printf("received %ld \"%s\" %u %s\n", n, text, priority, n < 0 ? strerrorname_np(errno) : "");
}

static volatile int in_threads;

static void in_thread(union sigval value) {
    in_threads += value.sival_int;
}

int main(void) {
    struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = 16};
    umask(022);
    snprintf(name, sizeof name, "/friscy-%d", getpid());
    T(mq_open("noslash", O_RDWR));
    T(mq_open("/", O_RDWR));
    T(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL));
    T(mq_open(name, O_RDWR));
    T(mq_open(name, O_RDWR | O_CREAT, 0600, &(struct mq_attr){.mq_maxmsg = 0, .mq_msgsize = 1}));
    T(mq_open(name, O_RDWR | O_CREAT, 0600, &(struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = -1}));
    mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &attr);
    IS(q >= 0);
    T(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &attr));
    show(q);

    /* Order: by priority, then by age. */
    T(mq_send(q, "one", 3, 1));
    T(mq_send(q, "two", 3, 9));
    T(mq_send(q, "three", 5, 1));
    show(q);
    struct timespec past = in(0), soon = in(50);
    past.tv_sec -= 1;
    T(mq_timedsend(q, "four", 4, 0, &past));
    T(mq_timedsend(q, "four", 4, 0, &soon));
    T(mq_timedsend(q, "four", 4, 0, &(struct timespec){1, 1000000000}));
    struct pollfd p = {q, POLLIN | POLLOUT, 0};
    T(poll(&p, 1, 0));
    IS(p.revents == POLLIN);
    T(mq_send(q, "a text that is too long", 23, 0));
    T(mq_send(q, "x", 1, 32768));
    take(q, 8);
    take(q, 16);
    take(q, 16);
    take(q, 16);
    soon = in(50);
    T(mq_timedreceive(q, (char[16]){0}, 16, NULL, &soon));
    T(poll(&p, 1, 0));
    IS(p.revents == POLLOUT);
    T(mq_send(q, "", 0, 0));
    take(q, 16);

    /* Flags and access. */
    T(mq_setattr(q, &(struct mq_attr){.mq_flags = O_NONBLOCK}, NULL));
    show(q);
    take(q, 16);
    T(mq_setattr(q, &(struct mq_attr){.mq_flags = O_APPEND}, NULL));
    mqd_t r = mq_open(name, O_RDONLY), w = mq_open(name, O_WRONLY);
    show(r);
    T(mq_send(r, "x", 1, 0));
    take(w, 16);
    T(mq_send(0, "x", 1, 0));
    T(mq_send(999, "x", 1, 0));

    /* A waiting reader gets what is sent; nobody else is told then. */
    struct sigaction act = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &act, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    T(mq_notify(q, &event));
    T(mq_notify(q, &event));
    if (fork() == 0) {
        take(r, 16);
        fflush(stdout);
        _exit(0);
    }
    usleep(500000);
    /* Told after what the child prints. */
    long sent = mq_send(q, "to the child", 12, 3);
    wait(NULL);
    T(sent);
    IS(told == 0);
    T(mq_send(q, "told", 4, 3));
    IS(told == 1 && seen.si_code == SI_MESGQ && seen.si_value.sival_int == 42 && seen.si_pid == getpid());
    T(mq_send(q, "not again", 9, 3));
    IS(told == 1);
    T(mq_notify(q, &event));
    T(mq_notify(q, NULL));
    T(mq_notify(q, NULL));
    T(mq_notify(q, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99}));

    /* A thread that the library starts when it is told. A registration ends with the descriptor, whoever sent it. */
    while (mq_getattr(q, &attr) == 0 && attr.mq_curmsgs) take(q, 16);
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 5};
    T(mq_notify(q, &event));
    T(mq_notify(q, &event));
    T(mq_send(q, "thread", 6, 1));
    for (int i = 0; i < 500 && !in_threads; i++) usleep(10000);
    T(in_threads);
    take(q, 16);
    T(mq_notify(q, &event));
    T(mq_notify(q, NULL));
    T(mq_send(q, "nobody", 6, 1));
    usleep(50000);
    T(in_threads);
    take(q, 16);
    T(mq_notify(r, &event));
    T(mq_close(w));
    T(mq_notify(q, &event));
    T(mq_notify(q, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 0}));
    T(mq_send(q, "none", 4, 1));
    take(q, 16);
    T(mq_send(q, "told", 4, 3));
    T(mq_send(q, "not again", 9, 3));

    /* A child that inherited the descriptor; the name may go before. */
    T(mq_unlink(name));
    T(mq_unlink(name));
    T(mq_open(name, O_RDWR));
    if (fork() == 0) {
        take(r, 16);
        take(r, 16);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    show(q);
    T(mq_close(q));
    T(mq_close(q));
    return 0;
}
