//! Division by constants: by a product (Torbjörn Granlund and Peter L. Montgomery, "Division by Invariant Integers using
//! Multiplication", PLDI 1994), which takes a few cycles where the host's instruction takes dozens.

use super::Emitter;
use cranelift_codegen::ir::{self, InstBuilder, types};
use friscy_lift_ir::Op;

/// How an unsigned number of 32 or 64 bits is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unsigned {
    /// The high half of the product with `by`, shifted right.
    Product { by: u64, shift: u32 },
    /// As before, where `by` is without its highest bit: to the high half, half of what it lacks to the number is added first.
    Sum { by: u64, shift: u32 },
    /// Shifted right.
    Shift(u32),
}

/// The smallest n such that 2^n is not less than `d`.
fn log2_up(d: u64) -> u32 {
    d.checked_next_power_of_two().map_or(u64::BITS, u64::trailing_zeros)
}

impl Unsigned {
    /// The way for a divisor that is not zero; `bits` are those of the numbers.
    fn by(d: u64, bits: u32) -> Unsigned {
        if d.is_power_of_two() {
            return Unsigned::Shift(d.trailing_zeros());
        }
        let (d, most) = (u128::from(d), log2_up(d));
        let one = 1u128 << bits;
        // At most 2^(bits - 1) times 2^bits.
        for shift in 0..most {
            let by = (one << shift).div_ceil(d);
            if by < one && by * d - (one << shift) <= 1 << shift {
                return Unsigned::Product { by: by as u64, shift };
            }
        }
        // `most` is the number of bits at most, so that this is less than 2^128.
        let by = (one * ((1u128 << most) - d)) / d + 1;
        Unsigned::Sum { by: by as u64, shift: most - 1 }
    }
}

/// The factor and the shift for signed division by a divisor of this magnitude, which is not zero.
fn signed(d: u64, bits: u32) -> (i64, u32) {
    let shift = log2_up(d).max(1) - 1;
    let by = (1u128 << (bits + shift)) / u128::from(d) + 1;
    // Without 2^bits, as a signed number.
    let by = by.wrapping_sub(1u128 << bits) as u64;
    (if bits == 32 { i64::from(by as i32) } else { by as i64 }, shift)
}

impl Emitter<'_, '_> {
    /// Quotient or remainder of `n` by a constant that is neither 0 nor, if signed, 1 or -1.
    pub(super) fn divide_by(&mut self, op: Op, n: ir::Value, d: i64) -> ir::Value {
        let ty = self.b.func.dfg.value_type(n);
        let is_signed = matches!(op, Op::DivS | Op::RemS);
        let d = if ty == types::I32 && !is_signed { i64::from(d as u32) } else { d };
        let quotient = if is_signed { self.divide_signed(n, d, ty) } else { self.divide_unsigned(n, d as u64, ty) };
        if matches!(op, Op::DivS | Op::DivU) {
            return quotient;
        }
        let d = self.b.ins().iconst(ty, if ty == types::I32 { i64::from(d as u32) } else { d });
        let product = self.b.ins().imul(quotient, d);
        self.b.ins().isub(n, product)
    }

    fn divide_unsigned(&mut self, n: ir::Value, d: u64, ty: ir::Type) -> ir::Value {
        let (by, shift, adds) = match Unsigned::by(d, ty.bits()) {
            Unsigned::Shift(shift) => return self.b.ins().ushr_imm_u(n, i64::from(shift)),
            Unsigned::Product { by, shift } => (by, shift, false),
            Unsigned::Sum { by, shift } => (by, shift, true),
        };
        let high = if ty == types::I32 {
            let wide = self.b.ins().uextend(types::I64, n);
            let by = self.constant(by as i64);
            let product = self.b.ins().imul(wide, by);
            let high = self.b.ins().ushr_imm_u(product, 32);
            self.b.ins().ireduce(types::I32, high)
        } else {
            let by = self.constant(by as i64);
            self.b.ins().umulhi(n, by)
        };
        if !adds {
            return self.b.ins().ushr_imm_u(high, i64::from(shift));
        }
        let lacking = self.b.ins().isub(n, high);
        let half = self.b.ins().ushr_imm_u(lacking, 1);
        let sum = self.b.ins().iadd(half, high);
        self.b.ins().ushr_imm_u(sum, i64::from(shift))
    }

    fn divide_signed(&mut self, n: ir::Value, d: i64, ty: ir::Type) -> ir::Value {
        let (by, shift) = signed(d.unsigned_abs(), ty.bits());
        let high = if ty == types::I32 {
            let wide = self.b.ins().sextend(types::I64, n);
            let by = self.constant(by);
            let product = self.b.ins().imul(wide, by);
            let high = self.b.ins().ushr_imm_u(product, 32);
            self.b.ins().ireduce(types::I32, high)
        } else {
            let by = self.constant(by);
            self.b.ins().smulhi(n, by)
        };
        let sum = self.b.ins().iadd(n, high);
        let shifted = self.b.ins().sshr_imm_u(sum, i64::from(shift));
        let sign = self.b.ins().sshr_imm_u(n, i64::from(ty.bits()) - 1);
        if d < 0 { self.b.ins().isub(sign, shifted) } else { self.b.ins().isub(shifted, sign) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Unsigned, signed};

    fn unsigned_quotient(n: u64, d: u64, bits: u32) -> u64 {
        let high = |by: u64| ((u128::from(n) * u128::from(by)) >> bits) as u64;
        match Unsigned::by(d, bits) {
            Unsigned::Shift(shift) => n >> shift,
            Unsigned::Product { by, shift } => high(by) >> shift,
            Unsigned::Sum { by, shift } => (((n - high(by)) >> 1) + high(by)) >> shift,
        }
    }

    fn signed_quotient(n: i64, d: i64, bits: u32) -> i64 {
        let (by, shift) = signed(d.unsigned_abs(), bits);
        let sum = n.wrapping_add(((i128::from(n) * i128::from(by)) >> bits) as i64);
        let sum = if bits == 32 { i64::from(sum as i32) } else { sum };
        let quotient = (sum >> shift) - (n >> 63);
        if d < 0 { -quotient } else { quotient }
    }

    /// Numbers about powers of two and of ten, and about halves and ends.
    fn numbers() -> Vec<u64> {
        let powers = (0..64).map(|n| 1u64 << n).chain((0..20).map(|n| 10u64.pow(n)));
        let mut all: Vec<u64> = powers.flat_map(|n| (0..5).map(move |by| n.wrapping_add(by).wrapping_sub(2))).collect();
        all.extend((1..200).chain([3 << 40, u64::MAX, u64::MAX - 1, u64::MAX / 3, u64::MAX / 7 * 3]));
        all
    }

    #[test]
    fn products_divide() {
        let numbers = numbers();
        for &d in numbers.iter().filter(|d| **d != 0) {
            for &n in &numbers {
                assert_eq!(unsigned_quotient(n, d, 64), n / d, "{n} by {d}");
                let (n32, d32) = (n as u32, d as u32);
                if d32 != 0 {
                    assert_eq!(unsigned_quotient(n32.into(), d32.into(), 32), u64::from(n32 / d32), "{n32} by {d32}");
                }
                let (n, d) = (n as i64, d as i64);
                if !matches!(d, -1..=1) {
                    assert_eq!(signed_quotient(n, d, 64), n / d, "{n} by {d}");
                }
                let (n, d) = (n as i32, d as i32);
                if !matches!(d, -1..=1) {
                    assert_eq!(signed_quotient(n.into(), d.into(), 32), i64::from(n / d), "{n} by {d}");
                }
            }
        }
    }
}
