//! The wasm32 instance that runs one address space.
//!
//! Its memory holds its own data below [`WINDOW_BASE`] and the guest's window from there on. It knows the engine and
//! the tiers; it must never know files, processes or objects. Nothing of a guest lives in wasm globals or tables,
//! so that a copy of the memory is a copy of the address space (fork, park, restore: the glue's).
#![warn(missing_docs)]

#[cfg(target_arch = "wasm32")]
mod compiler;
#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(target_arch = "wasm32")]
mod heap;
mod instance;

use friscy_wasm::Layout;
pub use instance::Instance;

/// Where the guest's window begins in the memory: 256 MiB, so that window and data together are wasm's 4 GiB.
pub const WINDOW_BASE: usize = Layout::BROWSER.window as usize;

/// Bytes below [`WINDOW_BASE`] that nothing uses, so that a small negative displacement reaches nobody's data.
pub const GAP: usize = 0x1_0000;
