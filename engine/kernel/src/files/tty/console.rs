//! The machine's own terminal and standard streams: where the guest meets the host's `Terminal` port.

use super::Terminal;
use crate::error::WaitKey;
use crate::files::{File, IoError, IoResult, Keys};
use crate::ports::{Input, Stream};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::layout::Winsize;
use friscy_abi::poll::{POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_vfs::Location;
use std::any::Any;
use std::rc::Rc;

impl Kernel {
    /// The machine's terminal, if it has one.
    #[must_use]
    pub fn console(&self) -> Option<Rc<Terminal>> {
        self.drivers.terminal(0).filter(|terminal| terminal.is_host())
    }

    /// Takes from the host what was typed, its window's size, and gives it what was written. To be called when the
    /// host says that something happened; a read of the terminal does it too.
    pub fn pump_terminal(&mut self) {
        let Some(terminal) = self.console() else {
            self.wake(WaitKey::Terminal);
            return;
        };
        if let Some(size) = self.terminal.window()
            && !self.terminal.window_pending()
        {
            let window =
                Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: size.xpixel, ws_ypixel: size.ypixel };
            if terminal.window() == Winsize::default() {
                // Nobody has been told another size: this is no change.
                terminal.set_window(window);
                self.wake(WaitKey::Terminal);
            } else {
                terminal.resize(window);
            }
        }
        let mut buf = [0; 1024];
        loop {
            match self.terminal.read(&mut buf) {
                Input::Bytes(count) => {
                    terminal.input(buf.get(..count).unwrap_or(&buf));
                }
                Input::None => break,
                Input::End => {
                    terminal.hang_up();
                    break;
                }
            }
        }
        self.flush_terminal();
    }

    /// Gives the host what waits for its screen, as much as it takes.
    pub fn flush_terminal(&mut self) {
        let Some(terminal) = self.console() else { return };
        let mut ldisc = terminal.ldisc.borrow_mut();
        let was_full = !ldisc.writable();
        while !ldisc.output().is_empty() {
            let taken = self.terminal.write(Stream::Out, ldisc.output());
            if taken == 0 {
                break;
            }
            ldisc.consume_output(taken);
        }
        let has_room = ldisc.writable();
        drop(ldisc);
        if was_full && has_room {
            terminal.point.notify();
        }
    }
}

/// A standard stream of the machine that is not a terminal.
pub struct HostStream {
    /// Where writes go; `None` for standard input.
    out: Option<Stream>,
    location: Location,
}

impl HostStream {
    /// Standard input.
    #[must_use]
    pub fn input(location: Location) -> HostStream {
        HostStream { out: None, location }
    }

    /// Standard output or standard error.
    #[must_use]
    pub fn output(stream: Stream, location: Location) -> HostStream {
        HostStream { out: Some(stream), location }
    }
}

impl File for HostStream {
    fn read(&self, cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        if self.out.is_some() {
            return Err(Errno::EBADF.into());
        }
        match cx.kernel.terminal.read(buf) {
            Input::Bytes(count) => Ok(count),
            Input::None => Err(IoError::WouldBlock),
            Input::End => Ok(0),
        }
    }

    fn write(&self, cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        let stream = self.out.ok_or(Errno::EBADF)?;
        match cx.kernel.terminal.write(stream, bytes) {
            0 if bytes.is_empty() => Ok(0),
            0 if cx.kernel.terminal.closed(stream) => Err(Errno::EPIPE.into()),
            0 => Err(IoError::WouldBlock),
            count => Ok(count),
        }
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, k: &mut Kernel) -> u32 {
        match self.out {
            None if k.terminal.readable() => POLLIN | POLLRDNORM,
            None => 0,
            Some(stream) if k.terminal.closed(stream) => POLLOUT | POLLWRNORM | POLLERR,
            Some(stream) if k.terminal.writable(stream) => POLLOUT | POLLWRNORM,
            Some(_) => 0,
        }
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(WaitKey::Terminal);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
