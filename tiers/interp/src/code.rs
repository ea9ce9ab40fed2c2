//! Where interpreter code lives, and how its pieces are linked to each other and forgotten.

use crate::ins::{Ins, JUMP_CACHE_LINES, JumpEntry, jump_key};
use crate::lower::{Lower, PatchField};
use friscy_lift_ir::{Region, RoundingClass};
use friscy_seam::lines::Line;
use friscy_seam::{Code, Prepared, Site, State, lines};
use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ops::Range;

/// How the guest address of a faulting access is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FaultForm {
    /// Base register plus displacement.
    Displaced,
    /// The base register alone; whether the operation counts as a write.
    Atomic {
        /// Store-conditional and read-modify-write fault as stores.
        write: bool,
    },
}

/// What is known of an instruction that may fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultRow {
    /// Position: in its unit while it is lowered, then in the arena.
    pub index: u32,
    /// Guest instructions that retire before it in its block.
    pub guest_index: u16,
    /// Guest address of the instruction.
    pub pc: u64,
    /// How its address is computed.
    pub form: FaultForm,
}

/// One translated region.
struct Unit {
    start: u32,
    /// Entry.
    pc: u64,
    /// Guest addresses from its first instruction to its last.
    span: Range<u64>,
    /// The last site that was linked to it, or [`NO_SITE`]; each site leads to the one before.
    incoming: u32,
    alive: bool,
}

/// No site.
const NO_SITE: u32 = u32::MAX;

/// A place that leaves for a known guest address.
struct SiteData {
    /// The element whose field is patched, in the arena.
    at: u32,
    field: PatchField,
    /// The unit that it is in.
    unit: u32,
    /// The element that exits, which is the target while the site is not linked.
    stub: u32,
    /// The site that was linked to the same unit before this one was, or [`NO_SITE`].
    next_incoming: u32,
    /// Whether it is linked, and thus in a unit's list.
    linked: bool,
}

/// All code of one interpreter.
pub(crate) struct CodeSpace {
    /// Never grows beyond its capacity, so that instructions do not move.
    arena: Vec<Ins>,
    /// The greatest length it had when it was cleared.
    cleared_at: usize,
    /// In order of position.
    units: Vec<Unit>,
    /// Rows of all instructions that may fault, in order of position.
    faults: Vec<FaultRow>,
    /// Live units by guest page.
    by_page: BTreeMap<u64, Vec<Code>>,
    sites: Vec<SiteData>,
    /// By class of rounding mode; made when a region of the class is.
    caches: [Option<Box<[JumpEntry]>>; 3],
}

/// How many entries of each table there is room for from the start. Natively, tables of that size get pages of their own,
/// which are there once they are touched, and grow without being copied.
const ROOM: usize = if cfg!(target_arch = "wasm32") { 0 } else { 1 << 14 };

const EMPTY: JumpEntry = JumpEntry { key: 0, ip: std::ptr::null() };

/// A jump cache with empty lines. Pages of it that no jump uses are never touched.
fn empty_cache() -> Box<[JumpEntry]> {
    let layout = Layout::new::<[JumpEntry; JUMP_CACHE_LINES]>();
    // SAFETY: the layout is not empty; a line of zeros is an empty one; the box frees it with the layout of its slice,
    // which is the array's.
    unsafe {
        let lines = std::alloc::alloc_zeroed(layout).cast::<JumpEntry>();
        if lines.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        Box::from_raw(std::ptr::slice_from_raw_parts_mut(lines, JUMP_CACHE_LINES))
    }
}

/// Most sites a space may have: a site's number fits the exit code beside its kind.
const MAX_SITES: usize = 1 << 28;

impl CodeSpace {
    pub fn new(max_bytes: usize) -> CodeSpace {
        CodeSpace {
            arena: Vec::with_capacity(max_bytes / size_of::<Ins>()),
            cleared_at: 0,
            units: Vec::with_capacity(ROOM),
            faults: Vec::with_capacity(ROOM),
            by_page: BTreeMap::new(),
            sites: Vec::with_capacity(ROOM),
            caches: [None, None, None],
        }
    }

    pub fn bytes(&self) -> usize {
        self.arena.len() * size_of::<Ins>()
    }

    /// The most bytes of code there have been at once.
    pub fn most_bytes(&self) -> usize {
        self.cleared_at.max(self.arena.len()) * size_of::<Ins>()
    }

    /// The jump cache that indirect jumps of regions of this class look into.
    pub fn jump_cache(&mut self, rounding: RoundingClass) -> *const JumpEntry {
        let cache = self.caches[rounding as usize].get_or_insert_with(empty_cache);
        cache.as_ptr()
    }

    /// The first instruction of a unit.
    pub fn start_of(&self, code: Code) -> *const Ins {
        let unit = &self.units[code.0 as usize];
        debug_assert!(unit.alive, "forgotten code entered");
        &self.arena[unit.start as usize]
    }

    /// Copies lowered code in and makes it known.
    pub fn install(&mut self, region: &Region, lowered: &Lower) -> Prepared {
        let start = self.arena.len();
        let len = lowered.code.len();
        if start + len > self.arena.capacity() || self.sites.len() + lowered.patches.len() > MAX_SITES {
            return Prepared::Full;
        }
        let code = Code(self.units.len() as u32);
        self.arena.extend_from_slice(&lowered.code);
        for patch in &lowered.patches {
            let site = self.sites.len() as u32;
            let stub = start as u32 + patch.stub;
            self.arena[stub as usize].imm = site as i32;
            let at = start as u32 + patch.at;
            let field = patch.field;
            self.sites.push(SiteData { at, field, unit: code.0, stub, next_incoming: NO_SITE, linked: false });
        }
        self.faults.extend(lowered.faults.iter().map(|row| FaultRow { index: start as u32 + row.index, ..*row }));
        let span = region.span();
        if !span.is_empty() {
            for page in span.start >> 12..=(span.end - 1) >> 12 {
                self.by_page.entry(page).or_default().push(code);
            }
        }
        self.units.push(Unit { start: start as u32, pc: region.pc, span, incoming: NO_SITE, alive: true });
        Prepared::Ready(code)
    }

    pub fn link(&mut self, site: Site, code: Code) {
        let unit = &mut self.units[code.0 as usize];
        let data = &mut self.sites[site.0 as usize];
        // A site is in one list, that of the unit it leads to; who left by its stub found it not linked.
        if std::mem::replace(&mut data.linked, true) {
            return;
        }
        data.next_incoming = std::mem::replace(&mut unit.incoming, site.0);
        let target = unit.start;
        self.patch(site, target);
    }

    pub fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code) {
        let ip = self.start_of(code);
        if let Some(cache) = &mut self.caches[rounding as usize] {
            lines::insert(cache, pc, JumpEntry { key: jump_key(pc), ip });
        }
    }

    /// The code at `state.pc` that handlers did not find, since another address has its first line of the jump cache.
    pub fn second_line(&self, state: &State) -> Option<*const Ins> {
        let cache = self.caches[RoundingClass::of(state.frm) as usize].as_deref()?;
        let [_, second] = lines::ways(state.pc, cache.len());
        Some(cache[second].ip).filter(|_| cache[second].is_of(state.pc))
    }

    pub fn forget(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let pages: Vec<u64> = self.by_page.range(range.start >> 12..=(range.end - 1) >> 12).map(|(p, _)| *p).collect();
        if pages.is_empty() {
            return;
        }
        for page in pages {
            let Some(codes) = self.by_page.remove(&page) else { continue };
            let mut kept = Vec::new();
            for code in codes {
                let unit = &mut self.units[code.0 as usize];
                if !unit.alive {
                    continue;
                }
                if unit.span.start >= range.end || range.start >= unit.span.end {
                    kept.push(code);
                    continue;
                }
                unit.alive = false;
                self.unlink_sites(code);
            }
            if !kept.is_empty() {
                self.by_page.insert(page, kept);
            }
        }
        // Its lines may lead into what was just forgotten; they are found again one by one.
        self.forget_indirect();
    }

    /// Leads all places that were linked to a unit to their stubs.
    pub fn unlink(&mut self, code: Code) {
        self.unlink_sites(code);
        // Its line may be there; the others are found again one by one.
        let ip = self.start_of(code);
        for cache in self.caches.iter_mut().flatten() {
            if let Some(line) = lines::line_of(cache, self.units[code.0 as usize].pc).filter(|line| line.ip == ip) {
                *line = EMPTY;
            }
        }
    }

    fn unlink_sites(&mut self, code: Code) {
        let mut next = std::mem::replace(&mut self.units[code.0 as usize].incoming, NO_SITE);
        while let Some(data) = self.sites.get_mut(next as usize) {
            let site = Site(next);
            next = std::mem::replace(&mut data.next_incoming, NO_SITE);
            data.linked = false;
            let stub = data.stub;
            self.patch(site, stub);
        }
    }

    pub fn forget_indirect(&mut self) {
        for cache in self.caches.iter_mut().flatten() {
            cache.fill(EMPTY);
        }
    }

    /// The entry of the region that a site is in.
    pub fn site_pc(&self, site: Site) -> u64 {
        self.units[self.sites[site.0 as usize].unit as usize].pc
    }

    pub fn clear(&mut self) {
        self.cleared_at = self.cleared_at.max(self.arena.len());
        self.arena.clear();
        self.units.clear();
        self.faults.clear();
        self.by_page.clear();
        self.sites.clear();
        self.forget_indirect();
    }

    /// What is known of the instruction at `ip`, which has just faulted.
    pub fn fault_row(&self, ip: *const Ins) -> FaultRow {
        let position = (ip as usize - self.arena.as_ptr() as usize) / size_of::<Ins>();
        let row = self.faults.binary_search_by_key(&(position as u32), |row| row.index);
        // Every instruction that accesses guest memory is lowered together with its row.
        row.map(|row| self.faults[row]).expect("a faulting instruction has a row")
    }

    fn patch(&mut self, site: Site, target: u32) {
        let SiteData { at, field, .. } = self.sites[site.0 as usize];
        field.patch(&mut self.arena, at as usize, target as usize);
    }
}
