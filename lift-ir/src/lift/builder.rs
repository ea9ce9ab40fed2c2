//! What lifting an instruction is made of: operands from guest registers, results to them, ends of blocks.

use crate::ir::{Block, Edge, ExitKind, Region, RoundingClass, Target, Term, Value};
use crate::op::Op;

/// Whether a block goes on after an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// The next instruction belongs to the block.
    Next,
    /// The terminator is set.
    End,
}

/// Lifts the instructions of one block. The semantics of each instruction are methods in the files beside this one.
pub struct Builder<'a> {
    pub(super) region: &'a mut Region,
    pub(super) block: Block,
    /// Address of the instruction being lifted.
    pub(super) pc: u64,
    /// Address after it.
    pub(super) next_pc: u64,
    /// How many instructions of the block come before it.
    pub(super) index: u16,
    pub(super) rounding: RoundingClass,
}

const NONE: Value = Value::NONE;

impl Builder<'_> {
    fn emit(&mut self, op: Op, args: [Value; 3], imm: i64) -> Value {
        let id = self.region.make_inst(op, args, imm, self.index);
        self.region.blocks[self.block.index()].insts.push(id);
        self.region.insts[id.index()].result
    }

    /// The constant `imm`.
    pub(super) fn iconst(&mut self, imm: i64) -> Value {
        self.emit(Op::Iconst, [NONE; 3], imm)
    }

    /// Integer register `r`; `x0` reads as zero.
    pub(super) fn x(&mut self, r: u8) -> Value {
        if r == 0 { self.iconst(0) } else { self.emit(Op::GetX, [NONE; 3], r as i64) }
    }

    /// Sets integer register `r`; writes to `x0` have no effect.
    pub(super) fn set_x(&mut self, r: u8, v: Value) {
        if r != 0 {
            self.emit(Op::SetX, [v, NONE, NONE], r as i64);
        }
    }

    /// Floating-point register `r`, all 64 bits.
    pub(super) fn f(&mut self, r: u8) -> Value {
        self.emit(Op::GetF, [NONE; 3], r as i64)
    }

    /// Sets floating-point register `r`.
    pub(super) fn set_f(&mut self, r: u8, v: Value) {
        self.emit(Op::SetF, [v, NONE, NONE], r as i64);
    }

    /// An op without operands.
    pub(super) fn nullary(&mut self, op: Op, imm: i64) -> Value {
        self.emit(op, [NONE; 3], imm)
    }

    /// An op of one operand.
    pub(super) fn unary(&mut self, op: Op, a: Value, imm: i64) -> Value {
        self.emit(op, [a, NONE, NONE], imm)
    }

    /// An op of two operands.
    pub(super) fn binary(&mut self, op: Op, a: Value, b: Value, imm: i64) -> Value {
        self.emit(op, [a, b, NONE], imm)
    }

    /// An op of three operands.
    pub(super) fn ternary(&mut self, op: Op, args: [Value; 3], imm: i64) -> Value {
        self.emit(op, args, imm)
    }

    /// An edge to `pc`; edges become edges to blocks once all blocks are known.
    pub(super) fn edge(pc: u64, preempt: bool) -> Edge {
        Edge { target: Target::Pc(pc), preempt }
    }

    /// Ends the block.
    pub(super) fn end(&mut self, term: Term) -> Flow {
        self.region.blocks[self.block.index()].term = term;
        Flow::End
    }

    /// Ends the block by an exit at the instruction itself.
    pub(super) fn exit_here(&mut self, kind: ExitKind) -> Flow {
        let pc = self.pc;
        self.end(Term::Exit { kind, pc })
    }

    /// Ends the block by an exit at the next instruction.
    pub(super) fn exit_after(&mut self, kind: ExitKind) -> Flow {
        let pc = self.next_pc;
        self.end(Term::Exit { kind, pc })
    }
}
