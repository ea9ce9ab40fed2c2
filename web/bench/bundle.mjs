// What runs the program of a bundle without a person at the page has this in common.
import { accessSync, constants, existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The status if friscy failed, as `friscy run` has it. */
export const FAILED = 125;

/**
 * Splits the arguments of a command line, `[--time] [--profile-out FILE] BUNDLE [ARG…]`; ends with its usage if they are
 * others, and if FILE cannot be written, before what it is for takes time.
 */
export function parse(script) {
  const words = process.argv.slice(2);
  let [timed, profileOut] = [false, undefined];
  for (; words[0]?.startsWith('--'); words.shift()) {
    if (words[0] === '--time') timed = true;
    else if (words[0] === '--profile-out' && words.length > 1) profileOut = new Output(words.splice(1, 1)[0]);
    else words.length = 0;
  }
  const [folder, ...args] = words;
  if (!folder) {
    console.error(`usage: node ${script} [--time] [--profile-out FILE] BUNDLE [ARG…]`);
    process.exit(FAILED);
  }
  return { timed, profileOut, folder, args };
}

/** A file that is written whole or not at all. */
class Output {
  #path;

  constructor(path) {
    this.#path = path;
    this.#orFail(() => {
      accessSync(dirname(path), constants.W_OK);
      if (existsSync(path) && !statSync(path).isFile()) throw new Error(`${path}: not a regular file`);
    });
  }

  write(bytes) {
    const beside = join(dirname(this.#path), `.friscy-${process.pid}`);
    this.#orFail(() => {
      try {
        writeFileSync(beside, bytes);
        renameSync(beside, this.#path);
      } catch (error) {
        rmSync(beside, { force: true });
        throw error;
      }
    });
  }

  #orFail(action) {
    try {
      action();
    } catch (error) {
      console.error(error.message);
      process.exit(FAILED);
    }
  }
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
