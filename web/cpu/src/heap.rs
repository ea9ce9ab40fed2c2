//! The allocator of the instance's own data: all of it lies below the window, and running out is an ordinary failure.

use crate::{GAP, WINDOW_BASE};
use dlmalloc::{Allocator, Dlmalloc};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ptr::null_mut;

/// Granularity of what dlmalloc is given.
const CHUNK: usize = 65536;

/// Bytes that translated code may take. What is written of them is copied by a fork.
pub(crate) const CODE_BYTES: usize = 12 << 20;

/// Where the block of [`CODE_BYTES`] is: apart from all others, at the end, so that copies of the instance's data leave
/// out what is not written of it.
pub(crate) const CODE_BASE: usize = WINDOW_BASE - GAP - CODE_BYTES;

/// Where the state is and the page bytes, and behind them translated code: the heap ends there.
pub(crate) const FIXED_BASE: usize = friscy_wasm::Layout::BROWSER.state as usize;

unsafe extern "C" {
    /// The end of the instance's static data, from the linker.
    static __heap_base: u8;
}

/// Hands out what lies between the static data and what has a fixed address, upwards.
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
            Some((size, end)) if end <= FIXED_BASE => {
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
struct Heap {
    blocks: UnsafeCell<Dlmalloc<BelowWindow>>,
    /// Whether the block at [`CODE_BASE`] is in use.
    code: Cell<bool>,
}

// SAFETY: the instance has one thread.
unsafe impl Sync for Heap {}

// SAFETY: dlmalloc's promises are those of `GlobalAlloc`; one thread, and no call of it re-enters. The block at
// `CODE_BASE` is aligned to 64 KiB, nothing else uses it, and it is given to one at a time.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == CODE_BYTES && layout.align() <= CHUNK && !self.code.replace(true) {
            return CODE_BASE as *mut u8;
        }
        // SAFETY: see the impl.
        unsafe { (*self.blocks.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if ptr as usize == CODE_BASE {
            self.code.set(false);
            return;
        }
        // SAFETY: see the impl.
        unsafe { (*self.blocks.get()).free(ptr, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see the impl.
        unsafe { (*self.blocks.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if ptr as usize == CODE_BASE {
            // SAFETY: the caller's promises; the sizes say how much both blocks have.
            unsafe {
                let new = (*self.blocks.get()).malloc(new_size, layout.align());
                if !new.is_null() {
                    new.copy_from_nonoverlapping(ptr, new_size.min(CODE_BYTES));
                    self.code.set(false);
                }
                return new;
            }
        }
        // SAFETY: see the impl.
        unsafe { (*self.blocks.get()).realloc(ptr, layout.size(), layout.align(), new_size) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap {
    blocks: UnsafeCell::new(Dlmalloc::new_with_allocator(BelowWindow { next: UnsafeCell::new(0) })),
    code: Cell::new(false),
};

/// The end of what the instance uses below [`FIXED_BASE`]: bytes from there on are zero.
pub(crate) fn high_water() -> usize {
    // SAFETY: one thread; the reference does not outlive the statement.
    unsafe { (*HEAP.blocks.get()).allocator().next() }
}
