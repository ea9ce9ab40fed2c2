//! What compiled code refers to outside of itself. Code is made before it is known where that is, and may be kept for another
//! process, where it is elsewhere.

use crate::host::{friscy_jit_read_mxcsr, friscy_jit_serve};
use serde::{Deserialize, Serialize};

/// Something that has an address in this process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Symbol {
    /// The cell with the host address of code for this guest address.
    Cell(u64),
    /// The jump cache.
    Cache,
    /// A function or a table of this crate.
    Helper(Helper),
}

/// Those of this crate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Helper {
    /// Does what the state says; no register changes.
    Serve,
    /// Puts MXCSR into the state.
    ReadMxcsr,
    /// The accrued flags that MXCSR's low bits stand for.
    Flags,
}

impl Helper {
    /// Where it is in this process.
    pub(crate) fn address(self) -> u64 {
        let address = match self {
            Helper::Serve => friscy_jit_serve as *const (),
            Helper::ReadMxcsr => friscy_jit_read_mxcsr as *const (),
            Helper::Flags => friscy_fp::sse::FLAGS.as_ptr().cast(),
        };
        address as u64
    }
}

/// A place in code, of eight bytes, that has the address of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Reloc {
    /// Where it is, relative to the code.
    pub(crate) at: u32,
    pub(crate) symbol: Symbol,
}

impl Reloc {
    /// The bytes of the code that have the address.
    pub(crate) fn place(&self) -> std::ops::Range<usize> {
        self.at as usize..self.at as usize + 8
    }
}
