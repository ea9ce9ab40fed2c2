//! Chains of operations: host arithmetic alone, checked host arithmetic with NX clear and set, the host's instructions
//! with flags that gather in a register (`sse`), and by integers.
//!
//! `integer` operands keep every result an integer, so NX stays clear and each operation proves that it is exact;
//! `fraction` operands set NX at once.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
#[cfg(target_arch = "x86_64")]
use friscy_fp::sse;
use friscy_fp::{NX, Rm, fast, soft};

/// Operations in one measured chain.
const STEPS: usize = 1000;

type Step = fn(u64, u64, u64, &mut u32) -> u64;

/// Calls a function of a module, and that of `soft` where it has no result.
macro_rules! or_soft {
    ($m:ident $f:ident($($arg:expr),*) $flags:ident) => {
        match $m::$f($($arg,)* $flags) {
            Some(result) => result,
            None => soft::$f($($arg,)* $flags),
        }
    };
}

/// Measures one step function, inlined in its loop, with one pair of operands.
macro_rules! chain {
    ($group:ident, $name:expr, $flags:expr, $start:expr, $b:expr, $c:expr, $step:expr) => {
        $group.bench_function($name, |bencher| {
            let (b, c): (f64, f64) = (black_box($b), black_box($c));
            bencher.iter(|| {
                let mut flags: u32 = black_box($flags);
                let mut value: u64 = black_box($start as f64).to_bits();
                for _ in 0..STEPS {
                    value = $step(value, b.to_bits(), c.to_bits(), &mut flags);
                }
                (value, flags)
            })
        })
    };
}

/// Measures an operation in all its forms.
macro_rules! operation {
    ($criterion:ident, $name:literal, integer from $start:expr, $ib:expr, $ic:expr; fraction $fb:expr, $fc:expr;
        host $host:expr; fast $fast:expr; sse $sse:expr; soft $soft:expr) => {{
        let mut group = $criterion.benchmark_group($name);
        let host = $host;
        let plain = |a: u64, b: u64, c: u64, _: &mut u32| -> u64 {
            host(f64::from_bits(a), f64::from_bits(b), f64::from_bits(c)).to_bits()
        };
        chain!(group, "integer/host", 0, $start, $ib, $ic, plain);
        chain!(group, "integer/fast", 0, $start, $ib, $ic, $fast);
        chain!(group, "fraction/host", 0, 0.1, $fb, $fc, plain);
        chain!(group, "fraction/fast", 0, 0.1, $fb, $fc, $fast);
        chain!(group, "fraction/fast, NX set", NX, 0.1, $fb, $fc, $fast);
        #[cfg(target_arch = "x86_64")]
        {
            chain!(group, "integer/sse", 0, $start, $ib, $ic, $sse);
            chain!(group, "fraction/sse", 0, 0.1, $fb, $fc, $sse);
        }
        let by_integers: Step = $soft;
        chain!(group, "fraction/soft", 0, 0.1, $fb, $fc, by_integers);
        group.finish();
    }};
}

fn doubles(criterion: &mut Criterion) {
    operation!(criterion, "add.f64", integer from 3.0, 7.0, 0.0; fraction 0.3, 0.0;
        host |a: f64, b: f64, _: f64| a + b;
        fast |a, b, _, flags: &mut u32| or_soft!(fast add_f64(a, b, Rm::Rne) flags);
        sse |a, b, _, flags: &mut u32| or_soft!(sse add_f64(a, b, Rm::Rne) flags);
        soft |a, b, _, flags| soft::add_f64(a, b, Rm::Rne, flags));
    operation!(criterion, "mul.f64", integer from 3.0, -1.0, 0.0; fraction 1.000_000_1, 0.0;
        host |a: f64, b: f64, _: f64| a * b;
        fast |a, b, _, flags: &mut u32| or_soft!(fast mul_f64(a, b, Rm::Rne) flags);
        sse |a, b, _, flags: &mut u32| or_soft!(sse mul_f64(a, b, Rm::Rne) flags);
        soft |a, b, _, flags| soft::mul_f64(a, b, Rm::Rne, flags));
    // An odd significand of 53 bits: no shortcut applies.
    operation!(criterion, "wide mul.f64", integer from 9_007_199_254_740_991.0, -1.0, 0.0; fraction 1.000_000_1, 0.0;
        host |a: f64, b: f64, _: f64| a * b;
        fast |a, b, _, flags: &mut u32| or_soft!(fast mul_f64(a, b, Rm::Rne) flags);
        sse |a, b, _, flags: &mut u32| or_soft!(sse mul_f64(a, b, Rm::Rne) flags);
        soft |a, b, _, flags| soft::mul_f64(a, b, Rm::Rne, flags));
    operation!(criterion, "div.f64", integer from 3.0, -1.0, 0.0; fraction 1.000_000_1, 0.0;
        host |a: f64, b: f64, _: f64| a / b;
        fast |a, b, _, flags: &mut u32| or_soft!(fast div_f64(a, b, Rm::Rne) flags);
        sse |a, b, _, flags: &mut u32| or_soft!(sse div_f64(a, b, Rm::Rne) flags);
        soft |a, b, _, flags| soft::div_f64(a, b, Rm::Rne, flags));
    operation!(criterion, "sqrt.f64", integer from 3.0, 9.0, 0.0; fraction 2.0, 0.0;
        host |a: f64, b: f64, _: f64| (f64::from_bits(a.to_bits() & 1) + b).sqrt();
        fast |a: u64, b, _, flags: &mut u32| {
            let operand = or_soft!(fast add_f64(a & 1, b, Rm::Rne) flags);
            or_soft!(fast sqrt_f64(operand, Rm::Rne) flags)
        };
        sse |a: u64, b, _, flags: &mut u32| {
            let operand = or_soft!(sse add_f64(a & 1, b, Rm::Rne) flags);
            or_soft!(sse sqrt_f64(operand, Rm::Rne) flags)
        };
        soft |_, b, _, flags| soft::sqrt_f64(b, Rm::Rne, flags));
    operation!(criterion, "fma.f64", integer from 3.0, -1.0, 7.0; fraction 0.9, 0.3;
        host |a: f64, b: f64, c: f64| a * b + c;
        fast |a, b, c, flags: &mut u32| or_soft!(fast fma_f64(a, b, c, Rm::Rne) flags);
        sse |a, b, c, flags: &mut u32| or_soft!(sse fma_f64(a, b, c, Rm::Rne) flags);
        soft |a, b, c, flags| soft::fma_f64(a, b, c, Rm::Rne, flags));
}

fn conversions(criterion: &mut Criterion) {
    operation!(criterion, "cvt.s64.f64 and back", integer from 3.0, 1.0, 0.0; fraction 0.3, 0.0;
    host |a: f64, b: f64, _: f64| (a as i64) as f64 + b;
    fast |a, b, _, flags: &mut u32| {
        let int = or_soft!(fast f64_to_s64(a, Rm::Rtz) flags);
        let whole = or_soft!(fast s64_to_f64(int, Rm::Rne) flags);
        or_soft!(fast add_f64(whole, b, Rm::Rne) flags)
    };
    sse |a, b, _, flags: &mut u32| {
        let int = or_soft!(sse f64_to_s64(a, Rm::Rtz) flags);
        let whole = or_soft!(sse s64_to_f64(int, Rm::Rne) flags);
        or_soft!(sse add_f64(whole, b, Rm::Rne) flags)
    };
    soft |a, b, _, flags| {
        let int = soft::f64_to_s64(a, Rm::Rtz, flags);
        soft::add_f64(soft::s64_to_f64(int, Rm::Rne, flags), b, Rm::Rne, flags)
    });
}

/// Measures an operation on singles.
macro_rules! single {
    ($criterion:ident, $name:literal, $start:literal $b:literal $c:literal, $host:expr, $fast:expr) => {{
        let mut group = $criterion.benchmark_group($name);
        let (b, c): (f32, f32) = (black_box($b), black_box($c));
        group.bench_function("host", |bencher| {
            bencher.iter(|| {
                let mut value: f32 = black_box($start);
                for _ in 0..STEPS {
                    value = $host(value, b, c);
                }
                value
            })
        });
        for (name, preset) in [("fast", 0), ("fast, NX set", NX)] {
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let (mut value, mut flags) = (black_box($start as f32).to_bits(), black_box(preset));
                    for _ in 0..STEPS {
                        value = $fast(value, b.to_bits(), c.to_bits(), &mut flags);
                    }
                    (value, flags)
                })
            });
        }
        group.finish();
    }};
}

fn singles(criterion: &mut Criterion) {
    single!(criterion, "integer add.f32", 3.0 7.0 0.0, |a: f32, b, _| a + b,
        |a, b, _, flags: &mut u32| or_soft!(fast add_f32(a, b, Rm::Rne) flags));
    single!(criterion, "integer mul.f32", 3.0 -1.0 0.0, |a: f32, b, _| a * b,
        |a, b, _, flags: &mut u32| or_soft!(fast mul_f32(a, b, Rm::Rne) flags));
    single!(criterion, "integer fma.f32", 3.0 -1.0 7.0, |a: f32, b, c| a * b + c,
        |a, b, c, flags: &mut u32| or_soft!(fast fma_f32(a, b, c, Rm::Rne) flags));
    single!(criterion, "fraction fma.f32", 0.1 0.9 0.3, |a: f32, b, c| a * b + c,
        |a, b, c, flags: &mut u32| or_soft!(fast fma_f32(a, b, c, Rm::Rne) flags));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(500));
    targets = doubles, conversions, singles
}
criterion_main!(benches);
