//! Guest programs as plain data, their layout in memory, and how they print.

use crate::memory::{CODE, CODE_BYTES, Model, PATCH, TABLE};
use friscy_boundary::Regs;
use friscy_isa::{Inst, Op, decode, disassemble, encode};
use std::fmt;

/// Where in the patched pages the functions begin: one lies across a page boundary, one ends before it.
pub const SLOTS: [u64; 4] = [PATCH, PATCH + 0x10, PATCH + 0xff0, PATCH + 0xffe];
/// The register for the values that patches write.
pub const PATCH_VALUE: u8 = 30;
/// The register for the addresses of patches, and of code.
pub const PATCH_ADDRESS: u8 = 31;

/// Something that becomes one or a few instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// An encoding of that many bytes, which need not be an instruction.
    Raw {
        /// The encoding.
        bits: u32,
        /// Its length, 2 or 4.
        len: u8,
    },
    /// A branch or `jal` to an item; a no-op where the distance does not fit.
    To(Inst, usize),
    /// Puts the address of an item into a register.
    AddressOf(u8, usize),
    /// Puts a number of 32 bits into a register.
    Number(u8, u32),
    /// Writes an instruction of four bytes over the first one of a function of the patched pages, then `fence.i`.
    Patch(u8, u32),
    /// Calls a function of the patched pages by `jalr`.
    CallPatched(u8),
    /// Calls one by `jal`.
    CallPatchedDirectly(u8),
}

/// A program with all that its execution depends on.
#[derive(Clone, PartialEq, Debug)]
pub struct Program {
    /// The code.
    pub items: Vec<Item>,
    /// Where code begins in its first page, an even number of bytes.
    pub start: u64,
    /// The items that the jump table leads to.
    pub table: Vec<usize>,
    /// What seeds the contents of memory, or zeros.
    pub fill: Option<u64>,
    /// Registers at the start; pc counts only as the item where it begins.
    pub regs: Regs,
    /// The fuel of each run, in instructions.
    pub slices: Vec<u64>,
    /// What seeds what the kernel does between runs.
    pub kernel: u64,
}

/// A program's code in memory.
pub struct Image {
    /// The address of each item, and of the end.
    pub addresses: Vec<u64>,
    /// The code, at the first item's address.
    pub code: Vec<u8>,
}

impl Image {
    /// The address of an item; of the end if there is none.
    pub fn address(&self, item: usize) -> u64 {
        self.addresses.get(item).or(self.addresses.last()).copied().unwrap_or(CODE)
    }
}

const NOTHING: Inst = Inst { op: Op::Addi, rd: 0, rs1: 0, rs2: 0, rs3: 0, rm: 0, imm: 0, len: 4, bits: 0x13 };

/// `jalr zero,0(ra)`.
pub const RETURN: u32 = 0x0000_8067;

/// An instruction with a destination, a source and an immediate.
pub fn immediate(op: Op, rd: u8, rs1: u8, imm: i32) -> Item {
    Item::Raw { bits: encode(&Inst { op, rd, rs1, imm, ..NOTHING }).unwrap_or(0), len: 4 }
}

/// An instruction with a destination and two sources.
pub fn register(op: Op, rd: u8, rs1: u8, rs2: u8) -> Item {
    Item::Raw { bits: encode(&Inst { op, rd, rs1, rs2, ..NOTHING }).unwrap_or(0), len: 4 }
}

/// `lui` and `addiw` that make `value`, sign-extended.
fn number(rd: u8, value: u32) -> [Item; 2] {
    let low = (value as i32) << 20 >> 20;
    let high = (value as i32).wrapping_sub(low);
    [immediate(Op::Lui, rd, 0, high), immediate(Op::Addiw, rd, rd, low)]
}

impl Item {
    /// The instructions that the item stands for, at an address, when other items are at `addresses`.
    fn expand(&self, at: u64, image: &Image) -> Vec<(u32, u8)> {
        let raw = |items: &[Item]| {
            items
                .iter()
                .filter_map(|item| if let Item::Raw { bits, len } = item { Some((*bits, *len)) } else { None })
                .collect()
        };
        match *self {
            Item::Raw { bits, len } => vec![(bits, len)],
            Item::To(inst, to) => {
                let imm = image.address(to).wrapping_sub(at) as i64 as i32;
                let nothing = if inst.len == 2 { 0x0001 } else { NOTHING.bits };
                vec![(encode(&Inst { imm, ..inst }).unwrap_or(nothing), inst.len)]
            }
            Item::AddressOf(rd, to) => raw(&number(rd, image.address(to) as u32)),
            Item::Number(rd, value) => {
                let [a, b] = number(rd, value);
                raw(&[a, b, register(Op::AddUw, rd, rd, 0)])
            }
            Item::Patch(slot, bits) => {
                let [a, b] = number(PATCH_ADDRESS, SLOTS[slot as usize % SLOTS.len()] as u32);
                let [c, d] = number(PATCH_VALUE, bits);
                let store = encode(&Inst { op: Op::Sw, rs1: PATCH_ADDRESS, rs2: PATCH_VALUE, ..NOTHING });
                let store = Item::Raw { bits: store.unwrap_or(0), len: 4 };
                raw(&[a, b, c, d, store, immediate(Op::FenceI, 0, 0, 0)])
            }
            Item::CallPatched(slot) => {
                let [a, b] = number(PATCH_ADDRESS, SLOTS[slot as usize % SLOTS.len()] as u32);
                raw(&[a, b, immediate(Op::Jalr, 1, PATCH_ADDRESS, 0)])
            }
            Item::CallPatchedDirectly(slot) => {
                let distance = SLOTS[slot as usize % SLOTS.len()] as i32 - at as i32;
                raw(&[immediate(Op::Jal, 1, 0, distance)])
            }
        }
    }
}

impl Program {
    /// Lays the code out.
    pub fn layout(&self) -> Image {
        let mut image = Image { addresses: Vec::new(), code: Vec::new() };
        // Lengths do not depend on addresses.
        let mut at = CODE + self.start;
        for item in &self.items {
            image.addresses.push(at);
            at += item
                .expand(at, &Image { addresses: Vec::new(), code: Vec::new() })
                .iter()
                .map(|i| u64::from(i.1))
                .sum::<u64>();
        }
        image.addresses.push(at);
        for (item, &at) in self.items.iter().zip(&image.addresses) {
            for (bits, len) in item.expand(at, &image) {
                image.code.extend_from_slice(&bits.to_le_bytes()[..len as usize]);
            }
        }
        image.code.truncate(CODE_BYTES - self.start as usize);
        image
    }

    /// The memory that the program begins with.
    pub fn memory(&self, image: &Image) -> Model {
        let mut model = Model::new(self.fill);
        model.poke(CODE + self.start, &image.code);
        for slot in SLOTS {
            model.poke(slot, &NOTHING.bits.to_le_bytes());
            model.poke(slot + 4, &RETURN.to_le_bytes());
        }
        for (entry, &item) in self.table.iter().enumerate() {
            model.poke(TABLE + 8 * entry as u64, &image.address(item).to_le_bytes());
        }
        model
    }
}

/// Prints as assembly, one instruction a line with its address, and all else as comments.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = self.layout();
        for (r, value) in self.regs.x.iter().enumerate().filter(|(_, value)| **value != 0) {
            writeln!(f, "# x{r} = {value:#x}")?;
        }
        for (r, value) in self.regs.f.iter().enumerate().filter(|(_, value)| **value != 0) {
            writeln!(f, "# f{r} = {value:#018x}")?;
        }
        writeln!(f, "# frm = {}, fflags = {}", self.regs.frm, self.regs.fflags)?;
        writeln!(
            f,
            "# fill {:x?}, kernel {:#x}, table {:?}, fuel {:?}",
            self.fill, self.kernel, self.table, self.slices
        )?;
        for (n, (item, &at)) in self.items.iter().zip(&image.addresses).enumerate() {
            let mut at = at;
            for (bits, len) in item.expand(at, &image) {
                match decode(bits) {
                    Some(inst) => writeln!(f, "{:40}# {n}: {at:#x}", disassemble(&inst, at).replace('\t', " "))?,
                    None => writeln!(f, "{:40}# {n}: {at:#x}", format!(".{}byte {bits:#x}", len))?,
                }
                at += u64::from(len);
            }
        }
        Ok(())
    }
}
