//! A file of any kind: its attributes, its contents, and its place in the tree.

use crate::content::{Content, ContentId, ExternalContent, ReadError};
use crate::dir::Directory;
use crate::fs::SuperBlock;
use crate::lower::LowerId;
use crate::synth::{SynthDir, SynthFile, SynthLink};
use crate::types::{Access, Creds, FileType, Metadata, Name, Timestamp};
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::fmt;
use friscy_abi::Errno;
use friscy_abi::stat as abi;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// An inode in use.
pub type InodeRef = Rc<Inode>;

/// What tells inodes apart: file locks and caches are keyed by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InodeId {
    /// The device number of the file system.
    pub dev: u64,
    /// The number in the file system.
    pub ino: u64,
}

/// What can be changed of an inode's description.
#[derive(Debug)]
pub(crate) struct Attr {
    /// Permission bits without the type.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub nlink: u32,
    pub rdev: u64,
    pub atime: Timestamp,
    pub mtime: Timestamp,
    pub ctime: Timestamp,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What an inode is.
pub(crate) enum Node {
    Regular(RefCell<Content>),
    Directory(RefCell<Directory>),
    Symlink(Vec<u8>),
    /// Devices, pipes, sockets: only the kernel knows what they do.
    Special(FileType),
    SynthDir(Rc<dyn SynthDir>),
    SynthFile(Rc<dyn SynthFile>),
    SynthLink(Rc<dyn SynthLink>),
}

/// The directory that holds the inode.
#[derive(Default)]
pub(crate) enum Parent {
    #[default]
    None,
    /// The directory holds the inode.
    Weak(Weak<Inode>),
    /// The directory does not hold the inode (any more): it is removed, or a generated one.
    Strong(InodeRef),
}

/// Where the inode was seen last. For a directory it is the truth, for others a hint.
#[derive(Default)]
pub(crate) struct Place {
    pub parent: Parent,
    pub name: Option<Name>,
    /// A directory that was removed.
    pub removed: bool,
}

/// A file of any kind.
pub struct Inode {
    pub(crate) sb: Rc<SuperBlock>,
    pub(crate) ino: u64,
    /// The file of the lower tree that this one began as.
    pub(crate) lower: Option<LowerId>,
    pub(crate) attr: RefCell<Attr>,
    pub(crate) node: Node,
    pub(crate) place: RefCell<Place>,
    content_id: ContentId,
    version: Cell<u64>,
    attachment: RefCell<Option<Rc<dyn Any>>>,
}

impl fmt::Debug for Inode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inode({}:{} {:?})", self.sb.dev(), self.ino, self.file_type())
    }
}

impl Inode {
    pub(crate) fn new(sb: Rc<SuperBlock>, ino: u64, node: Node, attr: Attr, lower: Option<LowerId>) -> InodeRef {
        Rc::new(Inode {
            sb,
            ino,
            lower,
            attr: RefCell::new(attr),
            node,
            place: RefCell::default(),
            content_id: ContentId::fresh(),
            version: Cell::new(0),
            attachment: RefCell::new(None),
        })
    }

    /// What tells this inode apart from all others in use.
    #[must_use]
    pub fn id(&self) -> InodeId {
        InodeId { dev: self.sb.dev(), ino: self.ino }
    }

    /// The file system that the inode belongs to.
    #[must_use]
    pub fn super_block(&self) -> &Rc<SuperBlock> {
        &self.sb
    }

    /// The kind.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        match &self.node {
            Node::Regular(_) | Node::SynthFile(_) => FileType::Regular,
            Node::Directory(_) | Node::SynthDir(_) => FileType::Directory,
            Node::Symlink(_) | Node::SynthLink(_) => FileType::Symlink,
            Node::Special(file_type) => *file_type,
        }
    }

    /// Whether this is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether this is a symbolic link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        matches!(self.node, Node::Symlink(_) | Node::SynthLink(_))
    }

    /// What stat(2) tells.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        let attr = self.attr.borrow();
        let (size, blocks) = match &self.node {
            Node::Regular(content) => {
                let content = content.borrow();
                (content.len(), content.blocks())
            }
            Node::Directory(_) => (4096, 8),
            Node::Symlink(target) => (target.len() as u64, 0),
            Node::Special(_) | Node::SynthDir(_) | Node::SynthFile(_) => (0, 0),
            // As in Linux's procfs, a magic link has a nominal size.
            Node::SynthLink(_) => (64, 0),
        };
        Metadata {
            dev: self.sb.dev(),
            ino: self.ino,
            mode: attr.mode | self.file_type().mode_bits(),
            nlink: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            rdev: attr.rdev,
            size,
            blocks,
            blksize: 4096,
            atime: attr.atime,
            mtime: attr.mtime,
            ctime: attr.ctime,
        }
    }

    /// The device number of a device node, otherwise 0.
    #[must_use]
    pub fn rdev(&self) -> u64 {
        self.attr.borrow().rdev
    }

    /// The number of names left.
    #[must_use]
    pub fn nlink(&self) -> u32 {
        self.attr.borrow().nlink
    }

    /// Checks permission bits as path_resolution(7) describes. A privileged user may do everything except execute a
    /// file that has no execute bit at all. That a mount is read-only is not seen here.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn permission(&self, creds: &Creds, access: Access) -> Result<(), Errno> {
        let attr = self.attr.borrow();
        if creds.is_privileged() {
            let exec_denied = access.contains(Access::EXEC) && !self.is_dir() && attr.mode & 0o111 == 0;
            return if exec_denied { Err(Errno::EACCES) } else { Ok(()) };
        }
        let shift = if creds.uid == attr.uid {
            6
        } else if creds.in_group(attr.gid) {
            3
        } else {
            0
        };
        if Access((attr.mode >> shift) & 7).contains(access) { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether `creds` may do what is the owner's right: it is the owner or privileged.
    #[must_use]
    pub fn is_owner(&self, creds: &Creds) -> bool {
        creds.is_privileged() || self.attr.borrow().uid == creds.uid
    }

    /// The target of a symbolic link, as readlink(2) gives it.
    ///
    /// # Errors
    /// `EINVAL` for anything else; a magic link's own errors.
    pub fn read_link(&self) -> Result<Vec<u8>, Errno> {
        match &self.node {
            Node::Symlink(target) => Ok(target.clone()),
            Node::SynthLink(link) => link.read_link(),
            _ => Err(Errno::EINVAL),
        }
    }

    fn content(&self) -> Result<&RefCell<Content>, Errno> {
        match &self.node {
            Node::Regular(content) => Ok(content),
            Node::Directory(_) | Node::SynthDir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The length of a regular file in bytes; 0 for others.
    #[must_use]
    pub fn len(&self) -> u64 {
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

    /// Where the contents of a file that nobody wrote to begin and end in the lower tree's source.
    #[must_use]
    pub fn unmodified(&self) -> Option<(LowerId, crate::tree::Extent)> {
        let content = self.content().ok()?.borrow();
        let part = content.lower_only()?;
        Some((self.lower?, crate::tree::Extent { offset: part.base, len: part.len }))
    }

    /// Writes to a regular file at `off`, growing it where needed, and sets mtime and ctime.
    ///
    /// # Errors
    /// [`ReadError::NotYet`] when data below must be fetched first; nothing is written then. `ENOSPC` above the file
    /// system's limit, `EFBIG`; `EISDIR`, `EINVAL` for other kinds.
    pub fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, ReadError> {
        let content = self.content()?;
        if data.is_empty() {
            return Ok(0);
        }
        if off.checked_add(data.len() as u64).is_none() {
            return Err(Errno::EFBIG.into());
        }
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
        let content = self.content()?;
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
        let content = self.content()?.borrow();
        let at = content.next_data(off);
        if off >= content.len() || at >= content.len() { Err(Errno::ENXIO) } else { Ok(at) }
    }

    /// `SEEK_HOLE`: the first offset at or after `off` in a hole; the end of the file counts as one.
    ///
    /// # Errors
    /// `ENXIO` at or after the end.
    pub fn next_hole(&self, off: u64) -> Result<u64, Errno> {
        let content = self.content()?.borrow();
        if off >= content.len() { Err(Errno::ENXIO) } else { Ok(content.next_hole(off)) }
    }

    /// A key for the contents, never given to another inode in the same program run.
    #[must_use]
    pub fn content_id(&self) -> ContentId {
        self.content_id
    }

    /// A number that grows with every change of the contents made through this inode.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.get()
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

    /// Notes a change of the contents: mtime, ctime and version. Writing through this inode does it by itself; the
    /// owner of an external object calls it when a shared mapping was written.
    pub fn modified(&self) {
        self.version.set(self.version.get().wrapping_add(1));
        let now = self.sb.now();
        let mut attr = self.attr.borrow_mut();
        attr.mtime = now;
        attr.ctime = now;
    }

    /// Notes a read: atime moves as with the mount option `relatime`.
    pub fn accessed(&self) {
        let now = self.sb.now();
        let mut attr = self.attr.borrow_mut();
        let day_old = now.sec.saturating_sub(attr.atime.sec) >= 24 * 60 * 60;
        if attr.atime <= attr.mtime || attr.atime <= attr.ctime || day_old {
            attr.atime = now;
        }
    }

    /// Drops the set-user-ID bit, and the set-group-ID bit of an executable, as a write by an unprivileged user does.
    pub fn strip_set_id(&self) {
        let mut attr = self.attr.borrow_mut();
        let group_exec = attr.mode & abi::S_IXGRP != 0;
        attr.mode &= !(abi::S_ISUID | if group_exec { abi::S_ISGID } else { 0 });
    }

    /// Whatever the kernel keeps at this inode: a pipe at a fifo, a socket at its name.
    #[must_use]
    pub fn attachment(&self) -> Option<Rc<dyn Any>> {
        self.attachment.borrow().clone()
    }

    /// Sets or removes what the kernel keeps at this inode.
    pub fn attach(&self, object: Option<Rc<dyn Any>>) {
        *self.attachment.borrow_mut() = object;
    }

    /// The directory that `..` of this directory names; itself at the root of a file system.
    pub(crate) fn parent_dir(self: &Rc<Inode>) -> InodeRef {
        self.parent().unwrap_or_else(|| self.clone())
    }

    pub(crate) fn parent(&self) -> Option<InodeRef> {
        match &self.place.borrow().parent {
            Parent::None => None,
            Parent::Weak(parent) => parent.upgrade(),
            Parent::Strong(parent) => Some(parent.clone()),
        }
    }

    /// Notes that `parent` now holds this inode under `name`.
    pub(crate) fn placed(&self, parent: &InodeRef, name: &Name) {
        *self.place.borrow_mut() =
            Place { parent: Parent::Weak(Rc::downgrade(parent)), name: Some(name.clone()), removed: false };
    }

    pub(crate) fn change_nlink(&self, change: i32) {
        let mut attr = self.attr.borrow_mut();
        // A directory with one link says that its links are not counted.
        if !(self.is_dir() && attr.nlink == 1) {
            attr.nlink = attr.nlink.saturating_add_signed(change);
        }
        attr.ctime = self.sb.now();
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        if let Node::Regular(content) = &mut self.node {
            self.sb.charge(content.get_mut().upper_bytes(), 0);
        }
        self.sb.inode_dropped(self.lower.is_none());
    }
}
