/** The worker: fetches the bundle, runs the machine in slices, and carries bytes between it and the page. */

import { Fetcher, inflate } from './fetcher';
import { InputQueue, Kernel, Next } from './kernel';
import { type FileRef, type Manifest, parseManifest } from './manifest';
import { Pool } from './pool';
import { Failure, type ToPage, type ToWorker } from './protocol';

/** The longest the machine runs before keys, fetches and timers get their turn. */
const SLICE_MS = 8;
/** Output that the terminal has not shown yet is bounded, so that `yes` does not fill the memory. */
const MAX_PENDING_OUTPUT = 256 * 1024;

const post = (message: ToPage, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });

/** A promise that settles when something came for the machine. */
class Bell {
  private ring: (() => void) | undefined;
  private rang = false;

  strike(): void {
    this.rang = true;
    this.ring?.();
  }

  /** Waits until it is struck, or for so many milliseconds (negative: for ever). */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.rang || ms === 0) {
        this.rang = false;
        resolve();
        return;
      }
      const timer = ms > 0 ? setTimeout(() => this.strike(), Math.min(ms, 0x7fff_ffff)) : undefined;
      this.ring = () => {
        this.ring = undefined;
        this.rang = false;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Lets other messages of the worker be handled: a fraction of what a nested timer takes. */
class Yielder {
  private readonly channel = new MessageChannel();
  private resolve: (() => void) | undefined;

  constructor() {
    this.channel.port1.onmessage = () => this.resolve?.();
  }

  now(): Promise<void> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.channel.port2.postMessage(0);
    });
  }
}

class Session {
  private readonly bell = new Bell();
  private readonly input = new InputQueue();
  private kernel: Kernel | undefined;
  private pendingOutput = 0;
  private outputFull = false;
  private outgoing: Uint8Array[] = [];
  private size: { cols: number; rows: number };
  private readonly fetching = new Set<number>();
  private shownFetching = 0;
  private failure: Failure | undefined;
  private readonly counts = { slices: 0, next: -1, timerMs: -1 };

  constructor(size: { cols: number; rows: number }) {
    this.size = size;
  }

  type(bytes: Uint8Array): void {
    this.input.push(bytes);
    this.kernel?.terminalReady();
    this.bell.strike();
  }

  resize(cols: number, rows: number): void {
    this.size = { cols, rows };
    this.kernel?.resize(cols, rows);
    this.bell.strike();
  }

  taken(bytes: number): void {
    this.pendingOutput -= bytes;
    if (this.outputFull && this.pendingOutput < MAX_PENDING_OUTPUT / 2) {
      this.outputFull = false;
      this.kernel?.terminalReady();
      this.bell.strike();
    }
  }

  async run(manifestUrl: string, poolSize: number): Promise<void> {
    const manifest = await fetchManifest(manifestUrl);
    post({ type: 'title', name: manifest.name, command: manifest.entry.argv.join(' ') });
    const fetcher = new Fetcher(manifestUrl);

    const first = manifest.first.filter((number) => manifest.chunks[number]);
    const files: FileRef[] = [manifest.kernel, manifest.cpu, manifest.index];
    const all = [...files, ...first.map((number) => manifest.chunks[number] as FileRef)];
    const totalBytes = all.reduce((sum, file) => sum + file.bytes, 0);
    let doneBytes = 0;
    const progress = (bytes: number): void => {
      doneBytes += bytes;
      post({ type: 'progress', doneBytes, totalBytes });
    };
    progress(0);
    const compiled = async (file: FileRef): Promise<WebAssembly.Module> =>
      WebAssembly.compile(await inflated(file));
    const inflated = async (file: FileRef): Promise<Uint8Array<ArrayBuffer>> => inflate(await fetcher.get(file, progress));
    const [kernelModule, cpuModule, index, ...contents] = await Promise.all([
      compiled(manifest.kernel),
      compiled(manifest.cpu),
      inflated(manifest.index),
      ...first.map((number) => inflated(manifest.chunks[number] as FileRef)),
    ]).catch(explain);

    const pool = new Pool(cpuModule, poolSize, (error) => console.error('a process ended by a fault of the engine:', error));
    const kernel = new Kernel(kernelModule, {
      pool,
      input: this.input,
      output: (bytes) => this.output(bytes),
      want: (number) => void this.fetchChunk(fetcher, manifest, number),
      log: (line) => console.warn(line),
    });
    fetcher.fallbackHash = (bytes) => kernel.sha256(bytes);
    const problem = kernel.boot(manifest, this.size, index);
    if (problem !== undefined) {
      throw new Failure({
        title: 'The machine could not be set up.',
        advice: 'Pack the image again with the same version of friscy as the page.',
        detail: problem,
      });
    }
    contents.forEach((bytes, i) => kernel.chunk(first[i] as number, bytes));
    this.kernel = kernel;
    kernel.resize(this.size.cols, this.size.rows);
    post({ type: 'running' });
    // For tests, and for the curious at the console.
    Object.assign(globalThis, { friscyStats: () => ({ ...pool.stats(), fetching: [...this.fetching], ...this.counts }) });
    await this.loop(kernel);
  }

  private async loop(kernel: Kernel): Promise<void> {
    const yielder = new Yielder();
    for (;;) {
      const next = kernel.slice(SLICE_MS);
      this.counts.slices += 1;
      this.counts.next = next;
      this.counts.timerMs = kernel.timerMs();
      this.flush();
      this.showFetching();
      if (this.failure) throw this.failure;
      switch (next) {
        case Next.More:
          await yielder.now();
          break;
        case Next.Wait:
          await this.bell.wait(Math.ceil(this.counts.timerMs));
          break;
        case Next.Exited: {
          const status = kernel.exitStatus();
          post({ type: 'exit', code: (status >> 8) & 0xff, signal: status & 0x7f });
          return;
        }
        case Next.Failed:
          throw new Failure({
            title: 'The machine stopped.',
            advice: 'Reload to start it again; what was written inside it is lost.',
            detail: kernel.message(),
          });
      }
    }
  }

  private output(bytes: Uint8Array): number {
    const n = Math.min(bytes.length, Math.max(0, MAX_PENDING_OUTPUT - this.pendingOutput));
    if (n < bytes.length) this.outputFull = true;
    if (n > 0) {
      this.outgoing.push(bytes.slice(0, n));
      this.pendingOutput += n;
    }
    return n;
  }

  /** Sends what one slice wrote as one message. */
  private flush(): void {
    if (this.outgoing.length === 0) return;
    const bytes = new Uint8Array(this.outgoing.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.outgoing) {
      bytes.set(part, at);
      at += part.length;
    }
    this.outgoing = [];
    post({ type: 'output', bytes }, [bytes.buffer]);
  }

  private async fetchChunk(fetcher: Fetcher, manifest: Manifest, number: number): Promise<void> {
    const file = manifest.chunks[number];
    if (!file || this.fetching.has(number)) return;
    this.fetching.add(number);
    try {
      const contents = await inflate(await fetcher.get(file));
      this.kernel?.chunk(number, contents);
    } catch (error) {
      this.failure = asFailure(error);
    }
    this.fetching.delete(number);
    this.bell.strike();
  }

  private showFetching(): void {
    if (this.fetching.size !== this.shownFetching) {
      this.shownFetching = this.fetching.size;
      post({ type: 'fetching', chunks: this.shownFetching });
    }
  }
}

async function fetchManifest(url: string): Promise<Manifest> {
  let detail: string;
  try {
    const response = await fetch(url);
    if (response.ok) return parseManifest(await response.text(), url);
    detail = `${response.status} ${response.statusText}`.trim();
  } catch (error) {
    if (error instanceof Failure) throw error;
    detail = String(error);
  }
  throw new Failure({
    title: 'There is no bundle here.',
    advice: 'The file manifest.json, which friscy-pack writes beside this page, could not be fetched. Check that the whole folder was uploaded and that you are online.',
    detail: `${url}: ${detail}`,
  });
}

function explain(error: unknown): never {
  if (error instanceof WebAssembly.CompileError) {
    throw new Failure({
      title: 'This browser cannot run the machine.',
      advice: 'It needs WebAssembly with tail calls: Chrome or Edge 112, Firefox 121, Safari 18.2, or newer.',
      detail: String(error),
    });
  }
  throw error;
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const memory = error instanceof RangeError;
  return new Failure({
    title: memory ? 'The browser has no memory left for the machine.' : 'The machine failed.',
    advice: memory
      ? 'Close other tabs and reload. On small devices the image may be too large.'
      : 'Reload to start again. If it happens again, the text below belongs in a bug report.',
    detail: error instanceof Error ? (error.stack ?? String(error)) : String(error),
  });
}

let session: Session | undefined;

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'start':
      session = new Session({ cols: data.cols, rows: data.rows });
      session.run(data.manifest, data.pool).catch((error: unknown) => {
        post({ type: 'error', problem: asFailure(error).problem });
      });
      break;
    case 'input':
      session?.type(data.bytes);
      break;
    case 'resize':
      session?.resize(data.cols, data.rows);
      break;
    case 'taken':
      session?.taken(data.bytes);
      break;
  }
};
