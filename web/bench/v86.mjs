// friscy's page engine beside v86, a PC with Linux in it, both under this node: `node bench/v86.mjs [OPTION…] [KERNEL…]`.
//
//     --work N      how much of each kernel's work is done, 0.25 if not said
//     --rounds N    how often each contender runs each kernel, 3 if not said
//     --again       v86 runs the same file each time, and has compiled it before from the second round on
//     --json        an object in place of the table
//
// v86 boots Debian's i386 kernel once, with an initial file system that holds bench/kernels compiled for i386 with
// floating point by SSE2; it runs a copy each time, so that it compiles code anew, as friscy does; between its runs it is
// stopped. friscy runs the same files compiled for riscv64, each time in a
// new process: with code compiled while it runs, and with code compiled ahead of time as well. All are `-O2 -static` and
// print the same. What is compared is processor time of all threads from a program's start to its end: of friscy as
// run.mjs tells it, of v86 between two lines on the serial line, by the host's clock. A kernel that does not compile for
// i386 is told of and left out; one that ends otherwise than natively fails the whole.
//
// Needs the release commands and the web runtime (`cargo build --release`, `cargo xtask web`), and of Debian
// gcc-i686-linux-gnu, libc6-dev-i386-cross and seabios. `cargo xtask full v86` installs all that and runs some kernels.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { V86 } from 'v86';
import { assets, program } from '../test/harness.mjs';

const { values, positionals } = parseArgs({
  options: {
    work: { type: 'string', default: '0.25' },
    rounds: { type: 'string', default: '3' },
    again: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const [work, rounds] = [Number(values.work), Number(values.rounds)];
if (!(work > 0) || !(rounds >= 1)) throw new Error('--work wants a number above 0, --rounds one from 1 on');

const root = fileURLToPath(new URL('../..', import.meta.url));
const kernels = join(root, 'bench/kernels');
/** As in bench/src/kernels.rs. */
const GROUPS = ['integer', 'calls', 'interpreters', 'floating', 'memory', 'system', 'libc'];
const SEABIOS = '/usr/share/seabios';
/** x87 arithmetic would round otherwise than riscv64's, and is slower in v86. */
const I386 = ['-O2', '-static', '-msse2', '-mfpmath=sse'];
/** What waits for longer than this hangs, in milliseconds. */
const LIMIT = 600_000;

/** The file of Debian's i386 kernel, fetched once, and its version. The host's own packages stay as they are. */
function debianKernel() {
  const folder = join(root, 'target/friscy/v86');
  const found = () => (existsSync(folder) ? readdirSync(folder).find((name) => name.startsWith('vmlinuz-')) : undefined);
  if (!found()) {
    const state = join(folder, 'apt');
    for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(state, name), { recursive: true });
    const options = ['APT::Architecture=i386', 'APT::Architectures=i386', 'APT::Sandbox::User=root', `Dir::State=${state}`,
      'Dir::State::status=/dev/null', `Dir::Cache=${state}`].flatMap((option) => ['-o', option]);
    // That one of several sources fails is none of our business unless the package is not found.
    spawnSync('apt-get', [...options, '-q', 'update'], { stdio: 'ignore' });
    const depends = execFileSync('apt-cache', [...options, 'depends', 'linux-image-686'], { encoding: 'utf8' });
    const [, name] = /Depends: (linux-image-\S+)/.exec(depends);
    execFileSync('apt-get', [...options, '-q', 'download', name], { cwd: state, stdio: ['ignore', 'ignore', 'inherit'] });
    const deb = readdirSync(state).find((file) => file.endsWith('.deb'));
    execFileSync('dpkg-deb', ['-x', deb, 'files'], { cwd: state });
    const image = readdirSync(join(state, 'files/boot')).find((file) => file.startsWith('vmlinuz-'));
    writeFileSync(join(folder, image), readFileSync(join(state, 'files/boot', image)));
    rmSync(state, { recursive: true });
  }
  return { path: join(folder, found()), version: found().replace('vmlinuz-', '') };
}

/** An archive of cpio's "newc" format, as Linux unpacks it: `[path, mode, bytes, device]` each (initramfs-buffer-format). */
function archive(entries) {
  const pad = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const all = [...entries, ['TRAILER!!!', 0, Buffer.alloc(0)]];
  return Buffer.concat(all.flatMap(([path, mode, bytes = Buffer.alloc(0), [major, minor] = [0, 0]], i) => {
    const fields = [i + 1, mode, 0, 0, 1, 0, bytes.length, 0, 0, major, minor, path.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${path}\0`;
    return [pad(Buffer.from(header)), pad(bytes)];
  }));
}

function compile(compiler, flags, source, to) {
  return spawnSync(compiler, [...flags, '-o', to, source, '-lm'], { encoding: 'utf8' });
}

const buffer = (path) => {
  const bytes = readFileSync(path);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) };
};

/** A PC with Linux in it. */
class Machine {
  #emulator;
  #line = '';
  #wanted;

  /** Boots it; answers when its first process is ready. */
  async boot(kernel, initrd) {
    const wasm = join(dirname(createRequire(import.meta.url).resolve('v86')), 'v86.wasm');
    this.#emulator = new V86({
      wasm_path: wasm,
      memory_size: 512 << 20,
      bios: buffer(join(SEABIOS, 'bios.bin')),
      vga_bios: buffer(join(SEABIOS, 'vgabios-stdvga.bin')),
      bzimage: buffer(kernel),
      initrd: { buffer: initrd.buffer.slice(initrd.byteOffset, initrd.byteOffset + initrd.length) },
      // Its clock jumps where it was stopped, of which Linux would tell in the midst of what programs print.
      cmdline: 'console=ttyS0 quiet loglevel=0 mitigations=off nowatchdog rcupdate.rcu_cpu_stall_suppress=1',
      autostart: true,
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
    });
    this.#emulator.add_listener('serial0-output-byte', (byte) => this.#take(String.fromCharCode(byte)));
    await this.#until(/^ready$/);
    await this.#emulator.stop();
  }

  #take(character) {
    if (character !== '\n') {
      if (character !== '\r') this.#line += character;
      return;
    }
    const line = this.#line;
    this.#line = '';
    if (process.env.V86_CONSOLE) console.error(line);
    this.#wanted?.(line);
  }

  /** Waits for a line; answers it and those before it, each with what the clocks said when it was there. */
  #until(pattern) {
    const lines = [];
    return new Promise((resolve, reject) => {
      const tail = () => lines.slice(-20).map(({ text }) => text).join('\n');
      const timer = setTimeout(() => reject(new Error(`v86 was silent: ${tail()}`)), LIMIT);
      this.#wanted = (text) => {
        lines.push({ text, wall: performance.now(), cpu: process.cpuUsage() });
        if (!pattern.test(text)) return;
        this.#wanted = undefined;
        clearTimeout(timer);
        resolve(lines);
      };
    });
  }

  /** Runs a kernel; answers what it printed, and its times in seconds. */
  async run(name) {
    await this.#emulator.run();
    const ended = this.#until(/^end \d+$/);
    this.#emulator.serial0_send(`${name} ${work} ${values.again ? 0 : 1}\n`);
    const lines = await ended;
    await this.#emulator.stop();
    const end = lines.at(-1);
    const first = lines.findIndex(({ text }) => text === `begin ${name}`);
    if (end.text !== 'end 0' || first < 0) throw new Error(`in v86: ${lines.map(({ text }) => text).join('\n')}`);
    const begin = lines[first];
    const cpu = ({ cpu: { user, system } }) => (user + system) / 1e6;
    // The kernel's line, as bench/kernels/kernel.h has it, and not what Linux may have to say.
    const output = lines.map(({ text }) => text).find((text) => /^\w+ [0-9a-f]{16}$/.test(text));
    return { output, wall: (end.wall - begin.wall) / 1e3, cpu: cpu(end) - cpu(begin) };
  }

  destroy() {
    return this.#emulator.destroy();
  }
}

/** Runs a bundle; answers as {@link Machine.run}. */
function runFriscy(bundle) {
  const ran = spawnSync(process.execPath, [join(assets, 'run.mjs'), '--time', bundle, String(work)], { encoding: 'utf8', input: '' });
  if (ran.status !== 0) throw new Error(`${bundle}: status ${ran.status}: ${ran.stderr}`);
  const told = JSON.parse(/program-time (\{.*\})/.exec(ran.stderr)[1]);
  return { output: ran.stdout.trim(), wall: told.wall_seconds, cpu: told.cpu_seconds };
}

const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};
const geomean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** The times of one kernel, in seconds: processor time or that of the clock. */
class Times {
  constructor(runs, what) {
    for (const [who, all] of Object.entries(runs)) this[who] = all.map((run) => run[what]);
  }

  median(who) {
    return median(this[who]);
  }

  /** How many times as quick as v86, of medians. */
  ratio(who) {
    return this.median('v86') / this.median(who);
  }

  /** The same of each round: the least and the greatest. */
  spread(who) {
    const ratios = this[who].map((time, round) => this.v86[round] / time);
    return [Math.min(...ratios), Math.max(...ratios)];
  }
}

const dir = mkdtempSync(join(tmpdir(), 'friscy-v86-'));
const machine = new Machine();
try {
  const sources = GROUPS.flatMap((group) =>
    readdirSync(join(kernels, group))
      .filter((name) => name.endsWith('.c'))
      .sort()
      .map((name) => ({ group, name: basename(name, '.c'), source: join(kernels, group, name) })),
  ).filter(({ name }) => positionals.length === 0 || positionals.includes(name));

  // Everything is compiled first.
  const entries = [];
  const files = [];
  for (const { group, name, source } of sources) {
    const i386 = join(dir, `${name}.i386`);
    const built = compile('i686-linux-gnu-gcc', I386, source, i386);
    if (built.status !== 0) {
      console.error(`${name} is left out: it does not compile for i386: ${built.error ?? built.stderr.split('\n').find((line) => /error/.test(line))}`);
      continue;
    }
    files.push([`kernels/${name}`, 0o100755, readFileSync(i386)]);
    const guest = join(dir, name);
    execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-o', guest, source, '-lm']);
    const bundle = (suffix, ...flags) => {
      const to = join(dir, `${name}-${suffix}`);
      execFileSync(program('friscy-pack'), ['-q', ...flags, '--assets', assets, '-o', to, guest]);
      return to;
    };
    entries.push({ group, name, jit: bundle('jit'), ahead: bundle('ahead', '--aot') });
  }
  const init = join(dir, 'init');
  const built = compile('i686-linux-gnu-gcc', I386, fileURLToPath(new URL('v86-init.c', import.meta.url)), init);
  if (built.status !== 0) throw new Error(`init: ${built.error ?? built.stderr}`);
  const initrd = archive([
    ['dev', 0o040755],
    ['dev/console', 0o020600, undefined, [5, 1]],
    ['kernels', 0o040755],
    ['init', 0o100755, readFileSync(init)],
    ...files,
  ]);

  const linux = debianKernel();
  const begin = performance.now();
  await machine.boot(linux.path, initrd);
  const boot = (performance.now() - begin) / 1e3;

  const results = [];
  for (const { group, name, jit, ahead } of entries) {
    const contenders = { v86: () => machine.run(name), jit: () => runFriscy(jit), ahead: () => runFriscy(ahead) };
    const runs = { v86: [], jit: [], ahead: [] };
    for (let round = 0; round < rounds; round++) {
      let expected;
      for (const [who, run] of Object.entries(contenders)) {
        const ran = await run();
        expected ??= ran.output;
        if (ran.output !== expected) throw new Error(`outputs differ: ${expected} in v86, ${ran.output} in friscy`);
        runs[who].push(ran);
      }
    }
    const result = { group, name, cpu: new Times(runs, 'cpu'), wall: new Times(runs, 'wall') };
    results.push(result);
    console.error(name, result.cpu.v86, result.cpu.jit, result.cpu.ahead);
  }

  const version = JSON.parse(readFileSync(createRequire(import.meta.url).resolve('v86').replace(/build\/.*/, 'package.json'))).version;
  const about = { node: process.versions.node, v86: version, linux: linux.version, work, rounds, again: values.again, bootSeconds: boot };
  if (values.json) {
    console.log(JSON.stringify({ ...about, results }));
  } else {
    console.log(`node ${about.node}, v86 ${about.v86}, Linux ${about.linux}, ${work} of the work, medians of ${rounds}${values.again ? ', v86 with code that it compiled before' : ''}; v86 booted in ${boot.toFixed(1)} s`);
    console.log('\n| kernel | v86, s | friscy, s | times as quick | friscy with code ahead of time, s | times as quick |');
    console.log('|---|---|---|---|---|---|');
    for (const { name, cpu } of results) {
      const of = (who) => [cpu.median(who).toFixed(2), `${cpu.ratio(who).toFixed(1)} [${cpu.spread(who).map((x) => x.toFixed(1)).join('–')}]`];
      const cells = [name, cpu.median('v86').toFixed(2), ...of('jit'), ...of('ahead')];
      console.log(`| ${cells.join(' | ')} |`);
    }
    const summary = (title, some) => {
      if (some.length === 0) return;
      const of = (what, who) => geomean(some.map((result) => result[what].ratio(who))).toFixed(2);
      console.log(`| **${title}** | | | **${of('cpu', 'jit')}** | | **${of('cpu', 'ahead')}** |`);
      console.log(`| ${title}, by the clock | | | ${of('wall', 'jit')} | | ${of('wall', 'ahead')} |`);
    };
    for (const group of GROUPS) summary(group, results.filter((result) => result.group === group));
    summary('all', results);
  }
} finally {
  await machine.destroy().catch(() => {});
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
