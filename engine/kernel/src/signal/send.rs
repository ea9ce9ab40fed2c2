//! Sending signals: kill(2), tgkill(2), and what the kernel itself sends.

use super::{
    CONT_SIGNAL, DefaultAction, NSIG, SIGBUS, SIGCHLD, SIGCONT, SIGKILL, SIGRTMIN, SIGSEGV, SIGSTOP, STOP_SIGNALS,
    SigAction, SigData, SigInfo, SigSet, default_action,
};
use crate::error::WaitKey;
use crate::kernel::Kernel;
use crate::process::{ChildEvent, ExitStatus};
use crate::task::RunState;
use crate::{Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::sched::RLIMIT_SIGPENDING;
use friscy_abi::signal::{
    CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SA_NOCLDSTOP, SA_NOCLDWAIT, SI_TKILL, SI_USER,
    SIGACTION_KNOWN,
};

/// Clock ticks of `si_utime` last 10 ms.
const TICK: u64 = 10_000_000;

/// The capability to send any signal.
const CAP_KILL: u32 = 5;

impl Kernel {
    /// Sends a signal to a process: any thread that does not block it may take it. A signal that would be ignored is
    /// dropped, and a real-time one for which there is no room. Nothing happens for a process that has ended.
    pub fn send_to_process(&mut self, pid: Pid, info: SigInfo) {
        let _ = self.queue_to_process(pid, info);
    }

    /// As [`Kernel::send_to_process`], and says whether there was room.
    ///
    /// # Errors
    /// `EAGAIN` when `RLIMIT_SIGPENDING` is reached.
    fn queue_to_process(&mut self, pid: Pid, info: SigInfo) -> Result<(), Errno> {
        if !self.prepare_signal(pid, None, info.signo) {
            return Ok(());
        }
        if info.signo == SIGKILL {
            self.kill_later(pid, ExitStatus::Signaled { signo: SIGKILL, core: false });
            return Ok(());
        }
        let info = self.with_place(pid, info)?;
        let Some(process) = self.processes.get_mut(&pid) else { return Ok(()) };
        if process.zombie.is_some() || !process.pending.push(info) {
            return Ok(());
        }
        let threads = process.threads.clone();
        self.signals_sent += 1;
        self.wake(WaitKey::SignalFor(pid));
        // One thread that does not block it is enough to take it.
        if let Some(&tid) =
            threads.iter().find(|tid| self.tasks.get(tid).is_some_and(|task| !task.mask.has(info.signo)))
        {
            self.unblock(tid);
        }
        Ok(())
    }

    /// Sends a signal to one thread, as [`Kernel::send_to_process`] does to a process.
    pub fn send_to_task(&mut self, tid: Tid, info: SigInfo) {
        let _ = self.queue_to_task(tid, info);
    }

    /// As [`Kernel::send_to_task`], and says whether there was room.
    ///
    /// # Errors
    /// `EAGAIN` when `RLIMIT_SIGPENDING` is reached.
    fn queue_to_task(&mut self, tid: Tid, info: SigInfo) -> Result<(), Errno> {
        let Some(task) = self.tasks.get(&tid) else { return Ok(()) };
        let pid = task.tgid;
        if !self.prepare_signal(pid, Some(tid), info.signo) {
            return Ok(());
        }
        if info.signo == SIGKILL {
            self.kill_later(pid, ExitStatus::Signaled { signo: SIGKILL, core: false });
            return Ok(());
        }
        let info = self.with_place(pid, info)?;
        let Some(task) = self.tasks.get_mut(&tid) else { return Ok(()) };
        if !task.pending.push(info) {
            return Ok(());
        }
        let blocked = task.mask.has(info.signo);
        self.signals_sent += 1;
        self.wake(WaitKey::SignalFor(pid));
        if !blocked {
            self.unblock(tid);
        }
        Ok(())
    }

    /// What of a signal finds room in a process's queue. The kernel's own standard signals and those of kill(2) always
    /// do; of others only that they are pending when the queue is full, but real-time signals of sigqueue(3) and the
    /// like, which are refused (`__send_signal_locked` of Linux).
    ///
    /// # Errors
    /// `EAGAIN`.
    fn with_place(&self, pid: Pid, info: SigInfo) -> Result<SigInfo, Errno> {
        let standard = info.signo < SIGRTMIN;
        if standard && info.code >= 0 || matches!(info.data, SigData::Timer { .. }) || self.signal_room(pid) {
            return Ok(info);
        }
        if standard || info.code == SI_USER { Ok(SigInfo::lost(info.signo)) } else { Err(Errno::EAGAIN) }
    }

    /// Whether a process may have one more queued signal or POSIX timer (`RLIMIT_SIGPENDING`).
    pub(crate) fn signal_room(&self, pid: Pid) -> bool {
        let Some(process) = self.processes.get(&pid) else { return false };
        self.queued_signals(self.process_uid(pid)) < process.rlimits.soft(RLIMIT_SIGPENDING)
    }

    /// Signals that are queued for the processes of a user, and their POSIX timers, whose signals have their places.
    #[must_use]
    pub fn queued_signals(&self, uid: u32) -> u64 {
        let own = self.processes.values().filter(|process| self.process_uid(process.pid) == uid);
        let queued = own.map(|process| {
            let threads = process.threads.iter().filter_map(|tid| self.tasks.get(tid));
            let private: usize = threads.map(|task| task.pending.places()).sum();
            process.pending.places() + process.posix_timers.len() + private
        });
        queued.sum::<usize>() as u64
    }

    /// Sends a signal to every process of a group, and returns how many there are.
    pub fn send_to_group(&mut self, pgid: Pid, info: SigInfo) -> usize {
        let pids = self.group_members(pgid);
        for &pid in &pids {
            self.send_to_process(pid, info);
        }
        pids.len()
    }

    /// The processes of a group that have not been waited for.
    #[must_use]
    pub fn group_members(&self, pgid: Pid) -> Vec<Pid> {
        self.processes.values().filter(|process| process.pgid == pgid).map(|process| process.pid).collect()
    }

    /// A signal caused by the task's own instruction: it cannot be ignored or blocked (then its default action is
    /// taken).
    pub fn force_signal(&mut self, tid: Tid, info: SigInfo) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let action = task.sighand.borrow().get(info.signo);
        if task.mask.has(info.signo) || action.is_ignore() {
            task.sighand.borrow_mut().set(info.signo, SigAction::default());
            task.mask.remove(info.signo);
        }
        task.pending.push(info);
    }

    /// What SIGCONT and stop signals do when they are sent, delivered or not; answers whether the signal is to be
    /// queued at all.
    fn prepare_signal(&mut self, pid: Pid, tid: Option<Tid>, signo: u32) -> bool {
        let Some(process) = self.processes.get_mut(&pid) else { return false };
        if process.zombie.is_some() {
            return false;
        }
        let threads = process.threads.clone();
        let discard = if signo == SIGCONT {
            STOP_SIGNALS
        } else if STOP_SIGNALS.has(signo) {
            CONT_SIGNAL
        } else {
            SigSet::EMPTY
        };
        if !discard.is_empty() {
            process.pending.discard(discard);
            for tid in &threads {
                if let Some(task) = self.tasks.get_mut(tid) {
                    task.pending.discard(discard);
                }
            }
        }
        if signo == SIGCONT {
            self.continue_process(pid);
        }
        !self.is_ignored(&threads, tid, signo)
    }

    /// Whether a signal has no effect: ignored, and no thread that may take it blocks it.
    fn is_ignored(&self, threads: &[Tid], tid: Option<Tid>, signo: u32) -> bool {
        let Some(&first) = threads.first() else { return true };
        let Some(task) = self.tasks.get(&tid.unwrap_or(first)) else { return true };
        if task.mask.has(signo) || task.saved_mask.is_some_and(|mask| mask.has(signo)) {
            return false;
        }
        let action = task.sighand.borrow().get(signo);
        action.is_ignore()
            || action.is_default() && matches!(default_action(signo), DefaultAction::Ignore | DefaultAction::Continue)
    }

    /// Stops a process: its threads stop when it is their turn.
    pub(crate) fn stop_process(&mut self, pid: Pid, signo: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.stopped.is_some() {
            return;
        }
        process.stopped = Some(signo);
        process.event = Some(ChildEvent::Stopped(signo));
        // Calls in which threads wait are interrupted.
        for tid in process.threads.clone() {
            if let Some(task) = self.tasks.get_mut(&tid)
                && task.in_syscall
            {
                task.scratch.stopped = true;
                self.unblock(tid);
            }
        }
        self.notify_parent(pid, CLD_STOPPED, signo as i32);
    }

    /// Lets a stopped process go on.
    pub(crate) fn continue_process(&mut self, pid: Pid) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.stopped.take().is_none() {
            return;
        }
        process.event = Some(ChildEvent::Continued);
        let threads = process.threads.clone();
        for tid in threads {
            if let Some(task) = self.tasks.get_mut(&tid)
                && task.state == RunState::Stopped
            {
                task.state = RunState::Ready;
                self.enqueue(tid);
            }
        }
        self.notify_parent(pid, CLD_CONTINUED, SIGCONT as i32);
    }

    /// Tells a parent that its child stopped or went on.
    fn notify_parent(&mut self, pid: Pid, code: i32, status: i32) {
        let Some(process) = self.processes.get(&pid) else { return };
        let parent = process.parent;
        if self.sigchld_action(parent).is_none_or(|action| action.flags & SA_NOCLDSTOP == 0) {
            let info = self.child_info(pid, code, status);
            self.send_to_process(parent, info);
        }
        self.wake(WaitKey::ChildOf(parent));
    }

    /// The `siginfo_t` of SIGCHLD for a child.
    fn child_info(&self, pid: Pid, code: i32, status: i32) -> SigInfo {
        let uid = self.process_uid(pid);
        let usage = self.usage_of(pid);
        SigInfo {
            signo: SIGCHLD,
            errno: 0,
            code,
            data: SigData::Child {
                pid: pid as i32,
                uid,
                status,
                utime: usage.user_time / TICK,
                stime: usage.system_time / TICK,
            },
        }
    }

    /// The action for SIGCHLD of a process, if it lives.
    pub(crate) fn sigchld_action(&self, pid: Pid) -> Option<SigAction> {
        let tid = self.processes.get(&pid)?.threads.first()?;
        Some(self.tasks.get(tid)?.sighand.borrow().get(SIGCHLD))
    }

    /// Tells a parent that its child has ended; answers whether nobody will wait for the child.
    pub(crate) fn notify_exit(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let Some(process) = self.processes.get(&pid) else { return false };
        let (parent, signo) = (process.parent, process.exit_signal);
        let action = self.sigchld_action(parent);
        let mut unwaited = false;
        let mut send = (1..=NSIG).contains(&signo);
        if signo == SIGCHLD
            && let Some(action) = action
        {
            unwaited = action.is_ignore() || action.flags & SA_NOCLDWAIT != 0;
            send = !action.is_ignore();
        }
        if send {
            let (code, value) = match status {
                ExitStatus::Exited(value) => (CLD_EXITED, i32::from(value)),
                ExitStatus::Signaled { signo, core: true } => (CLD_DUMPED, signo as i32),
                ExitStatus::Signaled { signo, core: false } => (CLD_KILLED, signo as i32),
            };
            let info = SigInfo { signo, ..self.child_info(pid, code, value) };
            self.send_to_process(parent, info);
        }
        self.wake(WaitKey::ChildOf(parent));
        unwaited
    }

    /// The real user id of a process: its first thread's, 0 when none is left.
    #[must_use]
    pub fn process_uid(&self, pid: Pid) -> u32 {
        let Some(process) = self.processes.get(&pid) else { return 0 };
        process.threads.first().and_then(|tid| self.tasks.get(tid)).map_or(process.last_uid, |task| task.cred.uid)
    }

    /// Whether `sender` may signal the process, kill(2).
    fn may_signal(&self, sender: Tid, pid: Pid, signo: u32) -> bool {
        let Some(task) = self.tasks.get(&sender) else { return false };
        let Some(process) = self.processes.get(&pid) else { return false };
        if task.tgid == pid || task.cred.capable(CAP_KILL) {
            return true;
        }
        if signo == SIGCONT && self.processes.get(&task.tgid).is_some_and(|own| own.sid == process.sid) {
            return true;
        }
        let Some(target) = process.threads.first().and_then(|tid| self.tasks.get(tid)) else { return true };
        let (from, to) = (&task.cred, &target.cred);
        from.euid == to.suid || from.euid == to.uid || from.uid == to.suid || from.uid == to.uid
    }

    /// kill(2): `to` is a process, a group when negative or 0, or everybody when −1. Signal 0 only checks.
    ///
    /// # Errors
    /// `ESRCH` when there is no such process, `EINVAL` for a number that is no signal, `EPERM` when none of them may
    /// be signalled.
    pub fn kill(&mut self, sender: Tid, to: i32, signo: u32) -> Result<(), Errno> {
        let info = self.user_info(sender, signo, SI_USER);
        self.kill_with(sender, to, info)
    }

    /// kill(2) with a `siginfo_t` of the caller's (rt_sigqueueinfo(2)).
    ///
    /// # Errors
    /// As [`Kernel::kill`]; `EAGAIN` when `RLIMIT_SIGPENDING` is reached.
    pub fn kill_with(&mut self, sender: Tid, to: i32, info: SigInfo) -> Result<(), Errno> {
        let own = self.tasks.get(&sender).map_or(0, |task| task.tgid);
        let targets: Vec<Pid> = match to {
            1.. => {
                let pid = to as Pid;
                let pid = self.tasks.get(&pid).map_or(pid, |task| task.tgid);
                if self.processes.contains_key(&pid) { vec![pid] } else { Vec::new() }
            }
            -1 => self.processes.keys().copied().filter(|&pid| pid != 1 && pid != own).collect(),
            0 => {
                let pgid = self.processes.get(&own).map_or(0, |process| process.pgid);
                self.group_members(pgid)
            }
            _ => self.group_members(to.unsigned_abs()),
        };
        if targets.is_empty() {
            return Err(Errno::ESRCH);
        }
        if info.signo > NSIG {
            return Err(Errno::EINVAL);
        }
        let mut allowed = false;
        for pid in targets {
            if !self.may_signal(sender, pid, info.signo) {
                continue;
            }
            allowed = true;
            if info.signo != 0 {
                self.queue_to_process(pid, info)?;
            }
        }
        if allowed { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// tgkill(2), and tkill(2) when `tgid` is `None`.
    ///
    /// # Errors
    /// As [`Kernel::kill`]; `ESRCH` also when the thread is not in that process.
    pub fn tgkill(&mut self, sender: Tid, tgid: Option<Pid>, tid: Tid, signo: u32) -> Result<(), Errno> {
        if tid == 0 || tid > i32::MAX as u32 {
            return Err(Errno::EINVAL);
        }
        let info = self.user_info(sender, signo, SI_TKILL);
        self.tgkill_with(sender, tgid, tid, info)
    }

    /// tgkill(2) with a `siginfo_t` of the caller's (rt_tgsigqueueinfo(2)).
    ///
    /// # Errors
    /// As [`Kernel::tgkill`]; `EAGAIN` when `RLIMIT_SIGPENDING` is reached.
    pub fn tgkill_with(&mut self, sender: Tid, tgid: Option<Pid>, tid: Tid, info: SigInfo) -> Result<(), Errno> {
        let target = self.tasks.get(&tid).map(|task| task.tgid);
        let Some(pid) = target.filter(|&pid| tgid.is_none_or(|tgid| tgid == pid)) else {
            // A leader that has ended while its threads live, or a zombie, can still be named.
            let is_process = self.processes.contains_key(&tid) && tgid.is_none_or(|tgid| tgid == tid);
            return match (is_process, info.signo > NSIG) {
                (true, false) => Ok(()),
                (true, true) => Err(Errno::EINVAL),
                (false, _) => Err(Errno::ESRCH),
            };
        };
        if info.signo > NSIG {
            return Err(Errno::EINVAL);
        }
        if !self.may_signal(sender, pid, info.signo) {
            return Err(Errno::EPERM);
        }
        if info.signo != 0 {
            self.queue_to_task(tid, info)?;
        }
        Ok(())
    }

    fn user_info(&self, sender: Tid, signo: u32, code: i32) -> SigInfo {
        let (pid, uid) = self.tasks.get(&sender).map_or((0, 0), |task| (task.tgid, task.cred.uid));
        SigInfo::user(signo, code, pid, uid)
    }

    /// rt_sigaction(2): sets (if given) and returns the action of a signal. Signals that are ignored from now on are
    /// dropped where pending.
    ///
    /// # Errors
    /// `EINVAL` for a number that is no signal, and for changing SIGKILL or SIGSTOP.
    pub fn sigaction(&mut self, tid: Tid, signo: u32, new: Option<SigAction>) -> Result<SigAction, Errno> {
        if signo == 0 || signo > NSIG || new.is_some() && (signo == SIGKILL || signo == SIGSTOP) {
            return Err(Errno::EINVAL);
        }
        let Some(task) = self.tasks.get(&tid) else { return Err(Errno::ESRCH) };
        let old = task.sighand.borrow().get(signo);
        if let Some(mut new) = new {
            new.mask = new.mask.without(SigSet::UNBLOCKABLE);
            // A program finds out by reading them back which flags there are.
            new.flags &= SIGACTION_KNOWN;
            task.sighand.borrow_mut().set(signo, new);
            if matches!(signo, SIGSEGV | SIGBUS) && !new.is_ignore() && !new.is_default() {
                task.mm.borrow_mut().exact_faults(&self.cpu);
            }
            let ignored = new.is_ignore()
                || new.is_default() && matches!(default_action(signo), DefaultAction::Ignore | DefaultAction::Continue);
            if ignored {
                let set = SigSet::of(signo);
                let pid = task.tgid;
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.pending.discard(set);
                    for tid in process.threads.clone() {
                        if let Some(task) = self.tasks.get_mut(&tid) {
                            task.pending.discard(set);
                        }
                    }
                }
            }
        }
        Ok(old)
    }

    /// Sets a task's mask of blocked signals; SIGKILL and SIGSTOP are never in it. Signals of the process that this
    /// task blocks now are left to other threads.
    pub fn set_mask(&mut self, tid: Tid, mask: SigSet) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let newly = mask.without(task.mask);
        task.mask = mask.without(SigSet::UNBLOCKABLE);
        let pid = task.tgid;
        let Some(process) = self.processes.get(&pid) else { return };
        let waiting = process.pending.set.and(newly);
        if !waiting.is_empty() && process.threads.len() > 1 {
            for other in process.threads.clone() {
                if other != tid && self.tasks.get(&other).is_some_and(|task| !waiting.without(task.mask).is_empty()) {
                    self.unblock(other);
                }
            }
        }
    }

    /// Sets a mask for the duration of a call that waits (rt_sigsuspend, ppoll, pselect6, epoll_pwait). Called at the
    /// call's first execution; the mask comes back when the call ends, or by the handler's return.
    pub fn set_temporary_mask(&mut self, tid: Tid, mask: SigSet) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        if task.saved_mask.is_none() {
            task.saved_mask = Some(task.mask);
        }
        task.mask = mask.without(SigSet::UNBLOCKABLE);
    }

    /// Takes a pending signal of `set`, blocked or not, as rt_sigtimedwait(2) and signalfd(2) do.
    pub fn take_signal(&mut self, tid: Tid, set: SigSet) -> Option<SigInfo> {
        loop {
            let task = self.tasks.get_mut(&tid)?;
            let pid = task.tgid;
            let mut info = match task.pending.take(set) {
                Some(info) => info,
                None => self.processes.get_mut(&pid)?.pending.take(set)?,
            };
            if !self.signal_taken(pid, &mut info) {
                return Some(info);
            }
        }
    }

    /// Signals that wait for a task or its process, blocked or not.
    #[must_use]
    pub fn pending_set(&self, tid: Tid) -> SigSet {
        let Some(task) = self.tasks.get(&tid) else { return SigSet::EMPTY };
        let shared = self.processes.get(&task.tgid).map_or(SigSet::EMPTY, |process| process.pending.set);
        task.pending.set.or(shared)
    }
}
