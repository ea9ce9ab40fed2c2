//! "F Extension for Single-Precision Floating-Point" and "D Extension for Double-Precision Floating-Point".

use super::builder::{Builder, Flow};
use crate::ir::{RoundingClass, Value};
use crate::op::Op;
use friscy_isa::Inst;

/// The precision of an operand or result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fmt {
    /// Single: NaN-boxed in a register.
    S,
    /// Double.
    D,
}

use Fmt::{D, S};

impl Builder<'_> {
    /// The rounding mode that an op carries, or `None` if the instruction is illegal: dynamic rounding while `frm` holds
    /// no mode ("Floating-Point Control and Status Register").
    fn rm(&self, i: &Inst) -> Option<i64> {
        match (i.rm, self.rounding) {
            (0..=4, _) => Some(i.rm as i64),
            (7, RoundingClass::Rne) => Some(0),
            (7, RoundingClass::Dynamic) => Some(7),
            _ => None,
        }
    }

    /// A floating-point operand in the given precision.
    fn float(&mut self, r: u8, fmt: Fmt) -> Value {
        let v = self.f(r);
        if fmt == S { self.unary(Op::Unbox, v, 0) } else { v }
    }

    fn set_float(&mut self, r: u8, v: Value, fmt: Fmt) {
        let v = if fmt == S { self.unary(Op::Box, v, 0) } else { v };
        self.set_f(r, v);
    }

    /// `fsqrt`.
    pub(super) fn float_unary(&mut self, i: &Inst, op: Op, fmt: Fmt) -> Flow {
        let Some(rm) = self.rm(i) else { return self.illegal() };
        let a = self.float(i.rs1, fmt);
        let v = self.unary(op, a, rm);
        self.set_float(i.rd, v, fmt);
        Flow::Next
    }

    /// `fadd`, `fsub`, `fmul`, `fdiv`.
    pub(super) fn float_binary(&mut self, i: &Inst, op: Op, fmt: Fmt) -> Flow {
        let Some(rm) = self.rm(i) else { return self.illegal() };
        let a = self.float(i.rs1, fmt);
        let b = self.float(i.rs2, fmt);
        let v = self.binary(op, a, b, rm);
        self.set_float(i.rd, v, fmt);
        Flow::Next
    }

    /// `fmadd`, `fmsub`, `fnmsub`, `fnmadd`.
    pub(super) fn float_fused(&mut self, i: &Inst, op: Op, fmt: Fmt) -> Flow {
        let Some(rm) = self.rm(i) else { return self.illegal() };
        let args = [self.float(i.rs1, fmt), self.float(i.rs2, fmt), self.float(i.rs3, fmt)];
        let v = self.ternary(op, args, rm);
        self.set_float(i.rd, v, fmt);
        Flow::Next
    }

    /// `fmin`, `fmax`, `fsgnj`, `fsgnjn`, `fsgnjx`: nothing is rounded.
    pub(super) fn float_select(&mut self, i: &Inst, op: Op, fmt: Fmt) -> Flow {
        let a = self.float(i.rs1, fmt);
        let b = self.float(i.rs2, fmt);
        let v = self.binary(op, a, b, 0);
        self.set_float(i.rd, v, fmt);
        Flow::Next
    }

    /// `feq`, `flt`, `fle`: with `rd` = `x0` they still set flags.
    pub(super) fn float_compare(&mut self, i: &Inst, op: Op, fmt: Fmt) -> Flow {
        let a = self.float(i.rs1, fmt);
        let b = self.float(i.rs2, fmt);
        let v = self.binary(op, a, b, 0);
        self.set_x(i.rd, v);
        Flow::Next
    }

    /// `fclass`.
    pub(super) fn float_class(&mut self, i: &Inst, op: Op, fmt: Fmt) -> Flow {
        if i.rd != 0 {
            let a = self.float(i.rs1, fmt);
            let v = self.unary(op, a, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// A conversion to an integer register.
    pub(super) fn float_to_int(&mut self, i: &Inst, op: Op, from: Fmt) -> Flow {
        let Some(rm) = self.rm(i) else { return self.illegal() };
        let a = self.float(i.rs1, from);
        let v = self.unary(op, a, rm);
        self.set_x(i.rd, v);
        Flow::Next
    }

    /// A conversion from an integer register that may round.
    pub(super) fn int_to_float(&mut self, i: &Inst, op: Op, to: Fmt) -> Flow {
        let Some(rm) = self.rm(i) else { return self.illegal() };
        let a = self.x(i.rs1);
        let v = self.unary(op, a, rm);
        self.set_float(i.rd, v, to);
        Flow::Next
    }

    /// `fcvt.d.w` and `fcvt.d.wu`: exact, so that the op has no mode; the mode must be one nevertheless.
    pub(super) fn int_to_double_exact(&mut self, i: &Inst, op: Op) -> Flow {
        if self.rm(i).is_none() {
            return self.illegal();
        }
        let a = self.x(i.rs1);
        let v = self.unary(op, a, 0);
        self.set_f(i.rd, v);
        Flow::Next
    }

    /// `fcvt.s.d`.
    pub(super) fn double_to_single(&mut self, i: &Inst) -> Flow {
        let Some(rm) = self.rm(i) else { return self.illegal() };
        let a = self.float(i.rs1, D);
        let v = self.unary(Op::CvtF32F64, a, rm);
        self.set_float(i.rd, v, S);
        Flow::Next
    }

    /// `fcvt.d.s`: exact, as [`Builder::int_to_double_exact`].
    pub(super) fn single_to_double(&mut self, i: &Inst) -> Flow {
        if self.rm(i).is_none() {
            return self.illegal();
        }
        let a = self.float(i.rs1, S);
        let v = self.unary(Op::CvtF64F32, a, 0);
        self.set_f(i.rd, v);
        Flow::Next
    }

    /// `fmv.x.w`: the low half of the register whether it is NaN-boxed or not.
    pub(super) fn move_word_to_int(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let v = self.f(i.rs1);
            let v = self.unary(Op::BitsI64, v, 0);
            let v = self.unary(Op::Sext32, v, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `fmv.w.x`.
    pub(super) fn move_word_from_int(&mut self, i: &Inst) -> Flow {
        let v = self.x(i.rs1);
        let v = self.unary(Op::BitsF32, v, 0);
        self.set_float(i.rd, v, S);
        Flow::Next
    }

    /// `fmv.x.d`.
    pub(super) fn move_double_to_int(&mut self, i: &Inst) -> Flow {
        if i.rd != 0 {
            let v = self.f(i.rs1);
            let v = self.unary(Op::BitsI64, v, 0);
            self.set_x(i.rd, v);
        }
        Flow::Next
    }

    /// `fmv.d.x`.
    pub(super) fn move_double_from_int(&mut self, i: &Inst) -> Flow {
        let v = self.x(i.rs1);
        let v = self.unary(Op::BitsF64, v, 0);
        self.set_f(i.rd, v);
        Flow::Next
    }
}
