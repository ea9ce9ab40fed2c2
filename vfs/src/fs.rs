//! File systems that live in memory: alone (tmpfs) or over a read-only lower tree (overlay).

use crate::content::{Content, ContentSource, LowerPart};
use crate::dir::{self, Directory};
use crate::inode::{Attr, Inode, InodeRef, Node};
use crate::live::Live;
use crate::lower::{Lower, LowerId};
use crate::types::{Clock, FileType, Name, StatFs, Timestamp, check_name};
use core::cell::{Cell, RefCell};
use friscy_abi::Errno;
use friscy_abi::stat as abi;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the inodes of one file system share.
pub struct SuperBlock {
    name: &'static str,
    magic: u64,
    dev: Cell<u64>,
    clock: Rc<dyn Clock>,
    lower: Option<Rc<dyn Lower>>,
    /// The owner of the files, where that is not this side.
    live: Option<Live>,
    /// Files of the lower tree with several names, so that all names lead to one inode.
    shared: RefCell<BTreeMap<LowerId, InodeRef>>,
    next_ino: Cell<u64>,
    /// The most bytes that written data may take.
    limit: Cell<u64>,
    used: Cell<u64>,
    /// The most inodes that may be in memory beside those of the lower tree.
    file_limit: Cell<u64>,
    /// Inodes in memory that did not begin in the lower tree.
    files: Cell<u64>,
}

/// The number of the lower tree's root; its other files follow.
const ROOT_INO: u64 = 2;
/// Inodes made in memory over a lower tree are numbered from here.
const FIRST_UPPER_INO: u64 = 1 << 32;

impl SuperBlock {
    pub(crate) fn new(
        name: &'static str,
        magic: u64,
        clock: Rc<dyn Clock>,
        lower: Option<Rc<dyn Lower>>,
    ) -> SuperBlock {
        let next_ino = if lower.is_some() { FIRST_UPPER_INO } else { ROOT_INO };
        SuperBlock {
            name,
            magic,
            dev: Cell::new(0),
            clock,
            lower,
            live: None,
            shared: RefCell::default(),
            next_ino: Cell::new(next_ino),
            limit: Cell::new(u64::MAX),
            used: Cell::new(0),
            file_limit: Cell::new(u64::MAX),
            files: Cell::new(0),
        }
    }

    pub(crate) fn with_live(self, live: Live) -> SuperBlock {
        SuperBlock { live: Some(live), ..self }
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// The device number; 0 before the first mount.
    #[must_use]
    pub fn dev(&self) -> u64 {
        self.dev.get()
    }

    pub(crate) fn set_dev(&self, dev: u64) {
        self.dev.set(dev);
    }

    /// The type as `/proc/mounts` names it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The bytes that written data takes now.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used.get()
    }

    /// What statfs(2) tells.
    #[must_use]
    pub fn statfs(&self) -> StatFs {
        const BLOCK: u64 = 4096;
        if let Some(told) = self.live.as_ref().and_then(|live| live.fs.statfs().ok()) {
            return StatFs { dev: self.dev(), ..told };
        }
        let (lower_bytes, lower_files) = self.lower.as_ref().map_or((0, 0), |lower| lower.totals());
        // Without a limit a size is named that programs can reckon with.
        let limit = self.limit.get().min(1 << 40);
        let free = limit.saturating_sub(self.used.get()) / BLOCK;
        let taken = (lower_bytes + self.used.get()).div_ceil(BLOCK);
        let (blocks, blocks_free) = if self.is_generated() { (0, 0) } else { (taken + free, free) };
        let left = self.file_limit.get().saturating_sub(self.files.get());
        let files_free = if self.is_generated() { 0 } else { left.min(1 << 20) };
        StatFs {
            magic: self.magic,
            block_size: BLOCK,
            blocks,
            blocks_free,
            files: lower_files + self.files.get() + files_free,
            files_free,
            name_max: 255,
            dev: self.dev(),
        }
    }

    fn is_generated(&self) -> bool {
        ![abi::TMPFS_MAGIC, abi::OVERLAYFS_SUPER_MAGIC].contains(&self.magic)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn lower(&self) -> Option<&Rc<dyn Lower>> {
        self.lower.as_ref()
    }

    pub(crate) fn room(&self) -> u64 {
        self.limit.get().saturating_sub(self.used.get())
    }

    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        bytes <= self.room()
    }

    /// Whether one more inode, or name of one, may be made.
    pub(crate) fn has_room_for_file(&self) -> bool {
        self.files.get() < self.file_limit.get()
    }

    /// Bounds what is not bounded yet: bytes of written data, and inodes.
    pub(crate) fn bound(&self, bytes: u64, files: u64) {
        if self.limit.get() == u64::MAX {
            self.limit.set(bytes);
        }
        if self.file_limit.get() == u64::MAX {
            self.file_limit.set(files);
        }
    }

    pub(crate) fn charge(&self, before: u64, after: u64) {
        self.used.set((self.used.get() + after).saturating_sub(before));
    }

    pub(crate) fn files_dropped(&self, count: u64) {
        self.files.set(self.files.get().saturating_sub(count));
    }

    pub(crate) fn fresh_ino(&self) -> u64 {
        let ino = self.next_ino.get();
        self.next_ino.set(ino + 1);
        ino
    }

    pub(crate) fn lower_ino(&self, id: LowerId) -> u64 {
        ROOT_INO + u64::from(id.0)
    }

    /// The inode for a file of the lower tree: a new one, unless the file has several names and one was used before.
    pub(crate) fn lower_inode(self: &Rc<SuperBlock>, id: LowerId) -> Result<InodeRef, Errno> {
        if let Some(inode) = self.shared.borrow().get(&id) {
            return Ok(inode.clone());
        }
        let lower = self.lower.as_ref().ok_or(Errno::EIO)?;
        let stat = lower.stat(id)?;
        let node = match stat.file_type {
            FileType::Regular => {
                let (source, base) = lower.content(id)?;
                let content = if stat.size == 0 {
                    Content::default()
                } else {
                    Content::from_lower(LowerPart { source, base, len: stat.size })
                };
                Node::Regular(RefCell::new(content))
            }
            FileType::Directory => Node::Directory(RefCell::new(Directory::new(Some(id)))),
            FileType::Symlink => Node::Symlink(lower.read_link(id)?),
            other => Node::Special(other),
        };
        let attr = Attr {
            mode: stat.mode & 0o7777,
            uid: stat.uid,
            gid: stat.gid,
            nlink: stat.nlink,
            rdev: stat.rdev,
            atime: stat.mtime,
            mtime: stat.mtime,
            ctime: stat.mtime,
            xattrs: lower.xattrs(id)?.into_iter().collect(),
        };
        let shared = stat.nlink > 1 && !stat.file_type.is_dir();
        let inode = Inode::new(self.clone(), self.lower_ino(id), node, attr, Some(id));
        if shared {
            self.shared.borrow_mut().insert(id, inode.clone());
        }
        Ok(inode)
    }

    /// A new inode without a name.
    pub(crate) fn new_inode(self: &Rc<SuperBlock>, new: NewNode<'_>, mode: u32, uid: u32, gid: u32) -> InodeRef {
        let now = self.now();
        let (node, rdev, nlink) = match new {
            NewNode::Regular => (Node::Regular(RefCell::default()), 0, 1),
            NewNode::Directory => (Node::Directory(RefCell::new(Directory::new(None))), 0, 2),
            NewNode::Symlink(target) => (Node::Symlink(target.to_vec()), 0, 1),
            NewNode::CharDevice(rdev) => (Node::Special(FileType::CharDevice), rdev, 1),
            NewNode::BlockDevice(rdev) => (Node::Special(FileType::BlockDevice), rdev, 1),
            NewNode::Fifo => (Node::Special(FileType::Fifo), 0, 1),
            NewNode::Socket => (Node::Special(FileType::Socket), 0, 1),
        };
        let attr = Attr {
            mode: mode & 0o7777,
            uid,
            gid,
            nlink,
            rdev,
            atime: now,
            mtime: now,
            ctime: now,
            xattrs: BTreeMap::new(),
        };
        self.files.set(self.files.get() + 1);
        if let NewNode::Symlink(target) = new {
            self.charge(0, target.len() as u64);
        }
        Inode::new(self.clone(), self.fresh_ino(), node, attr, None)
    }

    /// `inode` gets a further name. It counts as a file, as in tmpfs: nothing else bounds how many there are.
    pub(crate) fn linked(&self, inode: &InodeRef) {
        // The first name of a file without one was counted with the file.
        if inode.nlink() > 0 {
            inode.extra_links.set(inode.extra_links.get() + 1);
            self.files.set(self.files.get() + 1);
        }
        inode.change_nlink(1);
    }

    /// `inode` got one more name: if it came from the lower tree under one name only, it now outlives that.
    pub(crate) fn named_again(&self, inode: &InodeRef) {
        if let (2.., Some(id)) = (inode.nlink(), inode.lower) {
            self.shared.borrow_mut().insert(id, inode.clone());
        }
    }

    /// One name of `inode` is gone.
    pub(crate) fn unlinked(&self, inode: &InodeRef) {
        inode.change_nlink(-1);
        if let Some(left) = inode.extra_links.get().checked_sub(1) {
            inode.extra_links.set(left);
            self.files_dropped(1);
        }
        if let (0, Some(id)) = (inode.nlink(), inode.lower) {
            self.shared.borrow_mut().remove(&id);
        }
    }
}

/// What to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewNode<'a> {
    /// An empty regular file.
    Regular,
    /// An empty directory.
    Directory,
    /// A symbolic link with this target.
    Symlink(&'a [u8]),
    /// A character device with this number.
    CharDevice(u64),
    /// A block device with this number.
    BlockDevice(u64),
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
}

/// A file system: its root and what its inodes share. Dropping it forgets everything in it that is not in use.
pub struct FileSystem {
    root: InodeRef,
}

impl FileSystem {
    pub(crate) fn with_root(root: InodeRef) -> Rc<FileSystem> {
        Rc::new(FileSystem { root })
    }

    /// An empty file system in memory, its root directory with `mode` and of root's.
    #[must_use]
    pub fn tmpfs(clock: Rc<dyn Clock>, mode: u32) -> Rc<FileSystem> {
        FileSystem::in_memory("tmpfs", clock, mode)
    }

    pub(crate) fn in_memory(name: &'static str, clock: Rc<dyn Clock>, mode: u32) -> Rc<FileSystem> {
        let sb = Rc::new(SuperBlock::new(name, abi::TMPFS_MAGIC, clock, None));
        FileSystem::with_root(sb.new_inode(NewNode::Directory, mode, 0, 0))
    }

    /// `lower` made writable: changes stay in memory, and what is not changed stays in `lower`.
    ///
    /// # Errors
    /// The lower tree's error at its root; `ENOTDIR` if that is no directory.
    pub fn overlay(clock: Rc<dyn Clock>, lower: Rc<dyn Lower>) -> Result<Rc<FileSystem>, Errno> {
        let root_id = lower.root();
        let sb = Rc::new(SuperBlock::new("overlay", abi::OVERLAYFS_SUPER_MAGIC, clock, Some(lower)));
        let root = sb.lower_inode(root_id)?;
        if root.is_dir() { Ok(FileSystem::with_root(root)) } else { Err(Errno::ENOTDIR) }
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> &InodeRef {
        &self.root
    }

    /// What the inodes share.
    #[must_use]
    pub fn super_block(&self) -> &Rc<SuperBlock> {
        &self.root.sb
    }

    /// Bounds the memory for written data, targets of links and extended attributes; above it writing fails with `ENOSPC`.
    /// Data of the lower tree is not counted.
    pub fn set_limit(&self, bytes: u64) {
        self.root.sb.limit.set(bytes);
    }

    /// Bounds the inodes in memory and their further names; above it making files fails with `ENOSPC`. Files of the lower
    /// tree are not counted while they stay there.
    pub fn set_file_limit(&self, files: u64) {
        self.root.sb.file_limit.set(files);
    }

    /// A regular file without a name, as memfd_create(2) and `O_TMPFILE` make them.
    #[must_use]
    pub fn unnamed_file(&self, mode: u32, uid: u32, gid: u32) -> InodeRef {
        let inode = self.root.sb.new_inode(NewNode::Regular, mode, uid, gid);
        inode.attr.borrow_mut().nlink = 0;
        inode
    }

    /// Makes a file at a path below the root, and missing parents with mode 0755, all of root's; for preparing a file
    /// system before anything runs. Symbolic links on the way are not followed; `/` at the beginning is ignored.
    ///
    /// # Errors
    /// `EEXIST`, `ENOTDIR`, or what the names make impossible; `EPERM` in a generated file system.
    pub fn add(&self, path: &[u8], new: NewNode<'_>, mode: u32) -> Result<InodeRef, Errno> {
        let inode = self.root.sb.new_inode(new, mode, 0, 0);
        self.place(path, &inode)?;
        Ok(inode)
    }

    /// As [`FileSystem::add`], a regular file whose contents are `len` bytes at `offset` of `source`; they are not
    /// copied.
    ///
    /// # Errors
    /// As [`FileSystem::add`].
    pub fn add_file(
        &self,
        path: &[u8],
        mode: u32,
        source: Rc<dyn ContentSource>,
        offset: u64,
        len: u64,
    ) -> Result<InodeRef, Errno> {
        let inode = self.root.sb.new_inode(NewNode::Regular, mode, 0, 0);
        if let Node::Regular(content) = &inode.node {
            if len > 0 {
                *content.borrow_mut() = Content::from_lower(LowerPart { source, base: offset, len });
            }
        }
        self.place(path, &inode)?;
        Ok(inode)
    }

    fn place(&self, path: &[u8], inode: &InodeRef) -> Result<(), Errno> {
        let mut names = path.split(|&b| b == b'/').filter(|name| !name.is_empty()).peekable();
        let mut dir = self.root.clone();
        while let Some(name) = names.next() {
            check_name(name)?;
            if names.peek().is_none() {
                return match dir.lookup(name) {
                    Ok(_) => Err(Errno::EEXIST),
                    Err(Errno::ENOENT) => dir.insert(&Name::from(name), inode),
                    Err(error) => Err(error),
                };
            }
            dir = match dir.lookup(name) {
                Err(Errno::ENOENT) => {
                    let made = self.root.sb.new_inode(NewNode::Directory, 0o755, 0, 0);
                    dir.insert(&Name::from(name), &made)?;
                    made
                }
                other => other?,
            };
        }
        Err(Errno::EEXIST)
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        // Files with several names are held by what they themselves hold.
        let shared = std::mem::take(&mut *self.root.sb.shared.borrow_mut());
        drop(shared);
        if let Some(live) = &self.root.sb.live {
            live.clear();
        }
        // Trees are taken apart one directory at a time: dropping a deep one by recursion could use up the stack.
        let mut pending = vec![self.root.clone()];
        while let Some(inode) = pending.pop() {
            let only_here = Rc::strong_count(&inode) == 1 || Rc::ptr_eq(&inode, &self.root);
            if let (true, Node::Directory(dir)) = (only_here, &inode.node) {
                pending.append(&mut dir::clear(&mut dir.borrow_mut()));
            }
        }
    }
}
