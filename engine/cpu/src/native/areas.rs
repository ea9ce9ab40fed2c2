//! The list of a native address space's mappings: intervals that split and merge as the host's own do, so that their
//! number tells how many host mappings the address space takes.

use super::memfd::Memfd;
use friscy_boundary::Prot;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// Where the pages of an area come from.
#[derive(Clone)]
pub enum Source {
    /// The address space's own memory file, at the offset that equals the address.
    Anonymous,
    /// A copy-on-write view of a file.
    Private(PrivateView),
    /// A file's own pages.
    Shared {
        /// The file.
        file: Rc<Memfd>,
        /// Offset of the area's first byte.
        offset: u64,
    },
}

/// A copy-on-write view of a file.
#[derive(Clone)]
pub struct PrivateView {
    /// The file.
    pub file: Rc<Memfd>,
    /// Offset of the area's first byte.
    pub offset: u64,
    /// Which call made it. The host merges two neighbours with written pages only if both were one mapping before.
    pub origin: u64,
    /// Discarded pages become zero instead of the file's: the view stands for anonymous memory that a fork froze.
    pub anonymous: bool,
    /// It is or was writable, so that it may have pages of its own.
    pub touched: bool,
}

/// A run of pages mapped in one way.
#[derive(Clone)]
pub struct Area {
    /// Protections that the guest asked for.
    pub prot: Prot,
    /// Where the pages come from.
    pub source: Source,
}

impl Area {
    /// The same area without its first `by` bytes.
    fn advanced(&self, by: u64) -> Area {
        let source = match &self.source {
            Source::Anonymous => Source::Anonymous,
            Source::Private(view) => {
                Source::Private(PrivateView { offset: view.offset + by, file: view.file.clone(), ..*view })
            }
            Source::Shared { file, offset } => Source::Shared { file: file.clone(), offset: offset + by },
        };
        Area { prot: self.prot, source }
    }

    /// Whether `next`, which begins `len` bytes after this, is one mapping with it.
    fn continues(&self, len: u64, next: &Area) -> bool {
        self.prot == next.prot
            && match (&self.source, &next.source) {
                (Source::Anonymous, Source::Anonymous) => true,
                (Source::Private(a), Source::Private(b)) => {
                    a.origin == b.origin && Rc::ptr_eq(&a.file, &b.file) && a.offset + len == b.offset
                }
                (Source::Shared { file: f, offset: a }, Source::Shared { file: g, offset: b }) => {
                    Rc::ptr_eq(f, g) && a + len == *b
                }
                _ => false,
            }
    }

    /// Notes what the absorbed neighbour knew.
    fn absorb(&mut self, other: &Area) {
        if let (Source::Private(a), Source::Private(b)) = (&mut self.source, &other.source) {
            a.touched |= b.touched;
        }
    }

    /// Whether the area is or may become different from its file by guest stores.
    pub fn is_touched(&self) -> bool {
        matches!(&self.source, Source::Private(view) if view.touched)
    }
}

struct Entry {
    end: u64,
    area: Area,
}

/// Areas by address. Neighbours that are one mapping are one entry.
pub struct Areas {
    entries: BTreeMap<u64, Entry>,
    gaps: usize,
}

impl Default for Areas {
    /// No areas: the whole window is one gap.
    fn default() -> Areas {
        Areas { entries: BTreeMap::new(), gaps: 1 }
    }
}

impl Areas {
    /// How many host mappings the areas and the reserved gaps between them take.
    pub fn host_mappings(&self) -> usize {
        self.entries.len() + self.gaps
    }

    /// How many bytes are in areas.
    pub fn mapped_bytes(&self) -> u64 {
        self.entries.iter().map(|(start, entry)| entry.end - start).sum()
    }

    /// The area at `addr`, with its range.
    pub fn at(&self, addr: u64) -> Option<(Range<u64>, &Area)> {
        let (&start, entry) = self.entries.range(..=addr).next_back()?;
        (addr < entry.end).then_some((start..entry.end, &entry.area))
    }

    /// The parts of areas that lie in `range`, cut to it, in order.
    pub fn overlapping(&self, range: Range<u64>) -> Vec<(Range<u64>, Area)> {
        let first = self.at(range.start).map_or(range.start, |(r, _)| r.start);
        self.entries
            .range(first..range.end.max(first))
            .map(|(&start, entry)| {
                let cut = start.max(range.start);
                (cut..entry.end.min(range.end), entry.area.advanced(cut - start))
            })
            .collect()
    }

    /// How many areas an edit of `range` splits.
    pub fn splits(&self, range: &Range<u64>) -> usize {
        [range.start, range.end].into_iter().filter(|&at| self.at(at).is_some_and(|(r, _)| r.start < at)).count()
    }

    /// Replaces whatever is in `range` by `area`, or by nothing.
    pub fn replace(&mut self, range: Range<u64>, area: Option<Area>) {
        let neighbourhood = self.neighbourhood(&range);
        let gaps_before = self.count_gaps(&neighbourhood);
        self.split_at(range.start);
        self.split_at(range.end);
        let doomed: Vec<u64> = self.entries.range(range.clone()).map(|(&start, _)| start).collect();
        for start in doomed {
            self.entries.remove(&start);
        }
        if let Some(area) = area {
            self.entries.insert(range.start, Entry { end: range.end, area });
        }
        self.merge_at(range.end);
        self.merge_at(range.start);
        self.gaps = self.gaps + self.count_gaps(&neighbourhood) - gaps_before;
    }

    /// Changes the areas in `range`, gaps untouched.
    pub fn update(&mut self, range: Range<u64>, change: impl Fn(&mut Area)) {
        self.split_at(range.start);
        self.split_at(range.end);
        let mut seams = Vec::new();
        for (&start, entry) in self.entries.range_mut(range.clone()) {
            change(&mut entry.area);
            seams.push(start);
        }
        seams.push(range.end);
        for seam in seams.into_iter().rev() {
            self.merge_at(seam);
        }
    }

    /// The range around `range` outside which an edit of it changes no gap.
    fn neighbourhood(&self, range: &Range<u64>) -> Range<u64> {
        let start = self.entries.range(..range.start).next_back().map_or(0, |(&start, _)| start);
        let end = self.entries.range(range.end..).next().map_or(u64::MAX, |(_, entry)| entry.end);
        start..end
    }

    fn count_gaps(&self, range: &Range<u64>) -> usize {
        let mut at = range.start;
        let mut gaps = 0;
        for (&start, entry) in self.entries.range(range.clone()) {
            gaps += usize::from(start > at);
            at = entry.end;
        }
        gaps + usize::from(at < range.end)
    }

    fn split_at(&mut self, addr: u64) {
        let Some((&start, entry)) = self.entries.range_mut(..addr).next_back() else { return };
        if addr < entry.end {
            let tail = Entry { end: entry.end, area: entry.area.advanced(addr - start) };
            entry.end = addr;
            self.entries.insert(addr, tail);
        }
    }

    fn merge_at(&mut self, addr: u64) {
        let Some(second) = self.entries.get(&addr) else { return };
        let Some((&start, first)) = self.entries.range(..addr).next_back() else { return };
        if first.end != addr || !first.area.continues(addr - start, &second.area) {
            return;
        }
        if let Some(second) = self.entries.remove(&addr) {
            if let Some(first) = self.entries.get_mut(&start) {
                first.end = second.end;
                first.area.absorb(&second.area);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anonymous(prot: Prot) -> Option<Area> {
        Some(Area { prot, source: Source::Anonymous })
    }

    #[track_caller]
    fn check(areas: &Areas, expected: &[(u64, u64)], mappings: usize) {
        let found: Vec<(u64, u64)> = areas.entries.iter().map(|(&start, entry)| (start, entry.end)).collect();
        assert_eq!(found, expected);
        assert_eq!(areas.host_mappings(), mappings);
        assert_eq!(areas.gaps, areas.count_gaps(&(0..u64::MAX)));
    }

    #[test]
    fn neighbours_merge_and_split() {
        let mut areas = Areas::default();
        areas.replace(0x10000..0x20000, anonymous(Prot::RW));
        check(&areas, &[(0x10000, 0x20000)], 3);
        areas.replace(0x20000..0x30000, anonymous(Prot::RW));
        check(&areas, &[(0x10000, 0x30000)], 3);
        areas.update(0x18000..0x20000, |area| area.prot = Prot::R);
        check(&areas, &[(0x10000, 0x18000), (0x18000, 0x20000), (0x20000, 0x30000)], 5);
        areas.update(0x10000..0x30000, |area| area.prot = Prot::R);
        check(&areas, &[(0x10000, 0x30000)], 3);
        areas.replace(0x14000..0x15000, None);
        check(&areas, &[(0x10000, 0x14000), (0x15000, 0x30000)], 5);
        areas.replace(0x14000..0x15000, anonymous(Prot::R));
        check(&areas, &[(0x10000, 0x30000)], 3);
        let parts = areas.overlapping(0x8000..0x12000);
        assert!(matches!(&parts[..], [(range, _)] if *range == (0x10000..0x12000)));
        areas.replace(0x8000..0x40000, None);
        assert!(areas.entries.is_empty());
    }

    #[test]
    fn views_keep_their_offsets() {
        let file = Rc::new(Memfd::new(c"test", 0).unwrap());
        let view = |offset, origin| {
            let file = file.clone();
            let view = PrivateView { file, offset, origin, anonymous: false, touched: false };
            Some(Area { prot: Prot::R, source: Source::Private(view) })
        };
        let mut areas = Areas::default();
        areas.replace(0x10000..0x20000, view(0x4000, 1));
        areas.replace(0x14000..0x18000, None);
        let parts = areas.overlapping(0x19000..0x1a000);
        let [(range, area)] = parts.as_slice() else { panic!("one part") };
        assert_eq!(*range, 0x19000..0x1a000);
        assert!(matches!(&area.source, Source::Private(v) if v.offset == 0xd000));
        areas.replace(0x14000..0x18000, view(0x8000, 2));
        check(&areas, &[(0x10000, 0x14000), (0x14000, 0x18000), (0x18000, 0x20000)], 5);
        areas.replace(0x14000..0x18000, view(0x8000, 1));
        check(&areas, &[(0x10000, 0x20000)], 3);
    }
}
