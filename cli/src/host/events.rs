//! Waiting: until a stream is ready that the guest waits for, a signal arrives, or it is time.

use super::streams::{Interest, Mode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stderr, stdin, stdout};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use std::cell::RefCell;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Signals that are passed on to the guest.
const PASSED_ON: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// What wakes a machine in which every task waits.
pub struct Events {
    wake: UnixStream,
    flags: Vec<(i32, Arc<AtomicBool>)>,
    interest: Rc<RefCell<Interest>>,
    mode: Mode,
}

impl Events {
    /// Catches the signals that concern the guest.
    ///
    /// # Errors
    /// As socketpair(2) and sigaction(2).
    pub fn new(mode: Mode, interest: Rc<RefCell<Interest>>) -> io::Result<Events> {
        let (wake, write_end) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        write_end.set_nonblocking(true)?;
        let mut flags = Vec::new();
        for signal in PASSED_ON {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal, write_end.try_clone()?)?;
            flags.push((signal, flag));
        }
        if mode == Mode::Terminal {
            signal_hook::low_level::pipe::register(SIGWINCH, write_end)?;
        }
        Ok(Events { wake, flags, interest, mode })
    }

    /// The signals that arrived since the last call.
    pub fn signals(&self) -> impl Iterator<Item = i32> {
        self.flags.iter().filter(|(_, flag)| flag.swap(false, Ordering::Relaxed)).map(|&(signal, _)| signal)
    }

    /// Whether the terminal is gone that the guest's writes to.
    pub fn terminal_is_gone(&self) -> bool {
        self.mode != Mode::Pipes && self.interest.borrow().broken[0]
    }

    /// Waits until something happens, for `timeout` nanoseconds at most.
    ///
    /// # Errors
    /// As poll(2).
    pub fn wait(&mut self, timeout: Option<u64>) -> io::Result<()> {
        const SECOND: u64 = 1_000_000_000;
        let (input, output) = {
            let interest = self.interest.borrow();
            // A terminal is read ahead of the guest; a pipe only when the guest has asked.
            ((self.mode != Mode::Pipes || interest.input) && !interest.ended, interest.output)
        };
        let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        if input {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        if output[0] {
            fds.push(PollFd::new(&stdout, PollFlags::OUT));
        }
        if output[1] {
            fds.push(PollFd::new(&stderr, PollFlags::OUT));
        }
        let timeout = timeout.map(|nanos| Timespec {
            tv_sec: (nanos / SECOND).try_into().unwrap_or(i64::MAX),
            tv_nsec: (nanos % SECOND) as _,
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        drop(fds);
        // Whoever still waits says so again.
        let mut interest = self.interest.borrow_mut();
        interest.input = false;
        interest.output = [false; 2];
        drop(interest);
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(1..)) {}
        Ok(())
    }
}
