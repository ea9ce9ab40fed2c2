//! The operations at hardware speed.
//!
//! Each computes with host arithmetic, to nearest, and returns at once if the result's exponent excludes overflow,
//! underflow and NaN and either NX is already set or the result is shown to be exact or not. Integer-valued numbers
//! never set NX, so that test is as quick as the operation for them. Everything else is [`soft`]'s, out of line.
//!
//! `*_rne` round to nearest, ties to even: what code compiled from C or Rust uses. The functions that take a rounding
//! mode are for static modes and for `frm`; in another mode than RNE arithmetic is [`soft`]'s.

mod compare;
mod convert;
mod double;
mod exact;
mod fma;
mod single;

use crate::{Rm, soft};

pub use compare::*;
pub use convert::*;
pub use double::{
    add_f64_rne, div_f64_rne, fma_f64_rne, fms_f64_rne, fnma_f64_rne, fnms_f64_rne, mul_f64_rne, sqrt_f64_rne,
    sub_f64_rne,
};
pub use single::{
    add_f32_rne, div_f32_rne, fma_f32_rne, fms_f32_rne, fnma_f32_rne, fnms_f32_rne, mul_f32_rne, sqrt_f32_rne,
    sub_f32_rne,
};

/// Defines operations that take a rounding mode.
macro_rules! in_mode {
    ($($doc:literal $name:ident $rne:ident ($($arg:ident)*) $bits:ty;)*) => {$(
        #[doc = concat!($doc, " in any rounding mode.")]
        #[inline]
        pub fn $name($($arg: $bits,)* rm: Rm, flags: &mut u32) -> $bits {
            if rm == Rm::Rne { $rne($($arg,)* flags) } else { soft::$name($($arg,)* rm, flags) }
        }
    )*};
}

in_mode! {
    "`a + b`" add_f32 add_f32_rne (a b) u32;
    "`a - b`" sub_f32 sub_f32_rne (a b) u32;
    "`a * b`" mul_f32 mul_f32_rne (a b) u32;
    "`a / b`" div_f32 div_f32_rne (a b) u32;
    "The square root of `a`" sqrt_f32 sqrt_f32_rne (a) u32;
    "`a * b + c`, rounded once (`fmadd`)," fma_f32 fma_f32_rne (a b c) u32;
    "`a * b - c`, rounded once (`fmsub`)," fms_f32 fms_f32_rne (a b c) u32;
    "`c - a * b`, rounded once (`fnmsub`)," fnms_f32 fnms_f32_rne (a b c) u32;
    "`-(a * b) - c`, rounded once (`fnmadd`)," fnma_f32 fnma_f32_rne (a b c) u32;
    "`a + b`" add_f64 add_f64_rne (a b) u64;
    "`a - b`" sub_f64 sub_f64_rne (a b) u64;
    "`a * b`" mul_f64 mul_f64_rne (a b) u64;
    "`a / b`" div_f64 div_f64_rne (a b) u64;
    "The square root of `a`" sqrt_f64 sqrt_f64_rne (a) u64;
    "`a * b + c`, rounded once (`fmadd`)," fma_f64 fma_f64_rne (a b c) u64;
    "`a * b - c`, rounded once (`fmsub`)," fms_f64 fms_f64_rne (a b c) u64;
    "`c - a * b`, rounded once (`fnmsub`)," fnms_f64 fnms_f64_rne (a b c) u64;
    "`-(a * b) - c`, rounded once (`fnmadd`)," fnma_f64 fnma_f64_rne (a b c) u64;
}
