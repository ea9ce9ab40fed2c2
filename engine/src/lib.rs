//! The machine: kernel, system calls and address spaces put together.
