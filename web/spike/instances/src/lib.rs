//! What both instances of the memory spike need: the layout of a cpu memory, an allocator that stays below the guest's
//! window and fails politely, and a panic handler.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use dlmalloc::{Allocator, Dlmalloc};

/// Where the guest's window begins in a cpu's memory; the instance's own data are below it.
pub const G: usize = 0x1000_0000;

/// Bytes kept free below [`G`], so that a small negative displacement cannot reach the instance's own data.
pub const GAP: usize = 0x1_0000;

/// Number of registers of the toy guest; the word after them is its pc.
pub const REGS: usize = 16;

/// Why a run of the toy guest stopped.
pub const EXIT_FUEL: i32 = 0;
/// The guest executed its system-call instruction.
pub const EXIT_SYSCALL: i32 = 1;
/// The guest did something that it must not.
pub const EXIT_FAULT: i32 = 2;

unsafe extern "C" {
    static __heap_base: u8;
}

/// Hands out the bytes between the end of the instance's static data and the guest's window.
struct BelowWindow {
    next: UnsafeCell<usize>,
}

// SAFETY: chunks come from a range that nothing else uses, are page-aligned, zero at first (the memory is fresh and
// the range grows only upwards) and never given twice.
unsafe impl Allocator for BelowWindow {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let base = (&raw const __heap_base) as usize;
        let size = size.next_multiple_of(65536);
        // SAFETY: one thread only.
        unsafe {
            if *self.next.get() == 0 {
                *self.next.get() = base.next_multiple_of(65536);
            }
            let at = *self.next.get();
            match at.checked_add(size) {
                Some(end) if end <= G - GAP => {
                    *self.next.get() = end;
                    (at as *mut u8, size, 0)
                }
                _ => (core::ptr::null_mut(), 0, 0),
            }
        }
    }
    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        core::ptr::null_mut()
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
        65536
    }
}

/// The global allocator of both instances.
pub struct Heap(UnsafeCell<Dlmalloc<BelowWindow>>);

// SAFETY: wasm instances of the spike have one thread.
unsafe impl Sync for Heap {}

impl Heap {
    /// The end of what the instance uses below the window: the bytes above it are still zero.
    pub fn high_water() -> usize {
        // SAFETY: one thread only; no reference outlives the statement.
        unsafe {
            let next = *(*HEAP.0.get()).allocator().next.get();
            if next == 0 { (&raw const __heap_base) as usize } else { next }
        }
    }
}

// SAFETY: forwards to dlmalloc; one thread only.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { (*self.0.get()).free(ptr, layout.size(), layout.align()) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(BelowWindow { next: UnsafeCell::new(0) })));

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
