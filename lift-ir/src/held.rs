//! Which block parameters are better held as the floating-point numbers that are computed with than as what the region has:
//! bits that pass through integer registers, or NaN-boxed singles.

use crate::cfg::Within;
use crate::ir::{Block, Region, Value};
use crate::op::Op;
use std::collections::BTreeMap;

/// What a parameter is held as in code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// As the region has it.
    Plain,
    /// As a double; the region has its bits. Compilers let doubles pass through integer registers from one time round a
    /// loop to the next.
    Double,
    /// As a single; the region has it NaN-boxed.
    Single,
}

/// The parameters of an edge's target, each with what comes to it.
pub fn pairs<'a>(region: &'a Region, edge: &'a Within<'_>) -> impl Iterator<Item = (Value, Value)> + use<'a> {
    region.blocks[edge.to.index()].params.iter().copied().zip(edge.args.iter().copied())
}

/// The parameters that are not held as the region has them: what comes to them, but for what comes from before a loop, is
/// made from what they are held as, and that is made from them.
pub fn held(region: &Region, order: &[Block], edges: &[Within<'_>], heads: &[bool]) -> BTreeMap<Value, Held> {
    let mut held = BTreeMap::new();
    for inst in order.iter().flat_map(|block| &region.blocks[block.index()].insts) {
        let inst = &region.insts[inst.index()];
        let as_what = match inst.op {
            Op::BitsF64 => Held::Double,
            Op::Unbox => Held::Single,
            _ => continue,
        };
        if region.def(inst.args[0]).is_none() {
            held.insert(inst.args[0], as_what);
        }
    }
    loop {
        let before = held.len();
        for edge in edges {
            for (param, arg) in pairs(region, edge) {
                let Some(&as_what) = held.get(&param) else { continue };
                let fits = match (as_what, region.def(arg)) {
                    (Held::Double, Some(inst)) => matches!(inst.op, Op::Iconst | Op::BitsI64),
                    (_, Some(_)) => is_box(region, arg),
                    (_, None) => held.get(&arg) == Some(&as_what),
                };
                let from_before = heads[edge.to.index()] && !edge.is_back;
                if !fits && !from_before {
                    held.remove(&param);
                }
            }
        }
        if held.len() == before {
            return held;
        }
    }
}

/// Whether a value is known to be a NaN-boxed single.
pub fn is_box(region: &Region, v: Value) -> bool {
    region.def(v).is_some_and(|inst| inst.op == Op::Box) || single_of(region, v).is_some()
}

/// The bits of the single in a NaN-boxed constant.
pub fn single_of(region: &Region, v: Value) -> Option<u32> {
    let inst = region.def(v).filter(|inst| inst.op == Op::BitsF64)?;
    let bits = region.as_const(inst.args[0])? as u64;
    (bits >> 32 == 0xffff_ffff).then_some(bits as u32)
}
