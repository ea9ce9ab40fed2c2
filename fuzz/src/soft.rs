//! The engine as it runs on wasm, with accesses checked in software, as executors.

use crate::compare::Executor;
use crate::memory::{Model, Object, PAGES};
use friscy_boundary::{MemError, PAGE_SIZE, Ran, Regs, WINDOW_SIZE};
use friscy_cpu::soft::{Committed, PAGE_BYTES, SoftSpace};
use friscy_cpu::{Policy, RunMemory, Stop, Translations, Translator, load, run, store};
use friscy_interp::Interp;
use friscy_seam::{State, Tier};
use friscy_wasm::{AccessForm, Wasm, Wasmtime};
use std::cell::RefCell;
use std::ptr::NonNull;
use std::rc::Rc;

/// The interpreter with and without handlers of pairs, and with the tier that makes wasm above it, in both forms of loads.
pub fn executors(memory: &Model, room: usize) -> Vec<Box<dyn Executor>> {
    vec![
        Box::new(OnSpace::interpreted("checked interp", Interp::new(room), memory)),
        Box::new(OnSpace::interpreted("checked interp without pairs", Interp::without_pairs(room), memory)),
        Box::new(OnSpace::compiled("wasm", AccessForm::Checked, Interp::new(room), memory)),
        Box::new(OnSpace::compiled("wasm with plain loads", AccessForm::Plain, Interp::new(room), memory)),
    ]
}

/// A whole window, of which the host gives what is touched.
struct Whole {
    window: *mut u8,
    pages: NonNull<u8>,
    /// What holds both, if nobody else does.
    _held: Option<(Vec<u8>, Vec<u8>)>,
}

impl Whole {
    fn new() -> Whole {
        let (mut window, mut pages) = (vec![0; WINDOW_SIZE as usize], vec![0; PAGE_BYTES]);
        let at = (window.as_mut_ptr(), NonNull::from(&mut pages[0]));
        Whole { window: at.0, pages: at.1, _held: Some((window, pages)) }
    }
}

impl Committed for Whole {
    fn window(&self) -> *mut u8 {
        self.window
    }

    fn ensure(&mut self, _: u64) -> Result<(), MemError> {
        Ok(())
    }

    fn size(&self) -> u64 {
        WINDOW_SIZE
    }

    fn pages(&self) -> NonNull<u8> {
        self.pages
    }
}

struct OnSpace {
    name: &'static str,
    form: AccessForm,
    // The tiers go before the memory that they may have.
    translations: Translations,
    space: SoftSpace<Whole>,
    state: *mut State,
    _own_state: Option<Box<State>>,
    translator: Translator,
}

impl OnSpace {
    fn interpreted(name: &'static str, tier: Interp, memory: &Model) -> OnSpace {
        let mut space = filled(Whole::new(), memory);
        let mut state = State::new(space.window(), space.pages());
        let translations = Translations::new(Box::new(tier));
        let translator = Translator::default();
        let (form, at) = (AccessForm::Checked, &raw mut *state);
        OnSpace { name, form, translations, space, state: at, _own_state: Some(state), translator }
    }

    /// With the tier that makes wasm, in whose memory all is.
    fn compiled(name: &'static str, form: AccessForm, tier: Interp, memory: &Model) -> OnSpace {
        let host = Wasmtime::new(form).expect("wasmtime gives a memory");
        let pages = NonNull::new(host.pages()).expect("an address");
        let mut space = filled(Whole { window: host.window(), pages, _held: None }, memory);
        let state = host.state();
        // SAFETY: the host's memory has room for a state there, of which nobody else knows.
        unsafe { state.write(State::initial(space.window(), space.pages())) };
        let host = RefCell::new(Some(host));
        let make = move || -> Box<dyn Tier> { Box::new(Wasm::new(host.take().expect("one tier is made"), 1 << 20)) };
        let policy = Policy { slice: 8, hot: 2, hot_when_idle: 2, start: 0 };
        let translations = Translations::new(Box::new(tier)).with_compiler(Rc::new(make), policy);
        OnSpace { name, form, translations, space, state, _own_state: None, translator: Translator::default() }
    }
}

/// A space with the pages of all programs.
fn filled(memory: Whole, model: &Model) -> SoftSpace<Whole> {
    let mut space = SoftSpace::new(memory);
    for page in PAGES {
        let end = match page.object {
            Object::None => None,
            Object::Page => Some(page.addr + PAGE_SIZE),
            Object::Beyond => Some(page.addr),
        };
        let _ = space.map(page.addr..page.addr + PAGE_SIZE, page.prot, end).expect("a page can be mapped");
        if page.object != Object::Beyond {
            let _ = space.poke(page.addr, model.page(page.addr)).expect("a mapped page can be written");
        }
    }
    space
}

impl Executor for OnSpace {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Option<Ran> {
        // SAFETY: the state is this executor's, or in the memory that its tier has.
        let state = unsafe { &mut *self.state };
        load(state, regs, fuel);
        loop {
            // SAFETY: the state was made with this space's window and page bytes; nothing but the guest changes code, and
            // what it changes is forgotten at `fence.i`; accesses are checked, so that no host fault occurs.
            let stop = unsafe { run(state, &mut self.translations, &self.space, &mut self.translator) };
            match stop {
                Stop::Exit(exit) => {
                    let retired = store(state, regs, fuel);
                    return Some(Ran { exit, retired });
                }
                Stop::FenceI => {
                    for range in self.space.changeable_code() {
                        self.translations.forget(range);
                    }
                }
            }
        }
    }

    fn read(&mut self, addr: u64, page: &mut [u8]) {
        self.space.copy_in(addr, page).expect("the page can be read");
    }

    fn sees_faults(&self) -> bool {
        self.form == AccessForm::Checked
    }
}
