//! Arithmetic, comparison, minimum and maximum, classification.

use super::core::{F32, F64, Format, Num, Value, inf, invalid, round_pack, shift_right_sticky, unpack, zero};
use crate::Rm;

/// Where exact operations put the highest bit of a wide significand, leaving room for a carry.
const TOP: u32 = 124;

/// Moves the significand's highest bit to bit [`TOP`].
fn normalize(num: Num) -> Num {
    let by = num.sig.leading_zeros() - (127 - TOP);
    Num { sig: num.sig << by, exp: num.exp - by as i32, ..num }
}

/// The sum of two exact numbers, rounded; no operand has more than 106 bits, and only one more than 53.
fn sum<F: Format>(a: Num, b: Num, rm: Rm, flags: &mut u32) -> u64 {
    let (a, b) = (normalize(a), normalize(b));
    let (hi, lo) = if (a.exp, a.sig) >= (b.exp, b.sig) { (a, b) } else { (b, a) };
    // Bits are lost only when the exponents differ by more than 18; then at most one place cancels and the sticky bit
    // stays far below half.
    let lo_sig = shift_right_sticky(lo.sig, (hi.exp - lo.exp) as u32);
    let sig = if hi.sign == lo.sign { hi.sig + lo_sig } else { hi.sig - lo_sig };
    if sig == 0 {
        return zero::<F>(rm == Rm::Rdn);
    }
    round_pack::<F>(Num { sign: hi.sign, exp: hi.exp, sig }, rm, flags)
}

/// The sum of zeros of these signs.
fn sum_of_zeros<F: Format>(a: bool, b: bool, rm: Rm) -> u64 {
    zero::<F>(if a == b { a } else { rm == Rm::Rdn })
}

fn add<F: Format>(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    if x.is_nan(flags) | y.is_nan(flags) {
        return F::NAN;
    }
    match (x, y) {
        (Value::Inf(s), Value::Inf(t)) if s != t => invalid::<F>(flags),
        (Value::Inf(s), _) | (_, Value::Inf(s)) => inf::<F>(s),
        (Value::Zero(s), Value::Zero(t)) => sum_of_zeros::<F>(s, t, rm),
        (Value::Num(x), Value::Num(y)) => sum::<F>(x, y, rm, flags),
        (Value::Num(_), _) => a,
        _ => b,
    }
}

fn sub<F: Format>(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    // A NaN stays a NaN of its kind, whatever its sign.
    add::<F>(a, b ^ F::SIGN, rm, flags)
}

fn mul<F: Format>(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    if x.is_nan(flags) | y.is_nan(flags) {
        return F::NAN;
    }
    let sign = (a ^ b) & F::SIGN != 0;
    match (x, y) {
        (Value::Inf(_), Value::Zero(_)) | (Value::Zero(_), Value::Inf(_)) => invalid::<F>(flags),
        (Value::Inf(_), _) | (_, Value::Inf(_)) => inf::<F>(sign),
        (Value::Num(x), Value::Num(y)) => round_pack::<F>(product(x, y), rm, flags),
        _ => zero::<F>(sign),
    }
}

/// The exact product.
fn product(x: Num, y: Num) -> Num {
    Num { sign: x.sign != y.sign, exp: x.exp + y.exp, sig: x.sig * y.sig }
}

fn div<F: Format>(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    if x.is_nan(flags) | y.is_nan(flags) {
        return F::NAN;
    }
    let sign = (a ^ b) & F::SIGN != 0;
    match (x, y) {
        (Value::Inf(_), Value::Inf(_)) | (Value::Zero(_), Value::Zero(_)) => invalid::<F>(flags),
        (Value::Inf(_), _) => inf::<F>(sign),
        (Value::Num(_), Value::Zero(_)) => {
            *flags |= crate::DZ;
            inf::<F>(sign)
        }
        (Value::Num(x), Value::Num(y)) => {
            // At least 125 bits by at most 53: a quotient of 72 bits or more, so the sticky bit is below half.
            let x = normalize(x);
            let sig = (x.sig / y.sig) | u128::from(x.sig % y.sig != 0);
            round_pack::<F>(Num { sign, exp: x.exp - y.exp, sig }, rm, flags)
        }
        _ => zero::<F>(sign),
    }
}

fn sqrt<F: Format>(a: u64, rm: Rm, flags: &mut u32) -> u64 {
    let x = unpack::<F>(a);
    if x.is_nan(flags) {
        return F::NAN;
    }
    match x {
        Value::Zero(_) | Value::Inf(false) => a,
        Value::Num(x) if !x.sign => {
            let mut x = normalize(x);
            if x.exp & 1 != 0 {
                x = Num { sig: x.sig << 1, exp: x.exp - 1, ..x };
            }
            // A root of 63 bits; it is exact in the sticky sense because its square is compared.
            let root = x.sig.isqrt();
            let sig = root << 1 | u128::from(root * root != x.sig);
            round_pack::<F>(Num { sign: false, exp: x.exp / 2 - 1, sig }, rm, flags)
        }
        _ => invalid::<F>(flags),
    }
}

fn fma<F: Format>(a: u64, b: u64, c: u64, rm: Rm, flags: &mut u32) -> u64 {
    let (x, y, z) = (unpack::<F>(a), unpack::<F>(b), unpack::<F>(c));
    let nan = x.is_nan(flags) | y.is_nan(flags) | z.is_nan(flags);
    let sign = (a ^ b) & F::SIGN != 0;
    match (x, y, z) {
        // Invalid even when the addend is a quiet NaN (RISC-V manual, "Single-Precision Floating-Point Computational
        // Instructions").
        (Value::Inf(_), Value::Zero(_), _) | (Value::Zero(_), Value::Inf(_), _) => invalid::<F>(flags),
        _ if nan => F::NAN,
        (Value::Inf(_), _, Value::Inf(t)) | (_, Value::Inf(_), Value::Inf(t)) if t != sign => invalid::<F>(flags),
        (Value::Inf(_), ..) | (_, Value::Inf(_), _) => inf::<F>(sign),
        (_, _, Value::Inf(t)) => inf::<F>(t),
        (Value::Num(x), Value::Num(y), Value::Num(z)) => sum::<F>(product(x, y), z, rm, flags),
        (Value::Num(x), Value::Num(y), _) => round_pack::<F>(product(x, y), rm, flags),
        (_, _, Value::Zero(t)) => sum_of_zeros::<F>(sign, t, rm),
        _ => c,
    }
}

/// `fmin` and `fmax`: IEEE 754-2019 `minimumNumber` and `maximumNumber`, and -0 is below +0.
fn min_max<F: Format>(a: u64, b: u64, max: bool, flags: &mut u32) -> u64 {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    match (x.is_nan(flags), y.is_nan(flags)) {
        (true, true) => F::NAN,
        (true, false) => b,
        (false, true) => a,
        (false, false) => {
            if (order_key::<F>(a) < order_key::<F>(b)) != max {
                a
            } else {
                b
            }
        }
    }
}

/// An integer that orders encodings other than NaNs as their values, with -0 below +0.
fn order_key<F: Format>(bits: u64) -> i64 {
    let magnitude = (bits & !F::SIGN) as i64;
    if bits & F::SIGN != 0 { -1 - magnitude } else { magnitude }
}

/// How two values compare; `None` if one is a NaN. A quiet comparison sets NV for signalling NaNs only.
fn compare<F: Format>(a: u64, b: u64, quiet: bool, flags: &mut u32) -> Option<std::cmp::Ordering> {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    if x.is_nan(flags) | y.is_nan(flags) {
        if !quiet {
            *flags |= crate::NV;
        }
        return None;
    }
    if let (Value::Zero(_), Value::Zero(_)) = (x, y) {
        return Some(std::cmp::Ordering::Equal);
    }
    Some(order_key::<F>(a).cmp(&order_key::<F>(b)))
}

fn classify<F: Format>(a: u64) -> u64 {
    let negative = a & F::SIGN != 0;
    let (below, above) = match unpack::<F>(a) {
        Value::Signalling => return 1 << 8,
        Value::Quiet => return 1 << 9,
        Value::Inf(_) => (0, 7),
        Value::Zero(_) => (3, 4),
        Value::Num(n) if n.sig >> F::FRAC == 0 => (2, 5),
        Value::Num(_) => (1, 6),
    };
    1 << if negative { below } else { above }
}

/// Defines the public functions of one format.
macro_rules! operations {
    ($F:ty, $bits:ty, $add:ident $sub:ident $mul:ident $div:ident $sqrt:ident $fma:ident $fms:ident $fnms:ident
        $fnma:ident $min:ident $max:ident $eq:ident $lt:ident $le:ident $classify:ident) => {
        /// `a + b`.
        pub fn $add(a: $bits, b: $bits, rm: Rm, flags: &mut u32) -> $bits {
            add::<$F>(a.into(), b.into(), rm, flags) as $bits
        }

        /// `a - b`.
        pub fn $sub(a: $bits, b: $bits, rm: Rm, flags: &mut u32) -> $bits {
            sub::<$F>(a.into(), b.into(), rm, flags) as $bits
        }

        /// `a * b`.
        pub fn $mul(a: $bits, b: $bits, rm: Rm, flags: &mut u32) -> $bits {
            mul::<$F>(a.into(), b.into(), rm, flags) as $bits
        }

        /// `a / b`.
        pub fn $div(a: $bits, b: $bits, rm: Rm, flags: &mut u32) -> $bits {
            div::<$F>(a.into(), b.into(), rm, flags) as $bits
        }

        /// The square root of `a`.
        pub fn $sqrt(a: $bits, rm: Rm, flags: &mut u32) -> $bits {
            sqrt::<$F>(a.into(), rm, flags) as $bits
        }

        /// `a * b + c`, rounded once (`fmadd`).
        pub fn $fma(a: $bits, b: $bits, c: $bits, rm: Rm, flags: &mut u32) -> $bits {
            fma::<$F>(a.into(), b.into(), c.into(), rm, flags) as $bits
        }

        /// `a * b - c`, rounded once (`fmsub`).
        pub fn $fms(a: $bits, b: $bits, c: $bits, rm: Rm, flags: &mut u32) -> $bits {
            $fma(a, b, c ^ <$F>::SIGN as $bits, rm, flags)
        }

        /// `c - a * b`, rounded once (`fnmsub`).
        pub fn $fnms(a: $bits, b: $bits, c: $bits, rm: Rm, flags: &mut u32) -> $bits {
            $fma(a ^ <$F>::SIGN as $bits, b, c, rm, flags)
        }

        /// `-(a * b) - c`, rounded once (`fnmadd`).
        pub fn $fnma(a: $bits, b: $bits, c: $bits, rm: Rm, flags: &mut u32) -> $bits {
            $fma(a ^ <$F>::SIGN as $bits, b, c ^ <$F>::SIGN as $bits, rm, flags)
        }

        /// The smaller, -0 below +0; a number if one operand is a NaN.
        pub fn $min(a: $bits, b: $bits, flags: &mut u32) -> $bits {
            min_max::<$F>(a.into(), b.into(), false, flags) as $bits
        }

        /// The larger, -0 below +0; a number if one operand is a NaN.
        pub fn $max(a: $bits, b: $bits, flags: &mut u32) -> $bits {
            min_max::<$F>(a.into(), b.into(), true, flags) as $bits
        }

        /// Whether `a` equals `b`, quietly: NV for signalling NaNs only.
        pub fn $eq(a: $bits, b: $bits, flags: &mut u32) -> bool {
            compare::<$F>(a.into(), b.into(), true, flags).is_some_and(|o| o.is_eq())
        }

        /// Whether `a` is less than `b`; NV for any NaN.
        pub fn $lt(a: $bits, b: $bits, flags: &mut u32) -> bool {
            compare::<$F>(a.into(), b.into(), false, flags).is_some_and(|o| o.is_lt())
        }

        /// Whether `a` is less than or equal to `b`; NV for any NaN.
        pub fn $le(a: $bits, b: $bits, flags: &mut u32) -> bool {
            compare::<$F>(a.into(), b.into(), false, flags).is_some_and(|o| o.is_le())
        }

        /// The class mask of `fclass`: one bit of 0 to 9, from minus infinity to quiet NaN.
        pub fn $classify(a: $bits) -> u64 {
            classify::<$F>(a.into())
        }
    };
}

operations!(F32, u32, add_f32 sub_f32 mul_f32 div_f32 sqrt_f32 fma_f32 fms_f32 fnms_f32 fnma_f32
    min_f32 max_f32 eq_f32 lt_f32 le_f32 classify_f32);
operations!(F64, u64, add_f64 sub_f64 mul_f64 div_f64 sqrt_f64 fma_f64 fms_f64 fnms_f64 fnma_f64
    min_f64 max_f64 eq_f64 lt_f64 le_f64 classify_f64);
