//! The memory that programs run in, and a plain model of it.

use crate::random::Random;
use friscy_boundary::{PAGE_SIZE, Prot};
use friscy_lift_ir::eval::{Denied, EvalHost};
use friscy_lift_ir::{CodeSource, FetchFault, Region};
use std::collections::BTreeMap;

/// First address of the code pages.
pub const CODE: u64 = 0x20000;
/// Bytes of code that there is room for.
pub const CODE_BYTES: usize = 3 * PAGE_SIZE as usize;
/// The pages with functions that programs write over: fetched and written.
pub const PATCH: u64 = 0x30000;
/// A read-only page that begins with a jump table.
pub const TABLE: u64 = 0x41000;
/// Entries of the jump table, a power of two.
pub const TABLE_ENTRIES: usize = 8;

/// A page of the programs' memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Its address.
    pub addr: u64,
    /// Its protections.
    pub prot: Prot,
    /// Whether it is mapped from an object.
    pub object: Object,
}

/// What a page has to do with an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Object {
    /// Anonymous.
    None,
    /// Maps the object's only page.
    Page,
    /// Lies beyond the object.
    Beyond,
}

const fn page(addr: u64, prot: Prot) -> Page {
    Page { addr, prot, object: Object::None }
}

const EXECUTE_ONLY: Prot = Prot { read: false, write: false, exec: true };

/// All pages there are. The lowest and the highest one that can be mapped are among them.
pub const PAGES: [Page; 17] = [
    page(0x10000, Prot::RW),
    page(CODE, Prot::RX),
    page(CODE + 0x1000, Prot::RX),
    page(CODE + 0x2000, Prot::RX),
    page(PATCH, Prot::RWX),
    page(PATCH + 0x1000, Prot::RWX),
    page(0x40000, Prot::RW),
    page(TABLE, Prot::R),
    page(0x42000, Prot::RW),
    page(0x44000, Prot::RW),
    page(0x45000, Prot::NONE),
    page(0x46000, Prot::RW),
    page(0x47000, EXECUTE_ONLY),
    Page { addr: 0x50000, prot: Prot::RW, object: Object::Page },
    Page { addr: 0x51000, prot: Prot::RW, object: Object::Beyond },
    Page { addr: 0x52000, prot: Prot::R, object: Object::Beyond },
    page(friscy_boundary::HIGHEST_ADDRESS - PAGE_SIZE, Prot::RW),
];

/// Addresses near which accesses are interesting.
pub const EDGES: [u64; 17] = [
    0,
    0x10000,
    0x11000,
    0x40000,
    0x41000,
    0x42000,
    0x43000,
    0x44000,
    0x45000,
    0x46000,
    0x47000,
    0x48000,
    0x51000,
    0x52000,
    friscy_boundary::HIGHEST_ADDRESS - PAGE_SIZE,
    friscy_boundary::HIGHEST_ADDRESS,
    0x1_0000_0000,
];

struct ModelPage {
    page: Page,
    bytes: Vec<u8>,
}

/// The pages as plain bytes.
pub struct Model {
    pages: BTreeMap<u64, ModelPage>,
    /// The first byte that the last denied access could not have, and whether it is beyond an object.
    pub denied: (i64, bool),
    /// Bytes of a page that can be fetched were written since this was last cleared.
    pub stale: bool,
}

impl Model {
    /// The pages with the contents that `fill` makes, or zeros.
    pub fn new(fill: Option<u64>) -> Model {
        let pages = PAGES.iter().map(|&page| {
            let bytes = match fill.filter(|_| page.object != Object::Beyond && !page.prot.exec) {
                Some(seed) => contents(seed ^ page.addr),
                None => vec![0; PAGE_SIZE as usize],
            };
            (page.addr / PAGE_SIZE, ModelPage { page, bytes })
        });
        Model { pages: pages.collect(), denied: (0, false), stale: false }
    }

    /// The bytes of the page at `addr`.
    pub fn page(&self, addr: u64) -> &[u8] {
        self.pages.get(&(addr / PAGE_SIZE)).map_or(&[], |page| &page.bytes)
    }

    /// Writes whatever the protections.
    pub fn poke(&mut self, addr: u64, bytes: &[u8]) {
        for (at, byte) in (addr..).zip(bytes) {
            if let Some(page) = self.pages.get_mut(&(at / PAGE_SIZE)) {
                page.bytes[(at % PAGE_SIZE) as usize] = *byte;
            }
        }
    }

    fn check(&mut self, offset: i64, len: u32, allowed: fn(Prot) -> bool) -> Result<(), Denied> {
        for at in offset..offset + i64::from(len) {
            let page = u64::try_from(at).ok().and_then(|at| self.pages.get(&(at / PAGE_SIZE)));
            let beyond = page.is_some_and(|p| p.page.object == Object::Beyond && allowed(p.page.prot));
            if beyond || !page.is_some_and(|p| allowed(p.page.prot)) {
                self.denied = (at, beyond);
                return Err(Denied);
            }
        }
        Ok(())
    }

    /// The two bytes of code at `pc`.
    fn half(&self, pc: u64) -> Result<u32, FetchFault> {
        let page = self.pages.get(&(pc / PAGE_SIZE)).filter(|p| p.page.prot.exec).ok_or(FetchFault)?;
        let at = (pc % PAGE_SIZE) as usize;
        Ok(u32::from(page.bytes[at]) | u32::from(page.bytes[at + 1]) << 8)
    }

    /// The address of the first half of the instruction at `pc` that cannot be fetched.
    pub fn fetch_fault(&self, pc: u64) -> u64 {
        if self.half(pc).is_err() { pc } else { pc.wrapping_add(2) }
    }

    /// Whether the page at `pc` can be both fetched and written.
    pub fn is_writable_code(&self, pc: u64) -> bool {
        self.pages.get(&(pc / PAGE_SIZE)).is_some_and(|p| p.page.prot.exec && p.page.prot.write)
    }
}

/// Random bytes of a page: operands of all kinds, and any bytes.
fn contents(seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let words = (0..PAGE_SIZE / 8).map(|_| match random.below(3) {
        0 => random.integer(),
        1 => random.float(),
        _ => random.bits(),
    });
    words.flat_map(u64::to_le_bytes).collect()
}

/// Some blocks that jumps by registers may lead to.
pub fn guessed_targets(region: &Region) -> Vec<u64> {
    region.blocks.iter().step_by(2).map(|block| block.pc).collect()
}

impl CodeSource for Model {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        let low = self.half(pc)?;
        if low & 3 != 3 {
            return Ok(low);
        }
        Ok(low | self.half(pc.wrapping_add(2))? << 16)
    }

    fn jump_targets(&mut self, region: &Region) -> Vec<u64> {
        guessed_targets(region)
    }
}

impl EvalHost for Model {
    fn load(&mut self, offset: i64, len: u32) -> Result<u64, Denied> {
        self.check(offset, len, |prot| prot.read || prot.write)?;
        let bytes = (offset as u64..).take(len as usize).map(|at| {
            let page = self.pages.get(&(at / PAGE_SIZE));
            page.map_or(0, |page| u64::from(page.bytes[(at % PAGE_SIZE) as usize]))
        });
        Ok(bytes.enumerate().fold(0, |value, (i, byte)| value | byte << (8 * i)))
    }

    fn store(&mut self, offset: i64, len: u32, value: u64) -> Result<(), Denied> {
        self.check(offset, len, |prot| prot.write)?;
        let at = offset as u64;
        self.stale |= self.is_writable_code(at) || self.is_writable_code(at + u64::from(len) - 1);
        self.poke(at, &value.to_le_bytes()[..len as usize]);
        Ok(())
    }
}
