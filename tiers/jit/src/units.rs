//! What has been compiled, how its pieces reach each other, and how they are forgotten.

use crate::compile::Finished;
use crate::fault::Faults;
use crate::jump_cache::{JumpCache, Line};
use crate::memory::CodeMemory;
use crate::saved::Accesses;
use crate::symbol::{Reloc, Symbol};
use friscy_lift_ir::{Region, RoundingClass};
use friscy_seam::{Code, Left, Site};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;

/// How many cells lie together, at an address that does not change.
const CELLS: usize = 1024;

/// A compiled region.
struct Unit {
    code: *const u8,
    /// Bytes of it.
    len: usize,
    relocs: Vec<Reloc>,
    /// Guest addresses of its entries, by number.
    entries: Vec<u64>,
    accesses: Accesses,
    span: Range<u64>,
    alive: bool,
}

/// A place that code jumps or calls through: the address of compiled code, or of a stub that leaves with its site.
struct Cell {
    target: u64,
    /// Entry of the region that has it.
    from: u64,
    rounding: RoundingClass,
    stub: u64,
    /// The unit it leads to.
    unit: Option<u32>,
}

/// All of one tier.
pub(crate) struct Units {
    pub(crate) memory: CodeMemory,
    units: Vec<Unit>,
    cells: Vec<Cell>,
    pointers: Vec<Box<[u64; CELLS]>>,
    by_target: FxHashMap<(RoundingClass, u64, u64), u32>,
    entry_stubs: FxHashMap<u32, u64>,
    /// The cells that were ever linked, by where they lead.
    linked: FxHashMap<(RoundingClass, u64), Vec<u32>>,
    caches: [Option<JumpCache>; 3],
    /// The units by where their code starts.
    by_address: BTreeMap<usize, u32>,
    most_bytes: usize,
}

impl Units {
    pub(crate) fn new() -> Units {
        Units {
            memory: CodeMemory::default(),
            units: Vec::new(),
            cells: Vec::new(),
            pointers: Vec::new(),
            by_target: FxHashMap::default(),
            entry_stubs: FxHashMap::default(),
            linked: FxHashMap::default(),
            caches: [None, None, None],
            by_address: BTreeMap::new(),
            most_bytes: 0,
        }
    }

    /// The address of the jump cache for a class of rounding mode.
    fn cache(&mut self, rounding: RoundingClass) -> u64 {
        self.caches[rounding as usize].get_or_insert_with(JumpCache::new).address()
    }

    /// The address of the cell by which code of the region at `from` reaches `target`, for one class of rounding mode.
    fn cell(&mut self, rounding: RoundingClass, from: u64, target: u64) -> Option<u64> {
        let number = match self.by_target.get(&(rounding, from, target)) {
            Some(&number) => number,
            None => {
                let number = self.cells.len() as u32;
                // mov rax, exit; mov rcx, rsi; ret
                let mut stub = [0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0x48, 0x89, 0xf1, 0xc3];
                stub[2..10].copy_from_slice(&Left::By(Site(number)).word().to_le_bytes());
                let stub = self.memory.add(&stub)? as u64;
                self.cells.push(Cell { target, from, rounding, stub, unit: None });
                if number as usize % CELLS == 0 {
                    self.pointers.push(Box::new([0; CELLS]));
                }
                self.by_target.insert((rounding, from, target), number);
                self.set_cell(number, stub);
                number
            }
        };
        Some(&raw const self.pointers[number as usize / CELLS][number as usize % CELLS] as u64)
    }

    /// Where a symbol of a region's code is.
    fn address(&mut self, rounding: RoundingClass, from: u64, symbol: Symbol) -> Option<u64> {
        match symbol {
            Symbol::Cell(target) => self.cell(rounding, from, target),
            Symbol::Cache => Some(self.cache(rounding)),
            Symbol::Helper(helper) => Some(helper.address()),
        }
    }

    fn set_cell(&mut self, number: u32, to: u64) {
        self.pointers[number as usize / CELLS][number as usize % CELLS] = to;
    }

    /// Copies a region's code in and makes it known. Nothing if there is no room.
    pub(crate) fn install(&mut self, region: &Region, finished: Finished) -> Option<Code> {
        let Finished { mut code, relocs, entries, accesses, .. } = finished;
        for reloc in &relocs {
            let address = self.address(region.rounding, region.pc, reloc.symbol)?;
            code[reloc.place()].copy_from_slice(&address.to_le_bytes());
        }
        let at = self.memory.add(&code)?;
        self.most_bytes = self.most_bytes.max(self.memory.bytes());
        let unit = self.units.len() as u32;
        self.by_address.insert(at as usize, unit);
        let (len, span) = (code.len(), region.span());
        self.units.push(Unit { code: at, len, relocs, entries, accesses, span, alive: true });
        self.lead_to(unit, region.rounding);
        Some(Code(unit << ENTRY_BITS))
    }

    /// What led to earlier code for the entries of a unit leads to it from now on.
    fn lead_to(&mut self, unit: u32, rounding: RoundingClass) {
        for (number, pc) in self.units[unit as usize].entries.clone().into_iter().enumerate() {
            let code = Code(unit << ENTRY_BITS | number as u32);
            let start = self.units[unit as usize].code as u64;
            if let Some(line) = self.caches[rounding as usize].as_mut().and_then(|cache| cache.line_of(pc)) {
                *line = Line::new(pc, start, number as u64);
            }
            for cell in self.linked.remove(&(rounding, pc)).unwrap_or_default() {
                self.link(Site(cell), code);
            }
        }
    }

    /// The entries of the region that `code` is of, with the code that enters there.
    pub(crate) fn entries(&self, code: Code) -> impl Iterator<Item = (u64, Code)> {
        let unit = code.0 >> ENTRY_BITS;
        let entries = &self.units[unit as usize].entries;
        entries.iter().enumerate().map(move |(n, &pc)| (pc, Code(unit << ENTRY_BITS | n as u32)))
    }

    /// Where `code` starts, and the number of the entry.
    pub(crate) fn start_of(&self, code: Code) -> (*const u8, u64) {
        let unit = &self.units[(code.0 >> ENTRY_BITS) as usize];
        debug_assert!(unit.alive, "forgotten code entered");
        (unit.code, u64::from(code.0 & MAX_ENTRIES as u32))
    }

    /// Where an exit's site leads.
    pub(crate) fn site_target(&self, site: Site) -> u64 {
        self.cells[site.0 as usize].target
    }

    /// The entry of the region that a site is in.
    pub(crate) fn site_pc(&self, site: Site) -> u64 {
        self.cells[site.0 as usize].from
    }

    pub(crate) fn link(&mut self, site: Site, code: Code) {
        let (start, entry) = self.start_of(code);
        // Code that jumps by a cell asks for the first entry; a stub makes that another one.
        let to = match entry {
            0 => Some(start as u64),
            _ => self.entry_stub(code, start, entry),
        };
        if let Some(to) = to {
            let cell = &mut self.cells[site.0 as usize];
            cell.unit = Some(code.0 >> ENTRY_BITS);
            let linked = self.linked.entry((cell.rounding, cell.target)).or_default();
            if !linked.contains(&site.0) {
                linked.push(site.0);
            }
            self.set_cell(site.0, to);
        }
    }

    /// Code that goes to a region's entry.
    fn entry_stub(&mut self, code: Code, start: *const u8, entry: u64) -> Option<u64> {
        if let Some(&stub) = self.entry_stubs.get(&code.0) {
            return Some(stub);
        }
        // mov edi, entry; mov rax, start; jmp rax
        let mut stub = [0xbf, 0, 0, 0, 0, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0];
        stub[1..5].copy_from_slice(&(entry as u32).to_le_bytes());
        stub[7..15].copy_from_slice(&(start as u64).to_le_bytes());
        let stub = self.memory.add(&stub)? as u64;
        self.entry_stubs.insert(code.0, stub);
        Some(stub)
    }

    pub(crate) fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code) {
        let (start, entry) = self.start_of(code);
        if let Some(cache) = &mut self.caches[rounding as usize] {
            cache.insert(Line::new(pc, start as u64, entry));
        }
    }

    pub(crate) fn forget_indirect(&mut self) {
        self.caches.iter_mut().flatten().for_each(JumpCache::clear);
    }

    /// Forgets the regions whose spans meet `range`; returns how many there were.
    pub(crate) fn forget(&mut self, range: &Range<u64>) -> usize {
        let mut dead = Vec::new();
        for (number, unit) in self.units.iter_mut().enumerate() {
            if unit.alive && unit.span.start < range.end && range.start < unit.span.end {
                unit.alive = false;
                dead.push(number as u32);
            }
        }
        if dead.is_empty() {
            return 0;
        }
        for number in 0..self.cells.len() as u32 {
            let cell = &mut self.cells[number as usize];
            if cell.unit.is_some_and(|unit| dead.binary_search(&unit).is_ok()) {
                cell.unit = None;
                let stub = cell.stub;
                if let Some(linked) = self.linked.get_mut(&(cell.rounding, cell.target)) {
                    linked.retain(|other| *other != number);
                }
                self.set_cell(number, stub);
            }
        }
        self.forget_indirect();
        dead.len()
    }

    pub(crate) fn clear(&mut self) {
        self.memory.clear();
        self.units.clear();
        self.cells.clear();
        self.pointers.clear();
        self.by_target.clear();
        self.entry_stubs.clear();
        self.linked.clear();
        self.by_address.clear();
        self.forget_indirect();
    }

    pub(crate) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// What is known of the accesses of the code at a host address, which has just faulted, and where in the code that is.
    ///
    /// # Panics
    /// If there is no such code.
    pub(crate) fn faults_at(&self, at: usize) -> (&Faults, usize) {
        let (start, unit) = self.by_address.range(..=at).next_back().expect("what faults is code");
        (self.units[*unit as usize].accesses.faults(), at - start)
    }

    /// A region's code as it was before it had a place.
    pub(crate) fn finished(&self, code: Code) -> Finished {
        let unit = &self.units[(code.0 >> ENTRY_BITS) as usize];
        // SAFETY: code of this tier, which stays until it is cleared.
        let mut bytes = unsafe { std::slice::from_raw_parts(unit.code, unit.len) }.to_vec();
        unit.relocs.iter().for_each(|reloc| bytes[reloc.place()].fill(0));
        let (relocs, entries, accesses) = (unit.relocs.clone(), unit.entries.clone(), unit.accesses.clone());
        Finished { code: bytes, relocs, entries, accesses, attempts: 0, stores: 0 }
    }
}

/// A [`Code`] is a unit's number above that of an entry.
const ENTRY_BITS: u32 = 10;

/// Most entries of a region but one.
pub(crate) const MAX_ENTRIES: usize = (1 << ENTRY_BITS) - 1;
