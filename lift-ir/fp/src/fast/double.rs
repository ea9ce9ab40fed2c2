//! Double precision, to nearest.

use super::exact;
use crate::NX;

pub(super) use super::fma::fma;

/// Doubles whose product is exact: two significands of 26 bits make one of 52.
#[inline(always)]
pub(super) fn short_product(a: u64, b: u64) -> bool {
    (a | b) & 0x7ff_ffff == 0
}

/// The exponent field.
#[inline(always)]
pub(super) fn field(bits: u64) -> u32 {
    (bits >> 52) as u32 & 0x7ff
}

/// Whether a rounded result can have neither overflowed nor underflowed, NaNs excluded too. The smallest normal number
/// may be a tiny value rounded up, and its binade is left out with it.
#[inline(always)]
pub(super) fn ordinary(bits: u64) -> bool {
    field(bits).wrapping_sub(2) < 0x7ff - 2
}

/// Knuth's two-sum: the error of the rounded sum `s` of `x` and `y`. It is exact unless one of its terms overflows,
/// which happens only when there is an error and gives an infinity or a NaN, so comparing with zero is always right.
#[inline(always)]
pub(super) fn sum_error(x: f64, y: f64, s: f64) -> f64 {
    let y_part = s - x;
    let x_part = s - y_part;
    (x - x_part) + (y - y_part)
}

/// Whether the rounded sum `s` of `x` and `y` is exact. Taking the larger summand from `s` is exact (T. J. Dekker, "A
/// floating-point technique for extending the available precision", 1971), so it leaves the smaller one just then; if
/// `s` is exact, so is taking either. Two independent subtractions are quicker than the error itself.
#[inline(always)]
pub(super) fn sum_is_exact(x: f64, y: f64, s: f64) -> bool {
    (s - x == y) & (s - y == x)
}

/// `a + b`.
#[inline(always)]
pub(super) fn add(a: u64, b: u64, flags: &mut u32) -> Option<u64> {
    let (x, y) = (f64::from_bits(a), f64::from_bits(b));
    let s = x + y;
    // A sum too small to be normal is exact.
    if field(s.to_bits()) == 0x7ff {
        return None;
    }
    if *flags & NX == 0 && !sum_is_exact(x, y, s) {
        *flags |= NX;
    }
    Some(s.to_bits())
}

/// `a * b`.
#[inline(always)]
pub(super) fn mul(a: u64, b: u64, flags: &mut u32) -> Option<u64> {
    let (x, y) = (f64::from_bits(a), f64::from_bits(b));
    let product = x * y;
    let r = product.to_bits();
    if !ordinary(r) {
        return (product == 0.0 && (x == 0.0 || y == 0.0)).then_some(r);
    }
    if *flags & NX == 0 && !short_product(a, b) && exact::mul_differs(a, b, r) {
        *flags |= NX;
    }
    Some(r)
}

/// `a / b`.
#[inline(always)]
pub(super) fn div(a: u64, b: u64, flags: &mut u32) -> Option<u64> {
    let (x, y) = (f64::from_bits(a), f64::from_bits(b));
    let quotient = x / y;
    let r = quotient.to_bits();
    if !ordinary(r) {
        return (quotient == 0.0 && x == 0.0).then_some(r);
    }
    if *flags & NX == 0 && exact::div_differs(a, b, r) {
        *flags |= NX;
    }
    Some(r)
}

/// The square root of `a`.
#[inline(always)]
pub(super) fn sqrt(a: u64, flags: &mut u32) -> Option<u64> {
    let r = f64::from_bits(a).sqrt().to_bits();
    // The root of a positive finite number is normal; everything else is negative, zero, infinite or a NaN.
    if r.wrapping_sub(1) >= f64::INFINITY.to_bits() - 1 {
        return (a << 1 == 0).then_some(a);
    }
    if *flags & NX == 0 && exact::sqrt_differs(a, r) {
        *flags |= NX;
    }
    Some(r)
}
