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

export class Fetcher {
  private readonly base: string;
  private cache: Promise<Cache | undefined> | undefined;
  /** Set once the kernel instance exists. */
  fallbackHash: Hasher | undefined;

  /** `base` is the manifest's address. */
  constructor(base: string) {
    this.base = base;
  }

  /** The bytes of a file. `progress` is called with the bytes that arrived since it was last called. */
  async get(file: FileRef, progress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>> {
    const url = new URL(pathOf(file), this.base).href;
    const cache = await this.openCache();
    const kept = await cache?.match(url).catch(() => undefined);
    if (kept) {
      const bytes = new Uint8Array(await kept.arrayBuffer());
      if (bytes.length === file.bytes && (await this.matches(bytes, file.sha256))) {
        progress?.(bytes.length);
        return bytes;
      }
      await cache?.delete(url).catch(() => false);
    }
    let reason = '';
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (attempt > 0) await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      let seen = 0;
      const watch = new Watch(STALL_MS);
      try {
        // After a wrong answer, caches on the way are asked to look again.
        const response = await fetch(url, { signal: watch.signal, cache: attempt > 0 ? 'reload' : 'default' });
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
          cache?.put(url, new Response(bytes)).catch(() => undefined);
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

  private openCache(): Promise<Cache | undefined> {
    this.cache ??= (async () => {
      try {
        return typeof caches === 'undefined' ? undefined : await caches.open(CACHE);
      } catch {
        return undefined;
      }
    })();
    return this.cache;
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
