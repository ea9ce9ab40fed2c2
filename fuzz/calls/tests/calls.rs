//! Random sequences of system calls: nothing panics, hangs, or leaves anything of the host's behind; and the sequences
//! that once did.

use friscy_fuzz_calls::{Step, host, run, show, steps_of_calls, warm_up};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static ALLOCATOR: host::Counting = host::Counting;

/// One sequence at a time: descriptors and memory are those of the process.
static TURN: Mutex<()> = Mutex::new(());

/// How many sequences are tried unless the environment says otherwise.
const CASES: u32 = 8_000;

fn check(steps: &[Step]) -> Result<(), String> {
    host::watched(show(steps), || run(steps)).map(|_| ())
}

fn step() -> impl Strategy<Value = Step> {
    // Plain numbers are as frequent as others: below 64 they choose in order.
    let number = prop_oneof![0..64_u16, any::<u16>()];
    (any::<u16>(), prop::array::uniform6(number)).prop_map(|(row, args)| Step { row, args })
}

#[test]
fn random_sequences() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    host::start_watchdog();
    warm_up();
    let cases = std::env::var("FRISCY_CALL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let sequences = prop::collection::vec(step(), 1..60);
    let result = runner.run(&sequences, |steps| check(&steps).map_err(TestCaseError::fail));
    if let Err(proptest::test_runner::TestError::Fail(why, steps)) = &result {
        panic!("{why}\n{}", show(steps));
    }
    result.expect("proptest");
}

/// Sequences that failed before: the calls with their numbers.
#[track_caller]
fn once(calls: &[(&str, [u16; 6])]) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    warm_up();
    check(&steps_of_calls(calls)).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn ioprio_of_nobody() {
    once(&[("ioprio_set", [0; 6])]);
}

/// Four GiB were allocated before the first byte was read.
#[test]
fn more_is_sent_than_there_is() {
    once(&[("sendto", [0, 0, 37333, 0, 0, 0])]);
    once(&[("sendto", [0, 0, 52367, 0, 0, 0])]);
}

/// Virtual time came to its end, and the machine turned on the spot.
#[test]
fn sleeping_for_ever() {
    once(&[("nanosleep", [64114, 0, 0, 0, 0, 0])]);
}

/// Files in memory had no bound.
#[test]
fn filling_a_file() {
    once(&[
        ("brk", [42768, 0, 0, 0, 0, 0]),
        ("execve", [0, 6710, 0, 0, 0, 0]),
        ("writev", [53932, 61355, 28164, 0, 0, 0]),
    ]);
    once(&[("brk", [50130, 0, 0, 0, 0, 0]), ("pwrite64", [20481, 0, 24086, 0, 0, 0])]);
}

/// The number after the last one there is overflowed.
#[test]
fn the_last_semaphore() {
    once(&[("semget", [0, 34396, 0, 0, 0, 0]), ("semctl", [0, 47420, 19632, 0, 0, 0])]);
}

/// Forking with written text opens the host's map of this process's pages, once, which is not left behind.
#[test]
fn a_fork_with_written_text() {
    once(&[("mprotect", [4, 18, 1, 0, 0, 0]), ("clone", [0; 6])]);
}
