//! Modules that are compiled ahead of time, one of an ELF file, for wherever it is loaded.
//!
//! Such a module imports, beside what all import, constants as globals: where the file is loaded (`base`, and its low half
//! `base.low`), the slot of its first function (`slots`), where its cells are (`cells`) and the jump cache (`cache`). What
//! [`Layout::BROWSER`] says is in its code. The custom section [`SECTION`] says what it is of, little-endian words of 32 bits:
//!
//! 1. [`FORMAT`]; window, state and page bytes as in the layout it is for; 1 if the file may be loaded anywhere, else 0;
//! 2. the file's SHA-256, eight words in the order of its bytes;
//! 3. how many executable segments, functions, entries and cells follow, and how many of the functions are in the module;
//! 4. each segment's place in the file, its address and its length, in bytes;
//! 5. each function's first address, and the address behind it, with what it has copies of;
//! 6. each entry's address, ascending, and its code: the function's number above the number among its entries;
//! 7. the address that each cell leads to.
//!
//! Addresses are those of the file's headers.
//!
//! The functions that are not in the module multiply and add in one. Whether relaxed SIMD does that is known only where the
//! module runs, and not every engine has it; so they are in a module of their own, which is the contents of the custom
//! section [`FUSED_SECTION`]. It imports the same, and its `slots` are those behind the module's.

use crate::emit::{Body, Emitter, Links, Placing, types};
use crate::host::AccessForm;
use crate::layout::{Cell, Features, Layout};
use crate::module::{Compiled, FIRST_FUNCTION, ahead_module};
use crate::plan::Plan;
use crate::units::{ENTRY_BITS, MAX_ENTRIES};
use friscy_lift_ir::{Op, Region, cfg};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

/// The custom section that says what a module is of.
pub const SECTION: &str = "friscy.aot";

/// The version of the section, of how modules are used, and of the numbers of floating-point ops in them.
pub const FORMAT: u32 = 3;

/// The custom section with the module of functions for engines that have [`Features::fused`].
pub const FUSED_SECTION: &str = "friscy.aot.fused";

/// Words before the lists.
const HEADER_WORDS: usize = 5 + 8 + 5;

/// The longest function, and the most locals in one, that browsers take.
const MAX_FUNCTION_BYTES: usize = 7_654_321;
const MAX_LOCALS: usize = 50_000;

/// A part of a file that is executable where it is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: u32,
    /// The address of that, as the file's headers count.
    pub address: u32,
    /// Bytes.
    pub len: u32,
}

/// What a module is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The file may be loaded anywhere, a multiple of the page's size.
    pub is_relative: bool,
    /// Its executable segments.
    pub segments: Vec<Segment>,
}

/// A module in the making.
pub struct Builder {
    is_relative: bool,
    functions: Vec<(Body, Range<u64>)>,
    /// Those that multiply and add in one.
    fused: Vec<(Body, Range<u64>)>,
    /// By address: whether the function is of the latter, its number among its like, and that of the entry.
    entries: BTreeMap<u64, (bool, u32, u32)>,
    cells: FxHashMap<u64, u32>,
    /// Where the cells lead.
    targets: Vec<u64>,
}

impl Builder {
    /// A module without functions; in its regions, `Op::Addr` and all guest addresses count from where the file is loaded
    /// if it may be loaded anywhere.
    #[must_use]
    pub fn new(is_relative: bool) -> Builder {
        Builder {
            is_relative,
            functions: Vec::new(),
            fused: Vec::new(),
            entries: BTreeMap::new(),
            cells: FxHashMap::default(),
            targets: Vec::new(),
        }
    }

    /// Adds the function of a region.
    ///
    /// # Errors
    /// Why it is left out.
    pub fn add(&mut self, region: &Region) -> Result<(), &'static str> {
        let span = region.span();
        if u32::try_from(span.end).is_err() {
            return Err("code beyond 4 GiB");
        }
        let mut cells = FxHashMap::default();
        for pc in cfg::targets(region) {
            if u32::try_from(pc).is_err() {
                return Err("a jump beyond 4 GiB");
            }
            let number = *self.cells.entry(pc).or_insert_with(|| {
                self.targets.push(pc);
                self.targets.len() as u32 - 1
            });
            cells.insert(pc, number * size_of::<Cell>() as u32);
        }
        let links = Links { cells, cache: 0, placing: Placing::Anywhere { is_relative: self.is_relative } };
        let (layout, form) = (Layout::BROWSER, AccessForm::Plain);
        let plan = Plan::new(region, MAX_ENTRIES, form);
        let is_fused = |op| op >= Op::FmaS && op <= Op::FnmaS || op >= Op::FmaD && op <= Op::FnmaD;
        let fused = region.blocks.iter().flat_map(|block| &block.insts).any(|id| is_fused(region.insts[id.index()].op));
        let functions = if fused { &mut self.fused } else { &mut self.functions };
        let number = functions.len() as u32;
        let emitter = Emitter::new(region, &plan, &links, FIRST_FUNCTION + number, layout, Features { fused });
        let body: Body = emitter.emit()?;
        if body.code.len() > MAX_FUNCTION_BYTES || body.locals.len() > MAX_LOCALS {
            return Err("a function that browsers do not take");
        }
        functions.push((body, span));
        for (entry, block) in plan.entries.iter().enumerate() {
            let to = (fused, number, entry as u32);
            match self.entries.entry(region.blocks[block.index()].pc) {
                Entry::Vacant(place) => {
                    place.insert(to);
                }
                // A function's start is entered most.
                Entry::Occupied(mut place) if entry == 0 && place.get().2 != 0 => {
                    place.insert(to);
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(())
    }

    /// How many functions it has.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions.len() + self.fused.len()
    }

    /// The module, and that for engines that multiply and add in one, which is in it as well, if there is one. The same regions in the same order give the same bytes.
    #[must_use]
    pub fn finish(self, origin: &Origin) -> (Vec<u8>, Option<Vec<u8>>) {
        let Layout { window, state, pages } = Layout::BROWSER;
        let mut words = vec![FORMAT, window, state, pages, u32::from(self.is_relative)];
        words.extend(origin.sha256.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        let plain = self.functions.len();
        let counts = [origin.segments.len(), self.functions(), self.entries.len(), self.targets.len(), plain];
        words.extend(counts.map(|count| count as u32));
        words.extend(origin.segments.iter().flat_map(|segment| [segment.offset, segment.address, segment.len]));
        let spans = self.functions.iter().chain(&self.fused);
        words.extend(spans.flat_map(|(_, span)| [span.start as u32, span.end as u32]));
        let code = |(fused, function, entry): (bool, u32, u32)| {
            (if fused { plain as u32 + function } else { function }) << ENTRY_BITS | entry
        };
        words.extend(self.entries.iter().flat_map(|(&pc, &to)| [pc as u32, code(to)]));
        words.extend(self.targets.iter().map(|&pc| pc as u32));
        let section: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        let compiled = |functions: Vec<(Body, Range<u64>)>| -> Vec<Compiled> {
            let compiled = |(slot, (body, _))| Compiled { slot: slot as u32, body, ty: types::CODE };
            functions.into_iter().enumerate().map(compiled).collect()
        };
        let fused = (!self.fused.is_empty()).then(|| ahead_module(&compiled(self.fused), &[]));
        let mut sections: Vec<(&str, &[u8])> = vec![(SECTION, &section)];
        sections.extend(fused.iter().map(|fused| (FUSED_SECTION, &fused[..])));
        let module = ahead_module(&compiled(self.functions), &sections);
        (module, fused)
    }
}

/// Where control may enter a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// The function's number above that of the entry among its own, [`ENTRY_BITS`](Found::ENTRY_BITS) wide.
    pub code: u32,
    /// The first address of the function and what it has copies of, as the file's headers count.
    pub start: u32,
    /// The address behind it.
    pub end: u32,
}

impl Found {
    /// Bits of an entry's number in a code.
    pub const ENTRY_BITS: u32 = ENTRY_BITS;
}

/// What a module's section says.
#[derive(Clone, Debug)]
pub struct Table {
    /// What the module is of.
    pub origin: Origin,
    words: Vec<u32>,
    /// How many functions, entries and cells there are.
    counts: [usize; 3],
    /// How many of the functions are in the module itself.
    plain: u32,
}

impl Table {
    /// Reads a section; nothing if it is of another format, for another layout, or cut short.
    #[must_use]
    pub fn parse(section: &[u8]) -> Option<Table> {
        let words: Vec<u32> = section.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let header = words.get(..HEADER_WORDS)?;
        let Layout { window, state, pages } = Layout::BROWSER;
        if header[..4] != [FORMAT, window, state, pages] {
            return None;
        }
        let mut sha256 = [0; 32];
        for (bytes, word) in sha256.chunks_exact_mut(4).zip(&header[5..13]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let [segments, functions, entries, cells, plain] = [13, 14, 15, 16, 17].map(|at| header[at] as usize);
        let sizes = [segments.checked_mul(3)?, functions.checked_mul(2)?, entries.checked_mul(2)?, cells];
        let all = sizes.iter().try_fold(HEADER_WORDS, |sum, &size| sum.checked_add(size))?;
        if words.len() != all || plain > functions {
            return None;
        }
        let list = &words[HEADER_WORDS..HEADER_WORDS + sizes[0]];
        let segments = list.chunks_exact(3).map(|s| Segment { offset: s[0], address: s[1], len: s[2] }).collect();
        let origin = Origin { sha256, is_relative: header[4] != 0, segments };
        Some(Table { origin, words, counts: [functions, entries, cells], plain: plain as u32 })
    }

    /// How many functions are in the module itself; the others are in that of [`FUSED_SECTION`].
    #[must_use]
    pub fn plain_functions(&self) -> u32 {
        self.plain
    }

    /// How many functions there are.
    #[must_use]
    pub fn functions(&self) -> u32 {
        self.counts[0] as u32
    }

    /// How many cells it needs.
    #[must_use]
    pub fn cells(&self) -> u32 {
        self.counts[2] as u32
    }

    /// The first word of the list of functions.
    fn list(&self) -> usize {
        HEADER_WORDS + 3 * self.origin.segments.len()
    }

    /// The code that is entered at an address, counted as the file's headers do.
    #[must_use]
    pub fn find(&self, address: u32) -> Option<Found> {
        let (functions, entries) = (self.list(), self.list() + 2 * self.counts[0]);
        let (mut low, mut high) = (0, self.counts[1]);
        while low < high {
            let middle = low.midpoint(high);
            if *self.words.get(entries + 2 * middle)? < address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == self.counts[1] || *self.words.get(entries + 2 * low)? != address {
            return None;
        }
        let code = *self.words.get(entries + 2 * low + 1)?;
        let function = functions + 2 * (code >> ENTRY_BITS) as usize;
        Some(Found { code, start: *self.words.get(function)?, end: *self.words.get(function + 1)? })
    }

    /// Where a cell leads.
    #[must_use]
    pub fn target(&self, cell: u32) -> Option<u32> {
        let cells = self.list() + 2 * (self.counts[0] + self.counts[1]);
        self.words.get(cells..)?.get(cell as usize).copied()
    }
}
