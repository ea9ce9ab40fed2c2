// Profiles of what runs in the page: the commands read them, and they agree with those of native runs.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Site, assets, oldNode, program, rootfs } from './harness.mjs';

/** Two thirds of its instructions are in `hot`, a third in `warm`, in processes of its own at that. */
const SHARES = `
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static unsigned hot(unsigned s, int n) {
  for (int i = 0; i < n; i++) { s = s * 1664525 + 1013904223; s ^= s >> 7; }
  return s;
}
__attribute__((noinline)) static unsigned warm(unsigned s, int n) {
  for (int i = 0; i < n; i++) { s = s * 22695477 + 1; s ^= s >> 9; }
  return s;
}
/* Never called: no profile may have it. */
__attribute__((noinline, used)) static unsigned cold(unsigned s) { return s * 3; }

int main(void) {
  unsigned s = 1;
  for (int n = 0; n < 20; n++) {
    s = hot(s, 1000000);
    fflush(stdout);
    if (fork() == 0) {
      printf("%08x\\n", warm(s, 500000));
      return 0;
    }
    wait(NULL);
  }
  return 0;
}
`;

/** Changes its own code, which is of no file then. */
const CHANGED = `
#include <stdio.h>
#include <stdint.h>
#include <sys/mman.h>

__attribute__((noinline, aligned(4096))) static unsigned changed(unsigned s, int n) {
  for (int i = 0; i < n; i++) { s = s * 1664525 + 1013904223; s ^= s >> 7; }
  return s;
}

int main(void) {
  unsigned char *page = (unsigned char *)((uintptr_t)changed & ~(uintptr_t)4095);
  if (mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC)) return 1;
  *(volatile unsigned char *)page = *(volatile unsigned char *)page;
  __builtin___clear_cache((char *)page, (char *)page + 4096);
  printf("%08x\\n", changed(1, 20000000));
  return 0;
}
`;

const PYTHON = 'import zlib\nfor i in range(300000): str(i)\nprint(zlib.crc32(b"x" * 3000000))';
const COMMAND = ['/bin/sh', '-c', 'python3 -c "$1" && seq 20000 | sort -rn | head -n 1', 'sh', PYTHON];
const PRINTED = '4041822095\n20000\n';

const chromium = fileURLToPath(new URL('../bench/chromium.mjs', import.meta.url));

let dir;
let env;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'friscy-profile-'));
  env = { ...process.env, FRISCY_CACHE: join(dir, 'cache') };
});
after(() => dir && rmSync(dir, { recursive: true, force: true }));

function friscy(...args) {
  return execFileSync(program('friscy'), args, { encoding: 'utf8', env, maxBuffer: 1 << 28 });
}

function compile(name, source) {
  const path = join(dir, name);
  writeFileSync(`${path}.c`, source);
  execFileSync('riscv64-linux-gnu-gcc', ['-O1', '-static', '-o', path, `${path}.c`]);
  return path;
}

function pack(name, ...args) {
  const bundle = join(dir, name);
  execFileSync(program('friscy-pack'), ['-q', '--assets', assets, '-o', bundle, ...args], { env });
  return bundle;
}

/** Runs a bundle by a runner, which says on standard error how long that took. */
function run(runner, ...args) {
  const ran = spawnSync(process.execPath, [runner, '--time', ...args], { encoding: 'utf8', input: '', maxBuffer: 1 << 26 });
  assert.equal(ran.status, 0, ran.stderr);
  return { stdout: ran.stdout, ...JSON.parse(/program-time (\{.*\})/.exec(ran.stderr)[1]) };
}

const node = join(assets, 'run.mjs');

/**
 * A profile by its text: totals, and of each module its paths and the counts of its blocks by address; without the vDSO,
 * which is no file in the page.
 */
function read(path) {
  const profile = { retired: 0, elsewhere: 0, labels: [], modules: new Map() };
  let module;
  for (const line of friscy('prof', 'text', path).split('\n')) {
    const [what, ...words] = line.split(' ');
    const rest = words.join(' ');
    if (what === 'retired' || what === 'elsewhere') profile[what] = Number(rest);
    else if (what === 'label') profile.labels.push(rest);
    else if (what === 'module') profile.modules.set(rest, (module = { paths: [], blocks: new Map() }));
    else if (what === 'soname') module.soname = rest;
    else if (what === 'path') module.paths.push(rest);
    else if (what === 'block') module.blocks.set(words[0], Number(words[4]));
  }
  for (const [id, { soname }] of profile.modules) if (soname === 'linux-vdso.so.1') profile.modules.delete(id);
  const blocks = [...profile.modules.values()].flatMap(({ blocks }) => [...blocks.values()]);
  profile.counted = blocks.reduce((sum, count) => sum + count, 0);
  return profile;
}

/** The share of what is known to run, of `of`, that `other` knows as well. */
function shared(of, other) {
  const all = [...of.modules].flatMap(([id, { blocks }]) => [...blocks.keys()].map((block) => [id, block]));
  return all.filter(([id, block]) => other.modules.get(id)?.blocks.has(block)).length / all.length;
}

/** Checks that two profiles are of about the same run. */
function agree(page, native, { overlap, blocks }) {
  const [ours, theirs] = [read(page), read(native)];
  assert.deepEqual([...ours.modules.keys()].sort(), [...theirs.modules.keys()].sort());
  for (const [id, { paths }] of ours.modules) assert.deepEqual(paths, theirs.modules.get(id).paths);
  const ratio = ours.retired / theirs.retired;
  assert.ok(ratio > 0.95 && ratio < 1.05, `${ours.retired} and ${theirs.retired} instructions`);
  for (const { counted, elsewhere, retired } of [ours, theirs]) {
    assert.ok(counted + elsewhere <= retired, `${counted} and ${elsewhere} of ${retired}`);
    assert.ok(counted > 0.98 * retired, `${counted} and ${elsewhere} of ${retired}`);
  }
  const alike = Number(/^overlap +([\d.]+) %/.exec(friscy('prof', 'diff', page, native))[1]);
  assert.ok(alike >= overlap, `an overlap of ${alike} %`);
  for (const share of [shared(ours, theirs), shared(theirs, ours)]) assert.ok(share >= blocks, `${share} of the blocks`);
}

/** Checks that a profile is of {@link SHARES}. */
function checkShares(profile, path) {
  const shown = friscy('prof', 'show', profile, path);
  const share = (name) => Number(new RegExp(`^ *([\\d.]+) % .* ${name} in `, 'm').exec(shown)?.[1]);
  assert.ok(Math.abs(share('hot') - 66.6) < 2, shown);
  assert.ok(Math.abs(share('warm') - 33.3) < 2, shown);
  assert.doesNotMatch(friscy('prof', 'show', '-n', '100000', profile, path), / cold in /);
}

test('functions have the shares that they have, in all processes, and code ahead of time is made of it', { skip: oldNode }, () => {
  const path = compile('shares', SHARES);
  const plain = pack('plain', path);
  const [profile, native] = [join(dir, 'shares.prof'), join(dir, 'shares-native.prof')];
  const without = run(node, plain);
  const { stdout, modules } = run(node, '--profile-out', profile, plain);
  assert.equal(stdout, without.stdout);
  assert.ok(modules > 0, 'code was compiled meanwhile');
  checkShares(profile, path);
  friscy('run', '--profile-out', native, path);
  checkShares(native, path);
  agree(profile, native, { overlap: 95, blocks: 0.95 });

  const ahead = pack('ahead', '--aot', '--profile', profile, path);
  const { first, then } = JSON.parse(readFileSync(join(ahead, 'manifest.json'), 'utf8'));
  assert.deepEqual(then, [], `the program itself is among the first ${first.length} chunks`);
  const quick = run(node, ahead);
  assert.equal(quick.stdout, without.stdout);
  assert.ok(quick.found_ahead > 0, 'code that the profile chose runs');
  // What is compiled ahead of time is not used while a profile is recorded: such code does not tell what of it ran.
  const again = join(dir, 'again.prof');
  const recorded = run(node, '--profile-out', again, ahead);
  assert.equal(recorded.stdout, without.stdout);
  assert.equal(recorded.found_ahead, 0);
  agree(again, native, { overlap: 95, blocks: 0.95 });
});

const byAddress = ([, a], [, b]) => Number(a) - Number(b);

/** Where the executable bytes of an ELF file with one such segment are: in the file, and in memory (ELF-64, "Program header"). */
function codeOf(elf) {
  const [table, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  for (let at = table; at < table + size * count; at += size) {
    const [type, flags] = [elf.readUInt32LE(at), elf.readUInt32LE(at + 4)];
    if (type === 1 && flags & 1) return { offset: Number(elf.readBigUInt64LE(at + 8)), address: Number(elf.readBigUInt64LE(at + 16)) };
  }
  throw new Error('no executable segment');
}

/** Makes another profile of one: `change` gets and answers the lines of its blocks, as lists of words. */
function forge(name, profile, change) {
  const lines = friscy('prof', 'text', profile).trimEnd().split('\n');
  const rest = lines.filter((line) => !line.startsWith('block '));
  const blocks = change(lines.filter((line) => line.startsWith('block ')).map((line) => line.split(' ')));
  const [text, made] = [join(dir, `${name}.txt`), join(dir, `${name}.prof`)];
  writeFileSync(text, `${[...rest, ...blocks.map((words) => words.join(' '))].join('\n')}\n`);
  friscy('prof', 'text', '-o', made, text);
  return made;
}

test('a profile that is wrong changes nothing that a program does', { skip: oldNode }, () => {
  const path = compile('stale', SHARES);
  const elf = readFileSync(path);
  const profile = join(dir, 'stale.prof');
  const { stdout } = run(node, '--profile-out', profile, pack('stale-plain', path));

  // Of another program; addresses changed among blocks, so that hardly any has its own bytes; blocks that begin and end two
  // bytes further on, often within instructions, with the hashes of the bytes there; and cold ones for hot ones.
  const other = join(dir, 'other.prof');
  run(node, '--profile-out', other, pack('other-bundle', compile('other', CHANGED)));
  const shuffled = forge('shuffled', profile, (blocks) => {
    const offsets = blocks.map(([, offset]) => offset);
    return blocks.map(([what, , ...more], i) => [what, offsets[(i + 7) % offsets.length], ...more]).sort(byAddress);
  });
  const { offset, address } = codeOf(elf);
  const shifted = forge('shifted', profile, (blocks) => blocks.map(([what, at, len, , ...more]) => {
    const start = Number(at) + 2;
    const bytes = elf.subarray(start - address + offset, start - address + offset + Number(len));
    return [what, `0x${start.toString(16)}`, len, createHash('sha256').update(bytes).digest('hex').slice(0, 16), ...more];
  }));
  const inverted = forge('inverted', profile, (blocks) =>
    blocks.map(([what, at, len, hash, loose, count, phases]) => [what, at, len, hash, loose, String(count === '0' ? 100_000 : 1), phases]));

  for (const [name, wrong, least, most] of [
    ['other', other, 100, 100],
    ['shuffled', shuffled, 90, 100],
    ['shifted', shifted, 0, 0],
    ['inverted', inverted, 0, 0],
  ]) {
    const bundle = join(dir, `stale-${name}`);
    const packed = spawnSync(program('friscy-pack'), ['--aot', '--profile', wrong, '--assets', assets, '-o', bundle, path], { encoding: 'utf8', env });
    assert.equal(packed.status, 0, packed.stderr);
    const told = /^friscy-pack: ([\d.]+) % of the profile's instructions are not used/m.exec(packed.stderr);
    const share = Number(told?.[1] ?? 0);
    assert.ok(share >= least && share <= most, `${name}: ${packed.stdout}${packed.stderr}`);
    const chosen = Number(/^(\d+) of \d+ functions in \d files compiled, /m.exec(packed.stdout)[1]);
    assert.equal(chosen > 0, share < 100, `${name}: ${packed.stdout}`);
    assert.equal(run(node, bundle).stdout, stdout, name);
  }
});

test('code that changed is of no file', { skip: oldNode }, () => {
  const path = compile('changed', CHANGED);
  const profile = join(dir, 'changed.prof');
  const { stdout } = run(node, '--profile-out', profile, pack('changing', path));
  assert.match(stdout, /^[0-9a-f]{8}\n$/);
  const { elsewhere, retired } = read(profile);
  assert.ok(elsewhere > 0.95 * retired, `${elsewhere} of ${retired}`);
});

test('files of programs and libraries, as natively', { skip: oldNode }, () => {
  const [profile, native] = [join(dir, 'debian.prof'), join(dir, 'debian-native.prof')];
  const { stdout } = run(node, '--profile-out', profile, pack('debian', rootfs(), ...COMMAND));
  assert.equal(stdout, PRINTED);
  assert.equal(friscy('run', '--profile-out', native, rootfs(), ...COMMAND), PRINTED);
  agree(profile, native, { overlap: 80, blocks: 0.9 });
  const { labels, modules } = read(profile);
  assert.ok(labels[0].startsWith('/bin/sh -c python3'), labels[0]);
  const paths = [...modules.values()].flatMap((module) => module.paths).join('\n');
  for (const file of [/\/dash$|\/sh$/m, /\/python3/, /\/libz\.so\.1/, /\/libc\.so\.6/, /\/sort$/m, /ld-linux-riscv64/]) assert.match(paths, file);
  const folder = rootfs().replace(/\.tar$/, '');
  assert.ok(existsSync(folder), `${folder}: cargo xtask test unpacks it`);
  assert.match(friscy('prof', 'show', '--root', folder, '-n', '5', profile), /_PyEval_EvalFrameDefault in .*python3/);
});

test('what is wrong is told before anything runs', { skip: oldNode }, () => {
  const bundle = pack('wrong-bundle', compile('wrong', 'int main(void) { return 0; }'));
  for (const [file, message] of [[join(dir, 'none/run.prof'), /ENOENT/], [dir, /not a regular file/]]) {
    const { status, stderr } = spawnSync(process.execPath, [node, '--profile-out', file, bundle], { encoding: 'utf8' });
    assert.equal(status, 125);
    assert.match(stderr, message);
  }
  assert.equal(spawnSync(process.execPath, [node, '--profile-out']).status, 125);
  assert.deepEqual(readdirSync(dir).filter((name) => name.startsWith('.friscy-')), []);
});

test('the page in Chromium', async () => {
  const path = compile('page', SHARES);
  const profile = join(dir, 'page.prof');
  run(chromium, '--profile-out', profile, pack('page-bundle', path));
  checkShares(profile, path);

  const site = await Site.start();
  try {
    const saved = async (tab) => {
      const bytes = await tab.page.evaluate(async () => Array.from(await friscy.saveProfile()));
      const file = join(dir, 'tab.prof');
      writeFileSync(file, Buffer.from(bytes));
      return { file, ...read(file) };
    };
    const tab = await site.open({ query: '?profile', entry: { argv: ['/bin/bash', '--norc'] } });
    await tab.see(/[#$] ?$/);
    await tab.run('python3 -c "print(sum(i * i for i in range(100000)))"', /^333328333350000$/m);
    const first = await saved(tab);
    // While something runs.
    await tab.run('python3 -c "print(1 + 1, flush=True)\nwhile True: pass"', /^2$/m);
    const second = await saved(tab);
    assert.ok(second.retired > first.retired && first.retired > 1e7, `${first.retired}, then ${second.retired}`);
    assert.match(friscy('prof', 'show', second.file), /\/usr\/bin\/python3/);
    await tab.page.keyboard.press('Control+c');
    await tab.type('exit 3');
    await tab.reach('exited');
    assert.equal(await tab.page.textContent('#status-text'), 'Exited · 3');
    const last = await saved(tab);
    assert.ok(last.retired > second.retired);
    assert.ok([...last.modules.values()].some(({ paths }) => paths.includes('/usr/bin/bash')), 'bash is in it');
    assert.deepEqual(tab.problems, []);
    await tab.close();

    const other = await site.open();
    await other.see(/[#$] ?$/);
    const why = await other.page.evaluate(() => friscy.saveProfile().then(() => '', String));
    assert.match(why, /no profile is recorded: the page was opened without \?profile/);
    await other.close();
  } finally {
    await site.stop();
  }
});
