//! Differential fuzzing of the tiers: one random guest program is executed by the IR's evaluator and by the cpu with each
//! tier, and everything that a guest or the kernel can see has to be the same.
//!
//! A [`Program`] is code, memory and registers as plain data, made from a seed ([`generate`]). [`compare`] runs it slice by
//! slice; [`shrink`] drops what a difference does not need; the result prints as assembly.
//!
//! This crate chooses which tiers take part. It must never know files, processes or system calls.

mod bytes;
mod compare;
mod evaluator;
mod generate;
#[cfg(not(feature = "software-checks"))]
mod large;
mod memory;
#[cfg(not(feature = "software-checks"))]
mod native;
mod program;
mod random;
mod shrink;
#[cfg(feature = "software-checks")]
mod soft;

pub use bytes::check_bytes;
pub use compare::{Difference, Totals, compare};
pub use generate::generate;
pub use memory::{Model, Object, PAGES, Page};
pub use program::{Image, Item, Program};
pub use random::Random;
pub use shrink::shrink;

/// Runs a program once in the evaluator, one block at a time. Returns why it stopped, the registers and memory then;
/// nothing if what the program does is not specified.
pub fn evaluate(program: &Program, fuel: u64) -> Option<(friscy_boundary::Ran, friscy_boundary::Regs, Model)> {
    let image = program.layout();
    let mut evaluator = evaluator::Evaluator::new(program.memory(&image), friscy_lift_ir::Limits::COLD, false);
    let mut regs = friscy_boundary::Regs { pc: image.address(0), ..program.regs.clone() };
    let ran = evaluator.run(&mut regs, fuel)?;
    Some((ran, regs, evaluator.memory))
}

/// A program on one tier, to be timed.
#[cfg(not(feature = "software-checks"))]
pub struct Timed {
    tier: large::OnTier,
    regs: friscy_boundary::Regs,
}

#[cfg(not(feature = "software-checks"))]
impl Timed {
    /// A program whose regions `tier` makes code of.
    pub fn new(program: &Program, tier: Box<dyn friscy_seam::Tier>) -> Timed {
        let image = program.layout();
        let tier = large::OnTier::new("timed", tier, &program.memory(&image));
        Timed { tier, regs: friscy_boundary::Regs { pc: image.address(0), ..program.regs.clone() } }
    }

    /// Goes on for `fuel` instructions; returns how many retired.
    pub fn run(&mut self, fuel: u64) -> u64 {
        use compare::Executor;
        self.tier.run(&mut self.regs, fuel).map_or(0, |ran| ran.retired)
    }
}

/// Generates the program of a seed and compares its executions; a difference is shrunk.
///
/// # Errors
/// The text of the smallest program found that still differs, with what differs.
pub fn check(seed: u64, totals: &mut Totals) -> Result<(), String> {
    let program = generate(seed);
    let Err(difference) = compare(&program, totals) else { return Ok(()) };
    let (program, difference) = shrink(program, difference);
    Err(format!("# seed {seed}\n{program}# {difference}\n"))
}
