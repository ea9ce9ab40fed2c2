//! What control came to lately, so that going from one tier to the other need not look for it again.

use crate::translate::Key;
use friscy_lift_ir::RoundingClass;
use friscy_seam::Code;

/// What was found for a key that control came to lately, which saves looking for it again.
#[derive(Clone, Copy)]
pub(crate) struct Recent {
    pub(crate) key: Key,
    /// Compiled code, if there was any after so many removals and so many changes of that.
    pub(crate) compiled: Option<Code>,
    pub(crate) compiled_at: (u64, u64),
    /// Code of the first tier, which was there after so many removals.
    pub(crate) first: Option<Code>,
    pub(crate) first_at: u64,
}

/// How many of these there are, a power of two; bits 10:1 of the address say which is whose.
pub(crate) const RECENT: usize = 1024;

impl Recent {
    /// Of no key: addresses are even.
    pub(crate) const NONE: Recent = Recent {
        key: Key { pc: 1, rounding: RoundingClass::Rne },
        compiled: None,
        compiled_at: (0, 0),
        first: None,
        first_at: 0,
    };
}

/// Which is a key's.
#[inline]
pub(crate) fn place(key: Key) -> usize {
    key.pc as usize / 2 % RECENT
}
