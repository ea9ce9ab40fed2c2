//! Writes static web bundles from root file systems, and serves them.
//!
//! A bundle is the page, the worker, two wasm instances, an index of the file tree and the contents of its files, cut
//! into chunks that are named by their hash and fetched on demand; `manifest.json` lists everything. This crate knows
//! file trees, and who compiles code ahead of time; it must never know how guest code runs. Without its feature `write` only the formats are left, for the
//! instance that reads them.
#![warn(missing_docs)]

#[cfg(feature = "write")]
pub mod ahead;
#[cfg(feature = "write")]
pub mod assets;
#[cfg(feature = "write")]
pub mod bundle;
#[cfg(feature = "write")]
pub mod entry;
#[cfg(feature = "write")]
mod error;
#[cfg(feature = "write")]
pub mod first;
#[cfg(feature = "write")]
pub mod layout;
pub mod manifest;
#[cfg(feature = "write")]
pub mod serve;
#[cfg(feature = "write")]
pub mod store;

#[cfg(feature = "write")]
pub use error::PackError;
