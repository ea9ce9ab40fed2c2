//! Ways into a function, between its blocks, and out of it.

use super::{CONTEXT, Emitted, Emitter, FUEL, Label, Placing, at, globals, types, wide};
use crate::layout::{LINES, Line, context};
use crate::structure::{Node, Seq};
use friscy_lift_ir::held::Held;
use friscy_lift_ir::loops::Restart;
use friscy_lift_ir::registers::{Registers, bits, return_pc};
use friscy_lift_ir::{Block, Cond, Edge, JumpKind, Op, Target, Term, Value, cfg};
use friscy_seam::{Left, State};
use std::mem::offset_of;
use wasm_encoder::{BlockType, MemArg, ValType};

/// The opcode of a constant of 32 bits.
const I32_CONST: u8 = 0x41;

impl Emitter<'_> {
    /// Emits a sequence: each item behind the end of the block that branches to it leave.
    pub(super) fn sequence(&mut self, seq: &Seq) -> Emitted<()> {
        let mut open: Vec<usize> = Vec::new();
        for (place, item) in seq.items.iter().enumerate() {
            while open.last() == Some(&place) {
                open.pop();
                self.labels.pop();
                self.s().end();
            }
            for to in (place + 1..seq.items.len()).rev().filter(|&to| seq.items[to].first_from == Some(place)) {
                open.push(to);
                self.labels.push(Label::Node(seq.items[to].head));
                self.s().block(BlockType::Empty);
            }
            match &item.body {
                Some(body) => {
                    self.s().loop_(BlockType::Empty);
                    self.labels.push(Label::Node(item.head));
                    self.sequence(body)?;
                    self.labels.pop();
                    self.s().unreachable().end();
                }
                None if item.head < self.region.blocks.len() => self.block(Block(item.head as u32))?,
                None => self.dispatch(item.head)?,
            }
        }
        Ok(())
    }

    /// Goes from a node to another.
    fn go(&mut self, from: Node, to: Node) -> Emitted<()> {
        let (to, number) = self.plan.structure.way(from, to);
        if let (Some(number @ 1..), Some(selector)) = (number, self.selector) {
            self.s().i32_const(number as i32).local_set(selector);
        }
        let depth = self.depth(Label::Node(to))?;
        self.s().br(depth);
        Ok(())
    }

    /// Whether getting from a node to another is no more than a branch.
    fn is_direct(&self, from: Node, to: Node) -> bool {
        !matches!(self.plan.structure.way(from, to), (_, Some(1..)))
    }

    /// A dispatcher: the function's first code, or the head of a loop that is entered at several places.
    fn dispatch(&mut self, node: Node) -> Emitted<()> {
        let dispatcher = self.plan.structure.dispatcher(node).ok_or("a node that is nothing")?;
        let targets = dispatcher.targets.clone();
        let (&main, rest) = targets.split_first().ok_or("a dispatcher without targets")?;
        if rest.is_empty() {
            return self.go(node, main);
        }
        let selector = self.temp(ValType::I32);
        if node == self.region.blocks.len() {
            self.s().local_get(CONTEXT).i32_const(context::NUMBER).i32_and().local_set(selector);
        } else {
            let told = self.selector.ok_or("a dispatcher without a selector")?;
            self.s().local_get(told).local_set(selector).i32_const(0).local_set(told);
        }
        // Seldom anything but the main target.
        if self.is_direct(node, main) {
            let (to, _) = self.plan.structure.way(node, main);
            let depth = self.depth(Label::Node(to))?;
            self.s().local_get(selector).i32_eqz();
            self.hint(1);
            self.s().br_if(depth);
        }
        let by_way: Vec<Node> = targets.iter().copied().filter(|&to| !self.is_direct(node, to)).collect();
        for _ in &by_way {
            self.s().block(BlockType::Empty);
            self.labels.push(Label::Other);
        }
        let mut depths = Vec::new();
        for &to in &targets {
            let depth = match by_way.iter().position(|&other| other == to) {
                Some(place) => place as u32,
                None => self.depth(Label::Node(self.plan.structure.way(node, to).0))?,
            };
            depths.push(depth);
        }
        let first = depths[0];
        self.s().local_get(selector).br_table(depths, first);
        for to in by_way {
            self.s().end();
            self.labels.pop();
            self.go(node, to)?;
        }
        Ok(())
    }

    pub(super) fn terminator(&mut self, block: Block) -> Emitted<()> {
        let data = &self.region.blocks[block.index()];
        let registers = self.registers.clone();
        let spent = self.spent + i64::from(data.retired);
        match &data.term {
            Term::Exit { kind, pc } => {
                self.flush(&registers)?;
                self.put_pc(*pc);
                self.leave(Left::Kind(*kind), spent);
            }
            Term::Jump(edge) => self.follow(block, edge, spent, &registers)?,
            Term::Branch { cond, args, then, els } => {
                let plain = |edge: &Edge| match &edge.target {
                    Target::Block(to, args) if !edge.preempt && args.is_empty() => {
                        let counts = spent != 0 && self.plan.joins[to.index()];
                        let stores =
                            self.plan.to_store(block, *to, &registers) != 0 || self.plan.restarts.enters(block, *to);
                        (!counts && !stores && self.is_direct(block.index(), to.index())).then_some(*to)
                    }
                    _ => None,
                };
                // A plain edge is a branch that is taken or not.
                let (cond, plain_to, other) = match (plain(then), plain(els)) {
                    (Some(to), _) => (*cond, Some(to), els),
                    (None, Some(to)) => (cond.negate(), Some(to), then),
                    (None, None) => (*cond, None, els),
                };
                self.condition(cond, *args)?;
                if let Some(to) = plain_to {
                    self.spent_at_start[to.index()] = spent;
                    let (to, _) = self.plan.structure.way(block.index(), to.index());
                    let depth = self.depth(Label::Node(to))?;
                    self.s().br_if(depth);
                } else {
                    self.s().if_(BlockType::Empty);
                    self.labels.push(Label::Other);
                    self.follow(block, then, spent, &registers)?;
                    self.labels.pop();
                    self.s().end();
                }
                self.follow(block, other, spent, &registers)?;
            }
            Term::Call { pc, .. } => {
                self.flush(&registers)?;
                self.count(spent);
                self.check_fuel_for(*pc);
                let next = self.next_context();
                self.check_depth(next, |e| e.pc(*pc));
                if *pc == self.region.pc {
                    // While it runs it is what a cell would lead to, or will be once what is active has left: what makes
                    // other code of a function unwinds everything.
                    let number = self.number;
                    self.s().local_get(next).local_get(FUEL).call(number);
                    return self.come_back(block, &registers);
                }
                let cell = u64::from(self.cell(*pc)?);
                self.s().local_get(next);
                self.cells();
                self.s().i32_load(at(cell + 4, 2)).i32_or();
                self.s().local_get(FUEL);
                self.cells();
                self.s().i32_load(at(cell, 2)).call_indirect(0, types::CODE);
                self.come_back(block, &registers)?;
            }
            Term::Indirect { base, disp, kind, targets } => {
                let target = self.temp(ValType::I64);
                self.get(*base)?;
                if *disp != 0 {
                    self.s().i64_const(i64::from(*disp)).i64_add();
                }
                if !targets.is_empty() {
                    self.s().local_set(target);
                    self.count(spent);
                    return self.jump_within(block, target, *kind, targets, &registers);
                }
                self.s().i64_const(!1).i64_and().local_set(target);
                self.flush(&registers)?;
                self.count(spent);
                if !cfg::is_shared_jump(data) {
                    self.check_fuel(|e| {
                        e.s().local_get(target);
                    });
                }
                match kind {
                    JumpKind::Call if return_pc(self.region, block, &registers).is_some() => {
                        let next = self.next_context();
                        self.check_depth(next, |e| {
                            e.s().local_get(target);
                        });
                        let line = self.look_up(target);
                        let cache = u64::from(self.links.cache);
                        self.s().local_get(next).local_get(line).i32_load(at(cache + 12, 2)).i32_or();
                        self.s().local_get(FUEL).local_get(line).i32_load(at(cache + 8, 2));
                        self.s().call_indirect(0, types::CODE);
                        self.come_back(block, &registers)?;
                    }
                    _ => self.leave_by(target, *kind),
                }
            }
        }
        Ok(())
    }

    /// A jump that is known to lead to places within the region, mostly; fuel has been counted. Bit 0 of the target is not
    /// cleared yet: those places are even.
    fn jump_within(
        &mut self,
        block: Block,
        target: u32,
        kind: JumpKind,
        targets: &[Edge],
        registers: &Registers,
    ) -> Emitted<()> {
        if !cfg::is_shared_jump(&self.region.blocks[block.index()]) {
            self.s().local_get(FUEL).i64_const(0).i64_le_s();
            self.seldom();
            self.flush(registers)?;
            self.put_target(|e| {
                e.s().local_get(target).i64_const(!1).i64_and();
            });
            self.leave(Left::Fuel, 0);
            self.s().end();
        }
        let cfg::ByAddress { shift, slots } = cfg::by_address(self.region, targets);
        let used: Vec<usize> = (0..slots.len()).filter(|&slot| !slots[slot].is_empty()).collect();
        let is_table = slots.len() > 1;
        // Around all of them, what is done where nothing is found.
        for _ in 0..=if is_table { used.len() } else { 0 } {
            self.s().block(BlockType::Empty);
            self.labels.push(Label::Other);
        }
        if is_table {
            let elsewhere = used.len() as u32;
            let depth = |slot| used.iter().position(|&other| other == slot).map_or(elsewhere, |place| place as u32);
            let depths: Vec<u32> = (0..slots.len()).map(depth).collect();
            self.s().local_get(target).i32_wrap_i64().i32_const(shift as i32).i32_shr_u();
            self.s().i32_const(slots.len() as i32 - 1).i32_and().br_table(depths, elsewhere);
        }
        for (place, &slot) in used.iter().enumerate() {
            if is_table {
                self.s().end();
                self.labels.pop();
            }
            for &(pc, edge) in &slots[slot] {
                self.s().local_get(target);
                self.pc(pc);
                self.s().i64_eq();
                self.hint(1);
                self.s().if_(BlockType::Empty);
                self.labels.push(Label::Other);
                self.follow(block, edge, 0, registers)?;
                self.labels.pop();
                self.s().end();
            }
            self.s().br((used.len() - 1 - place) as u32);
        }
        self.s().end();
        self.labels.pop();
        self.flush(registers)?;
        self.s().local_get(target).i64_const(!1).i64_and().local_set(target);
        self.leave_by(target, kind);
        Ok(())
    }

    /// Goes to compiled code elsewhere, or returns; the state has everything but pc and fuel.
    fn leave_by(&mut self, target: u32, kind: JumpKind) {
        if kind != JumpKind::Jump {
            self.s().local_get(target).local_get(FUEL).return_();
            return;
        }
        let line = self.look_up(target);
        let cache = u64::from(self.links.cache);
        self.same_depth();
        self.s().local_get(line).i32_load(at(cache + 12, 2)).i32_or();
        self.s().local_get(FUEL).local_get(line).i32_load(at(cache + 8, 2)).return_call_indirect(0, types::CODE);
    }

    /// Takes what was retired off fuel.
    fn count(&mut self, spent: i64) {
        if spent != 0 {
            self.s().local_get(FUEL).i64_const(spent).i64_sub().local_set(FUEL);
        }
    }

    /// Pushes this function's context without its number.
    fn same_depth(&mut self) {
        self.s().local_get(CONTEXT).i32_const(!context::NUMBER).i32_and();
    }

    /// The context of a callee, without a number.
    fn next_context(&mut self) -> u32 {
        let next = self.temp(ValType::I32);
        self.same_depth();
        self.code.push(I32_CONST);
        self.frames.push(self.code.len());
        self.code.extend(wide(0));
        self.s().i32_add().local_set(next);
        next
    }

    /// Leaves for the address that `target` pushes if active calls take too much of the stack.
    fn check_depth(&mut self, next: u32, target: impl Fn(&mut Self)) {
        self.s().local_get(next).i32_const(context::FULL).i32_ge_u();
        self.seldom();
        target(self);
        self.s().local_get(FUEL).return_().end();
    }

    /// Leaves for `target`, with everything in the state but pc and fuel, if fuel is used up.
    fn check_fuel(&mut self, target: impl Fn(&mut Self)) {
        self.s().local_get(FUEL).i64_const(0).i64_le_s();
        self.seldom();
        self.put_target(target);
        self.leave(Left::Fuel, 0);
        self.s().end();
    }

    fn check_fuel_for(&mut self, pc: u64) {
        self.check_fuel(|e| e.pc(pc));
    }

    fn put_pc(&mut self, pc: u64) {
        self.put_target(|e| e.pc(pc));
    }

    /// Stores the guest address that `target` pushes.
    fn put_target(&mut self, target: impl Fn(&mut Self)) {
        self.s().i32_const(0);
        target(self);
        let to = at(self.layout.field(offset_of!(State, pc)), 3);
        self.s().i64_store(to);
    }

    /// Returns an exit; the state has everything but fuel.
    fn leave(&mut self, left: Left, spent: i64) {
        self.s().i64_const(left.word() as i64).local_get(FUEL);
        if spent != 0 {
            self.s().i64_const(spent).i64_sub();
        }
        self.s().return_();
    }

    /// Where fuel is from before the loop that a fault restarts.
    fn restart_fuel(&self) -> MemArg {
        at(self.layout.field(offset_of!(State, scratch)), 3)
    }

    /// Leaves to run a loop once more up to an access: the state has the registers that it sets from before it.
    pub(super) fn leave_again(&mut self, restart: Restart, registers: &Registers, spent: i64) -> Emitted<()> {
        for r in registers.dirty().filter(|r| restart.sets >> r & 1 == 0) {
            self.store_register(r, registers.value[r])?;
        }
        self.put_pc(self.region.blocks[restart.head.index()].pc);
        let before = self.restart_fuel();
        self.s().i32_const(0).i64_load(before).local_get(FUEL).i64_sub();
        self.s().i64_const(spent).i64_add().i64_const(Left::NUMBER_BITS.into()).i64_shl();
        self.s().i64_const(Left::Rerun(0).word() as i64).i64_or();
        self.s().i32_const(0).i64_load(before).return_();
        Ok(())
    }

    /// Leaves for the tier below.
    pub(super) fn leave_below(&mut self, registers: &Registers, spent: i64, pc: u64) -> Emitted<()> {
        self.flush(registers)?;
        self.put_pc(pc);
        self.leave(Left::Below, spent);
        Ok(())
    }

    fn cell(&self, pc: u64) -> Emitted<u32> {
        self.links.cells.get(&pc).copied().ok_or("a place without a cell")
    }

    /// Goes on after a call: at the return site if that is where the callee returned to, else out.
    fn come_back(&mut self, block: Block, registers: &Registers) -> Emitted<()> {
        let return_pc = return_pc(self.region, block, registers).ok_or("a call that does not return")?;
        let Some(site) = cfg::return_site(self.region, return_pc) else {
            self.s().return_();
            return Ok(());
        };
        let pc = self.temp(ValType::I64);
        self.s().local_set(FUEL).local_tee(pc);
        self.pc(return_pc);
        self.s().i64_ne();
        self.seldom();
        self.s().local_get(pc).local_get(FUEL).return_().end();
        self.go(block.index(), site.index())
    }

    /// Finds the line of `target` in the jump cache, or leaves.
    fn look_up(&mut self, target: u32) -> u32 {
        let line = self.temp(ValType::I32);
        let cache = u64::from(self.links.cache);
        // As `friscy_seam::lines::first_way`; bit 0 of the address is clear.
        const LINE_BITS: u32 = size_of::<Line>().trailing_zeros();
        self.s().local_get(target).i32_wrap_i64().i32_const(LINE_BITS as i32 - 1).i32_shl();
        self.s().i32_const(((LINES - 1) << LINE_BITS) as i32).i32_and();
        if self.links.placing != Placing::Here {
            self.s().global_get(globals::CACHE).i32_add();
        }
        self.s().local_tee(line).i64_load(at(cache, 3));
        self.s().local_get(target).i64_ne();
        self.seldom();
        self.s().local_get(line).i32_const(1 << LINE_BITS).i32_xor().local_tee(line).i64_load(at(cache, 3));
        self.s().local_get(target).i64_ne();
        self.seldom();
        self.s().local_get(target).local_get(FUEL).return_().end().end();
        line
    }

    /// Goes along an edge; if it is a preemption point, only if there is fuel.
    fn follow(&mut self, from: Block, edge: &Edge, spent: i64, registers: &Registers) -> Emitted<()> {
        match &edge.target {
            Target::Block(to, args) => {
                let data = &self.region.blocks[to.index()];
                if edge.preempt || self.plan.joins[to.index()] {
                    self.count(spent);
                } else {
                    self.spent_at_start[to.index()] = spent;
                }
                if edge.preempt {
                    self.s().local_get(FUEL).i64_const(0).i64_le_s();
                    self.seldom();
                    self.flush(registers)?;
                    if cfg::is_shared_jump(data) {
                        self.s().i32_const(0);
                        self.get(args[0])?;
                        let to = at(self.layout.field(offset_of!(State, pc)), 3);
                        self.s().i64_const(!1).i64_and().i64_store(to);
                    } else {
                        self.put_pc(data.pc);
                    }
                    self.leave(Left::Fuel, 0);
                    self.s().end();
                    if !self.plan.joins[to.index()] {
                        self.spent_at_start[to.index()] = 0;
                    }
                }
                for r in bits(self.plan.to_store(from, *to, registers)) {
                    self.store_register(r, registers.value[r])?;
                }
                let moved: Vec<(Value, Value)> =
                    data.params.iter().copied().zip(args.iter().copied()).filter(|(param, arg)| param != arg).collect();
                for &(param, arg) in &moved {
                    if self.plan.is_guarded(self.region, param, arg) {
                        self.bits(arg)?;
                        self.s().i64_const(32).i64_shr_s().i64_const(-1).i64_ne();
                        self.seldom();
                        let left = if edge.preempt || self.plan.joins[to.index()] { 0 } else { spent };
                        self.leave_below(registers, left, data.pc)?;
                        self.s().end();
                    }
                }
                if self.plan.restarts.enters(from, *to) {
                    let before = self.restart_fuel();
                    self.s().i32_const(0).local_get(FUEL).i64_store(before);
                }
                for &(param, arg) in &moved {
                    self.argument(param, arg)?;
                }
                for &(param, _) in moved.iter().rev() {
                    self.set(param);
                }
                self.go(from.index(), to.index())
            }
            Target::Pc(pc) => {
                self.flush(registers)?;
                self.count(spent);
                if edge.preempt {
                    self.check_fuel_for(*pc);
                }
                let cell = u64::from(self.cell(*pc)?);
                self.same_depth();
                self.cells();
                self.s().i32_load(at(cell + 4, 2)).i32_or().local_get(FUEL);
                self.cells();
                self.s().i32_load(at(cell, 2)).return_call_indirect(0, types::CODE);
                Ok(())
            }
        }
    }

    /// Pushes what goes to a parameter, as what that is held as.
    fn argument(&mut self, param: Value, arg: Value) -> Emitted<()> {
        let held = self.plan.held(param);
        if held == Held::Plain {
            return if self.plan.narrow.holds(param) { self.low(arg) } else { self.get(arg) };
        }
        if self.plan.held(arg) == held {
            self.get_held(arg);
            return Ok(());
        }
        match self.inline(arg).copied() {
            Some(inst) if held == Held::Single && inst.op == Op::Box => return self.get(inst.args[0]),
            Some(inst) if held == Held::Double && inst.op == Op::BitsI64 => return self.get(inst.args[0]),
            _ => {}
        }
        if held == Held::Single {
            self.single_bits(arg)?;
            self.s().f32_reinterpret_i32();
        } else {
            self.get(arg)?;
            self.s().f64_reinterpret_i64();
        }
        Ok(())
    }

    /// Pushes whether a branch is taken, as 32 bits.
    fn condition(&mut self, cond: Cond, args: [Value; 2]) -> Emitted<()> {
        let [a, b] = args;
        if self.region.as_const(b) == Some(0) && matches!(cond, Cond::Eq | Cond::Ne) {
            self.truth(a)?;
            if cond == Cond::Eq {
                self.s().i32_eqz();
            }
            return Ok(());
        }
        if self.compares_low(a, b) {
            self.low(a)?;
            self.low(b)?;
            match cond {
                Cond::Eq => self.s().i32_eq(),
                Cond::Ne => self.s().i32_ne(),
                Cond::LtS => self.s().i32_lt_s(),
                Cond::GeS => self.s().i32_ge_s(),
                Cond::LtU => self.s().i32_lt_u(),
                Cond::GeU => self.s().i32_ge_u(),
            };
            return Ok(());
        }
        self.get(a)?;
        self.get(b)?;
        match cond {
            Cond::Eq => self.s().i64_eq(),
            Cond::Ne => self.s().i64_ne(),
            Cond::LtS => self.s().i64_lt_s(),
            Cond::GeS => self.s().i64_ge_s(),
            Cond::LtU => self.s().i64_lt_u(),
            Cond::GeU => self.s().i64_ge_u(),
        };
        Ok(())
    }
}
