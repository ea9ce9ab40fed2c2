//! Which guest registers are in the state, and which only in values, at every point of a region.
//!
//! A `set` of the IR need not store: the value is the register's until the next one, and is stored on the ways out of the
//! region. Worked out here is, for each register, the value it has and whether the state lacks it ("dirty").

use crate::cfg;
use crate::ir::{Block, Edge, Inst, JumpKind, Region, Target, Term, Value};
use crate::op::Op;

/// Integer registers are numbered 0 to 31, floating-point ones 32 to 63.
pub const REGISTERS: usize = 64;

/// The guest registers at one point.
#[derive(Clone, PartialEq, Eq)]
pub struct Registers {
    /// The value of each, or [`Value::NONE`] where none is known; those are in the state.
    pub value: [Value; REGISTERS],
    /// Those that the state lacks.
    pub dirty: u64,
}

impl Registers {
    /// Nothing known, all in the state.
    pub fn unknown() -> Registers {
        Registers { value: [Value::NONE; REGISTERS], dirty: 0 }
    }

    /// Goes over an instruction.
    pub fn step(&mut self, op: Op, imm: i64, arg: Value, result: Value) {
        let number = imm as usize & 31;
        match op {
            Op::GetX => self.get(number, result),
            Op::GetF => self.get(number | 32, result),
            Op::SetX => self.set(number, arg),
            Op::SetF => self.set(number | 32, arg),
            _ => {}
        }
    }

    fn get(&mut self, r: usize, v: Value) {
        if self.value[r] == Value::NONE {
            self.value[r] = v;
        }
    }

    fn set(&mut self, r: usize, v: Value) {
        if self.value[r] != v {
            self.value[r] = v;
            self.dirty |= 1 << r;
        }
    }

    /// The dirty registers, in order.
    pub fn dirty(&self) -> impl Iterator<Item = usize> + use<> {
        bits(self.dirty)
    }
}

/// Where a block's call, if it ends in one, returns to: for a call by a register, what follows the block if that is in one
/// of the link registers at the `end`.
pub fn return_pc(region: &Region, block: Block, end: &Registers) -> Option<u64> {
    let data = &region.blocks[block.index()];
    match data.term {
        Term::Call { return_pc, .. } => Some(return_pc),
        Term::Indirect { kind: JumpKind::Call, .. } => {
            let last = data.pc + u64::from(*data.guest_offsets.last()?);
            let constant = |r: usize| {
                let v = end.value[r];
                if v == Value::NONE { None } else { region.as_address(v) }
            };
            [1, 5].into_iter().filter_map(constant).find(|&pc| pc == last + 2 || pc == last + 4)
        }
        _ => None,
    }
}

/// The register that an instruction sets.
pub fn set_register(inst: &Inst) -> Option<usize> {
    let number = inst.imm as usize & 31;
    match inst.op {
        Op::SetX => Some(number),
        Op::SetF => Some(number | 32),
        _ => None,
    }
}

/// The numbers of the bits that are set.
pub fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let r = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(r)
    })
}

/// An edge within the region.
struct Incoming {
    from: Block,
    args: Vec<Value>,
}

/// The registers at the start of each block. `order` is a reverse postorder.
pub fn at_starts(region: &Region, order: &[Block]) -> Vec<Registers> {
    let mut incoming: Vec<Vec<Incoming>> = region.blocks.iter().map(|_| Vec::new()).collect();
    for &from in order {
        for edge in cfg::edges(&region.blocks[from.index()].term) {
            if let Target::Block(to, args) = &edge.target {
                incoming[to.index()].push(Incoming { from, args: args.clone() });
            }
        }
    }
    let mut at_start: Vec<Option<Registers>> = vec![None; region.blocks.len()];
    let mut at_end: Vec<Option<Registers>> = vec![None; region.blocks.len()];
    let mut visits = vec![0u32; region.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for &block in order {
            let data = &region.blocks[block.index()];
            let entry = data.entry || block.index() == 0;
            let new = match (entry, &at_start[block.index()]) {
                (true, Some(_)) => continue,
                (true, None) => Registers::unknown(),
                (false, old) => {
                    let old = old.as_ref().filter(|_| visits[block.index()] > SETTLED);
                    join(old, &data.params, &incoming[block.index()], &at_end)
                }
            };
            if at_start[block.index()].as_ref() == Some(&new) {
                continue;
            }
            changed = true;
            visits[block.index()] += 1;
            let mut registers = new.clone();
            at_start[block.index()] = Some(new);
            for id in &data.insts {
                let inst = &region.insts[id.index()];
                registers.step(inst.op, inst.imm, inst.args[0], inst.result);
            }
            at_end[block.index()] = Some(registers);
        }
    }
    at_start.into_iter().map(|registers| registers.unwrap_or_else(Registers::unknown)).collect()
}

/// By block, the registers whose value at its start something may see before they are set anew: a way out of the region, or
/// code of the region itself. The others need not be in the state there. `leaves` says of an op, and `is_left` of an edge,
/// whether a tier may leave there by its own. `order` is a reverse postorder.
pub fn seen_at_starts(
    region: &Region,
    order: &[Block],
    leaves: impl Fn(Op) -> bool,
    is_left: impl Fn(&Edge) -> bool,
) -> Vec<u64> {
    const ALL: u64 = u64::MAX;
    let mut seen = vec![0; region.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for &block in order.iter().rev() {
            let data = &region.blocks[block.index()];
            let at_end = match &data.term {
                Term::Jump(_) | Term::Branch { .. } => cfg::edges(&data.term).fold(0, |all, edge| match edge.target {
                    Target::Block(to, _) if !edge.preempt && !is_left(edge) => all | seen[to.index()],
                    _ => ALL,
                }),
                Term::Call { .. } | Term::Indirect { .. } | Term::Exit { .. } => ALL,
            };
            let at_start = data.insts.iter().rev().fold(at_end, |seen, id| {
                let inst = &region.insts[id.index()];
                match (inst.op, set_register(inst)) {
                    (op, _) if leaves(op) => ALL,
                    (_, Some(r)) => seen & !(1 << r),
                    (Op::GetX, _) => seen | 1 << (inst.imm & 31),
                    (Op::GetF, _) => seen | 1 << (inst.imm & 31 | 32),
                    _ => seen,
                }
            });
            changed |= std::mem::replace(&mut seen[block.index()], at_start) != at_start;
        }
    }
    seen
}

/// How often what is known at a block's start may change freely; from then on it can only become less.
const SETTLED: u32 = 8;

/// The registers at a block's start: if there is something `old`, no more than that.
fn join(old: Option<&Registers>, params: &[Value], incoming: &[Incoming], at_end: &[Option<Registers>]) -> Registers {
    let mut joined = Registers::unknown();
    let known: Vec<(&Incoming, &Registers)> =
        incoming.iter().filter_map(|edge| Some((edge, at_end[edge.from.index()].as_ref()?))).collect();
    let Some(((_, first), rest)) = known.split_first() else { return joined };
    for r in 0..REGISTERS {
        let mut value = first.value[r];
        if rest.iter().any(|(_, end)| end.value[r] != value) {
            value = Value::NONE;
        }
        if value == Value::NONE {
            // A parameter may be what all have.
            let fits = |i: &usize| {
                known.iter().all(|(edge, end)| end.value[r] != Value::NONE && edge.args.get(*i) == Some(&end.value[r]))
            };
            value = (0..params.len()).find(fits).map_or(Value::NONE, |i| params[i]);
        }
        if old.is_some_and(|old| old.value[r] != value) {
            value = Value::NONE;
        }
        joined.value[r] = value;
        let dirty =
            known.iter().any(|(_, end)| end.dirty >> r & 1 != 0) || old.is_some_and(|old| old.dirty >> r & 1 != 0);
        if dirty && value != Value::NONE {
            joined.dirty |= 1 << r;
        }
    }
    joined
}
