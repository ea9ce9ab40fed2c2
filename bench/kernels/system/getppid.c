/* The cheapest system call, again and again. */
#include "../kernel.h"
#include <unistd.h>
const char *const kernel_name = "getppid";
const int kernel_rounds = 1000;

uint64_t kernel(int rounds)
{
    int parent = getppid();
    uint64_t same = 0;
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < 10000; i++) same += getppid() == parent;
    return same;
}
