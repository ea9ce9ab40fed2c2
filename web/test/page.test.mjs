// A person at the page: prompt, commands, keys, sizes, files, exit, and what it looks like in each state.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Site, shots } from './harness.mjs';

let site;
before(async () => {
  mkdirSync(shots, { recursive: true });
  site = await Site.start();
});
after(() => site?.stop());

/** At the end of the screen. */
const PROMPT = /[#$] ?$/;

test('a Content-Security-Policy without WebAssembly is told of', async () => {
  const open = (policy) =>
    site.open({
      prepare: (page) =>
        page.context().route(/\/(index\.html|worker\.js)?$/, async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } });
        }),
    });
  const refused = await open("script-src 'self'");
  await refused.reach('error');
  assert.equal(await refused.page.textContent('#error-title'), 'This page may not run WebAssembly.');
  assert.match(await refused.page.textContent('#error-advice'), /'wasm-unsafe-eval'/);
  assert.match(await refused.page.textContent('#error-detail'), /CompileError/);
  await refused.page.screenshot({ path: join(shots, 'forbidden.png') });
  await refused.close();
  const allowed = await open("script-src 'self' 'wasm-unsafe-eval'");
  await allowed.see(PROMPT);
  await allowed.close();
});

test('from opening to prompt', async (t) => {
  const transferred = [];
  const tab = await site.open({
    prepare: (page) => page.on('response', (response) => transferred.push(response.request().sizes())),
  });
  await tab.see(PROMPT);
  const ms = performance.now() - tab.start;
  const sizes = await Promise.all(transferred);
  const bytes = sizes.reduce((sum, size) => sum + size.responseBodySize + size.responseHeadersSize, 0);
  t.diagnostic(`prompt after ${Math.round(ms)} ms, ${sizes.length} requests, ${(bytes / 1e6).toFixed(2)} MB`);
  assert.ok(bytes < 8e6, `${bytes} bytes`);
  assert.ok(sizes.length < 40, `${sizes.length} requests`);
  assert.deepEqual(tab.problems, []);
  await tab.close();
});

test('what a profile names is fetched while the shell waits', async () => {
  const asked = [];
  let files = [];
  const tab = await site.open({
    prepare: async (page) => {
      const context = page.context();
      await context.route('**/manifest.json', async (route) => {
        const response = await route.fetch();
        const manifest = await response.json();
        const later = manifest.chunks.map((_, number) => number).filter((number) => !manifest.first.includes(number));
        const then = [manifest.first[0], ...later.slice(-4).reverse()];
        files = then.slice(1).map((number) => `${manifest.chunks[number].sha256.slice(0, 32)}.z`);
        await route.fulfill({ response, json: { ...manifest, then } });
      });
      // That the network fails for what nobody waits for is no matter.
      await context.route('**/files/*.z', async (route) => {
        const name = route.request().url().split('/').at(-1);
        asked.push(name);
        await (name === files[1] ? route.abort() : route.continue());
      });
    },
  });
  await tab.see(PROMPT);
  for (let i = 0; i < 200 && !asked.includes(files.at(-1)); i += 1) await tab.page.waitForTimeout(50);
  assert.deepEqual(asked.filter((name) => files.includes(name)).filter((name, i, all) => all.indexOf(name) === i), files);
  assert.equal(asked.filter((name) => name === files[0]).length, 1);
  assert.equal(asked.filter((name, i) => asked.indexOf(name) !== i && name !== files[1]).length, 0, 'nothing is fetched twice');
  await tab.run('echo $((6 * 7))', /^42$/m);
  assert.deepEqual(tab.problems, []);
  await tab.close();
});

test('commands, a pipeline of four processes, a file written and read back', async () => {
  const tab = await site.open();
  await tab.see(PROMPT);
  await tab.run('echo one $((1+1)) three', /^one 2 three$/m);
  await tab.run('printf "%s\\n" d a c b | sort | head -n 3 | tr a-c A-C | paste -sd,', /^A,B,C$/m);
  await tab.run('seq 100000 | sha256sum > /root/sum; cat /root/sum', /^[0-9a-f]{64} {2}-$/m);
  await tab.run('seq 100000 | sha256sum -c /root/sum', /^-: OK$/m);
  await tab.run('uname -m; tty', /^riscv64\n\/dev\/pts\/0$/m);
  assert.deepEqual(tab.problems, []);
  await tab.close();
});

test('^C ends sleep, ^Z stops it and fg goes on', async () => {
  const tab = await site.open();
  await tab.see(PROMPT);
  await tab.type('sleep 100');
  await tab.page.waitForTimeout(500);
  await tab.page.keyboard.press('Control+c');
  await tab.see(/\^C\n.*[#$] ?$/, 5000);
  await tab.run('echo status $?', /^status 130$/m);
  await tab.type('sleep 2');
  await tab.page.waitForTimeout(500);
  await tab.page.keyboard.press('Control+z');
  await tab.see(/Stopped +sleep 2/, 5000);
  await tab.run('fg; echo done $?', /^done 0$/m);
  await tab.run('while :; do :; done', /done$/m);
  await tab.page.waitForTimeout(300);
  await tab.page.keyboard.press('Control+c');
  await tab.run('echo again $?', /^again 130$/m, 10_000);
  await tab.close();
});

test('^C ends what writes without end or runs without end, and the page answers meanwhile', async () => {
  const tab = await site.open();
  await tab.see(PROMPT);
  for (const [i, command] of ['yes', 'while :; do :; done', 'sleep infinity'].entries()) {
    await tab.type(command);
    await tab.page.waitForTimeout(500);
    // How long the page's own thread lets a task wait at most, with ten tasks in a second.
    const longest = await tab.page.evaluate(async () => {
      let longest = 0;
      for (let i = 0; i < 10; i++) {
        const start = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 100));
        longest = Math.max(longest, performance.now() - start - 100);
      }
      return longest;
    });
    assert.ok(longest < 1000, `${command}: a task of the page waited ${longest} ms`);
    await tab.page.keyboard.press('Control+c');
    await tab.run(`echo "after $((100 + ${i}))"`, new RegExp(`^after 10${i}$`, 'm'), 10_000);
  }
  assert.deepEqual(tab.problems, []);
  await tab.close();
});

test('the window’s size reaches the programs', async () => {
  const tab = await site.open();
  await tab.see(PROMPT);
  const size = () => tab.page.evaluate(() => `${friscyScreen.rows} ${friscyScreen.cols}`);
  const first = await size();
  await tab.run('stty size', new RegExp(`^${first}$`, 'm'));
  await tab.type(`(trap 'echo "resized to $(stty size)"' WINCH; echo waiting; sleep 1; sleep 1)`);
  await tab.see(/^waiting$/m);
  await tab.page.setViewportSize({ width: 700, height: 500 });
  await tab.page.waitForFunction((first) => `${friscyScreen.rows} ${friscyScreen.cols}` !== first, first);
  await tab.see(new RegExp(`^resized to ${await size()}$`, 'm'));
  await tab.run('stty size', new RegExp(`^${await size()}$`, 'm'));
  await tab.close();
});

test('two memories are enough for many processes', async () => {
  const tab = await site.open({ query: '?pool=2' });
  await tab.see(PROMPT);
  await tab.run('x=1; (x=2; (x=3; echo inner $x | cat | cat | cat); echo middle $x); echo outer $x', /^inner 3\nmiddle 2\nouter 1$/m);
  await tab.run('for i in 1 2 3 4; do (sleep 0.$i; echo child $i) & done; wait; echo all', /^all$/m);
  assert.match(await tab.screen(), /child 1[^]*child 2[^]*child 3[^]*child 4/);
  assert.deepEqual(tab.problems, []);
  await tab.close();
});

test('the exit status is told, and the machine can be started again', async () => {
  const tab = await site.open();
  await tab.see(PROMPT);
  await tab.type('exit 3');
  await tab.reach('exited');
  assert.equal(await tab.page.textContent('#exit-title'), 'bash exited with status 3.');
  assert.equal(await tab.page.textContent('#status-text'), 'Exited · 3');
  await tab.page.click('#exit-again');
  await tab.reach('running');
  await tab.see(PROMPT);
  await tab.type('kill -9 $$');
  await tab.reach('exited');
  assert.equal(await tab.page.textContent('#exit-title'), 'bash was killed by SIGKILL.');
  await tab.close();
});

test('under a sub-path, without the right types, and with keys of a touch screen', async () => {
  const tab = await site.open({
    path: 'some/where/',
    touch: true,
    width: 390,
    height: 844,
    prepare: (page) =>
      page.route('**/some/where/**', async (route) => {
        const url = route.request().url().replace('/some/where', '');
        const response = await route.fetch({ url });
        const headers = { ...response.headers() };
        if (url.endsWith('.z')) headers['content-type'] = 'text/plain';
        await route.fulfill({ response, headers });
      }),
  });
  await tab.see(PROMPT);
  await tab.type('sleep 100');
  await tab.page.waitForTimeout(300);
  await tab.page.tap('[data-key=ctrl]');
  await tab.page.keyboard.type('c');
  await tab.see(/\^C\n.*[#$] ?$/, 5000);
  assert.deepEqual(tab.problems, []);
  await tab.close();
});

test('a chunk that does not come is told, and trying again helps', async () => {
  let broken = true;
  const tab = await site.open({
    prepare: (page) => page.route('**/files/*.z', (route) => (broken ? route.fulfill({ status: 404 }) : route.continue())),
  });
  await tab.reach('error');
  assert.equal(await tab.page.textContent('#error-title'), 'A part of the bundle could not be fetched.');
  assert.match(await tab.page.textContent('#error-detail'), /files\/[0-9a-f]{32}\.z: 404/);
  broken = false;
  await tab.page.keyboard.press('Enter');
  await tab.see(PROMPT);
  await tab.close();
});

test('bytes that are not those that were packed are fetched again', async () => {
  let bad = 3;
  const tab = await site.open({
    prepare: (page) =>
      page.route('**/files/*.z', async (route) => {
        if (bad-- <= 0) return route.continue();
        const response = await route.fetch();
        const body = Buffer.from(await response.body());
        body[body.length >> 1] ^= 1;
        return route.fulfill({ response, body });
      }),
  });
  await tab.see(PROMPT);
  await tab.close();
});

for (const [width, height, touch] of [[1280, 800, false], [390, 844, true]]) {
  for (const dark of [false, true]) {
    const name = `${width}-${dark ? 'dark' : 'light'}`;
    test(`what it looks like: ${name}`, async () => {
      const look = { width, height, touch, dark };
      const shot = (tab, state) => tab.page.screenshot({ path: join(shots, `${state}-${name}.png`) });
      const fits = async (tab) => {
        const over = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${over} pixels too wide`);
      };
      let held = 0;
      const loading = await site.open({
        ...look,
        prepare: (page) => page.route('**/files/*.z', (route) => (held++ < 2 ? route.continue() : undefined)),
      });
      await loading.page.waitForFunction(() => /of/.test(document.getElementById('loading-text').textContent));
      await loading.page.waitForTimeout(500);
      await shot(loading, 'loading');
      await fits(loading);
      await loading.close();

      const error = await site.open({ ...look, prepare: (page) => page.route('**/manifest.json', (route) => route.fulfill({ status: 404 })) });
      await error.reach('error');
      await shot(error, 'error');
      await fits(error);
      await error.close();

      const tab = await site.open(look);
      await tab.see(PROMPT);
      await tab.run('ls --color=always -l / | head -n 20', /var/);
      await tab.run('python3 -c "import sys; print(sys.version)"', /^3\.\d+/m);
      await tab.see(PROMPT);
      await shot(tab, 'running');
      await fits(tab);
      await tab.type('exit 3');
      await tab.reach('exited');
      await tab.page.waitForTimeout(200);
      await shot(tab, 'exited');
      await fits(tab);
      await tab.close();
    });
  }
}
