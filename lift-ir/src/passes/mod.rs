//! Passes that improve a region without changing what it means: registers, memory, flags and exits stay exact before
//! every op with [`crate::op::Effects::FAULT`], at every preemption point and at every exit.

mod fold;
mod simplify;

pub use simplify::Simplifier;
