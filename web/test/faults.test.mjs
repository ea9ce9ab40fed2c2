// Faults in hot code: who handles them sees each as natively, and who does not is killed by them.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assets, oldNode, program } from './harness.mjs';

const SOURCE = `
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* Loads, or answers -1 if the handler says so, as a virtual machine's null checks do. */
long load(long *from);
extern char load_at[], load_fails[];
asm(".text\\n.globl load, load_at, load_fails\\n"
    "load:\\nload_at: ld a0, 0(a0)\\n ret\\n"
    "load_fails: li a0, -1\\n ret\\n");

/* Loads away from an address. */
long above(char *from), below(char *from);
asm(".text\\n.globl above, below\\n"
    "above: ld a0, 0x700(a0)\\n ret\\n"
    "below: ld a0, -8(a0)\\n ret\\n");

static long faults[2][3], others;

static void handler(int signo, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    if (at->uc_mcontext.__gregs[REG_PC] != (long)load_at || (long)info->si_addr != at->uc_mcontext.__gregs[REG_A0]) {
        others++;
        signal(signo, SIG_DFL);
        return;
    }
    faults[signo == SIGBUS][info->si_code > 2 ? 0 : info->si_code]++;
    at->uc_mcontext.__gregs[REG_PC] = (long)load_fails;
}

static void handle(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
}

static long good[64], sink;

/* Enough to become hot, be compiled, and run so. */
__attribute__((noinline)) static void warm(void)
{
    for (int i = 0; i < 40000000; i++) sink += load(&good[i & 63]);
}

/* In the hot loop some loads fault. */
__attribute__((noinline)) static void probe(long **bad, int kinds)
{
    long sum = 0;
    for (int i = 0; i < 4000000; i++) sum += load(i % 1000 ? &good[i & 63] : bad[i / 1000 % kinds]);
    printf("%ld: SIGSEGV %ld %ld, SIGBUS %ld, other %ld\\n", sum, faults[0][1], faults[0][2], faults[1][2], others);
}

/* A null pointer, a guard page, nothing, the page after a file's end, and beyond everything. */
static int probe_all(void)
{
    char *pages = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, 1, 4 * 4096);
    mprotect(pages + 4096, 4096, PROT_NONE);
    munmap(pages + 2 * 4096, 4096);
    int file = memfd_create("file", 0);
    if (ftruncate(file, 4096)) return 1;
    char *mapped = mmap(0, 2 * 4096, PROT_READ, MAP_PRIVATE, file, 0);
    char *bad[] = { 0, pages + 4096, pages + 2 * 4096, mapped + 4096, (char *)0x7fffff000 };
    probe((long **)bad, 5);
    return 0;
}

static int status_of(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) < 0) return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

__attribute__((noinline)) static long deep(volatile long *above, long more)
{
    volatile long here[64];
    here[0] = *above + 1;
    return more ? deep(here, more - 1) + here[0] : 0;
}

static int run(const char *what, char **argv)
{
    if (!strcmp(what, "overflow")) {
        for (int i = 0; i < 40000; i++) sink += deep(good, 100);
        return deep(good, -1);
    }
    if (!strcmp(what, "handled")) {
        handle();
        warm();
        return probe_all();
    }
    warm();
    if (!strcmp(what, "null")) return load(0);
    if (!strcmp(what, "field")) return load((long *)0xfff8);
    if (!strcmp(what, "border") || !strcmp(what, "below")) {
        /* The program itself begins where the lowest addresses end. */
        char *border = (char *)0x10000, *at = (char *)good;
        for (int i = 0; i < 20000000; i++) sink += above(at - 0x700) + below(at + 8);
        printf("%#lx\\n", above(border - 0x700) & 0xffffffff);
        return what[1] == 'o' ? 0 : below(border);
    }
    if (!strcmp(what, "beyond")) return load((long *)-4096);
    if (!strcmp(what, "store")) {
        for (long i = 0; i < 40000000; i++) ((volatile long *)good)[i & 63] = i;
        *(volatile long *)(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) = 1;
        return 1;
    }
    if (!strcmp(what, "late")) {
        handle();
        return probe_all();
    }
    if (!strcmp(what, "shared")) {
        char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        munmap(page, 4096);
        warm();
        return load((long *)page);
    }
    if (!strcmp(what, "fork")) {
        /* A child without a handler is killed, and its parent is none the worse for it. */
        for (int i = 0; i < 2; i++) {
            pid_t child = fork();
            if (!child) warm(), _exit(load(i ? (long *)-4096 : 0));
            printf("%d\\n", status_of(child));
        }
        handle();
        pid_t child = fork();
        if (!child) warm(), exit(probe_all());
        printf("%d\\n", status_of(child));
        return probe_all();
    }
    if (!strcmp(what, "exec")) {
        handle();
        if (load(0) != -1) return 1;
        execl("/proc/self/exe", argv[0], "null", (char *)0);
    }
    return 99;
}

int main(int argc, char **argv)
{
    setlinebuf(stdout);
    for (int i = 0; i < 64; i++) good[i] = i;
    return argc > 1 ? run(argv[1], argv) : 99;
}
`;

const chromium = fileURLToPath(new URL('../bench/chromium.mjs', import.meta.url));
const runner = join(assets, 'run.mjs');

let dir;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-faults-'));
  writeFileSync(join(dir, 'program.c'), SOURCE);
  execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-o', join(dir, 'program'), join(dir, 'program.c')]);
  execFileSync(program('friscy-pack'), ['-q', '--assets', assets, '-o', join(dir, 'bundle'), join(dir, 'program')]);
});
after(() => dir && rmSync(dir, { recursive: true, force: true }));

function run(what, script = runner) {
  const words = [script, '--time', join(dir, 'bundle'), what];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: 120_000 });
  const time = /^program-time (\{.*\})\n/.exec(stderr);
  const modules = time ? JSON.parse(time[1]).modules : undefined;
  // Chromium's page does not say what it compiled.
  assert.notEqual(modules, 0, 'nothing was compiled');
  return { stdout, stderr: stderr.slice(time?.[0].length), status };
}

const killed = { stdout: '', stderr: '', status: 128 + 11 };

for (const what of ['null', 'field', 'beyond', 'overflow', 'store', 'shared', 'exec']) {
  test(`${what}: killed by SIGSEGV`, { skip: oldNode }, () => {
    assert.deepEqual(run(what), killed);
  });
}

test('border: what lies right above the lowest addresses is loaded', { skip: oldNode }, () => {
  assert.deepEqual(run('border'), { stdout: '0x464c457f\n', stderr: '', status: 0 });
});

test('below: killed by SIGSEGV', { skip: oldNode }, () => {
  assert.deepEqual(run('below'), { ...killed, stdout: '0x464c457f\n' });
});

// 4000 loads fault, 800 of each kind, and each gives -1; the others add up.
const probed = '125884000: SIGSEGV 2400 800, SIGBUS 800, other 0\n';

for (const what of ['handled', 'late']) {
  test(`${what}: each fault is handled`, { skip: oldNode }, () => {
    assert.deepEqual(run(what), { stdout: probed, stderr: '', status: 0 });
  });
}

const forked = { stdout: `139\n139\n${probed}0\n${probed}`, stderr: '', status: 0 };

test('fork: a child has its parent\'s handlers', { skip: oldNode }, () => {
  assert.deepEqual(run('fork'), forked);
});

test('Chromium gives the same', () => {
  assert.deepEqual(run('null', chromium), killed);
  assert.deepEqual(run('beyond', chromium), killed);
  assert.deepEqual(run('fork', chromium), forked);
});
