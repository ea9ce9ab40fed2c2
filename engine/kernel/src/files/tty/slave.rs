//! The side of a terminal that programs read and write.

use super::Terminal;
use crate::error::WaitKey;
use crate::files::{File, IoError, IoResult, Keys};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_abi::tty::{TOSTOP, VMIN, VTIME};
use friscy_vfs::Location;
use std::any::Any;
use std::rc::Rc;

/// Nanoseconds in the unit of `VTIME`.
const TENTH_OF_A_SECOND: u64 = 100_000_000;

/// An open terminal.
pub struct Tty {
    terminal: Rc<Terminal>,
    location: Location,
}

impl Tty {
    /// Opens a terminal whose node is at `location`.
    #[must_use]
    pub fn new(terminal: Rc<Terminal>, location: Location) -> Tty {
        terminal.slaves.set(terminal.slaves.get() + 1);
        terminal.slave_was_open.set(true);
        terminal.point.notify();
        Tty { terminal, location }
    }

    /// The terminal.
    #[must_use]
    pub fn terminal(&self) -> &Rc<Terminal> {
        &self.terminal
    }

    fn read_raw(&self, cx: &mut Ctx<'_>, buf: &mut [u8]) -> IoResult<usize> {
        let mut ldisc = self.terminal.ldisc.borrow_mut();
        let min = usize::from(ldisc.control(VMIN));
        let time = u64::from(ldisc.control(VTIME)) * TENTH_OF_A_SECOND;
        let there = ldisc.readable_len();
        if there >= min.min(buf.len()).max(1) || (min == 0 && time == 0) {
            return Ok(ldisc.read_raw(buf));
        }
        if time == 0 || (min > 0 && there == 0) {
            return Err(IoError::WouldBlock);
        }
        // A timer runs: from the start of the read when MIN is 0, else from the last byte that came.
        let now = cx.kernel.now();
        let scratch = cx.scratch();
        if min > 0 && scratch.value != there as u64 {
            scratch.value = there as u64;
            scratch.deadline = None;
        }
        let deadline = *scratch.deadline.get_or_insert(now + time);
        if now >= deadline {
            return Ok(ldisc.read_raw(buf));
        }
        Err(IoError::WouldBlockUntil(deadline))
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.terminal.slaves.set(self.terminal.slaves.get() - 1);
        self.terminal.point.notify();
    }
}

impl File for Tty {
    fn read(&self, cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        if self.terminal.hung_up() {
            return Ok(0);
        }
        if self.terminal.is_host() {
            cx.kernel.pump_terminal();
        }
        self.terminal.check_read(cx)?;
        let canonical = self.terminal.ldisc.borrow().canonical();
        let count = if canonical {
            self.terminal.ldisc.borrow_mut().read_line(buf).ok_or(IoError::WouldBlock)?
        } else {
            self.read_raw(cx, buf)?
        };
        if count > 0 {
            self.terminal.point.wake();
        }
        Ok(count)
    }

    fn write(&self, cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        if self.terminal.hung_up() {
            return Err(Errno::EIO.into());
        }
        let stops = self.terminal.ldisc.borrow().termios.c_lflag & TOSTOP != 0;
        if stops {
            self.terminal.check_change(cx)?;
        }
        let mut taken = self.terminal.ldisc.borrow_mut().write(bytes);
        if self.terminal.is_host() {
            cx.kernel.flush_terminal();
            if taken < bytes.len() {
                taken += self.terminal.ldisc.borrow_mut().write(&bytes[taken..]);
                cx.kernel.flush_terminal();
            }
        }
        if taken == 0 {
            return Err(IoError::WouldBlock);
        }
        if !self.terminal.is_host() {
            self.terminal.point.notify();
        }
        Ok(taken)
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, k: &mut Kernel) -> u32 {
        if self.terminal.is_host() {
            k.pump_terminal();
        }
        if self.terminal.hung_up() {
            return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
        }
        let ldisc = self.terminal.ldisc.borrow();
        let mut events = 0;
        if ldisc.readable() {
            events |= POLLIN | POLLRDNORM;
        }
        if ldisc.writable() {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.terminal.point.key());
        if self.terminal.is_host() {
            keys.push(WaitKey::Terminal);
        }
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        self.terminal.point.changes()
    }

    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        if self.terminal.hung_up() {
            return Err(Errno::EIO.into());
        }
        self.terminal.ioctl(cx, request, arg, false)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
