/* Prints how long fork, exec and wait of a program takes: rounds PROGRAM [COUNT]. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int count = argc > 2 ? atoi(argv[2]) : 1, failed = 0;
    if (argc == 1) return 0;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < count; i++) {
        int status = 0;
        pid_t child = fork();
        if (!child) {
            execl(argv[1], argv[1], (char *)0);
            _exit(127);
        }
        waitpid(child, &status, 0);
        failed += status != 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = end.tv_sec - begin.tv_sec + (end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("%.2f ms\n", seconds * 1000 / count);
    return failed != 0;
}
