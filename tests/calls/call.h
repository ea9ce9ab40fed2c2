/* Shared by the programs here: each prints what calls return, the same on Linux and in friscy. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* Prints a call's text and its result: the number, or the name of the error. */
#define T(call)                                                                \
    do {                                                                       \
        errno = 0;                                                             \
        long result_ = (long)(call);                                           \
        if (result_ == -1 && errno)                                            \
            printf("%s = -1 %s\n", #call, strerrorname_np(errno));             \
        else                                                                   \
            printf("%s = %ld\n", #call, result_);                              \
        fflush(stdout);                                                        \
    } while (0)

/* Prints whether something holds. */
#define IS(what) (printf("%s: %s\n", #what, (what) ? "yes" : "no"), fflush(stdout))

static char dir_[] = "/tmp/callsXXXXXX";

/* Goes to a new folder. */
static inline void fresh_folder(void) {
    if (!mkdtemp(dir_) || chdir(dir_)) exit(99);
    umask(022);
}
