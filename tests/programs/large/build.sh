# make drives gcc and g++ over several files, a static and a shared library; what comes out runs.
set -e
mkdir /tmp/p && cd /tmp/p
cat > sum.h <<'X'
long sum(const int *, int);
double mean(const int *, int);
X
cat > sum.c <<'X'
#include "sum.h"
long sum(const int *a, int n) { long s = 0; for (int i = 0; i < n; i++) s += a[i]; return s; }
double mean(const int *a, int n) { return n ? (double) sum(a, n) / n : 0; }
X
cat > main.c <<'X'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "sum.h"
static int values[1000];
static void *half(void *at) { return (void *) sum(at, 500); }
int main(int argc, char **argv) {
    for (int i = 0; i < 1000; i++) values[i] = i * 7 % 1000;
    pthread_t t[2]; void *r[2];
    for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, half, values + 500 * i);
    for (int i = 0; i < 2; i++) pthread_join(t[i], &r[i]);
    printf("%s %d %ld %ld %.3f\n", argv[1], argc, sum(values, 1000), (long) r[0] + (long) r[1], mean(values, 1000));
}
X
cat > words.cc <<'X'
#include <algorithm>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
template <class T> T largest(const std::vector<T> &v) { return *std::max_element(v.begin(), v.end()); }
int main() {
    std::map<std::string, int> count;
    std::string word;
    while (std::cin >> word) count[word]++;
    for (auto &[w, n] : count) std::cout << w << ' ' << n << '\n';
    try { std::vector<int>(3).at(7) = 1; } catch (const std::out_of_range &) { std::cout << "caught\n"; }
    std::cout << largest<double>({1.5, 2.5, -3}) << '\n';
}
X
printf '%s\n' 'CFLAGS = -O2 -Wall -Wextra -fPIC' 'all: static shared words' 'sum.o: sum.h' 'main.o: sum.h' \
    'libsum.a: sum.o' '	$(AR) rcs $@ $^' 'libsum.so: sum.o' '	$(CC) -shared -o $@ $^' \
    'static: main.o libsum.a' '	$(CC) -static -o $@ $^' 'shared: main.o libsum.so' "	\$(CC) -o \$@ \$^ -Wl,-rpath,'\$\$ORIGIN'" \
    'words: words.cc' '	$(CXX) -O1 -std=c++20 -o $@ $<' 'clean:' '	rm -f *.o *.a *.so static shared words' > Makefile
make -j2 > log; sort log
./static static; ./shared shared; echo 'the cat and the dog and the bird' | ./words
nm shared | grep ' U sum'; make; touch sum.h; make -s; make -q; make clean; ls
echo 'int main(void) { return x; }' > bad.c; gcc -c bad.c 2>&1 || echo status $?
printf '.globl _start\n_start: li a0, 42\n li a7, 93\n ecall\n' > a.s && as a.s -o a.o && ld a.o -o a && { ./a || echo $?; }
objdump -d a | tail -n 3; size --format=gnu a | tail -n 1
