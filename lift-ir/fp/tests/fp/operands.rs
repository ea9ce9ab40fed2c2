//! Operands that find errors: special values and their neighbours, and operands derived from each other so that
//! results meet ties, cancellation and the ends of the exponent range.

use friscy_fp::box_f32;

use crate::table::Sources;

/// Marsaglia's xorshift generator: the same operands in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 8) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Three source registers.
pub fn sources(kind: Sources, random: &mut Random) -> [u64; 3] {
    match kind {
        Sources::Double => doubles(random),
        Sources::Single => singles(random),
        Sources::Integer => [integer(random), 0, 0],
    }
}

fn integer(random: &mut Random) -> u64 {
    let short = random.next() >> random.below(64);
    match random.below(6) {
        0 => random.next(),
        1 => short,
        2 => short.wrapping_neg(),
        // Near a power of two, where rounding carries.
        3 => (1u64 << random.below(64)).wrapping_add(random.below(8)).wrapping_sub(4),
        // A tie, almost a tie.
        4 => (short | 1) << random.below(64) | random.below(2),
        _ => random.pick(&[0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, (1 << 31) - 1, u32::MAX.into(), 1 << 32]),
    }
}

/// A double of the patterns that matter for any operation.
fn double(random: &mut Random) -> u64 {
    const SIGN: u64 = 1 << 63;
    const FRAC: u64 = (1 << 52) - 1;
    let sign = random.next() & SIGN;
    let value = match random.below(12) {
        0 | 1 => random.next(),
        2 => random.pick(&[
            0,
            1,
            2,
            FRAC - 1,
            FRAC,
            FRAC + 1,
            FRAC + 2,
            1 << 53,
            0x7fef_ffff_ffff_ffff,
            0x7fe0_0000_0000_0000,
            0x7fd0_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x7ff0_0000_0000_0001,
            0x7fff_ffff_ffff_ffff,
            0x7ff4_0000_0000_0000,
            0x3ff0_0000_0000_0000,
            0x3fef_ffff_ffff_ffff,
            0x3ff0_0000_0000_0001,
        ]),
        3 => (random.below(2001) as f64).to_bits(),
        4 => (integer(random) as i64 as f64).to_bits(),
        // Halves and quarters of integers, and their neighbours.
        5 => ((random.below(64) as f64) / 4.0).to_bits().wrapping_add(random.below(3)).wrapping_sub(1),
        // Next to an integer's limit.
        6 => {
            let limit = (1u64 << random.pick(&[31, 32, 52, 53, 62, 63])) as f64;
            (limit + random.below(7) as f64 / 2.0 - 1.5).to_bits().wrapping_add(random.below(5)).wrapping_sub(2)
        }
        7 => ((1u64 << 63) as f64 * 2.0).to_bits() + random.below(5) - 2,
        // Subnormals and their neighbourhood.
        8 => random.next() & FRAC >> random.below(52),
        9 => (random.next() & FRAC) | random.below(4) << 52,
        // A short significand with any exponent, or one near 1.
        10 => (random.next() & FRAC & !0 << random.below(53)) | random.below(0x7ff) << 52,
        _ => (random.next() & FRAC & !0 << random.below(53)) | (1003 + random.below(40)) << 52,
    };
    // Singles' ends as doubles, for the conversion.
    if random.below(12) == 0 {
        let single = f64::from(f32::from_bits(single(random)));
        if !single.is_nan() {
            let half_ulp = 1u64 << random.below(31);
            return single.to_bits().wrapping_add(half_ulp).wrapping_add(random.below(3)).wrapping_sub(1) ^ sign;
        }
    }
    value ^ sign
}

fn doubles(random: &mut Random) -> [u64; 3] {
    const SIGN: u64 = 1 << 63;
    let (a, mut b, mut c) = (double(random), double(random), double(random));
    let (x, tiny) = (f64::from_bits(a), f64::MIN_POSITIVE);
    let nudge = random.below(7) as i64 - 3;
    let near = |value: f64| value.to_bits().wrapping_add(nudge as u64);
    match random.below(14) {
        // Sums that cancel, or that lose bits at a chosen distance.
        0 => b = near(-x),
        1 => b = (b & !(0x7ff << 52)) | ((a >> 52 & 0x7ff) + random.below(60)).min(0x7fe) << 52,
        // Products and quotients next to the ends of the range, or exact.
        2 => b = near(tiny / x),
        3 => b = near(f64::MAX / x),
        4 => b = near(x / tiny),
        5 => b = near(x / f64::MAX),
        6 => {
            let y = ((random.next() >> 12 >> random.below(52)) as f64) + 1.0;
            let product = y * f64::from(random.below(1 << 20) as u32);
            return [product.to_bits(), y.to_bits(), c];
        }
        // A square, or its neighbour.
        7 => {
            let y = f64::from((random.next() >> 38) as u32) * 2f64.powi(random.below(200) as i32 - 100);
            let even = f64::from_bits((y * y).to_bits() & !0 << random.below(53));
            return [near(even), b, c];
        }
        _ => {}
    }
    // Addends that meet the product.
    let product = x * f64::from_bits(b);
    let nudge = random.below(5) as i64 - 2;
    match random.below(10) {
        0 => c = product.to_bits() ^ SIGN,
        1 => c = (product.to_bits() ^ SIGN).wrapping_add(nudge as u64),
        2 => c = (-product + tiny).to_bits().wrapping_add(nudge as u64),
        3 => {
            // Anywhere from far above the product to its lowest bits.
            let exponent = ((product.to_bits() >> 52 & 0x7ff) + 60).saturating_sub(random.below(240)).min(0x7fe);
            c = (c & !(0x7ff << 52)) | exponent << 52;
        }
        4 => {
            // A power of two that makes a tie of a short product, give or take.
            let exponent = ((product.to_bits() >> 52 & 0x7ff) + 54).saturating_sub(random.below(110)).min(0x7fe);
            c = (c & SIGN) | exponent << 52 | random.below(2);
        }
        _ => {}
    }
    [a, b, c]
}

/// A single of the patterns that matter for any operation.
fn single(random: &mut Random) -> u32 {
    const FRAC: u32 = (1 << 23) - 1;
    let bits = random.next() as u32;
    let sign = bits & 1 << 31;
    let value = match random.below(10) {
        0 | 1 => random.next() as u32,
        2 => random.pick(&[
            0,
            1,
            2,
            FRAC - 1,
            FRAC,
            FRAC + 1,
            FRAC + 2,
            1 << 24,
            0x7f7f_ffff,
            0x7f00_0000,
            0x7e80_0000,
            0x7f80_0000,
            0x7fc0_0000,
            0x7f80_0001,
            0x7fff_ffff,
            0x7fa0_0000,
            0x3f80_0000,
            0x3f7f_ffff,
            0x3f80_0001,
        ]),
        3 => (random.below(2001) as f32).to_bits(),
        4 => (integer(random) as i64 as f32).to_bits(),
        5 => ((random.below(64) as f32) / 4.0).to_bits().wrapping_add(random.below(3) as u32).wrapping_sub(1),
        6 => {
            let limit = (1u64 << random.pick(&[23, 24, 31, 32, 63])) as f32;
            limit.to_bits() + random.below(5) as u32 - 2
        }
        7 => bits & FRAC >> random.below(23),
        8 => (bits & FRAC) | (random.below(4) as u32) << 23,
        _ => (bits & FRAC & !0 << random.below(24)) | (107 + random.below(40) as u32) << 23,
    };
    value ^ sign
}

fn singles(random: &mut Random) -> [u64; 3] {
    const SIGN: u32 = 1 << 31;
    let (a, mut b, mut c) = (single(random), single(random), single(random));
    let (x, tiny) = (f32::from_bits(a), f32::MIN_POSITIVE);
    let nudge = random.below(7) as i32 - 3;
    let near = |value: f32| value.to_bits().wrapping_add(nudge as u32);
    match random.below(14) {
        0 => b = near(-x),
        1 => b = (b & !(0xff << 23)) | ((a >> 23 & 0xff) + random.below(30) as u32).min(0xfe) << 23,
        2 => b = near(tiny / x),
        3 => b = near(f32::MAX / x),
        4 => b = near(x / tiny),
        5 => b = near(x / f32::MAX),
        6 => {
            let y = ((random.next() >> 41 >> random.below(23)) as f32) + 1.0;
            return [box_f32((y * random.below(512) as f32).to_bits()), box_f32(y.to_bits()), box_f32(c)];
        }
        7 => {
            let y = (random.next() >> 53) as f32;
            return [box_f32(near(y * y)), box_f32(b), box_f32(c)];
        }
        _ => {}
    }
    let product = x * f32::from_bits(b);
    let nudge = random.below(5) as i32 - 2;
    match random.below(10) {
        0 => c = product.to_bits() ^ SIGN,
        1 => c = (product.to_bits() ^ SIGN).wrapping_add(nudge as u32),
        2 => c = (-product + tiny).to_bits().wrapping_add(nudge as u32),
        3 => {
            let exponent = ((product.to_bits() >> 23 & 0xff) + 30).saturating_sub(random.below(110) as u32).min(0xfe);
            c = (c & !(0xff << 23)) | exponent << 23;
        }
        4 => {
            let exponent = ((product.to_bits() >> 23 & 0xff) + 25).saturating_sub(random.below(50) as u32).min(0xfe);
            c = (c & SIGN) | exponent << 23 | random.below(2) as u32;
        }
        _ => {}
    }
    let mut registers = [box_f32(a), box_f32(b), box_f32(c)];
    // A register that is not NaN-boxed is the canonical NaN.
    if random.below(64) == 0 {
        registers[random.below(3) as usize] ^= 1 << (32 + random.below(32));
    }
    registers
}
