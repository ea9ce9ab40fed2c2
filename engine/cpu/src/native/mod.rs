//! Address spaces on a host with an MMU: the guest's window is host address space, and host protections are the
//! guest's.
//!
//! Anonymous guest memory is a memory file mapped shared at offsets that equal the addresses, so that neighbouring
//! mappings merge and a fork finds the populated extents. The host is never asked for executable pages: translated
//! code is elsewhere, and whether the guest may fetch is known from the list of areas.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "what the native host is reached through")]

mod areas;
mod budget;
mod code;
mod cpu;
mod crosscheck;
mod fault;
mod fork;
mod journal;
mod memfd;
#[cfg(test)]
mod model_tests;
mod profile;
mod sharing;
mod space;
#[cfg(test)]
mod tests;
mod watch;
mod window;

pub use budget::default_share;
pub use cpu::{NativeCpu, Statistics};
pub use crosscheck::{Crosscheck, Difference, Ended, Side};
pub use fault::{HostFault, copy, install};
pub use journal::PageDifference;
pub use memfd::Memfd;
pub use profile::{Profiler, SampledFile};
pub use space::{Hart, NativeSpace, Pages};
pub use watch::Watch;
