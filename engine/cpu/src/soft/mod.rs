//! An address space on a host without an MMU for the guest (wasm): a byte of permissions a page, checked in software.
//!
//! The window lies at a constant place in a memory that grows; objects are not here: whoever maps one loads its bytes,
//! and carries written pages of shared ones back. What pages hold is known exactly enough that only pages which were
//! ever written are zeroed, copied by a fork or written out when the space is parked.

mod memory;
mod pages;
#[cfg(test)]
mod tests;

pub use memory::{Committed, SoftSpace};
pub use pages::{PAGE_BYTES, USED};
