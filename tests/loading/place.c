/* What a program finds at its start: arguments, environment, auxiliary vector; and that its code was placed as its kind
 * of file allows. */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

static int data = 42;
int *relocated = &data;

int main(int argc, char **argv, char **envp)
{
    for (int i = 1; i < argc; i++) printf("argument %d: %s\n", i, argv[i]);
    int count = 0;
    while (envp[count]) count++;
    printf("environment %s\n", count > 0 ? "present" : "empty");
    printf("page %lu, secure %lu, entry %s, random %s\n", getauxval(AT_PAGESZ), getauxval(AT_SECURE),
           getauxval(AT_ENTRY) ? "given" : "missing", getauxval(AT_RANDOM) ? "given" : "missing");
    printf("relocated %d, clock ticks %lu, name %s\n", *relocated, getauxval(AT_CLKTCK),
           strrchr((char *)getauxval(AT_EXECFN), '/') + 1);
    return 0;
}
