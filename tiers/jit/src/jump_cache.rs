//! The jump cache of one class of rounding mode, in memory that the host gives when lines are filled.

use friscy_seam::lines;
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

/// A line: where compiled code for a guest address is. Compiled code reads it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Line {
    /// Guest address.
    pub(crate) pc: u64,
    /// Host address.
    pub(crate) code: u64,
    /// Number of the entry.
    pub(crate) entry: u64,
    _pad: u64,
}

/// How many there are: programs of node's size call ten thousand functions by registers while they start.
pub(crate) const LINES: usize = 1 << 15;

/// Nothing. Where address 0 is looked for there are [`NEVER`].
const EMPTY: Line = Line { pc: 0, code: 0, entry: 0, _pad: 0 };

/// Nothing, where address 0 is looked for: addresses are even.
const NEVER: Line = Line { pc: 1, ..EMPTY };

impl Line {
    pub(crate) fn new(pc: u64, code: u64, entry: u64) -> Line {
        Line { pc, code, entry, _pad: 0 }
    }
}

impl lines::Line for Line {
    fn is_of(&self, pc: u64) -> bool {
        self.pc == pc
    }
}

/// A jump cache.
pub(crate) struct JumpCache {
    lines: Box<[Line; LINES]>,
    /// The lines that are not empty, some of them more than once.
    filled: Vec<u32>,
}

impl JumpCache {
    pub(crate) fn new() -> JumpCache {
        let layout = Layout::new::<[Line; LINES]>();
        // SAFETY: the layout has a size; lines are numbers, and zeros are the empty one.
        let lines = unsafe {
            let lines: *mut [Line; LINES] = alloc_zeroed(layout).cast();
            if lines.is_null() {
                handle_alloc_error(layout);
            }
            Box::from_raw(lines)
        };
        let mut cache = JumpCache { lines, filled: Vec::new() };
        cache.clear();
        cache
    }

    /// Where it is, for as long as it lives.
    pub(crate) fn address(&self) -> u64 {
        self.lines.as_ptr() as u64
    }

    /// The line that a guest address has, if it has one.
    pub(crate) fn line_of(&mut self, pc: u64) -> Option<&mut Line> {
        lines::line_of(&mut self.lines[..], pc)
    }

    pub(crate) fn insert(&mut self, line: Line) {
        self.filled.extend(lines::ways(line.pc, LINES).map(|at| at as u32));
        lines::insert(&mut self.lines[..], line.pc, line);
        if self.filled.len() > 4 * LINES {
            self.filled.sort_unstable();
            self.filled.dedup();
        }
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.filled.drain(..).for_each(|at| self.lines[at as usize] = EMPTY);
        lines::ways(0, LINES).into_iter().for_each(|at| self.lines[at] = NEVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_that_of_address_0() {
        let mut cache = JumpCache::new();
        assert!(cache.line_of(0).is_none() && cache.line_of(0x1000).is_none());
        cache.insert(Line::new(2, 7, 0));
        cache.insert(Line::new(0x1000, 8, 1));
        assert_eq!(cache.line_of(2).map(|line| line.code), Some(7));
        assert_eq!(cache.line_of(0x1000).map(|line| line.entry), Some(1));
        assert!(cache.line_of(0).is_none());
        cache.clear();
        assert!([0, 2, 0x1000].into_iter().all(|pc| cache.line_of(pc).is_none()));
    }
}
