//! Integer ops.

use super::Emitter;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, types};
use friscy_lift_ir::width::width_of;
use friscy_lift_ir::{Inst, Op, Value};

impl Emitter<'_, '_> {
    /// Emits an integer op; `false` if it is something else.
    pub(super) fn integer(&mut self, inst: &Inst) -> bool {
        let op = inst.op;
        let count = op.info().args.len();
        if op.info().args.iter().any(|ty| *ty != friscy_lift_ir::Type::I64)
            || op.info().result != Some(friscy_lift_ir::Type::I64)
            || count == 0
        {
            return false;
        }
        let [x, y, z] = inst.args;
        if count == 1 {
            return self.unary(op, x, inst.result);
        }
        if op == Op::Select {
            let (b, c) = (self.get(y), self.get(z));
            self.force(x);
            let condition = match self.conditions.get(&x) {
                Some(&condition) => condition,
                None => {
                    let a = self.get(x);
                    self.not_zero(a)
                }
            };
            let value = self.b.ins().select(condition, b, c);
            self.define(inst.result, value);
            return true;
        }
        if Self::is_comparison(op) {
            let code = match op {
                Op::Eq => IntCC::Equal,
                Op::Ne => IntCC::NotEqual,
                Op::LtS => IntCC::SignedLessThan,
                _ => IntCC::UnsignedLessThan,
            };
            let (a, b) = self.comparable(x, y);
            let condition = self.b.ins().icmp(code, a, b);
            self.compared(inst.result, condition);
            return true;
        }
        if op == Op::And && self.region.as_const(y) == Some(0xff) {
            let low = self.low(x);
            let byte = self.b.ins().ireduce(types::I8, low);
            let value = self.b.ins().uextend(types::I64, byte);
            self.define(inst.result, value);
            return true;
        }
        if self.constant_division(inst).is_some() {
            return true;
        }
        // What is done to each bit by itself is done to low halves as well.
        let bitwise = matches!(op, Op::And | Op::Or | Op::Xor) && self.is_narrow(x) && self.is_narrow(y);
        if bitwise || op.is_word() {
            let (a, b) = (self.low(x), self.low(y));
            let Some(value) = self.narrow_binary(op, a, b) else { return false };
            let is_positive = width_of(self.region, op, inst.args) < u32::BITS;
            self.define_narrow(inst.result, value, is_positive);
            return true;
        }
        let (a, b) = (self.get(x), self.get(y));
        let Some(value) = self.binary(op, a, b) else { return false };
        self.define(inst.result, value);
        true
    }

    /// Emits a division by a constant, unless that is zero or one.
    fn constant_division(&mut self, inst: &Inst) -> Option<()> {
        let (op, is_word) = match inst.op {
            op @ (Op::DivS | Op::DivU | Op::RemS | Op::RemU) => (op, false),
            Op::DivS32 => (Op::DivS, true),
            Op::DivU32 => (Op::DivU, true),
            Op::RemS32 => (Op::RemS, true),
            Op::RemU32 => (Op::RemU, true),
            _ => return None,
        };
        let [x, y, _] = inst.args;
        let by = self.region.as_const(y)?;
        let by = if is_word { i64::from(by as i32) } else { by };
        let is_signed = matches!(op, Op::DivS | Op::RemS);
        if by == 0 || is_signed && matches!(by, 1 | -1) {
            return None;
        }
        if is_word {
            let low = self.low(x);
            let value = self.divide_by(op, low, by);
            let is_positive = width_of(self.region, inst.op, inst.args) < u32::BITS;
            self.define_narrow(inst.result, value, is_positive);
        } else {
            let whole = self.get(x);
            let value = self.divide_by(op, whole, by);
            self.define(inst.result, value);
        }
        Some(())
    }

    /// An op of one operand; `false` if it is something else.
    fn unary(&mut self, op: Op, x: Value, result: Value) -> bool {
        if op == Op::Sext32 {
            let low = self.low(x);
            let is_positive = width_of(self.region, op, [x, Value::NONE, Value::NONE]) < u32::BITS;
            self.define_narrow(result, low, is_positive);
            return true;
        }
        let value = match op {
            Op::Sext8 | Op::Sext16 | Op::Zext16 => {
                let part = if op == Op::Sext8 { types::I8 } else { types::I16 };
                let a = self.low(x);
                let low = self.b.ins().ireduce(part, a);
                if op == Op::Zext16 {
                    self.b.ins().uextend(types::I64, low)
                } else {
                    self.b.ins().sextend(types::I64, low)
                }
            }
            Op::Zext32 => {
                let low = self.low(x);
                self.b.ins().uextend(types::I64, low)
            }
            Op::Clz32 | Op::Ctz32 | Op::Popcnt32 => {
                let low = self.low(x);
                let count = match op {
                    Op::Clz32 => self.b.ins().clz(low),
                    Op::Ctz32 => self.b.ins().ctz(low),
                    _ => self.b.ins().popcnt(low),
                };
                self.b.ins().uextend(types::I64, count)
            }
            _ => {
                let a = self.get(x);
                let Some(value) = self.wide_unary(op, a) else { return false };
                value
            }
        };
        self.define(result, value);
        true
    }

    fn wide_unary(&mut self, op: Op, a: ir::Value) -> Option<ir::Value> {
        Some(match op {
            Op::Clz => self.b.ins().clz(a),
            Op::Ctz => self.b.ins().ctz(a),
            Op::Popcnt => self.b.ins().popcnt(a),
            Op::Bswap => self.b.ins().bswap(a),
            Op::OrcB => {
                // Each byte's bits are folded onto its lowest bit, which then fills the byte.
                let mut v = a;
                for (shift, mask) in
                    [(4, 0x0f0f_0f0f_0f0f_0f0f_i64), (2, 0x3f3f_3f3f_3f3f_3f3f), (1, 0x7f7f_7f7f_7f7f_7f7f)]
                {
                    let by = self.constant(shift);
                    let mask = self.constant(mask);
                    let shifted = self.b.ins().ushr(v, by);
                    let folded = self.b.ins().band(shifted, mask);
                    v = self.b.ins().bor(v, folded);
                }
                let ones = self.constant(0x0101_0101_0101_0101);
                let low = self.b.ins().band(v, ones);
                let full = self.constant(0xff);
                self.b.ins().imul(low, full)
            }
            _ => return None,
        })
    }

    pub(super) fn binary(&mut self, op: Op, a: ir::Value, b: ir::Value) -> Option<ir::Value> {
        let wide = match op {
            Op::Add => self.b.ins().iadd(a, b),
            Op::Sub => self.b.ins().isub(a, b),
            Op::And => self.b.ins().band(a, b),
            Op::Or => self.b.ins().bor(a, b),
            Op::Xor => self.b.ins().bxor(a, b),
            Op::Shl => self.b.ins().ishl(a, b),
            Op::ShrU => self.b.ins().ushr(a, b),
            Op::ShrS => self.b.ins().sshr(a, b),
            Op::Rotl => self.b.ins().rotl(a, b),
            Op::Rotr => self.b.ins().rotr(a, b),
            Op::Mul => self.b.ins().imul(a, b),
            Op::MulhS => self.b.ins().smulhi(a, b),
            Op::MulhU => self.b.ins().umulhi(a, b),
            Op::MulhSU => {
                // The unsigned product, less what a negative first operand counts too much.
                let high = self.b.ins().umulhi(a, b);
                let by = self.constant(63);
                let sign = self.b.ins().sshr(a, by);
                let excess = self.b.ins().band(sign, b);
                self.b.ins().isub(high, excess)
            }
            Op::MinS => self.b.ins().smin(a, b),
            Op::MinU => self.b.ins().umin(a, b),
            Op::MaxS => self.b.ins().smax(a, b),
            Op::MaxU => self.b.ins().umax(a, b),
            Op::DivS | Op::DivU | Op::RemS | Op::RemU => self.division(op, a, b),
            _ => return None,
        };
        Some(wide)
    }

    fn narrow_binary(&mut self, op: Op, x: ir::Value, y: ir::Value) -> Option<ir::Value> {
        Some(match op {
            Op::And => self.b.ins().band(x, y),
            Op::Or => self.b.ins().bor(x, y),
            Op::Xor => self.b.ins().bxor(x, y),
            Op::Add32 => self.b.ins().iadd(x, y),
            Op::Sub32 => self.b.ins().isub(x, y),
            Op::Shl32 => self.b.ins().ishl(x, y),
            Op::ShrU32 => self.b.ins().ushr(x, y),
            Op::ShrS32 => self.b.ins().sshr(x, y),
            Op::Rotl32 => self.b.ins().rotl(x, y),
            Op::Rotr32 => self.b.ins().rotr(x, y),
            Op::Mul32 => self.b.ins().imul(x, y),
            Op::DivS32 => self.division(Op::DivS, x, y),
            Op::DivU32 => self.division(Op::DivU, x, y),
            Op::RemS32 => self.division(Op::RemS, x, y),
            Op::RemU32 => self.division(Op::RemU, x, y),
            _ => return None,
        })
    }

    /// Division with RISC-V's results by zero and on overflow; the host's instruction is kept from both.
    fn division(&mut self, op: Op, a: ir::Value, b: ir::Value) -> ir::Value {
        let ty = self.b.func.dfg.value_type(a);
        let signed = matches!(op, Op::DivS | Op::RemS);
        let (special, plain, done) = (self.cold_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(done, ty);
        // Zero, and minus one when signed, become zero or one.
        let unusual = if signed {
            let sum = self.b.ins().iadd_imm_s(b, 1);
            self.b.ins().icmp_imm_s(IntCC::UnsignedLessThanOrEqual, sum, 1)
        } else {
            self.b.ins().icmp_imm_s(IntCC::Equal, b, 0)
        };
        self.b.ins().brif(unusual, special, &[], plain, &[]);
        self.b.switch_to_block(special);
        let by_zero = match op {
            Op::DivS | Op::DivU => self.b.ins().iconst(ty, all_ones(ty)),
            _ => a,
        };
        let value = if signed {
            let by_minus_one = match op {
                Op::DivS => self.b.ins().ineg(a),
                _ => self.b.ins().iconst(ty, 0),
            };
            self.b.ins().select(b, by_minus_one, by_zero)
        } else {
            by_zero
        };
        self.b.ins().jump(done, &[BlockArg::Value(value)]);
        self.b.switch_to_block(plain);
        let value = match op {
            Op::DivS => self.b.ins().sdiv(a, b),
            Op::DivU => self.b.ins().udiv(a, b),
            Op::RemS => self.b.ins().srem(a, b),
            _ => self.b.ins().urem(a, b),
        };
        self.b.ins().jump(done, &[BlockArg::Value(value)]);
        self.b.switch_to_block(done);
        self.b.block_params(done)[0]
    }
}

/// All bits of a type.
fn all_ones(ty: ir::Type) -> i64 {
    if ty == types::I32 { 0xffff_ffff } else { -1 }
}
