//! "B Extension for Bit Manipulation": Zba, Zbb and Zbs, by basic ops.

use super::builder::{Builder, Flow};
use crate::op::Op;
use friscy_isa::Inst;

impl Builder<'_> {
    /// `shNadd`: `rd = (rs1 << n) + rs2`.
    pub(super) fn shift_add(&mut self, i: &Inst, n: i64) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let n = self.iconst(n);
            let shifted = self.binary(Op::Shl, a, n, 0);
            let b = self.x(i.rs2);
            let v = self.binary(Op::Add, shifted, b, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `add.uw` (`n` 0) and `shNadd.uw`: the low word of `rs1`, zero-extended, shifted, plus `rs2`.
    pub(super) fn shift_add_word(&mut self, i: &Inst, n: i64) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let mut a = self.unary(Op::Zext32, a, 0);
            if n != 0 {
                let n = self.iconst(n);
                a = self.binary(Op::Shl, a, n, 0);
            }
            let b = self.x(i.rs2);
            let v = self.binary(Op::Add, a, b, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `slli.uw`.
    pub(super) fn shift_word_imm(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let a = self.unary(Op::Zext32, a, 0);
            let n = self.iconst(i.imm as i64);
            let v = self.binary(Op::Shl, a, n, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `andn`, `orn`: `rd = rs1 op ~rs2`.
    pub(super) fn with_not(&mut self, i: &Inst, op: Op) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let b = self.x(i.rs2);
            let ones = self.iconst(-1);
            let b = self.binary(Op::Xor, b, ones, 0);
            let v = self.binary(op, a, b, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `xnor`.
    pub(super) fn xnor_regs(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let b = self.x(i.rs2);
            let v = self.binary(Op::Xor, a, b, 0);
            let ones = self.iconst(-1);
            let v = self.binary(Op::Xor, v, ones, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `bset`, `binv` (`op` or, xor) and `bclr` (and, with the mask inverted) by bits 5:0 of `rs2`.
    pub(super) fn single_bit(&mut self, i: &Inst, op: Op) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let one = self.iconst(1);
            let n = self.x(i.rs2);
            let mut mask = self.binary(Op::Shl, one, n, 0);
            if op == Op::And {
                let ones = self.iconst(-1);
                mask = self.binary(Op::Xor, mask, ones, 0);
            }
            let v = self.binary(op, a, mask, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `bseti`, `binvi` and `bclri`.
    pub(super) fn single_bit_imm(&mut self, i: &Inst, op: Op) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let bit = 1i64.wrapping_shl(i.imm as u32);
            let mask = self.iconst(if op == Op::And { !bit } else { bit });
            let v = self.binary(op, a, mask, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `bext`: the bit of `rs1` that bits 5:0 of `rs2` name.
    pub(super) fn extract_bit(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let n = self.x(i.rs2);
            let v = self.binary(Op::ShrU, a, n, 0);
            let one = self.iconst(1);
            let v = self.binary(Op::And, v, one, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `bexti`.
    pub(super) fn extract_bit_imm(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let n = self.iconst(i.imm as i64);
            let v = self.binary(Op::ShrU, a, n, 0);
            let one = self.iconst(1);
            let v = self.binary(Op::And, v, one, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }
}
