//! Comparison, minimum and maximum, of numbers; NaNs are left.

pub use crate::soft::{classify_f32, classify_f64};

/// Defines the functions of one format.
macro_rules! comparisons {
    ($float:ty, $bits:ty, $min:ident $max:ident $eq:ident $lt:ident $le:ident) => {
        /// The smaller, -0 below +0 (`fmin`).
        #[inline(always)]
        pub fn $min(a: $bits, b: $bits, _: &mut u32) -> Option<$bits> {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x < y {
                Some(a)
            } else if x > y {
                Some(b)
            } else if x == y {
                // Equal numbers differ at most in the sign of zero.
                Some(a | b)
            } else {
                None
            }
        }

        /// The larger, -0 below +0 (`fmax`).
        #[inline(always)]
        pub fn $max(a: $bits, b: $bits, _: &mut u32) -> Option<$bits> {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x > y {
                Some(a)
            } else if x < y {
                Some(b)
            } else if x == y {
                Some(a & b)
            } else {
                None
            }
        }

        comparisons! { $float, $bits,
            "Whether `a` equals `b` (`feq`)." $eq ==;
            "Whether `a` is less than `b` (`flt`)." $lt <;
            "Whether `a` is less than or equal to `b` (`fle`)." $le <=;
        }
    };
    ($float:ty, $bits:ty, $($doc:literal $name:ident $compare:tt;)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub fn $name(a: $bits, b: $bits, _: &mut u32) -> Option<bool> {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x.is_nan() || y.is_nan() { None } else { Some(x $compare y) }
        }
    )*};
}

comparisons!(f32, u32, min_f32 max_f32 eq_f32 lt_f32 le_f32);
comparisons!(f64, u64, min_f64 max_f64 eq_f64 lt_f64 le_f64);
