//! Where functions begin and end.

use crate::elf::Program;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The functions of a program, as far as they are known.
pub(crate) struct Functions {
    /// The end of each, by its start: they do not overlap.
    ranges: BTreeMap<u64, u64>,
    /// Places in the middle of them that are jumped to.
    inner: BTreeSet<u64>,
    /// The same that lie in none.
    loose: BTreeSet<u64>,
}

impl Functions {
    pub(crate) fn find(program: &Program<'_>) -> Functions {
        let mut known = program.ranges();
        known.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let mut functions = Functions { ranges: BTreeMap::new(), inner: BTreeSet::new(), loose: BTreeSet::new() };
        let mut end = 0;
        for range in known {
            // Of functions that lie in others only the starts are kept.
            if range.start < end {
                functions.inner.insert(range.start);
            } else {
                functions.ranges.insert(range.start, range.end);
                end = range.end;
            }
        }
        let ranges = &functions.ranges;
        functions.inner.retain(|at| !ranges.contains_key(at));
        for address in program.pointers() {
            functions.add(address);
        }
        functions
    }

    /// Adds a place that code is entered at.
    pub(crate) fn add(&mut self, address: u64) {
        match self.around(address) {
            Some(range) if range.start == address => {}
            Some(_) => {
                self.inner.insert(address);
            }
            None => {
                self.loose.insert(address);
            }
        }
    }

    fn around(&self, address: u64) -> Option<Range<u64>> {
        let (&start, &end) = self.ranges.range(..=address).next_back()?;
        (address < end).then_some(start..end)
    }

    /// Whether a function may start at an address: it is not in the middle of one.
    pub(crate) fn may_start_at(&self, address: u64) -> bool {
        self.around(address).is_none_or(|range| range.start == address)
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len() + self.loose.len()
    }

    /// Where functions start.
    pub(crate) fn starts(&self) -> BTreeSet<u64> {
        self.ranges.keys().chain(&self.loose).copied().collect()
    }

    /// The functions that have code in any of these ranges.
    pub(crate) fn within(&self, ranges: &[Range<u64>]) -> BTreeSet<u64> {
        let mut starts = BTreeSet::new();
        for range in ranges {
            let first = self.around(range.start).map_or(range.start, |around| around.start);
            starts.extend(self.ranges.range(first..range.end.max(first)).map(|(&start, _)| start));
            starts.extend(self.loose.range(range.start..range.end.max(range.start)).copied());
            if self.around(range.start).is_none() && range.start < range.end {
                starts.insert(range.start);
            }
        }
        starts
    }

    /// The function that has an address; of one whose end is not known, what comes before the next.
    pub(crate) fn extent(&self, start: u64) -> Range<u64> {
        if let Some(range) = self.around(start) {
            return range;
        }
        let next = self.ranges.range(start..).next().map_or(u64::MAX, |(&next, _)| next);
        start..next
    }

    /// The places in the middle of a function that are jumped to from outside.
    pub(crate) fn entries(&self, extent: &Range<u64>) -> BTreeSet<u64> {
        self.inner.range(extent.clone()).copied().collect()
    }
}
