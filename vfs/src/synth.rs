//! Generated file systems (procfs, sysfs): the kernel tells what is there, this module makes inodes of it.

use crate::fs::{FileSystem, SuperBlock};
use crate::inode::{Attr, Inode, InodeRef, Node, Parent, Place};
use crate::mount::Location;
use crate::types::{Clock, FileType, Name, Timestamp};
use friscy_abi::Errno;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The attributes of a generated file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SynthAttr {
    /// Permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The inode number, which must differ from all others in the file system; 0 derives one from the path.
    pub ino: u64,
    /// All three times; `None` for the time of the look-up.
    pub time: Option<Timestamp>,
}

impl SynthAttr {
    /// Root's, with this mode.
    #[must_use]
    pub const fn root(mode: u32) -> SynthAttr {
        SynthAttr { mode, uid: 0, gid: 0, ino: 0, time: None }
    }
}

/// A generated directory.
pub trait SynthDir {
    /// Looks up a name (never `.` or `..`).
    fn lookup(&self, name: &[u8]) -> Option<SynthNode>;
    /// All names except `.` and `..`, in the order in which they shall be listed.
    fn list(&self) -> Vec<(Vec<u8>, FileType)>;
    /// The attributes; 0555 and root's unless overridden.
    fn attr(&self) -> SynthAttr {
        SynthAttr::root(0o555)
    }
}

/// A generated file. What it holds is made anew whenever it is read from offset 0.
pub trait SynthFile {
    /// Makes the contents.
    ///
    /// # Errors
    /// What read(2) shall return.
    fn read(&self) -> Result<Vec<u8>, Errno>;
    /// Takes what was written at `off`, and returns how many bytes were taken.
    ///
    /// # Errors
    /// What write(2) shall return; `EIO` unless overridden.
    fn write(&self, off: u64, data: &[u8]) -> Result<usize, Errno> {
        let _ = (off, data);
        Err(Errno::EIO)
    }
    /// The attributes; 0444 and root's unless overridden.
    fn attr(&self) -> SynthAttr {
        SynthAttr::root(0o444)
    }
}

/// A generated symbolic link.
pub trait SynthLink {
    /// The text that readlink(2) gives.
    ///
    /// # Errors
    /// What readlink(2) shall return.
    fn read_link(&self) -> Result<Vec<u8>, Errno>;
    /// For a magic link (`/proc/PID/exe`, `/proc/PID/fd/N`): where it leads, whatever its text says. `None` unless
    /// overridden: the text is followed as a path.
    ///
    /// # Errors
    /// What following the link shall fail with.
    fn follow(&self) -> Result<Option<Location>, Errno> {
        Ok(None)
    }
    /// The attributes; 0777 and root's unless overridden.
    fn attr(&self) -> SynthAttr {
        SynthAttr::root(0o777)
    }
}

/// What a name in a generated directory leads to.
#[derive(Clone)]
pub enum SynthNode {
    /// A directory.
    Dir(Rc<dyn SynthDir>),
    /// A file.
    File(Rc<dyn SynthFile>),
    /// A symbolic link.
    Link(Rc<dyn SynthLink>),
}

/// A file system whose root directory is `root`; `name` and `magic` are its type in `/proc/mounts` and statfs(2).
#[must_use]
pub fn synthetic(clock: Rc<dyn Clock>, name: &'static str, magic: u64, root: Rc<dyn SynthDir>) -> Rc<FileSystem> {
    let sb = Rc::new(SuperBlock::new(name, magic, clock, None));
    FileSystem::with_root(inode_of(&sb, 1, SynthNode::Dir(root)))
}

fn inode_of(sb: &Rc<SuperBlock>, derived_ino: u64, node: SynthNode) -> InodeRef {
    let (attr, node, nlink) = match node {
        SynthNode::Dir(dir) => (dir.attr(), Node::SynthDir(dir), 2),
        SynthNode::File(file) => (file.attr(), Node::SynthFile(file), 1),
        SynthNode::Link(link) => (link.attr(), Node::SynthLink(link), 1),
    };
    let time = attr.time.unwrap_or_else(|| sb.now());
    let ino = if attr.ino == 0 { derived_ino } else { attr.ino };
    let attr = Attr {
        mode: attr.mode & 0o7777,
        uid: attr.uid,
        gid: attr.gid,
        nlink,
        rdev: 0,
        atime: time,
        mtime: time,
        ctime: time,
        xattrs: BTreeMap::new(),
    };
    Inode::new(sb.clone(), ino, node, attr, None)
}

/// The inode for `name` in the generated directory `dir`. It lives as long as somebody uses it.
pub(crate) fn make_inode(dir: &InodeRef, name: &[u8], node: SynthNode) -> InodeRef {
    let inode = inode_of(&dir.sb, derive_ino(dir.ino, name), node);
    *inode.place.borrow_mut() =
        Place { parent: Parent::Strong(dir.clone()), name: Some(Name::from(name)), removed: false };
    inode
}

/// A number for `name` below the directory number `dir`: the same whenever the same path is looked up (FNV-1a, above
/// the numbers that a kernel would choose by hand).
pub(crate) fn derive_ino(dir: u64, name: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in dir.to_le_bytes().iter().chain(name) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    }
    (hash >> 16) | 1 << 47
}
