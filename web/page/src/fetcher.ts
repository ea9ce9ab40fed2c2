/** Fetches files of the bundle: verified by hash, kept in Cache Storage where there is one, retried. */

import { type FileRef, pathOf } from './manifest';
import { Failure } from './protocol';

const CACHE = 'friscy-1';
const TRIES = 4;
const FIRST_PAUSE_MS = 250;
/** A transfer that brings nothing for so long is begun again. */
const STALL_MS = 20_000;

/** SHA-256 for pages without `crypto.subtle` (plain http); the kernel instance provides it. */
export type Hasher = (bytes: Uint8Array) => string;

/** How often is looked whether files can be kept, and the longest that they wait for it. */
const KEEP_LOOK_MS = 200;
const KEEP_LATEST_MS = 15_000;

export class Fetcher {
  private readonly base: string;
  /** The cache and what is in it. */
  private readonly cache: Promise<{ cache: Cache; urls: Set<string> } | undefined>;
  /** What came and is not kept yet: keeping costs the worker's thread several milliseconds a file. */
  private readonly unkept: { url: string; bytes: Uint8Array<ArrayBuffer>; since: number }[] = [];
  /** Set once the kernel instance exists. */
  fallbackHash: Hasher | undefined;

  /** `base` is the manifest's address. */
  constructor(base: string) {
    this.base = base;
    this.cache = openCache();
  }

  /** Keeps what comes in Cache Storage from now on, while `idle` says that nothing waits for the thread. */
  keepWhen(idle: () => boolean): void {
    const look = async (): Promise<void> => {
      const next = this.unkept[0];
      if (next && (idle() || performance.now() - next.since > KEEP_LATEST_MS)) {
        this.unkept.shift();
        const opened = await this.cache;
        await opened?.cache.put(next.url, new Response(next.bytes)).catch(() => undefined);
      }
      setTimeout(() => void look(), KEEP_LOOK_MS);
    };
    void look();
  }

  /** The bytes of a file. `progress` is called with the bytes that arrived since it was last called. */
  async get(file: FileRef, progress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>> {
    const url = new URL(pathOf(file), this.base).href;
    let reason = '';
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (attempt > 0) await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      let seen = 0;
      const watch = new Watch(STALL_MS);
      try {
        // After a wrong answer, caches on the way are asked to look again.
        const asked = fetch(url, { signal: watch.signal, cache: attempt > 0 ? 'reload' : 'default' });
        if (attempt === 0) {
          const kept = await this.fromCache(url, file, asked);
          if (kept) {
            asked.catch(() => undefined);
            watch.abort();
            progress?.(kept.length);
            return kept;
          }
        }
        const response = await asked;
        if (!response.ok) {
          reason = `${response.status} ${response.statusText}`.trim();
          if (response.status === 404 || response.status === 403) break;
          continue;
        }
        const bytes = await readAll(response, file.bytes, (n) => {
          seen += n;
          watch.moved();
          progress?.(n);
        });
        if (bytes.length === file.bytes && (await this.matches(bytes, file.sha256))) {
          this.unkept.push({ url, bytes, since: performance.now() });
          return bytes;
        }
        reason = `${bytes.length} of ${file.bytes} bytes, or not the bytes that were packed`;
      } catch (error) {
        reason = watch.signal.aborted ? `nothing came for ${STALL_MS / 1000} seconds` : String(error);
      } finally {
        watch.stop();
      }
      progress?.(-seen);
    }
    throw new Failure({
      title: 'A part of the bundle could not be fetched.',
      advice: 'Check the connection and reload. If it stays, the copy on the server is incomplete: upload the whole folder again.',
      detail: `${url}: ${reason}`,
    });
  }

  /**
   * The file from the cache, if it is there. Opening the cache takes longer than a server nearby: the cache is not
   * waited for once there is an answer to what was `asked` of the server, unless there is none.
   */
  private async fromCache(url: string, file: FileRef, asked: Promise<Response>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const answered = asked.then((response) => (response.ok ? undefined : this.cache), () => this.cache);
    const opened = await Promise.race([this.cache, answered]);
    const kept = opened?.urls.has(url) ? await opened.cache.match(url).catch(() => undefined) : undefined;
    if (!kept) return undefined;
    const bytes = new Uint8Array(await kept.arrayBuffer());
    if (bytes.length === file.bytes && (await this.matches(bytes, file.sha256))) return bytes;
    await opened?.cache.delete(url).catch(() => false);
    return undefined;
  }

  private async matches(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> {
    if (globalThis.crypto?.subtle) {
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return hex(digest) === sha256;
    }
    // The kernel itself comes before there is anything to hash with; its length was compared.
    return this.fallbackHash ? this.fallbackHash(bytes) === sha256 : true;
  }
}

/** The cache, if there is one, and what is in it: asking for each file alone takes longer. */
async function openCache(): Promise<{ cache: Cache; urls: Set<string> } | undefined> {
  try {
    if (typeof caches === 'undefined') return undefined;
    const cache = await caches.open(CACHE);
    return { cache, urls: new Set((await cache.keys()).map((request) => request.url)) };
  } catch {
    return undefined;
  }
}

/** Ends a transfer that stands still. */
class Watch {
  private readonly controller = new AbortController();
  private readonly ms: number;
  private timer = 0;

  constructor(ms: number) {
    this.ms = ms;
    this.moved();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  moved(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.controller.abort(), this.ms);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  abort(): void {
    this.controller.abort();
  }
}

/** Lower-case hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Inflates raw deflate data. */
export async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Response(bytes).body?.pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function readAll(
  response: Response,
  expected: number,
  progress: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  if (!reader) {
    const bytes = new Uint8Array(await response.arrayBuffer());
    progress(bytes.length);
    return bytes;
  }
  const bytes = new Uint8Array(expected);
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return at === expected ? bytes : bytes.slice(0, at);
    if (at + value.length > expected) {
      await reader.cancel();
      return new Uint8Array(0);
    }
    bytes.set(value, at);
    at += value.length;
    progress(value.length);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
