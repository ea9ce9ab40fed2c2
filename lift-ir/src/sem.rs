//! What the integer ops compute, written once: constant folding, the evaluator and tiers written in Rust all call
//! these. With a constant `op` they inline to the operation itself.

use crate::op::Op;

/// Sign-extends the low 32 bits.
#[inline(always)]
pub const fn sext32(v: u64) -> u64 {
    v as i32 as i64 as u64
}

/// The result of a pure integer op of two operands, `None` for any other op.
#[inline(always)]
pub const fn binary(op: Op, a: u64, b: u64) -> Option<u64> {
    let (a32, b32) = (a as u32, b as u32);
    let (sa, sb) = (a as i64, b as i64);
    let (sa32, sb32) = (a as i32, b as i32);
    let shift = b as u32 & 63;
    let shift32 = b as u32 & 31;
    Some(match op {
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Shl => a << shift,
        Op::ShrU => a >> shift,
        Op::ShrS => (sa >> shift) as u64,
        Op::Rotl => a.rotate_left(shift),
        Op::Rotr => a.rotate_right(shift),
        Op::Mul => a.wrapping_mul(b),
        Op::MulhS => ((sa as i128 * sb as i128) >> 64) as u64,
        Op::MulhU => ((a as u128 * b as u128) >> 64) as u64,
        Op::MulhSU => ((sa as i128).wrapping_mul(b as i128) >> 64) as u64,
        Op::DivS if b == 0 => u64::MAX,
        Op::DivS => sa.wrapping_div(sb) as u64,
        Op::DivU if b == 0 => u64::MAX,
        Op::DivU => a / b,
        Op::RemS if b == 0 => a,
        Op::RemS => sa.wrapping_rem(sb) as u64,
        Op::RemU if b == 0 => a,
        Op::RemU => a % b,
        Op::Eq => (a == b) as u64,
        Op::Ne => (a != b) as u64,
        Op::LtS => (sa < sb) as u64,
        Op::LtU => (a < b) as u64,
        Op::MinS => {
            if sa < sb {
                a
            } else {
                b
            }
        }
        Op::MinU => {
            if a < b {
                a
            } else {
                b
            }
        }
        Op::MaxS => {
            if sa > sb {
                a
            } else {
                b
            }
        }
        Op::MaxU => {
            if a > b {
                a
            } else {
                b
            }
        }
        Op::Add32 => sext32(a.wrapping_add(b)),
        Op::Sub32 => sext32(a.wrapping_sub(b)),
        Op::Shl32 => sext32((a32 << shift32) as u64),
        Op::ShrU32 => sext32((a32 >> shift32) as u64),
        Op::ShrS32 => (sa32 >> shift32) as i64 as u64,
        Op::Rotl32 => sext32(a32.rotate_left(shift32) as u64),
        Op::Rotr32 => sext32(a32.rotate_right(shift32) as u64),
        Op::Mul32 => sext32(a.wrapping_mul(b)),
        Op::DivS32 if b32 == 0 => u64::MAX,
        Op::DivS32 => sa32.wrapping_div(sb32) as i64 as u64,
        Op::DivU32 if b32 == 0 => u64::MAX,
        Op::DivU32 => sext32((a32 / b32) as u64),
        Op::RemS32 if b32 == 0 => sext32(a),
        Op::RemS32 => sa32.wrapping_rem(sb32) as i64 as u64,
        Op::RemU32 if b32 == 0 => sext32(a),
        Op::RemU32 => sext32((a32 % b32) as u64),
        _ => return None,
    })
}

/// The result of a pure integer op of one operand, `None` for any other op.
#[inline(always)]
pub const fn unary(op: Op, a: u64) -> Option<u64> {
    Some(match op {
        Op::Sext8 => a as i8 as i64 as u64,
        Op::Sext16 => a as i16 as i64 as u64,
        Op::Sext32 => sext32(a),
        Op::Zext16 => a as u16 as u64,
        Op::Zext32 => a as u32 as u64,
        Op::Clz => a.leading_zeros() as u64,
        Op::Ctz => a.trailing_zeros() as u64,
        Op::Popcnt => a.count_ones() as u64,
        Op::Clz32 => (a as u32).leading_zeros() as u64,
        Op::Ctz32 => (a as u32).trailing_zeros() as u64,
        Op::Popcnt32 => (a as u32).count_ones() as u64,
        Op::Bswap => a.swap_bytes(),
        Op::OrcB => {
            // Each byte's bits are folded onto its lowest bit, which then fills the byte.
            let ones = 0x0101_0101_0101_0101;
            let mut v = a | ((a >> 4) & (0x0f * ones));
            v |= (v >> 2) & (0x3f * ones);
            v |= (v >> 1) & (0x7f * ones);
            (v & ones) * 0xff
        }
        _ => return None,
    })
}

/// What an atomic memory operation leaves in memory, given the `old` value and the operand. 32-bit operands are
/// sign-extended. `None` for any other op.
#[inline(always)]
pub const fn amo(op: Op, old: u64, operand: u64) -> Option<u64> {
    Some(match op {
        Op::AmoSwap32 | Op::AmoSwap64 => operand,
        Op::AmoAdd32 | Op::AmoAdd64 => old.wrapping_add(operand),
        Op::AmoXor32 | Op::AmoXor64 => old ^ operand,
        Op::AmoAnd32 | Op::AmoAnd64 => old & operand,
        Op::AmoOr32 | Op::AmoOr64 => old | operand,
        Op::AmoMinS32 | Op::AmoMinS64 => {
            if (old as i64) < (operand as i64) {
                old
            } else {
                operand
            }
        }
        Op::AmoMaxS32 | Op::AmoMaxS64 => {
            if (old as i64) > (operand as i64) {
                old
            } else {
                operand
            }
        }
        // Sign extension keeps the unsigned order of 32-bit values.
        Op::AmoMinU32 | Op::AmoMinU64 => {
            if old < operand {
                old
            } else {
                operand
            }
        }
        Op::AmoMaxU32 | Op::AmoMaxU64 => {
            if old > operand {
                old
            } else {
                operand
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: Op, a: u64, b: u64, want: u64) {
        assert_eq!(binary(op, a, b).or(unary(op, a)), Some(want), "{} {a:#x} {b:#x}", op.info().name);
    }

    #[test]
    fn division_has_the_results_of_the_manual() {
        let min = i64::MIN as u64;
        let max = u64::MAX;
        check(Op::DivS, 7, 0, max);
        check(Op::DivS, min, max, min);
        check(Op::RemS, 7, 0, 7);
        check(Op::RemS, min, max, 0);
        check(Op::DivU, 7, 0, max);
        check(Op::RemU, 7, 0, 7);
        check(Op::DivS32, 7, 0, max);
        check(Op::DivS32, 0x8000_0000, max, 0xffff_ffff_8000_0000);
        check(Op::RemS32, 0x8000_0000, 1 << 32, 0xffff_ffff_8000_0000);
        check(Op::RemS32, 0x8000_0000, max, 0);
        check(Op::DivU32, 7, 1 << 32, max);
        check(Op::RemU32, 0x8000_0000, 0, 0xffff_ffff_8000_0000);
    }

    #[test]
    fn high_products() {
        let max = u64::MAX;
        check(Op::MulhS, max, max, 0);
        check(Op::MulhU, max, max, max - 1);
        check(Op::MulhSU, max, max, max);
        check(Op::MulhSU, i64::MIN as u64, max, 0x8000_0000_0000_0000);
        check(Op::MulhSU, 1, max, 0);
    }

    #[test]
    fn narrow_results_are_sign_extended() {
        check(Op::Add32, 0x7fff_ffff, 1, 0xffff_ffff_8000_0000);
        check(Op::ShrU32, 0xffff_ffff_ffff_ffff, 32, u64::MAX);
        check(Op::ShrU32, 0xffff_ffff_ffff_ffff, 1, 0x7fff_ffff);
        check(Op::Rotr32, 1, 1, 0xffff_ffff_8000_0000);
        check(Op::OrcB, 0x0100_0020_0000_8000, 0, 0xff00_00ff_0000_ff00);
    }
}
