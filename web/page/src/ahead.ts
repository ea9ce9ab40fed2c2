/**
 * Modules that friscy-pack compiled ahead of time. They are fetched when a process maps a file of which there is one, compiled
 * once, and shared by all address spaces; each has an instance of its own. What a module's section says
 * (`tiers/wasm/src/ahead.rs`) is looked up here, so that address spaces need not hold it.
 */

import type { FileRef } from './manifest';

const SECTION = 'friscy.aot';
/** The section with the module of functions that multiply and add in one. */
const FUSED_SECTION = 'friscy.aot.fused';
/** The version of the section that this page reads. */
const FORMAT = 3;
/** Words before the lists, and where the lengths of those are. */
const HEADER_WORDS = 18;
const LENGTHS = 13;
/** Bits of an entry's number in a code. */
const ENTRY_BITS = 10;

/** A module's section. */
class Table {
  private readonly words: Uint32Array;
  private readonly functions: number;
  private readonly entries: number;
  private readonly cells: number;
  /** How many functions are in the module itself. */
  readonly plain: number;
  /** How many are there: those and, if its module is, the others. */
  private readonly there: number;

  constructor(section: ArrayBuffer, hasFused: boolean) {
    this.words = new Uint32Array(section);
    const [segments = 0, functions = 0, entries = 0, , plain = 0] = this.words.subarray(LENGTHS, HEADER_WORDS);
    if (this.words[0] !== FORMAT) throw new Error(`format ${this.words[0]}, this page reads ${FORMAT}`);
    this.functions = HEADER_WORDS + 3 * segments;
    this.entries = this.functions + 2 * functions;
    this.cells = this.entries + 2 * entries;
    this.plain = plain;
    this.there = hasFused ? functions : plain;
  }

  private word(at: number): number {
    return this.words[at] ?? 0;
  }

  /** The code that is entered at an address, and the addresses of its function. */
  find(address: number): [code: number, start: number, end: number] | undefined {
    let [low, high] = [0, (this.cells - this.entries) / 2];
    const end = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.word(this.entries + 2 * middle) < address) low = middle + 1;
      else high = middle;
    }
    if (low === end || this.word(this.entries + 2 * low) !== address) return undefined;
    const code = this.word(this.entries + 2 * low + 1);
    if (code >>> ENTRY_BITS >= this.there) return undefined;
    const at = this.functions + 2 * (code >>> ENTRY_BITS);
    return [code, this.word(at), this.word(at + 1)];
  }

  /** Where a cell leads. */
  target(cell: number): number {
    return this.word(this.cells + cell);
  }
}

/** The code of a file. */
export interface Loaded {
  module: WebAssembly.Module;
  /** Its functions that multiply and add in one, where the browser does, and how many slots lie before theirs. */
  fused: { module: WebAssembly.Module; slots: number } | undefined;
}

export class Ahead {
  private readonly files: FileRef[];
  /** The bytes of a module. */
  private readonly get: (file: FileRef) => Promise<Uint8Array<ArrayBuffer>>;
  private readonly modules = new Map<number, Loaded>();
  private readonly tables = new Map<number, Table>();
  private pending = 0;
  private readonly loading = new Map<number, Promise<Loaded>>();

  constructor(files: FileRef[], get: (file: FileRef) => Promise<Uint8Array<ArrayBuffer>>) {
    this.files = files;
    this.get = get;
  }

  /** Whether any module is on its way. */
  get isLoading(): boolean {
    return this.pending > 0;
  }

  /** A module that is here. */
  loaded(number: number): Loaded | undefined {
    return this.modules.get(number);
  }

  /** A module, fetched and compiled if it is not here; `fuses` says whether the browser multiplies and adds in one. */
  load(number: number, fuses: boolean): Promise<Loaded> {
    let loading = this.loading.get(number);
    if (!loading) {
      this.pending += 1;
      loading = this.fetch(number, fuses).finally(() => (this.pending -= 1));
      this.loading.set(number, loading);
    }
    return loading;
  }

  private async fetch(number: number, fuses: boolean): Promise<Loaded> {
    const file = this.files[number];
    if (!file) throw new Error(`there is no module ${number}`);
    const module = await WebAssembly.compile(await this.get(file));
    const [section] = WebAssembly.Module.customSections(module, SECTION);
    if (!section) throw new Error(`module ${number} has no section ${SECTION}`);
    const [within] = fuses ? WebAssembly.Module.customSections(module, FUSED_SECTION) : [];
    const table = new Table(section, within !== undefined);
    const fused = within && { module: await WebAssembly.compile(within), slots: table.plain };
    const loaded = { module, fused };
    this.tables.set(number, table);
    this.modules.set(number, loaded);
    return loaded;
  }

  find(number: number, address: number): [code: number, start: number, end: number] | undefined {
    return this.tables.get(number)?.find(address);
  }

  target(number: number, cell: number): number {
    return this.tables.get(number)?.target(cell) ?? 0;
  }
}
