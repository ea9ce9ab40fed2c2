//! What has been compiled, how its pieces reach each other, and how they are forgotten.

use crate::emit::Links;
use crate::host::Host;
use crate::layout::{Cell, LINES, Line, NO_PC};
use crate::module::{FIRST_SLOT, LEAVE_SLOT};
use friscy_lift_ir::{Region, RoundingClass, cfg};
use friscy_seam::{Code, Site};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::ptr::NonNull;

/// How many cells lie together.
const CELLS: usize = 1024;

const EMPTY: Line = Line { pc: NO_PC, slot: 0, entry: 0 };

/// A [`Code`] is a unit's number above that of an entry.
const ENTRY_BITS: u32 = 10;

/// Most entries of a region but one.
pub(crate) const MAX_ENTRIES: usize = (1 << ENTRY_BITS) - 1;

/// A compiled region.
pub(crate) struct Unit {
    pub(crate) slot: u32,
    /// Guest addresses of its entries, by number.
    pub(crate) entries: Vec<u64>,
    pub(crate) span: Range<u64>,
    pub(crate) alive: bool,
}

/// A place that code jumps or calls through.
struct Place {
    target: u64,
    /// Entry of the region that has it.
    from: u64,
    rounding: RoundingClass,
    /// The unit it leads to.
    unit: Option<u32>,
}

/// All of one tier.
#[derive(Default)]
pub(crate) struct Units {
    units: Vec<Unit>,
    places: Vec<Place>,
    cells: Vec<NonNull<Cell>>,
    by_target: FxHashMap<(RoundingClass, u64, u64), u32>,
    /// The places that were ever linked, by where they lead.
    linked: FxHashMap<(RoundingClass, u64), Vec<u32>>,
    caches: [Option<NonNull<Line>>; 3],
    free_slots: Vec<u32>,
    slots: u32,
}

impl Units {
    /// A slot of the table.
    pub(crate) fn slot(&mut self) -> u32 {
        self.free_slots.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1 + FIRST_SLOT
        })
    }

    /// How many slots there are in use, or were.
    pub(crate) fn slots(&self) -> u32 {
        self.slots + FIRST_SLOT
    }

    pub(crate) fn free_slot(&mut self, slot: u32) {
        self.free_slots.push(slot);
    }

    /// The address of the jump cache for a class of rounding mode.
    fn cache(&mut self, rounding: RoundingClass, host: &mut dyn Host) -> Option<u32> {
        let cache = &mut self.caches[rounding as usize];
        if cache.is_none() {
            *cache = Some(host.room(LINES * size_of::<Line>())?.cast());
            self.forget_indirect();
        }
        self.caches[rounding as usize].map(|cache| host.address(cache.cast()))
    }

    /// The address of the cell by which code of the region at `from` reaches `target`, for one class of rounding mode.
    fn cell(&mut self, rounding: RoundingClass, from: u64, target: u64, host: &mut dyn Host) -> Option<u32> {
        let number = match self.by_target.get(&(rounding, from, target)) {
            Some(&number) => number,
            None => {
                let number = self.places.len() as u32;
                if number as usize / CELLS == self.cells.len() {
                    self.cells.push(host.room(CELLS * size_of::<Cell>())?.cast());
                }
                self.places.push(Place { target, from, rounding, unit: None });
                self.by_target.insert((rounding, from, target), number);
                self.set_cell(number, Cell { slot: host.base_slot() + LEAVE_SLOT, number });
                number
            }
        };
        Some(host.address(self.cell_of(number).cast()))
    }

    /// Where a cell is.
    fn cell_of(&self, number: u32) -> NonNull<Cell> {
        let (chunk, place) = (number as usize / CELLS, number as usize % CELLS);
        // SAFETY: a chunk has that many cells.
        unsafe { self.cells[chunk].add(place) }
    }

    fn set_cell(&mut self, number: u32, to: Cell) {
        // SAFETY: the host's room is there for as long as the tier; compiled code does not run meanwhile.
        unsafe { self.cell_of(number).write(to) };
    }

    /// How code of a region reaches other code.
    pub(crate) fn links(&mut self, region: &Region, host: &mut dyn Host) -> Option<Links> {
        let mut cells = FxHashMap::default();
        for pc in cfg::targets(region) {
            cells.insert(pc, self.cell(region.rounding, region.pc, pc, host)?);
        }
        Some(Links { cells, cache: self.cache(region.rounding, host)? })
    }

    /// Makes a region's code known. What led to earlier code for its entries leads to this: jumps within a function are
    /// quick while all of them find the same code.
    pub(crate) fn add(&mut self, unit: Unit, rounding: RoundingClass, base: u32) -> Code {
        let (number, slot) = (self.units.len() as u32, unit.slot);
        for (entry, &pc) in unit.entries.iter().enumerate() {
            let entry = entry as u32;
            if let Some(cache) = self.caches[rounding as usize] {
                // SAFETY: as in `set_cell`; the place is one of the cache's.
                unsafe {
                    let line = cache.add((pc >> 1) as usize % LINES);
                    if line.read().pc == pc {
                        line.write(Line { pc, slot: base + slot, entry });
                    }
                }
            }
            let to = Cell { slot: base + slot, number: entry };
            for place in self.linked.get(&(rounding, pc)).into_iter().flatten() {
                // SAFETY: as in `set_cell`.
                unsafe { self.cell_of(*place).write(to) };
                self.places[*place as usize].unit = Some(number);
            }
        }
        self.units.push(unit);
        Code(number << ENTRY_BITS)
    }

    /// The entries of the region that `code` is of, with the code that enters there.
    pub(crate) fn entries(&self, code: Code) -> impl Iterator<Item = (u64, Code)> {
        let unit = code.0 >> ENTRY_BITS;
        let entries = &self.units[unit as usize].entries;
        entries.iter().enumerate().map(move |(n, &pc)| (pc, Code(unit << ENTRY_BITS | n as u32)))
    }

    /// The slot of `code`, and the number of the entry.
    pub(crate) fn start_of(&self, code: Code) -> (u32, u32) {
        let unit = &self.units[(code.0 >> ENTRY_BITS) as usize];
        debug_assert!(unit.alive, "forgotten code entered");
        (unit.slot, code.0 & MAX_ENTRIES as u32)
    }

    /// Where an exit's site leads.
    pub(crate) fn site_target(&self, site: Site) -> u64 {
        self.places[site.0 as usize].target
    }

    /// The entry of the region that a site is in.
    pub(crate) fn site_pc(&self, site: Site) -> u64 {
        self.places[site.0 as usize].from
    }

    pub(crate) fn link(&mut self, site: Site, code: Code, base: u32) {
        let (slot, number) = self.start_of(code);
        let place = &mut self.places[site.0 as usize];
        place.unit = Some(code.0 >> ENTRY_BITS);
        let linked = self.linked.entry((place.rounding, place.target)).or_default();
        if !linked.contains(&site.0) {
            linked.push(site.0);
        }
        self.set_cell(site.0, Cell { slot: base + slot, number });
    }

    pub(crate) fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code, base: u32) {
        let (slot, entry) = self.start_of(code);
        if let Some(cache) = self.caches[rounding as usize] {
            // SAFETY: as in `set_cell`; the place is one of the cache's.
            unsafe { cache.add((pc >> 1) as usize % LINES).write(Line { pc, slot: base + slot, entry }) };
        }
    }

    pub(crate) fn forget_indirect(&mut self) {
        for cache in self.caches.iter().flatten() {
            for line in 0..LINES {
                // SAFETY: as in `set_cell`.
                unsafe { cache.add(line).write(EMPTY) };
            }
        }
    }

    /// Forgets the regions whose spans meet `range`; returns how many there were.
    pub(crate) fn forget(&mut self, range: &Range<u64>, base: u32) -> usize {
        let mut dead = Vec::new();
        for (number, unit) in self.units.iter_mut().enumerate() {
            if unit.alive && unit.span.start < range.end && range.start < unit.span.end {
                unit.alive = false;
                self.free_slots.push(unit.slot);
                dead.push(number as u32);
            }
        }
        if dead.is_empty() {
            return 0;
        }
        for number in 0..self.places.len() as u32 {
            let place = &mut self.places[number as usize];
            if place.unit.is_some_and(|unit| dead.binary_search(&unit).is_ok()) {
                place.unit = None;
                if let Some(linked) = self.linked.get_mut(&(place.rounding, place.target)) {
                    linked.retain(|other| *other != number);
                }
                self.set_cell(number, Cell { slot: base + LEAVE_SLOT, number });
            }
        }
        self.forget_indirect();
        dead.len()
    }

    /// Forgets everything. What the host gave is used again, slots only if nothing comes to them any more.
    pub(crate) fn clear(&mut self, keeps_slots: bool) {
        self.units.clear();
        self.places.clear();
        self.by_target.clear();
        self.linked.clear();
        self.free_slots.clear();
        if !keeps_slots {
            self.slots = 0;
        }
        self.forget_indirect();
    }
}
