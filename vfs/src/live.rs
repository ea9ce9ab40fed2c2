//! Live file systems: trees that others change while they are in use, whose every operation goes to their owner.
//!
//! The model is that of FUSE's low level: the owner names files by ids that it gives out at look-ups, and is told when
//! an id is no longer used. An inode of such a file system holds the directory it was found in, so that `..` is always
//! answered from the tree as this side saw it, never by the owner.

use crate::content::ReadError;
use crate::fs::{FileSystem, NewNode, SuperBlock};
use crate::inode::{Attr, Inode, InodeRef, Node, Parent, Place};
use crate::types::{Clock, DirEntry, FileType, Name, SetTime, StatFs, Timestamp};
use core::cell::{Cell, RefCell};
use core::hash::{Hash, Hasher};
use friscy_abi::Errno;
use friscy_abi::fcntl::RENAME_EXCHANGE;
use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::rc::{Rc, Weak};

/// Names a file of a live file system, from its look-up until [`LiveFs::forget`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LiveId(pub u64);

/// What a live file system tells of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LiveStat {
    /// The kind.
    pub file_type: FileType,
    /// Permission bits, without the type.
    pub mode: u32,
    /// The owner, as the guest shall see it.
    pub uid: u32,
    /// The group, as the guest shall see it.
    pub gid: u32,
    /// The number of names.
    pub nlink: u32,
    /// The length in bytes.
    pub size: u64,
    /// The space taken, in units of 512 bytes.
    pub blocks: u64,
    /// The preferred size of transfers in bytes.
    pub blksize: u32,
    /// The device number of a device node.
    pub rdev: u64,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
}

/// A file that was looked up or made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiveEntry {
    /// What names it from now on. The same file has the same id as long as the id is in use.
    pub id: LiveId,
    /// Its inode number.
    pub ino: u64,
    /// What is known of it.
    pub stat: LiveStat,
}

/// A name in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveName {
    /// The name.
    pub name: Name,
    /// The inode number.
    pub ino: u64,
    /// The kind.
    pub file_type: FileType,
}

/// An open regular file of a live file system. Each method fails as the system call of its name does.
#[allow(clippy::missing_errors_doc, reason = "the trait says it for all of them")]
pub trait LiveFile {
    /// pread(2).
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// pwrite(2).
    fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, Errno>;
    /// Writes at the end, in one step with finding it; returns how many bytes, and where the file ends behind them.
    fn append(&self, data: &[u8]) -> Result<(usize, u64), Errno>;
    /// ftruncate(2).
    fn set_len(&self, len: u64) -> Result<(), Errno>;
    /// fallocate(2) without flags.
    fn allocate(&self, off: u64, len: u64) -> Result<(), Errno>;
    /// fallocate(2) with `FALLOC_FL_PUNCH_HOLE`.
    fn punch_hole(&self, off: u64, len: u64) -> Result<(), Errno>;
    /// lseek(2) with `SEEK_DATA`.
    fn next_data(&self, off: u64) -> Result<u64, Errno>;
    /// lseek(2) with `SEEK_HOLE`.
    fn next_hole(&self, off: u64) -> Result<u64, Errno>;
    /// fsync(2).
    fn sync(&self) -> Result<(), Errno>;
}

/// A file just made, and the description that made it, open for reading and writing.
pub type Created = (LiveEntry, Rc<dyn LiveFile>);

/// A live file system. Each method fails as the system call of its name does; `ESTALE` says that the file of an id can
/// no longer be reached. Names are single names: an implementation refuses everything else with `EINVAL`.
#[allow(clippy::missing_errors_doc, reason = "the trait says it for all of them")]
pub trait LiveFs {
    /// The root: a directory, or a regular file.
    fn root(&self) -> Result<LiveEntry, Errno>;
    /// fstat(2).
    fn stat(&self, id: LiveId) -> Result<LiveStat, Errno>;
    /// Finds a name in a directory. Symbolic links are found, not followed.
    fn lookup(&self, dir: LiveId, name: &[u8]) -> Result<LiveEntry, Errno>;
    /// All names of a directory except `.` and `..`.
    fn list(&self, dir: LiveId) -> Result<Vec<LiveName>, Errno>;
    /// readlink(2).
    fn read_link(&self, id: LiveId) -> Result<Vec<u8>, Errno>;
    /// Opens a regular file.
    fn open(&self, id: LiveId, read: bool, write: bool) -> Result<Rc<dyn LiveFile>, Errno>;
    /// Makes a regular file; `EEXIST` if the name is taken.
    fn create(&self, dir: LiveId, name: &[u8], mode: u32) -> Result<Created, Errno>;
    /// Makes a regular file without a name (`O_TMPFILE`).
    fn create_unnamed(&self, dir: LiveId, mode: u32) -> Result<Created, Errno>;
    /// Makes anything else; `EPERM` for devices.
    fn make(&self, dir: LiveId, name: &[u8], new: NewNode<'_>, mode: u32) -> Result<LiveEntry, Errno>;
    /// Gives a file a further name.
    fn link(&self, id: LiveId, dir: LiveId, name: &[u8]) -> Result<(), Errno>;
    /// Removes the name of `victim`, with `want_dir` as rmdir(2) does, otherwise as unlink(2) does. The id stays good.
    fn remove(&self, dir: LiveId, name: &[u8], victim: LiveId, want_dir: bool) -> Result<(), Errno>;
    /// renameat2(2) with these flags: of `old`, onto `new` if there is something.
    fn rename(
        &self,
        from: (LiveId, &[u8], LiveId),
        to: (LiveId, &[u8], Option<LiveId>),
        flags: u32,
    ) -> Result<(), Errno>;
    /// chmod(2); never called for symbolic links.
    fn chmod(&self, id: LiveId, mode: u32) -> Result<(), Errno>;
    /// utimensat(2), access time first.
    fn set_times(&self, id: LiveId, atime: SetTime, mtime: SetTime) -> Result<(), Errno>;
    /// fstatfs(2) of the root; the device number is not looked at.
    fn statfs(&self) -> Result<StatFs, Errno>;
    /// The id is no longer used.
    fn forget(&self, id: LiveId);
}

/// What the super block of a live file system keeps.
pub(crate) struct Live {
    pub fs: Rc<dyn LiveFs>,
    /// Inodes in use: a file has one inode, however it was reached.
    inodes: RefCell<BTreeMap<LiveId, Weak<Inode>>>,
    /// Inodes that stay although nobody uses them, for what the kernel attached to them: bound sockets, pipes.
    kept: RefCell<BTreeMap<LiveId, InodeRef>>,
}

impl Live {
    /// Lets go of all inodes that are kept; called when the file system is no longer in use.
    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut *self.kept.borrow_mut());
        drop(kept);
    }
}

/// A file of a live file system.
pub(crate) struct LiveNode {
    pub id: LiveId,
    pub file_type: FileType,
    /// Length, blocks and transfer size, as they were told last.
    pub sizes: Cell<(u64, u64, u32)>,
}

impl FileSystem {
    /// A file system whose files are `live`'s.
    ///
    /// # Errors
    /// Those of its root.
    pub fn live(clock: Rc<dyn Clock>, live: Rc<dyn LiveFs>) -> Result<Rc<FileSystem>, Errno> {
        let root = live.root()?;
        let magic = live.statfs()?.magic;
        let live = Live { fs: live, inodes: RefCell::default(), kept: RefCell::default() };
        let sb = Rc::new(SuperBlock::new("hostfs", magic, clock, None).with_live(live));
        Ok(FileSystem::with_root(sb.live_inode(&root)?))
    }
}

impl SuperBlock {
    /// The inode for a file that was looked up.
    fn live_inode(self: &Rc<SuperBlock>, entry: &LiveEntry) -> Result<InodeRef, Errno> {
        let live = self.live().ok_or(Errno::EIO)?;
        let known = live.inodes.borrow().get(&entry.id).and_then(Weak::upgrade);
        if let Some(inode) = known {
            inode.take_stat(&entry.stat);
            return Ok(inode);
        }
        let node = Node::Live(LiveNode { id: entry.id, file_type: entry.stat.file_type, sizes: Cell::new((0, 0, 0)) });
        let attr = Attr {
            mode: 0,
            uid: 0,
            gid: 0,
            nlink: 0,
            rdev: 0,
            atime: Timestamp::default(),
            mtime: Timestamp::default(),
            ctime: Timestamp::default(),
            xattrs: BTreeMap::new(),
        };
        let inode = Inode::new(self.clone(), entry.ino, node, attr, None);
        inode.take_stat(&entry.stat);
        live.inodes.borrow_mut().insert(entry.id, Rc::downgrade(&inode));
        Ok(inode)
    }

    /// An inode is gone.
    pub(crate) fn live_dropped(&self, id: LiveId) {
        if let Some(live) = self.live() {
            live.inodes.borrow_mut().remove(&id);
            live.fs.forget(id);
        }
    }
}

/// A file that was made, and its contents opened.
type Opened = (InodeRef, Rc<dyn LiveFile>);

impl Inode {
    /// The live file system and the id, if this is a file of one.
    pub(crate) fn live(&self) -> Option<(&Rc<dyn LiveFs>, LiveId)> {
        match &self.node {
            Node::Live(node) => Some((&self.sb.live()?.fs, node.id)),
            _ => None,
        }
    }

    /// Whether the file is one that others change too, and whose every operation goes to the host.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.node, Node::Live(_))
    }

    /// Notes what the owner tells.
    fn take_stat(&self, stat: &LiveStat) {
        if let Node::Live(node) = &self.node {
            node.sizes.set((stat.size, stat.blocks, stat.blksize));
        }
        let mut attr = self.attr.borrow_mut();
        attr.mode = stat.mode;
        attr.uid = stat.uid;
        attr.gid = stat.gid;
        attr.nlink = stat.nlink;
        attr.rdev = stat.rdev;
        attr.atime = stat.atime;
        attr.mtime = stat.mtime;
        attr.ctime = stat.ctime;
    }

    /// Asks the owner of a live file what it is like now. If it cannot be reached any more, what was told last stays.
    pub(crate) fn refresh(&self) {
        if let Some((live, id)) = self.live() {
            if let Ok(stat) = live.stat(id) {
                self.take_stat(&stat);
            }
        }
    }

    /// What a live file's contents can be told apart by: changes with each change that is noted in its times.
    pub(crate) fn live_stamp(&self) -> u64 {
        self.refresh();
        let mut hasher = DefaultHasher::new();
        let attr = self.attr.borrow();
        (attr.mtime, attr.ctime).hash(&mut hasher);
        if let Node::Live(node) = &self.node {
            node.sizes.get().0.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Opens a live regular file for one operation.
    pub(crate) fn live_file(&self, read: bool, write: bool) -> Option<Result<Rc<dyn LiveFile>, Errno>> {
        let (live, id) = self.live()?;
        Some(match self.file_type() {
            FileType::Regular => live.open(id, read, write),
            FileType::Directory => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        })
    }

    /// Reads a live file without a description.
    pub(crate) fn live_read(&self, off: u64, buf: &mut [u8]) -> Option<Result<usize, ReadError>> {
        let file = self.live_file(true, false)?;
        Some(file.and_then(|file| file.read_at(off, buf)).map_err(ReadError::from))
    }

    /// Changes a live file without a description.
    pub(crate) fn live_change<R>(
        &self,
        change: impl FnOnce(&dyn LiveFile) -> Result<R, Errno>,
    ) -> Option<Result<R, Errno>> {
        let file = self.live_file(false, true)?;
        let result = file.and_then(|file| change(&*file));
        self.modified();
        Some(result)
    }

    /// Notes that `dir` holds this live inode under `name`. The directory is held: `..` never asks the owner.
    fn live_placed(self: &Rc<Inode>, dir: &InodeRef, name: &[u8]) {
        let mut place = self.place.borrow_mut();
        let same = matches!(&place.parent, Parent::Strong(parent) if Rc::ptr_eq(parent, dir))
            && place.name.as_deref() == Some(name);
        if same {
            return;
        }
        let new = Place { parent: Parent::Strong(dir.clone()), name: Some(Name::from(name)), removed: false };
        let old = core::mem::replace(&mut *place, new);
        drop(place);
        // Dropping the directory it was in before may run its destructor.
        drop(old);
    }

    fn live_entered(self: &Rc<Inode>, name: &[u8], entry: &LiveEntry) -> Result<InodeRef, Errno> {
        let inode = self.sb.live_inode(entry)?;
        inode.live_placed(self, name);
        Ok(inode)
    }

    /// [`Inode::lookup`] in a live directory.
    pub(crate) fn live_lookup(
        self: &Rc<Inode>,
        live: &Rc<dyn LiveFs>,
        dir: LiveId,
        name: &[u8],
    ) -> Result<InodeRef, Errno> {
        if !self.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        self.live_entered(name, &live.lookup(dir, name)?)
    }

    /// Makes a file in a live directory; `None` if this is another kind of directory.
    pub(crate) fn live_make(
        self: &Rc<Inode>,
        name: &[u8],
        new: NewNode<'_>,
        mode: u32,
    ) -> Option<Result<InodeRef, Errno>> {
        let (live, dir) = self.live()?;
        let entry = match new {
            NewNode::Regular => live.create(dir, name, mode).map(|(entry, _)| entry),
            new => live.make(dir, name, new, mode),
        };
        Some(entry.and_then(|entry| self.live_entered(name, &entry)))
    }

    /// Makes and opens a regular file in a live directory.
    pub(crate) fn live_create(self: &Rc<Inode>, name: &[u8], mode: u32) -> Option<Result<Opened, Errno>> {
        let (live, dir) = self.live()?;
        Some(live.create(dir, name, mode).and_then(|(entry, file)| Ok((self.live_entered(name, &entry)?, file))))
    }

    /// Makes and opens a regular file without a name on the file system of a live directory.
    pub(crate) fn live_unnamed(self: &Rc<Inode>, mode: u32) -> Option<Result<Opened, Errno>> {
        let (live, dir) = self.live()?;
        Some(live.create_unnamed(dir, mode).and_then(|(entry, file)| Ok((self.sb.live_inode(&entry)?, file))))
    }

    /// Gives a live file a further name in this directory.
    pub(crate) fn live_link(self: &Rc<Inode>, name: &[u8], old: &InodeRef) -> Option<Result<(), Errno>> {
        let ((live, dir), (_, id)) = (self.live()?, old.live()?);
        Some(live.link(id, dir, name).map(|()| old.live_placed(self, name)))
    }

    /// Removes a name from a live directory.
    pub(crate) fn live_remove(
        self: &Rc<Inode>,
        name: &[u8],
        victim: &InodeRef,
        want_dir: bool,
    ) -> Option<Result<(), Errno>> {
        let ((live, dir), (_, id)) = (self.live()?, victim.live()?);
        Some(live.remove(dir, name, id, want_dir).map(|()| {
            if want_dir {
                victim.place.borrow_mut().removed = true;
            }
            self.sb.live_unkeep(victim);
        }))
    }

    /// Renames within a live file system.
    pub(crate) fn live_rename(
        self: &Rc<Inode>,
        from_name: &[u8],
        old: &InodeRef,
        to: &InodeRef,
        to_name: &[u8],
        new: Option<&InodeRef>,
        flags: u32,
    ) -> Option<Result<(), Errno>> {
        let ((live, from_dir), (_, to_dir), (_, id)) = (self.live()?, to.live()?, old.live()?);
        let exchange = flags == RENAME_EXCHANGE;
        let new_id = new.and_then(|new| Some(new.live()?.1));
        let result = live.rename((from_dir, from_name, id), (to_dir, to_name, new_id), flags);
        Some(result.map(|()| {
            old.live_placed(to, to_name);
            match new {
                Some(new) if exchange => new.live_placed(self, from_name),
                Some(new) => {
                    if new.is_dir() {
                        new.place.borrow_mut().removed = true;
                    }
                    self.sb.live_unkeep(new);
                }
                None => {}
            }
        }))
    }

    /// The listing of a live directory, `.` and `..` first. A position is an index into one listing.
    pub(crate) fn live_list(&self, live: &Rc<dyn LiveFs>, id: LiveId, parent_ino: u64) -> Result<Vec<DirEntry>, Errno> {
        if !self.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let dots: [(&[u8], u64); 2] = [(b".", self.ino), (b"..", parent_ino)];
        let dots = dots.map(|(name, ino)| LiveName { name: Name::from(name), ino, file_type: FileType::Directory });
        let all = dots.into_iter().chain(live.list(id)?);
        Ok((1..)
            .zip(all)
            .map(|(next_offset, LiveName { name, ino, file_type })| DirEntry { ino, file_type, next_offset, name })
            .collect())
    }

    /// Keeps a live inode although nobody uses it, or no longer.
    pub(crate) fn live_keep(self: &Rc<Inode>, keep: bool) {
        if let (Some(live), Node::Live(node)) = (self.sb.live(), &self.node) {
            if keep {
                live.kept.borrow_mut().insert(node.id, self.clone());
            } else {
                self.sb.live_unkeep(self);
            }
        }
    }
}

impl SuperBlock {
    fn live_unkeep(&self, inode: &Inode) {
        if let (Some(live), Node::Live(node)) = (self.live(), &inode.node) {
            // The borrow ends before what may be the last reference goes.
            let kept = live.kept.borrow_mut().remove(&node.id);
            drop(kept);
        }
    }
}

/// Drops the directories that an inode holds, one after the other: a deep chain would use up the stack by recursion.
pub(crate) fn drop_parents(place: &mut Place) {
    let mut next = core::mem::take(&mut place.parent);
    while let Parent::Strong(parent) = next {
        // The list of inodes in use refers to it as well, weakly.
        if Rc::strong_count(&parent) > 1 {
            return;
        }
        next = core::mem::take(&mut parent.place.borrow_mut().parent);
    }
}
