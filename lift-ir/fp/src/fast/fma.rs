//! The fused multiply-add of doubles, to nearest, by an exact sum of doubles.

use super::double::{add, field, ordinary, short_product, sum_error};
use crate::NX;

/// `a * b + c`.
#[inline(always)]
pub(super) fn fma(a: u64, b: u64, c: u64, flags: &mut u32) -> Option<u64> {
    let p = f64::from_bits(a) * f64::from_bits(b);
    if short_product(a, b) && ordinary(p.to_bits()) {
        return add(p.to_bits(), c, flags);
    }
    let sum = by_parts(a, b, c, flags);
    if sum.is_nan() { None } else { Some(sum.to_bits()) }
}

/// The result where a sum of doubles does not have it: a NaN, for "unknown", unless a factor is zero.
#[inline(always)]
fn rest(x: f64, y: f64, z: f64) -> f64 {
    let sum = x * y + z;
    if (x == 0.0 || y == 0.0) && sum.is_finite() { sum } else { f64::NAN }
}

/// `a * b + c` by sums of doubles; a NaN if that is not known to be right. A float in place of an option, so that it
/// comes in a register on every host.
#[inline(never)]
fn by_parts(a: u64, b: u64, c: u64, flags: &mut u32) -> f64 {
    let (x, y, z) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
    // The product's low part must be a multiple of the smallest subnormal. Zero factors fail this. An overflow or a NaN
    // on the way makes the sum a NaN or infinite, and is found there.
    if field(a) + field(b) < 1023 + 110 {
        return rest(x, y, z);
    }
    let p = x * y;
    let p_low = product_error(x, y, p);
    if *flags & NX != 0 {
        if let Some(sum) = sum_away_from_ties(p, p_low, z) {
            return sum;
        }
    }
    let (sum, inexact) = sum_of_three(p, p_low, z);
    if !ordinary(sum.to_bits()) {
        return rest(x, y, z);
    }
    if inexact {
        *flags |= NX;
    }
    sum
}

/// The rounded sum of a product in two parts and an addend, if it is ordinary and obviously not near a tie.
#[inline(always)]
fn sum_away_from_ties(p: f64, p_low: f64, z: f64) -> Option<f64> {
    let s = p + z;
    // The exact sum is s + low, up to the error of this addition, 2^-53 of it.
    let low = sum_error(p, z, s) + p_low;
    let sum = s + low;
    let rest = low - (sum - s);
    // If s is exact, so is low. Else little was cancelled, low is a few last places of the sum and its error at most
    // 2^-50 of one: a rest that does not change the sum even when 2^-40 larger is on the right side of the tie.
    (ordinary(sum.to_bits()) && sum + rest * (1.0 + 2f64.powi(-40)) == sum).then_some(sum)
}

/// The rounded sum of a product in two parts and an addend, and whether it is inexact (S. Boldo and G. Melquiond,
/// "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008). Only an ordinary
/// result is right.
#[inline(always)]
fn sum_of_three(p: f64, p_low: f64, z: f64) -> (f64, bool) {
    let t = z + p_low;
    let t_low = sum_error(z, p_low, t);
    let v = p + t;
    let v_low = sum_error(p, t, v);
    // The exact result is v + v_low + t_low. Rounding the low parts to odd keeps the last rounding honest.
    let low = t_low + v_low;
    let lost = sum_error(t_low, v_low, low);
    let low = if lost == 0.0 { low } else { to_odd(low, lost) };
    let sum = v + low;
    // If bits were lost, the low part is odd and does not fit the sum.
    (sum, sum_error(v, low, sum) != 0.0)
}

/// A sum rounded to nearest with error `lost`, not zero, rounded to odd instead: of the two neighbours of the exact
/// sum, the one whose last bit is set.
#[inline(always)]
pub(super) fn to_odd(sum: f64, lost: f64) -> f64 {
    let bits = sum.to_bits();
    if bits & 1 == 1 {
        sum
    } else if (lost > 0.0) == (sum > 0.0) {
        f64::from_bits(bits + 1)
    } else {
        f64::from_bits(bits - 1)
    }
}

/// Dekker's product: the error of the rounded product `p` of `x` and `y`.
#[inline(always)]
fn product_error(x: f64, y: f64, p: f64) -> f64 {
    let (x_high, x_low) = split(x);
    let (y_high, y_low) = split(y);
    ((x_high * y_high - p) + x_high * y_low + x_low * y_high) + x_low * y_low
}

/// Veltkamp's splitting into a part of 26 bits and a part of 26 bits and sign.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let scaled = x * 134_217_729.0; // 2^27 + 1
    let high = scaled - (scaled - x);
    (high, x - high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rm, soft};

    /// Where the sum of doubles has a result, it and the flags are those of the definition.
    #[test]
    fn by_parts_is_exact() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1 | state << 63
        };
        for _ in 0..1_000_000 {
            let kind = next() >> 8;
            let (mut a, mut b, mut c) = (next(), next(), next());
            // Mostly middle exponents, where the sums of doubles are used; sometimes short significands.
            if kind & 3 != 0 {
                a = (a & !(0x3ff << 52)) ^ 0x200 << 52;
                b = (b & !(0x3ff << 52)) ^ 0x200 << 52;
            }
            if kind & 4 != 0 {
                b &= !0 << ((kind >> 16) % 53);
            }
            let p = (f64::from_bits(a) * f64::from_bits(b)).to_bits();
            match kind >> 3 & 7 {
                // Cancels the product up to its rounding error, or nearly.
                0 => c = p ^ 1 << 63,
                1 => c = (p ^ 1 << 63).wrapping_add(kind >> 32 & 7).wrapping_sub(3),
                // A power of two that makes a tie with a bit of the product, broken or not by the rest.
                2 | 3 => {
                    c = (c & 1 << 63) | u64::from(field(p) + 55).saturating_sub((kind >> 24) % 112).min(0x7fe) << 52
                }
                // A short addend anywhere near the product.
                4 | 5 => {
                    let exponent = u64::from(field(p) + 120).saturating_sub((kind >> 24) % 240).min(0x7fe);
                    c = (c & !(0x7ff << 52) & !0 << ((kind >> 16) % 53)) | exponent << 52;
                }
                6 => c = (c & !(0x7ff << 52)) | u64::from(field(p)).min(0x7fe) << 52,
                _ => {}
            }
            for preset in [0, NX] {
                let (mut got, mut want) = (preset, preset);
                let r = by_parts(a, b, c, &mut got);
                let s = soft::fma_f64(a, b, c, Rm::Rne, &mut want);
                if r.is_nan() {
                    assert_eq!(got, preset, "{a:#x} * {b:#x} + {c:#x}");
                } else {
                    assert_eq!((r.to_bits(), got), (s, want), "{a:#x} * {b:#x} + {c:#x}");
                }
            }
        }
    }
}
