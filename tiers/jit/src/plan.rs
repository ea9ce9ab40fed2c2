//! What is worked out of a region before code is made.

use crate::floats::Floats;
use crate::live::Live;
use friscy_lift_ir::loops::{Loop, Restarts, natural_loops};
use friscy_lift_ir::op::Effects;
use friscy_lift_ir::registers::{self, Registers};
use friscy_lift_ir::{Block, Edge, InstId, Op, Region, Target, Type, Value, cfg};
use rustc_hash::{FxHashMap, FxHashSet};

/// What is known of a region before code is made.
pub(crate) struct Plan {
    /// Reachable blocks, in the order in which they are emitted.
    pub(crate) order: Vec<Block>,
    /// The registers at each block's start.
    pub(crate) at_start: Vec<Registers>,
    /// Loops that a fault restarts.
    pub(crate) restarts: Restarts,
    /// Whether control may come to each block by more than one edge.
    pub(crate) joins: Vec<bool>,
    /// Where each value is used last: the place in its block, or [`ELSEWHERE`].
    pub(crate) last_use: Vec<u32>,
    /// The block that makes each value, by its number.
    pub(crate) home: Vec<u32>,
    /// What blocks' ends have use for.
    pub(crate) live: Live,
    /// For blocks in a loop the block before it from which they have the window's start.
    pub(crate) window_from: Vec<Option<Block>>,
    /// Those blocks before loops.
    pub(crate) keeps_window: FxHashSet<Block>,
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
        let at_start = registers::at_starts(region, &order);
        let (last_use, home) = last_uses(region, &order);
        let floats = Floats::new(region, &order);
        let mut edges = vec![0; region.blocks.len()];
        for &block in &order {
            let term = &region.blocks[block.index()].term;
            for to in cfg::edges(term).filter_map(cfg::target_block) {
                edges[to.index()] += 1;
            }
        }
        let joins = region.blocks.iter().zip(edges).enumerate();
        let joins = joins.map(|(at, (data, edges))| at == 0 || data.entry || edges != 1).collect();
        let loops = natural_loops(region, &order);
        let leaves = |edge: &Edge| match &edge.target {
            Target::Block(to, args) => floats.has_guards(region, *to, args),
            Target::Pc(_) => true,
        };
        let restarts = Restarts::new(region, &at_start, &loops, leaves);
        let live = Live::new(region, &order, &at_start, &restarts, &home);
        let (quiet, takes_back) = quiet_comparisons(region, &order);
        let window_from = before_loops(region, &loops, &home);
        let keeps_window = window_from.iter().copied().flatten().collect();
        Plan {
            window_from,
            keeps_window,
            order,
            at_start,
            restarts,
            joins,
            last_use,
            home,
            live,
            floats,
            quiet,
            takes_back,
        }
    }
}

/// For each block of a loop the block that dominates the outermost such loop from before it.
fn before_loops(region: &Region, loops: &[Loop], home: &[u32]) -> Vec<Option<Block>> {
    let mut before = vec![None; region.blocks.len()];
    for Loop { head, body, before: dominator } in loops {
        let is_new = dominator.is_some() && before[head.index()].is_none();
        if is_new && carried(region, *head, body, home) <= MAX_CARRIED {
            body.iter().for_each(|block| before[block.index()] = *dominator);
        }
    }
    before
}

/// The most integers that a loop may have from before, or carry, for the window's start to take one more register in it.
const MAX_CARRIED: usize = 10;

/// How many integers a loop has from before, or from one round to the next.
fn carried(region: &Region, head: Block, body: &[Block], home: &[u32]) -> usize {
    let mut is_inside = vec![false; region.blocks.len()];
    body.iter().for_each(|block| is_inside[block.index()] = true);
    let is_integer = |v: Value| region.values[v.index()].ty == Type::I64 && region.as_const(v).is_none();
    let mut from_before = FxHashSet::default();
    let mut note = |v: Value| {
        let made = home[v.index()];
        if is_integer(v) && made != u32::MAX && !is_inside[made as usize] {
            from_before.insert(v);
        }
    };
    for data in body.iter().map(|block| &region.blocks[block.index()]) {
        for inst in data.insts.iter().map(|id| &region.insts[id.index()]) {
            inst.args.iter().filter(|v| **v != Value::NONE).for_each(|v| note(*v));
        }
        cfg::for_each_term_value_ref(&data.term, &mut note);
    }
    from_before.len() + region.blocks[head.index()].params.iter().filter(|v| is_integer(**v)).count()
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
