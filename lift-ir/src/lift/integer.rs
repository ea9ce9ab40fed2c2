//! "RV32I Base Integer Instruction Set", "RV64I Base Integer Instruction Set" and "M Extension for Integer
//! Multiplication and Division".

use super::builder::{Builder, Flow};
use crate::op::Op;
use friscy_isa::Inst;

impl Builder<'_> {
    /// `rd = rs1 op rs2`.
    pub(super) fn reg_reg(&mut self, i: &Inst, op: Op) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let b = self.x(i.rs2);
            let v = self.binary(op, a, b, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `rd = rs1 op imm`.
    pub(super) fn reg_imm(&mut self, i: &Inst, op: Op) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let b = self.iconst(i.imm as i64);
            let v = self.binary(op, a, b, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `rd = op rs1`.
    pub(super) fn reg_unary(&mut self, i: &Inst, op: Op) -> Flow {
        if i.rd != 0 {
            let a = self.x(i.rs1);
            let v = self.unary(op, a, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `add`, which with `x0` is what `c.mv` expands to.
    pub(super) fn add_regs(&mut self, i: &Inst) -> Flow {
        if i.rd == 0 || (i.rs1 != 0 && i.rs2 != 0) {
            return self.reg_reg(i, Op::Add);
        }
        let v = self.x(if i.rs1 == 0 { i.rs2 } else { i.rs1 });
        self.set_x(i.rd, v);
        Flow::Next
    }

    /// `addi`, which is also `li` and `mv`.
    pub(super) fn add_imm(&mut self, i: &Inst) -> Flow {
        if i.rd == 0 || (i.rs1 != 0 && i.imm != 0) {
            return self.reg_imm(i, Op::Add);
        }
        let v = if i.rs1 == 0 { self.iconst(i.imm as i64) } else { self.x(i.rs1) };
        self.set_x(i.rd, v);
        Flow::Next
    }

    /// `addiw`, which is also `sext.w`.
    pub(super) fn add_imm_word(&mut self, i: &Inst) -> Flow {
        if i.imm == 0 { self.reg_unary(i, Op::Sext32) } else { self.reg_imm(i, Op::Add32) }
    }

    /// `sltiu`, which with 1 is `seqz`.
    pub(super) fn set_less_imm_unsigned(&mut self, i: &Inst) -> Flow {
        if i.rd == 0 || i.imm != 1 {
            return self.reg_imm(i, Op::LtU);
        }
        let a = self.x(i.rs1);
        let zero = self.iconst(0);
        let v = self.binary(Op::Eq, a, zero, 0);
        self.set_x(i.rd, v);
        Flow::Next
    }

    /// `lui`.
    pub(super) fn load_upper(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let v = self.iconst(i.imm as i64);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `auipc`: the pc is known, so the result is a constant.
    pub(super) fn add_upper_pc(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let v = self.iconst(self.pc.wrapping_add_signed(i.imm as i64) as i64);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }
}
