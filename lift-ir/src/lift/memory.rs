//! Loads, stores and `fence` ("Load and Store Instructions", "Memory Ordering Instructions"), and "A Extension for
//! Atomic Instructions".

use super::builder::{Builder, Flow};
use crate::op::Op;
use friscy_isa::Inst;

impl Builder<'_> {
    /// An integer load. With `rd` = `x0` it still happens: it may fault.
    pub(super) fn load(&mut self, i: &Inst, op: Op) -> Flow {
        let base = self.x(i.rs1);
        let v = self.unary(op, base, i.imm as i64);
        self.set_x(i.rd, v);
        Flow::Next
    }

    /// An integer store.
    pub(super) fn store(&mut self, i: &Inst, op: Op) -> Flow {
        let base = self.x(i.rs1);
        let v = self.x(i.rs2);
        self.binary(op, base, v, i.imm as i64);
        Flow::Next
    }

    /// `flw`: the single is NaN-boxed.
    pub(super) fn load_single(&mut self, i: &Inst) -> Flow {
        let base = self.x(i.rs1);
        let v = self.unary(Op::LoadF32, base, i.imm as i64);
        let v = self.unary(Op::Box, v, 0);
        self.set_f(i.rd, v);
        Flow::Next
    }

    /// `fld`.
    pub(super) fn load_double(&mut self, i: &Inst) -> Flow {
        let base = self.x(i.rs1);
        let v = self.unary(Op::LoadF64, base, i.imm as i64);
        self.set_f(i.rd, v);
        Flow::Next
    }

    /// `fsw` and `fsd`.
    pub(super) fn store_float(&mut self, i: &Inst, op: Op) -> Flow {
        let base = self.x(i.rs1);
        let v = self.f(i.rs2);
        self.binary(op, base, v, i.imm as i64);
        Flow::Next
    }

    /// `fence`.
    pub(super) fn memory_fence(&mut self, i: &Inst) -> Flow {
        self.nullary(Op::Fence, i.imm as i64 & 0xfff);
        Flow::Next
    }

    /// `lr`.
    pub(super) fn load_reserved(&mut self, i: &Inst, op: Op) -> Flow {
        let address = self.x(i.rs1);
        let v = self.unary(op, address, i.rm as i64);
        self.set_x(i.rd, v);
        Flow::Next
    }

    /// `sc` and the `amo` instructions.
    pub(super) fn atomic(&mut self, i: &Inst, op: Op) -> Flow {
        let address = self.x(i.rs1);
        let operand = self.x(i.rs2);
        let v = self.binary(op, address, operand, i.rm as i64);
        self.set_x(i.rd, v);
        Flow::Next
    }
}
