//! How floating-point values are held in code: which NaNs stand for the canonical one, and which parameters are held as
//! what is computed with in place of what the region has.
//!
//! RISC-V's arithmetic gives the canonical NaN (unprivileged manual, "NaN Generation and Propagation"), the host's any. A
//! value is made canonical where that shows: where it is stored, or its bits are looked at.

use friscy_lift_ir::cfg::{self, Within};
pub(crate) use friscy_lift_ir::held::{Held, single_of};
use friscy_lift_ir::held::{held, is_box, pairs};
use friscy_lift_ir::{Block, Inst, Op, Region, Type, Value};
use std::collections::BTreeMap;

/// What a NaN in a floating-point value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nan {
    /// There is none but the canonical one.
    Never,
    /// It stands for the canonical one.
    Any,
    /// It is as the guest has it.
    Exact,
}

/// What is known of a region's floating-point values.
pub(crate) struct Floats {
    nans: Vec<Nan>,
    held: BTreeMap<Value, Held>,
}

impl Floats {
    pub(crate) fn new(region: &Region, order: &[Block]) -> Floats {
        let edges = cfg::edges_within(region, order);
        let heads = cfg::loop_heads(region, &edges);
        let held = held(region, order, &edges, &heads);
        let mut guarded = vec![false; region.values.len()];
        for (block, _) in region.blocks.iter().zip(&heads).filter(|(_, is_head)| **is_head) {
            block.params.iter().for_each(|v| guarded[v.index()] = true);
        }
        let mut floats = Floats { nans: Vec::new(), held };
        loop {
            floats.spread(region, order, &edges, &guarded);
            // What is only passed on, or is never a NaN otherwise, is not worth looking at.
            let mut again = false;
            for (param, arg) in edges.iter().flat_map(|edge| pairs(region, edge)) {
                let is_passed_on =
                    floats.nans[param.index()] != Nan::Any && floats.nan_of(region, param, arg) == Nan::Exact;
                if guarded[param.index()] && is_passed_on {
                    guarded[param.index()] = false;
                    again = true;
                }
            }
            if !again {
                return floats;
            }
        }
    }

    /// Whether a value is as the host computed it: any NaN stands for the canonical one.
    pub(crate) fn is_raw(&self, v: Value) -> bool {
        self.nans[v.index()] == Nan::Any
    }

    /// What a value is held as.
    pub(crate) fn held(&self, v: Value) -> Held {
        self.held.get(&v).copied().unwrap_or(Held::Plain)
    }

    /// Whether an argument has to be looked at on its way to a parameter, and control to leave if it does not fit: a NaN is
    /// not to become the canonical one.
    pub(crate) fn guards_nan(&self, region: &Region, param: Value, arg: Value) -> bool {
        self.is_raw(param) && self.nan_of(region, param, arg) == Nan::Exact
    }

    /// The same: it is to be a NaN-boxed single.
    pub(crate) fn guards_box(&self, region: &Region, param: Value, arg: Value) -> bool {
        self.held(param) == Held::Single && self.held(arg) != Held::Single && !is_box(region, arg)
    }

    /// Whether any argument of an edge to a block has to be looked at.
    pub(crate) fn has_guards(&self, region: &Region, to: Block, args: &[Value]) -> bool {
        let params = &region.blocks[to.index()].params;
        let guards = |(&param, &arg)| self.guards_nan(region, param, arg) || self.guards_box(region, param, arg);
        params.iter().zip(args).any(guards)
    }

    /// Whether an instruction's result is its first operand, as that is held.
    pub(crate) fn is_copy(&self, inst: &Inst) -> bool {
        match inst.op {
            Op::FsgnjS | Op::FsgnjD => inst.args[0] == inst.args[1] && self.held(inst.args[0]) == Held::Plain,
            Op::BitsF64 => self.held(inst.args[0]) == Held::Double,
            Op::Unbox => self.held(inst.args[0]) == Held::Single,
            _ => false,
        }
    }

    /// What a NaN is in what a parameter is held as, if it comes from `arg`.
    fn nan_of(&self, region: &Region, param: Value, arg: Value) -> Nan {
        let held = self.held(param);
        match (held, region.def(arg)) {
            (Held::Double, Some(inst)) if inst.op == Op::BitsI64 => self.nans[inst.args[0].index()],
            (Held::Double, Some(inst)) if inst.op == Op::Iconst => never_if(!f64::from_bits(inst.imm as u64).is_nan()),
            (Held::Single, Some(inst)) if inst.op == Op::Box => self.nans[inst.args[0].index()],
            (Held::Single, Some(_)) => {
                let bits = single_of(region, arg);
                never_if(bits.is_some_and(|bits| !f32::from_bits(bits).is_nan()))
            }
            // What is held otherwise has exact bits.
            _ if held != self.held(arg) => Nan::Exact,
            _ => self.nans[arg.index()],
        }
    }

    fn spread(&mut self, region: &Region, order: &[Block], edges: &[Within<'_>], guarded: &[bool]) {
        self.nans = vec![Nan::Exact; region.values.len()];
        for block in order.iter().map(|block| &region.blocks[block.index()]) {
            for v in &block.params {
                let is_held_float = region.values[v.index()].ty != Type::I64 || self.held(*v) == Held::Double;
                self.nans[v.index()] = never_if(is_held_float);
            }
            for inst in block.insts.iter().map(|id| &region.insts[id.index()]).filter(|inst| inst.result != Value::NONE)
            {
                self.nans[inst.result.index()] = self.made(region, inst);
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
                if self.is_copy(inst) {
                    pass(inst.result, self.nans[inst.args[0].index()], &mut self.nans);
                }
            }
            for edge in edges {
                for (param, arg) in pairs(region, edge) {
                    let nan = self.nan_of(region, param, arg);
                    if nan != Nan::Exact || !guarded[param.index()] || edge.is_back {
                        pass(param, nan, &mut self.nans);
                    }
                }
            }
        }
    }

    /// What a NaN in an instruction's result is, where that does not depend on its operands.
    fn made(&self, region: &Region, inst: &Inst) -> Nan {
        let is_bits = matches!(inst.op, Op::BitsF64 | Op::BitsF32);
        let bits = if is_bits { region.as_const(inst.args[0]) } else { None };
        match inst.op {
            op if is_arithmetic(op) => Nan::Any,
            op if is_fused(op) => Nan::Never,
            _ if self.is_copy(inst) => Nan::Never,
            Op::BitsF64 => never_if(bits.is_some_and(|bits| !f64::from_bits(bits as u64).is_nan())),
            Op::BitsF32 => never_if(bits.is_some_and(|bits| !f32::from_bits(bits as u32).is_nan())),
            Op::CvtF32S32 | Op::CvtF32U32 | Op::CvtF32S64 | Op::CvtF32U64 => Nan::Never,
            Op::CvtF64S32 | Op::CvtF64U32 | Op::CvtF64S64 | Op::CvtF64U64 => Nan::Never,
            _ => Nan::Exact,
        }
    }
}

fn never_if(is_never: bool) -> Nan {
    if is_never { Nan::Never } else { Nan::Exact }
}

/// Arithmetic whose result, if it is a NaN, is the canonical one in RISC-V and any in the host (unprivileged manual,
/// "NaN Generation and Propagation").
fn is_arithmetic(op: Op) -> bool {
    use Op::{CvtF32F64, CvtF64F32, FaddD, FaddS, FdivD, FdivS, FmulD, FmulS, FsqrtD, FsqrtS, FsubD, FsubS};
    matches!(op, FaddS | FaddD | FsubS | FsubD | FmulS | FmulD | FdivS | FdivD | FsqrtS | FsqrtD)
        || matches!(op, CvtF32F64 | CvtF64F32)
}

/// Fused multiply-add, whose NaNs are looked at when they arise: they are canonical.
fn is_fused(op: Op) -> bool {
    use Op::{FmaD, FmaS, FmsD, FmsS, FnmaD, FnmaS, FnmsD, FnmsS};
    matches!(op, FmaS | FmaD | FmsS | FmsD | FnmsS | FnmsD | FnmaS | FnmaD)
}
