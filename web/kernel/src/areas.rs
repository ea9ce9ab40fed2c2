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
