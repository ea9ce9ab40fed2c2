//! Processes (thread groups): creation, end, waiting, groups and sessions are in the submodules.

mod clone;
mod exec;
mod exit;
mod group;
mod wait;

pub use clone::{CloneRequest, PID_MAX, THREADS_MAX};
pub use exec::ExecRequest;
pub use wait::{WaitReport, WaitWhat, WaitWhich};

use crate::rlimit::Rlimits;
use crate::signal::Pending;
use crate::timer::ItimerSet;
use crate::{Nanos, Pid, Tid};

/// What a process uses of the machine, for getrusage(2) and times(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nanoseconds in guest code.
    pub user_time: Nanos,
    /// Nanoseconds in system calls.
    pub system_time: Nanos,
    /// Most pages ever mapped, in bytes.
    pub max_rss: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
}

impl Usage {
    /// Adds another's times and counts; the larger memory wins.
    pub fn add(&mut self, other: &Usage) {
        self.user_time = self.user_time.saturating_add(other.user_time);
        self.system_time = self.system_time.saturating_add(other.system_time);
        self.max_rss = self.max_rss.max(other.max_rss);
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }
}

/// A change of a child's state that wait4(2) may report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildEvent {
    /// It stopped by this signal.
    Stopped(u32),
    /// SIGCONT let it go on.
    Continued,
}

/// How a process ended, as the `wstatus` of wait4(2) encodes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitStatus {
    /// `exit_group` with the low 8 bits of its argument.
    Exited(u8),
    /// Killed by a signal; `core` is the bit of signals that would dump.
    Signaled {
        /// The signal.
        signo: u32,
        /// `WCOREDUMP`.
        core: bool,
    },
}

impl ExitStatus {
    /// `wstatus`.
    #[must_use]
    pub fn to_wstatus(self) -> u32 {
        match self {
            ExitStatus::Exited(status) => u32::from(status) << 8,
            ExitStatus::Signaled { signo, core } => signo | if core { 0x80 } else { 0 },
        }
    }
}

/// What threads of a process share beside memory, files and actions (`signal_struct` of Linux).
#[derive(Clone, Debug)]
pub struct Process {
    /// Process id.
    pub pid: Pid,
    /// Parent process; 0 for the first one.
    pub parent: Pid,
    /// Process group.
    pub pgid: Pid,
    /// Session.
    pub sid: Pid,
    /// Living threads, the leader first while it lives.
    pub threads: Vec<Tid>,
    /// Child processes, zombies included.
    pub children: Vec<Pid>,
    /// Signal sent to the parent at the end; 0 for none.
    pub exit_signal: u32,
    /// Signals sent to the process as a whole.
    pub pending: Pending,
    /// Resource limits.
    pub rlimits: Rlimits,
    /// The process is ending with this status: its threads go as they are met.
    pub group_exit: Option<ExitStatus>,
    /// It has ended and waits for its parent.
    pub zombie: Option<ExitStatus>,
    /// The signal that stopped it, while it is stopped.
    pub stopped: Option<u32>,
    /// A stop or continuation that the parent has not waited for yet.
    pub event: Option<ChildEvent>,
    /// `PR_SET_CHILD_SUBREAPER`.
    pub subreaper: bool,
    /// It has called execve since its creation (setpgid(2) is refused then).
    pub did_exec: bool,
    /// The controlling terminal, by the number that tty drivers give it.
    pub tty: Option<u32>,
    /// setitimer(2).
    pub itimers: ItimerSet,
    /// timer_create(2), by id.
    pub posix_timers: std::collections::BTreeMap<i32, crate::timer::PosixTimer>,
    /// The id that the next one gets, if it is free.
    pub next_timer: i32,
    /// Some of them measure processor time and are armed.
    pub cpu_timers: bool,
    /// The foreground group of the terminal that hung up while this was the leader of its session, or 0.
    pub lost_foreground: Pid,
    /// Of threads that have ended.
    pub usage: Usage,
    /// Of children that were waited for.
    pub children_usage: Usage,
    /// The second of processor time at which SIGXCPU was sent last.
    pub cpu_limit_seen: u64,
    /// `PR_SET_DUMPABLE`.
    pub dumpable: u32,
    /// oom_score_adj, −1000 to 1000.
    pub oom_score_adj: i32,
    /// The real user id and the name of its last thread, once no thread is left.
    pub last_uid: u32,
    /// See `last_uid`.
    pub last_comm: Vec<u8>,
    /// Monotonic time of its start.
    pub start_time: Nanos,
}
