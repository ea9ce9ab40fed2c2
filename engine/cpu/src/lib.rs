//! One address space: its memory, translation, code cache, run loop.
//!
//! This crate knows the lifter and the seam that tiers implement. It must never know a concrete tier, files or
//! processes.

mod jumps;
mod keep;
mod lift;
mod recent;
mod run;
pub mod soft;
mod tiering;
mod translate;

pub use keep::{CodeStore, Kept, Origin, SharedStore};
pub use lift::Translator;
pub use run::{RunMemory, Stop, load, run, run_shared, store};
pub use tiering::{MakeCompiler, Policy};
pub use translate::{Changed, CodeMemory, Image, Key, Mark, PageSource, Rest, Translations, Untranslatable};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod native;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use native::{
    Crosscheck, Difference, Ended, NativeCpu, PageDifference, Profiler, SampledFile, Side, Statistics, Watch,
};
