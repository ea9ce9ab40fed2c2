//! Terminals: pseudoterminal pairs with the line discipline N_TTY, pty(7), tty_ioctl(4), and the machine's own one.

mod console;
mod ioctl;
mod job;
mod ldisc;
mod master;
mod slave;
mod termios;

pub use console::HostStream;
pub use ldisc::LineDiscipline;
pub use master::PtyMaster;
pub use slave::Tty;

use super::effects::{Effect, Effects, WaitPoint};
use crate::Pid;
use friscy_abi::layout::Winsize;
use friscy_abi::signal::SIGWINCH;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Major number of /dev/pts devices; the minor number is the terminal's.
pub const PTS_MAJOR: u32 = 136;

/// A terminal: the line discipline between a slave (what programs have open) and a master (who types and looks).
#[derive(Debug)]
pub struct Terminal {
    /// The number in /dev/pts.
    index: u32,
    ldisc: RefCell<LineDiscipline>,
    window: Cell<Winsize>,
    /// The session it controls, or 0.
    session: Cell<Pid>,
    /// The foreground process group, or 0.
    foreground: Cell<Pid>,
    /// Open masters and slaves.
    masters: Cell<u32>,
    slaves: Cell<u32>,
    /// A slave was open before: reading the master without one is `EIO` then.
    slave_was_open: Cell<bool>,
    hung_up: Cell<bool>,
    /// The slave cannot be opened (TIOCSPTLCK).
    locked: Cell<bool>,
    exclusive: Cell<bool>,
    /// The machine's terminal: its master is the host.
    host: bool,
    point: WaitPoint,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.point.effects().push(Effect::TerminalGone(self.index));
    }
}

impl Terminal {
    /// A terminal that nobody has open.
    #[must_use]
    pub fn new(index: u32, host: bool, id: u64, effects: &Effects) -> Rc<Terminal> {
        Rc::new(Terminal {
            index,
            ldisc: RefCell::default(),
            window: Cell::default(),
            session: Cell::new(0),
            foreground: Cell::new(0),
            masters: Cell::new(u32::from(host)),
            slaves: Cell::new(0),
            slave_was_open: Cell::new(false),
            hung_up: Cell::new(false),
            locked: Cell::new(!host),
            exclusive: Cell::new(false),
            host,
            point: WaitPoint::new(id, effects),
        })
    }

    /// The number in /dev/pts.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Whether the slave may be opened.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.locked.get()
    }

    /// Whether the host is its master.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.host
    }

    /// Whether the master is gone.
    #[must_use]
    pub fn hung_up(&self) -> bool {
        self.hung_up.get()
    }

    /// The foreground process group, or 0.
    #[must_use]
    pub fn foreground(&self) -> Pid {
        self.foreground.get()
    }

    /// The session it controls, or 0.
    #[must_use]
    pub fn session(&self) -> Pid {
        self.session.get()
    }

    /// Makes it control a session whose foreground is `foreground`; 0 and 0 for none.
    pub fn set_session(&self, session: Pid, foreground: Pid) {
        self.session.set(session);
        self.foreground.set(foreground);
    }

    /// What somebody types. Returns how many bytes were looked at (all of them).
    pub fn input(&self, bytes: &[u8]) -> usize {
        let mut ldisc = self.ldisc.borrow_mut();
        for &byte in bytes {
            if let Some(signo) = ldisc.receive(byte) {
                self.signal_foreground(signo);
            }
        }
        drop(ldisc);
        self.point.notify();
        bytes.len()
    }

    fn signal_foreground(&self, signo: u32) {
        let pgid = self.foreground.get();
        if pgid != 0 {
            self.point.effects().push(Effect::SignalGroup { pgid, signo });
        }
    }

    /// Takes bytes for the screen: up to `buf`'s length.
    pub fn take_output(&self, buf: &mut [u8]) -> usize {
        let mut done = 0;
        let mut ldisc = self.ldisc.borrow_mut();
        while done < buf.len() {
            let run = ldisc.output();
            let count = run.len().min(buf.len() - done);
            if count == 0 {
                break;
            }
            buf[done..done + count].copy_from_slice(&run[..count]);
            ldisc.consume_output(count);
            done += count;
        }
        drop(ldisc);
        if done > 0 {
            self.point.notify();
        }
        done
    }

    /// The size of its window.
    #[must_use]
    pub fn window(&self) -> Winsize {
        self.window.get()
    }

    /// Sets the size of its window when it becomes known.
    pub(super) fn set_window(&self, window: Winsize) {
        self.window.set(window);
    }

    /// Changes the size of its window, and tells the foreground group of a change (SIGWINCH).
    pub fn resize(&self, window: Winsize) {
        if self.window.replace(window) != window {
            self.signal_foreground(SIGWINCH);
        }
    }

    /// The master is gone: readers get the end, the session a SIGHUP.
    pub fn hang_up(&self) {
        if self.hung_up.replace(true) {
            return;
        }
        let (sid, foreground) = (self.session.get(), self.foreground.get());
        if sid != 0 {
            self.point.effects().push(Effect::Hangup { sid, tty: self.index, foreground });
        }
        self.set_session(0, 0);
        self.point.notify();
    }
}
