//! The allocator of the instance: dlmalloc, given memory in large pieces, since growing a memory takes the browser a
//! tenth of a millisecond and file contents come in blocks of pages.

use dlmalloc::{Allocator, Dlmalloc};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// What the memory grows by at least, in bytes.
const GROWTH: usize = 8 << 20;

/// Log2 of wasm's page size.
const PAGE_BITS: u32 = 16;

struct Grown;

// SAFETY: memory that the instance grows by belongs to the caller alone; it is zero and aligned to 64 KiB.
unsafe impl Allocator for Grown {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        for size in [size.max(GROWTH), size] {
            let pages = size.div_ceil(1 << PAGE_BITS);
            let before = core::arch::wasm32::memory_grow(0, pages);
            if before != usize::MAX {
                return ((before << PAGE_BITS) as *mut u8, pages << PAGE_BITS, 0);
            }
        }
        (null_mut(), 0, 0)
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
        1 << PAGE_BITS
    }
}

struct Heap(UnsafeCell<Dlmalloc<Grown>>);

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
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Grown)));
