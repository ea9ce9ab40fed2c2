//! Compiled code that is kept for other processes: taken back where control comes to it, and compiled when address spaces go.

use super::{Fit, Function, MAX_ENTRIES, NEVER, Taken, Upper, own_blocks};
use crate::jumps::Jumps;
use crate::keep::{self, Kept};
use crate::lift::Translator;
use crate::translate::{CodeMemory, Key};
use friscy_lift_ir::Region;
use friscy_seam::{Code, Prepared};
use rustc_hash::{FxHashMap, FxHashSet};

impl Upper {
    /// Makes code known that was compiled just now, and keeps it.
    pub(super) fn compiled(&mut self, number: usize, code: Code) -> Vec<Key> {
        let origin = self.functions[number].origin.take();
        if let (Some(store), Some((origin, places)), Some(tier)) = (&self.store, origin, &self.tier)
            && let Some(saved) = tier.save(code)
        {
            store.borrow_mut().keep(Kept { origin, code: saved.into() }, &places);
        }
        self.enter(number, code)
    }

    /// Takes back code that may be entered at `key`, if there is any for what `memory` has.
    pub(crate) fn restore(
        &mut self,
        key: Key,
        memory: &dyn CodeMemory,
        fits: impl Fn(&Region) -> Fit,
    ) -> Option<Taken> {
        let store = self.store.as_ref().filter(|_| !self.codes.contains_key(&key))?;
        let kept = keep::find(store, key, memory)?;
        let outline = kept.origin.outline()?;
        let of = Key { pc: outline.pc, rounding: outline.rounding };
        if self.codes.contains_key(&of) || self.pending.contains(&of) {
            return None;
        }
        let (pages, layout) = fits(&outline)?;
        match self.tier.get_or_insert_with(|| (self.make)()).restore(&outline, kept.code) {
            Prepared::Ready(code) => {
                let mut function = Function::new(of);
                function.lies(&outline, pages.clone(), layout);
                let entries = outline.blocks.iter().skip(1).filter(|block| block.entry);
                function.entries = entries.map(|block| block.pc).collect();
                function.is_joined = kept.origin.is_joined;
                let ran = own_blocks(&outline).map(|block| Key { pc: block.pc, ..of });
                self.restored.extend(ran);
                self.functions.push(function);
                let entries = self.enter(self.functions.len() - 1, code);
                Some(Taken { pages, entries })
            }
            Prepared::Full => {
                self.clear();
                None
            }
            Prepared::Pending | Prepared::Refused(_) => None,
        }
    }

    /// Whether code is not to be compiled.
    pub(crate) fn is_refused(&self, key: Key) -> bool {
        self.samples.get(&key) == Some(&NEVER)
    }

    /// What is being compiled is not wanted any more.
    pub(crate) fn drop_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.functions.retain(|f| !pending.contains(&f.key) || !f.keys.is_empty());
    }

    /// How many regions are being compiled.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The samples there are of code that is not compiled, in order.
    pub(crate) fn all_samples(&self) -> Vec<(Key, u32)> {
        let mut samples: Vec<(Key, u32)> =
            self.samples.iter().map(|(key, count)| (*key, *count)).filter(|(_, count)| *count != NEVER).collect();
        samples.sort_unstable();
        samples
    }

    /// Whether a block is an entry of compiled code, or of what was taken back.
    pub(crate) fn has_block(&self, key: Key) -> bool {
        self.codes.contains_key(&key) || self.restored.contains(&key)
    }

    /// The blocks of what was compiled, or is being.
    pub(crate) fn covered(&self) -> FxHashSet<Key> {
        let of = |f: &Function| {
            let rounding = f.key.rounding;
            f.blocks.iter().map(move |&pc| Key { pc, rounding }).collect::<Vec<_>>()
        };
        self.codes.keys().chain(&self.restored).copied().chain(self.functions.iter().flat_map(of)).collect()
    }

    /// Compiles functions again that were compiled without entries at blocks where control comes from outside.
    pub(crate) fn add_entries(
        &mut self,
        blocks: &[Key],
        memory: &dyn CodeMemory,
        translator: &mut Translator,
        has_run: &dyn Fn(Key) -> bool,
        jumps: &Jumps,
        fits: &dyn Fn(&Region) -> Fit,
    ) {
        let mut wanted: FxHashMap<usize, Vec<u64>> = FxHashMap::default();
        for key in blocks {
            let has = |f: &Function| f.key.rounding == key.rounding && f.blocks.binary_search(&key.pc).is_ok();
            let function =
                self.functions.iter().position(has).filter(|&at| !self.pending.contains(&self.functions[at].key));
            if let Some(at) = function {
                wanted.entry(at).or_default().push(key.pc);
            }
        }
        let mut keys = Vec::new();
        for (at, blocks) in wanted {
            let function = &mut self.functions[at];
            let room = MAX_ENTRIES.saturating_sub(function.entries.len());
            let new = blocks.into_iter().filter(|pc| *pc != function.key.pc && !function.entries.contains(pc));
            let new: Vec<u64> = new.take(room).collect();
            if !new.is_empty() {
                function.entries.extend(new);
                keys.push(function.key);
            }
        }
        for key in keys {
            if let Some(at) = self.functions.iter().position(|f| f.key == key) {
                self.prepare(at, memory, translator, has_run, jumps, fits);
            }
        }
    }

    /// Compiles what there is of a function of the guest, whose `blocks` have run, in as many regions as it takes. `covered`
    /// has what need not be compiled.
    pub(crate) fn compile_function(
        &mut self,
        blocks: &[Key],
        covered: &mut FxHashSet<Key>,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
        has_run: &dyn Fn(Key) -> bool,
        jumps: &Jumps,
        fits: &dyn Fn(&Region) -> Fit,
    ) {
        for &key in blocks {
            if !covered.insert(key) {
                continue;
            }
            let (range, led_to) = jumps.targets(key.pc);
            let is_rest = |pc: &u64| {
                let other = Key { pc: *pc, ..key };
                blocks.binary_search_by_key(pc, |block| block.pc).is_ok() && !covered.contains(&other)
            };
            let mut function = Function::new(key);
            let entries = jumps.resumed(range).iter().chain(led_to).copied();
            function.entries = entries.filter(is_rest).take(MAX_ENTRIES).collect();
            function.entries.sort_unstable();
            function.entries.dedup();
            self.functions.push(function);
            self.prepare(self.functions.len() - 1, memory, translator, has_run, jumps, fits);
            if let Some(function) = self.functions.last().filter(|f| f.key == key) {
                covered.extend(function.blocks.iter().map(|&pc| Key { pc, ..key }));
            }
        }
    }
}
