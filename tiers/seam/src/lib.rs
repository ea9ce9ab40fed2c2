//! The seam between the engine and its tiers: the guest state that they share, the trait that each implements, and the
//! one routine by which a tier written in Rust reaches guest memory.
//!
//! This crate knows the IR. It must never know a concrete tier, RISC-V mnemonics, files or processes.

pub mod access;
pub mod lines;
mod stats;
mod word;

pub use stats::{Size, TierStats};
pub use word::Left;

use bytes::Bytes;
use friscy_lift_ir::{ExitKind, JumpKind, Region, RoundingClass};
use std::ops::Range;

/// In [`State::fflags`] inside translated code: the host may have gathered further flags since.
pub const GATHERS: u32 = 1 << 31;

/// Slots for values that live within one block only, see [`State::scratch`].
pub const SCRATCH_SLOTS: usize = 192;

/// The state of the guest's hart while it runs, at a fixed layout that translated code may address.
#[repr(C)]
pub struct State {
    /// Integer registers; `x[0]` is always zero.
    pub x: [u64; 32],
    /// Floating-point registers, NaN-boxed.
    pub f: [u64; 32],
    /// Values of the tier that do not outlive a block. Nothing survives here from one exit to the next entry.
    pub scratch: [u64; SCRATCH_SLOTS],
    /// Program counter; exact at every exit, stale inside translated code.
    pub pc: u64,
    /// Fuel left, in guest instructions; a preemption point at which it is ≤ 0 exits.
    pub fuel: i64,
    /// Accrued exception flags, bits 4:0. Inside translated code bit 31, [`GATHERS`], may be set.
    pub fflags: u32,
    /// Dynamic rounding mode, 0 to 7.
    pub frm: u32,
    /// Address of the current reservation, or `u64::MAX`.
    pub reservation: u64,
    /// The value that the load-reserved saw, sign-extended for 32 bits.
    pub reserved_value: u64,
    /// Where guest address 0 is in the host's address space.
    pub window: *mut u8,
    /// One byte a guest page (see [`access::page`]); only hosts without an MMU for the guest (wasm) have it.
    pub pages: *mut u8,
    /// Host stack pointer of the frame that entered translated code; a fault unwinds to it.
    pub host_sp: u64,
    /// Words of the tier that is running, for what its exits carry.
    pub tier: [u64; 4],
    /// The memory fault that ended the last run, valid after [`Exit::Fault`].
    pub fault: MemoryFault,
    /// How many floating-point exceptions the host has reported to translated code ([`access::written::raised`]).
    pub reports: u32,
}

/// A memory access that could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MemoryFault {
    /// The 64-bit guest address, computed from the base register's 64 bits plus displacement.
    pub addr: u64,
    /// Whether it was a store or an atomic.
    pub write: bool,
    /// The host said SIGBUS: beyond the mapped object.
    pub beyond_object: bool,
    /// An atomic was misaligned.
    pub misaligned: bool,
}

impl State {
    /// A state with zero registers over the guest window at `window`, with page bytes at `pages` where the host needs
    /// them (else null).
    pub fn new(window: *mut u8, pages: *mut u8) -> Box<State> {
        Box::new(State::initial(window, pages))
    }

    /// As [`State::new`], by itself.
    pub fn initial(window: *mut u8, pages: *mut u8) -> State {
        State {
            x: [0; 32],
            f: [0; 32],
            scratch: [0; SCRATCH_SLOTS],
            pc: 0,
            fuel: 0,
            fflags: 0,
            frm: 0,
            reservation: u64::MAX,
            reserved_value: 0,
            window,
            pages,
            host_sp: 0,
            tier: [0; 4],
            fault: MemoryFault { addr: 0, write: false, beyond_object: false, misaligned: false },
            reports: 0,
        }
    }
}

/// Names a region's translation inside one tier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Code(pub u32);

/// Names a place in translated code that leaves for a known guest address and may be linked to its translation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Site(pub u32);

/// Why translated code returned to the engine. At every exit pc, `fuel` and all registers in [`State`] are exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Control goes to `state.pc`, for which the tier knows no translation. If `site` is given, linking it makes the
    /// next passage direct; if not, the jump was indirect and [`Tier::link_indirect`] does.
    Goto {
        /// The place to link.
        site: Option<Site>,
        /// What kind of jump by a register it was, if it was one and the tier knows.
        kind: Option<JumpKind>,
    },
    /// Fuel was used up at a preemption point.
    Fuel,
    /// The code that there is for `state.pc` does not hold for the state as it is: another tier has to go on there.
    Below,
    /// An access faulted in a loop that is run once more for it: from `state.pc` on, another tier has to run so many
    /// instructions, and then the access.
    Rerun {
        /// Instructions before the access.
        instructions: u64,
    },
    /// A memory access faulted: `state.fault` says which. pc is that of the instruction, which has not happened.
    Fault,
    /// The region ended in an exit of this kind.
    Kind(ExitKind),
}

/// The exit kinds by the numbers that translated code has for them.
pub const EXIT_KINDS: [ExitKind; 7] = [
    ExitKind::Ecall,
    ExitKind::Ebreak,
    ExitKind::Illegal,
    ExitKind::FenceI,
    ExitKind::ModeChange,
    ExitKind::Csr,
    ExitKind::FetchFault,
];

/// An exit kind's place among [`EXIT_KINDS`].
pub const fn number_of(kind: ExitKind) -> u64 {
    let mut number = 0;
    while number < EXIT_KINDS.len() {
        if EXIT_KINDS[number] as u8 == kind as u8 {
            return number as u64;
        }
        number += 1;
    }
    panic!("every kind has a place")
}

/// A module of code that was compiled ahead of time, for one place where its file is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ahead {
    /// Its number among those that the host has.
    pub module: u32,
    /// What is added to addresses of the file's headers, modulo 2^64.
    pub base: u64,
    /// How many functions it has.
    pub functions: u32,
    /// Through how many places they leave for known addresses.
    pub places: u32,
}

/// Outcome of [`Tier::prepare`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prepared {
    /// It can be entered now.
    Ready(Code),
    /// It is being translated; [`Tier::finished`] tells when it is.
    Pending,
    /// This tier will not translate it.
    Refused(&'static str),
    /// The tier's code memory is full: [`Tier::clear`] and prepare again.
    Full,
}

/// A way to execute regions. When and how a region is translated is never visible to the guest.
pub trait Tier {
    /// A short name for statistics: `interp`, `jit`, `wasm`.
    fn name(&self) -> &'static str;

    /// Whether regions should have guest registers promoted across blocks before [`Tier::prepare`].
    fn wants_promoted(&self) -> bool;

    /// Translates a region; it is entered at its block 0.
    fn prepare(&mut self, region: &Region) -> Prepared;

    /// As [`Tier::prepare`], with a region that the tier may keep.
    fn prepare_owned(&mut self, region: Region) -> Prepared {
        self.prepare(&region)
    }

    /// A region of which [`Tier::prepare`] said [`Prepared::Pending`], and what became of it: its entry, its class of
    /// rounding mode, and the outcome. Regions that were forgotten meanwhile do not come.
    fn finished(&mut self) -> Option<(u64, RoundingClass, Prepared)> {
        None
    }

    /// Whether a region could be translated at once: one that can wait would keep none from being.
    fn is_idle(&self) -> bool {
        true
    }

    /// The guest addresses at which control may enter the region that `code` is of from outside, each with the code that
    /// enters there.
    fn entries(&self, code: Code) -> Vec<(u64, Code)> {
        let _ = code;
        Vec::new()
    }

    /// Asks the host for a module of code that was compiled ahead of time. It comes when it comes: see [`Tier::hear`].
    fn attach(&mut self, ahead: &Ahead) {
        let _ = ahead;
    }

    /// Takes note of modules that were asked for and have come.
    fn hear(&mut self) {}

    /// The code at `pc` of a module that was asked for, and the addresses that its function is from: nothing if there is
    /// none, or not yet. It is for the class of rounding modes in which dynamic rounding is to the nearest, ties to even.
    fn find(&mut self, ahead: &Ahead, pc: u64) -> Option<(Code, Range<u64>)> {
        let _ = (ahead, pc);
        None
    }

    /// Leads all places that were linked to `code` out of the tier again; it can still be entered.
    fn unlink(&mut self, code: Code) {
        let _ = code;
    }

    /// Runs translated code until it exits.
    ///
    /// # Safety
    /// `code` was returned by this tier and not forgotten since; `state.window` and `state.pages` are those of the
    /// address space that the region was lifted from, or of one with the same code (a forked one); the handler for
    /// host faults is installed.
    unsafe fn enter(&mut self, code: Code, state: &mut State) -> Exit;

    /// Makes `site` go to `code` directly from now on.
    fn link(&mut self, site: Site, code: Code);

    /// Makes indirect jumps to `pc` under `rounding` find `code`.
    fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code);

    /// The entry of the region that `site` is in.
    fn site_pc(&self, site: Site) -> u64;

    /// Forgets what [`Tier::link_indirect`] told.
    fn forget_indirect(&mut self);

    /// Forgets every translation of code in `range` of guest addresses: no later passage enters them.
    fn forget(&mut self, range: Range<u64>);

    /// Forgets everything.
    fn clear(&mut self);

    /// The code of a region as bytes that another process can have again, if this tier makes such.
    fn save(&self, code: Code) -> Option<Vec<u8>> {
        let _ = code;
        None
    }

    /// Takes back what [`Tier::save`] gave in this process or in another one of the same version on a host with the same
    /// features. `outline` has the region's entry, class and blocks, without what is in them.
    fn restore(&mut self, outline: &Region, saved: Bytes) -> Prepared {
        let _ = (outline, saved);
        Prepared::Refused("nothing is kept")
    }

    /// What it has done, of a tier that compiles.
    fn stats(&self) -> TierStats {
        TierStats::default()
    }

    /// Bytes of host memory that translated code takes.
    fn code_bytes(&self) -> usize;

    /// The most bytes of it there have been at once: a tier that keeps code in one place has not written beyond.
    fn most_code_bytes(&self) -> usize;
}
