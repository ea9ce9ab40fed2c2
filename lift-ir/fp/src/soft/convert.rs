//! Conversions between formats and integers.

use super::core::{F32, F64, Format, Num, Value, round_pack, round_shift, unpack, zero};
use crate::{NV, NX, Rm};

/// Rounds to an integer and saturates to `min..=max` (RISC-V manual, "Domains of float-to-integer conversions"). An
/// invalid conversion sets NV and not NX; a NaN converts to `max`.
fn to_int<F: Format>(a: u64, min: i128, max: i128, rm: Rm, flags: &mut u32) -> i128 {
    let saturate = |negative: bool, flags: &mut u32| {
        *flags |= NV;
        if negative { min } else { max }
    };
    match unpack::<F>(a) {
        Value::Zero(_) => 0,
        Value::Quiet | Value::Signalling => saturate(false, flags),
        Value::Inf(sign) => saturate(sign, flags),
        // Beyond any 64-bit integer; below, the shift stays within 117 bits.
        Value::Num(Num { sign, exp, .. }) if exp > 64 => saturate(sign, flags),
        Value::Num(Num { sign, exp, sig }) => {
            let (magnitude, inexact) =
                if exp >= 0 { (sig << exp, false) } else { round_shift(sign, sig, exp.unsigned_abs(), rm) };
            let int = if sign { -(magnitude as i128) } else { magnitude as i128 };
            if int < min || int > max {
                return saturate(sign, flags);
            }
            if inexact {
                *flags |= NX;
            }
            int
        }
    }
}

/// The integer `(-1)^sign * magnitude`, rounded.
fn from_int<F: Format>(sign: bool, magnitude: u64, rm: Rm, flags: &mut u32) -> u64 {
    if magnitude == 0 {
        return 0;
    }
    round_pack::<F>(Num { sign, exp: 0, sig: magnitude.into() }, rm, flags)
}

/// Converts between formats.
fn convert<F: Format, T: Format>(a: u64, rm: Rm, flags: &mut u32) -> u64 {
    let x = unpack::<F>(a);
    if x.is_nan(flags) {
        return T::NAN;
    }
    match x {
        Value::Num(x) => round_pack::<T>(x, rm, flags),
        Value::Inf(sign) => zero::<T>(sign) | T::INF,
        Value::Zero(sign) => zero::<T>(sign),
        Value::Quiet | Value::Signalling => T::NAN,
    }
}

/// Double to single.
pub fn f64_to_f32(a: u64, rm: Rm, flags: &mut u32) -> u32 {
    convert::<F64, F32>(a, rm, flags) as u32
}

/// Single to double: exact, but a signalling NaN sets NV.
pub fn f32_to_f64(a: u32, flags: &mut u32) -> u64 {
    convert::<F32, F64>(a.into(), Rm::Rne, flags)
}

/// Defines the integer conversions of one format.
macro_rules! conversions {
    ($F:ty, $bits:ty, $to_s32:ident $to_u32:ident $to_s64:ident $to_u64:ident
        $from_s64:ident $from_u64:ident) => {
        /// To a signed 32-bit integer, sign-extended.
        pub fn $to_s32(a: $bits, rm: Rm, flags: &mut u32) -> u64 {
            to_int::<$F>(a.into(), i32::MIN.into(), i32::MAX.into(), rm, flags) as u64
        }

        /// To an unsigned 32-bit integer, sign-extended from bit 31.
        pub fn $to_u32(a: $bits, rm: Rm, flags: &mut u32) -> u64 {
            to_int::<$F>(a.into(), 0, u32::MAX.into(), rm, flags) as i32 as u64
        }

        /// To a signed 64-bit integer.
        pub fn $to_s64(a: $bits, rm: Rm, flags: &mut u32) -> u64 {
            to_int::<$F>(a.into(), i64::MIN.into(), i64::MAX.into(), rm, flags) as u64
        }

        /// To an unsigned 64-bit integer.
        pub fn $to_u64(a: $bits, rm: Rm, flags: &mut u32) -> u64 {
            to_int::<$F>(a.into(), 0, u64::MAX.into(), rm, flags) as u64
        }

        /// From a signed 64-bit integer.
        pub fn $from_s64(x: u64, rm: Rm, flags: &mut u32) -> $bits {
            from_int::<$F>((x as i64) < 0, (x as i64).unsigned_abs(), rm, flags) as $bits
        }

        /// From an unsigned 64-bit integer.
        pub fn $from_u64(x: u64, rm: Rm, flags: &mut u32) -> $bits {
            from_int::<$F>(false, x, rm, flags) as $bits
        }
    };
}

conversions!(F32, u32, f32_to_s32 f32_to_u32 f32_to_s64 f32_to_u64 s64_to_f32 u64_to_f32);
conversions!(F64, u64, f64_to_s32 f64_to_u32 f64_to_s64 f64_to_u64 s64_to_f64 u64_to_f64);

/// From a signed 32-bit integer, the low half of `x`, to single.
pub fn s32_to_f32(x: u64, rm: Rm, flags: &mut u32) -> u32 {
    s64_to_f32(x as i32 as u64, rm, flags)
}

/// From an unsigned 32-bit integer, the low half of `x`, to single.
pub fn u32_to_f32(x: u64, rm: Rm, flags: &mut u32) -> u32 {
    u64_to_f32(u64::from(x as u32), rm, flags)
}

/// From a signed 32-bit integer, the low half of `x`, to double; always exact.
pub fn s32_to_f64(x: u64) -> u64 {
    s64_to_f64(x as i32 as u64, Rm::Rne, &mut 0)
}

/// From an unsigned 32-bit integer, the low half of `x`, to double; always exact.
pub fn u32_to_f64(x: u64) -> u64 {
    u64_to_f64(u64::from(x as u32), Rm::Rne, &mut 0)
}
