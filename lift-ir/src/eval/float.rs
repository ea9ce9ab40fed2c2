//! The floating-point ops, by the exact soft implementation. Singles are in the low 32 bits of a value.

use crate::op::Op;
use friscy_fp::{Rm, box_f32, soft, unbox_f32};

const SIGN32: u32 = 1 << 31;
const SIGN64: u64 = 1 << 63;

/// The result of a floating-point op, with `flags` accumulated into. `rm` is the op's immediate: 7 stands for `frm`.
/// Singles are in the low halves of operands and result.
pub fn evaluate_float(op: Op, rm: i64, args: [u64; 3], frm: u32, flags: &mut u32) -> u64 {
    let [a, b, c] = args;
    let (s, t, u) = (a as u32, b as u32, c as u32);
    // Regions are made so that an op never meets an invalid mode.
    let rm = Rm::from_bits(if rm == 7 { frm } else { rm as u32 }).unwrap_or(Rm::Rne);
    let single = match op {
        Op::Unbox => unbox_f32(a),
        Op::BitsF32 => s,
        Op::FaddS => soft::add_f32(s, t, rm, flags),
        Op::FsubS => soft::sub_f32(s, t, rm, flags),
        Op::FmulS => soft::mul_f32(s, t, rm, flags),
        Op::FdivS => soft::div_f32(s, t, rm, flags),
        Op::FsqrtS => soft::sqrt_f32(s, rm, flags),
        Op::FmaS => soft::fma_f32(s, t, u, rm, flags),
        Op::FmsS => soft::fms_f32(s, t, u, rm, flags),
        Op::FnmsS => soft::fnms_f32(s, t, u, rm, flags),
        Op::FnmaS => soft::fnma_f32(s, t, u, rm, flags),
        Op::FminS => soft::min_f32(s, t, flags),
        Op::FmaxS => soft::max_f32(s, t, flags),
        Op::FsgnjS => s & !SIGN32 | t & SIGN32,
        Op::FsgnjnS => s & !SIGN32 | !t & SIGN32,
        Op::FsgnjxS => s ^ t & SIGN32,
        Op::CvtF32S32 => soft::s32_to_f32(a, rm, flags),
        Op::CvtF32U32 => soft::u32_to_f32(a, rm, flags),
        Op::CvtF32S64 => soft::s64_to_f32(a, rm, flags),
        Op::CvtF32U64 => soft::u64_to_f32(a, rm, flags),
        Op::CvtF32F64 => soft::f64_to_f32(a, rm, flags),
        _ => return wide(op, rm, args, flags),
    };
    single as u64
}

/// The ops whose result is 64 bits wide.
fn wide(op: Op, rm: Rm, [a, b, c]: [u64; 3], flags: &mut u32) -> u64 {
    let (s, t) = (a as u32, b as u32);
    match op {
        Op::Box => box_f32(s),
        Op::BitsI64 | Op::BitsF64 => a,
        Op::FeqS => soft::eq_f32(s, t, flags) as u64,
        Op::FltS => soft::lt_f32(s, t, flags) as u64,
        Op::FleS => soft::le_f32(s, t, flags) as u64,
        Op::FclassS => soft::classify_f32(s),
        Op::FaddD => soft::add_f64(a, b, rm, flags),
        Op::FsubD => soft::sub_f64(a, b, rm, flags),
        Op::FmulD => soft::mul_f64(a, b, rm, flags),
        Op::FdivD => soft::div_f64(a, b, rm, flags),
        Op::FsqrtD => soft::sqrt_f64(a, rm, flags),
        Op::FmaD => soft::fma_f64(a, b, c, rm, flags),
        Op::FmsD => soft::fms_f64(a, b, c, rm, flags),
        Op::FnmsD => soft::fnms_f64(a, b, c, rm, flags),
        Op::FnmaD => soft::fnma_f64(a, b, c, rm, flags),
        Op::FminD => soft::min_f64(a, b, flags),
        Op::FmaxD => soft::max_f64(a, b, flags),
        Op::FsgnjD => a & !SIGN64 | b & SIGN64,
        Op::FsgnjnD => a & !SIGN64 | !b & SIGN64,
        Op::FsgnjxD => a ^ b & SIGN64,
        Op::FeqD => soft::eq_f64(a, b, flags) as u64,
        Op::FltD => soft::lt_f64(a, b, flags) as u64,
        Op::FleD => soft::le_f64(a, b, flags) as u64,
        Op::FclassD => soft::classify_f64(a),
        Op::CvtS32F32 => soft::f32_to_s32(s, rm, flags),
        Op::CvtU32F32 => soft::f32_to_u32(s, rm, flags),
        Op::CvtS64F32 => soft::f32_to_s64(s, rm, flags),
        Op::CvtU64F32 => soft::f32_to_u64(s, rm, flags),
        Op::CvtS32F64 => soft::f64_to_s32(a, rm, flags),
        Op::CvtU32F64 => soft::f64_to_u32(a, rm, flags),
        Op::CvtS64F64 => soft::f64_to_s64(a, rm, flags),
        Op::CvtU64F64 => soft::f64_to_u64(a, rm, flags),
        Op::CvtF64S32 => soft::s32_to_f64(a),
        Op::CvtF64U32 => soft::u32_to_f64(a),
        Op::CvtF64S64 => soft::s64_to_f64(a, rm, flags),
        Op::CvtF64U64 => soft::u64_to_f64(a, rm, flags),
        Op::CvtF64F32 => soft::f32_to_f64(s, flags),
        // Every other op is an integer op or handled by the caller.
        _ => unreachable!("op {} is not a floating-point op", op.info().name),
    }
}
