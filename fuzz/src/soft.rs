//! The engine as it runs on wasm, with accesses checked in software, as executors.

use crate::compare::Executor;
use crate::memory::{Model, Object, PAGES};
use friscy_boundary::{MemError, PAGE_SIZE, Ran, Regs, WINDOW_SIZE};
use friscy_cpu::soft::{Committed, SoftSpace};
use friscy_cpu::{RunMemory, Stop, Translations, Translator, load, run, store};
use friscy_interp::Interp;
use friscy_seam::{State, Tier};

/// The interpreter with and without handlers of pairs.
pub fn executors(memory: &Model, room: usize) -> Vec<Box<dyn Executor>> {
    vec![
        Box::new(OnSpace::new("checked interp", Box::new(Interp::new(room)), memory)),
        Box::new(OnSpace::new("checked interp without pairs", Box::new(Interp::without_pairs(room)), memory)),
    ]
}

/// A whole window, of which the host gives what is touched.
struct Whole(Vec<u8>);

impl Committed for Whole {
    fn window(&self) -> *mut u8 {
        self.0.as_ptr().cast_mut()
    }

    fn ensure(&mut self, _: u64) -> Result<(), MemError> {
        Ok(())
    }

    fn size(&self) -> u64 {
        WINDOW_SIZE
    }
}

struct OnSpace {
    name: &'static str,
    space: SoftSpace<Whole>,
    state: Box<State>,
    translations: Translations,
    translator: Translator,
}

impl OnSpace {
    fn new(name: &'static str, tier: Box<dyn Tier>, memory: &Model) -> OnSpace {
        let mut space = SoftSpace::new(Whole(vec![0; WINDOW_SIZE as usize]));
        for page in PAGES {
            let end = match page.object {
                Object::None => None,
                Object::Page => Some(page.addr + PAGE_SIZE),
                Object::Beyond => Some(page.addr),
            };
            let _ = space.map(page.addr..page.addr + PAGE_SIZE, page.prot, end).expect("a page can be mapped");
            if page.object != Object::Beyond {
                let _ = space.poke(page.addr, memory.page(page.addr)).expect("a mapped page can be written");
            }
        }
        let state = State::new(space.window(), space.pages());
        OnSpace { name, space, state, translations: Translations::new(tier), translator: Translator::default() }
    }
}

impl Executor for OnSpace {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Option<Ran> {
        load(&mut self.state, regs, fuel);
        loop {
            // SAFETY: the state was made with this space's window and page bytes; nothing but the guest changes code, and
            // what it changes is forgotten at `fence.i`; accesses are checked, so that no host fault occurs.
            let stop = unsafe { run(&mut self.state, &mut self.translations, &self.space, &mut self.translator) };
            match stop {
                Stop::Exit(exit) => {
                    let retired = store(&self.state, regs, fuel);
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
}
