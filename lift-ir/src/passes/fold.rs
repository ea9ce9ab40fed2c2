//! Constant folding and algebraic identities of one instruction, given the definitions of its operands.

use crate::ir::{Region, Value};
use crate::op::{Cond, Op};
use crate::sem;
use crate::width::width;

/// What is known about an instruction's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Folded {
    /// Nothing better than the instruction itself.
    Keep,
    /// It is another value.
    Same(Value),
    /// It is a constant.
    Const(i64),
    /// Another op computes it.
    Rewrite(Op, [Value; 3]),
}

const NONE: Value = Value::NONE;

/// Whether `v` equals its low 32 bits sign-extended.
fn is_sext32(region: &Region, v: Value) -> bool {
    let Some(inst) = region.def(v) else { return false };
    match inst.op {
        Op::Iconst => inst.imm == inst.imm as i32 as i64,
        Op::Sext8
        | Op::Sext16
        | Op::Sext32
        | Op::Zext16
        | Op::Clz
        | Op::Ctz
        | Op::Popcnt
        | Op::Clz32
        | Op::Ctz32
        | Op::Popcnt32
        | Op::Load8S
        | Op::Load8U
        | Op::Load16S
        | Op::Load16U
        | Op::Load32S
        | Op::Lr32
        | Op::Sc32
        | Op::Sc64
        | Op::AmoSwap32
        | Op::AmoAdd32
        | Op::AmoXor32
        | Op::AmoAnd32
        | Op::AmoOr32
        | Op::AmoMinS32
        | Op::AmoMaxS32
        | Op::AmoMinU32
        | Op::AmoMaxU32
        | Op::CvtS32F32
        | Op::CvtU32F32
        | Op::CvtS32F64
        | Op::CvtU32F64 => true,
        op => op.is_word() || is_boolean_op(op),
    }
}

/// Whether the op's result is 0 or 1.
const fn is_boolean_op(op: Op) -> bool {
    matches!(op, Op::Eq | Op::Ne | Op::LtS | Op::LtU | Op::FeqS | Op::FltS | Op::FleS | Op::FeqD | Op::FltD | Op::FleD)
}

/// Whether the op reads only the low 32 bits of its integer operands.
const fn reads_low32(op: Op) -> bool {
    op.is_word()
        || matches!(
            op,
            Op::Sext8 | Op::Sext16 | Op::Sext32 | Op::Zext16 | Op::Zext32 | Op::Clz32 | Op::Ctz32 | Op::Popcnt32
        )
}

/// The operand of a 32-bit extension, whose low 32 bits are those of the extension.
fn strip_extension(region: &Region, v: Value) -> Value {
    match region.def(v) {
        Some(inst) if matches!(inst.op, Op::Sext32 | Op::Zext32) => inst.args[0],
        _ => v,
    }
}

const fn is_commutative(op: Op) -> bool {
    matches!(
        op,
        Op::Add
            | Op::And
            | Op::Or
            | Op::Xor
            | Op::Mul
            | Op::MulhS
            | Op::MulhU
            | Op::Eq
            | Op::Ne
            | Op::MinS
            | Op::MinU
            | Op::MaxS
            | Op::MaxU
            | Op::Add32
            | Op::Mul32
    )
}

/// What is known about the result of `op` on `args`. The caller replaces operands by their known equals first.
pub(crate) fn fold(region: &Region, op: Op, args: [Value; 3]) -> Folded {
    let [a, b, c] = args;
    match op.info().args.len() {
        1 => unary(region, op, a),
        2 => binary(region, op, a, b),
        3 if op == Op::Select => match region.as_const(a) {
            Some(0) => Folded::Same(c),
            Some(_) => Folded::Same(b),
            None if b == c => Folded::Same(b),
            None => Folded::Keep,
        },
        _ => Folded::Keep,
    }
}

fn unary(region: &Region, op: Op, a: Value) -> Folded {
    let Some(def) = region.def(a) else { return Folded::Keep };
    if def.op == Op::Iconst {
        return match sem::unary(op, def.imm as u64) {
            Some(v) => Folded::Const(v as i64),
            None => Folded::Keep,
        };
    }
    match (op, def.op) {
        (Op::Unbox, Op::Box) | (Op::BitsI64, Op::BitsF64) | (Op::BitsF64, Op::BitsI64) => Folded::Same(def.args[0]),
        (Op::Sext32, _) if is_sext32(region, a) || width(region, a) < 32 => Folded::Same(a),
        (Op::Zext32, _) if width(region, a) <= 32 => Folded::Same(a),
        (Op::Sext16, Op::Sext16 | Op::Sext8 | Op::Load16S | Op::Load8S | Op::Load8U)
        | (Op::Zext16, Op::Zext16 | Op::Load16U | Op::Load8U)
        | (Op::Sext8, Op::Sext8 | Op::Load8S) => Folded::Same(a),
        (_, Op::Sext32 | Op::Zext32) if reads_low32(op) => Folded::Rewrite(op, [def.args[0], NONE, NONE]),
        _ => Folded::Keep,
    }
}

/// The rotation that joining two shifts of one value makes: the left one's amount is the rotation's.
fn rotation(region: &Region, op: Op, a: Value, b: Value) -> Option<(Op, Value, Value)> {
    if !matches!(op, Op::Or | Op::Xor | Op::Add | Op::Add32) {
        return None;
    }
    let (x, y) = (region.def(a)?, region.def(b)?);
    let (left, right) = if matches!(x.op, Op::Shl | Op::Shl32) { (x, y) } else { (y, x) };
    let (bits, rotate) = match (left.op, right.op, op) {
        (Op::Shl32, Op::ShrU32, _) if op != Op::Add => (32, Op::Rotl32),
        (Op::Shl, Op::ShrU, _) if op != Op::Add32 => (64, Op::Rotl),
        _ => return None,
    };
    let (up, down) = (region.as_const(left.args[1])?, region.as_const(right.args[1])?);
    // No amount is 0: then the parts would overlap.
    let whole = (1..bits).contains(&up) && up + down == bits;
    (whole && left.args[0] == right.args[0]).then_some((rotate, left.args[0], left.args[1]))
}

fn binary(region: &Region, op: Op, a: Value, b: Value) -> Folded {
    let (ca, cb) = (region.as_const(a), region.as_const(b));
    if let (Some(x), Some(y)) = (ca, cb) {
        return match sem::binary(op, x as u64, y as u64) {
            Some(v) => Folded::Const(v as i64),
            None => Folded::Keep,
        };
    }
    if let Some(y) = cb {
        return with_constant(region, op, a, y, b);
    }
    if ca.is_some() && is_commutative(op) {
        return Folded::Rewrite(op, [b, a, NONE]);
    }
    if op == Op::LtU && ca == Some(0) {
        return Folded::Rewrite(Op::Ne, [b, a, NONE]);
    }
    if matches!((op, ca), (Op::Shl | Op::ShrU | Op::ShrS | Op::Shl32 | Op::ShrU32 | Op::ShrS32, Some(0))) {
        return Folded::Const(0);
    }
    if op == Op::Sub32 && ca == Some(0) {
        let stripped = strip_extension(region, b);
        return if stripped == b { Folded::Keep } else { Folded::Rewrite(op, [a, stripped, NONE]) };
    }
    if let Some((op, x, amount)) = rotation(region, op, a, b) {
        return Folded::Rewrite(op, [x, amount, NONE]);
    }
    if a == b {
        match op {
            Op::Sub | Op::Xor | Op::Sub32 | Op::Ne | Op::LtS | Op::LtU => return Folded::Const(0),
            Op::Eq => return Folded::Const(1),
            Op::And | Op::Or | Op::MinS | Op::MinU | Op::MaxS | Op::MaxU | Op::FsgnjS | Op::FsgnjD => {
                return Folded::Same(a);
            }
            _ => {}
        }
    }
    if reads_low32(op) {
        let stripped = [strip_extension(region, a), strip_extension(region, b), NONE];
        if stripped != [a, b, NONE] {
            return Folded::Rewrite(op, stripped);
        }
    }
    Folded::Keep
}

/// `op` on `a` and the constant `y`, which is the value `b`.
fn with_constant(region: &Region, op: Op, a: Value, y: i64, b: Value) -> Folded {
    let to = |op| Folded::Rewrite(op, [a, NONE, NONE]);
    match op {
        Op::Add | Op::Sub | Op::Or | Op::Xor if y == 0 => Folded::Same(a),
        Op::Shl | Op::Rotl | Op::Rotr if y & 63 == 0 => Folded::Same(a),
        Op::ShrU | Op::ShrS if y & 63 == 0 => Folded::Same(a),
        Op::ShrU | Op::ShrS => match region.def(a) {
            // A pair of shifts is how RV64GC without Zba or Zbb extends.
            Some(inst) if inst.op == Op::Shl && region.as_const(inst.args[1]).map(|n| n & 63) == Some(y & 63) => {
                let op = match (op, y & 63) {
                    (Op::ShrU, 32) => Op::Zext32,
                    (Op::ShrU, 48) => Op::Zext16,
                    (Op::ShrS, 32) => Op::Sext32,
                    (Op::ShrS, 48) => Op::Sext16,
                    (Op::ShrS, 56) => Op::Sext8,
                    _ => return Folded::Keep,
                };
                Folded::Rewrite(op, [inst.args[0], NONE, NONE])
            }
            _ => Folded::Keep,
        },
        Op::And => match y {
            0 => Folded::Const(0),
            -1 => Folded::Same(a),
            // All bits that may be set are kept.
            _ if y as u64 & (y as u64).wrapping_add(1) == 0 && width(region, a) <= y.trailing_ones() => Folded::Same(a),
            0xffff_ffff => to(Op::Zext32),
            0xffff => to(Op::Zext16),
            _ => Folded::Keep,
        },
        Op::Or if y == -1 => Folded::Const(-1),
        Op::Mul if y == 0 => Folded::Const(0),
        Op::Mul if y == 1 => Folded::Same(a),
        Op::LtU if y == 0 => Folded::Const(0),
        Op::Xor if y == 1 => match region.def(a) {
            Some(inst) if inst.op == Op::Eq => Folded::Rewrite(Op::Ne, inst.args),
            Some(inst) if inst.op == Op::Ne => Folded::Rewrite(Op::Eq, inst.args),
            _ => Folded::Keep,
        },
        Op::Ne if y == 0 => match region.def(a) {
            Some(inst) if is_boolean_op(inst.op) => Folded::Same(a),
            _ => Folded::Keep,
        },
        Op::Add32 | Op::Sub32 if y as i32 == 0 => extend32(region, a),
        Op::Shl32 | Op::ShrU32 | Op::ShrS32 if y & 31 == 0 => extend32(region, a),
        Op::Mul32 if y as i32 == 1 => extend32(region, a),
        _ if reads_low32(op) => {
            let stripped = strip_extension(region, a);
            if stripped == a { Folded::Keep } else { Folded::Rewrite(op, [stripped, b, NONE]) }
        }
        _ => Folded::Keep,
    }
}

fn extend32(region: &Region, a: Value) -> Folded {
    if is_sext32(region, a) || width(region, a) < 32 {
        Folded::Same(a)
    } else {
        Folded::Rewrite(Op::Sext32, [a, NONE, NONE])
    }
}

/// A branch on a comparison's result becomes a branch on the comparison.
pub(crate) fn fold_condition(region: &Region, cond: Cond, args: [Value; 2]) -> (Cond, [Value; 2]) {
    if !matches!(cond, Cond::Eq | Cond::Ne) || region.as_const(args[1]) != Some(0) {
        return (cond, args);
    }
    let Some(inst) = region.def(args[0]) else { return (cond, args) };
    let taken_when_true = match inst.op {
        Op::Eq => Cond::Eq,
        Op::Ne => Cond::Ne,
        Op::LtS => Cond::LtS,
        Op::LtU => Cond::LtU,
        _ => return (cond, args),
    };
    let folded = if cond == Cond::Ne { taken_when_true } else { taken_when_true.negate() };
    (folded, [inst.args[0], inst.args[1]])
}
