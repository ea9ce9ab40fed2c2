//! The cpu instance of the spike: a toy guest that lives in the window, its state in linear memory, one byte a page.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use friscy_spike_instances::{EXIT_FAULT, EXIT_FUEL, EXIT_SYSCALL, G, Heap, REGS};

const PAGES: usize = 0xf000_0000 >> 12;
const MAPPED: u8 = 1;
const DIRTY: u8 = 2;

struct Shared<T>(UnsafeCell<T>);
// SAFETY: wasm instances of the spike have one thread.
unsafe impl<T> Sync for Shared<T> {}

static STATE: Shared<[i32; REGS + 1]> = Shared(UnsafeCell::new([0; REGS + 1]));
static PAGE: Shared<[u8; PAGES]> = Shared(UnsafeCell::new([0; PAGES]));
static KEEP: Shared<Vec<Vec<u8>>> = Shared(UnsafeCell::new(Vec::new()));

fn pages() -> &'static mut [u8; PAGES] {
    // SAFETY: one thread, and no caller keeps the reference over another call.
    unsafe { &mut *PAGE.0.get() }
}

/// The address of the registers and pc.
#[unsafe(no_mangle)]
extern "C" fn state() -> usize {
    STATE.0.get() as usize
}

/// The address of the page bytes.
#[unsafe(no_mangle)]
extern "C" fn page_bytes() -> usize {
    PAGE.0.get() as usize
}

/// The end of the instance's own data in use.
#[unsafe(no_mangle)]
extern "C" fn high_water() -> usize {
    Heap::high_water()
}

/// Marks pages as mapped.
#[unsafe(no_mangle)]
extern "C" fn map(addr: u32, len: u32) {
    for page in addr >> 12..(addr + len) >> 12 {
        pages()[page as usize] |= MAPPED;
    }
}

/// Whether a page was written since it was last asked.
#[unsafe(no_mangle)]
extern "C" fn take_dirty(addr: u32) -> u32 {
    let byte = &mut pages()[(addr >> 12) as usize];
    let dirty = *byte & DIRTY != 0;
    *byte &= !DIRTY;
    dirty as u32
}

/// Allocates and keeps MiB blocks until the allocator refuses; says how many it got.
#[unsafe(no_mangle)]
extern "C" fn fill_heap() -> u32 {
    let mut got = 0;
    loop {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(1 << 20).is_err() {
            return got;
        }
        block.push(1);
        got += 1;
        // SAFETY: one thread.
        let keep = unsafe { &mut *KEEP.0.get() };
        if keep.try_reserve(1).is_err() {
            return got;
        }
        keep.push(block);
    }
}

/// Does nothing: measures a call.
#[unsafe(no_mangle)]
extern "C" fn echo(value: u32) -> u32 {
    value
}

fn checked(addr: i32) -> Option<*mut i32> {
    let addr = addr as u32 as usize;
    if addr & 3 != 0 || *pages().get(addr >> 12)? & MAPPED == 0 { None } else { Some((G + addr) as *mut i32) }
}

/// Runs the toy guest for at most `fuel` instructions.
#[unsafe(no_mangle)]
extern "C" fn run(mut fuel: u32) -> i32 {
    // SAFETY: one thread; nothing else borrows the state while the guest runs.
    let s = unsafe { &mut *STATE.0.get() };
    loop {
        if fuel == 0 {
            return EXIT_FUEL;
        }
        fuel -= 1;
        let Some(at) = checked(s[REGS]) else { return EXIT_FAULT };
        // SAFETY: a mapped page of the window, and instructions are 16 bytes at multiples of 16.
        let [op, a, b, c] = unsafe { *(at as *const [i32; 4]) };
        let (ra, rb) = (a as usize & 15, b as usize & 15);
        let mut next = s[REGS].wrapping_add(16);
        match op {
            0 => s[ra] = b,
            1 => s[ra] = s[rb].wrapping_add(s[c as usize & 15]),
            2 => match checked(s[rb].wrapping_add(c)) {
                // SAFETY: a mapped page of the window.
                Some(p) => s[ra] = unsafe { *p },
                None => return EXIT_FAULT,
            },
            3 => match checked(s[rb].wrapping_add(c)) {
                Some(p) => {
                    // SAFETY: a mapped page of the window.
                    unsafe { *p = s[ra] };
                    pages()[(s[rb].wrapping_add(c) as u32 >> 12) as usize] |= DIRTY;
                }
                None => return EXIT_FAULT,
            },
            4 => {
                if s[ra] != s[rb] {
                    next = c
                }
            }
            5 => {
                s[REGS] = next;
                return EXIT_SYSCALL;
            }
            _ => return EXIT_FAULT,
        }
        s[REGS] = next;
    }
}
