//! Fuzzing of system calls: sequences of calls whose arguments are drawn by the types in the system-call table, executed
//! by a whole machine with native address spaces.
//!
//! A [`Step`] is plain numbers, so that proptest shrinks a sequence, libFuzzer mutates the bytes it is read from, and a
//! failure prints as a table that a regression test repeats. What a number means is decided when the step is executed
//! ([`draw`]): 0 is the plainest choice everywhere.
//!
//! The machine has no guest code: [`driver::Driver`] stands between the machine and the native address spaces, and
//! whichever task's turn it is makes the sequence's next call. Time is virtual.
#![warn(missing_docs)]

mod draw;
mod driver;
mod guest;
pub mod host;

use friscy_fuzz::Random;
use friscy_syscalls::TABLE;

pub use guest::{Outcome, run, run_shown};

/// Which call a step makes, and what its arguments are drawn from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Step {
    /// Index into the table of system calls, taken modulo its length.
    pub row: u16,
    /// One number an argument.
    pub args: [u16; 6],
}

/// Bytes of a step in a fuzzer's input.
pub const STEP_BYTES: usize = 14;

/// A sequence from bytes, 14 a step in little-endian order; what is left over counts for nothing.
#[must_use]
pub fn steps_from_bytes(bytes: &[u8]) -> Vec<Step> {
    let half = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]]);
    bytes
        .chunks_exact(STEP_BYTES)
        .map(|chunk| Step { row: half(chunk, 0), args: std::array::from_fn(|at| half(chunk, at + 1)) })
        .collect()
}

/// The sequence of a seed.
#[must_use]
pub fn steps_of_seed(seed: u64) -> Vec<Step> {
    let mut words = Random(seed);
    let count = 1 + words.below(120);
    // Half of the sequences use few calls, so that the same objects meet again.
    let few: Vec<u16> = (0..4 + words.below(12)).map(|_| words.bits() as u16).collect();
    let narrow = words.below(2) == 0;
    (0..count)
        .map(|_| {
            let row = if narrow { few[words.below(few.len() as u64) as usize] } else { words.bits() as u16 };
            Step { row, args: std::array::from_fn(|_| words.bits() as u16) }
        })
        .collect()
}

/// What makes all that is made once for a process: the program's text may be written, and the fork that follows looks
/// for written pages in the host's map of this process's pages.
const ONCE: &[(&str, [u16; 6])] = &[("mprotect", [4, 18, 1, 0, 0, 0]), ("clone", [0; 6])];

/// Makes what is made once for a process, so that no sequence seems to leave it behind.
pub fn warm_up() {
    run(&steps_of_calls(ONCE));
}

/// The sequence of these calls, given by name.
///
/// # Panics
/// If there is no such call.
#[must_use]
pub fn steps_of_calls(calls: &[(&str, [u16; 6])]) -> Vec<Step> {
    let row = |name: &str| TABLE.iter().position(|row| row.name == name).expect("a call of the table") as u16;
    calls.iter().map(|(name, args)| Step { row: row(name), args: *args }).collect()
}

/// Steps as Rust, for a regression test.
#[must_use]
pub fn show(steps: &[Step]) -> String {
    let name = |step: &Step| TABLE[usize::from(step.row) % TABLE.len()].name;
    steps.iter().map(|step| format!("    ({}, {:?}), // {}\n", step.row, step.args, name(step))).collect()
}
