//! What programs write into /proc. The vfs has the kernel shared while it writes, so it is kept and applied after.

use crate::{Kernel, Pid, Tid};

/// Something written into /proc.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProcWrite {
    /// /proc/PID/comm: a task's name.
    Comm(Tid, Vec<u8>),
    /// /proc/PID/oom_score_adj.
    OomScoreAdj(Pid, i32),
}

impl Kernel {
    /// Applies what was written into /proc.
    pub(crate) fn apply_proc_writes(&mut self) {
        for write in self.drivers.proc_writes.take() {
            match write {
                ProcWrite::Comm(tid, name) => {
                    if let Some(task) = self.tasks.get_mut(&tid) {
                        task.comm = name;
                    }
                }
                ProcWrite::OomScoreAdj(pid, value) => {
                    if let Some(process) = self.processes.get_mut(&pid) {
                        process.oom_score_adj = value;
                    }
                }
            }
        }
    }
}
