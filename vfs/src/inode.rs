//! A file of any kind: its attributes and its place in the tree.

use crate::content::{Content, ContentId};
use crate::dir::Directory;
use crate::fs::SuperBlock;
use crate::live::LiveNode;
use crate::lower::LowerId;
use crate::synth::{SynthDir, SynthFile, SynthLink};
use crate::types::{Access, Creds, FileType, Metadata, Name, Timestamp};
use core::any::Any;
use core::cell::{Cell, Ref, RefCell};
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
    /// A file of a live file system; `attr` is what its owner told last.
    Live(LiveNode),
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
    pub(crate) content_id: ContentId,
    pub(crate) version: Cell<u64>,
    /// Names beyond the first that count as files of the file system.
    pub(crate) extra_links: Cell<u32>,
    /// Bytes of extended attributes that count as written data.
    pub(crate) xattr_bytes: Cell<u64>,
    attachment: RefCell<Option<Rc<dyn Any>>>,
    /// File seals, once the file was given some.
    pub(crate) seals: Cell<Option<u32>>,
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
            extra_links: Cell::new(0),
            xattr_bytes: Cell::new(0),
            attachment: RefCell::new(None),
            seals: Cell::new(None),
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
            Node::Live(node) => node.file_type,
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
        self.file_type() == FileType::Symlink
    }

    /// What stat(2) tells.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        let attr = self.attr();
        let mut blksize = 4096;
        let (size, blocks) = match &self.node {
            Node::Regular(content) => {
                let content = content.borrow();
                (content.len(), content.blocks())
            }
            Node::Directory(_) => (4096, 8),
            Node::Symlink(target) => (target.len() as u64, 0),
            Node::Special(_) | Node::SynthDir(_) | Node::SynthFile(_) => (0, 0),
            Node::Live(node) => {
                let (size, blocks, unit) = node.sizes.get();
                blksize = unit;
                (size, blocks)
            }
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
            blksize,
            atime: attr.atime,
            mtime: attr.mtime,
            ctime: attr.ctime,
        }
    }

    /// The device number of a device node, otherwise 0.
    #[must_use]
    pub fn rdev(&self) -> u64 {
        self.attr().rdev
    }

    /// The number of names left.
    #[must_use]
    pub fn nlink(&self) -> u32 {
        self.attr().nlink
    }

    /// Checks permission bits as path_resolution(7) describes. A privileged user may do everything except execute a
    /// file that has no execute bit at all. That a mount is read-only is not seen here.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn permission(&self, creds: &Creds, access: Access) -> Result<(), Errno> {
        let attr = self.attr();
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
        creds.is_privileged() || self.attr().uid == creds.uid
    }

    /// The target of a symbolic link, as readlink(2) gives it.
    ///
    /// # Errors
    /// `EINVAL` for anything else; a magic link's own errors.
    pub fn read_link(&self) -> Result<Vec<u8>, Errno> {
        match &self.node {
            Node::Symlink(target) => Ok(target.clone()),
            Node::SynthLink(link) => link.read_link(),
            Node::Live(_) => {
                let (live, id) = self.live().ok_or(Errno::EINVAL)?;
                if self.is_symlink() { live.read_link(id) } else { Err(Errno::EINVAL) }
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// The attributes, of a live file as they are at this moment.
    pub(crate) fn attr(&self) -> Ref<'_, Attr> {
        self.refresh();
        self.attr.borrow()
    }

    /// Notes a change of the contents: mtime, ctime and version. Writing through this inode does it by itself; the
    /// owner of an external object calls it when a shared mapping was written.
    pub fn modified(&self) {
        self.version.set(self.version.get().wrapping_add(1));
        if self.is_live() {
            return;
        }
        let now = self.sb.now();
        let mut attr = self.attr.borrow_mut();
        attr.mtime = now;
        attr.ctime = now;
    }

    /// Notes a read: atime moves as with the mount option `relatime`.
    pub fn accessed(&self) {
        if self.is_live() {
            return;
        }
        let now = self.sb.now();
        let mut attr = self.attr.borrow_mut();
        let day_old = now.sec.saturating_sub(attr.atime.sec) >= 24 * 60 * 60;
        if attr.atime <= attr.mtime || attr.atime <= attr.ctime || day_old {
            attr.atime = now;
        }
    }

    /// Drops the set-user-ID bit, and the set-group-ID bit of an executable, as a write by an unprivileged user does.
    pub fn strip_set_id(&self) {
        // The host does it by itself.
        if self.is_live() {
            return;
        }
        self.attr.borrow_mut().mode &= !self.set_id_bits();
    }

    /// The bits that [`Inode::strip_set_id`] drops: those of them that are set.
    pub(crate) fn set_id_bits(&self) -> u32 {
        let mode = self.attr().mode;
        let group_exec = mode & abi::S_IXGRP != 0;
        mode & (abi::S_ISUID | if group_exec { abi::S_ISGID } else { 0 })
    }

    /// Whatever the kernel keeps at this inode: a pipe at a fifo, a socket at its name.
    #[must_use]
    pub fn attachment(&self) -> Option<Rc<dyn Any>> {
        self.attachment.borrow().clone()
    }

    /// Sets or removes what the kernel keeps at this inode.
    pub fn attach(self: &Rc<Inode>, object: Option<Rc<dyn Any>>) {
        self.live_keep(object.is_some());
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
        if let Node::Live(node) = &self.node {
            self.sb.live_dropped(node.id);
            crate::live::drop_parents(self.place.get_mut());
            return;
        }
        let data = match &mut self.node {
            Node::Regular(content) => content.get_mut().upper_bytes(),
            Node::Symlink(target) if self.lower.is_none() => target.len() as u64,
            _ => 0,
        };
        self.sb.charge(data + self.xattr_bytes.get(), 0);
        self.sb.files_dropped(u64::from(self.lower.is_none()) + u64::from(self.extra_links.get()));
    }
}
