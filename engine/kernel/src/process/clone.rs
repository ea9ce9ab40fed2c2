//! clone(2), fork(2), vfork(2), clone3(2).

use super::Process;
use crate::error::{RestartKind, Scratch, SysResult, WaitFor, WaitKey};
use crate::kernel::Kernel;
use crate::mm::{Mm, VmaFlags};
use crate::signal::{AltStack, Pending, SIGCHLD, Sighand};
use crate::task::{RunState, Task};
use crate::timer::ItimerSet;
use crate::{Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::sched::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_CLEAR_SIGHAND, CLONE_FILES, CLONE_FS, CLONE_NEWCGROUP,
    CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, CLONE_PARENT,
    CLONE_PARENT_SETTID, CLONE_SETTLS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM, RLIMIT_NPROC,
};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

const SP: usize = 2;
const TP: usize = 4;
const A0: usize = 10;

/// Process ids wrap here (`kernel.pid_max`).
pub const PID_MAX: Pid = 32_768;

/// The most threads of all processes together (`kernel.threads-max`): what Linux takes for 2 GiB of memory.
pub const THREADS_MAX: u64 = 15_600;

/// `CAP_SYS_ADMIN`.
const CAP_SYS_ADMIN: u32 = 21;
/// `CAP_SYS_RESOURCE`.
const CAP_SYS_RESOURCE: u32 = 24;

/// Namespaces are not virtualised: a container's process lacks the capability to make new ones.
const NAMESPACES: u64 =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

/// What clone(2) is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneRequest {
    /// `CLONE_…`, without the exit signal.
    pub flags: u64,
    /// Signal sent to the parent at the child's end; none for 0 or a number that is no signal.
    pub exit_signal: u32,
    /// The child's stack pointer, or 0 for the parent's.
    pub stack: u64,
    /// Where `CLONE_PARENT_SETTID` stores the id, in the parent's memory.
    pub parent_tid: u64,
    /// Where `CLONE_CHILD_SETTID` and `CLONE_CHILD_CLEARTID` store, in the child's memory.
    pub child_tid: u64,
    /// The child's thread pointer with `CLONE_SETTLS`.
    pub tls: u64,
}

impl Kernel {
    /// The next free process id.
    pub(crate) fn new_pid(&mut self) -> Result<Pid, Errno> {
        for _ in 0..PID_MAX {
            self.last_pid = if self.last_pid + 1 >= PID_MAX { 300 } else { self.last_pid + 1 };
            let pid = self.last_pid;
            let used = self.processes.contains_key(&pid)
                || self.tasks.contains_key(&pid)
                || self.processes.values().any(|process| process.pgid == pid || process.sid == pid);
            if !used {
                return Ok(pid);
            }
        }
        Err(Errno::EAGAIN)
    }

    /// Whether a task may make one more: `RLIMIT_NPROC`, which holds a user without privileges, the container's limit,
    /// and the system's. Each thread counts, and each process that was not waited for.
    ///
    /// # Errors
    /// `EAGAIN`.
    fn check_task_limits(&self, tid: Tid) -> Result<(), Errno> {
        let cred = &self.task(tid).cred;
        let process = self.process(self.task(tid).tgid);
        let privileged = cred.uid == 0 || cred.capable(CAP_SYS_RESOURCE) || cred.capable(CAP_SYS_ADMIN);
        let allowed = process.rlimits.soft(RLIMIT_NPROC);
        if !privileged && self.count_tasks(|uid| uid == cred.uid) >= allowed {
            return Err(Errno::EAGAIN);
        }
        let most = self.config.pids_limit.map_or(THREADS_MAX, |limit| limit.min(THREADS_MAX));
        // Each ended leader is of a process, so there are not more than both together.
        let full = (self.tasks.len() + self.processes.len()) as u64 >= most && self.count_tasks(|_| true) >= most;
        if full { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// Tasks of the users that are asked about: threads that live, and leaders that have ended.
    fn count_tasks(&self, counts: impl Fn(u32) -> bool) -> u64 {
        let living = self.tasks.values().filter(|task| counts(task.cred.uid)).count();
        let ended = self.processes.values().filter(|process| process.threads.first() != Some(&process.pid));
        (living + ended.filter(|process| counts(self.process_uid(process.pid))).count()) as u64
    }

    /// Makes a task or process as clone(2) does, ready to run after its system call, which gives it 0.
    ///
    /// # Errors
    /// clone(2): `EINVAL` for flags that contradict each other, `EPERM` for new namespaces, `EAGAIN` for too many
    /// processes, `ENOMEM`; `EFAULT` when an id cannot be stored.
    pub fn clone_task(&mut self, parent_tid: Tid, request: &CloneRequest) -> Result<Tid, Errno> {
        let flags = request.flags;
        let without = |wanted: u64, needed: u64| flags & wanted != 0 && flags & needed == 0;
        if without(CLONE_THREAD, CLONE_SIGHAND)
            || without(CLONE_SIGHAND, CLONE_VM)
            || flags & (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND) == CLONE_SIGHAND | CLONE_CLEAR_SIGHAND
            || flags & CLONE_FS != 0 && flags & (CLONE_NEWNS | CLONE_NEWUSER) != 0
            || flags & CLONE_THREAD != 0 && flags & (CLONE_NEWUSER | CLONE_NEWPID) != 0
        {
            return Err(Errno::EINVAL);
        }
        if flags & NAMESPACES != 0 {
            return Err(Errno::EPERM);
        }
        self.check_task_limits(parent_tid)?;
        let tid = self.new_pid()?;
        let thread = flags & CLONE_THREAD != 0;
        let now = self.now();
        let parent = self.task(parent_tid);
        let process = self.process(parent.tgid);
        if flags & CLONE_PARENT != 0 && !thread && process.parent == 0 {
            return Err(Errno::EINVAL);
        }
        let (tgid, parent_mm) = (parent.tgid, Rc::clone(&parent.mm));
        let mm = if flags & CLONE_VM != 0 { parent_mm } else { self.fork_mm(&parent_mm)? };
        let mm_id = mm.borrow().id;
        if flags & CLONE_CHILD_SETTID != 0 {
            // Linux stores it when the child first runs and ignores a fault; so does this.
            let _ = self.write_mem(mm_id, request.child_tid, &tid.to_le_bytes());
        }
        if flags & CLONE_PARENT_SETTID != 0 {
            let own = self.task(parent_tid).mm_id;
            // A fault is ignored, as Linux does (`put_user` without a check).
            let _ = self.write_mem(own, request.parent_tid, &tid.to_le_bytes());
        }
        let parent = self.task(parent_tid);
        let mut regs = parent.regs.clone();
        regs.pc = regs.pc.wrapping_add(4);
        regs.x[A0] = 0;
        if request.stack != 0 {
            regs.x[SP] = request.stack;
        }
        if flags & CLONE_SETTLS != 0 {
            regs.x[TP] = request.tls;
        }
        let shared = |wanted: u64| flags & wanted != 0;
        let task = Task {
            tid,
            tgid: if thread { tgid } else { tid },
            regs,
            mm,
            mm_id,
            files: if shared(CLONE_FILES) {
                Rc::clone(&parent.files)
            } else {
                Rc::new(RefCell::new(parent.files.borrow().clone()))
            },
            fs: if shared(CLONE_FS) {
                Rc::clone(&parent.fs)
            } else {
                Rc::new(RefCell::new(parent.fs.borrow().clone()))
            },
            sighand: if shared(CLONE_SIGHAND) {
                Rc::clone(&parent.sighand)
            } else {
                let mut actions: Sighand = parent.sighand.borrow().clone();
                if shared(CLONE_CLEAR_SIGHAND) {
                    actions.reset_for_exec();
                }
                Rc::new(RefCell::new(actions))
            },
            cred: Rc::clone(&parent.cred),
            comm: parent.comm.clone(),
            mask: parent.mask,
            saved_mask: None,
            pending: Pending::default(),
            // A thread has no alternate stack; a vfork child keeps its parent's, since the memory is the same.
            altstack: if flags & (CLONE_VM | CLONE_VFORK) == CLONE_VM { AltStack::default() } else { parent.altstack },
            clear_child_tid: if shared(CLONE_CHILD_CLEARTID) { request.child_tid } else { 0 },
            robust_list: 0,
            futexes: SmallVec::new(),
            personality: parent.personality,
            parent_death_signal: 0,
            nice: if parent.sched.reset_on_fork { parent.nice.max(0) } else { parent.nice },
            sched: parent.sched.of_child(),
            state: RunState::Ready,
            scratch: Scratch::default(),
            in_syscall: false,
            vfork: shared(CLONE_VFORK),
            queued: false,
            retired: 0,
            user_time: 0,
            system_time: 0,
            start_time: now,
            switches: (0, 0),
        };
        if thread {
            self.process_mut(tgid).threads.push(tid);
        } else {
            self.add_process(tid, tgid, request, now);
        }
        self.tasks.insert(tid, task);
        self.enqueue(tid);
        Ok(tid)
    }

    /// The process entry of a new child.
    fn add_process(&mut self, pid: Pid, creator: Pid, request: &CloneRequest, now: u64) {
        let from = self.process(creator);
        let parent = if request.flags & CLONE_PARENT != 0 { from.parent } else { creator };
        let exit_signal = if request.flags & CLONE_PARENT != 0 { from.exit_signal } else { request.exit_signal };
        let child = Process {
            parent,
            threads: vec![pid],
            exit_signal,
            rlimits: from.rlimits.clone(),
            tty: from.tty,
            dumpable: from.dumpable,
            oom_score_adj: from.oom_score_adj,
            ..Process::new(pid, from.pgid, from.sid, now)
        };
        self.processes.insert(pid, child);
        if let Some(parent) = self.processes.get_mut(&parent) {
            parent.children.push(pid);
        }
    }

    /// A copy of an address space.
    fn fork_mm(&mut self, parent: &Rc<RefCell<Mm>>) -> Result<Rc<RefCell<Mm>>, Errno> {
        let parent = parent.borrow();
        let (list, vmas) = parent.fork_list();
        let id = self.cpu.fork_from(parent.id, &list).map_err(|_| Errno::ENOMEM)?;
        let wiped: Vec<(u64, u64)> = vmas
            .values()
            .filter(|vma| vma.flags.contains(VmaFlags::WIPEONFORK))
            .map(|vma| (vma.start, vma.len()))
            .collect();
        for (start, len) in wiped {
            if self.cpu.discard(id, start, len).is_err() {
                self.cpu.destroy(id);
                return Err(Errno::ENOMEM);
            }
        }
        let total = vmas.values().map(crate::mm::Vma::len).sum();
        Ok(Rc::new(RefCell::new(Mm {
            id,
            vmas,
            mmap_base: parent.mmap_base,
            brk_start: parent.brk_start,
            brk: parent.brk,
            args: parent.args,
            env: parent.env,
            stack_start: parent.stack_start,
            exe: parent.exe.clone(),
            auxv: parent.auxv.clone(),
            vdso: parent.vdso,
            total,
            packed: std::cell::Cell::default(),
            lock_future: false,
            exact_faults: parent.exact_faults,
        })))
    }

    /// clone(2) as a system call: with `CLONE_VFORK` the caller waits until the child execs or ends.
    ///
    /// # Errors
    /// As [`Kernel::clone_task`]; a block while the vfork child has the memory.
    pub fn sys_clone(&mut self, tid: Tid, request: &CloneRequest) -> SysResult {
        let task = self.task(tid);
        let child = if task.scratch.again {
            task.scratch.value as Tid
        } else {
            let child = self.clone_task(tid, request)?;
            self.task_mut(tid).scratch.value = u64::from(child);
            child
        };
        if request.flags & CLONE_VFORK != 0 && self.tasks.get(&child).is_some_and(|task| task.vfork) {
            return Err(WaitFor::key(WaitKey::VforkDone(child)).restart(RestartKind::Uninterruptible).into());
        }
        Ok(u64::from(child))
    }

    /// The vfork parent of this task may go on.
    pub(crate) fn vfork_done(&mut self, tid: Tid) {
        if let Some(task) = self.tasks.get_mut(&tid)
            && std::mem::take(&mut task.vfork)
        {
            self.wake(WaitKey::VforkDone(tid));
        }
    }
}

impl Process {
    /// A process without threads, parent or children.
    #[must_use]
    pub fn new(pid: Pid, pgid: Pid, sid: Pid, now: u64) -> Process {
        Process {
            pid,
            parent: 0,
            pgid,
            sid,
            threads: Vec::new(),
            children: Vec::new(),
            exit_signal: SIGCHLD,
            pending: Pending::default(),
            rlimits: crate::rlimit::Rlimits::default(),
            group_exit: None,
            zombie: None,
            stopped: None,
            event: None,
            subreaper: false,
            did_exec: false,
            tty: None,
            itimers: ItimerSet::default(),
            posix_timers: BTreeMap::new(),
            next_timer: 0,
            cpu_timers: false,
            lost_foreground: 0,
            usage: super::Usage::default(),
            children_usage: super::Usage::default(),
            cpu_limit_seen: 0,
            dumpable: 1,
            oom_score_adj: 0,
            last_uid: 0,
            last_comm: Vec::new(),
            start_time: now,
        }
    }
}
