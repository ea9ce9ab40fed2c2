//! Measures friscy beside native x86-64 code and qemu-user, in the same run.
//!
//! Kernels are the same C source for guest and host (`bench/kernels`). Each round runs every contender once, one after
//! the other, so that what else the machine does meets all alike; figures are medians over rounds, with the spread.

mod measure;
mod programs;
mod report;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Measures friscy beside native code and qemu-user.
#[derive(Parser)]
#[command(name = "friscy-bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the kernels and the start-up programs, and prints tables in Markdown.
    Run {
        /// How often each is run.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=101))]
        rounds: u32,
        /// Only kernels and programs whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("friscy-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let Command::Run { rounds, only } = cli.command;
    let wanted = |name: &str| only.as_deref().is_none_or(|part| name.contains(part));
    let places = programs::Places::find()?;
    println!("{}\n", report::machine(rounds));
    let kernels = programs::kernels(&places, &wanted)?;
    let mut rows = Vec::new();
    for kernel in &kernels {
        eprintln!("{}", kernel.name);
        rows.push(measure::kernel(kernel, &places, rounds).with_context(|| format!("kernel {}", kernel.name))?);
    }
    report::kernels(&rows);
    let starts = programs::starts(&places, &wanted)?;
    let mut rows = Vec::new();
    for start in &starts {
        eprintln!("{}", start.name);
        rows.push(measure::start(start, rounds.max(11)).with_context(|| format!("start of {}", start.name))?);
    }
    report::starts(&rows);
    Ok(())
}
