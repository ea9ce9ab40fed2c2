//! How compiled code comes to run in a browser: modules are offered to the glue, which instantiates them with this
//! instance's memory and table.

use friscy_cpu::soft::PAGE_BYTES;
use friscy_seam::State;
use friscy_wasm::{AccessForm, ENTER_SLOT, Features, Host, Installed, Layout};
use std::alloc::{Layout as Block, alloc_zeroed};
use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::mem::{MaybeUninit, offset_of};
use std::ptr::NonNull;
use std::rc::Rc;

/// What compiled code finds at addresses that do not change.
#[repr(C, align(4096))]
pub(crate) struct Fixed {
    pages: UnsafeCell<[u8; PAGE_BYTES]>,
    state: UnsafeCell<MaybeUninit<State>>,
}

// SAFETY: the instance has one thread.
unsafe impl Sync for Fixed {}

pub(crate) static FIXED: Fixed =
    Fixed { pages: UnsafeCell::new([0; PAGE_BYTES]), state: UnsafeCell::new(MaybeUninit::uninit()) };

impl Fixed {
    pub(crate) fn pages(&self) -> NonNull<u8> {
        NonNull::from(&self.pages).cast()
    }

    pub(crate) fn state(&self) -> NonNull<State> {
        NonNull::from(&self.state).cast()
    }
}

/// A module for the glue.
struct Offer {
    number: u32,
    module: Vec<u8>,
    slots: u32,
}

/// What the tier and the glue have to say to each other.
struct Exchange {
    base_slot: u32,
    fused: bool,
    offers: VecDeque<Offer>,
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
    exchange.installed.clear();
    exchange.taken = None;
}

/// The page, as the tier sees it.
pub(crate) struct Page {
    pub(crate) form: Rc<Cell<AccessForm>>,
}

impl Host for Page {
    fn layout(&self) -> Layout {
        Layout {
            window: crate::WINDOW_BASE as u32,
            state: FIXED.state().as_ptr() as u32,
            pages: FIXED.pages().as_ptr() as u32,
        }
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

/// Says that a module's functions are in the table, or (0) that the browser refused it.
#[unsafe(no_mangle)]
extern "C" fn installed(number: u32, done: u32) {
    exchange().installed.push_back((number, done != 0));
}

/// What modules import: the exact implementation of floating-point ops.
#[unsafe(no_mangle)]
extern "C" fn float(what: u32, a: u64, b: u64, c: u64) -> u64 {
    // SAFETY: compiled code, which alone calls this, waits; who entered it does not look at the state meanwhile.
    friscy_wasm::float(unsafe { FIXED.state().as_mut() }, what, [a, b, c])
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
