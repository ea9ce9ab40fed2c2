//! Whether a rounded double is the exact result, decided with a few integer instructions.
//!
//! These run only while NX is clear, and are functions of their own so that the inlined operations stay small. Operands
//! are finite and not zero, the result is the correctly rounded one, to nearest, and normal. Every argument has the same
//! form: in units small enough to make operands and result integers, the rounding error is known to be below 2^63, so
//! it is zero exactly if it is zero modulo 2^64.

/// Significand and exponent field of a finite double: its magnitude is `sig * 2^(field - 1075)`.
#[inline]
fn parts(bits: u64) -> (u64, i32) {
    let field = (bits >> 52 & 0x7ff) as i32;
    let frac = bits & ((1 << 52) - 1);
    if field == 0 { (frac, 1) } else { (frac | 1 << 52, field) }
}

/// Whether `r` differs from `a * b`.
#[inline(never)]
pub(super) fn mul_differs(a: u64, b: u64, r: u64) -> bool {
    let ((sa, ea), (sb, eb), (_, er)) = (parts(a), parts(b), parts(r));
    // One unit of `r`'s last place is 2^dropped in units of the product's; at most 53 bits are dropped.
    let dropped = er + 1075 - ea - eb;
    dropped > 0 && sa.wrapping_mul(sb).wrapping_shl(64 - dropped as u32) != 0
}

/// Whether `r` differs from `a / b`: `r * b - a` is at most half of `b`'s significand in the product's units.
#[inline(never)]
pub(super) fn div_differs(a: u64, b: u64, r: u64) -> bool {
    let ((sa, ea), (sb, eb), (sr, er)) = (parts(a), parts(b), parts(r));
    let scale = ea + 1075 - er - eb;
    sr.wrapping_mul(sb) != sa.checked_shl(scale as u32).unwrap_or(0)
}

/// Whether `r` differs from the square root of `a`: `r * r - a` is at most `r`'s significand in the square's units.
#[inline(never)]
pub(super) fn sqrt_differs(a: u64, r: u64) -> bool {
    let ((sa, ea), (sr, er)) = (parts(a), parts(r));
    let scale = ea + 1075 - 2 * er;
    sr.wrapping_mul(sr) != sa.checked_shl(scale as u32).unwrap_or(0)
}
