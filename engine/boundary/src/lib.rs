//! The boundary between the kernel and the address spaces it runs programs in.
//!
//! In the browser the two sides are different wasm instances with different memories, so everything that crosses is
//! plain data. Natively a call of [`Cpu`] is a direct call. This crate knows neither side.

mod regs;
mod sampler;
mod samples;
pub mod serialised;

pub use sampler::{Level, Sample, Sampler};
pub use samples::{FileSamples, Place, Samples};

use serde::{Deserialize, Serialize};

/// Guest page size in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// The first address above the guest's window: 4 GiB − 256 MiB, natively and in wasm alike.
pub const WINDOW_SIZE: u64 = 0xf000_0000;

/// The lowest address that may be mapped, so that null pointers and small wraps fault.
pub const LOWEST_ADDRESS: u64 = 0x1_0000;

/// The highest address at which a mapping may end; the gap to [`WINDOW_SIZE`] is never mapped.
pub const HIGHEST_ADDRESS: u64 = WINDOW_SIZE - 0x1_0000;

/// Names an address space (Linux: an mm) at the boundary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct MmId(pub u32);

/// Names a memory object: pages that files and shared mappings are made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ObjectId(pub u32);

/// The user-visible registers of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regs {
    /// `x0` to `x31`; `x[0]` is zero.
    pub x: [u64; 32],
    /// `f0` to `f31`, NaN-boxed.
    pub f: [u64; 32],
    /// Program counter.
    pub pc: u64,
    /// Accrued exception flags, bits 4:0 of `fcsr`.
    pub fflags: u32,
    /// Dynamic rounding mode, bits 7:5 of `fcsr`, as a number 0 to 7.
    pub frm: u32,
}

/// What an access wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Access {
    /// A load.
    Read,
    /// A store or an atomic.
    Write,
    /// An instruction fetch.
    Execute,
}

/// Why an address space stopped running. At every exit pc and all registers are exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Exit {
    /// `ecall`; pc is that of the `ecall`.
    Syscall,
    /// The fuel is used up at a preemption point.
    Fuel,
    /// A memory access faulted; pc is that of the instruction, which has not happened.
    Fault {
        /// The 64-bit address, as computed from the registers.
        addr: u64,
        /// What was wanted.
        access: Access,
        /// The page is mapped from an object that ends before it (SIGBUS).
        beyond_object: bool,
    },
    /// An atomic at an address that is not naturally aligned (SIGBUS, BUS_ADRALN); the instruction has not happened.
    Misaligned {
        /// The address.
        addr: u64,
    },
    /// `ebreak`; pc is its own.
    Breakpoint,
    /// Not an instruction this cpu has; pc is its own.
    Illegal {
        /// The encoding: 16 bits for a compressed one.
        bits: u32,
    },
    /// A read of `time`, `cycle` or `instret`; pc is its own. The kernel sets the register and steps over it.
    ReadCsr {
        /// CSR number.
        csr: u16,
        /// Destination register.
        rd: u8,
    },
    /// A load faulted (SIGSEGV), and it is not known where: the registers are those from before the run, and the address
    /// space cannot be used any more. Only before [`Cpu::exact_faults`].
    LostFault,
    /// The cpu side failed for good (a trap in its own code, out of memory): the process cannot go on.
    Poisoned,
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ran {
    /// Why it stopped.
    pub exit: Exit,
    /// Guest instructions retired. The one that a system call, a breakpoint, an illegal encoding or a counter read
    /// stopped at is counted; one that faulted is not.
    pub retired: u64,
}

/// Page protections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub struct Prot {
    /// Loads allowed.
    pub read: bool,
    /// Stores allowed; implies `read` in effect.
    pub write: bool,
    /// Instruction fetch allowed.
    pub exec: bool,
}

impl Prot {
    /// No access.
    pub const NONE: Prot = Prot { read: false, write: false, exec: false };
    /// Loads only.
    pub const R: Prot = Prot { read: true, write: false, exec: false };
    /// Loads and stores.
    pub const RW: Prot = Prot { read: true, write: true, exec: false };
    /// Loads and fetches.
    pub const RX: Prot = Prot { read: true, write: false, exec: true };
    /// Everything.
    pub const RWX: Prot = Prot { read: true, write: true, exec: true };
}

/// What a mapping's pages come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Backing {
    /// Zero pages, private.
    Anonymous,
    /// A copy-on-write view of an object; bytes of the last page beyond the object read as zero, whole pages beyond
    /// it are SIGBUS.
    Private {
        /// Object.
        object: ObjectId,
        /// Byte offset of the first page, a multiple of [`PAGE_SIZE`].
        offset: u64,
    },
    /// The object's own pages.
    Shared {
        /// Object.
        object: ObjectId,
        /// Byte offset of the first page, a multiple of [`PAGE_SIZE`].
        offset: u64,
    },
}

/// A mapping to establish; it replaces whatever was mapped in its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mapping {
    /// First address, a multiple of [`PAGE_SIZE`].
    pub addr: u64,
    /// Length in bytes, a multiple of [`PAGE_SIZE`], not zero.
    pub len: u64,
    /// Protections.
    pub prot: Prot,
    /// Where the pages come from.
    pub backing: Backing,
}

/// Why the cpu side refused a request about memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum MemError {
    /// Out of memory, of address space, or of this guest's share of host mappings (ENOMEM).
    NoMemory,
    /// No such address space or object: a bug of the caller.
    NoSuch,
}

/// A copy stopped at an address that may not be accessed so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CopyFault {
    /// How many bytes were copied before it.
    pub copied: u64,
}

/// All address spaces of a machine and the memory objects they share. The kernel owns the list of mappings; the
/// implementation holds only what it needs of it.
///
/// Addresses and lengths of `map`, `unmap` and `protect` are multiples of [`PAGE_SIZE`] within
/// [`LOWEST_ADDRESS`]..[`HIGHEST_ADDRESS`]; the kernel has checked that.
pub trait Cpu {
    /// Makes an empty address space.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    fn create(&mut self) -> Result<MmId, MemError>;

    /// Makes an address space whose mappings are those of `parent` given in `mappings`: anonymous and private ones
    /// copied as they are now (at once or on write), shared ones shared.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError>;

    /// Frees an address space.
    fn destroy(&mut self, mm: MmId);

    /// Establishes a mapping.
    ///
    /// # Errors
    /// [`MemError`]; nothing is changed then.
    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError>;

    /// Removes mappings in `[addr, addr + len)`; gaps are fine.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when splitting a mapping exceeds the share of host mappings.
    fn unmap(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError>;

    /// Changes protections of mapped pages in `[addr, addr + len)`.
    ///
    /// # Errors
    /// As [`Cpu::unmap`].
    fn protect(&mut self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError>;

    /// Makes anonymous pages of `[addr, addr + len)` zero, and private ones as their object (MADV_DONTNEED).
    ///
    /// # Errors
    /// As [`Cpu::unmap`].
    fn discard(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError>;

    /// Moves the pages of `[from, from + len)` to `to`, where nothing is mapped, with their contents, backing and
    /// protections; the old range is unmapped (mremap).
    ///
    /// # Errors
    /// As [`Cpu::unmap`].
    fn move_pages(&mut self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError>;

    /// Copies from guest memory, subject to read permission. Addresses are full 64-bit addresses; anything outside
    /// the window faults.
    ///
    /// # Errors
    /// [`CopyFault`] at the first byte that may not be read.
    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault>;

    /// Copies to guest memory, subject to write permission.
    ///
    /// # Errors
    /// [`CopyFault`] at the first byte that may not be written.
    fn copy_out(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault>;

    /// Writes to mapped guest memory whatever its protections (program loading, ptrace-like pokes) and forgets
    /// translations of it.
    ///
    /// # Errors
    /// [`CopyFault`] where nothing is mapped.
    fn poke(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault>;

    /// Forgets translations of code in `[addr, addr + len)` (`riscv_flush_icache`).
    fn flush_icache(&mut self, mm: MmId, addr: u64, len: u64);

    /// Says that the program looks at faults: from now on every load that may not be made ends in [`Exit::Fault`], in
    /// copies of the address space too. Before, an implementation to which that is dear may end such a load in
    /// [`Exit::LostFault`], or let it give what it finds.
    fn exact_faults(&mut self, mm: MmId) {
        let _ = mm;
    }

    /// Runs a task's registers in an address space for about `fuel` instructions: to the first preemption point at
    /// which at least `fuel` have retired. Switching to another task between runs kills a reservation, since
    /// each run starts without one.
    fn run(&mut self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran;

    /// Makes an object of `len` zero bytes.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError>;

    /// Makes an object of the `len` bytes of a file of the host, which nobody changes or writes to; `file` is its
    /// descriptor, needed during the call only. Whoever cannot do that says so, and the caller copies.
    ///
    /// # Errors
    /// [`MemError`].
    fn object_of_file(&mut self, file: i32, len: u64) -> Result<ObjectId, MemError> {
        let _ = (file, len);
        Err(MemError::NoSuch)
    }

    /// Says what an object holds, and nobody changes: a file of the image whose contents begin at `offset` in what the image's
    /// files lie in. Who has such files in another form can know them by it.
    fn object_is_file(&mut self, object: ObjectId, offset: u64) {
        let _ = (object, offset);
    }

    /// Reads from an object; bytes beyond its end are not read.
    /// Returns how many bytes were read.
    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize;

    /// Writes into an object, growing it as needed.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError>;

    /// Sets an object's length; pages beyond it are dropped.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError>;

    /// Drops the kernel's reference to an object; mappings keep its pages.
    fn object_release(&mut self, object: ObjectId);
}
