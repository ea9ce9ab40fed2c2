//! Single precision, to nearest. Doubles decide exactness: they hold every product of two singles.

use super::fma::to_odd;
use crate::NX;

/// The exponent field.
#[inline(always)]
fn field(bits: u32) -> u32 {
    bits >> 23 & 0xff
}

/// Whether a rounded result can have neither overflowed nor underflowed; see the same of doubles.
#[inline(always)]
pub(super) fn ordinary(bits: u32) -> bool {
    field(bits).wrapping_sub(2) < 0xff - 2
}

/// Whether a rounded sum is exact, as for doubles.
#[inline(always)]
fn sum_is_exact(x: f32, y: f32, s: f32) -> bool {
    (s - x == y) & (s - y == x)
}

/// `a + b`.
#[inline(always)]
pub(super) fn add(a: u32, b: u32, flags: &mut u32) -> Option<u32> {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    let s = x + y;
    if field(s.to_bits()) == 0xff {
        return None;
    }
    if *flags & NX == 0 && !sum_is_exact(x, y, s) {
        *flags |= NX;
    }
    Some(s.to_bits())
}

/// `a * b`.
#[inline(always)]
pub(super) fn mul(a: u32, b: u32, flags: &mut u32) -> Option<u32> {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    let product = x * y;
    let r = product.to_bits();
    if !ordinary(r) {
        return (product == 0.0 && (x == 0.0 || y == 0.0)).then_some(r);
    }
    if *flags & NX == 0 && f64::from(product) != f64::from(x) * f64::from(y) {
        *flags |= NX;
    }
    Some(r)
}

/// `a / b`.
#[inline(always)]
pub(super) fn div(a: u32, b: u32, flags: &mut u32) -> Option<u32> {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    let quotient = x / y;
    let r = quotient.to_bits();
    if !ordinary(r) {
        return (quotient == 0.0 && x == 0.0).then_some(r);
    }
    if *flags & NX == 0 && f64::from(quotient) * f64::from(y) != f64::from(x) {
        *flags |= NX;
    }
    Some(r)
}

/// The square root of `a`.
#[inline(always)]
pub(super) fn sqrt(a: u32, flags: &mut u32) -> Option<u32> {
    let x = f32::from_bits(a);
    let root = x.sqrt();
    let r = root.to_bits();
    if r.wrapping_sub(1) >= f32::INFINITY.to_bits() - 1 {
        return (a << 1 == 0).then_some(a);
    }
    if *flags & NX == 0 && f64::from(root) * f64::from(root) != f64::from(x) {
        *flags |= NX;
    }
    Some(r)
}

/// `a * b + c`, rounded once.
#[inline(always)]
pub(super) fn fma(a: u32, b: u32, c: u32, flags: &mut u32) -> Option<u32> {
    let product = f64::from(f32::from_bits(a)) * f64::from(f32::from_bits(b));
    let z = f64::from(f32::from_bits(c));
    let sum = product + z;
    // Rounding a double's sum again errs only if the first rounding made a tie between two singles.
    let r = if sum.to_bits() & 0x1fff_ffff == 0x1000_0000 { round_tie(product, z, sum) } else { sum as f32 };
    if !ordinary(r.to_bits()) {
        // The product is exact, and a sum rounds to zero only if it is zero.
        return (sum == 0.0).then_some(r.to_bits());
    }
    if *flags & NX == 0 && (f64::from(r) != sum || !super::double::sum_is_exact(product, z, sum)) {
        *flags |= NX;
    }
    Some(r.to_bits())
}

/// Rounds to single when the double `sum` looks like a tie.
#[cold]
#[inline(never)]
fn round_tie(product: f64, z: f64, sum: f64) -> f32 {
    let lost = super::double::sum_error(product, z, sum);
    if lost == 0.0 || !sum.is_finite() { sum as f32 } else { to_odd(sum, lost) as f32 }
}
