//! Pipes and named pipes: pipe(7), fifo(7).

use super::effects::{Effects, WaitPoint};
use super::{File, IoError, IoResult, Keys};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_abi::tty::FIONREAD;
use friscy_vfs::Location;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Writes of up to so many bytes are not interleaved with others.
pub const PIPE_BUF: usize = 4096;
/// How many bytes a pipe holds unless `F_SETPIPE_SZ` says otherwise.
const DEFAULT_CAPACITY: usize = 65_536;
/// The most that `F_SETPIPE_SZ` allows (`/proc/sys/fs/pipe-max-size`).
const MAX_CAPACITY: usize = 1 << 20;

/// The buffer between the two ends.
#[derive(Debug)]
pub struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    capacity: Cell<usize>,
    readers: Cell<u32>,
    writers: Cell<u32>,
    /// How often something came that concerns readers, and writers: the other side's doings.
    changes: Cell<(u64, u64)>,
    /// How many readers and writers there ever were: opening a named pipe waits for the next one.
    opened: Cell<(u64, u64)>,
    point: WaitPoint,
}

impl Pipe {
    /// An empty pipe without ends.
    #[must_use]
    pub fn new(id: u64, effects: &Effects) -> Rc<Pipe> {
        Rc::new(Pipe {
            bytes: RefCell::default(),
            capacity: Cell::new(DEFAULT_CAPACITY),
            readers: Cell::new(0),
            writers: Cell::new(0),
            changes: Cell::new((0, 0)),
            opened: Cell::new((0, 0)),
            point: WaitPoint::new(id, effects),
        })
    }

    /// Where readers, writers and openers wait.
    #[must_use]
    pub fn point(&self) -> &WaitPoint {
        &self.point
    }

    /// Ends open for reading and writing now.
    #[must_use]
    pub fn ends(&self) -> (u32, u32) {
        (self.readers.get(), self.writers.get())
    }

    /// How many ends were opened for reading and writing since the pipe was made.
    #[must_use]
    pub fn opened(&self) -> (u64, u64) {
        self.opened.get()
    }

    /// How many bytes it can hold (`F_GETPIPE_SZ`).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// Sets how many bytes it can hold, rounded up to a power of two of pages (`F_SETPIPE_SZ`).
    ///
    /// # Errors
    /// `EBUSY` if it holds more now, `EPERM` above 1 MiB, `EINVAL` for 0.
    pub fn set_capacity(&self, wanted: u64) -> Result<usize, Errno> {
        if wanted == 0 || wanted > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let wanted = (wanted as usize).max(PIPE_BUF).next_power_of_two();
        if wanted > MAX_CAPACITY {
            return Err(Errno::EPERM);
        }
        if self.bytes.borrow().len() > wanted {
            return Err(Errno::EBUSY);
        }
        self.capacity.set(wanted);
        self.changed(false, true);
        Ok(wanted)
    }

    /// Tells readers, writers or both that the other side did something.
    fn changed(&self, for_readers: bool, for_writers: bool) {
        let (readers, writers) = self.changes.get();
        let count = |old: u64, more: bool| old.wrapping_add(u64::from(more));
        self.changes.set((count(readers, for_readers), count(writers, for_writers)));
        self.point.wake();
    }

    fn room(&self) -> usize {
        self.capacity.get().saturating_sub(self.bytes.borrow().len())
    }

    /// Takes bytes out.
    ///
    /// # Errors
    /// [`IoError::WouldBlock`] while it is empty and somebody may write.
    pub fn take(&self, buf: &mut [u8]) -> IoResult<usize> {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            return if self.writers.get() == 0 { Ok(0) } else { Err(IoError::WouldBlock) };
        }
        let count = bytes.len().min(buf.len());
        let (front, back) = bytes.as_slices();
        let from_front = count.min(front.len());
        buf[..from_front].copy_from_slice(&front[..from_front]);
        buf[from_front..count].copy_from_slice(&back[..count - from_front]);
        bytes.drain(..count);
        drop(bytes);
        self.changed(false, true);
        Ok(count)
    }

    /// Puts bytes in: all or none of up to [`PIPE_BUF`], as many as there is room for of more.
    ///
    /// # Errors
    /// `EPIPE` without readers, [`IoError::WouldBlock`] without room.
    pub fn put(&self, from: &[u8]) -> IoResult<usize> {
        if self.readers.get() == 0 {
            return Err(Errno::EPIPE.into());
        }
        let room = self.room();
        let count = if from.len() <= PIPE_BUF { from.len() } else { from.len().min(room) };
        if count > room || count == 0 {
            return Err(IoError::WouldBlock);
        }
        self.bytes.borrow_mut().extend(&from[..count]);
        self.changed(true, false);
        Ok(count)
    }

    /// How many bytes wait to be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    /// Whether nothing waits to be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.borrow().is_empty()
    }
}

/// An open end of a pipe: for reading, writing, or (a named pipe) both.
pub struct PipeEnd {
    pipe: Rc<Pipe>,
    reads: bool,
    writes: bool,
    location: Location,
    /// Writers there had been when this reader was opened without one: it has hung up only after another came and went.
    writers_before: u64,
}

impl PipeEnd {
    /// Opens an end.
    #[must_use]
    pub fn new(pipe: Rc<Pipe>, reads: bool, writes: bool, location: Location) -> PipeEnd {
        let (readers, writers) = pipe.opened.get();
        let writers_before = if pipe.writers.get() == 0 { writers } else { 0 };
        pipe.opened.set((readers + u64::from(reads), writers + u64::from(writes)));
        pipe.readers.set(pipe.readers.get() + u32::from(reads));
        pipe.writers.set(pipe.writers.get() + u32::from(writes));
        pipe.changed(writes, reads);
        PipeEnd { pipe, reads, writes, location, writers_before }
    }

    /// The pipe.
    #[must_use]
    pub fn pipe(&self) -> &Rc<Pipe> {
        &self.pipe
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.pipe.readers.set(self.pipe.readers.get() - u32::from(self.reads));
        self.pipe.writers.set(self.pipe.writers.get() - u32::from(self.writes));
        if self.pipe.ends() == (0, 0) {
            self.pipe.bytes.borrow_mut().clear();
        }
        self.pipe.changed(self.writes, self.reads);
    }
}

impl File for PipeEnd {
    fn read(&self, _cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        self.pipe.take(buf)
    }

    fn write(&self, _cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        self.pipe.put(bytes)
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        let (readers, writers) = self.pipe.ends();
        let mut events = 0;
        if self.reads {
            if !self.pipe.is_empty() {
                events |= POLLIN | POLLRDNORM;
            }
            if writers == 0 && self.pipe.opened.get().1 > self.writers_before {
                events |= POLLHUP;
            }
        }
        if self.writes {
            if self.pipe.room() >= PIPE_BUF {
                events |= POLLOUT | POLLWRNORM;
            }
            if readers == 0 {
                events |= POLLERR;
            }
        }
        events
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.pipe.point.key());
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        let (readers, writers) = self.pipe.changes.get();
        match (self.reads, self.writes) {
            (true, false) => readers,
            (false, true) => writers,
            _ => readers.wrapping_add(writers),
        }
    }

    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        match request {
            FIONREAD => {
                cx.write_struct(arg, &(self.pipe.len() as u32))?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Effect;

    fn pipe() -> (Rc<Pipe>, Effects) {
        let effects = Effects::default();
        (Pipe::new(1, &effects), effects)
    }

    fn place() -> Location {
        let clock = Rc::new(friscy_vfs::FixedClock::default());
        let vfs = friscy_vfs::Vfs::new(clock.clone(), friscy_vfs::FileSystem::tmpfs(clock, 0o755));
        vfs.anonymous(friscy_vfs::FileType::Fifo, 0o600, 0, 0, &|ino| format!("pipe:[{ino}]"))
    }

    #[test]
    fn bytes_come_out_in_order_and_the_end_shows() {
        let (pipe, effects) = pipe();
        let reader = PipeEnd::new(pipe.clone(), true, false, place());
        let writer = PipeEnd::new(pipe.clone(), false, true, place());
        let mut buf = [0; 4];
        assert_eq!(pipe.take(&mut buf), Err(IoError::WouldBlock));
        assert_eq!(pipe.put(b"abcdef"), Ok(6));
        assert_eq!(pipe.take(&mut buf), Ok(4));
        assert_eq!(&buf, b"abcd");
        let _ = effects.take();
        drop(writer);
        assert_eq!(effects.take(), [Effect::Wake(pipe.point().key())]);
        assert_eq!(pipe.take(&mut buf), Ok(2));
        assert_eq!(pipe.take(&mut buf), Ok(0));
        drop(reader);
        assert_eq!(pipe.put(b"x"), Err(Errno::EPIPE.into()));
    }

    #[test]
    fn small_writes_are_whole_and_large_ones_partial() {
        let (pipe, _) = pipe();
        let _reader = PipeEnd::new(pipe.clone(), true, false, place());
        let _writer = PipeEnd::new(pipe.clone(), false, true, place());
        assert_eq!(pipe.put(&vec![1; 65_536 - 100]), Ok(65_436));
        assert_eq!(pipe.put(&[2; 101]), Err(IoError::WouldBlock));
        assert_eq!(pipe.put(&[2; 5000]), Ok(100));
        assert_eq!(pipe.put(&[2; 5000]), Err(IoError::WouldBlock));
        assert_eq!(pipe.set_capacity(4096), Err(Errno::EBUSY));
        assert_eq!(pipe.set_capacity(70_000), Ok(131_072));
        assert_eq!(pipe.set_capacity(2 << 20), Err(Errno::EPERM));
    }
}
