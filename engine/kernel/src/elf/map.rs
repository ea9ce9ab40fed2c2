//! Mapping of images: segments are private views of the file's object.

use super::{ElfFile, ExecFault, LoadError};
use crate::cpu::{CpuRef, ObjectRef};
use crate::mm::{MapRequest, MappedFile, Mm, VmaBacking, VmaFlags, page_down, page_up};
use friscy_abi::Errno;
use friscy_boundary::{PAGE_SIZE, Prot};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, ProgramHeader};
use std::rc::Rc;

/// Where position-independent programs go: two thirds up the window, so that there is room for a heap above and for
/// mappings on both sides.
const PIE_BASE: u64 = 0xa000_0000;

/// Where a relocatable image goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Where programs go.
    Program,
    /// Where mappings go.
    Anywhere,
}

/// An image in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MappedImage {
    /// What was added to the image's addresses.
    pub bias: u64,
    /// Where it starts running.
    pub entry: u64,
    /// Where its program headers are, or 0 when no segment holds them.
    pub phdr: u64,
    /// The first address after its last segment.
    pub end: u64,
}

fn prot_of(header: &ProgramHeader) -> Prot {
    Prot { read: header.p_flags & PF_R != 0, write: header.p_flags & PF_W != 0, exec: header.p_flags & PF_X != 0 }
}

/// Maps an image's segments.
pub(crate) fn map_image(
    mm: &mut Mm,
    cpu: &CpuRef,
    elf: &ElfFile,
    object: &ObjectRef,
    file: &Rc<MappedFile>,
    place: Place,
) -> Result<MappedImage, LoadError> {
    let bias = if elf.relocatable { find_bias(mm, elf, place)? } else { 0 };
    let mut phdr = 0;
    let mut end = 0;
    for load in &elf.loads {
        map_segment(mm, cpu, load, bias, object, file)?;
        let start = load.p_vaddr.wrapping_add(bias);
        end = end.max(start.wrapping_add(load.p_memsz));
        let in_file = load.p_offset..load.p_offset.saturating_add(load.p_filesz);
        if in_file.contains(&elf.phoff) {
            phdr = start + (elf.phoff - load.p_offset);
        }
    }
    Ok(MappedImage { bias, entry: elf.entry.wrapping_add(bias), phdr, end })
}

/// A bias at which all segments of a relocatable image are free.
fn find_bias(mm: &Mm, elf: &ElfFile, place: Place) -> Result<u64, LoadError> {
    let low = elf.loads.first().map_or(0, |load| page_down(load.p_vaddr));
    let high = elf.loads.iter().map(|load| load.p_vaddr.saturating_add(load.p_memsz)).max().unwrap_or(0);
    let span = page_up(high).and_then(|high| high.checked_sub(low)).ok_or(Errno::ENOMEM)?;
    let align = elf.loads.iter().map(|load| load.p_align).filter(|align| align.is_power_of_two()).max();
    let align = align.unwrap_or(PAGE_SIZE).max(PAGE_SIZE);
    let padded = span.checked_add(align - PAGE_SIZE).ok_or(Errno::ENOMEM)?;
    let hint = if place == Place::Program { PIE_BASE } else { 0 };
    let found = mm.find_free(hint, padded).ok_or(Errno::ENOMEM)?;
    let aligned = found.checked_next_multiple_of(align).ok_or(Errno::ENOMEM)?;
    Ok(aligned.wrapping_sub(low))
}

fn map_segment(
    mm: &mut Mm,
    cpu: &CpuRef,
    load: &ProgramHeader,
    bias: u64,
    object: &ObjectRef,
    file: &Rc<MappedFile>,
) -> Result<(), LoadError> {
    let prot = prot_of(load);
    let start = load.p_vaddr.wrapping_add(bias);
    let in_page = start % PAGE_SIZE;
    let file_end = start.checked_add(load.p_filesz).ok_or(Errno::ENOMEM)?;
    let mem_end = start.checked_add(load.p_memsz).and_then(page_up).ok_or(Errno::ENOMEM)?;
    let mut from = start - in_page;
    let request = |addr: u64, len: u64, backing: VmaBacking| MapRequest {
        addr,
        len,
        prot,
        flags: VmaFlags::MAYWRITE,
        backing,
        fixed: true,
        no_replace: false,
    };
    let outside = |errno: Errno| match errno {
        Errno::EPERM => ExecFault::new("a segment lies below the lowest address").into(),
        other => LoadError::from(other),
    };
    if load.p_filesz != 0 {
        let backing =
            VmaBacking::Object { object: object.clone(), offset: load.p_offset - in_page, file: Some(Rc::clone(file)) };
        let len = page_up(file_end).ok_or(Errno::ENOMEM)? - from;
        mm.map(cpu, request(from, len, backing)).map_err(outside)?;
        from += len;
        if load.p_memsz > load.p_filesz && file_end < from {
            // The rest of the file's last page is the beginning of what is zero.
            let zeros = vec![0; (from - file_end) as usize];
            cpu.poke(mm.id, file_end, &zeros).map_err(|_| Errno::EFAULT)?;
        }
    }
    if from < mem_end {
        mm.map(cpu, request(from, mem_end - from, VmaBacking::Anonymous)).map_err(outside)?;
    }
    Ok(())
}
