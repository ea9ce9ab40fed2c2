//! Functions that say whether a result that wasm computed is exact, so that no flag is to be set: what integer-valued
//! numbers give, which never set the inexact flag. They answer 1 only if it is so.

use crate::emit::Body;
use crate::layout::Features;
use wasm_encoder::{Ieee64, InstructionSink, ValType};

/// What is asked about, with the number of its function in a module. Singles come from [`SINGLES`] on.
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

/// How many functions there are for each precision.
pub(crate) const COUNT: u32 = 5;

impl Exactness {
    const ALL: [Exactness; COUNT as usize] =
        [Exactness::Sum, Exactness::Product, Exactness::Fused, Exactness::Quotient, Exactness::Root];

    /// The number of its function in a module.
    pub(crate) fn function(self, double: bool) -> u32 {
        1 + self as u32 + if double { 0 } else { COUNT }
    }

    /// Whether asking is done where the result is computed, as for what is frequent, and not by a function.
    pub(crate) fn is_inline(self) -> bool {
        matches!(self, Exactness::Sum | Exactness::Product | Exactness::Fused)
    }

    /// Pushes 1 if the result is exact. Operands, result and as many doubles as [`SCRATCH`] says are in the locals of `at`.
    pub(crate) fn ask(self, s: &mut InstructionSink<'_>, is_double: bool, features: Features, at: &[u32]) {
        if is_double {
            double(s, self, features, at);
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

/// The functions in the order of their numbers, with how many parameters of which type they have.
pub(crate) fn functions(features: Features) -> impl Iterator<Item = (usize, ValType, Body)> {
    [ValType::F64, ValType::F32].into_iter().flat_map(move |ty| {
        Exactness::ALL.into_iter().map(move |of| {
            let mut code = Vec::new();
            let mut locals = Vec::new();
            let mut s = InstructionSink::new(&mut code);
            let at: Vec<u32> = (0..of.params() as u32 + SCRATCH as u32).collect();
            locals.resize(SCRATCH, ValType::F64);
            of.ask(&mut s, ty == ValType::F64, features, &at);
            s.end();
            (of.params(), ty, Body { locals, code, ..Body::default() })
        })
    })
}

/// `a` and `b` are a rounded sum's operands, `s` is the sum. Taking the larger one from it is exact (T. J. Dekker, "A
/// floating-point technique for extending the available precision", 1971), so it leaves the smaller one just if the sum
/// is exact.
fn sum_is_exact(s: &mut InstructionSink<'_>, a: u32, b: u32, sum: u32) {
    s.local_get(sum).local_get(a).f64_sub().local_get(b).f64_eq();
    s.local_get(sum).local_get(b).f64_sub().local_get(a).f64_eq().i32_and();
}

/// Whether a number is finite and so large that what a product's rounding loses is a number too.
fn has_exact_error(s: &mut InstructionSink<'_>, v: u32) {
    s.local_get(v).f64_abs().f64_const(Ieee64::from(f64::INFINITY)).f64_lt();
    s.local_get(v).f64_abs().f64_const(Ieee64::from(2f64.powi(-900))).f64_ge().i32_and();
}

/// Pushes what rounding `a * b` to `p` loses.
fn product_error(s: &mut InstructionSink<'_>, a: u32, b: u32, p: u32) {
    s.local_get(a).f64x2_splat().local_get(b).f64x2_splat().local_get(p).f64_neg().f64x2_splat();
    s.f64x2_relaxed_madd().f64x2_extract_lane(0);
}

fn is_zero(s: &mut InstructionSink<'_>, v: u32) {
    s.local_get(v).f64_const(Ieee64::from(0.0)).f64_eq();
}

fn double(s: &mut InstructionSink<'_>, of: Exactness, features: Features, at: &[u32]) {
    match of {
        Exactness::Sum => sum_is_exact(s, at[0], at[1], at[2]),
        Exactness::Product => {
            // Zero by a factor that is, or no error.
            is_zero(s, at[2]);
            is_zero(s, at[0]);
            is_zero(s, at[1]);
            s.i32_or().i32_and();
            has_exact_error(s, at[2]);
            if features.fused {
                product_error(s, at[0], at[1], at[2]);
                s.f64_const(Ieee64::from(0.0)).f64_eq();
            } else {
                // Two significands of 26 bits make one of 52.
                s.local_get(at[0]).i64_reinterpret_f64().local_get(at[1]).i64_reinterpret_f64().i64_or();
                s.i64_const(0x7ff_ffff).i64_and().i64_eqz();
            }
            s.i32_and().i32_or();
        }
        Exactness::Fused if features.fused => {
            s.local_get(at[0]).local_get(at[1]).f64_mul().local_set(at[4]);
            // A product that is zero by a factor, and a finite sum; or a product and a sum without errors.
            is_zero(s, at[4]);
            is_zero(s, at[0]);
            is_zero(s, at[1]);
            s.i32_or()
                .i32_and()
                .local_get(at[3])
                .local_get(at[3])
                .f64_sub()
                .f64_const(Ieee64::from(0.0))
                .f64_eq()
                .i32_and();
            has_exact_error(s, at[4]);
            product_error(s, at[0], at[1], at[4]);
            s.f64_const(Ieee64::from(0.0)).f64_eq().i32_and();
            sum_is_exact(s, at[4], at[2], at[3]);
            s.i32_and().i32_or();
        }
        Exactness::Quotient if features.fused => {
            has_exact_error(s, at[2]);
            has_exact_error(s, at[0]);
            s.i32_and();
            product_error(s, at[2], at[1], at[0]);
            s.f64_const(Ieee64::from(0.0)).f64_eq().i32_and();
        }
        Exactness::Root if features.fused => {
            has_exact_error(s, at[0]);
            product_error(s, at[1], at[1], at[0]);
            s.f64_const(Ieee64::from(0.0)).f64_eq().i32_and();
        }
        _ => {
            s.i32_const(0);
        }
    }
}

/// Of singles, whose products are exact as doubles.
fn single(s: &mut InstructionSink<'_>, of: Exactness, at: &[u32]) {
    let product = |s: &mut InstructionSink<'_>, a: u32, b: u32| {
        s.local_get(a).f64_promote_f32().local_get(b).f64_promote_f32().f64_mul();
    };
    match of {
        Exactness::Sum => {
            s.local_get(at[2]).local_get(at[0]).f32_sub().local_get(at[1]).f32_eq();
            s.local_get(at[2]).local_get(at[1]).f32_sub().local_get(at[0]).f32_eq().i32_and();
        }
        Exactness::Product => {
            product(s, at[0], at[1]);
            s.local_get(at[2]).f64_promote_f32().f64_eq();
        }
        Exactness::Fused => {
            product(s, at[0], at[1]);
            s.local_set(at[4]).local_get(at[2]).f64_promote_f32().local_set(at[5]);
            s.local_get(at[4]).local_get(at[5]).f64_add().local_tee(at[6]).local_get(at[3]).f64_promote_f32().f64_eq();
            sum_is_exact(s, at[4], at[5], at[6]);
            s.i32_and();
        }
        Exactness::Quotient => {
            product(s, at[2], at[1]);
            s.local_get(at[0]).f64_promote_f32().f64_eq();
        }
        Exactness::Root => {
            product(s, at[1], at[1]);
            s.local_get(at[0]).f64_promote_f32().f64_eq();
        }
    }
}
