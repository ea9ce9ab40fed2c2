// The conformance programs in the page: what they print and the status they end with is what the referee wrote for the
// native tests (tests/programs). Programs that print what depends on package versions are compared with `friscy run`.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Site, program, rootfs } from './harness.mjs';

let site;
before(async () => {
  site = await Site.start();
});
after(() => site?.stop());

const folder = fileURLToPath(new URL('../../tests/programs/', import.meta.url));

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

for (const name of readdirSync(folder).filter((name) => !name.endsWith('.out')).sort()) {
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
    const tab = await site.open({
      entry: {
        argv: ['/bin/bash', '-c', WRAPPER, 'wrapper', ...command],
        env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=friscy', 'HOME=/root'],
        cwd: '/',
      },
    });
    await tab.reach('exited', 300_000);
    const status = /^Exited · (\d+)$/.exec(await tab.page.textContent('#status-text'));
    const got = `${await tab.output()}exit status ${status?.[1]}\n`;
    await tab.close();
    assert.equal(got, want);
    assert.deepEqual(tab.problems, []);
  });
}
