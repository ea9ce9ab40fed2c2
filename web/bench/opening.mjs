// How long the page takes: from opening to the prompt, and from typing a python3 hello to its output, each time in a new
// profile with nothing cached. `node bench/opening.mjs [ROUNDS]`; times are the page's own, from the start of its navigation.
import { Site } from '../test/harness.mjs';

const rounds = Number(process.argv[2] ?? 9);

/** The median, and the smallest and largest. */
function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const [median, least, most] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map((ms) => Math.round(ms));
  return `${median} ms [${least}–${most}]`;
}

/** Notes when a text was first seen in the output. */
function watch() {
  const decoder = new TextDecoder();
  let text = '';
  globalThis.seen = {};
  document.addEventListener('friscy-output', (event) => {
    text += decoder.decode(event.detail, { stream: true });
    if (/[#$] $/.test(text)) globalThis.seen.prompt ??= performance.now();
    if (/^hello, page\r?$/m.test(text)) globalThis.seen.hello ??= performance.now();
  });
}

const site = await Site.start();
const prompts = [];
const hellos = [];
try {
  for (let round = 0; round < rounds; round++) {
    const tab = await site.open({ prepare: (page) => page.addInitScript(watch) });
    await tab.page.waitForFunction(() => globalThis.seen.prompt, undefined, { polling: 50 });
    await tab.page.waitForTimeout(1000);
    await tab.page.keyboard.type(`python3 -c 'print("hello, " + "page")'`);
    const typed = await tab.page.evaluate(() => performance.now());
    await tab.page.keyboard.press('Enter');
    await tab.page.waitForFunction(() => globalThis.seen.hello, undefined, { polling: 50 });
    const seen = await tab.page.evaluate(() => globalThis.seen);
    prompts.push(seen.prompt);
    hellos.push(seen.hello - typed);
    await tab.close();
  }
} finally {
  await site.stop();
}
console.log(`opening to prompt: ${spread(prompts)}, ${rounds} rounds`);
console.log(`python3 hello, typed to seen: ${spread(hellos)}, ${rounds} rounds`);
