/* inotify(7). */
#include "call.h"
#include <sys/inotify.h>

static int fd;

static void show(const char *what) {
    static char buf[65536] __attribute__((aligned(8)));
    static unsigned cookies[8];
    ssize_t n = read(fd, buf, sizeof buf);
    printf("%s:", what);
    unsigned first = 0;
    for (char *p = buf; n > 0 && p < buf + n;) {
        struct inotify_event *e = (void *)p;
        if (e->cookie && !first) first = e->cookie;
        printf(" [%d %x %s%s]", e->wd, e->mask, e->len ? e->name : "", e->cookie ? e->cookie == first ? " moved" : " other" : "");
        if (e->len % 16 && e->len) printf(" odd length");
        p += sizeof *e + e->len;
    }
    printf(n < 0 ? " %s\n" : "\n", strerrorname_np(errno));
    fflush(stdout);
}

int main(void) {
    fresh_folder();
    T(inotify_init1(3));
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    T(fcntl(fd, F_GETFL));
    T(inotify_add_watch(fd, ".", 0));
    T(inotify_add_watch(fd, "none", IN_MODIFY));
    T(inotify_add_watch(0, ".", IN_MODIFY));
    T(inotify_add_watch(99, ".", IN_MODIFY));
    T(inotify_rm_watch(fd, 5));
    T(inotify_add_watch(fd, ".", IN_ALL_EVENTS));
    T(inotify_add_watch(fd, ".", IN_ALL_EVENTS | IN_MASK_CREATE));
    T(inotify_add_watch(fd, ".", IN_ALL_EVENTS));
    show("nothing");
    int f = open("a", O_CREAT | O_RDWR, 0600);
    show("made");
    T(write(f, "abc", 3));
    T(write(f, "abc", 3));
    show("written");
    T(pread(f, &(char[8]){0}, 3, 0));
    show("read");
    T(ftruncate(f, 2));
    show("cut");
    T(fchmod(f, 0640));
    show("mode");
    struct pollfd p = {fd, POLLIN, 0};
    T(poll(&p, 1, 0));
    int n;
    T(ioctl(fd, FIONREAD, &n));
    printf("%d\n", n);
    T(close(f));
    T(poll(&p, 1, 0));
    T(ioctl(fd, FIONREAD, &n));
    printf("%d\n", n);
    T(read(fd, &n, 4));
    show("closed");
    T(inotify_add_watch(fd, "a", IN_ALL_EVENTS));
    T(inotify_add_watch(fd, "a", IN_ONLYDIR | IN_OPEN));
    f = open("a", O_RDONLY);
    T(close(f));
    show("opened");
    f = open("a", O_WRONLY | O_TRUNC);
    T(close(f));
    show("truncated");
    T(mkdir("d", 0700));
    T(symlink("a", "l"));
    T(link("a", "b"));
    T(mknod("p", S_IFIFO | 0600, 0));
    show("names");
    T(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
    T(rename("b", "d/b"));
    show("moved");
    T(rename("d/b", "c"));
    show("moved back");
    T(unlink("c"));
    show("one name less");
    T(unlink("a"));
    show("gone");
    f = open("d/x", O_CREAT | O_WRONLY, 0600);
    close(f);
    f = open("y", O_CREAT | O_WRONLY, 0600);
    close(f);
    show("two more");
    T(inotify_add_watch(fd, "d/x", IN_ALL_EVENTS));
    T(rename("y", "d/x"));
    show("replaced");
    T(unlink("d/x"));
    T(rmdir("d"));
    show("empty");
    T(inotify_add_watch(fd, "p", IN_ATTRIB | IN_ONESHOT));
    T(chmod("p", 0644));
    T(chmod("p", 0600));
    show("once");
    T(inotify_rm_watch(fd, 1));
    show("removed");
    T(open("z", O_CREAT | O_RDWR, 0600) > 0);
    show("unseen");
    return 0;
}
