/* System V interprocess communication, signals as files, locks that are inherited, memory of others, limits. */
#include "call.h"
#include <linux/futex.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>

static void wait_for(const char *what, pid_t pid) {
    int status;
    waitpid(pid, &status, 0);
    printf("%s: status %x\n", what, status);
    fflush(stdout);
}

static void shared(void) {
    T(shmget(0x7a11, 100, 0600));
    T(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600));
    int id = shmget(0x7a11, 10000, IPC_CREAT | IPC_EXCL | 0640);
    T(shmget(0x7a11, 10000, IPC_CREAT | IPC_EXCL | 0640));
    IS(shmget(0x7a11, 100, 0600) == id);
    T(shmget(0x7a11, 20000, 0600));
    char *p = shmat(id, 0, 0), *q = shmat(id, 0, SHM_RDONLY);
    IS(p != (void *)-1 && q != (void *)-1 && p != q);
    strcpy(p, "written");
    printf("%s\n", q);
    struct shmid_ds ds;
    T(shmctl(id, IPC_STAT, &ds));
    printf("%zu bytes, mode %o, attached %lu, key %x\n", ds.shm_segsz, ds.shm_perm.mode, (long)ds.shm_nattch, ds.shm_perm.__key);
    IS(ds.shm_cpid == getpid() && ds.shm_lpid == getpid() && ds.shm_atime != 0 && ds.shm_dtime == 0);
    pid_t pid = fork();
    if (!pid) {
        strcpy(p, "by the child");
        shmctl(id, IPC_STAT, &ds);
        printf("attached %lu\n", (long)ds.shm_nattch);
        fflush(stdout);
        _exit(0);
    }
    wait_for("child", pid);
    printf("%s\n", q);
    T(shmdt(q + 4096));
    T(shmdt(q));
    T(shmdt(q));
    T(shmat(id, p + 1, 0) == (void *)-1 ? errno : 0);
    T(shmat(id, p, 0) == (void *)-1 ? errno : 0);
    T(shmat(id + 1, 0, 0) == (void *)-1 ? errno : 0);
    T(shmctl(id, IPC_RMID, 0));
    T(shmctl(id, IPC_STAT, &ds));
    printf("mode %o, attached %lu, key %x\n", ds.shm_perm.mode, (long)ds.shm_nattch, ds.shm_perm.__key);
    T(shmget(0x7a11, 100, 0600));
    printf("%s\n", p);
    T(shmdt(p));
    T(shmctl(id, IPC_STAT, &ds));
    T(shmctl(id, 99, &ds));
}

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static void semaphores(void) {
    T(semget(0x7a12, 1, 0600));
    T(semget(IPC_PRIVATE, 0, 0600));
    int id = semget(0x7a12, 3, IPC_CREAT | 0600);
    IS(semget(0x7a12, 0, 0) == id);
    T(semget(0x7a12, 4, 0));
    unsigned short values[3] = {1, 0, 5};
    T(semctl(id, 0, SETALL, (union semun){.array = values}));
    T(semctl(id, 0, GETVAL));
    T(semctl(id, 2, GETVAL));
    T(semctl(id, 3, GETVAL));
    T(semctl(id, 1, SETVAL, (union semun){.val = 40000}));
    T(semctl(id, 1, SETVAL, (union semun){.val = 2}));
    struct sembuf two[2] = {{0, -1, 0}, {1, -3, IPC_NOWAIT}};
    T(semop(id, two, 2));
    T(semctl(id, 0, GETVAL));
    two[1].sem_op = -2;
    T(semop(id, two, 2));
    T(semctl(id, 0, GETVAL));
    T(semctl(id, 1, GETVAL));
    struct sembuf bad = {7, 1, 0};
    T(semop(id, &bad, 1));
    struct sembuf big = {2, 32767, 0};
    T(semop(id, &big, 1));
    T(semop(id, two, 0));
    struct timespec ts = {0, 20000000};
    struct sembuf down = {0, -1, 0}, up = {0, 1, 0}, zero = {2, 0, 0};
    T(semtimedop(id, &down, 1, &ts));
    pid_t pid = fork();
    if (!pid) _exit(semop(id, &down, 1) ? 1 : 7);
    while (semctl(id, 0, GETNCNT) == 0) usleep(1000);
    T(semctl(id, 0, GETNCNT));
    T(semctl(id, 0, GETZCNT));
    T(semop(id, &up, 1));
    wait_for("taken", pid);
    IS(semctl(id, 0, GETPID) == pid);
    /* What a process did with SEM_UNDO is undone at its end. */
    pid = fork();
    if (!pid) {
        struct sembuf undo[2] = {{2, -2, SEM_UNDO}, {0, 3, SEM_UNDO}};
        semop(id, undo, 2);
        printf("%d %d\n", semctl(id, 2, GETVAL), semctl(id, 0, GETVAL));
        fflush(stdout);
        _exit(0);
    }
    wait_for("undone", pid);
    printf("%d %d\n", semctl(id, 2, GETVAL), semctl(id, 0, GETVAL));
    pid = fork();
    if (!pid) {
        int r = semop(id, &zero, 1);
        _exit(r == -1 && errno == EIDRM ? 3 : 4);
    }
    while (semctl(id, 2, GETZCNT) == 0) usleep(1000);
    struct semid_ds ds;
    T(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
    printf("%lu semaphores, mode %o\n", (long)ds.sem_nsems, ds.sem_perm.mode);
    IS(ds.sem_otime != 0);
    ds.sem_perm.mode = 0400;
    T(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}));
    T(semctl(id, 0, GETALL, (union semun){.array = values}));
    printf("%d %d %d\n", values[0], values[1], values[2]);
    T(semctl(id, 0, IPC_RMID));
    wait_for("removed", pid);
    T(semop(id, &up, 1));
    T(semget(0x7a12, 1, 0600));
}

static void messages(void) {
    struct {
        long type;
        char text[9000];
    } m;
    T(msgget(0x7a13, 0600));
    int id = msgget(0x7a13, IPC_CREAT | 0600);
    m.type = 0;
    T(msgsnd(id, &m, 1, 0));
    m.type = 3, strcpy(m.text, "three");
    T(msgsnd(id, &m, 9000, 0));
    T(msgsnd(id, &m, 6, 0));
    m.type = 1, strcpy(m.text, "one");
    T(msgsnd(id, &m, 4, 0));
    m.type = 2, strcpy(m.text, "two");
    T(msgsnd(id, &m, 4, 0));
    T(msgrcv(id, &m, 2, 2, IPC_NOWAIT));
    T(msgrcv(id, &m, 100, 2, IPC_NOWAIT));
    printf("%ld %s\n", m.type, m.text);
    T(msgrcv(id, &m, 100, -3, 0));
    printf("%ld %s\n", m.type, m.text);
    T(msgrcv(id, &m, 100, 9, IPC_NOWAIT));
    T(msgrcv(id, &m, 2, 1, MSG_EXCEPT | MSG_NOERROR));
    printf("%ld %.2s\n", m.type, m.text);
    pid_t pid = fork();
    if (!pid) {
        int r = msgrcv(id, &m, 100, 5, 0);
        printf("%d %ld %s\n", r, m.type, m.text);
        fflush(stdout);
        _exit(0);
    }
    m.type = 5, strcpy(m.text, "five");
    T(msgsnd(id, &m, 5, 0));
    wait_for("received", pid);
    m.type = 1;
    T(msgsnd(id, &m, 8192, 0));
    T(msgsnd(id, &m, 8192, 0));
    T(msgsnd(id, &m, 1, IPC_NOWAIT));
    struct msqid_ds ds;
    T(msgctl(id, IPC_STAT, &ds));
    printf("%lu messages, %lu bytes of %lu, mode %o\n", (long)ds.msg_qnum, (long)ds.__msg_cbytes, (long)ds.msg_qbytes, ds.msg_perm.mode);
    IS(ds.msg_lspid == getpid() && ds.msg_lrpid == pid);
    pid = fork();
    if (!pid) {
        int r = msgsnd(id, &m, 1, 0);
        _exit(r == -1 && errno == EIDRM ? 3 : 4);
    }
    usleep(30000);
    T(msgctl(id, IPC_RMID, 0));
    wait_for("removed", pid);
    T(msgrcv(id, &m, 1, 0, IPC_NOWAIT));
}

static void signals_as_files(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2), sigaddset(&set, SIGCHLD), sigaddset(&set, SIGRTMIN);
    T(sigprocmask(SIG_BLOCK, &set, 0));
    T(signalfd(-1, &set, 1));
    T(signalfd(0, &set, 0));
    T(signalfd(99, &set, 0));
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo info[3];
    struct pollfd p = {fd, POLLIN, 0};
    T(read(fd, info, sizeof info));
    T(poll(&p, 1, 0));
    kill(getpid(), SIGUSR2), kill(getpid(), SIGUSR1);
    T(poll(&p, 1, 0));
    T(read(fd, info, 100));
    T(read(fd, info, sizeof info));
    printf("%d %d, %d %d\n", info[0].ssi_signo, info[0].ssi_code, info[1].ssi_signo, info[1].ssi_code);
    IS(info[0].ssi_pid == getpid() && info[0].ssi_uid == getuid());
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42});
    T(read(fd, info, sizeof info));
    printf("%d %d %d\n", info[0].ssi_signo, info[0].ssi_code, info[0].ssi_int);
    int e = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN | EPOLLET, {.u64 = 5}};
    T(epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev));
    T(epoll_wait(e, &ev, 1, 0));
    fcntl(fd, F_SETFL, 0);
    pid_t pid = fork();
    if (!pid) _exit(5);
    T(epoll_wait(e, &ev, 1, -1));
    T(epoll_wait(e, &ev, 1, 0));
    T(read(fd, info, sizeof info));
    printf("%d %d %d\n", info[0].ssi_signo, info[0].ssi_code, info[0].ssi_status);
    IS(info[0].ssi_pid == pid);
    wait_for("reaped", pid);
    sigdelset(&set, SIGUSR1);
    IS(signalfd(fd, &set, 0) == fd);
    kill(getpid(), SIGUSR1), kill(getpid(), SIGUSR2);
    T(read(fd, info, sizeof info));
    T(close(fd));
    T(close(e));
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &set, 0);
}

static pthread_mutex_t inherited, robust;
static volatile int step;

static void *locker(void *arg) {
    pthread_mutex_lock(&inherited);
    step++;
    pthread_mutex_unlock(&inherited);
    return 0;
}

static void *deserter(void *arg) {
    pthread_mutex_lock(arg);
    return 0;
}

static void locks(void) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    T(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
    T(pthread_mutex_init(&inherited, &attr));
    T(pthread_mutex_lock(&inherited));
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, locker, 0);
    usleep(20000);
    T(step);
    T(pthread_mutex_unlock(&inherited));
    for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
    T(step);
    T(pthread_mutex_trylock(&inherited));
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
    pthread_create(&t[0], 0, deserter, &inherited);
    usleep(20000);
    T(pthread_mutex_unlock(&inherited));
    pthread_join(t[0], 0);
    T(pthread_mutex_timedlock(&inherited, &soon));
    unsigned word = 0;
    T(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
    T(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
    IS(word == gettid());
    T(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
    T(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
    T(word);

    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    for (int protocol = 0; protocol < 2; protocol++) {
        pthread_mutexattr_setprotocol(&attr, protocol ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
        T(pthread_mutex_init(&robust, &attr));
        pthread_create(&t[0], 0, deserter, &robust);
        pthread_join(t[0], 0);
        printf("%s\n", strerrorname_np(pthread_mutex_lock(&robust)));
        T(pthread_mutex_consistent(&robust));
        T(pthread_mutex_unlock(&robust));
        T(pthread_mutex_lock(&robust));
        T(pthread_mutex_unlock(&robust));
    }
    /* Between processes, in shared memory. */
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_NONE);
    pthread_mutex_t *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(m, &attr);
    int ready[2];
    pipe(ready);
    pid_t pid = fork();
    if (!pid) {
        pthread_mutex_lock(m);
        write(ready[1], "", 1);
        usleep(20000);
        _exit(0);
    }
    char c;
    read(ready[0], &c, 1);
    printf("%s\n", strerrorname_np(pthread_mutex_lock(m)));
    wait_for("owner", pid);
    T(pthread_mutex_unlock(m));
    printf("%s\n", strerrorname_np(pthread_mutex_lock(m)));
}

static void others_memory(void) {
    static char here[64], there[64] = "kept by the child";
    int p[2];
    pipe(p);
    pid_t pid = fork();
    if (!pid) {
        strcpy(there, "changed by the child");
        write(p[1], "", 1);
        pause();
    }
    char c;
    read(p[0], &c, 1);
    struct iovec local[2] = {{here, 8}, {here + 8, 40}}, remote[2] = {{there, 20}, {there + 20, 30}};
    T(process_vm_readv(pid, local, 2, remote, 2, 0));
    printf("%s; %s\n", here, there);
    strcpy(here, "new text");
    T(process_vm_writev(pid, local, 1, remote, 1, 0));
    T(process_vm_readv(pid, local, 2, remote, 2, 0));
    printf("%s\n", here);
    remote[0].iov_base = (void *)16;
    T(process_vm_readv(pid, local, 1, remote, 1, 0));
    T(process_vm_readv(pid, local, 1, remote, 1, 1));
    kill(pid, SIGKILL);
    wait_for("killed", pid);
    T(process_vm_readv(pid, local, 1, remote, 1, 0));
}

static void limits(void) {
    fresh_folder();
    pid_t pid = fork();
    if (!pid) {
        struct rlimit r = {1000, 2000};
        setrlimit(RLIMIT_FSIZE, &r);
        int fd = open("f", O_CREAT | O_RDWR, 0600);
        static char buf[3000];
        signal(SIGXFSZ, SIG_IGN);
        T(write(fd, buf, 600));
        T(write(fd, buf, 600));
        T(write(fd, buf, 1));
        T(ftruncate(fd, 1001));
        T(ftruncate(fd, 1000));
        T(fallocate(fd, 0, 0, 1001));
        T(pwrite(fd, buf, 1, 5000));
        signal(SIGXFSZ, SIG_DFL);
        write(fd, buf, 1);
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("%d\n", WTERMSIG(status));
    pid = fork();
    if (!pid) {
        struct rlimit r = {300 << 20, RLIM_INFINITY};
        T(setrlimit(RLIMIT_AS, &r));
        T(mmap(0, 400 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0);
        T(mmap(0, 100 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0);
        T(mmap(0, 250 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0);
        _exit(0);
    }
    wait_for("address space", pid);
    pid = fork();
    if (!pid) {
        struct rlimit r = {5, 5};
        T(setrlimit(RLIMIT_NOFILE, &r));
        while (dup(0) >= 0) {}
        T(dup(0));
        T(dup2(0, 7));
        T(fcntl(0, F_DUPFD, 9));
        r.rlim_cur = 6;
        T(setrlimit(RLIMIT_NOFILE, &r));
        _exit(0);
    }
    wait_for("files", pid);
}

int main(void) {
    shared();
    semaphores();
    messages();
    signals_as_files();
    locks();
    others_memory();
    limits();
    return 0;
}
