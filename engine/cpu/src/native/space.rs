//! One address space: its window, its list of areas, and the requests that change them.

use super::areas::{Area, Areas, PrivateView, Source};
use super::budget::{Mappings, default_share};
use super::fault::{self, HostFault};
use super::journal::Journal;
use super::memfd::Memfd;
use super::window::Window;
use crate::run::RunMemory;
use crate::translate::{Changed, CodeMemory, Image, PageSource};
use friscy_boundary::{CopyFault, MemError, PAGE_SIZE, Prot, WINDOW_SIZE};
use friscy_seam::State;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::rc::Rc;

/// A new mapping splits an area or a gap at its start and one at its end, and each split makes one more.
const SPLITS: usize = 2;

/// What a new mapping's pages come from.
#[derive(Clone)]
pub enum Pages {
    /// Zero pages.
    Anonymous,
    /// A copy-on-write view of a file from an offset on.
    Private(Rc<Memfd>, u64),
    /// A file's own pages from an offset on.
    Shared(Rc<Memfd>, u64),
}

/// A hart's state at its place in a window.
pub struct Hart(NonNull<State>);

impl Deref for Hart {
    type Target = State;

    fn deref(&self) -> &State {
        // SAFETY: who made it keeps the window alive and makes no other.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Hart {
    fn deref_mut(&mut self) -> &mut State {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}

/// An address space of a guest. All ranges are page-aligned, not empty and within the window.
pub struct NativeSpace {
    pub(super) window: Window,
    pub(super) areas: Areas,
    pub(super) mappings: Mappings,
    /// The file of anonymous memory. Outside anonymous areas it has no populated pages.
    pub(super) anonymous: Option<Rc<Memfd>>,
    next_origin: u64,
    /// Made at first use.
    journal: Option<Rc<Journal>>,
}

impl NativeSpace {
    /// An empty address space with the default share of host mappings.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    pub fn new() -> Result<NativeSpace, MemError> {
        fault::install();
        let mut mappings = Mappings::new(default_share());
        let areas = Areas::default();
        if !mappings.allows(areas.host_mappings()) {
            return Err(MemError::NoMemory);
        }
        mappings.set(areas.host_mappings());
        let window = Window::reserve()?;
        Ok(NativeSpace { journal: None, window, areas, mappings, anonymous: None, next_origin: 0 })
    }

    /// Where guest address 0 is in the host's address space.
    pub fn window(&self) -> *mut u8 {
        self.window.base()
    }

    /// The hart's state with zero registers, which lies in the window's guard: translated code finds it from there.
    ///
    /// # Safety
    /// The space is not dropped before it, and there is one at a time.
    pub unsafe fn hart(&self) -> Hart {
        let state = self.window.state();
        // SAFETY: the place is this window's, large enough and aligned for it.
        unsafe {
            state.write(State::initial(self.window(), std::ptr::null_mut()));
            Hart(NonNull::new_unchecked(state))
        }
    }

    /// How many bytes are mapped.
    pub fn mapped_bytes(&self) -> u64 {
        self.areas.mapped_bytes()
    }

    /// How many host mappings this takes.
    pub fn host_mappings(&self) -> usize {
        self.mappings.used()
    }

    /// Sets how many host mappings this may take.
    pub fn set_share(&mut self, share: usize) {
        self.mappings.set_share(share);
    }

    /// Establishes a mapping in the place of whatever was in `range`.
    ///
    /// # Errors
    /// [`MemError::NoMemory`]; nothing is changed then.
    pub fn map(&mut self, range: Range<u64>, prot: Prot, pages: Pages) -> Result<Changed, MemError> {
        let source = match pages {
            Pages::Anonymous => Source::Anonymous,
            Pages::Private(file, offset) => {
                self.next_origin += 1;
                let origin = self.next_origin;
                Source::Private(PrivateView { file, offset, origin, anonymous: false, touched: prot.write })
            }
            Pages::Shared(file, offset) => Source::Shared { file, offset },
        };
        self.place(range, Area { prot, source })
    }

    /// Maps an area in the place of whatever was in `range`.
    pub(super) fn place(&mut self, range: Range<u64>, area: Area) -> Result<Changed, MemError> {
        self.suspend_journal();
        self.allow(SPLITS)?;
        let replaced = self.areas.overlapping(range.clone());
        match &area.source {
            Source::Anonymous => {
                let file = self.anonymous_file()?;
                self.window.map(&range, area.prot, &file, range.start, true)?;
            }
            Source::Private(view) => self.window.map(&range, area.prot, &view.file, view.offset, false)?,
            Source::Shared { file, offset } => self.window.map(&range, area.prot, file, *offset, true)?,
        }
        let code = area.prot.exec || any_exec(&replaced);
        note_writable(&area.source, area.prot);
        self.punch(&replaced);
        self.areas.replace(range, Some(area));
        self.count();
        Ok(Changed::code_if(code))
    }

    /// Removes mappings; gaps are fine.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when splitting exceeds the share of host mappings; nothing is changed then.
    pub fn unmap(&mut self, range: Range<u64>) -> Result<Changed, MemError> {
        let removed = self.areas.overlapping(range.clone());
        if removed.is_empty() {
            return Ok(Changed::Data);
        }
        self.allow(self.areas.splits(&range))?;
        self.suspend_journal();
        self.window.unmap(&range)?;
        self.punch(&removed);
        self.areas.replace(range, None);
        self.count();
        Ok(Changed::code_if(any_exec(&removed)))
    }

    /// Changes the protections of what is mapped in `range`.
    ///
    /// # Errors
    /// [`MemError::NoMemory`]; what lies before the page that the host refused may have changed.
    pub fn protect(&mut self, range: Range<u64>, prot: Prot) -> Result<Changed, MemError> {
        let before = self.areas.overlapping(range.clone());
        if before.iter().all(|(_, area)| area.prot == prot) {
            return Ok(Changed::Data);
        }
        self.allow(self.areas.splits(&range))?;
        self.suspend_journal();
        for (part, _) in &before {
            self.window.protect(part, prot)?;
        }
        self.areas.update(range, |area| {
            area.prot = prot;
            note_writable(&area.source, prot);
            if let Source::Private(view) = &mut area.source {
                view.touched |= prot.write;
            }
        });
        self.count();
        let code = before.iter().any(|(_, area)| area.prot.exec != prot.exec);
        Ok(Changed::code_if(code))
    }

    /// Makes anonymous pages zero, and those of private views their file's (MADV_DONTNEED).
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when splitting exceeds the share of host mappings.
    pub fn discard(&mut self, range: Range<u64>) -> Result<Changed, MemError> {
        let parts = self.areas.overlapping(range);
        let code = any_exec(&parts);
        for (part, area) in parts {
            match area.source {
                Source::Anonymous => self.punch(&[(part, area)]),
                // The frozen file is another address space's too: zeros come from a file of our own.
                Source::Private(view) if view.anonymous => {
                    let _ = self.place(part, Area { prot: area.prot, source: Source::Anonymous })?;
                }
                Source::Private(_) => self.window.drop_pages(&part),
                Source::Shared { .. } => {}
            }
        }
        Ok(Changed::code_if(code))
    }

    /// Moves pages to `to`, where nothing is mapped, with contents, backing and protections.
    ///
    /// # Errors
    /// [`MemError::NoMemory`]; the pages are still where they were then.
    pub fn move_pages(&mut self, from: Range<u64>, to: u64) -> Result<Changed, MemError> {
        let target = to..to + (from.end - from.start);
        for (part, area) in self.areas.overlapping(from.clone()) {
            let start = to + (part.start - from.start);
            if let Err(error) = self.copy_area(&part, &area, start) {
                let _ = self.unmap(target)?;
                return Err(error);
            }
        }
        let gone = self.unmap(from)?;
        Ok(gone)
    }

    /// Notes from now on which pages are written.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    pub(super) fn begin_journal(&mut self) -> Result<Rc<Journal>, MemError> {
        let journal = match &self.journal {
            Some(journal) => journal,
            None => self.journal.insert(Journal::new(&self.window)?),
        };
        journal.begin(&self.window, &self.areas)?;
        Ok(journal.clone())
    }

    /// Makes the host's protections the guest's, before something changes.
    pub(super) fn suspend_journal(&self) {
        if let Some(journal) = &self.journal {
            journal.suspend(&self.window);
        }
    }

    /// Copies guest memory into `buf`, subject to read permission.
    ///
    /// # Errors
    /// [`CopyFault`] at the first byte that may not be read.
    pub fn copy_in(&self, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let len = clipped(addr, buf.len());
        if len > 0 {
            // SAFETY: source in the window, destination a buffer that nobody else uses.
            unsafe { fault::copy(buf.as_mut_ptr(), self.window.host(addr), len) }.map_err(copy_fault)?;
        }
        if len < buf.len() { Err(CopyFault { copied: len as u64 }) } else { Ok(()) }
    }

    /// Copies `bytes` to guest memory, subject to write permission.
    ///
    /// # Errors
    /// [`CopyFault`] at the first byte that may not be written.
    pub fn copy_out(&self, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        let len = clipped(addr, bytes.len());
        if let Some(journal) = self.journal.as_ref().filter(|_| len as u64 > PAGE_SIZE) {
            journal.open(&self.window, page_range(addr, len));
        }
        if len > 0 {
            // SAFETY: destination in the window, to which no reference exists; the source is valid.
            unsafe { fault::copy(self.window.host(addr), bytes.as_ptr(), len) }.map_err(copy_fault)?;
        }
        if len < bytes.len() { Err(CopyFault { copied: len as u64 }) } else { Ok(()) }
    }

    /// Writes to mapped memory whatever its protections.
    ///
    /// # Errors
    /// [`CopyFault`] where nothing is mapped, or beyond a mapped file.
    pub fn poke(&mut self, addr: u64, bytes: &[u8]) -> Result<Changed, CopyFault> {
        let mut done = 0;
        let mut code = false;
        while done < bytes.len() {
            let at = addr.wrapping_add(done as u64);
            let Some((range, area)) = self.areas.at(at) else { return Err(CopyFault { copied: done as u64 }) };
            let len = (range.end - at).min((bytes.len() - done) as u64) as usize;
            let (prot, pages) = (area.prot, page_range(at, len));
            code |= prot.exec;
            self.open(&pages, prot).map_err(|_| CopyFault { copied: done as u64 })?;
            let copied = self.copy_out(at, &bytes[done..done + len]);
            self.close(&pages, prot);
            copied.map_err(|fault| CopyFault { copied: done as u64 + fault.copied })?;
            self.areas.update(pages, |area| {
                if let Source::Private(view) = &mut area.source {
                    view.touched = true;
                }
            });
            done += len;
        }
        Ok(Changed::code_if(code))
    }

    /// The file that code at an address is of, if nobody can change its bytes, and where it is there.
    pub(super) fn code_file(&self, addr: u64) -> Option<(&Rc<Memfd>, u64)> {
        let (range, area) = self.areas.at(addr)?;
        image(&range, area).filter(|_| area.prot.exec)?;
        let Source::Private(view) = &area.source else { return None };
        Some((&view.file, view.offset + (addr - range.start)))
    }

    /// As [`CodeMemory::fetch`].
    fn fetch_code(&self, addr: u64, buf: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buf.len() {
            let at = addr.wrapping_add(done as u64);
            let Some((range, area)) = self.areas.at(at) else { break };
            if !area.prot.exec {
                break;
            }
            let len = (range.end - at).min((buf.len() - done) as u64) as usize;
            let (pages, prot) = (page_range(at, len), area.prot);
            let readable = prot.read || prot.write;
            if !readable && self.window.protect(&pages, Prot::R).is_err() {
                break;
            }
            let copied = self.copy_in(at, &mut buf[done..done + len]);
            if !readable {
                self.close(&pages, prot);
            }
            if let Err(fault) = copied {
                return done + fault.copied as usize;
            }
            done += len;
        }
        done
    }

    /// Makes pages accessible for a host copy.
    pub(super) fn open(&self, pages: &Range<u64>, prot: Prot) -> Result<(), CopyFault> {
        if prot.write {
            return Ok(());
        }
        self.window.protect(pages, Prot::RW).map_err(|_| CopyFault { copied: 0 })
    }

    /// Gives pages their protections again.
    pub(super) fn close(&self, pages: &Range<u64>, prot: Prot) {
        if !prot.write {
            // Going back merges mappings; the host has no reason to refuse it.
            let closed = self.window.protect(pages, prot);
            debug_assert!(closed.is_ok());
        }
    }

    /// Drops the pages of anonymous areas that are no longer mapped.
    fn punch(&self, parts: &[(Range<u64>, Area)]) {
        let Some(file) = &self.anonymous else { return };
        for (range, area) in parts {
            if matches!(area.source, Source::Anonymous) {
                file.punch(range.clone());
            }
        }
    }

    /// The file of anonymous memory, made at first use.
    pub(super) fn anonymous_file(&mut self) -> Result<Rc<Memfd>, MemError> {
        if let Some(file) = &self.anonymous {
            return Ok(file.clone());
        }
        let file = Rc::new(Memfd::new(c"friscy-guest", WINDOW_SIZE)?);
        self.anonymous = Some(file.clone());
        Ok(file)
    }

    fn allow(&self, more: usize) -> Result<(), MemError> {
        if self.mappings.allows(more) { Ok(()) } else { Err(MemError::NoMemory) }
    }

    pub(super) fn count(&mut self) {
        self.mappings.set(self.areas.host_mappings());
    }

    pub(super) fn new_origin(&mut self) -> u64 {
        self.next_origin += 1;
        self.next_origin
    }
}

impl CodeMemory for NativeSpace {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        self.fetch_code(addr, buf)
    }

    fn source(&self, addr: u64) -> PageSource {
        match self.areas.at(addr) {
            Some((range, area)) if area.prot.exec => image(&range, area).map_or(PageSource::Own, PageSource::Image),
            _ => PageSource::NotCode,
        }
    }

    fn has_code_of(&self, wanted: &Image) -> bool {
        let areas = self.areas.overlapping(0..WINDOW_SIZE);
        areas.iter().any(|(range, area)| area.prot.exec && image(range, area).as_ref() == Some(wanted))
    }
}

/// What an executable area shows, if nobody can change its bytes.
fn image(range: &Range<u64>, area: &Area) -> Option<Image> {
    let Source::Private(view) = &area.source else { return None };
    if view.touched || view.anonymous || view.file.guest_writes() {
        return None;
    }
    let base = range.start.wrapping_sub(view.offset);
    Some(Image { file: view.file.number(), version: view.file.version(), base })
}

/// Notes when a guest may store to a file's own pages.
fn note_writable(source: &Source, prot: Prot) {
    if let Source::Shared { file, .. } = source {
        if prot.write {
            file.set_guest_writes();
        }
    }
}

impl RunMemory for NativeSpace {
    fn is_beyond_object(&self, addr: u64) -> bool {
        let Some((range, area)) = self.areas.at(addr) else { return false };
        let (file, offset) = match &area.source {
            Source::Anonymous => return false,
            Source::Private(view) => (&view.file, view.offset),
            Source::Shared { file, offset } => (file, *offset),
        };
        area.prot.exec && offset + (addr - range.start) >= file.len_bytes().next_multiple_of(PAGE_SIZE)
    }

    fn changeable_code(&self) -> Vec<Range<u64>> {
        self.areas
            .overlapping(0..WINDOW_SIZE)
            .into_iter()
            .filter(|(_, area)| area.prot.exec && may_change(area))
            .map(|(range, _)| range)
            .collect()
    }
}

/// Whether an area's bytes may change without a request.
fn may_change(area: &Area) -> bool {
    area.prot.write
        || match &area.source {
            Source::Anonymous => false,
            Source::Private(view) => view.file.guest_writes(),
            Source::Shared { .. } => true,
        }
}

fn any_exec(parts: &[(Range<u64>, Area)]) -> bool {
    parts.iter().any(|(_, area)| area.prot.exec)
}

/// How many of `len` bytes at `addr` lie within the window.
fn clipped(addr: u64, len: usize) -> usize {
    WINDOW_SIZE.saturating_sub(addr).min(len as u64) as usize
}

/// The pages that `len` bytes at `addr` touch.
fn page_range(addr: u64, len: usize) -> Range<u64> {
    let mask = PAGE_SIZE - 1;
    addr & !mask..(addr + len as u64 + mask) & !mask
}

fn copy_fault(fault: HostFault) -> CopyFault {
    CopyFault { copied: fault.copied as u64 }
}
