//! Contents of regular files: read and written on the host at once, by offset.

use super::{HostFs, errno};
use crate::live::{LiveFile, LiveId};
use crate::types::FileType;
use friscy_abi::Errno;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{FallocateFlags, Mode, OFlags, SeekFrom, fallocate, fstat, fsync, ftruncate, openat, seek};
use rustix::io::{Errno as HostErrno, ReadWriteFlags, pread, pwrite, pwritev2};
use std::io::IoSlice;
use std::rc::Rc;

/// A regular file of the host, open.
pub(super) struct HostFile(OwnedFd);

impl HostFile {
    pub(super) fn new(fd: OwnedFd) -> HostFile {
        HostFile(fd)
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

/// Repeats what a signal to friscy interrupted.
fn retry<T>(mut act: impl FnMut() -> Result<T, HostErrno>) -> Result<T, Errno> {
    loop {
        match act() {
            Err(HostErrno::INTR) => {}
            result => return result.map_err(errno),
        }
    }
}

impl LiveFile for HostFile {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        retry(|| pread(&self.0, &mut *buf, off))
    }

    fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, Errno> {
        retry(|| pwrite(&self.0, data, off))
    }

    fn append(&self, data: &[u8]) -> Result<(usize, u64), Errno> {
        let written = match retry(|| pwritev2(&self.0, &[IoSlice::new(data)], 0, ReadWriteFlags::APPEND)) {
            // File systems that do not know the flag.
            Err(Errno::EOPNOTSUPP) => {
                let end = self.end()?;
                retry(|| pwrite(&self.0, data, end))?
            }
            result => result?,
        };
        Ok((written, self.end()?))
    }

    fn set_len(&self, len: u64) -> Result<(), Errno> {
        retry(|| ftruncate(&self.0, len))
    }

    fn allocate(&self, off: u64, len: u64) -> Result<(), Errno> {
        retry(|| fallocate(&self.0, FallocateFlags::empty(), off, len))
    }

    fn punch_hole(&self, off: u64, len: u64) -> Result<(), Errno> {
        retry(|| fallocate(&self.0, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, off, len))
    }

    fn next_data(&self, off: u64) -> Result<u64, Errno> {
        retry(|| seek(&self.0, SeekFrom::Data(off)))
    }

    fn next_hole(&self, off: u64) -> Result<u64, Errno> {
        retry(|| seek(&self.0, SeekFrom::Hole(off)))
    }

    fn sync(&self) -> Result<(), Errno> {
        retry(|| fsync(&self.0))
    }
}

impl HostFile {
    fn end(&self) -> Result<u64, Errno> {
        Ok(u64::try_from(fstat(&self.0).map_err(errno)?.st_size).unwrap_or(0))
    }
}

impl HostFs {
    /// Opens a regular file through the descriptor that says it is one.
    pub(super) fn open_content(&self, id: LiveId, read: bool, write: bool) -> Result<Rc<dyn LiveFile>, Errno> {
        if write {
            self.may_change()?;
        }
        let known = self.any_fd(id)?;
        let stat = fstat(known.fd()).map_err(errno)?;
        if super::attrs::file_type(&stat) != FileType::Regular {
            return Err(Errno::EACCES);
        }
        let mode = match (read, write) {
            (_, false) => OFlags::RDONLY,
            (false, true) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        };
        let number = known.fd().as_raw_fd().to_string();
        let flags = mode | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = self.fds.with_room(|| openat(&self.proc_fd, &*number, flags, Mode::empty()))?;
        let file = Rc::new(HostFile(fd));
        self.opened(id, &file);
        Ok(file)
    }
}
