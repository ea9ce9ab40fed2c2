//! Where a mapping goes: hints are honoured when free, else top-down from [`MMAP_BASE`].

use super::{MMAP_BASE, Mm, page_down, page_up};
use friscy_boundary::{HIGHEST_ADDRESS, LOWEST_ADDRESS};

impl Mm {
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
        self.find_below(MMAP_BASE, len).or_else(|| self.find_below(HIGHEST_ADDRESS, len))
    }

    /// The highest free place for `len` bytes that ends at or below `top`.
    fn find_below(&self, top: u64, len: u64) -> Option<u64> {
        let mut ceiling = top;
        for vma in self.vmas.range(..top).rev().map(|(_, vma)| vma) {
            if vma.end <= ceiling && ceiling - vma.end >= len {
                return Some(ceiling - len);
            }
            ceiling = ceiling.min(vma.start);
        }
        let start = ceiling.checked_sub(len)?;
        (start >= LOWEST_ADDRESS).then(|| page_down(start))
    }
}
