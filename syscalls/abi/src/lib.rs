//! Linux constants and layouts for riscv64: what crosses between a program and the kernel.
//!
//! This crate knows numbers and structures only; it must never know what a system call does. Numbers and layouts are
//! checked against the C compiler's headers by `tests/headers.rs`.
#![no_std]
#![warn(missing_docs)]

pub mod errno;
pub mod fcntl;
pub mod inotify;
pub mod ipc;
pub mod layout;
pub mod mman;
pub mod poll;
pub mod sched;
pub mod signal;
pub mod socket;
pub mod stat;
pub mod table;
pub mod time;
pub mod tty;

pub use errno::Errno;
