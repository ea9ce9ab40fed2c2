//! Integer ops. 32-bit ops are done in 32 bits; the engine's compiler drops extensions that nobody looks at.

use super::{Emitted, Emitter};
use friscy_lift_ir::op::Effects;
use friscy_lift_ir::width::width_of;
use friscy_lift_ir::{Inst, Op, Type, Value};
use wasm_encoder::{BlockType, ValType};

/// An op's form by whether its operands are signed, and its result the remainder.
#[derive(Clone, Copy)]
struct Division {
    signed: bool,
    remainder: bool,
    wide: bool,
}

impl Division {
    fn of(op: Op) -> Option<Division> {
        let (signed, remainder, wide) = match op {
            Op::DivS => (true, false, true),
            Op::DivU => (false, false, true),
            Op::RemS => (true, true, true),
            Op::RemU => (false, true, true),
            Op::DivS32 => (true, false, false),
            Op::DivU32 => (false, false, false),
            Op::RemS32 => (true, true, false),
            Op::RemU32 => (false, true, false),
            _ => return None,
        };
        Some(Division { signed, remainder, wide })
    }
}

impl Emitter<'_> {
    /// Emits an integer op; `false` if it is something else.
    pub(super) fn integer(&mut self, inst: &Inst) -> Emitted<bool> {
        let (op, info) = (inst.op, inst.op.info());
        if info.args.iter().any(|ty| *ty != Type::I64) || info.result != Some(Type::I64) || info.args.is_empty() {
            return Ok(false);
        }
        let [x, y, z] = inst.args;
        if op == Op::Select {
            self.get(y)?;
            self.get(z)?;
            self.truth(x)?;
            self.s().select();
        } else if self.compared(op, x, y)? {
            self.s().i64_extend_i32_u();
        } else if op.is_word() || matches!(op, Op::Sext32) {
            self.word(inst)?;
            if width_of(self.region, op, inst.args) < u32::BITS {
                self.s().i64_extend_i32_u();
            } else {
                self.s().i64_extend_i32_s();
            }
        } else if info.args.len() == 1 {
            return self.unary(op, x);
        } else {
            return self.binary(op, x, y);
        }
        Ok(true)
    }

    /// Pushes whether `v` is not zero, as 32 bits.
    pub(super) fn truth(&mut self, v: Value) -> Emitted<()> {
        if let Some(inst) = self.inline(v).copied() {
            if self.compared(inst.op, inst.args[0], inst.args[1])? {
                return Ok(());
            }
        }
        if self.plan.narrow.holds(v) {
            return self.low(v);
        }
        self.get(v)?;
        self.s().i64_const(0).i64_ne();
        Ok(())
    }

    /// Whether two values are compared by their low halves: every order is that of the halves then.
    pub(super) fn compares_low(&self, x: Value, y: Value) -> bool {
        let narrow = &self.plan.narrow;
        narrow.is(x) && narrow.is(y) && (narrow.holds(x) || narrow.holds(y))
    }

    /// Pushes a comparison's result as 32 bits; `false` if the op is none.
    fn compared(&mut self, op: Op, x: Value, y: Value) -> Emitted<bool> {
        if !matches!(op, Op::Eq | Op::Ne | Op::LtS | Op::LtU) {
            return Ok(false);
        }
        if self.compares_low(x, y) {
            self.low(x)?;
            if self.region.as_const(y) == Some(0) && op == Op::Eq {
                self.s().i32_eqz();
                return Ok(true);
            }
            self.low(y)?;
            match op {
                Op::Eq => self.s().i32_eq(),
                Op::Ne => self.s().i32_ne(),
                Op::LtS => self.s().i32_lt_s(),
                _ => self.s().i32_lt_u(),
            };
            return Ok(true);
        }
        self.get(x)?;
        if self.region.as_const(y) == Some(0) && op == Op::Eq {
            self.s().i64_eqz();
            return Ok(true);
        }
        self.get(y)?;
        match op {
            Op::Eq => self.s().i64_eq(),
            Op::Ne => self.s().i64_ne(),
            Op::LtS => self.s().i64_lt_s(),
            _ => self.s().i64_lt_u(),
        };
        Ok(true)
    }

    /// Pushes the low 32 bits of `v`.
    pub(super) fn low(&mut self, v: Value) -> Emitted<()> {
        if let Some(imm) = self.region.as_const(v) {
            self.s().i32_const(imm as i32);
            return Ok(());
        }
        if let Some(place) = self.places[v.index()].filter(|_| self.plan.narrow.holds(v)) {
            self.s().local_get(place);
            return Ok(());
        }
        match self.inline(v).copied() {
            Some(inst) if inst.op.info().effects == Effects::NONE => self.low_of(&inst),
            _ => {
                self.get(v)?;
                self.s().i32_wrap_i64();
                Ok(())
            }
        }
    }

    /// Pushes the low 32 bits of an op's result.
    pub(super) fn low_of(&mut self, inst: &Inst) -> Emitted<()> {
        let [x, y, z] = inst.args;
        match inst.op {
            Op::Addr => self.pc_low(inst.imm as u64),
            op if op.is_word() => return self.word(inst),
            Op::Sext32 | Op::Zext32 => return self.low(x),
            Op::Eq | Op::Ne | Op::LtS | Op::LtU => {
                self.compared(inst.op, x, y)?;
            }
            Op::Add | Op::Sub | Op::And | Op::Or | Op::Xor | Op::Mul => {
                self.low(x)?;
                self.low(y)?;
                match inst.op {
                    Op::Add => self.s().i32_add(),
                    Op::Sub => self.s().i32_sub(),
                    Op::And => self.s().i32_and(),
                    Op::Or => self.s().i32_or(),
                    Op::Xor => self.s().i32_xor(),
                    _ => self.s().i32_mul(),
                };
            }
            Op::Shl if self.region.as_const(y).is_some_and(|by| by & 63 < 32) => {
                self.low(x)?;
                self.low(y)?;
                self.s().i32_shl();
            }
            Op::Sext8 | Op::Sext16 | Op::Zext16 | Op::Clz32 | Op::Ctz32 | Op::Popcnt32 => {
                self.low(x)?;
                match inst.op {
                    Op::Sext8 => self.s().i32_extend8_s(),
                    Op::Sext16 => self.s().i32_extend16_s(),
                    Op::Zext16 => self.s().i32_const(0xffff).i32_and(),
                    Op::Clz32 => self.s().i32_clz(),
                    Op::Ctz32 => self.s().i32_ctz(),
                    _ => self.s().i32_popcnt(),
                };
            }
            Op::Select => {
                self.low(y)?;
                self.low(z)?;
                self.truth(x)?;
                self.s().select();
            }
            _ => {
                self.compute(inst)?;
                self.s().i32_wrap_i64();
            }
        }
        Ok(())
    }

    /// Pushes the 32 bits of an op of which the result is those sign-extended.
    fn word(&mut self, inst: &Inst) -> Emitted<()> {
        let [x, y, _] = inst.args;
        if inst.op == Op::Sext32 {
            return self.low(x);
        }
        if let Some(division) = Division::of(inst.op) {
            return self.division(division, x, y);
        }
        self.low(x)?;
        self.low(y)?;
        match inst.op {
            Op::Add32 => self.s().i32_add(),
            Op::Sub32 => self.s().i32_sub(),
            Op::Shl32 => self.s().i32_shl(),
            Op::ShrU32 => self.s().i32_shr_u(),
            Op::ShrS32 => self.s().i32_shr_s(),
            Op::Rotl32 => self.s().i32_rotl(),
            Op::Rotr32 => self.s().i32_rotr(),
            Op::Mul32 => self.s().i32_mul(),
            _ => return Err("an unknown op of 32 bits"),
        };
        Ok(())
    }

    fn unary(&mut self, op: Op, x: Value) -> Emitted<bool> {
        match op {
            Op::Zext32 => {
                self.low(x)?;
                self.s().i64_extend_i32_u();
            }
            Op::Zext16 => {
                self.get(x)?;
                self.s().i64_const(0xffff).i64_and();
            }
            Op::Clz32 | Op::Ctz32 | Op::Popcnt32 => {
                self.low(x)?;
                match op {
                    Op::Clz32 => self.s().i32_clz(),
                    Op::Ctz32 => self.s().i32_ctz(),
                    _ => self.s().i32_popcnt(),
                };
                self.s().i64_extend_i32_u();
            }
            Op::Bswap => {
                const REVERSED: [u8; 16] = [7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0];
                let v = self.temp(ValType::V128);
                self.get(x)?;
                self.s().i64x2_splat().local_tee(v).local_get(v).i8x16_shuffle(REVERSED).i64x2_extract_lane(0);
            }
            Op::OrcB => {
                // Each byte's bits are folded onto its lowest bit, which then fills the byte.
                let v = self.temp(ValType::I64);
                self.get(x)?;
                self.s().local_set(v);
                for (shift, mask) in
                    [(4, 0x0f0f_0f0f_0f0f_0f0f), (2, 0x3f3f_3f3f_3f3f_3f3f), (1, 0x7f7f_7f7f_7f7f_7f7f)]
                {
                    self.s().local_get(v).i64_const(shift).i64_shr_u().i64_const(mask).i64_and();
                    self.s().local_get(v).i64_or().local_set(v);
                }
                self.s().local_get(v).i64_const(0x0101_0101_0101_0101).i64_and().i64_const(0xff).i64_mul();
            }
            Op::Sext8 | Op::Sext16 | Op::Clz | Op::Ctz | Op::Popcnt => {
                self.get(x)?;
                match op {
                    Op::Sext8 => self.s().i64_extend8_s(),
                    Op::Sext16 => self.s().i64_extend16_s(),
                    Op::Clz => self.s().i64_clz(),
                    Op::Ctz => self.s().i64_ctz(),
                    _ => self.s().i64_popcnt(),
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn binary(&mut self, op: Op, x: Value, y: Value) -> Emitted<bool> {
        if let Some(division) = Division::of(op) {
            self.division(division, x, y)?;
            return Ok(true);
        }
        match op {
            Op::MulhU | Op::MulhS | Op::MulhSU => self.high_product(op, x, y)?,
            Op::MinS | Op::MinU | Op::MaxS | Op::MaxU => {
                let (a, b) = (self.temp(ValType::I64), self.temp(ValType::I64));
                self.get(x)?;
                self.s().local_tee(a);
                self.get(y)?;
                self.s().local_tee(b).local_get(a).local_get(b);
                match op {
                    Op::MinS => self.s().i64_lt_s(),
                    Op::MinU => self.s().i64_lt_u(),
                    Op::MaxS => self.s().i64_gt_s(),
                    _ => self.s().i64_gt_u(),
                };
                self.s().select();
            }
            _ => {
                self.get(x)?;
                self.get(y)?;
                match op {
                    Op::Add => self.s().i64_add(),
                    Op::Sub => self.s().i64_sub(),
                    Op::And => self.s().i64_and(),
                    Op::Or => self.s().i64_or(),
                    Op::Xor => self.s().i64_xor(),
                    Op::Shl => self.s().i64_shl(),
                    Op::ShrU => self.s().i64_shr_u(),
                    Op::ShrS => self.s().i64_shr_s(),
                    Op::Rotl => self.s().i64_rotl(),
                    Op::Rotr => self.s().i64_rotr(),
                    Op::Mul => self.s().i64_mul(),
                    _ => return Ok(false),
                };
            }
        }
        Ok(true)
    }

    /// The high half of a product, from products of halves.
    fn high_product(&mut self, op: Op, x: Value, y: Value) -> Emitted<()> {
        const LOW: i64 = 0xffff_ffff;
        let [a, b, middle] = [(); 3].map(|()| self.temp(ValType::I64));
        self.get(x)?;
        self.s().local_set(a);
        self.get(y)?;
        self.s().local_set(b);
        // high * low, with what the lowest product carries.
        self.s().local_get(a).i64_const(LOW).i64_and().local_get(b).i64_const(LOW).i64_and().i64_mul();
        self.s().i64_const(32).i64_shr_u();
        self.s().local_get(a).i64_const(32).i64_shr_u().local_get(b).i64_const(LOW).i64_and().i64_mul();
        self.s().i64_add().local_set(middle);
        // low * high, with the low half of that; then the rest.
        self.s().local_get(a).i64_const(LOW).i64_and().local_get(b).i64_const(32).i64_shr_u().i64_mul();
        self.s().local_get(middle).i64_const(LOW).i64_and().i64_add().i64_const(32).i64_shr_u();
        self.s().local_get(middle).i64_const(32).i64_shr_u().i64_add();
        self.s().local_get(a).i64_const(32).i64_shr_u().local_get(b).i64_const(32).i64_shr_u().i64_mul().i64_add();
        // What a negative operand counts too much as an unsigned one.
        if op != Op::MulhU {
            self.s().local_get(a).i64_const(63).i64_shr_s().local_get(b).i64_and().i64_sub();
        }
        if op == Op::MulhS {
            self.s().local_get(b).i64_const(63).i64_shr_s().local_get(a).i64_and().i64_sub();
        }
        Ok(())
    }

    /// Division with RISC-V's results by zero and on overflow, where wasm's instruction traps. Of 32 bits if not wide.
    fn division(&mut self, form: Division, x: Value, y: Value) -> Emitted<()> {
        let ty = if form.wide { ValType::I64 } else { ValType::I32 };
        let push = |e: &mut Self, v| if form.wide { e.get(v) } else { e.low(v) };
        let known = self.region.as_const(y).map(|imm| if form.wide { imm } else { i64::from(imm as i32) });
        if known.is_some_and(|by| by != 0 && (by != -1 || !form.signed)) {
            push(self, x)?;
            push(self, y)?;
            self.divide(form);
            return Ok(());
        }
        let (a, b) = (self.temp(ty), self.temp(ty));
        push(self, x)?;
        self.s().local_set(a);
        push(self, y)?;
        self.s().local_tee(b);
        // Zero, and minus one when signed.
        match (form.signed, form.wide) {
            (true, true) => self.s().i64_const(1).i64_add().i64_const(2).i64_lt_u(),
            (true, false) => self.s().i32_const(1).i32_add().i32_const(2).i32_lt_u(),
            (false, true) => self.s().i64_eqz(),
            (false, false) => self.s().i32_eqz(),
        };
        self.s().if_(BlockType::Result(ty));
        let zero = |e: &mut Self, value: i64| {
            if form.wide {
                e.s().i64_const(value);
            } else {
                e.s().i32_const(value as i32);
            }
        };
        if form.signed {
            // By minus one.
            zero(self, 0);
            if !form.remainder {
                self.s().local_get(a);
                if form.wide {
                    self.s().i64_sub();
                } else {
                    self.s().i32_sub();
                }
            }
        }
        if form.remainder {
            self.s().local_get(a);
        } else {
            zero(self, -1);
        }
        if form.signed {
            self.s().local_get(b);
            if form.wide {
                self.s().i64_const(0).i64_ne();
            }
            self.s().select();
        }
        self.s().else_().local_get(a).local_get(b);
        self.divide(form);
        self.s().end();
        Ok(())
    }

    fn divide(&mut self, form: Division) {
        match (form.wide, form.remainder, form.signed) {
            (true, false, true) => self.s().i64_div_s(),
            (true, false, false) => self.s().i64_div_u(),
            (true, true, true) => self.s().i64_rem_s(),
            (true, true, false) => self.s().i64_rem_u(),
            (false, false, true) => self.s().i32_div_s(),
            (false, false, false) => self.s().i32_div_u(),
            (false, true, true) => self.s().i32_rem_s(),
            (false, true, false) => self.s().i32_rem_u(),
        };
    }
}
