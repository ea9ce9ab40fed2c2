//! System calls: one table, one file a family. Handlers are thin: they decode, call one function of the kernel, and
//! copy out.
//!
//! This crate knows the kernel and the vfs; it must never know how guest code is executed.
#![warn(missing_docs)]

mod address;
mod args;
mod dispatch;
mod docs;
mod fd;
mod futex;
mod identity;
mod inotify;
mod io;
mod ipc;
mod memory;
mod message;
mod meta;
mod mqueue;
mod netlink;
mod path;
mod poll;
mod process;
mod rows;
mod scheduling;
mod signals;
mod socket;
mod sockopt;
mod strace;
mod system;
mod table;
mod time;

pub use args::{Arg, Args, Kind, Ret};
pub use dispatch::{dispatch, lookup};
pub use docs::page;
pub use rows::TABLE;
pub use strace::{Filter, line};
pub use table::{Handler, LIMIT, Support, Syscall};
