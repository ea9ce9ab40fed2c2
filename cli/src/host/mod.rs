//! The host's side of a machine: the terminal or the standard streams, and waiting for them.

mod events;
mod memory;
mod raw;
mod streams;

pub use events::Events;
pub use memory::resident;
pub use raw::RawMode;
pub use streams::{Mode, Streams};
