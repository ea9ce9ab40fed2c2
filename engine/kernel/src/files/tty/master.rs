//! The side of a pseudoterminal that a terminal emulator has open: /dev/ptmx, pty(7).

use super::Terminal;
use crate::files::{Effect, File, IoError, IoResult, Keys};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::poll::{POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_abi::tty::{FIONREAD, TIOCGPTLCK, TIOCGPTN, TIOCPKT, TIOCSPTLCK};
use friscy_vfs::Location;
use std::any::Any;
use std::rc::Rc;

/// An open master.
pub struct PtyMaster {
    terminal: Rc<Terminal>,
    location: Location,
}

impl PtyMaster {
    /// Opens the master of a new terminal.
    #[must_use]
    pub fn new(terminal: Rc<Terminal>, location: Location) -> PtyMaster {
        terminal.masters.set(terminal.masters.get() + 1);
        PtyMaster { terminal, location }
    }

    /// The terminal.
    #[must_use]
    pub fn terminal(&self) -> &Rc<Terminal> {
        &self.terminal
    }

    fn slave_closed(&self) -> bool {
        self.terminal.slaves.get() == 0 && self.terminal.slave_was_open.get()
    }
}

impl Drop for PtyMaster {
    fn drop(&mut self) {
        self.terminal.masters.set(self.terminal.masters.get() - 1);
        if self.terminal.masters.get() == 0 {
            self.terminal.hang_up();
            self.terminal.point.effect(Effect::TerminalGone(self.terminal.index()));
        }
    }
}

impl File for PtyMaster {
    fn read(&self, _cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        match self.terminal.take_output(buf) {
            0 if self.slave_closed() => Err(Errno::EIO.into()),
            0 => Err(IoError::WouldBlock),
            count => Ok(count),
        }
    }

    fn write(&self, _cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        Ok(self.terminal.input(bytes))
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        let mut events = POLLOUT | POLLWRNORM;
        if !self.terminal.ldisc.borrow().output().is_empty() {
            events |= POLLIN | POLLRDNORM;
        }
        if self.slave_closed() {
            events |= POLLHUP;
        }
        events
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.terminal.point.key());
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        self.terminal.point.changes()
    }

    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        match request {
            TIOCGPTN => cx.write_struct(arg, &self.terminal.index())?,
            TIOCSPTLCK => {
                let lock: u32 = cx.read_struct(arg)?;
                self.terminal.locked.set(lock != 0);
            }
            TIOCGPTLCK => cx.write_struct(arg, &u32::from(self.terminal.locked()))?,
            FIONREAD => {
                let waiting = self.terminal.ldisc.borrow().output_len() as u32;
                cx.write_struct(arg, &waiting)?;
            }
            // Packet mode would put a control byte before each read; programs that ask for it can do without.
            TIOCPKT => return Err(Errno::EINVAL.into()),
            _ => return self.terminal.ioctl(cx, request, arg, true),
        }
        Ok(0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
