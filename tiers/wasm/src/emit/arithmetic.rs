//! Arithmetic of floating-point numbers, to nearest, and what is looked at to know that wasm's result will do.
//!
//! Sums that are not finite make whatever is computed of them by the same kind of arithmetic infinite or a NaN. So a sum that
//! such an op of the same block takes waits for that op's result to be looked at, and is looked at itself only if that
//! shows something. What may observe flags or results otherwise does not come between.

use super::convert::converts_integer;
use super::{Emitted, Emitter, at};
use crate::exactness::{Exactness, SCRATCH};
use friscy_lift_ir::{Block, Inst, Op, RoundingClass, Type, Value};
use friscy_seam::State;
use rustc_hash::{FxHashMap, FxHashSet};
use std::mem::offset_of;
use wasm_encoder::{BlockType, InstructionSink, ValType};

/// Which results are looked at no further while the inexact flag is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// Finite doubles: sums, which do not underflow inexactly, and roots.
    Finite64,
    /// Doubles with an exponent that excludes overflow and underflow. The binade of the smallest normal number is left
    /// out: a tiny value may have been rounded up to it.
    Ordinary64,
    /// As the first, of singles.
    Finite32,
    /// As the second, of singles.
    Ordinary32,
}

impl Range {
    const ALL: [Range; 4] = [Range::Finite64, Range::Ordinary64, Range::Finite32, Range::Ordinary32];

    /// What an op's result has to be in.
    fn of(op: Op) -> Option<Range> {
        Some(match op {
            Op::FaddD | Op::FsubD | Op::FsqrtD => Range::Finite64,
            Op::FmulD | Op::FdivD | Op::FmaD | Op::FmsD | Op::FnmsD | Op::FnmaD => Range::Ordinary64,
            Op::FaddS | Op::FsubS | Op::FsqrtS => Range::Finite32,
            Op::FmulS | Op::FdivS | Op::FmaS | Op::FmsS | Op::FnmsS | Op::FnmaS | Op::CvtF32F64 => Range::Ordinary32,
            _ => return None,
        })
    }

    fn is_wide(self) -> bool {
        matches!(self, Range::Finite64 | Range::Ordinary64)
    }

    /// Where it begins and how long it is, in bits without the sign, twice as large.
    fn bounds(self) -> (u64, u64) {
        match self {
            Range::Finite64 => (0, 0x7ff << 53),
            Range::Ordinary64 => (2 << 53, 0x7fd << 53),
            Range::Finite32 => (0, 0xff << 24),
            Range::Ordinary32 => (2 << 24, 0xfd << 24),
        }
    }
}

impl Exactness {
    /// What an arithmetic op computes, once signs are as it says.
    fn of(op: Op) -> Option<Exactness> {
        Some(match op {
            Op::FaddD | Op::FsubD | Op::FaddS | Op::FsubS => Exactness::Sum,
            Op::FmulD | Op::FmulS => Exactness::Product,
            Op::FdivD | Op::FdivS => Exactness::Quotient,
            Op::FsqrtD | Op::FsqrtS => Exactness::Root,
            Op::FmaD | Op::FmsD | Op::FnmsD | Op::FnmaD | Op::FmaS | Op::FmsS | Op::FnmsS | Op::FnmaS => {
                Exactness::Fused
            }
            _ => return None,
        })
    }
}

/// Results of a block that are not looked at yet.
#[derive(Default)]
pub(super) struct Waiting {
    /// Sums that may wait: in this block other ops of the kind alone take them.
    may: FxHashSet<Value>,
    /// Ops of which only the last one's result has to be looked at.
    chains: Vec<Vec<Inst>>,
}

impl Emitter<'_> {
    /// Makes locals for the ranges that the region's ops have use for.
    pub(super) fn make_ranges(&mut self) {
        let mut used = [false; 4];
        for inst in &self.region.insts {
            if let Some(range) = Range::of(inst.op) {
                used[range as usize] = true;
            }
            // Whether the inexact flag is set.
            if converts_integer(inst.op) {
                used[Range::Finite64 as usize] = true;
            }
        }
        for range in Range::ALL {
            if used[range as usize] {
                let ty = if range.is_wide() { ValType::I64 } else { ValType::I32 };
                self.ranges[range as usize] = Some(self.locals.add(ty));
            }
        }
    }

    /// Makes the ranges what the flags in the state say.
    pub(super) fn refresh_ranges(&mut self) {
        let flags = at(self.layout.field(offset_of!(State, fflags)), 2);
        for range in Range::ALL {
            let Some(local) = self.ranges[range as usize] else { continue };
            let (_, length) = range.bounds();
            if range.is_wide() {
                self.s().i64_const(length as i64).i64_const(0);
            } else {
                self.s().i32_const(length as u32 as i32).i32_const(0);
            }
            self.s().i32_const(0).i32_load(flags).i32_const(1).i32_and().select().local_set(local);
        }
    }

    /// Whether an op rounds to nearest, ties to even.
    pub(super) fn is_to_nearest(&self, inst: &Inst) -> bool {
        inst.imm == 0 || inst.imm == 7 && self.region.rounding == RoundingClass::Rne
    }

    /// In what range an op's result is looked at no further, if it is arithmetic that wasm has.
    fn range(&self, inst: &Inst) -> Option<Range> {
        let lacks = Exactness::of(inst.op) == Some(Exactness::Fused) && !self.features.fused;
        Range::of(inst.op).filter(|_| self.is_to_nearest(inst) && !lacks)
    }

    /// Finds out which results of a block may wait to be looked at.
    pub(super) fn find_waiting(&mut self, block: Block) {
        let insts = self.region.blocks[block.index()].insts.iter().map(|id| &self.region.insts[id.index()]);
        let mut may = std::mem::take(&mut self.waiting.may);
        may.clear();
        if self.ranges[Range::Finite64 as usize].or(self.ranges[Range::Finite32 as usize]).is_none() {
            self.waiting.may = may;
            return;
        }
        // Boxes are what registers hold.
        let mut boxes: FxHashMap<Value, Value> = FxHashMap::default();
        for inst in insts {
            for (n, arg) in inst.args.iter().enumerate() {
                let of = *boxes.get(arg).unwrap_or(arg);
                if !may.contains(&of) || inst.op == Op::SetF {
                    continue;
                }
                if inst.op == Op::Box && of == *arg {
                    boxes.insert(inst.result, *arg);
                } else if of != *arg || self.range(inst).is_none() || !keeps_infinity(inst.op, n) {
                    may.remove(&of);
                }
            }
            if matches!(self.range(inst), Some(Range::Finite64 | Range::Finite32)) && !is_root(inst.op) {
                may.insert(inst.result);
            }
        }
        self.waiting.may = may;
    }

    /// Looks at all results that wait.
    pub(super) fn look_at_waiting(&mut self) -> Emitted<()> {
        std::mem::take(&mut self.waiting.chains).iter().try_for_each(|chain| self.look_at(chain))
    }

    /// Arithmetic to nearest.
    pub(super) fn arithmetic(&mut self, inst: &Inst) -> Emitted<bool> {
        let Some(range) = self.range(inst) else { return Ok(false) };
        let of = Exactness::of(inst.op);
        self.operands(inst, of == Some(Exactness::Fused))?;
        match (of, range.is_wide()) {
            (Some(Exactness::Sum), true) => self.s().f64_add(),
            (Some(Exactness::Product), true) => self.s().f64_mul(),
            (Some(Exactness::Quotient), true) => self.s().f64_div(),
            (Some(Exactness::Root), true) => self.s().f64_sqrt(),
            (Some(Exactness::Fused), true) => self.s().f64x2_relaxed_madd().f64x2_extract_lane(0),
            (Some(Exactness::Sum), false) => self.s().f32_add(),
            (Some(Exactness::Product), false) => self.s().f32_mul(),
            (Some(Exactness::Quotient), false) => self.s().f32_div(),
            (Some(Exactness::Root), false) => self.s().f32_sqrt(),
            (Some(Exactness::Fused), false) => self.s().f32x4_relaxed_madd().f32x4_extract_lane(0),
            (None, _) => self.s().f32_demote_f64(),
        };
        self.set(inst.result);
        let mut chain = Vec::new();
        self.waiting.chains.retain_mut(|waits| {
            let result = waits.last().map(|inst| inst.result);
            let taken = (0..inst.args.len()).any(|n| Some(inst.args[n]) == result && keeps_infinity(inst.op, n));
            if taken {
                chain.append(waits);
            }
            !taken
        });
        chain.push(*inst);
        if self.waiting.may.contains(&inst.result) {
            self.waiting.chains.push(chain);
        } else {
            self.look_at(&chain)?;
        }
        Ok(true)
    }

    /// Looks at the last result of a chain, and at all if that shows something.
    fn look_at(&mut self, chain: &[Inst]) -> Emitted<()> {
        let Some((last, others)) = chain.split_last() else { return Ok(()) };
        self.is_out_of_range(last)?;
        // Mostly because the inexact flag is clear: then exact results are right.
        self.seldom();
        for inst in others {
            self.s().block(BlockType::Empty);
            self.is_out_of_range(inst)?;
            self.s().i32_eqz().br_if(0);
            self.unless_exact(inst)?;
            self.s().end();
        }
        self.unless_exact(last)?;
        self.s().end();
        Ok(())
    }

    /// Pushes whether a result is to be looked at further.
    fn is_out_of_range(&mut self, inst: &Inst) -> Emitted<()> {
        let range = self.range(inst).ok_or("arithmetic without a range")?;
        let local = self.ranges[range as usize].ok_or("a range without a local")?;
        let (from, _) = range.bounds();
        let result = self.place(inst.result);
        self.s().local_get(result);
        if range.is_wide() {
            self.s().i64_reinterpret_f64().i64_const(1).i64_shl();
            if from != 0 {
                self.s().i64_const(from as i64).i64_sub();
            }
            self.s().local_get(local).i64_ge_u();
        } else {
            self.s().i32_reinterpret_f32().i32_const(1).i32_shl();
            if from != 0 {
                self.s().i32_const(from as u32 as i32).i32_sub();
            }
            self.s().local_get(local).i32_ge_u();
        }
        Ok(())
    }

    /// Leaves the innermost label if a result is exact; else the exact implementation makes it.
    fn unless_exact(&mut self, inst: &Inst) -> Emitted<()> {
        let wide = self.range(inst).ok_or("arithmetic without a range")?.is_wide();
        let result = self.place(inst.result);
        self.s().block(BlockType::Empty);
        match Exactness::of(inst.op) {
            Some(of) => {
                // The operands and the result, and what asking needs besides.
                let ty = if wide { ValType::F64 } else { ValType::F32 };
                let mut at: Vec<u32> = (1..of.params()).map(|_| self.temp(ty)).collect();
                self.operands(inst, false)?;
                at.iter().rev().for_each(|&local| {
                    self.s().local_set(local);
                });
                at.push(result);
                at.extend([ValType::F64; SCRATCH].map(|ty| self.temp(ty)));
                of.ask(&mut InstructionSink::new(&mut self.code), wide, self.features, &at, 1);
                at.retain(|&local| local != result);
                self.locals.give_back(&at);
            }
            None => {
                self.s().local_get(result).f64_promote_f32();
                self.get(inst.args[0])?;
                self.s().f64_ne().br_if(0);
            }
        }
        self.s().br(1).end();
        self.exactly(inst)
    }

    /// Pushes the operands of an arithmetic op, with other signs where the op says so; `as_vectors` with copies of each.
    fn operands(&mut self, inst: &Inst, as_vectors: bool) -> Emitted<()> {
        let wide = inst.op.info().args.iter().all(|ty| *ty == Type::F64);
        for (n, &v) in inst.args.iter().enumerate().take(inst.op.info().args.len()) {
            self.get(v)?;
            let negates = match inst.op {
                Op::FsubD | Op::FsubS => n == 1,
                Op::FmsD | Op::FmsS => n == 2,
                Op::FnmsD | Op::FnmsS => n == 0,
                Op::FnmaD | Op::FnmaS => n != 1,
                _ => false,
            };
            match (negates, wide) {
                (true, true) => self.s().f64_neg(),
                (true, false) => self.s().f32_neg(),
                _ => &mut self.s(),
            };
            match (as_vectors, wide) {
                (true, true) => self.s().f64x2_splat(),
                (true, false) => self.s().f32x4_splat(),
                _ => &mut self.s(),
            };
        }
        Ok(())
    }
}

/// Whether an op makes an infinity or a NaN of one that is operand `n`.
fn keeps_infinity(op: Op, n: usize) -> bool {
    Exactness::of(op) != Some(Exactness::Quotient) || n == 0
}

fn is_root(op: Op) -> bool {
    Exactness::of(op) == Some(Exactness::Root)
}
