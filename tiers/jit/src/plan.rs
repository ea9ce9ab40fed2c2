//! Which guest registers are in the state, and which only in values, at every point of a region.
//!
//! A `set` of the IR need not store: the value is the register's until the next one, and is stored on the ways out of the
//! region. What a fault finds is worked out here before code is made: for each register the value it has and whether the
//! state lacks it ("dirty").

use friscy_lift_ir::op::Effects;
use friscy_lift_ir::{Block, Inst, InstId, Op, Region, Target, Term, Type, Value, cfg};
use rustc_hash::{FxHashMap, FxHashSet};

/// Integer registers are numbered 0 to 31, floating-point ones 32 to 63.
pub(crate) const REGISTERS: usize = 64;

/// The guest registers at one point.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Registers {
    /// The value of each, or [`Value::NONE`] where none is known; those are in the state.
    pub(crate) value: [Value; REGISTERS],
    /// Those that the state lacks.
    pub(crate) dirty: u64,
}

impl Registers {
    fn unknown() -> Registers {
        Registers { value: [Value::NONE; REGISTERS], dirty: 0 }
    }

    /// Goes over an instruction.
    pub(crate) fn step(&mut self, op: Op, imm: i64, arg: Value, result: Value) {
        let number = imm as usize & 31;
        match op {
            Op::GetX => self.get(number, result),
            Op::GetF => self.get(number | 32, result),
            Op::SetX => self.set(number, arg),
            Op::SetF => self.set(number | 32, arg),
            _ => {}
        }
    }

    fn get(&mut self, r: usize, v: Value) {
        if self.value[r] == Value::NONE {
            self.value[r] = v;
        }
    }

    fn set(&mut self, r: usize, v: Value) {
        if self.value[r] != v {
            self.value[r] = v;
            self.dirty |= 1 << r;
        }
    }

    /// The dirty registers, in order.
    pub(crate) fn dirty(&self) -> impl Iterator<Item = usize> + use<> {
        bits(self.dirty)
    }
}

/// The numbers of the bits that are set.
pub(crate) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let r = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(r)
    })
}

/// What is known of a region before code is made.
pub(crate) struct Plan {
    /// Reachable blocks, in the order in which they are emitted.
    pub(crate) order: Vec<Block>,
    /// The registers at each block's start.
    pub(crate) at_start: Vec<Registers>,
    /// Whether control may come to each block by more than one edge.
    pub(crate) joins: Vec<bool>,
    /// Where each value is used last: the place in its block, or [`ELSEWHERE`].
    pub(crate) last_use: Vec<u32>,
    /// Parameters for the bits of doubles, that are doubles in code.
    floats: FxHashSet<Value>,
    /// What a NaN in each value is.
    nans: Vec<Nan>,
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
        let at_start = starts(region, &order);
        let last_use = last_uses(region, &order);
        let floats = float_params(region, &order);
        let nans = nans(region, &order, &floats);
        let mut edges = vec![0; region.blocks.len()];
        for &block in &order {
            let term = &region.blocks[block.index()].term;
            for to in cfg::edges(term).into_iter().flatten().filter_map(cfg::target_block) {
                edges[to.index()] += 1;
            }
        }
        let joins = region.blocks.iter().zip(edges).enumerate();
        let joins = joins.map(|(at, (data, edges))| at == 0 || data.entry || edges != 1).collect();
        let (quiet, takes_back) = quiet_comparisons(region, &order);
        Plan { order, at_start, joins, last_use, floats, nans, quiet, takes_back }
    }

    /// Whether a value is as the host computed it: a NaN may be another than the canonical one, for which it stands.
    pub(crate) fn is_raw(&self, v: Value) -> bool {
        self.nans[v.index()] == Nan::Any
    }

    /// Whether a value is a parameter that is a double in code: the region has its bits.
    pub(crate) fn is_float(&self, v: Value) -> bool {
        self.floats.contains(&v)
    }

    /// Whether an instruction's result is its first operand, NaNs and all.
    pub(crate) fn is_copy(&self, inst: &Inst) -> bool {
        is_copy(inst, &self.floats)
    }

    /// Whether an argument for a parameter is to be looked at: a NaN that it has is not to become the canonical one.
    pub(crate) fn to_guard(&self, param: Value, arg: Value) -> bool {
        self.is_raw(param) && self.nans[arg.index()] == Nan::Exact
    }
}

/// What a NaN in a floating-point value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nan {
    /// There is none.
    Never,
    /// It stands for the canonical one.
    Any,
    /// It is as the guest has it.
    Exact,
}

/// The values in which any NaN stands for the canonical one: those that the host's arithmetic gives, and those that pass
/// only such on. A loop's parameter may be one of them although what comes to it from before the loop is not: then that
/// has to be looked at on its way ([`Plan::to_guard`]).
fn nans(region: &Region, order: &[Block], floats: &FxHashSet<Value>) -> Vec<Nan> {
    let mut place = vec![usize::MAX; region.blocks.len()];
    for (at, block) in order.iter().enumerate() {
        place[block.index()] = at;
    }
    let edges: Vec<(Block, Block, &[Value])> = order
        .iter()
        .flat_map(|&from| {
            let within = cfg::edges(&region.blocks[from.index()].term).into_iter().flatten();
            within.filter_map(move |edge| match &edge.target {
                Target::Block(to, args) => Some((from, *to, &args[..])),
                Target::Pc(_) => None,
            })
        })
        .collect();
    let goes_back = |from: Block, to: Block| place[from.index()] >= place[to.index()];
    let mut guarded = vec![false; region.values.len()];
    for &(from, to, _) in &edges {
        if goes_back(from, to) {
            region.blocks[to.index()].params.iter().for_each(|v| guarded[v.index()] = true);
        }
    }
    loop {
        let mut nans = vec![Nan::Exact; region.values.len()];
        for block in order.iter().map(|block| &region.blocks[block.index()]) {
            for v in &block.params {
                let holds = region.values[v.index()].ty != Type::I64 || floats.contains(v);
                nans[v.index()] = if holds { Nan::Never } else { Nan::Exact };
            }
            for id in &block.insts {
                let inst = &region.insts[id.index()];
                if inst.result != Value::NONE {
                    nans[inst.result.index()] = made_nan(region, inst, floats);
                }
            }
        }
        let mut changed = true;
        while changed {
            changed = false;
            let mut pass = |to: Value, nan: Nan, nans: &mut Vec<Nan>| {
                changed |= nan > nans[to.index()];
                nans[to.index()] = nan.max(nans[to.index()]);
            };
            for inst in order.iter().flat_map(|block| &region.blocks[block.index()].insts) {
                let inst = &region.insts[inst.index()];
                if is_copy(inst, floats) || bits_of(inst).is_some() {
                    pass(inst.result, nans[inst.args[0].index()], &mut nans);
                }
            }
            for &(from, to, args) in &edges {
                for (param, arg) in region.blocks[to.index()].params.iter().zip(args) {
                    let nan = nans[arg.index()];
                    if nan != Nan::Exact || !guarded[param.index()] || goes_back(from, to) {
                        pass(*param, nan, &mut nans);
                    }
                }
            }
        }
        // What is only passed on, or is never a NaN otherwise, is not worth looking at.
        let mut again = false;
        for &(_, to, args) in &edges {
            for (param, arg) in region.blocks[to.index()].params.iter().zip(args) {
                if guarded[param.index()] && nans[param.index()] != Nan::Any && nans[arg.index()] == Nan::Exact {
                    guarded[param.index()] = false;
                    again = true;
                }
            }
        }
        if !again {
            return nans;
        }
    }
}

/// What a NaN in an instruction's result is, where that does not depend on its operands.
fn made_nan(region: &Region, inst: &Inst, floats: &FxHashSet<Value>) -> Nan {
    match inst.op {
        op if is_arithmetic(op) => Nan::Any,
        Op::Iconst if !f64::from_bits(inst.imm as u64).is_nan() => Nan::Never,
        _ if is_copy(inst, floats) || bits_of(inst).is_some() => Nan::Never,
        Op::BitsF64 if region.as_const(inst.args[0]).is_some_and(|bits| !f64::from_bits(bits as u64).is_nan()) => {
            Nan::Never
        }
        Op::BitsF32 if region.as_const(inst.args[0]).is_some_and(|bits| !f32::from_bits(bits as u32).is_nan()) => {
            Nan::Never
        }
        Op::CvtF32S32 | Op::CvtF32U32 | Op::CvtF32S64 | Op::CvtF32U64 => Nan::Never,
        Op::CvtF64S32 | Op::CvtF64U32 | Op::CvtF64S64 | Op::CvtF64U64 => Nan::Never,
        _ => Nan::Exact,
    }
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

/// Arithmetic whose result, if it is a NaN, is the canonical one in RISC-V and any in the host (unprivileged manual,
/// "NaN Generation and Propagation").
fn is_arithmetic(op: Op) -> bool {
    use Op::{CvtF32F64, CvtF64F32, FaddD, FaddS, FdivD, FdivS, FmaD, FmaS, FmsD, FmsS, FmulD, FmulS};
    use Op::{FnmaD, FnmaS, FnmsD, FnmsS, FsqrtD, FsqrtS, FsubD, FsubS};
    matches!(op, FaddS | FaddD | FsubS | FsubD | FmulS | FmulD | FdivS | FdivD | FsqrtS | FsqrtD)
        || matches!(op, FmaS | FmaD | FmsS | FmsD | FnmsS | FnmsD | FnmaS | FnmaD | CvtF32F64 | CvtF64F32)
}

/// Sign injection from the value itself copies it; so does the double of bits that are one in code.
fn is_copy(inst: &Inst, floats: &FxHashSet<Value>) -> bool {
    let injects = matches!(inst.op, Op::FsgnjS | Op::FsgnjD) && inst.args[0] == inst.args[1];
    injects || inst.op == Op::BitsF64 && floats.contains(&inst.args[0])
}

/// The double whose bits an instruction gives.
pub(crate) fn bits_of(inst: &Inst) -> Option<Value> {
    (inst.op == Op::BitsI64).then_some(inst.args[0])
}

/// The integer parameters to which only bits of doubles come, and of which doubles are made: compilers let a double pass
/// through an integer register from one time round a loop to the next.
fn float_params(region: &Region, order: &[Block]) -> FxHashSet<Value> {
    let insts = order.iter().flat_map(|block| &region.blocks[block.index()].insts);
    let mut wanted = FxHashSet::default();
    for inst in insts.map(|id| &region.insts[id.index()]).filter(|inst| inst.op == Op::BitsF64) {
        if region.def(inst.args[0]).is_none() {
            wanted.insert(inst.args[0]);
        }
    }
    while !wanted.is_empty() {
        let mut out = Vec::new();
        for &block in order {
            for edge in cfg::edges(&region.blocks[block.index()].term).into_iter().flatten() {
                let Target::Block(to, args) = &edge.target else { continue };
                let params = &region.blocks[to.index()].params;
                for (&param, &arg) in params.iter().zip(args).filter(|(param, _)| wanted.contains(*param)) {
                    let is_double = match region.def(arg) {
                        Some(inst) => inst.op == Op::Iconst || bits_of(inst).is_some(),
                        None => wanted.contains(&arg),
                    };
                    if !is_double {
                        out.push(param);
                    }
                }
            }
        }
        if out.is_empty() {
            break;
        }
        out.iter().for_each(|v| {
            wanted.remove(v);
        });
    }
    wanted
}

fn last_uses(region: &Region, order: &[Block]) -> Vec<u32> {
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
    last
}

/// An edge within the region.
struct Incoming {
    from: Block,
    args: Vec<Value>,
}

fn starts(region: &Region, order: &[Block]) -> Vec<Registers> {
    let mut incoming: Vec<Vec<Incoming>> = region.blocks.iter().map(|_| Vec::new()).collect();
    for &from in order {
        for edge in cfg::edges(&region.blocks[from.index()].term).into_iter().flatten() {
            if let Target::Block(to, args) = &edge.target {
                incoming[to.index()].push(Incoming { from, args: args.clone() });
            }
        }
    }
    let mut at_start: Vec<Option<Registers>> = vec![None; region.blocks.len()];
    let mut at_end: Vec<Option<Registers>> = vec![None; region.blocks.len()];
    let mut visits = vec![0u32; region.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for &block in order {
            let data = &region.blocks[block.index()];
            let entry = data.entry || block.index() == 0;
            let new = match (entry, &at_start[block.index()]) {
                (true, Some(_)) => continue,
                (true, None) => Registers::unknown(),
                (false, old) => {
                    let old = old.as_ref().filter(|_| visits[block.index()] > SETTLED);
                    join(old, &data.params, &incoming[block.index()], &at_end)
                }
            };
            if at_start[block.index()].as_ref() == Some(&new) {
                continue;
            }
            changed = true;
            visits[block.index()] += 1;
            let mut registers = new.clone();
            at_start[block.index()] = Some(new);
            for id in &data.insts {
                let inst = &region.insts[id.index()];
                registers.step(inst.op, inst.imm, inst.args[0], inst.result);
            }
            if matches!(data.term, Term::Call { .. } | Term::Indirect { .. } | Term::Exit { .. }) {
                registers.dirty = 0;
            }
            at_end[block.index()] = Some(registers);
        }
    }
    at_start.into_iter().map(|registers| registers.unwrap_or_else(Registers::unknown)).collect()
}

/// How often what is known at a block's start may change freely; from then on it can only become less.
const SETTLED: u32 = 8;

/// The registers at a block's start: if there is something `old`, no more than that.
fn join(old: Option<&Registers>, params: &[Value], incoming: &[Incoming], at_end: &[Option<Registers>]) -> Registers {
    let mut joined = Registers::unknown();
    let known: Vec<(&Incoming, &Registers)> =
        incoming.iter().filter_map(|edge| Some((edge, at_end[edge.from.index()].as_ref()?))).collect();
    let Some(((_, first), rest)) = known.split_first() else { return joined };
    for r in 0..REGISTERS {
        let mut value = first.value[r];
        if rest.iter().any(|(_, end)| end.value[r] != value) {
            value = Value::NONE;
        }
        if value == Value::NONE {
            // A parameter may be what all have.
            let fits = |i: &usize| {
                known.iter().all(|(edge, end)| end.value[r] != Value::NONE && edge.args.get(*i) == Some(&end.value[r]))
            };
            value = (0..params.len()).find(fits).map_or(Value::NONE, |i| params[i]);
        }
        if old.is_some_and(|old| old.value[r] != value) {
            value = Value::NONE;
        }
        joined.value[r] = value;
        let dirty =
            known.iter().any(|(_, end)| end.dirty >> r & 1 != 0) || old.is_some_and(|old| old.dirty >> r & 1 != 0);
        if dirty && value != Value::NONE {
            joined.dirty |= 1 << r;
        }
    }
    joined
}
