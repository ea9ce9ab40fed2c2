/* clone(2) and clone3(2): odd combinations and what they refuse; execve(2) by a thread that is not the leader. */
#include "call.h"
#include <linux/futex.h>
#include <linux/sched.h>

typedef struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
} Args;

static long raw(long flags) {
    long pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (!pid) _exit(3);
    return pid;
}

static long raw3(Args *args, long size) {
    long pid = syscall(SYS_clone3, args, size);
    if (!pid) _exit(4);
    return pid;
}

/* 1 for a process that was made and waited for. */
static long made(long pid) {
    int st;
    if (pid <= 0) return pid;
    return waitpid(pid, &st, __WALL) == pid ? 1 : 2;
}

static char stack[65536] __attribute__((aligned(16)));
static volatile int shared;
static int fd_of_child;

static int changes(void *arg) {
    shared++;
    fd_of_child = open("/dev/null", O_RDONLY);
    chdir("/");
    umask(7);
    signal(SIGUSR1, SIG_IGN);
    return 5;
}

static void combination(const char *what, int flags) {
    int st;
    char path[64];
    struct sigaction act;
    shared = 0, fd_of_child = -1;
    chdir("/tmp"), umask(022), signal(SIGUSR1, SIG_DFL);
    int pid = clone(changes, stack + sizeof stack, flags | SIGCHLD, 0);
    if (pid < 0) {
        printf("%s: %s\n", what, strerrorname_np(errno));
        return;
    }
    waitpid(pid, &st, __WALL);
    sigaction(SIGUSR1, 0, &act);
    getcwd(path, sizeof path);
    int mask = umask(022);
    printf("%s: status %x, memory %d, cwd %s, umask %o, ignored %d, open %d\n", what, st, shared, path, mask,
           act.sa_handler == SIG_IGN, fd_of_child >= 0 && fcntl(fd_of_child, F_GETFD) == 0);
    if (fd_of_child >= 0) close(fd_of_child);
    fflush(stdout);
}

static void refusals(void) {
    T(made(raw(CLONE_THREAD | SIGCHLD)));
    T(made(raw(CLONE_THREAD | CLONE_SIGHAND)));
    T(made(raw(CLONE_SIGHAND | SIGCHLD)));
    T(made(raw(CLONE_FS | CLONE_NEWNS | SIGCHLD)));
    T(made(raw(CLONE_FS | CLONE_NEWUSER | SIGCHLD)));
    T(made(raw(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER)));
    T(made(raw(CLONE_VM | CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND)));
    T(made(raw(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD)));
    T(made(raw(0x1000 | SIGCHLD)));
    T(made(raw(SIGCHLD)));
    T(made(raw(SIGURG)));
    T(made(raw(70)));
    T(made(raw(0)));
    T(made(raw(CLONE_UNTRACED | SIGCHLD)));
    T(made(raw(CLONE_DETACHED | SIGCHLD)));
    T(made(raw(CLONE_IO | CLONE_SYSVSEM | SIGCHLD)));
    Args args = {.exit_signal = SIGCHLD};
    char big[200] = {0};
    T(made(raw3(&args, 64)));
    T(made(raw3(&args, 63)));
    T(made(raw3(&args, 8)));
    T(made(raw3(&args, sizeof args)));
    T(made(raw3((void *)8, sizeof args)));
    memcpy(big, &args, sizeof args);
    T(made(raw3((void *)big, 120)));
    big[110] = 1;
    T(made(raw3((void *)big, 120)));
    T(made(raw3((void *)big, 5000)));
    args.flags = 1;
    T(made(raw3(&args, sizeof args)));
    args.flags = CLONE_DETACHED;
    T(made(raw3(&args, sizeof args)));
    args.flags = 1ull << 40;
    T(made(raw3(&args, sizeof args)));
    args.flags = CLONE_CLEAR_SIGHAND;
    T(made(raw3(&args, sizeof args)));
    args.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
    T(made(raw3(&args, sizeof args)));
    args.flags = 0, args.exit_signal = 65;
    T(made(raw3(&args, sizeof args)));
    args.exit_signal = 0x100 | SIGCHLD;
    T(made(raw3(&args, sizeof args)));
    args.exit_signal = SIGCHLD, args.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    T(made(raw3(&args, sizeof args)));
    args.flags = CLONE_PARENT;
    T(made(raw3(&args, sizeof args)));
    args.flags = 0, args.stack = (uintptr_t)stack;
    T(made(raw3(&args, sizeof args)));
    args.stack = 0, args.stack_size = 4096;
    T(made(raw3(&args, sizeof args)));
    args.stack_size = 0, args.set_tid_size = 1;
    T(made(raw3(&args, sizeof args)));
    args.set_tid_size = 0, args.set_tid = (uintptr_t)&args;
    T(made(raw3(&args, sizeof args)));
    args.set_tid = 0;
    int fd = -1;
    args.flags = CLONE_PIDFD, args.pidfd = (uintptr_t)&fd;
    int pid = raw3(&args, sizeof args);
    IS(fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    siginfo_t info;
    T(waitid(3, fd, &info, WEXITED));
    printf("%d %d\n", info.si_status, info.si_pid == pid);
    close(fd);
    args.pidfd = 8;
    T(made(raw3(&args, sizeof args)));
    args.pidfd = (uintptr_t)&fd, args.parent_tid = (uintptr_t)&fd, args.flags |= CLONE_PARENT_SETTID;
    T(made(raw3(&args, sizeof args)));
    int tid = 0, own = 0;
    args.flags = CLONE_PARENT_SETTID, args.parent_tid = (uintptr_t)&tid;
    pid = raw3(&args, sizeof args);
    IS(tid == pid);
    made(pid);
    pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, 8,
#ifdef __riscv
                  0, &own
#else
                  &own, 0
#endif
    );
    if (!pid) _exit(own == getpid() ? 6 : 7);
    int st;
    waitpid(pid, &st, 0);
    printf("%x\n", st);
}

static uint32_t held, joined;
static struct robust_list_head head;
static struct { struct robust_list list; uint32_t word; } entry;
static int ready;

static void *waits_for(void *arg) {
    ready++;
    syscall(SYS_futex, &held, FUTEX_WAIT, 0, 0, 0, 0);
    return 0;
}

static void *holds_lock(void *arg) {
    uint32_t *word = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, (int)(long)arg, 0);
    struct { struct robust_list list; uint64_t gap; } *link = (void *)(word + 16);
    word[0] = syscall(SYS_gettid);
    link->list.next = &head.list;
    head.list.next = &link->list;
    head.futex_offset = -64;
    syscall(SYS_set_robust_list, &head, sizeof head);
    ready++;
    for (;;) pause();
}

static void *executes(void *arg) {
    prctl(PR_SET_NAME, "second");
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2), pthread_sigmask(SIG_BLOCK, &set, 0);
    pthread_kill(pthread_self(), SIGUSR2);
    nice(3);
    usleep(10000);
    ready++;
    execl("/proc/thread-self/exe", "clones", "executed", (char *)0);
    return 0;
}

/* A leader that has ended, threads that wait, one that holds a robust lock in shared memory, one that executes. */
static void replaced(int leader_ends) {
    int st, fd = memfd_create("word", 0);
    ftruncate(fd, 4096);
    uint32_t *word = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t child = fork();
    if (!child) {
        pthread_t thread;
        char text[12];
        sprintf(text, "%d", getpid());
        setenv("WAS", text, 1);
        pthread_create(&thread, 0, waits_for, 0);
        pthread_create(&thread, 0, holds_lock, (void *)(long)fd);
        while (ready < 2) usleep(1000);
        pthread_create(&thread, 0, executes, 0);
        if (leader_ends) syscall(SYS_exit, 9);
        for (;;) pause();
    }
    T(waitpid(child, &st, 0) == child);
    printf("%x, lock %x\n", st, *word & FUTEX_OWNER_DIED);
    fflush(stdout);
}

static int executed(void) {
    char name[20];
    sigset_t set;
    IS(getpid() == atoi(getenv("WAS")) && syscall(SYS_gettid) == getpid());
    prctl(PR_GET_NAME, name);
    puts(name);
    pthread_sigmask(SIG_BLOCK, 0, &set);
    T(sigismember(&set, SIGUSR2));
    sigpending(&set);
    T(sigismember(&set, SIGUSR2));
    T(getpriority(PRIO_PROCESS, 0));
    T(access("/proc/self/task", F_OK));
    return 8;
}

static int vforked(void *arg) {
    shared = 1;
    usleep(20000);
    shared = 2;
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2) return executed();
    refusals();
    combination("nothing", 0);
    combination("memory", CLONE_VM);
    combination("files", CLONE_FILES);
    combination("files and memory", CLONE_FILES | CLONE_VM);
    combination("folders", CLONE_FS);
    combination("handlers and memory", CLONE_VM | CLONE_SIGHAND);
    combination("all", CLONE_VM | CLONE_SIGHAND | CLONE_FS | CLONE_FILES);
    combination("vfork", CLONE_VFORK);
    shared = 0;
    int pid = clone(vforked, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
    IS(pid > 0);
    T(shared);
    waitpid(pid, 0, 0);
    replaced(0);
    replaced(1);
    return 0;
}
