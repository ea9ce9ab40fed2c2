//! One address space: its memory, translation, code cache, run loop.
//!
//! This crate knows the lifter and the seam that tiers implement. It must never know a concrete tier, files or
//! processes.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod native;
