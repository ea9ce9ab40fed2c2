// Crashes in the way that its argument says, some calls deep.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static int inner(volatile int *place) { return *place + 1; }

__attribute__((noinline)) static int outer(int where) { return inner(where ? (int *)(long)where : 0) * 2; }

static void handler(int signo) { outer(signo); }

int main(int argc, char **argv)
{
        const char *how = argc > 1 ? argv[1] : "";
        if (!strcmp(how, "abort"))
                abort();
        if (!strcmp(how, "handler")) {
                signal(SIGUSR1, handler);
                raise(SIGUSR1);
        }
        if (!strcmp(how, "jump"))
                ((void (*)(void))0x1234560)();
        if (!strcmp(how, "child")) {
                if (fork() == 0)
                        return outer(16);
                wait(0);
        }
        if (!strcmp(how, "call")) {
                printf("%ld\n", syscall(5000));
                printf("%ld\n", syscall(5000));
                return 0;
        }
        printf("%d\n", outer(0));
        return 0;
}
