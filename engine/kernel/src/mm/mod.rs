//! Memory maps: the list of mappings of an address space. The cpu is told of every change, and holds only what it needs.

mod change;
mod place;
mod remap;
mod vma;

pub use change::MapRequest;
pub use place::Packed;

use crate::cpu::{CpuRef, ObjectRef};
use friscy_boundary::{Backing, HIGHEST_ADDRESS, Mapping, MmId, PAGE_SIZE, Prot};
use std::collections::BTreeMap;

/// The main stack's room below [`HIGHEST_ADDRESS`] in bytes, unless `RLIMIT_STACK` says otherwise.
pub const STACK_SIZE: u64 = 8 << 20;

/// Mappings without a fixed address are placed below this, top-down, unless the stack is larger; a gap below it stays
/// unmapped.
pub const MMAP_BASE: u64 = HIGHEST_ADDRESS - STACK_SIZE - GAP;

/// The gap below the stack.
const GAP: u64 = 1 << 20;

/// The stack's room with a soft limit of `RLIMIT_STACK`, in bytes: it is mapped at execve(2) as a whole, so that it has
/// a bound, and room for the least of arguments that execve takes.
#[must_use]
pub fn stack_size(limit: u64) -> u64 {
    page_down(limit).clamp(256 << 10, 128 << 20)
}

/// Rounds up to a page, or `None` if that overflows.
#[must_use]
pub fn page_up(value: u64) -> Option<u64> {
    value.checked_add(PAGE_SIZE - 1).map(page_down)
}

/// Rounds down to a page.
#[must_use]
pub const fn page_down(value: u64) -> u64 {
    value & !(PAGE_SIZE - 1)
}

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VmaBacking {
    /// Zero pages, private.
    Anonymous,
    /// A memory object at a byte offset.
    Object {
        /// The object.
        object: ObjectRef,
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
    /// Mappings without a fixed address are placed below this.
    pub mmap_base: u64,
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
    /// Where there is no gap to look for.
    pub packed: std::cell::Cell<Packed>,
    /// Mappings to come are locked (`MCL_FUTURE` of mlockall(2)).
    pub lock_future: bool,
    /// The cpu was told that faults are looked at.
    pub exact_faults: bool,
}

impl Mm {
    /// An empty list for the address space `id`.
    #[must_use]
    pub fn new(id: MmId) -> Mm {
        Mm {
            id,
            vmas: BTreeMap::new(),
            mmap_base: MMAP_BASE,
            brk_start: 0,
            brk: 0,
            args: (0, 0),
            env: (0, 0),
            stack_start: 0,
            exe: Vec::new(),
            auxv: Vec::new(),
            vdso: 0,
            total: 0,
            packed: std::cell::Cell::default(),
            lock_future: false,
            exact_faults: false,
        }
    }

    /// Tells the cpu that faults are looked at: the program handles them, or writes memory that others see. It stays so
    /// until execve(2), since handlers may be those of others who have the memory too.
    pub fn exact_faults(&mut self, cpu: &CpuRef) {
        if !std::mem::replace(&mut self.exact_faults, true) {
            cpu.exact_faults(self.id);
        }
    }

    /// Leaves room for a stack of this length.
    pub fn make_room_for_stack(&mut self, size: u64) {
        self.mmap_base = MMAP_BASE.min(HIGHEST_ADDRESS - GAP - size);
    }

    /// The mapping that holds an address.
    #[must_use]
    pub fn find(&self, addr: u64) -> Option<&Vma> {
        self.vmas.range(..=addr).next_back().map(|(_, vma)| vma).filter(|vma| addr < vma.end)
    }

    /// Mappings that overlap `[start, end)`.
    pub fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = &Vma> {
        let first = self.find(start).map_or(start, |vma| vma.start);
        self.vmas.range(first..end.max(first)).map(|(_, vma)| vma)
    }

    /// Whether every page of `[start, end)` is mapped.
    #[must_use]
    pub fn covers(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        for vma in self.overlapping(start, end) {
            if vma.start > at {
                return false;
            }
            at = vma.end;
        }
        at >= end
    }

    /// Locked bytes, mlock(2).
    #[must_use]
    pub fn locked(&self) -> u64 {
        self.vmas.values().filter(|vma| vma.flags.contains(VmaFlags::LOCKED)).map(Vma::len).sum()
    }

    /// What a child's copy of the address space maps: all but `MADV_DONTFORK`. Locks are not inherited.
    #[must_use]
    pub fn fork_list(&self) -> (Vec<Mapping>, BTreeMap<u64, Vma>) {
        let vmas: BTreeMap<u64, Vma> = self
            .vmas
            .iter()
            .filter(|(_, vma)| !vma.flags.contains(VmaFlags::DONTFORK))
            .map(|(&start, vma)| (start, Vma { flags: vma.flags - VmaFlags::LOCKED, ..vma.clone() }))
            .collect();
        (vmas.values().map(Vma::mapping).collect(), vmas)
    }
}

impl Vma {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether it holds no page; no mapping of a list does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether it is `MAP_SHARED`.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.flags.contains(VmaFlags::SHARED)
    }

    /// As the cpu is told.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        let backing = match &self.backing {
            VmaBacking::Anonymous => Backing::Anonymous,
            VmaBacking::Object { object, offset, .. } if self.is_shared() => {
                Backing::Shared { object: object.id(), offset: *offset }
            }
            VmaBacking::Object { object, offset, .. } => Backing::Private { object: object.id(), offset: *offset },
        };
        Mapping { addr: self.start, len: self.len(), prot: self.prot, backing }
    }
}
