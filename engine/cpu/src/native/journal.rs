//! Which pages a guest has written since a point, and what was in them: so that a run can be taken back and repeated.
//!
//! What the guest may write is made read-only on the host. The first store to a page faults; the handler keeps the
//! page's bytes, gives it its protections back, and the store is made again. Nobody else sees any of this. Pages that
//! were written become read-only again when the next journal begins. While an address space is changed its journal is
//! suspended: the host's protections are the guest's then.

use super::areas::Areas;
use super::fault;
use super::fork::union;
use super::window::Window;
use friscy_boundary::{MemError, PAGE_SIZE, Prot, WINDOW_SIZE};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{Ordering, compiler_fence};

const PAGE: usize = PAGE_SIZE as usize;

/// Pages of a window.
const PAGES: usize = (WINDOW_SIZE / PAGE_SIZE) as usize;

/// Bytes of page numbers, one for each page that may be written.
const NUMBERS_BYTES: usize = PAGES * size_of::<u32>();

/// Bytes of reserved memory: page numbers, contents before, contents of another run.
const RESERVED_BYTES: usize = NUMBERS_BYTES + 2 * PAGES * PAGE;

/// How many requests to open pages are remembered.
const MAX_OPENED: usize = 1024;

/// When more pages than this were kept, their memory is given back.
const KEPT_PAGES: usize = 4096;

thread_local! {
    /// The journals of this thread, each of which names the next.
    static JOURNALS: Cell<*const Journal> = const { Cell::new(ptr::null()) };
}

/// A page in which two runs differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageDifference {
    /// Address of the first byte that differs.
    pub addr: u64,
    /// How many bytes of the page differ.
    pub bytes: usize,
    /// What the reference left there, at most eight bytes.
    pub reference: Vec<u8>,
    /// What the other left there.
    pub checked: Vec<u8>,
}

/// The journal of one address space. The fault handler has its address.
pub(super) struct Journal {
    /// Where the guest's address 0 is.
    base: *mut u8,
    reserved: *mut u8,
    /// What is read-only on the host, in order, but for pages that were written; nothing while it is suspended.
    watched: RefCell<Vec<Range<u64>>>,
    /// How many pages were written.
    count: Cell<usize>,
    /// What was opened by request.
    opened: RefCell<Vec<Range<u64>>>,
    /// Of how many there are contents of another run.
    other: Cell<usize>,
    /// The host refused to give a page its protections back.
    failed: Cell<bool>,
    next: Cell<*const Journal>,
}

impl Journal {
    /// A suspended journal of this window.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses address space.
    pub fn new(window: &Window) -> Result<Rc<Journal>, MemError> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping where the host likes touches nothing that exists.
        let reserved = unsafe { libc::mmap(ptr::null_mut(), RESERVED_BYTES, prot, flags, -1, 0) };
        if reserved == libc::MAP_FAILED {
            return Err(MemError::NoMemory);
        }
        let journal = Rc::new(Journal {
            base: window.base(),
            reserved: reserved.cast(),
            watched: RefCell::default(),
            count: Cell::new(0),
            opened: RefCell::default(),
            other: Cell::new(0),
            failed: Cell::new(false),
            next: Cell::new(JOURNALS.get()),
        });
        JOURNALS.set(Rc::as_ptr(&journal));
        Ok(journal)
    }

    /// Begins anew: no page was written yet.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses; no run can be taken back then.
    pub fn begin(&self, window: &Window, areas: &Areas) -> Result<(), MemError> {
        let (written, opened) = (self.written(), self.opened.take());
        self.count.set(0);
        self.other.set(0);
        if self.watched.borrow().is_empty() {
            let areas = areas.overlapping(0..WINDOW_SIZE);
            let watched: Vec<_> =
                areas.into_iter().filter(|(_, area)| area.prot.write).map(|(range, _)| range).collect();
            watched.iter().try_for_each(|range| window.protect(range, Prot::R))?;
            self.watched.replace(watched);
        } else {
            let pages = written.iter().map(|&page| page..page + PAGE_SIZE);
            let closed = union(pages.chain(opened).collect());
            closed.iter().try_for_each(|range| window.protect(range, Prot::R))?;
        }
        if written.len() > KEPT_PAGES {
            self.give_back();
        }
        if self.failed.take() { Err(MemError::NoMemory) } else { Ok(()) }
    }

    /// Gives all pages their protections back.
    pub fn suspend(&self, window: &Window) {
        for range in self.watched.take() {
            // Going back merges mappings; the host has no reason to refuse it.
            let opened = window.protect(&range, Prot::RW);
            debug_assert!(opened.is_ok());
        }
        self.count.set(0);
        self.opened.take();
    }

    /// Gives pages their protections back that are about to be written between two runs, which is quicker than a fault
    /// for each. Nothing of them is kept.
    pub fn open(&self, window: &Window, pages: Range<u64>) {
        let is_watched = |range: &Range<u64>| range.start <= pages.start && pages.end <= range.end;
        if !self.watched.borrow().iter().any(is_watched) {
            return;
        }
        if self.opened.borrow().len() >= MAX_OPENED {
            self.suspend(window);
        } else if window.protect(&pages, Prot::RW).is_ok() {
            self.opened.borrow_mut().push(pages);
        }
    }

    /// Takes back what was written since the beginning; what it was is kept to be compared with if so asked.
    pub fn take_back(&self, keep: bool) {
        let written = self.written();
        if keep {
            for (at, &page) in written.iter().enumerate() {
                copy_page(self.kept_other(at), self.host(page));
            }
            self.other.set(written.len());
        }
        // A page may be mapped twice: what was kept of it first is what it was.
        for (at, &page) in written.iter().enumerate().rev() {
            copy_page(self.host(page), self.kept(at));
        }
    }

    /// Compares memory with that of the run that was taken back and kept; answers at most `limit` pages.
    pub fn differences(&self, limit: usize) -> Vec<PageDifference> {
        let mut found = Vec::new();
        let (mut reference, mut checked) = ([0; PAGE], [0; PAGE]);
        for (at, page) in self.written().into_iter().enumerate() {
            let kept = if at < self.other.get() { self.kept_other(at) } else { self.kept(at) };
            // What lies beyond its object has no bytes.
            if !copy_page(checked.as_mut_ptr(), self.host(page)) || !copy_page(reference.as_mut_ptr(), kept) {
                continue;
            }
            if reference != checked && found.len() < limit {
                found.push(difference(page, &reference, &checked));
            }
        }
        found.sort_by_key(|page| page.addr);
        found
    }

    /// How many pages were written.
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// Whether something was written that cannot be taken back.
    pub fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Addresses of the pages that were written, in the order in which they were.
    fn written(&self) -> Vec<u64> {
        // SAFETY: the handler has written that many numbers.
        (0..self.count.get()).map(|at| u64::from(unsafe { *self.number(at) }) * PAGE_SIZE).collect()
    }

    /// Where the number of the `at`th written page is.
    fn number(&self, at: usize) -> *mut u32 {
        self.reserved.cast::<u32>().wrapping_add(at)
    }

    /// Where the contents of the `at`th written page are kept.
    fn kept(&self, at: usize) -> *mut u8 {
        self.reserved.wrapping_add(NUMBERS_BYTES + at * PAGE)
    }

    /// Where those of another run are.
    fn kept_other(&self, at: usize) -> *mut u8 {
        self.kept(PAGES + at)
    }

    fn host(&self, page: u64) -> *mut u8 {
        self.base.wrapping_add(page as usize)
    }

    fn give_back(&self) {
        // SAFETY: the reservation is this one's own; its memory reads as zero then.
        let result = unsafe { libc::madvise(self.reserved.cast(), RESERVED_BYTES, libc::MADV_DONTNEED) };
        debug_assert_eq!(result, 0);
    }

    /// What the fault handler does about a store to this host address; whether it can be made again.
    fn store(&self, host: usize) -> bool {
        let addr = host.wrapping_sub(self.base as usize) as u64;
        let Ok(watched) = self.watched.try_borrow() else { return false };
        let at = watched.partition_point(|range| range.end <= addr);
        if watched.get(at).is_none_or(|range| addr < range.start) || self.failed.get() {
            return false;
        }
        let (page, count) = (addr / PAGE_SIZE, self.count.get());
        let start = self.host(page * PAGE_SIZE);
        copy_page(self.kept(count), start);
        // SAFETY: a page of the window, to whose memory no Rust reference exists.
        if unsafe { libc::mprotect(start.cast(), PAGE, libc::PROT_READ | libc::PROT_WRITE) } != 0 {
            self.failed.set(true);
            return false;
        }
        // SAFETY: a page is written once, so that there is room for its number.
        unsafe { *self.number(count) = page as u32 };
        self.count.set(count + 1);
        true
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let this: *const Journal = self;
        if JOURNALS.get() == this {
            JOURNALS.set(self.next.get());
        }
        let mut at = JOURNALS.get();
        // SAFETY: what is in the list is alive: each takes itself out.
        while let Some(journal) = unsafe { at.as_ref() } {
            if journal.next.get() == this {
                journal.next.set(self.next.get());
            }
            at = journal.next.get();
        }
        // SAFETY: the reservation is this one's own and nobody finds it any more.
        unsafe {
            libc::munmap(self.reserved.cast(), RESERVED_BYTES);
        }
    }
}

/// What the fault handler does about a store to this host address that faulted; whether it can be made again. Safe in a
/// signal handler, of a fault of this thread's own.
pub(super) fn store(host: usize) -> bool {
    // What the handler interrupted has its own view of the cells.
    compiler_fence(Ordering::SeqCst);
    let mut at = JOURNALS.get();
    let mut known = false;
    // SAFETY: what is in the list is alive, and nobody changes the list while guest memory is written.
    while let Some(journal) = unsafe { at.as_ref() }.filter(|_| !known) {
        known = journal.store(host);
        at = journal.next.get();
    }
    compiler_fence(Ordering::SeqCst);
    known
}

/// Copies a page; whether both sides have one.
fn copy_page(dst: *mut u8, src: *const u8) -> bool {
    // SAFETY: each side lies in a window, a reservation or a buffer of a page; they do not overlap, and no reference to
    // the destination is used meanwhile. Who has a journal has installed the handler.
    unsafe { fault::copy(dst, src, PAGE) }.is_ok()
}

fn difference(page: u64, reference: &[u8; PAGE], checked: &[u8; PAGE]) -> PageDifference {
    let differs = |at: &usize| reference[*at] != checked[*at];
    let first = (0..PAGE).find(differs).unwrap_or(0);
    let shown = first..(first + 8).min(PAGE);
    PageDifference {
        addr: page + first as u64,
        bytes: (0..PAGE).filter(differs).count(),
        reference: reference[shown.clone()].to_vec(),
        checked: checked[shown].to_vec(),
    }
}
