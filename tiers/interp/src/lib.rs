//! The interpreter tier: regions become compact register code that handlers execute one after the other.
//!
//! An instruction of that code is a handler's address and up to four slots of [`State`] it works on ([`ins`]).
//! Each handler jumps to the next one itself, so a host that predicts indirect jumps by history sees one jump a
//! guest operation; frequent pairs have a handler of their own ([`handlers`]). Guest registers stay in their slots,
//! so state is exact at every instruction and a fault needs no map.
//!
//! This crate knows the IR and the seam. It must never know another tier, RISC-V encodings, files or processes.

mod code;
mod entry;
mod float;
mod handlers;
mod ins;
mod lower;
mod memory;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux", not(feature = "software-checks")))]
mod testing;

use code::CodeSpace;
use friscy_lift_ir::{Region, RoundingClass};
use friscy_seam::{Code, Exit, Prepared, Site, State, Tier};
use std::ops::Range;

/// The interpreter of one address space.
pub struct Interp {
    code: CodeSpace,
    lower: lower::Lower,
}

impl Interp {
    /// An interpreter whose translations may take up to `max_code_bytes` bytes of host memory.
    pub fn new(max_code_bytes: usize) -> Interp {
        Interp { code: CodeSpace::new(max_code_bytes), lower: lower::Lower::default() }
    }

    /// As [`Interp::new`], but every instruction is dispatched by itself: what handlers of pairs are tested against.
    pub fn without_pairs(max_code_bytes: usize) -> Interp {
        let mut interp = Interp::new(max_code_bytes);
        interp.lower.fuses = false;
        interp
    }
}

impl Tier for Interp {
    fn name(&self) -> &'static str {
        "interp"
    }

    fn wants_promoted(&self) -> bool {
        false
    }

    fn prepare(&mut self, region: &Region) -> Prepared {
        match self.lower.lower(region, self.code.jump_cache(region.rounding)) {
            Ok(()) => self.code.install(region, &self.lower),
            Err(why) => Prepared::Refused(why),
        }
    }

    fn unlink(&mut self, code: Code) {
        self.code.unlink(code);
    }

    unsafe fn enter(&mut self, code: Code, state: &mut State) -> Exit {
        // SAFETY: passed on to the caller: `code` is alive, the state's memory is the region's.
        unsafe { entry::enter(&self.code, code, state) }
    }

    fn link(&mut self, site: Site, code: Code) {
        self.code.link(site, code);
    }

    fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code) {
        self.code.link_indirect(pc, rounding, code);
    }

    fn site_pc(&self, site: Site) -> u64 {
        self.code.site_pc(site)
    }

    fn forget_indirect(&mut self) {
        self.code.forget_indirect();
    }

    fn forget(&mut self, range: Range<u64>) {
        self.code.forget(range);
    }

    fn clear(&mut self) {
        self.code.clear();
    }

    fn code_bytes(&self) -> usize {
        self.code.bytes()
    }

    fn most_code_bytes(&self) -> usize {
        self.code.most_bytes()
    }
}
