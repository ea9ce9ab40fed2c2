//! Arithmetic and comparison.

use crate::Rm;
use std::arch::asm;

/// Defines operations of two operands.
macro_rules! binary {
    ($($doc:literal $name:ident $float:ty, $bits:ty, $instruction:literal;)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub fn $name(a: $bits, b: $bits, rm: Rm, _: &mut u32) -> Option<$bits> {
            if rm != Rm::Rne {
                return None;
            }
            let mut r = <$float>::from_bits(a);
            // SAFETY: works on the named registers, and MXCSR's flags.
            unsafe {
                asm!(
                    concat!($instruction, " {r}, {b}"),
                    r = inout(xmm_reg) r,
                    b = in(xmm_reg) <$float>::from_bits(b),
                    options(nomem, nostack),
                );
            }
            if r.is_nan() { None } else { Some(r.to_bits()) }
        }
    )*};
}

binary! {
    "`a + b`." add_f32 f32, u32, "addss";
    "`a - b`." sub_f32 f32, u32, "subss";
    "`a * b`." mul_f32 f32, u32, "mulss";
    "`a / b`." div_f32 f32, u32, "divss";
    "`a + b`." add_f64 f64, u64, "addsd";
    "`a - b`." sub_f64 f64, u64, "subsd";
    "`a * b`." mul_f64 f64, u64, "mulsd";
    "`a / b`." div_f64 f64, u64, "divsd";
}

/// Defines square roots.
macro_rules! sqrt {
    ($($name:ident $float:ty, $bits:ty, $instruction:literal;)*) => {$(
        /// The square root of `a`.
        #[inline(always)]
        pub fn $name(a: $bits, rm: Rm, _: &mut u32) -> Option<$bits> {
            if rm != Rm::Rne {
                return None;
            }
            let mut r = <$float>::from_bits(a);
            // SAFETY: works on the named register, and MXCSR's flags.
            unsafe { asm!(concat!($instruction, " {r}, {r}"), r = inout(xmm_reg) r, options(nomem, nostack)) }
            if r.is_nan() { None } else { Some(r.to_bits()) }
        }
    )*};
}

sqrt! {
    sqrt_f32 f32, u32, "sqrtss";
    sqrt_f64 f64, u64, "sqrtsd";
}

/// Defines fused multiply-adds.
macro_rules! fused {
    ($($doc:literal $name:ident $float:ty, $bits:ty, $instruction:literal;)*) => {$(
        #[doc = $doc]
        ///
        /// The host must [have](super::has_fma) the instruction: else it ends the program.
        #[inline(always)]
        pub fn $name(a: $bits, b: $bits, c: $bits, rm: Rm, _: &mut u32) -> Option<$bits> {
            if rm != Rm::Rne {
                return None;
            }
            let mut r = <$float>::from_bits(a);
            // SAFETY: works on the named registers, and MXCSR's flags; a host without the instruction gives SIGILL. It is
            // asm also because a function compiled for the feature could not be inlined.
            unsafe {
                asm!(
                    concat!($instruction, " {r}, {b}, {c}"),
                    r = inout(xmm_reg) r,
                    b = in(xmm_reg) <$float>::from_bits(b),
                    c = in(xmm_reg) <$float>::from_bits(c),
                    options(nomem, nostack),
                );
            }
            // Infinity times zero plus a quiet NaN is a NaN without NV for x86, and with NV for RISC-V.
            if r.is_nan() { None } else { Some(r.to_bits()) }
        }
    )*};
}

fused! {
    "`a * b + c`, rounded once (`fmadd`)." fma_f32 f32, u32, "vfmadd213ss";
    "`a * b - c`, rounded once (`fmsub`)." fms_f32 f32, u32, "vfmsub213ss";
    "`c - a * b`, rounded once (`fnmsub`)." fnms_f32 f32, u32, "vfnmadd213ss";
    "`-(a * b) - c`, rounded once (`fnmadd`)." fnma_f32 f32, u32, "vfnmsub213ss";
    "`a * b + c`, rounded once (`fmadd`)." fma_f64 f64, u64, "vfmadd213sd";
    "`a * b - c`, rounded once (`fmsub`)." fms_f64 f64, u64, "vfmsub213sd";
    "`c - a * b`, rounded once (`fnmsub`)." fnms_f64 f64, u64, "vfnmadd213sd";
    "`-(a * b) - c`, rounded once (`fnmadd`)." fnma_f64 f64, u64, "vfnmsub213sd";
}

/// Defines minimum, maximum and comparisons of numbers; NaNs are left.
macro_rules! comparisons {
    ($float:ty, $bits:ty, $($doc:literal $name:ident $instruction:literal $op:tt;)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub fn $name(a: $bits, b: $bits, _: &mut u32) -> Option<$bits> {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x.is_nan() || y.is_nan() {
                return None;
            }
            // The instruction sets NV for quiet NaNs, so it must not run before the test: it is asm. Of zeros it gives
            // the second, so both orders together have both signs.
            let (mut r, mut s) = (x, y);
            // SAFETY: works on the named registers, and MXCSR's flags.
            unsafe {
                asm!(
                    concat!($instruction, " {r}, {y}"),
                    concat!($instruction, " {s}, {x}"),
                    r = inout(xmm_reg) r,
                    s = inout(xmm_reg) s,
                    x = in(xmm_reg) x,
                    y = in(xmm_reg) y,
                    options(nomem, nostack),
                );
            }
            Some(r.to_bits() $op s.to_bits())
        }
    )*};
    ($float:ty, $bits:ty; $($doc:literal $name:ident $compare:tt;)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub fn $name(a: $bits, b: $bits, _: &mut u32) -> Option<bool> {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x.is_nan() || y.is_nan() { None } else { Some(x $compare y) }
        }
    )*};
}

comparisons! { f32, u32,
    "The smaller, -0 below +0 (`fmin`)." min_f32 "minss" |;
    "The larger, -0 below +0 (`fmax`)." max_f32 "maxss" &;
}
comparisons! { f64, u64,
    "The smaller, -0 below +0 (`fmin`)." min_f64 "minsd" |;
    "The larger, -0 below +0 (`fmax`)." max_f64 "maxsd" &;
}
comparisons! { f32, u32;
    "Whether `a` equals `b` (`feq`)." eq_f32 ==;
    "Whether `a` is less than `b` (`flt`)." lt_f32 <;
    "Whether `a` is less than or equal to `b` (`fle`)." le_f32 <=;
}
comparisons! { f64, u64;
    "Whether `a` equals `b` (`feq`)." eq_f64 ==;
    "Whether `a` is less than `b` (`flt`)." lt_f64 <;
    "Whether `a` is less than or equal to `b` (`fle`)." le_f64 <=;
}
