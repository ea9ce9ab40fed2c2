//! The operations at hardware speed.

use crate::{Rm, soft};

pub use soft::{
    classify_f32, classify_f64, eq_f32, eq_f64, f32_to_f64, f32_to_s32, f32_to_s64, f32_to_u32, f32_to_u64,
    f64_to_f32, f64_to_s32, f64_to_s64, f64_to_u32, f64_to_u64, le_f32, le_f64, lt_f32, lt_f64, max_f32, max_f64,
    min_f32, min_f64, s32_to_f32, s32_to_f64, s64_to_f32, s64_to_f64, u32_to_f32, u32_to_f64, u64_to_f32, u64_to_f64,
};

/// `a + b` to nearest, ties to even.
#[inline(always)]
pub fn add_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    soft::add_f32(a, b, Rm::Rne, flags)
}

/// `a + b` in a given rounding mode.
#[inline]
pub fn add_f32(a: u32, b: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { add_f32_rne(a, b, flags) } else { soft::add_f32(a, b, rm, flags) }
}

/// `a - b` to nearest, ties to even.
#[inline(always)]
pub fn sub_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    soft::sub_f32(a, b, Rm::Rne, flags)
}

/// `a - b` in a given rounding mode.
#[inline]
pub fn sub_f32(a: u32, b: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { sub_f32_rne(a, b, flags) } else { soft::sub_f32(a, b, rm, flags) }
}

/// `a * b` to nearest, ties to even.
#[inline(always)]
pub fn mul_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    soft::mul_f32(a, b, Rm::Rne, flags)
}

/// `a * b` in a given rounding mode.
#[inline]
pub fn mul_f32(a: u32, b: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { mul_f32_rne(a, b, flags) } else { soft::mul_f32(a, b, rm, flags) }
}

/// `a / b` to nearest, ties to even.
#[inline(always)]
pub fn div_f32_rne(a: u32, b: u32, flags: &mut u32) -> u32 {
    soft::div_f32(a, b, Rm::Rne, flags)
}

/// `a / b` in a given rounding mode.
#[inline]
pub fn div_f32(a: u32, b: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { div_f32_rne(a, b, flags) } else { soft::div_f32(a, b, rm, flags) }
}

/// `sqrt(a)` to nearest, ties to even.
#[inline(always)]
pub fn sqrt_f32_rne(a: u32, flags: &mut u32) -> u32 {
    soft::sqrt_f32(a, Rm::Rne, flags)
}

/// `sqrt(a)` in a given rounding mode.
#[inline]
pub fn sqrt_f32(a: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { sqrt_f32_rne(a, flags) } else { soft::sqrt_f32(a, rm, flags) }
}

/// `a * b + c` to nearest, ties to even.
#[inline(always)]
pub fn fma_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    soft::fma_f32(a, b, c, Rm::Rne, flags)
}

/// `a * b + c` in a given rounding mode.
#[inline]
pub fn fma_f32(a: u32, b: u32, c: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { fma_f32_rne(a, b, c, flags) } else { soft::fma_f32(a, b, c, rm, flags) }
}

/// `a * b - c` to nearest, ties to even.
#[inline(always)]
pub fn fms_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    soft::fms_f32(a, b, c, Rm::Rne, flags)
}

/// `a * b - c` in a given rounding mode.
#[inline]
pub fn fms_f32(a: u32, b: u32, c: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { fms_f32_rne(a, b, c, flags) } else { soft::fms_f32(a, b, c, rm, flags) }
}

/// `c - a * b` to nearest, ties to even.
#[inline(always)]
pub fn fnms_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    soft::fnms_f32(a, b, c, Rm::Rne, flags)
}

/// `c - a * b` in a given rounding mode.
#[inline]
pub fn fnms_f32(a: u32, b: u32, c: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { fnms_f32_rne(a, b, c, flags) } else { soft::fnms_f32(a, b, c, rm, flags) }
}

/// `-(a * b) - c` to nearest, ties to even.
#[inline(always)]
pub fn fnma_f32_rne(a: u32, b: u32, c: u32, flags: &mut u32) -> u32 {
    soft::fnma_f32(a, b, c, Rm::Rne, flags)
}

/// `-(a * b) - c` in a given rounding mode.
#[inline]
pub fn fnma_f32(a: u32, b: u32, c: u32, rm: Rm, flags: &mut u32) -> u32 {
    if rm == Rm::Rne { fnma_f32_rne(a, b, c, flags) } else { soft::fnma_f32(a, b, c, rm, flags) }
}

/// `a + b` to nearest, ties to even.
#[inline(always)]
pub fn add_f64_rne(a: u64, b: u64, flags: &mut u32) -> u64 {
    soft::add_f64(a, b, Rm::Rne, flags)
}

/// `a + b` in a given rounding mode.
#[inline]
pub fn add_f64(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { add_f64_rne(a, b, flags) } else { soft::add_f64(a, b, rm, flags) }
}

/// `a - b` to nearest, ties to even.
#[inline(always)]
pub fn sub_f64_rne(a: u64, b: u64, flags: &mut u32) -> u64 {
    soft::sub_f64(a, b, Rm::Rne, flags)
}

/// `a - b` in a given rounding mode.
#[inline]
pub fn sub_f64(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { sub_f64_rne(a, b, flags) } else { soft::sub_f64(a, b, rm, flags) }
}

/// `a * b` to nearest, ties to even.
#[inline(always)]
pub fn mul_f64_rne(a: u64, b: u64, flags: &mut u32) -> u64 {
    soft::mul_f64(a, b, Rm::Rne, flags)
}

/// `a * b` in a given rounding mode.
#[inline]
pub fn mul_f64(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { mul_f64_rne(a, b, flags) } else { soft::mul_f64(a, b, rm, flags) }
}

/// `a / b` to nearest, ties to even.
#[inline(always)]
pub fn div_f64_rne(a: u64, b: u64, flags: &mut u32) -> u64 {
    soft::div_f64(a, b, Rm::Rne, flags)
}

/// `a / b` in a given rounding mode.
#[inline]
pub fn div_f64(a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { div_f64_rne(a, b, flags) } else { soft::div_f64(a, b, rm, flags) }
}

/// `sqrt(a)` to nearest, ties to even.
#[inline(always)]
pub fn sqrt_f64_rne(a: u64, flags: &mut u32) -> u64 {
    soft::sqrt_f64(a, Rm::Rne, flags)
}

/// `sqrt(a)` in a given rounding mode.
#[inline]
pub fn sqrt_f64(a: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { sqrt_f64_rne(a, flags) } else { soft::sqrt_f64(a, rm, flags) }
}

/// `a * b + c` to nearest, ties to even.
#[inline(always)]
pub fn fma_f64_rne(a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    soft::fma_f64(a, b, c, Rm::Rne, flags)
}

/// `a * b + c` in a given rounding mode.
#[inline]
pub fn fma_f64(a: u64, b: u64, c: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { fma_f64_rne(a, b, c, flags) } else { soft::fma_f64(a, b, c, rm, flags) }
}

/// `a * b - c` to nearest, ties to even.
#[inline(always)]
pub fn fms_f64_rne(a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    soft::fms_f64(a, b, c, Rm::Rne, flags)
}

/// `a * b - c` in a given rounding mode.
#[inline]
pub fn fms_f64(a: u64, b: u64, c: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { fms_f64_rne(a, b, c, flags) } else { soft::fms_f64(a, b, c, rm, flags) }
}

/// `c - a * b` to nearest, ties to even.
#[inline(always)]
pub fn fnms_f64_rne(a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    soft::fnms_f64(a, b, c, Rm::Rne, flags)
}

/// `c - a * b` in a given rounding mode.
#[inline]
pub fn fnms_f64(a: u64, b: u64, c: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { fnms_f64_rne(a, b, c, flags) } else { soft::fnms_f64(a, b, c, rm, flags) }
}

/// `-(a * b) - c` to nearest, ties to even.
#[inline(always)]
pub fn fnma_f64_rne(a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    soft::fnma_f64(a, b, c, Rm::Rne, flags)
}

/// `-(a * b) - c` in a given rounding mode.
#[inline]
pub fn fnma_f64(a: u64, b: u64, c: u64, rm: Rm, flags: &mut u32) -> u64 {
    if rm == Rm::Rne { fnma_f64_rne(a, b, c, flags) } else { soft::fnma_f64(a, b, c, rm, flags) }
}
