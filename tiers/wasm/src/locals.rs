//! Which values share a local.
//!
//! The quick compilers of wasm engines clear all locals whenever a function is called, and carry them along branches; so a
//! value has a local only from the first to the last block, in the order in which they are emitted, that has use for it.

use crate::plan::Plan;
use crate::structure::Seq;
use friscy_lift_ir::held::Held;
use friscy_lift_ir::{Block, Def, Op, Region, Type, Value, cfg};

/// What a local holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    I32,
    I64,
    F32,
    F64,
}

impl Kind {
    /// What a value is in a local.
    pub(crate) fn of(region: &Region, plan: &Plan, v: Value) -> Kind {
        match (plan.held(v), region.values[v.index()].ty) {
            (Held::Single, _) | (Held::Plain, Type::F32) => Kind::F32,
            (Held::Double, _) | (Held::Plain, Type::F64) => Kind::F64,
            (Held::Plain, Type::I64) if plan.narrow.holds(v) => Kind::I32,
            (Held::Plain, Type::I64) => Kind::I64,
        }
    }
}

/// The locals of values that more than one block has use for.
#[derive(Default)]
pub(crate) struct Shared {
    /// By value: the local's number among these, and the places in the order of blocks from and to which it is the value's.
    of: Vec<Option<(u32, u32, u32)>>,
    /// By block: its place in the order.
    places: Vec<u32>,
}

impl Shared {
    /// The number of a value's local.
    pub(crate) fn local(&self, v: Value) -> Option<u32> {
        self.of.get(v.index()).copied().flatten().map(|(local, ..)| local)
    }

    /// Whether a local has the value in a block that the value's definition dominates.
    pub(crate) fn holds(&self, v: Value, block: Block) -> bool {
        let place = self.places[block.index()];
        self.of[v.index()].is_some_and(|(_, from, to)| from <= place && place <= to)
    }

    /// Gives locals to the values of a region.
    pub(crate) fn new(region: &Region, plan: &Plan) -> Shared {
        let mut places = vec![u32::MAX; region.blocks.len()];
        let mut next = 0;
        number(&plan.structure.seq, &mut places, &mut next);
        let mut spans = Spans { places, spans: vec![None; region.values.len()] };
        let mut preds: Vec<Vec<u32>> = vec![Vec::new(); region.blocks.len()];
        for edge in cfg::edges_within(region, &plan.order) {
            preds[edge.to.index()].push(edge.from.0);
        }
        // Parameters are set where control comes from.
        for &block in &plan.order {
            for &param in &region.blocks[block.index()].params {
                spans.add(param, block.0);
                preds[block.index()].iter().for_each(|&from| spans.add(param, from));
            }
            for id in &region.blocks[block.index()].insts {
                let v = region.insts[id.index()].result;
                if v != Value::NONE && plan.escapes[v.index()] {
                    spans.add(v, block.0);
                }
            }
        }
        // Where a value is used it is there from its definition on, whichever way control came.
        let mut seen = vec![u32::MAX; region.blocks.len()];
        let mut uses = uses(region, plan);
        uses.sort_unstable();
        uses.dedup();
        let mut stack = Vec::new();
        for (v, block) in uses {
            if spans.spans[v.index()].is_none() {
                continue;
            }
            stack.push(block);
            while let Some(block) = stack.pop() {
                // A value's uses come one after the other.
                if std::mem::replace(&mut seen[block as usize], v.0) == v.0 {
                    continue;
                }
                spans.add(v, block);
                if plan.home[v.index()] != block {
                    stack.extend(&preds[block as usize]);
                }
            }
        }
        let of = share(region, plan, &spans.spans);
        Shared { of, places: spans.places }
    }
}

struct Spans {
    places: Vec<u32>,
    spans: Vec<Option<(u32, u32)>>,
}

impl Spans {
    fn add(&mut self, v: Value, block: u32) {
        let place = self.places[block as usize];
        let span = &mut self.spans[v.index()];
        *span = Some(span.map_or((place, place), |(from, to)| (from.min(place), to.max(place))));
    }
}

/// Numbers blocks in the order in which they are emitted.
fn number(seq: &Seq, places: &mut [u32], next: &mut u32) {
    for item in &seq.items {
        match &item.body {
            Some(body) => number(body, places, next),
            None => {
                if let Some(place) = places.get_mut(item.head) {
                    *place = *next;
                    *next += 1;
                }
            }
        }
    }
}

/// The values that blocks have use for, with the blocks.
fn uses(region: &Region, plan: &Plan) -> Vec<(Value, u32)> {
    let mut uses = Vec::new();
    for &block in &plan.order {
        let data = &region.blocks[block.index()];
        let mut used = |v: Value| {
            // A box is made of what is in it.
            let v = match region.def(v) {
                Some(inst) if inst.op == Op::Box => inst.args[0],
                _ => v,
            };
            uses.push((v, block.0));
        };
        for id in &data.insts {
            region.insts[id.index()].args.into_iter().filter(|v| *v != Value::NONE).for_each(&mut used);
        }
        cfg::for_each_term_value_ref(&data.term, &mut used);
        for registers in [&plan.at_start[block.index()], plan.at_end(block)] {
            registers.dirty().for_each(|r| used(registers.value[r]));
        }
    }
    uses
}

/// Gives each value with a span the first local of its kind that is free for so long.
fn share(region: &Region, plan: &Plan, spans: &[Option<(u32, u32)>]) -> Vec<Option<(u32, u32, u32)>> {
    let mut order: Vec<(u32, u32, Value)> = Vec::new();
    for (v, span) in spans.iter().enumerate() {
        let v = Value(v as u32);
        let is_param = matches!(region.values[v.index()].def, Def::Param(..));
        if let Some((from, to)) = span.filter(|_| is_param || plan.kept[v.index()]) {
            order.push((from, to, v));
        }
    }
    order.sort_unstable();
    let mut of = vec![None; spans.len()];
    // Kind, and the last place at which it is taken.
    let mut locals: Vec<(Kind, u32)> = Vec::new();
    for (from, to, v) in order {
        let kind = Kind::of(region, plan, v);
        let free = locals.iter().position(|&(other, taken)| other == kind && taken < from);
        let local = free.unwrap_or_else(|| {
            locals.push((kind, 0));
            locals.len() - 1
        });
        locals[local].1 = to;
        of[v.index()] = Some((local as u32, from, to));
    }
    of
}
