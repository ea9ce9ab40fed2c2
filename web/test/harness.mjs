// What the browser tests share: a bundle of the Debian root file system behind `friscy serve`, and a page on it.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');

/** The folder of the optimised commands. */
export const programs = process.env.FRISCY_PROGRAMS ?? join(target, 'release');

/** The folder of the web runtime. */
export const assets = process.env.FRISCY_WEB_ASSETS ?? join(target, 'web-assets');

const [major, minor] = process.versions.node.split('.').map(Number);

/** Why this node cannot run the engine, if so. */
export const oldNode = major > 20 || (major === 20 && minor >= 12) ? false : 'the V8 of this node has no tail calls';

/** Where screenshots go. */
export const shots = fileURLToPath(new URL('out', import.meta.url));

/** The root file system: a tar or a folder. */
export function rootfs() {
  if (process.env.FRISCY_ROOTFS) return process.env.FRISCY_ROOTFS;
  const cache = join(root, 'target/friscy');
  const found = existsSync(cache)
    ? readdirSync(cache).filter((name) => /^debian-.*\.tar$/.test(name)).map((name) => join(cache, name))
    : [];
  found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (found.length === 0) throw new Error('no root file system in target/friscy: `cargo xtask rootfs` makes it');
  return found[0];
}

/** A command of ours. */
export function program(name) {
  const path = join(programs, name);
  if (!existsSync(path)) throw new Error(`${path} is not there: \`cargo build --release\` makes it`);
  return path;
}

/** Starts a browser. */
export function launch() {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}

/** Packs a root file system, serves it and starts a browser. */
export class Site {
  /** `image` is a tar or a folder; `command` is the program and its arguments, a shell if there are none. */
  static async start({ image = rootfs(), command = [] } = {}) {
    const site = new Site();
    site.dir = mkdtempSync(join(tmpdir(), 'friscy-web-'));
    site.bundle = join(site.dir, 'bundle');
    const pack = ['-o', site.bundle, image, ...command];
    site.summary = execFileSync(program('friscy-pack'), pack, { encoding: 'utf8' });
    site.server = spawn(program('friscy'), ['serve', '-p', '0', site.bundle], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: site.server.stdout });
    site.url = await new Promise((resolve, reject) => {
      lines.once('line', resolve);
      site.server.once('exit', (status) => reject(new Error(`friscy serve ended with ${status}`)));
    });
    site.browser = await launch();
    return site;
  }

  async stop() {
    await this.browser?.close();
    this.server?.kill();
    if (this.dir) rmSync(this.dir, { recursive: true, force: true });
  }

  /**
   * Opens the page. `entry` replaces parts of the manifest's entry; `query` is the page's; `prepare` may set routes.
   */
  async open({ entry, query = '', path = '', width = 1280, height = 800, dark = false, touch = false, prepare } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      hasTouch: touch,
      isMobile: touch,
      deviceScaleFactor: touch ? 2 : 1,
    });
    const page = await context.newPage();
    const problems = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      // A missing file is what some tests are about.
      if (['error', 'warning'].includes(message.type()) && !/Failed to load resource/.test(message.text())) {
        problems.push(message.text());
      }
    });
    await page.addInitScript(() => {
      globalThis.output = [];
      document.addEventListener('friscy-output', (event) => globalThis.output.push(Array.from(event.detail)));
    });
    if (entry) {
      await page.route('**/manifest.json', async (route) => {
        const response = await route.fetch();
        const manifest = await response.json();
        Object.assign(manifest.entry, entry);
        await route.fulfill({ response, json: manifest });
      });
    }
    await prepare?.(page);
    const start = performance.now();
    await page.goto(this.url + path + query);
    return new Tab(context, page, problems, start);
  }
}

/** A page with a machine in it. */
export class Tab {
  constructor(context, page, problems, start) {
    Object.assign(this, { context, page, problems, start });
  }

  close() {
    return this.context.close();
  }

  /** `loading`, `running`, `error` or `exited`. */
  state() {
    return this.page.evaluate(() => document.body.dataset.state);
  }

  async reach(state, timeout = 60_000) {
    await this.page.waitForFunction((state) => document.body.dataset.state === state, state, { timeout, polling: 50 });
  }

  /** The terminal's lines, as a person sees them. */
  async screen() {
    return (await this.look()).screen;
  }

  /** The terminal's lines and the page's state, with one question: asking takes the page's time. */
  look() {
    return this.page.evaluate(() => {
      const buffer = friscyScreen.buffer.active;
      const lines = Array.from({ length: buffer.length }, (_, i) => buffer.getLine(i).translateToString(true));
      return { screen: lines.join('\n').replace(/\n+$/, ''), state: document.body.dataset.state };
    });
  }

  /** Waits until the screen matches, and returns the match. */
  async see(pattern, timeout = 60_000) {
    const end = performance.now() + timeout;
    for (;;) {
      const { screen, state } = await this.look();
      const found = pattern.exec(screen);
      if (found) return found;
      if (performance.now() > end) throw new Error(`${pattern} did not come:\n${screen}`);
      if (state === 'error' || state === 'exited') throw new Error(`${state} before ${pattern}:\n${screen}`);
      await this.page.waitForTimeout(20);
    }
  }

  /** Types a line. */
  async type(line) {
    await this.page.keyboard.type(line);
    await this.page.keyboard.press('Enter');
  }

  /** Types a line and waits for what comes after it. */
  async run(line, pattern, timeout) {
    await this.type(line);
    return this.see(pattern, timeout);
  }

  /** All that the machine wrote to the terminal. */
  async output() {
    return Buffer.from(await this.page.evaluate(() => globalThis.output.flat()));
  }
}
