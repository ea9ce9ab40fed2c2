//! What the kernel's instance and an address space's instance say to each other, through the glue that carries bytes.
//!
//! It is the boundary of `friscy_boundary` less what the kernel's side keeps to itself: objects live there, so an
//! address space only ever gets zero pages to map and bytes to load into them, and gives back pages that were written.
//! Making, copying and freeing an address space is the glue's, since it owns the memories.
#![warn(missing_docs)]

use friscy_boundary::{CopyFault, MemError, Prot, Ran, Regs, Sampler};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Bytes that one request or reply may carry of guest memory.
pub const MAX_BYTES: usize = 256 * 1024;

/// What the kernel's instance asks of one address space. Addresses are the guest's; ranges are page-aligned where
/// pages are meant.
#[allow(clippy::large_enum_variant, reason = "one is made at a time, and its registers are not copied again")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Runs registers for about `fuel` instructions: [`Reply::Ran`].
    Run {
        /// The task's registers.
        regs: Cow<'a, Regs>,
        /// Instructions.
        fuel: u64,
        /// What takes samples meanwhile, if a profile is recorded: either always or never in the life of an address space.
        sampler: Option<Sampler>,
    },
    /// Maps zero pages in the place of whatever was there: [`Reply::Memory`].
    Map {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
        /// Protections.
        prot: Prot,
        /// Pages from this address on lie beyond their object.
        object_end: Option<u64>,
    },
    /// Removes mappings: [`Reply::Memory`].
    Unmap {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// Changes protections: [`Reply::Memory`].
    Protect {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
        /// Protections.
        prot: Prot,
    },
    /// Makes mapped pages zero: [`Reply::Memory`].
    Discard {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// Moves pages: [`Reply::Memory`].
    MovePages {
        /// First address.
        from: u64,
        /// New first address.
        to: u64,
        /// Bytes.
        len: u64,
    },
    /// Says where the object under a mapping ends now: [`Reply::Memory`].
    SetObjectEnd {
        /// First address of the mapping.
        addr: u64,
        /// Bytes.
        len: u64,
        /// Pages from this address on lie beyond the object.
        end: u64,
    },
    /// Copies from guest memory that may be read: [`Reply::Bytes`].
    CopyIn {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// Copies from mapped memory, whatever its protections: [`Reply::Bytes`].
    Peek {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// Copies to guest memory that may be written: [`Reply::Copied`].
    CopyOut {
        /// First address.
        addr: u64,
        /// What to write.
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// Writes to mapped memory as the guest would, whatever its protections: [`Reply::Copied`].
    Poke {
        /// First address.
        addr: u64,
        /// What to write.
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// Writes what an object holds; the pages are not dirty by it: [`Reply::Copied`].
    Load {
        /// First address.
        addr: u64,
        /// What to write.
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// Asks which pages were written since it was last asked: [`Reply::Ranges`].
    TakeDirty {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// Has a module of code that was compiled ahead of time run the code in a range for as long as that does not change:
    /// [`Reply::Memory`].
    Attach {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
        /// The module's number in the bundle.
        module: u32,
        /// What is added to addresses of the file's headers, modulo 2^64.
        base: u64,
        /// How many functions the module has.
        functions: u32,
        /// Through how many places its functions leave for known addresses.
        places: u32,
    },
    /// From now on every fault is exact: [`Reply::Memory`].
    ExactFaults,
    /// Forgets translations of code: [`Reply::Memory`].
    FlushIcache {
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
}

/// What an address space answers.
#[allow(clippy::large_enum_variant, reason = "one is made at a time, and its registers are not copied again")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// Of a run.
    Ran {
        /// What it did.
        ran: Ran,
        /// The registers after it.
        regs: Cow<'a, Regs>,
        /// The sampler, with the samples that it took; none, too, if they are lost.
        sampler: Option<Sampler>,
    },
    /// Of requests about memory.
    Memory(Result<(), MemError>),
    /// What could be read.
    Bytes(#[serde(borrow, with = "serde_bytes")] &'a [u8]),
    /// Of writes.
    Copied(Result<(), CopyFault>),
    /// Address and length in bytes of each range.
    Ranges(Vec<(u64, u64)>),
}

/// What runs need: registers, and a few numbers.
const ROOM: usize = 640;

/// Encodes a request or reply.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Encoding into a vector fails for types that the encoding cannot express, which these are not.
    postcard::to_extend(value, Vec::with_capacity(ROOM)).unwrap_or_default()
}

/// Decodes a request or reply; nothing if the bytes are none.
#[must_use]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
