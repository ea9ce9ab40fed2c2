//! From bits to rows and back.
//!
//! Lookup is by key: opcode, funct3 and funct7 of a 32-bit encoding, or quadrant, funct3 and bits 12:10 of a 16-bit one,
//! select the first row that may match; rows that share a key (they differ in `rs2` or in an exclusion) form a chain.

use crate::layout::{Layout, Operands, Pattern};
use crate::table::{BASE_DECODERS, COMPRESSED, COMPRESSED_DECODERS, Op, ROWS, Row};

/// A decoded instruction. Compressed encodings appear as the base instruction that they expand to; only [`len`](Inst::len)
/// and [`bits`](Inst::bits) tell them apart. Operands that the instruction does not have are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inst {
    /// Which instruction.
    pub op: Op,
    /// Destination register, 0 to 31; integer or floating-point, as the row says.
    pub rd: u8,
    /// First source register, 0 to 31; the five-bit unsigned immediate of `csrrwi`, `csrrsi` and `csrrci`.
    pub rs1: u8,
    /// Second source register, 0 to 31.
    pub rs2: u8,
    /// Third source register, 0 to 31.
    pub rs3: u8,
    /// The rounding mode of a floating-point instruction (0 to 4, or 7 for "as `frm` says"), or `aq << 1 | rl` of an atomic.
    pub rm: u8,
    /// The immediate, sign-extended as the manual says: offsets in bytes, `lui` and `auipc` already shifted left by 12. Also
    /// the shift amount, the CSR number (0 to 4095), or the upper 12 bits of `fence` and `fence.i`.
    pub imm: i32,
    /// Length of the encoding in bytes, 2 or 4.
    pub len: u8,
    /// The encoding; the upper half is zero if `len` is 2.
    pub bits: u32,
}

impl Inst {
    /// Inlined into one function a row, so that the layout is a constant there and the fields are read by a few shifts.
    #[inline(always)]
    pub(crate) fn from_layout(op: Op, layout: &Layout, len: u8, bits: u32) -> Inst {
        let Operands { rd, rs1, rs2, rs3, rm, imm } = layout.extract(bits);
        Inst { op, rd, rs1, rs2, rs3, rm, imm, len, bits }
    }

    pub(crate) fn operands(&self) -> Operands {
        Operands { rd: self.rd, rs1: self.rs1, rs2: self.rs2, rs3: self.rs3, rm: self.rm, imm: self.imm }
    }
}

/// No row. Op numbers and compressed row numbers are smaller, which the tables' lengths assert.
const NONE: u8 = u8::MAX;

/// What lookup needs of a row, close together.
#[derive(Clone, Copy)]
struct Entry {
    pattern: Pattern,
    /// Decodes what the pattern matches.
    decode: fn(u32) -> Inst,
    /// The row after this one in the chains that it is part of.
    next: u8,
}

/// The first row for each key, and the rows.
struct Lookup<const KEYS: usize, const ROWS: usize> {
    first: [u8; KEYS],
    entries: [Entry; ROWS],
}

impl<const KEYS: usize, const N: usize> Lookup<KEYS, N> {
    /// Enters each row under every key that its free bits allow. `key` takes an encoding, or a mask of one, to its key.
    const fn new(rows: &[Row; N], decoders: &[fn(u32) -> Inst; N], compressed: bool) -> Self {
        assert!(N < NONE as usize, "row numbers are bytes");
        let entry = Entry { pattern: rows[0].layout.pattern, decode: decoders[0], next: NONE };
        let mut lookup = Lookup { first: [NONE; KEYS], entries: [entry; N] };
        let mut last = [NONE; KEYS];
        let mut i = 0;
        while i < N {
            let pattern = rows[i].layout.pattern;
            lookup.entries[i] = Entry { pattern, decode: decoders[i], next: NONE };
            let Pattern { mask, value, .. } = pattern;
            let (fixed, free) = if compressed {
                (compressed_key(value), !compressed_key(mask) & (KEYS - 1))
            } else {
                (base_key(value), !base_key(mask) & (KEYS - 1))
            };
            // Every subset of the free bits, from the full set down to the empty one.
            let mut subset = free;
            loop {
                let key = fixed | subset;
                let before = last[key];
                if before == NONE {
                    lookup.first[key] = i as u8;
                } else {
                    let link = &mut lookup.entries[before as usize].next;
                    assert!(*link == NONE || *link == i as u8, "a row would be part of two different chains");
                    *link = i as u8;
                }
                last[key] = i as u8;
                if subset == 0 {
                    break;
                }
                subset = (subset - 1) & free;
            }
            i += 1;
        }
        lookup
    }

    #[inline]
    fn find(&self, key: usize, bits: u32) -> Option<&Entry> {
        let mut entry = self.entries.get(usize::from(*self.first.get(key)?))?;
        while !entry.pattern.matches(bits) {
            entry = self.entries.get(usize::from(entry.next))?;
        }
        Some(entry)
    }
}

const fn base_key(bits: u32) -> usize {
    ((bits >> 2 & 31) << 10 | (bits >> 12 & 7) << 7 | bits >> 25) as usize
}

const fn compressed_key(bits: u32) -> usize {
    ((bits & 3) << 6 | bits >> 10 & 63) as usize
}

static BASE_LOOKUP: Lookup<{ 1 << 15 }, { ROWS.len() }> = Lookup::new(&ROWS, &BASE_DECODERS, false);
static COMPRESSED_LOOKUP: Lookup<{ 1 << 8 }, { COMPRESSED.len() }> =
    Lookup::new(&COMPRESSED, &COMPRESSED_DECODERS, true);

/// Length in bytes of the encoding that starts with this halfword: 2 if its low two bits are not both ones, else 4. Longer
/// encodings are not part of any ratified extension and do not decode.
#[inline]
pub const fn len_bytes(halfword: u16) -> u8 {
    if halfword & 3 == 3 { 4 } else { 2 }
}

/// Decodes an encoding; if its low two bits are not both ones, the low halfword alone counts. `None` is what raises an
/// illegal-instruction exception: reserved encodings, and instructions of extensions that the table does not have. Hints are
/// the instructions that they are encoded as.
#[inline]
pub fn decode(bits: u32) -> Option<Inst> {
    let (entry, bits) = if bits & 3 == 3 {
        (BASE_LOOKUP.find(base_key(bits), bits)?, bits)
    } else {
        let half = bits & 0xffff;
        (COMPRESSED_LOOKUP.find(compressed_key(half), half)?, half)
    };
    Some((entry.decode)(bits))
}

/// The row that an encoding belongs to, compressed rows included. [`decode`] is the fast way to the base row.
pub fn find_row(bits: u32) -> Option<&'static Row> {
    let inst = decode(bits)?;
    if inst.len == 4 {
        Some(inst.op.info())
    } else {
        COMPRESSED.iter().find(|row| row.op == inst.op && row.layout.pattern.matches(inst.bits))
    }
}

/// Encodes an instruction in `len` bytes; [`Inst::bits`] is not looked at. If `len` is 2, the first compressed row that
/// expresses the instruction is taken. `None` if the operands do not fit, or an operand that the instruction does not have is
/// not zero.
pub fn encode(inst: &Inst) -> Option<u32> {
    let operands = inst.operands();
    match inst.len {
        4 => inst.op.info().layout.insert(&operands),
        2 => COMPRESSED.iter().filter(|row| row.op == inst.op).find_map(|row| row.layout.insert(&operands)),
        _ => None,
    }
}
