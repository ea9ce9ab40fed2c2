//! Running out of memory: which process has to go.

use crate::Pid;
use crate::kernel::Kernel;
use crate::mm::VmaFlags;
use crate::signal::{SIGKILL, SigInfo};

impl Kernel {
    /// Kills the process with the most memory of its own, as Linux does when a control group is over its limit, and
    /// answers who it was. The process's adjustment (/proc/PID/oom_score_adj) counts as in Linux: -1000 spares it,
    /// otherwise a thousandth of the machine's memory a point. `None` when nobody is left to kill.
    pub fn kill_for_memory(&mut self) -> Option<(Pid, Vec<u8>)> {
        let point = i128::from(self.config.memory / 1000);
        let victim = self
            .processes
            .values()
            .filter(|process| process.zombie.is_none() && process.oom_score_adj > -1000)
            .filter(|process| !self.dying.contains(&process.pid))
            .filter_map(|process| {
                let task = self.tasks.get(process.threads.first()?)?;
                let own = task.mm.borrow().own_bytes();
                Some((i128::from(own) + point * i128::from(process.oom_score_adj), process.pid, task.comm.clone()))
            })
            // Of equals the youngest: its parent may go on.
            .max_by_key(|(score, pid, _)| (*score, *pid));
        let (_, pid, comm) = victim?;
        self.send_to_process(pid, SigInfo::kernel(SIGKILL));
        Some((pid, comm))
    }
}

impl crate::mm::Mm {
    /// Bytes of private memory that may be written: an upper bound of what ends with the process.
    #[must_use]
    pub fn own_bytes(&self) -> u64 {
        self.vmas
            .values()
            .filter(|vma| vma.prot.write && !vma.flags.contains(VmaFlags::SHARED))
            .map(|vma| vma.end - vma.start)
            .sum()
    }
}
