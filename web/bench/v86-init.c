/* The first process of the machine that v86.mjs boots. It reads lines from the serial line: a kernel's name, how much of its
 * work is to be done, and whether a copy of it is to run, whose code is nowhere else. A line says that it begins, one that it
 * ended. The host has the clock. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int copy(const char *from, const char *to)
{
    static char block[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t n = -1;
    while (in >= 0 && out >= 0 && (n = read(in, block, sizeof block)) > 0)
        if (write(out, block, n) != n) n = -1;
    close(in), close(out);
    return n == 0;
}

int main(void)
{
    char line[128];
    mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
    int serial = open("/dev/ttyS0", O_RDWR);
    struct termios raw;
    tcgetattr(serial, &raw);
    cfmakeraw(&raw);
    raw.c_lflag |= ICANON;
    tcsetattr(serial, TCSANOW, &raw);
    dup2(serial, 0), dup2(serial, 1), dup2(serial, 2);
    /* Nothing waits in a buffer: every line leaves at once. */
    dprintf(1, "ready\n");
    while (fgets(line, sizeof line, stdin)) {
        char *name = strtok(line, " \n"), *work = strtok(0, " \n"), *copied = strtok(0, " \n");
        if (!name || !work || !copied) continue;
        char path[80];
        int status;
        snprintf(path, sizeof path, "/kernels/%s", name);
        if (*copied == '1' && copy(path, "/copy")) strcpy(path, "/copy");
        dprintf(1, "begin %s\n", name);
        pid_t child = vfork();
        if (child == 0) {
            execl(path, path, work, (char *)0);
            _exit(127);
        }
        waitpid(child, &status, 0);
        dprintf(1, "end %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        unlink("/copy");
    }
    reboot(RB_POWER_OFF);
    return 0;
}
