//! The operations by instructions of x86-64, whose exception flags gather in MXCSR.
//!
//! SSE does what RISC-V says (IEEE 754 with tininess detected after rounding) except for the payload of NaNs,
//! integers out of range and rounding to nearest with ties away. So nothing has to be proved for an operation, inexact or
//! not: its result is looked at for a NaN or SSE's answer to what is out of range, and the flags are collected when
//! somebody wants them:
//!
//! ```
//! # use friscy_fp::{NX, Rm, sse};
//! sse::clear_flags();
//! let third = sse::div_f64(1f64.to_bits(), 3f64.to_bits(), Rm::Rne, &mut 0);
//! assert_eq!((third, sse::flags()), (Some((1.0 / 3.0f64).to_bits()), NX));
//! ```
//!
//! `None` means that [`soft`](crate::soft) has the answer. It has all of the flags, too: what the host's instruction has
//! set until then is among them. The word of flags that functions take is not touched; it is there so that they are
//! called as those of [`fast`](crate::fast) are.
//!
//! Rust gives no meaning to MXCSR's flags, and its own float operations may be moved, doubled or left out. So between
//! [`clear_flags`] and [`flags`] the code of a caller must not compute with floats otherwise than here, and here every
//! operation that can set a flag is an `asm` block that is neither pure nor said to keep flags. What is written in Rust
//! is exact, or a comparison whose only flag, NV for a signalling NaN, is right for the operation it stands in. MXCSR's
//! control bits are what Rust presumes while its code runs: all exceptions masked, to nearest, subnormals as they are.

mod arith;
mod convert;

use crate::{DZ, NV, NX, OF, UF};
use std::arch::asm;

pub use crate::fast::{classify_f32, classify_f64, s32_to_f64, u32_to_f64};
pub use arith::*;
pub use convert::*;

/// MXCSR with all exceptions masked and no flags, to nearest: how Rust presumes it, but for flags.
pub const CLEAR: u32 = 0x1f80;

/// RISC-V's flags for the low six bits of MXCSR (Intel SDM, volume 1, "MXCSR Control and Status Register"): IE, DE, ZE,
/// OE, UE, PE from bit 0. DE says that an operand was subnormal, of which RISC-V has no flag.
pub static FLAGS: [u8; 64] = {
    let mut flags = [0; 64];
    let mut bits = 0;
    while bits < 64 {
        let all = [NV, 0, DZ, OF, UF, NX];
        let mut bit = 0;
        while bit < 6 {
            if bits >> bit & 1 == 1 {
                flags[bits] |= all[bit] as u8;
            }
            bit += 1;
        }
        bits += 1;
    }
    flags
};

/// Where MXCSR's masks of exceptions are, in the order of the flags.
const MASKS_AT: u32 = 7;

/// The flags of MXCSR: IE, DE, ZE, OE, UE, PE from bit 0.
const STATUS: u32 = 0x3f;

/// Tininess, of which the host reports exact results too if it is to report.
const UE: u32 = 1 << 4;

/// MXCSR without flags with which the host reports every exception whose RISC-V flag is not among `known`: so the flags are
/// known without being read. Only code that is not Rust's may run with it.
pub const fn reporting(known: u32) -> u32 {
    let mut mxcsr = CLEAR;
    let mut bit = 0;
    while bit < 6 {
        let flag = FLAGS[1 << bit] as u32;
        if flag & !known != 0 {
            mxcsr &= !(1 << (MASKS_AT + bit));
        }
        bit += 1;
    }
    mxcsr
}

/// What the host has reported in MXCSR: the RISC-V flags of the exception, and MXCSR with which the instruction is executed
/// again without a report. The flags are none if it was a tiny result, of which only the instruction itself says
/// whether it underflows: from then on flags have to be read.
pub const fn reported(mxcsr: u32) -> (Option<u32>, u32) {
    let raised = mxcsr & !(mxcsr >> MASKS_AT) & STATUS;
    let masked = mxcsr | raised << MASKS_AT;
    if raised & UE != 0 { (None, masked & !UE) } else { (Some(FLAGS[raised as usize] as u32), masked) }
}

/// MXCSR with which nothing is reported and flags gather, those so far among them.
pub const fn gathering(mxcsr: u32) -> u32 {
    mxcsr | CLEAR
}

/// Makes `mxcsr` the host's control and flags of floating point.
///
/// # Safety
/// What Rust presumes of MXCSR holds again before anything is computed with floats: [`clear_flags`].
#[inline(always)]
pub unsafe fn set_mxcsr(mxcsr: u32) {
    // SAFETY: reads the word; the rest is the caller's promise.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack)) }
}

/// Clears the host's flags.
#[inline(always)]
pub fn clear_flags() {
    // SAFETY: reads the constant; MXCSR gets the control bits that it has in every Rust program.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &CLEAR, options(nostack)) }
}

/// The flags that operations have set since [`clear_flags`].
#[inline(always)]
pub fn flags() -> u32 {
    let mxcsr: u64;
    // SAFETY: uses the stack as asm without `nostack` may. A variable whose address is taken would keep callers from
    // ending in a jump.
    unsafe { asm!("push {0}", "stmxcsr [rsp]", "pop {0}", out(reg) mxcsr) }
    u32::from(FLAGS[mxcsr as usize & 63])
}

/// Whether this host has fused multiply-add. Asked once a program, not once an operation.
pub fn has_fma() -> bool {
    is_x86_feature_detected!("fma")
}
