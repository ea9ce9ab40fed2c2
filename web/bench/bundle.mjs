// What runs the program of a bundle without a person at the page has this in common.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The status if friscy failed, as `friscy run` has it. */
export const FAILED = 125;

/** Splits the arguments of a command line, `[--time] BUNDLE [ARG…]`; ends with its usage if they are others. */
export function parse(script) {
  const words = process.argv.slice(2);
  const timed = words[0] === '--time';
  if (timed) words.shift();
  const [folder, ...args] = words;
  if (!folder) {
    console.error(`usage: node ${script} [--time] BUNDLE [ARG…]`);
    process.exit(FAILED);
  }
  return { timed, folder, args };
}

/** The bytes of a bundle's file. `args`, if there are any, replace the arguments of the command in its manifest. */
export async function fileOf(folder, name, args) {
  const bytes = await readFile(join(folder, name));
  if (args.length === 0 || name !== 'manifest.json') return bytes;
  const manifest = JSON.parse(bytes);
  manifest.entry.argv.splice(1, Infinity, ...args);
  return Buffer.from(JSON.stringify(manifest));
}

/** Undoes what the terminal does to output, which puts a carriage return before each line feed, and prints it. */
export class Printer {
  #held = '';

  print(bytes, then) {
    const text = this.#held + Buffer.from(bytes).toString('latin1');
    this.#held = text.endsWith('\r') ? '\r' : '';
    const whole = this.#held ? text.slice(0, -1) : text;
    process.stdout.write(whole.replaceAll('\r\n', '\n'), 'latin1', then);
  }

  end(then) {
    process.stdout.write(this.#held, then);
  }
}
