//! Loops of a region, and which of them a fault may restart.
//!
//! A loop that only loads can be run once more from its start: until then nobody has seen what it did. So a register that
//! the loop sets need not be exact where an access faults. The state has the registers from before the loop, and a tier
//! that is exact everywhere runs up to the access that faults.

use crate::cfg;
use crate::ir::{Block, Edge, Region, Target, Term, Value};
use crate::op::{Effects, Op};
use crate::registers::{Registers, bits, set_register};

/// A loop that is entered at its head alone.
pub struct Loop {
    /// Where it begins.
    pub head: Block,
    /// Its blocks, the head among them.
    pub body: Vec<Block>,
    /// The block before it by which all ways lead there, if there is one.
    pub before: Option<Block>,
}

/// The loops that are entered at their heads alone, outer ones first: for each head that with all ways back to it, then
/// those with one. `order` is a reverse postorder.
pub fn natural_loops(region: &Region, order: &[Block]) -> Vec<Loop> {
    let edges = cfg::edges_within(region, order);
    if !edges.iter().any(|edge| edge.is_back) {
        return Vec::new();
    }
    let mut sources: Vec<Vec<Block>> = vec![Vec::new(); region.blocks.len()];
    let mut latches = sources.clone();
    for edge in &edges {
        sources[edge.to.index()].push(edge.from);
        if edge.is_back {
            latches[edge.to.index()].push(edge.from);
        }
    }
    let (dominators, _) = cfg::dominators(region);
    let body_of = |head: Block, latches: &[Block]| {
        let mut body = vec![head];
        let mut is_inside = vec![false; region.blocks.len()];
        is_inside[head.index()] = true;
        let mut left = latches.to_vec();
        while let Some(block) = left.pop() {
            if !std::mem::replace(&mut is_inside[block.index()], true) {
                body.push(block);
                left.extend(&sources[block.index()]);
            }
        }
        let from_head =
            |block: &Block| std::iter::successors(Some(*block), |at| dominators[at.index()]).any(|at| at == head);
        body.iter().all(from_head).then_some(Loop { head, body, before: dominators[head.index()] })
    };
    let mut loops = Vec::new();
    for &head in order.iter().filter(|head| !latches[head.index()].is_empty()) {
        let latches = &latches[head.index()];
        loops.extend(body_of(head, latches));
        if latches.len() == 2 {
            // Code that was entered in an inner loop has the outer one's way back lead there as well. With more ways back it
            // is an interpreter's loop: one of them is not a loop by itself.
            let mut inner: Vec<Loop> = latches.iter().filter_map(|latch| body_of(head, &[*latch])).collect();
            inner.sort_by_key(|inner| std::cmp::Reverse(inner.body.len()));
            loops.extend(inner);
        }
    }
    loops
}

/// A loop that a fault restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restart {
    /// Where it begins.
    pub head: Block,
    /// The registers that it sets: while it runs, the state has those from before.
    pub sets: u64,
}

/// How many registers a loop has to save storing in each round, for what is stored before it.
const WORTH_STORES: usize = 2;

/// By block the loop around it that a fault restarts.
pub struct Restarts(Vec<Option<Restart>>);

impl Restarts {
    /// Finds them: the outermost loops of which every op is pure or a load, and where each register that the loop sets is
    /// known, by a value, wherever control may leave but by a fault. `at_start` has the registers at blocks' starts; `leaves`
    /// says of an edge whether a tier may leave there by its own.
    pub fn new(region: &Region, at_start: &[Registers], loops: &[Loop], leaves: impl Fn(&Edge) -> bool) -> Restarts {
        let mut of = vec![None; region.blocks.len()];
        for Loop { head, body, .. } in loops {
            let is_known = of[head.index()].is_some() || region.blocks[head.index()].guest_offsets.is_empty();
            if is_known || !body.iter().all(|&block| only_loads(region, block)) {
                continue;
            }
            let sets = body.iter().fold(0, |all, &block| all | sets_of(region, block));
            let mut is_inside = vec![false; region.blocks.len()];
            body.iter().for_each(|block| is_inside[block.index()] = true);
            let leaves = |edge: &Edge| match edge.target {
                Target::Block(to, _) => edge.preempt || !is_inside[to.index()] || leaves(edge),
                Target::Pc(_) => true,
            };
            let is_exact = |block: &Block| {
                let is_known = |r: usize| at_start[block.index()].value[r] != Value::NONE;
                let lost = bits(sets & !sets_of(region, *block)).any(|r| !is_known(r));
                !lost || !cfg::edges(&region.blocks[block.index()].term).any(leaves)
            };
            let lost = bits(sets).filter(|r| at_start[head.index()].value[*r] == Value::NONE).count();
            if lost >= WORTH_STORES && body.iter().all(is_exact) {
                body.iter().for_each(|block| of[block.index()] = Some(Restart { head: *head, sets }));
            }
        }
        Restarts(of)
    }

    /// The loop around a block.
    pub fn around(&self, block: Block) -> Option<Restart> {
        self.0[block.index()]
    }

    /// The registers that the state must have from before the loop in which a block is.
    pub fn kept(&self, block: Block) -> u64 {
        self.around(block).map_or(0, |restart| restart.sets)
    }

    /// Whether an edge leads into a loop from before it.
    pub fn enters(&self, from: Block, to: Block) -> bool {
        self.around(to).is_some_and(|restart| restart.head == to && self.around(from) != Some(restart))
    }

    /// The registers that are stored on an edge within the region: those that the state lacks at its `end` and that the
    /// target expects there.
    pub fn stored(&self, from: Block, to: Block, end: &Registers, at_start: &[Registers]) -> u64 {
        let stored = end.dirty & !at_start[to.index()].dirty;
        match self.around(to) {
            Some(restart) if self.around(from) == Some(restart) => stored & !restart.sets,
            Some(restart) => stored | end.dirty & restart.sets,
            None => stored,
        }
    }
}

/// Whether a block's ops are pure or loads, and it is reached from the region alone.
fn only_loads(region: &Region, block: Block) -> bool {
    let data = &region.blocks[block.index()];
    let may_be_repeated = |op: Op| {
        let effects = op.info().effects;
        let stays = [Effects::WRITE, Effects::ORDER, Effects::GET].iter().all(|of| !effects.contains(*of));
        let is_set = matches!(op, Op::SetX | Op::SetF);
        stays && (is_set || !effects.contains(Effects::SET))
    };
    let is_entry = data.entry || block.index() == 0;
    let ends = matches!(data.term, Term::Jump(_) | Term::Branch { .. });
    ends && !is_entry && data.insts.iter().all(|id| may_be_repeated(region.insts[id.index()].op))
}

/// The registers that a block sets.
fn sets_of(region: &Region, block: Block) -> u64 {
    let insts = region.blocks[block.index()].insts.iter().map(|id| &region.insts[id.index()]);
    insts.filter_map(set_register).fold(0, |all, r| all | 1 << r)
}
