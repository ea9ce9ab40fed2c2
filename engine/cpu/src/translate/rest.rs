//! What ran and was not compiled, which is compiled for other processes when nobody waits.

use super::{CodeMemory, Key, Mark, PAGE_BITS, PageSource, Translations};
use crate::lift::Translator;
use crate::tiering::Upper;
use friscy_lift_ir::Region;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// So many blocks are not worth a process that compiles them.
const MAX_REST: usize = 64;

/// How many regions wait to be compiled at most: those that are hotter shall not come last.
const MAX_WAITING: usize = 16;

impl Translations {
    /// The numbers of the pages that code was translated from.
    pub(crate) fn page_numbers(&self) -> impl Iterator<Item = u64> {
        self.pages.keys().copied()
    }

    /// Frees the memory of all code. Nothing runs with these translations any more; what ran is still known.
    pub(crate) fn drop_code(&mut self) {
        self.tier.clear();
        if let Some(tier) = self.upper.as_mut().and_then(|upper| upper.tier()) {
            tier.clear();
        }
    }

    /// Whether much ran that is not compiled, beside what ran before something was.
    pub(crate) fn has_rest(&self) -> bool {
        let Some(upper) = &self.upper else { return false };
        let rest: Vec<Key> =
            self.codes.keys().copied().filter(|key| !upper.has_block(*key) && !upper.is_refused(*key)).collect();
        // Most runs end here: what was compiled just now need not be looked through.
        if rest.len() <= MAX_REST {
            return false;
        }
        let covered = upper.covered();
        rest.iter().filter(|key| !covered.contains(key)).count() > MAX_REST
    }

    /// Has everything compiled that ran and is not, functions with most samples first, and waits until it is. `wait` is asked
    /// whether to go on; if it is told that there is nothing to do, it takes its time.
    pub(crate) fn compile_rest(
        &mut self,
        memory: &dyn CodeMemory,
        translator: &mut Translator,
        wait: &dyn Fn(bool) -> bool,
    ) {
        let Some(mut upper) = self.upper.take() else { return };
        upper.drop_pending();
        self.jumps.settle();
        let mut covered = upper.covered();
        let mut blocks: Vec<Key> = self.codes.keys().copied().filter(|key| !covered.contains(key)).collect();
        blocks.sort_unstable_by_key(|key| (key.rounding, key.pc));
        let samples = upper.all_samples();
        // Compiled code came to these, or calls may lead there, and there is no way in.
        let is_sampled = |key: &Key| samples.binary_search_by_key(key, |(key, _)| *key).is_ok();
        let is_inner = |key: &Key| covered.contains(key) && !upper.codes.contains_key(key);
        let inner = self.codes.keys().copied().filter(is_inner);
        let inner: Vec<Key> = inner.filter(|key| is_sampled(key) || self.jumps.is_called(key.pc)).collect();
        let samples_of = |rounding, range: &Range<u64>| -> u64 {
            let at = |pc| samples.partition_point(|(key, _)| (key.pc, key.rounding) < (pc, rounding));
            let within = samples[at(range.start)..at(range.end)].iter().filter(|(key, _)| key.rounding == rounding);
            within.map(|(_, count)| u64::from(*count)).sum()
        };
        let function_of = |key: &Key| (key.rounding, self.jumps.targets(key.pc).0.start);
        let mut functions: Vec<(u64, &[Key])> = blocks
            .chunk_by(|a, b| function_of(a) == function_of(b))
            .map(|blocks| (samples_of(blocks[0].rounding, &self.jumps.targets(blocks[0].pc).0), blocks))
            .collect();
        functions.sort_by_key(|(samples, blocks)| (Reverse(*samples), blocks.len()));
        let ready = |upper: &mut Upper, most: usize| {
            loop {
                while upper.finished().is_some() {}
                let is_full = upper.pending() > most;
                if !wait(is_full) {
                    return false;
                }
                if !is_full {
                    return true;
                }
            }
        };
        let has_run = |key: Key| self.codes.contains_key(&key);
        let fits = |region: &Region| self.fit(region, memory);
        upper.add_entries(&inner, memory, translator, &has_run, &self.jumps, &fits);
        let finishes = functions.into_iter().all(|(_, blocks)| {
            let goes_on = ready(&mut upper, MAX_WAITING);
            if goes_on {
                let jumps = &self.jumps;
                upper.compile_function(blocks, &mut covered, memory, translator, &has_run, jumps, &fits);
            }
            goes_on
        });
        if finishes {
            ready(&mut upper, 0);
        }
        self.upper = Some(upper);
    }
}

/// A copy of code, by the numbers of its pages: what an address space had that is gone.
#[derive(Default)]
pub(crate) struct CodeCopy {
    pages: BTreeMap<u64, (Vec<u8>, PageSource)>,
    /// How far the pages of shared translations have been copied.
    mark: Mark,
}

impl CodeCopy {
    /// Copies what `code` was translated from, of files, and is in `memory`.
    fn add_all(&mut self, code: &Translations, memory: &dyn CodeMemory) {
        let mark = code.mark();
        if !code.is_shared() || self.mark != mark {
            code.page_numbers().for_each(|page| self.add(page, memory));
            self.mark = mark;
        }
    }

    fn add(&mut self, page: u64, memory: &dyn CodeMemory) {
        if self.pages.contains_key(&page) {
            return;
        }
        let source = memory.source(page << PAGE_BITS);
        if matches!(source, PageSource::Image(_)) {
            let mut bytes = vec![0; 1 << PAGE_BITS];
            let len = memory.fetch(page << PAGE_BITS, &mut bytes);
            bytes.truncate(len);
            self.pages.insert(page, (bytes, source));
        }
    }
}

impl CodeMemory for CodeCopy {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let (mut addr, mut done) = (addr, 0);
        while done < buf.len() {
            let Some((bytes, _)) = self.pages.get(&(addr >> PAGE_BITS)) else { break };
            let rest = bytes.get((addr & ((1 << PAGE_BITS) - 1)) as usize..).unwrap_or_default();
            let len = rest.len().min(buf.len() - done);
            if len == 0 {
                break;
            }
            buf[done..done + len].copy_from_slice(&rest[..len]);
            (addr, done) = (addr + len as u64, done + len);
        }
        done
    }

    fn source(&self, addr: u64) -> PageSource {
        self.pages.get(&(addr >> PAGE_BITS)).map_or(PageSource::NotCode, |(_, source)| *source)
    }
}

/// How many address spaces' translations are remembered at most.
const MAX_LEFT: usize = 32;

/// Translations, and the code that they are of.
type Left = (Rc<RefCell<Translations>>, CodeCopy);

/// What address spaces ran that are gone: most programs end before what they ran is compiled.
#[derive(Clone, Default)]
pub struct Rest {
    all: Rc<RefCell<Vec<Left>>>,
}

impl Rest {
    /// An address space with this memory does not run with these translations any more.
    pub(crate) fn add(&self, code: &Rc<RefCell<Translations>>, memory: &dyn CodeMemory) {
        let mut all = self.all.borrow_mut();
        let known = all.iter().position(|(known, _)| Rc::ptr_eq(known, code));
        let at = known.unwrap_or_else(|| {
            if all.len() >= MAX_LEFT {
                all.remove(0);
            }
            all.push((Rc::clone(code), CodeCopy::default()));
            all.len() - 1
        });
        all[at].1.add_all(&code.borrow(), memory);
        // Nobody runs it any more: what remains is to know what ran.
        if Rc::strong_count(code) == 2 && !code.borrow().is_shared() {
            code.borrow_mut().drop_code();
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        !self.all.borrow().iter().any(|(code, _)| code.borrow().has_rest())
    }

    /// Has it compiled, so that it is kept, and waits until it is. `wait` is asked whether to go on; if it is told that there is
    /// nothing to do, it takes its time.
    pub fn compile(&self, wait: &dyn Fn(bool) -> bool) {
        let mut translator = Translator::default();
        for (code, copy) in self.all.take().iter().rev() {
            code.borrow_mut().compile_rest(copy, &mut translator, wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_read_across_pages_up_to_a_gap() {
        let mut copy = CodeCopy::default();
        for page in [1_u64, 2, 4] {
            copy.pages.insert(page, (vec![page as u8; 1 << PAGE_BITS], PageSource::Own));
        }
        let mut buf = [0; 4];
        assert_eq!((copy.fetch(0x1ffe, &mut buf), buf), (4, [1, 1, 2, 2]));
        assert_eq!((copy.fetch(0x2ffe, &mut buf), buf), (2, [2, 2, 2, 2]));
        assert_eq!(copy.fetch(0x3000, &mut buf), 0);
        assert_eq!([0x3fff, 0x4000].map(|addr| copy.source(addr)), [PageSource::NotCode, PageSource::Own]);
    }
}
