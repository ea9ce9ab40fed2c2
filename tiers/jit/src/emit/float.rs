//! Floating-point ops: in the host's vector registers, with flags gathering in MXCSR, where the result shows that the
//! host did as RISC-V says; else by the exact implementation.

use super::{Emitted, Emitter, REQUEST_SLOT, RESULT_SLOT, UNREAD_SLOT, clif_type, state_offset};
use crate::fault::{CANONICAL_NAN_32, CANONICAL_NAN_64};
use crate::flags;
use crate::floats::Held;
use crate::symbol::{Helper, Symbol};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, types};
use friscy_lift_ir::{Inst, InstId, Op, RoundingClass, Type, Value, eval};
use friscy_seam::{GATHERS, State};
use std::mem::offset_of;

/// How many instructions are looked at for a second value to be made canonical.
const LOOK_AHEAD: usize = 24;

/// Lanes of vectors are in the order of the host's memory.
const LANES: MemFlagsData = MemFlagsData::new().with_endianness(ir::Endianness::Little);

/// Static rounding modes but the first, to nearest with ties to even (unprivileged manual, "Floating-Point Control and
/// Status Register"): towards zero, down, up, to nearest with ties away.
const RTZ: u8 = 1;
const RDN: u8 = 2;
const RUP: u8 = 3;
const RMM: u8 = 4;

/// The invalid-operation flag.
const NV: i64 = 16;

/// The request that the accrued flags be replaced; any other is a floating-point op and its rounding mode.
const SET_FLAGS: i64 = -1;

/// Does what compiled code asks for in the state: replaces the accrued flags, those in MXCSR included, or computes a
/// floating-point op exactly.
///
/// # Safety
/// `state` is that which compiled code runs with.
pub(crate) unsafe extern "C" fn serve(state: *mut State) {
    // SAFETY: compiled code, the only other user of the state, waits.
    let state = unsafe { &mut *state };
    let [request, a, b, c] = [0, 1, 2, 3].map(|n| state.scratch[REQUEST_SLOT + n]);
    if request as i64 == SET_FLAGS {
        return flags::set(state, a as u32);
    }
    let (op, rm, mut raised) = (Op::ALL[request as usize & 0xff], (request >> 8) as i64, 0);
    state.scratch[RESULT_SLOT] = eval::evaluate_float(op, rm, [a, b, c], state.frm, &mut raised);
    flags::add(state, raised);
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
                            || self.number_of(inst, nearest)
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

    /// The accrued flags: those in the state, and where MXCSR gathers them those that it has since.
    fn flags(&mut self) -> ir::Value {
        let known = self.load_state(types::I32, state_offset(offset_of!(State, fflags)));
        let whole = self.b.ins().uextend(types::I64, known);
        let gathers = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, known, 0);
        let (out, on) = (self.cold_block(), self.block_like());
        self.b.append_block_param(on, types::I64);
        self.b.ins().brif(gathers, out, &[], on, &[BlockArg::Value(whole)]);
        let saved = self.aside(out);
        let all = self.gathered(whole);
        self.b.ins().jump(on, &[BlockArg::Value(all)]);
        self.back(on, saved);
        self.b.block_params(on)[0]
    }

    /// `known` flags and those that MXCSR has gathered.
    fn gathered(&mut self, known: ir::Value) -> ir::Value {
        let read = self.symbol(Symbol::Helper(Helper::ReadMxcsr));
        self.b.ins().call_indirect(self.helper, read, &[]);
        let mxcsr = self.load_state(types::I64, state_offset(offset_of!(State, scratch) + 8 * RESULT_SLOT));
        let mask = self.constant(friscy_fp::sse::FLAGS.len() as i64 - 1);
        let index = self.b.ins().band(mxcsr, mask);
        let table = self.symbol(Symbol::Helper(Helper::Flags));
        let entry = self.b.ins().iadd(table, index);
        let gathered = self.b.ins().uload8(types::I64, MemFlagsData::trusted(), entry, Offset32::new(0));
        let mask = self.constant(!i64::from(GATHERS));
        let known = self.b.ins().band(known, mask);
        self.b.ins().bor(known, gathered)
    }

    /// Makes the low bits of `value` the accrued flags.
    fn set_flags(&mut self, value: ir::Value) {
        let mask = self.constant(31);
        let low = self.b.ins().band(value, mask);
        let request = self.constant(SET_FLAGS);
        self.ask([request, low]);
    }

    /// Has [`serve`] do something; returns the result.
    fn ask(&mut self, request: impl IntoIterator<Item = ir::Value>) -> ir::Value {
        for (n, value) in request.into_iter().enumerate() {
            self.store_state(value, state_offset(offset_of!(State, scratch) + 8 * (REQUEST_SLOT + n)));
        }
        let serve = self.symbol(Symbol::Helper(Helper::Serve));
        self.b.ins().call_indirect(self.helper, serve, &[]);
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
        let mut request = vec![self.constant(inst.op as i64 | inst.imm << 8)];
        for &v in inst.args.iter().filter(|v| **v != Value::NONE) {
            let value = self.operand(v);
            request.push(if self.b.func.dfg.value_type(value) == types::F64 { value } else { self.as_bits(value) });
        }
        let bits = self.ask(request);
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

    /// Conversions to integers where the number is well within range. Truncation raises the flag for all roundings: it is
    /// inexact when the others are.
    fn integer_of(&mut self, inst: &Inst) -> bool {
        let wide = matches!(inst.op, Op::CvtS64F32 | Op::CvtU64F32 | Op::CvtS64F64 | Op::CvtU64F64);
        let unsigned = matches!(inst.op, Op::CvtU32F32 | Op::CvtU64F32 | Op::CvtU32F64 | Op::CvtU64F64);
        let bound: f64 = match inst.op {
            Op::CvtS32F32 | Op::CvtS32F64 => f64::from(i32::MAX),
            Op::CvtU32F32 | Op::CvtU32F64 => f64::from(u32::MAX),
            _ if wide => 9.2e18,
            _ => return false,
        };
        let Some(rounding) = self.static_rounding(inst).filter(|_| !unsigned || inst.imm == i64::from(RTZ)) else {
            return false;
        };
        let value = self.operand(inst.args[0]);
        let ty = self.b.func.dfg.value_type(value);
        // Singles next to the bound would be rounded to it.
        let bound = self.float_constant(ty, if ty == types::F32 { bound * 0.99 } else { bound });
        let (near, far, done) = (self.b.create_block(), self.cold_block(), self.b.create_block());
        self.b.append_block_param(done, types::I64);
        if unsigned {
            let zero = self.float_constant(ty, 0.0);
            let below = self.b.create_block();
            let fits = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, value, zero);
            self.b.ins().brif(fits, below, &[], far, &[]);
            self.b.switch_to_block(below);
        }
        let magnitude = if unsigned { value } else { self.b.ins().fabs(value) };
        let fits = self.b.ins().fcmp(FloatCC::LessThan, magnitude, bound);
        self.b.ins().brif(fits, near, &[], far, &[]);
        let saved = self.aside(far);
        let exact = self.exact(inst);
        self.b.ins().jump(done, &[BlockArg::Value(exact)]);
        self.b.switch_to_block(near);
        let truncated = self.b.ins().fcvt_to_sint_sat(types::I64, value);
        let mut quick = self.rounded(value, truncated, rounding);
        if unsigned && !wide {
            let low = self.b.ins().ireduce(types::I32, quick);
            quick = self.b.ins().sextend(types::I64, low);
        }
        self.b.ins().jump(done, &[BlockArg::Value(quick)]);
        self.back(done, saved);
        let result = self.b.block_params(done)[0];
        self.define(inst.result, result);
        true
    }

    /// The rounding mode of an instruction, if it is known and not to nearest with ties to even.
    fn static_rounding(&self, inst: &Inst) -> Option<u8> {
        u8::try_from(inst.imm).ok().filter(|rm| (RTZ..=RMM).contains(rm))
    }

    /// What `value` is as an integer in a rounding mode, from what it is `truncated`. All of this is exact.
    fn rounded(&mut self, value: ir::Value, truncated: ir::Value, rounding: u8) -> ir::Value {
        if rounding == RTZ {
            return truncated;
        }
        let ty = self.b.func.dfg.value_type(value);
        let number = self.b.ins().fcvt_from_sint(ty, truncated);
        let rest = self.b.ins().fsub(value, number);
        let up = match rounding {
            RDN => None,
            RUP => Some((FloatCC::GreaterThan, 0.0)),
            _ => Some((FloatCC::GreaterThanOrEqual, 0.5)),
        };
        let down = match rounding {
            RDN => Some((FloatCC::LessThan, 0.0)),
            RUP => None,
            _ => Some((FloatCC::LessThanOrEqual, -0.5)),
        };
        let mut result = truncated;
        if let Some((code, at)) = up {
            let at = self.float_constant(ty, at);
            let one = self.b.ins().fcmp(code, rest, at);
            let one = self.b.ins().uextend(types::I64, one);
            result = self.b.ins().iadd(result, one);
        }
        if let Some((code, at)) = down {
            let at = self.float_constant(ty, at);
            let one = self.b.ins().fcmp(code, rest, at);
            let one = self.b.ins().uextend(types::I64, one);
            result = self.b.ins().isub(result, one);
        }
        result
    }

    fn float_constant(&mut self, ty: ir::Type, value: f64) -> ir::Value {
        if ty == types::F32 { self.b.ins().f32const(value as f32) } else { self.b.ins().f64const(value) }
    }

    /// Numbers of 64-bit integers where the host's instruction for signed ones to nearest has them: of unsigned ones below 2^63,
    /// and doubles in other rounding modes where they are exact.
    fn number_of(&mut self, inst: &Inst, nearest: bool) -> bool {
        let ty = match (inst.op, nearest) {
            (Op::CvtF64U64, true) | (Op::CvtF64S64 | Op::CvtF64U64, false) => types::F64,
            (Op::CvtF32U64, true) => types::F32,
            _ => return false,
        };
        let number = self.get(inst.args[0]);
        let fits = if nearest {
            self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, number, 0)
        } else if inst.op == Op::CvtF64U64 {
            self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, number, 1 << 53)
        } else {
            // Below 2^53 in magnitude.
            let half = self.constant(1 << 53);
            let above = self.b.ins().iadd(number, half);
            self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, above, 1 << 54)
        };
        let (near, far, done) = (self.b.create_block(), self.cold_block(), self.b.create_block());
        self.b.append_block_param(done, ty);
        self.b.ins().brif(fits, near, &[], far, &[]);
        let saved = self.aside(far);
        let exact = self.exact(inst);
        self.b.ins().jump(done, &[BlockArg::Value(exact)]);
        self.b.switch_to_block(near);
        let quick = self.b.ins().fcvt_from_sint(ty, number);
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
        if !self.plan.floats.is_raw(v) || !is_plain || self.settled_for_good.contains(&v) {
            return self.get(v);
        }
        if let Some(&settled) = self.settled.get(&v) {
            return settled;
        }
        let value = self.raw(v);
        let settled = match self.asked_next(v, value) {
            Some((other, second)) => {
                let [settled, second] = self.canonical_pair([value, second]);
                self.note_settled(other, second);
                settled
            }
            None => self.canonical(value),
        };
        self.note_settled(v, settled);
        settled
    }

    /// Remembers the canonical form of a value: in the block that makes it in its place, so that the other takes no register
    /// any more.
    fn note_settled(&mut self, v: Value, settled: ir::Value) {
        if self.plan.home[v.index()] == self.block.0 {
            self.define(v, settled);
            self.settled_for_good.insert(v);
        } else {
            self.settled.insert(v, settled);
        }
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
            let is_settled = self.settled.contains_key(&of) || self.settled_for_good.contains(&of);
            let fits = of != v && self.plan.floats.is_raw(of) && !is_settled;
            (fits && self.b.func.dfg.value_type(there) == ty).then_some((of, there))
        })
    }
}
