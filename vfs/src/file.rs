//! Reading and writing regular files by their inodes.

use crate::content::{Content, ContentId, ExternalContent, HostFile, ReadError};
use crate::inode::{Inode, Node};
use crate::lower::LowerId;
use crate::tree::Extent;
use crate::types::FileType;
use core::cell::RefCell;
use friscy_abi::Errno;
use std::rc::Rc;

impl Inode {
    fn content(&self) -> Result<&RefCell<Content>, Errno> {
        match &self.node {
            Node::Regular(content) => Ok(content),
            Node::Directory(_) | Node::SynthDir(_) => Err(Errno::EISDIR),
            Node::Live(_) if self.is_dir() => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The length of a regular file in bytes; 0 for others.
    #[must_use]
    pub fn len(&self) -> u64 {
        if let Node::Live(node) = &self.node {
            self.refresh();
            return if node.file_type == FileType::Regular { node.sizes.get().0 } else { 0 };
        }
        self.content().map_or(0, |content| content.borrow().len())
    }

    /// Whether [`Inode::len`] is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads a regular file at `off`. Returns fewer bytes than asked at the end of the file and before a chunk that is
    /// not here yet. Times are left alone: see [`Inode::accessed`].
    ///
    /// # Errors
    /// [`ReadError::NotYet`] when nothing could be read; `EISDIR`, `EINVAL` for other kinds; `EIO`.
    pub fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        if let Some(read) = self.live_read(off, buf) {
            return read;
        }
        let content = self.content()?;
        // The caller's object may ask this inode about itself, so nothing is borrowed meanwhile.
        if let Some(external) = self.external() {
            return external.read_at(off, buf);
        }
        content.borrow().read_at(off, buf)
    }

    /// The bytes of a regular file that still lies in a source with addressable memory: `use_slice` is called with
    /// them. `None` if they are not in one slice; then [`Inode::read_at`] serves.
    pub fn with_slice<R>(&self, off: u64, len: u64, use_slice: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.content().ok()?.borrow().lower_slice(off, len).map(use_slice)
    }

    /// The host's file that holds the contents of a file that nobody wrote to, from its beginning to its end.
    #[must_use]
    pub fn host_file(&self) -> Option<HostFile> {
        let content = self.content().ok()?.borrow();
        let part = content.lower_only()?;
        part.source.host_file(part.base, part.len)
    }

    /// Where the contents of a file that nobody wrote to begin and end in the lower tree's source.
    #[must_use]
    pub fn unmodified(&self) -> Option<(LowerId, Extent)> {
        let content = self.content().ok()?.borrow();
        let part = content.lower_only()?;
        Some((self.lower?, Extent { offset: part.base, len: part.len }))
    }

    /// Writes to a regular file at `off`, growing it where needed, and sets mtime and ctime.
    ///
    /// # Errors
    /// [`ReadError::NotYet`] when data below must be fetched first; nothing is written then. `ENOSPC` above the file
    /// system's limit, `EFBIG`; `EISDIR`, `EINVAL` for other kinds.
    pub fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, ReadError> {
        if let Some(written) = self.live_change(|file| file.write_at(off, data)) {
            return Ok(written?);
        }
        let content = self.content()?;
        if data.is_empty() {
            return Ok(0);
        }
        if off.checked_add(data.len() as u64).is_none() {
            return Err(Errno::EFBIG.into());
        }
        let allowed = self.sealed_write(off, data.len() as u64)?;
        let data = &data[..allowed as usize];
        if let Some(external) = self.external() {
            let written = external.write_at(off, data)?;
            self.modified();
            return Ok(written);
        }
        let mut content = content.borrow_mut();
        let mut data = data;
        if !self.sb.has_room(content.growth(off, data.len() as u64)) {
            // Linux writes what fits; a page's worth at a time is close enough.
            let fits = self.sb.room() & !4095;
            data = &data[..data.len().min(usize::try_from(fits).unwrap_or(usize::MAX))];
            if data.is_empty() || !self.sb.has_room(content.growth(off, data.len() as u64)) {
                return Err(Errno::ENOSPC.into());
            }
        }
        let before = content.upper_bytes();
        let result = content.write_at(off, data);
        self.sb.charge(before, content.upper_bytes());
        drop(content);
        if result.is_ok() {
            self.modified();
        }
        result
    }

    /// Sets the length of a regular file, and mtime and ctime.
    ///
    /// # Errors
    /// `EFBIG`; `EISDIR`, `EINVAL` for other kinds.
    pub fn truncate(&self, len: u64) -> Result<(), Errno> {
        if let Some(done) = self.live_change(|file| file.set_len(len)) {
            return done;
        }
        let content = self.content()?;
        self.sealed_length(len)?;
        if let Some(external) = self.external() {
            if len > crate::content::MAX_FILE_SIZE {
                return Err(Errno::EFBIG);
            }
            external.set_len(len)?;
            self.modified();
            return Ok(());
        }
        let mut content = content.borrow_mut();
        let before = content.upper_bytes();
        let result = content.set_len(len);
        self.sb.charge(before, content.upper_bytes());
        drop(content);
        if result.is_ok() {
            self.modified();
        }
        result
    }

    /// Makes a range read as zero (`FALLOC_FL_PUNCH_HOLE`, and `FALLOC_FL_ZERO_RANGE` within the length).
    ///
    /// # Errors
    /// As [`Inode::write_at`].
    pub fn punch_hole(&self, off: u64, len: u64) -> Result<(), ReadError> {
        if let Some(done) = self.live_change(|file| file.punch_hole(off, len)) {
            return Ok(done?);
        }
        if self.is_write_sealed() {
            return Err(Errno::EPERM.into());
        }
        let mut content = self.content()?.borrow_mut();
        let before = content.upper_bytes();
        let result = content.punch_hole(off, len);
        self.sb.charge(before, content.upper_bytes());
        drop(content);
        if result.is_ok() {
            self.modified();
        }
        result
    }

    /// `fallocate` without flags: makes the file at least `off + len` long. Memory is not reserved.
    ///
    /// # Errors
    /// `EFBIG`, `ENOSPC`; `EISDIR`, `EINVAL` for other kinds.
    pub fn allocate(&self, off: u64, len: u64) -> Result<(), Errno> {
        let end = off.checked_add(len).ok_or(Errno::EFBIG)?;
        if let Some(done) = self.live_change(|file| file.allocate(off, len)) {
            return done;
        }
        let current = self.content()?.borrow().len();
        if end <= current {
            return Ok(());
        }
        if !self.sb.has_room(end - current.max(off)) {
            return Err(Errno::ENOSPC);
        }
        self.truncate(end)
    }

    /// `SEEK_DATA`: the first offset at or after `off` that holds data.
    ///
    /// # Errors
    /// `ENXIO` at or after the end, or if only a hole follows.
    pub fn next_data(&self, off: u64) -> Result<u64, Errno> {
        if let Some(file) = self.live_file(true, false) {
            return file?.next_data(off);
        }
        let content = self.content()?.borrow();
        let at = content.next_data(off);
        if off >= content.len() || at >= content.len() { Err(Errno::ENXIO) } else { Ok(at) }
    }

    /// `SEEK_HOLE`: the first offset at or after `off` in a hole; the end of the file counts as one.
    ///
    /// # Errors
    /// `ENXIO` at or after the end.
    pub fn next_hole(&self, off: u64) -> Result<u64, Errno> {
        if let Some(file) = self.live_file(true, false) {
            return file?.next_hole(off);
        }
        let content = self.content()?.borrow();
        if off >= content.len() { Err(Errno::ENXIO) } else { Ok(content.next_hole(off)) }
    }

    /// A key for the contents, never given to another inode in the same program run.
    #[must_use]
    pub fn content_id(&self) -> ContentId {
        self.content_id
    }

    /// A number that differs after every change of the contents made through this inode; for a live file also after
    /// the host's, as far as its times tell.
    #[must_use]
    pub fn version(&self) -> u64 {
        let own = self.version.get();
        if self.is_live() { self.live_stamp().rotate_left(1).wrapping_add(own) } else { own }
    }

    /// From now on the contents are those of `external`, which must hold what the file held.
    ///
    /// # Errors
    /// `EISDIR`, `EINVAL` unless this is a regular file.
    pub fn set_external(&self, external: Rc<dyn ExternalContent>) -> Result<(), Errno> {
        let mut content = self.content()?.borrow_mut();
        self.sb.charge(content.upper_bytes(), 0);
        content.set_external(external);
        Ok(())
    }

    /// The external object, if there is one.
    #[must_use]
    pub fn external(&self) -> Option<Rc<dyn ExternalContent>> {
        self.content().ok()?.borrow().external()
    }

    /// Takes the contents back from the external object, which is then no longer used.
    ///
    /// # Errors
    /// The object's errors; it stays in use then.
    pub fn clear_external(&self) -> Result<(), ReadError> {
        let mut content = self.content()?.borrow_mut();
        let before = content.upper_bytes();
        content.take_back()?;
        self.sb.charge(before, content.upper_bytes());
        Ok(())
    }
}
