//! The fused multiply-add of doubles, to nearest: the host's instruction where there is one, else an exact sum of
//! doubles.

use super::double::{add_f64_rne, field, ordinary, short_product, sum_error};
use super::exact;
use crate::{NX, Rm, soft};

/// `a * b + c`.
#[inline(always)]
pub(super) fn fma(a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("fma") {
        // SAFETY: the feature that the function is compiled for was just detected.
        let r = unsafe { host_fma(f64::from_bits(a), f64::from_bits(b), f64::from_bits(c)) }.to_bits();
        if !ordinary(r) {
            return rest(a, b, c, flags);
        }
        if *flags & NX == 0 && !obviously_exact(a, b, c) && exact::fma_differs(a, b, c, r) {
            *flags |= NX;
        }
        return r;
    }
    by_parts(a, b, c, flags)
}

/// The host's instruction.
///
/// # Safety
///
/// The host must have the feature `fma`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "fma")]
unsafe fn host_fma(x: f64, y: f64, z: f64) -> f64 {
    x.mul_add(y, z)
}

/// Whether the product and the sum are both exact, as they are for small integers; says no when in doubt.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn obviously_exact(a: u64, b: u64, c: u64) -> bool {
    let (p, z) = (f64::from_bits(a) * f64::from_bits(b), f64::from_bits(c));
    // An overflow among the error's terms makes it infinite or a NaN, which is not zero.
    short_product(a, b) && ordinary(p.to_bits()) && sum_error(p, z, p + z) == 0.0
}

/// Results that are zero, tiny, huge or special, and operands out of [`by_parts`]' range. Zeros are still quick.
#[inline(never)]
fn rest(a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    let (x, y, z) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
    let p = x * y;
    if (x == 0.0 || y == 0.0) && (p + z).is_finite() {
        return (p + z).to_bits();
    }
    if short_product(a, b) && ordinary(p.to_bits()) {
        return add_f64_rne(p.to_bits(), c, flags);
    }
    soft::fma_f64(a, b, c, Rm::Rne, flags)
}

/// `a * b + c` by sums of doubles (S. Boldo and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved
/// algorithms using rounding to odd", 2008).
#[inline(never)]
fn by_parts(a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    let (ea, eb, ec) = (field(a), field(b), field(c));
    // The product's low part is a multiple of the smallest subnormal, and neither splitting a factor nor a sum
    // overflows. Zero factors, infinities and NaNs fail this.
    if ea.max(eb) >= 0x7ff - 30 || ec >= 0x7fb || !(1023 + 110..1023 + 0x7fb).contains(&(ea + eb)) {
        return rest(a, b, c, flags);
    }
    let (x, y, z) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
    let p = x * y;
    if short_product(a, b) && ordinary(p.to_bits()) {
        return add_f64_rne(p.to_bits(), c, flags);
    }
    let p_low = product_error(x, y, p);
    let t = z + p_low;
    let t_low = sum_error(z, p_low, t);
    let v = p + t;
    let v_low = sum_error(p, t, v);
    // The exact result is v + v_low + t_low. Rounding the low parts to odd keeps the last rounding honest.
    let low = t_low + v_low;
    let lost = sum_error(t_low, v_low, low);
    let low = if lost == 0.0 { low } else { to_odd(low, lost) };
    let sum = v + low;
    if !ordinary(sum.to_bits()) {
        return rest(a, b, c, flags);
    }
    if *flags & NX == 0 && (lost != 0.0 || sum_error(v, low, sum) != 0.0) {
        *flags |= NX;
    }
    sum.to_bits()
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

    /// The path of hosts without the instruction gives the same results and flags as the definition.
    #[test]
    fn by_parts_is_exact() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..300_000 {
            let (a, mut b) = (next(), next());
            // Addends near the product and near its rounding error, short significands, and anything.
            let p = f64::from_bits(a) * f64::from_bits(b);
            let kind = next();
            if kind & 1 == 0 {
                b &= !0 << (next() % 53);
            }
            let offset = (next() % 240) as i64 - 120;
            let mut c = next() & !(0x7ff << 52) | (i64::from(field(p.to_bits())) + offset).clamp(0, 0x7ff) as u64 * (1 << 52);
            if kind & 6 == 0 {
                c = p.to_bits() ^ 1 << 63;
            } else if kind & 6 == 2 {
                c &= !0 << (next() % 53);
            }
            for preset in [0, NX] {
                let (mut got, mut want) = (preset, preset);
                let r = by_parts(a, b, c, &mut got);
                let s = soft::fma_f64(a, b, c, Rm::Rne, &mut want);
                assert_eq!((r, got), (s, want), "{a:#x} * {b:#x} + {c:#x}");
            }
        }
    }
}
