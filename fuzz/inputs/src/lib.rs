//! What is checked of inputs that nobody vouches for: programs, tars, documents and archives of images, operations on
//! files.
//!
//! Each module has a function `check` that takes bytes and panics when something is not as it must be: the fuzzers'
//! targets call it with what they mutate, the tests with changed seeds. Refusing an input is always right.
#![warn(missing_docs)]

pub mod elf;
pub mod image;
pub mod manifest;
mod seeds;
pub mod tar;
mod tree;
pub mod vfs;

pub use seeds::{seeds, write_seeds};
