//! Single precision, to nearest. Doubles decide exactness: they hold every product of two singles.

use super::fma::to_odd;
use crate::{NX, Rm, soft};

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

/// `a + b` to nearest, ties to even.
#[inline(always)]
pub fn add_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    let s = x + y;
    if field(s.to_bits()) == 0xff {
        return add_rest(a, b, flags).to_bits();
    }
    if *flags & NX == 0 && !sum_is_exact(x, y, s) {
        *flags |= NX;
    }
    s.to_bits()
}

#[cold]
#[inline(never)]
fn add_rest(a: u32, b: u32, flags: &mut u32) -> f32 {
    f32::from_bits(soft::add_f32(a, b, Rm::Rne, flags))
}

/// `a - b` to nearest, ties to even.
#[inline(always)]
pub fn sub_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    add_f32_rne(a, b ^ 1 << 31, flags)
}

/// `a * b` to nearest, ties to even.
#[inline(always)]
pub fn mul_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    let product = x * y;
    let r = product.to_bits();
    if !ordinary(r) {
        if product == 0.0 && (x == 0.0 || y == 0.0) {
            return r;
        }
        return mul_rest(a, b, flags).to_bits();
    }
    if *flags & NX == 0 && f64::from(product) != f64::from(x) * f64::from(y) {
        *flags |= NX;
    }
    r
}

#[cold]
#[inline(never)]
fn mul_rest(a: u32, b: u32, flags: &mut u32) -> f32 {
    f32::from_bits(soft::mul_f32(a, b, Rm::Rne, flags))
}

/// `a / b` to nearest, ties to even.
#[inline(always)]
pub fn div_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    let quotient = x / y;
    let r = quotient.to_bits();
    if !ordinary(r) {
        if quotient == 0.0 && x == 0.0 {
            return r;
        }
        return div_rest(a, b, flags).to_bits();
    }
    if *flags & NX == 0 && f64::from(quotient) * f64::from(y) != f64::from(x) {
        *flags |= NX;
    }
    r
}

#[cold]
#[inline(never)]
fn div_rest(a: u32, b: u32, flags: &mut u32) -> f32 {
    f32::from_bits(soft::div_f32(a, b, Rm::Rne, flags))
}

/// The square root of `a` to nearest, ties to even.
#[inline(always)]
pub fn sqrt_f32_rne(a: u32, flags: &mut u32) -> u32 {
    let x = f32::from_bits(a);
    let root = x.sqrt();
    let r = root.to_bits();
    if r.wrapping_sub(1) >= f32::INFINITY.to_bits() - 1 {
        if a << 1 == 0 {
            return a;
        }
        return sqrt_rest(a, flags).to_bits();
    }
    if *flags & NX == 0 && f64::from(root) * f64::from(root) != f64::from(x) {
        *flags |= NX;
    }
    r
}

#[cold]
#[inline(never)]
fn sqrt_rest(a: u32, flags: &mut u32) -> f32 {
    f32::from_bits(soft::sqrt_f32(a, Rm::Rne, flags))
}

/// `a * b + c` to nearest, ties to even, rounded once (`fmadd`).
#[inline(always)]
pub fn fma_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    let product = f64::from(f32::from_bits(a)) * f64::from(f32::from_bits(b));
    let z = f64::from(f32::from_bits(c));
    let sum = product + z;
    // Rounding a double's sum again errs only if the first rounding made a tie between two singles.
    let r = if sum.to_bits() & 0x1fff_ffff == 0x1000_0000 { round_tie(product, z, sum) } else { sum as f32 };
    if !ordinary(r.to_bits()) {
        // The product is exact, and a sum rounds to zero only if it is zero.
        if sum == 0.0 {
            return r.to_bits();
        }
        return fma_rest(a, b, c, flags).to_bits();
    }
    if *flags & NX == 0 && (f64::from(r) != sum || !super::double::sum_is_exact(product, z, sum)) {
        *flags |= NX;
    }
    r.to_bits()
}

/// Rounds to single when the double `sum` looks like a tie.
#[cold]
#[inline(never)]
fn round_tie(product: f64, z: f64, sum: f64) -> f32 {
    let lost = super::double::sum_error(product, z, sum);
    if lost == 0.0 || !sum.is_finite() { sum as f32 } else { to_odd(sum, lost) as f32 }
}

#[cold]
#[inline(never)]
fn fma_rest(a: u32, b: u32, c: u32, flags: &mut u32) -> f32 {
    f32::from_bits(soft::fma_f32(a, b, c, Rm::Rne, flags))
}

/// `a * b - c` to nearest, ties to even, rounded once (`fmsub`).
#[inline(always)]
pub fn fms_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    fma_f32_rne(a, b, c ^ 1 << 31, flags)
}

/// `c - a * b` to nearest, ties to even, rounded once (`fnmsub`).
#[inline(always)]
pub fn fnms_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    fma_f32_rne(a ^ 1 << 31, b, c, flags)
}

/// `-(a * b) - c` to nearest, ties to even, rounded once (`fnmadd`).
#[inline(always)]
pub fn fnma_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    fma_f32_rne(a ^ 1 << 31, b, c ^ 1 << 31, flags)
}
