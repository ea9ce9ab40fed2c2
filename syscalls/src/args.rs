//! The arguments of a system call: registers, and what each of them means.

use friscy_abi::table::Names;

/// The six argument registers `a0` to `a5`, raw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Args(pub [u64; 6]);

impl Args {
    /// Argument `N` as 64 bits: an address, a size, an offset.
    #[inline]
    #[must_use]
    pub fn u64<const N: usize>(&self) -> u64 {
        const { assert!(N < 6) }
        self.0[N]
    }

    /// The low 32 bits of argument `N`, as the kernel takes an `unsigned int`.
    #[inline]
    #[must_use]
    pub fn u32<const N: usize>(&self) -> u32 {
        self.u64::<N>() as u32
    }

    /// The low 32 bits of argument `N`, signed: a descriptor, a process id.
    #[inline]
    #[must_use]
    pub fn i32<const N: usize>(&self) -> i32 {
        self.u64::<N>() as i32
    }

    /// Argument `N`, signed.
    #[inline]
    #[must_use]
    pub fn i64<const N: usize>(&self) -> i64 {
        self.u64::<N>() as i64
    }
}

/// What an argument means: how `--strace` and the generated page show it.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A descriptor.
    Fd,
    /// A descriptor of a directory, or `AT_FDCWD`.
    DirFd,
    /// A pointer to a path.
    Path,
    /// A pointer to a zero-terminated string.
    Str,
    /// A pointer to bytes that the call reads; the length is the argument with this index.
    In(u8),
    /// A pointer to bytes that the call writes; as many are valid as the result says.
    Out,
    /// A pointer to a path that the call writes.
    OutPath,
    /// A pointer to a structure.
    Ptr,
    /// A pointer to an array of strings that a null pointer ends (`argv`).
    Strings,
    /// A pointer to two descriptors that the call writes.
    FdPair,
    /// A pointer to a `struct timespec`.
    Timespec,
    /// A pointer to a set of signals.
    SigSet,
    /// A signed number of 32 bits.
    Int,
    /// An unsigned number of 32 bits.
    Uint,
    /// A signed number of 64 bits.
    Long,
    /// A size or count.
    Size,
    /// A number in hexadecimal.
    Hex,
    /// Permission bits, in octal.
    Mode,
    /// A signal.
    Signal,
    /// Flags of clone(2): bits and the exit signal.
    CloneFlags,
    /// Flags of open(2): the access mode and bits.
    OpenFlags,
    /// Bits with names; the text is shown for 0.
    Flags(Names, &'static str),
    /// One of some named values, perhaps with named flags beside it.
    Enum(Names, Names),
}

/// One argument: its name in the manual page, and its meaning.
#[derive(Clone, Copy)]
pub struct Arg {
    /// Name.
    pub name: &'static str,
    /// Meaning.
    pub kind: Kind,
}

/// What a result means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ret {
    /// A number.
    Dec,
    /// An address.
    Hex,
    /// Nothing: the call does not return.
    Never,
}
