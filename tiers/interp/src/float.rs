//! Floating-point ops on slots, which hold singles NaN-boxed. What each op computes is `friscy_fp`'s; here is only
//! which function an op is.
//!
//! Every op has two forms. The quick one has no result where the host's arithmetic may not give RISC-V's; the exact one
//! always has. With the instructions of x86-64 as the quick form, its flags gather in MXCSR while code runs, and those of
//! the exact one in `State::fflags`; outside of runs `State::fflags` has all.

#[cfg(not(all(target_arch = "x86_64", not(feature = "software-checks"))))]
pub(crate) use by_checks::{begin, flags, has_fused, set_flags};
#[cfg(all(target_arch = "x86_64", not(feature = "software-checks")))]
pub(crate) use by_sse::{begin, flags, has_fused, set_flags};
#[cfg(not(all(target_arch = "x86_64", not(feature = "software-checks"))))]
use friscy_fp::fast as quick;
#[cfg(all(target_arch = "x86_64", not(feature = "software-checks")))]
use friscy_fp::sse as quick;
use friscy_fp::{Rm, box_f32, soft, unbox_f32};
use friscy_lift_ir::Op;

/// Flags that gather in MXCSR.
#[cfg(all(target_arch = "x86_64", not(feature = "software-checks")))]
mod by_sse {
    use friscy_fp::sse;
    use friscy_seam::State;

    /// Whether this host has the quick form of fused multiply-adds.
    pub(crate) fn has_fused() -> bool {
        sse::has_fma()
    }

    /// Starts gathering flags.
    #[inline(always)]
    pub(crate) fn begin() {
        sse::clear_flags();
    }

    /// The flags, also taken into the state.
    #[inline(always)]
    pub(crate) fn flags(st: &mut State) -> u32 {
        st.fflags |= sse::flags();
        st.fflags
    }

    /// Sets the flags.
    #[inline(always)]
    pub(crate) fn set_flags(st: &mut State, flags: u32) {
        // Mostly they are what was read a moment ago: then what has gathered may stay, which is quicker.
        if sse::flags() & !flags != 0 {
            sse::clear_flags();
        }
        st.fflags = flags;
    }
}

/// Flags that are in the state always.
#[cfg(not(all(target_arch = "x86_64", not(feature = "software-checks"))))]
mod by_checks {
    use friscy_seam::State;

    /// Whether there is a quick form of fused multiply-adds.
    pub(crate) fn has_fused() -> bool {
        true
    }

    /// Starts gathering flags.
    #[inline(always)]
    pub(crate) fn begin() {}

    /// The flags.
    #[inline(always)]
    pub(crate) fn flags(st: &mut State) -> u32 {
        st.fflags
    }

    /// Sets the flags.
    #[inline(always)]
    pub(crate) fn set_flags(st: &mut State, flags: u32) {
        st.fflags = flags;
    }
}

/// The rounding mode of an instruction: static, or what `frm` says.
#[inline(always)]
pub(crate) fn rounding(rm: i32, frm: u32) -> Rm {
    let bits = if rm == 7 { frm } else { rm as u32 };
    // A region is only entered with a valid mode, and the lifter refuses reserved static ones.
    Rm::from_bits(bits).unwrap_or(Rm::Rne)
}

/// Calls a function by the form asked for, so that both have a result that may be missing.
macro_rules! form {
    (quick $f:ident($($arg:expr),* $(,)?) $flags:ident) => { quick::$f($($arg,)* $flags) };
    (exact $f:ident($($arg:expr),* $(,)?) $flags:ident) => { Some(soft::$f($($arg,)* $flags)) };
}

/// As [`form`], for a function whose operands and result are singles.
macro_rules! single {
    ($form:ident $f:ident($($a:ident)*; $($rm:ident)?) $flags:ident) => {
        form!($form $f($(unbox_f32($a),)* $($rm)?) $flags).map(box_f32)
    };
}

/// Defines the ops in one form.
macro_rules! ops {
    ($form:ident) => {
        use super::*;

        /// An op of two operands; the mode is that of those which round.
        #[inline(always)]
        pub(crate) fn binary(op: Op, a: u64, b: u64, rm: Rm, flags: &mut u32) -> Option<u64> {
            match op {
                Op::FaddS => single!($form add_f32(a b; rm) flags),
                Op::FsubS => single!($form sub_f32(a b; rm) flags),
                Op::FmulS => single!($form mul_f32(a b; rm) flags),
                Op::FdivS => single!($form div_f32(a b; rm) flags),
                Op::FminS => single!($form min_f32(a b;) flags),
                Op::FmaxS => single!($form max_f32(a b;) flags),
                Op::FeqS => form!($form eq_f32(unbox_f32(a), unbox_f32(b)) flags).map(u64::from),
                Op::FltS => form!($form lt_f32(unbox_f32(a), unbox_f32(b)) flags).map(u64::from),
                Op::FleS => form!($form le_f32(unbox_f32(a), unbox_f32(b)) flags).map(u64::from),
                Op::FaddD => form!($form add_f64(a, b, rm) flags),
                Op::FsubD => form!($form sub_f64(a, b, rm) flags),
                Op::FmulD => form!($form mul_f64(a, b, rm) flags),
                Op::FdivD => form!($form div_f64(a, b, rm) flags),
                Op::FminD => form!($form min_f64(a, b) flags),
                Op::FmaxD => form!($form max_f64(a, b) flags),
                Op::FeqD => form!($form eq_f64(a, b) flags).map(u64::from),
                Op::FltD => form!($form lt_f64(a, b) flags).map(u64::from),
                Op::FleD => form!($form le_f64(a, b) flags).map(u64::from),
                Op::FsgnjS => Some(box_f32(unbox_f32(a) & !SIGN_S | unbox_f32(b) & SIGN_S)),
                Op::FsgnjnS => Some(box_f32(unbox_f32(a) & !SIGN_S | !unbox_f32(b) & SIGN_S)),
                Op::FsgnjxS => Some(box_f32(unbox_f32(a) ^ unbox_f32(b) & SIGN_S)),
                Op::FsgnjD => Some(a & !SIGN_D | b & SIGN_D),
                Op::FsgnjnD => Some(a & !SIGN_D | !b & SIGN_D),
                Op::FsgnjxD => Some(a ^ b & SIGN_D),
                _ => unreachable!(),
            }
        }

        /// A fused multiply-add.
        #[inline(always)]
        pub(crate) fn fused(op: Op, a: u64, b: u64, c: u64, rm: Rm, flags: &mut u32) -> Option<u64> {
            match op {
                Op::FmaS => single!($form fma_f32(a b c; rm) flags),
                Op::FmsS => single!($form fms_f32(a b c; rm) flags),
                Op::FnmsS => single!($form fnms_f32(a b c; rm) flags),
                Op::FnmaS => single!($form fnma_f32(a b c; rm) flags),
                Op::FmaD => form!($form fma_f64(a, b, c, rm) flags),
                Op::FmsD => form!($form fms_f64(a, b, c, rm) flags),
                Op::FnmsD => form!($form fnms_f64(a, b, c, rm) flags),
                Op::FnmaD => form!($form fnma_f64(a, b, c, rm) flags),
                _ => unreachable!(),
            }
        }

        /// An op of one operand: square roots, classes and conversions.
        #[inline(always)]
        pub(crate) fn unary(op: Op, a: u64, rm: Rm, flags: &mut u32) -> Option<u64> {
            match op {
                Op::FsqrtS => single!($form sqrt_f32(a; rm) flags),
                Op::FsqrtD => form!($form sqrt_f64(a, rm) flags),
                Op::FclassS => Some(soft::classify_f32(unbox_f32(a))),
                Op::FclassD => Some(soft::classify_f64(a)),
                Op::CvtS32F32 => form!($form f32_to_s32(unbox_f32(a), rm) flags),
                Op::CvtU32F32 => form!($form f32_to_u32(unbox_f32(a), rm) flags),
                Op::CvtS64F32 => form!($form f32_to_s64(unbox_f32(a), rm) flags),
                Op::CvtU64F32 => form!($form f32_to_u64(unbox_f32(a), rm) flags),
                Op::CvtS32F64 => form!($form f64_to_s32(a, rm) flags),
                Op::CvtU32F64 => form!($form f64_to_u32(a, rm) flags),
                Op::CvtS64F64 => form!($form f64_to_s64(a, rm) flags),
                Op::CvtU64F64 => form!($form f64_to_u64(a, rm) flags),
                Op::CvtF32S32 => form!($form s32_to_f32(a, rm) flags).map(box_f32),
                Op::CvtF32U32 => form!($form u32_to_f32(a, rm) flags).map(box_f32),
                Op::CvtF32S64 => form!($form s64_to_f32(a, rm) flags).map(box_f32),
                Op::CvtF32U64 => form!($form u64_to_f32(a, rm) flags).map(box_f32),
                Op::CvtF64S32 => Some(quick::s32_to_f64(a)),
                Op::CvtF64U32 => Some(quick::u32_to_f64(a)),
                Op::CvtF64S64 => form!($form s64_to_f64(a, rm) flags),
                Op::CvtF64U64 => form!($form u64_to_f64(a, rm) flags),
                Op::CvtF32F64 => form!($form f64_to_f32(a, rm) flags).map(box_f32),
                Op::CvtF64F32 => form!($form f32_to_f64(unbox_f32(a)) flags),
                Op::BitsF32 => Some(box_f32(a as u32)),
                _ => unreachable!(),
            }
        }
    };
}

const SIGN_S: u32 = 1 << 31;
const SIGN_D: u64 = 1 << 63;

/// The ops in their quick form.
pub(crate) mod by_host {
    ops!(quick);
}

/// The ops in their exact form.
pub(crate) mod by_integers {
    ops!(exact);
}

/// The mode that compilers emit for an op of one operand: to nearest for square roots and conversions to floating
/// point, towards zero for conversions to integers.
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
