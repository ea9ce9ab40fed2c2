//! Passes that improve a region without changing what it means: registers, memory, flags and exits stay exact before
//! every op with [`crate::op::Effects::FAULT`], at every preemption point and at every exit.
//!
//! Cold code takes [`Simplifier`] alone. [`optimise`] is what compiled tiers pay for.

mod dce;
pub(crate) mod fold;
mod inline;
mod jumps;
mod loads;
mod promote;
mod sets;
pub(crate) mod simplify;
mod unbox;

pub use dce::{remove_dead_code, remove_unreachable_blocks};
pub use inline::{Inlining, inline_calls};
pub use jumps::share_jumps;
pub use loads::remove_redundant_loads;
pub use promote::promote;
pub use sets::remove_dead_sets;
pub use simplify::Simplifier;
pub use unbox::unbox_once;

use crate::cfg;
use crate::ir::{Region, Value};
use std::collections::HashMap;

/// All passes, in the order in which each finds most to do: registers are promoted across blocks, so that folding and
/// loads see through them; sets go when fewer loads may fault.
pub fn optimise(region: &mut Region, simplifier: &mut Simplifier) {
    simplifier.run(region);
    share_jumps(region);
    remove_unreachable_blocks(region);
    promote(region);
    simplifier.run(region);
    unbox_once(region);
    remove_redundant_loads(region);
    remove_dead_sets(region);
    remove_dead_code(region);
}

/// Makes every use of a value one of what replaces it.
fn replace_uses(region: &mut Region, replacement: &HashMap<Value, Value>) {
    let resolve = |v: &mut Value| {
        while let Some(&to) = replacement.get(v) {
            *v = to;
        }
    };
    for data in &mut region.blocks {
        for id in &data.insts {
            region.insts[id.index()].args.iter_mut().for_each(resolve);
        }
        cfg::for_each_term_value(&mut data.term, resolve);
    }
}
