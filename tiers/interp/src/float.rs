//! Floating-point ops on slots, which hold singles NaN-boxed. What each op computes is `friscy_fp`'s; here is only
//! which function an op is.

use friscy_fp as fp;
use friscy_fp::{Rm, box_f32, unbox_f32};
use friscy_lift_ir::Op;

/// The rounding mode of an instruction: static, or what `frm` says.
#[inline(always)]
pub(crate) fn rounding(rm: i32, frm: u32) -> Rm {
    let bits = if rm == 7 { frm } else { rm as u32 };
    // A region is only entered with a valid mode, and the lifter refuses reserved static ones.
    Rm::from_bits(bits).unwrap_or(Rm::Rne)
}

macro_rules! single {
    ($f:ident($($a:ident),*), $flags:ident) => { box_f32(fp::$f($(unbox_f32($a),)* $flags)) };
    ($f:ident($($a:ident),*), $rm:ident, $flags:ident) => { box_f32(fp::$f($(unbox_f32($a),)* $rm, $flags)) };
}

/// An op of two floating-point operands that rounds to nearest or not at all.
#[inline(always)]
pub(crate) fn binary_rne(op: Op, a: u64, b: u64, flags: &mut u32) -> u64 {
    match op {
        Op::FaddS => single!(add_f32_rne(a, b), flags),
        Op::FsubS => single!(sub_f32_rne(a, b), flags),
        Op::FmulS => single!(mul_f32_rne(a, b), flags),
        Op::FdivS => single!(div_f32_rne(a, b), flags),
        Op::FaddD => fp::add_f64_rne(a, b, flags),
        Op::FsubD => fp::sub_f64_rne(a, b, flags),
        Op::FmulD => fp::mul_f64_rne(a, b, flags),
        Op::FdivD => fp::div_f64_rne(a, b, flags),
        Op::FminS => single!(min_f32(a, b), flags),
        Op::FmaxS => single!(max_f32(a, b), flags),
        Op::FminD => fp::min_f64(a, b, flags),
        Op::FmaxD => fp::max_f64(a, b, flags),
        Op::FeqS => fp::eq_f32(unbox_f32(a), unbox_f32(b), flags) as u64,
        Op::FltS => fp::lt_f32(unbox_f32(a), unbox_f32(b), flags) as u64,
        Op::FleS => fp::le_f32(unbox_f32(a), unbox_f32(b), flags) as u64,
        Op::FeqD => fp::eq_f64(a, b, flags) as u64,
        Op::FltD => fp::lt_f64(a, b, flags) as u64,
        Op::FleD => fp::le_f64(a, b, flags) as u64,
        Op::FsgnjS => box_f32(unbox_f32(a) & !SIGN_S | unbox_f32(b) & SIGN_S),
        Op::FsgnjnS => box_f32(unbox_f32(a) & !SIGN_S | !unbox_f32(b) & SIGN_S),
        Op::FsgnjxS => box_f32(unbox_f32(a) ^ unbox_f32(b) & SIGN_S),
        Op::FsgnjD => a & !SIGN_D | b & SIGN_D,
        Op::FsgnjnD => a & !SIGN_D | !b & SIGN_D,
        Op::FsgnjxD => a ^ b & SIGN_D,
        _ => unreachable!(),
    }
}

const SIGN_S: u32 = 1 << 31;
const SIGN_D: u64 = 1 << 63;

/// An op of two floating-point operands in any rounding mode.
#[inline(always)]
pub(crate) fn binary(op: Op, a: u64, b: u64, rm: Rm, flags: &mut u32) -> u64 {
    match op {
        Op::FaddS => single!(add_f32(a, b), rm, flags),
        Op::FsubS => single!(sub_f32(a, b), rm, flags),
        Op::FmulS => single!(mul_f32(a, b), rm, flags),
        Op::FdivS => single!(div_f32(a, b), rm, flags),
        Op::FaddD => fp::add_f64(a, b, rm, flags),
        Op::FsubD => fp::sub_f64(a, b, rm, flags),
        Op::FmulD => fp::mul_f64(a, b, rm, flags),
        Op::FdivD => fp::div_f64(a, b, rm, flags),
        _ => unreachable!(),
    }
}

/// A fused multiply-add that rounds to nearest.
#[inline(always)]
pub(crate) fn fused_rne(op: Op, a: u64, b: u64, c: u64, flags: &mut u32) -> u64 {
    match op {
        Op::FmaS => single!(fma_f32_rne(a, b, c), flags),
        Op::FmsS => single!(fms_f32_rne(a, b, c), flags),
        Op::FnmsS => single!(fnms_f32_rne(a, b, c), flags),
        Op::FnmaS => single!(fnma_f32_rne(a, b, c), flags),
        Op::FmaD => fp::fma_f64_rne(a, b, c, flags),
        Op::FmsD => fp::fms_f64_rne(a, b, c, flags),
        Op::FnmsD => fp::fnms_f64_rne(a, b, c, flags),
        Op::FnmaD => fp::fnma_f64_rne(a, b, c, flags),
        _ => unreachable!(),
    }
}

/// A fused multiply-add in any rounding mode.
#[inline(always)]
pub(crate) fn fused(op: Op, a: u64, b: u64, c: u64, rm: Rm, flags: &mut u32) -> u64 {
    match op {
        Op::FmaS => single!(fma_f32(a, b, c), rm, flags),
        Op::FmsS => single!(fms_f32(a, b, c), rm, flags),
        Op::FnmsS => single!(fnms_f32(a, b, c), rm, flags),
        Op::FnmaS => single!(fnma_f32(a, b, c), rm, flags),
        Op::FmaD => fp::fma_f64(a, b, c, rm, flags),
        Op::FmsD => fp::fms_f64(a, b, c, rm, flags),
        Op::FnmsD => fp::fnms_f64(a, b, c, rm, flags),
        Op::FnmaD => fp::fnma_f64(a, b, c, rm, flags),
        _ => unreachable!(),
    }
}

/// An op of one operand: square roots, classes and conversions.
#[inline(always)]
pub(crate) fn unary(op: Op, a: u64, rm: Rm, flags: &mut u32) -> u64 {
    match op {
        Op::FsqrtS => single!(sqrt_f32(a), rm, flags),
        Op::FsqrtD => fp::sqrt_f64(a, rm, flags),
        Op::FclassS => fp::classify_f32(unbox_f32(a)),
        Op::FclassD => fp::classify_f64(a),
        Op::CvtS32F32 => fp::f32_to_s32(unbox_f32(a), rm, flags),
        Op::CvtU32F32 => fp::f32_to_u32(unbox_f32(a), rm, flags),
        Op::CvtS64F32 => fp::f32_to_s64(unbox_f32(a), rm, flags),
        Op::CvtU64F32 => fp::f32_to_u64(unbox_f32(a), rm, flags),
        Op::CvtS32F64 => fp::f64_to_s32(a, rm, flags),
        Op::CvtU32F64 => fp::f64_to_u32(a, rm, flags),
        Op::CvtS64F64 => fp::f64_to_s64(a, rm, flags),
        Op::CvtU64F64 => fp::f64_to_u64(a, rm, flags),
        Op::CvtF32S32 => box_f32(fp::s32_to_f32(a, rm, flags)),
        Op::CvtF32U32 => box_f32(fp::u32_to_f32(a, rm, flags)),
        Op::CvtF32S64 => box_f32(fp::s64_to_f32(a, rm, flags)),
        Op::CvtF32U64 => box_f32(fp::u64_to_f32(a, rm, flags)),
        Op::CvtF64S32 => fp::s32_to_f64(a),
        Op::CvtF64U32 => fp::u32_to_f64(a),
        Op::CvtF64S64 => fp::s64_to_f64(a, rm, flags),
        Op::CvtF64U64 => fp::u64_to_f64(a, rm, flags),
        Op::CvtF32F64 => box_f32(fp::f64_to_f32(a, rm, flags)),
        Op::CvtF64F32 => fp::f32_to_f64(unbox_f32(a), flags),
        Op::BitsF32 => box_f32(a as u32),
        _ => unreachable!(),
    }
}

/// As [`unary`] with the mode that compilers emit for the op: to nearest for square roots and conversions to floating
/// point, towards zero for conversions to integers.
#[inline(always)]
pub(crate) fn unary_usual(op: Op, a: u64, flags: &mut u32) -> u64 {
    match op {
        Op::FsqrtS => single!(sqrt_f32_rne(a), flags),
        Op::FsqrtD => fp::sqrt_f64_rne(a, flags),
        _ => unary(op, a, usual_rounding(op), flags),
    }
}

/// The mode that compilers emit for an op of one operand.
#[inline(always)]
pub(crate) const fn usual_rounding(op: Op) -> Rm {
    match op {
        Op::CvtS32F32
        | Op::CvtU32F32
        | Op::CvtS64F32
        | Op::CvtU64F32
        | Op::CvtS32F64
        | Op::CvtU32F64
        | Op::CvtS64F64
        | Op::CvtU64F64 => Rm::Rtz,
        _ => Rm::Rne,
    }
}
