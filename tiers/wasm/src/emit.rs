//! From a region to the body of a wasm function.
//!
//! A value has a local, or is an expression that is made where it is used. Where an access cannot be made, or only slowly,
//! control leaves for the tier below at the last point from which everything may be done again: the first access since
//! something lasting was done. So one way out serves several accesses.

mod arithmetic;
mod control;
mod convert;
mod float;
mod integer;
mod memory;

use crate::layout::{Features, Layout, context};
use crate::locals::Kind;
use crate::plan::{Plan, is_access, is_lasting};
use crate::structure::Node;
use arithmetic::Waiting;
use friscy_lift_ir::held::Held;
use friscy_lift_ir::op::Effects;
use friscy_lift_ir::registers::Registers;
use friscy_lift_ir::{Block, Inst, InstId, Op, Region, Type, Value};
use memory::Facts;
use rustc_hash::FxHashMap;
use wasm_encoder::{BlockType, BranchHint, InstructionSink, MemArg, ValType};

/// The body of a function.
#[derive(Default)]
pub(crate) struct Body {
    /// Types of its locals.
    pub(crate) locals: Vec<ValType>,
    /// Its instructions.
    pub(crate) code: Vec<u8>,
    /// How likely branches among them are, by their places in the code.
    pub(crate) hints: Vec<BranchHint>,
}

/// Why a region was not compiled.
pub(crate) type Emitted<T> = Result<T, &'static str>;

/// The parameters of compiled code.
const CONTEXT: u32 = 0;
const FUEL: u32 = 1;

/// The types of a module, by their numbers.
pub(crate) mod types {
    /// Compiled code: context and fuel; where to go on, and fuel.
    pub(crate) const CODE: u32 = 0;
    /// The exact implementation of floating-point ops.
    pub(crate) const FLOAT: u32 = 1;
    /// How compiled code is entered.
    pub(crate) const ENTER: u32 = 2;
}

/// The imported function that computes floating-point ops exactly: op and rounding mode, three operands.
pub(crate) const FLOAT_FUNCTION: u32 = 0;

/// The imported globals of modules that are compiled ahead of time.
pub(crate) mod globals {
    /// Where the file is loaded.
    pub(crate) const BASE: u32 = 0;
    /// The low half of that.
    pub(crate) const BASE_LOW: u32 = 1;
    /// The slot of the module's first function.
    pub(crate) const SLOTS: u32 = 2;
    /// Where the module's cells are.
    pub(crate) const CELLS: u32 = 3;
    /// Where the jump cache is.
    pub(crate) const CACHE: u32 = 4;
}

/// How code says what depends on where it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placing {
    /// By constants: it is made for one instance.
    Here,
    /// By [`globals`]; guest addresses too if the file may be loaded anywhere.
    Anywhere { is_relative: bool },
}

/// How code of a region reaches other code: addresses in the memory, or distances from where a module's cells are.
pub(crate) struct Links {
    /// The cells for guest addresses.
    pub(crate) cells: FxHashMap<u64, u32>,
    /// The jump cache.
    pub(crate) cache: u32,
    pub(crate) placing: Placing,
}

/// What a branch may lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Label {
    /// To a node.
    Node(Node),
    /// To where a way out is, by its number in the block.
    Out(usize),
    /// None: something else nests.
    Other,
}

/// A way out of a block.
struct Out {
    registers: Registers,
    spent: i64,
    pc: u64,
}

/// Locals beyond the parameters.
struct Locals {
    types: Vec<ValType>,
    /// Those that only this block uses.
    taken: Vec<u32>,
    free: Vec<u32>,
}

impl Locals {
    fn add(&mut self, ty: ValType) -> u32 {
        self.types.push(ty);
        self.types.len() as u32 + 1
    }

    fn add_for_block(&mut self, ty: ValType) -> u32 {
        let at = self.free.iter().position(|&local| self.types[local as usize - 2] == ty);
        let local = match at {
            Some(at) => self.free.swap_remove(at),
            None => self.add(ty),
        };
        self.taken.push(local);
        local
    }

    /// Locals that the block has no use for any more.
    fn give_back(&mut self, locals: &[u32]) {
        self.taken.retain(|local| !locals.contains(local));
        self.free.extend(locals);
    }
}

pub(crate) struct Emitter<'a> {
    region: &'a Region,
    plan: &'a Plan,
    links: &'a Links,
    layout: Layout,
    features: Features,
    code: Vec<u8>,
    /// Branches that are seldom taken (0), or mostly (1): where they are in the code.
    hints: Vec<BranchHint>,
    /// The function's number in its module, by which it calls itself.
    number: u32,
    /// Where the code says how much of the stack a frame takes, which is known once it has all locals.
    frames: Vec<usize>,
    locals: Locals,
    /// The locals of values.
    places: Vec<Option<u32>>,
    /// Those that values share, by their numbers in the plan.
    shared: FxHashMap<u32, u32>,
    labels: Vec<Label>,
    /// Where a dispatcher is told to go on.
    selector: Option<u32>,
    /// Ranges of results for which nothing else is to be looked at, which are empty while the inexact flag is clear.
    ranges: [Option<u32>; 4],
    waiting: Waiting,
    registers: Registers,
    block: Block,
    /// Instructions retired since fuel was counted, at the block's start.
    spent: i64,
    /// The same of blocks with one edge that leads to them.
    spent_at_start: Vec<i64>,
    outs: Vec<Out>,
    /// Whether the last of them still serves.
    out_holds: bool,
    /// What is known of pages in this block, and at the ends of others.
    facts: Facts,
    facts_at_end: Vec<Facts>,
}

/// Bytes of a number of 32 bits that is put where its value is not known yet.
const WIDE_BYTES: usize = 5;

/// Such a number, which is not negative, as LEB128 of full length.
fn wide(value: i32) -> [u8; WIDE_BYTES] {
    let septet = |n: usize| (value >> (7 * n)) as u8 & 0x7f;
    [septet(0) | 0x80, septet(1) | 0x80, septet(2) | 0x80, septet(3) | 0x80, septet(4)]
}

/// The wasm type of a value.
fn type_of(ty: Type) -> ValType {
    match ty {
        Type::I64 => ValType::I64,
        Type::F32 => ValType::F32,
        Type::F64 => ValType::F64,
    }
}

/// The place of an access in memory whose address operand is below 2^32.
fn at(offset: u64, align: u32) -> MemArg {
    MemArg { offset, align, memory_index: 0 }
}

impl<'a> Emitter<'a> {
    /// For the function of this number in its module.
    pub(crate) fn new(
        region: &'a Region,
        plan: &'a Plan,
        links: &'a Links,
        number: u32,
        layout: Layout,
        features: Features,
    ) -> Emitter<'a> {
        let blocks = region.blocks.len();
        Emitter {
            region,
            plan,
            links,
            layout,
            features,
            code: Vec::new(),
            hints: Vec::new(),
            number,
            frames: Vec::new(),
            locals: Locals { types: Vec::new(), taken: Vec::new(), free: Vec::new() },
            places: vec![None; region.values.len()],
            shared: FxHashMap::default(),
            labels: Vec::new(),
            selector: None,
            ranges: [None; 4],
            waiting: Waiting::default(),
            registers: Registers::unknown(),
            block: Block(0),
            spent: 0,
            spent_at_start: vec![0; blocks],
            outs: Vec::new(),
            out_holds: false,
            facts: Facts::default(),
            facts_at_end: vec![Facts::default(); blocks],
        }
    }

    /// The function's body.
    pub(crate) fn emit(mut self) -> Emitted<Body> {
        if self.plan.structure.dispatchers.len() > 1 {
            self.selector = Some(self.locals.add(ValType::I32));
        }
        self.make_ranges();
        let structure = &self.plan.structure;
        self.sequence(&structure.seq)?;
        self.s().unreachable().end();
        let frame = context::frame(self.locals.types.len());
        for &at in &self.frames {
            self.code[at..at + WIDE_BYTES].copy_from_slice(&wide(frame));
        }
        Ok(Body { locals: self.locals.types, code: self.code, hints: self.hints })
    }

    fn s(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    /// Pushes a guest address.
    fn pc(&mut self, pc: u64) {
        if self.links.placing == (Placing::Anywhere { is_relative: true }) {
            self.s().global_get(globals::BASE).i64_const(pc as i64).i64_add();
        } else {
            self.s().i64_const(pc as i64);
        }
    }

    /// Pushes the low half of a guest address.
    fn pc_low(&mut self, pc: u64) {
        if self.links.placing == (Placing::Anywhere { is_relative: true }) {
            self.s().global_get(globals::BASE_LOW).i32_const(pc as i32).i32_add();
        } else {
            self.s().i32_const(pc as i32);
        }
    }

    /// Pushes what places of cells are counted from.
    fn cells(&mut self) {
        match self.links.placing {
            Placing::Here => self.s().i32_const(0),
            Placing::Anywhere { .. } => self.s().global_get(globals::CELLS),
        };
    }

    /// Takes a condition that seldom holds; what follows, to the matching `end`, is done if it does.
    fn seldom(&mut self) {
        self.hint(0);
        self.s().if_(BlockType::Empty);
    }

    /// Takes a condition that seldom holds, and branches if it does.
    fn seldom_to(&mut self, label: Label) -> Emitted<()> {
        let depth = self.depth(label)?;
        self.hint(0);
        self.s().br_if(depth);
        Ok(())
    }

    /// Says how likely the branch is that comes next.
    fn hint(&mut self, branch_hint_value: u32) {
        self.hints.push(BranchHint { branch_func_offset: self.code.len() as u32, branch_hint_value });
    }

    fn block(&mut self, block: Block) -> Emitted<()> {
        let data = &self.region.blocks[block.index()];
        self.block = block;
        self.spent = if self.plan.joins[block.index()] { 0 } else { self.spent_at_start[block.index()] };
        self.registers = self.plan.at_start[block.index()].clone();
        self.outs.clear();
        self.out_holds = false;
        self.facts = match self.plan.dominators[block.index()] {
            Some(over) => self.facts_at_end[over.index()].clone(),
            None => Facts::default(),
        };
        for &param in &data.params {
            self.place(param);
        }
        if data.entry || block.index() == 0 {
            self.refresh_ranges();
        }
        let outs = self.count_outs(block);
        for number in (0..outs).rev() {
            self.s().block(BlockType::Empty);
            self.labels.push(Label::Out(number));
        }
        self.find_waiting(block);
        for &id in &data.insts {
            self.inst(id)?;
        }
        self.look_at_waiting()?;
        self.facts_at_end[block.index()] = std::mem::take(&mut self.facts);
        self.terminator(block)?;
        for number in 0..outs {
            self.s().end();
            self.labels.pop();
            match self.outs.get(number) {
                Some(out) => {
                    let (registers, spent, pc) = (out.registers.clone(), out.spent, out.pc);
                    match self.plan.restarts.around(block) {
                        Some(restart) => self.leave_again(restart, &registers, spent)?,
                        None => self.leave_below(&registers, spent, pc)?,
                    }
                }
                None => {
                    self.s().unreachable();
                }
            }
        }
        let taken = std::mem::take(&mut self.locals.taken);
        self.locals.free.extend(taken);
        Ok(())
    }

    /// At most how many ways out a block needs.
    fn count_outs(&self, block: Block) -> usize {
        let (mut count, mut holds) = (0, false);
        for id in &self.region.blocks[block.index()].insts {
            let op = self.region.insts[id.index()].op;
            if self.plan.leaves(op) && !holds {
                (count, holds) = (count + 1, true);
            }
            holds &= !is_lasting(op);
        }
        count
    }

    fn inst(&mut self, id: InstId) -> Emitted<()> {
        let inst = self.region.insts[id.index()];
        // What was computed before a way out is not computed again behind it.
        if is_lasting(inst.op) || self.plan.leaves(inst.op) && !self.out_holds {
            self.look_at_waiting()?;
        }
        match inst.op {
            Op::Iconst | Op::Fence | Op::SetX | Op::SetF => {}
            Op::GetX | Op::GetF => {
                let r = inst.imm as usize & 31;
                let (load, r) = (inst.op == Op::GetX, if inst.op == Op::GetX { r } else { r | 32 });
                let from = at(self.layout.register(r), 3);
                if load {
                    self.s().i32_const(0).i64_load(from);
                } else {
                    self.s().i32_const(0).f64_load(from);
                }
                self.set(inst.result);
            }
            op if is_access(op) => self.access(&inst)?,
            op if op.info().effects.contains(Effects::FP_ENV) => self.environment(&inst)?,
            _ if inst.result != Value::NONE && self.plan.kept[inst.result.index()] => {
                if self.plan.narrow.holds(inst.result) {
                    self.low_of(&inst)?;
                } else {
                    self.compute(&inst)?;
                }
                self.set(inst.result);
            }
            // Made where it is used.
            _ => {}
        }
        self.registers.step(inst.op, inst.imm, inst.args[0], inst.result);
        if is_lasting(inst.op) {
            self.out_holds = false;
        }
        Ok(())
    }

    /// The local of a value, which is made one if need be.
    fn place(&mut self, v: Value) -> u32 {
        if let Some(place) = self.places[v.index()] {
            return place;
        }
        let ty = match Kind::of(self.region, self.plan, v) {
            Kind::I32 => ValType::I32,
            Kind::I64 => ValType::I64,
            Kind::F32 => ValType::F32,
            Kind::F64 => ValType::F64,
        };
        let place = match self.plan.shared.local(v) {
            Some(local) => match self.shared.get(&local) {
                Some(&place) => place,
                None => {
                    let place = self.locals.add(ty);
                    self.shared.insert(local, place);
                    place
                }
            },
            None => self.locals.add_for_block(ty),
        };
        self.places[v.index()] = Some(place);
        place
    }

    /// Takes the value of `v` from the stack, or its low half if no more is held.
    fn set(&mut self, v: Value) {
        let place = self.place(v);
        self.s().local_set(place);
    }

    /// Pushes `v`.
    fn get(&mut self, v: Value) -> Emitted<()> {
        match self.plan.held(v) {
            Held::Plain => {}
            Held::Double => return self.bits(v),
            Held::Single => {
                self.bits(v)?;
                self.s().f64_reinterpret_i64();
                return Ok(());
            }
        }
        if let Some(place) = self.places[v.index()] {
            self.s().local_get(place);
            if self.plan.narrow.holds(v) {
                self.s().i64_extend_i32_s();
            }
            return Ok(());
        }
        let inst = *self.region.def(v).ok_or("a parameter without a local")?;
        if inst.op == Op::Iconst {
            self.s().i64_const(inst.imm);
            return Ok(());
        }
        if inst.op.info().effects != Effects::NONE {
            return Err("a value that is nowhere");
        }
        self.compute(&inst)
    }

    /// Pushes `v` as what it is held as.
    fn get_held(&mut self, v: Value) {
        let place = self.place(v);
        self.s().local_get(place);
    }

    /// The instruction that makes `v`, if it is made where it is used.
    fn inline(&self, v: Value) -> Option<&'a Inst> {
        self.region.def(v).filter(|_| self.places[v.index()].is_none())
    }

    /// Emits an op that is not an access, which leaves its result on the stack, if it has one.
    fn compute(&mut self, inst: &Inst) -> Emitted<()> {
        if inst.op == Op::Addr {
            self.pc(inst.imm as u64);
            return Ok(());
        }
        if self.integer(inst)? { Ok(()) } else { self.float(inst) }
    }

    /// A local for this block only.
    fn temp(&mut self, ty: ValType) -> u32 {
        self.locals.add_for_block(ty)
    }

    /// The way out for an access of this instruction.
    fn out(&mut self, guest_index: u16) -> usize {
        if !self.out_holds {
            self.outs.push(Out {
                registers: self.registers.clone(),
                spent: self.spent + i64::from(guest_index),
                pc: self.region.guest_pc(self.block, guest_index),
            });
            self.out_holds = true;
        }
        self.outs.len() - 1
    }

    /// How many labels there are from here to that one.
    fn depth(&self, label: Label) -> Emitted<u32> {
        let from_top = self.labels.iter().rev().position(|&l| l == label);
        from_top.map(|depth| depth as u32).ok_or("a branch without a label")
    }

    fn store_register(&mut self, r: usize, v: Value) -> Emitted<()> {
        let to = at(self.layout.register(r), 3);
        let single = match self.inline(v) {
            Some(inst) if inst.op == Op::Box => Some(inst.args[0]),
            _ => None,
        };
        if single.is_some() || self.plan.held(v) == Held::Single {
            self.s().i32_const(0);
            match single {
                Some(single) => self.get(single)?,
                None => self.get_held(v),
            }
            self.s().f32_store(MemArg { align: 2, ..to });
            self.s().i32_const(0).i32_const(-1).i32_store(MemArg { offset: to.offset + 4, align: 2, ..to });
            return Ok(());
        }
        self.s().i32_const(0);
        let is_made_of_bits = self.inline(v).is_some_and(|inst| inst.op == Op::BitsF64);
        if self.region.values[v.index()].ty == Type::F64 && !is_made_of_bits {
            self.get(v)?;
            self.s().f64_store(to);
        } else {
            self.bits(v)?;
            self.s().i64_store(to);
        }
        Ok(())
    }

    /// Stores every register that the state lacks.
    fn flush(&mut self, registers: &Registers) -> Emitted<()> {
        for r in registers.dirty() {
            self.store_register(r, registers.value[r])?;
        }
        Ok(())
    }
}
