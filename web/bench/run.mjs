// Runs the program of a bundle to its end under node: the worker is the page's own, and this plays the page.
//
//     node web-assets/run.mjs [--time] [--profile-out FILE] BUNDLE [ARG…]
//
// `cargo xtask web` makes `run.mjs` of this file and what it imports. BUNDLE is a folder that friscy-pack wrote; ARGs, if
// there are any, replace the arguments of its command. What the program prints goes to standard output, with the line
// ends that it wrote; standard input is typed, and its end is ^D. The status is the program's, 128 and the signal that
// killed it, or 125 if friscy failed. `--time` tells what the program took by itself, see clock.mjs;
// `--profile-out` writes a profile of the run at its end (docs/profiles.md). node 20.12 or later.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join, relative, resolve } from 'node:path';
import { FAILED, Printer, fileOf, parse } from './bundle.mjs';
import { Clock } from './clock.mjs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 12)) {
  console.error(`node 20.12 or later is needed, this is ${process.versions.node}: its V8 has no tail calls`);
  process.exit(FAILED);
}

const { timed, profileOut, folder, args } = parse('run.mjs');
const printer = new Printer();
let clock;
/** The program's, once it has ended. */
let status;

/** Answers what lies in the bundle's folder as a server would. */
async function fetchFile(url) {
  try {
    return new Response(await fileOf(folder, relative(folder, fileURLToPath(url)), args));
  } catch (error) {
    return new Response(null, { status: 404, statusText: error.code });
  }
}

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
      if (timed) clock.tell(globalThis.friscyStats());
      status = message.signal ? 128 + message.signal : message.code;
      if (profileOut) send({ type: 'saveProfile' });
      else end(status);
      break;
    case 'profile':
      profileOut.write(message.bytes);
      end(status);
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

/**
 * As in browsers, each message is a task of its own. node's channels hand over as many as a thousand in a row, and what
 * V8 has compiled, timers and input would wait for so many slices.
 */
class Channel {
  port1 = { onmessage: undefined };
  port2 = { postMessage: (data) => setImmediate(() => this.port1.onmessage?.({ data })) };
}

// A worker's global scope, as far as ours needs it.
Object.assign(globalThis, {
  self: globalThis,
  MessageChannel: Channel,
  location: pathToFileURL(join(resolve(folder), 'worker.js')),
  fetch: fetchFile,
  postMessage: receive,
  name: profileOut ? '?profile' : '',
});
await import('../page/src/worker.ts');
send({ type: 'start', cols: 80, rows: 24, pool: 32 });
process.stdin.on('data', (bytes) => send({ type: 'input', bytes: new Uint8Array(bytes) }));
process.stdin.on('end', () => send({ type: 'input', bytes: Uint8Array.of(0x04) }));
