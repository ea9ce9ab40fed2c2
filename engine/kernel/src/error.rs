//! What a system call answers, and what a task waits for.

use crate::{Pid, Tid};
use friscy_abi::Errno;
use smallvec::SmallVec;

/// A point of the monotonic clock, or a span, in nanoseconds.
pub type Nanos = u64;

/// What a system-call handler answers: the value for `a0`, or why there is none.
pub type SysResult = Result<u64, SysError>;

/// Why a system call has no ordinary result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SysError {
    /// It failed.
    Errno(Errno),
    /// It cannot go on before a condition holds. The handler is run again from its start when one of the keys is
    /// woken, the deadline passes or a signal comes; what it must remember is in [`Scratch`].
    Block(Box<WaitFor>),
    /// The registers are as the task is to go on with them (execve, rt_sigreturn), or the task is gone (exit).
    NoReturn,
    /// It was interrupted by a signal: restart or `EINTR`, as the kind says.
    Restart(RestartKind),
}

impl From<Errno> for SysError {
    fn from(errno: Errno) -> SysError {
        SysError::Errno(errno)
    }
}

impl From<WaitFor> for SysError {
    fn from(wait: WaitFor) -> SysError {
        SysError::Block(Box::new(wait))
    }
}

/// What happens to a blocked system call that a signal interrupts (`include/linux/errno.h` of Linux has the same four).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RestartKind {
    /// `ERESTARTSYS`: restarted if the handler has `SA_RESTART` or no handler runs, else `EINTR`.
    #[default]
    Sys,
    /// `ERESTARTNOHAND` and `ERESTART_RESTARTBLOCK`: `EINTR` if a handler runs, else continued with its first deadline.
    NoHandler,
    /// `ERESTARTNOINTR`: always restarted.
    Always,
    /// A signal does not interrupt it at all (vfork(2)).
    Uninterruptible,
    /// `EINTR` whether a handler runs or not.
    Never,
}

/// What a futex word is known by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FutexKey {
    /// A word named with `FUTEX_PRIVATE_FLAG`: the address space and the address.
    Private(u32, u64),
    /// A word of private memory, named without the flag: Linux keeps the two apart.
    Unshared(u32, u64),
    /// A word of a shared mapping: the object and the offset.
    Shared(u32, u64),
}

/// A condition a task can wait for. Plain data: the owner of the condition calls [`crate::Kernel::wake`] with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WaitKey {
    /// An open file, pipe, socket, tty or other object changed; the number is from [`crate::Kernel::new_wait_id`].
    Object(u64),
    /// A child of the process changed its state.
    ChildOf(Pid),
    /// The process ended (pidfd).
    ProcessEnd(Pid),
    /// The vfork child released its parent's memory.
    VforkDone(Tid),
    /// The host's terminal has input, can take output, or was resized.
    Terminal,
    /// A part of a file that is being fetched; the number is the vfs's `ChunkId`.
    Chunk(u64),
    /// A signal for the task (signalfd, rt_sigtimedwait): woken when one is queued, blocked or not.
    SignalFor(Pid),
}

/// Where a blocked system call waits.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WaitFor {
    /// Any of these ends the wait.
    pub keys: SmallVec<[WaitKey; 4]>,
    /// Monotonic time at which the wait ends by itself.
    pub deadline: Option<Nanos>,
    /// What a signal does to it.
    pub restart: RestartKind,
}

impl WaitFor {
    /// A wait for one key, restarted as `ERESTARTSYS`.
    #[must_use]
    pub fn key(key: WaitKey) -> WaitFor {
        let mut wait = WaitFor::default();
        wait.keys.push(key);
        wait
    }

    /// A wait for any of the keys.
    #[must_use]
    pub fn any(keys: impl IntoIterator<Item = WaitKey>) -> WaitFor {
        WaitFor { keys: keys.into_iter().collect(), ..WaitFor::default() }
    }

    /// The same wait, ending at `deadline` of the monotonic clock at the latest.
    #[must_use]
    pub fn until(mut self, deadline: Option<Nanos>) -> WaitFor {
        self.deadline = deadline;
        self
    }

    /// The same wait with another treatment of signals.
    #[must_use]
    pub fn restart(mut self, restart: RestartKind) -> WaitFor {
        self.restart = restart;
        self
    }
}

/// What a system call remembers from one of its executions to the next. It is empty when a call starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scratch {
    /// The call's absolute deadline, once computed from its relative timeout.
    pub deadline: Option<Nanos>,
    /// Bytes (or items) already transferred. When a signal interrupts the call and this is not zero, it is the result.
    pub done: u64,
    /// Whatever else the call keeps (a signal mask to restore, a state number).
    pub value: u64,
    /// The call was executed before and blocked.
    pub again: bool,
    /// A futex wake chose this task.
    pub woken: bool,
    /// The process stopped while the call waited, which interrupts it when it would wait again.
    pub stopped: bool,
}
