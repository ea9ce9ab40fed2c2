// Faults, shared memory, many processes and threads in the page: with the memories there are by default, and with two.
// qemu-user prints the same for faults.c but for the overflow of the main stack, where Linux says SEGV_MAPERR and qemu,
// which puts a page without permissions there, SEGV_ACCERR. shared.c prints the same on Linux, x86-64; qemu-user has no
// robust mutexes. limits.c says what mmap(2), open(2) and fork(2) answer past their limits.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Site } from './harness.mjs';

const sources = fileURLToPath(new URL('../../tests/page/', import.meta.url));
const names = ['faults', 'shared', 'limits'];

let dir;
let site;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-memory-'));
  for (const folder of ['tmp', 'dev/shm']) mkdirSync(join(dir, folder), { recursive: true });
  for (const name of names) {
    const flags = ['-O1', '-static', '-pthread', '-fno-optimize-sibling-calls', '-Wno-infinite-recursion'];
    execFileSync('riscv64-linux-gnu-gcc', [...flags, '-o', join(dir, name), `${sources}${name}.c`]);
  }
  site = await Site.start({ image: dir, command: ['/faults'] });
});
after(async () => {
  await site?.stop();
  if (dir) rmSync(dir, { recursive: true, force: true });
});

for (const name of names) {
  for (const query of name === 'limits' ? [''] : ['', '?pool=2']) {
    test(`${name}${query}`, async () => {
      const tab = await site.open({ query, entry: { argv: [`/${name}`], env: [] } });
      await tab.reach('exited', 300_000);
      assert.equal(String(await tab.output()).replaceAll('\r\n', '\n'), readFileSync(`${sources}${name}.out`, 'utf8'));
      assert.equal(await tab.page.textContent('#status-text'), 'Exited · 0');
      assert.deepEqual(tab.problems, []);
      await tab.close();
    });
  }
}
