//! Singles are taken out of their NaN boxes once: where the box is made, so that loops have the single.

use super::replace_uses;
use crate::ir::{InstId, Region, Value};
use crate::op::Op;
use std::collections::{BTreeMap, HashMap};

/// Moves the first `unbox` of every value to where the value is made, and removes the others.
pub fn unbox_once(region: &mut Region) {
    let mut first: BTreeMap<Value, InstId> = BTreeMap::new();
    let mut replacement: HashMap<Value, Value> = HashMap::new();
    for block in &mut region.blocks {
        let insts = &region.insts;
        block.insts.retain(|id| {
            let inst = &insts[id.index()];
            if inst.op != Op::Unbox {
                return true;
            }
            let kept = *first.entry(inst.args[0]).or_insert(*id);
            if kept != *id {
                replacement.insert(inst.result, insts[kept.index()].result);
            }
            false
        });
    }
    if first.is_empty() {
        return;
    }
    for block in &mut region.blocks {
        let mut insts = Vec::with_capacity(block.insts.len());
        for (&v, &id) in block.params.iter().filter_map(|v| first.get_key_value(v)) {
            debug_assert_eq!(region.insts[id.index()].args[0], v);
            region.insts[id.index()].guest_index = 0;
            insts.push(id);
        }
        for &id in &block.insts {
            insts.push(id);
            let inst = region.insts[id.index()];
            if let Some(&unbox) = first.get(&inst.result) {
                region.insts[unbox.index()].guest_index = inst.guest_index;
                insts.push(unbox);
            }
        }
        block.insts = insts;
    }
    if replacement.is_empty() {
        return;
    }
    replace_uses(region, &replacement);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;
    use crate::verify::verify;

    #[test]
    fn a_loop_has_the_single() {
        let text = "\
region 0x1000 rne
block0 @0x1000 entry [0]:
    +0 v0 = get.f f1
    jump block1(v0)
block1(v1: f64) @0x1004 [0 4]:
    +0 v2 = unbox.f32 v0
    +4 v3 = unbox.f32 v0
    +4 v4 = fadd.f32 v2, v3, rne
    +4 v5 = box.f32 v4
    jump block1(v5)
";
        let mut region = parse(text).unwrap_or_else(|error| panic!("{error:?}"));
        unbox_once(&mut region);
        verify(&region).expect("the region is valid");
        let of = |block: usize, op: Op| {
            region.blocks[block].insts.iter().filter(|id| region.insts[id.index()].op == op).count()
        };
        assert_eq!((of(0, Op::Unbox), of(1, Op::Unbox), of(1, Op::FaddS)), (1, 0, 1), "{region}");
    }
}
