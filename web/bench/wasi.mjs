// Runs a program that was compiled to wasm32-wasi: `node bench/wasi.mjs [--time] PROGRAM [ARG…]`. It has standard streams
// and arguments, no files. Its status is ours. `--time` tells what it took by itself, see clock.mjs.
import { readFile } from 'node:fs/promises';
import { Clock } from './clock.mjs';

// That it is experimental is no news; other warnings are.
process.removeAllListeners('warning');
process.on('warning', (warning) => warning.name === 'ExperimentalWarning' || console.error(String(warning)));
const { WASI } = await import('node:wasi');

const words = process.argv.slice(2);
const timed = words[0] === '--time';
if (timed) words.shift();
const [program] = words;
if (!program) {
  console.error('usage: node wasi.mjs [--time] PROGRAM [ARG…]');
  process.exit(125);
}

const wasi = new WASI({ version: 'preview1', args: words, returnOnExit: true });
// At once: node 26 does not wait for what V8 compiles in the background before the program begins.
const module = new WebAssembly.Module(await readFile(program));
const instance = new WebAssembly.Instance(module, wasi.getImportObject());
const clock = new Clock();
const status = wasi.start(instance);
if (timed) clock.tell();
process.exitCode = status;
