//! What compiled code returns: a guest address at which to go on, or a word that says how it was left.

use crate::{EXIT_KINDS, Site, number_of};
use friscy_lift_ir::ExitKind;

/// How compiled code was left. As a word, an address is itself: it is even. Of all else bit 0 is set, bits 7:1 say what it
/// is, and the bits above are a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// For a guest address.
    Goto(u64),
    /// By a place that may be linked.
    By(Site),
    /// Fuel is used up; the pc is in the state.
    Fuel,
    /// Another tier has to go on at the state's pc.
    Below,
    /// The region ended so; the pc is in the state.
    Kind(ExitKind),
    /// A memory fault, which the state describes.
    Fault,
    /// A misaligned atomic, whose pc is in the state.
    Misaligned,
    /// Another tier has to run so many instructions from the state's pc on, and then what faulted.
    Rerun(u64),
}

impl Left {
    /// Where a word's number begins.
    pub const NUMBER_BITS: u32 = 8;

    /// The word.
    pub const fn word(self) -> u64 {
        let (what, number) = match self {
            Left::Goto(pc) => return pc,
            Left::By(site) => (0, site.0 as u64),
            Left::Fuel => (1, 0),
            Left::Below => (2, 0),
            Left::Kind(kind) => (3, number_of(kind)),
            Left::Fault => (4, 0),
            Left::Misaligned => (5, 0),
            Left::Rerun(count) => (6, count),
        };
        number << Left::NUMBER_BITS | what << 1 | 1
    }

    /// What a word of [`Left::word`] says.
    pub fn of(word: u64) -> Left {
        let number = word >> Left::NUMBER_BITS;
        match (word & 1, word >> 1 & 0x7f) {
            (0, _) => Left::Goto(word),
            (_, 0) => Left::By(Site(number as u32)),
            (_, 1) => Left::Fuel,
            (_, 2) => Left::Below,
            (_, 4) => Left::Fault,
            (_, 5) => Left::Misaligned,
            (_, 6) => Left::Rerun(number),
            _ => Left::Kind(EXIT_KINDS[number as usize % EXIT_KINDS.len()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_was_said() {
        let kinds = EXIT_KINDS.iter().map(|&kind| Left::Kind(kind));
        let others = [Left::Goto(0x1_0002), Left::By(Site(0)), Left::By(Site(u32::MAX)), Left::Fuel, Left::Below];
        for left in kinds.chain(others).chain([Left::Fault, Left::Misaligned, Left::Rerun(0), Left::Rerun(1 << 40)]) {
            assert_eq!(Left::of(left.word()), left);
        }
    }
}
