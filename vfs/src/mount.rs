//! Mounts, and locations: an inode together with the mount and the name through which it was reached.

use crate::fs::{FileSystem, SuperBlock};
use crate::inode::{InodeId, InodeRef};
use crate::types::{Clock, FileType, Metadata, Name, makedev};
use core::cell::{Cell, RefCell};
use core::fmt;
use friscy_abi::Errno;
use friscy_abi::stat as abi;
use std::rc::{Rc, Weak};

/// A mount in use.
pub type MountRef = Rc<Mount>;

/// The options of a mount. Only `read_only` means something here; the kernel looks at the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MountFlags {
    /// `ro`: changes fail with `EROFS`.
    pub read_only: bool,
    /// `nosuid`.
    pub no_suid: bool,
    /// `nodev`: opening a device fails with `EACCES`.
    pub no_dev: bool,
    /// `noexec`.
    pub no_exec: bool,
    /// `noatime`.
    pub no_atime: bool,
}

/// Where a mount is attached.
struct Attachment {
    mount: Weak<Mount>,
    inode: InodeRef,
    via: Via,
}

/// A file system, or a part of one, attached to the tree.
pub struct Mount {
    id: u32,
    fs: Rc<FileSystem>,
    root: InodeRef,
    source: Vec<u8>,
    flags: Cell<MountFlags>,
    at: RefCell<Option<Attachment>>,
    children: RefCell<Vec<MountRef>>,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mount({} {})", self.id, self.fs.super_block().name())
    }
}

impl Mount {
    /// The number in `/proc/self/mountinfo`.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The options.
    #[must_use]
    pub fn flags(&self) -> MountFlags {
        self.flags.get()
    }

    /// Changes the options, as `MS_REMOUNT` does.
    pub fn set_flags(&self, flags: MountFlags) {
        self.flags.set(flags);
    }

    /// The file system.
    #[must_use]
    pub fn file_system(&self) -> &Rc<FileSystem> {
        &self.fs
    }

    pub(crate) fn root_id(&self) -> InodeId {
        self.root.id()
    }

    fn is_root(&self, inode: &InodeRef) -> bool {
        Rc::ptr_eq(&self.root, inode) || self.root.id() == inode.id()
    }

    fn child_at(&self, inode: InodeId) -> Option<MountRef> {
        let children = self.children.borrow();
        let found =
            children.iter().rev().find(|child| child.at.borrow().as_ref().is_some_and(|at| at.inode.id() == inode));
        found.cloned()
    }
}

/// The name through which an inode was reached.
#[derive(Clone)]
pub(crate) enum Via {
    /// A directory knows its name itself; the root of a mount has that of its mount point.
    Itself,
    /// A name in a directory.
    Entry(InodeRef, Name),
    /// No name in any directory: a pipe, a socket.
    Label(Name),
}

/// An inode together with the mount and the name through which it was reached (Linux: `struct path`).
#[derive(Clone)]
pub struct Location {
    pub(crate) mount: MountRef,
    pub(crate) inode: InodeRef,
    pub(crate) via: Via,
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path_from(None);
        write!(f, "Location({:?} on {:?})", String::from_utf8_lossy(&path.bytes), self.mount)
    }
}

/// A path made from a location.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathName {
    /// The absolute path; for pipes and the like their label (`pipe:[7]`).
    pub bytes: Vec<u8>,
    /// The name was removed. getcwd(2) fails with `ENOENT` then.
    pub deleted: bool,
    /// The root that was asked for is not above it.
    pub unreachable: bool,
}

impl PathName {
    /// The text of links in `/proc/PID/fd`: with ` (deleted)` where that is so.
    #[must_use]
    pub fn proc_text(mut self) -> Vec<u8> {
        if self.deleted {
            self.bytes.extend_from_slice(b" (deleted)");
        }
        self.bytes
    }
}

impl Location {
    /// The inode.
    #[must_use]
    pub fn inode(&self) -> &InodeRef {
        &self.inode
    }

    /// The mount.
    #[must_use]
    pub fn mount(&self) -> &MountRef {
        &self.mount
    }

    /// What stat(2) tells.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    /// Whether both are the same inode on the same mount.
    #[must_use]
    pub fn same(&self, other: &Location) -> bool {
        Rc::ptr_eq(&self.mount, &other.mount) && self.inode.id() == other.inode.id()
    }

    pub(crate) fn root_of(mount: &MountRef) -> Location {
        Location { mount: mount.clone(), inode: mount.root.clone(), via: Via::Itself }
    }

    /// The location of `inode`, which `dir` holds under `name`, before mounts on it are followed.
    pub(crate) fn child(&self, name: &[u8], inode: InodeRef) -> Location {
        let via = if inode.is_dir() { Via::Itself } else { Via::Entry(self.inode.clone(), Name::from(name)) };
        Location { mount: self.mount.clone(), inode, via }
    }

    /// The location of `dir`, a directory on the same mount.
    pub(crate) fn dir_on_same_mount(&self, dir: InodeRef) -> Location {
        Location { mount: self.mount.clone(), inode: dir, via: Via::Itself }
    }

    /// Whether a mount is attached here.
    pub(crate) fn is_mount_point(&self) -> bool {
        !self.mount.children.borrow().is_empty() && self.mount.child_at(self.inode.id()).is_some()
    }

    /// The root of the topmost mount attached here, or this location; and whether a mount was entered.
    pub(crate) fn cross_down(mut self) -> (Location, bool) {
        let mut crossed = false;
        while !self.mount.children.borrow().is_empty() {
            let Some(child) = self.mount.child_at(self.inode.id()) else { break };
            self = Location::root_of(&child);
            crossed = true;
        }
        (self, crossed)
    }

    /// For the root of a mount: where the mount is attached.
    pub(crate) fn mount_point(&self) -> Option<Location> {
        if !self.mount.is_root(&self.inode) {
            return None;
        }
        let at = self.mount.at.borrow();
        let at = at.as_ref()?;
        Some(Location { mount: at.mount.upgrade()?, inode: at.inode.clone(), via: at.via.clone() })
    }

    /// The path as seen from `root` (or from the very top). Follows what happened to names since: a renamed directory
    /// is found under its new name, and so is a renamed file with one name.
    #[must_use]
    pub fn path_from(&self, root: Option<&Location>) -> PathName {
        let mut names: Vec<Name> = Vec::new();
        let mut deleted = false;
        let mut unreachable = false;
        let mut at = self.clone();
        loop {
            if root.is_some_and(|root| root.same(&at)) {
                break;
            }
            if at.mount.is_root(&at.inode) {
                match at.mount_point() {
                    Some(above) => at = above,
                    None => {
                        unreachable = root.is_some();
                        break;
                    }
                }
                continue;
            }
            let (dir, name) = match &at.via {
                Via::Label(label) => {
                    return PathName { bytes: label.to_vec(), deleted: false, unreachable: false };
                }
                Via::Entry(dir, name) if dir.holds(name, &at.inode) => (dir.clone(), name.clone()),
                // Renamed since, or removed: the name it had last.
                Via::Entry(dir, name) => {
                    let (dir, name) = at.last_place().unwrap_or((dir.clone(), name.clone()));
                    deleted |= !dir.holds(&name, &at.inode);
                    (dir, name)
                }
                Via::Itself => {
                    let place = at.inode.place.borrow();
                    deleted |= place.removed;
                    match (at.inode.parent(), &place.name) {
                        (Some(dir), Some(name)) => (dir, name.clone()),
                        _ => {
                            unreachable = true;
                            break;
                        }
                    }
                }
            };
            names.push(name);
            at = Location { mount: at.mount.clone(), inode: dir, via: Via::Itself };
        }
        let mut bytes = Vec::new();
        for name in names.iter().rev() {
            bytes.push(b'/');
            bytes.extend_from_slice(name);
        }
        if bytes.is_empty() {
            bytes.push(b'/');
        }
        PathName { bytes, deleted, unreachable }
    }

    /// The directory that holds it, and its name there; none for the root of a mount and for what has no name.
    #[must_use]
    pub fn parent_entry(&self) -> Option<(InodeRef, Name)> {
        match &self.via {
            _ if self.mount.is_root(&self.inode) => None,
            Via::Label(_) => None,
            Via::Entry(dir, name) if dir.holds(name, &self.inode) => Some((dir.clone(), name.clone())),
            Via::Entry(..) | Via::Itself => {
                self.last_place().filter(|(dir, name)| self.inode.is_dir() || dir.holds(name, &self.inode))
            }
        }
    }

    fn last_place(&self) -> Option<(InodeRef, Name)> {
        Some((self.inode.parent()?, self.inode.place.borrow().name.clone()?))
    }
}

/// A row of `/proc/self/mountinfo`.
#[derive(Clone, Debug)]
pub struct MountInfo {
    /// The mount.
    pub mount: MountRef,
    /// The number of the mount that it is attached to; its own for the first.
    pub parent_id: u32,
    /// The path of the attached part inside its file system.
    pub root: Vec<u8>,
    /// Where it is attached, seen from the root that was asked for.
    pub mount_point: Vec<u8>,
    /// The source as given.
    pub source: Vec<u8>,
}

/// The tree of mounts, and everything that begins with a path.
pub struct Vfs {
    root: MountRef,
    anonymous: MountRef,
    next_mount_id: Cell<u32>,
    next_dev: Cell<u32>,
}

impl Vfs {
    /// A tree with `root` at its root.
    #[must_use]
    pub fn new(clock: Rc<dyn Clock>, root: Rc<FileSystem>) -> Vfs {
        root.super_block().set_dev(makedev(0, 1));
        let unnamed = SuperBlock::new("anon_inodefs", abi::ANON_INODE_FS_MAGIC, clock, None);
        unnamed.set_dev(makedev(0, 2));
        let anonymous = FileSystem::with_root(Rc::new(unnamed).new_inode(crate::fs::NewNode::Directory, 0o700, 0, 0));
        Vfs {
            root: new_mount(1, root, b"overlay"),
            anonymous: new_mount(0, anonymous, b"none"),
            next_mount_id: Cell::new(2),
            next_dev: Cell::new(3),
        }
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Location {
        Location::root_of(&self.root).cross_down().0
    }

    /// Attaches `fs` at `at`.
    ///
    /// # Errors
    /// `ENOTDIR` unless both are directories or both are not.
    pub fn mount(
        &self,
        at: &Location,
        fs: Rc<FileSystem>,
        source: &[u8],
        flags: MountFlags,
    ) -> Result<MountRef, Errno> {
        if fs.super_block().dev() == 0 {
            fs.super_block().set_dev(makedev(0, self.next_dev.get()));
            self.next_dev.set(self.next_dev.get() + 1);
        }
        let root = fs.root().clone();
        self.attach(at, fs, root, source, flags)
    }

    /// Attaches a part of the tree at a second place (`MS_BIND`); mounts inside it do not come along.
    ///
    /// # Errors
    /// As [`Vfs::mount`].
    pub fn bind(&self, at: &Location, what: &Location, flags: MountFlags) -> Result<MountRef, Errno> {
        let source = what.mount.source.clone();
        self.attach(at, what.mount.fs.clone(), what.inode.clone(), &source, flags)
    }

    fn attach(
        &self,
        at: &Location,
        fs: Rc<FileSystem>,
        root: InodeRef,
        source: &[u8],
        flags: MountFlags,
    ) -> Result<MountRef, Errno> {
        if at.inode.is_dir() != root.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if at.inode.is_removed_dir() {
            return Err(Errno::ENOENT);
        }
        let id = self.next_mount_id.get();
        self.next_mount_id.set(id + 1);
        let at = at.clone().cross_down().0;
        let mount = Rc::new(Mount {
            id,
            fs,
            root,
            source: source.to_vec(),
            flags: Cell::new(flags),
            at: RefCell::new(Some(Attachment {
                mount: Rc::downgrade(&at.mount),
                inode: at.inode.clone(),
                via: at.via.clone(),
            })),
            children: RefCell::default(),
        });
        at.mount.children.borrow_mut().push(mount.clone());
        Ok(mount)
    }

    /// Detaches the mount whose root `at` is. What is open in it stays usable. `lazy` (`MNT_DETACH`) also detaches a
    /// mount that has others attached to it.
    ///
    /// # Errors
    /// `EINVAL` if `at` is not the root of a mount, or is the root of the tree; `EBUSY` if mounts are attached inside.
    pub fn unmount(&self, at: &Location, lazy: bool) -> Result<(), Errno> {
        let above = at.mount_point().ok_or(Errno::EINVAL)?;
        if !lazy && !at.mount.children.borrow().is_empty() {
            return Err(Errno::EBUSY);
        }
        above.mount.children.borrow_mut().retain(|child| !Rc::ptr_eq(child, &at.mount));
        *at.mount.at.borrow_mut() = None;
        Ok(())
    }

    /// Bounds what files may take of a guest's memory of `bytes`, in every file system that is mounted and has no bound of
    /// its own: three quarters of it for the root, which programs are installed into; half of it elsewhere, as tmpfs(5)
    /// says; a file for every 2 KiB and for every two pages. Past that, writing and making files fail with `ENOSPC`.
    pub fn limit_memory(&self, bytes: u64) {
        const FILE_OF_ROOT: u64 = 2 << 10;
        const FILE: u64 = 8 << 10;
        let mut pending = vec![self.root.clone()];
        while let Some(mount) = pending.pop() {
            let sb = mount.fs.super_block();
            if core::ptr::eq(&*mount, &*self.root) {
                sb.bound(bytes / 4 * 3, bytes / FILE_OF_ROOT);
            } else {
                sb.bound(bytes / 2, bytes / FILE);
            }
            pending.extend(mount.children.borrow().iter().cloned());
        }
        self.anonymous.fs.super_block().bound(bytes / 2, u64::MAX);
    }

    /// All mounts reachable from `root`, parents first, in the order in which they were attached.
    #[must_use]
    pub fn mounts(&self, root: &Location) -> Vec<MountInfo> {
        let mut all = Vec::new();
        let mut pending = vec![self.root.clone()];
        while let Some(mount) = pending.pop() {
            pending.extend(mount.children.borrow().iter().rev().cloned());
            let above = Location::root_of(&mount).mount_point();
            let point = Location::root_of(&mount).path_from(Some(root));
            if point.unreachable {
                continue;
            }
            let own = mount.root.place.borrow().name.is_some();
            let inside = if own { path_inside(&mount) } else { b"/".to_vec() };
            all.push(MountInfo {
                parent_id: above.map_or(mount.id, |above| above.mount.id),
                root: inside,
                mount_point: point.bytes,
                source: mount.source.clone(),
                mount,
            });
        }
        all
    }

    /// An inode that no directory holds: a pipe, a socket, an epoll instance. `label` is what `/proc/PID/fd` shows
    /// for it, made from its number, as `pipe:[7]`.
    #[must_use]
    pub fn anonymous(&self, kind: FileType, mode: u32, uid: u32, gid: u32, label: &dyn Fn(u64) -> String) -> Location {
        use crate::fs::NewNode;
        let new = match kind {
            FileType::Regular | FileType::Symlink => NewNode::Regular,
            FileType::Directory => NewNode::Directory,
            FileType::CharDevice => NewNode::CharDevice(0),
            FileType::BlockDevice => NewNode::BlockDevice(0),
            FileType::Fifo => NewNode::Fifo,
            FileType::Socket => NewNode::Socket,
        };
        let inode = self.anonymous.fs.super_block().new_inode(new, mode, uid, gid);
        let label = Name::from(label(inode.ino).into_bytes());
        Location { mount: self.anonymous.clone(), inode, via: Via::Label(label) }
    }
}

fn new_mount(id: u32, fs: Rc<FileSystem>, source: &[u8]) -> MountRef {
    let root = fs.root().clone();
    Rc::new(Mount {
        id,
        fs,
        root,
        source: source.to_vec(),
        flags: Cell::default(),
        at: RefCell::new(None),
        children: RefCell::default(),
    })
}

/// The path of a mount's root inside its file system.
fn path_inside(mount: &Mount) -> Vec<u8> {
    let mut names = Vec::new();
    let mut at = mount.root.clone();
    while let Some(parent) = at.parent() {
        if let Some(name) = &at.place.borrow().name {
            names.push(name.clone());
        }
        at = parent;
    }
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}
