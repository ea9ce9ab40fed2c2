//! The kernel: tasks, memory maps, files, actions and processes as Linux has them; scheduling, signals, futexes, program
//! loading. It owns the list of mappings and tells the cpu of it through `friscy_boundary`; it must never know host
//! memory or how guest code is executed.
#![warn(missing_docs)]

pub mod cpu;
pub mod crash;
pub mod cred;
pub mod ctx;
pub mod elf;
pub mod error;
pub mod fault;
pub mod files;
pub mod fs;
pub mod fsctx;
pub mod futex;
pub mod ipc;
pub mod kernel;
pub mod mm;
pub mod objects;
mod oom;
pub mod ports;
pub mod process;
pub mod rlimit;
pub mod sched;
pub mod signal;
pub mod task;
pub mod timer;
pub mod vdso;

#[cfg(test)]
mod tests;

pub use ctx::{Ctx, PATH_MAX};
pub use error::{FutexKey, Nanos, RestartKind, Scratch, SysError, SysResult, WaitFor, WaitKey};
pub use fsctx::FsContext;
pub use kernel::{DEFAULT_PIDS_LIMIT, Kernel, KernelConfig};
pub use process::Process;
pub use task::{RunState, Task};

/// Thread id.
pub type Tid = u32;

/// Process id: the thread id of the group's leader.
pub type Pid = u32;
