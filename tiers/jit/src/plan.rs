//! Which guest registers are in the state, and which only in values, at every point of a region.
//!
//! A `set` of the IR need not store: the value is the register's until the next one, and is stored on the ways out of the
//! region. What a fault finds is worked out here before code is made: for each register the value it has and whether the
//! state lacks it ("dirty").

use crate::floats::Floats;
use friscy_lift_ir::op::Effects;
use friscy_lift_ir::{Block, Inst, InstId, Op, Region, Target, Term, Value, cfg};
use rustc_hash::{FxHashMap, FxHashSet};

/// Integer registers are numbered 0 to 31, floating-point ones 32 to 63.
pub(crate) const REGISTERS: usize = 64;

/// The guest registers at one point.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Registers {
    /// The value of each, or [`Value::NONE`] where none is known; those are in the state.
    pub(crate) value: [Value; REGISTERS],
    /// Those that the state lacks.
    pub(crate) dirty: u64,
}

impl Registers {
    fn unknown() -> Registers {
        Registers { value: [Value::NONE; REGISTERS], dirty: 0 }
    }

    /// Goes over an instruction.
    pub(crate) fn step(&mut self, op: Op, imm: i64, arg: Value, result: Value) {
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
    pub(crate) fn dirty(&self) -> impl Iterator<Item = usize> + use<> {
        bits(self.dirty)
    }
}

/// The register that an instruction sets.
pub(crate) fn set_register(inst: &Inst) -> Option<usize> {
    let number = inst.imm as usize & 31;
    match inst.op {
        Op::SetX => Some(number),
        Op::SetF => Some(number | 32),
        _ => None,
    }
}

/// The numbers of the bits that are set.
pub(crate) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let r = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(r)
    })
}

/// What is known of a region before code is made.
pub(crate) struct Plan {
    /// Reachable blocks, in the order in which they are emitted.
    pub(crate) order: Vec<Block>,
    /// The registers at each block's start.
    pub(crate) at_start: Vec<Registers>,
    /// Whether control may come to each block by more than one edge.
    pub(crate) joins: Vec<bool>,
    /// Where each value is used last: the place in its block, or [`ELSEWHERE`].
    pub(crate) last_use: Vec<u32>,
    /// The block that makes each value, by its number.
    pub(crate) home: Vec<u32>,
    /// How floating-point values are held.
    pub(crate) floats: Floats,
    /// Comparisons whose flags are taken back at once, with the flags from before.
    pub(crate) quiet: FxHashMap<InstId, Value>,
    /// The instructions that do so.
    pub(crate) takes_back: FxHashSet<InstId>,
}

/// A value is used by a terminator or in another block.
pub(crate) const ELSEWHERE: u32 = u32::MAX;

impl Plan {
    /// Works a region out.
    pub(crate) fn new(region: &Region) -> Plan {
        let mut order = Vec::new();
        cfg::reverse_postorder(region, &mut cfg::Scratch::default(), &mut order);
        let at_start = starts(region, &order);
        let (last_use, home) = last_uses(region, &order);
        let floats = Floats::new(region, &order);
        let mut edges = vec![0; region.blocks.len()];
        for &block in &order {
            let term = &region.blocks[block.index()].term;
            for to in cfg::edges(term).into_iter().flatten().filter_map(cfg::target_block) {
                edges[to.index()] += 1;
            }
        }
        let joins = region.blocks.iter().zip(edges).enumerate();
        let joins = joins.map(|(at, (data, edges))| at == 0 || data.entry || edges != 1).collect();
        let (quiet, takes_back) = quiet_comparisons(region, &order);
        Plan { order, at_start, joins, last_use, home, floats, quiet, takes_back }
    }
}

/// Finds `isless` and its like as compilers write them for RISC-V: flags are read, numbers compared, and the flags set to
/// what they were.
fn quiet_comparisons(region: &Region, order: &[Block]) -> (FxHashMap<InstId, Value>, FxHashSet<InstId>) {
    let (mut quiet, mut takes_back) = (FxHashMap::default(), FxHashSet::default());
    for block in order {
        let mut read = Value::NONE;
        let mut compared = Vec::new();
        for &id in &region.blocks[block.index()].insts {
            let inst = &region.insts[id.index()];
            match inst.op {
                Op::GetFflags => {
                    read = inst.result;
                    compared.clear();
                }
                Op::SetFflags => {
                    if read != Value::NONE && inst.args[0] == read {
                        quiet.extend(compared.drain(..).map(|id| (id, read)));
                        takes_back.insert(id);
                    }
                    read = Value::NONE;
                }
                Op::FeqS | Op::FltS | Op::FleS | Op::FeqD | Op::FltD | Op::FleD => compared.push(id),
                op if [Effects::FP_ENV, Effects::FAULT].iter().any(|of| op.info().effects.contains(*of)) => {
                    read = Value::NONE;
                }
                _ => {}
            }
        }
    }
    (quiet, takes_back)
}

/// Where each value is used last, and the block that makes it.
fn last_uses(region: &Region, order: &[Block]) -> (Vec<u32>, Vec<u32>) {
    let mut last = vec![0; region.values.len()];
    let mut home = vec![u32::MAX; region.values.len()];
    for &block in order {
        for &v in &region.blocks[block.index()].params {
            home[v.index()] = block.0;
        }
        for &id in &region.blocks[block.index()].insts {
            let result = region.insts[id.index()].result;
            if result != Value::NONE {
                home[result.index()] = block.0;
            }
        }
    }
    for &block in order {
        let data = &region.blocks[block.index()];
        for (at, id) in data.insts.iter().enumerate() {
            let inst = &region.insts[id.index()];
            if matches!(inst.op, Op::SetX | Op::SetF) {
                continue;
            }
            for arg in inst.args.into_iter().filter(|v| *v != Value::NONE) {
                let last = &mut last[arg.index()];
                *last = if home[arg.index()] == block.0 { (*last).max(at as u32) } else { ELSEWHERE };
            }
        }
        cfg::for_each_term_value_ref(&data.term, |v| last[v.index()] = ELSEWHERE);
    }
    (last, home)
}

/// An edge within the region.
struct Incoming {
    from: Block,
    args: Vec<Value>,
}

fn starts(region: &Region, order: &[Block]) -> Vec<Registers> {
    let mut incoming: Vec<Vec<Incoming>> = region.blocks.iter().map(|_| Vec::new()).collect();
    for &from in order {
        for edge in cfg::edges(&region.blocks[from.index()].term).into_iter().flatten() {
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
            if matches!(data.term, Term::Call { .. } | Term::Indirect { .. } | Term::Exit { .. }) {
                registers.dirty = 0;
            }
            at_end[block.index()] = Some(registers);
        }
    }
    at_start.into_iter().map(|registers| registers.unwrap_or_else(Registers::unknown)).collect()
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
