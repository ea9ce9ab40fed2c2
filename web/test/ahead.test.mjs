// Code that friscy-pack compiled ahead of time, under node: it runs, and programs do what they do without.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assets, oldNode, program } from './harness.mjs';

/** Calls functions of its own and of the C library until code that was compiled ahead of time is surely there. */
const SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

__attribute__((noinline)) static unsigned round_of(unsigned seed) {
  static char texts[64][24];
  char *sorted[64];
  for (int i = 0; i < 64; i++) {
    seed = seed * 1664525 + 1013904223;
    snprintf(texts[i], sizeof texts[i], "%08x-%d", seed, i);
    sorted[i] = texts[i];
  }
  qsort(sorted, 64, sizeof *sorted, compare);
  for (int i = 0; i < 64; i++) seed ^= (unsigned)strtoul(sorted[i], NULL, 16) << i % 8;
  return seed;
}

/* Multiplies and adds in one where the browser does. */
__attribute__((noinline)) static double polynomial(double x, int n) {
  double y = 1;
  for (int i = 0; i < n; i++) y = y * x + i;
  return y;
}

int main(int argc, char **argv) {
  unsigned seed = 1, sum = 0;
  time_t start = time(NULL);
  for (int n = 0; n < 200; n++) sum += seed = round_of(seed);
  while (time(NULL) - start < 4) round_of(7);
  for (int n = 0; n < 20000; n++) sum += (unsigned)polynomial(0.3 + n * 1e-5, 100);
  for (int child = 0; child < 3; child++) {
    fflush(stdout);
    if (fork() == 0) {
      for (int n = 0; n < 400; n++) sum += seed = round_of(seed + child);
      printf("child %d %08x\\n", child, sum);
      return 0;
    }
    wait(NULL);
  }
  printf("%d %08x\\n", argc, sum);
  return 0;
}
`;

let dir;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-ahead-'));
  writeFileSync(join(dir, 'source.c'), SOURCE);
});
after(() => dir && rmSync(dir, { recursive: true, force: true }));

/** Packs an image with and without code compiled ahead of time, and runs both. */
function both(image, command = []) {
  const env = { ...process.env, FRISCY_CACHE: join(dir, 'cache') };
  const run = (flags, name) => {
    const bundle = join(dir, name);
    execFileSync(program('friscy-pack'), ['-q', ...flags, '--assets', assets, '-o', bundle, image, ...command], { env });
    const ran = spawnSync(process.execPath, [join(assets, 'run.mjs'), '--time', bundle], { encoding: 'utf8', input: '' });
    const told = /program-time (\{.*\})/.exec(ran.stderr);
    assert.ok(told, ran.stderr);
    return { bundle, ...ran, ...JSON.parse(told[1]) };
  };
  return { plain: run([], 'plain'), ahead: run(['--aot'], 'ahead') };
}

function check({ plain, ahead }, least) {
  assert.equal(plain.status, 0, plain.stderr);
  assert.equal(ahead.status, 0, ahead.stderr);
  assert.match(ahead.stdout, /^(child \d [0-9a-f]{8}\n){3}1 [0-9a-f]{8}\n$/);
  assert.equal(ahead.stdout, plain.stdout);
  assert.equal(plain.found_ahead, 0);
  assert.ok(ahead.found_ahead >= least, `${ahead.found_ahead} functions ran code that was compiled ahead of time`);
}

test('a static program', { skip: oldNode }, () => {
  const path = join(dir, 'static');
  execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-o', path, join(dir, 'source.c')]);
  const ran = both(path);
  check(ran, 20);
  // The same image gives the same bytes, from the cache or not.
  const first = readFileSync(join(ran.ahead.bundle, 'manifest.json'));
  assert.equal(JSON.parse(first).modules.length, 1);
  for (const cache of ['cache', 'another']) {
    const env = { ...process.env, FRISCY_CACHE: join(dir, cache) };
    execFileSync(program('friscy-pack'), ['-q', '--aot', '--assets', assets, '-o', join(dir, 'again'), path], { env });
    assert.deepEqual(readFileSync(join(dir, 'again/manifest.json')), first);
  }
});

test('a program and its libraries, loaded anywhere', { skip: oldNode }, () => {
  const root = join(dir, 'root');
  mkdirSync(join(root, 'lib'), { recursive: true });
  for (const name of ['ld-linux-riscv64-lp64d.so.1', 'libc.so.6']) {
    cpSync(join('/usr/riscv64-linux-gnu/lib', name), join(root, 'lib', name), { dereference: true });
  }
  execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-fPIE', '-pie', '-o', join(root, 'program'), join(dir, 'source.c')]);
  const ran = both(root, ['/program']);
  check(ran, 60);
  assert.equal(JSON.parse(readFileSync(join(ran.ahead.bundle, 'manifest.json'))).modules.length, 3);
});
