/** A place in a memory of wasm as an array; the last one asked for is kept, since making one takes longer than copying registers. */
export class View {
  private readonly memory: WebAssembly.Memory;
  private buffer: ArrayBufferLike | undefined;
  private at = 0;
  private len = 0;
  private array = new Uint8Array(0);

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
  }

  get(at: number, len: number): Uint8Array {
    // Of a memory that has grown the buffer is another one.
    const { buffer } = this.memory;
    if (at !== this.at || len !== this.len || buffer !== this.buffer) {
      this.array = new Uint8Array(buffer, at, len);
      [this.buffer, this.at, this.len] = [buffer, at, len];
    }
    return this.array;
  }
}
