//! Regular files and directories of the file tree, and descriptors opened with `O_PATH`.

use super::{File, IoError, IoResult};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::inotify::{IN_ACCESS, IN_MODIFY};
use friscy_abi::poll::{POLLIN, POLLNVAL, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_abi::sched::{RLIM_INFINITY, RLIMIT_FSIZE};
use friscy_abi::tty::FIONREAD;
use friscy_vfs::{Creds, DirEntry, Location, OpenFile as Opened};
use std::any::Any;

/// An open regular file or directory.
pub struct Regular {
    opened: Opened,
    /// Who opened it: a write by others than root drops set-user-ID bits.
    creds: Creds,
    /// Made by the kernel itself (/proc, /sys): reading needs the kernel's state.
    generated: bool,
}

impl Regular {
    /// Wraps what the vfs opened for these credentials.
    #[must_use]
    pub fn new(opened: Opened, creds: Creds) -> Regular {
        let generated = matches!(opened.inode().super_block().name(), "proc" | "sysfs");
        Regular { opened, creds, generated }
    }

    /// The vfs's side.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Gives directory entries from position `offset` on until `give` returns false.
    ///
    /// # Errors
    /// As getdents64(2).
    pub fn read_dir(&self, k: &Kernel, offset: u64, give: &mut dyn FnMut(&DirEntry) -> bool) -> Result<(), Errno> {
        if self.generated {
            k.in_scope(|| self.opened.read_dir(offset, give))
        } else {
            self.opened.read_dir(offset, give)
        }
    }
}

impl File for Regular {
    fn read(&self, cx: &mut Ctx<'_>, at: u64, buf: &mut [u8]) -> IoResult<usize> {
        if self.generated {
            cx.enter();
            return Ok(cx.kernel.in_scope(|| self.opened.read_at(at, buf))?);
        }
        let read = self.opened.read_at(at, buf)?;
        cx.kernel.drivers.watchers.note(self.opened.location(), IN_ACCESS);
        Ok(read)
    }

    fn write(&self, cx: &mut Ctx<'_>, at: u64, bytes: &[u8]) -> IoResult<usize> {
        if self.generated {
            cx.enter();
            let taken = cx.kernel.in_scope(|| self.opened.write_at(&self.creds, at, bytes))?;
            cx.kernel.apply_proc_writes();
            return Ok(taken);
        }
        let limit = cx.process().rlimits.soft(RLIMIT_FSIZE);
        let bytes = if limit != RLIM_INFINITY && !self.opened.inode().is_dir() {
            let room = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
            if room == 0 {
                return Err(cx.too_large().into());
            }
            bytes.get(..room).unwrap_or(bytes)
        } else {
            bytes
        };
        let taken = self.opened.write_at(&self.creds, at, bytes)?;
        cx.kernel.drivers.watchers.note(self.opened.location(), IN_MODIFY);
        Ok(taken)
    }

    fn append(&self, bytes: &[u8]) -> Option<IoResult<(usize, u64)>> {
        Some(self.opened.append(bytes)?.map_err(IoError::from))
    }

    fn seekable(&self) -> bool {
        true
    }

    fn size(&self, _k: &mut Kernel) -> u64 {
        self.opened.inode().len()
    }

    fn location(&self) -> &Location {
        self.opened.location()
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM
    }

    fn pollable(&self) -> bool {
        false
    }

    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        match request {
            FIONREAD if !self.opened.inode().is_dir() => {
                // The distance to the end from the beginning: the offset is the description's, which the caller adds.
                let len = self.opened.inode().len().min(i32::MAX as u64) as u32;
                cx.write_struct(arg, &len)?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    fn truncate(&self, _k: &mut Kernel, len: u64) -> Result<(), Errno> {
        self.opened.truncate(len)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A place in the tree that was opened with `O_PATH`: nothing can be done with it but naming it.
pub struct PathOnly {
    location: Location,
}

impl PathOnly {
    /// Names a place.
    #[must_use]
    pub fn new(location: Location) -> PathOnly {
        PathOnly { location }
    }
}

impl File for PathOnly {
    fn read(&self, _cx: &mut Ctx<'_>, _at: u64, _buf: &mut [u8]) -> IoResult<usize> {
        Err(Errno::EBADF.into())
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        POLLNVAL
    }

    fn pollable(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
