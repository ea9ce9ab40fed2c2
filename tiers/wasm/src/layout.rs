//! Where compiled code finds things in the memory that it shares with the instance that runs it.

use friscy_seam::State;
use std::mem::offset_of;

/// Addresses in the memory, which do not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The guest's address 0. What lies 64 KiB below it, nobody uses.
    pub window: u32,
    /// The state.
    pub state: u32,
    /// The page bytes ([`friscy_seam::access::page`]), one for each of the 2^20 pages that 32 bits can name.
    pub pages: u32,
}

impl Layout {
    /// Where the instances of a browser have them, and what is compiled ahead of time for it: the window is 256 MiB up, so
    /// that it and all else are wasm's 4 GiB. Between the page bytes and what nobody uses lies what the interpreter
    /// translates.
    pub const BROWSER: Layout = Layout { window: 0x1000_0000, state: 0xf2e_0000, pages: 0xf2f_0000 };

    /// Where a guest register is: integer registers are numbered 0 to 31, floating-point ones 32 to 63.
    pub(crate) fn register(&self, r: usize) -> u64 {
        let first = if r < 32 { offset_of!(State, x) } else { offset_of!(State, f) };
        self.field(first + 8 * (r & 31))
    }

    /// Where a field of the state is.
    pub(crate) fn field(&self, offset: usize) -> u64 {
        u64::from(self.state) + offset as u64
    }
}

/// What the engine that runs the code has beyond wasm's second version with tail calls.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Features {
    /// `f64x2.relaxed_madd` and `f32x4.relaxed_madd` are there, and round once.
    pub fused: bool,
}

/// The first parameter of compiled code: the number of the entry, or of a site, in the bits below, and how much of the
/// engine's stack active calls may take in those above.
pub(crate) mod context {
    /// Bits of the number.
    pub(crate) const BITS: u32 = 20;
    /// The number.
    pub(crate) const NUMBER: i32 = (1 << BITS) - 1;
    /// What stack is counted in, bytes.
    const UNIT: usize = 128;
    /// The most that active calls may take, in units: a worker of Chromium has some 500 KiB, and what enters compiled code
    /// needs some of that.
    const MAX: u32 = (384 << 10) / UNIT as u32;
    /// The first context whose calls take too much, for an unsigned comparison.
    pub(crate) const FULL: i32 = (MAX << BITS) as i32;

    /// What calls from a function with so many locals add to its context. Engines' quick compilers keep all locals in the
    /// frame, and what an expression of ours may leave on wasm's stack.
    pub(crate) fn frame(locals: usize) -> i32 {
        let bytes = 8 * (locals + 40);
        let most = (1 << (32 - BITS)) - 1 - MAX as usize;
        (bytes.div_ceil(UNIT).min(most) << BITS) as i32
    }
}

/// A line of the jump cache: where compiled code for a guest address is.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Line {
    /// Guest address, or [`NO_PC`].
    pub(crate) pc: u64,
    /// Slot of the table.
    pub(crate) slot: u32,
    /// Number of the entry.
    pub(crate) entry: u32,
}

/// Lines of a jump cache; the first line of an address is in bits 12:1 of it.
pub(crate) const LINES: usize = 4096;

impl friscy_seam::lines::Line for Line {
    fn is_of(&self, pc: u64) -> bool {
        self.pc == pc
    }
}

/// No guest address: they are even.
pub(crate) const NO_PC: u64 = 1;

/// What a place jumps or calls through.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    /// Slot of the table.
    pub(crate) slot: u32,
    /// Number of the entry; of the site, where it leads out.
    pub(crate) number: u32,
}
