// The conformance programs in the page: what they print and the status they end with is what the referee wrote for the
// native tests (tests/programs). Programs that print what depends on package versions are compared with `friscy run`.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as cpython from './cpython.mjs';
import { Site, program, rootfs } from './harness.mjs';

let site;
before(async () => {
  site = await Site.start();
});
after(() => site?.stop());

/** Of the native tests: `FRISCY_PROGRAM_TESTS=large` means the programs of the larger root file system here, too. */
const large = process.env.FRISCY_PROGRAM_TESTS ?? '';
const folder = fileURLToPath(new URL(`../../tests/programs/${large && `${large}/`}`, import.meta.url));
const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name);

/** As in tests/tests/programs.rs. */
const COMMANDS = {
  '.sh': (text) => ['/bin/bash', '-c', text],
  '.busybox': (text) => ['busybox', 'sh', '-c', text],
  '.dash': (text) => ['dash', '-c', text],
  '.py': (text) => ['python3', '-c', text],
  '.pl': (text) => ['perl', '-e', text],
  '.lua': (text) => ['lua5.4', '-e', text],
  '.awk': (text) => ['gawk', text],
  '.sql': (text) => ['sqlite3', ':memory:', text],
};

/** Runs the rest of its arguments as the native tests do, and lets only what they print reach the terminal. */
const WRAPPER = '"$@" </dev/null >/run/printed 2>/run/errors; s=$?; stty -opost; cat /run/printed; exit $s';

/** Answers what a command printed and its status, and what the page said of problems. */
async function run(wrapper, command, limit) {
  const tab = await site.open({
    entry: {
      argv: ['/bin/bash', '-c', wrapper, 'wrapper', ...command],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=friscy', 'HOME=/root'],
      cwd: '/',
    },
  });
  try {
    await tab.reach('exited', limit);
    const status = /^Exited · (\d+)$/.exec(await tab.page.textContent('#status-text'));
    return { got: `${await tab.output()}exit status ${status?.[1]}\n`, problems: tab.problems };
  } finally {
    await tab.close();
  }
}

for (const name of files.filter((name) => !name.endsWith('.out')).sort()) {
  test(name, async () => {
    const text = readFileSync(folder + name, 'utf8');
    const command = COMMANDS[extname(name)](text);
    let want;
    if (existsSync(`${folder}${name}.out`)) {
      want = readFileSync(`${folder}${name}.out`, 'utf8');
    } else {
      const native = spawnSync(program('friscy'), ['run', rootfs(), ...command], { input: '', maxBuffer: 1 << 28 });
      want = `${native.stdout}exit status ${native.status}\n`;
    }
    const { got, problems } = await run(WRAPPER, command, 900_000);
    assert.equal(got, want);
    assert.deepEqual(problems, []);
  });
}

/** As the native run of these tests has it: without a terminal, with all that is printed in one place. */
const LOGGED = 'stty -opost; "$@" </dev/null 2>&1 | cat; exit ${PIPESTATUS[0]}';

for (const group of large ? cpython.GROUPS : []) {
  test(`cpython ${group.module}${group.match ? `: ${group.match.join(', ')}` : ''}`, async (t) => {
    const start = performance.now();
    const { got, problems } = await run(LOGGED, cpython.command(group), 1_500_000);
    const outcome = cpython.outcome(got);
    t.diagnostic(`${JSON.stringify(outcome)} in ${Math.round((performance.now() - start) / 1000)} s`);
    // What failed is said at the end, and what it printed before that.
    assert.ok(outcome, got.slice(-4000));
    assert.equal(outcome.failed, 0, got.slice(-20_000));
    assert.match(got, /^Result: SUCCESS\nexit status 0\n$/m, got.slice(-4000));
    assert.ok(outcome.run >= group.atLeast, `${outcome.run} tests`);
    assert.deepEqual(problems, []);
  });
}

/** Debian's musl in a root file system of its own: the library, which is the loader, and a program, as in tests/tests/loading.rs. */
test('a dynamic program of musl', { skip: large !== '' }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'friscy-musl-'));
  let own;
  try {
    const image = join(dir, 'root');
    mkdirSync(join(image, 'lib'), { recursive: true });
    const loader = join(image, 'lib/ld-musl-riscv64.so.1');
    if (rootfs().endsWith('.tar')) {
      execFileSync('tar', ['-xf', rootfs(), '-C', dir, '--wildcards', '*usr/lib/riscv64-linux-musl/libc.so']);
      copyFileSync(join(dir, 'usr/lib/riscv64-linux-musl/libc.so'), loader);
    } else {
      copyFileSync(join(rootfs(), 'usr/lib/riscv64-linux-musl/libc.so'), loader);
    }
    // The library has no soname: the name that it is linked by is the name that the loader looks for.
    copyFileSync(loader, join(dir, 'libc.so'));
    const source = fileURLToPath(new URL('../../tests/loading/musl.c', import.meta.url));
    const flags = [
      '-O2', '-pie', '-fPIE', '-nostdlib', '-nostdinc', '-fno-builtin', '-fno-stack-protector',
      '-Wl,--dynamic-linker=/lib/ld-musl-riscv64.so.1', '-Wl,--hash-style=both',
    ];
    execFileSync('riscv64-linux-gnu-gcc', ['-o', join(image, 'program'), source, ...flags, `-L${dir}`, '-l:libc.so']);
    const args = ['one', 'two words'];
    const referee = spawnSync('qemu-riscv64-static', ['-L', image, '-E', 'A=1', join(image, 'program'), ...args]);
    assert.equal(referee.status, 3, String(referee.stderr));

    own = await Site.start({ image, command: ['/program', ...args] });
    const tab = await own.open({ entry: { env: ['A=1'] } });
    await tab.reach('exited');
    assert.equal(await tab.page.textContent('#status-text'), 'Exited · 3');
    // The terminal ends lines with a carriage return too.
    assert.equal(String(await tab.output()).replaceAll('\r\n', '\n'), String(referee.stdout));
    assert.deepEqual(tab.problems, []);
    await tab.close();
  } finally {
    await own?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
