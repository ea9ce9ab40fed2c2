//! The instructions under test, each with its implementations here.

#[cfg(target_arch = "x86_64")]
use friscy_fp::sse;
use friscy_fp::{Rm, box_f32, fast, soft, unbox_f32};

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
    /// The implementations, by name.
    pub by: &'static [(&'static str, Run)],
}

/// Calls a function of a module; what it leaves, the definition computes.
macro_rules! by {
    (soft $f:ident($($arg:expr),*) $flags:ident) => { soft::$f($($arg,)* $flags) };
    (fast $f:ident($($arg:expr),*) $flags:ident) => {{
        let before = *$flags;
        match fast::$f($($arg,)* $flags) {
            Some(result) => result,
            None => {
                assert_eq!(*$flags, before, "flags of nothing");
                soft::$f($($arg,)* $flags)
            }
        }
    }};
    (sse $f:ident($($arg:expr),*) $flags:ident) => {{
        sse::clear_flags();
        let result = sse::$f($($arg,)* $flags);
        *$flags |= sse::flags();
        match result {
            Some(result) => result,
            None => soft::$f($($arg,)* $flags),
        }
    }};
}

/// Calls a function of a module in the form its kind has: source format, number of sources, `r` for a rounding mode,
/// `b` for a truth value, `i` for an integer result, `c` for no flags.
macro_rules! run {
    (sse S3r $f:ident) => {
        |x, rm, flags| if sse::has_fma() { run!(sse fused $f)(x, rm, flags) } else { run!(soft S3r $f)(x, rm, flags) }
    };
    (sse D3r $f:ident) => {
        |x, rm, flags| if sse::has_fma() { run!(sse wide $f)(x, rm, flags) } else { run!(soft D3r $f)(x, rm, flags) }
    };
    ($m:ident S1r $f:ident) => { |x, rm, flags| box_f32(by!($m $f(unbox_f32(x[0]), rm) flags)) };
    ($m:ident S2r $f:ident) => { |x, rm, flags| box_f32(by!($m $f(unbox_f32(x[0]), unbox_f32(x[1]), rm) flags)) };
    ($m:ident S3r $f:ident) => { run!($m fused $f) };
    ($m:ident fused $f:ident) => {
        (|x: [u64; 3], rm: Rm, flags: &mut u32| -> u64 {
            box_f32(by!($m $f(unbox_f32(x[0]), unbox_f32(x[1]), unbox_f32(x[2]), rm) flags))
        }) as Run
    };
    ($m:ident S2 $f:ident) => { |x, _, flags| box_f32(by!($m $f(unbox_f32(x[0]), unbox_f32(x[1])) flags)) };
    ($m:ident S2b $f:ident) => { |x, _, flags| by!($m $f(unbox_f32(x[0]), unbox_f32(x[1])) flags).into() };
    ($m:ident Sc $f:ident) => { |x, _, _| $m::$f(unbox_f32(x[0])) };
    ($m:ident S1i $f:ident) => { |x, rm, flags| by!($m $f(unbox_f32(x[0]), rm) flags) };
    ($m:ident SD $f:ident) => { |x, _, flags| by!($m $f(unbox_f32(x[0])) flags) };
    ($m:ident D1r $f:ident) => { |x, rm, flags| by!($m $f(x[0], rm) flags) };
    ($m:ident D2r $f:ident) => { |x, rm, flags| by!($m $f(x[0], x[1], rm) flags) };
    ($m:ident D3r $f:ident) => { run!($m wide $f) };
    ($m:ident wide $f:ident) => {
        (|x: [u64; 3], rm: Rm, flags: &mut u32| -> u64 { by!($m $f(x[0], x[1], x[2], rm) flags) }) as Run
    };
    ($m:ident D2 $f:ident) => { |x, _, flags| by!($m $f(x[0], x[1]) flags) };
    ($m:ident D2b $f:ident) => { |x, _, flags| by!($m $f(x[0], x[1]) flags).into() };
    ($m:ident Dc $f:ident) => { |x, _, _| $m::$f(x[0]) };
    ($m:ident D1i $f:ident) => { |x, rm, flags| by!($m $f(x[0], rm) flags) };
    ($m:ident DS $f:ident) => { |x, rm, flags| box_f32(by!($m $f(x[0], rm) flags)) };
    ($m:ident ISr $f:ident) => { |x, rm, flags| box_f32(by!($m $f(x[0], rm) flags)) };
    ($m:ident IDr $f:ident) => { |x, rm, flags| by!($m $f(x[0], rm) flags) };
    ($m:ident ID $f:ident) => { |x, _, _| $m::$f(x[0]) };
}

macro_rules! table {
    ($($asm:literal $sources:ident $kind:ident $f:ident;)*) => {
        /// Every instruction under test.
        pub static TABLE: &[Row] = &[$(
            Row {
                asm: $asm,
                sources: Sources::$sources,
                by: &[
                    ("soft", run!(soft $kind $f)),
                    ("fast", run!(fast $kind $f)),
                    #[cfg(target_arch = "x86_64")]
                    ("sse", run!(sse $kind $f)),
                ],
            },
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
