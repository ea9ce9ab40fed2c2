//! The control-flow graph of a region: successors, orders, and the values that terminators use.

use crate::ir::{Block, BlockData, Edge, Region, Target, Term, Value};

/// Buffers for walks over the graph.
#[derive(Default)]
pub struct Scratch {
    seen: Vec<bool>,
    stack: Vec<(Block, u32)>,
}

/// The edges of a terminator.
pub fn edges(term: &Term) -> impl Iterator<Item = &Edge> {
    let (pair, more): (_, &[Edge]) = match term {
        Term::Jump(edge) => ([Some(edge), None], &[]),
        Term::Branch { then, els, .. } => ([Some(then), Some(els)], &[]),
        Term::Indirect { targets, .. } => ([None, None], targets),
        Term::Call { .. } | Term::Exit { .. } => ([None, None], &[]),
    };
    pair.into_iter().flatten().chain(more)
}

/// The edges of a terminator, to be changed.
pub fn edges_mut(term: &mut Term) -> impl Iterator<Item = &mut Edge> {
    let (pair, more): (_, &mut [Edge]) = match term {
        Term::Jump(edge) => ([Some(edge), None], &mut []),
        Term::Branch { then, els, .. } => ([Some(then), Some(els)], &mut []),
        Term::Indirect { targets, .. } => ([None, None], targets),
        Term::Call { .. } | Term::Exit { .. } => ([None, None], &mut []),
    };
    pair.into_iter().flatten().chain(more)
}

/// The edge of a terminator with that number among [`edges`].
fn edge_at(term: &Term, number: usize) -> Option<&Edge> {
    match term {
        Term::Indirect { targets, .. } => targets.get(number),
        _ => edges(term).nth(number),
    }
}

/// The block inside the region that an edge leads to.
pub fn target_block(edge: &Edge) -> Option<Block> {
    match edge.target {
        Target::Block(block, _) => Some(block),
        Target::Pc(_) => None,
    }
}

/// An edge from one block of a region to another.
pub struct Within<'a> {
    /// Where it comes from.
    pub from: Block,
    /// Where it leads.
    pub to: Block,
    /// What it passes to the target's parameters.
    pub args: &'a [Value],
    /// It leads back in a loop, to the loop's head.
    pub is_back: bool,
}

/// The edges between the blocks of `order`, a reverse postorder.
pub fn edges_within<'a>(region: &'a Region, order: &[Block]) -> Vec<Within<'a>> {
    let mut place = vec![usize::MAX; region.blocks.len()];
    for (at, block) in order.iter().enumerate() {
        place[block.index()] = at;
    }
    let mut within = Vec::new();
    for &from in order {
        for edge in edges(&region.blocks[from.index()].term) {
            if let Target::Block(to, args) = &edge.target {
                let is_back = place[from.index()] >= place[to.index()];
                within.push(Within { from, to: *to, args, is_back });
            }
        }
    }
    within
}

/// By block, whether it is the head of a loop: an edge leads back to it, and it has guest instructions, before which
/// control can leave.
pub fn loop_heads(region: &Region, within: &[Within<'_>]) -> Vec<bool> {
    let mut heads = vec![false; region.blocks.len()];
    let has_insts = |block: Block| !region.blocks[block.index()].guest_offsets.is_empty();
    within.iter().filter(|edge| edge.is_back && has_insts(edge.to)).for_each(|edge| heads[edge.to.index()] = true);
    heads
}

/// The guest addresses outside of a region that it goes to directly.
pub fn targets(region: &Region) -> impl Iterator<Item = u64> {
    region.blocks.iter().flat_map(|block| {
        let edges = edges(&block.term).filter_map(|edge| match edge.target {
            Target::Pc(pc) => Some(pc),
            Target::Block(..) => None,
        });
        let call = if let Term::Call { pc, .. } = block.term { Some(pc) } else { None };
        edges.chain(call)
    })
}

/// The most targets of an indirect jump that are found by comparing with one after the other.
const FEW_TARGETS: usize = 3;

/// The known targets of an indirect jump, to be found by their guest addresses.
pub struct ByAddress<'a> {
    /// The lowest bit of an address that says its slot.
    pub shift: u32,
    /// The targets with their addresses, by slot, of which there are 2^n: that of an address is in its n bits from `shift` on.
    pub slots: Vec<Vec<(u64, &'a Edge)>>,
}

/// The low bits of an address that are the same wherever its file is loaded: files are mapped by pages of 4096 bytes.
const PLACED_BITS: u32 = 12;

/// Puts the known targets of an indirect jump into slots, by those bits that tell most of them apart.
pub fn by_address<'a>(region: &Region, targets: &'a [Edge]) -> ByAddress<'a> {
    let known: Vec<(u64, &Edge)> =
        targets.iter().filter_map(|edge| Some((region.blocks[target_block(edge)?.index()].pc, edge))).collect();
    let count = if known.len() <= FEW_TARGETS { 1 } else { (2 * known.len()).next_power_of_two() };
    let slot = |pc: u64, shift: u32| (pc >> shift) as usize & (count - 1);
    let crowding = |shift: &u32| {
        let mut targets = vec![0usize; count];
        known.iter().for_each(|(pc, _)| targets[slot(*pc, *shift)] += 1);
        targets.iter().map(|n| n * n).sum::<usize>()
    };
    let shift = (1..PLACED_BITS.saturating_sub(count.trailing_zeros()).max(2)).min_by_key(crowding).unwrap_or(1);
    let mut slots = vec![Vec::new(); count];
    known.iter().for_each(|&(pc, edge)| slots[slot(pc, shift)].push((pc, edge)));
    ByAddress { shift, slots }
}

/// Whether a block is a jump that several `jalr` share.
pub fn is_shared_jump(data: &BlockData) -> bool {
    data.guest_offsets.is_empty() && matches!(data.term, Term::Indirect { .. })
}

/// The jump that several `jalr` share, if there is one.
pub fn shared_jump(region: &Region) -> Option<Block> {
    region.blocks.iter().position(is_shared_jump).map(|at| Block(at as u32))
}

/// The block at which a call that returns to `pc` comes back into the region.
pub fn return_site(region: &Region, pc: u64) -> Option<Block> {
    let site = region.blocks.iter().position(|block| block.entry && block.pc == pc);
    site.map(|at| Block(at as u32))
}

/// Calls `f` for each value that a terminator uses, block arguments included, in the order they are printed.
pub fn for_each_term_value(term: &mut Term, mut f: impl FnMut(&mut Value)) {
    match term {
        Term::Branch { args, .. } => args.iter_mut().for_each(&mut f),
        Term::Indirect { base, .. } => f(base),
        _ => {}
    }
    for edge in edges_mut(term) {
        if let Target::Block(_, args) = &mut edge.target {
            args.iter_mut().for_each(&mut f);
        }
    }
}

/// As [`for_each_term_value`], without changing anything.
pub fn for_each_term_value_ref(term: &Term, mut f: impl FnMut(Value)) {
    match term {
        Term::Branch { args, .. } => args.iter().for_each(|&v| f(v)),
        Term::Indirect { base, .. } => f(*base),
        _ => {}
    }
    for edge in edges(term) {
        if let Target::Block(_, args) = &edge.target {
            args.iter().for_each(|&v| f(v));
        }
    }
}

/// Puts the blocks that can be reached from entries into `order`, each before its successors except along back edges;
/// so every definition comes before its uses.
pub fn reverse_postorder(region: &Region, scratch: &mut Scratch, order: &mut Vec<Block>) {
    order.clear();
    if region.blocks.len() == 1 {
        order.push(Block(0));
        return;
    }
    scratch.seen.clear();
    scratch.seen.resize(region.blocks.len(), false);
    // Entries are walked last to first, so that block 0 comes early.
    for at in (0..region.blocks.len()).rev() {
        let entry = at == 0 || region.blocks[at].entry;
        if !entry || scratch.seen[at] {
            continue;
        }
        scratch.seen[at] = true;
        scratch.stack.push((Block(at as u32), 0));
        while let Some((block, next)) = scratch.stack.pop() {
            match edge_at(&region.blocks[block.index()].term, next as usize) {
                Some(edge) => {
                    scratch.stack.push((block, next + 1));
                    if let Some(to) = target_block(edge) {
                        if !scratch.seen[to.index()] {
                            scratch.seen[to.index()] = true;
                            scratch.stack.push((to, 0));
                        }
                    }
                }
                None => order.push(block),
            }
        }
    }
    order.reverse();
}

/// The immediate dominator of each block, and which blocks can be reached. Control may enter at any entry, so the
/// dominator of an entry, and of a block that two entries reach, is none.
pub fn dominators(region: &Region) -> (Vec<Option<Block>>, Vec<bool>) {
    let mut scratch = Scratch::default();
    let mut order = Vec::new();
    reverse_postorder(region, &mut scratch, &mut order);
    let count = region.blocks.len();
    // Blocks by their place in the order, behind a root at place 0 that leads to every entry.
    let mut place = vec![usize::MAX; count];
    for (i, block) in order.iter().enumerate() {
        place[block.index()] = i + 1;
    }
    let mut predecessors = vec![Vec::new(); order.len() + 1];
    for (i, block) in order.iter().enumerate() {
        let data = &region.blocks[block.index()];
        if data.entry || block.index() == 0 {
            predecessors[i + 1].push(0);
        }
        for to in edges(&data.term).filter_map(target_block) {
            if let Some(&to) = place.get(to.index()) {
                predecessors[to].push(i + 1);
            }
        }
    }
    let idom = immediate_dominators(&predecessors);
    let reachable: Vec<bool> = place.iter().map(|p| *p != usize::MAX).collect();
    let immediate = place
        .iter()
        .map(|&p| idom.get(p).copied().filter(|d| *d != 0 && *d != usize::MAX).map(|d| order[d - 1]))
        .collect();
    (immediate, reachable)
}

/// The immediate dominators of a graph's nodes, which are numbered in reverse postorder from the root, 0, on, by their
/// predecessors; `usize::MAX` for what is not reached. (Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm".)
pub fn immediate_dominators(predecessors: &[Vec<usize>]) -> Vec<usize> {
    let mut idom = vec![usize::MAX; predecessors.len()];
    idom[0] = 0;
    let mut changed = true;
    while changed {
        changed = false;
        for at in 1..predecessors.len() {
            let mut new = usize::MAX;
            for &pred in predecessors[at].iter().filter(|p| idom[**p] != usize::MAX) {
                let (mut a, mut b) = (pred, new);
                while b != usize::MAX && a != b {
                    while a > b {
                        a = idom[a];
                    }
                    while b > a {
                        b = idom[b];
                    }
                }
                new = a;
            }
            if idom[at] != new {
                idom[at] = new;
                changed = true;
            }
        }
    }
    idom
}
