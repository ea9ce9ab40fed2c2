/* Job control: sessions, foreground groups, and what a terminal does to the others (tty_ioctl(4), credentials(7)). */
#include "call.h"
#include <termios.h>

static int master, slave;
static char name[64];
static volatile int seen[65];
static int report[2];

static void on_signal(int signo) {
    seen[signo]++;
}

static void nap(void) {
    usleep(20000);
}

static void make(void) {
    int unlock = 0, number;
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    ioctl(master, TIOCSPTLCK, &unlock);
    ioctl(master, TIOCGPTN, &number);
    sprintf(name, "/dev/pts/%d", number);
}

static void catch(int signo) {
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(signo, &act, 0);
}

static void hangs_up(void);

/* The one test in which nobody else may have the other side open. */
static int report_master(void (*run)(void)) {
    return run == hangs_up ? master : -1;
}

/* Runs in a session of its own, which has the terminal. */
static int session(void (*run)(void)) {
    int st;
    make();
    pid_t leader = fork();
    if (!leader) {
        setsid();
        slave = open(name, O_RDWR);
        run();
        fflush(stdout);
        _exit(0);
    }
    close(report_master(run));
    waitpid(leader, &st, 0);
    close(master);
    printf("session ended: %x\n", st);
    fflush(stdout);
    return st;
}

/* A child in a group of its own, in the background unless told otherwise. */
static pid_t background(void (*run)(void), int foreground) {
    pid_t child = fork();
    if (!child) {
        setpgid(0, 0);
        if (foreground) {
            signal(SIGTTOU, SIG_IGN);
            tcsetpgrp(slave, getpid());
            signal(SIGTTOU, SIG_DFL);
        }
        run();
        fflush(stdout);
        _exit(0);
    }
    setpgid(child, child);
    return child;
}

static void stopped(const char *what, pid_t child) {
    int st;
    waitpid(child, &st, WUNTRACED);
    if (WIFSTOPPED(st)) {
        printf("%s: stopped by %d\n", what, WSTOPSIG(st));
        kill(child, SIGKILL);
        waitpid(child, &st, 0);
    } else {
        printf("%s: %x\n", what, st);
    }
    fflush(stdout);
}

static char c;
static void reads(void) { T(read(slave, &c, 1)); }
static void reads_ignoring(void) { signal(SIGTTIN, SIG_IGN); T(read(slave, &c, 1)); }
static void reads_blocking(void) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGTTIN), sigprocmask(SIG_BLOCK, &set, 0);
    T(read(slave, &c, 1));
}
static void reads_catching(void) {
    catch(SIGTTIN);
    T(read(slave, &c, 1));
    T(seen[SIGTTIN]);
}
static void writes(void) { T(write(slave, "w", 1)); }
static void writes_ignoring(void) { signal(SIGTTOU, SIG_IGN); T(write(slave, "w", 1)); }
static void writes_catching(void) { catch(SIGTTOU); T(write(slave, "w", 1)); T(seen[SIGTTOU]); }
static void sets(void) {
    struct termios t;
    T(tcgetattr(slave, &t));
    T(tcsetattr(slave, TCSANOW, &t));
}
static void sets_ignoring(void) { signal(SIGTTOU, SIG_IGN), sets(); }
static void sets_group(void) { T(tcsetpgrp(slave, getpgrp())); }
static void sets_group_ignoring(void) {
    signal(SIGTTOU, SIG_IGN);
    T(tcsetpgrp(slave, getpgrp()));
    IS(tcgetpgrp(slave) == getpgrp());
}
static void flushes(void) { T(tcflush(slave, TCIFLUSH)); }
static void drains(void) { T(tcdrain(slave)); }
static void breaks(void) { T(tcsendbreak(slave, 0)); }
static void resizes(void) {
    struct winsize size = {5, 6};
    T(ioctl(slave, TIOCSWINSZ, &size));
}

static void tostop(int on) {
    struct termios t;
    tcgetattr(slave, &t);
    t.c_lflag = on ? t.c_lflag | TOSTOP : t.c_lflag & ~TOSTOP;
    tcsetattr(slave, TCSANOW, &t);
}

static void in_background(void) {
    IS(tcgetsid(slave) == getpid());
    IS(tcgetpgrp(slave) == getpgrp());
    stopped("read", background(reads, 0));
    stopped("read, ignoring", background(reads_ignoring, 0));
    stopped("read, blocking", background(reads_blocking, 0));
    stopped("read, catching", background(reads_catching, 0));
    stopped("write", background(writes, 0));
    tostop(1);
    stopped("write", background(writes, 0));
    stopped("write, ignoring", background(writes_ignoring, 0));
    stopped("write, catching", background(writes_catching, 0));
    tostop(0);
    stopped("tcsetattr", background(sets, 0));
    stopped("tcsetattr, ignoring", background(sets_ignoring, 0));
    stopped("tcsetpgrp", background(sets_group, 0));
    stopped("tcflush", background(flushes, 0));
    stopped("tcdrain", background(drains, 0));
    stopped("tcsendbreak", background(breaks, 0));
    stopped("TIOCSWINSZ", background(resizes, 0));
    stopped("tcsetpgrp, ignoring", background(sets_group_ignoring, 0));
    signal(SIGTTOU, SIG_IGN);
    T(tcsetpgrp(slave, getpgrp()));
    signal(SIGTTOU, SIG_DFL);
}

/* Groups without a parent in another group of the session cannot be stopped: EIO. */
static void orphan(void) {
    int p[2];
    pipe(p);
    pid_t middle = fork();
    if (!middle) {
        setpgid(0, 0);
        pid_t child = fork();
        if (!child) {
            read(p[0], &c, 1);
            nap();
            T(read(slave, &c, 1));
            T(write(slave, "w", 1));
            struct termios t;
            tcgetattr(slave, &t);
            T(tcsetattr(slave, TCSANOW, &t));
            T(tcsetpgrp(slave, getpgrp()));
            raise(SIGTSTP);
            puts("SIGTSTP does not stop it");
            fflush(stdout);
            write(report[1], "x", 1);
            _exit(0);
        }
        _exit(0);
    }
    setpgid(middle, middle);
    waitpid(middle, 0, 0);
    write(p[1], "x", 1);
    read(report[0], &c, 1);
}

static void refusals(void) {
    pid_t child = background((void (*)(void))pause, 0);
    pid_t stranger = fork();
    if (!stranger) {
        setsid();
        pause();
    }
    nap();
    T(tcsetpgrp(slave, -1));
    T(tcsetpgrp(slave, 1 << 22));
    T(tcsetpgrp(slave, stranger));
    T(tcsetpgrp(slave, child));
    int group;
    IS(tcgetpgrp(slave) == child);
    T(tcsetpgrp(slave, getpgrp()) == 0 || 1);
    T(ioctl(slave, TIOCSPGRP, (void *)1));
    T(ioctl(slave, TIOCGPGRP, (void *)1));
    T(ioctl(master, TIOCGPGRP, &group) || group != getpgrp());
    T(ioctl(master, TIOCGSID, &group) || group != getpid());
    T(tcgetpgrp(report[0]));
    T(tcgetsid(report[0]));
    /* It has this terminal already; another it cannot have. */
    T(ioctl(slave, TIOCSCTTY, 0));
    int unlock = 0, number, other = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    char path[64];
    ioctl(other, TIOCSPTLCK, &unlock), ioctl(other, TIOCGPTN, &number);
    sprintf(path, "/dev/pts/%d", number);
    int second = open(path, O_RDWR);
    T(ioctl(second, TIOCSCTTY, 0));
    T(tcgetpgrp(second));
    T(tcgetsid(second));
    T(ioctl(second, TIOCNOTTY));
    T(tcsetpgrp(second, getpgrp()));
    /* No leader of a session. */
    pid_t none = fork();
    if (!none) {
        T(ioctl(second, TIOCSCTTY, 0));
        T(ioctl(slave, TIOCSCTTY, 0));
        T(ioctl(slave, TIOCNOTTY));
        T(open("/dev/tty", O_RDWR));
        T(tcgetpgrp(slave));
        setsid();
        /* Another session's. */
        T(ioctl(slave, TIOCSCTTY, 0));
        T(tcgetpgrp(slave));
        T(ioctl(second, TIOCSCTTY, 0));
        IS(tcgetsid(second) == getpid());
        T(tcgetpgrp(second) == getpgrp());
        fflush(stdout);
        _exit(0);
    }
    waitpid(none, 0, 0);
    kill(child, SIGKILL), kill(stranger, SIGKILL);
    while (wait(0) > 0) {}
}

/* The leader gives the terminal up: the foreground group hears of it. */
static void gives_up(void) {
    catch(SIGHUP), catch(SIGCONT);
    pid_t child = fork();
    if (!child) {
        write(report[1], "r", 1);
        while (!seen[SIGHUP]) usleep(1000);
        nap();
        printf("child: HUP %d CONT %d\n", seen[SIGHUP], seen[SIGCONT]);
        T(open("/dev/tty", O_RDWR));
        T(read(slave, &c, 1));
        fflush(stdout);
        _exit(0);
    }
    read(report[0], &c, 1);
    T(open("/dev/tty", O_RDWR) > 0);
    write(master, "line\n", 5);
    T(ioctl(slave, TIOCNOTTY));
    waitpid(child, 0, 0);
    printf("leader: HUP %d CONT %d\n", seen[SIGHUP], seen[SIGCONT]);
    fflush(stdout);
    T(open("/dev/tty", O_RDWR));
    T(ioctl(slave, TIOCNOTTY));
    T(ioctl(slave, TIOCSCTTY, 0));
    IS(tcgetsid(slave) == getpid());
}

static void member(const char *what) {
    catch(SIGHUP), catch(SIGCONT);
    write(report[1], "r", 1);
    for (int i = 0; i < 200 && !seen[SIGHUP]; i++) usleep(1000);
    nap();
    printf("%s: HUP %d CONT %d\n", what, seen[SIGHUP], seen[SIGCONT]);
    fflush(stdout);
}
static void in_front(void) {
    close(master);
    member("foreground");
    fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
    T(read(slave, &c, 1));
    T(write(slave, "x", 1));
    T(tcgetpgrp(slave) > 0);
    T(open("/dev/tty", O_RDWR) > 0);
    fflush(stdout);
    write(report[1], "e", 1);
}
static void behind(void) {
    nap(), nap(), nap();
    member("background");
    fflush(stdout);
    write(report[1], "e", 1);
}

/* The leader ends. */
static void ends(void) {
    background(behind, 0);
    background(in_front, 1);
    read(report[0], &c, 1);
}

/* The other side is closed. */
static void hangs_up(void) {
    catch(SIGHUP), catch(SIGCONT);
    pid_t child = background(in_front, 1);
    read(report[0], &c, 1);
    close(master);
    for (int i = 0; i < 200 && !seen[SIGHUP]; i++) usleep(1000);
    waitpid(child, 0, 0);
    printf("leader: HUP %d CONT %d\n", seen[SIGHUP], seen[SIGCONT]);
    fflush(stdout);
    read(report[0], &c, 1);
    T(read(slave, &c, 1));
    T(write(slave, "x", 1));
    T(open(name, O_RDWR));
}

/* Keys that make signals reach the foreground group alone. */
static void waits_for(void) {
    catch(SIGINT), catch(SIGQUIT);
    write(report[1], "r", 1);
    for (int i = 0; i < 100 && !seen[SIGQUIT]; i++) usleep(1000);
    printf("INT %d QUIT %d\n", seen[SIGINT], seen[SIGQUIT]);
}
static void keys(void) {
    catch(SIGINT), catch(SIGQUIT), catch(SIGWINCH);
    pid_t child = background(waits_for, 1);
    read(report[0], &c, 1);
    write(master, "\003", 1);
    nap();
    write(master, "\034", 1);
    waitpid(child, 0, 0);
    printf("leader: INT %d QUIT %d\n", seen[SIGINT], seen[SIGQUIT]);
    child = background((void (*)(void))pause, 1);
    nap();
    write(master, "\032", 1);
    stopped("after ^Z", child);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, getpgrp());
    struct winsize size = {30, 100};
    ioctl(master, TIOCSWINSZ, &size);
    nap();
    T(seen[SIGWINCH]);
    ioctl(master, TIOCSWINSZ, &size);
    nap();
    T(seen[SIGWINCH]);
}

int main(void) {
    pipe(report);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    session(in_background);
    session(orphan);
    session(refusals);
    session(gives_up);
    make();
    int st;
    pid_t leader = fork();
    if (!leader) {
        setsid();
        slave = open(name, O_RDWR);
        ends();
        _exit(0);
    }
    waitpid(leader, &st, 0);
    read(report[0], &c, 1), read(report[0], &c, 1), read(report[0], &c, 1);
    while (wait(0) > 0) {}
    session(hangs_up);
    session(keys);
    /* A leader that opens a terminal gets it, unless it says otherwise. */
    make();
    if (!fork()) {
        setsid();
        slave = open(name, O_RDWR | O_NOCTTY);
        T(open("/dev/tty", O_RDWR));
        T(tcgetpgrp(slave));
        close(open(name, O_RDWR));
        IS(tcgetpgrp(slave) == getpgrp());
        T(open("/dev/tty", O_RDWR) > 0);
        _exit(0);
    }
    wait(0);
    return 0;
}
