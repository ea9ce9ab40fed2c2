//! Memory objects of files: a file that is mapped has its bytes in one object, so that every mapping of it is the same
//! pages.
//!
//! A file that nobody has written to is copied into an object once, or an object is made of the host's file that it is. Any other file, and any file that is mapped shared
//! and writable, hands its contents over to the object: reads and writes of the file go to it from then on.
//!
//! A file of the host's is never handed over, since the host would not see what is written to memory: a mapping of it
//! holds what the file held when it was mapped, and one that is shared and writable is refused.

use crate::cpu::ObjectRef;
use crate::error::{SysError, WaitFor, WaitKey};
use crate::kernel::Kernel;
use crate::mm::{MappedFile, VmaBacking, VmaFlags, page_up};
use friscy_abi::Errno;
use friscy_boundary::ObjectId;
use friscy_vfs::{ContentId, ExternalContent, Inode, InodeRef, ReadError};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// Bytes copied at a time when an object is filled.
const CHUNK: usize = 1 << 18;

/// Contents are fetched in pieces of at least about so many bytes.
const PROBE: usize = 1 << 16;

/// The most paths that are remembered.
const MAX_CODE_PATHS: usize = 1 << 16;

/// Objects that hold the bytes of unmodified files.
#[derive(Default)]
pub struct FileObjects {
    copies: BTreeMap<ContentId, (u64, ObjectRef)>,
    /// The same of files of the host's, which come without number: kept only while they are mapped.
    live_copies: BTreeMap<ContentId, (u64, ObjectRef)>,
    /// Files whose contents are an object's; an entry counts only while the file says so.
    handed_over: BTreeMap<ContentId, Weak<ObjectContent>>,
    /// The files of objects that memory may have written to.
    writable: BTreeMap<u32, Weak<Inode>>,
    /// The paths of objects that code was mapped from, if somebody wants them.
    code_paths: Option<BTreeMap<ObjectId, Vec<u8>>>,
}

/// A file's contents in an object.
struct ObjectContent {
    object: ObjectRef,
    len: Cell<u64>,
}

impl ExternalContent for ObjectContent {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        let want = self.len.get().saturating_sub(off).min(buf.len() as u64) as usize;
        let Some(buf) = buf.get_mut(..want).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        let read = self.object.read(off, buf);
        // What the object does not hold yet reads as zero up to the file's end.
        if let Some(rest) = buf.get_mut(read..) {
            rest.fill(0);
        }
        Ok(want)
    }

    fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, Errno> {
        let end = off.checked_add(data.len() as u64).ok_or(Errno::EFBIG)?;
        self.object.write(off, data).map_err(|_| Errno::ENOSPC)?;
        if end > self.len.get() {
            self.len.set(end);
        }
        Ok(data.len())
    }

    fn len(&self) -> u64 {
        self.len.get()
    }

    fn set_len(&self, len: u64) -> Result<(), Errno> {
        self.object.resize(len).map_err(|_| Errno::ENOSPC)?;
        self.len.set(len);
        Ok(())
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
    /// `ENOMEM`; `ENODEV` for a shared mapping that may be written, of a file of the host's; the file's read errors; a
    /// block while contents are fetched.
    pub fn file_object(&mut self, inode: &InodeRef, writable: bool) -> Result<ObjectRef, SysError> {
        let key = inode.content_id();
        if inode.is_live() {
            return if writable { Err(Errno::ENODEV.into()) } else { self.live_object(inode) };
        }
        if inode.external().is_some() {
            let content = self.file_objects.handed_over.get(&key).and_then(Weak::upgrade);
            return content.map(|content| content.object.clone()).ok_or(SysError::Errno(Errno::ENODEV));
        }
        let host = inode.host_file();
        let unmodified = inode.unmodified().is_some() || host.is_some();
        if unmodified
            && !writable
            && let Some((version, object)) = self.file_objects.copies.get(&key)
            && *version == inode.version()
        {
            return Ok(object.clone());
        }
        let shown = host.filter(|_| !writable).and_then(|file| ObjectRef::of_file(&self.cpu, file.0, inode.len()).ok());
        let object = match shown {
            Some(object) => object,
            None => self.fill_object(inode)?,
        };
        if unmodified && !writable {
            if let Some((_, extent)) = inode.unmodified() {
                object.is_file(extent.offset);
            }
            self.file_objects.copies.insert(key, (inode.version(), object.clone()));
        } else {
            self.file_objects.copies.remove(&key);
            self.file_objects.handed_over.retain(|_, content| content.strong_count() > 0);
            self.file_objects.writable.retain(|_, inode| inode.strong_count() > 0);
            self.file_objects.writable.insert(object.id().0, Rc::downgrade(inode));
            let content = Rc::new(ObjectContent { object: object.clone(), len: Cell::new(inode.len()) });
            self.file_objects.handed_over.insert(key, Rc::downgrade(&content));
            inode.set_external(content)?;
        }
        Ok(object)
    }

    /// Notes that memory may have been written which is the contents of a file: its times are those of a write.
    pub fn object_written(&self, object: &ObjectRef) {
        if let Some(inode) = self.file_objects.writable.get(&object.id().0).and_then(Weak::upgrade) {
            inode.modified();
        }
    }

    /// Remembers from now on by which path a file that code is mapped from was opened, for [`Kernel::code_path`].
    pub fn keep_code_paths(&mut self) {
        self.file_objects.code_paths.get_or_insert_default();
    }

    /// The path by which an object's file was opened when code was first mapped from it.
    #[must_use]
    pub fn code_path(&self, object: ObjectId) -> Option<&[u8]> {
        self.file_objects.code_paths.as_ref()?.get(&object).map(Vec::as_slice)
    }

    /// Notes that code is mapped from a file.
    pub fn note_code(&mut self, object: &ObjectRef, file: &MappedFile) {
        if let Some(paths) = self.file_objects.code_paths.as_mut().filter(|paths| paths.len() < MAX_CODE_PATHS) {
            paths.entry(object.id()).or_insert_with(|| file.path.clone());
        }
    }

    /// Whether any process maps a file shared and may write to that mapping, now or after mprotect(2).
    #[must_use]
    pub fn is_mapped_writable(&self, inode: &Inode) -> bool {
        let Some(content) = self.file_objects.handed_over.get(&inode.content_id()).and_then(Weak::upgrade) else {
            return false;
        };
        self.tasks.values().any(|task| {
            task.mm.borrow().vmas.values().any(|vma| {
                let of_file = matches!(&vma.backing, VmaBacking::Object { object, .. } if *object == content.object);
                of_file && vma.flags.contains(VmaFlags::SHARED | VmaFlags::MAYWRITE)
            })
        })
    }

    /// The object with what a file of the host's holds at this moment.
    fn live_object(&mut self, inode: &InodeRef) -> Result<ObjectRef, SysError> {
        let (key, version) = (inode.content_id(), inode.version());
        match self.file_objects.live_copies.get(&key) {
            Some((known, object)) if *known == version => return Ok(object.clone()),
            _ => {}
        }
        let object = self.fill_object(inode)?;
        let copies = &mut self.file_objects.live_copies;
        copies.retain(|_, (_, object)| object.is_shared());
        copies.insert(key, (version, object.clone()));
        Ok(object)
    }

    /// A new object with a file's bytes.
    fn fill_object(&mut self, inode: &Inode) -> Result<ObjectRef, SysError> {
        let len = inode.len();
        let cpu = self.cpu.clone();
        let create = || ObjectRef::create(&cpu, len).map_err(|_| Errno::ENOMEM);
        let copied = inode.with_slice(0, len, |bytes| {
            let object = create()?;
            object.write(0, bytes).map_err(|_| Errno::ENOMEM)?;
            Ok::<ObjectRef, Errno>(object)
        });
        if let Some(result) = copied {
            return Ok(result?);
        }
        // What is still to be fetched is asked for before anything is copied, so that waiting costs no copies.
        let probed = if inode.is_live() { 0 } else { len };
        for at in (0..probed).step_by(PROBE) {
            inode.read_at(at, &mut [0]).map_err(read_error)?;
        }
        let mut buf = vec![0; CHUNK.min(page_up(len).unwrap_or(u64::MAX).max(1) as usize)];
        let object = create()?;
        let mut at = 0;
        while at < len {
            let read = inode.read_at(at, &mut buf).map_err(read_error)?;
            let Some(bytes) = buf.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            object.write(at, bytes).map_err(|_| Errno::ENOMEM)?;
            at += read as u64;
        }
        Ok(object)
    }

    /// An object for shared anonymous memory. It lives as long as its mappings, which hold the reference.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn anonymous_object(&mut self, len: u64) -> Result<ObjectRef, Errno> {
        ObjectRef::create(&self.cpu, len).map_err(|_| Errno::ENOMEM)
    }

    /// The object that holds the vDSO.
    pub(crate) fn vdso_object(&mut self) -> Result<ObjectRef, Errno> {
        if let Some(object) = &self.vdso {
            return Ok(object.clone());
        }
        let image = crate::vdso::IMAGE;
        let object = ObjectRef::create(&self.cpu, image.len() as u64).map_err(|_| Errno::ENOMEM)?;
        object.write(0, image).map_err(|_| Errno::ENOMEM)?;
        self.vdso = Some(object.clone());
        Ok(object)
    }
}
