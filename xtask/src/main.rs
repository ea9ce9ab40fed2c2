//! Everything around building friscy: what the host needs, the default root file system, the web runtime, the
//! demonstration, the tests. Each command does only what is not done yet.

mod cpython;
mod demo;
mod full;
mod fuzz;
mod rootfs;
mod setup;
mod shell;
mod suites;
mod test;
mod web;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Development commands of friscy.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what is missing on this Debian host.
    Setup,
    /// Assembles a Debian riscv64 root file system, and prints where it is.
    Rootfs {
        /// Which.
        #[arg(long, value_enum, default_value_t = rootfs::Set::Default)]
        set: rootfs::Set,
        /// Copies the tar there, too.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Builds the web runtime: the wasm instances and the page.
    Web,
    /// Packs the default root file system, serves it, and says how to get the same in the terminal.
    Demo {
        /// The port; 0 is any that is free.
        #[arg(short, long, default_value_t = 8080)]
        port: u16,
        /// Stops when the bundle is written.
        #[arg(long)]
        no_serve: bool,
    },
    /// Runs lints and all tests, the browser's included: what must pass before a change is merged.
    Test {
        /// Tests whose name contains this.
        filter: Option<String>,
    },
    /// Runs a conformance suite: GCC's torture programs, the POSIX test suite, or CPython's tests.
    Suite {
        /// Which.
        suite: Which,
        /// Every so many programs only; CPython's tests have no sample.
        #[arg(long)]
        sample: bool,
        /// What runs the programs.
        #[arg(long, value_enum, default_value_t = suites::Runner::Friscy)]
        runner: suites::Runner,
        /// Programs whose name contains this.
        filter: Option<String>,
    },
    /// Runs the fuzzers of fuzz/targets with cargo-fuzz, which is installed if it is not there.
    Fuzz {
        /// Only this one: calls, decode, elf, image, manifest, tar or vfs.
        target: Option<String>,
        /// How long each runs, in seconds.
        #[arg(long, default_value_t = 300)]
        seconds: u64,
    },
    /// Runs `test`, what takes long, the conformance suites and the measurements; docs/full-run.md has what they gave.
    Full {
        /// These parts only.
        #[arg(value_enum)]
        parts: Vec<full::Part>,
    },
    /// Runs tests of expected output and writes what they give as the new expectation; look at the difference.
    Bless,
}

/// A conformance suite.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Which {
    /// GCC's gcc.c-torture/execute.
    Torture,
    /// The POSIX test suite's conformance/interfaces.
    Posix,
    /// CPython's tests of what it asks of the system.
    Cpython,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup => setup::setup(&setup::ALL).map(|()| true),
        Command::Rootfs { set, output } => rootfs::command(set, output.as_deref()).map(|()| true),
        Command::Web => web::build().map(|_| true),
        Command::Demo { port, no_serve } => demo::demo(port, no_serve).map(|()| true),
        Command::Test { filter } => test::test(filter.as_deref()).map(|count| count.failed == 0),
        Command::Suite { suite, sample, runner, filter } => {
            let (extent, filter) =
                (if sample { suites::Extent::Sample } else { suites::Extent::All }, filter.as_deref());
            let outcome = match suite {
                Which::Torture => suites::command(suites::Suite::Torture, extent, runner, filter),
                Which::Posix => suites::command(suites::Suite::Posix, extent, runner, filter),
                Which::Cpython => cpython::command(runner, filter),
            };
            outcome.map(|outcome| outcome.is_good())
        }
        Command::Fuzz { target, seconds } => fuzz::command(target.as_deref(), seconds).map(|count| count.failed == 0),
        Command::Full { parts } => full::full(&parts),
        Command::Bless => test::bless().map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
