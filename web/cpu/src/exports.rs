//! What the glue calls. Everything is plain numbers; addresses are those of this instance's memory.

use crate::compiler::{self, Page};
use crate::{Instance, WINDOW_BASE, heap};
use friscy_boundary::{Exit, MemError, PAGE_SIZE, Ran, WINDOW_SIZE};
use friscy_cpu::soft::{Committed, USED};
use friscy_interp::Interp;
use friscy_seam::Tier;
use friscy_seam::access::page;
use friscy_wasm::Wasm;
use friscy_web_messages::{Reply, Request, decode, encode};
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::rc::Rc;

/// The most bytes of wasm that an address space's compiled code may have.
const MAX_COMPILED_BYTES: usize = 16 << 20;

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

    fn pages(&self) -> NonNull<u8> {
        compiler::pages()
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

/// Sets the instance up in a memory that is zero above the static data. Slots of the table from `base_slot` on are for
/// compiled code, which may use fused multiply-adds if `fused` is not 0 ([`probe`]).
#[unsafe(no_mangle)]
extern "C" fn init(base_slot: u32, fused: u32) {
    compiler::set_up(base_slot, fused != 0);
    let form = Rc::default();
    let page = Rc::clone(&form);
    let make = move || -> Box<dyn Tier> { Box::new(Wasm::new(Page { form: Rc::clone(&page) }, MAX_COMPILED_BYTES)) };
    let tier = Box::new(Interp::new(heap::CODE_BYTES));
    // SAFETY: the place of the state is there for as long as the memory, and nobody else uses it.
    globals().instance = Some(unsafe { Instance::new(Window, compiler::state(), tier, Rc::new(make), form) });
}

/// Forgets what was compiled, since the address space is another instance's now, whose table has none of it.
#[unsafe(no_mangle)]
extern "C" fn detach() {
    compiler::reset();
    if let Some(instance) = &mut globals().instance {
        instance.detach();
    }
}

/// How many regions were compiled.
#[unsafe(no_mangle)]
extern "C" fn compiled() -> u32 {
    globals().instance.as_mut().map_or(0, |instance| instance.compiled() as u32)
}

/// How many functions run that were compiled ahead of time.
#[unsafe(no_mangle)]
extern "C" fn found_ahead() -> u32 {
    globals().instance.as_mut().map_or(0, |instance| instance.found_ahead() as u32)
}

/// The end of the instance's own data in use, but for what is at fixed addresses.
#[unsafe(no_mangle)]
extern "C" fn high_water() -> usize {
    heap::high_water()
}

/// Where the state, the page bytes and translated code are, which have fixed addresses.
#[unsafe(no_mangle)]
extern "C" fn fixed_base() -> usize {
    heap::FIXED_BASE
}

/// How many bytes from [`fixed_base`] on were ever written.
#[unsafe(no_mangle)]
extern "C" fn fixed_written() -> usize {
    let code = globals().instance.as_mut().map_or(0, Instance::code_written);
    heap::CODE_BASE - heap::FIXED_BASE + code
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

/// Makes the reply to a run in which compiled code trapped because it reached beyond the memory; returns its length: 0 if
/// no compiled code ran. Nothing else may be asked of the instance after a trap.
#[unsafe(no_mangle)]
extern "C" fn lost_fault() -> usize {
    let globals = globals();
    let request = if compiler::is_entered() { decode(&globals.request) } else { None };
    globals.reply = match request {
        Some(Request::Run { regs, .. }) => {
            let ran = Ran { exit: Exit::LostFault, retired: 0 };
            encode(&Reply::Ran { ran, regs, sampler: None })
        }
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
