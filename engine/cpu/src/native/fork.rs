//! Copies of mappings: `fork`, and moves within one address space.
//!
//! Anonymous memory is copied at once while it is small. Above a size the parent's file is frozen instead: parent and
//! child both see it through copy-on-write views from then on, and what either writes later is found in the host's
//! page map and copied when it forks again. Once most of it was written, it is thawed into a file of its own, to be
//! frozen anew.

use super::areas::{Area, PrivateView, Source};
use super::memfd::Memfd;
use super::space::NativeSpace;
use friscy_boundary::{MemError, PAGE_SIZE, Prot};
use std::ops::Range;
use std::rc::Rc;
use std::sync::OnceLock;

/// Populated anonymous memory above this many bytes is frozen by a fork, not copied.
const FREEZE_BYTES: u64 = 1 << 20;

/// Page-map bits (Linux `Documentation/admin-guide/mm/pagemap.rst`): in memory, swapped, of a file or shared.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const FILE: u64 = 1 << 61;

/// How many page-map words are read at once.
const WORDS: usize = 4096;

impl NativeSpace {
    /// A new address space with copies of what is mapped in `ranges`.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    pub fn fork(&mut self, ranges: &[Range<u64>]) -> Result<NativeSpace, MemError> {
        self.thaw(FREEZE_BYTES)?;
        let populated: u64 = self.populated(ranges).iter().map(|(_, extent)| extent.end - extent.start).sum();
        self.fork_with(ranges, populated > FREEZE_BYTES)
    }

    /// As [`NativeSpace::fork`], freezing the anonymous memory or copying it.
    pub(super) fn fork_with(&mut self, ranges: &[Range<u64>], freeze: bool) -> Result<NativeSpace, MemError> {
        if freeze {
            self.freeze()?;
        }
        let mut child = NativeSpace::new()?;
        child.set_share(self.mappings.share());
        for range in ranges {
            for (part, area) in self.areas.overlapping(range.clone()) {
                self.copy_area_to(&part, &area, &mut child)?;
            }
        }
        Ok(child)
    }

    fn populated(&self, ranges: &[Range<u64>]) -> Vec<(Range<u64>, Range<u64>)> {
        let Some(file) = &self.anonymous else { return Vec::new() };
        ranges
            .iter()
            .flat_map(|range| self.areas.overlapping(range.clone()))
            .filter(|(_, area)| matches!(area.source, Source::Anonymous))
            .flat_map(|(part, _)| file.populated(part.clone()).into_iter().map(move |extent| (part.clone(), extent)))
            .collect()
    }

    /// Turns anonymous areas into copy-on-write views of their file, which nobody writes from then on.
    fn freeze(&mut self) -> Result<(), MemError> {
        let Some(file) = self.anonymous.clone() else { return Ok(()) };
        self.suspend_journal();
        let origin = self.new_origin();
        let anonymous = self.areas.overlapping(0..u64::MAX);
        let anonymous = anonymous.iter().filter(|(_, area)| matches!(area.source, Source::Anonymous));
        for (done, (range, area)) in anonymous.clone().enumerate() {
            if let Err(error) = self.window.map(range, area.prot, &file, range.start, false) {
                // Nobody wrote through the views yet, so that going back loses nothing.
                for (range, area) in anonymous.take(done) {
                    self.window.map(range, area.prot, &file, range.start, true)?;
                }
                return Err(error);
            }
        }
        for (range, area) in anonymous {
            let view = PrivateView {
                file: file.clone(),
                offset: range.start,
                origin,
                anonymous: true,
                touched: area.prot.write,
            };
            self.areas.replace(range.clone(), Some(Area { prot: area.prot, source: Source::Private(view) }));
        }
        self.anonymous = None;
        self.count();
        Ok(())
    }

    /// Makes frozen memory anonymous again, if so much of it was written since that copying it all once is better than
    /// copying what was written at every fork: more than `least` bytes, and half of what there is.
    pub(super) fn thaw(&mut self, least: u64) -> Result<(), MemError> {
        let mut frozen = Vec::new();
        let (mut own_bytes, mut all_bytes) = (0, 0);
        for (range, area) in self.areas.overlapping(0..u64::MAX) {
            let Source::Private(view) = &area.source else { continue };
            if !view.anonymous {
                continue;
            }
            let own = if view.touched { self.own_pages(&range)? } else { Vec::new() };
            own_bytes += own.iter().map(length).sum::<u64>();
            let offsets = view.offset..view.offset + length(&range);
            let extents = view.file.populated(offsets);
            let to_addr = |at: u64| range.start + (at - view.offset);
            let base = extents.into_iter().map(|extent| to_addr(extent.start)..to_addr(extent.end));
            let all = union(own.into_iter().chain(base).collect());
            all_bytes += all.iter().map(length).sum::<u64>();
            frozen.push((range, area.prot, all));
        }
        if own_bytes <= least || own_bytes < all_bytes / 2 {
            return Ok(());
        }
        let file = self.anonymous_file()?;
        for (range, prot, extents) in frozen {
            let readable = prot.read || prot.write;
            if !readable {
                self.window.protect(&range, Prot::R)?;
            }
            let copied = extents.iter().all(|extent| {
                let len = length(extent) as usize;
                // SAFETY: the host reads the window itself; no reference to its memory exists.
                unsafe { file.write_raw(extent.start, self.window.host(extent.start), len) == len }
            });
            if !copied {
                // No anonymous area is here: the file must stay empty.
                file.punch(range.clone());
                self.close(&range, prot);
                return Err(MemError::NoMemory);
            }
            let _ = self.place(range, Area { prot, source: Source::Anonymous })?;
        }
        Ok(())
    }

    /// Maps in `child`, at the same addresses, what `area` is here.
    fn copy_area_to(&self, range: &Range<u64>, area: &Area, child: &mut NativeSpace) -> Result<(), MemError> {
        let _ = child.place(range.clone(), area.clone())?;
        match &area.source {
            Source::Anonymous => {
                let Some(file) = &self.anonymous else { return Ok(()) };
                let target = child.anonymous_file()?;
                for extent in file.populated(range.clone()) {
                    self.copy_extent(file, &extent, &target, extent.start)?;
                }
                Ok(())
            }
            Source::Private(_) if area.is_touched() => {
                for run in self.own_pages(range)? {
                    self.copy_run(&run, area.prot, child, run.start)?;
                }
                Ok(())
            }
            Source::Private(_) | Source::Shared { .. } => Ok(()),
        }
    }

    /// Maps at `to`, in this address space, what `area` is.
    pub(super) fn copy_area(&mut self, range: &Range<u64>, area: &Area, to: u64) -> Result<(), MemError> {
        let target = to..to + (range.end - range.start);
        let _ = self.place(target, area.clone())?;
        match &area.source {
            Source::Anonymous => {
                let Some(file) = self.anonymous.clone() else { return Ok(()) };
                for extent in file.populated(range.clone()) {
                    let at = to + (extent.start - range.start);
                    self.copy_extent(&file, &extent, &file, at)?;
                }
                Ok(())
            }
            Source::Private(_) if area.is_touched() => {
                for run in self.own_pages(range)? {
                    let at = to + (run.start - range.start);
                    self.copy_run(&run, area.prot, self, at)?;
                }
                Ok(())
            }
            Source::Private(_) | Source::Shared { .. } => Ok(()),
        }
    }

    /// Copies an extent of anonymous memory to an offset of a file.
    fn copy_extent(&self, file: &Rc<Memfd>, extent: &Range<u64>, target: &Memfd, to: u64) -> Result<(), MemError> {
        let len = (extent.end - extent.start) as usize;
        // SAFETY: the host reads the window itself; no reference to its memory exists.
        let mut done = unsafe { target.write_raw(to, self.window.host(extent.start), len) };
        let mut buf = Vec::new();
        // What the guest may not read, the host does not read through the window either: it goes by way of the file.
        while done < len {
            buf.resize((len - done).min(256 << 10), 0);
            let n = file.read(extent.start + done as u64, &mut buf);
            if n == 0 {
                return Err(MemError::NoMemory);
            }
            target.write(to + done as u64, &buf[..n])?;
            done += n;
        }
        Ok(())
    }

    /// Copies a run of pages that a view has of its own to the same view in `target` at `to`. Both have `prot`.
    fn copy_run(&self, run: &Range<u64>, prot: Prot, target: &NativeSpace, to: u64) -> Result<(), MemError> {
        let len = run.end - run.start;
        let pages = to..to + len;
        let readable = prot.read || prot.write;
        if !readable {
            self.window.protect(run, Prot::R)?;
        }
        let copied = target.open(&pages, prot).and_then(|()| {
            // SAFETY: both sides lie in windows, do not overlap, and no references to them exist.
            let copied =
                unsafe { super::fault::copy(target.window.host(to), self.window.host(run.start), len as usize) };
            target.close(&pages, prot);
            copied.map_err(|fault| friscy_boundary::CopyFault { copied: fault.copied as u64 })
        });
        if !readable {
            self.close(run, prot);
        }
        copied.map_err(|_| MemError::NoMemory)
    }

    /// The runs of pages in `range` that a copy-on-write view has of its own.
    fn own_pages(&self, range: &Range<u64>) -> Result<Vec<Range<u64>>, MemError> {
        let map = page_map().ok_or(MemError::NoMemory)?;
        let mut runs: Vec<Range<u64>> = Vec::new();
        let mut words = vec![0u64; WORDS.min(((range.end - range.start) / PAGE_SIZE) as usize)];
        let mut at = range.start;
        while at < range.end {
            let count = words.len().min(((range.end - at) / PAGE_SIZE) as usize);
            let offset = self.window.host(at) as u64 / PAGE_SIZE * 8;
            // SAFETY: `words` is valid for writes of `count` words.
            let n = unsafe { libc::pread(map, words.as_mut_ptr().cast(), count * 8, offset as i64) };
            if n < 8 {
                return Err(MemError::NoMemory);
            }
            let read = n as usize / 8;
            for &word in &words[..read] {
                if word & (PRESENT | SWAPPED) != 0 && word & FILE == 0 {
                    match runs.last_mut() {
                        Some(run) if run.end == at => run.end += PAGE_SIZE,
                        _ => runs.push(at..at + PAGE_SIZE),
                    }
                }
                at += PAGE_SIZE;
            }
        }
        Ok(runs)
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// The ranges without their overlaps, in order.
pub(super) fn union(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The descriptor of this process's page map.
fn page_map() -> Option<i32> {
    static MAP: OnceLock<i32> = OnceLock::new();
    // SAFETY: plain system call with a C string.
    let fd =
        *MAP.get_or_init(|| unsafe { libc::open(c"/proc/self/pagemap".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) });
    (fd >= 0).then_some(fd)
}
