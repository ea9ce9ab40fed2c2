//! The table of page bytes.

use friscy_boundary::{PAGE_SIZE, Prot, WINDOW_SIZE};
use friscy_seam::access::page;
use std::ops::Range;
use std::ptr::NonNull;

/// The bit of a page byte that says that the page may differ from zero, as one does that is dirty. It stays when the
/// page is unmapped, so that the page is zeroed when it is mapped again.
pub const USED: u8 = 128;

// Tiers know the window by the seam, the kernel by the boundary.
const _: () = assert!(friscy_seam::access::LOWEST_ADDRESS == friscy_boundary::LOWEST_ADDRESS);
const _: () = assert!(friscy_seam::access::WINDOW_SIZE == WINDOW_SIZE);

/// The bits that say what accesses a page allows.
const PERMISSIONS: u8 = page::READ | page::WRITE | page::EXEC;

/// Page bytes for a mapped page with these protections: writable means readable, as on RISC-V.
pub(super) fn bits(prot: Prot) -> u8 {
    let mut bits = page::MAPPED;
    if prot.read || prot.write {
        bits |= page::READ;
    }
    if prot.write {
        bits |= page::WRITE;
    }
    if prot.exec {
        bits |= page::EXEC;
    }
    bits
}

/// Consecutive pages that agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    /// Address of the first page.
    pub addr: u64,
    /// Length in bytes.
    pub len: u64,
    /// Those of their bits that were asked for.
    pub bits: u8,
}

/// How many page bytes there are: one for each page that 32 bits can name, so that code may look at any of them.
pub const PAGE_BYTES: usize = 1 << 20;

/// How many of them are of the window; the others are always 0, unmapped.
const PAGES: usize = (WINDOW_SIZE / PAGE_SIZE) as usize;

/// One byte a page.
pub(super) struct Pages(NonNull<u8>);

impl Pages {
    /// The page bytes at an address, all of them 0, which translated code uses too.
    ///
    /// # Safety
    /// There are [`PAGE_BYTES`] bytes, which nobody else uses while a method runs and which outlive this.
    pub unsafe fn at_address(bytes: NonNull<u8>) -> Pages {
        Pages(bytes)
    }

    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_ptr()
    }

    fn all(&self) -> &[u8] {
        // SAFETY: the promise made at construction.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), PAGES) }
    }

    /// The byte of the page that holds `addr`; 0, unmapped, beyond the window.
    pub fn at(&self, addr: u64) -> u8 {
        usize::try_from(addr / PAGE_SIZE).ok().and_then(|page| self.all().get(page)).copied().unwrap_or(0)
    }

    /// The bytes of the pages in `range`.
    pub fn in_range(&mut self, range: &Range<u64>) -> &mut [u8] {
        let pages = (range.start / PAGE_SIZE) as usize..range.end.div_ceil(PAGE_SIZE) as usize;
        // SAFETY: the promise made at construction; no other reference to them outlives a method.
        let all = unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), PAGES) };
        all.get_mut(pages).unwrap_or_default()
    }

    /// Whether a page in `range` can be executed.
    pub fn any_exec(&mut self, range: &Range<u64>) -> bool {
        self.in_range(range).iter().any(|bits| bits & page::EXEC != 0)
    }

    /// Gives mapped pages other permissions.
    pub fn protect(&mut self, range: &Range<u64>, prot: Prot) {
        for byte in self.in_range(range).iter_mut().filter(|byte| **byte & page::MAPPED != 0) {
            *byte = *byte & !PERMISSIONS | bits(prot);
        }
    }

    /// Runs of pages in `range` whose bytes satisfy `wanted`; pages of one run agree in the bits of `mask`.
    pub fn runs(&self, range: Range<u64>, mask: u8, wanted: impl Fn(u8) -> bool) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let first = (range.start / PAGE_SIZE) as usize;
        let end = (range.end.div_ceil(PAGE_SIZE) as usize).min(PAGES);
        for (index, &byte) in self.all().get(first..end).unwrap_or_default().iter().enumerate() {
            if !wanted(byte) {
                continue;
            }
            let addr = (first + index) as u64 * PAGE_SIZE;
            let bits = byte & mask;
            match runs.last_mut() {
                Some(run) if run.bits == bits && run.addr + run.len == addr => run.len += PAGE_SIZE,
                _ => runs.push(Run { addr, len: PAGE_SIZE, bits }),
            }
        }
        runs
    }
}

/// The byte of a page whose recorded stores became part of what it holds.
pub(super) fn after_stores(byte: u8) -> u8 {
    if byte & page::DIRTY != 0 { byte | USED } else { byte }
}
