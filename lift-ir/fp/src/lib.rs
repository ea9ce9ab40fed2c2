//! Exact RISC-V floating point (the F and D extensions): results, NaN boxing, rounding modes and exception flags.
//!
//! The crate knows numbers as raw bits and nothing else: no registers and no instructions. Every way of computing has
//! the same bits and flags:
//!
//! - [`soft`] computes everything with integers, in every rounding mode: the definition.
//! - [`fast`] computes with host arithmetic to nearest, of which it uses only what Rust promises on every host, wasm32
//!   included, and proves in a few instructions that the result and the flags are RISC-V's.
//! - [`sse`] computes with the instructions of x86-64, whose flags gather in a register of the host.
//!
//! The latter two answer `None` where the host's result may be another; then [`soft`] has to compute.
//!
//! Flags accumulate: an operation sets bits in the `flags` word it is given and never clears one. Every NaN result is
//! the canonical NaN (RISC-V manual, "NaN Generation and Propagation"). Tininess is detected after rounding.

pub mod fast;
pub mod soft;
#[cfg(target_arch = "x86_64")]
pub mod sse;

/// Inexact: the result differs from the exact one.
pub const NX: u32 = 1;
/// Underflow: the result is tiny after rounding and inexact.
pub const UF: u32 = 2;
/// Overflow: the rounded result exceeds the largest finite number.
pub const OF: u32 = 4;
/// Division of a finite non-zero number by zero.
pub const DZ: u32 = 8;
/// Invalid operation.
pub const NV: u32 = 16;

/// The canonical NaN of single precision.
pub const NAN_F32: u32 = 0x7fc0_0000;
/// The canonical NaN of double precision.
pub const NAN_F64: u64 = 0x7ff8_0000_0000_0000;

/// A rounding mode, numbered as in the `rm` field and in `frm`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Rm {
    /// To nearest, ties to even.
    Rne = 0,
    /// Towards zero.
    Rtz = 1,
    /// Down, towards minus infinity.
    Rdn = 2,
    /// Up, towards plus infinity.
    Rup = 3,
    /// To nearest, ties away from zero.
    Rmm = 4,
}

impl Rm {
    /// Every rounding mode, in encoding order.
    pub const ALL: [Rm; 5] = [Rm::Rne, Rm::Rtz, Rm::Rdn, Rm::Rup, Rm::Rmm];

    /// The mode with this encoding; `None` for 5 and 6 (reserved), 7 (dynamic) and anything larger.
    #[inline]
    pub const fn from_bits(bits: u32) -> Option<Rm> {
        match bits {
            0 => Some(Rm::Rne),
            1 => Some(Rm::Rtz),
            2 => Some(Rm::Rdn),
            3 => Some(Rm::Rup),
            4 => Some(Rm::Rmm),
            _ => None,
        }
    }
}

/// NaN-boxes a single: the 64 bits of a floating-point register that holds it.
#[inline(always)]
pub const fn box_f32(single: u32) -> u64 {
    single as u64 | 0xffff_ffff_0000_0000
}

/// The single in a floating-point register: its low half if it is NaN-boxed, else the canonical NaN.
#[inline(always)]
pub const fn unbox_f32(reg: u64) -> u32 {
    if (reg >> 32) as u32 == u32::MAX { reg as u32 } else { NAN_F32 }
}
