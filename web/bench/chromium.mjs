// Runs the program of a bundle to its end in headless Chromium:
//
//     node bench/chromium.mjs [--time] [--profile-out FILE] BUNDLE [ARG…]
//
// Flags, arguments, output and status are as run.mjs has them; there is no input. The processor time is that of all
// renderers.
import { createServer } from 'node:http';
import { constants } from 'node:os';
import { extname } from 'node:path';
import { launch } from '../test/harness.mjs';
import { FAILED, Printer, fileOf, parse } from './bundle.mjs';
import { tell } from './clock.mjs';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' };

const { timed, profileOut, folder, args } = parse('chromium.mjs');
const printer = new Printer();

const server = createServer(async ({ url }, response) => {
  const path = new URL(url, 'http://localhost').pathname;
  const name = path === '/' ? 'index.html' : path.slice(1);
  try {
    const bytes = await fileOf(folder, name, args);
    response.setHeader('Content-Type', TYPES[extname(name)] ?? 'application/octet-stream');
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

/** Tells what state the page is in, each time that it changes, and what the machine writes. */
function watch() {
  const output = [];
  document.addEventListener('friscy-output', ({ detail }) => output.push(...detail));
  document.addEventListener('DOMContentLoaded', () => {
    new MutationObserver(() => {
      const ms = performance.now();
      const status = document.getElementById('status-text').textContent;
      const problem = document.getElementById('error-detail').textContent;
      globalThis.friscyState({ state: document.body.dataset.state, ms, status, problem, output: output.splice(0) });
    }).observe(document.body, { attributeFilter: ['data-state'] });
  });
}

/** The status that a shell would say, of what the page says. */
function statusOf(text) {
  const [, how, what] = /^(Exited|Killed) · (.*)$/.exec(text);
  return how === 'Exited' ? Number(what) : 128 + (constants.signals[what] ?? Number(/\d+/.exec(what)));
}

const browser = await launch();
const cdp = await browser.newBrowserCDPSession();

/** Processor seconds of the browser's renderers. */
async function cpuSeconds() {
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  return processInfo.filter(({ type }) => type === 'renderer').reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

const page = await browser.newPage();
let running;
/** What is done in each state; answers the status once there is one. */
const states = {
  running: async ({ ms }) => {
    running = { ms, cpu: await cpuSeconds() };
  },
  exited: async ({ ms, status, output }) => {
    if (timed) tell((ms - running.ms) / 1e3, (await cpuSeconds()) - running.cpu);
    if (profileOut) profileOut.write(Buffer.from(await page.evaluate(async () => Array.from(await friscy.saveProfile()))));
    printer.print(output);
    return statusOf(status);
  },
  error: ({ problem }) => {
    console.error(problem);
    return FAILED;
  },
};
const status = await new Promise((resolve, reject) => {
  let last = Promise.resolve();
  const said = (what) => {
    last = last.then(() => states[what.state]?.(what)).then((status) => status !== undefined && resolve(status), reject);
  };
  page.exposeFunction('friscyState', said)
    .then(() => page.addInitScript(watch))
    .then(() => page.goto(`http://127.0.0.1:${server.address().port}/${profileOut ? '?profile' : ''}`))
    .catch(reject);
}).catch((error) => {
  console.error(error);
  return FAILED;
});
await browser.close();
printer.end(() => process.exit(status));
