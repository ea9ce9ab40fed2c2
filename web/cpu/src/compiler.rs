//! How compiled code comes to run in a browser: modules are offered to the glue, which instantiates them with this
//! instance's memory and table.

use crate::heap;
use friscy_cpu::soft::PAGE_BYTES;
use friscy_seam::State;
use friscy_wasm::ahead::Found;
use friscy_wasm::{AccessForm, Attached, ENTER_SLOT, Features, Host, Installed, Layout};
use std::alloc::{Layout as Block, alloc_zeroed};
use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::rc::Rc;

/// Where the page bytes are.
pub(crate) fn pages() -> NonNull<u8> {
    // SAFETY: it is no null pointer.
    unsafe { NonNull::new_unchecked(Layout::BROWSER.pages as *mut u8) }
}

/// Where the state is.
pub(crate) fn state() -> NonNull<State> {
    // SAFETY: as above.
    unsafe { NonNull::new_unchecked(Layout::BROWSER.state as *mut State) }
}

const _: () = assert!(Layout::BROWSER.state as usize + size_of::<State>() <= Layout::BROWSER.pages as usize);
const _: () = assert!(Layout::BROWSER.state as usize % align_of::<State>() == 0);
const _: () = assert!(Layout::BROWSER.pages as usize + PAGE_BYTES == heap::CODE_BASE);

/// A module for the glue.
struct Offer {
    number: u32,
    module: Vec<u8>,
    slots: u32,
}

/// A wish for a module that was compiled ahead of time, as the glue reads it: its name, its number in the bundle, the halves
/// of the address at which its file is loaded, the slot of its first function, how many slots the table has to have, and
/// where cells and jump cache are.
#[repr(C)]
struct Wish {
    number: u32,
    module: u32,
    base: u32,
    base_high: u32,
    slots: u32,
    end: u32,
    cells: u32,
    cache: u32,
}

mod imports {
    #[link(wasm_import_module = "friscy")]
    unsafe extern "C" {
        /// Looks an address up in the table of a module that was compiled ahead of time, writes three words, and answers 1;
        /// or 0 if there is no entry.
        pub fn ahead_find(module: u32, address: u32, found: *mut [u32; 3]) -> u32;
        /// Where a cell of such a module leads, or 0.
        pub safe fn ahead_target(module: u32, cell: u32) -> u32;
    }
}

/// What the tier and the glue have to say to each other.
struct Exchange {
    base_slot: u32,
    fused: bool,
    offers: VecDeque<Offer>,
    /// Modules that were compiled ahead of time and are asked for, with their names.
    wanted: VecDeque<(u32, Attached)>,
    /// The one that the glue takes now.
    wish: Wish,
    /// The one that the glue takes now.
    taken: Option<Offer>,
    installed: VecDeque<(u32, bool)>,
    /// Compiled code runs.
    entered: bool,
}

struct Single(UnsafeCell<Exchange>);

// SAFETY: the instance has one thread.
unsafe impl Sync for Single {}

static EXCHANGE: Single = Single(UnsafeCell::new(Exchange {
    base_slot: 0,
    fused: false,
    offers: VecDeque::new(),
    wanted: VecDeque::new(),
    wish: Wish { number: 0, module: 0, base: 0, base_high: 0, slots: 0, end: 0, cells: 0, cache: 0 },
    taken: None,
    installed: VecDeque::new(),
    entered: false,
}));

fn exchange() -> &'static mut Exchange {
    // SAFETY: one thread; no function here calls another one of those that ask for it.
    unsafe { &mut *EXCHANGE.0.get() }
}

pub(crate) fn set_up(base_slot: u32, fused: bool) {
    let exchange = exchange();
    (exchange.base_slot, exchange.fused) = (base_slot, fused);
}

/// Whether compiled code ran when the instance trapped.
pub(crate) fn is_entered() -> bool {
    exchange().entered
}

/// Forgets what was said.
pub(crate) fn reset() {
    let exchange = exchange();
    exchange.offers.clear();
    exchange.wanted.clear();
    exchange.installed.clear();
    exchange.taken = None;
}

/// The page, as the tier sees it.
pub(crate) struct Page {
    pub(crate) form: Rc<Cell<AccessForm>>,
}

impl Host for Page {
    fn layout(&self) -> Layout {
        Layout::BROWSER
    }

    fn features(&self) -> Features {
        Features { fused: exchange().fused }
    }

    fn access_form(&self) -> AccessForm {
        self.form.get()
    }

    fn base_slot(&self) -> u32 {
        exchange().base_slot
    }

    fn room(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let block = Block::from_size_align(bytes, 16).ok().filter(|block| block.size() > 0)?;
        // SAFETY: the block is not empty. It is never given back: the tier lives as long as the instance.
        NonNull::new(unsafe { alloc_zeroed(block) })
    }

    fn address(&self, room: NonNull<u8>) -> u32 {
        room.as_ptr() as u32
    }

    fn install(&mut self, number: u32, module: Vec<u8>, slots: u32) -> Installed {
        exchange().offers.push_back(Offer { number, module, slots });
        Installed::Pending
    }

    fn attach(&mut self, number: u32, attached: &Attached) {
        exchange().wanted.push_back((number, *attached));
    }

    fn find(&self, module: u32, address: u32) -> Option<Found> {
        let mut found = [0; 3];
        // SAFETY: the glue writes three words during the call.
        let is_there = unsafe { imports::ahead_find(module, address, &raw mut found) } != 0;
        let [code, start, end] = found;
        is_there.then_some(Found { code, start, end })
    }

    fn target(&self, module: u32, cell: u32) -> Option<u32> {
        Some(imports::ahead_target(module, cell)).filter(|&target| target != 0)
    }

    fn installed(&mut self) -> Option<(u32, bool)> {
        exchange().installed.pop_front()
    }

    unsafe fn enter(&mut self, slot: u32, context: u32, state: *mut State) -> u64 {
        let function = (exchange().base_slot + ENTER_SLOT) as usize;
        // SAFETY: pointers to functions are slots of the table, and what is in that one the tier's first module has put
        // there before there was any code to enter. The rest is the caller's promise.
        unsafe {
            let enter: extern "C" fn(u32, u32, i64, *mut u8) -> u64 = std::mem::transmute(function);
            let fuel_at = state.cast::<u8>().add(offset_of!(State, fuel));
            exchange().entered = true;
            let result = enter(slot, context, (*state).fuel, fuel_at);
            exchange().entered = false;
            result
        }
    }
}

/// Takes the next module that is to be instantiated; returns its length in bytes, 0 if there is none.
#[unsafe(no_mangle)]
extern "C" fn offered() -> usize {
    let exchange = exchange();
    exchange.taken = exchange.offers.pop_front();
    exchange.taken.as_ref().map_or(0, |offer| offer.module.len())
}

/// Where the module that was taken is.
#[unsafe(no_mangle)]
extern "C" fn offered_module() -> *const u8 {
    exchange().taken.as_ref().map_or(std::ptr::null(), |offer| offer.module.as_ptr())
}

/// Its number.
#[unsafe(no_mangle)]
extern "C" fn offered_number() -> u32 {
    exchange().taken.as_ref().map_or(0, |offer| offer.number)
}

/// How many slots the table needs for it.
#[unsafe(no_mangle)]
extern "C" fn offered_slots() -> u32 {
    exchange().taken.as_ref().map_or(0, |offer| offer.slots)
}

/// Takes the next wish for a module that was compiled ahead of time; where it is, or 0 if there is none.
#[unsafe(no_mangle)]
extern "C" fn wanted() -> *const u32 {
    let exchange = exchange();
    let Some((number, attached)) = exchange.wanted.pop_front() else { return std::ptr::null() };
    let Attached { module, base, slots, end, cells, cache } = attached;
    let (base, base_high) = (base as u32, (base >> 32) as u32);
    exchange.wish = Wish { number, module, base, base_high, slots, end, cells, cache };
    (&raw const exchange.wish).cast()
}

/// Says that a module's functions are in the table, or (0) that the browser refused it.
#[unsafe(no_mangle)]
extern "C" fn installed(number: u32, done: u32) {
    exchange().installed.push_back((number, done != 0));
}

/// What modules import: the exact implementation of floating-point ops.
#[unsafe(no_mangle)]
extern "C" fn float(what: u32, a: u64, b: u64, c: u64) -> u64 {
    // SAFETY: compiled code, which alone calls this, waits; who entered it does not look at the state meanwhile.
    friscy_wasm::float(unsafe { state().as_mut() }, what, [a, b, c])
}

/// A module that says whether the browser multiplies and adds in one: its function `fused` returns 1 then. A browser without
/// such instructions finds it invalid. Where its bytes are.
#[unsafe(no_mangle)]
extern "C" fn probe() -> *const u8 {
    let exchange = exchange();
    let probe = exchange.taken.insert(Offer { number: 0, module: friscy_wasm::probe(), slots: 0 });
    probe.module.as_ptr()
}

/// How many they are, after [`probe`].
#[unsafe(no_mangle)]
extern "C" fn probe_len() -> usize {
    exchange().taken.as_ref().map_or(0, |offer| offer.module.len())
}
