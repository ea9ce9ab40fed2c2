//! Jumps by registers that are known to lead to the same places share one: interpreters jump by a table at the end of every
//! one of their pieces.

use crate::cfg;
use crate::ir::{Block, Edge, JumpKind, Region, Target, Term, Value};
use crate::op::{Op, Type};

/// Where jumps of a region are known to lead to blocks of it, makes a block that all go to with the address.
pub fn share_jumps(region: &mut Region) {
    let jumps: Vec<usize> = (0..region.blocks.len())
        .filter(|&at| matches!(&region.blocks[at].term, Term::Indirect { kind: JumpKind::Jump, targets, .. } if !targets.is_empty()))
        .collect();
    let Some(&first) = jumps.first() else { return };
    let shared = region.push_block(region.blocks[first].pc);
    let base = region.push_param(shared, Type::I64);
    let mut leads = Vec::new();
    for at in jumps {
        let Term::Indirect { base, disp, targets, .. } = &mut region.blocks[at].term else { continue };
        let (base, disp) = (*base, *disp);
        leads = std::mem::take(targets);
        let to = address(region, Block(at as u32), base, disp);
        region.blocks[at].term = Term::Jump(Edge { target: Target::Block(shared, vec![to]), preempt: true });
    }
    region.blocks[shared.index()].term = Term::Indirect { base, disp: 0, kind: JumpKind::Jump, targets: leads };
    land(region, shared);
}

/// Gives each place that is reached otherwise too a block before it, which the jump leads to in its place.
fn land(region: &mut Region, jump: Block) {
    let mut reached = vec![0u32; region.blocks.len()];
    for to in region.blocks.iter().flat_map(|data| cfg::edges(&data.term)).filter_map(cfg::target_block) {
        reached[to.index()] += 1;
    }
    let leads: Vec<Block> = cfg::edges(&region.blocks[jump.index()].term).filter_map(cfg::target_block).collect();
    for (number, to) in leads.into_iter().enumerate().filter(|(_, to)| reached[to.index()] > 1) {
        let landing = region.push_block(region.blocks[to.index()].pc);
        region.blocks[landing.index()].term =
            Term::Jump(Edge { target: Target::Block(to, Vec::new()), preempt: false });
        if let Some(edge) = cfg::edges_mut(&mut region.blocks[jump.index()].term).nth(number) {
            edge.target = Target::Block(landing, Vec::new());
        }
    }
}

/// The value `base` + `disp`, made at a block's end.
fn address(region: &mut Region, block: Block, base: Value, disp: i32) -> Value {
    if disp == 0 {
        return base;
    }
    let last = region.blocks[block.index()].guest_offsets.len().saturating_sub(1) as u16;
    let disp = region.push(block, Op::Iconst, &[], i64::from(disp), last);
    region.push(block, Op::Add, &[base, disp], 0, last)
}
