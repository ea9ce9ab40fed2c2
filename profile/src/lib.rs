//! Profiles of runs: which code of which files was executed how often.
//!
//! This crate knows the format (`docs/profiles.md`), what a module and a basic block are, and how hot code is chosen. It
//! is data only: it must never know files of the host, tiers, or how samples are taken.

mod compare;
mod encode;
mod executable;
mod model;
mod record;
mod select;
mod text;

pub use compare::{Staleness, check, overlap};
pub use encode::{DecodeError, MAGIC, VERSION};
pub use executable::{BadElf, Executable, Function};
pub use model::{Block, Count, Module, ModuleId, Name, Phases, Profile};
pub use select::{Selected, Selection, select};
pub use text::TextError;
