//! Open files: descriptor tables, open file descriptions, and the kinds of file there are.
//!
//! A [`File`] is what read(2) and its relatives act on; an [`OpenFile`] adds what Linux keeps in an open file
//! description (offset, status flags); an [`FdTable`] gives descriptors to them. No operation waits: one that cannot
//! go on answers [`IoError::WouldBlock`], and [`File::wait_keys`] says what to wait for.

mod asynchronous;
mod device;
mod drivers;
mod effects;
mod epoll;
mod eventfd;
mod inet;
mod inet_ports;
mod inotify;
mod interface;
mod locks;
mod mqueue;
mod netlink;
mod open;
mod pidfd;
mod pipe;
mod regular;
mod settle;
mod signalfd;
mod socket;
mod socket_data;
mod socket_file;
mod socket_names;
mod table;
mod timerfd;
pub mod tty;
mod urgent;

pub use asynchronous::Owner;
pub use device::{Device, DeviceKind};
pub use drivers::Drivers;
pub use effects::{Effect, Effects, WaitPoint};
pub use epoll::{Epoll, EpollReport};
pub use eventfd::EventFd;
pub use inet::{Endpoint, Header, Inet};
pub use inet_ports::Ports;
pub use inotify::{Inotify, Watchers};
pub use locks::{LockId, LockOwner, Locks, RecordLock};
pub use mqueue::{COOKIE, Mqueue, MqueueFile, Notice, Notification, QUEUES_MAX};
pub use netlink::Netlink;
pub use pidfd::PidFd;
pub use pipe::{PIPE_BUF, Pipe, PipeEnd};
pub use regular::{PathOnly, Regular};
pub use signalfd::SignalFd;
pub use socket::{SOCKET_BUFFER, Socket};
pub use socket_data::{Message, Packet, Received};
pub use socket_file::{SocketFile, Target};
pub use table::{Descriptor, FdTable};
pub use timerfd::TimerFd;

use crate::error::{RestartKind, SysError, WaitFor, WaitKey};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::fcntl::{O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY};
use friscy_abi::inotify::{IN_CLOSE_NOWRITE, IN_CLOSE_WRITE};
use friscy_abi::layout::{Stat, Timespec};
use friscy_vfs::{Location, Metadata, ReadError, Timestamp};
use smallvec::SmallVec;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// An open file description, shared by the descriptors that dup(2) and fork(2) made of it.
pub type FileRef = Rc<OpenFile>;

/// What a blocked operation waits for.
pub type Keys = SmallVec<[WaitKey; 4]>;

/// Why a file operation has no result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoError {
    /// It failed.
    Errno(Errno),
    /// It cannot go on before the file changes.
    WouldBlock,
    /// It cannot go on before the file changes or the monotonic clock reaches a time.
    WouldBlockUntil(crate::Nanos),
    /// It cannot go on before something other than the file changes; `O_NONBLOCK` does not matter.
    WaitFor(WaitKey),
    /// It was refused by a signal that is on its way to the caller: to be tried again after that.
    Restart,
}

impl From<Errno> for IoError {
    fn from(errno: Errno) -> IoError {
        IoError::Errno(errno)
    }
}

impl From<ReadError> for IoError {
    fn from(error: ReadError) -> IoError {
        match error {
            ReadError::NotYet(chunk) => IoError::WaitFor(WaitKey::Chunk(chunk.0)),
            ReadError::Failed(errno) => IoError::Errno(errno),
        }
    }
}

/// What a file operation answers.
pub type IoResult<T> = Result<T, IoError>;

/// A file that can be open. Methods that a kind does not support keep their default, which is Linux's answer.
pub trait File: Any {
    /// Reads at `at` (of no meaning for a stream) into `buf`, which is not empty; 0 is the end of the file.
    ///
    /// # Errors
    /// As read(2).
    fn read(&self, cx: &mut Ctx<'_>, at: u64, buf: &mut [u8]) -> IoResult<usize> {
        let _ = (cx, at, buf);
        Err(Errno::EINVAL.into())
    }

    /// Writes at `at` (of no meaning for a stream); `bytes` is not empty. Fewer bytes than given may be taken.
    ///
    /// # Errors
    /// As write(2). `EPIPE` raises SIGPIPE, which is the caller's business.
    fn write(&self, cx: &mut Ctx<'_>, at: u64, bytes: &[u8]) -> IoResult<usize> {
        let _ = (cx, at, bytes);
        Err(Errno::EINVAL.into())
    }

    /// Writes at the end where that is one step, for files that others write to as well; answers how many bytes, and
    /// where the file ends behind them. `None`: [`File::size`] tells the end, and [`File::write`] writes.
    fn append(&self, bytes: &[u8]) -> Option<IoResult<(usize, u64)>> {
        let _ = bytes;
        None
    }

    /// Whether it has offsets: lseek(2), pread(2), pwrite(2) work.
    fn seekable(&self) -> bool {
        false
    }

    /// Its length in bytes, for `SEEK_END` and `O_APPEND`.
    fn size(&self, k: &mut Kernel) -> u64 {
        let _ = k;
        0
    }

    /// Where it is: in the file tree, or an inode that no directory holds.
    fn location(&self) -> &Location;

    /// Which of poll(2)'s events hold now.
    fn poll(&self, k: &mut Kernel) -> u32;

    /// Whether poll(2) can ever wait for it, and epoll_ctl(2) takes it: not so for regular files and directories.
    fn pollable(&self) -> bool {
        true
    }

    /// What to wait for until the answer of [`File::poll`], [`File::read`] or [`File::write`] may differ.
    fn wait_keys(&self, keys: &mut Keys) {
        let _ = keys;
    }

    /// The next time at which [`File::poll`] may change without a key being woken.
    fn deadline(&self) -> Option<crate::Nanos> {
        None
    }

    /// A number that grows with each change, for edge-triggered epoll(7).
    fn changes(&self, k: &mut Kernel) -> u64 {
        let _ = k;
        0
    }

    /// ioctl(2), after the requests that every file has.
    ///
    /// # Errors
    /// As ioctl(2); `ENOTTY` for a request that the file does not know.
    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        let _ = (cx, request, arg);
        Err(Errno::ENOTTY.into())
    }

    /// Sets the length, ftruncate(2).
    ///
    /// # Errors
    /// As ftruncate(2).
    fn truncate(&self, k: &mut Kernel, len: u64) -> Result<(), Errno> {
        let _ = (k, len);
        Err(Errno::EINVAL)
    }

    /// The file itself, for what only one kind has.
    fn as_any(&self) -> &dyn Any;

    /// The status flags changed (`F_SETFL`): for kinds that keep a copy.
    fn set_flags(&self, flags: u32) {
        let _ = flags;
    }
}

/// An open file description.
pub struct OpenFile {
    file: Box<dyn File>,
    offset: Cell<u64>,
    flags: Cell<u32>,
    /// Who gets its signals.
    owner: Cell<Owner>,
    /// The descriptor by which `O_ASYNC` was set: what SIGIO tells.
    signal_descriptor: Cell<i32>,
    /// `F_SETSIG`.
    owner_signal: Cell<u32>,
    /// Names the description: epoll and flock(2) tell descriptions apart by it.
    id: u64,
    /// Who is told that it was closed.
    watchers: Watchers,
    /// Whom to wake when the description is gone: those who wait for its flock(2) lock.
    at_end: RefCell<Option<(Effects, WaitKey)>>,
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if let Some((effects, key)) = self.at_end.take() {
            effects.push(Effect::Wake(key));
        }
        if !self.watchers.is_empty() && self.downcast::<Regular>().is_some() {
            let event = if self.writable() { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE };
            self.watchers.note(self.location(), event);
        }
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile")
            .field("id", &self.id)
            .field("offset", &self.offset)
            .field("flags", &self.flags)
            .finish()
    }
}

impl OpenFile {
    /// A description of a file, with the flags of openat(2) that stay (access mode and status). `id` is from
    /// [`Kernel::new_wait_id`]; `watchers` are told when it is closed.
    #[must_use]
    pub fn new(file: Box<dyn File>, flags: u32, id: u64, watchers: Watchers) -> FileRef {
        Rc::new(OpenFile {
            file,
            offset: Cell::new(0),
            flags: Cell::new(flags),
            owner: Cell::default(),
            signal_descriptor: Cell::new(-1),
            owner_signal: Cell::new(0),
            id,
            watchers,
            at_end: RefCell::new(None),
        })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &dyn File {
        &*self.file
    }

    /// The file as one particular kind.
    #[must_use]
    pub fn downcast<T: File>(&self) -> Option<&T> {
        self.file.as_any().downcast_ref()
    }

    /// Where the file is.
    #[must_use]
    pub fn location(&self) -> &Location {
        self.file.location()
    }

    /// What advisory locks know the file by.
    #[must_use]
    pub fn lock_id(&self) -> LockId {
        let meta = self.file.location().metadata();
        (meta.dev, meta.ino)
    }

    /// Which description it is.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Wakes `key` when the description is gone.
    pub(crate) fn wake_at_end(&self, effects: &Effects, key: WaitKey) {
        *self.at_end.borrow_mut() = Some((effects.clone(), key));
    }

    /// Access mode and status flags.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags.get()
    }

    /// Replaces the status flags.
    pub fn set_flags(&self, flags: u32) {
        self.flags.set(flags);
        self.file.set_flags(flags);
    }

    /// The offset of the next read or write.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset.get()
    }

    /// Moves the offset.
    pub fn set_offset(&self, offset: u64) {
        self.offset.set(offset);
    }

    /// Who gets its signals (`F_GETOWN`).
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner.get()
    }

    /// Says who gets its signals (`F_SETOWN`).
    pub fn set_owner(&self, owner: Owner) {
        self.owner.set(owner);
    }

    /// The descriptor that SIGIO tells of.
    #[must_use]
    pub fn signal_descriptor(&self) -> i32 {
        self.signal_descriptor.get()
    }

    /// Says which descriptor SIGIO tells of.
    pub fn set_signal_descriptor(&self, fd: i32) {
        self.signal_descriptor.set(fd);
    }

    /// `F_GETSIG`.
    #[must_use]
    pub fn owner_signal(&self) -> u32 {
        self.owner_signal.get()
    }

    /// `F_SETSIG`.
    pub fn set_owner_signal(&self, signo: u32) {
        self.owner_signal.set(signo);
    }

    /// Whether reads are allowed.
    #[must_use]
    pub fn readable(&self) -> bool {
        self.flags.get() & (O_PATH | O_ACCMODE) == O_RDONLY || self.flags.get() & (O_PATH | O_ACCMODE) == O_RDWR
    }

    /// Whether writes are allowed.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.flags.get() & (O_PATH | O_ACCMODE) == O_WRONLY || self.flags.get() & (O_PATH | O_ACCMODE) == O_RDWR
    }

    /// Whether it was opened with `O_PATH`.
    #[must_use]
    pub fn is_path(&self) -> bool {
        self.flags.get() & O_PATH != 0
    }

    /// Whether operations fail with `EAGAIN` instead of waiting.
    #[must_use]
    pub fn nonblocking(&self) -> bool {
        self.flags.get() & O_NONBLOCK != 0
    }

    /// Reads at the offset and moves it.
    ///
    /// # Errors
    /// As read(2).
    pub fn read(&self, cx: &mut Ctx<'_>, buf: &mut [u8]) -> IoResult<usize> {
        if !self.readable() {
            return Err(Errno::EBADF.into());
        }
        if buf.is_empty() {
            return Ok(0);
        }
        let at = self.offset.get();
        let count = self.file.read(cx, at, buf)?;
        self.offset.set(at.wrapping_add(count as u64));
        Ok(count)
    }

    /// Writes at the offset (at the end with `O_APPEND`) and moves it.
    ///
    /// # Errors
    /// As write(2).
    pub fn write(&self, cx: &mut Ctx<'_>, bytes: &[u8]) -> IoResult<usize> {
        if !self.writable() {
            return Err(Errno::EBADF.into());
        }
        if let Some(appended) = self.append(bytes) {
            let (count, end) = appended?;
            self.offset.set(end);
            return Ok(count);
        }
        let at = if self.flags.get() & O_APPEND != 0 { self.file.size(cx.kernel) } else { self.offset.get() };
        let count = self.file.write(cx, at, bytes)?;
        self.offset.set(at.wrapping_add(count as u64));
        Ok(count)
    }

    /// Writes at the end, if that is what `O_APPEND` asks for and one step for this file.
    fn append(&self, bytes: &[u8]) -> Option<IoResult<(usize, u64)>> {
        if self.flags.get() & O_APPEND != 0 { self.file.append(bytes) } else { None }
    }

    /// Reads at `at`; the offset stays.
    ///
    /// # Errors
    /// As pread(2): `ESPIPE` for a stream.
    pub fn pread(&self, cx: &mut Ctx<'_>, at: u64, buf: &mut [u8]) -> IoResult<usize> {
        if !self.file.seekable() {
            return Err(Errno::ESPIPE.into());
        }
        if !self.readable() {
            return Err(Errno::EBADF.into());
        }
        if buf.is_empty() { Ok(0) } else { self.file.read(cx, at, buf) }
    }

    /// Writes at `at` (at the end with `O_APPEND`, as Linux does); the offset stays.
    ///
    /// # Errors
    /// As pwrite(2): `ESPIPE` for a stream.
    pub fn pwrite(&self, cx: &mut Ctx<'_>, at: u64, bytes: &[u8]) -> IoResult<usize> {
        if !self.file.seekable() {
            return Err(Errno::ESPIPE.into());
        }
        if !self.writable() {
            return Err(Errno::EBADF.into());
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        if let Some(appended) = self.append(bytes) {
            return appended.map(|(count, _)| count);
        }
        let at = if self.flags.get() & O_APPEND != 0 { self.file.size(cx.kernel) } else { at };
        self.file.write(cx, at, bytes)
    }

    /// What to wait for.
    #[must_use]
    pub fn wait(&self) -> WaitFor {
        let mut keys = Keys::new();
        self.file.wait_keys(&mut keys);
        WaitFor::any(keys).until(self.file.deadline())
    }

    /// The error of a system call: `EAGAIN` or a wait when the file would block.
    #[must_use]
    pub fn sys_error(&self, error: IoError) -> SysError {
        match error {
            IoError::Errno(errno) => errno.into(),
            IoError::Restart => SysError::Restart(RestartKind::Sys),
            IoError::WouldBlock | IoError::WouldBlockUntil(_) if self.nonblocking() => Errno::EAGAIN.into(),
            IoError::WouldBlock => self.wait().into(),
            IoError::WaitFor(key) => WaitFor::key(key).into(),
            IoError::WouldBlockUntil(deadline) => {
                let wait = self.wait();
                let first = wait.deadline.map_or(deadline, |other| other.min(deadline));
                // A socket with a timeout is never restarted (signal(7)): the time would begin anew.
                let socket = self.downcast::<SocketFile>().is_some();
                let restart = if socket { RestartKind::Never } else { wait.restart };
                wait.until(Some(first)).restart(restart).into()
            }
        }
    }
}

/// The `struct stat` of an inode.
#[must_use]
pub fn stat_of(meta: &Metadata) -> Stat {
    let time = |time: Timestamp| Timespec { tv_sec: time.sec, tv_nsec: i64::from(time.nsec) };
    Stat {
        st_dev: meta.dev,
        st_ino: meta.ino,
        st_mode: meta.mode,
        st_nlink: meta.nlink,
        st_uid: meta.uid,
        st_gid: meta.gid,
        st_rdev: meta.rdev,
        st_size: meta.size as i64,
        st_blksize: meta.blksize as i32,
        st_blocks: meta.blocks as i64,
        st_atim: time(meta.atime),
        st_mtim: time(meta.mtime),
        st_ctim: time(meta.ctime),
        ..Stat::default()
    }
}
