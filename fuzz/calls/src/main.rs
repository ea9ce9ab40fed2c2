//! `friscy-fuzz-calls`: executes random sequences of system calls for a while.

use clap::Parser;
use friscy_fuzz_calls::{Outcome, Step, host, run, run_shown, show, steps_of_seed, warm_up};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: host::Counting = host::Counting;

/// Executes random sequences of system calls.
#[derive(Parser)]
struct Arguments {
    /// How long to go on, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first sequence's seed; the next ones have the numbers that follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print every call of the first sequence and stop.
    #[arg(long)]
    show: bool,
    /// How many failures to print before giving up.
    #[arg(long, default_value_t = 1)]
    failures: u64,
}

/// Executes a sequence; why it failed, if it did.
fn attempt(name: &str, steps: &[Step]) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| host::watched(name.to_owned(), || run(steps))))
        .unwrap_or_else(|_| Err(String::from("it panicked")))
}

/// Drops steps, and turns numbers into 0, as long as the sequence still fails in the same words, numbers aside.
fn shrink(mut steps: Vec<Step>, why: &str) -> Vec<Step> {
    let words = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "");
    let fails = |steps: &[Step]| attempt("shrinking", steps).is_err_and(|other| words(&other) == words(why));
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let end = (at + size).min(steps.len());
            let fewer = [&steps[..at], &steps[end..]].concat();
            if fails(&fewer) {
                steps = fewer;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    for at in 0..steps.len() {
        for arg in 0..6 {
            let mut simpler = steps.clone();
            simpler[at].args[arg] = 0;
            if simpler != steps && fails(&simpler) {
                steps = simpler;
            }
        }
    }
    steps
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.show {
        println!("{:?}", run_shown(&steps_of_seed(arguments.seed)));
        return ExitCode::SUCCESS;
    }
    host::start_watchdog();
    warm_up();
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let (mut seed, mut failures) = (arguments.seed, 0);
    let (mut calls, mut tasks, mut results) = (0, 0, [0; 3]);
    while Instant::now() < end && failures < arguments.failures {
        let steps = steps_of_seed(seed);
        match attempt(&format!("seed {seed}"), &steps) {
            Ok(outcome) => {
                calls += outcome.calls;
                tasks = tasks.max(outcome.tasks);
                for (sum, one) in results.iter_mut().zip(outcome.results) {
                    *sum += one;
                }
            }
            Err(why) => {
                let steps = shrink(steps, &why);
                println!("# seed {seed}: {why}\n{}", show(&steps));
                let _ = catch_unwind(|| run_shown(&steps));
                failures += 1;
            }
        }
        seed = seed.wrapping_add(1);
    }
    let [good, bad, neither] = results;
    println!(
        "{} sequences from seed {}, {calls} calls: {good} succeeded, {bad} failed, {neither} waited or did not return; at \
         most {tasks} tasks; {failures} failures",
        seed.wrapping_sub(arguments.seed),
        arguments.seed,
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
