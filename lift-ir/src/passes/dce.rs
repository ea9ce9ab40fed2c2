//! Dead code across blocks: values that nothing needs, block parameters among them.

use super::promote::remove_params;
use crate::cfg;
use crate::ir::{Block, Def, Region, Target, Value};

/// Removes removable instructions and block parameters whose values nothing needs.
pub fn remove_dead_code(region: &mut Region) {
    let mut live = vec![false; region.values.len()];
    let mut work: Vec<Value> = Vec::new();
    // The arguments that go to each parameter, as (block whose terminator passes it, edge, position).
    let mut passed: Vec<Vec<Value>> = vec![Vec::new(); region.values.len()];
    for data in &region.blocks {
        for id in &data.insts {
            let inst = &region.insts[id.index()];
            if !inst.op.info().effects.removable() {
                work.extend(inst.args.iter().filter(|v| **v != Value::NONE));
                work.extend(Some(inst.result).filter(|v| *v != Value::NONE));
            }
        }
        match &data.term {
            crate::ir::Term::Branch { args, .. } => work.extend(args),
            crate::ir::Term::Indirect { base, .. } => work.push(*base),
            _ => {}
        }
        for edge in cfg::edges(&data.term) {
            if let Target::Block(to, args) = &edge.target {
                for (&param, &arg) in region.blocks[to.index()].params.iter().zip(args) {
                    passed[param.index()].push(arg);
                }
            }
        }
    }
    while let Some(v) = work.pop() {
        if std::mem::replace(&mut live[v.index()], true) {
            continue;
        }
        match region.values[v.index()].def {
            Def::Inst(id) => work.extend(region.insts[id.index()].args.iter().filter(|v| **v != Value::NONE)),
            Def::Param(..) => work.extend(&passed[v.index()]),
        }
    }
    for at in 0..region.blocks.len() {
        let mut insts = std::mem::take(&mut region.blocks[at].insts);
        insts.retain(|id| {
            let inst = &region.insts[id.index()];
            !inst.op.info().effects.removable() || inst.result == Value::NONE || live[inst.result.index()]
        });
        region.blocks[at].insts = insts;
    }
    remove_params(region, |v| !live[v.index()]);
}

/// Removes blocks that control cannot reach, and renumbers the others.
pub fn remove_unreachable_blocks(region: &mut Region) {
    let mut order = Vec::new();
    cfg::reverse_postorder(region, &mut cfg::Scratch::default(), &mut order);
    if order.len() == region.blocks.len() {
        return;
    }
    let mut reachable = vec![false; region.blocks.len()];
    order.iter().for_each(|b| reachable[b.index()] = true);
    let mut next = 0;
    let renamed: Vec<Block> = reachable
        .iter()
        .map(|r| {
            next += *r as u32;
            Block(next.wrapping_sub(1))
        })
        .collect();
    let mut at = 0;
    region.blocks.retain(|_| {
        at += 1;
        reachable[at - 1]
    });
    for at in 0..region.blocks.len() {
        for edge in cfg::edges_mut(&mut region.blocks[at].term) {
            if let Target::Block(to, _) = &mut edge.target {
                *to = renamed[to.index()];
            }
        }
        region.renumber_params(Block(at as u32));
    }
}
