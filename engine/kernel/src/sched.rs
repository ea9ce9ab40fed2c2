//! The run queue, waiting and deadlines.

use crate::error::{WaitFor, WaitKey};
use crate::kernel::Kernel;
use crate::task::RunState;
use crate::{Nanos, Pid, Tid};
use friscy_abi::sched::SCHED_FIFO;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How a task is scheduled, sched(7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SchedParams {
    /// `SCHED_OTHER` and so on.
    pub policy: u32,
    /// 1 to 99 for `SCHED_FIFO` and `SCHED_RR`, otherwise 0.
    pub priority: u32,
    /// `SCHED_RESET_ON_FORK`: children are scheduled as usual.
    pub reset_on_fork: bool,
}

impl SchedParams {
    /// Tasks of a higher rank run first: the priority of a real-time task, 0 for all others.
    #[must_use]
    pub fn rank(self) -> u32 {
        self.priority
    }

    /// Those of a new child.
    #[must_use]
    pub fn of_child(self) -> SchedParams {
        if self.reset_on_fork { SchedParams::default() } else { self }
    }
}

/// What happens at a point in time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TimerId {
    /// A blocked task's deadline.
    Wait(Tid),
    /// ITIMER_REAL of a process.
    Real(Pid),
    /// A POSIX timer of a process.
    Posix(Pid, i32),
}

/// Who runs next, who waits for what, and what is due when.
#[derive(Debug, Default)]
pub struct Scheduler {
    /// Tasks that can run with their ranks ([`SchedParams::rank`]), in order: higher ranks first.
    pub run_queue: VecDeque<(u32, Tid)>,
    waiters: BTreeMap<WaitKey, SmallVec<[Tid; 2]>>,
    timers: BTreeSet<(Nanos, TimerId)>,
    armed: BTreeMap<TimerId, Nanos>,
}

/// Deadlines from here on, in 292 years, are never reached, as in Linux (`KTIME_MAX`): virtual time, which is skipped to
/// the next deadline, has an end as well.
const NEVER: Nanos = i64::MAX as Nanos;

impl Scheduler {
    /// Sets, moves or removes a timer.
    pub fn set_timer(&mut self, id: TimerId, at: Option<Nanos>) {
        if let Some(old) = self.armed.remove(&id) {
            self.timers.remove(&(old, id));
        }
        if let Some(at) = at {
            self.armed.insert(id, at);
            self.timers.insert((at, id));
        }
    }

    /// When the next timer is due; `None` also when it never will be.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        self.timers.first().map(|&(at, _)| at).filter(|&at| at < NEVER)
    }

    /// Removes and returns a timer that is due at `now`.
    pub fn pop_due(&mut self, now: Nanos) -> Option<TimerId> {
        let &(at, id) = self.timers.first()?;
        if at > now || at >= NEVER {
            return None;
        }
        self.timers.pop_first();
        self.armed.remove(&id);
        Some(id)
    }
}

impl Kernel {
    /// A number for [`WaitKey::Object`], never given twice.
    pub fn new_wait_id(&mut self) -> u64 {
        self.next_wait_id += 1;
        self.next_wait_id
    }

    /// Lets every task go on that waits for `key`.
    pub fn wake(&mut self, key: WaitKey) {
        if let Some(tids) = self.sched.waiters.remove(&key) {
            for tid in tids {
                self.unblock(tid);
            }
        }
    }

    /// Whether any task waits for `key`.
    #[must_use]
    pub fn has_waiters(&self, key: WaitKey) -> bool {
        self.sched.waiters.contains_key(&key)
    }

    /// Blocks a task until one of the conditions holds. It keeps its pc at the `ecall`.
    pub fn block(&mut self, tid: Tid, wait: Box<WaitFor>) {
        for &key in &wait.keys {
            let tids = self.sched.waiters.entry(key).or_default();
            if !tids.contains(&tid) {
                tids.push(tid);
            }
        }
        if wait.deadline.is_some() {
            self.sched.set_timer(TimerId::Wait(tid), wait.deadline);
        }
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.scratch.again = true;
            task.switches.0 += 1;
            task.state = RunState::Blocked(wait);
        }
    }

    /// Makes a blocked task ready: its system call is executed again. Nothing happens to a task that is not blocked.
    pub fn unblock(&mut self, tid: Tid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let RunState::Blocked(wait) = &mut task.state else { return };
        let wait = std::mem::take(wait);
        task.state = RunState::Ready;
        self.forget_wait(tid, &wait);
        self.enqueue(tid);
    }

    /// Takes a task off every queue that its wait had put it on.
    pub(crate) fn forget_wait(&mut self, tid: Tid, wait: &WaitFor) {
        for key in &wait.keys {
            if let Some(tids) = self.sched.waiters.get_mut(key) {
                tids.retain(|&mut other| other != tid);
                if tids.is_empty() {
                    self.sched.waiters.remove(key);
                }
            }
        }
        if wait.deadline.is_some() {
            self.sched.set_timer(TimerId::Wait(tid), None);
        }
    }

    /// Puts a ready task behind those of its rank in the run queue, unless it is there.
    pub fn enqueue(&mut self, tid: Tid) {
        self.place(tid, |rank, other| other >= rank);
    }

    /// Puts a ready task whose turn ended without its doing back into the run queue: one of SCHED_FIFO before those of
    /// its rank, all others behind (sched(7)).
    pub fn requeue(&mut self, tid: Tid) {
        let fifo = self.tasks.get(&tid).is_some_and(|task| task.sched.policy == SCHED_FIFO);
        self.place(tid, |rank, other| if fifo { other > rank } else { other >= rank });
    }

    /// Puts a ready task behind all those that go `before` it: given are its rank and the other's.
    fn place(&mut self, tid: Tid, before: impl Fn(u32, u32) -> bool) {
        if let Some(task) = self.tasks.get_mut(&tid)
            && task.state == RunState::Ready
            && !task.queued
        {
            task.queued = true;
            let rank = task.sched.rank();
            let queue = &mut self.sched.run_queue;
            // Looked for from the end, where an ordinary task's place is at once.
            let behind = queue.iter().rev().take_while(|(other, _)| !before(rank, *other)).count();
            queue.insert(queue.len() - behind, (rank, tid));
        }
    }

    /// Whether a task of a higher rank than a running one's is ready.
    #[must_use]
    pub fn is_outranked(&self, tid: Tid) -> bool {
        match self.sched.run_queue.front() {
            Some(&(rank, _)) if rank > 0 => self.tasks.get(&tid).is_some_and(|task| rank > task.sched.rank()),
            _ => false,
        }
    }

    /// Changes how a task is scheduled. One that waits for its turn takes its new place at the end of its rank.
    pub fn set_sched(&mut self, tid: Tid, params: SchedParams) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.sched = params;
        if task.queued {
            task.queued = false;
            self.sched.run_queue.retain(|&(_, other)| other != tid);
            self.enqueue(tid);
        }
    }
}
