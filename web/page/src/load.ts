/** From the address of a manifest to a machine that is ready to run. */

import { Ahead } from './ahead';
import { Fetcher, inflate } from './fetcher';
import { type Host, Kernel } from './kernel';
import { type FileRef, type Manifest, parseManifest } from './manifest';
import { Pool } from './pool';
import { Failure } from './protocol';

/** What hears of the loading, and what the machine needs once it runs. */
export interface Listener {
  title(name: string, command: string): void;
  progress(doneBytes: number, totalBytes: number): void;
  machine: Omit<Host, 'pool'>;
  /** Whether a profile is to be recorded. */
  profile: boolean;
}

/** A machine that is ready to run. */
export interface Loaded {
  manifest: Manifest;
  fetcher: Fetcher;
  kernel: Kernel;
  pool: Pool;
}

/** Fetches what the first program needs, and sets the machine up. */
export async function load(manifestUrl: string, listener: Listener): Promise<Loaded> {
  const fetcher = new Fetcher(manifestUrl);
  const manifest = await fetchManifest(manifestUrl);
  listener.title(manifest.name, manifest.entry.argv.join(' '));

  const first = manifest.first.filter((number) => manifest.chunks[number]);
  const chunks = first.map((number) => manifest.chunks[number] as FileRef);
  const totalBytes = [manifest.kernel, manifest.cpu, manifest.index, ...chunks].reduce((sum, file) => sum + file.bytes, 0);
  let doneBytes = 0;
  const progress = (bytes: number): void => {
    doneBytes += bytes;
    listener.progress(doneBytes, totalBytes);
  };
  progress(0);
  const inflated = async (file: FileRef): Promise<Uint8Array<ArrayBuffer>> => inflate(await fetcher.get(file, progress));
  const compiled = async (file: FileRef): Promise<WebAssembly.Module> => WebAssembly.compile(await inflated(file));

  // What takes longest to become useful is asked for first, and each is used as it comes.
  const ahead = new Ahead(manifest.modules, async (file) => inflate(await fetcher.get(file)));
  const pooled = compiled(manifest.cpu).then((module) => {
    const pool = new Pool(module, ahead, (error) => console.error('a process ended by a fault of the engine:', error));
    pool.prepare();
    return pool;
  });
  const booted = Promise.all([compiled(manifest.kernel), inflated(manifest.index), pooled]).then(([module, index, pool]) => {
    const kernel = new Kernel(module, { ...listener.machine, pool });
    fetcher.fallbackHash = (bytes) => kernel.sha256(bytes);
    const problem = kernel.boot(manifest, index, listener.profile);
    if (problem !== undefined) {
      throw new Failure({
        title: 'The machine could not be set up.',
        advice: 'Pack the image again with the same version of friscy as the page.',
        detail: problem,
      });
    }
    return kernel;
  });
  const contents = chunks.map((file) => inflated(file));
  const [pool, kernel, ...bytes] = await Promise.all([pooled, booted, ...contents]).catch(explain);
  bytes.forEach((bytes, i) => kernel.chunk(first[i] as number, bytes));
  return { manifest, fetcher, kernel, pool };
}

async function fetchManifest(url: string): Promise<Manifest> {
  let detail: string;
  try {
    const response = await fetch(url);
    if (response.ok) return parseManifest(await response.text(), url);
    detail = `${response.status} ${response.statusText}`.trim();
  } catch (error) {
    if (error instanceof Failure) throw error;
    detail = String(error);
  }
  throw new Failure({
    title: 'There is no bundle here.',
    advice: 'The file manifest.json, which friscy-pack writes beside this page, could not be fetched. Check that the whole folder was uploaded and that you are online.',
    detail: `${url}: ${detail}`,
  });
}

/** The shortest module: the magic number and the version (WebAssembly specification, 5.5.16). */
const NOTHING = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Whether not even an empty module may be made: that is what a Content-Security-Policy does that does not allow it. */
function isForbidden(): boolean {
  try {
    return !new WebAssembly.Module(NOTHING);
  } catch {
    return true;
  }
}

function explain(error: unknown): never {
  if (isForbidden()) {
    throw new Failure({
      title: 'This page may not run WebAssembly.',
      advice: 'The Content-Security-Policy that its server sends has to allow it, for the page and for worker.js: script-src \'self\' \'wasm-unsafe-eval\'.',
      detail: String(error),
    });
  }
  if (error instanceof WebAssembly.CompileError) {
    throw new Failure({
      title: 'This browser cannot run the machine.',
      advice: 'It needs WebAssembly with tail calls: Chrome or Edge 112, Firefox 121, Safari 18.2, or newer.',
      detail: String(error),
    });
  }
  throw error;
}
