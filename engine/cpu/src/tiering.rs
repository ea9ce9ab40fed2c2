//! When code moves to the compiled tier: which code is hot, and what has been compiled.
//!
//! The first tier runs in slices of fuel. Where a slice ends, at a preemption point, is a sample of where the guest is;
//! code with enough samples is compiled as a whole function from there. Where a function that is compiled is entered
//! otherwise, such places become further entries of it. What the jump tables of an interpreter lead to is compiled piece by
//! piece, and the pieces together whenever there are so many more of them that it pays. Nothing of this is visible to the guest.

use crate::jumps::Jumps;
use crate::keep::{self, Origin, SharedStore};
use crate::lift::Translator;
use crate::translate::{CodeMemory, Key, PAGE_BITS, PageSource};
use friscy_lift_ir::lift::Limits;
use friscy_lift_ir::{BlockData, Region, RoundingClass};
use friscy_seam::{Ahead, Code, Prepared, Site, Tier, TierStats};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

mod kept;

/// What makes a tier for hot code.
pub type MakeCompiler = Rc<dyn Fn() -> Box<dyn Tier>>;

/// When code is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Fuel of a slice, in guest instructions, at least 1.
    pub slice: i64,
    /// How many samples make code hot, at least 1.
    pub hot: u32,
    /// How many do while nothing is being compiled, at least 1.
    pub hot_when_idle: u32,
    /// The first so many samples of all code together are a start: three times as many make code hot until then.
    pub start: u64,
}

/// How much more it takes to make code hot at a start.
const START_FACTOR: u32 = 3;

impl Default for Policy {
    fn default() -> Policy {
        Policy::of_threshold(125)
    }
}

impl Policy {
    /// For threads that compile beside the guest. By default two million instructions make code hot, a third of that while such
    /// a thread has nothing to do, and six million while a program has not run 64 million: those that only start and end
    /// compile next to nothing.
    pub fn of_threshold(hot: u32) -> Policy {
        Policy { slice: 16384, hot, hot_when_idle: hot.div_ceil(3), start: 4096 }
    }
}

/// How many places with samples are remembered.
const MAX_SAMPLED: usize = 1 << 16;

/// Which share of the samples that make code hot makes it worth having where other code of its function is compiled, as one
/// in so many.
const WARM: u32 = 12;

/// How many places that a function's jumps by registers lead to are compiled with it at once.
const MAX_AT_ONCE: usize = 16;

/// How many further entries a function may have.
const MAX_ENTRIES: usize = 256;

/// The most bytes between two blocks of a function that are in one piece of it. Compilers put what is seldom run elsewhere,
/// and what lies in between are other functions.
const MAX_GAP: u64 = 4096;

/// Stands for samples of code that is not compiled.
const NEVER: u32 = u32::MAX;

/// Where compiled code is, and how many pages beyond its first it has code from.
#[derive(Clone, Copy)]
pub(crate) struct Compiled {
    pub(crate) code: Code,
    pub(crate) more_pages: u32,
    pub(crate) layout: u64,
}

/// A function that was compiled, or is being.
struct Function {
    key: Key,
    /// Further entries.
    entries: Vec<u64>,
    /// All that have been compiled.
    keys: Vec<Key>,
    /// The span of all that was compiled.
    span: Range<u64>,
    /// The pieces of what was compiled last, in order, with what is in between.
    pieces: Vec<Range<u64>>,
    /// Where the blocks of what was compiled last begin, in order.
    blocks: Vec<u64>,
    /// What was compiled could have had more.
    is_cut: bool,
    /// It is of pieces that were compiled before.
    is_joined: bool,
    pages: Vec<u64>,
    layout: u64,
    /// What was compiled last, to be kept, and where it may be entered.
    origin: Option<(Origin, Vec<u64>)>,
    compiled: u32,
    /// Entries that the code there is does not have.
    wanted: usize,
}

impl Function {
    /// One of which nothing was compiled.
    fn new(key: Key) -> Function {
        Function {
            key,
            entries: Vec::new(),
            keys: Vec::new(),
            span: key.pc..key.pc + 1,
            pieces: Vec::new(),
            blocks: Vec::new(),
            is_cut: false,
            is_joined: false,
            pages: Vec::new(),
            layout: 0,
            origin: None,
            compiled: 0,
            wanted: 0,
        }
    }

    /// Notes where the region lies that there is of it from now on.
    fn lies(&mut self, region: &Region, pages: Vec<u64>, layout: u64) {
        let span = region.span();
        self.span = self.span.start.min(span.start)..self.span.end.max(span.end);
        self.pieces = pieces(region);
        self.is_cut = Limits::COMPILED.may_cut(region);
        self.blocks = own_blocks(region).map(|block| block.pc).collect();
        self.blocks.sort_unstable();
        (self.pages, self.layout, self.wanted) = (pages, layout, 0);
    }
}

/// Whether a page is of a file, whose bytes nobody can change.
fn is_of_a_file(page: u64, memory: &dyn CodeMemory) -> bool {
    matches!(memory.source(page << PAGE_BITS), PageSource::Image(_))
}

/// Whether an address is in one of `pieces`.
fn reaches(pieces: &[Range<u64>], pc: u64) -> bool {
    let at = pieces.partition_point(|piece| piece.end <= pc);
    pieces.get(at).is_some_and(|piece| piece.start <= pc)
}

/// The blocks of a region that are not another function's.
fn own_blocks(region: &Region) -> impl Iterator<Item = &BlockData> {
    region.blocks.iter().filter(|block| !block.is_inlined)
}

/// The pieces of a region, in order.
fn pieces(region: &Region) -> Vec<Range<u64>> {
    let mut blocks: Vec<Range<u64>> = own_blocks(region).filter_map(BlockData::span).collect();
    blocks.sort_unstable_by_key(|block| block.start);
    let mut pieces: Vec<Range<u64>> = Vec::new();
    for block in blocks {
        match pieces.last_mut().filter(|last| block.start.saturating_sub(last.end) <= MAX_GAP) {
            Some(last) => last.end = last.end.max(block.end),
            None => pieces.push(block),
        }
    }
    pieces
}

/// Code that was read: the pages it is from, and the entries if it is compiled already.
pub(crate) struct Taken {
    pub(crate) pages: Vec<u64>,
    pub(crate) entries: Vec<Key>,
}

/// What is known of a region that may be compiled: the pages it is from, and the layout they were seen in.
pub(crate) type Fit = Option<(Vec<u64>, u64)>;

/// How many samples an address space that is a copy of another one takes before modules that were compiled ahead of time
/// come to it: most copies only start another program.
const SAMPLES_BEFORE_AHEAD: u32 = 24;

/// How many samples code has when it is looked for in modules that were compiled ahead of time, and again after as many.
const SAMPLES_TO_LOOK: u32 = 4;

/// A module of code that was compiled ahead of time, in an address space.
struct Attached {
    ahead: Ahead,
    /// Where the file's bytes are as they were, in order.
    valid: Vec<Range<u64>>,
    /// The tier was told.
    is_told: bool,
}

/// Code of such a module that was found.
struct Adopted {
    span: Range<u64>,
    keys: Vec<Key>,
}

/// Takes `range` out of others, which are in order.
fn cut(ranges: &mut Vec<Range<u64>>, range: &Range<u64>) {
    let parts = |r: &Range<u64>| [r.start..r.end.min(range.start), r.start.max(range.end)..r.end];
    *ranges = ranges.iter().flat_map(parts).filter(|part| part.start < part.end).collect();
}

/// The compiled tier and what it has.
pub(crate) struct Upper {
    make: MakeCompiler,
    attached: Vec<Attached>,
    adopted: FxHashMap<Code, Adopted>,
    /// Samples until modules are asked for that the tier was not told of.
    wait: u32,
    /// How many functions of such modules were found.
    pub(crate) found: u64,
    pub(crate) policy: Policy,
    /// What is left of the slice, over all times that code of the first tier is entered.
    pub(crate) left: i64,
    tier: Option<Box<dyn Tier>>,
    pub(crate) codes: FxHashMap<Key, Compiled>,
    /// How often those have changed.
    pub(crate) changes: u64,
    samples: FxHashMap<Key, u32>,
    functions: Vec<Function>,
    /// Those of them that are being compiled.
    pending: FxHashSet<Key>,
    /// What was compiled and may have to be joined with others.
    newest: Vec<Key>,
    /// Samples taken.
    sampled: u64,
    pub(crate) regions: u64,
    clears: u64,
    /// Where compiled code is kept for other processes, if it is.
    pub(crate) store: Option<SharedStore>,
    /// The blocks of what was taken from there.
    restored: FxHashSet<Key>,
    /// Where the tier's counts go when it goes.
    pub(crate) sink: Option<Rc<RefCell<TierStats>>>,
}

impl Upper {
    pub(crate) fn new(make: MakeCompiler, policy: Policy) -> Upper {
        Upper {
            make,
            attached: Vec::new(),
            adopted: FxHashMap::default(),
            wait: 0,
            found: 0,
            policy,
            left: policy.slice,
            tier: None,
            codes: FxHashMap::default(),
            changes: 0,
            samples: FxHashMap::default(),
            functions: Vec::new(),
            pending: FxHashSet::default(),
            newest: Vec::new(),
            sampled: 0,
            regions: 0,
            clears: 0,
            store: None,
            restored: FxHashSet::default(),
            sink: None,
        }
    }

    /// The tier, if it was ever needed.
    pub(crate) fn tier(&mut self) -> Option<&mut dyn Tier> {
        match &mut self.tier {
            Some(tier) => Some(&mut **tier),
            None => None,
        }
    }

    /// Takes a module of code that was compiled ahead of time, for the code in `range`.
    pub(crate) fn attach(&mut self, ahead: Ahead, range: Range<u64>) {
        match self.attached.iter_mut().find(|attached| attached.ahead == ahead) {
            Some(attached) => {
                cut(&mut attached.valid, &range);
                attached.valid.push(range);
                attached.valid.sort_unstable_by_key(|range| range.start);
            }
            None => self.attached.push(Attached { ahead, valid: vec![range], is_told: false }),
        }
        if self.wait == 0 {
            self.tell();
        }
    }

    /// Tells the tier of modules that it does not know of.
    fn tell(&mut self) {
        for attached in self.attached.iter_mut().filter(|attached| !attached.is_told) {
            attached.is_told = true;
            self.tier.get_or_insert_with(|| (self.make)()).attach(&attached.ahead);
        }
    }

    /// The tier has nothing any more of what it was told.
    pub(crate) fn untell(&mut self) {
        self.attached.iter_mut().for_each(|attached| attached.is_told = false);
        self.found = 0;
        self.wait = SAMPLES_BEFORE_AHEAD;
    }

    /// Has no modules from now on that were compiled ahead of time.
    pub(crate) fn drop_attached(&mut self) {
        self.attached.clear();
    }

    /// Whether there are any.
    pub(crate) fn has_attached(&self) -> bool {
        !self.attached.is_empty()
    }

    /// Whether code has samples enough to be looked for in such modules. Browsers compile a function when it is first
    /// called, which is dear for what runs once.
    pub(crate) fn is_warm(&self, key: Key) -> bool {
        let count = self.samples.get(&key).copied().unwrap_or(0);
        self.has_attached() && count != NEVER && count % SAMPLES_TO_LOOK == SAMPLES_TO_LOOK - 1
    }

    /// The code for `key` of a module that was compiled ahead of time, which is known from now on.
    pub(crate) fn adopt(&mut self, key: Key) -> Option<Code> {
        // Samples of code that another tier runs are not needed, but what is compiled is for one class only.
        if key.rounding != RoundingClass::Rne {
            return None;
        }
        let tier = self.tier.as_mut()?;
        tier.hear();
        for attached in &self.attached {
            let Some(valid) = attached.valid.iter().find(|range| range.contains(&key.pc)) else { continue };
            let Some((code, span)) = tier.find(&attached.ahead, key.pc) else { continue };
            if span.start < valid.start || valid.end < span.end {
                continue;
            }
            let adopted = self.adopted.entry(code).or_insert_with(|| {
                self.found += 1;
                Adopted { span, keys: Vec::new() }
            });
            adopted.keys.push(key);
            self.codes.insert(key, Compiled { code, more_pages: 0, layout: 0 });
            self.changes += 1;
            return Some(code);
        }
        None
    }

    /// How often everything was forgotten.
    pub(crate) fn clears(&self) -> u64 {
        self.clears
    }

    /// Counts a sample; whether the code is hot now.
    pub(crate) fn sample(&mut self, key: Key) -> bool {
        self.wait = self.wait.saturating_sub(1);
        if self.wait == 0 {
            self.tell();
        }
        if self.samples.len() >= MAX_SAMPLED {
            self.samples.clear();
        }
        let count = self.samples.entry(key).or_insert(0);
        if *count == NEVER {
            return false;
        }
        *count += 1;
        self.sampled += 1;
        let Policy { hot, hot_when_idle, start, .. } = self.policy;
        let threshold = if self.sampled <= start {
            hot.saturating_mul(START_FACTOR)
        } else if self.tier.as_ref().is_none_or(|tier| tier.is_idle()) {
            hot_when_idle
        } else {
            hot
        };
        *count >= threshold
    }

    /// Compiles the function at `key`, or that which `key` lies in; returns what was taken for it.
    pub(crate) fn compile(
        &mut self,
        key: Key,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
        has_run: &dyn Fn(Key) -> bool,
        jumps: &Jumps,
        fits: impl Fn(&Region) -> Fit,
    ) -> Option<Taken> {
        self.samples.insert(key, 0);
        let is_piece = jumps.lead_to(key.pc);
        let within = |f: &Function| {
            if !f.span.contains(&key.pc) || f.key.rounding != key.rounding || f.is_joined {
                return false;
            }
            let has = !(is_piece || f.is_cut) || f.blocks.binary_search(&key.pc).is_ok();
            has && reaches(&f.pieces, key.pc)
        };
        let known = self.functions.iter().position(|f| within(f) && !f.entries.contains(&key.pc) && f.key != key);
        let number = match known {
            Some(number) => {
                let function = &mut self.functions[number];
                if function.entries.len() >= MAX_ENTRIES {
                    self.samples.insert(key, NEVER);
                    return None;
                }
                // What there will be soon may be entered before control comes here again.
                if self.pending.contains(&function.key) {
                    return None;
                }
                function.entries.push(key.pc);
                function.wanted += 1;
                // Each time takes longer to come than the one before.
                if function.wanted < 1 << function.compiled.min(6) {
                    return None;
                }
                number
            }
            None if self.functions.iter().any(|f| f.key == key) => return None,
            None => {
                self.functions.push(Function::new(key));
                self.functions.len() - 1
            }
        };
        self.prepare(number, memory, translator, has_run, jumps, fits)
    }

    fn prepare(
        &mut self,
        number: usize,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
        has_run: &dyn Fn(Key) -> bool,
        jumps: &Jumps,
        fits: impl Fn(&Region) -> Fit,
    ) -> Option<Taken> {
        let key = self.functions[number].key;
        self.add_targets(number, has_run, jumps);
        let function = &self.functions[number];
        let restored = &self.restored;
        let has_run = |pc| {
            let block = Key { pc, rounding: key.rounding };
            has_run(block) || restored.contains(&block)
        };
        let region = translator.lift_function(key, &function.entries, jumps.lead_to(key.pc), memory, &has_run);
        let Some((pages, layout)) = fits(&region) else {
            self.refuse(key);
            return None;
        };
        let keeps = self.store.is_some() && pages.iter().all(|page| is_of_a_file(*page, memory));
        let function = &mut self.functions[number];
        function.lies(&region, pages.clone(), layout);
        let origin = if keeps { Origin::of(&region, function.is_joined, memory) } else { None };
        function.origin = origin.map(|origin| (origin, keep::places(&region, memory)));
        match self.tier.get_or_insert_with(|| (self.make)()).prepare_owned(region) {
            Prepared::Ready(code) => Some(Taken { pages, entries: self.compiled(number, code) }),
            Prepared::Pending => {
                self.pending.insert(key);
                Some(Taken { pages, entries: Vec::new() })
            }
            // It becomes hot again.
            Prepared::Full => {
                self.clear();
                None
            }
            Prepared::Refused(_) => {
                self.refuse(key);
                None
            }
        }
    }

    /// Where jumps by registers of a function led often, if those are few, become entries of it.
    fn add_targets(&mut self, number: usize, has_run: &dyn Fn(Key) -> bool, jumps: &Jumps) {
        let function = &self.functions[number];
        if function.is_joined {
            return;
        }
        let key = function.key;
        let is_warm = |pc: u64| {
            let samples = self.samples.get(&Key { pc, rounding: key.rounding });
            samples.is_some_and(|samples| *samples != NEVER && *samples >= self.policy.hot.div_ceil(WARM))
        };
        let is_new = |pc: u64| {
            let is_known = |f: &Function| f.key == Key { pc, rounding: key.rounding } || f.entries.contains(&pc);
            !self.functions.iter().any(is_known)
        };
        let targets = jumps.targets(key.pc).1.iter().copied();
        let mut targets: Vec<u64> =
            targets.filter(|&pc| has_run(Key { pc, rounding: key.rounding }) && is_warm(pc) && is_new(pc)).collect();
        if targets.len() + function.entries.len() <= MAX_AT_ONCE {
            self.functions[number].entries.append(&mut targets);
        }
    }

    /// Whether there is something to be joined, and nothing else to be done.
    pub(crate) fn has_pieces(&self) -> bool {
        !self.newest.is_empty() && self.tier.as_ref().is_some_and(|tier| tier.is_idle())
    }

    /// Compiles what was compiled together with what belongs to it, if there is enough of that.
    pub(crate) fn compile_joined(
        &mut self,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
        has_run: &dyn Fn(Key) -> bool,
        jumps: &Jumps,
        fits: impl Fn(&Region) -> Fit,
    ) -> Option<Taken> {
        let key = self.newest.pop()?;
        let number = self.join(key, jumps)?;
        self.prepare(number, memory, translator, has_run, jumps, fits)
    }

    /// Joins the function at `key`, if jumps by registers lead to it, with the others in the same function of the guest to
    /// which they do, once that is enough more. What was compiled of them stays until the whole has been. Answers the number
    /// of the function then.
    fn join(&mut self, key: Key, jumps: &Jumps) -> Option<usize> {
        if !jumps.lead_to(key.pc) {
            return None;
        }
        let within = jumps.targets(key.pc).0;
        let is_part = |f: &Function| {
            let is_here = f.key.rounding == key.rounding
                && within.contains(&f.key.pc)
                && !f.is_cut
                && !self.pending.contains(&f.key);
            is_here && (jumps.lead_to(f.key.pc) || f.entries.iter().any(|pc| jumps.lead_to(*pc)))
        };
        let parts = || self.functions.iter().filter(|f| is_part(f));
        let (base, has) = parts().map(|f| (f.key, 1 + f.entries.len())).max_by_key(|(_, has)| *has)?;
        let more = parts().map(|f| 1 + f.entries.len()).sum::<usize>() - has;
        // Each time takes longer to come than the one before.
        if more < has.div_ceil(2) || has + more > MAX_ENTRIES {
            return None;
        }
        let (parts, mut rest): (Vec<Function>, Vec<Function>) =
            self.functions.drain(..).partition(|f| is_part(f) && f.key != base);
        let number = rest.iter().position(|f| f.key == base).unwrap_or(0);
        let of = &mut rest[number];
        of.is_joined = true;
        for part in parts {
            for entry in std::iter::once(part.key.pc).chain(part.entries) {
                if entry != base.pc && !of.entries.contains(&entry) {
                    of.entries.push(entry);
                }
            }
            of.keys.extend(part.keys);
            of.span = of.span.start.min(part.span.start)..of.span.end.max(part.span.end);
        }
        self.functions = rest;
        Some(number)
    }

    /// The entries of a function that has been compiled meanwhile.
    pub(crate) fn finished(&mut self) -> Option<Vec<Key>> {
        let (pc, rounding, prepared) = self.tier.as_mut()?.finished()?;
        let key = Key { pc, rounding };
        let number = self.functions.iter().position(|f| f.key == key)?;
        self.pending.remove(&key);
        match prepared {
            Prepared::Ready(code) => Some(self.compiled(number, code)),
            Prepared::Full => {
                self.clear();
                None
            }
            Prepared::Pending | Prepared::Refused(_) => {
                self.refuse(key);
                None
            }
        }
    }

    /// Makes a function's code known.
    fn enter(&mut self, number: usize, code: Code) -> Vec<Key> {
        self.regions += 1;
        self.changes += 1;
        let function = &mut self.functions[number];
        function.compiled += 1;
        self.newest.extend(Some(function.key).filter(|_| !function.is_joined));
        let last = function.pages.iter().copied().max().unwrap_or(0);
        let mut entries = Vec::new();
        for (pc, code) in self.tier.as_ref().map(|tier| tier.entries(code)).unwrap_or_default() {
            let more_pages = last.saturating_sub(pc >> 12) as u32;
            let entry = Key { pc, rounding: function.key.rounding };
            self.codes.insert(entry, Compiled { code, more_pages, layout: function.layout });
            entries.push(entry);
        }
        function.keys.extend(&entries);
        entries
    }

    /// The function at `key` is not to be compiled.
    fn refuse(&mut self, key: Key) {
        self.samples.insert(key, NEVER);
        // What was compiled of it before is still there, to be forgotten with it.
        self.functions.retain(|f| f.key != key || !f.keys.is_empty());
    }

    pub(crate) fn link(&mut self, site: Option<Site>, key: Key, code: Code, may_link: bool) {
        let Some(tier) = self.tier() else { return };
        match site {
            Some(site) if may_link => tier.link(site, code),
            Some(_) => {}
            None => tier.link_indirect(key.pc, key.rounding, code),
        }
    }

    /// Forgets functions with code in `range`, whole pages.
    pub(crate) fn forget(&mut self, range: Range<u64>) {
        self.changes += 1;
        let (codes, pending) = (&mut self.codes, &mut self.pending);
        self.functions.retain(|f| {
            let keeps = f.span.start >= range.end || range.start >= f.span.end;
            if !keeps {
                pending.remove(&f.key);
                f.keys.iter().for_each(|key| {
                    codes.remove(key);
                });
            }
            keeps
        });
        for attached in &mut self.attached {
            cut(&mut attached.valid, &range);
        }
        self.attached.retain(|attached| !attached.valid.is_empty());
        self.adopted.retain(|_, adopted| {
            let keeps = adopted.span.start >= range.end || range.start >= adopted.span.end;
            if !keeps {
                adopted.keys.iter().for_each(|key| {
                    codes.remove(key);
                });
            }
            keeps
        });
        self.restored.retain(|key| !range.contains(&key.pc));
        if let Some(tier) = self.tier() {
            tier.forget(range);
        }
        // What was refused may be other code now.
        self.samples.retain(|_, count| *count != NEVER);
    }

    pub(crate) fn clear(&mut self) {
        self.changes += 1;
        self.codes.clear();
        self.samples.clear();
        self.functions.clear();
        self.pending.clear();
        self.newest.clear();
        self.adopted.clear();
        self.restored.clear();
        self.clears += 1;
        self.attached.iter_mut().for_each(|attached| attached.is_told = false);
        if let Some(tier) = self.tier() {
            tier.clear();
        }
        if self.wait == 0 {
            self.tell();
        }
    }
}

impl Drop for Upper {
    fn drop(&mut self) {
        if let (Some(sink), Some(tier)) = (self.sink.take(), self.tier()) {
            sink.borrow_mut().add(&tier.stats());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, of which there may be one")]
    fn what_changed_is_not_valid_any_more() {
        let mut ranges = vec![0x1000..0x4000, 0x8000..0x9000];
        cut(&mut ranges, &(0x2000..0x3000));
        assert_eq!(ranges, [0x1000..0x2000, 0x3000..0x4000, 0x8000..0x9000]);
        cut(&mut ranges, &(0x3800..0x8800));
        assert_eq!(ranges, [0x1000..0x2000, 0x3000..0x3800, 0x8800..0x9000]);
        cut(&mut ranges, &(0..0x8800));
        assert_eq!(ranges, [0x8800..0x9000]);
    }

    #[test]
    fn a_function_is_where_its_pieces_are() {
        let mut region = Region::new(0x1000, RoundingClass::Rne);
        for (pc, last) in [(0x1000, 0x3c), (0x9_0000, 0), (0x1800, 0xc)] {
            let block = region.push_block(pc);
            region.blocks[block.index()].guest_offsets = vec![0, last];
        }
        let pieces = pieces(&region);
        assert_eq!(pieces, [0x1000..0x1810, 0x9_0000..0x9_0004]);
        let reached = [0xf80, 0x1000, 0x17fe, 0x1810, 0x1890, 0x5000, 0x9_0002].map(|pc| reaches(&pieces, pc));
        assert_eq!(reached, [false, true, true, false, false, false, true]);
    }
}
