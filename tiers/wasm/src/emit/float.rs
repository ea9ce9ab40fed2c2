//! Floating-point ops but arithmetic. wasm has neither flags nor rounding modes: its result is taken where it shows that
//! RISC-V's is the same and that no flag is to be set but the inexact one, which is set already. Everything else the exact
//! implementation computes, a function of the host.

use super::{Emitted, Emitter, FLOAT_FUNCTION, at, type_of};
use friscy_lift_ir::held::Held;
use friscy_lift_ir::{Inst, Op, Type, Value};
use friscy_seam::State;
use std::mem::offset_of;
use wasm_encoder::ValType;

impl Emitter<'_> {
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
                let done = self.compare(inst)?
                    || self.least(inst)?
                    || self.rounded(inst)?
                    || self.arithmetic(inst)?
                    || self.converted(inst, self.is_to_nearest(inst))?;
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
    pub(super) fn exactly(&mut self, inst: &Inst) -> Emitted<()> {
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
