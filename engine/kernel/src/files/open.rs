//! Opening: from an inode of the vfs to the kind of file that it is.

use super::device::{Device, DeviceKind};
use super::pipe::{Pipe, PipeEnd};
use super::tty::{HostStream, PTS_MAJOR, PtyMaster, Terminal, Tty};
use super::{File, FileRef, IoError, IoResult, OpenFile, PathOnly, Regular};
use crate::ports::Stream;
use crate::{Ctx, Kernel, Tid};
use friscy_abi::Errno;
use friscy_abi::fcntl::{
    O_ACCMODE, O_CLOEXEC, O_CREAT, O_EXCL, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY, O_TRUNC, O_WRONLY,
};
use friscy_abi::layout::{major, makedev, minor};
use friscy_vfs::{Creds, FileType, Location, OpenFile as Opened, PathContext, Vfs};
use std::rc::Rc;

/// Flags of open(2) that concern opening only and are not kept.
const OPENING_ONLY: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/// The mark that a standard stream's inode carries, so that /proc/self/fd/N of one can be opened again.
struct HostMark(Option<Stream>);

/// A named pipe that a task is opening: its end exists, and the other end is waited for.
pub(super) struct OpeningFifo {
    tid: Tid,
    end: PipeEnd,
    /// How often the other end had been opened when the wait began.
    others: u64,
}

impl Ctx<'_> {
    /// Tells generated files who asks.
    pub fn enter(&self) {
        self.kernel.drivers.current.set(self.tid);
    }

    /// The credentials that file access is checked with.
    #[must_use]
    pub fn creds(&self) -> Creds {
        let cred = &self.task().cred;
        Creds { uid: cred.fsuid, gid: cred.fsgid, groups: Rc::from(cred.groups.as_slice()) }
    }

    /// Where paths of the calling task begin, and its credentials.
    #[must_use]
    pub fn path_context(&self) -> PathContext {
        let fs = self.task().fs.borrow();
        PathContext { root: fs.root.clone(), cwd: fs.cwd.clone(), creds: self.creds() }
    }

    /// Does something with the file tree, generated files included.
    pub fn with_vfs<R>(&self, act: impl FnOnce(&Vfs) -> R) -> R {
        self.enter();
        self.kernel.in_scope(|| act(&self.kernel.vfs))
    }

    /// Makes the open file description for what the vfs opened with these flags of open(2).
    ///
    /// # Errors
    /// As open(2) for devices and named pipes; a wait for the other end of a named pipe.
    pub fn open_file(&mut self, opened: Opened, creds: Creds, flags: u32) -> IoResult<FileRef> {
        let file: Box<dyn File> = if flags & O_PATH != 0 {
            Box::new(PathOnly::new(opened.location().clone()))
        } else {
            match opened.inode().file_type() {
                FileType::Regular | FileType::Directory => Box::new(Regular::new(opened, creds)),
                FileType::CharDevice => self.open_device(opened.location().clone(), flags)?,
                FileType::Fifo => self.open_fifo(opened.location(), flags)?,
                FileType::Symlink => return Err(Errno::ELOOP.into()),
                FileType::BlockDevice | FileType::Socket => return Err(Errno::ENXIO.into()),
            }
        };
        Ok(self.kernel.describe(file, flags & !OPENING_ONLY))
    }

    fn open_device(&mut self, location: Location, flags: u32) -> IoResult<Box<dyn File>> {
        if location.mount().flags().no_dev {
            return Err(Errno::EACCES.into());
        }
        let rdev = location.inode().rdev();
        if let Some(kind) = DeviceKind::from_rdev(rdev) {
            return Ok(Box::new(Device::new(kind, location)));
        }
        const TTY: u64 = makedev(5, 0);
        const CONSOLE: u64 = makedev(5, 1);
        const PTMX: u64 = makedev(5, 2);
        let terminal = match rdev {
            TTY => {
                let index = self.process().tty.ok_or(Errno::ENXIO)?;
                self.kernel.drivers.terminal(index).ok_or(Errno::ENXIO)?
            }
            CONSOLE => self.kernel.console().ok_or(Errno::ENXIO)?,
            PTMX => {
                let id = self.kernel.new_wait_id();
                let terminal = self.kernel.drivers.add_terminal(id);
                return Ok(Box::new(PtyMaster::new(terminal, location)));
            }
            _ if major(rdev) == PTS_MAJOR => self.kernel.drivers.terminal(minor(rdev)).ok_or(Errno::ENXIO)?,
            _ => return Err(Errno::ENXIO.into()),
        };
        if terminal.hung_up() || (terminal.locked() && rdev != TTY) {
            return Err(Errno::EIO.into());
        }
        if flags & O_NOCTTY == 0 && rdev != TTY && rdev != CONSOLE {
            self.take_terminal(&terminal);
        }
        Ok(Box::new(Tty::new(terminal, location)))
    }

    /// A session leader without a controlling terminal gets the one that it opens.
    fn take_terminal(&mut self, terminal: &Rc<Terminal>) {
        let process = self.process();
        let (pid, sid, pgid) = (process.pid, process.sid, process.pgid);
        if pid == sid && process.tty.is_none() && terminal.session() == 0 {
            terminal.set_session(sid, pgid);
            self.process_mut().tty = Some(terminal.index());
        }
    }

    fn open_fifo(&mut self, location: &Location, flags: u32) -> IoResult<Box<dyn File>> {
        let tid = self.tid;
        let attached = location.inode().attachment();
        if let Some(mark) = attached.as_ref().and_then(|object| object.downcast_ref::<HostMark>()) {
            return Ok(Box::new(match mark.0 {
                None => HostStream::input(location.clone()),
                Some(stream) => HostStream::output(stream, location.clone()),
            }));
        }
        // A pipe without a name is opened again through /proc/self/fd: nobody has to be at its other end.
        let nameless = location.inode().nlink() == 0 || location.mount().id() == 0;
        if flags & O_NONBLOCK != 0 && flags & O_ACCMODE == O_WRONLY && !nameless {
            let pipe = attached.as_ref().and_then(|object| object.downcast_ref::<Pipe>());
            if pipe.is_none_or(|pipe| pipe.ends().0 == 0) {
                return Err(Errno::ENXIO.into());
            }
        }
        let opening = &mut self.kernel.drivers.opening;
        let position = opening.iter().position(|opening| opening.tid == tid);
        let kept = position.map(|at| opening.swap_remove(at));
        let again = self.scratch().again;
        let mut opening = match kept {
            Some(kept) if again => kept,
            _ => self.begin_fifo(location, flags)?,
        };
        let pipe = opening.end.pipe().clone();
        let (readers, writers) = pipe.opened();
        let (waits, others_now) = match flags & O_ACCMODE {
            O_RDONLY => (pipe.ends().1 == 0, writers),
            O_WRONLY => (pipe.ends().0 == 0, readers),
            _ => (false, 0),
        };
        if !again {
            opening.others = others_now;
        }
        if nameless || !waits || others_now > opening.others {
            return Ok(Box::new(opening.end));
        }
        if flags & O_NONBLOCK != 0 {
            return Ok(Box::new(opening.end));
        }
        let key = pipe.point().key();
        self.kernel.drivers.opening.push(opening);
        Err(IoError::WaitFor(key))
    }

    fn begin_fifo(&mut self, location: &Location, flags: u32) -> IoResult<OpeningFifo> {
        let attached = location.inode().attachment().and_then(|object| object.downcast::<Pipe>().ok());
        let pipe = match attached {
            Some(pipe) => pipe,
            None => {
                let id = self.kernel.new_wait_id();
                let pipe = Pipe::new(id, &self.kernel.drivers.effects);
                location.inode().attach(Some(pipe.clone()));
                pipe
            }
        };
        let reads = flags & O_ACCMODE != O_WRONLY;
        let writes = flags & O_ACCMODE != O_RDONLY;
        let end = PipeEnd::new(pipe, reads, writes, location.clone());
        Ok(OpeningFifo { tid: self.tid, end, others: 0 })
    }

    /// Both ends of a new pipe, reading first, with these status flags.
    pub fn new_pipe(&mut self, flags: u32) -> (FileRef, FileRef) {
        let location = self.anonymous(FileType::Fifo, &|ino| format!("pipe:[{ino}]"));
        let id = self.kernel.new_wait_id();
        let pipe = Pipe::new(id, &self.kernel.drivers.effects);
        location.inode().attach(Some(pipe.clone()));
        let reader = PipeEnd::new(pipe.clone(), true, false, location.clone());
        let writer = PipeEnd::new(pipe, false, true, location);
        (
            self.kernel.describe(Box::new(reader), O_RDONLY | flags),
            self.kernel.describe(Box::new(writer), O_WRONLY | flags),
        )
    }

    /// An inode that no directory holds, of the calling task's user.
    #[must_use]
    pub fn anonymous(&self, kind: FileType, label: &dyn Fn(u64) -> String) -> Location {
        let cred = &self.task().cred;
        self.kernel.vfs.anonymous(kind, 0o600, cred.fsuid, cred.fsgid, label)
    }

    /// A regular file that no directory holds, with these permission bits.
    #[must_use]
    pub fn anonymous_file(&self, mode: u32, label: &dyn Fn(u64) -> String) -> Location {
        let cred = &self.task().cred;
        self.kernel.vfs.anonymous(FileType::Regular, mode, cred.fsuid, cred.fsgid, label)
    }
}

impl Kernel {
    /// An open file description of a file.
    pub fn describe(&mut self, file: Box<dyn File>, flags: u32) -> FileRef {
        let id = self.new_wait_id();
        OpenFile::new(file, flags, id, self.drivers.watchers.clone())
    }

    /// The machine's standard streams, for descriptors 0, 1 and 2 of the first process: the terminal three times when
    /// the host has one, else streams. With a terminal, `pid` becomes the leader of the session it controls, if it is
    /// a session leader.
    ///
    /// # Errors
    /// As opening /dev/console.
    pub fn standard_streams(&mut self, tid: Tid) -> Result<[FileRef; 3], Errno> {
        if self.terminal.window().is_some() {
            let id = self.new_wait_id();
            let terminal = match self.console() {
                Some(terminal) => terminal,
                None => self.drivers.add_console(id),
            };
            self.pump_terminal();
            let location = self.console_location(tid);
            let mut cx = Ctx { kernel: self, tid };
            cx.take_terminal(&terminal);
            let file = Tty::new(terminal, location);
            let file = self.describe(Box::new(file), friscy_abi::fcntl::O_RDWR);
            return Ok([file.clone(), file.clone(), file]);
        }
        let mut stream = |out: Option<Stream>| {
            let location = self.vfs.anonymous(FileType::Fifo, 0o600, 0, 0, &|ino| format!("pipe:[{ino}]"));
            location.inode().attach(Some(Rc::new(HostMark(out))));
            match out {
                None => self.describe(Box::new(HostStream::input(location)), O_RDONLY),
                Some(stream) => self.describe(Box::new(HostStream::output(stream, location)), O_WRONLY),
            }
        };
        Ok([stream(None), stream(Some(Stream::Out)), stream(Some(Stream::Err))])
    }

    /// Where the machine's terminal is: /dev/pts/0, or a nameless place in a tree without it.
    fn console_location(&mut self, tid: Tid) -> Location {
        let cx = Ctx { kernel: self, tid };
        let context = cx.path_context();
        let root = context.root.clone();
        for path in [&b"/dev/pts/0"[..], b"/dev/console"] {
            let found = cx.with_vfs(|vfs| vfs.resolve(&context, &root, path, true, 0));
            if let Ok(location) = found {
                return location;
            }
        }
        cx.anonymous(FileType::CharDevice, &|_| String::from("/dev/console"))
    }
}
