//! Random numbers that are the same in every run, and the operands that instructions are most likely to get wrong.

use crate::memory::EDGES;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not zero.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// Whether something of probability 1 / `n` happens.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// An address at or near a place where permissions change, or anywhere in a page.
    pub fn address(&mut self) -> u64 {
        let edge = self.pick(&EDGES);
        match self.below(4) {
            0 => edge.wrapping_add(self.below(512) * 8) & 0xffff_ffff,
            1 => edge.wrapping_sub(8) & 0xffff_ffff,
            _ => edge.wrapping_add(self.below(40)).wrapping_sub(24) & 0xffff_ffff,
        }
    }

    /// A value of an integer register: small, extreme, an address, or any.
    pub fn integer(&mut self) -> u64 {
        const EXTREME: [u64; 10] = [
            i64::MAX as u64,
            i64::MIN as u64,
            u64::MAX,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0xffff_ffff_8000_0000,
            0xffff_ffff_7fff_ffff,
            0x1_0000_0000,
            0x8000_0000_0000_0001,
        ];
        match self.below(8) {
            0 | 1 => self.below(16),
            2 => self.below(16).wrapping_sub(8),
            3 => self.pick(&EXTREME),
            4 => self.address(),
            5 => 1u64.wrapping_shl(self.below(64) as u32).wrapping_sub(self.below(2)),
            6 => self.bits() as u32 as u64,
            _ => self.bits(),
        }
    }

    /// A value of a floating-point register: doubles and boxed singles, special ones and such that round, singles that are
    /// not boxed, and any bits.
    pub fn float(&mut self) -> u64 {
        let boxed = |single: u32| single as u64 | 0xffff_ffff_0000_0000;
        match self.below(12) {
            0 | 1 => {
                const SINGLES: [u32; 13] = [
                    0,
                    1,
                    0x007f_ffff,
                    0x0080_0000,
                    0x3f80_0000,
                    0x3f80_0001,
                    0x3f7f_ffff,
                    0x7f7f_ffff,
                    0x7f80_0000,
                    0x7f80_0001,
                    0x7fc0_0000,
                    0x7fff_ffff,
                    0x4f00_0000,
                ];
                boxed(self.pick(&SINGLES) | (self.below(2) as u32) << 31)
            }
            2 | 3 => {
                const DOUBLES: [u64; 13] = [
                    0,
                    1,
                    0x000f_ffff_ffff_ffff,
                    0x0010_0000_0000_0000,
                    0x3ff0_0000_0000_0000,
                    0x3ff0_0000_0000_0001,
                    0x3fef_ffff_ffff_ffff,
                    0x7fef_ffff_ffff_ffff,
                    0x7ff0_0000_0000_0000,
                    0x7ff0_0000_0000_0001,
                    0x7ff8_0000_0000_0000,
                    0x43e0_0000_0000_0000,
                    0x41e0_0000_0000_0000,
                ];
                self.pick(&DOUBLES) | self.below(2) << 63
            }
            4 => boxed((self.below(4000) as f32 / 8.0 - 250.0).to_bits()),
            5 => (self.below(4000) as f64 / 8.0 - 250.0).to_bits(),
            6 => boxed(self.bits() as u32),
            7 => boxed((self.bits() as i64 as f32).to_bits()),
            8 => (self.bits() as i64 as f64).to_bits(),
            // Not boxed: the upper half is almost ones.
            9 => boxed(self.bits() as u32) ^ 1 << (32 + self.below(32)),
            // Close to where doubles become subnormal, or overflow.
            10 => {
                let exponent = self.pick(&[1u64, 2, 3, 52, 53, 54, 896, 897, 898, 1150, 1151, 1023, 2045, 2046]);
                self.bits() & 0x800f_ffff_ffff_ffff | exponent << 52
            }
            _ => self.bits(),
        }
    }

    /// A value of `frm`, mostly valid ones.
    pub fn frm(&mut self) -> u32 {
        self.pick(&[0, 0, 0, 0, 1, 2, 3, 4, 5, 7])
    }
}
