/* A dynamic program of musl's, without musl's headers: what it needs of them is declared here. It shows that the loader
 * relocates it, that thread-local storage, the heap, formatting, sorting and threads work, and that a library is found. */
typedef unsigned long size_t;
int printf(const char *, ...);
int snprintf(char *, size_t, const char *, ...);
void *malloc(size_t);
void *realloc(void *, size_t);
void free(void *);
void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
char *strerror(int);
char *getenv(const char *);
int pthread_create(unsigned long *, const void *, void *(*)(void *), void *);
int pthread_join(unsigned long, void **);
void *dlopen(const char *, int);
void *dlsym(void *, const char *);
double strtod(const char *, char **);
int atexit(void (*)(void));
int __libc_start_main(int (*)(int, char **), int, char **, void (*)(void), void (*)(void), void (*)(void));

static _Thread_local int local = 7;
static int shared;

static int descending(const void *a, const void *b) { return *(const int *)b - *(const int *)a; }

static void *thread(void *argument)
{
    local += (int)(long)argument;
    __atomic_add_fetch(&shared, local, __ATOMIC_SEQ_CST);
    return (void *)(long)local;
}

static void last(void) { printf("at exit\n"); }

int main(int argc, char **argv)
{
    int numbers[] = {3, 1, 4, 1, 5, 9, 2, 6};
    char text[64], *grown = malloc(10);
    unsigned long threads[4];
    atexit(last);
    qsort(numbers, 8, sizeof *numbers, descending);
    for (int i = 0; i < 8; i++) printf("%d ", numbers[i]);
    printf("\n%d arguments, last %s, A=%s\n", argc - 1, argv[argc - 1], getenv("A"));
    snprintf(text, sizeof text, "%.17g %5.1f|%-6s|%#x", strtod("0.1", 0), 3.14159, "ab", 255);
    printf("%s\n%s\n", text, strerror(2));
    for (size_t size = 10; size < 1 << 22; size *= 2) grown = realloc(grown, size), grown[size - 1] = 1;
    free(grown);
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, thread, (void *)i);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("thread %d: %ld\n", i, (long)result);
    }
    int (*found)(const char *, ...) = dlsym(dlopen(0, 1), "printf");
    printf("shared %d, local %d, found %d\n", shared, local, found == printf);
    return 3;
}

void start_c(long *stack) { __libc_start_main(main, (int)stack[0], (char **)(stack + 1), 0, 0, 0); }

__asm__(".globl _start\n_start:\n.weak __global_pointer$\n.option push\n.option norelax\nlla gp, __global_pointer$\n"
        ".option pop\nmv a0, sp\nandi sp, sp, -16\ntail start_c\n");
