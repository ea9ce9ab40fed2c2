//! Process groups and sessions: setpgid(2), setsid(2), and the controlling terminal's part in them.

use crate::kernel::Kernel;
use crate::signal::{SIGCONT, SIGHUP, SigInfo};
use crate::{Pid, Tid};
use friscy_abi::Errno;

impl Kernel {
    /// setpgid(2): 0 for `pid` is the caller, 0 for `pgid` is `pid`.
    ///
    /// # Errors
    /// `ESRCH` when `pid` is neither the caller nor its child, `EACCES` for a child that has called execve, `EPERM`
    /// for a session leader, a child in another session, or a group that is not in the session; `EINVAL` for a
    /// negative group.
    pub fn setpgid(&mut self, tid: Tid, pid: i32, pgid: i32) -> Result<(), Errno> {
        let own = self.task(tid).tgid;
        if pgid < 0 {
            return Err(Errno::EINVAL);
        }
        let pid = if pid == 0 { own } else { pid as Pid };
        let pgid = if pgid == 0 { pid } else { pgid as Pid };
        let sid = self.process(own).sid;
        let target = self.processes.get(&pid).ok_or(Errno::ESRCH)?;
        if target.parent == own {
            if target.sid != sid {
                return Err(Errno::EPERM);
            }
            if target.did_exec {
                return Err(Errno::EACCES);
            }
        } else if pid != own {
            return Err(Errno::ESRCH);
        }
        if target.sid == pid {
            return Err(Errno::EPERM);
        }
        if pgid != pid && !self.processes.values().any(|process| process.pgid == pgid && process.sid == sid) {
            return Err(Errno::EPERM);
        }
        self.process_mut(pid).pgid = pgid;
        Ok(())
    }

    /// getpgid(2); 0 is the caller.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn getpgid(&self, tid: Tid, pid: i32) -> Result<Pid, Errno> {
        let pid = if pid == 0 { self.task(tid).tgid } else { pid as Pid };
        self.processes.get(&pid).map(|process| process.pgid).ok_or(Errno::ESRCH)
    }

    /// getsid(2); 0 is the caller.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn getsid(&self, tid: Tid, pid: i32) -> Result<Pid, Errno> {
        let pid = if pid == 0 { self.task(tid).tgid } else { pid as Pid };
        self.processes.get(&pid).map(|process| process.sid).ok_or(Errno::ESRCH)
    }

    /// setsid(2): the caller becomes leader of a new session and group, without a controlling terminal.
    ///
    /// # Errors
    /// `EPERM` when the caller leads a group.
    pub fn setsid(&mut self, tid: Tid) -> Result<Pid, Errno> {
        let own = self.task(tid).tgid;
        if self.processes.values().any(|process| process.pgid == own) {
            return Err(Errno::EPERM);
        }
        let process = self.process_mut(own);
        process.sid = own;
        process.pgid = own;
        process.tty = None;
        Ok(own)
    }

    /// Whether no member of the group has a parent in another group of the same session: job control cannot reach it.
    #[must_use]
    pub fn is_orphaned_group(&self, pgid: Pid) -> bool {
        !self.processes.values().filter(|process| process.pgid == pgid && process.zombie.is_none()).any(|process| {
            self.processes
                .get(&process.parent)
                .is_some_and(|parent| parent.pgid != pgid && parent.sid == process.sid && parent.zombie.is_none())
        })
    }

    /// Whether the group of a process is orphaned.
    #[must_use]
    pub fn is_orphaned_group_of(&self, pid: Pid) -> bool {
        self.processes.get(&pid).is_none_or(|process| self.is_orphaned_group(process.pgid))
    }

    /// A terminal hung up: SIGHUP and SIGCONT go to the session's leader, and no process
    /// of the session has the terminal any more.
    pub fn terminal_hangup(&mut self, sid: Pid, tty: u32, foreground: Pid) {
        let leader = self.processes.get(&sid).is_some_and(|process| process.tty == Some(tty));
        for process in self.processes.values_mut() {
            if process.sid == sid && process.tty == Some(tty) {
                process.tty = None;
            }
        }
        if leader {
            // The foreground group hears of it when the leader ends, if nobody told it before.
            self.process_mut(sid).lost_foreground = foreground;
            self.send_to_process(sid, SigInfo::kernel(SIGHUP));
            self.send_to_process(sid, SigInfo::kernel(SIGCONT));
        }
    }
}
