// The kernels of friscy-bench print the same natively, in the page's engine under node, and compiled straight to wasm, at
// a hundredth of their work.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assets, oldNode, program } from './harness.mjs';

const PART = '0.01';
const kernels = fileURLToPath(new URL('../../bench/kernels', import.meta.url));
const wasi = fileURLToPath(new URL('../bench/wasi.mjs', import.meta.url));

let dir;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-kernels-'));
});
after(() => dir && rmSync(dir, { recursive: true, force: true }));

const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', timeout: 300_000 });

for (const path of readdirSync(kernels, { recursive: true }).filter((path) => path.endsWith('.c')).sort()) {
  test(path, { skip: oldNode }, () => {
    const source = join(kernels, path);
    const made = (kind) => join(dir, `${basename(path, '.c')}.${kind}`);
    run('gcc', '-O2', '-o', made('native'), source, '-lm');
    const want = run(made('native'), PART);
    run('riscv64-linux-gnu-gcc', '-O2', '-static', '-o', made('guest'), source, '-lm');
    run(program('friscy-pack'), '-q', '--assets', assets, '-o', made('bundle'), made('guest'));
    assert.equal(run(process.execPath, join(assets, 'run.mjs'), made('bundle'), PART), want);
    // WASI has not what these need; flags are those of bench/src/kernels.rs.
    if (path.startsWith('system')) return;
    run('clang', '--target=wasm32-wasi', '-O2', '-Wl,-z,stack-size=8388608', '-o', made('wasm'), source, '-lm');
    assert.equal(run(process.execPath, wasi, made('wasm'), PART), want);
  });
}
