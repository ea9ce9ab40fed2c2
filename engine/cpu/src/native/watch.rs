//! What the compiled tiers of a machine have done, together with those of translations that are gone.

use crate::translate::Translations;
use friscy_seam::TierStats;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// Looks at the compiled tiers of a [`super::NativeCpu`], from outside of the machine that has it.
#[derive(Clone, Default)]
pub struct Watch {
    all: Rc<RefCell<Vec<Weak<RefCell<Translations>>>>>,
    gone: Rc<RefCell<TierStats>>,
}

impl Watch {
    /// What all of them have done so far.
    pub fn stats(&self) -> TierStats {
        let mut stats = self.gone.borrow().clone();
        for code in self.all.borrow().iter().filter_map(Weak::upgrade) {
            if let Some(tier) = code.borrow_mut().compiler() {
                stats.add(&tier.stats());
            }
        }
        stats
    }

    /// Where the counts of a tier go with it.
    pub(super) fn sink(&self) -> Rc<RefCell<TierStats>> {
        self.gone.clone()
    }

    /// Looks at these as well.
    pub(super) fn add(&self, code: &Rc<RefCell<Translations>>) {
        let mut all = self.all.borrow_mut();
        all.retain(|code| code.strong_count() > 0);
        all.push(Rc::downgrade(code));
    }
}
