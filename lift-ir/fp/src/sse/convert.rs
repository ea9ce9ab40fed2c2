//! Conversions.

use crate::Rm;
use crate::fast::convert::step;
use std::arch::asm;

/// Converts a float to a signed integer by one instruction.
macro_rules! to_signed {
    ($instruction:literal, $x:expr, $int:ty, $modifier:literal) => {{
        let int: $int;
        // SAFETY: works on the named registers, and MXCSR's flags.
        unsafe {
            asm!(
                concat!($instruction, " {int", $modifier, "}, {x}"),
                int = out(reg) int,
                x = in(xmm_reg) $x,
                options(nomem, nostack),
            );
        }
        int
    }};
}

/// Rounds what is between two integers, the larger below 2^63, to an integer.
#[inline(always)]
fn round_between(x: f64, low: f64, high: f64, rm: Rm) -> Option<i64> {
    if !(x >= low && x <= high) {
        return None;
    }
    Some(match rm {
        Rm::Rtz => to_signed!("cvttsd2si", x, i64, ""),
        Rm::Rne => to_signed!("cvtsd2si", x, i64, ""),
        Rm::Rdn | Rm::Rup | Rm::Rmm => {
            // Truncation is inexact just when another rounding is. The rest is exact.
            let int = to_signed!("cvttsd2si", x, i64, "");
            int + step(int, x - int as f64, rm)
        }
    })
}

/// Defines the conversions of one format to integers; what is out of range, NaNs included, is left.
macro_rules! to_int {
    ($float:ty, $bits:ty, $truncate:literal $round:literal, $s32:ident $u32:ident $s64:ident $u64:ident) => {
        /// To a signed 32-bit integer, sign-extended (`fcvt.w`).
        #[inline(always)]
        pub fn $s32(a: $bits, rm: Rm, _: &mut u32) -> Option<u64> {
            let x = <$float>::from_bits(a);
            // Out of range, which is NV and nothing else, the instruction gives the smallest integer.
            let int = match rm {
                Rm::Rtz => to_signed!($truncate, x, i32, ":e"),
                Rm::Rne => to_signed!($round, x, i32, ":e"),
                _ => {
                    let int = round_between(f64::from(x), f64::from(i32::MIN), f64::from(i32::MAX), rm)?;
                    return Some(int as u64);
                }
            };
            if int == i32::MIN { None } else { Some(int as i64 as u64) }
        }

        /// To an unsigned 32-bit integer, sign-extended from bit 31 (`fcvt.wu`).
        #[inline(always)]
        pub fn $u32(a: $bits, rm: Rm, _: &mut u32) -> Option<u64> {
            let int = round_between(f64::from(<$float>::from_bits(a)), 0.0, f64::from(u32::MAX), rm)?;
            Some(int as i32 as u64)
        }

        /// To a signed 64-bit integer (`fcvt.l`).
        #[inline(always)]
        pub fn $s64(a: $bits, rm: Rm, _: &mut u32) -> Option<u64> {
            let x = <$float>::from_bits(a);
            let int = match rm {
                Rm::Rtz => to_signed!($truncate, x, i64, ""),
                Rm::Rne => to_signed!($round, x, i64, ""),
                _ => round_between(f64::from(x), -LARGE, LARGE, rm)?,
            };
            if int == i64::MIN { None } else { Some(int as u64) }
        }

        /// To an unsigned 64-bit integer (`fcvt.lu`).
        #[inline(always)]
        pub fn $u64(a: $bits, rm: Rm, _: &mut u32) -> Option<u64> {
            let int = round_between(f64::from(<$float>::from_bits(a)), 0.0, LARGE, rm)?;
            Some(int as u64)
        }
    };
}

/// 2^62.
const LARGE: f64 = 4_611_686_018_427_387_904.0;

to_int!(f32, u32, "cvttss2si" "cvtss2si", f32_to_s32 f32_to_u32 f32_to_s64 f32_to_u64);
to_int!(f64, u64, "cvttsd2si" "cvtsd2si", f64_to_s32 f64_to_u32 f64_to_s64 f64_to_u64);

/// Defines the conversions of 64-bit integers to a format whose significand has `$precision` bits.
macro_rules! from_int {
    ($float:ty, $bits:ty, $precision:literal, $convert:literal, $s64:ident $u64:ident) => {
        /// From a signed 64-bit integer (`fcvt` from `l`).
        #[inline(always)]
        pub fn $s64(x: u64, rm: Rm, _: &mut u32) -> Option<$bits> {
            if rm != Rm::Rne && (x as i64).unsigned_abs() > 1 << $precision {
                return None;
            }
            let r: $float;
            // SAFETY: works on the named registers, and MXCSR's flags. The instruction keeps the upper part of its
            // destination; zeroing that first keeps it from waiting for what was there.
            unsafe {
                asm!(
                    "xorps {r}, {r}",
                    concat!($convert, " {r}, {x}"),
                    r = out(xmm_reg) r,
                    x = in(reg) x,
                    options(nomem, nostack),
                );
            }
            Some(r.to_bits())
        }

        /// From an unsigned 64-bit integer (`fcvt` from `lu`).
        #[inline(always)]
        pub fn $u64(x: u64, rm: Rm, flags: &mut u32) -> Option<$bits> {
            if x as i64 >= 0 {
                return $s64(x, rm, flags);
            }
            // Half of it, with the lost bit kept below the last place, rounds alike; doubling is exact.
            let half = <$float>::from_bits($s64(x >> 1 | x & 1, rm, flags)?);
            Some((half * 2.0).to_bits())
        }
    };
}

from_int!(f32, u32, 24, "cvtsi2ss", s64_to_f32 u64_to_f32);
from_int!(f64, u64, 53, "cvtsi2sd", s64_to_f64 u64_to_f64);

/// From a signed 32-bit integer, the low half of `x`, to single (`fcvt.s.w`).
#[inline(always)]
pub fn s32_to_f32(x: u64, rm: Rm, flags: &mut u32) -> Option<u32> {
    s64_to_f32(x as i32 as u64, rm, flags)
}

/// From an unsigned 32-bit integer, the low half of `x`, to single (`fcvt.s.wu`).
#[inline(always)]
pub fn u32_to_f32(x: u64, rm: Rm, flags: &mut u32) -> Option<u32> {
    s64_to_f32(u64::from(x as u32), rm, flags)
}

/// Double to single (`fcvt.s.d`).
#[inline(always)]
pub fn f64_to_f32(a: u64, rm: Rm, _: &mut u32) -> Option<u32> {
    if rm != Rm::Rne {
        return None;
    }
    let r: f32;
    // SAFETY: works on the named registers, and MXCSR's flags.
    unsafe {
        asm!(
            "xorps {r}, {r}",
            "cvtsd2ss {r}, {x}",
            r = out(xmm_reg) r,
            x = in(xmm_reg) f64::from_bits(a),
            options(nomem, nostack),
        );
    }
    if r.is_nan() { None } else { Some(r.to_bits()) }
}

/// Single to double, always exact (`fcvt.d.s`).
#[inline(always)]
pub fn f32_to_f64(a: u32, _: &mut u32) -> Option<u64> {
    let x = f32::from_bits(a);
    if x.is_nan() { None } else { Some(f64::from(x).to_bits()) }
}
