//! Dead sets: a `set` goes if on every way on another `set` of the register comes before anything that may observe it.
//!
//! Observers are ops that may leave by a fault, preemption points, every way out of the region, entries (their blocks read
//! the register file, and so does who enters there), ways into loops from before them, where compiled code may leave if a
//! loop was made for other values, and a `get`.

use crate::cfg;
use crate::ir::{Block, Region, Term};
use crate::op::{Effects, Op};

const ALL: u64 = u64::MAX;

/// Removes dead sets.
pub fn remove_dead_sets(region: &mut Region) {
    let mut order = Vec::new();
    cfg::reverse_postorder(region, &mut cfg::Scratch::default(), &mut order);
    let into_loops = ways_into_loops(region, &order);
    let mut observed = vec![0u64; region.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for &block in order.iter().rev() {
            let mut set = observed_at_end(region, block, &observed, &into_loops);
            for id in region.blocks[block.index()].insts.iter().rev() {
                let inst = &region.insts[id.index()];
                step(&mut set, inst.op, inst.imm);
            }
            changed |= std::mem::replace(&mut observed[block.index()], set) != set;
        }
    }
    for &block in &order {
        let mut set = observed_at_end(region, block, &observed, &into_loops);
        let data = &mut region.blocks[block.index()];
        let mut kept: Vec<_> = std::mem::take(&mut data.insts);
        kept.reverse();
        kept.retain(|id| {
            let inst = &region.insts[id.index()];
            let live = register_of_set(inst.op, inst.imm).is_none_or(|bit| set & bit != 0);
            step(&mut set, inst.op, inst.imm);
            live
        });
        kept.reverse();
        data.insts = kept;
    }
}

fn register_of_set(op: Op, imm: i64) -> Option<u64> {
    match op {
        Op::SetX => Some(1 << (imm & 31)),
        Op::SetF => Some(1 << (imm & 31 | 32)),
        _ => None,
    }
}

/// Goes backwards over one instruction: `set` holds the registers that are observed behind it, then before it.
fn step(set: &mut u64, op: Op, imm: i64) {
    match op {
        Op::GetX => *set |= 1 << (imm & 31),
        Op::GetF => *set |= 1 << (imm & 31 | 32),
        _ if op.info().effects.contains(Effects::FAULT) => *set = ALL,
        _ => *set &= !register_of_set(op, imm).unwrap_or(0),
    }
}

/// The blocks that control goes from into a loop from before it.
fn ways_into_loops(region: &Region, order: &[Block]) -> Vec<bool> {
    let within = cfg::edges_within(region, order);
    let heads = cfg::loop_heads(region, &within);
    let mut into = vec![false; region.blocks.len()];
    for edge in within.iter().filter(|edge| !edge.is_back && heads[edge.to.index()]) {
        into[edge.from.index()] = true;
    }
    into
}

fn observed_at_end(region: &Region, block: Block, observed: &[u64], into_loops: &[bool]) -> u64 {
    let term = &region.blocks[block.index()].term;
    if matches!(term, Term::Call { .. } | Term::Indirect { .. } | Term::Exit { .. }) || into_loops[block.index()] {
        return ALL;
    }
    cfg::edges(term).fold(0, |set, edge| match cfg::target_block(edge) {
        Some(to) if !edge.preempt && !region.blocks[to.index()].entry => set | observed[to.index()],
        _ => ALL,
    })
}
