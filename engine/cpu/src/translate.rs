//! Translations of one address space's code: what was translated, from which pages, and its invalidation.

use crate::lift::{Translator, fetch_bits};
use friscy_lift_ir::RoundingClass;
use friscy_seam::{Code, Prepared, Site, Tier};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;

/// Log2 of the guest's page size.
const PAGE_BITS: u32 = 12;

/// Bytes of the longest instruction.
const MAX_INSTRUCTION_BYTES: u64 = 4;

/// What names a translation: the guest address it is entered at, and the class of rounding mode it is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Guest address.
    pub pc: u64,
    /// Class of dynamic rounding mode.
    pub rounding: RoundingClass,
}

/// The bytes that code is translated from.
pub trait CodeMemory {
    /// Reads up to `buf.len()` bytes of code at `addr`: as many as may be fetched in one go, none if the first byte
    /// may not.
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize;
}

/// Whether a request changed something that code may have been translated from.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changed {
    /// Executable pages came, went or changed.
    Code,
    /// Only pages that cannot be fetched.
    Data,
}

impl Changed {
    /// [`Changed::Code`] if so.
    pub(crate) fn code_if(code: bool) -> Changed {
        if code { Changed::Code } else { Changed::Data }
    }
}

/// Why there is no translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Untranslatable {
    /// The instruction there cannot be fetched: its first byte that cannot is at this address.
    Fetch(u64),
    /// The tier refused even a single instruction, for this reason: a failure of the host side.
    Refused(&'static str),
}

/// The translations of code at guest addresses, in one tier.
pub struct Translations {
    tier: Box<dyn Tier>,
    codes: FxHashMap<Key, Code>,
    /// Which translations have code from a page, by page number. May name some that are gone.
    pages: BTreeMap<u64, Vec<Key>>,
    translated: u64,
    /// How often everything was forgotten.
    clears: u64,
}

impl Translations {
    /// None yet; `tier` will make them.
    pub fn new(tier: Box<dyn Tier>) -> Translations {
        Translations { tier, codes: FxHashMap::default(), pages: BTreeMap::new(), translated: 0, clears: 0 }
    }

    /// How often everything was forgotten; what sites were known before are not afterwards.
    pub fn clears(&self) -> u64 {
        self.clears
    }

    /// The tier.
    pub fn tier(&mut self) -> &mut dyn Tier {
        &mut *self.tier
    }

    /// How many regions were translated so far.
    pub fn translated(&self) -> u64 {
        self.translated
    }

    /// The translation for `key`, made from `memory` if there is none.
    ///
    /// # Errors
    /// [`Untranslatable`].
    pub fn get(
        &mut self,
        key: Key,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
    ) -> Result<Code, Untranslatable> {
        match self.codes.get(&key) {
            Some(&code) => Ok(code),
            None => self.translate(key, memory, translator),
        }
    }

    #[cold]
    fn translate(
        &mut self,
        key: Key,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
    ) -> Result<Code, Untranslatable> {
        // No tier ever sees a region that begins with a fetch fault, so that mapping a page need forget nothing.
        fetch_bits(memory, key.pc).map_err(Untranslatable::Fetch)?;
        let mut why = "no limits";
        for limits in translator.limits() {
            let region = translator.lift(key, memory, &limits);
            let mut prepared = self.tier.prepare(region);
            if prepared == Prepared::Full {
                self.clear();
                prepared = self.tier.prepare(region);
            }
            match prepared {
                Prepared::Ready(code) => {
                    let spans = region.blocks.iter().map(|block| {
                        let last = block.guest_offsets.last().copied().unwrap_or(0);
                        block.pc..block.pc.wrapping_add(u64::from(last)).wrapping_add(MAX_INSTRUCTION_BYTES)
                    });
                    note_pages(&mut self.pages, key, spans);
                    self.codes.insert(key, code);
                    self.translated += 1;
                    return Ok(code);
                }
                Prepared::Full => why = "code memory too small",
                // A tier that translates later must not be the only one that an address space has.
                Prepared::Pending => why = "pending",
                Prepared::Refused(reason) => why = reason,
            }
        }
        Err(Untranslatable::Refused(why))
    }

    /// Makes the jump that left for `key` direct.
    pub fn link(&mut self, site: Option<Site>, key: Key, code: Code) {
        match site {
            Some(site) => self.tier.link(site, code),
            None => self.tier.link_indirect(key.pc, key.rounding, code),
        }
    }

    /// Forgets translations that have code from pages in `range`.
    pub fn forget(&mut self, range: Range<u64>) {
        let first = range.start >> PAGE_BITS;
        let end = range.end.div_ceil(1 << PAGE_BITS).max(first);
        let pages: Vec<u64> = self.pages.range(first..end).map(|(&page, _)| page).collect();
        for page in pages {
            for key in self.pages.remove(&page).unwrap_or_default() {
                self.codes.remove(&key);
            }
            self.tier.forget(page << PAGE_BITS..(page + 1) << PAGE_BITS);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.pages.clear();
        self.tier.clear();
        self.clears += 1;
    }
}

fn note_pages(pages: &mut BTreeMap<u64, Vec<Key>>, key: Key, spans: impl Iterator<Item = Range<u64>>) {
    let mut noted: Vec<u64> = Vec::new();
    for span in spans {
        for page in span.start >> PAGE_BITS..=(span.end - 1) >> PAGE_BITS {
            if !noted.contains(&page) {
                noted.push(page);
                pages.entry(page).or_default().push(key);
            }
        }
    }
}
