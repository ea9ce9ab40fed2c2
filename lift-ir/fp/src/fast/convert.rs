//! Conversions between formats and integers, in every rounding mode; a mode known to the compiler costs nothing.

use super::single::ordinary;
use crate::{NX, Rm};

/// 2^63: magnitudes below it are in the range of signed 64-bit integers.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// Rounds a double of magnitude below 2^63 to an integer: it, and NX if inexact.
#[inline(always)]
fn round(x: f64, rm: Rm) -> (i64, u32) {
    debug_assert!(x.abs() < TWO_63);
    // SAFETY: the magnitude is below 2^63 at every call, so the truncated value is in the range of `i64`.
    let int: i64 = unsafe { x.to_int_unchecked() };
    // Exact: the truncated value has no more bits than `x`, and what is left is its low bits.
    let rest = x - int as f64;
    (int + step(int, rest, rm), u32::from(rest != 0.0) * NX)
}

/// What rounds a truncated value: -1, 0 or 1. `rest` is what truncation left; unless it is zero, the value is below
/// 2^52.
#[inline(always)]
pub(crate) fn step(int: i64, rest: f64, rm: Rm) -> i64 {
    let away = match rm {
        Rm::Rtz => false,
        Rm::Rdn => rest < 0.0,
        Rm::Rup => rest > 0.0,
        Rm::Rne => rest.abs() > 0.5 || rest.abs() == 0.5 && int & 1 == 1,
        Rm::Rmm => rest.abs() >= 0.5,
    };
    match (away, rest < 0.0) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => -1,
    }
}

/// Defines the conversions of one format to integers; what is out of range, NaNs included, is left.
macro_rules! to_int {
    ($float:ty, $bits:ty, $s32:ident $u32:ident $s64:ident $u64:ident) => {
        /// To a signed 32-bit integer, sign-extended (`fcvt.w`).
        #[inline(always)]
        pub fn $s32(a: $bits, rm: Rm, flags: &mut u32) -> Option<u64> {
            let x = f64::from(<$float>::from_bits(a));
            if x.abs() < TWO_63 {
                let (int, nx) = round(x, rm);
                if i64::from(int as i32) == int {
                    *flags |= nx;
                    return Some(int as u64);
                }
            }
            None
        }

        /// To an unsigned 32-bit integer, sign-extended from bit 31 (`fcvt.wu`).
        #[inline(always)]
        pub fn $u32(a: $bits, rm: Rm, flags: &mut u32) -> Option<u64> {
            let x = f64::from(<$float>::from_bits(a));
            if x.abs() < TWO_63 {
                let (int, nx) = round(x, rm);
                if i64::from(int as u32) == int {
                    *flags |= nx;
                    return Some(int as i32 as u64);
                }
            }
            None
        }

        /// To a signed 64-bit integer (`fcvt.l`).
        #[inline(always)]
        pub fn $s64(a: $bits, rm: Rm, flags: &mut u32) -> Option<u64> {
            let x = f64::from(<$float>::from_bits(a));
            if x.abs() < TWO_63 {
                let (int, nx) = round(x, rm);
                *flags |= nx;
                return Some(int as u64);
            }
            None
        }

        /// To an unsigned 64-bit integer (`fcvt.lu`).
        #[inline(always)]
        pub fn $u64(a: $bits, rm: Rm, flags: &mut u32) -> Option<u64> {
            let x = f64::from(<$float>::from_bits(a));
            if x.abs() < TWO_63 {
                let (int, nx) = round(x, rm);
                if int >= 0 {
                    *flags |= nx;
                    return Some(int as u64);
                }
            } else if (TWO_63..2.0 * TWO_63).contains(&x) {
                // So large a double is an integer.
                return Some(x as u64);
            }
            None
        }
    };
}

to_int!(f32, u32, f32_to_s32 f32_to_u32 f32_to_s64 f32_to_u64);
to_int!(f64, u64, f64_to_s32 f64_to_u32 f64_to_s64 f64_to_u64);

/// Defines the conversions of 64-bit integers to a format whose significand has `$precision` bits.
macro_rules! from_int {
    ($float:ty, $bits:ty, $precision:literal, $s64:ident $u64:ident) => {
        /// From a signed 64-bit integer (`fcvt` from `l`).
        #[inline(always)]
        pub fn $s64(x: u64, rm: Rm, flags: &mut u32) -> Option<$bits> {
            let int = x as i64;
            if x.wrapping_add(1 << $precision) > 2 << $precision {
                if rm != Rm::Rne {
                    return None;
                }
                *flags |= u32::from(loses_bits(int.unsigned_abs(), $precision)) * NX;
            }
            Some((int as $float).to_bits())
        }

        /// From an unsigned 64-bit integer (`fcvt` from `lu`).
        #[inline(always)]
        pub fn $u64(x: u64, rm: Rm, flags: &mut u32) -> Option<$bits> {
            if x > 1 << $precision {
                if rm != Rm::Rne {
                    return None;
                }
                *flags |= u32::from(loses_bits(x, $precision)) * NX;
            }
            Some((x as $float).to_bits())
        }
    };
}

/// Whether an integer, not zero, has a set bit below the first `precision` significant ones.
#[inline(always)]
fn loses_bits(magnitude: u64, precision: u32) -> bool {
    magnitude << magnitude.leading_zeros() << precision != 0
}

from_int!(f32, u32, 24, s64_to_f32 u64_to_f32);
from_int!(f64, u64, 53, s64_to_f64 u64_to_f64);

/// From a signed 32-bit integer, the low half of `x`, to single (`fcvt.s.w`).
#[inline(always)]
pub fn s32_to_f32(x: u64, rm: Rm, flags: &mut u32) -> Option<u32> {
    s64_to_f32(x as i32 as u64, rm, flags)
}

/// From an unsigned 32-bit integer, the low half of `x`, to single (`fcvt.s.wu`).
#[inline(always)]
pub fn u32_to_f32(x: u64, rm: Rm, flags: &mut u32) -> Option<u32> {
    // Signed: hosts convert it in one instruction.
    s64_to_f32(u64::from(x as u32), rm, flags)
}

/// From a signed 32-bit integer, the low half of `x`, to double; always exact (`fcvt.d.w`).
#[inline(always)]
pub fn s32_to_f64(x: u64) -> u64 {
    f64::from(x as i32).to_bits()
}

/// From an unsigned 32-bit integer, the low half of `x`, to double; always exact (`fcvt.d.wu`).
#[inline(always)]
pub fn u32_to_f64(x: u64) -> u64 {
    f64::from(x as u32).to_bits()
}

/// Double to single (`fcvt.s.d`).
#[inline(always)]
pub fn f64_to_f32(a: u64, rm: Rm, flags: &mut u32) -> Option<u32> {
    let x = f64::from_bits(a);
    let single = x as f32;
    let r = single.to_bits();
    let inexact = f64::from(single) != x;
    if !ordinary(r) {
        return (x == 0.0).then_some(r);
    }
    if inexact && rm != Rm::Rne {
        return None;
    }
    *flags |= u32::from(inexact) * NX;
    Some(r)
}

/// Single to double, always exact (`fcvt.d.s`).
#[inline(always)]
pub fn f32_to_f64(a: u32, _: &mut u32) -> Option<u64> {
    let x = f32::from_bits(a);
    if x.is_nan() { None } else { Some(f64::from(x).to_bits()) }
}
