//! What is worked out of a region before code is made.

use crate::host::AccessForm;
use crate::locals::Shared;
use crate::narrow::Narrow;
use crate::structure::{Node, Structure};
use friscy_lift_ir::held::{self, Held};
use friscy_lift_ir::loops::{Restarts, natural_loops};
use friscy_lift_ir::op::{Effects, ImmKind};
use friscy_lift_ir::registers::{self, Registers};
use friscy_lift_ir::{Block, Edge, Op, Region, Target, Term, Value, cfg};
use std::collections::BTreeMap;

/// How deep an expression may be that is made where it is used.
const MAX_DEPTH: u8 = 24;

pub(crate) struct Plan {
    /// Reachable blocks, in reverse postorder.
    pub(crate) order: Vec<Block>,
    /// Entries, block 0 first.
    pub(crate) entries: Vec<Block>,
    /// The registers at each block's start, and at its end.
    pub(crate) at_start: Vec<Registers>,
    at_end: Vec<Registers>,
    /// Loops that a fault restarts.
    pub(crate) restarts: Restarts,
    /// By block, the registers of which something may see what they are at its start.
    seen: Vec<u64>,
    form: AccessForm,
    /// Whether control may come to each block by more than one edge.
    pub(crate) joins: Vec<bool>,
    /// The immediate dominator of each block.
    pub(crate) dominators: Vec<Option<Block>>,
    /// Which values need a local.
    pub(crate) kept: Vec<bool>,
    /// Which of them are used in other blocks too.
    pub(crate) escapes: Vec<bool>,
    /// The block that makes each value, by its number.
    pub(crate) home: Vec<u32>,
    pub(crate) structure: Structure,
    /// Parameters that are not held as the region has them.
    held: BTreeMap<Value, Held>,
    /// Which values are held in 32 bits.
    pub(crate) narrow: Narrow,
    /// The locals of values that more than one block has use for.
    pub(crate) shared: Shared,
}

impl Plan {
    /// Works a region out.
    pub(crate) fn new(region: &Region, max_entries: usize, form: AccessForm) -> Plan {
        let mut order = Vec::new();
        cfg::reverse_postorder(region, &mut cfg::Scratch::default(), &mut order);
        let at_start = registers::at_starts(region, &order);
        let at_end = ends(region, &order, &at_start);
        let entries = entries(region, &order, &at_end, max_entries);
        let mut edges = vec![0; region.blocks.len()];
        let within = cfg::edges_within(region, &order);
        within.iter().for_each(|edge| edges[edge.to.index()] += 1);
        let held = held::held(region, &order, &within, &cfg::loop_heads(region, &within));
        let leaves = |edge: &Edge| match &edge.target {
            Target::Block(to, args) => {
                let params = &region.blocks[to.index()].params;
                params.iter().zip(args).any(|(param, arg)| is_guarded(region, &held, *param, *arg))
            }
            Target::Pc(_) => true,
        };
        // Where loads do not leave there is nothing to restart.
        let loops = if form == AccessForm::Checked { natural_loops(region, &order) } else { Vec::new() };
        let restarts = Restarts::new(region, &at_start, &loops, leaves);
        let seen = registers::seen_at_starts(region, &order, |op| may_leave(op, form), leaves);
        let joins = region.blocks.iter().zip(edges).enumerate();
        let joins = joins.map(|(at, (data, edges))| at == 0 || data.entry || edges != 1).collect();
        let blocks = region.blocks.len();
        let successors = (0..blocks).map(|at| successors(region, Block(at as u32), &at_end[at])).collect();
        let structure = Structure::new(successors, entries.iter().map(|block| block.index()).collect());
        let dominators = cfg::dominators(region).0;
        let count = region.values.len();
        let mut plan = Plan {
            order,
            entries,
            at_start,
            at_end,
            restarts,
            seen,
            form,
            joins,
            dominators,
            kept: vec![false; count],
            escapes: vec![false; count],
            home: vec![u32::MAX; count],
            structure,
            held,
            narrow: Narrow::default(),
            shared: Shared::default(),
        };
        plan.count_uses(region);
        plan.narrow = Narrow::new(region, &plan);
        plan.shared = Shared::new(region, &plan);
        plan
    }

    /// The registers at a block's end.
    pub(crate) fn at_end(&self, block: Block) -> &Registers {
        &self.at_end[block.index()]
    }

    /// Whether a value that dominates a block can be had there.
    pub(crate) fn is_there(&self, v: Value, block: Block) -> bool {
        self.home[v.index()] == block.0 || self.shared.holds(v, block)
    }

    /// What a value is held as.
    pub(crate) fn held(&self, v: Value) -> Held {
        self.held.get(&v).copied().unwrap_or(Held::Plain)
    }

    /// Registers that the state lacks at the end of an edge's source, and that its target expects in the state.
    pub(crate) fn to_store(&self, from: Block, to: Block, registers: &Registers) -> u64 {
        self.restarts.stored(from, to, registers, &self.at_start) & self.seen[to.index()]
    }

    /// Whether control may leave where an op is.
    pub(crate) fn leaves(&self, op: Op) -> bool {
        may_leave(op, self.form)
    }

    /// Whether control leaves on the way to a parameter unless the argument is a NaN-boxed single.
    pub(crate) fn is_guarded(&self, region: &Region, param: Value, arg: Value) -> bool {
        is_guarded(region, &self.held, param, arg)
    }

    /// Finds out which values need a local: those that are used more than once or elsewhere, and those that cannot be made
    /// where they are used.
    fn count_uses(&mut self, region: &Region) {
        let mut uses = vec![0u32; region.values.len()];
        let mut home = std::mem::take(&mut self.home);
        for &block in &self.order {
            let data = &region.blocks[block.index()];
            let results = data.insts.iter().map(|id| region.insts[id.index()].result);
            for v in data.params.iter().copied().chain(results).filter(|v| *v != Value::NONE) {
                home[v.index()] = block.0;
            }
        }
        let home = home;
        let mut used = |v: Value, block: Block, escapes: &mut Vec<bool>| {
            let v = inside(region, v);
            uses[v.index()] += 1;
            if home[v.index()] != block.0 {
                escapes[v.index()] = true;
            }
        };
        for &block in &self.order {
            let data = &region.blocks[block.index()];
            for id in &data.insts {
                let inst = &region.insts[id.index()];
                if matches!(inst.op, Op::SetX | Op::SetF) {
                    // No use, but a way out may store it.
                    let v = inside(region, inst.args[0]);
                    self.escapes[v.index()] |= home[v.index()] != block.0;
                    continue;
                }
                // A box is made where it is used, of what is in it.
                for v in inst.args.into_iter().filter(|v| *v != Value::NONE && inst.op != Op::Box) {
                    used(v, block, &mut self.escapes);
                }
            }
            cfg::for_each_term_value_ref(&data.term, |v| used(v, block, &mut self.escapes));
            let end = &self.at_end[block.index()];
            let flushed = match &data.term {
                Term::Call { .. } | Term::Indirect { .. } | Term::Exit { .. } => end.dirty,
                term => cfg::edges(term).fold(0, |all, edge| match edge.target {
                    Target::Block(to, _) => all | self.to_store(block, to, end),
                    Target::Pc(_) => end.dirty,
                }),
            };
            registers::bits(flushed).for_each(|r| used(end.value[r], block, &mut self.escapes));
            // What an exit may store.
            for registers in [&self.at_start[block.index()], end] {
                for r in registers.dirty() {
                    let v = inside(region, registers.value[r]);
                    if home[v.index()] != block.0 {
                        self.escapes[v.index()] = true;
                    }
                }
            }
        }
        self.home = home;
        let mut depth = vec![0u8; region.values.len()];
        for &block in &self.order {
            for id in &region.blocks[block.index()].insts {
                let inst = &region.insts[id.index()];
                let v = inst.result;
                if v == Value::NONE {
                    continue;
                }
                let deepest = inst.args.iter().filter(|v| **v != Value::NONE).map(|v| depth[v.index()]).max();
                depth[v.index()] = deepest.unwrap_or(0) + 1;
                let is_inline = is_inline(inst.op);
                self.kept[v.index()] = !matches!(inst.op, Op::Iconst | Op::Box)
                    && (!is_inline || uses[v.index()] > 1 || self.escapes[v.index()] || depth[v.index()] > MAX_DEPTH);
                if self.kept[v.index()] || inst.op == Op::Iconst {
                    depth[v.index()] = 0;
                }
            }
        }
    }
}

fn is_guarded(region: &Region, held: &BTreeMap<Value, Held>, param: Value, arg: Value) -> bool {
    let is_single = |v: Value| held.get(&v) == Some(&Held::Single);
    is_single(param) && !is_single(arg) && !held::is_box(region, arg)
}

/// The single that is in a box, or the value itself.
fn inside(region: &Region, v: Value) -> Value {
    match region.def(v) {
        Some(inst) if inst.op == Op::Box => inst.args[0],
        _ => v,
    }
}

/// Whether an op may be made where its value is used, once or, as an address, once more. Divisions are not: they branch, and
/// what branches engines make as often as it is said.
fn is_inline(op: Op) -> bool {
    op.info().effects == Effects::NONE && !op.divides()
}

/// The blocks at which control enters from outside. Where a shared jump is, its loop is not entered where calls come back
/// but from those: places that it leads to are near, and code for a loop that is entered at many places is slow.
fn entries(region: &Region, order: &[Block], at_end: &[Registers], max_entries: usize) -> Vec<Block> {
    let mut is_entry: Vec<bool> = region.blocks.iter().map(|data| data.entry).collect();
    if cfg::shared_jump(region).is_some() {
        let returns = order.iter().filter_map(|&block| registers::return_pc(region, block, &at_end[block.index()]));
        for site in returns.filter_map(|pc| cfg::return_site(region, pc)) {
            is_entry[site.index()] = false;
        }
    }
    is_entry[0] = true;
    let entries = is_entry.into_iter().enumerate().filter(|(_, is_entry)| *is_entry);
    entries.take(max_entries).map(|(at, _)| Block(at as u32)).collect()
}

/// The registers at each block's end.
fn ends(region: &Region, order: &[Block], at_start: &[Registers]) -> Vec<Registers> {
    let mut ends = at_start.to_vec();
    for block in order {
        for id in &region.blocks[block.index()].insts {
            let inst = &region.insts[id.index()];
            ends[block.index()].step(inst.op, inst.imm, inst.args[0], inst.result);
        }
    }
    ends
}

/// Where control may go within the function from a block: along its edges, or to where its call comes back.
fn successors(region: &Region, block: Block, end: &Registers) -> Vec<Node> {
    let term = &region.blocks[block.index()].term;
    match registers::return_pc(region, block, end) {
        Some(pc) => cfg::return_site(region, pc).into_iter().map(Block::index).collect(),
        None => {
            let mut to: Vec<Node> = cfg::edges(term).filter_map(cfg::target_block).map(Block::index).collect();
            to.dedup();
            to
        }
    }
}

/// Whether an op reads or writes the guest's memory.
pub(crate) fn is_access(op: Op) -> bool {
    op.info().effects.contains(Effects::FAULT)
}

/// Whether an op accesses memory once, with a displacement.
pub(crate) fn is_plain(op: Op) -> bool {
    op.info().imm == ImmKind::Disp
}

/// Whether an op may have to leave: an access, but for loads in the plain form.
fn may_leave(op: Op, form: AccessForm) -> bool {
    let is_load = is_plain(op) && op.info().result.is_some();
    is_access(op) && !(is_load && form == AccessForm::Plain)
}

/// Whether an op changes what must not be done twice: what follows may not go back to before it.
pub(crate) fn is_lasting(op: Op) -> bool {
    let effects = op.info().effects;
    let reads_flags = matches!(op, Op::GetFflags | Op::GetFrm);
    effects.contains(Effects::WRITE)
        || effects.contains(Effects::ORDER)
        || reads_flags
        || effects.contains(Effects::FP_ENV) && effects.contains(Effects::SET)
        || matches!(op, Op::SetFflags)
}
