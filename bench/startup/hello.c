/* The smallest program with a C library: what starting costs. */
#include <stdio.h>

int main(void)
{
    puts("hello");
    return 0;
}
