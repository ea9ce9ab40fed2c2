//! File seals: the "File sealing" section of fcntl(2), and memfd_create(2).

use crate::inode::{Inode, Node};
use friscy_abi::Errno;
use friscy_abi::fcntl::*;

/// Pages in which Linux writes: a write that a seal refuses at its end is made up to the last whole one.
const PAGE: u64 = 4096;

/// Every seal that there is.
const ALL: u32 = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;

/// The seals that leave contents as they are, but for mappings that are there already.
const NO_WRITES: u32 = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

impl Inode {
    /// The seals of a file in memory; `None` for a file that can have none.
    #[must_use]
    pub fn seals(&self) -> Option<u32> {
        let in_memory = matches!(self.node, Node::Regular(_)) && self.super_block().name() == "tmpfs";
        self.seals.get().or(in_memory.then_some(F_SEAL_SEAL))
    }

    /// Gives a new file its first seals.
    pub fn set_seals(&self, seals: u32) {
        self.seals.set(Some(seals));
    }

    /// Adds seals (`F_ADD_SEALS`). `mapped` tells whether a shared mapping exists that may be written.
    ///
    /// # Errors
    /// `EINVAL` for unknown seals, or a file that can have none; `EPERM` under `F_SEAL_SEAL`; `EBUSY` for
    /// `F_SEAL_WRITE` while the file is mapped so.
    pub fn add_seals(&self, seals: u32, mapped: impl FnOnce() -> bool) -> Result<(), Errno> {
        if seals & !ALL != 0 {
            return Err(Errno::EINVAL);
        }
        let old = self.seals().ok_or(Errno::EINVAL)?;
        if old & F_SEAL_SEAL != 0 {
            return Err(Errno::EPERM);
        }
        if seals & F_SEAL_WRITE != 0 && old & F_SEAL_WRITE == 0 && mapped() {
            return Err(Errno::EBUSY);
        }
        // A program in memory that stays executable may not be changed either.
        let executable = seals & F_SEAL_EXEC != 0 && self.attr().mode & 0o111 != 0;
        let implied = if executable { F_SEAL_SHRINK | F_SEAL_GROW | NO_WRITES } else { 0 };
        self.seals.set(Some(old | seals | implied));
        Ok(())
    }

    /// Whether a seal keeps the file from being written, and from being mapped shared and writable.
    #[must_use]
    pub fn is_write_sealed(&self) -> bool {
        self.seals.get().unwrap_or(0) & NO_WRITES != 0
    }

    /// How many of `len` bytes may be written at `off`.
    pub(crate) fn sealed_write(&self, off: u64, len: u64) -> Result<u64, Errno> {
        let seals = self.seals.get().unwrap_or(0);
        if seals & NO_WRITES != 0 {
            return Err(Errno::EPERM);
        }
        let size = if seals & F_SEAL_GROW != 0 { self.len() } else { u64::MAX };
        if off.saturating_add(len) <= size {
            return Ok(len);
        }
        let whole = size - size % PAGE;
        if whole > off { Ok(whole - off) } else { Err(Errno::EPERM) }
    }

    /// Whether the length may become `len`.
    pub(crate) fn sealed_length(&self, len: u64) -> Result<(), Errno> {
        let seals = self.seals.get().unwrap_or(0);
        let refused = seals != 0
            && (seals & F_SEAL_SHRINK != 0 && len < self.len() || seals & F_SEAL_GROW != 0 && len > self.len());
        if refused { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether fallocate(2) may take memory for a range: under `F_SEAL_GROW` only within the length.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn may_allocate(&self, off: u64, len: u64) -> Result<(), Errno> {
        let grows = self.seals.get().unwrap_or(0) & F_SEAL_GROW != 0 && off.saturating_add(len) > self.len();
        if grows { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether permission bits may become `mode`.
    pub(crate) fn sealed_mode(&self, mode: u32) -> Result<(), Errno> {
        let seals = self.seals.get().unwrap_or(0);
        let refused = seals & F_SEAL_EXEC != 0 && (self.attr().mode ^ mode) & 0o111 != 0;
        if refused { Err(Errno::EPERM) } else { Ok(()) }
    }
}
