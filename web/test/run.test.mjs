// The runners for node and for Chromium: a static program's output, arguments, input and status.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assets, oldNode, program } from './harness.mjs';

const SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* Whether something is typed while it is busy. */
static int busy(void)
{
    char typed;
    time_t end = time(0) + 4;
    fcntl(0, F_SETFL, O_NONBLOCK);
    puts("busy");
    fflush(stdout);
    while (read(0, &typed, 1) < 1)
        if (time(0) > end) return 1;
    return 0;
}

int main(int argc, char **argv)
{
    char line[80];
    if (argc > 1 && !strcmp(argv[1], "busy")) return busy();
    printf("%d\\n\\r\\nhalf", argc);
    for (int i = 1; i < argc; i++) printf(" %s", argv[i]);
    printf("\\r");
    fflush(stdout);
    if (argc > 1 && !strcmp(argv[1], "read"))
        while (fgets(line, sizeof line, stdin)) printf("read %s", line);
    if (argc > 1 && !strcmp(argv[1], "abort")) abort();
    return argc + 40;
}
`;

let dir;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-run-'));
  writeFileSync(join(dir, 'program.c'), SOURCE);
  execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-o', join(dir, 'program'), join(dir, 'program.c')]);
  const pack = ['-q', '--assets', assets, '-o', join(dir, 'bundle'), join(dir, 'program'), 'packed'];
  execFileSync(program('friscy-pack'), pack);
});
after(() => dir && rmSync(dir, { recursive: true, force: true }));

const chromium = fileURLToPath(new URL('../bench/chromium.mjs', import.meta.url));

function run(args, input = '', runner = join(assets, 'run.mjs')) {
  const words = [runner, ...args];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { input, encoding: 'utf8', timeout: 60_000 });
  return { stdout, stderr, status };
}

test('a program prints and ends as it does elsewhere', { skip: oldNode }, () => {
  assert.deepEqual(run([join(dir, 'bundle')]), { stdout: '2\n\r\nhalf packed\r', stderr: '', status: 42 });
});

test('arguments replace those of the bundle', { skip: oldNode }, () => {
  assert.deepEqual(run([join(dir, 'bundle'), 'a b', 'c']), { stdout: '3\n\r\nhalf a b c\r', stderr: '', status: 43 });
});

test('input is typed', { skip: oldNode }, () => {
  // The terminal echoes it, as early as it comes.
  const { stdout, status } = run([join(dir, 'bundle'), 'read'], 'one\n');
  assert.match(stdout, /half read\r/);
  assert.match(stdout, /read one\n/);
  assert.equal(status, 42);
});

test('input reaches a program that is busy', { skip: oldNode }, async () => {
  const child = spawn(process.execPath, [join(assets, 'run.mjs'), join(dir, 'bundle'), 'busy'], { timeout: 60_000 });
  child.stdout.once('data', () => child.stdin.write('\n'));
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
});

test('a signal is in the status', { skip: oldNode }, () => {
  assert.equal(run([join(dir, 'bundle'), 'abort']).status, 128 + 6);
});

test('Chromium gives the same', () => {
  const { stdout, stderr, status } = run(['--time', join(dir, 'bundle'), 'a b', 'c'], '', chromium);
  assert.deepEqual({ stdout, status }, { stdout: '3\n\r\nhalf a b c\r', status: 43 });
  assert.match(stderr, /^program-time \{.*\}\n$/);
  assert.equal(run([join(dir, 'bundle'), 'abort'], '', chromium).status, 128 + 6);
});

test('the time is told', { skip: oldNode }, () => {
  const { stderr } = run(['--time', join(dir, 'bundle')]);
  const time = JSON.parse(/^program-time (\{.*\})\n$/.exec(stderr)[1]);
  assert.deepEqual(Object.keys(time), ['wall_seconds', 'cpu_seconds', 'modules', 'found_ahead']);
  assert.ok(time.wall_seconds > 0 && time.cpu_seconds > 0 && time.wall_seconds < 30, stderr);
});

test('what is wrong is told', { skip: oldNode }, () => {
  const { stdout, stderr, status } = run([join(dir, 'nothing')]);
  assert.deepEqual({ stdout, status }, { stdout: '', status: 125 });
  assert.match(stderr, /^There is no bundle here\. file:.*nothing\/manifest\.json: 404 ENOENT\n$/);
  assert.equal(run([]).status, 125);
});
