//! Floating-point ops: in the host's vector registers, with flags gathering in MXCSR, where the result shows that the
//! host did as RISC-V says; else by the exact implementation.

use super::{Emitted, Emitter, RESULT_SLOT, UNREAD_SLOT, clif_type, state_offset};
use crate::fault::{CANONICAL_NAN_32, CANONICAL_NAN_64};
use crate::floats::Held;
use crate::symbol::{Helper, Symbol};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, types};
use friscy_lift_ir::{Inst, InstId, Op, RoundingClass, Type, Value, eval};
use friscy_seam::State;
use std::mem::offset_of;

/// How many instructions are looked at for a second value to be made canonical.
const LOOK_AHEAD: usize = 24;

/// Lanes of vectors are in the order of the host's memory.
const LANES: MemFlagsData = MemFlagsData::new().with_endianness(ir::Endianness::Little);

/// The invalid-operation flag.
const NV: i64 = 16;

/// Computes any floating-point op exactly. Called by compiled code.
///
/// # Safety
/// `state` is that which compiled code runs with.
pub(crate) unsafe extern "C" fn compute(state: *mut State, op: u64, a: u64, b: u64, c: u64) -> u64 {
    // SAFETY: compiled code, the only other user of the state, waits.
    let state = unsafe { &mut *state };
    let (op, rm) = (Op::ALL[op as usize & 0xff], (op >> 8) as i64);
    eval::evaluate_float(op, rm, [a, b, c], state.frm, &mut state.fflags)
}

/// Replaces the accrued flags, those in MXCSR included.
///
/// # Safety
/// As [`compute`].
pub(crate) unsafe extern "C" fn set_flags(state: *mut State, flags: u64, _: u64, _: u64, _: u64) -> u64 {
    // SAFETY: as above.
    let state = unsafe { &mut *state };
    friscy_fp::sse::clear_flags();
    state.fflags = flags as u32;
    0
}

impl Emitter<'_, '_> {
    pub(super) fn float(&mut self, id: InstId, inst: &Inst) -> Emitted<()> {
        match inst.op {
            Op::GetFflags => {
                let result = self.flags();
                self.define(inst.result, result);
            }
            Op::SetFflags if self.plan.takes_back.contains(&id) => {}
            Op::SetFflags => {
                let value = self.get(inst.args[0]);
                self.set_flags(value);
            }
            Op::GetFrm => {
                let at = state_offset(offset_of!(State, frm));
                let value = self.load_state(types::I32, at);
                let value = self.b.ins().uextend(types::I64, value);
                self.define(inst.result, value);
            }
            Op::SetFrm => {
                let value = self.get(inst.args[0]);
                let mask = self.constant(7);
                let low = self.b.ins().band(value, mask);
                let low = self.b.ins().ireduce(types::I32, low);
                self.store_state(low, state_offset(offset_of!(State, frm)));
            }
            op => {
                let nearest = inst.imm == 0 || inst.imm == 7 && self.region.rounding == RoundingClass::Rne;
                let done = match op {
                    Op::Unbox | Op::BitsF64 | Op::BitsF32 => self.bits(inst),
                    _ => {
                        self.sign(inst)
                            || self.compare(id, inst)
                            || self.integer_of(inst)
                            || self.least(inst)
                            || (nearest && self.arith(inst))
                    }
                };
                if !done {
                    let value = self.exact(inst);
                    self.define(inst.result, value);
                }
                // An op whose result nobody needs still sets flags: Cranelift must not leave it out.
                let value = self.values[inst.result.index()];
                let keeps = op.info().effects.contains(friscy_lift_ir::op::Effects::FP_ENV);
                if let Some(value) = value.filter(|_| keeps && self.plan.last_use[inst.result.index()] == 0) {
                    self.store_state(value, state_offset(offset_of!(State, scratch) + 8 * UNREAD_SLOT));
                }
            }
        }
        Ok(())
    }

    /// The accrued flags: those in the state, and those that MXCSR has gathered since.
    fn flags(&mut self) -> ir::Value {
        let read = self.symbol(Symbol::Helper(Helper::ReadMxcsr));
        self.b.ins().call_indirect(self.read_mxcsr, read, &[]);
        let mxcsr = self.load_state(types::I64, state_offset(offset_of!(State, scratch) + 8 * RESULT_SLOT));
        let mask = self.constant(friscy_fp::sse::FLAGS.len() as i64 - 1);
        let index = self.b.ins().band(mxcsr, mask);
        let table = self.symbol(Symbol::Helper(Helper::Flags));
        let entry = self.b.ins().iadd(table, index);
        let gathered = self.b.ins().uload8(types::I64, MemFlagsData::trusted(), entry, Offset32::new(0));
        let flags = self.load_state(types::I32, state_offset(offset_of!(State, fflags)));
        let flags = self.b.ins().uextend(types::I64, flags);
        self.b.ins().bor(flags, gathered)
    }

    /// Makes the low bits of `value` the accrued flags.
    fn set_flags(&mut self, value: ir::Value) {
        let mask = self.constant(31);
        let low = self.b.ins().band(value, mask);
        let zero = self.constant(0);
        self.call_helper(Helper::SetFlags, low, [zero; 3]);
    }

    /// Calls one of the functions above.
    fn call_helper(&mut self, helper: Helper, op: ir::Value, args: [ir::Value; 3]) -> ir::Value {
        let below = self.constant(friscy_seam::access::STATE_BELOW as i64);
        let window = self.window();
        let state = self.b.ins().isub(window, below);
        let helper = self.symbol(Symbol::Helper(helper));
        let preserving = self.symbol(Symbol::Helper(Helper::Preserving));
        let args = [state, op, args[0], args[1], args[2], helper];
        self.b.ins().call_indirect(self.helper, preserving, &args);
        self.load_state(types::I64, state_offset(offset_of!(State, scratch) + 8 * RESULT_SLOT))
    }

    /// A value's bits as 64.
    fn as_bits(&mut self, value: ir::Value) -> ir::Value {
        match self.b.func.dfg.value_type(value) {
            types::F32 => {
                let bits = self.b.ins().bitcast(types::I32, MemFlagsData::new(), value);
                self.b.ins().uextend(types::I64, bits)
            }
            types::F64 => self.b.ins().bitcast(types::I64, MemFlagsData::new(), value),
            _ => value,
        }
    }

    /// Whether a register's value is a NaN-boxed single.
    pub(super) fn is_boxed(&mut self, value: ir::Value) -> ir::Value {
        let bits = self.b.ins().bitcast(types::I64, MemFlagsData::new(), value);
        let boxed = self.constant(!0 << 32);
        self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, bits, boxed)
    }

    /// The low half of a register's value.
    pub(super) fn low_single(&mut self, value: ir::Value) -> ir::Value {
        let wide = self.b.ins().scalar_to_vector(types::F64X2, value);
        let singles = self.b.ins().bitcast(types::F32X4, LANES, wide);
        self.b.ins().extractlane(singles, 0)
    }

    /// A single, NaN-boxed.
    pub(super) fn boxed(&mut self, single: ir::Value) -> ir::Value {
        let wide = self.b.ins().scalar_to_vector(types::F32X4, single);
        let bits = self.b.ins().bitcast(types::I64X2, LANES, wide);
        let high = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        let high = self.b.func.dfg.constants.insert(ir::ConstantData::from(&high[..]));
        let high = self.b.ins().vconst(types::I64X2, high);
        let boxed = self.b.ins().bor(bits, high);
        let doubles = self.b.ins().bitcast(types::F64X2, LANES, boxed);
        self.b.ins().extractlane(doubles, 0)
    }

    /// The op by the exact implementation.
    fn exact(&mut self, inst: &Inst) -> ir::Value {
        let zero = self.constant(0);
        let mut args = [zero; 3];
        for (arg, &v) in args.iter_mut().zip(&inst.args).filter(|(_, v)| **v != Value::NONE) {
            let value = self.operand(v);
            *arg = self.as_bits(value);
        }
        let op = self.constant(inst.op as i64 | inst.imm << 8);
        let bits = self.call_helper(Helper::Compute, op, args);
        match inst.op.info().result {
            Some(Type::F32) => {
                let low = self.b.ins().ireduce(types::I32, bits);
                self.b.ins().bitcast(types::F32, MemFlagsData::new(), low)
            }
            Some(Type::F64) => self.b.ins().bitcast(types::F64, MemFlagsData::new(), bits),
            _ => bits,
        }
    }

    fn bits(&mut self, inst: &Inst) -> bool {
        let value = match inst.op {
            _ if self.plan.floats.is_copy(inst) => self.raw(inst.args[0]),
            Op::BitsF64 => {
                let bits = self.get(inst.args[0]);
                self.b.ins().bitcast(types::F64, MemFlagsData::new(), bits)
            }
            Op::BitsF32 => {
                let low = self.low(inst.args[0]);
                self.b.ins().bitcast(types::F32, MemFlagsData::new(), low)
            }
            _ => {
                // Unbox: what is not boxed is the canonical NaN.
                let value = self.settle(inst.args[0]);
                let is_boxed = self.is_boxed(value);
                let (out, on) = (self.cold_block(), self.b.create_block());
                self.b.append_block_param(on, types::F32);
                let single = self.low_single(value);
                self.b.ins().brif(is_boxed, on, &[BlockArg::Value(single)], out, &[]);
                self.b.switch_to_block(out);
                let nan = self.b.ins().f32const(ir::immediates::Ieee32::with_bits(CANONICAL_NAN_32));
                self.b.ins().jump(on, &[BlockArg::Value(nan)]);
                self.b.switch_to_block(on);
                self.b.block_params(on)[0]
            }
        };
        self.define(inst.result, value);
        true
    }

    /// Sign injection.
    fn sign(&mut self, inst: &Inst) -> bool {
        let (ty, bits, sign) = match inst.op {
            Op::FsgnjS | Op::FsgnjnS | Op::FsgnjxS => (types::F32, types::I32, i64::from(1u32 << 31)),
            Op::FsgnjD | Op::FsgnjnD | Op::FsgnjxD => (types::F64, types::I64, i64::MIN),
            _ => return false,
        };
        if self.plan.floats.is_copy(inst) {
            let value = self.raw(inst.args[0]);
            self.define(inst.result, value);
            return true;
        }
        let (a, b) = (self.settle(inst.args[0]), self.settle(inst.args[1]));
        let same = inst.args[0] == inst.args[1];
        let value = match inst.op {
            Op::FsgnjS | Op::FsgnjD => self.b.ins().fcopysign(a, b),
            Op::FsgnjnS | Op::FsgnjnD if same => self.b.ins().fneg(a),
            Op::FsgnjnS | Op::FsgnjnD => {
                let negated = self.b.ins().fneg(b);
                self.b.ins().fcopysign(a, negated)
            }
            _ if same => self.b.ins().fabs(a),
            _ => {
                let [a, b] = [a, b].map(|v| self.b.ins().bitcast(bits, MemFlagsData::new(), v));
                let mask = self.b.ins().iconst(bits, sign);
                let flip = self.b.ins().band(b, mask);
                let value = self.b.ins().bxor(a, flip);
                self.b.ins().bitcast(ty, MemFlagsData::new(), value)
            }
        };
        self.define(inst.result, value);
        true
    }

    fn compare(&mut self, id: InstId, inst: &Inst) -> bool {
        let (code, signals) = match inst.op {
            Op::FeqS | Op::FeqD => (FloatCC::Equal, false),
            Op::FltS | Op::FltD => (FloatCC::LessThan, true),
            Op::FleS | Op::FleD => (FloatCC::LessThanOrEqual, true),
            _ => return false,
        };
        let (a, b) = (self.operand(inst.args[0]), self.operand(inst.args[1]));
        let before = self.plan.quiet.get(&id).copied();
        if signals || before.is_some() {
            // The host's instruction says so of a signalling NaN only, in MXCSR.
            let unordered = self.b.ins().fcmp(FloatCC::Unordered, a, b);
            let (out, on) = (self.cold_block(), self.b.create_block());
            self.b.ins().brif(unordered, out, &[], on, &[]);
            let saved = self.aside(out);
            let at = state_offset(offset_of!(State, fflags));
            if let Some(before) = before {
                let before = self.get(before);
                self.set_flags(before);
            } else {
                let flags = self.load_state(types::I32, at);
                let flags = self.b.ins().bor_imm_s(flags, NV);
                self.store_state(flags, at);
            }
            self.b.ins().jump(on, &[]);
            self.back(on, saved);
        }
        let condition = self.b.ins().fcmp(code, a, b);
        self.compared(inst.result, condition);
        true
    }

    /// The result of a fused multiply-add, or the exact one where that is a NaN: of zero times infinity plus a quiet NaN
    /// the host says nothing, and RISC-V that it is invalid (unprivileged manual, "Single-Precision Floating-Point
    /// Computational Instructions").
    fn fused(&mut self, inst: &Inst, value: ir::Value) -> ir::Value {
        let (special, done) = (self.cold_block(), self.block_like());
        self.b.append_block_param(done, self.b.func.dfg.value_type(value));
        let is_nan = self.b.ins().fcmp(FloatCC::Unordered, value, value);
        self.b.ins().brif(is_nan, special, &[], done, &[BlockArg::Value(value)]);
        let saved = self.aside(special);
        let exact = self.exact(inst);
        self.b.ins().jump(done, &[BlockArg::Value(exact)]);
        self.back(done, saved);
        self.b.block_params(done)[0]
    }

    /// Minimum and maximum where the operands are ordered and differ: `-0` is less than `+0` otherwise.
    fn least(&mut self, inst: &Inst) -> bool {
        let code = match inst.op {
            Op::FminS | Op::FminD => FloatCC::LessThan,
            Op::FmaxS | Op::FmaxD => FloatCC::GreaterThan,
            _ => return false,
        };
        let (a, b) = (self.operand(inst.args[0]), self.operand(inst.args[1]));
        let (differ, special, done) = (self.b.create_block(), self.cold_block(), self.b.create_block());
        self.b.append_block_param(done, self.b.func.dfg.value_type(a));
        let is_plain = self.b.ins().fcmp(FloatCC::OrderedNotEqual, a, b);
        self.b.ins().brif(is_plain, differ, &[], special, &[]);
        let saved = self.aside(special);
        let exact = self.exact(inst);
        self.b.ins().jump(done, &[BlockArg::Value(exact)]);
        self.b.switch_to_block(differ);
        let first = self.b.ins().fcmp(code, a, b);
        let value = self.b.ins().select(first, a, b);
        self.b.ins().jump(done, &[BlockArg::Value(value)]);
        self.back(done, saved);
        let result = self.b.block_params(done)[0];
        self.define(inst.result, result);
        true
    }

    /// Conversions to integers towards zero, where the number is well within range.
    fn integer_of(&mut self, inst: &Inst) -> bool {
        let (wide, single) = match inst.op {
            Op::CvtS32F32 => (false, true),
            Op::CvtS64F32 => (true, true),
            Op::CvtS32F64 => (false, false),
            Op::CvtS64F64 => (true, false),
            _ => return false,
        };
        if inst.imm != 1 {
            return false;
        }
        let value = self.operand(inst.args[0]);
        let bound: f64 = if wide { 9.2e18 } else { 2147483647.0 };
        let bound = if single { self.b.ins().f32const(bound as f32 * 0.99) } else { self.b.ins().f64const(bound) };
        let magnitude = self.b.ins().fabs(value);
        let fits = self.b.ins().fcmp(FloatCC::LessThan, magnitude, bound);
        let (near, far, done) = (self.b.create_block(), self.cold_block(), self.b.create_block());
        self.b.append_block_param(done, types::I64);
        self.b.ins().brif(fits, near, &[], far, &[]);
        let saved = self.aside(far);
        let exact = self.exact(inst);
        self.b.ins().jump(done, &[BlockArg::Value(exact)]);
        self.b.switch_to_block(near);
        let quick = self.b.ins().fcvt_to_sint_sat(types::I64, value);
        self.b.ins().jump(done, &[BlockArg::Value(quick)]);
        self.back(done, saved);
        let result = self.b.block_params(done)[0];
        self.define(inst.result, result);
        true
    }

    /// Arithmetic to nearest.
    fn arith(&mut self, inst: &Inst) -> bool {
        let Some(ty) = inst.op.info().result.map(clif_type) else { return false };
        if !ty.is_float() {
            return false;
        }
        if matches!(inst.op, Op::CvtF32S32 | Op::CvtF64S32 | Op::CvtF32U32 | Op::CvtF64U32) {
            let low = self.low(inst.args[0]);
            let signed = matches!(inst.op, Op::CvtF32S32 | Op::CvtF64S32);
            let number = if signed { low } else { self.b.ins().uextend(types::I64, low) };
            let value = self.b.ins().fcvt_from_sint(ty, number);
            self.define(inst.result, value);
            return true;
        }
        let args = inst.args.map(|v| if v == Value::NONE { None } else { Some(self.operand(v)) });
        let (Some(a), b, c) = (args[0], args[1].or(args[0]), args[2].or(args[0])) else { return false };
        let (Some(b), Some(c)) = (b, c) else { return false };
        let value = match inst.op {
            Op::FaddS | Op::FaddD => self.b.ins().fadd(a, b),
            Op::FsubS | Op::FsubD => self.b.ins().fsub(a, b),
            Op::FmulS | Op::FmulD => self.b.ins().fmul(a, b),
            Op::FdivS | Op::FdivD => self.b.ins().fdiv(a, b),
            Op::FsqrtS | Op::FsqrtD => self.b.ins().sqrt(a),
            Op::CvtF32F64 => self.b.ins().fdemote(ty, a),
            Op::CvtF64F32 => self.b.ins().fpromote(ty, a),
            Op::FmaS | Op::FmaD | Op::FmsS | Op::FmsD | Op::FnmsS | Op::FnmsD | Op::FnmaS | Op::FnmaD => {
                if !self.has_fma {
                    return false;
                }
                let minus_product = matches!(inst.op, Op::FnmsS | Op::FnmsD | Op::FnmaS | Op::FnmaD);
                let minus_addend = matches!(inst.op, Op::FmsS | Op::FmsD | Op::FnmaS | Op::FnmaD);
                let a = if minus_product { self.b.ins().fneg(a) } else { a };
                let c = if minus_addend { self.b.ins().fneg(c) } else { c };
                let value = self.b.ins().fma(a, b, c);
                let value = self.fused(inst, value);
                self.define(inst.result, value);
                return true;
            }
            Op::CvtF32S64 | Op::CvtF64S64 => {
                let value = self.b.ins().fcvt_from_sint(ty, a);
                self.define(inst.result, value);
                return true;
            }
            _ => return false,
        };
        self.define(inst.result, value);
        true
    }

    /// The value, or the canonical NaN if it is one.
    pub(super) fn canonical(&mut self, value: ir::Value) -> ir::Value {
        let ty = self.b.func.dfg.value_type(value);
        let is_nan = self.b.ins().fcmp(FloatCC::Unordered, value, value);
        let (out, on) = (self.cold_block(), self.block_like());
        self.b.append_block_param(on, ty);
        self.b.ins().brif(is_nan, out, &[], on, &[BlockArg::Value(value)]);
        self.b.switch_to_block(out);
        let nan = if ty == types::F32 {
            self.b.ins().f32const(ir::immediates::Ieee32::with_bits(CANONICAL_NAN_32))
        } else {
            self.b.ins().f64const(ir::immediates::Ieee64::with_bits(CANONICAL_NAN_64))
        };
        self.b.ins().jump(on, &[BlockArg::Value(nan)]);
        self.b.switch_to_block(on);
        self.b.block_params(on)[0]
    }

    /// The same of two values of one type: one comparison says whether either is a NaN.
    fn canonical_pair(&mut self, values: [ir::Value; 2]) -> [ir::Value; 2] {
        let ty = self.b.func.dfg.value_type(values[0]);
        let is_nan = self.b.ins().fcmp(FloatCC::Unordered, values[0], values[1]);
        let (out, on) = (self.cold_block(), self.block_like());
        let params = [0; 2].map(|_| self.b.append_block_param(on, ty));
        self.b.ins().brif(is_nan, out, &[], on, &values.map(BlockArg::Value));
        let saved = self.aside(out);
        let canonical = values.map(|value| self.canonical(value));
        self.b.ins().jump(on, &canonical.map(BlockArg::Value));
        self.back(on, saved);
        params
    }

    /// As [`Self::get`], and remembers the canonical form for the rest of the block, with that of another value which
    /// will be asked for. Not for code that is left out on some ways.
    pub(super) fn settle(&mut self, v: Value) -> ir::Value {
        let is_plain = self.region.values[v.index()].ty != Type::I64 && self.plan.floats.held(v) == Held::Plain;
        if !self.plan.floats.is_raw(v) || !is_plain {
            return self.get(v);
        }
        if let Some(&settled) = self.settled.get(&v) {
            return settled;
        }
        let value = self.raw(v);
        let settled = match self.asked_next(v, value) {
            Some((other, second)) => {
                let [settled, second] = self.canonical_pair([value, second]);
                self.settled.insert(other, second);
                settled
            }
            None => self.canonical(value),
        };
        self.settled.insert(v, settled);
        settled
    }

    /// A raw value that is there already, of the type of `value`, and that a store further on needs canonical.
    fn asked_next(&self, v: Value, value: ir::Value) -> Option<(Value, ir::Value)> {
        let ty = self.b.func.dfg.value_type(value);
        let insts = &self.region.blocks[self.block.index()].insts;
        insts.iter().enumerate().skip(self.at as usize + 1).take(LOOK_AHEAD).find_map(|(at, id)| {
            let inst = &self.region.insts[id.index()];
            let stored = match inst.op {
                Op::StoreF32 | Op::StoreF64 => inst.args[1],
                Op::SetF if self.stored_early[inst.imm as usize & 31 | 32] == at as u32 => inst.args[0],
                _ => return None,
            };
            let of = match self.region.def(stored) {
                Some(def) if def.op == Op::Box => def.args[0],
                _ => stored,
            };
            let there = self.values[of.index()]?;
            let fits = of != v && self.plan.floats.is_raw(of) && !self.settled.contains_key(&of);
            (fits && self.b.func.dfg.value_type(there) == ty).then_some((of, there))
        })
    }
}
