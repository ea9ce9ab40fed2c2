//! From RISC-V code to a region: blocks are found by following direct branches from the entry and lifted one at a time.
//!
//! The files below hold the semantics, by chapters of the RISC-V unprivileged manual; [`visit`] is the table that leads
//! to them. Raw regions have no value that lives across guest instructions, so that a block can be split at any of them
//! when a later branch turns out to lead into its middle.

mod bits;
mod builder;
mod control;
mod csr;
mod float;
mod integer;
mod memory;
mod straight;
mod visit;

use crate::cfg;
use crate::ir::{Block, Edge, ExitKind, InstId, JumpKind, Region, RoundingClass, Target, Term};
use builder::{Builder, Flow};
use std::collections::{BTreeMap, BTreeSet};
use straight::Straight;

/// The guest's code, as instruction fetch sees it.
pub trait CodeSource {
    /// The bits at `pc`: 16 valid ones if the low two are not both set, else 32.
    ///
    /// # Errors
    /// When any byte of the instruction cannot be fetched.
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault>;

    /// Whether a region is to have the code at `pc`, where a branch may lead or a call return to; else it leaves there.
    fn is_wanted(&mut self, _pc: u64) -> bool {
        true
    }

    /// Where the jumps of `region`, as far as it has been lifted, lead by registers: places of the same function that it
    /// may lack, which become entries of it. Asked again when those have been lifted too.
    fn jump_targets(&mut self, _region: &Region) -> Vec<u64> {
        Vec::new()
    }
}

/// An instruction cannot be fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchFault;

/// How far a region goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How many guest instructions at most; at least one is lifted.
    pub max_insts: u32,
    /// How many blocks at most, at least 1. With 1, one basic block is lifted and its edges leave the region.
    pub max_blocks: u32,
    /// Whether the return sites of calls, and what follows an `ecall` or a counter read, become further entries.
    pub follow_calls_return_site: bool,
}

impl Limits {
    /// One basic block of at most 64 instructions: for code that may never run again.
    pub const COLD: Limits = Limits { max_insts: 64, max_blocks: 1, follow_calls_return_site: false };

    /// A function as it is compiled: most are shorter.
    pub const COMPILED: Limits = Limits { max_insts: 4000, max_blocks: 1000, follow_calls_return_site: true };

    /// A whole function, however large interpreters' evaluation loops are.
    pub const FUNCTION: Limits = Limits { max_insts: 20_000, max_blocks: 8_000, follow_calls_return_site: true };

    /// Whether a region that was lifted within these limits may have been longer.
    pub fn may_cut(&self, region: &Region) -> bool {
        region.guest_insts() >= self.max_insts as usize || region.blocks.len() >= self.max_blocks as usize
    }
}

/// The longest block, in guest instructions: offsets within a block are 16 bits wide.
const MAX_BLOCK_INSTS: u32 = 8192;

/// The lifter, with its buffers.
#[derive(Default)]
pub struct Lifter {
    /// Places to lift from, in the order they were found, and whether control may enter there from outside.
    queue: Vec<(u64, bool)>,
    /// The block that starts at an address.
    starts: BTreeMap<u64, Block>,
    straight: Straight,
}

impl Lifter {
    /// Creates a lifter.
    pub fn new() -> Lifter {
        Lifter::default()
    }

    /// Lifts the code at `pc` into `out`, which is reset first, for guests whose `frm` is of class `rounding`.
    ///
    /// Block 0 is the entry; the other blocks follow by address. Where code cannot be fetched, does not decode or lies
    /// beyond the limits, the region ends in exits and edges to addresses.
    pub fn lift(
        &mut self,
        pc: u64,
        rounding: RoundingClass,
        src: &mut dyn CodeSource,
        limits: &Limits,
        out: &mut Region,
    ) {
        self.lift_with_entries(pc, &[], rounding, src, limits, out);
    }

    /// As [`Lifter::lift`], with further entries: places of the same function that are known to be jumped to.
    pub fn lift_with_entries(
        &mut self,
        pc: u64,
        entries: &[u64],
        rounding: RoundingClass,
        src: &mut dyn CodeSource,
        limits: &Limits,
        out: &mut Region,
    ) {
        out.reset(pc, rounding);
        let mut budget = limits.max_insts.max(1);
        if limits.max_blocks <= 1 {
            let block = out.push_block(pc);
            out.blocks[0].entry = true;
            lift_block(out, block, src, &mut budget, u64::MAX, None);
            return;
        }
        self.starts.clear();
        self.queue.clear();
        self.queue.push((pc, true));
        self.queue.extend(entries.iter().map(|&pc| (pc, true)));
        let (mut next, mut targets) = (0, BTreeSet::new());
        loop {
            while let Some(&(pc, entry)) = self.queue.get(next) {
                next += 1;
                if let Some(block) = self.start_at(out, pc, limits, src, &mut budget) {
                    out.blocks[block.index()].entry |= entry;
                }
            }
            if !out.blocks.iter().any(|block| matches!(block.term, Term::Indirect { kind: JumpKind::Jump, .. })) {
                break;
            }
            let found = src.jump_targets(out);
            self.queue.extend(found.into_iter().filter(|pc| targets.insert(*pc)).map(|pc| (pc, true)));
            if next == self.queue.len() {
                break;
            }
        }
        self.arrange(out, &targets);
    }

    /// Lifts the basic block at `pc`, of at most `max_insts` instructions, into `out`, which is reset first, and
    /// simplifies it: the result is what [`crate::passes::Simplifier`] makes of the block that [`Lifter::lift`] yields
    /// for [`Limits::COLD`], at a lower cost.
    pub fn lift_simplified(
        &mut self,
        pc: u64,
        rounding: RoundingClass,
        src: &mut dyn CodeSource,
        max_insts: u32,
        out: &mut Region,
    ) {
        out.reset(pc, rounding);
        let block = out.push_block(pc);
        out.blocks[0].entry = true;
        self.straight.begin();
        let mut budget = max_insts.max(1);
        lift_block(out, block, src, &mut budget, u64::MAX, Some(&mut self.straight));
        self.straight.finish(out, block);
    }

    /// The block that starts at `pc`: known, split off another, or lifted now. `None` beyond the limits and where the
    /// first instruction cannot be fetched, unless it is the region's.
    fn start_at(
        &mut self,
        out: &mut Region,
        pc: u64,
        limits: &Limits,
        src: &mut dyn CodeSource,
        budget: &mut u32,
    ) -> Option<Block> {
        if let Some(&block) = self.starts.get(&pc) {
            return Some(block);
        }
        if out.blocks.len() >= limits.max_blocks as usize {
            return None;
        }
        if let Some((_, &before)) = self.starts.range(..pc).next_back() {
            if let Some(block) = split(out, before, pc) {
                self.starts.insert(pc, block);
                return Some(block);
            }
        }
        if *budget == 0 || (!out.blocks.is_empty() && src.fetch(pc).is_err()) {
            return None;
        }
        let stop = self.starts.range(pc..).next().map_or(u64::MAX, |(&start, _)| start);
        let block = out.push_block(pc);
        self.starts.insert(pc, block);
        lift_block(out, block, src, budget, stop, None);
        let data = &out.blocks[block.index()];
        let branches = matches!(data.term, Term::Branch { .. });
        for edge in cfg::edges(&data.term) {
            if let Target::Pc(to) = edge.target {
                if !branches || src.is_wanted(to) {
                    self.queue.push((to, false));
                }
            }
        }
        if limits.follow_calls_return_site {
            if let Some(to) = resume_pc(out, block).filter(|&to| src.is_wanted(to)) {
                self.queue.push((to, true));
            }
        }
        Some(block)
    }

    /// Orders the blocks by address behind the entry, makes edges to addresses edges to blocks where there are such, and
    /// jumps by registers know those of the `targets` that are blocks.
    fn arrange(&mut self, out: &mut Region, targets: &BTreeSet<u64>) {
        out.blocks[1..].sort_by_key(|block| block.pc);
        self.starts.clear();
        self.starts.extend(out.blocks.iter().enumerate().map(|(i, block)| (block.pc, Block(i as u32))));
        for block in &mut out.blocks {
            if let Term::Indirect { kind: JumpKind::Jump, targets: known, .. } = &mut block.term {
                let blocks = targets.iter().filter_map(|pc| self.starts.get(pc));
                known.extend(blocks.map(|&to| Edge { target: Target::Block(to, Vec::new()), preempt: false }));
            }
            for edge in cfg::edges_mut(&mut block.term) {
                if let Target::Pc(pc) = edge.target {
                    if let Some(&to) = self.starts.get(&pc) {
                        edge.target = Target::Block(to, Vec::new());
                    }
                }
            }
        }
    }
}

/// Where execution probably goes on in the region after the block left it: where its call comes back, or behind its `ecall`
/// or counter read.
pub fn resume_pc(region: &Region, block: Block) -> Option<u64> {
    let data = &region.blocks[block.index()];
    match data.term {
        Term::Call { return_pc, .. } => Some(return_pc),
        Term::Exit { kind: ExitKind::Ecall | ExitKind::Csr, pc } => Some(pc.wrapping_add(4)),
        Term::Indirect { kind: JumpKind::Call | JumpKind::ReturnCall, .. } => {
            // The link register is what the block's last instruction set.
            let &last = data.insts.last()?;
            region.as_const(region.insts[last.index()].args[0]).map(|pc| pc as u64)
        }
        _ => None,
    }
}

/// Lifts instructions into an empty block until one ends it, the next is at `stop`, or the budget is used up.
fn lift_block(
    region: &mut Region,
    block: Block,
    src: &mut dyn CodeSource,
    budget: &mut u32,
    stop: u64,
    straight: Option<&mut Straight>,
) {
    let data = &mut region.blocks[block.index()];
    let start = data.pc;
    let (insts, mut offsets) = (std::mem::take(&mut data.insts), std::mem::take(&mut data.guest_offsets));
    let rounding = region.rounding;
    let mut b = Builder { region, block, insts, pc: start, next_pc: start, index: 0, rounding, straight };
    let limit = (*budget).min(MAX_BLOCK_INSTS);
    let mut count = 0;
    loop {
        if count == limit || (b.pc == stop && count != 0) {
            let pc = b.pc;
            b.end(Term::Jump(Edge { target: Target::Pc(pc), preempt: false }));
            break;
        }
        let Ok(bits) = src.fetch(b.pc) else {
            // What comes before it retires first.
            let pc = b.pc;
            b.end(match count {
                0 => Term::Exit { kind: ExitKind::FetchFault, pc },
                _ => Term::Jump(Edge { target: Target::Pc(pc), preempt: false }),
            });
            break;
        };
        b.index = count as u16;
        count += 1;
        offsets.push(b.pc.wrapping_sub(start) as u16);
        let flow = match friscy_isa::decode(bits) {
            Some(inst) => {
                b.next_pc = b.pc.wrapping_add(inst.len as u64);
                friscy_isa::visit(&inst, &mut b)
            }
            None => b.illegal(),
        };
        if flow == Flow::End {
            break;
        }
        b.pc = b.next_pc;
    }
    let insts = b.insts;
    let data = &mut region.blocks[block.index()];
    (data.insts, data.guest_offsets, data.retired) = (insts, offsets, count);
    *budget -= count;
}

/// Splits `block` before its instruction at `pc`, if it has one there, and returns the second half.
fn split(region: &mut Region, block: Block, pc: u64) -> Option<Block> {
    let data = &region.blocks[block.index()];
    let offset = u16::try_from(pc.wrapping_sub(data.pc)).ok()?;
    let at = data.guest_offsets.binary_search(&offset).ok()?;
    let second = region.push_block(pc);
    let (before, after) = region.blocks.split_at_mut(second.index());
    let (first_data, second_data) = (before.get_mut(block.index())?, after.first_mut()?);
    second_data.guest_offsets.extend(first_data.guest_offsets.drain(at..).map(|o| o - offset));
    let insts = &mut region.insts;
    let cut = first_data.insts.partition_point(|id: &InstId| (insts[id.index()].guest_index as usize) < at);
    for id in first_data.insts.drain(cut..) {
        insts[id.index()].guest_index -= at as u16;
        second_data.insts.push(id);
    }
    second_data.retired = first_data.retired - at as u32;
    first_data.retired = at as u32;
    let goes_on = Term::Jump(Edge { target: Target::Pc(pc), preempt: false });
    second_data.term = std::mem::replace(&mut first_data.term, goes_on);
    Some(second)
}
