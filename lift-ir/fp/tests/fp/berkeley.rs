//! The first referee: Berkeley SoftFloat (J. R. Hauser) as specialised for RISC-V. It runs in this process, so that millions
//! of operands take seconds.

use friscy_fp::{Rm, box_f32, unbox_f32};
use softfloat_wrapper::{ExceptionFlags, F32, F64, Float, RoundingMode};

use crate::operands::{self, Random};
use crate::table::{Row, Sources, TABLE};

/// Operands an instruction, unless the environment says otherwise.
const CASES: u64 = 20_000;

/// How many operands an instruction gets: the variable is for long runs.
#[allow(clippy::disallowed_methods, reason = "tests run on the host")]
fn cases() -> u64 {
    std::env::var("FRISCY_FP_CASES").map_or(CASES, |count| count.parse().expect("a number"))
}

fn mode(rm: Rm) -> RoundingMode {
    match rm {
        Rm::Rne => RoundingMode::TiesToEven,
        Rm::Rtz => RoundingMode::TowardZero,
        Rm::Rdn => RoundingMode::TowardNegative,
        Rm::Rup => RoundingMode::TowardPositive,
        Rm::Rmm => RoundingMode::TiesToAway,
    }
}

/// The result of an instruction and its flags, which are added to `flags`.
fn run(mnemonic: &str, x: [u64; 3], rm: Rm, flags: &mut u32) -> u64 {
    ExceptionFlags::from_bits(0).set();
    let words: Vec<&str> = mnemonic.split('.').collect();
    let singles = x.map(|x| F32::from_bits(unbox_f32(x)));
    let doubles = x.map(F64::from_bits);
    let result = match words[..] {
        [op, to, "s"] if op == "fcvt" && to != "d" => to_int(to, singles[0], rm),
        [op, to, "d"] if op == "fcvt" && to != "s" => to_int(to, doubles[0], rm),
        ["fcvt", "d", "s"] => singles[0].to_f64(mode(rm)).to_bits(),
        ["fcvt", "s", "d"] => box_f32(doubles[0].to_f32(mode(rm)).to_bits()),
        ["fcvt", "s", from] => box_f32(from_int::<F32>(from, x[0], rm).to_bits()),
        ["fcvt", "d", from] => from_int::<F64>(from, x[0], rm).to_bits(),
        [op, "s"] => match float(op, singles, rm) {
            Some(result) => box_f32(result.to_bits()),
            None => integer(op, singles),
        },
        [op, "d"] => match float(op, doubles, rm) {
            Some(result) => result.to_bits(),
            None => integer(op, doubles),
        },
        _ => panic!("{mnemonic} is unknown"),
    };
    let mut raised = ExceptionFlags::default();
    raised.get();
    // SoftFloat numbers flags as RISC-V does.
    *flags |= u32::from(raised.to_bits());
    result
}

fn to_int<F: Float>(to: &str, x: F, rm: Rm) -> u64 {
    match to {
        "w" => x.to_i32(mode(rm), true) as u64,
        "wu" => x.to_u32(mode(rm), true) as i32 as u64,
        "l" => x.to_i64(mode(rm), true) as u64,
        "lu" => x.to_u64(mode(rm), true),
        // `fclass` is no conversion, and there is no other.
        _ => panic!("no integer is called {to}"),
    }
}

fn from_int<F: Float>(from: &str, x: u64, rm: Rm) -> F {
    match from {
        "w" => F::from_i32(x as i32, mode(rm)),
        "wu" => F::from_u32(x as u32, mode(rm)),
        "l" => F::from_i64(x as i64, mode(rm)),
        "lu" => F::from_u64(x, mode(rm)),
        _ => panic!("no integer is called {from}"),
    }
}

/// Instructions whose result is of the operands' format.
fn float<F: Float>(op: &str, [a, b, c]: [F; 3], rm: Rm) -> Option<F> {
    let rm = mode(rm);
    Some(match op {
        "fadd" => a.add(b, rm),
        "fsub" => a.sub(b, rm),
        "fmul" => a.mul(b, rm),
        "fdiv" => a.div(b, rm),
        "fsqrt" => a.sqrt(rm),
        // RISC-V defines the other three by signs changed before.
        "fmadd" => a.fused_mul_add(b, c, rm),
        "fmsub" => a.fused_mul_add(b, c.neg(), rm),
        "fnmsub" => a.neg().fused_mul_add(b, c, rm),
        "fnmadd" => a.neg().fused_mul_add(b, c.neg(), rm),
        // minimumNumber and maximumNumber of IEEE 754-2019: a NaN loses, -0 is below +0.
        "fmin" | "fmax" => {
            let below = a.lt_quiet(&b) || Float::eq(&a, &b) && a.is_negative();
            if a.is_nan() && b.is_nan() {
                F::quiet_nan()
            } else if b.is_nan() || !a.is_nan() && below == (op == "fmin") {
                a
            } else {
                b
            }
        }
        _ => return None,
    })
}

/// Instructions whose result is an integer.
fn integer<F: Float>(op: &str, [a, b, _]: [F; 3]) -> u64 {
    match op {
        "feq" => Float::eq(&a, b).into(),
        "flt" => Float::lt(&a, b).into(),
        "fle" => Float::le(&a, b).into(),
        "fclass" => {
            let classes = [
                a.is_negative_infinity(),
                a.is_negative_normal(),
                a.is_negative_subnormal(),
                a.is_negative_zero(),
                a.is_positive_zero(),
                a.is_positive_subnormal(),
                a.is_positive_normal(),
                a.is_positive_infinity(),
                a.is_signaling_nan(),
                a.is_nan() && !a.is_signaling_nan(),
            ];
            classes.iter().enumerate().map(|(bit, &is)| u64::from(is) << bit).sum()
        }
        _ => panic!("{op} is unknown"),
    }
}

/// Compares one instruction, with operands whose first is `first`.
fn check_row(row: &Row, first: u64) {
    let mnemonic = row.asm.split(' ').next().expect("a mnemonic");
    let mut random = Random(0x0123_4567_89ab_cdef ^ first);
    for case in 0..cases() {
        let x = operands::sources(row.sources, &mut random);
        // Every other case rounds to nearest, where the quick forms are; the others go through the modes.
        let rm = if case % 2 == 0 { Rm::Rne } else { Rm::ALL[(case / 2 % 5) as usize] };
        // Flags decide what is proved, and stay.
        let before = if random.below(8) == 0 { random.below(32) as u32 } else { random.below(2) as u32 };
        let mut want_flags = before;
        let want = run(mnemonic, x, rm, &mut want_flags);
        for (by, implementation) in row.by {
            let mut flags = before;
            let result = implementation(x, rm, &mut flags);
            assert_eq!(
                (result, flags),
                (want, want_flags),
                "{by}: {mnemonic} {rm:?} {x:#x?}, flags {before:#x}: {result:#x}, not {want:#x}"
            );
        }
    }
}

/// Compares the rows of one kind of sources.
fn check(sources: Sources) {
    for (index, row) in TABLE.iter().enumerate().filter(|(_, row)| row.sources == sources) {
        check_row(row, index as u64 + 1);
    }
}

#[test]
fn singles() {
    check(Sources::Single);
}

#[test]
fn doubles() {
    check(Sources::Double);
}

#[test]
fn integers() {
    check(Sources::Integer);
}
