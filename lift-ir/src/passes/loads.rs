//! Redundant loads: within a block, a load from where the block loaded or stored before is the value known, if nothing in
//! between may write or orders memory. It cannot fault: the access before it did not.

use super::replace_uses;
use crate::ir::{InstId, Region, Value};
use crate::op::{Effects, Op};
use std::collections::HashMap;

/// The load that reads back what a store of the same width wrote, unchanged.
fn load_of_store(op: Op) -> Option<Op> {
    match op {
        Op::Store64 => Some(Op::Load64),
        Op::StoreF64 => Some(Op::LoadF64),
        _ => None,
    }
}

/// Removes redundant loads.
pub fn remove_redundant_loads(region: &mut Region) {
    let mut replacement: HashMap<Value, Value> = HashMap::new();
    let mut known: HashMap<(Op, Value, i64), Value> = HashMap::new();
    for at in 0..region.blocks.len() {
        known.clear();
        let mut insts: Vec<InstId> = std::mem::take(&mut region.blocks[at].insts);
        insts.retain(|id| {
            let inst = &mut region.insts[id.index()];
            for arg in &mut inst.args {
                if let Some(&v) = replacement.get(arg) {
                    *arg = v;
                }
            }
            let effects = inst.op.info().effects;
            if effects.contains(Effects::WRITE) || effects.contains(Effects::ORDER) {
                known.clear();
                if let Some(load) = load_of_store(inst.op) {
                    known.insert((load, inst.args[0], inst.imm), inst.args[1]);
                }
            } else if effects.contains(Effects::READ) {
                match known.get(&(inst.op, inst.args[0], inst.imm)) {
                    Some(&v) => {
                        replacement.insert(inst.result, v);
                        return false;
                    }
                    None => {
                        known.insert((inst.op, inst.args[0], inst.imm), inst.result);
                    }
                }
            }
            true
        });
        region.blocks[at].insts = insts;
    }
    if replacement.is_empty() {
        return;
    }
    // A use in another block may have been seen before its definition.
    replace_uses(region, &replacement);
}
