//! All there is to run, in parts, and the file that says how each part went when it ran last.

use crate::setup::{self, Need};
use crate::shell::{cargo, commit, step, target_dir, workspace};
use crate::suites::{self, Extent, Outcome, Runner, Suite};
use crate::test::{self, ASSETS, Count, LARGE, PROGRAMS, ROOTFS};
use crate::{cpython, demo, fuzz, rootfs, web};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// A part of a full run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// `cargo xtask test`: lints, unit tests, fuzzing, samples of the suites, the page.
    Tests,
    /// Floating point against Berkeley SoftFloat, 1,000,000 operands an instruction.
    Floats,
    /// 100,000 sequences of random system calls.
    Calls,
    /// Guests without bounds that take thousands of the host's mappings and descriptors.
    Limits,
    /// The fuzzers of fuzz/targets, a minute each.
    Fuzz,
    /// GCC's torture programs.
    Torture,
    /// The POSIX test suite.
    Posix,
    /// CPython's tests of what it asks of the system.
    Cpython,
    /// Larger programs.
    Programs,
    /// Larger programs in the page.
    Page,
    /// CPython's tests in the page.
    PageCpython,
    /// Some kernels in v86 and in the page's engine, a little of each.
    V86,
    /// The measurements of `friscy-bench`, once.
    Measure,
}

/// How long each fuzzer runs.
const FUZZ_SECONDS: u64 = 60;

/// How a part went.
struct Tally {
    count: Count,
    /// What there is to say besides, empty for nothing.
    remark: String,
}

impl From<Count> for Tally {
    fn from(count: Count) -> Tally {
        Tally { count, remark: String::new() }
    }
}

impl From<Outcome> for Tally {
    fn from(outcome: Outcome) -> Tally {
        let mut remarks = Vec::new();
        let said = [(outcome.untold, "say that they cannot tell"), (outcome.listed, "listed as not passing")];
        for (count, what) in said.into_iter().chain([(outcome.not_built, "not built")]) {
            if count > 0 {
                remarks.push(format!("{count} {what}"));
            }
        }
        let died = u64::from(!outcome.is_good() && outcome.wrong.is_empty());
        let count = Count { passed: outcome.passed as u64, failed: outcome.wrong.len() as u64 + died };
        Tally { count, remark: remarks.join(", ") }
    }
}

impl Part {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What is run, in words.
    fn help(self) -> String {
        let value = self.to_possible_value();
        value.as_ref().and_then(|value| value.get_help()).map_or_else(String::new, ToString::to_string)
    }

    fn run(self) -> Result<Tally> {
        step(&format!("part {}: {}", self.name(), self.help()));
        match self {
            Part::Tests => Ok(test::test(None)?.into()),
            Part::Floats => counted(
                cargo()
                    .args(["test", "--release", "-p", "friscy-fp", "--test", "fp", "berkeley"])
                    .env("FRISCY_FP_CASES", "1000000"),
            ),
            Part::Calls => counted(
                cargo().args(["test", "-p", "friscy-fuzz-calls", "--test", "calls"]).env("FRISCY_CALL_CASES", "100000"),
            ),
            Part::Limits => counted(
                cargo()
                    .args(["test", "-p", "friscy-tests", "--test", "limits"])
                    .env("FRISCY_LIMIT_TESTS", "large")
                    .env(PROGRAMS, demo::build_commands()?),
            ),
            Part::Fuzz if !fuzz::prepare() => {
                Ok(Tally { count: Count::default(), remark: String::from("cargo-fuzz cannot be installed: skipped") })
            }
            Part::Fuzz => Ok(fuzz::command(None, FUZZ_SECONDS)?.into()),
            Part::Torture => Ok(suites::command(Suite::Torture, Extent::All, Runner::Friscy, None)?.into()),
            Part::Posix => Ok(suites::command(Suite::Posix, Extent::All, Runner::Friscy, None)?.into()),
            Part::Cpython => Ok(cpython::command(Runner::Friscy, None)?.into()),
            Part::Programs => {
                let mut command = cargo();
                command.args(["test", "-p", "friscy-tests", "--test", "programs"]).env(LARGE, "large");
                test::large_environment(&mut command)?;
                counted(&mut command)
            }
            // The names of programs have no spaces.
            Part::Page => page("^[^ ]+$"),
            Part::PageCpython => page("^cpython "),
            Part::V86 => {
                setup::setup(&[Need::Guests, Need::Node, Need::V86])?;
                demo::build_commands()?;
                web::build()?;
                let mut command = Command::new("node");
                command.args(["bench/v86.mjs", "--work", "0.02", "--rounds", "1", "primes", "recursion", "nbody"]);
                command.current_dir(workspace().join("web"));
                let mut count = Count::default();
                count.passed += u64::from(count.watch(&mut command)?);
                Ok(count.into())
            }
            Part::Measure => {
                let mut command = cargo();
                command.args(["run", "--release", "-p", "friscy-bench", "--", "run"]);
                command.env(ROOTFS, rootfs::assemble(rootfs::Set::Default)?);
                command.env(PROGRAMS, target_dir().join("release"));
                let mut count = Count::default();
                count.passed += u64::from(count.watch(&mut command)?);
                Ok(count.into())
            }
        }
    }
}

/// Runs a command that runs tests.
fn counted(command: &mut Command) -> Result<Tally> {
    let mut count = Count::default();
    count.watch(command)?;
    Ok(count.into())
}

/// Runs the page's tests of larger programs whose name matches.
fn page(pattern: &str) -> Result<Tally> {
    let mut command = Command::new("node");
    command.arg("--test").arg(format!("--test-name-pattern={pattern}")).arg("test/programs.test.mjs");
    command.current_dir(workspace().join("web")).env(LARGE, "large").env(ASSETS, web::build()?);
    test::large_environment(&mut command)?;
    counted(&mut command)
}

/// Runs parts, all if none is given, writes how each went, and answers whether all went well.
pub fn full(parts: &[Part]) -> Result<bool> {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    let mut good = true;
    for part in parts {
        let commit = commit()?;
        let begin = Instant::now();
        let tally = part.run().unwrap_or_else(|error| {
            eprintln!("xtask: {error:#}");
            Tally { count: Count { passed: 0, failed: 1 }, remark: String::from("did not run to its end") }
        });
        record(*part, &commit, &tally, begin.elapsed())?;
        println!("part {}: {} passed, {} failed", part.name(), tally.count.passed, tally.count.failed);
        good &= tally.count.failed == 0;
    }
    Ok(good)
}

/// Replaces a part's row in the file.
fn record(part: Part, commit: &str, tally: &Tally, took: Duration) -> Result<()> {
    let path = workspace().join("docs/full-run.md");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let Count { passed, failed } = tally.count;
    let minutes = took.as_secs_f64() / 60.0;
    let row = format!("{passed} | {failed} | {} | {minutes:.1} | {commit} | {} |", tally.remark, machine()?);
    fs::write(&path, with_row(&text, part, &row)).with_context(|| format!("{}", path.display()))
}

/// The file with a part's row replaced: what stands behind its name and what it runs.
fn with_row(text: &str, part: Part, row: &str) -> String {
    let mut new = String::from(
        "# The last full run\n\n\
         Written by `cargo xtask full`, which runs these parts, or those that it is given. Each row is of the last time that\n\
         its part ran, and says when it began and at which commit; with a `+` files were changed since that commit.\n\n\
         | part | what it runs | passed | failed | besides | minutes | begun, commit | machine |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for other in Part::value_variants() {
        let begin = format!("| {} | ", other.name());
        let kept = text.lines().find_map(|line| line.strip_prefix(&begin)?.split_once(" | ").map(|(_, rest)| rest));
        let row = if *other == part { row } else { kept.unwrap_or("not run | | | | | |") };
        let _ = writeln!(new, "{begin}{} | {row}", other.help());
    }
    new
}

/// This machine, in words.
fn machine() -> Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's release")?;
    Ok(format!("{}, {cores} cores, Linux {}", model.map_or("unknown", |(_, model)| model), kernel.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_replaced_and_others_are_kept() {
        let first = with_row("", Part::Torture, "1 | 0 | | 2.0 | then | here |");
        assert!(first.contains("| torture | GCC's torture programs | 1 | 0 | | 2.0 | then | here |\n"), "{first}");
        assert!(first.contains("| posix | The POSIX test suite | not run | | | | | |\n"), "{first}");
        let second = with_row(&first, Part::Posix, "3 | 1 | | 2.0 | now | here |");
        assert!(second.contains("| torture | GCC's torture programs | 1 | 0 | | 2.0 | then | here |\n"), "{second}");
        assert!(second.contains("| posix | The POSIX test suite | 3 | 1 | | 2.0 | now | here |\n"), "{second}");
        assert_eq!(second.lines().count(), first.lines().count());
    }
}
