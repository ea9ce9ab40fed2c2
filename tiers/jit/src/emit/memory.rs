//! Guest memory: an access is one host instruction in the window, whose fault is found by its place.

use super::{Emitted, Emitter, state_offset};
use crate::floats::Held;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, types};
use friscy_lift_ir::{Inst, Op, Type, Value};
use friscy_seam::State;
use std::mem::offset_of;

impl Emitter<'_, '_> {
    /// The host address that `base` gives, without a displacement: its low half above the window's start.
    fn host_address(&mut self, base: Value) -> ir::Value {
        if let Some(imm) = self.region.as_const(base) {
            let low = self.constant(i64::from(imm as u32));
            let window = self.window();
            return self.b.ins().iadd(window, low);
        }
        let low = match self.low_halves.get(&base) {
            Some(&low) => low,
            None => {
                let half = self.low(base);
                let low = self.b.ins().uextend(types::I64, half);
                self.low_halves.insert(base, low);
                low
            }
        };
        let window = self.window();
        self.b.ins().iadd(window, low)
    }

    pub(super) fn memory(&mut self, inst: &Inst) -> Emitted<()> {
        match inst.op.info().imm {
            friscy_lift_ir::op::ImmKind::Disp => self.plain(inst),
            _ => self.atomic(inst),
        }
    }

    fn plain(&mut self, inst: &Inst) -> Emitted<()> {
        let disp = i32::try_from(inst.imm).map_err(|_| "a long displacement")?;
        let base = inst.args[0];
        let write = inst.result == Value::NONE;
        let stored = write.then(|| self.stored(inst));
        let host = self.host_address(base);
        self.access(base, disp, inst.guest_index, write);
        let (flags, at) = (MemFlagsData::new(), Offset32::new(disp));
        if let Some(value) = stored {
            match inst.op {
                Op::Store8 => self.b.ins().istore8(flags, value, host, at),
                Op::Store16 => self.b.ins().istore16(flags, value, host, at),
                _ => self.b.ins().store(flags, value, host, at),
            };
            return Ok(());
        }
        let value = match inst.op {
            Op::Load8S => self.b.ins().sload8(types::I64, flags, host, at),
            Op::Load8U => self.b.ins().uload8(types::I64, flags, host, at),
            Op::Load16S => self.b.ins().sload16(types::I64, flags, host, at),
            Op::Load16U => self.b.ins().uload16(types::I64, flags, host, at),
            Op::Load32S => self.b.ins().sload32(flags, host, at),
            Op::Load32U => self.b.ins().uload32(flags, host, at),
            Op::LoadF32 => self.b.ins().load(types::F32, flags, host, at),
            Op::LoadF64 => self.b.ins().load(types::F64, flags, host, at),
            _ => self.b.ins().load(types::I64, flags, host, at),
        };
        self.define(inst.result, value);
        Ok(())
    }

    /// The value that a store stores.
    fn stored(&mut self, inst: &Inst) -> ir::Value {
        let v = inst.args[1];
        match inst.op {
            Op::StoreF32 => {}
            Op::Store8 | Op::Store16 | Op::Store32 => return self.low(v),
            _ => return self.settle(v),
        }
        match self.region.def(v) {
            Some(def) if def.op == Op::Box => self.settle(def.args[0]),
            _ if self.plan.floats.held(v) == Held::Single => self.get_held(v),
            _ => {
                let value = self.settle(v);
                let bits = self.b.ins().bitcast(types::I64, MemFlagsData::new(), value);
                self.b.ins().ireduce(types::I32, bits)
            }
        }
    }

    fn atomic(&mut self, inst: &Inst) -> Emitted<()> {
        let wide = inst.op.is_wide_atomic();
        debug_assert!(inst.op.info().args[0] == Type::I64);
        let base = inst.args[0];
        let address = self.get(base);
        let pc = self.region.guest_pc(self.block, inst.guest_index);
        self.check_alignment(address, if wide { 8 } else { 4 }, pc, inst.guest_index);
        match inst.op {
            Op::Lr32 | Op::Lr64 => {
                let value = self.atomic_load(inst, wide, false);
                self.store_state(address, state_offset(offset_of!(State, reservation)));
                self.store_state(value, state_offset(offset_of!(State, reserved_value)));
                self.define(inst.result, value);
            }
            Op::Sc32 | Op::Sc64 => self.store_conditional(inst, address, wide),
            _ => {
                let operand = if wide {
                    self.get(inst.args[1])
                } else {
                    let low = self.low(inst.args[1]);
                    self.b.ins().sextend(types::I64, low)
                };
                let old = self.atomic_load(inst, wide, true);
                let new = match inst.op {
                    Op::AmoSwap32 | Op::AmoSwap64 => operand,
                    Op::AmoAdd32 | Op::AmoAdd64 => self.b.ins().iadd(old, operand),
                    Op::AmoXor32 | Op::AmoXor64 => self.b.ins().bxor(old, operand),
                    Op::AmoAnd32 | Op::AmoAnd64 => self.b.ins().band(old, operand),
                    Op::AmoOr32 | Op::AmoOr64 => self.b.ins().bor(old, operand),
                    Op::AmoMinS32 | Op::AmoMinS64 => self.b.ins().smin(old, operand),
                    Op::AmoMaxS32 | Op::AmoMaxS64 => self.b.ins().smax(old, operand),
                    Op::AmoMinU32 | Op::AmoMinU64 => self.b.ins().umin(old, operand),
                    Op::AmoMaxU32 | Op::AmoMaxU64 => self.b.ins().umax(old, operand),
                    _ => return Err("an unknown atomic"),
                };
                self.atomic_store(inst, wide, new);
                self.define(inst.result, old);
            }
        }
        Ok(())
    }

    fn atomic_load(&mut self, inst: &Inst, wide: bool, write: bool) -> ir::Value {
        let host = self.host_address(inst.args[0]);
        self.access(inst.args[0], 0, inst.guest_index, write);
        let (flags, at) = (MemFlagsData::new(), Offset32::new(0));
        if wide { self.b.ins().load(types::I64, flags, host, at) } else { self.b.ins().sload32(flags, host, at) }
    }

    fn atomic_store(&mut self, inst: &Inst, wide: bool, value: ir::Value) {
        let host = self.host_address(inst.args[0]);
        self.access(inst.args[0], 0, inst.guest_index, true);
        let (flags, at) = (MemFlagsData::new(), Offset32::new(0));
        if wide {
            self.b.ins().store(flags, value, host, at);
        } else {
            self.b.ins().istore32(flags, value, host, at);
        }
    }

    fn store_conditional(&mut self, inst: &Inst, address: ir::Value, wide: bool) {
        let (try_it, same, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(done, types::I64);
        // Both accesses are made on some ways only: what is stored for one must be stored on all.
        let registers = self.registers.clone();
        self.flush(&registers);
        self.registers.dirty = 0;
        let reservation = self.load_state(types::I64, state_offset(offset_of!(State, reservation)));
        let reserved = self.load_state(types::I64, state_offset(offset_of!(State, reserved_value)));
        let value = self.get(inst.args[1]);
        let _ = self.host_address(inst.args[0]);
        let failed = self.constant(1);
        let holds = self.b.ins().icmp(IntCC::Equal, reservation, address);
        self.b.ins().brif(holds, try_it, &[], done, &[BlockArg::Value(failed)]);
        self.b.switch_to_block(try_it);
        let seen = self.atomic_load(inst, wide, true);
        let reserved = if wide {
            reserved
        } else {
            let low = self.b.ins().ireduce(types::I32, reserved);
            self.b.ins().sextend(types::I64, low)
        };
        let unchanged = self.b.ins().icmp(IntCC::Equal, seen, reserved);
        self.b.ins().brif(unchanged, same, &[], done, &[BlockArg::Value(failed)]);
        self.b.switch_to_block(same);
        self.atomic_store(inst, wide, value);
        let stored = self.constant(0);
        self.b.ins().jump(done, &[BlockArg::Value(stored)]);
        self.b.switch_to_block(done);
        let none = self.constant(-1);
        self.store_state(none, state_offset(offset_of!(State, reservation)));
        let result = self.b.block_params(done)[0];
        self.define(inst.result, result);
    }
}
