// The runner of programs that were compiled straight to wasm.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const runner = fileURLToPath(new URL('../bench/wasi.mjs', import.meta.url));
const SOURCE = `
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) printf("%s\\n", argv[i]);
    return argc + 40;
}
`;

let dir;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-wasi-'));
  writeFileSync(join(dir, 'program.c'), SOURCE);
  execFileSync('clang', ['--target=wasm32-wasi', '-O2', '-o', join(dir, 'program'), join(dir, 'program.c')]);
});
after(() => dir && rmSync(dir, { recursive: true, force: true }));

test('a program prints, ends with its status and tells its time', () => {
  const words = ['--no-liftoff', runner, '--time', join(dir, 'program'), 'a b', 'c'];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: 60_000 });
  assert.deepEqual({ stdout, status }, { stdout: 'a b\nc\n', status: 43 });
  const time = JSON.parse(/^program-time (\{.*\})\n$/.exec(stderr)[1]);
  assert.ok(time.wall_seconds > 0 && time.cpu_seconds > 0 && time.wall_seconds < 30, stderr);
});
