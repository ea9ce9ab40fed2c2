//! Executable files: ELF images for riscv64 and `#!` scripts.

mod map;
mod script;
mod stack;

pub(crate) use map::{MappedImage, Place, map_image};
pub(crate) use script::{Script, parse_script};
pub(crate) use stack::{Arguments, StackImage};

use crate::error::SysError;
use crate::objects::read_error;
use friscy_abi::Errno;
use friscy_vfs::Inode;
use goblin::container::{Container, Ctx as ElfCtx, Endian};
use goblin::elf::header::{ELFMAG, EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64, ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD};
use goblin::elf::{Elf, ProgramHeader};

/// Bytes of a file that decide what it is (`BINPRM_BUF_SIZE`).
pub const HEAD_SIZE: usize = 256;

/// Size of a program header of a 64-bit image.
const PHENT: u16 = 56;

/// The size in bytes up to which a program header table is read, as in Linux.
const PHDRS_MAX: usize = 65_536;

/// What the loader needs of an image's headers.
#[derive(Clone, Debug)]
pub(crate) struct ElfFile {
    /// `ET_DYN`: it can be placed anywhere.
    pub relocatable: bool,
    /// `e_entry`.
    pub entry: u64,
    /// `e_phoff`.
    pub phoff: u64,
    /// Number of program headers.
    pub phnum: u16,
    /// Segments to load, ascending.
    pub loads: Vec<ProgramHeader>,
    /// The program that loads it (`PT_INTERP`).
    pub interp: Option<Vec<u8>>,
    /// The stack is to be executable.
    pub exec_stack: bool,
}

/// Why a file cannot be executed, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecFault {
    /// What execve(2) returns.
    pub errno: Errno,
    /// The reason.
    pub reason: String,
}

impl ExecFault {
    fn new(reason: impl Into<String>) -> ExecFault {
        ExecFault { errno: Errno::ENOEXEC, reason: reason.into() }
    }
}

/// Why a file was not loaded.
pub(crate) enum LoadError {
    /// It is no program for this machine.
    Fault(ExecFault),
    /// Something else.
    Sys(SysError),
}

impl From<ExecFault> for LoadError {
    fn from(fault: ExecFault) -> LoadError {
        LoadError::Fault(fault)
    }
}

impl From<SysError> for LoadError {
    fn from(error: SysError) -> LoadError {
        LoadError::Sys(error)
    }
}

impl From<Errno> for LoadError {
    fn from(errno: Errno) -> LoadError {
        LoadError::Sys(errno.into())
    }
}

/// Reads up to `buf.len()` bytes at `off`; fewer only at the end of the file.
pub(crate) fn read_full(inode: &Inode, off: u64, buf: &mut [u8]) -> Result<usize, SysError> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match inode.read_at(off + done as u64, rest).map_err(read_error)? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

fn machine_name(machine: u16) -> String {
    match machine {
        EM_X86_64 => String::from("x86-64"),
        EM_386 => String::from("i386"),
        EM_AARCH64 => String::from("aarch64"),
        EM_ARM => String::from("arm"),
        other => format!("machine {other}"),
    }
}

/// Reads the headers of an image whose first bytes are `head`.
pub(crate) fn parse_elf(inode: &Inode, head: &[u8]) -> Result<ElfFile, LoadError> {
    if !head.starts_with(ELFMAG) {
        return Err(ExecFault::new("it is neither an ELF image nor a script").into());
    }
    if head.len() < 64 {
        return Err(ExecFault::new("the ELF header is truncated").into());
    }
    // Class and byte order come first: they decide how the rest is read.
    let machine = u16::from_le_bytes([head[18], head[19]]);
    match (head[4], head[5]) {
        (2, 1) if machine == EM_RISCV => {}
        (1, 1) if machine == EM_RISCV => {
            return Err(ExecFault::new("it is for riscv32; only riscv64 programs can run").into());
        }
        (1 | 2, 1) => {
            let name = machine_name(machine);
            return Err(ExecFault::new(format!("it is for {name}; only riscv64 programs can run")).into());
        }
        _ => return Err(ExecFault::new("it is a big-endian or malformed ELF image").into()),
    }
    let header = Elf::parse_header(head).map_err(|error| ExecFault::new(format!("its ELF header: {error}")))?;
    if !matches!(header.e_type, ET_EXEC | ET_DYN) {
        return Err(ExecFault::new("it is an object or core file, not a program").into());
    }
    let table = usize::from(header.e_phnum) * usize::from(PHENT);
    if header.e_phentsize != PHENT || table == 0 || table > PHDRS_MAX {
        return Err(ExecFault::new("its program headers are malformed").into());
    }
    let mut bytes = vec![0; table];
    if header.e_phoff.checked_add(table as u64).is_none() || read_full(inode, header.e_phoff, &mut bytes)? < table {
        return Err(ExecFault::new("its program headers are truncated").into());
    }
    let ctx = ElfCtx::new(Container::Big, Endian::Little);
    let headers = ProgramHeader::parse(&bytes, 0, usize::from(header.e_phnum), ctx)
        .map_err(|error| ExecFault::new(format!("its program headers: {error}")))?;
    let mut file = ElfFile {
        relocatable: header.e_type == ET_DYN,
        entry: header.e_entry,
        phoff: header.e_phoff,
        phnum: header.e_phnum,
        loads: Vec::new(),
        interp: None,
        exec_stack: false,
    };
    for header in headers {
        match header.p_type {
            PT_LOAD if header.p_memsz != 0 => file.loads.push(header),
            PT_INTERP if file.interp.is_none() => file.interp = Some(read_interp(inode, &header)?),
            PT_GNU_STACK => file.exec_stack = header.p_flags & PF_X != 0,
            _ => {}
        }
    }
    check_loads(inode, &file.loads)?;
    Ok(file)
}

/// The path in `PT_INTERP`, without its zero byte.
fn read_interp(inode: &Inode, header: &ProgramHeader) -> Result<Vec<u8>, LoadError> {
    let len = usize::try_from(header.p_filesz).unwrap_or(usize::MAX);
    if !(2..=crate::PATH_MAX).contains(&len) {
        return Err(ExecFault::new("the path of its interpreter is malformed").into());
    }
    let mut path = vec![0; len];
    if header.p_offset.checked_add(header.p_filesz).is_none() || read_full(inode, header.p_offset, &mut path)? < len {
        return Err(ExecFault::new("the path of its interpreter is truncated").into());
    }
    if path.pop() != Some(0) {
        return Err(ExecFault::new("the path of its interpreter is malformed").into());
    }
    if let Some(end) = path.iter().position(|&byte| byte == 0) {
        path.truncate(end);
    }
    Ok(path)
}

fn check_loads(inode: &Inode, loads: &[ProgramHeader]) -> Result<(), LoadError> {
    if loads.is_empty() {
        return Err(ExecFault::new("it has nothing to load").into());
    }
    let len = inode.len();
    let mut previous = 0;
    for load in loads {
        let aligned = load.p_vaddr % friscy_boundary::PAGE_SIZE == load.p_offset % friscy_boundary::PAGE_SIZE;
        let inside = load.p_vaddr.checked_add(load.p_memsz).is_some_and(|end| end <= u64::MAX / 2);
        if !aligned || !inside || load.p_filesz > load.p_memsz || load.p_vaddr < previous {
            return Err(ExecFault::new("a segment is malformed").into());
        }
        if load.p_offset.checked_add(load.p_filesz).is_none_or(|end| end > len) {
            return Err(ExecFault::new("the file is truncated: a segment lies beyond its end").into());
        }
        previous = load.p_vaddr;
    }
    Ok(())
}
