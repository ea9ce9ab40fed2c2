//! Running the tests, and saying in one line how many passed.

use crate::shell::{cargo, run, step, target_dir, watch, workspace};
use crate::suites::{self, Extent, Runner, Suite};
use crate::{demo, rootfs, setup, web};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Tells tests where the root file system is.
pub const ROOTFS: &str = "FRISCY_ROOTFS";
/// Tells tests where the optimised programs are.
pub const PROGRAMS: &str = "FRISCY_PROGRAMS";
/// Tells tests where the web runtime is.
pub const ASSETS: &str = "FRISCY_WEB_ASSETS";

/// Names the folder of the programs that are run.
pub const LARGE: &str = "FRISCY_PROGRAM_TESTS";

/// How many tests passed and failed.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, and commands that died of something else.
    pub failed: u64,
}

impl Count {
    /// Counts something that went well or did not.
    pub fn add(&mut self, good: bool) {
        *(if good { &mut self.passed } else { &mut self.failed }) += 1;
    }

    /// Runs a command that runs tests, and counts them. One that does not compile or dies prints no count, and counts as
    /// a failed test.
    pub fn watch(&mut self, command: &mut Command) -> Result<bool> {
        let failed = self.failed;
        let good = watch(command, |line| self.read_line(line))?;
        if !good && self.failed == failed {
            self.failed += 1;
        }
        Ok(good)
    }

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
        // Tests of what is kept between runs ask for it.
        command.env("FRISCY_CODE_CACHE", "off");
    }
}

/// Runs lints and all tests, or the tests whose name contains `filter`.
pub fn test(filter: Option<&str>) -> Result<Count> {
    let prepared = prepare()?;
    step("running the tests");
    let mut count = Count::default();
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
        count.watch(&mut command)?;
    }
    if filter.is_none() {
        for script in ["check", "spike", "test"] {
            let mut command = Command::new("npm");
            command.args(["run", "--silent", script]).current_dir(workspace().join("web"));
            prepared.environment(&mut command);
            step(&format!("running npm run {script}"));
            if count.watch(&mut command)? && script == "check" {
                count.passed += 1;
            }
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
    println!("\n{} passed, {} failed", count.passed, count.failed);
    Ok(count)
}

/// Lints, each as one test, where the toolchain has them.
fn lints(count: &mut Count) -> Result<()> {
    let lints: [(&str, &[&str]); 3] = [
        ("fmt", &["fmt", "--all", "--check"]),
        ("fmt", &["fmt", "--manifest-path", "fuzz/targets/Cargo.toml", "--check"]),
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

/// What tests of the larger programs need.
pub fn large_environment(command: &mut Command) -> Result<()> {
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
