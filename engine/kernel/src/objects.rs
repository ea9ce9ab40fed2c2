//! Memory objects of files: a file that is mapped has its bytes in one object, so that every mapping of it is the same
//! pages.
//!
//! A file that nobody has written to is copied into an object once. Any other file, and any file that is mapped shared
//! and writable, hands its contents over to the object: reads and writes of the file go to it from then on.

use crate::cpu::CpuRef;
use crate::error::{SysError, WaitFor, WaitKey};
use crate::kernel::Kernel;
use crate::mm::page_up;
use friscy_abi::Errno;
use friscy_boundary::ObjectId;
use friscy_vfs::{ContentId, ExternalContent, Inode, InodeRef, ReadError};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Bytes copied at a time when an object is filled.
const CHUNK: usize = 1 << 18;

/// Objects that hold the bytes of unmodified files.
#[derive(Debug, Default)]
pub struct FileObjects {
    copies: BTreeMap<ContentId, (u64, ObjectId)>,
    /// Files whose contents are an object's; an entry counts only while the file says so.
    handed_over: BTreeMap<ContentId, ObjectId>,
}

/// A file's contents in an object.
struct ObjectContent {
    cpu: CpuRef,
    object: ObjectId,
    len: Cell<u64>,
}

impl ExternalContent for ObjectContent {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        let want = self.len.get().saturating_sub(off).min(buf.len() as u64) as usize;
        let Some(buf) = buf.get_mut(..want).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        let read = self.cpu.object_read(self.object, off, buf);
        // What the object does not hold yet reads as zero up to the file's end.
        if let Some(rest) = buf.get_mut(read..) {
            rest.fill(0);
        }
        Ok(want)
    }

    fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, Errno> {
        let end = off.checked_add(data.len() as u64).ok_or(Errno::EFBIG)?;
        self.cpu.object_write(self.object, off, data).map_err(|_| Errno::ENOSPC)?;
        if end > self.len.get() {
            self.len.set(end);
        }
        Ok(data.len())
    }

    fn len(&self) -> u64 {
        self.len.get()
    }

    fn set_len(&self, len: u64) -> Result<(), Errno> {
        self.cpu.object_resize(self.object, len).map_err(|_| Errno::ENOSPC)?;
        self.len.set(len);
        Ok(())
    }}

impl Drop for ObjectContent {
    fn drop(&mut self) {
        self.cpu.object_release(self.object);
    }
}

/// The system-call error of a failed read of contents: missing data is waited for.
#[must_use]
pub fn read_error(error: ReadError) -> SysError {
    match error {
        ReadError::NotYet(chunk) => {
            SysError::from(WaitFor::key(WaitKey::Chunk(chunk.0)).restart(crate::error::RestartKind::Always))
        }
        ReadError::Failed(errno) => errno.into(),
    }
}

impl Kernel {
    /// The object with a regular file's bytes, for a mapping; `writable` for a shared one that may be written.
    ///
    /// # Errors
    /// `ENOMEM`; the file's read errors; a block while contents are fetched.
    pub fn file_object(&mut self, inode: &InodeRef, writable: bool) -> Result<ObjectId, SysError> {
        let key = inode.content_id();
        if inode.external().is_some() {
            return self.file_objects.handed_over.get(&key).copied().ok_or(SysError::Errno(Errno::ENODEV));
        }
        let unmodified = inode.unmodified().is_some();
        if unmodified
            && !writable
            && let Some(&(version, object)) = self.file_objects.copies.get(&key)
            && version == inode.version()
        {
            return Ok(object);
        }
        let object = self.fill_object(inode)?;
        if unmodified && !writable {
            if let Some((_, old)) = self.file_objects.copies.insert(key, (inode.version(), object)) {
                self.cpu.object_release(old);
            }
        } else {
            let content = ObjectContent { cpu: self.cpu.clone(), object, len: Cell::new(inode.len()) };
            inode.set_external(Rc::new(content))?;
            self.file_objects.handed_over.insert(key, object);
        }
        Ok(object)
    }

    /// A new object with a file's bytes.
    fn fill_object(&mut self, inode: &Inode) -> Result<ObjectId, SysError> {
        let len = inode.len();
        let object = self.cpu.object_create(len).map_err(|_| Errno::ENOMEM)?;
        let result = self.copy_content(inode, object, len);
        if result.is_err() {
            self.cpu.object_release(object);
        }
        result.map(|()| object)
    }

    fn copy_content(&mut self, inode: &Inode, object: ObjectId, len: u64) -> Result<(), SysError> {
        let cpu = &self.cpu;
        if let Some(result) = inode.with_slice(0, len, |bytes| cpu.object_write(object, 0, bytes)) {
            return result.map_err(|_| Errno::ENOMEM.into());
        }
        let mut buf = vec![0; CHUNK.min(page_up(len).unwrap_or(u64::MAX).max(1) as usize)];
        let mut at = 0;
        while at < len {
            let read = inode.read_at(at, &mut buf).map_err(read_error)?;
            let Some(bytes) = buf.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            cpu.object_write(object, at, bytes).map_err(|_| Errno::ENOMEM)?;
            at += read as u64;
        }
        Ok(())
    }

    /// An object for shared anonymous memory. It lives as long as its mappings.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn anonymous_object(&mut self, len: u64) -> Result<ObjectId, Errno> {
        self.cpu.object_create(len).map_err(|_| Errno::ENOMEM)
    }

    /// The object that holds the vDSO.
    pub(crate) fn vdso_object(&mut self) -> Result<ObjectId, Errno> {
        if let Some(object) = self.vdso {
            return Ok(object);
        }
        let image = crate::vdso::IMAGE;
        let object = self.cpu.object_create(image.len() as u64).map_err(|_| Errno::ENOMEM)?;
        self.cpu.object_write(object, 0, image).map_err(|_| Errno::ENOMEM)?;
        self.vdso = Some(object);
        Ok(object)
    }
}
