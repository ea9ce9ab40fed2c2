//! Conversions between integers and numbers.

use super::arithmetic::Range;
use super::{Emitted, Emitter, type_of};
use friscy_lift_ir::{Inst, Op, RoundingClass, Type, Value};
use wasm_encoder::{Ieee32, Ieee64, ValType};

/// The last of the static rounding modes: to nearest with ties away from zero (unprivileged manual, "Floating-Point Control
/// and Status Register").
const RMM: i64 = 4;

/// Whether an op is a conversion that may be inexact.
pub(super) fn converts_integer(op: Op) -> bool {
    integer_form(op).is_some() || number_form(op).is_some()
}

/// How a number becomes an integer: to how many bits, signed or not.
fn integer_form(op: Op) -> Option<(bool, bool, Type)> {
    Some(match op {
        Op::CvtS32F32 => (false, true, Type::F32),
        Op::CvtU32F32 => (false, false, Type::F32),
        Op::CvtS64F32 => (true, true, Type::F32),
        Op::CvtU64F32 => (true, false, Type::F32),
        Op::CvtS32F64 => (false, true, Type::F64),
        Op::CvtU32F64 => (false, false, Type::F64),
        Op::CvtS64F64 => (true, true, Type::F64),
        Op::CvtU64F64 => (true, false, Type::F64),
        _ => return None,
    })
}

/// How an integer becomes a number that it may not fit: bits of it, signed or not, and the precision.
fn number_form(op: Op) -> Option<(bool, bool, Type)> {
    Some(match op {
        Op::CvtF32S32 => (false, true, Type::F32),
        Op::CvtF32U32 => (false, false, Type::F32),
        Op::CvtF32S64 => (true, true, Type::F32),
        Op::CvtF32U64 => (true, false, Type::F32),
        Op::CvtF64S64 => (true, true, Type::F64),
        Op::CvtF64U64 => (true, false, Type::F64),
        _ => return None,
    })
}

impl Emitter<'_> {
    /// Pushes whether the inexact flag is set.
    fn is_inexact(&mut self) -> Emitted<()> {
        let local = self.ranges[Range::Finite64 as usize].ok_or("a range without a local")?;
        self.s().local_get(local).i64_const(0).i64_ne();
        Ok(())
    }

    /// Conversions to integers: a number in range that is one, or the inexact flag is set.
    pub(super) fn rounded(&mut self, inst: &Inst) -> Emitted<bool> {
        let Some((wide, signed, ty)) = integer_form(inst.op) else { return Ok(false) };
        let rm = if inst.imm == 7 && self.region.rounding == RoundingClass::Rne { 0 } else { inst.imm };
        if !(0..=RMM).contains(&rm) {
            return Ok(false);
        }
        let result = self.place(inst.result);
        let double = ty == Type::F64;
        let rounded = self.temp(type_of(ty));
        self.get(inst.args[0])?;
        match (rm, double) {
            (0, true) => self.s().f64_nearest(),
            (0, false) => self.s().f32_nearest(),
            (1 | RMM, true) => self.s().f64_trunc(),
            (1 | RMM, false) => self.s().f32_trunc(),
            (2, true) => self.s().f64_floor(),
            (2, false) => self.s().f32_floor(),
            (_, true) => self.s().f64_ceil(),
            (_, false) => self.s().f32_ceil(),
        };
        if rm == RMM {
            self.s().local_tee(rounded);
            self.away_from_zero(inst.args[0], rounded, double)?;
        }
        self.s().local_tee(rounded);
        match (wide, signed, double) {
            (true, true, true) => self.s().i64_trunc_sat_f64_s(),
            (true, true, false) => self.s().i64_trunc_sat_f32_s(),
            (true, false, true) => self.s().i64_trunc_sat_f64_u(),
            (true, false, false) => self.s().i64_trunc_sat_f32_u(),
            (false, true, true) => self.s().i32_trunc_sat_f64_s().i64_extend_i32_s(),
            (false, true, false) => self.s().i32_trunc_sat_f32_s().i64_extend_i32_s(),
            (false, false, true) => self.s().i32_trunc_sat_f64_u().i64_extend_i32_s(),
            (false, false, false) => self.s().i32_trunc_sat_f32_u().i64_extend_i32_s(),
        };
        self.s().local_set(result);
        let exponent = if wide { 64 } else { 32 } - i32::from(signed);
        let limit = 2f64.powi(exponent);
        if double {
            self.s().local_get(rounded);
            if signed {
                self.s().f64_abs();
            } else {
                self.s().f64_const(Ieee64::from(0.0)).f64_ge().local_get(rounded);
            }
            self.s().f64_const(Ieee64::from(limit)).f64_lt();
        } else {
            self.s().local_get(rounded);
            if signed {
                self.s().f32_abs();
            } else {
                self.s().f32_const(Ieee32::from(0.0)).f32_ge().local_get(rounded);
            }
            self.s().f32_const(Ieee32::from(limit as f32)).f32_lt();
        }
        if !signed {
            self.s().i32_and();
        }
        self.is_inexact()?;
        self.s().local_get(rounded);
        self.get(inst.args[0])?;
        if double {
            self.s().f64_eq();
        } else {
            self.s().f32_eq();
        }
        self.s().i32_or().i32_and().i32_eqz();
        self.exactly_if(inst)?;
        Ok(true)
    }

    /// Adds to what was truncated one away from zero if half or more is left.
    fn away_from_zero(&mut self, v: Value, truncated: u32, double: bool) -> Emitted<()> {
        self.get(v)?;
        self.s().local_get(truncated);
        if double {
            self.s().f64_sub().f64_abs().f64_const(Ieee64::from(0.5)).f64_ge().f64_convert_i32_u();
        } else {
            self.s().f32_sub().f32_abs().f32_const(Ieee32::from(0.5)).f32_ge().f32_convert_i32_u();
        }
        self.get(v)?;
        if double {
            self.s().f64_copysign().f64_add();
        } else {
            self.s().f32_copysign().f32_add();
        }
        Ok(())
    }

    /// Conversions of integers that may not fit: those that do, in any rounding mode, or to `nearest` while the inexact flag is
    /// set.
    pub(super) fn converted(&mut self, inst: &Inst, nearest: bool) -> Emitted<bool> {
        let Some((wide, signed, ty)) = number_form(inst.op) else { return Ok(false) };
        let result = self.place(inst.result);
        let double = ty == Type::F64;
        let v = self.temp(ValType::I64);
        if wide {
            self.get(inst.args[0])?;
        } else {
            self.low(inst.args[0])?;
            if signed {
                self.s().i64_extend_i32_s();
            } else {
                self.s().i64_extend_i32_u();
            }
        }
        self.s().local_tee(v);
        match (signed, double) {
            (true, true) => self.s().f64_convert_i64_s(),
            (false, true) => self.s().f64_convert_i64_u(),
            (true, false) => self.s().f32_convert_i64_s(),
            (false, false) => self.s().f32_convert_i64_u(),
        };
        self.s().local_set(result);
        let exact = if double { 1 << 53 } else { 1 << 24 };
        self.s().local_get(v);
        if signed {
            self.s().i64_const(exact).i64_add().i64_const(2 * exact).i64_gt_u();
        } else {
            self.s().i64_const(exact).i64_gt_u();
        }
        if nearest {
            self.is_inexact()?;
            self.s().i32_eqz().i32_and();
        }
        self.exactly_if(inst)?;
        Ok(true)
    }
}
