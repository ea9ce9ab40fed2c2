//! The control-flow graph of a region: successors, orders, and the values that terminators use.

use crate::ir::{Block, Edge, Region, Target, Term, Value};

/// Buffers for walks over the graph.
#[derive(Default)]
pub struct Scratch {
    seen: Vec<bool>,
    stack: Vec<(Block, u8)>,
}

/// The edges of a terminator: none, one or two.
pub fn edges(term: &Term) -> [Option<&Edge>; 2] {
    match term {
        Term::Jump(edge) => [Some(edge), None],
        Term::Branch { then, els, .. } => [Some(then), Some(els)],
        _ => [None, None],
    }
}

/// The edges of a terminator, to be changed.
pub fn edges_mut(term: &mut Term) -> [Option<&mut Edge>; 2] {
    match term {
        Term::Jump(edge) => [Some(edge), None],
        Term::Branch { then, els, .. } => [Some(then), Some(els)],
        _ => [None, None],
    }
}

/// The block inside the region that an edge leads to.
pub fn target_block(edge: &Edge) -> Option<Block> {
    match edge.target {
        Target::Block(block, _) => Some(block),
        Target::Pc(_) => None,
    }
}

/// Calls `f` for each value that a terminator uses, block arguments included, in the order they are printed.
pub fn for_each_term_value(term: &mut Term, mut f: impl FnMut(&mut Value)) {
    match term {
        Term::Branch { args, .. } => args.iter_mut().for_each(&mut f),
        Term::Indirect { base, .. } => f(base),
        _ => {}
    }
    for edge in edges_mut(term).into_iter().flatten() {
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
    for edge in edges(term).into_iter().flatten() {
        if let Target::Block(_, args) = &edge.target {
            args.iter().for_each(|&v| f(v));
        }
    }
}

/// Puts the blocks that can be reached from entries into `order`, each before its successors except along back edges;
/// so every definition comes before its uses. Block 0 comes first.
pub fn reverse_postorder(region: &Region, scratch: &mut Scratch, order: &mut Vec<Block>) {
    order.clear();
    if region.blocks.len() == 1 {
        order.push(Block(0));
        return;
    }
    scratch.seen.clear();
    scratch.seen.resize(region.blocks.len(), false);
    // Entries are walked last to first, so that block 0 ends the postorder.
    for at in (0..region.blocks.len()).rev() {
        let entry = at == 0 || region.blocks[at].entry;
        if !entry || scratch.seen[at] {
            continue;
        }
        scratch.seen[at] = true;
        scratch.stack.push((Block(at as u32), 0));
        while let Some((block, next)) = scratch.stack.pop() {
            let edges = edges(&region.blocks[block.index()].term);
            match edges.get(next as usize) {
                Some(edge) => {
                    scratch.stack.push((block, next + 1));
                    if let Some(to) = edge.and_then(target_block) {
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
