//! Which values a block's end, or what follows it, has use for: those have a place there when code is made.
//!
//! A guess: ops are put off, and registers stored early or only on ways out.

use friscy_lift_ir::loops::Restarts;
use friscy_lift_ir::registers::{Registers, bits};
use friscy_lift_ir::{Block, Op, Region, Target, Term, Value, cfg};

/// The values that are used at each block's end or behind it.
pub(crate) struct Live {
    /// By value its number among those that are used so.
    numbers: Vec<u32>,
    /// Words of a row.
    words: usize,
    /// A row of bits for each block.
    at_end: Vec<u64>,
}

const NONE: u32 = u32::MAX;

impl Live {
    /// Works it out. `order` is a reverse postorder; `home` has the block that makes each value.
    pub(crate) fn new(
        region: &Region,
        order: &[Block],
        at_start: &[Registers],
        restarts: &Restarts,
        home: &[u32],
    ) -> Live {
        let mut numbers = vec![NONE; region.values.len()];
        let mut count = 0;
        let mut number = |v: Value| {
            let number = &mut numbers[v.index()];
            if *number == NONE {
                *number = count;
                count += 1;
            }
            *number
        };
        // What blocks use that others make, and what they use at their ends.
        let (mut used, mut at_ends) = (vec![Vec::new(); region.blocks.len()], vec![Vec::new(); region.blocks.len()]);
        for &block in order {
            let data = &region.blocks[block.index()];
            let mut registers = at_start[block.index()].clone();
            for id in &data.insts {
                let inst = &region.insts[id.index()];
                registers.step(inst.op, inst.imm, inst.args[0], inst.result);
                if matches!(inst.op, Op::SetX | Op::SetF) {
                    continue;
                }
                let args = inst.args.iter().filter(|v| **v != Value::NONE).map(|v| inside(region, *v));
                used[block.index()].extend(args.filter(|v| home[v.index()] != block.0).map(&mut number));
            }
            let end = &mut at_ends[block.index()];
            cfg::for_each_term_value_ref(&data.term, |v| end.push(number(inside(region, v))));
            let stored = bits(stored(block, &data.term, &registers, at_start, restarts));
            end.extend(stored.map(|r| number(inside(region, registers.value[r]))));
        }
        let words = (count as usize).div_ceil(64);
        let mut live = Live { numbers, words, at_end: vec![0; words * region.blocks.len()] };
        let mut at_start = live.at_end.clone();
        let mut made = live.at_end.clone();
        let set = |rows: &mut Vec<u64>, block: usize, n: u32| rows[block * words + n as usize / 64] |= 1 << (n % 64);
        for (v, &n) in live.numbers.iter().enumerate().filter(|(_, n)| **n != NONE) {
            if let Some(block) = home.get(v).filter(|block| **block != u32::MAX) {
                set(&mut made, *block as usize, n);
            }
        }
        for block in 0..region.blocks.len() {
            used[block].iter().for_each(|&n| set(&mut at_start, block, n));
            at_ends[block].iter().for_each(|&n| set(&mut live.at_end, block, n));
        }
        let mut changed = true;
        while changed {
            changed = false;
            for &block in order.iter().rev() {
                let row = block.index() * words;
                for to in cfg::edges(&region.blocks[block.index()].term).filter_map(cfg::target_block) {
                    for word in 0..words {
                        live.at_end[row + word] |= at_start[to.index() * words + word];
                    }
                }
                for word in row..row + words {
                    let new = at_start[word] | live.at_end[word] & !made[word];
                    changed |= std::mem::replace(&mut at_start[word], new) != new;
                }
            }
        }
        live
    }

    /// Whether a block's end or what follows has use for a value.
    pub(crate) fn at_end(&self, block: Block, v: Value) -> bool {
        let number = self.numbers[v.index()];
        number != NONE && self.at_end[block.index() * self.words + number as usize / 64] >> (number % 64) & 1 != 0
    }
}

/// What a value is made of where it is used.
pub(crate) fn inside(region: &Region, v: Value) -> Value {
    match region.def(v) {
        Some(inst) if matches!(inst.op, Op::Box | Op::BitsI64) => inst.args[0],
        _ => v,
    }
}

/// The registers that are stored at a block's end, on one of the ways on.
fn stored(block: Block, term: &Term, registers: &Registers, at_start: &[Registers], restarts: &Restarts) -> u64 {
    if cfg::edges(term).next().is_none() || matches!(term, Term::Indirect { .. }) {
        return registers.dirty;
    }
    cfg::edges(term).fold(0, |stored, edge| match edge.target {
        Target::Block(to, _) if !edge.preempt => stored | restarts.stored(block, to, registers, at_start),
        Target::Block(..) | Target::Pc(_) => stored | registers.dirty,
    })
}
