//! The reserved part of host address space that one guest sees as its memory.

use super::memfd::Memfd;
use friscy_boundary::{MemError, Prot};
use friscy_seam::State;
use friscy_seam::access::STATE_BELOW;
use std::ops::Range;

/// Bytes reserved below and above the window. The law for addresses reaches 2 KiB and one access beyond 32 bits.
const GUARD_BYTES: usize = 64 << 10;

/// Bytes of the lower guard that hold the hart's state. What is left of the guard above is more than displacements reach.
const STATE_BYTES: usize = 4096;

const _: () =
    assert!(size_of::<State>() <= STATE_BYTES && STATE_BELOW > STATE_BYTES + 2048 && STATE_BELOW <= GUARD_BYTES);

/// Bytes that an address of 32 bits can reach.
const REACH_BYTES: usize = 4 << 30;

/// A reservation of host address space. Everything in it that no mapping covers is inaccessible.
pub struct Window {
    reservation: *mut u8,
}

impl Window {
    /// Reserves a window; it takes no memory.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    pub fn reserve() -> Result<Window, MemError> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping where the host likes touches nothing that exists.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), REACH_BYTES + 2 * GUARD_BYTES, libc::PROT_NONE, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(MemError::NoMemory);
        }
        let window = Window { reservation: at.cast() };
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: pages of the lower guard, which is this reservation's own.
        let result = unsafe { libc::mprotect(window.state().cast(), STATE_BYTES, prot) };
        if result == 0 { Ok(window) } else { Err(MemError::NoMemory) }
    }

    /// Where in the lower guard the hart's state lies, zero at first.
    pub fn state(&self) -> *mut State {
        self.base().wrapping_sub(STATE_BELOW).cast()
    }

    /// Where guest address 0 is.
    pub fn base(&self) -> *mut u8 {
        self.reservation.wrapping_add(GUARD_BYTES)
    }

    /// Where guest address `addr` is.
    ///
    /// # Panics
    /// If `addr` has more than 32 bits.
    pub fn host(&self, addr: u64) -> *mut u8 {
        assert!(addr <= REACH_BYTES as u64, "address within the window");
        self.base().wrapping_add(addr as usize)
    }

    fn checked(&self, range: &Range<u64>) -> (*mut libc::c_void, usize) {
        assert!(range.start < range.end && range.end <= REACH_BYTES as u64, "range within the window");
        (self.host(range.start).cast(), (range.end - range.start) as usize)
    }

    /// Maps `range` from `file` at `offset`, the file's own pages or a copy-on-write view of them.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses.
    pub fn map(&self, range: &Range<u64>, prot: Prot, file: &Memfd, offset: u64, shared: bool) -> Result<(), MemError> {
        let offset = i64::try_from(offset).map_err(|_| MemError::NoMemory)?;
        let sharing = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        self.map_raw(range, host_prot(prot), sharing, file.raw(), offset)
    }

    /// Makes `range` inaccessible and forgets what was mapped there.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses.
    pub fn unmap(&self, range: &Range<u64>) -> Result<(), MemError> {
        self.map_raw(range, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    }

    fn map_raw(&self, range: &Range<u64>, prot: i32, kind: i32, fd: i32, offset: i64) -> Result<(), MemError> {
        let (at, len) = self.checked(range);
        let flags = kind | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: the range lies in this reservation, to whose memory no Rust reference ever exists.
        let mapped = unsafe { libc::mmap(at, len, prot, flags, fd, offset) };
        if mapped == libc::MAP_FAILED { Err(MemError::NoMemory) } else { Ok(()) }
    }

    /// Changes the protections of `range`, all of which is mapped.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses.
    pub fn protect(&self, range: &Range<u64>, prot: Prot) -> Result<(), MemError> {
        let (at, len) = self.checked(range);
        // SAFETY: as in `map_raw`.
        let result = unsafe { libc::mprotect(at, len, host_prot(prot)) };
        if result == 0 { Ok(()) } else { Err(MemError::NoMemory) }
    }

    /// Drops the pages that a copy-on-write view in `range` has of its own.
    pub fn drop_pages(&self, range: &Range<u64>) {
        let (at, len) = self.checked(range);
        // SAFETY: as in `map_raw`.
        let result = unsafe { libc::madvise(at, len, libc::MADV_DONTNEED) };
        debug_assert_eq!(result, 0);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: the reservation is this one's own and nobody runs in it.
        unsafe {
            libc::munmap(self.reservation.cast(), REACH_BYTES + 2 * GUARD_BYTES);
        }
    }
}

/// The host's protections for the guest's: never executable, and writable means readable, as on RISC-V.
fn host_prot(prot: Prot) -> i32 {
    match (prot.read, prot.write) {
        (_, true) => libc::PROT_READ | libc::PROT_WRITE,
        (true, false) => libc::PROT_READ,
        (false, false) => libc::PROT_NONE,
    }
}
