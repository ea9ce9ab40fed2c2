//! The standard streams of this process as the port that the kernel reads and writes.
//!
//! The descriptors are shared with other processes, so they are not made non-blocking: what may wait is asked for by
//! poll(2) first. A pipe that poll(2) calls writable takes `PIPE_BUF` bytes without waiting; files always take all.

use friscy_kernel::ports::{Input, Stream, Terminal, WindowSize};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{isatty, tcgetwinsize};
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes that a writable pipe takes without waiting (POSIX `PIPE_BUF` on Linux).
const PIPE_BUF: usize = 4096;

/// End of file in the guest's terminal: `VEOF`, ^D.
const END_OF_FILE: u8 = 4;

/// What the guest's standard streams are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// A terminal of the guest's own on the terminal here.
    Terminal,
    /// A terminal of the guest's own, though there is none here.
    ForcedTerminal,
    /// Pipes.
    Pipes,
}

impl Mode {
    /// What docker would choose: a terminal if both ends are one, or if it is asked for.
    pub fn choose(force: bool) -> Mode {
        match (isatty(stdin()) && isatty(stdout()), force) {
            (true, _) => Mode::Terminal,
            (false, true) => Mode::ForcedTerminal,
            (false, false) => Mode::Pipes,
        }
    }
}

/// What the guest waits for, and what happened to the streams.
#[derive(Default, Debug)]
pub struct Interest {
    /// Input was asked for when there was none.
    pub input: bool,
    /// Room was asked for when there was none, by stream.
    pub output: [bool; 2],
    /// Standard input has ended.
    pub ended: bool,
    /// Nobody reads the stream any more.
    pub broken: [bool; 2],
}

/// The standard streams.
pub struct Streams {
    mode: Mode,
    interest: Rc<RefCell<Interest>>,
    /// Whether writing to the stream never waits: a regular file.
    file: [bool; 2],
    eof_sent: bool,
}

impl Streams {
    /// The streams of this process; the interest is shared with who waits for them.
    pub fn new(mode: Mode) -> (Streams, Rc<RefCell<Interest>>) {
        let interest = Rc::new(RefCell::new(Interest::default()));
        let is_file = |fd: BorrowedFd<'_>| {
            fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        };
        let file = [is_file(stdout()), is_file(stderr())];
        (Streams { mode, interest: Rc::clone(&interest), file, eof_sent: false }, interest)
    }
}

fn descriptor(stream: Stream) -> (usize, BorrowedFd<'static>) {
    match stream {
        Stream::Out => (0, stdout()),
        Stream::Err => (1, stderr()),
    }
}

/// What poll(2) says of a descriptor now.
fn poll_now(fd: impl AsFd, events: PollFlags) -> PollFlags {
    let mut fds = [PollFd::new(&fd, events)];
    match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(_) => fds[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}

impl Terminal for Streams {
    fn read(&mut self, buf: &mut [u8]) -> Input {
        let terminal = self.mode != Mode::Pipes;
        let mut interest = self.interest.borrow_mut();
        if interest.ended {
            return if terminal { Input::None } else { Input::End };
        }
        if poll_now(stdin(), PollFlags::IN).is_empty() {
            interest.input = true;
            return Input::None;
        }
        match rustix::io::read(stdin(), &mut *buf) {
            Ok(0) | Err(Errno::BADF | Errno::IO | Errno::ISDIR) => {
                interest.ended = true;
                // A terminal that got its input from a pipe sees the end as ^D: hanging up would end the shell before
                // it has read what came first.
                match (self.mode, buf.first_mut()) {
                    (Mode::ForcedTerminal, Some(first)) if !self.eof_sent => {
                        self.eof_sent = true;
                        *first = END_OF_FILE;
                        Input::Bytes(1)
                    }
                    _ => Input::End,
                }
            }
            Ok(count) => Input::Bytes(count),
            Err(_) => {
                interest.input = true;
                Input::None
            }
        }
    }

    fn readable(&mut self) -> bool {
        let mut interest = self.interest.borrow_mut();
        if interest.ended {
            return self.mode == Mode::Pipes;
        }
        let ready = !poll_now(stdin(), PollFlags::IN).is_empty();
        interest.input |= !ready;
        ready
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) -> usize {
        let (index, fd) = descriptor(stream);
        let chunk = if self.file[index] {
            bytes
        } else {
            if !self.writable(stream) {
                return 0;
            }
            bytes.get(..PIPE_BUF).unwrap_or(bytes)
        };
        match rustix::io::write(fd, chunk) {
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => {
                self.interest.borrow_mut().output[index] = true;
                0
            }
            Err(_) => {
                // Nobody reads it any more, or the disk is full.
                self.interest.borrow_mut().broken[index] = true;
                0
            }
        }
    }

    fn writable(&mut self, stream: Stream) -> bool {
        let (index, fd) = descriptor(stream);
        if self.file[index] {
            return true;
        }
        let ready = !poll_now(fd, PollFlags::OUT).is_empty();
        self.interest.borrow_mut().output[index] |= !ready;
        ready
    }

    fn closed(&mut self, stream: Stream) -> bool {
        self.interest.borrow().broken[descriptor(stream).0]
    }

    fn window(&self) -> Option<WindowSize> {
        const ASSUMED: WindowSize = WindowSize { rows: 24, cols: 80, xpixel: 0, ypixel: 0 };
        match self.mode {
            Mode::Pipes => None,
            Mode::ForcedTerminal => Some(ASSUMED),
            Mode::Terminal => Some(tcgetwinsize(stdout()).map_or(ASSUMED, |size| WindowSize {
                rows: size.ws_row,
                cols: size.ws_col,
                xpixel: size.ws_xpixel,
                ypixel: size.ws_ypixel,
            })),
        }
    }
}
