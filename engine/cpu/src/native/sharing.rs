//! Which translations an address space uses.

use super::{NativeSpace, Profiler, Watch};
use crate::keep::SharedStore;
use crate::tiering::{MakeCompiler, Policy};
use crate::translate::{Rest, Translations};
use friscy_seam::Tier;
use std::cell::RefCell;
use std::rc::Rc;

/// How many shared translations are kept for address spaces to come.
const MAX_KEPT: usize = 64;

/// How many bytes of translated code they may have together.
const MAX_KEPT_BYTES: usize = 256 << 20;

/// Makes translations, and keeps those that address spaces may share.
pub(super) struct Sharing {
    make_tier: Box<dyn Fn() -> Box<dyn Tier>>,
    /// Makes the tier for hot code, if there is one.
    make_compiler: Option<(MakeCompiler, Policy)>,
    /// The most recently chosen last.
    kept: Vec<Rc<RefCell<Translations>>>,
    layouts: u64,
    watch: Watch,
    /// Where compiled code is kept for other processes, if it is.
    pub store: Option<SharedStore>,
    /// What address spaces ran that are gone, to be kept as well.
    pub rest: Rest,
    /// Takes samples, if a profile is wanted.
    pub profiler: Option<Profiler>,
}

impl Sharing {
    pub fn new(make_tier: Box<dyn Fn() -> Box<dyn Tier>>, make_compiler: Option<(MakeCompiler, Policy)>) -> Sharing {
        let (watch, store, rest, profiler) = (Watch::default(), None, Rest::default(), None);
        Sharing { make_tier, make_compiler, kept: Vec::new(), layouts: 0, watch, store, rest, profiler }
    }

    fn finish(&self, mut translations: Translations) -> Rc<RefCell<Translations>> {
        if let Some(profiler) = &self.profiler {
            translations.set_sampler(profiler.sampler.clone());
        }
        let Some((make, policy)) = self.make_compiler.clone() else { return Rc::new(RefCell::new(translations)) };
        let mut translations = translations.with_compiler(make, policy);
        translations.set_sink(self.watch.sink());
        if let Some(store) = &self.store {
            translations.set_store(Rc::clone(store));
        }
        let translations = Rc::new(RefCell::new(translations));
        self.watch.add(&translations);
        translations
    }

    /// Looks at all compiled tiers there are and will be.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// A number for a layout of code that no other layout has.
    pub fn new_layout(&mut self) -> u64 {
        self.layouts += 1;
        self.layouts
    }

    /// Translations for one address space and its forks.
    pub fn own(&self) -> Rc<RefCell<Translations>> {
        self.finish(Translations::new((self.make_tier)()))
    }

    /// The shared translations that fit `memory` and of which it can use most.
    pub fn choose(&mut self, memory: &NativeSpace) -> Rc<RefCell<Translations>> {
        let mut best = None;
        let mut most = 0;
        for (index, code) in self.kept.iter().enumerate() {
            let code = code.borrow();
            if !code.fits_since(Default::default(), memory) {
                continue;
            }
            let overlap = code.overlap(memory);
            if overlap > most {
                (best, most) = (Some(index), overlap);
            }
        }
        let chosen = match best {
            Some(index) => self.kept.remove(index),
            None => {
                self.make_room();
                self.finish(Translations::new_shared((self.make_tier)()))
            }
        };
        self.kept.push(chosen.clone());
        chosen
    }

    /// All that are kept.
    pub fn kept(&self) -> impl Iterator<Item = &Rc<RefCell<Translations>>> {
        self.kept.iter()
    }

    /// Drops the least recently chosen until another one may be kept.
    fn make_room(&mut self) {
        let bytes = |code: &Rc<RefCell<Translations>>| code.borrow_mut().tier().code_bytes();
        let mut total: usize = self.kept.iter().map(bytes).sum();
        while let Some(oldest) = self.kept.first() {
            if self.kept.len() < MAX_KEPT && total <= MAX_KEPT_BYTES {
                break;
            }
            total -= bytes(oldest);
            self.kept.remove(0);
        }
    }
}
