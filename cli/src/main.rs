//! The command `friscy`: runs riscv64 Linux root file systems and programs in the terminal.
//!
//! It chooses the tiers, the image and the host's ports that a machine is made of; what a machine does is the engine's
//! business. Host files, clocks, threads and the environment are used here and nowhere below.

mod aot;
mod background;
mod cache;
mod code_cache;
mod crash;
mod crosscheck;
mod docs;
mod error;
mod host;
mod image;
mod inspect;
mod machine;
mod mounts;
mod options;
mod perf;
mod prof;
mod record;
mod run;
mod serve;
mod stats;
mod strace;
mod users;

use clap::Parser;
use options::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse_or_exit().command {
        Command::Run(options) => run::run(&options),
        Command::Serve(options) => serve::serve(&options),
        Command::Cache(options) => cache::cache(&options),
        Command::Aot(options) => aot::aot(&options),
        Command::Prof(options) => prof::prof(&options),
        Command::Syscalls => inspect::syscalls(),
        Command::Disasm(options) => inspect::disasm(&options),
        Command::Lift(options) => inspect::lift(&options),
        Command::Completions { shell } => docs::completions(shell),
        Command::Man { command } => docs::man(command.as_deref()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("friscy: {error}");
        ExitCode::from(error.status())
    })
}

impl Cli {
    /// Parses the command line. A wrong one is friscy's own error, status 125 as docker has it.
    fn parse_or_exit() -> Cli {
        Cli::try_parse().unwrap_or_else(|error| {
            // A closed standard stream leaves nobody to tell.
            let _ = error.print();
            std::process::exit(if error.use_stderr() { i32::from(error::OWN_ERROR) } else { 0 })
        })
    }
}
