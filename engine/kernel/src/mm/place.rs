//! Where a mapping goes: hints are honoured when free, else top-down from [`Mm::mmap_base`].

use super::{Mm, page_down, page_up};
use friscy_boundary::{HIGHEST_ADDRESS, LOWEST_ADDRESS};

/// What is known of the gaps between mappings: from `floor` up to [`Mm::mmap_base`] none is of `len` bytes or more. So who
/// maps without end is not looked a place for among all mappings each time.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    len: u64,
    floor: u64,
}

impl Default for Packed {
    fn default() -> Packed {
        Packed { len: u64::MAX, floor: u64::MAX }
    }
}

impl Mm {
    /// A place was freed that ends at `end`: the gap there reaches to the next mapping.
    pub(super) fn note_gap(&self, end: u64) {
        let Packed { len, floor } = self.packed.get();
        if end > floor {
            let next = self.vmas.range(end..).next().map_or(u64::MAX, |(&start, _)| start);
            self.packed.set(Packed { len, floor: next });
        }
    }

    /// Whether nothing is mapped in `[start, end)` and it lies within the window.
    #[must_use]
    pub fn is_free(&self, start: u64, end: u64) -> bool {
        start >= LOWEST_ADDRESS
            && end <= HIGHEST_ADDRESS
            && start < end
            && self.overlapping(start, end).next().is_none()
    }

    /// A free place for `len` bytes (a multiple of a page), at the hint if it is free there.
    #[must_use]
    pub fn find_free(&self, hint: u64, len: u64) -> Option<u64> {
        if hint != 0
            && let Some(hint) = page_up(hint)
            && let Some(end) = hint.checked_add(len)
            && self.is_free(hint, end)
        {
            return Some(hint);
        }
        self.find_below(self.mmap_base, len).or_else(|| self.find_below(HIGHEST_ADDRESS, len))
    }

    /// The highest free place for `len` bytes that ends at or below `top`.
    fn find_below(&self, top: u64, len: u64) -> Option<u64> {
        let packed = self.packed.get();
        let known = top == self.mmap_base && packed.len <= len;
        let mut ceiling = if known { top.min(packed.floor) } else { top };
        for vma in self.vmas.range(..ceiling).rev().map(|(_, vma)| vma) {
            if vma.end <= ceiling && ceiling - vma.end >= len {
                break;
            }
            ceiling = ceiling.min(vma.start);
        }
        if top == self.mmap_base && len <= packed.len {
            self.packed.set(Packed { len, floor: ceiling });
        }
        let start = ceiling.checked_sub(len)?;
        (start >= LOWEST_ADDRESS).then(|| page_down(start))
    }
}
