//! "Zicsr Extension for Control and Status Register Instructions", "Zicntr Extension for Base Counters and Timers"
//! and "Floating-Point Control and Status Register".

use super::builder::{Builder, Flow};
use crate::ir::{ExitKind, RoundingClass, Value};
use crate::op::Op;
use friscy_isa::Inst;

const FFLAGS: i32 = 0x001;
const FRM: i32 = 0x002;
const FCSR: i32 = 0x003;
const CYCLE: i32 = 0xc00;
const TIME: i32 = 0xc01;
const INSTRET: i32 = 0xc02;

/// How a CSR instruction changes the CSR.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CsrWrite {
    /// `csrrw`: the new value is the operand.
    Swap,
    /// `csrrs`: the operand's bits are set.
    Set,
    /// `csrrc`: the operand's bits are cleared.
    Clear,
}

impl Builder<'_> {
    /// The forms with a register operand. `csrrs` and `csrrc` of `x0` do not write.
    pub(super) fn csr_reg(&mut self, i: &Inst, write: CsrWrite) -> Flow {
        let writes = write == CsrWrite::Swap || i.rs1 != 0;
        self.csr(i, write, writes, |b| b.x(i.rs1))
    }

    /// The forms with a five-bit immediate, in `rs1`. `csrrsi` and `csrrci` of 0 do not write.
    pub(super) fn csr_imm(&mut self, i: &Inst, write: CsrWrite) -> Flow {
        let writes = write == CsrWrite::Swap || i.rs1 != 0;
        self.csr(i, write, writes, |b| b.iconst(i.rs1 as i64))
    }

    fn csr(&mut self, i: &Inst, write: CsrWrite, writes: bool, operand: impl Fn(&mut Self) -> Value) -> Flow {
        let csr = i.imm & 0xfff;
        match csr {
            FFLAGS | FRM | FCSR => {}
            // The counters are read-only.
            CYCLE | TIME | INSTRET if !writes => return self.exit_here(ExitKind::Csr),
            _ => return self.illegal(),
        }
        let needs_old = i.rd != 0 || (writes && write != CsrWrite::Swap);
        let old = if needs_old { self.read_csr(csr) } else { Value::NONE };
        if !writes {
            self.set_x(i.rd, old);
            return Flow::Next;
        }
        let operand = operand(self);
        let new = match write {
            CsrWrite::Swap => operand,
            CsrWrite::Set => self.binary(Op::Or, old, operand, 0),
            CsrWrite::Clear => {
                let ones = self.iconst(-1);
                let kept = self.binary(Op::Xor, operand, ones, 0);
                self.binary(Op::And, old, kept, 0)
            }
        };
        if i.rd != 0 {
            self.set_x(i.rd, old);
        }
        match csr {
            FFLAGS => {
                self.unary(Op::SetFflags, new, 0);
                Flow::Next
            }
            FRM => {
                self.unary(Op::SetFrm, new, 0);
                self.exit_after(ExitKind::ModeChange)
            }
            _ => {
                self.unary(Op::SetFflags, new, 0);
                let five = self.iconst(5);
                let frm = self.binary(Op::ShrU, new, five, 0);
                self.unary(Op::SetFrm, frm, 0);
                self.exit_after(ExitKind::ModeChange)
            }
        }
    }

    fn read_csr(&mut self, csr: i32) -> Value {
        match csr {
            FFLAGS => self.nullary(Op::GetFflags, 0),
            FRM => self.read_frm(),
            _ => {
                let flags = self.nullary(Op::GetFflags, 0);
                let frm = self.read_frm();
                let five = self.iconst(5);
                let frm = self.binary(Op::Shl, frm, five, 0);
                self.binary(Op::Or, flags, frm, 0)
            }
        }
    }

    /// `frm`, which a region made for round-to-nearest-even knows.
    fn read_frm(&mut self) -> Value {
        if self.rounding == RoundingClass::Rne { self.iconst(0) } else { self.nullary(Op::GetFrm, 0) }
    }
}
