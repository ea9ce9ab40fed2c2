// Builds the web runtime into a folder: the bundled page and the two wasm instances, as friscy-pack expects them.
//
//   node web/build.mjs [OUT]          default: web-assets in cargo's target folder
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? `${root}target`;
const out = resolve(process.argv[2] ?? `${target}/web-assets`);

/** What the supported browsers ship; the interpreter's handlers call each other in tail position. */
const FEATURES = '+tail-call,+bulk-memory,+sign-ext,+nontrapping-fptoint,+multivalue,+mutable-globals';
/** 4 GiB: a window of 4 GiB − 256 MiB above 256 MiB for the instance's own data. */
const CPU_MEMORY = ['--import-memory', '--initial-memory=268435456', '--max-memory=4294967296'];

function wasm(crate, linkArguments) {
  execFileSync(
    '/usr/bin/cargo',
    [
      'rustc', '--release', '--package', crate, '--lib', '--crate-type', 'cdylib',
      '-Zbuild-std=std,panic_abort', '--target', 'wasm32-unknown-unknown',
      // A folder of its own: another compiler's host artifacts must not be overwritten by this one's.
      '--target-dir', `${target}/wasm`,
      '--config', 'target.wasm32-unknown-unknown.linker="wasm-ld-19"',
      '--config', 'profile.release.strip="debuginfo"',
      '--', ...linkArguments.flatMap((argument) => ['-C', `link-arg=${argument}`]),
    ],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, RUSTC: '/usr/bin/rustc', RUSTC_BOOTSTRAP: '1', RUSTFLAGS: `-C target-feature=${FEATURES}` },
    },
  );
  return `${target}/wasm/wasm32-unknown-unknown/release/${crate.replaceAll('-', '_')}.wasm`;
}

await mkdir(out, { recursive: true });
execFileSync(process.execPath, [`${root}web/page/build.mjs`, out], { stdio: 'inherit' });
await copyFile(wasm('friscy-web-cpu', [...CPU_MEMORY, '--export=__stack_pointer']), `${out}/cpu.wasm`);
await copyFile(wasm('friscy-web-kernel', []), `${out}/kernel.wasm`);
