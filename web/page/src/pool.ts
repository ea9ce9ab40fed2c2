/**
 * The address spaces of guest processes and the wasm memories they run in.
 *
 * Layout of a cpu memory: the instance's own data below `WINDOW_BASE`, the guest's window above it. A browser allows
 * about 124 memories in a process, so there is a pool; an address space without a memory is parked: what it holds lies
 * in arrays and is loaded again before it runs. Nothing of a guest lives in wasm globals or tables, so that a copy of
 * the cpu's data in use and of the mapped ranges is the whole of an address space. `web/spike` proves it.
 */

/** Where the guest's window begins in a cpu memory. */
export const WINDOW_BASE = 0x1000_0000;
const WASM_PAGE = 65536;
const PAGES_BELOW_WINDOW = WINDOW_BASE / WASM_PAGE;
const ALL_PAGES = 65536;

/** The number of bytes that cannot be reached any more because an instance trapped. */
export const POISONED = -1;

/** What a cpu instance exports. */
interface CpuExports {
  __stack_pointer: WebAssembly.Global;
  /** Sets the instance up; called once on a fresh memory. */
  init(): void;
  /** The end of the instance's own data in use; the bytes from there to the window are zero. */
  high_water(): number;
  /** A buffer for a request of `len` bytes. */
  request(len: number): number;
  /** Handles the request in the buffer and returns the reply's length. */
  handle(len: number): number;
  /** Where the reply is. */
  reply(): number;
  /** How many bytes from `addr` on may be read (or written), at most `len`; written pages are marked. */
  span(addr: bigint, len: number, write: number): number;
  /** Collects the ranges of the window that are not zero; returns their number. */
  collect_ranges(): number;
  /** Where the collected ranges are: pairs of 32-bit numbers, window offset and length in bytes. */
  ranges(): number;
}

interface Slot {
  memory: WebAssembly.Memory;
  exports: CpuExports;
  /** All 4 GiB. */
  bytes: Uint8Array;
  /** The fresh instance's own data. */
  pristine: Uint8Array;
  stackTop: number;
  /** The address space that is loaded, or 0. */
  space: number;
  /** When it was last used. */
  used: number;
}

interface Parked {
  data: Uint8Array;
  ranges: { at: number; bytes: Uint8Array }[];
}

interface Space {
  slot: Slot | undefined;
  parked: Parked | undefined;
  poisoned: boolean;
}

/** Counters for tests and for the curious. */
export interface PoolStats {
  memories: number;
  spaces: number;
  parks: number;
  forks: number;
}

export class Pool {
  private readonly module: WebAssembly.Module;
  private readonly size: number;
  private readonly onTrap: (error: unknown) => void;
  private readonly slots: Slot[] = [];
  private readonly spaces = new Map<number, Space>();
  private nextSpace = 1;
  private clock = 0;
  private parks = 0;
  private forks = 0;

  constructor(module: WebAssembly.Module, size: number, onTrap: (error: unknown) => void) {
    this.module = module;
    this.size = Math.max(2, size);
    this.onTrap = onTrap;
  }

  stats(): PoolStats {
    return { memories: this.slots.length, spaces: this.spaces.size, parks: this.parks, forks: this.forks };
  }

  /** Makes an empty address space; 0 when there is no memory for it. */
  create(): number {
    const number = this.nextSpace++;
    this.spaces.set(number, { slot: undefined, parked: undefined, poisoned: false });
    try {
      this.load(number);
    } catch (error) {
      this.onTrap(error);
      this.spaces.delete(number);
      return 0;
    }
    return number;
  }

  /** Makes a copy of an address space; 0 when there is no memory for it. */
  fork(parent: number): number {
    const from = this.load(parent);
    if (!from) return 0;
    const child = this.create();
    const to = this.spaces.get(child)?.slot;
    if (!to) return 0;
    // Making room for the child may have parked the parent only if the pool had one memory; it has two.
    to.bytes.set(from.bytes.subarray(0, from.exports.high_water()));
    for (const [at, len] of rangesOf(from)) to.bytes.set(from.bytes.subarray(at, at + len), at);
    this.forks += 1;
    return child;
  }

  destroy(number: number): void {
    const space = this.spaces.get(number);
    if (!space) return;
    if (space.slot) {
      if (space.poisoned) {
        // Its data may be in any state: start the memory over.
        this.replace(space.slot);
      } else {
        this.wipe(space.slot, rangesOf(space.slot));
      }
    }
    this.spaces.delete(number);
  }

  /** Lets an address space handle the request in `from`; the reply stays valid until the next call. */
  call(number: number, from: Uint8Array): Uint8Array | typeof POISONED {
    const slot = this.load(number);
    if (!slot) return POISONED;
    try {
      const at = slot.exports.request(from.length) >>> 0;
      slot.bytes.set(from, at);
      const len = slot.exports.handle(from.length);
      const reply = slot.exports.reply() >>> 0;
      return slot.bytes.subarray(reply, reply + len);
    } catch (error) {
      const space = this.spaces.get(number);
      if (space) space.poisoned = true;
      this.onTrap(error);
      return POISONED;
    }
  }

  /** Copies guest memory to `to`; returns how many bytes could be read. */
  read(number: number, addr: bigint, to: Uint8Array): number {
    const slot = this.load(number);
    if (!slot) return 0;
    const len = slot.exports.span(addr, to.length, 0) >>> 0;
    const at = WINDOW_BASE + Number(BigInt.asUintN(32, addr));
    if (len > 0) to.set(slot.bytes.subarray(at, at + len));
    return len;
  }

  /** Copies `from` to guest memory; returns how many bytes could be written. */
  write(number: number, addr: bigint, from: Uint8Array): number {
    const slot = this.load(number);
    if (!slot) return 0;
    const len = slot.exports.span(addr, from.length, 1) >>> 0;
    const at = WINDOW_BASE + Number(BigInt.asUintN(32, addr));
    if (len > 0) slot.bytes.set(from.subarray(0, len), at);
    return len;
  }

  /** The memory that holds an address space, loaded if it was parked; nothing for one that trapped. */
  private load(number: number): Slot | undefined {
    const space = this.spaces.get(number);
    if (!space || space.poisoned) return undefined;
    if (!space.slot) {
      const slot = this.free();
      if (space.parked) {
        slot.bytes.set(space.parked.data);
        for (const { at, bytes } of space.parked.ranges) slot.bytes.set(bytes, at);
        space.parked = undefined;
      }
      slot.space = number;
      space.slot = slot;
    }
    space.slot.used = ++this.clock;
    return space.slot;
  }

  private free(): Slot {
    const free = this.slots.find((slot) => slot.space === 0);
    if (free) return free;
    if (this.slots.length < this.size) {
      try {
        return this.fresh();
      } catch (error) {
        // The browser gives no more memories: make do with those there are.
        if (this.slots.length < 2) throw error;
      }
    }
    const oldest = this.slots.reduce((a, b) => (a.used <= b.used ? a : b));
    this.park(oldest);
    return oldest;
  }

  private fresh(): Slot {
    const memory = new WebAssembly.Memory({ initial: PAGES_BELOW_WINDOW, maximum: ALL_PAGES });
    const slot: Slot = { ...this.instantiate(memory), memory, space: 0, used: 0 };
    this.slots.push(slot);
    return slot;
  }

  private instantiate(memory: WebAssembly.Memory): Omit<Slot, 'memory' | 'space' | 'used'> {
    const instance = new WebAssembly.Instance(this.module, { env: { memory } });
    const exports = instance.exports as unknown as CpuExports;
    exports.init();
    const have = memory.buffer.byteLength / WASM_PAGE;
    if (have < ALL_PAGES) memory.grow(ALL_PAGES - have);
    const bytes = new Uint8Array(memory.buffer);
    return {
      exports,
      bytes,
      pristine: bytes.slice(0, exports.high_water()),
      stackTop: exports.__stack_pointer.value as number,
    };
  }

  private park(slot: Slot): void {
    const space = this.spaces.get(slot.space);
    if (!space) return;
    if (space.poisoned) {
      this.replace(slot);
    } else {
      const ranges = rangesOf(slot);
      space.parked = {
        data: slot.bytes.slice(0, slot.exports.high_water()),
        ranges: ranges.map(([at, len]) => ({ at, bytes: slot.bytes.slice(at, at + len) })),
      };
      this.wipe(slot, ranges);
      this.parks += 1;
    }
    space.slot = undefined;
  }

  /** Leaves a memory as a fresh instance has it. */
  private wipe(slot: Slot, ranges: [number, number][]): void {
    if ((slot.exports.__stack_pointer.value as number) !== slot.stackTop) {
      throw new Error('a cpu instance is left with frames on its stack');
    }
    slot.bytes.fill(0, 0, slot.exports.high_water());
    slot.bytes.set(slot.pristine);
    for (const [at, len] of ranges) slot.bytes.fill(0, at, at + len);
    slot.space = 0;
  }

  /** Gives a slot a new memory. */
  private replace(slot: Slot): void {
    const memory = new WebAssembly.Memory({ initial: PAGES_BELOW_WINDOW, maximum: ALL_PAGES });
    Object.assign(slot, this.instantiate(memory), { memory, space: 0 });
  }
}

/** The ranges of a memory that hold something of the guest's, as addresses in the memory. */
function rangesOf(slot: Slot): [number, number][] {
  const count = slot.exports.collect_ranges();
  const view = new Uint32Array(slot.memory.buffer, slot.exports.ranges() >>> 0, count * 2);
  const ranges: [number, number][] = [];
  for (let i = 0; i < count; i++) ranges.push([WINDOW_BASE + (view[2 * i] ?? 0), view[2 * i + 1] ?? 0]);
  return ranges;
}
