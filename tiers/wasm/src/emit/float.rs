//! Floating-point ops. wasm has neither flags nor rounding modes: its result is taken where it shows that RISC-V's is the
//! same and that no flag is to be set but the inexact one, which is set already. Everything else the exact implementation
//! computes, a function of the host.

use super::{Emitted, Emitter, FLOAT_FUNCTION, at, type_of};
use friscy_lift_ir::{Inst, Op, RoundingClass, Type, Value};
use friscy_seam::State;
use std::mem::offset_of;
use wasm_encoder::{Ieee32, Ieee64, ValType};

/// Which results are looked at no further while the inexact flag is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Range {
    /// Finite doubles: sums, which do not underflow inexactly, and roots.
    Finite64,
    /// Doubles with an exponent that excludes overflow and underflow. The binade of the smallest normal number is left
    /// out: a tiny value may have been rounded up to it.
    Ordinary64,
    /// As the first, of singles.
    Finite32,
    /// As the second, of singles.
    Ordinary32,
}

impl Range {
    const ALL: [Range; 4] = [Range::Finite64, Range::Ordinary64, Range::Finite32, Range::Ordinary32];

    /// What an op's result has to be in.
    fn of(op: Op) -> Option<Range> {
        Some(match op {
            Op::FaddD | Op::FsubD | Op::FsqrtD => Range::Finite64,
            Op::FmulD | Op::FdivD | Op::FmaD | Op::FmsD | Op::FnmsD | Op::FnmaD => Range::Ordinary64,
            Op::FaddS | Op::FsubS | Op::FsqrtS => Range::Finite32,
            Op::FmulS | Op::FdivS | Op::FmaS | Op::FmsS | Op::FnmsS | Op::FnmaS | Op::CvtF32F64 => Range::Ordinary32,
            _ => return None,
        })
    }

    fn is_wide(self) -> bool {
        matches!(self, Range::Finite64 | Range::Ordinary64)
    }

    /// Where it begins and how long it is, in bits without the sign, twice as large.
    fn bounds(self) -> (u64, u64) {
        match self {
            Range::Finite64 => (0, 0x7ff << 53),
            Range::Ordinary64 => (2 << 53, 0x7fd << 53),
            Range::Finite32 => (0, 0xff << 24),
            Range::Ordinary32 => (2 << 24, 0xfd << 24),
        }
    }
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
    /// Makes locals for the ranges that the region's ops have use for.
    pub(super) fn make_ranges(&mut self) {
        let mut used = [false; 4];
        for inst in &self.region.insts {
            if let Some(range) = Range::of(inst.op) {
                used[range as usize] = true;
            }
            // Whether the inexact flag is set.
            if integer_form(inst.op).is_some() || number_form(inst.op).is_some() {
                used[Range::Finite64 as usize] = true;
            }
        }
        for range in Range::ALL {
            if used[range as usize] {
                let ty = if range.is_wide() { ValType::I64 } else { ValType::I32 };
                self.ranges[range as usize] = Some(self.locals.add(ty));
            }
        }
    }

    /// Makes the ranges what the flags in the state say.
    pub(super) fn refresh_ranges(&mut self) {
        let flags = at(self.layout.field(offset_of!(State, fflags)), 2);
        for range in Range::ALL {
            let Some(local) = self.ranges[range as usize] else { continue };
            let (_, length) = range.bounds();
            if range.is_wide() {
                self.s().i64_const(length as i64).i64_const(0);
            } else {
                self.s().i32_const(length as u32 as i32).i32_const(0);
            }
            self.s().i32_const(0).i32_load(flags).i32_const(1).i32_and().select().local_set(local);
        }
    }

    /// Emits a floating-point op without effects, which leaves its result on the stack.
    pub(super) fn float(&mut self, inst: &Inst) -> Emitted<()> {
        let [a, b, _] = inst.args;
        match inst.op {
            Op::Box | Op::BitsF64 => {
                self.bits(inst.result)?;
                self.s().f64_reinterpret_i64();
            }
            Op::BitsI64 => self.bits(a)?,
            Op::BitsF32 => {
                self.low(a)?;
                self.s().f32_reinterpret_i32();
            }
            Op::Unbox => {
                if let Some(inner) = self.inline(a).filter(|inst| inst.op == Op::Box).map(|inst| inst.args[0]) {
                    return self.get(inner);
                }
                let bits = self.temp(ValType::I64);
                self.bits(a)?;
                self.s().local_tee(bits).i32_wrap_i64().i32_const(friscy_fp::NAN_F32 as i32);
                self.s().local_get(bits).i64_const(32).i64_shr_s().i64_const(-1).i64_eq().select();
                self.s().f32_reinterpret_i32();
            }
            Op::FsgnjS | Op::FsgnjnS | Op::FsgnjD | Op::FsgnjnD => {
                let wide = matches!(inst.op, Op::FsgnjD | Op::FsgnjnD);
                let negates = matches!(inst.op, Op::FsgnjnS | Op::FsgnjnD);
                self.get(a)?;
                if a != b {
                    self.get(b)?;
                }
                match (negates, wide) {
                    (true, true) => self.s().f64_neg(),
                    (true, false) => self.s().f32_neg(),
                    _ => &mut self.s(),
                };
                if a != b {
                    if wide {
                        self.s().f64_copysign();
                    } else {
                        self.s().f32_copysign();
                    }
                }
            }
            Op::FsgnjxS if a == b => {
                self.get(a)?;
                self.s().f32_abs();
            }
            Op::FsgnjxD if a == b => {
                self.get(a)?;
                self.s().f64_abs();
            }
            Op::FsgnjxS => {
                self.get(a)?;
                self.s().i32_reinterpret_f32();
                self.get(b)?;
                self.s().i32_reinterpret_f32().i32_const(i32::MIN).i32_and().i32_xor().f32_reinterpret_i32();
            }
            Op::FsgnjxD => {
                self.bits(a)?;
                self.bits(b)?;
                self.s().i64_const(i64::MIN).i64_and().i64_xor().f64_reinterpret_i64();
            }
            Op::CvtF64S32 => {
                self.low(a)?;
                self.s().f64_convert_i32_s();
            }
            Op::CvtF64U32 => {
                self.low(a)?;
                self.s().f64_convert_i32_u();
            }
            _ => self.exact(inst)?,
        }
        Ok(())
    }

    /// Pushes the 64 bits of a floating-point register, or of a single the 32, as an integer.
    pub(super) fn bits(&mut self, v: Value) -> Emitted<()> {
        match self.inline(v).copied() {
            Some(inst) if inst.op == Op::Box => {
                self.get(inst.args[0])?;
                self.s().i32_reinterpret_f32().i64_extend_i32_u().i64_const(0xffff_ffff << 32).i64_or();
            }
            Some(inst) if inst.op == Op::BitsF64 => self.get(inst.args[0])?,
            _ => {
                self.get(v)?;
                match self.region.values[v.index()].ty {
                    Type::F64 => self.s().i64_reinterpret_f64(),
                    Type::F32 => self.s().i32_reinterpret_f32().i64_extend_i32_u(),
                    Type::I64 => &mut self.s(),
                };
            }
        }
        Ok(())
    }

    /// Pushes the low 32 bits of a floating-point register.
    pub(super) fn single_bits(&mut self, v: Value) -> Emitted<()> {
        match self.inline(v).copied() {
            Some(inst) if inst.op == Op::Box => {
                self.get(inst.args[0])?;
                self.s().i32_reinterpret_f32();
            }
            _ => {
                self.bits(v)?;
                self.s().i32_wrap_i64();
            }
        }
        Ok(())
    }

    /// Emits an op that sets or reads flags or modes, and sets its result's local.
    pub(super) fn environment(&mut self, inst: &Inst) -> Emitted<()> {
        let state = |e: &Self, offset| at(e.layout.field(offset), 2);
        let (fflags, frm) = (state(self, offset_of!(State, fflags)), state(self, offset_of!(State, frm)));
        match inst.op {
            Op::GetFflags | Op::GetFrm => {
                let from = if inst.op == Op::GetFrm { frm } else { fflags };
                self.s().i32_const(0).i64_load32_u(from);
                self.set(inst.result);
            }
            Op::SetFflags => {
                self.s().i32_const(0);
                self.low(inst.args[0])?;
                self.s().i32_const(31).i32_and().i32_store(fflags);
                self.refresh_ranges();
            }
            Op::SetFrm => {
                self.s().i32_const(0);
                self.low(inst.args[0])?;
                self.s().i32_const(7).i32_and().i32_store(frm);
            }
            _ => {
                let nearest = inst.imm == 0 || inst.imm == 7 && self.region.rounding == RoundingClass::Rne;
                let done = self.compare(inst)?
                    || self.least(inst)?
                    || self.rounded(inst)?
                    || nearest && (self.arithmetic(inst)? || self.converted(inst)?);
                if !done {
                    self.exactly(inst)?;
                }
            }
        }
        Ok(())
    }

    /// Pushes what the exact implementation computes.
    fn exact(&mut self, inst: &Inst) -> Emitted<()> {
        let result = inst.op.info().result.map_or(ValType::I64, type_of);
        self.s().i32_const(inst.op as i32 | (inst.imm as i32 & 7) << 8);
        for (n, &v) in inst.args.iter().enumerate() {
            if n < inst.op.info().args.len() {
                self.bits(v)?;
            } else {
                self.s().i64_const(0);
            }
        }
        self.s().call(FLOAT_FUNCTION);
        match result {
            ValType::F64 => self.s().f64_reinterpret_i64(),
            ValType::F32 => self.s().i32_wrap_i64().f32_reinterpret_i32(),
            _ => &mut self.s(),
        };
        Ok(())
    }

    /// Lets the exact implementation make the result, with what it does to the flags.
    fn exactly(&mut self, inst: &Inst) -> Emitted<()> {
        self.exact(inst)?;
        self.set(inst.result);
        self.refresh_ranges();
        Ok(())
    }

    /// Takes a condition: if it holds, the exact implementation makes the result.
    fn exactly_if(&mut self, inst: &Inst) -> Emitted<()> {
        self.seldom();
        self.exactly(inst)?;
        self.s().end();
        Ok(())
    }

    /// Arithmetic to nearest.
    fn arithmetic(&mut self, inst: &Inst) -> Emitted<bool> {
        let Some(range) = Range::of(inst.op) else { return Ok(false) };
        let [a, b, c] = inst.args;
        let fused = matches!(
            inst.op,
            Op::FmaD | Op::FmsD | Op::FnmsD | Op::FnmaD | Op::FmaS | Op::FmsS | Op::FnmsS | Op::FnmaS
        );
        if fused && !self.features.fused {
            return Ok(false);
        }
        let result = self.place(inst.result);
        if fused {
            self.fused(inst.op, [a, b, c])?;
        } else {
            self.get(a)?;
            if inst.op.info().args.len() > 1 {
                self.get(b)?;
            }
            match inst.op {
                Op::FaddD => self.s().f64_add(),
                Op::FsubD => self.s().f64_sub(),
                Op::FmulD => self.s().f64_mul(),
                Op::FdivD => self.s().f64_div(),
                Op::FsqrtD => self.s().f64_sqrt(),
                Op::FaddS => self.s().f32_add(),
                Op::FsubS => self.s().f32_sub(),
                Op::FmulS => self.s().f32_mul(),
                Op::FdivS => self.s().f32_div(),
                Op::FsqrtS => self.s().f32_sqrt(),
                Op::CvtF32F64 => self.s().f32_demote_f64(),
                _ => return Err("an unknown arithmetic op"),
            };
        }
        self.s().local_tee(result);
        let (from, _) = range.bounds();
        let local = self.ranges[range as usize].ok_or("a range without a local")?;
        if range.is_wide() {
            self.s().i64_reinterpret_f64().i64_const(1).i64_shl();
            if from != 0 {
                self.s().i64_const(from as i64).i64_sub();
            }
            self.s().local_get(local).i64_ge_u();
        } else {
            self.s().i32_reinterpret_f32().i32_const(1).i32_shl();
            if from != 0 {
                self.s().i32_const(from as u32 as i32).i32_sub();
            }
            self.s().local_get(local).i32_ge_u();
        }
        self.exactly_if(inst)?;
        Ok(true)
    }

    /// Pushes a fused multiply-add.
    fn fused(&mut self, op: Op, args: [Value; 3]) -> Emitted<()> {
        let wide = matches!(op, Op::FmaD | Op::FmsD | Op::FnmsD | Op::FnmaD);
        let minus_product = matches!(op, Op::FnmsD | Op::FnmaD | Op::FnmsS | Op::FnmaS);
        let minus_addend = matches!(op, Op::FmsD | Op::FnmaD | Op::FmsS | Op::FnmaS);
        for (n, v) in args.into_iter().enumerate() {
            self.get(v)?;
            let negates = n == 2 && minus_addend;
            match (wide, negates) {
                (true, true) => self.s().f64_neg().f64x2_splat(),
                (true, false) => self.s().f64x2_splat(),
                (false, true) => self.s().f32_neg().f32x4_splat(),
                (false, false) => self.s().f32x4_splat(),
            };
        }
        match (wide, minus_product) {
            (true, false) => self.s().f64x2_relaxed_madd().f64x2_extract_lane(0),
            (true, true) => self.s().f64x2_relaxed_nmadd().f64x2_extract_lane(0),
            (false, false) => self.s().f32x4_relaxed_madd().f32x4_extract_lane(0),
            (false, true) => self.s().f32x4_relaxed_nmadd().f32x4_extract_lane(0),
        };
        Ok(())
    }

    /// Comparisons: exact where an operand is a NaN.
    fn compare(&mut self, inst: &Inst) -> Emitted<bool> {
        let wide = match inst.op {
            Op::FeqS | Op::FltS | Op::FleS => false,
            Op::FeqD | Op::FltD | Op::FleD => true,
            _ => return Ok(false),
        };
        let [a, b, _] = inst.args;
        let result = self.place(inst.result);
        self.get(a)?;
        self.get(b)?;
        match (inst.op, wide) {
            (Op::FltS | Op::FltD, true) => self.s().f64_lt(),
            (Op::FltS | Op::FltD, false) => self.s().f32_lt(),
            (Op::FleS | Op::FleD, true) => self.s().f64_le(),
            (Op::FleS | Op::FleD, false) => self.s().f32_le(),
            (_, true) => self.s().f64_eq(),
            (_, false) => self.s().f32_eq(),
        };
        let holds = self.temp(ValType::I32);
        self.s().local_tee(holds).i64_extend_i32_u().local_set(result);
        // The opposite of what was asked; for equality both others.
        self.s().local_get(holds);
        self.get(a)?;
        self.get(b)?;
        match (inst.op, wide) {
            (Op::FltS | Op::FltD, true) => self.s().f64_ge(),
            (Op::FltS | Op::FltD, false) => self.s().f32_ge(),
            (_, true) => self.s().f64_gt(),
            (_, false) => self.s().f32_gt(),
        };
        self.s().i32_or();
        if matches!(inst.op, Op::FeqS | Op::FeqD) {
            self.get(a)?;
            self.get(b)?;
            if wide {
                self.s().f64_lt();
            } else {
                self.s().f32_lt();
            }
            self.s().i32_or();
        }
        self.s().i32_eqz();
        self.exactly_if(inst)?;
        Ok(true)
    }

    /// Minimum, maximum and widening: exact where the result is a NaN.
    fn least(&mut self, inst: &Inst) -> Emitted<bool> {
        if !matches!(inst.op, Op::FminS | Op::FmaxS | Op::FminD | Op::FmaxD | Op::CvtF64F32) {
            return Ok(false);
        }
        let result = self.place(inst.result);
        self.get(inst.args[0])?;
        if inst.op != Op::CvtF64F32 {
            self.get(inst.args[1])?;
        }
        match inst.op {
            Op::FminS => self.s().f32_min(),
            Op::FmaxS => self.s().f32_max(),
            Op::FminD => self.s().f64_min(),
            Op::FmaxD => self.s().f64_max(),
            _ => self.s().f64_promote_f32(),
        };
        self.s().local_tee(result).local_get(result);
        if matches!(inst.op, Op::FminS | Op::FmaxS) {
            self.s().f32_ne();
        } else {
            self.s().f64_ne();
        }
        self.exactly_if(inst)?;
        Ok(true)
    }

    /// Pushes whether the inexact flag is set.
    fn is_inexact(&mut self) -> Emitted<()> {
        let local = self.ranges[Range::Finite64 as usize].ok_or("a range without a local")?;
        self.s().local_get(local).i64_const(0).i64_ne();
        Ok(())
    }

    /// Conversions to integers: a number in range that is one, or the inexact flag is set.
    fn rounded(&mut self, inst: &Inst) -> Emitted<bool> {
        let Some((wide, signed, ty)) = integer_form(inst.op) else { return Ok(false) };
        let rm = if inst.imm == 7 && self.region.rounding == RoundingClass::Rne { 0 } else { inst.imm };
        if !(0..=3).contains(&rm) {
            return Ok(false);
        }
        let result = self.place(inst.result);
        let double = ty == Type::F64;
        let rounded = self.temp(type_of(ty));
        self.get(inst.args[0])?;
        match (rm, double) {
            (0, true) => self.s().f64_nearest(),
            (0, false) => self.s().f32_nearest(),
            (1, true) => self.s().f64_trunc(),
            (1, false) => self.s().f32_trunc(),
            (2, true) => self.s().f64_floor(),
            (2, false) => self.s().f32_floor(),
            (_, true) => self.s().f64_ceil(),
            (_, false) => self.s().f32_ceil(),
        };
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

    /// Conversions of integers that may not fit, to nearest: those that do, or the inexact flag is set.
    fn converted(&mut self, inst: &Inst) -> Emitted<bool> {
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
        self.is_inexact()?;
        self.s().i32_eqz().i32_and();
        self.exactly_if(inst)?;
        Ok(true)
    }
}
