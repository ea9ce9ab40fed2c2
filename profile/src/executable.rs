//! ELF files as profiles see them: the executable bytes, which identify a module, and the blocks and functions in them.

use crate::model::{Block, ModuleId, Name};
use friscy_isa::{Flags, decode};
use goblin::elf::Elf;
use goblin::elf::header::EM_RISCV;
use goblin::elf::program_header::{PF_X, PT_LOAD};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// The most instructions of a block; longer ones are cut.
const MAX_INSTRUCTIONS: usize = 256;

/// Why bytes are no executable.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadElf {
    /// Not in the format.
    #[error("not an ELF file: {0}")]
    Elf(String),
    /// For another machine.
    #[error("not a riscv64 ELF file")]
    Machine,
    /// Nothing in it can be executed.
    #[error("an ELF file without executable bytes")]
    NoCode,
}

/// A function by the symbol table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its addresses, as ELF headers count.
    pub range: Range<u64>,
    /// Its name.
    pub name: String,
}

/// Executable bytes at the addresses from `start` on.
#[derive(Clone, Debug)]
struct Segment {
    start: u64,
    /// Where they are in the file.
    file: Range<u64>,
    bytes: Vec<u8>,
}

/// What a profile needs of an ELF file.
#[derive(Clone, Debug)]
pub struct Executable {
    /// Hash of the executable bytes: those that the file has of its `PT_LOAD` segments with `PF_X`, in the order of the
    /// program headers.
    pub id: ModuleId,
    /// `DT_SONAME`.
    pub soname: Option<Name>,
    /// The GNU build-id in hexadecimal digits.
    pub build_id: Option<Name>,
    /// Functions with a size, in order, each range once.
    pub functions: Vec<Function>,
    segments: Vec<Segment>,
}

impl Executable {
    /// Reads the bytes of an ELF file.
    ///
    /// # Errors
    /// [`BadElf`].
    pub fn parse(bytes: &[u8]) -> Result<Executable, BadElf> {
        let elf = Elf::parse(bytes).map_err(|error| BadElf::Elf(error.to_string()))?;
        if elf.header.e_machine != EM_RISCV || !elf.is_64 {
            return Err(BadElf::Machine);
        }
        let mut segments = Vec::new();
        let mut hash = Sha256::new();
        for header in elf.program_headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_flags & PF_X != 0)
        {
            let file = header.p_offset..header.p_offset.saturating_add(header.p_filesz);
            let place = usize::try_from(file.start).ok().zip(usize::try_from(file.end).ok());
            let Some(code) = place.and_then(|(start, end)| bytes.get(start..end)) else {
                return Err(BadElf::Elf(String::from("an executable segment lies beyond its end")));
            };
            hash.update(code);
            segments.push(Segment { start: header.p_vaddr, file, bytes: code.to_vec() });
        }
        if segments.iter().all(|segment| segment.bytes.is_empty()) {
            return Err(BadElf::NoCode);
        }
        Ok(Executable {
            id: ModuleId(hash.finalize().into()),
            soname: elf.soname.map(Name::new),
            build_id: build_id(&elf, bytes),
            functions: functions(&elf),
            segments,
        })
    }

    /// Where in the file the executable byte at `address` is.
    #[must_use]
    pub fn file_offset(&self, address: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let at = address.checked_sub(segment.start)?;
            (at < segment.bytes.len() as u64).then(|| segment.file.start + at)
        })
    }

    /// The address of a byte of the file, if it is executable.
    #[must_use]
    pub fn address(&self, file_offset: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| segment.file.contains(&file_offset))?;
        segment.start.checked_add(file_offset - segment.file.start)
    }

    /// The `len` bytes at an address.
    #[must_use]
    pub fn code(&self, address: u64, len: usize) -> Option<&[u8]> {
        self.tail(address)?.get(..len)
    }

    fn tail(&self, address: u64) -> Option<&[u8]> {
        self.segments.iter().find_map(|segment| {
            let at = usize::try_from(address.checked_sub(segment.start)?).ok()?;
            segment.bytes.get(at..).filter(|bytes| !bytes.is_empty())
        })
    }

    /// The basic block at an address that control came to: up to the first branch, jump or trap, and before what is no
    /// instruction; at most 256 instructions. None if there is no instruction.
    #[must_use]
    pub fn block(&self, address: u64) -> Option<Block> {
        let code = self.tail(address)?;
        let mut len = 0;
        let mut loose = Sha256::new();
        for _ in 0..MAX_INSTRUCTIONS {
            let half = |at: usize| Some(u32::from(u16::from_le_bytes(*code.get(at..)?.first_chunk()?)));
            let Some(low) = half(len) else { break };
            let bits = if low & 3 == 3 { half(len + 2).map(|high| low | high << 16) } else { Some(low) };
            let Some(inst) = bits.and_then(decode) else { break };
            len += usize::from(inst.len);
            loose.update(inst.op.name());
            loose.update("\n");
            if inst.op.info().flags.intersects(Flags::CONTROL.or(Flags::TRAP)) {
                break;
            }
        }
        let bytes = code.get(..len).filter(|bytes| !bytes.is_empty())?;
        Some(Block {
            offset: address,
            len: len as u32,
            hash: first(Sha256::digest(bytes)),
            loose: first(loose.finalize()),
        })
    }

    /// Whether a block's bytes are the same here.
    #[must_use]
    pub fn has(&self, block: &Block) -> bool {
        self.code(block.offset, block.len as usize).is_some_and(|code| first(Sha256::digest(code)) == block.hash)
    }

    /// The function that holds an address: of nested ones the one that starts last.
    #[must_use]
    pub fn function(&self, address: u64) -> Option<&Function> {
        let before = self.functions.partition_point(|function| function.range.start <= address);
        // Overlapping symbols are few and near: aliases with other sizes.
        let near = self.functions.get(..before)?.iter().rev().take(16);
        near.into_iter().find(|function| function.range.contains(&address))
    }
}

/// The first eight bytes of a hash.
fn first(hash: impl AsRef<[u8]>) -> u64 {
    hash.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn build_id(elf: &Elf<'_>, bytes: &[u8]) -> Option<Name> {
    const NT_GNU_BUILD_ID: u32 = 3;
    let mut notes = elf.iter_note_headers(bytes)?.flatten();
    let note = notes.find(|note| note.name == "GNU" && note.n_type == NT_GNU_BUILD_ID)?;
    let digits: String = note.desc.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
    Some(Name::new(&digits))
}

fn functions(elf: &Elf<'_>) -> Vec<Function> {
    let symbols = elf.syms.iter().map(|sym| (sym, &elf.strtab));
    let mut functions: Vec<Function> = symbols
        .chain(elf.dynsyms.iter().map(|sym| (sym, &elf.dynstrtab)))
        .filter(|(sym, _)| sym.is_function() && sym.st_shndx != 0 && sym.st_size > 0)
        .filter_map(|(sym, names)| {
            let range = sym.st_value..sym.st_value.checked_add(sym.st_size)?;
            Some(Function { range, name: String::from(Name::new(names.get_at(sym.st_name)?)) })
        })
        .collect();
    functions.sort_by(|a, b| (a.range.start, a.range.end, &a.name).cmp(&(b.range.start, b.range.end, &b.name)));
    functions.dedup_by(|a, b| a.range == b.range);
    functions
}
