//! What is mapped in an address space and from what.

use friscy_boundary::{Backing, ObjectId};
use std::collections::BTreeMap;
use std::ops::Range;

/// Pages, and what is behind them.
type Part = (Range<u64>, Backing);

/// A run of pages with one backing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Area {
    pub end: u64,
    pub backing: Backing,
}

/// The areas of an address space by their first address. They do not overlap.
#[derive(Clone, Default)]
pub(crate) struct Areas(BTreeMap<u64, Area>);

/// The same backing `by` bytes further on.
pub(crate) fn advanced(backing: Backing, by: u64) -> Backing {
    match backing {
        Backing::Anonymous => Backing::Anonymous,
        Backing::Private { object, offset } => Backing::Private { object, offset: offset + by },
        Backing::Shared { object, offset } => Backing::Shared { object, offset: offset + by },
    }
}

/// The object behind it.
pub(crate) fn object_of(backing: Backing) -> Option<ObjectId> {
    match backing {
        Backing::Anonymous => None,
        Backing::Private { object, .. } | Backing::Shared { object, .. } => Some(object),
    }
}

impl Areas {
    pub fn insert(&mut self, range: Range<u64>, backing: Backing) {
        // A heap that grows by and by stays one area.
        if backing == Backing::Anonymous
            && let Some((_, before)) = self.0.range_mut(..range.start).next_back()
            && before.end == range.start
            && before.backing == Backing::Anonymous
        {
            before.end = range.end;
            return;
        }
        self.0.insert(range.start, Area { end: range.end, backing });
    }

    /// What is behind the byte at `addr`: an object's offset is that byte's.
    pub fn at(&self, addr: u64) -> Option<Backing> {
        let (&start, area) = self.0.range(..=addr).next_back()?;
        (addr < area.end).then(|| advanced(area.backing, addr - start))
    }

    /// The parts of areas that lie in `range`.
    pub fn within(&self, range: Range<u64>) -> Vec<(Range<u64>, Backing)> {
        let before = self.0.range(..range.start).next_back();
        before
            .into_iter()
            .chain(self.0.range(range.start..range.end.max(range.start)))
            .filter(|(_, area)| area.end > range.start)
            .map(|(&start, area)| {
                let from = start.max(range.start);
                (from..area.end.min(range.end), advanced(area.backing, from - start))
            })
            .collect()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (Range<u64>, Backing)> {
        self.0.iter().map(|(&start, area)| (start..area.end, area.backing))
    }

    /// Takes out what lies in `range`; returns it, and how often each object lost (negative) or gained areas.
    pub fn remove(&mut self, range: Range<u64>) -> (Vec<Part>, Vec<(ObjectId, i32)>) {
        let parts = self.within(range.clone());
        let mut counts = Vec::new();
        for (part, backing) in &parts {
            let (&start, &area) = match self.0.range(..=part.start).next_back() {
                Some(found) => found,
                None => continue,
            };
            self.0.remove(&start);
            let mut change = -1;
            if start < part.start {
                self.0.insert(start, Area { end: part.start, backing: area.backing });
                change += 1;
            }
            if part.end < area.end {
                let rest = advanced(area.backing, part.end - start);
                self.0.insert(part.end, Area { end: area.end, backing: rest });
                change += 1;
            }
            if let Some(object) = object_of(*backing) {
                counts.push((object, change));
            }
        }
        (parts, counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_offsets() {
        let backing = Backing::Private { object: ObjectId(1), offset: 8192 };
        assert_eq!(advanced(backing, 4096), Backing::Private { object: ObjectId(1), offset: 12288 });
        let mut areas = Areas::default();
        areas.insert(0x10000..0x14000, backing);
        let of = |offset| Some(Backing::Private { object: ObjectId(1), offset });
        assert_eq!([0xffff, 0x10000, 0x13fff, 0x14000].map(|at| areas.at(at)), [None, of(8192), of(24575), None]);
        let (parts, counts) = areas.remove(0x11000..0x12000);
        assert_eq!(parts, [(0x11000..0x12000, advanced(backing, 0x1000))]);
        assert_eq!(counts, [(ObjectId(1), 1)]);
        assert_eq!(
            areas.all().collect::<Vec<_>>(),
            [(0x10000..0x11000, backing), (0x12000..0x14000, advanced(backing, 0x2000))]
        );
        let (parts, counts) = areas.remove(0..u64::MAX);
        assert_eq!(parts.len(), 2);
        assert_eq!(counts, [(ObjectId(1), -1), (ObjectId(1), -1)]);
    }
}
