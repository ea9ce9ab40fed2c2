// Code that is compiled in the page, under node: it is, and a program does what it does natively.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assets, oldNode, program } from './harness.mjs';

const calls = fileURLToPath(new URL('../../tests/calls', import.meta.url));

let dir;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-compiled-'));
});
after(() => dir && rmSync(dir, { recursive: true, force: true }));

/** Compiles a program for the guest, and runs it natively, interpreted, and in the page's engine. */
function both(name, flags = []) {
  const path = join(dir, name);
  execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-o', path, ...flags, join(calls, `${name}.c`)]);
  const native = spawnSync(program('friscy'), ['run', '--tier', 'interp', path]);
  const pack = ['-q', '--assets', assets, '-o', `${path}.bundle`, path];
  execFileSync(program('friscy-pack'), pack);
  const page = spawnSync(process.execPath, [join(assets, 'run.mjs'), '--time', `${path}.bundle`]);
  const time = /program-time (\{.*\})/.exec(page.stderr);
  assert.ok(time, `${page.stderr}`);
  return { native, page, modules: JSON.parse(time[1]).modules };
}

test('code that a program writes itself, and writes anew', { skip: oldNode }, () => {
  const { native, page, modules } = both('written');
  assert.equal(native.status, 0);
  assert.equal(page.status, 0, `${page.stderr}`);
  assert.equal(page.stdout.toString(), native.stdout.toString());
  assert.ok(modules > 0, 'nothing was compiled');
});
