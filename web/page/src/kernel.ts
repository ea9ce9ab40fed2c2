/** The kernel instance: its imports, and its exports in TypeScript's terms. */

import { hex } from './fetcher';
import type { Manifest } from './manifest';
import { POISONED, type Pool } from './pool';
import { View } from './view';

/** What the instance needs of the worker. */
export interface Host {
  pool: Pool;
  /** The terminal takes bytes; returns how many. */
  output(bytes: Uint8Array): number;
  /** Typed bytes that nobody read yet. */
  input: InputQueue;
  /** A program waits for a chunk of file contents. */
  want(chunk: number): void;
  /** A line for the console. */
  log(line: string): void;
}

interface KernelExports {
  memory: WebAssembly.Memory;
  /** A buffer of `len` bytes for what comes next. */
  buffer(len: number): number;
  /** Takes the machine's description (JSON) from the buffer, `config` bytes, and the file index behind it. */
  boot(config: number): number;
  /** Takes a chunk's contents from the buffer. */
  chunk(number: number): void;
  /** Runs for about so many milliseconds; says how to go on, see {@link Next}. */
  slice(ms: number): number;
  /** Milliseconds until the next timer, or a negative number. */
  timer_ms(): number;
  /** The first process's wait status. */
  exit_status(): number;
  /** There is input, or room for output. */
  terminal_ready(): void;
  resize(cols: number, rows: number): void;
  /** Makes the profile of all that ran so far; its length in bytes, 0 if none is recorded. */
  make_profile(): number;
  /** Where it is. */
  profile(): number;
  /** Where the SHA-256 of what is in the buffer is. */
  sha256(): number;
  message(): number;
  message_len(): number;
}

/** What the machine wants after a slice. */
export const enum Next {
  /** To go on running. */
  More = 0,
  /** Input, a chunk, or a timer. */
  Wait = 1,
  /** Nothing: the first process ended. */
  Exited = 2,
  /** Nothing: it failed; `message` says why. */
  Failed = 3,
}

/** Bytes from the terminal in the order in which they were typed. */
export class InputQueue {
  private readonly parts: Uint8Array[] = [];

  get empty(): boolean {
    return this.parts.length === 0;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.parts.push(bytes);
  }

  /** Moves bytes into `to` and returns how many. */
  read(to: Uint8Array): number {
    let done = 0;
    for (let first = this.parts[0]; first && done < to.length; first = this.parts[0]) {
      const n = Math.min(first.length, to.length - done);
      to.set(first.subarray(0, n), done);
      done += n;
      if (n === first.length) this.parts.shift();
      else this.parts[0] = first.subarray(n);
    }
    return done;
  }
}

export class Kernel {
  private readonly exports: KernelExports;

  constructor(module: WebAssembly.Module, host: Host) {
    const { pool } = host;
    let reply: Uint8Array = new Uint8Array(0);
    let requests: View;
    let replies: View;
    const bytes = (at: number, len: number): Uint8Array => new Uint8Array(this.exports.memory.buffer, at >>> 0, len);
    const imports = {
      cpu_create: () => pool.create(),
      cpu_fork: (parent: number) => pool.fork(parent),
      cpu_destroy: (space: number) => pool.destroy(space),
      cpu_call: (space: number, at: number, len: number) => {
        const answer = pool.call(space, requests.get(at >>> 0, len));
        if (answer === POISONED) return -1;
        reply = answer;
        return reply.length;
      },
      cpu_reply: (to: number) => replies.get(to >>> 0, reply.length).set(reply),
      terminal_write: (from: number, len: number) => host.output(bytes(from, len)),
      terminal_read: (to: number, len: number) => host.input.read(bytes(to, len)),
      terminal_readable: () => (host.input.empty ? 0 : 1),
      monotonic_ns: () => BigInt(Math.floor(performance.now() * 1e6)),
      realtime_ns: () => BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1e3)) * 1000n,
      entropy: (to: number, len: number) => {
        for (let done = 0; done < len; done += 65536) {
          const part = new Uint8Array(Math.min(65536, len - done));
          bytes(to + done, part.length).set(crypto.getRandomValues(part));
        }
      },
      want_chunk: (number: number) => host.want(number),
      log: (from: number, len: number) => host.log(new TextDecoder().decode(bytes(from, len).slice())),
    };
    const instance = new WebAssembly.Instance(module, { friscy: imports });
    this.exports = instance.exports as unknown as KernelExports;
    requests = new View(this.exports.memory);
    replies = new View(this.exports.memory);
  }

  private put(...parts: Uint8Array[]): void {
    const len = parts.reduce((sum, part) => sum + part.length, 0);
    let at = this.exports.buffer(len) >>> 0;
    for (const part of parts) {
      new Uint8Array(this.exports.memory.buffer).set(part, at);
      at += part.length;
    }
  }

  /** Sets the machine up; returns why not, or nothing. `profile` says whether a profile is recorded. */
  boot(manifest: Manifest, index: Uint8Array, profile: boolean): string | undefined {
    const config = new TextEncoder().encode(JSON.stringify({ ...manifest.entry, chunks: manifest.chunks.length, profile }));
    this.put(config, index);
    return this.exports.boot(config.length) === 0 ? undefined : this.message();
  }

  chunk(number: number, contents: Uint8Array): void {
    this.put(contents);
    this.exports.chunk(number);
  }

  slice(ms: number): Next {
    return this.exports.slice(ms) as Next;
  }

  timerMs(): number {
    return this.exports.timer_ms();
  }

  exitStatus(): number {
    return this.exports.exit_status();
  }

  terminalReady(): void {
    this.exports.terminal_ready();
  }

  resize(cols: number, rows: number): void {
    this.exports.resize(cols, rows);
  }

  /** The profile of all that ran so far, as a file has it; nothing if none is recorded. */
  profile(): Uint8Array<ArrayBuffer> | undefined {
    const len = this.exports.make_profile();
    const at = this.exports.profile() >>> 0;
    return len > 0 ? new Uint8Array(this.exports.memory.buffer, at, len).slice() : undefined;
  }

  /** SHA-256 as hexadecimal digits. */
  sha256(bytes: Uint8Array): string {
    this.put(bytes);
    const at = this.exports.sha256() >>> 0;
    return hex(new Uint8Array(this.exports.memory.buffer, at, 32));
  }

  message(): string {
    const at = this.exports.message() >>> 0;
    return new TextDecoder().decode(new Uint8Array(this.exports.memory.buffer, at, this.exports.message_len()).slice());
  }
}
