/** `manifest.json`: what friscy-pack wrote beside the page. */

import { Failure } from './protocol';

/** A file of the bundle's folder `files`: raw deflate data, named by the hash of its bytes. */
export interface FileRef {
  /** SHA-256 of the file's bytes, 64 lower-case hexadecimal digits. */
  sha256: string;
  /** Its length in bytes. */
  bytes: number;
}

/** The bundle's table of contents. */
export interface Manifest {
  /** Version of the bundle format. */
  format: 2;
  /** The program that wrote it, and its version. */
  producer: string;
  /** What the bundle calls itself. */
  name: string;
  kernel: FileRef;
  cpu: FileRef;
  /** The file tree, in a format of its own. */
  index: FileRef;
  /** Contents of files, in the order in which the index numbers them. */
  chunks: FileRef[];
  /** Chunks that the first programs need, fetched before they start. */
  first: number[];
  /** Chunks that the profile says are needed later, the most important first: fetched when the first program has started. */
  then?: number[];
  /** Modules that were compiled ahead of time, by their numbers. */
  modules: FileRef[];
  entry: {
    argv: string[];
    env: string[];
    cwd: string;
    uid: number;
    gid: number;
    hostname: string;
  };
}

/** Where a file is, relative to the manifest. */
export function pathOf(file: FileRef): string {
  return `files/${file.sha256.slice(0, 32)}.z`;
}

/** Reads and checks a manifest. */
export function parseManifest(text: string, url: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch (error) {
    throw new Failure({
      title: 'The bundle’s manifest cannot be read.',
      advice: 'The server may answer unknown addresses with a page of its own. Check that manifest.json lies beside index.html.',
      detail: `${url}: ${String(error)}`,
    });
  }
  if (manifest.format !== 2) {
    throw new Failure({
      title: 'The bundle and this page do not belong together.',
      advice: 'Reload without cache, or pack the image again.',
      detail: `${url}: format ${String(manifest.format)}, this page reads 2`,
    });
  }
  return manifest;
}
