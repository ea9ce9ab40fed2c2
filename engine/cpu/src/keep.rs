//! Compiled code that outlives the process: what it was made of, so that another process knows whether it is of the same, and
//! where it is kept.
//!
//! What is kept is code of files, whose bytes nobody can change. It is taken back where control comes to one of its entries
//! and the guest's memory has the very bytes that it was made of, at the same addresses; that is looked at each time.

use crate::lift::{Translator, fetch_bits};
use crate::translate::{CodeMemory, Key, Mark, PAGE_BITS, PageSource, Translations};
use bytes::Bytes;
use friscy_lift_ir::{Region, RoundingClass};
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Bytes of guest memory that are compared at once.
const CHUNK_BYTES: usize = 256;

/// What a region was made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// Guest address of its first entry.
    pub pc: u64,
    /// Its class of dynamic rounding mode, as a number.
    pub rounding: u8,
    /// It is of pieces that were compiled before by themselves.
    pub(crate) is_joined: bool,
    blocks: Vec<OriginBlock>,
    /// The bytes of all blocks, in order of address.
    bytes: Vec<Run>,
}

/// A block of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct OriginBlock {
    pc: u64,
    /// Where its last instruction is, relative to the first; nothing if it has none.
    last: Option<u16>,
    is_entry: bool,
    is_inlined: bool,
}

/// Bytes in guest memory that follow each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Run {
    at: u64,
    bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> u64 {
        self.at.wrapping_add(self.bytes.len() as u64)
    }

    /// Whether `memory` has these bytes, executable.
    fn is_in(&self, memory: &dyn CodeMemory) -> bool {
        let (mut at, mut rest, mut buf) = (self.at, &self.bytes[..], [0; CHUNK_BYTES]);
        while !rest.is_empty() {
            let part = rest.len().min(CHUNK_BYTES);
            match memory.fetch(at, &mut buf[..part]) {
                0 => return false,
                n if buf[..n] != rest[..n] => return false,
                n => (at, rest) = (at.wrapping_add(n as u64), &rest[n..]),
            }
        }
        true
    }

    /// Whether two runs have the same bytes where both have some.
    fn agrees(&self, other: &Run) -> bool {
        let (start, end) = (self.at.max(other.at), self.end().min(other.end()));
        let part = |run: &Run| start < end && run.end() > run.at && run.at <= start;
        if start >= end || !part(self) || !part(other) {
            return true;
        }
        let of = |run: &Run| (start - run.at) as usize..(end - run.at) as usize;
        self.bytes[of(self)] == other.bytes[of(other)]
    }
}

impl Origin {
    /// What `region` was made of, which is in `memory`; nothing if that is not there any more.
    pub(crate) fn of(region: &Region, is_joined: bool, memory: &dyn CodeMemory) -> Option<Origin> {
        let block = |data: &friscy_lift_ir::BlockData| OriginBlock {
            pc: data.pc,
            last: data.guest_offsets.last().copied(),
            is_entry: data.entry,
            is_inlined: data.is_inlined,
        };
        let blocks: Vec<OriginBlock> = region.blocks.iter().map(block).collect();
        let mut spans = Vec::new();
        for block in &blocks {
            let Some(last) = block.last else { continue };
            let last = block.pc.checked_add(u64::from(last))?;
            let len = if fetch_bits(memory, last).ok()? & 3 == 3 { 4 } else { 2 };
            spans.push(block.pc..last.checked_add(len)?);
        }
        spans.sort_unstable_by_key(|span| (span.start, span.end));
        let mut merged: Vec<std::ops::Range<u64>> = Vec::new();
        for span in spans {
            match merged.last_mut().filter(|before| span.start <= before.end) {
                Some(before) => before.end = before.end.max(span.end),
                None => merged.push(span),
            }
        }
        let mut bytes = Vec::new();
        for span in merged {
            let mut run = Run { at: span.start, bytes: vec![0; (span.end - span.start) as usize] };
            let mut done = 0;
            while done < run.bytes.len() {
                match memory.fetch(span.start + done as u64, &mut run.bytes[done..]) {
                    0 => return None,
                    n => done += n,
                }
            }
            bytes.push(run);
        }
        Some(Origin { pc: region.pc, rounding: region.rounding as u8, is_joined, blocks, bytes })
    }

    /// Whether `memory` has what it is.
    pub(crate) fn is_in(&self, memory: &dyn CodeMemory) -> bool {
        self.bytes.iter().all(|run| run.is_in(memory))
    }

    /// Whether both could be in the same memory, as far as they say.
    pub fn agrees(&self, other: &Origin) -> bool {
        self.bytes.iter().all(|run| other.bytes.iter().all(|theirs| run.agrees(theirs)))
    }

    /// A region with the places of its blocks, and nothing in them; nothing if there is no such class of rounding mode.
    pub(crate) fn outline(&self) -> Option<Region> {
        let classes = [RoundingClass::Rne, RoundingClass::Dynamic, RoundingClass::Invalid];
        let rounding = *classes.iter().find(|class| **class as u8 == self.rounding)?;
        let mut region = Region::new(self.pc, rounding);
        for block in &self.blocks {
            let id = region.push_block(block.pc);
            let data = &mut region.blocks[id.index()];
            data.guest_offsets = match block.last {
                Some(0) => vec![0],
                Some(last) => vec![0, last],
                None => Vec::new(),
            };
            (data.entry, data.is_inlined) = (block.is_entry, block.is_inlined);
        }
        Some(region)
    }
}

/// A region's code, and what it was made of.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it was made of.
    pub origin: Origin,
    /// What [`friscy_seam::Tier::save`] gave.
    pub code: Bytes,
}

/// Where compiled code is kept. A place is a number that stands for an address, a class of rounding mode and the first bytes
/// there: much of it is of different programs at the same addresses.
pub trait CodeStore {
    /// The code that may be entered at a place, and perhaps other code.
    fn candidates(&self, place: u64) -> Vec<Kept>;

    /// Keeps code that may be entered at `places`.
    fn keep(&mut self, kept: Kept, places: &[u64]);
}

/// How many bytes are told apart by at an address.
const PLACE_BYTES: usize = 8;

/// The place that `key` is in `memory`.
fn place(key: Key, memory: &dyn CodeMemory) -> u64 {
    let mut first = [0; PLACE_BYTES];
    memory.fetch(key.pc, &mut first);
    let mut hasher = FxHasher::default();
    (key.pc, key.rounding as u8, first).hash(&mut hasher);
    hasher.finish()
}

/// The places at which `region`, which is in `memory`, may be entered.
pub(crate) fn places(region: &Region, memory: &dyn CodeMemory) -> Vec<u64> {
    let entries = region.blocks.iter().enumerate().filter(|(at, block)| *at == 0 || block.entry);
    entries.map(|(_, block)| place(Key { pc: block.pc, rounding: region.rounding }, memory)).collect()
}

/// A store that all translations of a machine share.
pub type SharedStore = Rc<RefCell<dyn CodeStore>>;

/// The code for `key` in a store that `memory` has the bytes of.
pub(crate) fn find(store: &SharedStore, key: Key, memory: &dyn CodeMemory) -> Option<Kept> {
    let candidates = store.borrow().candidates(place(key, memory));
    candidates.into_iter().find(|kept| kept.origin.is_in(memory))
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
