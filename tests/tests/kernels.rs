//! The kernels of `friscy-bench` give the same checksum natively, under qemu-user and in both tiers, at a hundredth of
//! their work; and so do the builds that friscy's speed is compared with.

use friscy_bench::contender::Baseline;
use friscy_bench::kernels::{Build, GUEST, Kernel};
use friscy_bench::places::{QEMU, installed};
use friscy_tests::guest::{outcome, tail};
use friscy_tests::places::friscy;
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// What part of its work a kernel does.
const PART: &str = "0.01";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let kernels = Kernel::all().expect("the folders of kernels");
    let trials = kernels.into_iter().map(|kernel| {
        let name = format!("{}/{}", kernel.group.folder(), kernel.name);
        Trial::test(name, move || check(&kernel).map_err(Failed::from))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// What a kernel prints at `PART` of its work.
fn printed(program: &Path, under: &[&Path]) -> Result<String, String> {
    let words = [under, &[program]].concat();
    let outcome = outcome(Command::new(words[0]).args(&words[1..]).arg(PART), b"", Duration::from_secs(300));
    match outcome.status {
        0 => Ok(String::from_utf8_lossy(&outcome.stdout).into_owned()),
        status => Err(format!("{words:?}: exit status {status}\n{}", tail(&outcome.stderr))),
    }
}

fn check(kernel: &Kernel) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let compile = |build: Build| build.compile(&kernel.source, folder.path()).map_err(|error| format!("{error:#}"));
    let native = printed(&compile(Build::of(Baseline::Native))?, &[])?;
    let guest = compile(GUEST)?;
    let friscy = friscy();
    let [run, tier, interp] = ["run", "--tier", "interp"].map(Path::new);
    let mut results = vec![
        ("qemu-user", printed(&guest, &[Path::new(QEMU)])?),
        ("friscy", printed(&guest, &[&friscy, run])?),
        ("friscy, interpreted", printed(&guest, &[&friscy, run, tier, interp])?),
        ("scalar", printed(&compile(Build::of(Baseline::Scalar))?, &[])?),
    ];
    if installed("clang") {
        results.push(("clang", printed(&compile(Build::of(Baseline::Clang))?, &[])?));
    }
    match results.iter().find(|(_, result)| *result != native) {
        None => Ok(()),
        Some((name, result)) => Err(format!("natively {native:?}, by {name} {result:?}")),
    }
}
