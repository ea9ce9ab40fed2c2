//! The operations at hardware speed on any host.
//!
//! Each computes with host arithmetic, to nearest, and returns at once if the result's exponent excludes overflow,
//! underflow and NaN and either NX is already set or the result is shown to be exact or not. Integer-valued numbers
//! never set NX, so that test is as quick as the operation for them. `None` means that nothing was proved: the flags are
//! as before, and [`soft`](crate::soft) has the answer. Arithmetic in another mode than RNE is never proved.

mod compare;
pub(crate) mod convert;
mod double;
mod exact;
mod fma;
mod single;

use crate::Rm;

pub use compare::*;
pub use convert::*;

/// Defines the arithmetic of one format, in any rounding mode, by that to nearest.
macro_rules! arithmetic {
    ($bits:ty, $format:ident, $add:ident $sub:ident $mul:ident $div:ident $sqrt:ident
        $fma:ident $fms:ident $fnms:ident $fnma:ident) => {
        arithmetic! { $bits, $format,
            "`a + b`." $add(a b) add(a, b);
            "`a - b`." $sub(a b) add(a, b ^ SIGN);
            "`a * b`." $mul(a b) mul(a, b);
            "`a / b`." $div(a b) div(a, b);
            "The square root of `a`." $sqrt(a) sqrt(a);
            "`a * b + c`, rounded once (`fmadd`)." $fma(a b c) fma(a, b, c);
            "`a * b - c`, rounded once (`fmsub`)." $fms(a b c) fma(a, b, c ^ SIGN);
            "`c - a * b`, rounded once (`fnmsub`)." $fnms(a b c) fma(a ^ SIGN, b, c);
            "`-(a * b) - c`, rounded once (`fnmadd`)." $fnma(a b c) fma(a ^ SIGN, b, c ^ SIGN);
        }
    };
    ($bits:ty, $format:ident, $($doc:literal $name:ident($($arg:ident)*) $f:ident($($operand:expr),*);)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub fn $name($($arg: $bits,)* rm: Rm, flags: &mut u32) -> Option<$bits> {
            #[allow(dead_code, reason = "not every operation changes a sign")]
            const SIGN: $bits = 1 << (<$bits>::BITS - 1);
            if rm == Rm::Rne { $format::$f($($operand,)* flags) } else { None }
        }
    )*};
}

arithmetic!(u32, single, add_f32 sub_f32 mul_f32 div_f32 sqrt_f32 fma_f32 fms_f32 fnms_f32 fnma_f32);
arithmetic!(u64, double, add_f64 sub_f64 mul_f64 div_f64 sqrt_f64 fma_f64 fms_f64 fnms_f64 fnma_f64);
