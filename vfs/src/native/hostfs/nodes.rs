//! Which files are known, and how each is reached: by its descriptor, else by name from the directory that held it.

use super::content::HostFile;
use super::{HostFs, ROOT, attrs, errno, is_procfs};
use crate::live::{LiveEntry, LiveId};
use crate::types::{FileType, Name, check_name};
use friscy_abi::Errno;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, Stat, fstat, openat};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// What tells files apart on the host.
type Key = (u64, u64, FileType);

/// A file that the guest's side has an inode for.
pub(super) struct Node {
    key: Key,
    /// Where it was seen last. The root's is itself and an empty name.
    parent: LiveId,
    name: Name,
    /// The descriptor of a file that can no longer be reached by name, and of the root.
    pinned: Option<Rc<OwnedFd>>,
    /// The descriptions of a regular file.
    open: Vec<Weak<HostFile>>,
}

fn key(stat: &Stat) -> Key {
    (stat.st_dev, stat.st_ino, attrs::file_type(stat))
}

impl Node {
    pub(super) fn root(stat: &Stat, file_type: FileType, fd: OwnedFd) -> Node {
        Node {
            key: (stat.st_dev, stat.st_ino, file_type),
            parent: ROOT,
            name: Name::from([]),
            pinned: Some(Rc::new(fd)),
            open: Vec::new(),
        }
    }
}

/// A descriptor of a file.
pub(super) enum AnyFd {
    /// One that only names it (`O_PATH`).
    Path(Rc<OwnedFd>),
    /// One that is open for reading or writing.
    Open(Rc<HostFile>),
}

impl AnyFd {
    pub(super) fn fd(&self) -> &OwnedFd {
        match self {
            AnyFd::Path(fd) => fd,
            AnyFd::Open(file) => file.fd(),
        }
    }
}

/// All of them.
pub(super) struct Nodes {
    all: BTreeMap<LiveId, Node>,
    by_key: BTreeMap<Key, LiveId>,
    next: u64,
}

impl Nodes {
    pub(super) fn new(id: LiveId, root: Node) -> Nodes {
        let by_key = BTreeMap::from([(root.key, id)]);
        Nodes { all: BTreeMap::from([(id, root)]), by_key, next: id.0 + 1 }
    }

    pub(super) fn forget(&mut self, id: LiveId) -> Option<Node> {
        let node = self.all.remove(&id)?;
        if self.by_key.get(&node.key) == Some(&id) {
            self.by_key.remove(&node.key);
        }
        Some(node)
    }

    /// Whether `dir` is `ancestor` or lies below it.
    fn is_within(&self, mut dir: LiveId, ancestor: LiveId) -> bool {
        while dir != ancestor {
            match self.all.get(&dir) {
                Some(node) if dir != ROOT => dir = node.parent,
                _ => return false,
            }
        }
        true
    }

    /// The id for a file that was seen under a name.
    ///
    /// # Errors
    /// `ELOOP` for a directory that holds the one it was found in: a mount of the host's can make such.
    fn enter(&mut self, key: Key, dir: LiveId, name: &[u8]) -> Result<LiveId, Errno> {
        if let Some(&id) = self.by_key.get(&key) {
            self.moved(id, dir, name)?;
            return Ok(id);
        }
        let id = LiveId(self.next);
        self.next += 1;
        self.by_key.insert(key, id);
        self.all.insert(id, Node { key, parent: dir, name: Name::from(name), pinned: None, open: Vec::new() });
        Ok(id)
    }

    /// Notes where a file is now.
    ///
    /// # Errors
    /// As [`Nodes::enter`].
    fn moved(&mut self, id: LiveId, dir: LiveId, name: &[u8]) -> Result<(), Errno> {
        let Some(node) = self.all.get(&id) else { return Ok(()) };
        if node.parent == dir && &*node.name == name {
            return Ok(());
        }
        if id == ROOT || (node.key.2.is_dir() && self.is_within(dir, id)) {
            return Err(Errno::ELOOP);
        }
        if let Some(node) = self.all.get_mut(&id) {
            node.parent = dir;
            node.name = Name::from(name);
        }
        Ok(())
    }
}

/// Checks that the host may be given `name` to look up in a directory.
///
/// # Errors
/// `EINVAL` for what is not a single name, `ENAMETOOLONG`.
pub(super) fn single(name: &[u8]) -> Result<&[u8], Errno> {
    check_name(name).map(|()| name)
}

impl HostFs {
    pub(super) fn node<R>(&self, id: LiveId, get: impl FnOnce(&Node) -> R) -> Result<R, Errno> {
        self.nodes.borrow().all.get(&id).map(get).ok_or(Errno::ESTALE)
    }

    /// The kind of a file.
    pub(super) fn kind(&self, id: LiveId) -> Result<FileType, Errno> {
        self.node(id, |node| node.key.2)
    }

    /// The device that a file is on.
    pub(super) fn dev(&self, id: LiveId) -> Result<u64, Errno> {
        self.node(id, |node| node.key.0)
    }

    /// Opens a name in a directory as what it is, without opening the file itself.
    fn open_name(&self, dir: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.fds.with_room(|| openat(dir, name, flags, Mode::empty()))
    }

    /// A descriptor (`O_PATH`) of a file.
    ///
    /// # Errors
    /// `ESTALE` if it is no longer where it was last; `ENFILE`; the host's.
    pub(super) fn path_fd(&self, id: LiveId) -> Result<Rc<OwnedFd>, Errno> {
        // Up to a directory that is open, then down again.
        let mut missing = Vec::new();
        let mut at = id;
        let mut fd = loop {
            if let Some(fd) = self.fds.get(at) {
                break fd;
            }
            let nodes = self.nodes.borrow();
            let node = nodes.all.get(&at).ok_or(Errno::ESTALE)?;
            if let Some(fd) = &node.pinned {
                break fd.clone();
            }
            missing.push((at, node.name.clone(), node.key));
            at = node.parent;
        };
        for (id, name, expected) in missing.into_iter().rev() {
            let found =
                self.open_name(&fd, single(&name).map_err(|_| Errno::ESTALE)?).map_err(|error| match error {
                    Errno::ENOENT | Errno::ENOTDIR => Errno::ESTALE,
                    other => other,
                })?;
            if key(&fstat(&found).map_err(errno)?) != expected {
                return Err(Errno::ESTALE);
            }
            fd = Rc::new(found);
            self.fds.keep(id, fd.clone());
        }
        Ok(fd)
    }

    /// A descriptor of a directory, to look up or change names in.
    pub(super) fn dir_fd(&self, id: LiveId) -> Result<Rc<OwnedFd>, Errno> {
        if !self.kind(id)?.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        self.path_fd(id)
    }

    /// Any descriptor of a file: that of an open description needs no name, else the one that [`HostFs::path_fd`]
    /// finds.
    pub(super) fn any_fd(&self, id: LiveId) -> Result<AnyFd, Errno> {
        match self.node(id, |node| node.open.iter().find_map(Weak::upgrade))? {
            Some(file) => Ok(AnyFd::Open(file)),
            None => Ok(AnyFd::Path(self.path_fd(id)?)),
        }
    }

    /// What the host tells of a file.
    pub(super) fn host_stat(&self, id: LiveId) -> Result<Stat, Errno> {
        fstat(self.any_fd(id)?.fd()).map_err(errno)
    }

    /// Looks a name up.
    pub(super) fn find(&self, dir: LiveId, name: &[u8]) -> Result<LiveEntry, Errno> {
        let dir_fd = self.dir_fd(dir)?;
        let fd = self.open_name(&dir_fd, single(name)?)?;
        let stat = fstat(&fd).map_err(errno)?;
        if stat.st_dev != self.dev(dir)? && is_procfs(&fd).map_err(errno)? {
            return Err(Errno::EACCES);
        }
        let id = self.nodes.borrow_mut().enter(key(&stat), dir, name)?;
        if self.node(id, |node| node.pinned.is_none())? {
            self.fds.keep(id, Rc::new(fd));
        }
        Ok(LiveEntry { id, ino: self.guest_ino(&stat), stat: self.convert(&stat) })
    }

    /// Enters a regular file that was just made, by its description. Without a name it is reached by that only.
    pub(super) fn enter_created(
        &self,
        dir: LiveId,
        name: Option<&[u8]>,
        stat: &Stat,
        file: &Rc<HostFile>,
    ) -> Result<LiveEntry, Errno> {
        let id = self.nodes.borrow_mut().enter(key(stat), dir, name.unwrap_or_default())?;
        self.opened(id, file);
        Ok(LiveEntry { id, ino: self.guest_ino(stat), stat: self.convert(stat) })
    }

    /// Notes a description of a file.
    pub(super) fn opened(&self, id: LiveId, file: &Rc<HostFile>) {
        if let Some(node) = self.nodes.borrow_mut().all.get_mut(&id) {
            node.open.retain(|open| open.strong_count() > 0);
            node.open.push(Rc::downgrade(file));
        }
    }

    /// Holds a descriptor of a file as long as the file is used: its name is gone.
    pub(super) fn pin(&self, id: LiveId, fd: Rc<OwnedFd>) {
        if let Some(node) = self.nodes.borrow_mut().all.get_mut(&id) {
            node.pinned = Some(fd);
        }
        self.fds.close(id);
    }

    /// Notes that a file was given this name, or was renamed to it.
    pub(super) fn named(&self, id: LiveId, dir: LiveId, name: &[u8]) {
        // The host would not have done it if a directory came to lie in itself.
        let _ = self.nodes.borrow_mut().moved(id, dir, name);
    }
}
