//! Linux constants and layouts for riscv64: what crosses between a program and the kernel.
//!
//! This crate knows numbers and structures only; it must never know what a system call does. The layouts are checked
//! against the C compiler's by the tests.
#![no_std]
#![warn(missing_docs)]

pub mod errno;

pub use errno::Errno;
