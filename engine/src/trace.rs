//! Watching system calls.

use friscy_kernel::{Kernel, SysResult, Tid};

/// A system call that is being made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Who makes it.
    pub tid: Tid,
    /// Its number, `a7`.
    pub number: u64,
    /// Its arguments, `a0` to `a5`.
    pub args: [u64; 6],
}

/// Somebody who wants to see system calls (`--strace`).
pub trait Trace {
    /// The call is about to be executed for the first time: strings it is given can still be read from memory.
    fn enter(&mut self, kernel: &mut Kernel, call: &Call);

    /// The call was executed, for the last time unless the result is a block or restart.
    fn leave(&mut self, kernel: &mut Kernel, call: &Call, result: &SysResult);
}
