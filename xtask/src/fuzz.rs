//! Running the fuzzers of `fuzz/targets`, each for a bounded time.

use crate::shell::{cache_dir, cargo, run, step, succeeds, target_dir, watch, workspace};
use crate::test::Count;
use anyhow::{Result, bail};
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// A target, and the most bytes of its inputs.
struct Target {
    name: &'static str,
    max_len: u32,
}

const TARGETS: [Target; 7] = [
    Target { name: "calls", max_len: 1400 },
    Target { name: "decode", max_len: 400 },
    Target { name: "elf", max_len: 4096 },
    Target { name: "image", max_len: 16_384 },
    Target { name: "manifest", max_len: 4096 },
    Target { name: "tar", max_len: 16_384 },
    Target { name: "vfs", max_len: 481 },
];

/// MiB of memory that a fuzzer may take: guests have memory, too.
const MEMORY_MIB: u32 = 4096;

/// Seconds that one input may take.
const TIMEOUT: u32 = 60;

/// The package of the targets.
fn package() -> PathBuf {
    workspace().join("fuzz/targets")
}

/// Where cargo-fuzz is installed if it is not there.
fn tools() -> PathBuf {
    cache_dir().join("tools")
}

/// A cargo command that finds cargo-fuzz. Its flags are ones that only nightly compilers take otherwise.
fn cargo_with_fuzz() -> Command {
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(env::split_paths(&path).chain([tools().join("bin")])).unwrap_or(path);
    let mut command = cargo();
    command.env("PATH", path).env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Whether cargo-fuzz is there, after it was installed if it was not.
pub fn prepare() -> bool {
    let there = || succeeds(cargo_with_fuzz().args(["fuzz", "--version"]));
    if there() {
        return true;
    }
    step("installing cargo-fuzz");
    let mut install = cargo();
    install.args(["install", "--locked", "cargo-fuzz", "--root"]).arg(tools());
    run(&mut install).is_ok() && there()
}

/// Lints the targets' package, which is no part of the workspace.
fn lint() -> Result<bool> {
    let manifest = package().join("Cargo.toml");
    let mut command = cargo();
    command.args(["clippy", "--manifest-path"]).arg(manifest).args(["--bins", "--target-dir"]);
    watch(command.arg(target_dir().join("fuzz")).args(["--", "-D", "warnings"]), |_| ())
}

/// Runs a target, or all of them, for so many seconds each; counts those in which nothing was found, and the lint.
///
/// # Errors
/// cargo-fuzz is not there and cannot be installed, or there is no such target.
pub fn command(target: Option<&str>, seconds: u64) -> Result<Count> {
    if !prepare() {
        bail!("cargo-fuzz is not installed and cannot be: see above");
    }
    let chosen: Vec<&Target> = TARGETS.iter().filter(|one| target.is_none_or(|name| name == one.name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no such target; there are {}", names.join(", "));
    }
    let mut count = Count::default();
    count.add(lint()?);
    for target in chosen {
        count.add(fuzz(target, seconds)?);
    }
    Ok(count)
}

fn fuzz(target: &Target, seconds: u64) -> Result<bool> {
    step(&format!("fuzzing {} for {seconds} seconds", target.name));
    let folder = cache_dir().join("fuzz").join(target.name);
    // What was found to reach new code is kept, and is where the next run begins.
    let (corpus, seeds) = (folder.join("corpus"), folder.join("seeds"));
    std::fs::create_dir_all(&corpus)?;
    run(cargo().args(["run", "--quiet", "-p", "friscy-fuzz-inputs", "--", target.name]).arg(&seeds))?;
    let mut command = cargo_with_fuzz();
    command.args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir"]).arg(package());
    command.arg("--target-dir").arg(target_dir().join("fuzz")).arg(target.name).args([&corpus, &seeds]);
    command.args([
        "--",
        &format!("-max_total_time={seconds}"),
        &format!("-max_len={}", target.max_len),
        &format!("-rss_limit_mb={MEMORY_MIB}"),
        &format!("-timeout={TIMEOUT}"),
        "-print_final_stats=1",
    ]);
    watch(&mut command, |_| ())
}
