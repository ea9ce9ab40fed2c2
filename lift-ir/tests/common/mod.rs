//! What the tests of this crate share: code, memory and random programs.

#![allow(dead_code)]

use friscy_isa::{COMPRESSED, Flags, Inst, Op, encode};
use friscy_lift_ir::eval::{Denied, EvalHost};
use friscy_lift_ir::{CodeSource, FetchFault, Region};

/// Where random programs begin.
pub const CODE: u64 = 0x10000;
/// Where their data begins, and its length.
pub const DATA: u64 = 0x40000;
pub const DATA_LEN: usize = 4096;

/// Guest code at [`CODE`].
#[derive(Clone, Default)]
pub struct Code(pub Vec<u8>);

impl Code {
    pub fn push(&mut self, bits: u32, len: u8) {
        self.0.extend_from_slice(&bits.to_le_bytes()[..len as usize]);
    }
}

impl CodeSource for Code {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        let at = usize::try_from(pc.wrapping_sub(CODE)).map_err(|_| FetchFault)?;
        let half = |at: usize| Some(u16::from_le_bytes([*self.0.get(at)?, *self.0.get(at + 1)?]) as u32);
        let low = half(at).ok_or(FetchFault)?;
        if low & 3 != 3 {
            return Ok(low);
        }
        Ok(low | half(at + 2).ok_or(FetchFault)? << 16)
    }

    fn jump_targets(&mut self, region: &Region) -> Vec<u64> {
        region.blocks.iter().step_by(2).map(|block| block.pc).collect()
    }
}

/// Guest memory: `DATA_LEN` bytes at [`DATA`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memory(pub Vec<u8>);

impl Memory {
    fn range(&self, offset: i64, len: u32) -> Result<std::ops::Range<usize>, Denied> {
        let at = usize::try_from(offset - DATA as i64).map_err(|_| Denied)?;
        let end = at + len as usize;
        if end <= self.0.len() { Ok(at..end) } else { Err(Denied) }
    }
}

impl EvalHost for Memory {
    fn load(&mut self, offset: i64, len: u32) -> Result<u64, Denied> {
        let range = self.range(offset, len)?;
        let mut bytes = [0; 8];
        bytes[..len as usize].copy_from_slice(&self.0[range]);
        Ok(u64::from_le_bytes(bytes))
    }

    fn store(&mut self, offset: i64, len: u32, value: u64) -> Result<(), Denied> {
        let range = self.range(offset, len)?;
        self.0[range].copy_from_slice(&value.to_le_bytes()[..len as usize]);
        Ok(())
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A value for a register: small, extreme, an address, a special floating-point number, or any.
    pub fn operand(&mut self) -> u64 {
        match self.below(8) {
            0 => self.below(16),
            1 => (self.below(16) as i64 - 8) as u64,
            2 => [i64::MAX as u64, i64::MIN as u64, u64::MAX, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
                [self.below(6) as usize],
            3 => DATA + self.below(DATA_LEN as u64) / 8 * 8,
            4 => (self.below(2000) as f64 / 4.0 - 250.0).to_bits(),
            5 => (self.below(2000) as f32 / 4.0 - 250.0).to_bits() as u64 | 0xffff_ffff_0000_0000,
            6 => [f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX][self.below(6) as usize].to_bits(),
            _ => self.next(),
        }
    }
}

impl Random {
    /// A value for a floating-point register: doubles and boxed singles, special ones and such that round, and any bits.
    pub fn float(&mut self) -> u64 {
        let boxed = |single: u32| single as u64 | 0xffff_ffff_0000_0000;
        match self.below(8) {
            0 => [0, 1, 0x7fff_ffff, 0x8000_0000, 0x7f80_0000, 0xff80_0000, 0x7f80_0001, 0x7fc0_0000, 0x0080_0000]
                .map(boxed)[self.below(9) as usize],
            1 => [
                0,
                1,
                1 << 63,
                0x7ff0_0000_0000_0000,
                0xfff0_0000_0000_0000,
                0x7ff0_0000_0000_0001,
                0x7ff8_0000_0000_0000,
                0x0010_0000_0000_0000,
                0x7fef_ffff_ffff_ffff,
            ][self.below(9) as usize],
            2 => boxed((self.below(4000) as f32 / 8.0 - 250.0).to_bits()),
            3 => (self.below(4000) as f64 / 8.0 - 250.0).to_bits(),
            4 => boxed(self.next() as u32),
            5 => boxed((self.next() as i64 as f32).to_bits()),
            6 => (self.next() as i64 as f64).to_bits(),
            _ => self.next(),
        }
    }
}

/// A program of `len` instructions whose branches stay within it. Memory is mostly accessed through `x2`, `x8` and `x9`,
/// which nothing else writes.
pub fn random_program(random: &mut Random, len: usize) -> Code {
    let mut words: Vec<(u32, u8)> = Vec::new();
    // Branches are laid out in a second step, when every instruction's place is known.
    let mut branches: Vec<(usize, Inst, usize)> = Vec::new();
    while words.len() < len {
        if random.below(4) == 0 {
            let row = &COMPRESSED[random.below(COMPRESSED.len() as u64) as usize];
            if row.flags.intersects(Flags::CONTROL) || row.flags.contains(Flags::TRAP) {
                continue;
            }
            let Some(mut inst) = row.sample(random.next() as u32) else { continue };
            if is_pointer(inst.rd) && !is_float_result(inst.op) {
                continue;
            }
            if inst.rs1 != 2 && (row.flags.contains(Flags::LOAD) || row.flags.contains(Flags::STORE)) {
                inst.rs1 = 8 + random.below(2) as u8;
                inst.bits = encode(&inst).expect("c.ld and its like have any of x8 to x15 as base");
            }
            words.push((inst.bits, 2));
            continue;
        }
        let op = Op::ALL[random.below(Op::ALL.len() as u64) as usize];
        let Some(mut inst) = op.sample(random.next() as u32) else { continue };
        let flags = op.info().flags;
        if flags.contains(Flags::TRAP) && random.below(4) != 0 {
            continue;
        }
        if inst.op == Op::FenceI && random.below(4) != 0 {
            continue;
        }
        let pick = |random: &mut Random| [0, 5, 6, 7, 10, 11, 12, 13][random.below(8) as usize];
        if op.info().layout.rd.is_present() {
            inst.rd = pick(random);
        }
        if op.info().layout.rs2.is_present() {
            inst.rs2 = pick(random);
        }
        if op.info().layout.rs3.is_present() {
            inst.rs3 = pick(random);
        }
        if op.info().layout.rs1.is_present() && !matches!(op, Op::Csrrwi | Op::Csrrsi | Op::Csrrci) {
            inst.rs1 = pick(random);
        }
        if flags.intersects(Flags::LOAD) || flags.intersects(Flags::STORE) {
            if random.below(16) != 0 {
                inst.rs1 = 8 + random.below(2) as u8;
            }
            if inst.imm != 0 {
                inst.imm = (random.below(64) as i32 - 32) * 8;
            }
        }
        if flags.contains(Flags::CSR) {
            if random.below(8) != 0 {
                inst.imm = [1, 1, 1, 1, 1, 2, 3, 0xc01][random.below(8) as usize];
            } else if random.below(8) != 0 {
                continue;
            }
        }
        if flags.contains(Flags::CONTROL) && op != Op::Jalr {
            branches.push((words.len(), inst, random.below(len as u64) as usize));
            words.push((0, 4));
            continue;
        }
        if op == Op::Jalr && random.below(4) != 0 {
            continue;
        }
        let bits = encode(&inst).unwrap_or(0x13);
        words.push((bits, 4));
    }
    let mut places = Vec::new();
    let mut at = 0i32;
    for (_, len) in &words {
        places.push(at);
        at += *len as i32;
    }
    for (from, mut inst, to) in branches {
        inst.imm = places[to] - places[from];
        words[from].0 = encode(&inst).expect("a near branch encodes");
    }
    let mut code = Code::default();
    for (bits, len) in words {
        code.push(bits, len);
    }
    code
}

fn is_pointer(r: u8) -> bool {
    matches!(r, 2 | 8 | 9)
}

fn is_float_result(op: Op) -> bool {
    matches!(op, Op::Fld | Op::Fsd)
}
