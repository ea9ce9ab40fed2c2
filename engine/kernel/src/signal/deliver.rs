//! Delivery of signals before a task runs guest code again.

use super::{DefaultAction, SIGSTOP, SigAction, SigInfo, SigSet, default_action};
use crate::error::RestartKind;
use crate::kernel::Kernel;
use crate::process::ExitStatus;
use crate::task::RunState;
use crate::{Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::signal::{SA_NODEFER, SA_RESETHAND, SA_RESTART, SIG_DFL, SIGQUIT, SIGSEGV, SIGXCPU, SIGXFSZ};

/// Length of an `ecall` instruction.
const ECALL: u64 = 4;

/// Whether a signal with the default action to dump core says that the program is wrong, and not that somebody wants it
/// to end.
fn is_crash(signo: u32) -> bool {
    !matches!(signo, SIGQUIT | SIGXCPU | SIGXFSZ)
}

/// Whether a task may go on after its signals were delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivered {
    /// It may.
    Go,
    /// It is stopped, or gone.
    Off,
}

impl Kernel {
    /// Delivers the signals that a task does not block. `interrupted` says that its system call waits, and how it is
    /// to be restarted: it stays in progress when no handler runs.
    pub fn deliver_signals(&mut self, tid: Tid, interrupted: Option<RestartKind>) -> Delivered {
        let mut interrupted = interrupted;
        loop {
            if self.stays_stopped(tid) {
                return Delivered::Off;
            }
            let Some(task) = self.tasks.get_mut(&tid) else { return Delivered::Off };
            let pid = task.tgid;
            let allowed = SigSet(!task.mask.0);
            if !self.processes.contains_key(&pid) {
                return Delivered::Off;
            }
            let Some(info) = self.take_signal(tid, allowed) else { break };
            let Some(task) = self.tasks.get_mut(&tid) else { return Delivered::Off };
            let action = task.sighand.borrow().get(info.signo);
            if action.is_ignore() {
                continue;
            }
            if action.is_default() {
                if !self.default_signal(tid, pid, info) {
                    return Delivered::Off;
                }
                continue;
            }
            self.invoke_handler(tid, info, action, interrupted.take());
        }
        if let Some(kind) = interrupted {
            self.end_interruption(tid, kind);
        }
        Delivered::Go
    }

    /// Takes a task of a stopped process off the run queue until SIGCONT; answers whether that is so.
    pub fn stays_stopped(&mut self, tid: Tid) -> bool {
        let Some(task) = self.tasks.get_mut(&tid) else { return false };
        let stopped = self.processes.get(&task.tgid).is_some_and(|process| process.stopped.is_some());
        if stopped {
            task.state = RunState::Stopped;
        }
        stopped
    }

    /// The default action; answers whether the task goes on.
    fn default_signal(&mut self, tid: Tid, pid: Pid, info: SigInfo) -> bool {
        let signo = info.signo;
        match default_action(signo) {
            DefaultAction::Ignore | DefaultAction::Continue => true,
            DefaultAction::Stop => {
                if signo != SIGSTOP && self.is_orphaned_group_of(pid) {
                    return true;
                }
                self.stop_process(pid, signo);
                if let Some(task) = self.tasks.get_mut(&tid) {
                    task.state = RunState::Stopped;
                }
                false
            }
            // No core is ever written, so the status does not say so: as with a core size limit of 0.
            action @ (DefaultAction::Terminate | DefaultAction::Core) => {
                if action == DefaultAction::Core && is_crash(signo) {
                    self.note_crash(tid, info);
                }
                self.exit_group(pid, ExitStatus::Signaled { signo, core: false });
                false
            }
        }
    }

    /// Makes the task run a handler, after deciding what becomes of an interrupted system call.
    fn invoke_handler(&mut self, tid: Tid, info: SigInfo, action: SigAction, interrupted: Option<RestartKind>) {
        if let Some(kind) = interrupted {
            self.futex_cancel(tid);
            let Some(task) = self.tasks.get_mut(&tid) else { return };
            let restart = match kind {
                RestartKind::Sys => action.flags & SA_RESTART != 0,
                RestartKind::Always | RestartKind::Uninterruptible => true,
                RestartKind::NoHandler | RestartKind::Never => false,
            };
            task.in_syscall = false;
            if task.scratch.done != 0 {
                task.regs.x[10] = task.scratch.done;
                task.regs.pc = task.regs.pc.wrapping_add(ECALL);
            } else if !restart {
                task.regs.x[10] = Errno::EINTR.to_ret();
                task.regs.pc = task.regs.pc.wrapping_add(ECALL);
            }
        }
        if self.push_frame(tid, &info, &action).is_err() {
            self.force_segv(tid, info.signo);
            return;
        }
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let mut mask = task.mask.or(action.mask);
        if action.flags & SA_NODEFER == 0 {
            mask.add(info.signo);
        }
        if action.flags & SA_RESETHAND != 0 {
            // Flags and mask stay.
            task.sighand.borrow_mut().set(info.signo, SigAction { handler: SIG_DFL, ..action });
        }
        task.saved_mask = None;
        self.set_mask(tid, mask);
    }

    /// No handler ran: the call goes on, unless it gives up at any signal or has done a part.
    fn end_interruption(&mut self, tid: Tid, kind: RestartKind) {
        let part = self.tasks.get(&tid).is_some_and(|task| task.scratch.done != 0);
        if kind != RestartKind::Never && !part {
            return;
        }
        self.futex_cancel(tid);
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.in_syscall = false;
        task.regs.x[10] = if task.scratch.done != 0 { task.scratch.done } else { Errno::EINTR.to_ret() };
        task.regs.pc = task.regs.pc.wrapping_add(ECALL);
        if let Some(mask) = task.saved_mask.take() {
            self.set_mask(tid, mask);
        }
    }

    /// The signal frame could not be written: SIGSEGV, which ends the process if it was SIGSEGV's own frame.
    pub(crate) fn force_segv(&mut self, tid: Tid, signo: u32) {
        if signo == SIGSEGV
            && let Some(task) = self.tasks.get(&tid)
        {
            task.sighand.borrow_mut().set(SIGSEGV, SigAction::default());
        }
        self.force_signal(tid, SigInfo::kernel(SIGSEGV));
    }
}
