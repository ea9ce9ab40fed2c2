//! Code that asks whether a result that wasm computed is exact, so that no flag is to be set: what integer-valued numbers
//! give, which never set the inexact flag.

use crate::layout::Features;
use wasm_encoder::{BlockType, Ieee64, InstructionSink};

/// What is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exactness {
    /// `a + b`: operands, result.
    Sum,
    /// `a * b`.
    Product,
    /// `a * b + c`, rounded once.
    Fused,
    /// `a / b`.
    Quotient,
    /// The square root of `a`.
    Root,
}

/// How many locals asking needs besides.
pub(crate) const SCRATCH: usize = 3;

impl Exactness {
    /// Goes on if the result is exact, or branches out of `exact` labels (the first is number 0); leaves the innermost one if
    /// not. Operands, result and as many doubles as [`SCRATCH`] says are in the locals of `at`.
    pub(crate) fn ask(self, s: &mut InstructionSink<'_>, is_double: bool, features: Features, at: &[u32], exact: u32) {
        if is_double {
            double(s, self, features, at, exact);
        } else {
            single(s, self, at);
        }
    }

    /// How many operands and results it takes.
    pub(crate) fn params(self) -> usize {
        match self {
            Exactness::Root => 2,
            Exactness::Fused => 4,
            _ => 3,
        }
    }
}

/// Labels around what asks, from the innermost out.
mod label {
    /// The result may be inexact.
    pub(super) const INEXACT: u32 = 0;
    /// The same, from within a block more.
    pub(super) const INEXACT_FROM_WITHIN: u32 = 1;
}

/// `a` and `b` are a rounded sum's operands, `s` is the sum. Taking the larger one from it is exact (T. J. Dekker, "A
/// floating-point technique for extending the available precision", 1971), so it leaves the smaller one just if the sum
/// is exact.
fn sum_is_exact(s: &mut InstructionSink<'_>, a: u32, b: u32, sum: u32, inexact: u32) {
    s.local_get(sum).local_get(a).f64_sub().local_get(b).f64_ne().br_if(inexact);
    s.local_get(sum).local_get(b).f64_sub().local_get(a).f64_ne().br_if(inexact);
}

/// Takes a double, and pushes the upper half of its bits.
fn upper_half(s: &mut InstructionSink<'_>) {
    s.i64_reinterpret_f64().i64_const(32).i64_shr_u().i32_wrap_i64();
}

/// Leaves unless a number is finite and so large that what a product's rounding loses is a number too: at least 2^-900.
fn has_exact_error(s: &mut InstructionSink<'_>, v: u32, otherwise: u32) {
    const SMALLEST: u32 = (1023 - 900) << 21;
    s.local_get(v);
    upper_half(s);
    s.i32_const(1).i32_shl().i32_const(SMALLEST as i32).i32_sub();
    s.i32_const(((0x7ff << 21) - SMALLEST) as i32).i32_ge_u().br_if(otherwise);
}

/// Leaves if rounding `a * b` to `p` loses something.
fn product_is_exact(s: &mut InstructionSink<'_>, a: u32, b: u32, p: u32, inexact: u32) {
    s.local_get(a).f64x2_splat().local_get(b).f64x2_splat().local_get(p).f64x2_splat();
    s.f64x2_relaxed_nmadd().f64x2_extract_lane(0).f64_const(Ieee64::from(0.0)).f64_ne().br_if(inexact);
}

/// Leaves unless a product that is zero is so by a factor.
fn is_zero_by_factor(s: &mut InstructionSink<'_>, a: u32, b: u32, p: u32, inexact: u32) {
    let zero = Ieee64::from(0.0);
    s.local_get(p).f64_const(zero).f64_ne().br_if(inexact);
    s.local_get(a).f64_const(zero).f64_eq().local_get(b).f64_const(zero).f64_eq().i32_or().i32_eqz().br_if(inexact);
}

fn double(s: &mut InstructionSink<'_>, of: Exactness, features: Features, at: &[u32], exact: u32) {
    use label::{INEXACT, INEXACT_FROM_WITHIN};
    match of {
        Exactness::Sum => sum_is_exact(s, at[0], at[1], at[2], INEXACT),
        Exactness::Product => {
            s.block(BlockType::Empty);
            has_exact_error(s, at[2], 0);
            if features.fused {
                product_is_exact(s, at[0], at[1], at[2], INEXACT_FROM_WITHIN);
            } else {
                // Two significands of 26 bits make one of 52.
                s.local_get(at[0]).i64_reinterpret_f64().local_get(at[1]).i64_reinterpret_f64().i64_or();
                s.i64_const(0x7ff_ffff).i64_and().i64_eqz().i32_eqz().br_if(INEXACT_FROM_WITHIN);
            }
            s.br(exact + 1).end();
            is_zero_by_factor(s, at[0], at[1], at[2], INEXACT);
        }
        Exactness::Fused if features.fused => {
            // What the addend leaves of the sum: the product, if both are exact.
            let [a, b, c, sum, rest] = [at[0], at[1], at[2], at[3], at[4]];
            s.local_get(sum).local_get(c).f64_sub().local_set(rest);
            s.block(BlockType::Empty);
            has_exact_error(s, rest, 0);
            product_is_exact(s, a, b, rest, INEXACT_FROM_WITHIN);
            s.local_get(sum).local_get(rest).f64_sub().local_get(c).f64_ne().br_if(INEXACT_FROM_WITHIN);
            s.br(exact + 1).end();
            // Then the addend is the sum, if that is finite.
            is_zero_by_factor(s, a, b, rest, INEXACT);
            s.local_get(sum).local_get(sum).f64_sub().f64_const(Ieee64::from(0.0)).f64_ne().br_if(INEXACT);
        }
        Exactness::Quotient if features.fused => {
            has_exact_error(s, at[2], INEXACT);
            has_exact_error(s, at[0], INEXACT);
            product_is_exact(s, at[2], at[1], at[0], INEXACT);
        }
        Exactness::Root if features.fused => {
            has_exact_error(s, at[0], INEXACT);
            product_is_exact(s, at[1], at[1], at[0], INEXACT);
        }
        _ => {
            s.br(INEXACT);
        }
    }
}

/// Of singles, whose products are exact as doubles.
fn single(s: &mut InstructionSink<'_>, of: Exactness, at: &[u32]) {
    use label::INEXACT;
    let product = |s: &mut InstructionSink<'_>, a: u32, b: u32| {
        s.local_get(a).f64_promote_f32().local_get(b).f64_promote_f32().f64_mul();
    };
    match of {
        Exactness::Sum => {
            s.local_get(at[2]).local_get(at[0]).f32_sub().local_get(at[1]).f32_ne().br_if(INEXACT);
            s.local_get(at[2]).local_get(at[1]).f32_sub().local_get(at[0]).f32_ne().br_if(INEXACT);
        }
        Exactness::Product => {
            product(s, at[0], at[1]);
            s.local_get(at[2]).f64_promote_f32().f64_ne().br_if(INEXACT);
        }
        Exactness::Fused => {
            product(s, at[0], at[1]);
            s.local_set(at[4]).local_get(at[2]).f64_promote_f32().local_set(at[5]);
            s.local_get(at[4]).local_get(at[5]).f64_add().local_tee(at[6]).local_get(at[3]).f64_promote_f32();
            s.f64_ne().br_if(INEXACT);
            sum_is_exact(s, at[4], at[5], at[6], INEXACT);
        }
        Exactness::Quotient => {
            product(s, at[2], at[1]);
            s.local_get(at[0]).f64_promote_f32().f64_ne().br_if(INEXACT);
        }
        Exactness::Root => {
            product(s, at[1], at[1]);
            s.local_get(at[0]).f64_promote_f32().f64_ne().br_if(INEXACT);
        }
    }
}
