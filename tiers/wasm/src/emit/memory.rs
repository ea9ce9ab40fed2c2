//! Guest memory: the page's byte is looked at before an access. In the plain form a load traps beyond the memory, and is made
//! so that the lowest addresses, where null pointers are, are beyond it too.
//!
//! What code may do with a page does not change while it runs, so a page is looked at once for all accesses that follow.
//! Accesses by one address with different displacements are looked at together, at the first of them.

use super::{Emitted, Emitter, Label, at};
use crate::plan::{is_access, is_plain};
use friscy_lift_ir::{Inst, Op, Value};
use friscy_seam::State;
use friscy_seam::access::{LOWEST_ADDRESS, WINDOW_SIZE, page};
use std::mem::offset_of;
use wasm_encoder::{BlockType, ValType};

/// The most bytes that are looked at together, which are in two pages at most.
const MAX_SPAN: i32 = 4096;

/// How far displacements may add up: less than the guest's lowest address, so that an address that wraps faults.
const MAX_DISTANCE: i64 = 0x8000;

const _: () = assert!(MAX_DISTANCE < LOWEST_ADDRESS as i64);

/// Bytes from an address on that were looked at.
#[derive(Clone)]
struct Fact {
    base: Value,
    from: i32,
    to: i32,
    write: bool,
}

/// What was looked at before.
#[derive(Clone, Default)]
pub(super) struct Facts(Vec<Fact>);

impl Facts {
    fn has(&self, base: Value, from: i32, to: i32, write: bool) -> bool {
        self.0.iter().any(|fact| fact.base == base && fact.from <= from && to <= fact.to && (fact.write || !write))
    }

    /// Whether what is that far from an address cannot be among the lowest, since something below it is not.
    fn is_above_lowest(&self, base: Value, from: i32) -> bool {
        self.0.iter().any(|fact| fact.base == base && fact.from <= from)
    }
}

/// How many bytes an op accesses.
fn len_of(op: Op) -> i32 {
    match op {
        Op::Load8S | Op::Load8U | Op::Store8 => 1,
        Op::Load16S | Op::Load16U | Op::Store16 => 2,
        Op::Load32S | Op::Load32U | Op::LoadF32 | Op::Store32 | Op::StoreF32 => 4,
        Op::Load64 | Op::LoadF64 | Op::Store64 | Op::StoreF64 => 8,
        op if op.is_wide_atomic() => 8,
        _ => 4,
    }
}

impl Emitter<'_> {
    /// An address as another value and a distance from there: what it is known by, and what is there to compute it from.
    fn address(&self, base: Value, disp: i64) -> [(Value, i32); 2] {
        let (mut base, mut distance) = (base, disp);
        let mut there = (base, distance as i32);
        while let Some(inst) = self.region.def(base).filter(|inst| inst.op == Op::Add) {
            let Some(imm) = self.region.as_const(inst.args[1]) else { break };
            let Some(sum) = distance.checked_add(imm).filter(|sum| sum.abs() < MAX_DISTANCE) else { break };
            (base, distance) = (inst.args[0], sum);
            if self.plan.is_there(base, self.block) {
                there = (base, distance as i32);
            }
        }
        [(base, distance as i32), there]
    }

    pub(super) fn access(&mut self, inst: &Inst) -> Emitted<()> {
        if !is_plain(inst.op) {
            return self.atomic(inst);
        }
        if inst.imm.abs() >= MAX_DISTANCE {
            return Err("a long displacement");
        }
        let write = inst.op.info().result.is_none();
        let [known_by, (base, distance)] = self.address(inst.args[0], inst.imm);
        let window = i64::from(self.layout.window);
        let place = if self.plan.leaves(inst.op) {
            self.check(inst, known_by, (base, distance), write)?;
            self.low(base)?;
            window + i64::from(distance)
        } else if self.is_above_lowest(known_by) {
            self.low(base)?;
            window + i64::from(distance)
        } else {
            // The lowest addresses become the highest, and those are beyond the memory.
            self.low(base)?;
            self.s().i32_const(distance - LOWEST_ADDRESS as i32).i32_add();
            window + LOWEST_ADDRESS as i64
        };
        // The window is far enough up that the sum is not negative.
        let place = at(place as u64, 0);
        if write {
            let v = inst.args[1];
            match inst.op {
                Op::Store8 | Op::Store16 | Op::Store32 => self.low(v)?,
                Op::StoreF32 => self.single_bits(v)?,
                _ => self.get(v)?,
            }
            match inst.op {
                Op::Store8 => self.s().i32_store8(place),
                Op::Store16 => self.s().i32_store16(place),
                Op::Store32 | Op::StoreF32 => self.s().i32_store(place),
                Op::StoreF64 => self.s().f64_store(place),
                _ => self.s().i64_store(place),
            };
            return Ok(());
        }
        let narrow = self.plan.narrow.holds(inst.result);
        match inst.op {
            Op::Load8S if narrow => self.s().i32_load8_s(place),
            Op::Load8U if narrow => self.s().i32_load8_u(place),
            Op::Load16S if narrow => self.s().i32_load16_s(place),
            Op::Load16U if narrow => self.s().i32_load16_u(place),
            Op::Load32S if narrow => self.s().i32_load(place),
            Op::Load8S => self.s().i64_load8_s(place),
            Op::Load8U => self.s().i64_load8_u(place),
            Op::Load16S => self.s().i64_load16_s(place),
            Op::Load16U => self.s().i64_load16_u(place),
            Op::Load32S => self.s().i64_load32_s(place),
            Op::Load32U => self.s().i64_load32_u(place),
            Op::LoadF32 => self.s().f32_load(place),
            Op::LoadF64 => self.s().f64_load(place),
            _ => self.s().i64_load(place),
        };
        self.set(inst.result);
        Ok(())
    }

    /// Leaves unless the bytes that `inst` accesses may be.
    fn check(&mut self, inst: &Inst, known_by: (Value, i32), there: (Value, i32), write: bool) -> Emitted<()> {
        let (root, distance) = known_by;
        let end = distance + len_of(inst.op);
        if self.facts.has(root, distance, end, write) {
            return Ok(());
        }
        let (from, to, count) = self.together(inst, root, distance, write);
        let out = self.out(inst.guest_index);
        let (base, offset) = (there.0, there.1 - distance);
        if count < 2 {
            self.check_one(base, there.1, len_of(inst.op), write, out)?;
        } else {
            self.check_page(base, from + offset, write, out)?;
            self.check_page(base, to - 1 + offset, write, out)?;
        }
        self.facts.0.push(Fact { base: root, from, to, write });
        Ok(())
    }

    /// Whether an address is known not to be among the lowest. From then on it is: who asks makes sure of it.
    fn is_above_lowest(&mut self, (root, distance): (Value, i32)) -> bool {
        if self.facts.is_above_lowest(root, distance) {
            return true;
        }
        if let Some(root) = self.region.as_const(root) {
            let address = i64::from(root as u32) + i64::from(distance);
            return (LOWEST_ADDRESS as i64..WINDOW_SIZE as i64).contains(&address);
        }
        // Most accesses are upwards from an address. Distances are short, so that no sum of them wraps that is in the memory.
        self.facts.0.push(Fact { base: root, from: distance, to: distance, write: false });
        false
    }

    /// From where to where, from `root`, this access and others like it after it in the block reach, and how many they are.
    fn together(&self, inst: &Inst, root: Value, distance: i32, write: bool) -> (i32, i32, u32) {
        let (mut from, mut to, mut count) = (distance, distance + len_of(inst.op), 0);
        let data = &self.region.blocks[self.block.index()];
        for id in &data.insts {
            let other = &self.region.insts[id.index()];
            // Those before are looked at already, or are other addresses.
            if other.guest_index < inst.guest_index || !is_plain(other.op) || other.op.info().result.is_none() != write
            {
                continue;
            }
            let [(other_root, other_from), _] = self.address(other.args[0], other.imm);
            let (low, high) = (from.min(other_from), to.max(other_from + len_of(other.op)));
            if other_root == root && high - low <= MAX_SPAN {
                (from, to, count) = (low, high, count + 1);
            }
        }
        (from, to, count)
    }

    /// Looks at the page of a byte.
    fn check_page(&mut self, base: Value, distance: i32, write: bool, out: usize) -> Emitted<()> {
        self.low(base)?;
        if distance != 0 {
            self.s().i32_const(distance).i32_add();
        }
        self.look(write, out)
    }

    /// Looks at the pages of an access by itself: one, unless it is misaligned.
    fn check_one(&mut self, base: Value, distance: i32, len: i32, write: bool, out: usize) -> Emitted<()> {
        if len == 1 {
            return self.check_page(base, distance, write, out);
        }
        let address = self.temp(ValType::I32);
        self.low(base)?;
        if distance != 0 {
            self.s().i32_const(distance).i32_add();
        }
        self.s().local_tee(address);
        self.look(write, out)?;
        self.s().local_get(address).i32_const(len - 1).i32_and();
        self.seldom();
        self.labels.push(Label::Other);
        self.s().local_get(address).i32_const(len - 1).i32_add();
        self.look(write, out)?;
        self.labels.pop();
        self.s().end();
        Ok(())
    }

    /// Takes an address, and leaves unless its page may be accessed; notes that the page is written.
    fn look(&mut self, write: bool, out: usize) -> Emitted<()> {
        let bytes = at(u64::from(self.layout.pages), 0);
        self.s().i32_const(12).i32_shr_u();
        let (mask, want) = if write {
            (page::WRITE | page::DIRTY | page::BEYOND, page::WRITE | page::DIRTY)
        } else {
            (page::READ | page::BEYOND, page::READ)
        };
        if !write {
            self.s().i32_load8_u(bytes).i32_const(mask.into()).i32_and().i32_const(want.into()).i32_ne();
            return self.seldom_to(Label::Out(out));
        }
        let number = self.temp(ValType::I32);
        self.s().local_tee(number).i32_load8_u(bytes);
        self.s().i32_const(mask.into()).i32_and().i32_const(want.into()).i32_ne();
        self.seldom();
        self.labels.push(Label::Other);
        // Mostly this is only the first write. The byte is loaded again, otherwise than before, or V8 would hold it: in a
        // register that is not needed where all is well.
        let (mask, want) = (page::WRITE | page::BEYOND, page::WRITE);
        self.s().local_get(number).i32_load8_s(bytes).i32_const(mask.into()).i32_and().i32_const(want.into()).i32_ne();
        self.seldom_to(Label::Out(out))?;
        self.s().local_get(number).local_get(number).i32_load8_s(bytes).i32_const(page::DIRTY.into()).i32_or();
        self.s().i32_store8(bytes);
        self.labels.pop();
        self.s().end();
        Ok(())
    }

    fn atomic(&mut self, inst: &Inst) -> Emitted<()> {
        debug_assert!(is_access(inst.op));
        let wide = inst.op.is_wide_atomic();
        let len = if wide { 8 } else { 4 };
        let write = !matches!(inst.op, Op::Lr32 | Op::Lr64);
        let out = self.out(inst.guest_index);
        let (address, low) = (self.temp(ValType::I64), self.temp(ValType::I32));
        self.get(inst.args[0])?;
        self.s().local_tee(address).i32_wrap_i64().local_tee(low).i32_const(len - 1).i32_and();
        self.seldom_to(Label::Out(out))?;
        self.s().local_get(low);
        self.look(write, out)?;
        let place = at(self.layout.window.into(), 0);
        let load = |e: &mut Self| {
            e.s().local_get(low);
            if wide {
                e.s().i64_load(place);
            } else {
                e.s().i64_load32_s(place);
            }
        };
        let store = |e: &mut Self| {
            if wide {
                e.s().i64_store(place);
            } else {
                e.s().i64_store32(place);
            }
        };
        let reservation = at(self.layout.field(offset_of!(State, reservation)), 3);
        let reserved = at(self.layout.field(offset_of!(State, reserved_value)), 2);
        match inst.op {
            Op::Lr32 | Op::Lr64 => {
                let value = self.place(inst.result);
                load(self);
                self.s().local_set(value);
                self.s().i32_const(0).local_get(address).i64_store(reservation);
                self.s().i32_const(0).local_get(value).i64_store(reserved);
            }
            Op::Sc32 | Op::Sc64 => {
                let result = self.place(inst.result);
                self.s().i64_const(1).local_set(result);
                self.s().i32_const(0).i64_load(reservation).local_get(address).i64_eq().if_(BlockType::Empty);
                load(self);
                self.s().i32_const(0);
                if wide {
                    self.s().i64_load(reserved);
                } else {
                    self.s().i64_load32_s(reserved);
                }
                self.s().i64_eq().if_(BlockType::Empty);
                self.s().local_get(low);
                self.get(inst.args[1])?;
                store(self);
                self.s().i64_const(0).local_set(result).end().end();
                self.s().i32_const(0).i64_const(-1).i64_store(reservation);
            }
            _ => {
                let (old, operand) = (self.place(inst.result), self.temp(ValType::I64));
                if wide {
                    self.get(inst.args[1])?;
                } else {
                    self.low(inst.args[1])?;
                    self.s().i64_extend_i32_s();
                }
                self.s().local_set(operand);
                load(self);
                self.s().local_set(old);
                self.s().local_get(low);
                if !matches!(inst.op, Op::AmoSwap32 | Op::AmoSwap64) {
                    self.s().local_get(old);
                }
                self.s().local_get(operand);
                match inst.op {
                    Op::AmoSwap32 | Op::AmoSwap64 => {}
                    Op::AmoAdd32 | Op::AmoAdd64 => {
                        self.s().i64_add();
                    }
                    Op::AmoXor32 | Op::AmoXor64 => {
                        self.s().i64_xor();
                    }
                    Op::AmoAnd32 | Op::AmoAnd64 => {
                        self.s().i64_and();
                    }
                    Op::AmoOr32 | Op::AmoOr64 => {
                        self.s().i64_or();
                    }
                    op => {
                        self.s().local_get(old).local_get(operand);
                        match op {
                            Op::AmoMinS32 | Op::AmoMinS64 => self.s().i64_lt_s(),
                            Op::AmoMaxS32 | Op::AmoMaxS64 => self.s().i64_gt_s(),
                            Op::AmoMinU32 | Op::AmoMinU64 => self.s().i64_lt_u(),
                            Op::AmoMaxU32 | Op::AmoMaxU64 => self.s().i64_gt_u(),
                            _ => return Err("an unknown atomic"),
                        };
                        self.s().select();
                    }
                }
                store(self);
            }
        }
        Ok(())
    }
}
