//! The translations that one address space runs with, and running with them.

use super::sharing::Sharing;
use super::space::{Hart, NativeSpace};
use crate::lift::Translator;
use crate::run::{self, RunMemory, Stop};
use crate::translate::{Mark, Translations};
use friscy_boundary::{Ran, Regs};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// What an address space has of the translations that a [`Sharing`] makes.
pub(super) struct Code {
    /// Chosen when it runs next, if there are none.
    translations: Option<Rc<RefCell<Translations>>>,
    /// It has run code that no other address space can have: its translations are not shared, but by forks until code
    /// changes in one of them.
    own: bool,
    /// Names the layout of its code; forks have the same until it changes.
    layout: u64,
    /// How far shared translations are known to fit.
    checked: Mark,
    /// How often a fence made code be read anew.
    fences: u64,
}

impl Code {
    /// That of an address space without code.
    pub fn new(sharing: &mut Sharing) -> Code {
        let layout = sharing.new_layout();
        Code { translations: None, own: false, layout, checked: Mark::default(), fences: 0 }
    }

    /// That of a fork, which has the same mappings or only some of them.
    pub fn fork(&self, same: bool, sharing: &mut Sharing) -> Code {
        Code {
            translations: self.translations.clone().filter(|_| same),
            layout: if same { self.layout } else { sharing.new_layout() },
            ..*self
        }
    }

    /// The translations there are now.
    pub fn translations(&self) -> Option<&Rc<RefCell<Translations>>> {
        self.translations.as_ref()
    }

    /// Whether bytes that it was made from may have changed: what is shared comes from bytes that cannot.
    pub fn may_change(&self) -> bool {
        self.own
    }

    /// How often a fence made code be read anew.
    pub fn fences(&self) -> u64 {
        self.fences
    }

    /// Drops or leaves translations that do not hold any more after changes in `ranges`.
    pub fn forget(&mut self, ranges: &[Range<u64>], memory: &NativeSpace, sharing: &mut Sharing) {
        self.layout = sharing.new_layout();
        let Some(shared) = &self.translations else { return };
        let users = Rc::strong_count(shared);
        let mut code = shared.borrow_mut();
        let holds = if code.is_shared() {
            ranges.iter().all(|range| code.fits_range(range, memory))
        } else if users > 1 {
            // Forks still have the old code. What is translated from now on may differ between them.
            false
        } else {
            ranges.iter().for_each(|range| code.forget(range.clone()));
            true
        };
        drop(code);
        if !holds {
            self.leave(memory, sharing);
        }
    }

    /// Has no translations any more. What they have run may be compiled for other processes.
    pub fn leave(&mut self, memory: &NativeSpace, sharing: &mut Sharing) {
        if let Some(code) = self.translations.take()
            && sharing.store.is_some()
        {
            sharing.rest.add(&code, memory);
        }
    }

    /// The translations to run with now.
    fn choose(&mut self, memory: &NativeSpace, sharing: &mut Sharing) -> Rc<RefCell<Translations>> {
        if let Some(code) = &self.translations {
            let shared = code.borrow();
            if !shared.is_shared() || self.checked == shared.mark() {
                return code.clone();
            }
            // Others have added pages.
            if shared.fits_since(self.checked, memory) {
                self.checked = shared.mark();
                return code.clone();
            }
        }
        let code = if self.own { sharing.own() } else { sharing.choose(memory) };
        self.checked = code.borrow().mark();
        self.translations = Some(code.clone());
        code
    }

    /// Runs as [`friscy_boundary::Cpu::run`] says.
    ///
    /// # Safety
    /// `state` was made with the window of `memory`, this is the code of its address space, and the handler for host
    /// faults is installed.
    pub unsafe fn run(
        &mut self,
        (memory, state): (&NativeSpace, &mut Hart),
        sharing: &mut Sharing,
        translator: &mut Translator,
        regs: &mut Regs,
        fuel: u64,
    ) -> Ran {
        run::load(state, regs, fuel);
        loop {
            let shared = self.choose(memory, sharing);
            let mut code = shared.borrow_mut();
            code.enter_layout(self.layout);
            // SAFETY: the caller's promise for state and handler. Every change of executable pages forgets or leaves
            // their translations, what others added was just checked, and forks share what is not shared by all only
            // while neither's code changes.
            let stop = unsafe { run::run_shared(state, &mut code, memory, translator) };
            drop(code);
            // Who else has them is what decides whether they can change.
            drop(shared);
            match stop {
                Some(Stop::Exit(exit)) => {
                    let retired = run::store(state, regs, fuel);
                    return Ran { exit, retired };
                }
                Some(Stop::FenceI) => {
                    let changeable = memory.changeable_code();
                    if !changeable.is_empty() {
                        self.fences += 1;
                        self.forget(&changeable, memory, sharing);
                    }
                }
                None => {
                    self.own = true;
                    self.leave(memory, sharing);
                }
            }
        }
    }
}
