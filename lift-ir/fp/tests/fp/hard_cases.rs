//! Cases that implementations get wrong, with the manual's and IEEE 754's answers; the instructions agree.

use friscy_fp::{DZ, NAN_F32, NAN_F64, NV, NX, OF, Rm, UF, box_f32, unbox_f32};

use crate::referee::{self, Case};
use crate::table::TABLE;

/// One line: instruction, mode, sources, result, flags.
type Line = (&'static str, Rm, [u64; 3], u64, u32);

/// Checks lines against every implementation and the instruction itself, with no flag set before.
fn check(lines: &[Line]) {
    for &(name, rm, args, result, flags) in lines {
        let row = TABLE.iter().position(|row| row.asm.split(' ').next() == Some(name)).expect("a row of the table");
        for (by, run) in TABLE[row].by {
            let mut set = 0;
            let got = run(args, rm, &mut set);
            assert_eq!((got, set), (result, flags), "{by}: {name} {rm:?} {args:#x?}: {got:#x}");
        }
        let referee = referee::outcomes(row, &[Case { args, fcsr: (rm as u32) << 5 }]);
        assert_eq!(referee, [(result, flags)], "the instruction: {name} {rm:?} {args:#x?}: {:#x}", referee[0].0);
    }
}

fn d(value: f64) -> u64 {
    value.to_bits()
}

fn s(value: f32) -> u64 {
    box_f32(value.to_bits())
}

const MIN_D: u64 = 0x0010_0000_0000_0000;
const MIN_S: u64 = box_f32(0x0080_0000);
const ONE_D: u64 = 0x3ff0_0000_0000_0000;

/// A result rounded up to the smallest normal number is tiny unless rounding with more exponent range reaches it too.
#[test]
fn tininess_is_detected_after_rounding() {
    let below_one = 0x3fef_ffff_ffff_ffff; // 1 - 2^-53
    let half_below = 0x3fef_ffff_ffff_fffe; // 1 - 2^-52
    let above_one = 0x3ff0_0000_0000_0001; // 1 + 2^-52
    check(&[
        // 2^-1022 (1 - 2^-53) has 53 bits: as it is below the smallest normal, it is tiny, and the tie rounds up.
        ("fmul.d", Rm::Rne, [MIN_D, below_one, 0], MIN_D, UF | NX),
        ("fmul.d", Rm::Rtz, [MIN_D, below_one, 0], MIN_D - 1, UF | NX),
        ("fmul.d", Rm::Rup, [MIN_D, below_one, 0], MIN_D, UF | NX),
        ("fmul.d", Rm::Rmm, [MIN_D, below_one, 0], MIN_D, UF | NX),
        // Exact, so no underflow.
        ("fmul.d", Rm::Rne, [MIN_D, half_below, 0], MIN_D - 1, 0),
        // (1 - 2^-53)(1 + 2^-52) of the smallest normal is above it; its rounding is not tiny.
        ("fmul.d", Rm::Rne, [0x0020_0000_0000_0001, 0x3fdf_ffff_ffff_ffff, 0], MIN_D, NX),
        // 2^-1022 (1 - 2^-53), (1 - 2^-54) and between: the second is a tie that rounds to the smallest normal with any
        // exponent range, so it is not tiny.
        ("fmadd.d", Rm::Rne, [d(-0.5), 1, MIN_D], MIN_D, UF | NX),
        ("fmadd.d", Rm::Rne, [d(-0.25), 1, MIN_D], MIN_D, NX),
        ("fmadd.d", Rm::Rne, [d(-0.375), 1, MIN_D], MIN_D, UF | NX),
        ("fmadd.d", Rm::Rup, [d(-0.5), 1, MIN_D], MIN_D, UF | NX),
        ("fmadd.d", Rm::Rup, [d(-0.25), 1, MIN_D], MIN_D, NX),
        ("fmadd.d", Rm::Rmm, [d(-0.25), 1, MIN_D], MIN_D, NX),
        ("fmadd.d", Rm::Rdn, [d(-0.25), 1, MIN_D], MIN_D - 1, UF | NX),
        ("fmadd.s", Rm::Rne, [s(-0.25), box_f32(1), MIN_S], MIN_S, NX),
        ("fmadd.s", Rm::Rne, [s(-0.375), box_f32(1), MIN_S], MIN_S, UF | NX),
        ("fdiv.d", Rm::Rne, [MIN_D, above_one, 0], MIN_D - 1, UF | NX),
        // Double to single at the boundary: 2^-126 (1 - 2^-25) rounds to it with 24 bits, 2^-126 (1 - 2^-24) is a number
        // of 24 bits below it.
        ("fcvt.s.d", Rm::Rne, [0x380f_ffff_f000_0000, 0, 0], MIN_S, NX),
        ("fcvt.s.d", Rm::Rne, [0x380f_ffff_e000_0000, 0, 0], MIN_S, UF | NX),
        ("fcvt.s.d", Rm::Rtz, [0x380f_ffff_f000_0000, 0, 0], MIN_S - 1, UF | NX),
        ("fcvt.s.d", Rm::Rup, [0x380f_ffff_e000_0001, 0, 0], MIN_S, NX),
        // Smaller than half the smallest subnormal.
        ("fmul.d", Rm::Rne, [1, d(0.5), 0], 0, UF | NX),
        ("fmul.d", Rm::Rmm, [1, d(0.5), 0], 1, UF | NX),
        ("fmul.d", Rm::Rup, [1, d(0.25), 0], 1, UF | NX),
        ("fmul.d", Rm::Rdn, [1, d(-0.25), 0], 1 << 63 | 1, UF | NX),
        // Sums of subnormals are exact.
        ("fadd.d", Rm::Rne, [MIN_D - 1, 1, 0], MIN_D, 0),
    ]);
}

#[test]
fn overflow_follows_the_mode() {
    let max = d(f64::MAX);
    check(&[
        ("fadd.d", Rm::Rne, [max, max, 0], d(f64::INFINITY), OF | NX),
        ("fadd.d", Rm::Rtz, [max, max, 0], max, OF | NX),
        ("fadd.d", Rm::Rdn, [max, max, 0], max, OF | NX),
        ("fadd.d", Rm::Rup, [max, max, 0], d(f64::INFINITY), OF | NX),
        ("fmul.d", Rm::Rup, [max, d(-2.0), 0], d(f64::MIN), OF | NX),
        ("fmul.d", Rm::Rdn, [max, d(-2.0), 0], d(f64::NEG_INFINITY), OF | NX),
        // Half a last place more than the largest is a tie, and goes to infinity.
        ("fadd.d", Rm::Rne, [max, 0x7c90_0000_0000_0000, 0], d(f64::INFINITY), OF | NX),
        ("fadd.d", Rm::Rne, [max, 0x7c8f_ffff_ffff_ffff, 0], max, NX),
        // The partial sums of an error term overflow, the sum does not.
        ("fadd.d", Rm::Rne, [0xffcf_ffff_ffff_fffe, max, 0], 0x7fe8_0000_0000_0000, NX),
        ("fcvt.s.d", Rm::Rne, [d(f64::from(f32::MAX)) + (1 << 28), 0, 0], s(f32::INFINITY), OF | NX),
        ("fcvt.s.d", Rm::Rne, [d(f64::from(f32::MAX)) + (1 << 28) - 1, 0, 0], s(f32::MAX), NX),
    ]);
}

/// Products whose rounding would move a tie, so that rounding twice gives the other neighbour.
#[test]
fn fused_multiply_add_rounds_once() {
    let above_one = 0x3ff0_0000_0000_0001;
    check(&[
        // (1 + 2^-52)^2 - (1 + 2^-51) = 2^-104.
        ("fmsub.d", Rm::Rne, [above_one, above_one, 0x3ff0_0000_0000_0002], 0x3970_0000_0000_0000, 0),
        // A tie of the sum that the product's last bit breaks.
        ("fmadd.d", Rm::Rne, [above_one, above_one, d(2f64.powi(53))], d(2f64.powi(53) + 2.0), NX),
        ("fmadd.d", Rm::Rne, [ONE_D, ONE_D, d(2f64.powi(53))], d(2f64.powi(53)), NX),
        ("fmadd.d", Rm::Rne, [below(ONE_D), above_one, d(2f64.powi(53))], d(2f64.powi(53) + 2.0), NX),
        ("fmadd.d", Rm::Rne, [below(ONE_D), below(ONE_D), d(2f64.powi(53))], d(2f64.powi(53)), NX),
        // 4097 * 4097 and 4097 * 4099 are ties of singles; a double does not hold the addend that breaks them.
        ("fmadd.s", Rm::Rne, [s(4097.0), s(4097.0), s(2f32.powi(-30))], s(16_785_410.0), NX),
        ("fmadd.s", Rm::Rne, [s(4097.0), s(4097.0), s(0.0)], s(16_785_408.0), NX),
        ("fmadd.s", Rm::Rne, [s(4097.0), s(4097.0), s(-2f32.powi(-30))], s(16_785_408.0), NX),
        ("fmadd.s", Rm::Rne, [s(4097.0), s(4099.0), s(-2f32.powi(-30))], s(16_793_602.0), NX),
        ("fmadd.s", Rm::Rne, [s(4097.0), s(4099.0), s(0.0)], s(16_793_604.0), NX),
        // The product is a single, and a double does not hold the sum.
        ("fmadd.s", Rm::Rne, [s(4097.0), s(4095.0), s(2f32.powi(-30))], s(16_777_215.0), NX),
        // Cancels to an exact zero, negative only downwards.
        ("fmsub.d", Rm::Rne, [d(3.0), d(2.0), d(6.0)], 0, 0),
        ("fmsub.d", Rm::Rdn, [d(3.0), d(2.0), d(6.0)], d(-0.0), 0),
        ("fnmadd.d", Rm::Rne, [d(0.0), d(1.0), d(0.0)], d(-0.0), 0),
        // Infinity times zero is invalid even beside a quiet NaN.
        ("fmadd.d", Rm::Rne, [d(f64::INFINITY), d(0.0), NAN_F64], NAN_F64, NV),
        ("fmadd.s", Rm::Rne, [s(0.0), s(f32::INFINITY), box_f32(NAN_F32)], box_f32(NAN_F32), NV),
        ("fmadd.d", Rm::Rne, [d(f64::INFINITY), d(1.0), d(f64::NEG_INFINITY)], NAN_F64, NV),
    ]);
}

fn below(bits: u64) -> u64 {
    bits - 1
}

#[test]
fn conversions_saturate() {
    let all = u64::MAX;
    check(&[
        ("fcvt.w.d", Rm::Rtz, [d(2_147_483_647.5), 0, 0], 0x7fff_ffff, NX),
        ("fcvt.w.d", Rm::Rne, [d(2_147_483_647.5), 0, 0], 0x7fff_ffff, NV),
        ("fcvt.w.d", Rm::Rtz, [d(-2_147_483_648.9), 0, 0], 0xffff_ffff_8000_0000, NX),
        ("fcvt.w.d", Rm::Rdn, [d(-2_147_483_648.1), 0, 0], 0xffff_ffff_8000_0000, NV),
        ("fcvt.w.d", Rm::Rne, [NAN_F64, 0, 0], 0x7fff_ffff, NV),
        ("fcvt.w.d", Rm::Rne, [d(f64::NEG_INFINITY), 0, 0], 0xffff_ffff_8000_0000, NV),
        // Unsigned words are sign-extended.
        ("fcvt.wu.d", Rm::Rtz, [d(4_294_967_295.9), 0, 0], all, NX),
        ("fcvt.wu.d", Rm::Rtz, [d(2_147_483_648.0), 0, 0], 0xffff_ffff_8000_0000, 0),
        ("fcvt.wu.d", Rm::Rtz, [d(4_294_967_296.0), 0, 0], all, NV),
        ("fcvt.wu.d", Rm::Rtz, [d(-0.9), 0, 0], 0, NX),
        ("fcvt.wu.d", Rm::Rdn, [d(-0.1), 0, 0], 0, NV),
        ("fcvt.wu.d", Rm::Rne, [d(-0.5), 0, 0], 0, NX),
        ("fcvt.wu.d", Rm::Rmm, [d(-0.5), 0, 0], 0, NV),
        ("fcvt.wu.s", Rm::Rne, [box_f32(0xffc0_0000), 0, 0], all, NV),
        ("fcvt.l.d", Rm::Rne, [d(9_223_372_036_854_775_808.0), 0, 0], 0x7fff_ffff_ffff_ffff, NV),
        ("fcvt.l.d", Rm::Rne, [d(-9_223_372_036_854_775_808.0), 0, 0], 1 << 63, 0),
        ("fcvt.l.d", Rm::Rne, [d(-9_223_372_036_854_777_856.0), 0, 0], 1 << 63, NV),
        ("fcvt.lu.d", Rm::Rtz, [d(18_446_744_073_709_549_568.0), 0, 0], 0xffff_ffff_ffff_f800, 0),
        ("fcvt.lu.d", Rm::Rtz, [d(18_446_744_073_709_551_616.0), 0, 0], all, NV),
        ("fcvt.lu.s", Rm::Rtz, [s(-1.0), 0, 0], 0, NV),
        ("fcvt.l.s", Rm::Rne, [s(2.5), 0, 0], 2, NX),
        ("fcvt.l.s", Rm::Rmm, [s(2.5), 0, 0], 3, NX),
        ("fcvt.l.s", Rm::Rup, [s(-2.5), 0, 0], (-2i64) as u64, NX),
        ("fcvt.d.l", Rm::Rne, [i64::MAX as u64, 0, 0], d(9_223_372_036_854_775_808.0), NX),
        ("fcvt.d.l", Rm::Rtz, [i64::MAX as u64, 0, 0], d(9_223_372_036_854_774_784.0), NX),
        ("fcvt.d.lu", Rm::Rne, [all, 0, 0], d(18_446_744_073_709_551_616.0), NX),
        ("fcvt.d.l", Rm::Rne, [1 << 63, 0, 0], d(-9_223_372_036_854_775_808.0), 0),
        // A 64-bit integer that rounding to double first would carry to a tie of singles.
        ("fcvt.s.lu", Rm::Rne, [0x8000_0080_0000_0001, 0, 0], s(9_223_373_136_366_403_584.0), NX),
        ("fcvt.s.wu", Rm::Rne, [0xffff_ffff, 0, 0], s(4_294_967_296.0), NX),
        ("fcvt.s.w", Rm::Rne, [0xffff_ffff, 0, 0], s(-1.0), 0),
        ("fcvt.d.wu", Rm::Rne, [all, 0, 0], d(4_294_967_295.0), 0),
    ]);
}

#[test]
fn nans_and_zeros() {
    let signalling = 0x7ff0_0000_0000_0001;
    let single = box_f32(0x7f80_0001);
    check(&[
        ("fadd.d", Rm::Rne, [0xfff8_0000_dead_beef, ONE_D, 0], NAN_F64, 0),
        ("fadd.d", Rm::Rne, [signalling, ONE_D, 0], NAN_F64, NV),
        ("fadd.d", Rm::Rdn, [d(1.0), d(-1.0), 0], d(-0.0), 0),
        ("fsub.d", Rm::Rne, [d(f64::INFINITY), d(f64::INFINITY), 0], NAN_F64, NV),
        ("fdiv.d", Rm::Rne, [d(-1.0), d(0.0), 0], d(f64::NEG_INFINITY), DZ),
        ("fdiv.d", Rm::Rne, [d(0.0), d(0.0), 0], NAN_F64, NV),
        ("fsqrt.d", Rm::Rne, [d(-0.0), 0, 0], d(-0.0), 0),
        ("fsqrt.d", Rm::Rne, [d(-1.0), 0, 0], NAN_F64, NV),
        ("fmin.d", Rm::Rne, [d(0.0), d(-0.0), 0], d(-0.0), 0),
        ("fmax.d", Rm::Rne, [d(-0.0), d(0.0), 0], d(0.0), 0),
        ("fmin.d", Rm::Rne, [signalling, ONE_D, 0], ONE_D, NV),
        ("fmax.d", Rm::Rne, [NAN_F64, NAN_F64, 0], NAN_F64, 0),
        ("feq.d", Rm::Rne, [NAN_F64, ONE_D, 0], 0, 0),
        ("feq.d", Rm::Rne, [signalling, ONE_D, 0], 0, NV),
        ("flt.d", Rm::Rne, [NAN_F64, ONE_D, 0], 0, NV),
        ("fle.d", Rm::Rne, [d(-0.0), d(0.0), 0], 1, 0),
        ("fclass.d", Rm::Rne, [signalling, 0, 0], 1 << 8, 0),
        ("fclass.d", Rm::Rne, [1 << 63 | 1, 0, 0], 1 << 2, 0),
        ("fcvt.d.s", Rm::Rne, [single, 0, 0], NAN_F64, NV),
        ("fcvt.s.d", Rm::Rne, [signalling, 0, 0], box_f32(NAN_F32), NV),
        // A register that does not hold a boxed single.
        ("fadd.s", Rm::Rne, [ONE_D, s(1.0), 0], box_f32(NAN_F32), 0),
        ("fclass.s", Rm::Rne, [0x7f80_0001, 0, 0], 1 << 9, 0),
    ]);
    assert_eq!(unbox_f32(0xffff_fffe_3f80_0000), NAN_F32);
    assert_eq!(unbox_f32(s(1.0)), 0x3f80_0000);
}

#[test]
fn modes_have_their_encodings() {
    for (bits, rm) in Rm::ALL.into_iter().enumerate() {
        assert_eq!(Rm::from_bits(bits as u32), Some(rm));
        assert_eq!(rm as usize, bits);
    }
    assert_eq!([5, 6, 7, 8, u32::MAX].map(Rm::from_bits), [None; 5]);
}
