//! From a region to Cranelift's IR, an op at a time.

mod control;
mod divide;
mod float;
mod integer;
mod memory;

pub(crate) use float::serve;

use crate::fault::Form;
use crate::floats::{Held, single_of};
use crate::live::inside;
use crate::plan::{ELSEWHERE, Plan};
use crate::symbol::Symbol;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::{Ieee32, Offset32};
use cranelift_codegen::ir::{
    self, AbiParam, ExternalName, GlobalValue, GlobalValueData, InstBuilder, MemFlagsData, Signature, SourceLoc,
    Type as ClifType, UserExternalName, ValueLabel, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::FunctionBuilder;
use friscy_lift_ir::registers::{REGISTERS, Registers, set_register};
use friscy_lift_ir::{Block, Inst, InstId, Op, Region, Type, Value, cfg};
use friscy_seam::State;
use friscy_seam::access::STATE_BELOW;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeSet, HashMap};
use std::mem::offset_of;

/// Why a region was not compiled.
pub(crate) type Emitted<T> = Result<T, &'static str>;

/// Where a value is to be found at an access, before code is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// In the value with this label.
    Label(u32),
    /// Known.
    Const(u64),
    /// In the state: a base of an address.
    Stored,
    /// In no place that is known.
    Nowhere,
}

/// An access, before code is made.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) pc: u64,
    pub(crate) write: bool,
    /// A guest register, or a value.
    pub(crate) base: Result<u8, (Value, Form, Source)>,
    pub(crate) disp: i32,
    /// Values that fuel can be found from, with the instructions retired since it was that.
    pub(crate) fuel: Vec<(Source, i64)>,
    /// Register, and what has its value.
    pub(crate) dirty: Vec<(u8, Value, Form, Source)>,
    /// Where the loop begins that a fault restarts.
    pub(crate) restart: Option<u64>,
}

/// The CLIF values of a region's values, whole and as low halves.
pub(crate) struct Names {
    pub(crate) whole: Vec<Option<ir::Value>>,
    pub(crate) narrow: Vec<Option<ir::Value>>,
}

/// How many computations are done at most, one from the other, to find a register at a fault.
pub(crate) const COMPUTED_DEPTH: u32 = 8;

/// How many ops that were put off may depend on each other.
const MAX_PUT_OFF: u32 = 40;

/// Whether an op is left for when its value is asked for. Division is blocks of code.
fn is_put_off(op: Op) -> bool {
    let divides = matches!(op, Op::DivS | Op::DivU | Op::RemS | Op::RemU)
        || matches!(op, Op::DivS32 | Op::DivU32 | Op::RemS32 | Op::RemU32);
    is_computable(op) && !divides
}

/// Whether a value of this op can be computed again from its operands.
pub(crate) fn is_computable(op: Op) -> bool {
    let info = op.info();
    let integers = info.args.iter().all(|ty| *ty == Type::I64) && !info.args.is_empty();
    integers && info.result == Some(Type::I64) && info.effects == friscy_lift_ir::op::Effects::NONE
}

/// Registers that must be stored before an access, by the access's number: no place has them there.
pub(crate) type Stores = BTreeSet<(u32, u8)>;

/// Stands for the base of the address among registers to be stored.
pub(crate) const BASE: u8 = 64;

/// Where in [`State::scratch`] a base is stored.
pub(crate) const BASE_SLOT: usize = 64;

/// Where there a value is stored that nobody reads.
const UNREAD_SLOT: usize = 65;

/// Where there a helper's result is.
pub(crate) const RESULT_SLOT: usize = 66;

/// Where there the helper finds what is asked for, and behind it the operands.
pub(crate) const REQUEST_SLOT: usize = 67;

/// Where there MXCSR is while compiled code waits for the helper, or has faulted.
pub(crate) const MXCSR_SLOT: usize = 71;

/// Where there fuel is from before the loop that a fault restarts.
pub(crate) const RESTART_FUEL_SLOT: usize = 72;

/// The signature of compiled code.
pub(crate) fn signature() -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params = vec![AbiParam::new(types::I64); 2];
    signature.returns = vec![AbiParam::new(types::I64); 2];
    signature
}

/// Fuel, as a value less the instructions since.
#[derive(Clone, Copy)]
pub(crate) struct Fuel {
    pub(crate) root: ir::Value,
    pub(crate) spent: i64,
}

/// What fuel was computed from, by its value: the code generator adds constants up, and then one of them has no place.
pub(crate) type Counted = FxHashMap<ir::Value, Fuel>;

/// What is known of a function that was made.
pub(crate) struct Made {
    pub(crate) accesses: Vec<Access>,
    pub(crate) counted: Counted,
    pub(crate) names: Names,
    /// What it refers to, by the numbers of the names that the code generator reports.
    pub(crate) symbols: Vec<Symbol>,
}

pub(crate) struct Emitter<'a, 'b> {
    region: &'a Region,
    plan: &'a Plan,
    /// What the code refers to, by the number of the global value.
    symbols: Vec<Symbol>,
    b: FunctionBuilder<'b>,
    tail: ir::SigRef,
    helper: ir::SigRef,
    has_fma: bool,
    blocks: Vec<ir::Block>,
    values: Vec<Option<ir::Value>>,
    /// Low halves of values that are those sign-extended.
    narrow: Vec<Option<ir::Value>>,
    /// Comparisons as a byte, for branches.
    conditions: HashMap<Value, ir::Value>,
    /// Ops that were put off, by their results, with how many of them depend on each other.
    put_off: FxHashMap<Value, (Inst, u32)>,
    /// Values among those that were made for code that is not always done.
    made_aside: Vec<Value>,
    /// Canonical forms of raw values, in this block.
    settled: HashMap<Value, ir::Value>,
    /// Raw values that have become canonical, for all code to come.
    settled_for_good: FxHashSet<Value>,
    /// Zero-extended low halves, in this block.
    low_halves: HashMap<Value, ir::Value>,
    registers: Registers,
    /// Fuel at the block's start.
    fuel: Fuel,
    counted: Counted,
    /// The same of blocks with one edge that leads to them.
    fuel_at_start: Vec<Option<Fuel>>,
    /// The window's start, once this block has asked for it, or from before the loop.
    window: Option<ir::Value>,
    /// That from before the loop which this block is in.
    loop_window: Option<ir::Value>,
    /// That at the ends of blocks before loops.
    windows: FxHashMap<Block, ir::Value>,
    /// Whether this block is seldom reached.
    is_aside: bool,
    block: Block,
    /// The place in the block.
    at: u32,
    /// Where this block's instructions use values last.
    last_here: FxHashMap<Value, u32>,
    /// The instruction of this block, by its place, whose register is stored at once.
    stored_early: [u32; REGISTERS],
    must_store: &'a Stores,
    pub(crate) accesses: Vec<Access>,
    /// See [`crate::compile::Compiler::stores_all`].
    pub(crate) stores_all: bool,
}

/// The CLIF type of a value.
fn clif_type(ty: Type) -> ClifType {
    match ty {
        Type::I64 => types::I64,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
    }
}

/// Where a field of the state is, relative to the window.
pub(crate) fn state_offset(field: usize) -> i32 {
    field as i32 - STATE_BELOW as i32
}

/// Where a guest register is.
fn register_offset(r: usize) -> i32 {
    let first = if r < 32 { offset_of!(State, x) } else { offset_of!(State, f) };
    state_offset(first + 8 * (r & 31))
}

impl<'a, 'b> Emitter<'a, 'b> {
    pub(crate) fn new(
        region: &'a Region,
        plan: &'a Plan,
        mut b: FunctionBuilder<'b>,
        must_store: &'a Stores,
        has_fma: bool,
    ) -> Emitter<'a, 'b> {
        let tail = b.import_signature(signature());
        // What it is given and what it returns is in the state: no value of the region has to make way for a seldom call.
        let helper = b.import_signature(Signature::new(CallConv::PreserveAll));
        Emitter {
            region,
            plan,
            symbols: Vec::new(),
            b,
            tail,
            helper,
            has_fma,
            blocks: Vec::new(),
            values: vec![None; region.values.len()],
            narrow: vec![None; region.values.len()],
            conditions: HashMap::new(),
            settled: HashMap::new(),
            settled_for_good: FxHashSet::default(),
            put_off: FxHashMap::default(),
            made_aside: Vec::new(),
            low_halves: HashMap::new(),
            registers: plan.at_start[0].clone(),
            fuel: Fuel { root: ir::Value::from_u32(0), spent: 0 },
            counted: Counted::default(),
            fuel_at_start: vec![None; region.blocks.len()],
            window: None,
            loop_window: None,
            windows: FxHashMap::default(),
            is_aside: false,
            block: Block(0),
            at: 0,
            last_here: FxHashMap::default(),
            stored_early: [u32::MAX; REGISTERS],
            must_store,
            accesses: Vec::new(),
            stores_all: false,
        }
    }

    /// Emits everything; returns the guest addresses of the entries, by number.
    pub(crate) fn emit(&mut self) -> Emitted<Vec<u64>> {
        let region = self.region;
        for _ in &region.blocks {
            let block = self.b.create_block();
            self.blocks.push(block);
        }
        let entries = self.dispatch()?;
        for &block in &self.plan.order {
            self.block(block)?;
        }
        Ok(entries)
    }

    /// Ends the function.
    pub(crate) fn finish(mut self, config: TargetFrontendConfig) -> Made {
        self.b.seal_all_blocks();
        self.b.finalize(config);
        let names = Names { whole: self.values, narrow: self.narrow };
        Made { accesses: self.accesses, counted: self.counted, names, symbols: self.symbols }
    }

    fn block(&mut self, block: Block) -> Emitted<()> {
        let data = &self.region.blocks[block.index()];
        let clif = self.blocks[block.index()];
        self.b.set_srcloc(SourceLoc::default());
        self.b.switch_to_block(clif);
        self.block = block;
        self.fuel = match self.fuel_at_start[block.index()] {
            Some(fuel) if !self.plan.joins[block.index()] => fuel,
            _ => {
                let root = self.b.append_block_param(clif, types::I64);
                self.label(root);
                Fuel { root, spent: 0 }
            }
        };
        for &param in &data.params {
            let ty = self.region.values[param.index()].ty;
            let ty = match self.plan.floats.held(param) {
                Held::Plain => clif_type(ty),
                Held::Double => types::F64,
                Held::Single => types::F32,
            };
            let value = self.b.append_block_param(clif, ty);
            self.define(param, value);
        }
        self.loop_window = self.plan.window_from[block.index()].and_then(|before| self.windows.get(&before).copied());
        self.window = self.loop_window;
        self.forget_made();
        self.low_halves.clear();
        self.settled.clear();
        self.registers = self.plan.at_start[block.index()].clone();
        self.stored_early = self.early_stores(block);
        self.last_here.clear();
        for (at, id) in data.insts.iter().enumerate() {
            let inst = &self.region.insts[id.index()];
            let args = inst.args.iter().filter(|v| **v != Value::NONE && !matches!(inst.op, Op::SetX | Op::SetF));
            self.last_here.extend(args.map(|v| (inside(self.region, *v), at as u32)));
        }
        for (at, &id) in data.insts.iter().enumerate() {
            self.at = at as u32;
            self.inst(id)?;
        }
        self.at = data.insts.len() as u32;
        for &id in &data.insts {
            let result = self.region.insts[id.index()].result;
            if result != Value::NONE && self.plan.last_use[result.index()] == ELSEWHERE {
                self.force(result);
            }
        }
        if self.plan.keeps_window.contains(&block) {
            let window = self.window();
            self.windows.insert(block, window);
        }
        self.terminator(block)
    }

    /// For each register the last instruction of a block that sets it, if the state has to have it at the block's end
    /// anyway: stored at once it takes no place until then.
    fn early_stores(&self, block: Block) -> [u32; REGISTERS] {
        let data = &self.region.blocks[block.index()];
        let within = cfg::edges(&data.term).filter_map(cfg::target_block);
        let kept = within.map(|to| self.plan.at_start[to.index()].dirty).fold(0, |all, dirty| all | dirty);
        let kept = kept | self.plan.restarts.kept(block);
        let mut last = [u32::MAX; REGISTERS];
        for (at, id) in data.insts.iter().enumerate() {
            if let Some(r) = set_register(&self.region.insts[id.index()]).filter(|r| kept >> r & 1 == 0) {
                last[r] = at as u32;
            }
        }
        last
    }

    fn inst(&mut self, id: InstId) -> Emitted<()> {
        let inst = self.region.insts[id.index()];
        let effects = inst.op.info().effects;
        let register = inst.imm as usize & 31;
        match inst.op {
            Op::Addr => return Err("an address that depends on where a file is loaded"),
            // Constants are made where they are used, so that they take no registers meanwhile.
            Op::Iconst | Op::Box | Op::BitsI64 | Op::Fence => {}
            Op::GetX | Op::GetF => {
                let (r, ty) = if inst.op == Op::GetX { (register, types::I64) } else { (register | 32, types::F64) };
                let value = self.load_state(ty, register_offset(r));
                self.define(inst.result, value);
            }
            Op::SetX | Op::SetF => {}
            _ if effects.contains(friscy_lift_ir::op::Effects::FAULT) => self.memory(&inst)?,
            op if is_put_off(op) => self.put_off(&inst),
            _ if self.integer(&inst) => {}
            _ => self.float(id, &inst)?,
        }
        self.registers.step(inst.op, inst.imm, inst.args[0], inst.result);
        if let Some(r) =
            set_register(&inst).filter(|&r| self.stored_early[r] == self.at && self.registers.dirty >> r & 1 != 0)
        {
            self.put_register(r, inst.args[0]);
            self.registers.dirty &= !(1 << r);
        }
        Ok(())
    }

    /// Leaves an op without effects for when its value is asked for: so it takes no place before, and none if only a fault
    /// would show it.
    fn put_off(&mut self, inst: &Inst) {
        let depth = |v: &Value| self.put_off.get(v).map_or(0, |(_, depth)| *depth);
        let depth = 1 + inst.args.iter().map(depth).max().unwrap_or(0);
        if depth > MAX_PUT_OFF {
            self.integer(inst);
        } else {
            self.put_off.insert(inst.result, (*inst, depth));
        }
    }

    /// Makes a value that was put off. Where control may not come by, it is made for there only.
    fn force(&mut self, v: Value) {
        if self.values[v.index()].is_some() {
            return;
        }
        let Some(&(inst, _)) = self.put_off.get(&v) else { return };
        if self.is_aside || self.plan.home[v.index()] != self.block.0 {
            self.made_aside.push(v);
        } else {
            self.put_off.remove(&v);
        }
        self.integer(&inst);
    }

    /// Forgets what was made for code that is over.
    fn forget_made(&mut self) {
        for v in self.made_aside.drain(..) {
            self.values[v.index()] = None;
            self.narrow[v.index()] = None;
            self.conditions.remove(&v);
            self.low_halves.remove(&v);
        }
    }

    /// Makes `value` the region's value `v`.
    fn define(&mut self, v: Value, value: ir::Value) {
        self.values[v.index()] = Some(value);
        self.label(value);
    }

    /// Makes `value` the low half of the region's value `v`, which is that sign-extended. If it is not negative, then it is
    /// that zero-extended as well, which most ops do by themselves.
    fn define_narrow(&mut self, v: Value, value: ir::Value, is_positive: bool) {
        self.narrow[v.index()] = Some(value);
        self.label(value);
        let whole =
            if is_positive { self.b.ins().uextend(types::I64, value) } else { self.b.ins().sextend(types::I64, value) };
        self.define(v, whole);
    }

    /// The low half of `v`.
    fn low(&mut self, v: Value) -> ir::Value {
        if let Some(low) = self.low_alone(v) {
            return low;
        }
        self.force(v);
        if let Some(value) = self.narrow[v.index()] {
            return value;
        }
        if let Some(imm) = self.region.as_const(v) {
            return self.b.ins().iconst(types::I32, i64::from(imm as u32));
        }
        let value = self.get(v);
        self.b.ins().ireduce(types::I32, value)
    }

    /// The low half of what was put off and will not be asked for as a whole: computed from low halves.
    fn low_alone(&mut self, v: Value) -> Option<ir::Value> {
        if self.values[v.index()].is_some() || self.lives_on(v) {
            return None;
        }
        let &(inst, _) = self.put_off.get(&v)?;
        let [x, y, _] = inst.args;
        let shifts = |y| self.region.as_const(y).is_some_and(|by| (by & 63) < i64::from(u32::BITS));
        match inst.op {
            Op::Zext32 => Some(self.low(x)),
            Op::Add | Op::Sub | Op::Or | Op::Xor | Op::Mul => {
                let (x, y) = (self.low(x), self.low(y));
                self.binary(inst.op, x, y)
            }
            Op::Shl if shifts(y) => {
                let (x, y) = (self.low(x), self.low(y));
                self.binary(inst.op, x, y)
            }
            _ => None,
        }
    }

    /// Whether `v` is there as a low half, or can be.
    fn is_narrow(&mut self, v: Value) -> bool {
        self.force(v);
        self.narrow[v.index()].is_some() || self.region.as_const(v).is_some_and(|imm| imm == i64::from(imm as i32))
    }

    /// Lets the place of a value be found by its number.
    fn label(&mut self, value: ir::Value) {
        self.b.set_val_label(value, ValueLabel::from_u32(value.as_u32()));
    }

    /// The CLIF value of `v`; constants and boxes are made here. A NaN that the host computed becomes the canonical one.
    fn get(&mut self, v: Value) -> ir::Value {
        if let Some(inst) = self.region.def(v).filter(|inst| inst.op == Op::BitsI64) {
            let value = self.get(inst.args[0]);
            return self.b.ins().bitcast(types::I64, MemFlagsData::new(), value);
        }
        let value = self.get_held(v);
        match self.plan.floats.held(v) {
            Held::Plain => value,
            Held::Double => self.b.ins().bitcast(types::I64, MemFlagsData::new(), value),
            Held::Single => self.boxed(value),
        }
    }

    /// As [`Self::get`], as what the value is held as.
    fn get_held(&mut self, v: Value) -> ir::Value {
        let value = self.raw(v);
        if !self.plan.floats.is_raw(v) || self.settled_for_good.contains(&v) {
            return value;
        }
        match self.settled.get(&v) {
            Some(&settled) => settled,
            None => self.canonical(value),
        }
    }

    /// What goes to a parameter, as what that is held as.
    fn argument(&mut self, param: Value, arg: Value) -> ir::Value {
        let (held, is_raw) = (self.plan.floats.held(param), self.plan.floats.is_raw(param));
        let made_from = self.region.def(arg).filter(|inst| match held {
            Held::Double => inst.op == Op::BitsI64,
            _ => inst.op == Op::Box,
        });
        let from = made_from.map_or(arg, |inst| inst.args[0]);
        match held {
            Held::Plain if is_raw && self.plan.floats.held(arg) == Held::Plain => return self.raw(arg),
            Held::Plain => return self.get(arg),
            _ if made_from.is_none() && self.plan.floats.held(arg) != held => {}
            _ => return if is_raw { self.raw(from) } else { self.get_held(from) },
        }
        if let (Held::Single, Some(bits)) = (held, single_of(self.region, arg)) {
            return self.b.ins().f32const(Ieee32::with_bits(bits));
        }
        let value = self.get(arg);
        match held {
            Held::Double => self.b.ins().bitcast(types::F64, MemFlagsData::new(), value),
            _ => self.low_single(value),
        }
    }

    /// An operand: as it is, if it is a number, as [`Self::get`] else.
    fn operand(&mut self, v: Value) -> ir::Value {
        if self.region.values[v.index()].ty == Type::I64 || self.plan.floats.held(v) != Held::Plain {
            self.get(v)
        } else {
            self.raw(v)
        }
    }

    /// The CLIF value of `v`, in which any NaN may stand for the canonical one if `v` is raw.
    fn raw(&mut self, v: Value) -> ir::Value {
        self.force(v);
        if let Some(value) = self.values[v.index()] {
            return value;
        }
        match self.region.def(v) {
            Some(inst) if inst.op == Op::Box => {
                let single = self.get(inst.args[0]);
                self.boxed(single)
            }
            Some(inst) if inst.op == Op::BitsI64 => self.get(v),
            inst => {
                let imm = inst.map_or(0, |inst| inst.imm);
                self.b.ins().iconst(types::I64, imm)
            }
        }
    }

    /// Whether a value was put off and is not made yet.
    fn is_put_off(&self, v: Value) -> bool {
        self.values[v.index()].is_none() && self.put_off.contains_key(&v)
    }

    /// As [`Self::source`]; nothing is made for it.
    fn source_if_made(&mut self, v: Value) -> (Form, Source) {
        if self.is_put_off(v) { (Form::Whole, Source::Nowhere) } else { self.source(v) }
    }

    /// Where the value of a register, or of a base, is found at a fault.
    fn source(&mut self, v: Value) -> (Form, Source) {
        match self.region.def(v) {
            Some(inst) if inst.op == Op::Iconst => (Form::Whole, Source::Const(inst.imm as u64)),
            Some(inst) if inst.op == Op::Box => {
                let single = self.raw(inst.args[0]);
                let form = if self.plan.floats.is_raw(inst.args[0]) { Form::RawBoxed } else { Form::Boxed };
                (form, Source::Label(single.as_u32()))
            }
            Some(inst) if inst.op == Op::BitsI64 => self.source(inst.args[0]),
            _ => {
                let form = match (self.plan.floats.is_raw(v), self.plan.floats.held(v)) {
                    (true, Held::Single) => Form::RawBoxed,
                    (true, _) => Form::RawDouble,
                    (false, Held::Single) => Form::Boxed,
                    (false, _) => Form::Whole,
                };
                (form, Source::Label(self.raw(v).as_u32()))
            }
        }
    }

    fn load_state(&mut self, ty: ClifType, offset: i32) -> ir::Value {
        let window = self.window();
        self.b.ins().load(ty, MemFlagsData::trusted(), window, Offset32::new(offset))
    }

    fn store_state(&mut self, value: ir::Value, offset: i32) {
        let window = self.window();
        self.b.ins().store(MemFlagsData::trusted(), value, window, Offset32::new(offset));
    }

    /// Stores a register's value.
    fn store_register(&mut self, r: usize, v: Value) {
        let is_single = matches!(self.region.def(v), Some(inst) if inst.op == Op::Box);
        let value = match self.region.values[v.index()].ty {
            // In code that is always done when the block is.
            Type::F64 if !self.is_aside && !is_single => self.settle(v),
            _ => self.get(v),
        };
        self.store_state(value, register_offset(r));
    }

    /// As [`Self::store_register`], where nobody will read it soon: singles are stored by halves, which costs less, but
    /// the whole cannot be read back at once.
    fn put_register(&mut self, r: usize, v: Value) {
        let single = match self.region.def(v) {
            _ if self.is_aside => None,
            Some(inst) if inst.op == Op::Box => Some(self.settle(inst.args[0])),
            None if self.plan.floats.held(v) == Held::Single => Some(self.get_held(v)),
            _ => None,
        };
        let Some(single) = single else { return self.store_register(r, v) };
        self.store_state(single, register_offset(r));
        let ones = self.b.ins().iconst(types::I32, 0xffff_ffff);
        self.store_state(ones, register_offset(r) + 4);
    }

    /// Stores every register that the state lacks, as `registers` says.
    fn flush(&mut self, registers: &Registers) {
        for r in registers.dirty() {
            self.store_register(r, registers.value[r]);
        }
    }

    /// Prepares an access that may fault: stores what could not be found, and notes where the rest is. The instructions
    /// emitted next carry the access's number.
    fn access(&mut self, base: Value, disp: i32, guest_index: u16, write: bool) {
        let number = self.accesses.len() as u32;
        let data = &self.region.blocks[self.block.index()];
        let mut dirty = Vec::new();
        let restart = self.plan.restarts.around(self.block);
        let kept = self.plan.restarts.kept(self.block);
        for r in self.registers.dirty().filter(|r| kept >> r & 1 == 0) {
            let v = self.registers.value[r];
            let is_there = self.is_put_off(v) || self.lives_on(v) || self.may_be_computed(v, COMPUTED_DEPTH);
            let is_there = is_there && !self.stores_all;
            if self.must_store.contains(&(number, r as u8)) || !is_there {
                self.put_register(r, v);
                self.registers.dirty &= !(1 << r);
            } else {
                let (form, source) = self.source_if_made(v);
                dirty.push((r as u8, v, form, source));
            }
        }
        let holder = (1..32).find(|&r| self.registers.value[r] == base);
        let base = match (holder, self.source_if_made(base)) {
            _ if restart.is_some() => Ok(0),
            (Some(r), _) => Ok(r as u8),
            (None, (form, source @ Source::Const(_))) => Err((base, form, source)),
            (None, _) if self.must_store.contains(&(number, BASE)) => {
                // No register has it any more, and neither has a place.
                let value = self.get(base);
                self.store_state(value, state_offset(offset_of!(State, scratch) + 8 * BASE_SLOT));
                Err((base, Form::Whole, Source::Stored))
            }
            (None, (form, source)) => Err((base, form, source)),
        };
        let pc = data.pc.wrapping_add(u64::from(data.guest_offsets.get(guest_index as usize).copied().unwrap_or(0)));
        let fuel = vec![(Source::Label(self.fuel.root.as_u32()), self.fuel.spent + i64::from(guest_index))];
        let restart = restart.map(|restart| self.region.blocks[restart.head.index()].pc);
        self.accesses.push(Access { pc, write, base, disp, fuel, dirty, restart });
        self.b.set_srcloc(SourceLoc::new(number));
    }

    /// Whether a value is likely in some place behind this point: a guess, which is checked when there is code.
    fn lives_on(&self, v: Value) -> bool {
        if self.region.as_const(v).is_some() {
            return true;
        }
        let v = inside(self.region, v);
        self.last_here.get(&v).is_some_and(|last| *last > self.at) || self.plan.live.at_end(self.block, v)
    }

    /// Whether a value is likely to be computable from what is in some place behind this point: a guess as well.
    fn may_be_computed(&self, v: Value, depth: u32) -> bool {
        let Some(inst) = self.region.def(v).filter(|inst| depth > 0 && is_computable(inst.op)) else { return false };
        let args = inst.args.iter().filter(|arg| **arg != Value::NONE);
        args.into_iter().all(|&arg| self.lives_on(arg) || self.may_be_computed(arg, depth - 1))
    }

    /// The start of the guest's window.
    fn window(&mut self) -> ir::Value {
        match self.window {
            Some(window) => window,
            None => {
                let window = self.b.ins().get_pinned_reg(types::I64);
                self.window = Some(window);
                window
            }
        }
    }

    /// Goes to a block beside the way on; returns what [`Self::back`] wants.
    fn aside(&mut self, block: ir::Block) -> (Option<ir::Value>, bool) {
        self.b.switch_to_block(block);
        (std::mem::replace(&mut self.window, self.loop_window), std::mem::replace(&mut self.is_aside, true))
    }

    /// Goes on in a block that is only reached by way of the one before the aside.
    fn back(&mut self, block: ir::Block, saved: (Option<ir::Value>, bool)) {
        self.b.switch_to_block(block);
        (self.window, self.is_aside) = saved;
        self.forget_made();
    }

    /// A new block that is reached as seldom as this.
    fn block_like(&mut self) -> ir::Block {
        if self.is_aside { self.cold_block() } else { self.b.create_block() }
    }

    /// A new block that is seldom reached.
    fn cold_block(&mut self) -> ir::Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        block
    }

    fn constant(&mut self, value: i64) -> ir::Value {
        self.b.ins().iconst(types::I64, value)
    }

    /// The address of something outside of the code.
    fn symbol(&mut self, symbol: Symbol) -> ir::Value {
        let number = self.symbols.iter().position(|known| *known == symbol).unwrap_or_else(|| {
            self.symbols.push(symbol);
            let name = UserExternalName::new(0, self.symbols.len() as u32 - 1);
            let name = ExternalName::user(self.b.func.declare_imported_user_function(name));
            let data = GlobalValueData::Symbol { name, offset: 0.into(), colocated: false, tls: false };
            self.b.func.create_global_value(data);
            self.symbols.len() - 1
        });
        self.b.ins().symbol_value(types::I64, GlobalValue::from_u32(number as u32))
    }

    fn not_zero(&mut self, value: ir::Value) -> ir::Value {
        self.b.ins().icmp_imm_s(IntCC::NotEqual, value, 0)
    }
}
