// The glue of the spike: one kernel instance, cpu instances with their own memories, a pool of memories.
const G = 0x10000000;
const PAGES_BELOW = G / 65536;
const ALL_PAGES = 65536;
const STATE_WORDS = 17;

/** Assembles a toy program; labels are strings, `[label]` lines define them. */
function assemble(lines, base = 0x10000) {
  const labels = new Map();
  let at = base;
  for (const line of lines) {
    if (typeof line === 'string') labels.set(line, at);
    else at += 16;
  }
  const words = [];
  for (const line of lines) {
    if (typeof line !== 'string') words.push(...line.map((w) => (typeof w === 'string' ? labels.get(w) : w)));
  }
  return new Uint8Array(Int32Array.from(words).buffer);
}
const li = (a, v) => [0, a, v, 0];
const mv = (a, b) => [1, a, b, 15]; // r15 stays zero
const lw = (a, b, c) => [2, a, b, c];
const sw = (a, b, c) => [3, a, b, c];
const bne = (a, b, to) => [4, a, b, to];
const sys = (number, r1, r2, r3) => [li(0, number), li(1, r1 ?? 0), li(2, r2 ?? 0), li(3, r3 ?? 0), [5, 0, 0, 0]];
const put = (addr, v) => [li(4, v), li(5, addr), sw(4, 5, 0)];
const expect = (addr, v, bad) => [li(4, v), li(5, addr), lw(6, 5, 0), bne(4, 6, bad)];
const text = (addr, s) => {
  const bytes = new TextEncoder().encode(s.padEnd(16, ' '));
  return [...new Int32Array(bytes.buffer)].flatMap((w, i) => put(addr + 4 * i, w));
};

const reader = (tag, shared) => [
  ...expect(0x30000, 42, 'bad'),
  ...put(0x30000, 99),
  ...sys(6, 0, 0x30100, 16),
  ...sys(9, 0, 0x30100, 16),
  ...expect(0x30000, 99, 'bad'),
  ...put(0x20000 + 4 * tag, shared),
  ...sys(1, 5),
];
const PROGRAMS = [
  assemble([
    ...sys(8),
    ...put(0x30000, 42),
    ...put(0x20000, 1),
    ...put(0xefff0000 | 0, 11),
    ...sys(2),
    bne(0, 15, 'second'),
    ...reader(1, 7),
    'second',
    ...sys(2),
    bne(0, 15, 'parent'),
    ...reader(2, 8),
    'parent',
    ...text(0x30200, 'first reader'),
    ...sys(5, 0, 0x30200, 16),
    ...text(0x30200, 'second reader'),
    ...sys(5, 0, 0x30200, 16),
    ...sys(7), li(4, 5), bne(0, 4, 'bad'),
    ...sys(7), li(4, 5), bne(0, 4, 'bad'),
    ...expect(0x30000, 42, 'bad'),
    ...expect(0x20000, 1, 'bad'),
    ...expect(0x20004, 7, 'bad'),
    ...expect(0x20008, 8, 'bad'),
    ...expect(0xefff0000 | 0, 11, 'bad'),
    ...sys(3),
    bne(0, 15, 'after'),
    ...put(0x30010, 1234),
    ...sys(4, 1),
    'after',
    ...expect(0x30010, 1234, 'bad'),
    ...sys(7), li(4, 3), bne(0, 4, 'bad'),
    ...sys(1, 0),
    'bad',
    ...sys(1, 77),
  ]),
  assemble([
    ...expect(0x30010, 0, 'bad'),
    ...text(0x30200, 'executed'),
    ...sys(9, 0, 0x30200, 16),
    ...sys(1, 3),
    'bad',
    ...sys(1, 78),
  ]),
];

class Pool {
  constructor(module, size) {
    this.module = module;
    this.size = size;
    this.slots = [];
    this.mms = new Map();
    this.next = 1;
    this.clock = 0;
    this.parks = 0;
  }

  fresh() {
    const memory = new WebAssembly.Memory({ initial: PAGES_BELOW, maximum: ALL_PAGES });
    const instance = new WebAssembly.Instance(this.module, { env: { memory } });
    memory.grow(ALL_PAGES - PAGES_BELOW);
    const exports = instance.exports;
    const slot = { memory, exports, bytes: new Uint8Array(memory.buffer), mm: 0, used: 0 };
    slot.pristine = slot.bytes.slice(0, exports.high_water());
    slot.sp = exports.__stack_pointer.value;
    this.slots.push(slot);
    return slot;
  }

  park(slot) {
    const mm = this.mms.get(slot.mm);
    mm.data = slot.bytes.slice(0, slot.exports.high_water());
    mm.parts = mm.ranges.map(([at, len]) => slot.bytes.slice(G + at, G + at + len));
    mm.slot = null;
    this.wipe(slot, mm.ranges);
    this.parks += 1;
  }

  /** Leaves a slot as a fresh instance would be. */
  wipe(slot, ranges) {
    if (slot.exports.__stack_pointer.value !== slot.sp) throw new Error('stack pointer is not at its start');
    slot.bytes.fill(0, 0, slot.exports.high_water());
    slot.bytes.set(slot.pristine);
    for (const [at, len] of ranges) slot.bytes.fill(0, G + at, G + at + len);
    slot.mm = 0;
  }

  slotFor(number, keep = 0) {
    const mm = this.mms.get(number);
    if (!mm.slot) {
      let slot = this.slots.find((s) => s.mm === 0);
      if (!slot && this.slots.length < this.size) slot = this.fresh();
      if (!slot) {
        slot = this.slots.filter((s) => s.mm !== keep).sort((a, b) => a.used - b.used)[0];
        this.park(slot);
      }
      if (mm.data) {
        slot.bytes.set(mm.data);
        mm.ranges.forEach(([at], i) => slot.bytes.set(mm.parts[i], G + at));
        mm.data = mm.parts = null;
      }
      slot.mm = number;
      mm.slot = slot;
    }
    mm.slot.used = ++this.clock;
    return mm.slot;
  }

  create() {
    this.mms.set(this.next, { ranges: [], slot: null, data: null, parts: null });
    return this.next++;
  }

  fork(parent) {
    const from = this.slotFor(parent);
    const child = this.create();
    const to = this.slotFor(child, parent);
    to.bytes.set(from.bytes.subarray(0, from.exports.high_water()));
    const ranges = this.mms.get(parent).ranges;
    for (const [at, len] of ranges) to.bytes.set(from.bytes.subarray(G + at, G + at + len), G + at);
    this.mms.get(child).ranges = ranges.map((r) => [...r]);
    return child;
  }

  destroy(number) {
    const mm = this.mms.get(number);
    if (mm.slot) this.wipe(mm.slot, mm.ranges);
    this.mms.delete(number);
  }
}

async function modules() {
  const load = async (name) => WebAssembly.compile(await (await fetch(name)).arrayBuffer());
  return { kernel: await load('kernel.wasm'), cpu: await load('cpu.wasm') };
}

function startKernel(module, imports) {
  const memory = new WebAssembly.Memory({ initial: PAGES_BELOW, maximum: ALL_PAGES });
  const instance = new WebAssembly.Instance(module, { env: { memory }, glue: imports });
  return { exports: instance.exports, bytes: new Uint8Array(memory.buffer), memory };
}

async function scheme(poolSize) {
  const { kernel, cpu } = await modules();
  const pool = new Pool(cpu, poolSize);
  const lines = [];
  const k = startKernel(kernel, {
    create: () => pool.create(),
    fork: (parent) => pool.fork(parent),
    destroy: (mm) => pool.destroy(mm),
    map: (mm, at, len) => {
      at >>>= 0;
      pool.slotFor(mm).exports.map(at, len);
      pool.mms.get(mm).ranges.push([at, len]);
    },
    load: (mm, number) => pool.slotFor(mm).bytes.set(PROGRAMS[number], G + 0x10000),
    copy_in: (mm, at, to, len) => {
      at = G + (at >>> 0);
      k.bytes.set(pool.slotFor(mm).bytes.subarray(at, at + len), to);
    },
    copy_out: (mm, at, from, len) => pool.slotFor(mm).bytes.set(k.bytes.subarray(from, from + len), G + (at >>> 0)),
    take_dirty: (mm, at) => pool.slotFor(mm).exports.take_dirty(at),
    run: (mm, regs, fuel) => {
      const slot = pool.slotFor(mm);
      const state = slot.exports.state();
      const bytes = STATE_WORDS * 4;
      slot.bytes.set(k.bytes.subarray(regs, regs + bytes), state);
      const exit = slot.exports.run(fuel);
      k.bytes.set(slot.bytes.subarray(state, state + bytes), regs);
      return exit;
    },
    print: (from, len) => lines.push(new TextDecoder().decode(k.bytes.slice(from, from + len)).trim()),
  });
  const status = k.exports.main_loop();
  return { status, lines, memories: pool.slots.length, parks: pool.parks, left: pool.mms.size };
}

async function heap() {
  const { cpu } = await modules();
  const slot = new Pool(cpu, 1).fresh();
  slot.bytes.fill(0xa5, G, G + 65536);
  const first = slot.exports.fill_heap();
  const second = slot.exports.fill_heap();
  const untouched = slot.bytes.subarray(G, G + 65536).every((b) => b === 0xa5);
  return { first, second, untouched, highWater: slot.exports.high_water() };
}

async function count(grown) {
  const kept = [];
  const times = [];
  let error = '';
  try {
    for (;;) {
      const start = performance.now();
      const memory = new WebAssembly.Memory({ initial: PAGES_BELOW, maximum: ALL_PAGES });
      if (grown) memory.grow(ALL_PAGES - PAGES_BELOW);
      times.push(performance.now() - start);
      new Uint8Array(memory.buffer)[grown ? 0xffff0000 : 0] = 1;
      kept.push(memory);
      if (kept.length >= 400) break;
    }
  } catch (e) {
    error = String(e);
  }
  times.sort((a, b) => a - b);
  return { memories: kept.length, error, medianMs: times[times.length >> 1], maxMs: times.at(-1) };
}

async function costs() {
  const { cpu } = await modules();
  const pool = new Pool(cpu, 2);
  const [a, b] = [pool.fresh(), pool.fresh()];
  const out = {};
  const median = (n, f) => {
    const t = [];
    for (let i = 0; i < n; i++) {
      const start = performance.now();
      f(i);
      t.push(performance.now() - start);
    }
    return t.sort((x, y) => x - y)[n >> 1];
  };
  for (const mib of [1, 10]) {
    const len = mib << 20;
    a.bytes.fill(7, G, G + 10 * len);
    let at = G;
    const start = performance.now();
    b.bytes.set(a.bytes.subarray(at, at + len), at);
    out[`copy${mib}MiBFreshMs`] = performance.now() - start;
    out[`copy${mib}MiBMs`] = median(15, () => b.bytes.set(a.bytes.subarray(at, at + len), at));
    b.bytes.fill(0, G, G + 10 * len);
  }
  const calls = 2_000_000;
  let start = performance.now();
  for (let i = 0; i < calls; i++) a.exports.echo(i);
  out.callNs = ((performance.now() - start) / calls) * 1e6;
  // A request of 300 bytes copied in, a call, a reply of 300 bytes copied out: what a message costs.
  const from = new Uint8Array(300);
  const n = 200_000;
  start = performance.now();
  for (let i = 0; i < n; i++) {
    a.bytes.set(from, 0x1000000);
    a.exports.echo(i);
    from.set(a.bytes.subarray(0x1000000, 0x1000000 + 300));
  }
  out.messageNs = ((performance.now() - start) / n) * 1e6;
  const channel = new MessageChannel();
  const yields = 2000;
  start = performance.now();
  for (let i = 0; i < yields; i++) {
    await new Promise((resolve) => {
      channel.port1.onmessage = resolve;
      channel.port2.postMessage(0);
    });
  }
  out.yieldUs = ((performance.now() - start) / yields) * 1e3;
  return out;
}

const TASKS = { scheme, heap, count, costs };
self.onmessage = async ({ data: [id, name, ...args] }) => {
  try {
    self.postMessage([id, await TASKS[name](...args)]);
  } catch (error) {
    self.postMessage([id, { error: String(error.stack ?? error) }]);
  }
};
