//! The shape of the system-call table. The rows are in `rows.rs`; dispatch, `--strace`, the generated page and the
//! counters all come from them.

use crate::args::{Arg, Args, Ret};
use friscy_abi::Errno;
use friscy_kernel::{Ctx, SysResult};

/// What executes a system call. It may be executed again from its start after it blocked.
pub type Handler = fn(&mut Ctx<'_>, &Args) -> SysResult;

/// How much of a system call there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// All that its manual page says, shown by a test whose expectations held on Linux or under qemu-user first.
    Full,
    /// It works, but something is missing.
    Partial(&'static str),
    /// It always fails with this error.
    Stub(Errno),
}

/// One system call.
#[derive(Clone, Copy)]
pub struct Syscall {
    /// Its number, asm-generic as riscv64 has it.
    pub number: u16,
    /// Its name without `sys_`.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
    /// Its result.
    pub ret: Ret,
    /// What executes it.
    pub handler: Handler,
    /// Whether it can wait.
    pub blocks: bool,
    /// How much of it there is.
    pub support: Support,
}

/// One more than the highest number that the dispatch array holds.
pub const LIMIT: usize = 512;

/// A row for a call that always fails with `errno`.
pub(crate) const fn stub(number: u16, name: &'static str, errno: Errno) -> Syscall {
    Syscall {
        number,
        name,
        args: &[],
        ret: Ret::Dec,
        handler: unsupported,
        blocks: false,
        support: Support::Stub(errno),
    }
}

/// What a stub executes: the dispatcher answers for it, since the error is in its row.
fn unsupported(_cx: &mut Ctx<'_>, _args: &Args) -> SysResult {
    Err(Errno::ENOSYS.into())
}
