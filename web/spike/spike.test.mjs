// The memory scheme of the browser runtime, proven in headless Chromium: one kernel instance and several cpu instances,
// each with its own memory. Prints what README.md records.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const here = new URL('.', import.meta.url);
const FLAGS = [
  '-C target-feature=+tail-call,+bulk-memory,+sign-ext,+nontrapping-fptoint',
  '-C link-arg=--import-memory',
  '-C link-arg=--initial-memory=268435456',
  '-C link-arg=--max-memory=4294967296',
  '-C link-arg=--export=__stack_pointer',
].join(' ');

let server;
let browser;
let base;

/** Builds the instances, with rustup's target or, where there is none, with Debian's compiler for the web. */
function build() {
  const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
  const rustup = existsSync(`${sysroot}/lib/rustlib/wasm32-unknown-unknown/lib`);
  const args = [
    'build', '--quiet', '--release', '--examples', '--locked', '--target', 'wasm32-unknown-unknown', '--target-dir', 'target',
  ];
  const debian = ['-Zbuild-std=core,alloc', '--config', 'target.wasm32-unknown-unknown.linker="wasm-ld-19"'];
  const env = { ...process.env, RUSTFLAGS: FLAGS };
  if (!rustup) Object.assign(env, { RUSTC: '/usr/bin/rustc', RUSTC_BOOTSTRAP: '1' });
  execFileSync(rustup ? 'cargo' : '/usr/bin/cargo', rustup ? args : [...args, ...debian], {
    cwd: new URL('instances/', here),
    stdio: 'inherit',
    env,
  });
}

before(async () => {
  build();
  const built = new URL('instances/target/wasm32-unknown-unknown/release/examples/', here);
  const files = new Map([
    ['/', ['text/html', Buffer.from('<!doctype html><title>spike</title>')]],
    ['/worker.js', ['text/javascript', await readFile(new URL('worker.js', here))]],
    ['/kernel.wasm', ['application/octet-stream', await readFile(new URL('kernel.wasm', built))]],
    ['/cpu.wasm', ['application/octet-stream', await readFile(new URL('cpu.wasm', built))]],
  ]);
  server = createServer((request, response) => {
    const file = files.get(request.url);
    response.writeHead(file ? 200 : 404, { 'content-type': file ? file[0] : 'text/plain' });
    response.end(file ? file[1] : 'not here');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}/`;
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** Runs one task of the worker in a page, and thus a renderer process, of its own. */
async function inWorker(...task) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(base);
    return await page.evaluate(
      (task) =>
        new Promise((resolve) => {
          const worker = new Worker('worker.js');
          worker.onmessage = ({ data }) => resolve(data[1]);
          worker.onerror = (event) => resolve({ error: event.message });
          worker.postMessage([1, ...task]);
        }),
      task,
    );
  } finally {
    await context.close();
  }
}

for (const pool of [2, 4]) {
  test(`fork, pipe, vfork and exec, a shared page with ${pool} memories`, async () => {
    const got = await inWorker('scheme', pool);
    assert.equal(got.error, undefined);
    assert.equal(got.status, 0);
    assert.deepEqual(got.lines, ['first reader', 'second reader', 'executed']);
    assert.equal(got.memories <= pool, true, `${got.memories} memories`);
    assert.equal(got.left, 0);
    if (pool === 2) assert.ok(got.parks > 2, `parked ${got.parks} times`);
    else assert.equal(got.parks, 0);
  });
}

test('the allocator fills what is below the window, then fails politely', async () => {
  const got = await inWorker('heap');
  assert.equal(got.error, undefined);
  assert.ok(got.first > 200 && got.first < 256, `${got.first} MiB`);
  assert.equal(got.second, 0);
  assert.ok(got.highWater < 0x10000000);
  assert.equal(got.untouched, true);
});

test('at least 32 memories of 4 GiB exist at once', async (t) => {
  const grown = await inWorker('count', true);
  const plain = await inWorker('count', false);
  t.diagnostic(`grown to 4 GiB: ${JSON.stringify(grown)}`);
  t.diagnostic(`256 MiB of at most 4 GiB: ${JSON.stringify(plain)}`);
  assert.ok(grown.memories >= 33);
});

test('costs', async (t) => {
  const got = await inWorker('costs');
  assert.equal(got.error, undefined);
  t.diagnostic(JSON.stringify(got, (_, v) => (typeof v === 'number' ? Number(v.toPrecision(3)) : v)));
});
