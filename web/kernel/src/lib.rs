//! The wasm32 instance that holds the kernel: tasks, files, system calls, and the memory objects that address spaces
//! share.
//!
//! It knows the machine and what the glue imports into it; it must never know where guest memory is or what runs guest
//! code: address spaces are in other instances, which it reaches by messages.
#![warn(missing_docs)]

mod areas;
mod cpu;
#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(target_arch = "wasm32")]
mod heap;
mod object;
#[cfg(target_arch = "wasm32")]
mod ports;
mod profile;
#[cfg(target_arch = "wasm32")]
mod session;
mod source;
#[cfg(test)]
mod tests;

pub use cpu::{Glue, WebCpu};
pub use profile::{Profiler, SampledFile};
pub use source::{ChunkSource, Chunks};
