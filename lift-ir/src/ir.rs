//! Regions: the unit that the lifter makes, passes improve and tiers translate.
//!
//! A region is a set of basic blocks of one guest function. Guest registers appear only as `get.x`/`set.x`,
//! `get.f`/`set.f`; a pass may promote them to SSA values with block parameters.

use crate::op::{Cond, Op, Type};
use std::fmt;
use std::ops::Range;

macro_rules! index_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the table that this indexes.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

index_type!(
    /// An SSA value of a region.
    Value,
    "v"
);
index_type!(
    /// An instruction of a region. Printed only in diagnostics.
    InstId,
    "inst"
);
index_type!(
    /// A basic block of a region.
    Block,
    "block"
);

impl Value {
    /// Fills the operand slots that an op does not have.
    pub const NONE: Value = Value(u32::MAX);
}

/// An IR instruction. Operands beyond the op's count are [`Value::NONE`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// How many guest instructions of the block come before the one it was lifted from: the fault's pc and the
    /// retired count of a fault are found by it.
    pub guest_index: u16,
    /// Operands.
    pub args: [Value; 3],
    /// Its result, or [`Value::NONE`].
    pub result: Value,
    /// Immediate, as the op's [`crate::op::ImmKind`] says.
    pub imm: i64,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Def {
    /// The result of an instruction.
    Inst(InstId),
    /// A block's parameter, by position.
    Param(Block, u16),
}

/// An SSA value's type and definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueData {
    /// Type.
    pub ty: Type,
    /// Definition.
    pub def: Def,
}

/// Where a branch goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A block of this region, with values for its parameters.
    Block(Block, Vec<Value>),
    /// A guest address outside this region.
    Pc(u64),
}

/// A control-flow edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where it goes.
    pub target: Target,
    /// Whether the edge is a preemption point: a taken backward branch, a `jal`, or a `jalr` by a shared jump, where
    /// control leaves at the address that is the first argument, with bit 0 cleared.
    pub preempt: bool,
}

/// What an indirect jump or a call is to a return-address predictor (RISC-V manual, table "Return-address stack
/// prediction hints").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JumpKind {
    /// Neither pushes nor pops.
    Jump,
    /// Pushes its return address.
    Call,
    /// Pops.
    Return,
    /// Pops, then pushes (`jalr ra, t0`-like coroutine switch).
    ReturnCall,
}

/// Why a region is left for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitKind {
    /// `ecall`; pc is that of the `ecall`, which counts as retired, as do all but [`ExitKind::FetchFault`].
    Ecall,
    /// `ebreak`; pc is that of the `ebreak`.
    Ebreak,
    /// No instruction, or one whose rounding mode is invalid; pc is its own. The encoding is re-read by the cpu.
    Illegal,
    /// `fence.i`; pc is that of the next instruction.
    FenceI,
    /// `frm` was written; pc is that of the next instruction.
    ModeChange,
    /// `rdtime`, `rdcycle` or `rdinstret` (and any CSR that only the kernel can read); pc is its own.
    Csr,
    /// The instruction at pc could not be fetched; pc is its own and it is not counted as retired.
    FetchFault,
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Unconditional edge: a fallthrough or a `jal x0`.
    Jump(Edge),
    /// Two-way branch.
    Branch {
        /// Condition on `args`.
        cond: Cond,
        /// The two integers compared.
        args: [Value; 2],
        /// Taken when the condition holds.
        then: Edge,
        /// Taken otherwise.
        els: Edge,
    },
    /// `jal` with a link register, which is already set. The callee is outside the region; the return site is an
    /// entry of it where it was lifted.
    Call {
        /// The callee.
        pc: u64,
        /// The return address.
        return_pc: u64,
    },
    /// `jalr`: to (`base` + `disp`) with bit 0 cleared. A link register is already set (`base` was read before). It is a
    /// preemption point, unless its block has no guest instructions: that is a jump that several `jalr` share, whose
    /// address is its first parameter.
    Indirect {
        /// Value the address is computed from.
        base: Value,
        /// Signed 12-bit displacement.
        disp: i32,
        /// Prediction hint.
        kind: JumpKind,
        /// Edges to blocks of the region, no two at one guest address: where a [`JumpKind::Jump`] is known to lead, as one
        /// by a table, or a [`JumpKind::Return`] of an inlined function. It stays in the region if it goes to the address of
        /// such a block.
        targets: Vec<Edge>,
    },
    /// The region is left with `pc`.
    Exit {
        /// Why.
        kind: ExitKind,
        /// Guest pc at the exit.
        pc: u64,
    },
}

/// A basic block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockData {
    /// Guest address of the first instruction.
    pub pc: u64,
    /// Guest addresses of its instructions, relative to `pc`, in order: `Inst::guest_index` indexes it.
    pub guest_offsets: Vec<u16>,
    /// How many guest instructions have retired when the terminator leaves the block, the terminator's own
    /// included unless its exit says otherwise.
    pub retired: u32,
    /// Parameters.
    pub params: Vec<Value>,
    /// Instructions in order.
    pub insts: Vec<InstId>,
    /// How it ends.
    pub term: Term,
    /// Whether control may enter the region here from outside.
    pub entry: bool,
    /// Whether it is a copy of a block of another function, which a call became.
    pub is_inlined: bool,
}

impl BlockData {
    /// The guest addresses from its first instruction to four bytes behind the start of its last; nothing if it has none.
    pub fn span(&self) -> Option<Range<u64>> {
        self.guest_offsets.last().map(|&last| self.pc..self.pc + u64::from(last) + 4)
    }
}

/// The class of dynamic rounding mode a region is made for. Part of a region's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RoundingClass {
    /// `frm` is RNE: dynamic rounding became `rm` 0 when lifting.
    Rne = 0,
    /// `frm` is another valid mode: dynamic rounding reads `frm`.
    Dynamic = 1,
    /// `frm` holds 5, 6 or 7: instructions with dynamic rounding are illegal.
    Invalid = 2,
}

impl RoundingClass {
    /// The class of a value of `frm` (bits 2:0).
    pub const fn of(frm: u32) -> RoundingClass {
        match frm & 7 {
            0 => RoundingClass::Rne,
            1..=4 => RoundingClass::Dynamic,
            _ => RoundingClass::Invalid,
        }
    }
}

/// A region of guest code in SSA form.
#[derive(Clone, Debug)]
pub struct Region {
    /// Guest address of the entry, which is block 0.
    pub pc: u64,
    /// The class of dynamic rounding mode it was made for.
    pub rounding: RoundingClass,
    /// Blocks; block 0 is the entry.
    pub blocks: Vec<BlockData>,
    /// Instructions, in no order.
    pub insts: Vec<Inst>,
    /// Values.
    pub values: Vec<ValueData>,
    /// Blocks of an earlier use of this region, kept for their allocations.
    spare: Vec<BlockData>,
}

/// Two regions are equal when their contents are; allocations kept for reuse do not count.
impl PartialEq for Region {
    fn eq(&self, other: &Region) -> bool {
        self.pc == other.pc
            && self.rounding == other.rounding
            && self.blocks == other.blocks
            && self.insts == other.insts
            && self.values == other.values
    }
}

impl Region {
    /// An empty region that starts at `pc`.
    pub fn new(pc: u64, rounding: RoundingClass) -> Region {
        Region { pc, rounding, blocks: Vec::new(), insts: Vec::new(), values: Vec::new(), spare: Vec::new() }
    }

    /// Empties the region for another use at `pc`, keeping its allocations.
    pub fn reset(&mut self, pc: u64, rounding: RoundingClass) {
        self.pc = pc;
        self.rounding = rounding;
        self.spare.append(&mut self.blocks);
        self.insts.clear();
        self.values.clear();
    }

    /// Appends an empty block at guest address `pc`. Its terminator is an [`ExitKind::Illegal`] exit there until it is
    /// given one.
    pub fn push_block(&mut self, pc: u64) -> Block {
        let term = Term::Exit { kind: ExitKind::Illegal, pc };
        let block = match self.spare.pop() {
            Some(mut block) => {
                block.pc = pc;
                block.guest_offsets.clear();
                block.retired = 0;
                block.params.clear();
                block.insts.clear();
                block.term = term;
                block.entry = false;
                block.is_inlined = false;
                block
            }
            None => BlockData {
                pc,
                guest_offsets: Vec::new(),
                retired: 0,
                params: Vec::new(),
                insts: Vec::new(),
                term,
                entry: false,
                is_inlined: false,
            },
        };
        self.blocks.push(block);
        Block(self.blocks.len() as u32 - 1)
    }

    /// Appends an instruction to `block`, making a value for its result, which is returned ([`Value::NONE`] if the
    /// op has none).
    pub fn push(&mut self, block: Block, op: Op, args: &[Value], imm: i64, guest_index: u16) -> Value {
        debug_assert_eq!(args.len(), op.info().args.len());
        let mut a = [Value::NONE; 3];
        a[..args.len()].copy_from_slice(args);
        let id = self.make_inst(op, a, imm, guest_index);
        self.blocks[block.index()].insts.push(id);
        self.insts[id.index()].result
    }

    /// Appends a parameter to `block`.
    pub fn push_param(&mut self, block: Block, ty: Type) -> Value {
        let n = self.blocks[block.index()].params.len() as u16;
        let v = self.make_value(ty, Def::Param(block, n));
        self.blocks[block.index()].params.push(v);
        v
    }

    /// How many guest instructions it has.
    pub fn guest_insts(&self) -> usize {
        self.blocks.iter().map(|block| block.guest_offsets.len()).sum()
    }

    /// The guest addresses from its first instruction to four bytes behind the start of its last; there may be others' code
    /// between.
    pub fn span(&self) -> Range<u64> {
        let (mut start, mut end) = (u64::MAX, 0);
        for block in self.blocks.iter().filter_map(BlockData::span) {
            (start, end) = (start.min(block.start), end.max(block.end));
        }
        start..end
    }

    /// The instruction that defines `v`, if one does.
    pub fn def(&self, v: Value) -> Option<&Inst> {
        match self.values[v.index()].def {
            Def::Inst(i) => Some(&self.insts[i.index()]),
            Def::Param(..) => None,
        }
    }

    /// The constant that `v` is, if it is one.
    pub fn as_const(&self, v: Value) -> Option<i64> {
        self.def(v).filter(|i| i.op == Op::Iconst).map(|i| i.imm)
    }

    /// The guest address that `v` is, counted as the region's own are, if that is known.
    pub fn as_address(&self, v: Value) -> Option<u64> {
        self.def(v).filter(|i| matches!(i.op, Op::Iconst | Op::Addr)).map(|i| i.imm as u64)
    }

    /// The guest address of the instruction of `block` that `guest_index` names: the pc of a fault there.
    pub fn guest_pc(&self, block: Block, guest_index: u16) -> u64 {
        let data = &self.blocks[block.index()];
        let offset = data.guest_offsets.get(guest_index as usize).copied().unwrap_or(0);
        data.pc.wrapping_add(offset as u64)
    }

    /// Appends an instruction to the table without placing it in a block, making a value for its result.
    pub fn make_inst(&mut self, op: Op, args: [Value; 3], imm: i64, guest_index: u16) -> InstId {
        self.make_with_result(op, args, imm, guest_index).0
    }

    /// As [`Region::make_inst`]; also returns the result, or [`Value::NONE`].
    #[inline]
    pub(crate) fn make_with_result(&mut self, op: Op, args: [Value; 3], imm: i64, guest_index: u16) -> (InstId, Value) {
        let id = InstId(self.insts.len() as u32);
        let result = match op.info().result {
            Some(ty) => self.make_value(ty, Def::Inst(id)),
            None => Value::NONE,
        };
        self.insts.push(Inst { op, guest_index, args, result, imm });
        (id, result)
    }

    /// Makes the definitions of a block's parameters agree with their places, after some were removed or the block moved.
    pub(crate) fn renumber_params(&mut self, block: Block) {
        for (i, v) in self.blocks[block.index()].params.iter().enumerate() {
            self.values[v.index()].def = Def::Param(block, i as u16);
        }
    }

    #[inline]
    fn make_value(&mut self, ty: Type, def: Def) -> Value {
        let v = Value(self.values.len() as u32);
        self.values.push(ValueData { ty, def });
        v
    }
}
