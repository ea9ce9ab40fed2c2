//! The end of threads and processes.

use super::{ExitStatus, Usage};
use crate::error::WaitKey;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::sched::TimerId;
use crate::signal::{SIGCHLD, SIGCONT, SIGHUP, SIGKILL, SigInfo};
use crate::task::{RunState, Task};
use crate::{Pid, Tid};
use friscy_abi::Errno;
use std::cell::RefCell;
use std::rc::Rc;

impl Kernel {
    /// exit(2): ends one thread; the process ends with its last one.
    pub fn exit_thread(&mut self, tid: Tid, status: u8) {
        self.end_thread(tid, ExitStatus::Exited(status));
    }

    /// exit_group(2), and the end by a signal: every thread ends now.
    pub fn exit_group(&mut self, pid: Pid, status: ExitStatus) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.zombie.is_some() {
            return;
        }
        let status = *process.group_exit.get_or_insert(status);
        for tid in process.threads.clone() {
            self.end_thread(tid, status);
        }
    }

    /// Notes that a process is to be killed before any task runs again: the one that asks may be a thread of it, in
    /// the middle of its system call.
    pub(crate) fn kill_later(&mut self, pid: Pid, status: ExitStatus) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.zombie.is_none()
        {
            process.group_exit.get_or_insert(status);
            self.dying.push(pid);
        }
    }

    /// Ends the processes that were killed since the last call.
    pub fn reap_killed(&mut self) {
        while let Some(pid) = self.dying.pop() {
            self.exit_group(pid, ExitStatus::Signaled { signo: SIGKILL, core: false });
        }
    }

    fn end_thread(&mut self, tid: Tid, status: ExitStatus) {
        if !self.tasks.contains_key(&tid) {
            return;
        }
        self.futex_cancel(tid);
        self.lock_wait_over(tid);
        self.exit_robust_list(tid);
        self.exit_owned_futexes(tid);
        self.clear_child_tid(tid);
        self.vfork_done(tid);
        let Some(mut task) = self.tasks.remove(&tid) else { return };
        if let RunState::Blocked(wait) = std::mem::replace(&mut task.state, RunState::Dead) {
            self.forget_wait(tid, &wait);
        }
        let pid = task.tgid;
        let usage = self.task_usage(&task);
        let Task { mm, files, fs, sighand, cred, comm, .. } = task;
        // Files are closed before the parent hears of the end: who reads a pipe sees its end first.
        drop((files, fs, sighand));
        let rss = mm.borrow().total;
        self.release_mm(mm);
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.threads.retain(|&other| other != tid);
        process.usage.add(&usage);
        process.usage.max_rss = process.usage.max_rss.max(rss);
        if process.threads.is_empty() {
            process.last_uid = cred.uid;
            process.last_comm = comm;
            let status = process.group_exit.unwrap_or(status);
            self.end_process(pid, status);
        }
    }

    /// `clear_child_tid`, at exit and exec.
    pub(crate) fn clear_child_tid(&mut self, tid: Tid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let addr = std::mem::take(&mut task.clear_child_tid);
        let (mm, shared) = (task.mm_id, Rc::strong_count(&task.mm) > 1);
        // Nobody else can see the memory of the last user (shared mappings apart, where nobody waits for a thread).
        if addr != 0 && shared && self.write_mem(mm, addr, &0u32.to_le_bytes()).is_ok() {
            self.futex_wake_addr(tid, addr, 1);
        }
    }

    /// Drops a reference to an address space, and the address space with the last one.
    pub(crate) fn release_mm(&mut self, mm: Rc<RefCell<Mm>>) {
        if let Ok(mm) = Rc::try_unwrap(mm) {
            self.cpu.destroy(mm.into_inner().id);
        }
    }

    fn end_process(&mut self, pid: Pid, status: ExitStatus) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.zombie = Some(status);
        process.stopped = None;
        process.event = None;
        process.pending = crate::signal::Pending::default();
        let children = std::mem::take(&mut process.children);
        let timers: Vec<i32> = process.posix_timers.keys().copied().collect();
        process.posix_timers.clear();
        let (parent, pgid, sid) = (process.parent, process.pgid, process.sid);
        self.sched.set_timer(TimerId::Real(pid), None);
        for id in timers {
            self.sched.set_timer(TimerId::Posix(pid, id), None);
        }
        if sid == pid {
            self.detach_terminal(pid, true);
        }
        self.undo_semaphores(pid);
        self.reparent(pid, children);
        self.hang_up_if_orphaned(pgid, sid, parent);
        self.wake(WaitKey::ProcessEnd(pid));
        if parent == 0 {
            self.end_machine(pid, status);
            return;
        }
        if self.notify_exit(pid, status) {
            self.forget_process(pid);
        }
    }

    /// The first process ended: so does everything, as in a pid namespace.
    fn end_machine(&mut self, init: Pid, status: ExitStatus) {
        let _ = self.exit_status.get_or_insert(status);
        let others: Vec<Pid> = self.processes.keys().copied().filter(|&pid| pid != init).collect();
        for pid in others {
            self.kill_later(pid, ExitStatus::Signaled { signo: SIGKILL, core: false });
        }
    }

    /// Gives a dead process's children to the nearest ancestor that takes orphans.
    fn reparent(&mut self, pid: Pid, children: Vec<Pid>) {
        let mut heir = self.processes.get(&pid).map_or(0, |process| process.parent);
        while heir != 0 {
            let Some(process) = self.processes.get(&heir) else { break };
            if process.zombie.is_none() && (process.subreaper || process.parent == 0) {
                break;
            }
            heir = process.parent;
        }
        for child in children {
            let Some(process) = self.processes.get_mut(&child) else { continue };
            process.parent = heir;
            // Linux: what a new parent inherits ends with SIGCHLD whatever was asked for.
            process.exit_signal = SIGCHLD;
            let (pgid, sid) = (process.pgid, process.sid);
            let (zombie, threads) = (process.zombie, process.threads.clone());
            if let Some(heir) = self.processes.get_mut(&heir) {
                heir.children.push(child);
            }
            for tid in threads {
                let signo = self.tasks.get(&tid).map_or(0, |task| task.parent_death_signal);
                if signo != 0 {
                    self.send_to_task(tid, SigInfo::user(signo, 0, pid, 0));
                }
            }
            match zombie {
                Some(status) if self.notify_exit(child, status) => self.forget_process(child),
                Some(_) => {}
                None => self.hang_up_if_orphaned(pgid, sid, pid),
            }
        }
    }

    /// Removes a zombie: nobody can wait for it any more.
    pub(crate) fn forget_process(&mut self, pid: Pid) {
        let Some(process) = self.processes.remove(&pid) else { return };
        if let Some(parent) = self.processes.get_mut(&process.parent) {
            parent.children.retain(|&child| child != pid);
        }
    }

    /// SIGHUP and SIGCONT for a group that lost its last member with a parent in another group of the session and
    /// holds a stopped process.
    fn hang_up_if_orphaned(&mut self, pgid: Pid, sid: Pid, parent: Pid) {
        // Only the loss of a parent in another group of the session can have orphaned it (`kill_orphaned_pgrp`).
        if !self.processes.get(&parent).is_some_and(|parent| parent.pgid != pgid && parent.sid == sid) {
            return;
        }
        let stopped = self.processes.values().any(|process| process.stopped.is_some() && process.pgid == pgid);
        if stopped && self.is_orphaned_group(pgid) {
            self.send_to_group(pgid, SigInfo::kernel(SIGHUP));
            self.send_to_group(pgid, SigInfo::kernel(SIGCONT));
        }
    }

    /// Processor time and switches of a task.
    #[must_use]
    pub fn task_usage(&self, task: &Task) -> Usage {
        Usage {
            user_time: task.user_time,
            system_time: task.system_time,
            max_rss: 0,
            voluntary: task.switches.0,
            involuntary: task.switches.1,
        }
    }

    /// What a process has used: threads that live and threads that have ended.
    #[must_use]
    pub fn usage_of(&self, pid: Pid) -> Usage {
        let Some(process) = self.processes.get(&pid) else { return Usage::default() };
        let mut usage = process.usage;
        for tid in &process.threads {
            if let Some(task) = self.tasks.get(tid) {
                usage.add(&self.task_usage(task));
                usage.max_rss = usage.max_rss.max(task.mm.borrow().total);
            }
        }
        usage
    }

    /// set_tid_address(2).
    ///
    /// # Errors
    /// None; the result is the caller's id.
    pub fn set_tid_address(&mut self, tid: Tid, addr: u64) -> Result<Tid, Errno> {
        self.task_mut(tid).clear_child_tid = addr;
        Ok(tid)
    }
}
