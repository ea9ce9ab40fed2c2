/**
 * The worker: runs the machine in slices, and carries bytes between it and the page.
 *
 * It begins to fetch the bundle, which lies beside it, as soon as it exists; what it has to say before the page says
 * `start` waits for that.
 */

import { Fetcher, inflate } from './fetcher';
import { InputQueue, type Kernel, Next } from './kernel';
import { load } from './load';
import type { Manifest } from './manifest';
import type { Pool } from './pool';
import { Failure, isRecording, type ToPage, type ToWorker } from './protocol';

/** The longest the machine runs before keys, fetches and timers get their turn. */
const SLICE_MS = 8;
/** The longest that it waits after a slice while code comes that was compiled ahead of time, in many small pieces. */
const LOADING_MS = 4;
/** Output that the terminal has not shown yet is bounded, so that `yes` does not fill the memory. */
const MAX_PENDING_OUTPUT = 256 * 1024;

/** What waits until the page listens. */
let untold: ToPage[] | undefined = [];

function post(message: ToPage, transfer: Transferable[] = []): void {
  if (untold) untold.push(message);
  else self.postMessage(message, { transfer });
}

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
  private manifest: Manifest | undefined;
  private fetcher: Fetcher | undefined;
  private kernel: Kernel | undefined;
  private pool: Pool | undefined;
  private poolSize: number | undefined;
  private pendingOutput = 0;
  private outputFull = false;
  private outgoing: Uint8Array[] = [];
  private size: { cols: number; rows: number } | undefined;
  private readonly fetching = new Set<number>();
  /** Those of them that the machine waits for. */
  private readonly wanted = new Set<number>();
  /** Chunks that came. */
  private readonly fetched = new Set<number>();
  private shownFetching = 0;
  private failure: Failure | undefined;
  private readonly counts = { slices: 0, next: -1, timerMs: -1 };

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

  /** Runs the first program to its end. It need not wait for the page: who asks how large the terminal is does. */
  async run(manifestUrl: string): Promise<void> {
    const { manifest, fetcher, kernel, pool } = await load(manifestUrl, {
      title: (name, command) => post({ type: 'title', name, command }),
      progress: (doneBytes, totalBytes) => post({ type: 'progress', doneBytes, totalBytes }),
      machine: {
        input: this.input,
        output: (bytes) => this.output(bytes),
        want: (number) => void this.fetchChunk(number),
        log: (line) => console.warn(line),
      },
      profile: isRecording(self.name),
    });
    Object.assign(this, { manifest, fetcher, kernel, pool });
    if (this.size) kernel.resize(this.size.cols, this.size.rows);
    if (this.poolSize) pool.limit(this.poolSize);
    post({ type: 'running' });
    // For tests, and for the curious at the console.
    Object.assign(globalThis, { friscyStats: () => ({ ...pool.stats(), fetching: [...this.fetching], ...this.counts }) });
    fetcher.keepWhen(() => this.counts.next === Next.Wait);
    void this.prefetch(manifest);
    await this.loop(kernel);
  }

  /** Answers with the profile of what ran so far. */
  saveProfile(): void {
    const bytes = this.kernel?.profile();
    post({ type: 'profile', bytes }, bytes ? [bytes.buffer] : []);
  }

  /** The page says how many memories there may be. */
  limit(poolSize: number): void {
    this.poolSize = poolSize;
    this.pool?.limit(poolSize);
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
          for (const end = performance.now() + LOADING_MS; this.pool?.isLoading && performance.now() < end; ) await yielder.now();
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

  /** Fetches a chunk that the machine waits for. */
  private async fetchChunk(number: number): Promise<void> {
    this.wanted.add(number);
    await this.getChunk(number);
  }

  private async getChunk(number: number): Promise<void> {
    const { manifest, fetcher } = this;
    const file = manifest?.chunks[number];
    if (!file || !fetcher || this.fetching.has(number)) return;
    this.fetching.add(number);
    try {
      const contents = await inflate(await fetcher.get(file));
      this.kernel?.chunk(number, contents);
      this.fetched.add(number);
    } catch (error) {
      // What nobody waits for is fetched again when somebody does.
      if (this.wanted.has(number)) this.failure = asFailure(error);
    }
    this.fetching.delete(number);
    this.wanted.delete(number);
    this.bell.strike();
  }

  /** Fetches what a profile says will be needed, one after the other, beside what the machine asks for. */
  private async prefetch(manifest: Manifest): Promise<void> {
    for (const number of manifest.first) this.fetched.add(number);
    for (const number of manifest.then ?? []) {
      if (!this.fetched.has(number)) await this.getChunk(number);
    }
  }

  private showFetching(): void {
    if (this.wanted.size !== this.shownFetching) {
      this.shownFetching = this.wanted.size;
      post({ type: 'fetching', chunks: this.shownFetching });
    }
  }
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

const session = new Session();
session.run(new URL('manifest.json', self.location.href).href).catch((error: unknown) => {
  post({ type: 'error', problem: asFailure(error).problem });
});

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'start':
      session.limit(data.pool);
      session.resize(data.cols, data.rows);
      untold?.splice(0).forEach((message) => self.postMessage(message));
      untold = undefined;
      break;
    case 'input':
      session.type(data.bytes);
      break;
    case 'resize':
      session.resize(data.cols, data.rows);
      break;
    case 'saveProfile':
      session.saveProfile();
      break;
    case 'taken':
      session.taken(data.bytes);
      break;
  }
};
