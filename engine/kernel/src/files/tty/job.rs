//! Job control: who may read from and write to a terminal, credentials(7), termios(3), "Job control" in setpgid(2).

use super::Terminal;
use crate::Ctx;
use crate::files::{Effect, IoError, IoResult};
use crate::signal::{SIGTTIN, SIGTTOU};
use friscy_abi::Errno;

impl Terminal {
    /// Whether the calling process is in the background of this terminal.
    fn in_background(&self, cx: &Ctx<'_>) -> bool {
        let process = cx.process();
        process.tty == Some(self.index())
            && process.sid == self.session()
            && self.foreground() != 0
            && process.pgid != self.foreground()
    }

    /// Refuses or stops a background process that does what only the foreground may.
    fn stop_background(&self, cx: &mut Ctx<'_>, signo: u32) -> IoResult<()> {
        let pgid = cx.process().pgid;
        if cx.kernel.is_orphaned_group(pgid) {
            return Err(Errno::EIO.into());
        }
        self.point.effects().push(Effect::SignalGroup { pgid, signo });
        Err(IoError::Restart)
    }

    fn ignores(cx: &Ctx<'_>, signo: u32) -> bool {
        let task = cx.task();
        task.mask.has(signo) || task.sighand.borrow().get(signo).is_ignore()
    }

    /// Lets foreground processes read: others get SIGTTIN, or `EIO` when they would not notice.
    pub(super) fn check_read(&self, cx: &mut Ctx<'_>) -> IoResult<()> {
        if !self.in_background(cx) {
            return Ok(());
        }
        if Terminal::ignores(cx, SIGTTIN) {
            return Err(Errno::EIO.into());
        }
        self.stop_background(cx, SIGTTIN)
    }

    /// Lets foreground processes (and those that ignore SIGTTOU) change the terminal.
    pub(super) fn check_change(&self, cx: &mut Ctx<'_>) -> IoResult<()> {
        if !self.in_background(cx) || Terminal::ignores(cx, SIGTTOU) {
            return Ok(());
        }
        self.stop_background(cx, SIGTTOU)
    }
}
