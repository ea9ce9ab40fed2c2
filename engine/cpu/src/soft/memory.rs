//! Mapping, copies and the export of a space with page bytes.

use super::pages::{Pages, USED, after_stores, bits};
use crate::run::RunMemory;
use crate::translate::{Changed, CodeMemory};
use friscy_boundary::{CopyFault, MemError, PAGE_SIZE, Prot, WINDOW_SIZE};
use friscy_seam::access::page;
use std::ops::Range;
use std::ptr::NonNull;

/// The host memory that holds the window.
pub trait Committed {
    /// Where guest address 0 is. It never moves.
    fn window(&self) -> *mut u8;

    /// Makes sure that the first `end` bytes of the window exist; new ones are zero.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host has no more.
    fn ensure(&mut self, end: u64) -> Result<(), MemError>;

    /// How many bytes of the window exist.
    fn size(&self) -> u64;

    /// Where the page bytes are to be: [`PAGE_BYTES`] of them, which are 0 at first. They never move, and nobody but
    /// translated code uses them beside the space.
    fn pages(&self) -> NonNull<u8>;
}

/// An address space with a byte of permissions a page. Ranges are page-aligned, not empty and within the window.
///
/// Every mapped page lies in committed memory. Translated code marks the pages that it writes as dirty.
pub struct SoftSpace<M: Committed> {
    memory: M,
    pages: Pages,
}

impl<M: Committed> SoftSpace<M> {
    /// An empty space over `memory`, all bytes of which are zero.
    pub fn new(memory: M) -> SoftSpace<M> {
        // SAFETY: what `Committed::pages` promises; translated code does not run while the space does something.
        let pages = unsafe { Pages::at_address(memory.pages()) };
        SoftSpace { memory, pages }
    }

    /// Where guest address 0 is.
    pub fn window(&self) -> *mut u8 {
        self.memory.window()
    }

    /// The page bytes, for translated code. They never move.
    pub fn pages(&mut self) -> *mut u8 {
        self.pages.as_mut_ptr()
    }

    /// Maps zero pages in the place of whatever was in `range`; pages from `object_end` on are beyond their object.
    /// What an object holds is loaded afterwards with [`SoftSpace::load`].
    ///
    /// # Errors
    /// [`MemError::NoMemory`]; nothing is changed then.
    pub fn map(&mut self, range: Range<u64>, prot: Prot, object_end: Option<u64>) -> Result<Changed, MemError> {
        self.memory.ensure(range.end)?;
        let changed = self.unmap(range.clone());
        self.zero(&range);
        self.pages.in_range(&range).fill(bits(prot));
        if let Some(end) = object_end {
            self.set_object_end(range, end);
        }
        Ok(if prot.exec { Changed::Code } else { changed })
    }

    /// Notes that of the pages in `range` those from address `end` on are beyond their object now.
    pub fn set_object_end(&mut self, range: Range<u64>, end: u64) {
        let mut addr = range.start;
        for byte in self.pages.in_range(&range) {
            *byte = if addr >= end { *byte | page::BEYOND } else { *byte & !page::BEYOND };
            addr += PAGE_SIZE;
        }
    }

    /// Removes mappings; gaps are fine.
    pub fn unmap(&mut self, range: Range<u64>) -> Changed {
        let code = self.pages.any_exec(&range);
        for byte in self.pages.in_range(&range) {
            *byte = after_stores(*byte) & USED;
        }
        Changed::code_if(code)
    }

    /// Changes the protections of what is mapped in `range`.
    pub fn protect(&mut self, range: Range<u64>, prot: Prot) -> Changed {
        let before = self.pages.any_exec(&range);
        self.pages.protect(&range, prot);
        Changed::code_if(before || prot.exec)
    }

    /// Makes mapped pages zero; what an object holds is loaded afterwards.
    pub fn discard(&mut self, range: Range<u64>) -> Changed {
        let code = self.pages.any_exec(&range);
        self.zero(&range);
        for byte in self.pages.in_range(&range) {
            *byte &= !(USED | page::DIRTY);
        }
        Changed::code_if(code)
    }

    /// Moves pages to `to`, where nothing is mapped, with contents and protections.
    ///
    /// # Errors
    /// [`MemError::NoMemory`]; nothing is changed then.
    pub fn move_pages(&mut self, from: Range<u64>, to: u64) -> Result<Changed, MemError> {
        let target = to..to + (from.end - from.start);
        self.memory.ensure(target.end)?;
        self.zero(&target);
        let code = self.pages.any_exec(&from);
        for run in self.pages.runs(from.clone(), !page::CODE, |byte| byte & page::MAPPED != 0) {
            let at = to + (run.addr - from.start);
            if after_stores(run.bits) & USED != 0 {
                self.copy_within(run.addr, at, run.len);
            }
            self.pages.in_range(&(at..at + run.len)).fill(run.bits);
        }
        let _ = self.unmap(from);
        Ok(Changed::code_if(code))
    }

    /// Copies guest memory into `buf`, subject to read permission.
    ///
    /// # Errors
    /// [`CopyFault`] at the first byte that may not be read.
    pub fn copy_in(&self, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let len = self.accessible(addr, buf.len(), page::READ);
        // SAFETY: mapped pages lie in committed memory, of which no reference exists; `buf` is somewhere else.
        unsafe { std::ptr::copy_nonoverlapping(self.host(addr, len), buf.as_mut_ptr(), len) };
        if len < buf.len() { Err(CopyFault { copied: len as u64 }) } else { Ok(()) }
    }

    /// Copies `bytes` to guest memory, subject to write permission.
    ///
    /// # Errors
    /// [`CopyFault`] at the first byte that may not be written.
    pub fn copy_out(&mut self, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        let len = self.accessible(addr, bytes.len(), page::WRITE);
        self.write(addr, &bytes[..len], page::DIRTY);
        if len < bytes.len() { Err(CopyFault { copied: len as u64 }) } else { Ok(()) }
    }

    /// Writes to mapped memory whatever its protections, as the guest would: a shared page is dirty afterwards.
    ///
    /// # Errors
    /// [`CopyFault`] where nothing is mapped or beyond an object.
    pub fn poke(&mut self, addr: u64, bytes: &[u8]) -> Result<Changed, CopyFault> {
        self.write_mapped(addr, bytes, page::DIRTY)
    }

    /// Writes what an object holds to mapped memory, whatever its protections; the pages are not dirty by it.
    ///
    /// # Errors
    /// [`CopyFault`] where nothing is mapped or beyond an object.
    pub fn load(&mut self, addr: u64, bytes: &[u8]) -> Result<Changed, CopyFault> {
        self.write_mapped(addr, bytes, 0)
    }

    fn write_mapped(&mut self, addr: u64, bytes: &[u8], mark: u8) -> Result<Changed, CopyFault> {
        let len = self.accessible(addr, bytes.len(), page::MAPPED);
        let code = len > 0 && self.pages.any_exec(&(addr..addr + len as u64));
        self.write(addr, &bytes[..len], mark);
        if len < bytes.len() { Err(CopyFault { copied: len as u64 }) } else { Ok(Changed::code_if(code)) }
    }

    /// The pages of `range` that were written since the last call, which are clean from now on.
    pub fn take_dirty(&mut self, range: Range<u64>) -> Vec<Range<u64>> {
        let runs = self.pages.runs(range.clone(), 0, |byte| byte & page::DIRTY != 0);
        for byte in self.pages.in_range(&range) {
            *byte = after_stores(*byte) & !page::DIRTY;
        }
        runs.into_iter().map(|run| run.addr..run.addr + run.len).collect()
    }

    /// The pages that may differ from zero, mapped or not: what a copy of the memory must hold.
    pub fn nonzero(&self) -> Vec<Range<u64>> {
        let used = |byte: u8| byte & (USED | page::DIRTY) != 0;
        self.pages.runs(0..WINDOW_SIZE, 0, used).into_iter().map(|run| run.addr..run.addr + run.len).collect()
    }

    /// Copies mapped memory whatever its protections.
    ///
    /// # Errors
    /// [`CopyFault`] where nothing is mapped.
    pub fn peek(&self, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let len = self.accessible(addr, buf.len(), page::MAPPED);
        // SAFETY: as in `copy_in`.
        unsafe { std::ptr::copy_nonoverlapping(self.host(addr, len), buf.as_mut_ptr(), len) };
        if len < buf.len() { Err(CopyFault { copied: len as u64 }) } else { Ok(()) }
    }

    /// How many of `len` bytes at `addr` lie in mapped pages with all of `need`, before the first that does not.
    fn accessible(&self, addr: u64, len: usize, need: u8) -> usize {
        let need = need | page::MAPPED;
        let mut done = 0;
        while done < len as u64 {
            let Some(at) = addr.checked_add(done) else { break };
            if self.pages.at(at) & (need | page::BEYOND) != need {
                break;
            }
            done += PAGE_SIZE - at % PAGE_SIZE;
        }
        done.min(len as u64) as usize
    }

    /// The host address of `len` committed bytes at `addr`.
    fn host(&self, addr: u64, len: usize) -> *mut u8 {
        assert!(len == 0 || addr.checked_add(len as u64).is_some_and(|end| end <= self.memory.size()));
        self.memory.window().wrapping_add(addr as usize)
    }

    fn write(&mut self, addr: u64, bytes: &[u8], mark: u8) {
        if bytes.is_empty() {
            return;
        }
        // SAFETY: `host` checked that the range is committed; no reference to it exists.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.host(addr, bytes.len()), bytes.len()) };
        for byte in self.pages.in_range(&(addr..addr + bytes.len() as u64)) {
            *byte |= USED | mark;
        }
    }

    fn copy_within(&mut self, from: u64, to: u64, len: u64) {
        let len = len as usize;
        // SAFETY: `host` checked both ranges; no reference to them exists.
        unsafe { std::ptr::copy(self.host(from, len), self.host(to, len), len) };
    }

    /// Zeroes the pages in `range` that may differ from zero.
    fn zero(&mut self, range: &Range<u64>) {
        for run in self.pages.runs(range.clone(), 0, |byte| after_stores(byte) & USED != 0) {
            let len = run.len as usize;
            // SAFETY: `host` checked the range; no reference to it exists.
            unsafe { std::ptr::write_bytes(self.host(run.addr, len), 0, len) };
        }
    }
}

impl<M: Committed> SoftSpace<M> {
    /// Whether the page that holds `addr` was written to since it was mapped, or its bytes were asked for as dirty.
    pub fn is_written(&self, addr: u64) -> bool {
        self.pages.at(addr) & page::DIRTY != 0
    }
}

impl<M: Committed> CodeMemory for SoftSpace<M> {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let len = self.accessible(addr, buf.len(), page::EXEC);
        // SAFETY: as in `copy_in`.
        unsafe { std::ptr::copy_nonoverlapping(self.host(addr, len), buf.as_mut_ptr(), len) };
        len
    }
}

impl<M: Committed> RunMemory for SoftSpace<M> {
    fn is_beyond_object(&self, addr: u64) -> bool {
        self.pages.at(addr) & (page::BEYOND | page::EXEC) == page::BEYOND | page::EXEC
    }

    fn changeable_code(&self) -> Vec<Range<u64>> {
        // What others write to an object's pages comes by `load`, which says that code changed.
        let both = page::EXEC | page::WRITE;
        let runs = self.pages.runs(0..WINDOW_SIZE, 0, |byte| byte & both == both);
        runs.into_iter().map(|run| run.addr..run.addr + run.len).collect()
    }
}
