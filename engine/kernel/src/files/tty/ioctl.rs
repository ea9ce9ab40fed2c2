//! Requests of ioctl(2) on terminals, ioctl_tty(2).

use super::{Terminal, termios};
use crate::error::WaitKey;
use crate::files::{IoError, IoResult};
use crate::{Ctx, Kernel, Pid};
use friscy_abi::Errno;
use friscy_abi::layout::{Termios, Termios2};
use friscy_abi::tty::{
    FIONREAD, TCFLSH, TCGETS, TCGETS2, TCIFLUSH, TCIOFLUSH, TCOFLUSH, TCOOFF, TCOON, TCSBRK, TCSBRKP, TCSETS, TCSETS2,
    TCSETSF, TCSETSF2, TCSETSW, TCSETSW2, TCXONC, TIOCEXCL, TIOCGETD, TIOCGEXCL, TIOCGPGRP, TIOCGSID, TIOCGWINSZ,
    TIOCNOTTY, TIOCNXCL, TIOCOUTQ, TIOCSCTTY, TIOCSETD, TIOCSPGRP, TIOCSWINSZ, TIOCVHANGUP,
};

/// The number of the line discipline N_TTY.
const N_TTY: u32 = 0;

impl Terminal {
    /// A request that both sides know; `master` says on which it was made.
    pub(super) fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64, master: bool) -> IoResult<u64> {
        // Linux holds these back from the background, whether or not they change anything.
        if !master && matches!(request, TIOCSETD | TCSBRK | TCSBRKP | TCXONC) {
            self.check_change(cx)?;
        }
        match request {
            TCGETS => {
                let short = termios::to_short(&self.ldisc.borrow().termios);
                cx.write_struct(arg, &short)?;
            }
            TCGETS2 => {
                let full = self.ldisc.borrow().termios;
                cx.write_struct(arg, &full)?;
            }
            TCSETS | TCSETSW | TCSETSF => {
                let short: Termios = cx.read_struct(arg)?;
                let old = self.ldisc.borrow().termios;
                self.set_termios(cx, termios::from_short(&short, &old), request == TCSETSF, master)?;
            }
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                let full: Termios2 = cx.read_struct(arg)?;
                self.set_termios(cx, full, request == TCSETSF2, master)?;
            }
            TIOCGWINSZ if self.is_host() && cx.kernel.terminal.window_pending() => {
                return Err(IoError::WaitFor(WaitKey::Terminal));
            }
            TIOCGWINSZ => cx.write_struct(arg, &self.window())?,
            TIOCSWINSZ => {
                let window = cx.read_struct(arg)?;
                self.resize(window);
            }
            FIONREAD => {
                let ldisc = self.ldisc.borrow();
                let waiting = if ldisc.canonical() && !ldisc.readable() { 0 } else { ldisc.readable_len() as u32 };
                drop(ldisc);
                cx.write_struct(arg, &waiting)?;
            }
            TIOCOUTQ => {
                let waiting = self.ldisc.borrow().output_len() as u32;
                cx.write_struct(arg, &waiting)?;
            }
            TCFLSH => self.flush(cx, arg, master)?,
            TCXONC => match u32::try_from(arg) {
                Ok(TCOOFF) => self.ldisc.borrow_mut().set_stopped(true),
                Ok(TCOON) => {
                    self.ldisc.borrow_mut().set_stopped(false);
                    self.point.notify();
                }
                // Flow control of the other side's typing: there is nobody to obey it.
                Ok(2 | 3) => {}
                _ => return Err(Errno::EINVAL.into()),
            },
            // Output drains by itself, and there is no line to break.
            TCSBRK | TCSBRKP => {}
            TIOCEXCL => self.exclusive.set(true),
            TIOCNXCL => self.exclusive.set(false),
            TIOCGEXCL => cx.write_struct(arg, &u32::from(self.exclusive.get()))?,
            TIOCGETD => cx.write_struct(arg, &N_TTY)?,
            TIOCSETD => {
                let discipline: u32 = cx.read_struct(arg)?;
                if discipline != N_TTY {
                    return Err(Errno::EINVAL.into());
                }
            }
            TIOCGPGRP => {
                self.check_controls(cx, master)?;
                cx.write_struct(arg, &self.foreground())?;
            }
            TIOCSPGRP => self.set_foreground(cx, arg, master)?,
            TIOCGSID => {
                self.check_controls(cx, master)?;
                if self.session() == 0 {
                    return Err(Errno::ENOTTY.into());
                }
                cx.write_struct(arg, &self.session())?;
            }
            TIOCSCTTY if !master => self.make_controlling(cx, arg)?,
            TIOCNOTTY => {
                if cx.process().tty != Some(self.index()) {
                    return Err(Errno::ENOTTY.into());
                }
                let pid = cx.pid();
                cx.kernel.detach_terminal(pid, false);
            }
            TIOCVHANGUP => {
                if cx.task().cred.euid != 0 {
                    return Err(Errno::EPERM.into());
                }
                self.hang_up();
            }
            _ => return Err(Errno::ENOTTY.into()),
        }
        Ok(0)
    }

    fn set_termios(&self, cx: &mut Ctx<'_>, new: Termios2, flush: bool, master: bool) -> IoResult<()> {
        if !master {
            self.check_change(cx)?;
        }
        let mut ldisc = self.ldisc.borrow_mut();
        if flush {
            ldisc.flush_input();
        }
        ldisc.set_termios(new);
        drop(ldisc);
        self.point.notify();
        Ok(())
    }

    fn flush(&self, cx: &mut Ctx<'_>, arg: u64, master: bool) -> IoResult<()> {
        if !master {
            self.check_change(cx)?;
        }
        let mut ldisc = self.ldisc.borrow_mut();
        match u32::try_from(arg) {
            Ok(TCIFLUSH) => ldisc.flush_input(),
            Ok(TCOFLUSH) => ldisc.flush_output(),
            Ok(TCIOFLUSH) => {
                ldisc.flush_input();
                ldisc.flush_output();
            }
            _ => return Err(Errno::EINVAL.into()),
        }
        drop(ldisc);
        self.point.notify();
        Ok(())
    }

    /// Whether this is the caller's controlling terminal (always on the master).
    fn check_controls(&self, cx: &Ctx<'_>, master: bool) -> Result<(), Errno> {
        if master || cx.process().tty == Some(self.index()) { Ok(()) } else { Err(Errno::ENOTTY) }
    }

    fn set_foreground(&self, cx: &mut Ctx<'_>, arg: u64, master: bool) -> IoResult<()> {
        if !master {
            // A group that cannot be stopped has no job control.
            self.check_change(cx).map_err(|error| match error {
                IoError::Errno(Errno::EIO) => IoError::Errno(Errno::ENOTTY),
                other => other,
            })?;
        }
        let process = cx.process();
        if process.tty != Some(self.index()) || process.sid != self.session() {
            return Err(Errno::ENOTTY.into());
        }
        let sid = process.sid;
        let pgid: i32 = cx.read_struct(arg)?;
        let pgid = Pid::try_from(pgid).map_err(|_| Errno::EINVAL)?;
        match cx.kernel.processes.values().find(|process| process.pgid == pgid) {
            None => return Err(Errno::ESRCH.into()),
            Some(process) if process.sid != sid => return Err(Errno::EPERM.into()),
            Some(_) => self.foreground.set(pgid),
        }
        Ok(())
    }

    /// TIOCSCTTY: the terminal controls the caller's session from now on.
    fn make_controlling(&self, cx: &mut Ctx<'_>, arg: u64) -> Result<(), Errno> {
        let process = cx.process();
        let (pid, sid, pgid) = (process.pid, process.sid, process.pgid);
        if sid == pid && self.session() == sid {
            return Ok(());
        }
        if sid != pid || process.tty.is_some() {
            return Err(Errno::EPERM);
        }
        let other = self.session();
        if other != 0 {
            if arg != 1 || cx.task().cred.euid != 0 {
                return Err(Errno::EPERM);
            }
            cx.kernel.forget_terminal(other);
        }
        self.set_session(sid, pgid);
        cx.process_mut().tty = Some(self.index());
        Ok(())
    }
}

impl Kernel {
    /// No process of the session has a controlling terminal any more.
    pub(crate) fn forget_terminal(&mut self, sid: Pid) {
        for process in self.processes.values_mut().filter(|process| process.sid == sid) {
            process.tty = None;
        }
    }

    /// Gives up the controlling terminal of a process (TIOCNOTTY; or it `ends`). For a session leader the whole session
    /// loses it, and its foreground group gets SIGHUP, and SIGCONT unless the leader ends.
    pub fn detach_terminal(&mut self, pid: Pid, ends: bool) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Some(index) = process.tty.take() else {
            let pgid = std::mem::take(&mut process.lost_foreground);
            if ends && pgid != 0 {
                for signo in [crate::signal::SIGHUP, crate::signal::SIGCONT] {
                    self.drivers.effects.push(crate::files::Effect::SignalGroup { pgid, signo });
                }
            }
            return;
        };
        if process.sid != pid {
            return;
        }
        let Some(terminal) = self.drivers.terminal(index) else { return };
        let foreground = terminal.foreground();
        terminal.set_session(0, 0);
        self.forget_terminal(pid);
        if foreground != 0 {
            let signals = [crate::signal::SIGHUP, crate::signal::SIGCONT];
            for &signo in signals.iter().take(if ends { 1 } else { 2 }) {
                self.drivers.effects.push(crate::files::Effect::SignalGroup { pgid: foreground, signo });
            }
        }
    }
}
