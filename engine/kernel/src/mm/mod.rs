//! Memory maps: the list of mappings of an address space. The cpu is told of every change, and holds only what it needs.

use friscy_boundary::{MmId, Prot};
use std::collections::BTreeMap;

bitflags::bitflags! {
    /// Properties of a mapping beside its protection.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct VmaFlags: u32 {
        /// `MAP_SHARED`.
        const SHARED = 1;
        /// Not copied by fork (`MADV_DONTFORK`).
        const DONTFORK = 2;
        /// Zero in a child (`MADV_WIPEONFORK`).
        const WIPEONFORK = 4;
        /// The main stack.
        const STACK = 8;
        /// The heap (brk).
        const HEAP = 16;
        /// The vDSO.
        const VDSO = 32;
        /// `mlock`.
        const LOCKED = 64;
        /// `PROT_WRITE` may be added later: the file was open for writing or the mapping is private.
        const MAYWRITE = 128;
    }
}

/// The file behind a mapping, as /proc/self/maps shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedFile {
    /// The path it was opened by.
    pub path: Vec<u8>,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

/// What a mapping's pages come from.
#[derive(Clone, Debug)]
pub enum VmaBacking {
    /// Zero pages, private.
    Anonymous,
    /// A memory object at a byte offset.
    Object {
        /// The object.
        object: friscy_boundary::ObjectId,
        /// Offset of the mapping's first page.
        offset: u64,
        /// The file it is the content of; none for shared anonymous memory.
        file: Option<std::rc::Rc<MappedFile>>,
    },
}

/// A mapping: pages with the same properties.
#[derive(Clone, Debug)]
pub struct Vma {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Protections.
    pub prot: Prot,
    /// Other properties.
    pub flags: VmaFlags,
    /// Where pages come from.
    pub backing: VmaBacking,
}

/// The mappings of an address space and the places that /proc and brk(2) need.
pub struct Mm {
    /// Its name at the boundary.
    pub id: MmId,
    /// Mappings by first address; they do not overlap.
    pub vmas: BTreeMap<u64, Vma>,
    /// Where the heap starts.
    pub brk_start: u64,
    /// Where the heap ends.
    pub brk: u64,
    /// The lowest and highest addresses of arguments on the stack.
    pub args: (u64, u64),
    /// The lowest and highest addresses of environment strings on the stack.
    pub env: (u64, u64),
    /// The stack pointer at the program's start.
    pub stack_start: u64,
    /// The program's executable, as opened, for /proc/self/exe.
    pub exe: Vec<u8>,
    /// The auxiliary vector, as pairs, for /proc/self/auxv.
    pub auxv: Vec<(u64, u64)>,
    /// Where the vDSO is mapped.
    pub vdso: u64,
    /// Mapped bytes.
    pub total: u64,
}
