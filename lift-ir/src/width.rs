//! How many bits of a value may be set, as far as its definition tells.

use crate::ir::{Region, Value};
use crate::op::Op;

/// How many definitions are looked through, one behind the other.
const DEPTH: u32 = 4;

/// A number of bits, 0 to 64, such that `v` is less than two to its power.
pub fn width(region: &Region, v: Value) -> u32 {
    of_value(region, v, DEPTH)
}

/// As [`width`], of what an op makes of its operands.
pub fn width_of(region: &Region, op: Op, args: [Value; 3]) -> u32 {
    of(region, op, args, DEPTH)
}

fn of_value(region: &Region, v: Value, depth: u32) -> u32 {
    match region.def(v) {
        Some(inst) if inst.op == Op::Iconst => u64::BITS - (inst.imm as u64).leading_zeros(),
        Some(inst) if depth > 0 => of(region, inst.op, inst.args, depth),
        _ => u64::BITS,
    }
}

fn of(region: &Region, op: Op, args: [Value; 3], depth: u32) -> u32 {
    let [x, y, z] = args;
    let arg = |v: Value| of_value(region, v, depth - 1);
    let amount = |mask: i64| region.as_const(y).map(|by| (by & mask) as u32);
    // An op of 32 bits extends its result's bit 31.
    let word = |bits: u32| if bits < u32::BITS { bits } else { u64::BITS };
    match op {
        Op::Eq | Op::Ne | Op::LtS | Op::LtU => 1,
        Op::FeqS | Op::FltS | Op::FleS | Op::FeqD | Op::FltD | Op::FleD => 1,
        Op::Load8U => u8::BITS,
        Op::Load16U | Op::Zext16 => u16::BITS,
        Op::Load32U => u32::BITS,
        Op::Clz | Op::Ctz | Op::Popcnt | Op::Clz32 | Op::Ctz32 | Op::Popcnt32 => 7,
        Op::Zext32 => arg(x).min(u32::BITS),
        Op::Sext32 => word(arg(x)),
        Op::And => arg(x).min(arg(y)),
        Op::Or | Op::Xor | Op::MaxU => arg(x).max(arg(y)),
        Op::MinU => arg(x).min(arg(y)),
        Op::Select => arg(y).max(arg(z)),
        Op::Add => (arg(x).max(arg(y)) + 1).min(u64::BITS),
        Op::Add32 => word(arg(x).max(arg(y)) + 1),
        Op::Mul => (arg(x) + arg(y)).min(u64::BITS),
        Op::Mul32 => word(arg(x) + arg(y)),
        Op::Shl => amount(63).map_or(u64::BITS, |by| (arg(x) + by).min(u64::BITS)),
        Op::Shl32 => amount(31).map_or(u64::BITS, |by| word(arg(x) + by)),
        Op::ShrU => arg(x) - amount(63).unwrap_or(0).min(arg(x)),
        Op::ShrU32 => word(arg(x).min(u32::BITS) - amount(31).unwrap_or(0).min(arg(x))),
        // Zero and positive numbers only become smaller.
        Op::ShrS32 | Op::RemU32 => word(arg(x)),
        Op::ShrS | Op::RemU => arg(x),
        _ => u64::BITS,
    }
}
