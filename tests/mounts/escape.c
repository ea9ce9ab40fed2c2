/* Tries to get out of a mounted host folder, /mnt, and tells what each attempt came to. The host's side made the links
   and goes on exchanging /mnt/d (a folder with the file f, which holds "shared") and /mnt/link (a link to a folder
   outside with a file f, which holds "outside"). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *what, long result) {
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

static long try_open(int dir, const char *path, int flags) {
    int fd = openat(dir, path, flags, 0644);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static void same(const char *what, int dir, const char *path, const char *other) {
    struct stat a, b;
    if (fstatat(dir, path, &a, 0) < 0 || stat(other, &b) < 0)
        tell(what, -1);
    else
        printf("%s: %s\n", what, a.st_dev == b.st_dev && a.st_ino == b.st_ino ? other : "elsewhere");
}

static void links(void) {
    tell("absolute link", try_open(AT_FDCWD, "/mnt/absolute", O_RDONLY));
    tell("relative link", try_open(AT_FDCWD, "/mnt/relative", O_RDONLY));
    tell("link up many times", try_open(AT_FDCWD, "/mnt/many", O_RDONLY));
    tell("link to be created through", try_open(AT_FDCWD, "/mnt/make", O_CREAT | O_WRONLY));
    tell("what it made", access("/made", F_OK));
    tell("not following", try_open(AT_FDCWD, "/mnt/absolute", O_RDONLY | O_NOFOLLOW));
    tell("hard link of a file outside", link("/made", "/mnt/hard"));
    tell("rename of a file outside", rename("/made", "/mnt/moved"));
}

static void moved(void) {
    mkdir("/mnt/a", 0755);
    mkdir("/mnt/a/b", 0755);
    int b = open("/mnt/a/b", O_RDONLY | O_DIRECTORY);
    tell("rename of an open folder", rename("/mnt/a/b", "/mnt/c"));
    same("its ..", b, "..", "/mnt");
    same("its ../..", b, "../..", "/");
    same("its ../../../../..", b, "../../../../..", "/");
    tell("the secret from there", try_open(b, "../../secret", O_RDONLY));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d/..", b);
    same("/proc/self/fd/N/..", AT_FDCWD, path, "/mnt");
    snprintf(path, sizeof path, "/proc/self/fd/%d/../../secret", b);
    tell("the secret from there", try_open(AT_FDCWD, path, O_RDONLY));
    tell("removal of it", rmdir("/mnt/c"));
    same("its .. when removed", b, "..", "/mnt");
    tell("a file in it", try_open(b, "f", O_CREAT | O_WRONLY));
    mkdir("/mnt/jail", 0755);
    int before = open("/mnt", O_RDONLY | O_DIRECTORY);
    pid_t child = fork();
    if (child == 0) {
        tell("chroot", chroot("/mnt/jail"));
        fchdir(before);
        for (int i = 0; i < 20; i++)
            chdir("..");
        tell("the secret above the jail", try_open(AT_FDCWD, "secret", O_RDONLY));
        tell("the guest's root above the jail", access("made", F_OK));
        exit(0);
    }
    waitpid(child, NULL, 0);
}

static void special(void) {
    tell("device made", mknod("/mnt/null", S_IFCHR | 0666, 0x103));
    int made = access("/mnt/zero", F_OK) == 0;
    long opened = made ? try_open(AT_FDCWD, "/mnt/zero", O_RDONLY) : (errno = EACCES, -1);
    tell("device of the host", opened);
    tell("chmod 6755", chmod("/mnt/file", 06755));
    struct stat st;
    stat("/mnt/file", &st);
    printf("mode %o\n", st.st_mode & 07777);
    tell("chown to 12345", chown("/mnt/file", 12345, -1));
    mkfifo("/mnt/fifo", 0644);
    pid_t child = fork();
    if (child == 0) {
        int fd = open("/mnt/fifo", O_WRONLY);
        write(fd, "through", 7);
        exit(0);
    }
    char text[16] = "";
    int fd = open("/mnt/fifo", O_RDONLY);
    read(fd, text, sizeof text - 1);
    waitpid(child, NULL, 0);
    printf("fifo: %s\n", text);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/mnt/socket"};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    tell("bind", bind(server, (void *)&name, sizeof name));
    listen(server, 1);
    tell("connect", connect(client, (void *)&name, sizeof name));
    strcpy(name.sun_path, "/mnt/listening");
    tell("connect to the host's socket", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name));
}

static void mapped(void) {
    int fd = open("/mnt/file", O_RDWR);
    char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    printf("mapped: %.5s\n", private);
    private[0] = 'X';
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    tell("shared and writable", shared == MAP_FAILED ? -1 : 0);
    shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    printf("shared: %.5s\n", shared);
    tell("made writable", mprotect(shared, 4096, PROT_READ | PROT_WRITE));
    pwrite(fd, "HELLO", 5, 0);
    char *again = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    printf("mapped again: %.5s\n", again);
}

static void race(void) {
    static const int flags[] = {O_RDONLY, O_RDONLY | O_NOFOLLOW, O_RDWR | O_CREAT};
    struct timespec begin, now;
    long shared = 0, refused = 0, escaped = 0, odd = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (int i = 0; i < 3; i++) {
            char text[16] = "";
            int fd = open("/mnt/d/f", flags[i], 0644);
            if (fd < 0) {
                if (errno == ENOENT || errno == ESTALE || errno == ENOTDIR)
                    refused++;
                else
                    odd++;
                continue;
            }
            read(fd, text, sizeof text - 1);
            /* The second of the renames below may have met the link, and the file been made anew. */
            if (!*text && flags[i] & O_CREAT)
                write(fd, "shared", 6);
            close(fd);
            if (strcmp(text, "shared") == 0)
                shared++;
            else if (strcmp(text, "outside") == 0)
                escaped++;
            else if (*text)
                odd++;
        }
        close(open("/mnt/d/new", O_CREAT | O_WRONLY, 0644));
        unlink("/mnt/d/new");
        rename("/mnt/d/f", "/mnt/d/g");
        rename("/mnt/d/g", "/mnt/d/f");
        clock_gettime(CLOCK_MONOTONIC, &now);
        /* A busy machine may not exchange them for a while. */
    } while (now.tv_sec - begin.tv_sec < (shared < 10 || refused < 10 ? 30 : 2));
    printf("race: %s, %s, %ld escaped, %ld odd\n", shared > 0 ? "shared" : "never shared",
           refused > 0 ? "refused" : "never refused", escaped, odd);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    links();
    moved();
    special();
    mapped();
    race();
    return 0;
}
