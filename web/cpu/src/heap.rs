//! The allocator of the instance's own data: all of it lies below the window, and running out is an ordinary failure.

use crate::{GAP, WINDOW_BASE};
use dlmalloc::{Allocator, Dlmalloc};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Granularity of what dlmalloc is given.
const CHUNK: usize = 65536;

unsafe extern "C" {
    /// The end of the instance's static data, from the linker.
    static __heap_base: u8;
}

/// Hands out what lies between the static data and the gap below the window, upwards.
struct BelowWindow {
    next: UnsafeCell<usize>,
}

impl BelowWindow {
    fn next(&self) -> usize {
        // SAFETY: the instance has one thread, and no reference to the cell outlives a statement.
        match unsafe { *self.next.get() } {
            0 => ((&raw const __heap_base) as usize).next_multiple_of(CHUNK),
            next => next,
        }
    }
}

// SAFETY: chunks come from a range that nothing else uses, are aligned to 64 KiB, and no byte is given twice. They are
// zero: the memory is fresh or was wiped by the glue before the instance was set up in it.
unsafe impl Allocator for BelowWindow {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let at = self.next();
        match size.checked_next_multiple_of(CHUNK).and_then(|size| Some((size, at.checked_add(size)?))) {
            Some((size, end)) if end <= WINDOW_BASE - GAP => {
                // SAFETY: as in `next`.
                unsafe { *self.next.get() = end };
                (at as *mut u8, size, 0)
            }
            _ => (null_mut(), 0, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        CHUNK
    }
}

/// The global allocator.
struct Heap(UnsafeCell<Dlmalloc<BelowWindow>>);

// SAFETY: the instance has one thread.
unsafe impl Sync for Heap {}

// SAFETY: dlmalloc's promises are those of `GlobalAlloc`; one thread, and no call of it re-enters.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see the impl.
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: see the impl.
        unsafe { (*self.0.get()).free(ptr, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see the impl.
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: see the impl.
        unsafe { (*self.0.get()).realloc(ptr, layout.size(), layout.align(), new_size) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(BelowWindow { next: UnsafeCell::new(0) })));

/// The end of what the instance uses below the window: bytes from there to the window are zero.
pub(crate) fn high_water() -> usize {
    // SAFETY: one thread; the reference does not outlive the statement.
    unsafe { (*HEAP.0.get()).allocator().next() }
}
