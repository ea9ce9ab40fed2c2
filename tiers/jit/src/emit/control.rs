//! Ways into a region, between its blocks, and out of it.

use super::{Emitted, Emitter, Fuel, RESTART_FUEL_SLOT, state_offset};
use crate::fault::{CANONICAL_NAN_32, CANONICAL_NAN_64};
use crate::host::word;
use crate::jump_cache::{LINES, Line};
use crate::symbol::Symbol;
use crate::units::MAX_ENTRIES;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, SourceLoc, types};
use friscy_lift_ir::registers::{Registers, bits, return_pc};
use friscy_lift_ir::{Block, Cond, Edge, ExitKind, JumpKind, Op, Target, Term, Value, cfg};
use friscy_seam::{Left, State};
use std::mem::offset_of;

/// A two-way branch.
#[derive(Clone, Copy)]
struct Branch<'a> {
    cond: Cond,
    args: [Value; 2],
    then: &'a Edge,
    els: &'a Edge,
    fuel: Fuel,
}

/// Where control goes.
#[derive(Clone, Copy)]
enum To {
    /// A guest address that is known.
    Pc(u64),
    /// One that is computed.
    Value(ir::Value),
}

impl Emitter<'_, '_> {
    /// The function's first block, which goes to the entry asked for.
    pub(super) fn dispatch(&mut self) -> Emitted<Vec<u64>> {
        let region = self.region;
        let first = self.b.create_block();
        self.b.append_block_params_for_function_params(first);
        self.b.switch_to_block(first);
        let params = self.b.block_params(first).to_vec();
        let [entry, fuel] = params[..] else { return Err("a function of two parameters") };
        self.label(fuel);
        let blocks: Vec<usize> =
            (0..region.blocks.len()).filter(|&at| at == 0 || region.blocks[at].entry).take(MAX_ENTRIES).collect();
        let to = self.blocks[0];
        if blocks.len() == 1 {
            self.b.ins().jump(to, &[BlockArg::Value(fuel)]);
        } else {
            let others = self.cold_block();
            self.b.ins().brif(entry, others, &[], to, &[BlockArg::Value(fuel)]);
            self.b.switch_to_block(others);
            let args = [BlockArg::Value(fuel)];
            let call = |b: &mut cranelift_frontend::FunctionBuilder<'_>, to| b.func.dfg.block_call(to, &args);
            let default = call(&mut self.b, to);
            let table: Vec<_> = blocks.iter().map(|&at| call(&mut self.b, self.blocks[at])).collect();
            let table = self.b.create_jump_table(ir::JumpTableData::new(default, &table));
            let entry = self.b.ins().ireduce(types::I32, entry);
            self.b.ins().br_table(entry, table);
        }
        Ok(blocks.into_iter().map(|at| region.blocks[at].pc).collect())
    }

    pub(super) fn terminator(&mut self, block: Block) -> Emitted<()> {
        let data = &self.region.blocks[block.index()];
        let registers = self.registers.clone();
        match &data.term {
            Term::Exit { kind, pc } => {
                let fuel = self.retire(data.retired);
                self.flush(&registers);
                self.exit_kind(*kind, *pc, fuel);
            }
            Term::Jump(edge) => {
                let fuel = self.retire(data.retired);
                self.follow(edge, fuel, &registers, true)?;
            }
            Term::Branch { cond, args, then, els } => {
                let mut fuel = self.retire(data.retired);
                let registers = self.store_for_preemption(then, els, registers);
                if then.preempt || els.preempt {
                    fuel = self.count(fuel);
                }
                let branch = Branch { cond: *cond, args: *args, then, els, fuel };
                if then.preempt || els.preempt {
                    // Fuel is looked at before the branch: so an edge that leads back in a loop is no more than a jump.
                    let (out, on) = (self.cold_block(), self.b.create_block());
                    let empty = self.is_empty(fuel);
                    self.b.ins().brif(empty, out, &[], on, &[]);
                    let saved = self.aside(out);
                    self.branch(&branch, &registers, true)?;
                    self.back(on, saved);
                }
                self.branch(&branch, &registers, false)?;
            }
            Term::Call { pc, return_pc } => {
                let fuel = self.retire(data.retired);
                let fuel = self.count(fuel);
                self.flush(&registers);
                self.check_fuel(fuel, To::Pc(*pc));
                self.check_stack(fuel, To::Pc(*pc));
                let cell = self.symbol(Symbol::Cell(*pc));
                let code = self.b.ins().load(types::I64, MemFlagsData::trusted(), cell, Offset32::new(0));
                let first = self.constant(0);
                let fuel = self.fuel_value(fuel);
                let call = self.b.ins().call_indirect(self.tail, code, &[first, fuel]);
                self.come_back(call, *return_pc);
            }
            Term::Indirect { base, disp, kind, targets } => {
                let mut sum = self.get(*base);
                let fuel = self.retire(data.retired);
                let fuel = self.count(fuel);
                if *disp != 0 {
                    let disp = self.constant(i64::from(*disp));
                    sum = self.b.ins().iadd(sum, disp);
                }
                if !targets.is_empty() {
                    return self.jump_within(sum, *kind, targets, fuel, &registers);
                }
                let target = self.even(sum);
                self.flush(&registers);
                if !cfg::is_shared_jump(data) {
                    self.check_fuel(fuel, To::Value(target));
                }
                match (kind, return_pc(self.region, block, &registers)) {
                    (JumpKind::Call, Some(return_pc)) => {
                        self.check_stack(fuel, To::Value(target));
                        let (code, entry) = self.look_up(target, fuel);
                        let fuel = self.fuel_value(fuel);
                        let call = self.b.ins().call_indirect(self.tail, code, &[entry, fuel]);
                        self.come_back(call, return_pc);
                    }
                    _ => self.leave_by(target, *kind, fuel),
                }
            }
        }
        Ok(())
    }

    /// A jump that is known to lead to places within the region, mostly. Bit 0 of the target is not cleared yet: those
    /// places are even.
    fn jump_within(
        &mut self,
        target: ir::Value,
        kind: JumpKind,
        targets: &[Edge],
        fuel: Fuel,
        registers: &Registers,
    ) -> Emitted<()> {
        if !cfg::is_shared_jump(&self.region.blocks[self.block.index()]) {
            let (out, on) = (self.cold_block(), self.b.create_block());
            let empty = self.is_empty(fuel);
            self.b.ins().brif(empty, out, &[], on, &[]);
            let saved = self.aside(out);
            self.flush(registers);
            let even = self.even(target);
            self.exit(Left::Fuel, even, fuel);
            self.back(on, saved);
        }
        let elsewhere = self.cold_block();
        let cfg::ByAddress { shift, slots } = cfg::by_address(self.region, targets);
        let heads: Vec<ir::Block> =
            slots.iter().map(|slot| if slot.is_empty() { elsewhere } else { self.b.create_block() }).collect();
        if let [head] = heads[..] {
            self.b.ins().jump(head, &[]);
        } else {
            let low = self.b.ins().ireduce(types::I32, target);
            let shift = self.b.ins().iconst(types::I32, i64::from(shift));
            let shifted = self.b.ins().ushr(low, shift);
            let mask = self.b.ins().iconst(types::I32, slots.len() as i64 - 1);
            let slot = self.b.ins().band(shifted, mask);
            let table: Vec<_> = heads.iter().map(|&head| self.b.func.dfg.block_call(head, &[])).collect();
            let default = self.b.func.dfg.block_call(elsewhere, &[]);
            let table = self.b.create_jump_table(ir::JumpTableData::new(default, &table));
            self.b.ins().br_table(slot, table);
        }
        for (slot, head) in slots.into_iter().zip(heads) {
            let mut next = head;
            let last = slot.len().saturating_sub(1);
            for (number, (pc, edge)) in slot.into_iter().enumerate() {
                self.b.switch_to_block(next);
                let is = self.constant(pc as i64);
                let is = self.b.ins().icmp(IntCC::Equal, target, is);
                let found = self.b.create_block();
                next = if number == last { elsewhere } else { self.b.create_block() };
                self.b.ins().brif(is, found, &[], next, &[]);
                let saved = self.aside(found);
                self.follow(edge, fuel, registers, false)?;
                (self.window, self.is_aside) = saved;
                self.forget_made();
            }
        }
        let saved = self.aside(elsewhere);
        self.flush(registers);
        let target = self.even(target);
        self.leave_by(target, kind, fuel);
        (self.window, self.is_aside) = saved;
        self.forget_made();
        Ok(())
    }

    /// Goes to compiled code elsewhere, or returns; the state has everything but pc and fuel.
    fn leave_by(&mut self, target: ir::Value, kind: JumpKind, fuel: Fuel) {
        if kind == JumpKind::Jump {
            let (code, entry) = self.look_up(target, fuel);
            let fuel = self.fuel_value(fuel);
            self.b.ins().return_call_indirect(self.tail, code, &[entry, fuel]);
        } else {
            let fuel = self.fuel_value(fuel);
            self.b.ins().return_(&[target, fuel]);
        }
    }

    /// Fuel after so many instructions of the block.
    fn retire(&self, count: u32) -> Fuel {
        Fuel { root: self.fuel.root, spent: self.fuel.spent + i64::from(count) }
    }

    /// Fuel as a value.
    fn fuel_value(&mut self, fuel: Fuel) -> ir::Value {
        if fuel.spent == 0 {
            return fuel.root;
        }
        // The code generator looks through sums, but not through differences: so what fuel was before is not asked for.
        let spent = self.constant(fuel.spent);
        let value = self.b.ins().isub(fuel.root, spent);
        self.label(value);
        self.counted.insert(value, fuel);
        value
    }

    /// Fuel with nothing left to be taken off it.
    fn count(&mut self, fuel: Fuel) -> Fuel {
        if fuel.spent == 0 {
            return fuel;
        }
        Fuel { root: self.fuel_value(fuel), spent: 0 }
    }

    /// Whether fuel is used up.
    fn is_empty(&mut self, fuel: Fuel) -> ir::Value {
        self.b.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, fuel.root, fuel.spent)
    }

    /// Stores what the targets of a branch's preemption points expect in the state; returns what the state then lacks.
    fn store_for_preemption(&mut self, then: &Edge, els: &Edge, mut registers: Registers) -> Registers {
        for edge in [then, els] {
            if let (true, Target::Block(to, _)) = (edge.preempt, &edge.target) {
                // What a loop keeps from before it is stored behind it.
                let stored = self.to_store(*to, &registers) & !self.plan.restarts.kept(self.block);
                for r in bits(stored) {
                    self.put_register(r, registers.value[r]);
                }
                registers.dirty &= !stored;
            }
        }
        registers
    }

    /// A two-way branch. Its preemption points leave if fuel is used up (`is_empty`); else they are only edges.
    fn branch(&mut self, branch: &Branch<'_>, registers: &Registers, is_empty: bool) -> Emitted<()> {
        let Branch { cond, args, then, els, fuel } = *branch;
        let condition = self.condition(cond, args);
        let edges = [then, els];
        let mut made = [None; 2];
        let mut to = [(self.blocks[0], Vec::new()), (self.blocks[0], Vec::new())];
        for (n, edge) in edges.into_iter().enumerate() {
            let leaves = edge.preempt && is_empty;
            to[n] = match &edge.target {
                Target::Block(to, args) if !leaves && !self.does_more(*to, args, registers) => {
                    (self.blocks[to.index()], self.block_args(*to, args, fuel))
                }
                target => {
                    let is_cold = leaves || is_empty || matches!(target, Target::Pc(_));
                    let block = if is_cold { self.cold_block() } else { self.b.create_block() };
                    made[n] = Some(block);
                    (block, Vec::new())
                }
            };
        }
        let [(then_to, then_args), (else_to, else_args)] = to;
        self.b.ins().brif(condition, then_to, &then_args, else_to, &else_args);
        for (made, edge) in made.into_iter().zip(edges) {
            let Some(block) = made else { continue };
            let saved = self.aside(block);
            if edge.preempt && is_empty {
                self.flush(registers);
                let pc = match &edge.target {
                    Target::Block(to, _) => self.region.blocks[to.index()].pc,
                    Target::Pc(pc) => *pc,
                };
                let pc = self.constant(pc as i64);
                self.exit(Left::Fuel, pc, fuel);
            } else {
                self.follow(edge, fuel, registers, false)?;
            }
            (self.window, self.is_aside) = saved;
            self.forget_made();
        }
        Ok(())
    }

    /// Goes on after a call: at the return site if that is where the callee returned to, else out.
    fn come_back(&mut self, call: ir::Inst, return_pc: u64) {
        let results = self.b.inst_results(call).to_vec();
        let (to, fuel) = (results[0], results[1]);
        let Some(site) = cfg::return_site(self.region, return_pc) else {
            self.b.ins().return_(&[to, fuel]);
            return;
        };
        let expected = self.constant(return_pc as i64);
        let same = self.b.ins().icmp(IntCC::Equal, to, expected);
        let out = self.cold_block();
        self.b.ins().brif(same, self.blocks[site.index()], &[BlockArg::Value(fuel)], out, &[]);
        self.b.switch_to_block(out);
        self.b.ins().return_(&[to, fuel]);
    }

    /// Leaves, with everything in the state but pc and fuel, if fuel is used up.
    fn check_fuel(&mut self, fuel: Fuel, target: To) {
        let (out, on) = (self.cold_block(), self.b.create_block());
        let empty = self.is_empty(fuel);
        self.b.ins().brif(empty, out, &[], on, &[]);
        let saved = self.aside(out);
        let target = self.address_of(target);
        self.exit(Left::Fuel, target, fuel);
        self.back(on, saved);
    }

    /// The address that control goes to. Where it is known it is made here, not on the way on.
    fn address_of(&mut self, target: To) -> ir::Value {
        match target {
            To::Pc(pc) => self.constant(pc as i64),
            To::Value(value) => value,
        }
    }

    /// Leaves for `target` if the stack is used up.
    fn check_stack(&mut self, fuel: Fuel, target: To) {
        let (out, on) = (self.cold_block(), self.b.create_block());
        let here = self.b.ins().get_stack_pointer(types::I64);
        let limit = self.load_state(types::I64, state_offset(offset_of!(State, tier) + 8 * word::STACK_LIMIT));
        let deep = self.b.ins().icmp(IntCC::UnsignedLessThan, here, limit);
        self.b.ins().brif(deep, out, &[], on, &[]);
        self.b.switch_to_block(out);
        let fuel = self.fuel_value(fuel);
        let target = self.address_of(target);
        self.b.ins().return_(&[target, fuel]);
        self.b.switch_to_block(on);
    }

    /// Finds compiled code for `target` in the jump cache, or leaves.
    fn look_up(&mut self, target: ir::Value, fuel: Fuel) -> (ir::Value, ir::Value) {
        const LINE_BITS: u32 = size_of::<Line>().trailing_zeros();
        let table = self.symbol(Symbol::Cache);
        // As `friscy_seam::lines::first_way`; bit 0 of the address is clear.
        let shift = self.constant(i64::from(LINE_BITS - 1));
        let mask = self.constant(((LINES - 1) as i64) << LINE_BITS);
        let shifted = self.b.ins().ishl(target, shift);
        let offset = self.b.ins().band(shifted, mask);
        let line = self.b.ins().iadd(table, offset);
        let pc = self.b.ins().load(types::I64, MemFlagsData::trusted(), line, Offset32::new(0));
        let hit = self.b.ins().icmp(IntCC::Equal, pc, target);
        let (second, out, on) = (self.cold_block(), self.cold_block(), self.b.create_block());
        self.b.append_block_param(on, types::I64);
        self.b.ins().brif(hit, on, &[BlockArg::Value(line)], second, &[]);
        self.b.switch_to_block(second);
        let other = self.constant(1 << LINE_BITS);
        let offset = self.b.ins().bxor(offset, other);
        let table = self.symbol(Symbol::Cache);
        let line = self.b.ins().iadd(table, offset);
        let pc = self.b.ins().load(types::I64, MemFlagsData::trusted(), line, Offset32::new(0));
        let hit = self.b.ins().icmp(IntCC::Equal, pc, target);
        self.b.ins().brif(hit, on, &[BlockArg::Value(line)], out, &[]);
        self.b.switch_to_block(out);
        let fuel = self.fuel_value(fuel);
        self.b.ins().return_(&[target, fuel]);
        self.b.switch_to_block(on);
        let line = self.b.block_params(on)[0];
        let code = self.b.ins().load(types::I64, MemFlagsData::trusted(), line, Offset32::new(8));
        let entry = self.b.ins().load(types::I64, MemFlagsData::trusted(), line, Offset32::new(16));
        (code, entry)
    }

    /// Returns an exit; the state has everything but pc and fuel.
    pub(super) fn exit(&mut self, left: Left, pc: ir::Value, fuel: Fuel) {
        self.store_state(pc, state_offset(offset_of!(State, pc)));
        let word = self.constant(left.word() as i64);
        let fuel = self.fuel_value(fuel);
        self.b.ins().return_(&[word, fuel]);
    }

    fn exit_kind(&mut self, kind: ExitKind, pc: u64, fuel: Fuel) {
        let pc = self.constant(pc as i64);
        self.exit(Left::Kind(kind), pc, fuel);
    }

    /// Registers that the state lacks at the end of an edge's source, and that its target expects in the state.
    fn to_store(&self, to: Block, registers: &Registers) -> u64 {
        self.plan.restarts.stored(self.block, to, registers, &self.plan.at_start)
    }

    fn block_args(&mut self, to: Block, args: &[Value], fuel: Fuel) -> Vec<BlockArg> {
        let mut values = Vec::new();
        if self.plan.joins[to.index()] {
            let fuel = self.fuel_value(fuel);
            values.push(BlockArg::Value(fuel));
        } else {
            self.fuel_at_start[to.index()] = Some(fuel);
        }
        for (&v, &param) in args.iter().zip(&self.region.blocks[to.index()].params) {
            let value = self.argument(param, v);
            values.push(BlockArg::Value(value));
        }
        values
    }

    /// Whether an edge is more than a jump.
    fn does_more(&self, to: Block, args: &[Value], registers: &Registers) -> bool {
        self.to_store(to, registers) != 0
            || self.plan.restarts.enters(self.block, to)
            || self.plan.floats.has_guards(self.region, to, args)
    }

    /// Leaves where what would go to a parameter is not what that is held as ([`crate::floats`]).
    fn guard(&mut self, to: Block, args: &[Value], fuel: Fuel, registers: &Registers) {
        let data = &self.region.blocks[to.index()];
        for (&param, &arg) in data.params.iter().zip(args) {
            if self.plan.floats.guards_box(self.region, param, arg) {
                let value = self.get(arg);
                let is_boxed = self.is_boxed(value);
                let (out, on) = (self.cold_block(), self.block_like());
                self.b.ins().brif(is_boxed, on, &[], out, &[]);
                self.leave_below(out, data.pc, fuel, registers, on);
            }
            if !self.plan.floats.guards_nan(self.region, param, arg) {
                continue;
            }
            let value = self.argument(param, arg);
            let (nan, out, on) = (self.cold_block(), self.cold_block(), self.block_like());
            let (bits, canonical, infinity) = match self.b.func.dfg.value_type(value) {
                types::F32 => (types::I32, i64::from(CANONICAL_NAN_32), i64::from(f32::INFINITY.to_bits())),
                _ => (types::I64, CANONICAL_NAN_64 as i64, f64::INFINITY.to_bits() as i64),
            };
            // A comparison of numbers would set a flag for a signalling NaN.
            let value = self.b.ins().bitcast(bits, MemFlagsData::new(), value);
            let one = self.b.ins().iconst(bits, 1);
            let magnitude = self.b.ins().ishl(value, one);
            let infinity =
                self.b.ins().iconst(bits, if bits == types::I32 { infinity << 1 & 0xffff_ffff } else { infinity << 1 });
            let is_nan = self.b.ins().icmp(IntCC::UnsignedGreaterThan, magnitude, infinity);
            self.b.ins().brif(is_nan, nan, &[], on, &[]);
            self.b.switch_to_block(nan);
            let canonical = self.b.ins().iconst(bits, canonical);
            let same = self.b.ins().icmp(IntCC::Equal, value, canonical);
            self.b.ins().brif(same, on, &[], out, &[]);
            self.leave_below(out, data.pc, fuel, registers, on);
        }
    }

    /// In `out`, leaves for the tier below; goes on in `on`.
    fn leave_below(&mut self, out: ir::Block, pc: u64, fuel: Fuel, registers: &Registers, on: ir::Block) {
        let saved = self.aside(out);
        self.flush(registers);
        let pc = self.constant(pc as i64);
        self.exit(Left::Below, pc, fuel);
        self.back(on, saved);
    }

    /// Goes along an edge; if it is a preemption point and `checks`, only if there is fuel.
    fn follow(&mut self, edge: &Edge, fuel: Fuel, registers: &Registers, checks: bool) -> Emitted<()> {
        match &edge.target {
            Target::Block(to, args) => {
                let mut fuel = fuel;
                if edge.preempt && checks {
                    fuel = self.count(fuel);
                    let (out, on) = (self.cold_block(), self.b.create_block());
                    let empty = self.is_empty(fuel);
                    self.b.ins().brif(empty, out, &[], on, &[]);
                    let saved = self.aside(out);
                    self.flush(registers);
                    let pc = self.address_at(*to, args);
                    self.exit(Left::Fuel, pc, fuel);
                    self.back(on, saved);
                }
                self.guard(*to, args, fuel, registers);
                for r in bits(self.to_store(*to, registers)) {
                    self.put_register(r, registers.value[r]);
                }
                if self.plan.restarts.enters(self.block, *to) {
                    fuel = self.count(fuel);
                    self.store_state(fuel.root, state_offset(offset_of!(State, scratch) + 8 * RESTART_FUEL_SLOT));
                }
                let values = self.block_args(*to, args, fuel);
                self.b.ins().jump(self.blocks[to.index()], &values);
            }
            Target::Pc(pc) => {
                self.flush(registers);
                let fuel = self.count(fuel);
                if edge.preempt && checks {
                    self.check_fuel(fuel, To::Pc(*pc));
                }
                let cell = self.symbol(Symbol::Cell(*pc));
                let code = self.b.ins().load(types::I64, MemFlagsData::trusted(), cell, Offset32::new(0));
                let first = self.constant(0);
                let fuel = self.fuel_value(fuel);
                self.b.ins().return_call_indirect(self.tail, code, &[first, fuel]);
            }
        }
        Ok(())
    }

    /// The guest address that an edge with these arguments leads to.
    fn address_at(&mut self, to: Block, args: &[Value]) -> ir::Value {
        let data = &self.region.blocks[to.index()];
        if !cfg::is_shared_jump(data) {
            return self.constant(data.pc as i64);
        }
        let target = self.get(args[0]);
        self.even(target)
    }

    /// An address with bit 0 cleared.
    fn even(&mut self, address: ir::Value) -> ir::Value {
        let mask = self.constant(!1);
        self.b.ins().band(address, mask)
    }

    /// Whether a branch is taken.
    fn condition(&mut self, cond: Cond, args: [Value; 2]) -> ir::Value {
        self.force(args[0]);
        if self.region.as_const(args[1]) == Some(0) && matches!(cond, Cond::Eq | Cond::Ne) {
            if let Some(&condition) = self.conditions.get(&args[0]) {
                return match cond {
                    Cond::Ne => condition,
                    _ => self.b.ins().icmp_imm_s(IntCC::Equal, condition, 0),
                };
            }
        }
        let (a, b) = self.comparable(args[0], args[1]);
        let code = match cond {
            Cond::Eq => IntCC::Equal,
            Cond::Ne => IntCC::NotEqual,
            Cond::LtS => IntCC::SignedLessThan,
            Cond::GeS => IntCC::SignedGreaterThanOrEqual,
            Cond::LtU => IntCC::UnsignedLessThan,
            Cond::GeU => IntCC::UnsignedGreaterThanOrEqual,
        };
        self.b.ins().icmp(code, a, b)
    }

    /// Two values to be compared: their low halves if they are those sign-extended, which keeps every order.
    pub(super) fn comparable(&mut self, a: Value, b: Value) -> (ir::Value, ir::Value) {
        if self.is_narrow(a) && self.is_narrow(b) { (self.low(a), self.low(b)) } else { (self.get(a), self.get(b)) }
    }

    /// Leaves because of a misaligned atomic if `address` is not a multiple of `bytes`.
    pub(super) fn check_alignment(&mut self, address: ir::Value, bytes: i64, pc: u64, guest_index: u16) {
        let mask = self.constant(bytes - 1);
        let low = self.b.ins().band(address, mask);
        let (out, on) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(low, out, &[], on, &[]);
        let saved = self.aside(out);
        self.b.set_srcloc(SourceLoc::default());
        let registers = self.registers.clone();
        self.flush(&registers);
        self.store_state(address, state_offset(offset_of!(State, tier) + 8 * word::ARGUMENT));
        let fuel = self.retire(u32::from(guest_index));
        let pc = self.constant(pc as i64);
        self.exit(Left::Misaligned, pc, fuel);
        self.back(on, saved);
    }

    /// Notes a comparison's byte, and makes its value.
    pub(super) fn compared(&mut self, result: Value, condition: ir::Value) {
        self.conditions.insert(result, condition);
        let wide = self.b.ins().uextend(types::I64, condition);
        self.define(result, wide);
    }

    /// Whether an op is one whose byte a branch can use, see [`Self::compared`].
    pub(super) fn is_comparison(op: Op) -> bool {
        matches!(op, Op::Eq | Op::Ne | Op::LtS | Op::LtU)
    }
}
