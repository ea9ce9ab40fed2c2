//! Calls of small functions become their code: the callee's blocks are copied to where the call is, and its returns know that
//! they lead back behind it. Once registers are promoted the return address is a constant, and they are jumps.

use crate::cfg;
use crate::ir::{Block, Edge, ExitKind, JumpKind, Region, Target, Term, Value};
use crate::lift::{CodeSource, Lifter, Limits, resume_pc};
use std::collections::{BTreeMap, HashMap};

/// Which calls become the code of what they call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inlining {
    /// How large a callee may be. One of which more would be wanted ([`CodeSource::is_wanted`]) stays where it is.
    pub callee: Limits,
    /// How many guest instructions a region may gain.
    pub max_growth: usize,
}

impl Inlining {
    /// For functions as they are compiled.
    pub const COMPILED: Inlining =
        Inlining { callee: Limits { max_insts: 40, max_blocks: 10, follow_calls_return_site: false }, max_growth: 400 };
}

/// Whether calls of a function can become its code: it calls nothing, goes nowhere by a register but back, and leaves
/// for the kernel nowhere.
fn is_leaf(callee: &Region) -> bool {
    let is_return = |term: &Term| matches!(term, Term::Indirect { kind: JumpKind::Return, .. });
    let stays = |term: &Term| match term {
        Term::Jump(_) | Term::Branch { .. } => true,
        Term::Call { .. } => false,
        Term::Indirect { .. } => is_return(term),
        Term::Exit { kind, .. } => matches!(kind, ExitKind::Ebreak | ExitKind::Illegal | ExitKind::FetchFault),
    };
    let blocks = &callee.blocks;
    blocks.iter().all(|data| stays(&data.term)) && blocks.iter().any(|data| is_return(&data.term))
}

/// Lifts the function at `pc`, if calls of it can become its code.
fn lift(pc: u64, of: &Region, limits: &Limits, lifter: &mut Lifter, src: &mut dyn CodeSource) -> Option<Region> {
    if !src.is_wanted(pc) {
        return None;
    }
    let mut callee = Region::new(pc, of.rounding);
    lifter.lift(pc, of.rounding, src, limits, &mut callee);
    (is_leaf(&callee) && !cfg::targets(&callee).any(|pc| src.is_wanted(pc))).then_some(callee)
}

/// Replaces calls of `region`, as it was lifted from `src`, by what they call. Places where only such calls come back are
/// entries no more, unless they are among `entries`.
///
/// Copies are where the function is, for faults, preemption points and the retired count. They are left like other code, and
/// what follows is in the function itself.
pub fn inline_calls(
    region: &mut Region,
    entries: &[u64],
    policy: &Inlining,
    lifter: &mut Lifter,
    src: &mut dyn CodeSource,
) {
    let places: BTreeMap<u64, Block> =
        region.blocks.iter().enumerate().map(|(at, data)| (data.pc, Block(at as u32))).collect();
    let mut callees: BTreeMap<u64, Option<Region>> = BTreeMap::new();
    let mut left = policy.max_growth;
    let mut returned = Vec::new();
    for at in 0..region.blocks.len() {
        let Term::Call { pc, return_pc } = region.blocks[at].term else { continue };
        let Some(&site) = places.get(&return_pc) else { continue };
        let callee = callees.entry(pc).or_insert_with(|| lift(pc, region, &policy.callee, lifter, src));
        let Some(callee) = callee.as_ref().filter(|callee| callee.guest_insts() <= left) else { continue };
        left -= callee.guest_insts();
        let first = copy(region, callee, site);
        region.blocks[at].term = Term::Jump(Edge { target: Target::Block(first, Vec::new()), preempt: true });
        // What leaves in the middle comes back from outside.
        if cfg::targets(callee).next().is_none() {
            returned.push(site);
        }
    }
    let blocks = 0..region.blocks.len() as u32;
    let resumed: Vec<u64> = blocks.filter_map(|at| resume_pc(region, Block(at))).collect();
    for site in returned {
        let data = &mut region.blocks[site.index()];
        data.entry = site.index() == 0 || resumed.contains(&data.pc) || entries.contains(&data.pc);
    }
}

/// Appends a callee's blocks to `region`; what returns knows that it leads to `site`. Answers the first.
fn copy(region: &mut Region, callee: &Region, site: Block) -> Block {
    let first = region.blocks.len() as u32;
    let moved = |block: Block| Block(first + block.0);
    let mut values: HashMap<Value, Value> = HashMap::new();
    for data in &callee.blocks {
        let block = region.push_block(data.pc);
        for &id in &data.insts {
            let inst = &callee.insts[id.index()];
            // Values of code as it is lifted live in one block, behind what makes them.
            let args = inst.args.map(|v| values.get(&v).copied().unwrap_or(v));
            let result = region.push(block, inst.op, &args[..inst.op.info().args.len()], inst.imm, inst.guest_index);
            values.insert(inst.result, result);
        }
        let mut term = data.term.clone();
        cfg::for_each_term_value(&mut term, |v| *v = values.get(v).copied().unwrap_or(*v));
        for edge in cfg::edges_mut(&mut term) {
            if let Target::Block(to, _) = &mut edge.target {
                *to = moved(*to);
            }
        }
        if let Term::Indirect { targets, .. } = &mut term {
            targets.push(Edge { target: Target::Block(site, Vec::new()), preempt: false });
        }
        let new = &mut region.blocks[block.index()];
        new.guest_offsets.clone_from(&data.guest_offsets);
        (new.retired, new.term, new.is_inlined) = (data.retired, term, true);
    }
    Block(first)
}
