// Runs the program of a bundle to its end under node: the worker is the page's own, and this plays the page.
//
//     node web-assets/run.mjs [--time] BUNDLE [ARG…]
//
// `cargo xtask web` makes `run.mjs` of this file and what it imports. BUNDLE is a folder that friscy-pack wrote; ARGs, if
// there are any, replace the arguments of its command. What the program prints goes to standard output, with the line
// ends that it wrote; standard input is typed, and its end is ^D. The status is the program's, 128 and the signal that
// killed it, or 125 if friscy failed. `--time` tells what the program took by itself, see clock.mjs. node 20.12 or later.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Clock } from './clock.mjs';

const FAILED = 125;

const words = process.argv.slice(2);
const timed = words[0] === '--time';
if (timed) words.shift();
const [bundle, ...args] = words;
if (!bundle) {
  console.error('usage: node run.mjs [--time] BUNDLE [ARG…]');
  process.exit(FAILED);
}

/** Answers what lies in the bundle's folder as a server would. */
async function fetchFile(url) {
  let bytes;
  try {
    bytes = await readFile(new URL(url));
  } catch (error) {
    return new Response(null, { status: 404, statusText: error.code });
  }
  if (args.length > 0 && new URL(url).pathname.endsWith('/manifest.json')) {
    const manifest = JSON.parse(bytes);
    manifest.entry.argv.splice(1, Infinity, ...args);
    bytes = JSON.stringify(manifest);
  }
  return new Response(bytes);
}

/** Undoes what the terminal does to output: it puts a carriage return before each line feed. */
class Printer {
  #held = false;

  print(bytes, then) {
    const text = Buffer.concat([this.#held ? Buffer.from('\r') : Buffer.alloc(0), bytes]);
    this.#held = text.at(-1) === 0x0d;
    const whole = this.#held ? text.subarray(0, -1) : text;
    process.stdout.write(whole.toString('latin1').replaceAll('\r\n', '\n'), 'latin1', then);
  }

  end(then) {
    process.stdout.write(this.#held ? '\r' : '', then);
  }
}

const printer = new Printer();
let clock;

function end(status) {
  printer.end(() => process.exit(status));
}

/** What the worker says to the page. */
function receive(message) {
  switch (message.type) {
    case 'running':
      clock = new Clock();
      break;
    case 'output':
      printer.print(message.bytes, () => send({ type: 'taken', bytes: message.bytes.length }));
      break;
    case 'exit':
      if (timed) clock.tell();
      end(message.signal ? 128 + message.signal : message.code);
      break;
    case 'error':
      console.error(`${message.problem.title} ${message.problem.detail}`);
      end(FAILED);
      break;
  }
}

/** What the page says to the worker. */
function send(message) {
  globalThis.onmessage({ data: message });
}

// A worker's global scope, as far as ours needs it.
Object.assign(globalThis, {
  self: globalThis,
  location: pathToFileURL(join(resolve(bundle), 'worker.js')),
  fetch: fetchFile,
  postMessage: receive,
});
await import('../page/src/worker.ts');
send({ type: 'start', cols: 80, rows: 24, pool: 32 });
process.stdin.on('data', (bytes) => send({ type: 'input', bytes: new Uint8Array(bytes) }));
process.stdin.on('end', () => send({ type: 'input', bytes: Uint8Array.of(0x04) }));
