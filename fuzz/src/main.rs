//! `friscy-fuzz`: compares the tiers on random programs for a while.

use clap::Parser;
use friscy_fuzz::{Totals, check};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Compares the tiers on random programs.
#[derive(Parser)]
struct Arguments {
    /// How long to go on, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first program's seed; the next ones have the numbers that follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many differences to print before giving up.
    #[arg(long, default_value_t = 1)]
    failures: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut totals = Totals::default();
    let (mut seed, mut failures) = (arguments.seed, 0);
    while Instant::now() < end && failures < arguments.failures {
        if let Err(text) = check(seed, &mut totals) {
            println!("{text}");
            failures += 1;
        }
        seed = seed.wrapping_add(1);
    }
    let (seen, all) = totals.coverage.count();
    println!(
        "{} programs from seed {}, {} runs, {} instructions retired, {seen} of {all} rows of the table, {failures} differences",
        totals.programs, arguments.seed, totals.slices, totals.retired,
    );
    let [syscall, fuel, fault, fetch, misaligned, breakpoint, illegal, counter] = totals.exits;
    println!(
        "runs ended by: ecall {syscall}, fuel {fuel}, data fault {fault}, fetch fault {fetch}, misaligned {misaligned}, \
         ebreak {breakpoint}, illegal {illegal}, counter {counter}"
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
