//! Translations of code at guest addresses: what was translated, from which pages, and its invalidation.
//!
//! Translations are either one address space's own (and its forks', until code changes in one of them), or shared by
//! all address spaces that they fit: those that have, wherever there are translations, the same image of the same file
//! or nothing of it at all. What is shared comes from bytes that nobody can change, so nothing is ever forgotten
//! because of one address space; one that no longer fits goes elsewhere.

use crate::jumps::Jumps;
use crate::keep::SharedStore;
use crate::lift::{Translator, fetch_bits};
use crate::recent::{RECENT, Recent, place};
use crate::tiering::{Fit, MakeCompiler, Policy, Taken, Upper};
use friscy_boundary::{Level, Sampler};
use friscy_lift_ir::{JumpKind, Region, RoundingClass};
use friscy_seam::{Ahead, Code, Prepared, Site, Tier, TierStats};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

mod rest;

pub use rest::Rest;

/// Log2 of the guest's page size.
pub(crate) const PAGE_BITS: u32 = 12;

/// How many translations there is room for from the start: what a small program's start takes.
const ROOM: usize = if cfg!(target_arch = "wasm32") { 0 } else { 896 };

/// The bits of an address within its page.
const PAGE_MASK: u64 = (1 << PAGE_BITS) - 1;

/// How often compiled code comes to other code for one sample of that, at most.
const MOST_ARRIVALS: u32 = 63;

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

    /// What the page that holds `addr` is for translations that are shared.
    fn source(&self, addr: u64) -> PageSource {
        let mut half = [0; 2];
        if self.fetch(addr, &mut half) == 0 { PageSource::NotCode } else { PageSource::Own }
    }

    /// Whether any page is code of this image.
    fn has_code_of(&self, image: &Image) -> bool {
        let _ = image;
        false
    }
}

/// A file's bytes, which nobody can change, at the addresses from `base` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Image {
    /// Number of the file.
    pub file: u64,
    /// Version of its contents.
    pub version: u64,
    /// Address of its first byte, modulo 2^64.
    pub base: u64,
}

/// What a page is for translations that are shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageSource {
    /// Not executable.
    NotCode,
    /// Executable, of an image.
    Image(Image),
    /// Executable, and nobody else's.
    Own,
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
    /// The code there is not of an image, or partly missing: these shared translations are not for this address space.
    Elsewhere,
    /// There is compiled code for it now, which was kept by another process.
    Restored,
    /// The tier refused even a single instruction, for this reason: a failure of the host side.
    Refused(&'static str),
}

/// Where a translation is, and how many pages beyond its first it has code from.
#[derive(Clone, Copy)]
struct Entry {
    code: Code,
    more_pages: u32,
    /// The layout in which its pages were seen last, of shared translations.
    layout: u64,
}

/// What is known of a page that has been translated from.
struct PageCode {
    /// What it is of, in shared translations.
    image: Option<Image>,
    /// Which translations have code from it. May name some that are gone.
    keys: Vec<Key>,
}

/// How far the pages of shared translations have been checked against an address space.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Mark {
    clears: u64,
    pages: usize,
}

/// The translations of code at guest addresses, in one tier.
pub struct Translations {
    tier: Box<dyn Tier>,
    shared: bool,
    codes: FxHashMap<Key, Entry>,
    pages: BTreeMap<u64, PageCode>,
    /// Page numbers in the order in which they were translated from first.
    order: Vec<u64>,
    /// The layout that the tier's indirect jumps were told in.
    layout: u64,
    /// Empty until there is compiled code.
    recent: Vec<Recent>,
    /// How often something was forgotten, or the layout changed. Never 0.
    removals: u64,
    translated: u64,
    clears: u64,
    /// The pages of the region being translated.
    touched: Vec<u64>,
    /// The compiled tier, if there is one.
    upper: Option<Box<Upper>>,
    /// How often compiled code comes to other code until that is a sample.
    arrivals: u32,
    /// Random bits, never zero.
    chance: u32,
    /// Where jumps led, for it.
    jumps: Jumps,
    /// Takes samples for a profile, if one is wanted.
    sampler: Option<Rc<RefCell<Sampler>>>,
}

impl Translations {
    /// None yet; `tier` will make them, for one address space and its forks.
    pub fn new(tier: Box<dyn Tier>) -> Translations {
        Translations {
            tier,
            shared: false,
            codes: FxHashMap::with_capacity_and_hasher(ROOM, Default::default()),
            pages: BTreeMap::new(),
            order: Vec::new(),
            layout: 0,
            recent: Vec::new(),
            removals: 1,
            translated: 0,
            clears: 0,
            touched: Vec::new(),
            upper: None,
            arrivals: 1,
            chance: 1,
            jumps: Jumps::default(),
            sampler: None,
        }
    }

    /// The same, with code that is hot in a tier that `make` makes.
    #[must_use]
    pub fn with_compiler(mut self, make: MakeCompiler, policy: Policy) -> Translations {
        self.upper = Some(Box::new(Upper::new(make, policy)));
        self
    }

    /// Where the compiled tier's counts go when it goes.
    pub fn set_sink(&mut self, sink: Rc<RefCell<TierStats>>) {
        if let Some(upper) = &mut self.upper {
            upper.sink = Some(sink);
        }
    }

    /// Where compiled code is kept for other processes, and taken from.
    pub fn set_store(&mut self, store: SharedStore) {
        if let Some(upper) = &mut self.upper {
            upper.store = Some(store);
        }
    }

    /// Takes samples of what runs.
    pub fn set_sampler(&mut self, sampler: Rc<RefCell<Sampler>>) {
        self.sampler = Some(sampler);
    }

    /// How much fuel code gets at once.
    pub(crate) fn slice(&self, level: Level) -> i64 {
        let slice = match (&self.upper, level) {
            (Some(upper), Level::First) => upper.left.max(1),
            _ => i64::MAX,
        };
        // Where samples for a profile are taken, hot code is found by the same.
        self.sampler.as_ref().map_or(slice, |sampler| sampler.borrow_mut().fuel(level))
    }

    /// Code has run and used `fuel`; if it ended at a preemption point, that is at `pc`.
    pub(crate) fn ran(&mut self, level: Level, fuel: i64, pc: Option<u64>) {
        // Code that leaves often uses its slice up as well.
        if let (Some(upper), Level::First) = (&mut self.upper, level) {
            upper.left -= fuel;
            if pc.is_some() && upper.left <= 0 {
                upper.left = upper.policy.slice;
            }
        }
        if let Some(sampler) = &self.sampler {
            sampler.borrow_mut().ran(level, fuel, pc);
        }
    }

    /// How many regions were compiled so far, and the bytes that they take.
    pub fn compiled(&mut self) -> (u64, usize) {
        let Some(upper) = &mut self.upper else { return (0, 0) };
        (upper.regions, upper.tier().map_or(0, |tier| tier.code_bytes()))
    }

    /// The compiled code for `key`, if there is any.
    #[inline]
    pub(crate) fn compiled_code(&mut self, key: Key, memory: &dyn CodeMemory) -> Result<Option<Code>, Untranslatable> {
        let Some(upper) = self.upper.as_mut().filter(|upper| !upper.codes.is_empty()) else { return Ok(None) };
        if self.recent.is_empty() {
            self.recent = vec![Recent::NONE; RECENT];
        }
        let at = (self.removals, upper.changes);
        let recent = &mut self.recent[place(key)];
        if recent.key == key && recent.compiled_at == at {
            return Ok(recent.compiled);
        }
        let entry = upper.codes.get_mut(&key);
        if let Some(entry) = &entry
            && self.shared
            && entry.layout != self.layout
        {
            check_present(key.pc, entry.more_pages, memory)?;
        }
        let compiled = entry.map(|entry| {
            entry.layout = self.layout;
            entry.code
        });
        if recent.key != key {
            *recent = Recent { key, ..Recent::NONE };
        }
        (recent.compiled, recent.compiled_at) = (compiled, at);
        Ok(compiled)
    }

    /// Has a module of code that was compiled ahead of time run the code in `range`, for as long as that does not change.
    /// Code that is not shared is asked for.
    pub fn attach(&mut self, ahead: Ahead, range: Range<u64>) {
        if let Some(upper) = self.upper.as_mut().filter(|_| !self.shared) {
            upper.attach(ahead, range);
        }
    }

    /// Has code that was compiled ahead of time run nothing any more. [`Translations::clear_compiled`] is called next.
    pub fn drop_attached(&mut self) {
        if let Some(upper) = &mut self.upper {
            upper.drop_attached();
        }
    }

    /// How many functions were found that were compiled ahead of time.
    pub fn found_ahead(&self) -> u64 {
        self.upper.as_ref().map_or(0, |upper| upper.found)
    }

    /// Forgets what the compiled tier has, since the address space is a copy of another one now.
    pub fn detach_compiled(&mut self) {
        if let Some(upper) = &mut self.upper {
            upper.untell();
        }
        self.clear_compiled();
    }

    /// The compiled tier, of which there is code.
    pub(crate) fn compiler(&mut self) -> Option<&mut dyn Tier> {
        self.upper.as_mut()?.tier()
    }

    /// How often everything that was compiled was forgotten.
    pub(crate) fn compiled_clears(&self) -> u64 {
        self.upper.as_ref().map_or(0, |upper| upper.clears())
    }

    /// Compiled code came to `key`, which is not compiled. Coming and going costs about as much as some dozen instructions: one
    /// time in a few, by chance, is a sample.
    pub(crate) fn arrive(&mut self, key: Key, memory: &dyn CodeMemory, translator: &mut Translator) {
        self.arrivals = self.arrivals.saturating_sub(1);
        if self.arrivals == 0 {
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 17;
            self.chance ^= self.chance << 5;
            // In a browser, where coming and going costs more, each time is one; but not where code that was compiled ahead
            // of time comes to much that is not worth compiling.
            let is_each =
                cfg!(target_arch = "wasm32") && self.upper.as_ref().is_some_and(|upper| !upper.has_attached());
            self.arrivals = if is_each { 1 } else { 1 + self.chance % MOST_ARRIVALS };
            self.sample(key, memory, translator);
        }
    }

    /// Counts a sample of code at `key`, and compiles it if that makes it hot.
    pub(crate) fn sample(&mut self, key: Key, memory: &dyn CodeMemory, translator: &mut Translator) {
        let Some(mut upper) = self.upper.take() else { return };
        while let Some(entries) = upper.finished() {
            self.divert(&entries);
        }
        if upper.has_pieces() {
            self.compile(&mut upper, None, memory, translator);
        }
        let is_known = upper.codes.contains_key(&key);
        let is_hot = !is_known && upper.sample(key);
        if !is_known && upper.is_warm(key) && upper.adopt(key).is_some() {
            self.divert(&[key]);
        } else if is_hot {
            self.compile(&mut upper, Some(key), memory, translator);
        }
        self.upper = Some(upper);
    }

    /// Compiles the code at `key`, or what there is now to be joined.
    fn compile(&mut self, upper: &mut Upper, key: Option<Key>, memory: &dyn CodeMemory, translator: &mut Translator) {
        self.jumps.settle();
        let fits = |region: &Region| self.fit(region, memory);
        let has_run = |key: Key| self.codes.contains_key(&key);
        let taken = match key {
            Some(key) => upper.compile(key, memory, translator, &has_run, &self.jumps, fits),
            None => upper.compile_joined(memory, translator, &has_run, &self.jumps, fits),
        };
        if let Some(taken) = taken {
            self.take(taken, memory);
        }
    }

    /// The pages of a region that may be compiled, and the layout that they are seen in.
    fn fit(&self, region: &Region, memory: &dyn CodeMemory) -> Fit {
        // No tier sees a region without instructions.
        if region.blocks.iter().all(|block| block.guest_offsets.is_empty()) {
            return None;
        }
        let mut pages = Vec::new();
        pages_of(region, memory, &mut pages);
        if self.shared {
            self.common_image(&pages, memory).ok()?;
        }
        Some((pages, self.layout))
    }

    /// Takes compiled code for `key` that another process kept; whether there was any.
    fn restore(&mut self, key: Key, memory: &dyn CodeMemory) -> bool {
        let Some(mut upper) = self.upper.take_if(|upper| upper.store.is_some()) else { return false };
        let taken = upper.restore(key, memory, |region| self.fit(region, memory));
        let is_there = taken.as_ref().is_some_and(|taken| taken.entries.contains(&key));
        if let Some(taken) = taken {
            self.take(taken, memory);
        }
        self.upper = Some(upper);
        is_there
    }

    /// Notes what was compiled, or will be.
    fn take(&mut self, taken: Taken, memory: &dyn CodeMemory) {
        // What changes there is heard of from now on, though nothing may be compiled yet.
        for page in taken.pages {
            let image = match memory.source(page << PAGE_BITS) {
                PageSource::Image(image) if self.shared => Some(image),
                _ => None,
            };
            self.note_page(page, image);
        }
        self.divert(&taken.entries);
    }

    /// Leads code of the first tier to what was compiled.
    fn divert(&mut self, entries: &[Key]) {
        for key in entries {
            if let Some(entry) = self.codes.get(key) {
                self.tier.unlink(entry.code);
            }
        }
    }

    fn note_page(&mut self, page: u64, image: Option<Image>) -> &mut PageCode {
        self.pages.entry(page).or_insert_with(|| {
            self.order.push(page);
            PageCode { image, keys: Vec::new() }
        })
    }

    /// Makes the jump by which compiled code left for `key` direct, if it may be.
    pub(crate) fn link_compiled(&mut self, site: Option<Site>, key: Key, code: Code) {
        let Some(from) =
            self.upper.as_mut().and_then(|upper| upper.tier()).map(|tier| site.map(|site| tier.site_pc(site)))
        else {
            return;
        };
        let may_link = from.is_none_or(|from| self.may_link(from, key));
        if let Some(upper) = &mut self.upper {
            upper.link(site, key, code, may_link);
        }
    }

    /// None yet; `tier` will make them, for all address spaces that they fit.
    pub fn new_shared(tier: Box<dyn Tier>) -> Translations {
        Translations { shared: true, ..Translations::new(tier) }
    }

    /// Whether they are for all address spaces that they fit.
    pub fn is_shared(&self) -> bool {
        self.shared
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

    /// What of the pages an address space that fits now need not check again.
    pub fn mark(&self) -> Mark {
        Mark { clears: self.clears, pages: self.order.len() }
    }

    /// Whether an address space with `memory`, which was found to fit at `mark`, still does.
    pub fn fits_since(&self, mark: Mark, memory: &dyn CodeMemory) -> bool {
        let from = if mark.clears == self.clears { mark.pages } else { 0 };
        self.fits(self.order.get(from..).unwrap_or_default().iter().copied(), memory)
    }

    /// Whether an address space with `memory` still fits after it changed in `range`.
    pub fn fits_range(&self, range: &Range<u64>, memory: &dyn CodeMemory) -> bool {
        self.fits(self.pages.range(page_numbers(range)).map(|(&page, _)| page), memory)
    }

    fn fits(&self, pages: impl Iterator<Item = u64>, memory: &dyn CodeMemory) -> bool {
        let mut absent = None;
        for page in pages {
            let Some(image) = self.pages.get(&page).and_then(|code| code.image) else { continue };
            match memory.source(page << PAGE_BITS) {
                PageSource::Image(found) if found == image => {}
                PageSource::Image(_) | PageSource::Own => return false,
                // Direct jumps within an image are linked: all of it must be there, or nothing.
                PageSource::NotCode if absent == Some(image) => {}
                PageSource::NotCode if memory.has_code_of(&image) => return false,
                PageSource::NotCode => absent = Some(image),
            }
        }
        true
    }

    /// How many pages an address space with `memory` could use translations from.
    pub fn overlap(&self, memory: &dyn CodeMemory) -> usize {
        let same = |(page, code): (&u64, &PageCode)| match memory.source(page << PAGE_BITS) {
            PageSource::Image(found) => code.image == Some(found),
            PageSource::NotCode | PageSource::Own => false,
        };
        self.pages.iter().filter(|&page| same(page)).count()
    }

    /// Prepares for running in an address space with this layout of code. Indirect jumps told in another one could lead
    /// where this one has no code.
    pub fn enter_layout(&mut self, layout: u64) {
        if self.shared && self.layout != layout {
            self.tier.forget_indirect();
            if let Some(tier) = self.upper.as_mut().and_then(|upper| upper.tier()) {
                tier.forget_indirect();
            }
            self.layout = layout;
            self.removals += 1;
        }
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
        let recent = self.recent.get(place(key)).filter(|recent| recent.key == key);
        if let Some(code) = recent.filter(|recent| recent.first_at == self.removals).and_then(|recent| recent.first) {
            return Ok(code);
        }
        let layout = self.layout;
        let code = match self.codes.get_mut(&key) {
            Some(entry) if !self.shared || entry.layout == layout => entry.code,
            Some(entry) => {
                check_present(key.pc, entry.more_pages, memory)?;
                entry.layout = layout;
                entry.code
            }
            None => self.translate(key, memory, translator)?,
        };
        if let Some(recent) = self.recent.get_mut(place(key)) {
            if recent.key != key {
                *recent = Recent { key, ..Recent::NONE };
            }
            (recent.first, recent.first_at) = (Some(code), self.removals);
        }
        Ok(code)
    }

    #[cold]
    fn translate(
        &mut self,
        key: Key,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
    ) -> Result<Code, Untranslatable> {
        if self.restore(key, memory) {
            return Err(Untranslatable::Restored);
        }
        let mut why = "no limits";
        let mut pages = std::mem::take(&mut self.touched);
        for max_insts in translator.lengths() {
            let region = translator.lift(key, memory, max_insts);
            // No tier ever sees a region that begins with a fetch fault, so that mapping a page need forget nothing.
            if region.blocks.iter().all(|block| block.guest_offsets.is_empty()) {
                let fault = fetch_bits(memory, key.pc).err().unwrap_or(key.pc);
                return Err(Untranslatable::Fetch(fault));
            }
            pages_of(region, memory, &mut pages);
            let image = if self.shared { Some(self.common_image(&pages, memory)?) } else { None };
            let mut prepared = self.tier.prepare(region);
            if prepared == Prepared::Full {
                self.clear();
                prepared = self.tier.prepare(region);
            }
            match prepared {
                Prepared::Ready(code) => {
                    if self.upper.is_some() {
                        self.jumps.made(region);
                    }
                    if let Some(sampler) = &self.sampler {
                        sampler.borrow_mut().came_to(key.pc);
                    }
                    self.note(key, code, &pages, image);
                    self.touched = pages;
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

    /// The image that all of the pages are of, here and in `memory`.
    fn common_image(&self, pages: &[u64], memory: &dyn CodeMemory) -> Result<Image, Untranslatable> {
        let mut common = None;
        for &page in pages {
            let PageSource::Image(image) = memory.source(page << PAGE_BITS) else {
                return Err(Untranslatable::Elsewhere);
            };
            let known = self.pages.get(&page).and_then(|code| code.image);
            if common.is_some_and(|common| common != image) || known.is_some_and(|known| known != image) {
                return Err(Untranslatable::Elsewhere);
            }
            common = Some(image);
        }
        common.ok_or(Untranslatable::Elsewhere)
    }

    fn note(&mut self, key: Key, code: Code, pages: &[u64], image: Option<Image>) {
        for &page in pages {
            self.note_page(page, image).keys.push(key);
        }
        let last_page = pages.iter().copied().max().unwrap_or(0);
        let more_pages = last_page.saturating_sub(key.pc >> PAGE_BITS) as u32;
        self.codes.insert(key, Entry { code, more_pages, layout: self.layout });
        self.translated += 1;
    }

    /// Makes the jump that left for `key` direct, if it may be. `kind` is that of a jump by a register.
    pub fn link(&mut self, site: Option<Site>, kind: Option<JumpKind>, key: Key, code: Code) {
        match site {
            Some(site) if self.may_link(self.tier.site_pc(site), key) => self.tier.link(site, code),
            Some(_) => {}
            None => {
                if let (Some(_), Some(kind)) = (&self.upper, kind) {
                    self.jumps.led_to(key.pc, kind);
                }
                self.tier.link_indirect(key.pc, key.rounding, code);
            }
        }
    }

    /// A direct jump may be linked in shared translations if where it is there is also where it leads.
    fn may_link(&self, from: u64, key: Key) -> bool {
        let image = |pc: u64| self.pages.get(&(pc >> PAGE_BITS)).and_then(|code| code.image);
        if !self.shared {
            return true;
        }
        from >> PAGE_BITS == key.pc >> PAGE_BITS || image(from) == image(key.pc)
    }

    /// Forgets translations that have code from pages in `range`.
    pub fn forget(&mut self, range: Range<u64>) {
        self.removals += 1;
        let pages: Vec<u64> = self.pages.range(page_numbers(&range)).map(|(&page, _)| page).collect();
        for page in pages {
            for key in self.pages.remove(&page).map(|code| code.keys).unwrap_or_default() {
                self.codes.remove(&key);
            }
            self.tier.forget(page << PAGE_BITS..(page + 1) << PAGE_BITS);
        }
        if let Some(upper) = &mut self.upper {
            let pages = page_numbers(&range);
            upper.forget(pages.start << PAGE_BITS..pages.end << PAGE_BITS);
        }
        if self.pages.is_empty() {
            self.order.clear();
        }
    }

    /// Forgets what the compiled tier has.
    pub fn clear_compiled(&mut self) {
        if let Some(upper) = &mut self.upper {
            upper.clear();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.pages.clear();
        self.order.clear();
        self.jumps.clear();
        self.removals += 1;
        self.tier.clear();
        self.clears += 1;
        self.clear_compiled();
    }
}

/// The numbers of the pages that `range` touches.
fn page_numbers(range: &Range<u64>) -> Range<u64> {
    let first = range.start >> PAGE_BITS;
    first..range.end.div_ceil(1 << PAGE_BITS).max(first)
}

/// Puts the numbers of the pages that a region was lifted from into `pages`.
fn pages_of(region: &Region, memory: &dyn CodeMemory, pages: &mut Vec<u64>) {
    pages.clear();
    for block in &region.blocks {
        let last = block.pc.wrapping_add(u64::from(block.guest_offsets.last().copied().unwrap_or(0)));
        // The last instruction may lie in two pages.
        let cut = last.wrapping_add(2) & PAGE_MASK == 0 && fetch_bits(memory, last).is_ok_and(|bits| bits & 3 == 3);
        let end = if cut { last.wrapping_add(2) } else { last };
        for page in block.pc >> PAGE_BITS..=end >> PAGE_BITS {
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
    }
}

/// Whether code at `pc` and `more_pages` pages behind is executable in an address space that the translations fit.
fn check_present(pc: u64, more_pages: u32, memory: &dyn CodeMemory) -> Result<(), Untranslatable> {
    let is_code = |page: u64| memory.source(page << PAGE_BITS) != PageSource::NotCode;
    if !is_code(pc >> PAGE_BITS) {
        return Err(Untranslatable::Fetch(pc));
    }
    if more_pages == 0 || is_code((pc >> PAGE_BITS) + u64::from(more_pages)) {
        Ok(())
    } else {
        Err(Untranslatable::Elsewhere)
    }
}
