//! What lifting an instruction is made of: operands from guest registers, results to them, ends of blocks.

use super::straight::Straight;
use crate::ir::{Block, Edge, ExitKind, InstId, Region, RoundingClass, Target, Term, Value};
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
    /// The block's instructions, until it is finished.
    pub(super) insts: Vec<InstId>,
    /// Address of the instruction being lifted.
    pub(super) pc: u64,
    /// Address after it.
    pub(super) next_pc: u64,
    /// How many instructions of the block come before it.
    pub(super) index: u16,
    pub(super) rounding: RoundingClass,
    /// What is known so far, if the block is simplified while it is made.
    pub(super) straight: Option<&'a mut Straight>,
}

const NONE: Value = Value::NONE;

impl Builder<'_> {
    /// Appends an instruction.
    pub(super) fn emit(&mut self, op: Op, args: [Value; 3], imm: i64) -> Value {
        let (id, result) = self.region.make_with_result(op, args, imm, self.index);
        self.insts.push(id);
        result
    }

    /// An instruction that is neither a constant nor a register's `get` or `set`.
    fn op(&mut self, op: Op, args: [Value; 3], imm: i64) -> Value {
        if self.straight.is_some() { self.emit_folded(op, args, imm) } else { self.emit(op, args, imm) }
    }

    /// The constant `imm`.
    pub(super) fn iconst(&mut self, imm: i64) -> Value {
        if self.straight.is_some() { self.constant(imm) } else { self.emit(Op::Iconst, [NONE; 3], imm) }
    }

    /// Integer register `r`; `x0` reads as zero.
    pub(super) fn x(&mut self, r: u8) -> Value {
        if r == 0 { self.iconst(0) } else { self.get(Op::GetX, r) }
    }

    /// Sets integer register `r`; writes to `x0` have no effect.
    pub(super) fn set_x(&mut self, r: u8, v: Value) {
        if r != 0 {
            self.set(Op::SetX, r, v);
        } else if let Some(straight) = &mut self.straight {
            straight.note_unused();
        }
    }

    /// Floating-point register `r`, all 64 bits.
    pub(super) fn f(&mut self, r: u8) -> Value {
        self.get(Op::GetF, r)
    }

    /// Sets floating-point register `r`.
    pub(super) fn set_f(&mut self, r: u8, v: Value) {
        self.set(Op::SetF, r, v);
    }

    fn get(&mut self, op: Op, r: u8) -> Value {
        if self.straight.is_some() { self.get_known(op, r) } else { self.emit(op, [NONE; 3], r as i64) }
    }

    fn set(&mut self, op: Op, r: u8, v: Value) {
        if self.straight.is_some() {
            self.set_known(op, r, v);
        } else {
            self.emit(op, [v, NONE, NONE], r as i64);
        }
    }

    /// An op without operands.
    pub(super) fn nullary(&mut self, op: Op, imm: i64) -> Value {
        self.op(op, [NONE; 3], imm)
    }

    /// An op of one operand.
    pub(super) fn unary(&mut self, op: Op, a: Value, imm: i64) -> Value {
        self.op(op, [a, NONE, NONE], imm)
    }

    /// An op of two operands.
    pub(super) fn binary(&mut self, op: Op, a: Value, b: Value, imm: i64) -> Value {
        self.op(op, [a, b, NONE], imm)
    }

    /// An op of three operands.
    pub(super) fn ternary(&mut self, op: Op, args: [Value; 3], imm: i64) -> Value {
        self.op(op, args, imm)
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
