// Bundles the page and the worker into a folder (default: page/dist). The names are fixed; what may be cached for ever
// (wasm, index, chunks) carries its hash in its name and is written by friscy-pack.
import { build } from 'esbuild';
import { copyFile, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = process.argv[2] ?? `${here}dist`;
await mkdir(out, { recursive: true });
await build({
  entryPoints: [`${here}src/early.ts`, `${here}src/main.ts`, `${here}src/worker.ts`, `${here}src/page.css`],
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome112', 'firefox121', 'safari18'],
  legalComments: 'linked',
  logLevel: 'warning',
});
// The runner for node, which no bundle has.
await build({
  entryPoints: [`${here}../bench/run.mjs`],
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
});
await copyFile(`${here}src/index.html`, `${out}/index.html`);
