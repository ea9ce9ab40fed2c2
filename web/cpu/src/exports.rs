//! What the glue calls. Everything is plain numbers; addresses are those of this instance's memory.

use crate::{Instance, WINDOW_BASE, heap};
use friscy_boundary::{MemError, PAGE_SIZE, WINDOW_SIZE};
use friscy_cpu::soft::Committed;
use friscy_interp::Interp;
use friscy_seam::access::page;
use friscy_web_messages::decode;
use std::cell::UnsafeCell;

/// The bit of a page byte that says that the page may not be zero (`friscy_cpu::soft::Run::bits`).
const USED: u8 = 128;

/// Log2 of wasm's page size.
const WASM_PAGE_BITS: u32 = 16;

/// The part of the memory from [`WINDOW_BASE`] on.
struct Window;

impl Committed for Window {
    fn window(&self) -> *mut u8 {
        WINDOW_BASE as *mut u8
    }

    fn ensure(&mut self, end: u64) -> Result<(), MemError> {
        if end > WINDOW_SIZE {
            return Err(MemError::NoMemory);
        }
        let missing = end.saturating_sub(self.size()).div_ceil(1 << WASM_PAGE_BITS);
        if missing > 0 && core::arch::wasm32::memory_grow(0, missing as usize) == usize::MAX {
            return Err(MemError::NoMemory);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        let all = (core::arch::wasm32::memory_size(0) as u64) << WASM_PAGE_BITS;
        all - WINDOW_BASE as u64
    }
}

/// Everything of the instance that lives from one call to the next.
struct Globals {
    instance: Option<Instance<Window>>,
    request: Vec<u8>,
    reply: Vec<u8>,
    ranges: Vec<u32>,
}

struct Single(UnsafeCell<Globals>);

// SAFETY: the instance has one thread.
unsafe impl Sync for Single {}

static GLOBALS: Single =
    Single(UnsafeCell::new(Globals { instance: None, request: Vec::new(), reply: Vec::new(), ranges: Vec::new() }));

fn globals() -> &'static mut Globals {
    // SAFETY: one thread; the exports below, its only callers, do not call each other and the glue calls none while
    // another runs.
    unsafe { &mut *GLOBALS.0.get() }
}

/// Sets the instance up in a memory that is zero above the static data.
#[unsafe(no_mangle)]
extern "C" fn init() {
    globals().instance = Some(Instance::new(Window, Box::new(Interp::new(heap::CODE_BYTES))));
}

/// The end of the instance's own data in use, but for translated code.
#[unsafe(no_mangle)]
extern "C" fn high_water() -> usize {
    heap::high_water()
}

/// Where translated code is.
#[unsafe(no_mangle)]
extern "C" fn code_base() -> usize {
    heap::CODE_BASE
}

/// How many bytes from [`code_base`] on were ever written.
#[unsafe(no_mangle)]
extern "C" fn code_written() -> usize {
    globals().instance.as_mut().map_or(0, Instance::code_written)
}

/// A buffer for a request of `len` bytes.
#[unsafe(no_mangle)]
extern "C" fn request(len: usize) -> *mut u8 {
    let request = &mut globals().request;
    request.clear();
    request.resize(len, 0);
    request.as_mut_ptr()
}

/// Does what the request in the buffer asks; returns the length of the reply: 0 for bytes that are no request.
#[unsafe(no_mangle)]
extern "C" fn handle() -> usize {
    let globals = globals();
    globals.reply = match (&mut globals.instance, decode(&globals.request)) {
        (Some(instance), Some(request)) => instance.handle(request),
        _ => Vec::new(),
    };
    globals.reply.len()
}

/// Where the reply is.
#[unsafe(no_mangle)]
extern "C" fn reply() -> *const u8 {
    globals().reply.as_ptr()
}

/// Collects the ranges of the window that may not be zero, mapped or not; returns how many there are.
#[unsafe(no_mangle)]
extern "C" fn collect_ranges() -> usize {
    let globals = globals();
    globals.ranges.clear();
    let Some(instance) = &mut globals.instance else { return 0 };
    let (bytes, count) = instance.page_bytes();
    let interesting = u64::from_ne_bytes([USED | page::DIRTY; 8]);
    let mut end = u64::MAX;
    for group in (0..count).step_by(8) {
        // SAFETY: the table has `count` bytes, a multiple of eight; no reference to it exists.
        let eight = unsafe { bytes.add(group).cast::<[u8; 8]>().read() };
        if u64::from_ne_bytes(eight) & interesting == 0 {
            continue;
        }
        for (index, byte) in eight.into_iter().enumerate() {
            if byte & (USED | page::DIRTY) == 0 {
                continue;
            }
            let at = (group + index) as u64 * PAGE_SIZE;
            if at == end {
                if let Some(len) = globals.ranges.last_mut() {
                    *len += PAGE_SIZE as u32;
                }
            } else {
                globals.ranges.extend([at as u32, PAGE_SIZE as u32]);
            }
            end = at + PAGE_SIZE;
        }
    }
    globals.ranges.len() / 2
}

/// Where the collected ranges are: offset in the window and length in bytes, 32 bits each.
#[unsafe(no_mangle)]
extern "C" fn ranges() -> *const u32 {
    globals().ranges.as_ptr()
}
