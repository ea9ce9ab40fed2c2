//! What has been compiled, how its pieces reach each other, and how they are forgotten.

use crate::ahead::Found;
use crate::emit::{Links, Placing};
use crate::host::{Attached, Host};
use crate::layout::{Cell, LINES, Line, NO_PC, context};
use crate::module::{FIRST_SLOT, LEAVE_SLOT};
use friscy_lift_ir::{Region, RoundingClass, cfg};
use friscy_seam::{Ahead, Code, Site, lines};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::ptr::NonNull;

/// How many cells lie together.
const CELLS: usize = 1024;

const EMPTY: Line = Line { pc: NO_PC, slot: 0, entry: 0 };

/// A [`Code`] is a unit's number above that of an entry.
pub(crate) const ENTRY_BITS: u32 = 10;

/// Most entries of a region but one.
pub(crate) const MAX_ENTRIES: usize = (1 << ENTRY_BITS) - 1;

/// A compiled region.
pub(crate) struct Unit {
    pub(crate) slot: u32,
    /// Guest addresses of its entries, by number.
    pub(crate) entries: Vec<u64>,
    pub(crate) span: Range<u64>,
    pub(crate) alive: bool,
    /// It was compiled ahead of time: its slot is its module's.
    pub(crate) is_ahead: bool,
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

/// The numbers of places from here on are those of modules that were compiled ahead of time.
const FIRST_AHEAD: u32 = 1 << (context::BITS - 1);

/// A module that was compiled ahead of time.
struct AheadModule {
    ahead: Ahead,
    /// The name by which the host was asked for it.
    number: u32,
    slots: u32,
    cells: NonNull<Cell>,
    /// The number of its first place.
    first: u32,
    is_here: bool,
    /// The units of its functions, as far as they were ever looked for, by the functions' numbers.
    units: FxHashMap<u32, u32>,
}

/// All of one tier.
#[derive(Default)]
pub(crate) struct Units {
    units: Vec<Unit>,
    places: Vec<Place>,
    /// In the order of the numbers of their places.
    ahead: Vec<AheadModule>,
    /// Of their places, those that are linked, with the units that they lead to.
    ahead_linked: FxHashMap<u32, u32>,
    /// Cells of modules that were forgotten, which the same modules get again.
    ahead_cells: FxHashMap<Ahead, NonNull<Cell>>,
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
            // Code finds the second line of an address by its place.
            let pair = 2 * size_of::<Line>();
            let room = host.room(LINES * size_of::<Line>() + pair)?;
            // SAFETY: there is room for as many bytes more.
            *cache = Some(unsafe { room.add(room.align_offset(pair)) }.cast());
            self.forget_indirect();
        }
        self.caches[rounding as usize].map(|cache| host.address(cache.cast()))
    }

    /// The jump cache for a class of rounding mode, if there is one.
    fn lines(&mut self, rounding: RoundingClass) -> Option<&mut [Line]> {
        // SAFETY: as in `set_cell`; there is room for as many, which were written when it was made.
        self.caches[rounding as usize].map(|cache| unsafe { std::slice::from_raw_parts_mut(cache.as_ptr(), LINES) })
    }

    /// The address of the cell by which code of the region at `from` reaches `target`, for one class of rounding mode.
    fn cell(&mut self, rounding: RoundingClass, from: u64, target: u64, host: &mut dyn Host) -> Option<u32> {
        let number = match self.by_target.get(&(rounding, from, target)) {
            Some(&number) => number,
            None => {
                let number = self.places.len() as u32;
                if number == FIRST_AHEAD {
                    return None;
                }
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

    /// The module that was compiled ahead of time that a place is in, and its number there.
    fn ahead_of(&self, number: u32) -> Option<(&AheadModule, u32)> {
        let module = self.ahead[..self.ahead.partition_point(|module| module.first <= number)].last()?;
        Some((module, number - module.first))
    }

    /// Where a cell is.
    fn cell_of(&self, number: u32) -> NonNull<Cell> {
        if let Some((module, number)) = self.ahead_of(number) {
            // SAFETY: a module has as many cells as places.
            return unsafe { module.cells.add(number as usize) };
        }
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
        Some(Links { cells, cache: self.cache(region.rounding, host)?, placing: Placing::Here })
    }

    /// Makes a region's code known. What led to earlier code for its entries leads to this: jumps within a function are
    /// quick while all of them find the same code.
    pub(crate) fn add(&mut self, unit: Unit, rounding: RoundingClass, base: u32) -> Code {
        let (number, slot) = (self.units.len() as u32, unit.slot);
        for (entry, &pc) in unit.entries.iter().enumerate() {
            let entry = entry as u32;
            if let Some(line) = self.lines(rounding).and_then(|lines| lines::line_of(lines, pc)) {
                *line = Line { pc, slot: base + slot, entry };
            }
            let to = Cell { slot: base + slot, number: entry };
            for place in self.linked.get(&(rounding, pc)).into_iter().flatten() {
                // SAFETY: as in `set_cell`.
                unsafe { self.cell_of(*place).write(to) };
                match self.places.get_mut(*place as usize) {
                    Some(place) => place.unit = Some(number),
                    None => {
                        self.ahead_linked.insert(*place, number);
                    }
                }
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
    pub(crate) fn site_target(&self, site: Site, host: &dyn Host) -> u64 {
        match self.ahead_of(site.0) {
            Some((module, cell)) => {
                let target = host.target(module.ahead.module, cell).unwrap_or(0);
                module.ahead.base.wrapping_add(target.into())
            }
            None => self.places[site.0 as usize].target,
        }
    }

    /// The entry of the region that a site is in; of what was compiled ahead of time, where the file is.
    pub(crate) fn site_pc(&self, site: Site) -> u64 {
        match self.ahead_of(site.0) {
            Some((module, _)) => module.ahead.base,
            None => self.places[site.0 as usize].from,
        }
    }

    pub(crate) fn link(&mut self, site: Site, code: Code, host: &dyn Host) {
        let (slot, number) = self.start_of(code);
        let (base, unit) = (host.base_slot(), code.0 >> ENTRY_BITS);
        let to = match self.places.get_mut(site.0 as usize) {
            Some(place) => {
                place.unit = Some(unit);
                (place.rounding, place.target)
            }
            None => {
                self.ahead_linked.insert(site.0, unit);
                (RoundingClass::Rne, self.site_target(site, host))
            }
        };
        let linked = self.linked.entry(to).or_default();
        if !linked.contains(&site.0) {
            linked.push(site.0);
        }
        self.set_cell(site.0, Cell { slot: base + slot, number });
    }

    pub(crate) fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code, base: u32) {
        let (slot, entry) = self.start_of(code);
        if let Some(lines) = self.lines(rounding) {
            lines::insert(lines, pc, Line { pc, slot: base + slot, entry });
        }
    }

    pub(crate) fn forget_indirect(&mut self) {
        for cache in self.caches.iter().flatten() {
            for line in 0..LINES {
                // SAFETY: as in `set_cell`. No slice yet: the lines of a new cache were not written.
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
                if !unit.is_ahead {
                    self.free_slots.push(unit.slot);
                }
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
        let is_dead = |unit: &u32| dead.binary_search(unit).is_ok();
        let cut: Vec<u32> = self.ahead_linked.iter().filter(|(_, unit)| is_dead(unit)).map(|(&site, _)| site).collect();
        for site in cut {
            self.ahead_linked.remove(&site);
            self.set_cell(site, Cell { slot: base + LEAVE_SLOT, number: site });
            for linked in self.linked.values_mut() {
                linked.retain(|other| *other != site);
            }
        }
        for module in &mut self.ahead {
            module.units.retain(|_, unit| !is_dead(unit));
        }
        self.forget_indirect();
        dead.len()
    }

    /// Makes room for a module that was compiled ahead of time; says how it is to be instantiated. Nothing if there is no
    /// room, or it is there already.
    pub(crate) fn attach(&mut self, ahead: &Ahead, number: u32, host: &mut dyn Host) -> Option<Attached> {
        if self.ahead.iter().any(|module| module.ahead == *ahead) {
            return None;
        }
        let first = self.ahead.last().map_or(FIRST_AHEAD, |last| last.first + last.ahead.places);
        if first.checked_add(ahead.places)? > context::NUMBER as u32 {
            return None;
        }
        let cache = self.cache(RoundingClass::Rne, host)?;
        let cells = match self.ahead_cells.get(ahead) {
            Some(&cells) => cells,
            None => {
                let bytes = (ahead.places.max(1) as usize * size_of::<Cell>()).next_multiple_of(16);
                let cells = host.room(bytes)?.cast();
                self.ahead_cells.insert(*ahead, cells);
                cells
            }
        };
        for place in 0..ahead.places {
            let leave = Cell { slot: host.base_slot() + LEAVE_SLOT, number: first + place };
            // SAFETY: there is room for as many.
            unsafe { cells.add(place as usize).write(leave) };
        }
        let slots = FIRST_SLOT + self.slots;
        self.slots = self.slots.checked_add(ahead.functions)?;
        let units = FxHashMap::default();
        self.ahead.push(AheadModule { ahead: *ahead, number, slots, cells, first, is_here: false, units });
        let base = host.base_slot();
        Some(Attached {
            module: ahead.module,
            base: ahead.base,
            slots: base + slots,
            end: base + self.slots(),
            cells: host.address(cells.cast()),
            cache,
        })
    }

    /// Notes that the module of this name is there, or (not `done`) never will be.
    pub(crate) fn attached(&mut self, number: u32, done: bool) {
        if let Some(module) = self.ahead.iter_mut().find(|module| module.number == number) {
            module.is_here = done;
        }
    }

    /// Whether the host has still to bring a module that was compiled ahead of time.
    pub(crate) fn is_attaching(&self) -> bool {
        self.ahead.iter().any(|module| !module.is_here)
    }

    /// The code at `pc` of a module that was compiled ahead of time, and the span of its function.
    pub(crate) fn find(&mut self, ahead: &Ahead, pc: u64, host: &dyn Host) -> Option<(Code, Range<u64>)> {
        let module = self.ahead.iter_mut().find(|module| module.ahead == *ahead && module.is_here)?;
        let address = u32::try_from(pc.wrapping_sub(ahead.base)).ok()?;
        let Found { code, start, end } = host.find(ahead.module, address)?;
        let (function, entry) = (code >> ENTRY_BITS, code & MAX_ENTRIES as u32);
        if function >= ahead.functions {
            return None;
        }
        let span = ahead.base.wrapping_add(start.into())..ahead.base.wrapping_add(end.into());
        let units = &mut self.units;
        let unit = *module.units.entry(function).or_insert_with(|| {
            let slot = module.slots + function;
            units.push(Unit { slot, entries: Vec::new(), span: span.clone(), alive: true, is_ahead: true });
            units.len() as u32 - 1
        });
        Some((Code(unit << ENTRY_BITS | entry), span))
    }

    /// Forgets everything. What the host gave is used again, slots only if nothing comes to them any more.
    pub(crate) fn clear(&mut self, keeps_slots: bool) {
        self.units.clear();
        self.places.clear();
        self.by_target.clear();
        self.linked.clear();
        self.ahead.clear();
        self.ahead_linked.clear();
        self.free_slots.clear();
        if !keeps_slots {
            self.slots = 0;
        }
        self.forget_indirect();
    }
}
