//! "Control Transfer Instructions", "Environment Call and Breakpoints" and "Zifencei Extension".

use super::builder::{Builder, Flow};
use crate::ir::{ExitKind, JumpKind, Term};
use crate::op::Cond;
use friscy_isa::Inst;

/// Whether the calling convention uses the register for return addresses, as predictors assume.
const fn is_link(r: u8) -> bool {
    r == 1 || r == 5
}

/// The manual's table "Return-address stack prediction hints encoded in the register operands of a JALR instruction".
const fn jump_kind(rd: u8, rs1: u8) -> JumpKind {
    match (is_link(rd), is_link(rs1)) {
        (false, false) => JumpKind::Jump,
        (false, true) => JumpKind::Return,
        (true, true) if rd != rs1 => JumpKind::ReturnCall,
        (true, _) => JumpKind::Call,
    }
}

impl Builder<'_> {
    /// A conditional branch. Taken backwards it is a preemption point.
    pub(super) fn branch(&mut self, i: &Inst, cond: Cond) -> Flow {
        let args = [self.x(i.rs1), self.x(i.rs2)];
        let taken = self.pc.wrapping_add_signed(i.imm as i64);
        let then = Self::edge(taken, taken <= self.pc);
        let els = Self::edge(self.next_pc, false);
        self.end(Term::Branch { cond, args, then, els })
    }

    /// `jal`.
    pub(super) fn jump_and_link(&mut self, i: &Inst) -> Flow {
        let pc = self.pc.wrapping_add_signed(i.imm as i64);
        if i.rd == 0 {
            return self.end(Term::Jump(Self::edge(pc, true)));
        }
        let return_pc = self.next_pc;
        let link = self.iconst(return_pc as i64);
        self.set_x(i.rd, link);
        self.end(Term::Call { pc, return_pc })
    }

    /// `jalr`: `rs1` is read before `rd` is set.
    pub(super) fn jump_and_link_register(&mut self, i: &Inst) -> Flow {
        let base = self.x(i.rs1);
        if i.rd != 0 {
            let link = self.iconst(self.next_pc as i64);
            self.set_x(i.rd, link);
        }
        self.end(Term::Indirect { base, disp: i.imm, kind: jump_kind(i.rd, i.rs1), targets: Vec::new() })
    }

    /// `ecall`.
    pub(super) fn environment_call(&mut self, _: &Inst) -> Flow {
        self.exit_here(ExitKind::Ecall)
    }

    /// `ebreak`.
    pub(super) fn breakpoint(&mut self, _: &Inst) -> Flow {
        self.exit_here(ExitKind::Ebreak)
    }

    /// `fence.i`.
    pub(super) fn instruction_fence(&mut self, _: &Inst) -> Flow {
        self.exit_after(ExitKind::FenceI)
    }

    /// An encoding that is no instruction, or an instruction that may not execute.
    pub(super) fn illegal(&mut self) -> Flow {
        self.exit_here(ExitKind::Illegal)
    }
}
