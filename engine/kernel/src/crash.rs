//! What is known of a process that a signal for faults killed, or whose address space failed, for a message about it:
//! kept because registers, mappings and stack are gone when somebody asks.

use crate::kernel::Kernel;
use crate::mm::{Vma, VmaBacking};
use crate::signal::SigInfo;
use crate::{Pid, Tid};
use friscy_boundary::Regs;

/// Bytes of stack that are kept, from the stack pointer upwards.
const STACK_BYTES: u64 = 64 << 10;

/// Crashes that are kept until somebody takes them; more are only counted out.
const KEPT: usize = 16;

/// A process that was killed.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The process.
    pub pid: Pid,
    /// The thread that got the signal.
    pub tid: Tid,
    /// Its name, as prctl(2) `PR_SET_NAME` sets it.
    pub comm: Vec<u8>,
    /// The signal; SIGKILL when its address space failed ([`friscy_boundary::Exit::Poisoned`]).
    pub info: SigInfo,
    /// Registers of the thread when the signal was delivered.
    pub regs: Regs,
    /// Executable mappings, lowest first.
    pub code: Vec<CodeMapping>,
    /// What the stack held from `regs.x[2]` upwards, as far as it could be read.
    pub stack: Vec<u8>,
}

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeMapping {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Byte offset of its first page in the file.
    pub offset: u64,
    /// The path that the file was opened by; none for anonymous memory and the vDSO.
    pub path: Option<Vec<u8>>,
}

impl CodeMapping {
    fn of(vma: &Vma) -> CodeMapping {
        let (offset, path) = match &vma.backing {
            VmaBacking::Object { offset, file, .. } => (*offset, file.as_ref().map(|file| file.path.clone())),
            VmaBacking::Anonymous => (0, None),
        };
        CodeMapping { start: vma.start, end: vma.end, offset, path }
    }
}

impl Kernel {
    /// Notes that `info` kills the process of task `tid`.
    pub(crate) fn note_crash(&mut self, tid: Tid, info: SigInfo) {
        let Some(task) = self.tasks.get(&tid).filter(|_| self.crashes.len() < KEPT) else { return };
        let mm = task.mm.borrow();
        let code = mm.vmas.values().filter(|vma| vma.prot.exec).map(CodeMapping::of).collect();
        let sp = task.regs.x[2];
        let room = mm.find(sp).map_or(0, |vma| (vma.end - sp).min(STACK_BYTES));
        let mut stack = vec![0; room as usize];
        if self.cpu.copy_in(mm.id, sp, &mut stack).is_err() {
            stack.clear();
        }
        let crash = Crash { pid: task.tgid, tid, comm: task.comm.clone(), info, regs: task.regs.clone(), code, stack };
        drop(mm);
        self.crashes.push(crash);
    }

    /// The executable mappings that any process has at `addr`, each once.
    #[must_use]
    pub fn code_at(&self, addr: u64) -> Vec<CodeMapping> {
        let mut found = Vec::new();
        for task in self.tasks.values() {
            let mm = task.mm.borrow();
            if let Some(mapping) = mm.find(addr).filter(|vma| vma.prot.exec).map(CodeMapping::of)
                && !found.contains(&mapping)
            {
                found.push(mapping);
            }
        }
        found
    }

    /// Takes what is known of processes that signals for faults killed, in order.
    pub fn take_crashes(&mut self) -> Vec<Crash> {
        std::mem::take(&mut self.crashes)
    }
}
