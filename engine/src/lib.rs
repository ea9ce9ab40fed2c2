//! The machine: it gives tasks their turns, runs them on the cpu, dispatches their system calls and delivers their
//! signals.
//!
//! It knows the kernel and the boundary; it must never know a concrete tier or what is on the other side of the
//! boundary. Nothing here waits for the host: [`Machine::run`] returns when there is nothing to do.
#![warn(missing_docs)]

mod config;
mod machine;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod spawn;
mod step;
mod trace;

pub use config::{Config, Ports};
pub use friscy_kernel::process::ExitStatus;
pub use machine::{Machine, MachineStatus};
pub use spawn::{Program, SpawnError, User};
pub use trace::{Call, Trace};
