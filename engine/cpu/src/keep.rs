//! Compiled code that outlives the process: what it was made of, so that another process knows whether it is of the same, and
//! where it is kept.
//!
//! What is kept is code of files, whose bytes nobody can change. It is taken back where control comes to one of its entries
//! and the guest's memory has the very bytes that it was made of, at the same addresses; that is looked at each time.

use crate::lift::fetch_bits;
use crate::translate::{CodeMemory, Key};
use bytes::Bytes;
use friscy_lift_ir::{Region, RoundingClass};
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
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
        let of = |run: &Run| (start - run.at) as usize..(end - run.at) as usize;
        start >= end || self.bytes[of(self)] == other.bytes[of(other)]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Code at an address.
    struct Code(u64, Vec<u8>);

    impl CodeMemory for Code {
        fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
            let Some(rest) = addr.checked_sub(self.0).and_then(|at| self.1.get(at as usize..)) else { return 0 };
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            len
        }
    }

    /// A region of blocks at these addresses, each with its last instruction so far behind the first.
    fn region(blocks: &[(u64, u16)]) -> Region {
        let mut region = Region::new(blocks[0].0, RoundingClass::Dynamic);
        for &(pc, last) in blocks {
            let id = region.push_block(pc);
            region.blocks[id.index()].guest_offsets = if last == 0 { vec![0] } else { vec![0, last] };
        }
        region
    }

    #[test]
    fn an_origin_is_where_all_of_its_bytes_are() {
        // c.nop three times, nop, c.nop.
        let bytes = vec![1, 0, 1, 0, 1, 0, 0x13, 0, 0, 0, 1, 0];
        let mut memory = Code(0x1000, bytes);
        // The last block's last instruction has four bytes; what is between the blocks is not theirs.
        let made_of = region(&[(0x1000, 0), (0x1004, 2)]);
        let origin = Origin::of(&made_of, false, &memory).expect("all is there");
        let runs: Vec<(u64, usize)> = origin.bytes.iter().map(|run| (run.at, run.bytes.len())).collect();
        assert_eq!(runs, [(0x1000, 2), (0x1004, 6)]);
        assert!(origin.is_in(&memory));
        memory.1[2] = 9;
        assert!(origin.is_in(&memory), "no byte of a block has changed");
        memory.1[9] = 9;
        assert!(!origin.is_in(&memory));
        let other = Origin::of(&region(&[(0x1004, 2)]), false, &memory).expect("all is there");
        assert!(!origin.agrees(&other) && !other.agrees(&origin));
        let apart = Origin::of(&region(&[(0x1002, 0)]), false, &memory).expect("all is there");
        assert!(origin.agrees(&apart) && apart.agrees(&origin));
        memory.1.truncate(9);
        assert!(Origin::of(&made_of, false, &memory).is_none());
        assert!(!origin.is_in(&memory));
        let outline = origin.outline().expect("a class");
        assert_eq!((outline.pc, outline.rounding, outline.span()), (0x1000, RoundingClass::Dynamic, made_of.span()));
        assert!(Origin { rounding: 7, ..origin }.outline().is_none());
    }

    #[test]
    fn places_differ_by_address_class_and_bytes() {
        let (memory, other) = (Code(0x1000, vec![1, 0, 3, 0]), Code(0x1000, vec![1, 0, 5, 0]));
        let key = Key { pc: 0x1000, rounding: RoundingClass::Rne };
        let all = [
            place(key, &memory),
            place(Key { pc: 0x1002, ..key }, &memory),
            place(Key { rounding: RoundingClass::Dynamic, ..key }, &memory),
            place(key, &other),
        ];
        assert_eq!(all[0], place(key, &Code(0x1000, vec![1, 0, 3, 0])));
        assert!((0..4).all(|a| (0..a).all(|b| all[a] != all[b])), "{all:x?}");
    }
}
