//! Running the tests, and saying in one line how many passed.

use crate::shell::{cargo, run, step, target_dir, watch, workspace};
use crate::suites::{self, Extent, Runner, Suite};
use crate::{cpython, demo, rootfs, setup, web};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Tells tests where the root file system is.
const ROOTFS: &str = "FRISCY_ROOTFS";
/// Tells tests where the optimised programs are.
const PROGRAMS: &str = "FRISCY_PROGRAMS";
/// Tells tests where the web runtime is.
const ASSETS: &str = "FRISCY_WEB_ASSETS";

/// Tells how many operands each floating-point instruction is compared on.
const FP_CASES: &str = "FRISCY_FP_CASES";

/// Names the folder of the programs that are run.
const LARGE: &str = "FRISCY_PROGRAM_TESTS";

/// Tells how many sequences of random system calls are executed.
const CALL_CASES: &str = "FRISCY_CALL_CASES";

/// How many tests passed and failed.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    /// Adds what a line of a test runner's output says: cargo's, or node's.
    fn read_line(&mut self, line: &str) {
        let number = |word: &str| word.parse::<u64>().ok();
        if let Some(rest) = line.trim().strip_prefix("test result: ") {
            let words: Vec<&str> = rest.split_whitespace().collect();
            for pair in words.windows(2) {
                match pair[1] {
                    "passed;" => self.passed += number(pair[0]).unwrap_or(0),
                    "failed;" => self.failed += number(pair[0]).unwrap_or(0),
                    _ => {}
                }
            }
        }
        let mut words = line.split_whitespace();
        if let (Some("ℹ" | "#"), Some(what), Some(count), None) =
            (words.next(), words.next(), words.next(), words.next())
        {
            match what {
                "pass" => self.passed += number(count).unwrap_or(0),
                "fail" => self.failed += number(count).unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// What tests need.
struct Prepared {
    rootfs: PathBuf,
    programs: PathBuf,
    assets: PathBuf,
}

fn prepare() -> Result<Prepared> {
    setup::setup(&setup::ALL)?;
    web::check_node()?;
    let rootfs = rootfs::assemble(rootfs::Set::Default)?;
    rootfs::unpack(&rootfs)?;
    let programs = demo::build_commands()?;
    let assets = web::build()?;
    Ok(Prepared { rootfs, programs, assets })
}

impl Prepared {
    fn environment(&self, command: &mut Command) {
        command.env(ROOTFS, &self.rootfs).env(PROGRAMS, &self.programs).env(ASSETS, &self.assets);
    }
}

/// Runs lints and all tests, or the tests whose name contains `filter`; answers whether they passed.
pub fn test(filter: Option<&str>) -> Result<bool> {
    let prepared = prepare()?;
    step("running the tests");
    let mut count = Count::default();
    let mut broken = 0;
    if filter.is_none() {
        lints(&mut count)?;
    }
    // The second time the interpreter as on wasm: accesses checked and floating point proved in software.
    let runs: [&[&str]; 2] =
        [&["--workspace"], &["--package", "friscy-fuzz", "--features", "software-checks", "--test", "agree"]];
    for run in runs {
        let mut command = cargo();
        command.args(["test", "--no-fail-fast"]).args(run).args(filter);
        prepared.environment(&mut command);
        let before = count;
        let good = watch(&mut command, |line| count.read_line(line))?;
        // A test program that does not compile or dies prints no count.
        broken += u64::from(!good && count.failed == before.failed);
    }
    if filter.is_none() {
        for script in ["check", "spike", "test"] {
            let mut command = Command::new("npm");
            command.args(["run", "--silent", script]).current_dir(workspace().join("web"));
            prepared.environment(&mut command);
            step(&format!("running npm run {script}"));
            let before = count;
            let good = watch(&mut command, |line| count.read_line(line))?;
            if script == "check" && good {
                count.passed += 1;
            }
            broken += u64::from(!good && count.failed == before.failed);
        }
    }
    if filter.is_none() {
        for suite in [Suite::Torture, Suite::Posix] {
            let outcome = suites::suite(suite, Extent::Sample, Runner::Friscy, None)?;
            for line in &outcome.wrong {
                println!("test {suite:?}/{line} FAILED");
            }
            println!(
                "{suite:?}: {} of a sample passed, {} are listed as not passing or saying nothing",
                outcome.passed,
                outcome.listed + outcome.untold
            );
            count.passed += outcome.passed as u64;
            count.failed += outcome.wrong.len() as u64;
        }
    }
    let failed = count.failed + broken;
    println!("\n{} passed, {failed} failed", count.passed);
    Ok(failed == 0)
}

/// Lints, each as one test, where the toolchain has them.
fn lints(count: &mut Count) -> Result<()> {
    let lints: [(&str, &[&str]); 2] = [
        ("fmt", &["fmt", "--all", "--check"]),
        ("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ];
    for (name, args) in lints {
        if !cargo().args([name, "--version"]).output()?.status.success() {
            println!("cargo {name} is not installed: skipped");
            continue;
        }
        step(&format!("running cargo {name}"));
        match watch(cargo().args(args), |_| ())? {
            true => count.passed += 1,
            false => {
                println!("test cargo {name} ... FAILED");
                count.failed += 1;
            }
        }
    }
    Ok(())
}

/// All tests, what takes long, the conformance suites, then the measurements.
pub fn full() -> Result<bool> {
    let mut good = test(None)?;
    step("comparing floating point with Berkeley SoftFloat at length");
    let mut command = cargo();
    command.args(["test", "--release", "-p", "friscy-fp", "--test", "fp", "berkeley"]).env(FP_CASES, "1000000");
    good &= watch(&mut command, |_| {})?;
    step("executing random system calls at length");
    let mut command = cargo();
    command.args(["test", "-p", "friscy-fuzz-calls", "--test", "calls"]).env(CALL_CASES, "1000000");
    good &= watch(&mut command, |_| {})?;
    for suite in [Suite::Torture, Suite::Posix] {
        good &= suites::command(suite, Extent::All, Runner::Friscy, None)?;
    }
    good &= cpython::command(Runner::Friscy, None)?;
    step("running larger programs");
    let mut command = cargo();
    command.args(["test", "-p", "friscy-tests", "--test", "programs"]).env(LARGE, "large");
    large_environment(&mut command)?;
    good &= watch(&mut command, |_| {})?;
    step("running larger programs in the page");
    let mut command = Command::new("node");
    command.args(["--test", "test/programs.test.mjs"]).current_dir(workspace().join("web")).env(LARGE, "large");
    large_environment(&mut command)?;
    command.env(ASSETS, web::build()?);
    good &= watch(&mut command, |_| {})?;
    step("measuring");
    let mut command = cargo();
    command.args(["run", "--release", "-p", "friscy-bench", "--", "run"]);
    command.env(ROOTFS, rootfs::assemble(rootfs::Set::Default)?).env(PROGRAMS, target_dir().join("release"));
    run(&mut command)?;
    Ok(good)
}

/// What tests of the larger programs need.
fn large_environment(command: &mut Command) -> Result<()> {
    let rootfs = rootfs::assemble(rootfs::Set::Programs)?;
    rootfs::unpack(&rootfs)?;
    command.env(ROOTFS, rootfs).env(PROGRAMS, target_dir().join("release"));
    Ok(())
}

/// Writes expected outputs anew.
pub fn bless() -> Result<()> {
    let mut command = cargo();
    command.args(["test", "-p", "friscy-lift-ir", "-p", "friscy-isa", "-p", "friscy-tests"]).env("FRISCY_BLESS", "1");
    run(&mut command)?;
    let mut command = cargo();
    command.args(["test", "-p", "friscy-tests", "--test", "programs"]).env("FRISCY_BLESS", "1").env(LARGE, "large");
    large_environment(&mut command)?;
    run(&mut command)?;
    run(Command::new("git").args(["status", "--short"]).current_dir(workspace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_lines_are_counted() {
        let mut count = Count::default();
        count
            .read_line("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.1s");
        count.read_line("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        count.read_line("ℹ pass 7");
        count.read_line("# fail 1");
        count.read_line("# a comment of 3 words");
        assert_eq!(count, Count { passed: 20, failed: 3 });
    }
}
