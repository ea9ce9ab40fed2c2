//! Floating-point ops. wasm has neither flags nor rounding modes: its result is taken where it shows that RISC-V's is the
//! same and that no flag is to be set but the inexact one, which is set already. Everything else the exact implementation
//! computes, a function of the host.

use super::convert::converts_integer;
use super::{Emitted, Emitter, FLOAT_FUNCTION, at, type_of};
use crate::exactness::{Exactness, SCRATCH};
use friscy_lift_ir::held::Held;
use friscy_lift_ir::{Inst, Op, RoundingClass, Type, Value};
use friscy_seam::State;
use std::mem::offset_of;
use wasm_encoder::{BlockType, InstructionSink, ValType};

/// Which results are looked at no further while the inexact flag is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
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

impl Exactness {
    /// What an arithmetic op computes, once signs are as it says.
    fn of(op: Op) -> Option<Exactness> {
        Some(match op {
            Op::FaddD | Op::FsubD | Op::FaddS | Op::FsubS => Exactness::Sum,
            Op::FmulD | Op::FmulS => Exactness::Product,
            Op::FdivD | Op::FdivS => Exactness::Quotient,
            Op::FsqrtD | Op::FsqrtS => Exactness::Root,
            Op::FmaD | Op::FmsD | Op::FnmsD | Op::FnmaD | Op::FmaS | Op::FmsS | Op::FnmsS | Op::FnmaS => {
                Exactness::Fused
            }
            _ => return None,
        })
    }
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
            if converts_integer(inst.op) {
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
            Op::BitsF64 if self.plan.held(a) == Held::Double => self.get_held(a),
            Op::Box | Op::BitsF64 => {
                self.bits(inst.result)?;
                self.s().f64_reinterpret_i64();
            }
            Op::Unbox if self.plan.held(a) == Held::Single => self.get_held(a),
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
        match self.plan.held(v) {
            Held::Plain => {}
            Held::Double => {
                self.get_held(v);
                self.s().i64_reinterpret_f64();
                return Ok(());
            }
            Held::Single => {
                self.get_held(v);
                self.s().i32_reinterpret_f32().i64_extend_i32_u().i64_const(0xffff_ffff << 32).i64_or();
                return Ok(());
            }
        }
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
        if self.plan.held(v) == Held::Single {
            self.get_held(v);
            self.s().i32_reinterpret_f32();
            return Ok(());
        }
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
                    || nearest && self.arithmetic(inst)?
                    || self.converted(inst, nearest)?;
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
    pub(super) fn exactly_if(&mut self, inst: &Inst) -> Emitted<()> {
        self.seldom();
        self.exactly(inst)?;
        self.s().end();
        Ok(())
    }

    /// Arithmetic to nearest.
    fn arithmetic(&mut self, inst: &Inst) -> Emitted<bool> {
        let Some(range) = Range::of(inst.op) else { return Ok(false) };
        let of = Exactness::of(inst.op);
        if of == Some(Exactness::Fused) && !self.features.fused {
            return Ok(false);
        }
        let result = self.place(inst.result);
        self.operands(inst, of == Some(Exactness::Fused))?;
        let wide = range.is_wide();
        match (of, wide) {
            (Some(Exactness::Sum), true) => self.s().f64_add(),
            (Some(Exactness::Product), true) => self.s().f64_mul(),
            (Some(Exactness::Quotient), true) => self.s().f64_div(),
            (Some(Exactness::Root), true) => self.s().f64_sqrt(),
            (Some(Exactness::Fused), true) => self.s().f64x2_relaxed_madd().f64x2_extract_lane(0),
            (Some(Exactness::Sum), false) => self.s().f32_add(),
            (Some(Exactness::Product), false) => self.s().f32_mul(),
            (Some(Exactness::Quotient), false) => self.s().f32_div(),
            (Some(Exactness::Root), false) => self.s().f32_sqrt(),
            (Some(Exactness::Fused), false) => self.s().f32x4_relaxed_madd().f32x4_extract_lane(0),
            (None, _) => self.s().f32_demote_f64(),
        };
        self.s().local_tee(result);
        let (from, _) = range.bounds();
        let local = self.ranges[range as usize].ok_or("a range without a local")?;
        if wide {
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
        // Mostly because the inexact flag is clear: then an exact result is right.
        self.seldom();
        let mut at = Vec::new();
        if let Some(of) = of {
            // The operands and the result, and what asking needs besides.
            let ty = if wide { ValType::F64 } else { ValType::F32 };
            at.extend((1..of.params()).map(|_| self.temp(ty)));
            self.operands(inst, false)?;
            at.iter().rev().for_each(|&local| {
                self.s().local_set(local);
            });
            at.push(result);
            at.extend([ValType::F64; SCRATCH].map(|ty| self.temp(ty)));
        }
        self.s().block(BlockType::Empty);
        match of {
            Some(of) => of.ask(&mut InstructionSink::new(&mut self.code), wide, self.features, &at, 1),
            None => {
                self.s().local_get(result).f64_promote_f32();
                self.get(inst.args[0])?;
                self.s().f64_ne().br_if(0);
            }
        }
        self.s().br(1).end();
        self.exactly(inst)?;
        self.s().end();
        Ok(true)
    }

    /// Pushes the operands of an arithmetic op, with other signs where the op says so; `as_vectors` with copies of each.
    fn operands(&mut self, inst: &Inst, as_vectors: bool) -> Emitted<()> {
        let wide = inst.op.info().args.iter().all(|ty| *ty == Type::F64);
        for (n, &v) in inst.args.iter().enumerate().take(inst.op.info().args.len()) {
            self.get(v)?;
            let negates = match inst.op {
                Op::FsubD | Op::FsubS => n == 1,
                Op::FmsD | Op::FmsS => n == 2,
                Op::FnmsD | Op::FnmsS => n == 0,
                Op::FnmaD | Op::FnmaS => n != 1,
                _ => false,
            };
            match (negates, wide) {
                (true, true) => self.s().f64_neg(),
                (true, false) => self.s().f32_neg(),
                _ => &mut self.s(),
            };
            match (as_vectors, wide) {
                (true, true) => self.s().f64x2_splat(),
                (true, false) => self.s().f32x4_splat(),
                _ => &mut self.s(),
            };
        }
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
}
