//! Floating point by integer arithmetic: every operation, every rounding mode, exact flags.
//!
//! This is an implementation of our own because no kept pure-Rust crate gives RISC-V's results: the known ones lack
//! square root or the rounding mode "ties away", decide tininess at the smallest normal number by the delivered result
//! instead of the one with unbounded exponent, or bring a C compiler. It is short because it follows the definitions
//! of IEEE 754: unpack, one exact integer operation whose lost bits are kept as a sticky bit, and one routine that
//! rounds and packs.
//!
//! Singles are `u32` and doubles `u64`. Integer registers are `u64`: conversions from 32-bit integers read the low
//! half, and every 32-bit integer result is sign-extended, as RV64 does, unsigned ones included.

mod arith;
mod convert;
mod core;

pub use arith::*;
pub use convert::*;
