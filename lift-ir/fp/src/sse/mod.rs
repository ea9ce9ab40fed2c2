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
//! control bits always are what Rust presumes: all exceptions masked, to nearest, subnormals as they are.

mod arith;
mod convert;

use crate::{DZ, NV, NX, OF, UF};
use std::arch::asm;

pub use crate::fast::{classify_f32, classify_f64, s32_to_f64, u32_to_f64};
pub use arith::*;
pub use convert::*;

/// MXCSR with all exceptions masked and no flags, to nearest: how Rust presumes it, but for flags.
const CLEAR: u32 = 0x1f80;

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
