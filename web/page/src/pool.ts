/**
 * The address spaces of guest processes and the wasm memories they run in.
 *
 * Layout of a cpu memory: the instance's own data below `WINDOW_BASE`, the guest's window above it. A browser allows
 * about 124 memories in a process, so there is a pool; an address space without a memory is parked: what it holds lies
 * in arrays and is loaded again before it runs. Nothing of a guest lives in wasm globals or tables, so that a copy of
 * the cpu's data in use and of the mapped ranges is the whole of an address space. `web/spike` proves it.
 */

import type { Ahead, Loaded } from './ahead';
import { View } from './view';

/** How many words a wish for a module has. */
const WISH_WORDS = 8;

/** Where the guest's window begins in a cpu memory. */
export const WINDOW_BASE = 0x1000_0000;
const WASM_PAGE = 65536;
const PAGES_BELOW_WINDOW = WINDOW_BASE / WASM_PAGE;
const ALL_PAGES = 65536;

/** The answer of an address space that failed for good. */
export const POISONED = -1;

/** The most bytes that parked address spaces may hold together: the memory that guests are told of. */
const MAX_PARKED_BYTES = 2 ** 31;

/** What a cpu instance exports. */
interface CpuExports {
  __stack_pointer: WebAssembly.Global;
  __indirect_function_table: WebAssembly.Table;
  /**
   * Sets the instance up; called once on a fresh memory. Slots from `baseSlot` on are for compiled code, which may
   * multiply and add in one if `fused` is not 0.
   */
  init(baseSlot: number, fused: number): void;
  /** Where the module is that tells whether the browser multiplies and adds in one, and its length in bytes. */
  probe(): number;
  probe_len(): number;
  /** Takes the next module that is to be instantiated; returns its length in bytes, 0 if there is none. */
  offered(): number;
  offered_module(): number;
  offered_number(): number;
  /** How many slots the table needs for it. */
  offered_slots(): number;
  /** Says that a module's functions are in the table, or (0) that the browser refused it. */
  installed(number: number, done: number): void;
  /** Forgets what was compiled: the table has none of it. */
  detach(): void;
  /** How many regions were compiled. */
  compiled(): number;
  /** The exact implementation of floating-point ops, for compiled code. */
  float: WebAssembly.ExportValue;
  /** How many functions run that were compiled ahead of time. */
  found_ahead(): number;
  /** Takes the next wish for a module that was compiled ahead of time; where its {@link WISH_WORDS} words are, or 0. */
  wanted(): number;
  /** The end of the instance's own data in use below {@link fixed_base}; the bytes from there on are zero. */
  high_water(): number;
  /** Where state, page bytes and translated code are; they end before the window. */
  fixed_base(): number;
  /** How many bytes of them were ever written; those after them are zero. */
  fixed_written(): number;
  /** A buffer for a request of `len` bytes. */
  request(len: number): number;
  /** Does what the request in the buffer asks and returns the reply's length. */
  handle(): number;
  /** Makes the reply to a run in which compiled code reached beyond the memory; its length, 0 if no compiled code ran. */
  lost_fault(): number;
  /** Where the reply is. */
  reply(): number;
  /** Collects the ranges of the window that may not be zero; returns their number. */
  collect_ranges(): number;
  /** Where the collected ranges are: pairs of 32-bit numbers, window offset and length in bytes. */
  ranges(): number;
}

/** A part of a memory: where it begins, and its length in bytes. */
type Part = [at: number, len: number];

/** Whether the browser multiplies and adds in one, once that is known. */
let fused: boolean | undefined;

/** How many modules of compiled code there were. */
let modules = 0;

/** How many functions ran code that was compiled ahead of time, in address spaces that are no more in a memory. */
let foundAhead = 0;

/**
 * Whether an access beyond the memory trapped. The standard has no names for traps; Chromium's, Firefox's and Safari's are
 * "memory access out of bounds", "index out of bounds" and "Out of bounds memory access".
 */
function isBeyondMemory(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError && /memory access|^index out of bounds/i.test(error.message);
}

/** A memory and the instance in it. */
class Slot {
  readonly memory = new WebAssembly.Memory({ initial: PAGES_BELOW_WINDOW, maximum: ALL_PAGES });
  readonly exports: CpuExports;
  private readonly ahead: Ahead;
  /** The fresh instance's own data. */
  private readonly pristine: Parked;
  /** Where the instance's stack ends and its data begins. Below lies nothing that lives while no call is active. */
  private readonly stackTop: number;
  private view = new Uint8Array(0);
  private readonly requested = new View(this.memory);
  private readonly replied = new View(this.memory);
  /** The address space that is loaded, or 0. */
  space = 0;
  /** When it was last used. */
  used = 0;
  /** Where slots for compiled code begin. */
  private readonly baseSlot: number;
  /** Changes when another address space takes the place, so that what is compiled for one does not come to another. */
  private tenancy = 0;

  constructor(module: WebAssembly.Module, ahead: Ahead) {
    this.ahead = ahead;
    const friscy = {
      ahead_find: (module: number, address: number, to: number) => {
        const found = ahead.find(module >>> 0, address >>> 0);
        if (!found) return 0;
        new Uint32Array(this.memory.buffer, to >>> 0, found.length).set(found);
        return 1;
      },
      ahead_target: (module: number, cell: number) => ahead.target(module >>> 0, cell >>> 0),
    };
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory }, friscy });
    this.exports = instance.exports as unknown as CpuExports;
    this.baseSlot = this.exports.__indirect_function_table.length;
    this.exports.init(this.baseSlot, this.fuses() ? 1 : 0);
    this.stackTop = this.exports.__stack_pointer.value as number;
    this.pristine = this.save();
  }

  /** The whole memory as it is now: it grows. */
  get bytes(): Uint8Array {
    if (this.view.buffer !== this.memory.buffer) this.view = new Uint8Array(this.memory.buffer);
    return this.view;
  }

  /** The end of the instance's own data in use. */
  get highWater(): number {
    return this.exports.high_water() >>> 0;
  }

  /** What holds the address space: the instance's data, its code, and the guest's pages. All else is zero. */
  parts(): Part[] {
    this.assertAtRest();
    const { exports, stackTop } = this;
    const count = exports.collect_ranges();
    const found = new Uint32Array(this.memory.buffer, exports.ranges() >>> 0, count * 2);
    const pages = Array.from({ length: count }, (_, i): Part => [WINDOW_BASE + (found[2 * i] ?? 0), found[2 * i + 1] ?? 0]);
    return [[stackTop, this.highWater - stackTop], [exports.fixed_base() >>> 0, exports.fixed_written()], ...pages];
  }

  /** Takes a request. */
  take(request: Uint8Array): void {
    const at = this.exports.request(request.length) >>> 0;
    this.requested.get(at, request.length).set(request);
  }

  /** A reply of `len` bytes, which stays valid until the next call. */
  reply(len: number): Uint8Array {
    return this.replied.get(this.exports.reply() >>> 0, len);
  }

  /** Makes the memory reach as far as `end`. */
  reach(end: number): void {
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / WASM_PAGE));
  }

  /** What is in it: a copy that another slot, or this one later, can load. */
  save(): Parked {
    return this.parts().map(([at, len]) => ({ at, bytes: this.bytes.slice(at, at + len) }));
  }

  /** Loads what another slot saved into this wiped one. */
  load(parked: Parked): void {
    this.reach(parked.reduce((end, { at, bytes }) => Math.max(end, at + bytes.length), 0));
    for (const { at, bytes } of parked) this.bytes.set(bytes, at);
    this.exports.detach();
  }

  /** Whether the browser multiplies and adds in one. */
  private fuses(): boolean {
    fused ??= this.probe();
    return fused;
  }

  private probe(): boolean {
    const at = this.exports.probe() >>> 0;
    const bytes = this.bytes.slice(at, at + this.exports.probe_len());
    if (!WebAssembly.validate(bytes)) return false;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return (exports.fused as () => number)() === 1;
  }

  /** Compiles the modules that are offered, while the interpreter goes on. */
  compile(): void {
    for (let len = this.exports.offered(); len > 0; len = this.exports.offered()) {
      const at = this.exports.offered_module() >>> 0;
      const number = this.exports.offered_number();
      const slots = this.exports.offered_slots();
      const { tenancy } = this;
      void WebAssembly.compile(this.bytes.slice(at, at + len)).then(
        (module) => {
          if (this.tenancy === tenancy) this.install(module, number, slots);
        },
        (error: unknown) => {
          console.error('the browser refused compiled code:', error);
          if (this.tenancy === tenancy) this.exports.installed(number, 0);
        },
      );
    }
  }

  /** Brings the modules that are asked for, which were compiled ahead of time. */
  attach(): void {
    for (let at = this.exports.wanted() >>> 0; at > 0; at = this.exports.wanted() >>> 0) {
      const wish = new Uint32Array(this.memory.buffer, at, WISH_WORDS).slice();
      const [number = 0, module = 0] = wish;
      const loaded = this.ahead.loaded(module);
      if (loaded) {
        this.instantiate(loaded, wish);
        continue;
      }
      const { tenancy } = this;
      void this.ahead.load(module, this.fuses()).then(
        (compiled) => {
          if (this.tenancy === tenancy) this.instantiate(compiled, wish);
        },
        (error: unknown) => {
          console.error('code that was compiled ahead of time is not used:', error);
          if (this.tenancy === tenancy) this.exports.installed(number, 0);
        },
      );
    }
  }

  private instantiate({ module, fused }: Loaded, wish: Uint32Array): void {
    const [number = 0, , low = 0, high = 0, slots = 0, end = 0, cells = 0, cache = 0] = wish;
    const { float, __indirect_function_table: table } = this.exports;
    if (table.length < end) table.grow(end - table.length);
    const constants = { base: (BigInt(high) << 32n) | BigInt(low), 'base.low': low, cells, cache };
    // TypeScript's library does not know that globals of 64 bits may be imported as numbers.
    const imports = { memory: this.memory, table, float, slots, ...constants } as unknown as WebAssembly.ModuleImports;
    new WebAssembly.Instance(module, { friscy: imports });
    if (fused) new WebAssembly.Instance(fused.module, { friscy: { ...imports, slots: slots + fused.slots } });
    this.exports.installed(number, 1);
  }

  private install(module: WebAssembly.Module, number: number, slots: number): void {
    const { float, __indirect_function_table: table } = this.exports;
    if (table.length < slots) table.grow(slots - table.length);
    // It puts its functions into the table.
    new WebAssembly.Instance(module, { friscy: { memory: this.memory, table, float } });
    this.exports.installed(number, 1);
    modules += 1;
  }

  /** Makes this wiped slot a copy of another one. */
  copy(from: Slot): void {
    const parts = from.parts();
    this.reach(parts.reduce((end, [at, len]) => Math.max(end, at + len), 0));
    const [source, target] = [from.bytes, this.bytes];
    for (const [at, len] of parts) target.set(source.subarray(at, at + len), at);
    this.exports.detach();
  }

  /** Leaves the memory as a fresh instance has it. */
  wipe(): void {
    foundAhead += this.exports.found_ahead();
    for (const [at, len] of this.parts()) this.bytes.fill(0, at, at + len);
    for (const { at, bytes } of this.pristine) this.bytes.set(bytes, at);
    const table = this.exports.__indirect_function_table;
    for (let slot = this.baseSlot; slot < table.length; slot++) table.set(slot, null);
    this.tenancy += 1;
    this.space = 0;
  }

  private assertAtRest(): void {
    if ((this.exports.__stack_pointer.value as number) !== this.stackTop) {
      throw new Error('a cpu instance has frames on its stack');
    }
  }
}

/** Copies of the parts of a memory. */
type Parked = { at: number; bytes: Uint8Array }[];

/** How many bytes copies take. */
function held(parked: Parked | undefined): number {
  return (parked ?? []).reduce((sum, { bytes }) => sum + bytes.length, 0);
}

interface Space {
  slot: Slot | undefined;
  parked: Parked | undefined;
  poisoned: boolean;
}

/** Counters for tests and for the curious. */
export interface PoolStats {
  /** Functions that ran code that was compiled ahead of time, in each address space that has a memory or had one. */
  foundAhead: number;
  /** Regions compiled in the address spaces that have a memory. */
  compiled: number;
  /** Modules of compiled code that there ever were. */
  modules: number;
  memories: number;
  spaces: number;
  parks: number;
  forks: number;
}

export class Pool {
  private readonly module: WebAssembly.Module;
  private readonly ahead: Ahead;
  private size = 2;
  private readonly onTrap: (error: unknown) => void;
  private readonly slots: Slot[] = [];
  private readonly spaces = new Map<number, Space>();
  private nextSpace = 1;
  private clock = 0;
  private parks = 0;
  private forks = 0;
  /** What the parked address spaces hold. */
  private parkedBytes = 0;

  constructor(module: WebAssembly.Module, ahead: Ahead, onTrap: (error: unknown) => void) {
    this.module = module;
    this.ahead = ahead;
    this.onTrap = onTrap;
  }

  /** How many memories there may be; two are the least that a fork can do with. */
  limit(size: number): void {
    this.size = Math.max(2, size);
  }

  /** Makes the first memory, which the first process then finds. */
  prepare(): void {
    if (this.slots.length === 0) this.slots.push(new Slot(this.module, this.ahead));
  }

  /** Whether code comes that was compiled ahead of time. */
  get isLoading(): boolean {
    return this.ahead.isLoading;
  }

  stats(): PoolStats {
    const compiled = this.slots.reduce((sum, slot) => sum + slot.exports.compiled(), 0);
    const found = this.slots.reduce((sum, slot) => sum + slot.exports.found_ahead(), foundAhead);
    return { compiled, foundAhead: found, modules, memories: this.slots.length, spaces: this.spaces.size, parks: this.parks, forks: this.forks };
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
    if (this.parkedBytes >= MAX_PARKED_BYTES) return 0;
    let child = 0;
    try {
      if (!this.load(parent)) return 0;
      child = this.create();
      // Making room for the child parks the one used longest ago: with two memories or more, never the parent.
      const from = this.spaces.get(parent)?.slot;
      const to = this.spaces.get(child)?.slot;
      if (from && to) {
        to.copy(from);
        this.forks += 1;
        return child;
      }
    } catch (error) {
      this.onTrap(error);
    }
    this.destroy(child);
    return 0;
  }

  destroy(number: number): void {
    const space = this.spaces.get(number);
    if (space?.slot) this.release(space.slot, space.poisoned);
    if (space) this.unpark(space);
    this.spaces.delete(number);
  }

  /** Forgets what was saved of an address space. */
  private unpark(space: Space): void {
    this.parkedBytes -= held(space.parked);
    space.parked = undefined;
  }

  /** Lets an address space handle the request in `from`; the reply stays valid until the next call. */
  call(number: number, from: Uint8Array): Uint8Array | typeof POISONED {
    try {
      const slot = this.load(number);
      if (!slot) return POISONED;
      slot.take(from);
      const len = slot.exports.handle();
      slot.compile();
      slot.attach();
      return slot.reply(len);
    } catch (error) {
      const space = this.spaces.get(number);
      if (space) space.poisoned = true;
      const len = isBeyondMemory(error) ? space?.slot?.exports.lost_fault() : 0;
      if (len && space?.slot) return space.slot.reply(len);
      this.onTrap(error);
      return POISONED;
    }
  }

  /** The memory that holds an address space, loaded if it was parked; nothing for one that failed. */
  private load(number: number): Slot | undefined {
    const space = this.spaces.get(number);
    if (!space || space.poisoned) return undefined;
    if (!space.slot) {
      const slot = this.free();
      if (space.parked) {
        slot.load(space.parked);
        this.unpark(space);
      }
      slot.space = number;
      space.slot = slot;
    }
    space.slot.used = ++this.clock;
    return space.slot;
  }

  /** A wiped slot: a free one, a new one, or the one used longest ago, whose address space is parked. */
  private free(): Slot {
    const free = this.slots.find((slot) => slot.space === 0);
    if (free) return free;
    if (this.slots.length < this.size) {
      try {
        const slot = new Slot(this.module, this.ahead);
        this.slots.push(slot);
        return slot;
      } catch (error) {
        // The browser gives no more memories: make do with those there are.
        if (this.slots.length < 2) throw error;
      }
    }
    const oldest = this.slots.reduce((a, b) => (a.used <= b.used ? a : b));
    const space = this.spaces.get(oldest.space);
    if (space && !space.poisoned) {
      space.parked = oldest.save();
      this.parkedBytes += held(space.parked);
      this.parks += 1;
    }
    if (space) space.slot = undefined;
    return this.release(oldest, space?.poisoned ?? false);
  }

  /** Makes a slot free; one whose instance trapped is replaced, since its data may be in any state. */
  private release(slot: Slot, poisoned: boolean): Slot {
    if (!poisoned) {
      slot.wipe();
      return slot;
    }
    const fresh = new Slot(this.module, this.ahead);
    this.slots[this.slots.indexOf(slot)] = fresh;
    return fresh;
  }
}
