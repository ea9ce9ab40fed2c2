//! The instructions under test, each with its two implementations here.

use friscy_fp::{self as fast, Rm, box_f32, soft, unbox_f32};

/// An implementation: source registers, rounding mode and flags to the result register.
pub type Run = fn([u64; 3], Rm, &mut u32) -> u64;

/// What the sources are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sources {
    /// NaN-boxed singles.
    Single,
    /// Doubles.
    Double,
    /// An integer.
    Integer,
}

/// One instruction.
pub struct Row {
    /// The instruction: sources in fa0, fa1, fa2 or a0, result in fa0 or a0.
    pub asm: &'static str,
    /// What its sources are.
    pub sources: Sources,
    /// By integers.
    pub soft: Run,
    /// By host arithmetic.
    pub fast: Run,
}

/// Calls a function of either module in the form its kind has: source format, number of sources, `r` for a rounding
/// mode, `b` for a truth value, `i` for an integer result, `c` for no flags.
macro_rules! run {
    ($m:ident S1r $f:ident) => { |x, rm, flags| box_f32($m::$f(unbox_f32(x[0]), rm, flags)) };
    ($m:ident S2r $f:ident) => { |x, rm, flags| box_f32($m::$f(unbox_f32(x[0]), unbox_f32(x[1]), rm, flags)) };
    ($m:ident S3r $f:ident) => {
        |x, rm, flags| box_f32($m::$f(unbox_f32(x[0]), unbox_f32(x[1]), unbox_f32(x[2]), rm, flags))
    };
    ($m:ident S2 $f:ident) => { |x, _, flags| box_f32($m::$f(unbox_f32(x[0]), unbox_f32(x[1]), flags)) };
    ($m:ident S2b $f:ident) => { |x, _, flags| $m::$f(unbox_f32(x[0]), unbox_f32(x[1]), flags).into() };
    ($m:ident Sc $f:ident) => { |x, _, _| $m::$f(unbox_f32(x[0])) };
    ($m:ident S1i $f:ident) => { |x, rm, flags| $m::$f(unbox_f32(x[0]), rm, flags) };
    ($m:ident SD $f:ident) => { |x, _, flags| $m::$f(unbox_f32(x[0]), flags) };
    ($m:ident D1r $f:ident) => { |x, rm, flags| $m::$f(x[0], rm, flags) };
    ($m:ident D2r $f:ident) => { |x, rm, flags| $m::$f(x[0], x[1], rm, flags) };
    ($m:ident D3r $f:ident) => { |x, rm, flags| $m::$f(x[0], x[1], x[2], rm, flags) };
    ($m:ident D2 $f:ident) => { |x, _, flags| $m::$f(x[0], x[1], flags) };
    ($m:ident D2b $f:ident) => { |x, _, flags| $m::$f(x[0], x[1], flags).into() };
    ($m:ident Dc $f:ident) => { |x, _, _| $m::$f(x[0]) };
    ($m:ident D1i $f:ident) => { |x, rm, flags| $m::$f(x[0], rm, flags) };
    ($m:ident DS $f:ident) => { |x, rm, flags| box_f32($m::$f(x[0], rm, flags)) };
    ($m:ident ISr $f:ident) => { |x, rm, flags| box_f32($m::$f(x[0], rm, flags)) };
    ($m:ident IDr $f:ident) => { |x, rm, flags| $m::$f(x[0], rm, flags) };
    ($m:ident ID $f:ident) => { |x, _, _| $m::$f(x[0]) };
}

macro_rules! table {
    ($($asm:literal $sources:ident $kind:ident $f:ident;)*) => {
        /// Every instruction under test.
        pub static TABLE: &[Row] = &[$(
            Row { asm: $asm, sources: Sources::$sources, soft: run!(soft $kind $f), fast: run!(fast $kind $f) },
        )*];
    };
}

table! {
    "fadd.s fa0, fa0, fa1, dyn" Single S2r add_f32;
    "fsub.s fa0, fa0, fa1, dyn" Single S2r sub_f32;
    "fmul.s fa0, fa0, fa1, dyn" Single S2r mul_f32;
    "fdiv.s fa0, fa0, fa1, dyn" Single S2r div_f32;
    "fsqrt.s fa0, fa0, dyn" Single S1r sqrt_f32;
    "fmadd.s fa0, fa0, fa1, fa2, dyn" Single S3r fma_f32;
    "fmsub.s fa0, fa0, fa1, fa2, dyn" Single S3r fms_f32;
    "fnmsub.s fa0, fa0, fa1, fa2, dyn" Single S3r fnms_f32;
    "fnmadd.s fa0, fa0, fa1, fa2, dyn" Single S3r fnma_f32;
    "fmin.s fa0, fa0, fa1" Single S2 min_f32;
    "fmax.s fa0, fa0, fa1" Single S2 max_f32;
    "feq.s a0, fa0, fa1" Single S2b eq_f32;
    "flt.s a0, fa0, fa1" Single S2b lt_f32;
    "fle.s a0, fa0, fa1" Single S2b le_f32;
    "fclass.s a0, fa0" Single Sc classify_f32;
    "fcvt.w.s a0, fa0, dyn" Single S1i f32_to_s32;
    "fcvt.wu.s a0, fa0, dyn" Single S1i f32_to_u32;
    "fcvt.l.s a0, fa0, dyn" Single S1i f32_to_s64;
    "fcvt.lu.s a0, fa0, dyn" Single S1i f32_to_u64;
    "fcvt.s.w fa0, a0, dyn" Integer ISr s32_to_f32;
    "fcvt.s.wu fa0, a0, dyn" Integer ISr u32_to_f32;
    "fcvt.s.l fa0, a0, dyn" Integer ISr s64_to_f32;
    "fcvt.s.lu fa0, a0, dyn" Integer ISr u64_to_f32;
    "fadd.d fa0, fa0, fa1, dyn" Double D2r add_f64;
    "fsub.d fa0, fa0, fa1, dyn" Double D2r sub_f64;
    "fmul.d fa0, fa0, fa1, dyn" Double D2r mul_f64;
    "fdiv.d fa0, fa0, fa1, dyn" Double D2r div_f64;
    "fsqrt.d fa0, fa0, dyn" Double D1r sqrt_f64;
    "fmadd.d fa0, fa0, fa1, fa2, dyn" Double D3r fma_f64;
    "fmsub.d fa0, fa0, fa1, fa2, dyn" Double D3r fms_f64;
    "fnmsub.d fa0, fa0, fa1, fa2, dyn" Double D3r fnms_f64;
    "fnmadd.d fa0, fa0, fa1, fa2, dyn" Double D3r fnma_f64;
    "fmin.d fa0, fa0, fa1" Double D2 min_f64;
    "fmax.d fa0, fa0, fa1" Double D2 max_f64;
    "feq.d a0, fa0, fa1" Double D2b eq_f64;
    "flt.d a0, fa0, fa1" Double D2b lt_f64;
    "fle.d a0, fa0, fa1" Double D2b le_f64;
    "fclass.d a0, fa0" Double Dc classify_f64;
    "fcvt.w.d a0, fa0, dyn" Double D1i f64_to_s32;
    "fcvt.wu.d a0, fa0, dyn" Double D1i f64_to_u32;
    "fcvt.l.d a0, fa0, dyn" Double D1i f64_to_s64;
    "fcvt.lu.d a0, fa0, dyn" Double D1i f64_to_u64;
    "fcvt.d.w fa0, a0" Integer ID s32_to_f64;
    "fcvt.d.wu fa0, a0" Integer ID u32_to_f64;
    "fcvt.d.l fa0, a0, dyn" Integer IDr s64_to_f64;
    "fcvt.d.lu fa0, a0, dyn" Integer IDr u64_to_f64;
    "fcvt.s.d fa0, fa0, dyn" Double DS f64_to_f32;
    "fcvt.d.s fa0, fa0" Single SD f32_to_f64;
}
