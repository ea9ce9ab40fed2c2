//! An ELF file as the loader sees it, and what it says of functions.

use crate::AotError;
use friscy_wasm::ahead::Segment;
use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection};
use goblin::elf::Elf;
use goblin::elf::header::{EM_RISCV, ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PF_W, PF_X, PT_GNU_RELRO, PT_LOAD};
use std::collections::BTreeSet;
use std::ops::Range;

/// `R_RISCV_64` and `R_RISCV_RELATIVE` (RISC-V ELF psABI, "Relocations").
const R_RISCV_64: u32 = 2;
const R_RISCV_RELATIVE: u32 = 3;

/// The most addresses that the addend of a relocation may name: what a file says is not believed beyond.
const MAX_RELOCATIONS: usize = 1 << 22;

/// Whether bytes begin as those of a riscv64 program or shared object do.
#[must_use]
pub fn is_program(bytes: &[u8]) -> bool {
    let half = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    bytes.starts_with(b"\x7fELF\x02\x01")
        && half(16).is_some_and(|kind| kind == ET_EXEC || kind == ET_DYN)
        && half(18) == Some(EM_RISCV)
}

/// Bytes at addresses.
struct Loaded {
    addresses: Range<u64>,
    offset: usize,
    flags: u32,
}

/// A program or shared object.
pub(crate) struct Program<'a> {
    bytes: &'a [u8],
    elf: Elf<'a>,
    /// It may be loaded anywhere.
    pub(crate) is_relative: bool,
    loaded: Vec<Loaded>,
    /// What is read-only after relocation.
    relro: Vec<Range<u64>>,
    /// Where there are instructions: linkers put constants into executable segments too.
    code: Vec<Range<u64>>,
}

impl<'a> Program<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Program<'a>, AotError> {
        let elf = Elf::parse(bytes).map_err(|error| AotError::Elf(error.to_string()))?;
        if elf.header.e_machine != EM_RISCV || !elf.is_64 || !elf.little_endian {
            let bits = if elf.is_64 { 64 } else { 32 };
            return Err(AotError::Machine(format!("it is for machine {} of {bits} bits", elf.header.e_machine)));
        }
        if elf.header.e_type != ET_EXEC && elf.header.e_type != ET_DYN {
            return Err(AotError::NotLinked);
        }
        let mut loaded = Vec::new();
        let mut relro = Vec::new();
        for header in &elf.program_headers {
            let end = header.p_vaddr.checked_add(header.p_memsz).ok_or(AotError::TooLarge)?;
            if header.p_type == PT_GNU_RELRO {
                relro.push(header.p_vaddr..end);
            }
            if header.p_type != PT_LOAD {
                continue;
            }
            let file = header.p_offset.checked_add(header.p_filesz);
            if file.is_none_or(|end| end > bytes.len() as u64) {
                return Err(AotError::Elf(String::from("a segment lies beyond its end")));
            }
            if end > u64::from(u32::MAX) {
                return Err(AotError::TooLarge);
            }
            let addresses = header.p_vaddr..header.p_vaddr + header.p_filesz.min(header.p_memsz);
            loaded.push(Loaded { addresses, offset: header.p_offset as usize, flags: header.p_flags });
        }
        if !loaded.iter().any(|part| part.flags & PF_X != 0 && !part.addresses.is_empty()) {
            return Err(AotError::NoCode);
        }
        let sections = elf.section_headers.iter().filter(|header| header.is_alloc() && header.is_executable());
        let mut code: Vec<_> = sections.filter_map(|header| range(header.sh_addr, header.sh_size)).collect();
        // A file may be without sections.
        if code.is_empty() {
            let executable = loaded.iter().filter(|part| part.flags & PF_X != 0);
            code.extend(executable.map(|part| part.addresses.clone()));
        }
        let is_relative = elf.header.e_type == ET_DYN;
        Ok(Program { bytes, elf, is_relative, loaded, relro, code })
    }

    /// The bytes from an address on, and the flags of their segment.
    fn tail(&self, address: u64) -> Option<(&'a [u8], u32)> {
        let part = self.loaded.iter().find(|part| part.addresses.contains(&address))?;
        let from = part.offset + (address - part.addresses.start) as usize;
        let to = part.offset + (part.addresses.end - part.addresses.start) as usize;
        Some((self.bytes.get(from..to)?, part.flags))
    }

    /// Whether there may be an instruction at an address.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        let is_code = self.code.iter().any(|range| range.contains(&address));
        is_code && address % 2 == 0 && self.tail(address).is_some_and(|(_, flags)| flags & PF_X != 0)
    }

    /// The bits at an address: 16 valid ones if the low two are not both set.
    pub(crate) fn fetch(&self, address: u64) -> Option<u32> {
        let (bytes, flags) = self.tail(address)?;
        if flags & PF_X == 0 {
            return None;
        }
        let half = |at: usize| bytes.get(at..at + 2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])));
        let low = half(0)?;
        if low & 3 == 3 { Some(low | half(2)? << 16) } else { Some(low) }
    }

    /// What lies at an address and is not written once the program runs.
    pub(crate) fn constant<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let (bytes, flags) = self.tail(address)?;
        if flags & PF_W != 0 && !self.relro.iter().any(|range| range.contains(&address)) {
            return None;
        }
        bytes.first_chunk().copied()
    }

    /// The executable segments.
    pub(crate) fn origin_segments(&self) -> Vec<Segment> {
        let code = self.loaded.iter().filter(|part| part.flags & PF_X != 0);
        // All of them lie below 4 GiB, and no file in memory is longer than its offsets.
        code.map(|part| Segment {
            offset: part.offset as u32,
            address: part.addresses.start as u32,
            len: (part.addresses.end - part.addresses.start) as u32,
        })
        .collect()
    }

    /// The ranges of functions by symbols and unwind information.
    pub(crate) fn ranges(&self) -> Vec<Range<u64>> {
        let symbols = self.elf.syms.iter().chain(self.elf.dynsyms.iter());
        let symbols = symbols.filter(|sym| sym.is_function() && sym.st_shndx != 0 && sym.st_size > 0);
        let mut ranges: Vec<_> = symbols.filter_map(|sym| range(sym.st_value, sym.st_size)).collect();
        ranges.extend(self.unwound());
        ranges.retain(|range| self.is_code(range.start) && self.is_code(range.end - 2));
        ranges
    }

    /// The ranges of the entries of `.eh_frame`.
    fn unwound(&self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        let section = self
            .elf
            .section_headers
            .iter()
            .find(|header| self.elf.shdr_strtab.get_at(header.sh_name) == Some(".eh_frame"));
        let Some(section) = section else { return ranges };
        let place = section.file_range().and_then(|range| self.bytes.get(range));
        let Some(bytes) = place else { return ranges };
        let frames = EhFrame::new(bytes, LittleEndian);
        let bases = BaseAddresses::default().set_eh_frame(section.sh_addr);
        let mut entries = frames.entries(&bases);
        // What is broken ends the list.
        while let Ok(Some(entry)) = entries.next() {
            if let CieOrFde::Fde(partial) = entry
                && let Ok(fde) = partial.parse(EhFrame::cie_from_offset)
            {
                ranges.extend(range(fde.initial_address(), fde.len()));
            }
        }
        ranges
    }

    /// Addresses of code that are known otherwise: the entry point, functions without a size, and what pointers in data
    /// lead to.
    pub(crate) fn pointers(&self) -> BTreeSet<u64> {
        let mut found = BTreeSet::from([self.elf.entry]);
        let symbols = self.elf.syms.iter().chain(self.elf.dynsyms.iter());
        found.extend(symbols.filter(|sym| sym.is_function() && sym.st_shndx != 0).map(|sym| sym.st_value));
        for relocation in self.elf.dynrelas.iter().chain(self.elf.pltrelocs.iter()).take(MAX_RELOCATIONS) {
            let addend = relocation.r_addend.unwrap_or(0) as u64;
            match relocation.r_type {
                R_RISCV_RELATIVE => {
                    found.insert(addend);
                }
                R_RISCV_64 => {
                    let symbol = self.elf.dynsyms.get(relocation.r_sym).filter(|sym| sym.st_shndx != 0);
                    found.extend(symbol.map(|sym| sym.st_value.wrapping_add(addend)));
                }
                _ => {}
            }
        }
        // A program that is loaded where it says has its pointers in place.
        if !self.is_relative {
            for header in self.elf.section_headers.iter().filter(|header| header.is_alloc() && !header.is_executable())
            {
                let bytes = header.file_range().and_then(|range| self.bytes.get(range)).unwrap_or_default();
                let words =
                    bytes.chunks_exact(8).map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
                found.extend(words.filter(|&word| self.is_code(word)));
            }
        }
        found.retain(|&address| self.is_code(address));
        found
    }
}

fn range(start: u64, len: u64) -> Option<Range<u64>> {
    Some(start..start.checked_add(len)?).filter(|range| range.end - range.start >= 2)
}
