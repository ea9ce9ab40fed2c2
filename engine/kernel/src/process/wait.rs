//! wait4(2) and waitid(2).

use super::{ChildEvent, ExitStatus, Usage};
use crate::Pid;
use crate::Tid;
use crate::kernel::Kernel;
use crate::signal::SIGCHLD;
use friscy_abi::Errno;
use friscy_abi::sched::{__WALL, __WCLONE, WCONTINUED, WEXITED, WNOWAIT, WUNTRACED};

/// Whose change is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitWhich {
    /// Any child.
    Any,
    /// One child.
    Pid(Pid),
    /// Children of a process group.
    Group(Pid),
}

/// What happened to a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitWhat {
    /// It ended.
    Ended(ExitStatus),
    /// It stopped by this signal.
    Stopped(u32),
    /// It went on.
    Continued,
}

/// What wait4(2) and waitid(2) report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitReport {
    /// The child.
    pub pid: Pid,
    /// Its real user id.
    pub uid: u32,
    /// What happened.
    pub what: WaitWhat,
    /// What it used, its own waited-for children included.
    pub usage: Usage,
}

impl WaitReport {
    /// The `wstatus` of wait4(2).
    #[must_use]
    pub fn wstatus(&self) -> u32 {
        match self.what {
            WaitWhat::Ended(status) => status.to_wstatus(),
            WaitWhat::Stopped(signo) => signo << 8 | 0x7f,
            WaitWhat::Continued => 0xffff,
        }
    }
}

impl Kernel {
    /// Looks for a child whose state changed as `options` (`WEXITED`, `WUNTRACED`, `WCONTINUED`, `WNOWAIT`, `__WALL`,
    /// `__WCLONE`) ask. `None` means that there are children but nothing to report: the caller waits for
    /// [`crate::WaitKey::ChildOf`] its process, or returns with `WNOHANG`. An ended child that is reported is gone,
    /// unless `WNOWAIT`.
    ///
    /// # Errors
    /// `ECHILD` when no child fits.
    pub fn wait_child(&mut self, tid: Tid, which: WaitWhich, options: u32) -> Result<Option<WaitReport>, Errno> {
        let own = self.task(tid).tgid;
        let children = self.process(own).children.clone();
        let mut fits = false;
        for pid in children {
            let Some(child) = self.processes.get_mut(&pid) else { continue };
            let chosen = match which {
                WaitWhich::Any => true,
                WaitWhich::Pid(wanted) => wanted == pid,
                WaitWhich::Group(pgid) => child.pgid == pgid,
            };
            let is_clone = child.exit_signal != SIGCHLD;
            if !chosen || options & __WALL == 0 && is_clone != (options & __WCLONE != 0) {
                continue;
            }
            fits = true;
            let what = if let Some(status) = child.zombie {
                if options & WEXITED == 0 {
                    continue;
                }
                WaitWhat::Ended(status)
            } else {
                match child.event {
                    Some(ChildEvent::Stopped(signo)) if options & WUNTRACED != 0 => WaitWhat::Stopped(signo),
                    Some(ChildEvent::Continued) if options & WCONTINUED != 0 => WaitWhat::Continued,
                    _ => continue,
                }
            };
            let (children_usage, uid) = (child.children_usage, self.process_uid(pid));
            let mut usage = self.usage_of(pid);
            usage.add(&children_usage);
            if options & WNOWAIT == 0 {
                if let WaitWhat::Ended(_) = what {
                    self.forget_process(pid);
                    self.process_mut(own).children_usage.add(&usage);
                } else if let Some(child) = self.processes.get_mut(&pid) {
                    child.event = None;
                }
            }
            return Ok(Some(WaitReport { pid, uid, what, usage }));
        }
        if fits { Ok(None) } else { Err(Errno::ECHILD) }
    }
}
