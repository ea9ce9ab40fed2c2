//! The formats, unpacking, and the one routine that rounds and packs.

use crate::{NV, NX, OF, Rm, UF};

/// An IEEE 754 binary interchange format, its encodings held in the low bits of a `u64`.
pub(super) trait Format {
    /// Bits of the trailing significand field.
    const FRAC: u32;
    /// Bits of the exponent field.
    const EXP: u32;

    /// Bits of the significand, the hidden one included.
    const PRECISION: i32 = Self::FRAC as i32 + 1;
    /// The exponent field of infinities and NaNs.
    const EXP_MAX: u64 = (1 << Self::EXP) - 1;
    /// The exponent of the smallest normal number.
    const EMIN: i32 = 2 - (1 << (Self::EXP - 1));
    /// The exponent of the largest finite number.
    const EMAX: i32 = (1 << (Self::EXP - 1)) - 1;
    /// The sign bit.
    const SIGN: u64 = 1 << (Self::FRAC + Self::EXP);
    /// Plus infinity.
    const INF: u64 = Self::EXP_MAX << Self::FRAC;
    /// The quiet bit of a NaN.
    const QUIET: u64 = 1 << (Self::FRAC - 1);
    /// The canonical NaN.
    const NAN: u64 = Self::INF | Self::QUIET;
}

/// Single precision.
pub(super) struct F32;
impl Format for F32 {
    const FRAC: u32 = 23;
    const EXP: u32 = 8;
}

/// Double precision.
pub(super) struct F64;
impl Format for F64 {
    const FRAC: u32 = 52;
    const EXP: u32 = 11;
}

/// The exact value `(-1)^sign * sig * 2^exp`, not zero.
#[derive(Clone, Copy)]
pub(super) struct Num {
    /// Whether the value is negative.
    pub sign: bool,
    /// The exponent of the significand's lowest bit.
    pub exp: i32,
    /// The significand. Its lowest bit may be sticky: set because lower bits, not all zero, were dropped. Then at least
    /// two bits more than the target's precision must be present.
    pub sig: u128,
}

/// What an encoding stands for; signs of zeros and infinities included.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// A quiet NaN.
    Quiet,
    /// A signalling NaN.
    Signalling,
    /// An infinity, negative if true.
    Inf(bool),
    /// A zero, negative if true.
    Zero(bool),
    /// A subnormal or normal number.
    Num(Num),
}

impl Value {
    /// Whether this is a NaN; a signalling one sets NV.
    pub(super) fn is_nan(self, flags: &mut u32) -> bool {
        match self {
            Value::Quiet => true,
            Value::Signalling => {
                *flags |= NV;
                true
            }
            _ => false,
        }
    }
}

/// Takes an encoding apart.
pub(super) fn unpack<F: Format>(bits: u64) -> Value {
    let sign = bits & F::SIGN != 0;
    let field = bits >> F::FRAC & F::EXP_MAX;
    let frac = bits & ((1 << F::FRAC) - 1);
    let lowest = F::EMIN - F::FRAC as i32;
    match (field, frac) {
        (0, 0) => Value::Zero(sign),
        (0, _) => Value::Num(Num { sign, exp: lowest, sig: frac.into() }),
        (f, 0) if f == F::EXP_MAX => Value::Inf(sign),
        (f, _) if f == F::EXP_MAX => {
            if frac & F::QUIET != 0 {
                Value::Quiet
            } else {
                Value::Signalling
            }
        }
        _ => Value::Num(Num { sign, exp: lowest + field as i32 - 1, sig: (frac | 1 << F::FRAC).into() }),
    }
}

/// A zero of this sign.
pub(super) fn zero<F: Format>(sign: bool) -> u64 {
    if sign { F::SIGN } else { 0 }
}

/// An infinity of this sign.
pub(super) fn inf<F: Format>(sign: bool) -> u64 {
    zero::<F>(sign) | F::INF
}

/// The canonical NaN of an invalid operation.
pub(super) fn invalid<F: Format>(flags: &mut u32) -> u64 {
    *flags |= NV;
    F::NAN
}

/// Shifts right; a lost bit that was set leaves the lowest bit set.
pub(super) fn shift_right_sticky(sig: u128, by: u32) -> u128 {
    match by {
        0 => sig,
        1..128 => sig >> by | u128::from(sig << (128 - by) != 0),
        _ => u128::from(sig != 0),
    }
}

/// Shifts right by `by` bits and rounds to an integer: the result, and whether it is inexact.
pub(super) fn round_shift(sign: bool, sig: u128, by: u32, rm: Rm) -> (u128, bool) {
    if by == 0 {
        return (sig, false);
    }
    // Two more bits, for half and sticky, tell all that rounding needs.
    let with_rest = shift_right_sticky(sig << 2, by);
    let (kept, rest) = (with_rest >> 2, with_rest & 3);
    let up = match rm {
        Rm::Rne => rest == 3 || rest == 2 && kept & 1 == 1,
        Rm::Rtz => false,
        Rm::Rdn => rest != 0 && sign,
        Rm::Rup => rest != 0 && !sign,
        Rm::Rmm => rest >= 2,
    };
    (kept + u128::from(up), rest != 0)
}

/// Rounds an exact value to the format and sets the flags NX, UF and OF (IEEE 754-2019 sections 4.3 and 7.4 to 7.6).
///
/// The significand must be below 2^126.
pub(super) fn round_pack<F: Format>(num: Num, rm: Rm, flags: &mut u32) -> u64 {
    let Num { sign, exp, sig } = num;
    debug_assert!(sig != 0 && sig >> 126 == 0);
    let lead = exp + 127 - sig.leading_zeros() as i32;
    let ulp = lead.max(F::EMIN) - F::FRAC as i32;

    let (kept, inexact) = if ulp > exp {
        round_shift(sign, sig, (ulp - exp) as u32, rm)
    } else if lead <= F::EMAX {
        (sig << (exp - ulp), false)
    } else {
        return overflow::<F>(sign, rm, flags);
    };
    // A carry out of the significand becomes the next exponent, from subnormal to normal as well.
    let field = (lead.max(F::EMIN) - F::EMIN) as u64;
    let magnitude = if lead > F::EMAX { F::INF } else { (field << F::FRAC) + kept as u64 };
    if magnitude >= F::INF {
        return overflow::<F>(sign, rm, flags);
    }
    if inexact {
        *flags |= NX;
        if lead < F::EMIN && !rounds_to_normal::<F>(num, lead, rm) {
            *flags |= UF;
        }
    }
    zero::<F>(sign) | magnitude
}

/// Whether a value below the normal range, rounded as if the exponent range had no end, is the smallest normal.
fn rounds_to_normal<F: Format>(num: Num, lead: i32, rm: Rm) -> bool {
    let by = lead - F::FRAC as i32 - num.exp;
    if lead != F::EMIN - 1 || by <= 0 {
        return false;
    }
    round_shift(num.sign, num.sig, by as u32, rm).0 >> F::PRECISION != 0
}

/// The result of an overflow.
fn overflow<F: Format>(sign: bool, rm: Rm, flags: &mut u32) -> u64 {
    *flags |= OF | NX;
    let to_inf = match rm {
        Rm::Rne | Rm::Rmm => true,
        Rm::Rtz => false,
        Rm::Rdn => sign,
        Rm::Rup => !sign,
    };
    if to_inf { inf::<F>(sign) } else { zero::<F>(sign) | (F::INF - 1) }
}
