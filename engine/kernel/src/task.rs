//! Tasks: what Linux keeps for a thread.

use crate::cred::Cred;
use crate::error::{FutexKey, Scratch, WaitFor};
use crate::files::FdTable;
use crate::fsctx::FsContext;
use crate::mm::Mm;
use crate::sched::SchedParams;
use crate::signal::{AltStack, Pending, SigSet, Sighand};
use crate::{Nanos, Pid, Tid};
use friscy_boundary::{MmId, Regs};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::rc::Rc;

/// Whether a task can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It runs guest code when it is its turn.
    Ready,
    /// It waits inside the system call at its pc.
    Blocked(Box<WaitFor>),
    /// A stop signal keeps it from running until SIGCONT.
    Stopped,
    /// It has ended; the thread-group leader stays as a zombie until it is waited for.
    Dead,
}

/// A thread of a process.
pub struct Task {
    /// Thread id.
    pub tid: Tid,
    /// Thread-group id: the process, [`crate::Kernel::processes`].
    pub tgid: Pid,
    /// User-visible registers; while the task is in a system call, pc is that of the `ecall`.
    pub regs: Regs,
    /// The address space's list of mappings, shared by threads and by vfork children.
    pub mm: Rc<RefCell<Mm>>,
    /// The address space's name at the boundary, the same as in `mm`.
    pub mm_id: MmId,
    /// Open files.
    pub files: Rc<RefCell<FdTable>>,
    /// Root, working directory and umask.
    pub fs: Rc<RefCell<FsContext>>,
    /// Signal actions.
    pub sighand: Rc<RefCell<Sighand>>,
    /// Credentials.
    pub cred: Rc<Cred>,
    /// Name of at most 15 bytes (`PR_SET_NAME`).
    pub comm: Vec<u8>,
    /// Blocked signals.
    pub mask: SigSet,
    /// The mask to restore after a call that had set another one (rt_sigsuspend, ppoll, pselect6, epoll_pwait).
    pub saved_mask: Option<SigSet>,
    /// Signals sent to this thread.
    pub pending: Pending,
    /// Alternate signal stack.
    pub altstack: AltStack,
    /// `set_tid_address`: zeroed and woken as a futex when the thread ends.
    pub clear_child_tid: u64,
    /// `set_robust_list`: address of the list head.
    pub robust_list: u64,
    /// The futexes it is queued at.
    pub futexes: SmallVec<[FutexKey; 1]>,
    /// Personality, personality(2).
    pub personality: u32,
    /// `PR_SET_PDEATHSIG`.
    pub parent_death_signal: u32,
    /// Nice value, −20 to 19.
    pub nice: i32,
    /// Policy and priority.
    pub sched: SchedParams,
    /// Whether it runs.
    pub state: RunState,
    /// The system call in progress remembers things here.
    pub scratch: Scratch,
    /// A system call is in progress: it is executed again before guest code runs.
    pub in_syscall: bool,
    /// This task is a vfork child whose parent waits until it execs or exits.
    pub vfork: bool,
    /// The task holds a place in the run queue.
    pub queued: bool,
    /// Guest instructions retired.
    pub retired: u64,
    /// Nanoseconds spent running guest code.
    pub user_time: Nanos,
    /// Nanoseconds spent in system calls.
    pub system_time: Nanos,
    /// Monotonic time of its start.
    pub start_time: Nanos,
    /// Times it gave up the processor by blocking, and by being preempted.
    pub switches: (u64, u64),
}

impl Task {
    /// The first task, with zero registers.
    #[must_use]
    pub fn first(tid: Tid, mm: Mm, cred: Cred, fs: FsContext, files: FdTable, now: Nanos) -> Task {
        let mm_id = mm.id;
        Task {
            tid,
            tgid: tid,
            regs: Regs::default(),
            mm: Rc::new(RefCell::new(mm)),
            mm_id,
            files: Rc::new(RefCell::new(files)),
            fs: Rc::new(RefCell::new(fs)),
            sighand: Rc::new(RefCell::new(Sighand::default())),
            cred: Rc::new(cred),
            comm: Vec::new(),
            mask: SigSet::EMPTY,
            saved_mask: None,
            pending: Pending::default(),
            altstack: AltStack::default(),
            clear_child_tid: 0,
            robust_list: 0,
            futexes: SmallVec::new(),
            personality: 0,
            parent_death_signal: 0,
            nice: 0,
            sched: SchedParams::default(),
            state: RunState::Ready,
            scratch: Scratch::default(),
            in_syscall: false,
            vfork: false,
            queued: false,
            retired: 0,
            user_time: 0,
            system_time: 0,
            start_time: now,
            switches: (0, 0),
        }
    }

    /// Whether a signal that is not blocked waits for this thread alone. [`crate::Kernel::signal_pending`] also looks
    /// at the process's.
    #[must_use]
    pub fn has_private_signal(&self) -> bool {
        !self.pending.set.without(self.mask).is_empty()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state == RunState::Dead
    }
}
