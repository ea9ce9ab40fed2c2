//! Register promotion: across the blocks of a region, a `get` becomes the value that was `set`, by way of block
//! parameters where control joins.
//!
//! Sets stay: what an observer may see of the register file is as before. Entry blocks get their registers from the file,
//! since control may come to them from outside; an entry that the region also reaches itself, as the head of a loop often
//! is, becomes an ordinary block behind an entry of its own.

use crate::cfg;
use crate::ir::{Block, BlockData, Edge, Region, Target, Term, Value};
use crate::op::{Op, Type};
use std::collections::HashMap;

/// Integer registers are numbered 0 to 31, floating-point ones 32 to 63.
const REGISTERS: usize = 64;

/// The register that a `get` names.
fn read(op: Op, imm: i64) -> Option<usize> {
    match op {
        Op::GetX => Some(imm as usize & 31),
        Op::GetF => Some(imm as usize & 31 | 32),
        _ => None,
    }
}

/// The register that a `set` names.
fn written(op: Op, imm: i64) -> Option<usize> {
    match op {
        Op::SetX => Some(imm as usize & 31),
        Op::SetF => Some(imm as usize & 31 | 32),
        _ => None,
    }
}

/// Promotes registers of `region`.
pub fn promote(region: &mut Region) {
    let loads = separate_entries(region);
    if region.blocks.len() == 1 {
        return;
    }
    let mut order = Vec::new();
    cfg::reverse_postorder(region, &mut cfg::Scratch::default(), &mut order);
    let preds = predecessor_edges(region, &order);
    let barrier = Barrier { loads, jump: cfg::shared_jump(region), kept: 0 };
    let kept = barrier.jump.map_or(0, |jump| kept_by(region, jump, &needed_at_start(region, &order, &barrier)));
    let barrier = Barrier { kept, ..barrier };
    let needed = needed_at_start(region, &order, &barrier);
    let mut state = Promotion {
        barrier,
        replacement: (0..region.values.len() as u32).map(Value).collect(),
        at_end: vec![[Value::NONE; REGISTERS]; region.blocks.len()],
        joined: vec![0; region.blocks.len()],
    };
    for &block in &order {
        state.block(region, block, &preds[block.index()], &needed);
    }
    state.pass_arguments(region, &order);
    state.drop_trivial_params(region, &order);
    for &block in &order {
        let data = &mut region.blocks[block.index()];
        for id in &data.insts {
            for arg in &mut region.insts[id.index()].args {
                if *arg != Value::NONE {
                    *arg = state.resolve(*arg);
                }
            }
        }
        cfg::for_each_term_value(&mut data.term, |v| *v = state.resolve(*v));
    }
}

/// The most guest instructions of a block that an entry gets a copy of.
const MAX_COPIED: usize = 24;

/// Puts a block before each entry that edges of the region lead to, as the entry in its place: one without guest
/// instructions, or a copy of it. To where a shared jump leads it goes by that, so that loops around are entered there
/// alone, and by a block in which all of these get their registers: it is returned.
fn separate_entries(region: &mut Region) -> Option<Block> {
    let mut reached = vec![false; region.blocks.len()];
    for data in &region.blocks {
        for to in cfg::edges(&data.term).filter_map(cfg::target_block) {
            reached[to.index()] = true;
        }
    }
    let skipped = skipped(region);
    let jump = cfg::shared_jump(region);
    let leads = jump.iter().flat_map(|jump| cfg::edges(&region.blocks[jump.index()].term));
    let led_to: Vec<u64> = leads.filter_map(cfg::target_block).map(|to| region.blocks[to.index()].pc).collect();
    let split: Vec<bool> = region.blocks.iter().zip(reached).map(|(data, reached)| data.entry && reached).collect();
    if !split.contains(&true) {
        return None;
    }
    let mut loads = None;
    let mut next = 0;
    let renamed: Vec<Block> = split
        .iter()
        .map(|split| {
            next += 1 + *split as u32;
            Block(next - 1)
        })
        .collect();
    let old = std::mem::take(&mut region.blocks);
    for (at, (mut data, split)) in old.into_iter().zip(split).enumerate() {
        for edge in cfg::edges_mut(&mut data.term) {
            if let Target::Block(to, _) = &mut edge.target {
                *to = renamed[to.index()];
            }
        }
        if split {
            data.entry = false;
            let entry = region.push_block(data.pc);
            let body = Block(entry.0 + 1);
            region.blocks[entry.index()].entry = true;
            if led_to.contains(&data.pc) {
                let pc = region.push(entry, Op::Iconst, &[], data.pc as i64, 0);
                let to = *loads.get_or_insert(Block(next));
                let edge = Edge { target: Target::Block(to, vec![pc]), preempt: false };
                region.blocks[entry.index()].term = Term::Jump(edge);
            } else if skipped[at] {
                copy(region, &data, entry);
            } else {
                let edge = Edge { target: Target::Block(body, Vec::new()), preempt: false };
                region.blocks[entry.index()].term = Term::Jump(edge);
            }
        }
        region.blocks.push(data);
        region.renumber_params(Block(region.blocks.len() as u32 - 1));
    }
    loads.zip(jump).map(|(_, jump)| {
        let jump = renamed[jump.index()];
        let loads = region.push_block(region.blocks[jump.index()].pc);
        let pc = region.push_param(loads, Type::I64);
        let edge = Edge { target: Target::Block(jump, vec![pc]), preempt: false };
        region.blocks[loads.index()].term = Term::Jump(edge);
        loads
    })
}

/// The entries that begin loops whose first round begins behind them, as compilers make them that turn loops round: code
/// before jumps over the block, into which only the loop leads. Were they entries of the loop, it would have two; as an
/// entry, a copy of the block leads to where the loop begins.
fn skipped(region: &Region) -> Vec<bool> {
    let mut lowest_source: Vec<Option<u64>> = vec![None; region.blocks.len()];
    for data in &region.blocks {
        for to in cfg::edges(&data.term).filter_map(cfg::target_block) {
            let lowest = &mut lowest_source[to.index()];
            *lowest = Some(lowest.map_or(data.pc, |pc| pc.min(data.pc)));
        }
    }
    let is_skipped = |data: &BlockData, at: usize| {
        let Term::Jump(edge) = &data.term else { return false };
        let Some(next) = cfg::target_block(edge).filter(|_| !edge.preempt) else { return false };
        let from_behind = lowest_source[at].is_some_and(|pc| pc >= data.pc);
        let from_before = lowest_source[next.index()].is_some_and(|pc| pc < data.pc);
        region.blocks[next.index()].pc > data.pc && from_behind && from_before
    };
    let blocks = region.blocks.iter().enumerate();
    blocks.map(|(at, data)| data.entry && data.guest_offsets.len() <= MAX_COPIED && is_skipped(data, at)).collect()
}

/// Makes `to`, an empty block, a copy of a block of which no value is used elsewhere.
fn copy(region: &mut Region, data: &BlockData, to: Block) {
    let mut copies: HashMap<Value, Value> = HashMap::new();
    let copied = |copies: &HashMap<Value, Value>, v: Value| copies.get(&v).copied().unwrap_or(v);
    for id in &data.insts {
        let inst = region.insts[id.index()];
        let args = inst.args.map(|v| copied(&copies, v));
        let new = region.make_inst(inst.op, args, inst.imm, inst.guest_index);
        if inst.result != Value::NONE {
            copies.insert(inst.result, region.insts[new.index()].result);
        }
        region.blocks[to.index()].insts.push(new);
    }
    let block = &mut region.blocks[to.index()];
    block.guest_offsets.clone_from(&data.guest_offsets);
    block.retired = data.retired;
    block.term = data.term.clone();
    cfg::for_each_term_value(&mut block.term, |v| *v = copied(&copies, *v));
}

/// The block that each edge into a block comes from; a branch with both edges to one block counts twice.
fn predecessor_edges(region: &Region, order: &[Block]) -> Vec<Vec<Block>> {
    let mut preds = vec![Vec::new(); region.blocks.len()];
    for &block in order {
        for to in cfg::edges(&region.blocks[block.index()].term).filter_map(cfg::target_block) {
            preds[to.index()].push(block);
        }
    }
    preds
}

/// Where registers are not passed on as values, but for some: what follows gets them from the file.
#[derive(Clone, Copy)]
struct Barrier {
    /// The block that gets registers for several entries.
    loads: Option<Block>,
    /// The shared jump: most of the places it leads to need few registers.
    jump: Option<Block>,
    /// The registers that it passes on.
    kept: u64,
}

/// The share of the places a shared jump leads to that have to need a register for it to be passed on, as one in so many.
const KEPT: usize = 2;

/// The registers that are worth being passed on by a shared jump, given what is needed where none are.
fn kept_by(region: &Region, jump: Block, needed: &[u64]) -> u64 {
    let targets: Vec<Block> = cfg::edges(&region.blocks[jump.index()].term).filter_map(cfg::target_block).collect();
    let needing = |r: usize| targets.iter().filter(|to| needed[to.index()] >> r & 1 != 0).count();
    (0..REGISTERS).filter(|&r| needing(r) * KEPT >= targets.len()).fold(0, |kept, r| kept | 1 << r)
}

/// For each block, the set of registers whose values at its start something reads. Entry blocks, and that which gets
/// registers for several, need none of their predecessors.
fn needed_at_start(region: &Region, order: &[Block], barrier: &Barrier) -> Vec<u64> {
    let mut exposed = vec![0u64; region.blocks.len()];
    let mut overwritten = vec![0u64; region.blocks.len()];
    for &block in order {
        let (mut gets, mut sets) = (0u64, 0u64);
        for id in &region.blocks[block.index()].insts {
            let inst = &region.insts[id.index()];
            if let Some(r) = read(inst.op, inst.imm) {
                gets |= 1 << r & !sets;
            }
            if let Some(r) = written(inst.op, inst.imm) {
                sets |= 1 << r;
            }
        }
        exposed[block.index()] = gets;
        overwritten[block.index()] = sets;
    }
    let mut needed = exposed.clone();
    let mut changed = true;
    while changed {
        changed = false;
        for &block in order.iter().rev() {
            let at_end = needed_at_end(region, block, &needed, barrier);
            let new = exposed[block.index()] | at_end & !overwritten[block.index()];
            changed |= std::mem::replace(&mut needed[block.index()], new) != new;
        }
    }
    needed
}

fn needed_at_end(region: &Region, block: Block, needed: &[u64], barrier: &Barrier) -> u64 {
    let passed = if barrier.jump == Some(block) { barrier.kept } else { u64::MAX };
    let set = cfg::edges(&region.blocks[block.index()].term)
        .filter_map(cfg::target_block)
        .filter(|to| !region.blocks[to.index()].entry && Some(*to) != barrier.loads)
        .fold(0, |set, to| set | needed[to.index()]);
    set & passed
}

struct Promotion {
    barrier: Barrier,
    /// What each value is replaced by; chains end at a value that is its own.
    replacement: Vec<Value>,
    /// The value of each register at the end of each block, where something needs it.
    at_end: Vec<[Value; REGISTERS]>,
    /// The registers that are parameters of each block, which come in ascending order behind its other parameters.
    joined: Vec<u64>,
}

fn registers(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let r = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(r)
    })
}

impl Promotion {
    fn resolve(&self, mut v: Value) -> Value {
        while self.replacement[v.index()] != v {
            v = self.replacement[v.index()];
        }
        v
    }

    fn block(&mut self, region: &mut Region, block: Block, preds: &[Block], needed: &[u64]) {
        let entry = region.blocks[block.index()].entry || Some(block) == self.barrier.loads;
        let mut known = match preds {
            _ if entry => [Value::NONE; REGISTERS],
            // The only predecessor dominates the block, so it comes before it in the order.
            [pred] => self.at_end[pred.index()],
            _ => self.join(region, block, needed[block.index()]),
        };
        let mut insts = std::mem::take(&mut region.blocks[block.index()].insts);
        insts.retain(|id| {
            let inst = &mut region.insts[id.index()];
            if let Some(r) = read(inst.op, inst.imm) {
                if known[r] == Value::NONE {
                    known[r] = inst.result;
                    return true;
                }
                self.replacement[inst.result.index()] = known[r];
                return false;
            }
            if let Some(r) = written(inst.op, inst.imm) {
                let v = self.resolve(inst.args[0]);
                return std::mem::replace(&mut known[r], v) != v;
            }
            true
        });
        // An entry passes on registers that it does not touch itself.
        let mut first = Vec::new();
        for r in registers(needed_at_end(region, block, needed, &self.barrier)) {
            if known[r] == Value::NONE {
                let op = if r < 32 { Op::GetX } else { Op::GetF };
                let id = region.make_inst(op, [Value::NONE; 3], r as i64 & 31, 0);
                known[r] = region.insts[id.index()].result;
                self.replacement.push(known[r]);
                first.push(id);
            }
        }
        insts.splice(0..0, first);
        region.blocks[block.index()].insts = insts;
        self.at_end[block.index()] = known;
    }

    /// Gives a block where control joins a parameter for each register that it needs.
    fn join(&mut self, region: &mut Region, block: Block, needed: u64) -> [Value; REGISTERS] {
        let mut known = [Value::NONE; REGISTERS];
        self.joined[block.index()] = needed;
        for r in registers(needed) {
            known[r] = region.push_param(block, if r < 32 { Type::I64 } else { Type::F64 });
            self.replacement.push(known[r]);
        }
        known
    }

    fn pass_arguments(&mut self, region: &mut Region, order: &[Block]) {
        for &block in order {
            let known = &self.at_end[block.index()];
            for edge in cfg::edges_mut(&mut region.blocks[block.index()].term) {
                if let Target::Block(to, args) = &mut edge.target {
                    args.extend(registers(self.joined[to.index()]).map(|r| known[r]));
                }
            }
        }
    }

    /// A parameter to which only one value comes is that value, though it may come round by other such parameters: a register
    /// that loops do not change. Found by taking every parameter for such a one until another value comes to it.
    fn drop_trivial_params(&mut self, region: &mut Region, order: &[Block]) {
        let mut args: Vec<Vec<Value>> = vec![Vec::new(); region.values.len()];
        for &block in order {
            for edge in cfg::edges(&region.blocks[block.index()].term) {
                let Target::Block(to, values) = &edge.target else { continue };
                for (&param, &arg) in region.blocks[to.index()].params.iter().zip(values) {
                    args[param.index()].push(self.resolve(arg));
                }
            }
        }
        let params: Vec<Value> = order.iter().flat_map(|block| &region.blocks[block.index()].params).copied().collect();
        // What comes to each parameter: nothing yet, one value, or several, which make it a value of its own.
        let mut comes: Vec<Option<Value>> = (0..region.values.len() as u32).map(|v| Some(Value(v))).collect();
        params.iter().for_each(|param| comes[param.index()] = None);
        let mut changes = vec![0u8; region.values.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for &param in &params {
                let mut known = args[param.index()].iter().filter_map(|arg| comes[arg.index()]).filter(|v| *v != param);
                let mut new = known.next();
                if new.is_some_and(|first| known.any(|v| v != first)) || changes[param.index()] == MAX_CHANGES {
                    new = Some(param);
                }
                if comes[param.index()] != new {
                    comes[param.index()] = new;
                    changes[param.index()] += 1;
                    changed = true;
                }
            }
        }
        for param in params {
            self.replacement[param.index()] = comes[param.index()].unwrap_or(param);
        }
        remove_params(region, |v| self.replacement[v.index()] != v);
    }
}

/// How often what comes to a parameter may change until it is taken for several values.
const MAX_CHANGES: u8 = 8;

/// Removes the parameters that `gone` names, and their arguments.
pub(super) fn remove_params(region: &mut Region, gone: impl Fn(Value) -> bool) {
    let keep: Vec<Option<Vec<bool>>> = region
        .blocks
        .iter()
        .map(|data| {
            let keep: Vec<bool> = data.params.iter().map(|&v| !gone(v)).collect();
            keep.contains(&false).then_some(keep)
        })
        .collect();
    for at in 0..region.blocks.len() {
        for edge in cfg::edges_mut(&mut region.blocks[at].term) {
            if let Target::Block(to, args) = &mut edge.target {
                if let Some(keep) = &keep[to.index()] {
                    let mut i = 0;
                    args.retain(|_| {
                        i += 1;
                        keep[i - 1]
                    });
                }
            }
        }
        if keep[at].is_some() {
            region.blocks[at].params.retain(|&v| !gone(v));
            region.renumber_params(Block(at as u32));
        }
    }
}
