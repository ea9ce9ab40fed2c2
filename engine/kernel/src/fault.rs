//! What becomes of a task whose instruction could not be executed.

use crate::Tid;
use crate::kernel::Kernel;
use crate::ports::Stream;
use crate::process::ExitStatus;
use crate::signal::{SIGBUS, SIGILL, SIGKILL, SIGSEGV, SIGTRAP, SigInfo};
use friscy_abi::signal::{BUS_ADRALN, BUS_ADRERR, ILL_ILLOPC, SEGV_ACCERR, SEGV_MAPERR, TRAP_BRKPT};
use friscy_boundary::Exit;

impl Kernel {
    /// Sends the signal that an exit of the cpu stands for; exits that are no faults are ignored.
    pub fn cpu_fault(&mut self, tid: Tid, exit: Exit) {
        let Some(task) = self.tasks.get(&tid) else { return };
        let pc = task.regs.pc;
        let info = match exit {
            Exit::Fault { addr, beyond_object: true, .. } => SigInfo::fault(SIGBUS, BUS_ADRERR, addr),
            Exit::Fault { addr, .. } => {
                let mapped = task.mm.borrow().find(addr).is_some();
                SigInfo::fault(SIGSEGV, if mapped { SEGV_ACCERR } else { SEGV_MAPERR }, addr)
            }
            // Linux tells where the instruction is (`do_trap_store_misaligned`), not what it addresses.
            Exit::Misaligned { .. } => SigInfo::fault(SIGBUS, BUS_ADRALN, pc),
            Exit::Breakpoint => SigInfo::fault(SIGTRAP, TRAP_BRKPT, pc),
            Exit::Illegal { .. } => SigInfo::fault(SIGILL, ILL_ILLOPC, pc),
            Exit::LostFault => SigInfo::kernel(SIGSEGV),
            Exit::Poisoned => {
                let pid = task.tgid;
                let message = format!("friscy: process {pid} ends: its address space failed at pc {pc:#x}\n");
                self.terminal.write(Stream::Err, message.as_bytes());
                self.note_crash(tid, SigInfo::kernel(SIGKILL));
                self.exit_group(pid, ExitStatus::Signaled { signo: SIGKILL, core: false });
                return;
            }
            Exit::Syscall | Exit::Fuel | Exit::ReadCsr { .. } => return,
        };
        self.last_fault = Some((tid, pc, info));
        self.force_signal(tid, info);
    }

    /// The last fault of any task: who, where, and the signal. For messages about a crash.
    #[must_use]
    pub fn last_fault(&self) -> Option<(Tid, u64, SigInfo)> {
        self.last_fault
    }

    /// Whether a task must not go on running guest code: a signal waits, or its process is stopped or ending.
    #[must_use]
    pub fn needs_attention(&self, tid: Tid) -> bool {
        let Some(task) = self.tasks.get(&tid) else { return true };
        if task.has_private_signal() {
            return true;
        }
        self.processes
            .get(&task.tgid)
            .is_none_or(|process| process.stopped.is_some() || !process.pending.set.without(task.mask).is_empty())
    }

    /// Acts on what system calls and drivers left to be done: wakes, terminals' signals, processes that were killed.
    #[inline]
    pub fn settle(&mut self) {
        while !self.drivers.effects.is_empty() || !self.dying.is_empty() {
            self.settle_effects();
            self.reap_killed();
        }
    }
}
