//! Comparison, minimum and maximum.

use crate::soft;

pub use soft::{classify_f32, classify_f64};

/// Defines the functions of one format.
macro_rules! comparisons {
    ($float:ty, $bits:ty, $min:ident $min_nan:ident $max:ident $max_nan:ident $eq:ident $eq_nan:ident
        $lt:ident $lt_nan:ident $le:ident $le_nan:ident) => {
        /// The smaller, -0 below +0; a number if one operand is a NaN (`fmin`).
        #[inline(always)]
        pub fn $min(a: $bits, b: $bits, flags: &mut u32) -> $bits {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x < y {
                a
            } else if x > y {
                b
            } else if x == y {
                // Equal numbers differ at most in the sign of zero.
                a | b
            } else {
                $min_nan(a, b, flags)
            }
        }

        #[cold]
        #[inline(never)]
        fn $min_nan(a: $bits, b: $bits, flags: &mut u32) -> $bits {
            soft::$min(a, b, flags)
        }

        /// The larger, -0 below +0; a number if one operand is a NaN (`fmax`).
        #[inline(always)]
        pub fn $max(a: $bits, b: $bits, flags: &mut u32) -> $bits {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x > y {
                a
            } else if x < y {
                b
            } else if x == y {
                a & b
            } else {
                $max_nan(a, b, flags)
            }
        }

        #[cold]
        #[inline(never)]
        fn $max_nan(a: $bits, b: $bits, flags: &mut u32) -> $bits {
            soft::$max(a, b, flags)
        }

        /// Whether `a` equals `b`, quietly: NV for signalling NaNs only (`feq`).
        #[inline(always)]
        pub fn $eq(a: $bits, b: $bits, flags: &mut u32) -> bool {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x.is_nan() || y.is_nan() {
                return $eq_nan(a, b, flags);
            }
            x == y
        }

        #[cold]
        #[inline(never)]
        fn $eq_nan(a: $bits, b: $bits, flags: &mut u32) -> bool {
            soft::$eq(a, b, flags)
        }

        /// Whether `a` is less than `b`; NV for any NaN (`flt`).
        #[inline(always)]
        pub fn $lt(a: $bits, b: $bits, flags: &mut u32) -> bool {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x.is_nan() || y.is_nan() {
                return $lt_nan(a, b, flags);
            }
            x < y
        }

        #[cold]
        #[inline(never)]
        fn $lt_nan(a: $bits, b: $bits, flags: &mut u32) -> bool {
            soft::$lt(a, b, flags)
        }

        /// Whether `a` is less than or equal to `b`; NV for any NaN (`fle`).
        #[inline(always)]
        pub fn $le(a: $bits, b: $bits, flags: &mut u32) -> bool {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x.is_nan() || y.is_nan() {
                return $le_nan(a, b, flags);
            }
            x <= y
        }

        #[cold]
        #[inline(never)]
        fn $le_nan(a: $bits, b: $bits, flags: &mut u32) -> bool {
            soft::$le(a, b, flags)
        }
    };
}

comparisons!(f32, u32, min_f32 min_f32_nan max_f32 max_f32_nan eq_f32 eq_f32_nan lt_f32 lt_f32_nan le_f32 le_f32_nan);
comparisons!(f64, u64, min_f64 min_f64_nan max_f64 max_f64_nan eq_f64 eq_f64_nan lt_f64 lt_f64_nan le_f64 le_f64_nan);
