//! Directories in memory, over a directory of the lower tree or over nothing.

use crate::inode::{Inode, InodeRef, Node, Parent};
use crate::lower::LowerId;
use crate::types::{DirEntry, FileType, Name};
use friscy_abi::Errno;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a name leads to.
enum Target {
    /// An inode in memory.
    Inode(InodeRef),
    /// A file of the lower tree that nobody looked up yet.
    Lower(LowerId, FileType),
    /// The lower tree has the name, but it was removed.
    Whiteout,
}

struct Entry {
    /// The position in listings; 0 as long as the lower directory was not listed.
    position: u64,
    target: Target,
}

/// The entries of a directory.
///
/// As long as `lower` is there, names that are not in `entries` are looked up below. The first listing merges the
/// lower names in; from then on `entries` is all there is, and each entry has a position that never changes, so that
/// a listing that goes on after changes neither repeats nor drops a name.
pub(crate) struct Directory {
    entries: BTreeMap<Name, Entry>,
    positions: BTreeMap<u64, Name>,
    next_position: u64,
    lower: Option<LowerId>,
}

/// The position of the first real entry; 0 and 1 are `.` and `..`.
const FIRST: u64 = 2;

impl Directory {
    pub(crate) fn new(lower: Option<LowerId>) -> Directory {
        Directory { entries: BTreeMap::new(), positions: BTreeMap::new(), next_position: FIRST, lower }
    }

    fn set(&mut self, name: &Name, target: Target) {
        // Before the first listing nobody has seen a position.
        let position = if self.lower.is_none() { self.next_position } else { 0 };
        if position != 0 {
            self.next_position += 1;
            self.positions.insert(position, name.clone());
        }
        if let Some(old) = self.entries.insert(name.clone(), Entry { position, target }) {
            self.positions.remove(&old.position);
        }
    }

    fn forget(&mut self, name: &[u8]) {
        if let Some(old) = self.entries.remove(name) {
            self.positions.remove(&old.position);
        }
    }
}

/// Removes all entries; called once a file system is no longer in use.
pub(crate) fn clear(dir: &mut Directory) -> Vec<InodeRef> {
    let entries = std::mem::take(&mut dir.entries);
    entries
        .into_values()
        .filter_map(|entry| match entry.target {
            Target::Inode(inode) => Some(inode),
            _ => None,
        })
        .collect()
}

impl Inode {
    fn directory(&self) -> Result<&core::cell::RefCell<Directory>, Errno> {
        match &self.node {
            Node::Directory(dir) => Ok(dir),
            Node::SynthDir(_) => Err(Errno::EPERM),
            // Live directories are dealt with before.
            Node::Live(_) if self.is_dir() => Err(Errno::EIO),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Looks a name up in this directory, without permission checks; `.` and `..` are not names.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, or the lower tree's error.
    pub fn lookup(self: &Rc<Inode>, name: &[u8]) -> Result<InodeRef, Errno> {
        if name.len() > crate::types::NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        match &self.node {
            Node::Directory(_) => {}
            Node::Live(_) => {
                let (live, id) = self.live().ok_or(Errno::EIO)?;
                return self.live_lookup(live, id, name);
            }
            Node::SynthDir(dir) => {
                let node = dir.lookup(name).ok_or(Errno::ENOENT)?;
                return Ok(crate::synth::make_inode(self, name, node));
            }
            _ => return Err(Errno::ENOTDIR),
        }
        let dir = self.directory()?;
        let (name, id) = {
            let dir = dir.borrow();
            match dir.entries.get_key_value(name) {
                Some((_, Entry { target: Target::Inode(inode), .. })) => return Ok(inode.clone()),
                Some((_, Entry { target: Target::Whiteout, .. })) => return Err(Errno::ENOENT),
                Some((name, Entry { target: Target::Lower(id, _), .. })) => (name.clone(), *id),
                None => {
                    let (Some(lower_dir), Some(lower)) = (dir.lower, self.sb.lower()) else {
                        return Err(Errno::ENOENT);
                    };
                    (Name::from(name), lower.lookup(lower_dir, name)?.ok_or(Errno::ENOENT)?)
                }
            }
        };
        let inode = self.sb.lower_inode(id)?;
        inode.placed(self, &name);
        let mut dir = dir.borrow_mut();
        match dir.entries.get_mut(&name) {
            Some(entry) => entry.target = Target::Inode(inode.clone()),
            None => dir.set(&name, Target::Inode(inode.clone())),
        }
        Ok(inode)
    }

    /// Whether `name` leads to `inode` at this moment.
    pub(crate) fn holds(&self, name: &[u8], inode: &Inode) -> bool {
        match &self.node {
            Node::Directory(dir) => match dir.borrow().entries.get(name) {
                Some(Entry { target: Target::Inode(held), .. }) => core::ptr::eq(&**held, inode),
                _ => false,
            },
            Node::SynthDir(dir) => dir.lookup(name).is_some(),
            Node::Live(_) => match (self.live(), inode.live()) {
                (Some((live, dir)), Some((_, id))) => live.lookup(dir, name).is_ok_and(|found| found.id == id),
                _ => false,
            },
            _ => false,
        }
    }

    /// Puts `inode` at `name`, which must be free, and counts the links.
    pub(crate) fn insert(self: &Rc<Inode>, name: &Name, inode: &InodeRef) -> Result<(), Errno> {
        let dir = self.directory()?;
        dir.borrow_mut().set(name, Target::Inode(inode.clone()));
        inode.placed(self, name);
        if inode.is_dir() {
            self.change_nlink(1);
        }
        self.modified();
        Ok(())
    }

    /// Removes `name`, which leads to `inode`. The inode's own links are the caller's to count.
    pub(crate) fn remove(self: &Rc<Inode>, name: &[u8], inode: &InodeRef) -> Result<(), Errno> {
        let mut dir = self.directory()?.borrow_mut();
        let hides_lower = match (dir.lower, self.sb.lower()) {
            // If the lower tree fails, the name is hidden to be safe.
            (Some(lower_dir), Some(lower)) => lower.lookup(lower_dir, name).map_or(true, |found| found.is_some()),
            _ => false,
        };
        dir.forget(name);
        if hides_lower {
            dir.set(&Name::from(name), Target::Whiteout);
        }
        drop(dir);
        if inode.is_dir() {
            self.change_nlink(-1);
        }
        self.modified();
        Ok(())
    }

    /// Notes that this directory has no name any more. `parent` is what `..` goes on to mean.
    pub(crate) fn directory_removed(&self, parent: &InodeRef) {
        let mut place = self.place.borrow_mut();
        place.parent = Parent::Strong(parent.clone());
        place.removed = true;
        let mut attr = self.attr.borrow_mut();
        attr.nlink = 0;
        attr.ctime = self.sb.now();
    }

    /// Whether this is a directory that was removed: nothing can be made in it.
    #[must_use]
    pub fn is_removed_dir(&self) -> bool {
        self.is_dir() && self.place.borrow().removed
    }

    /// Makes `entries` complete and gives everything a position.
    fn merge(&self) -> Result<(), Errno> {
        let dir = self.directory()?;
        let Some(lower_dir) = dir.borrow().lower else { return Ok(()) };
        let listed = match self.sb.lower() {
            Some(lower) => lower.list(lower_dir)?,
            None => Vec::new(),
        };
        let mut dir = dir.borrow_mut();
        let mut old = std::mem::take(&mut dir.entries);
        dir.lower = None;
        for (name, id, file_type) in listed {
            let target = old.remove(&name).map_or(Target::Lower(id, file_type), |entry| entry.target);
            if !matches!(target, Target::Whiteout) {
                dir.set(&name, target);
            }
        }
        for (name, entry) in old {
            if !matches!(entry.target, Target::Whiteout) {
                dir.set(&name, entry.target);
            }
        }
        Ok(())
    }

    /// Whether a directory holds no names.
    pub(crate) fn is_empty_dir(&self) -> Result<bool, Errno> {
        self.merge()?;
        Ok(self.directory()?.borrow().entries.is_empty())
    }

    /// Gives the entries from position `offset` on until `give` returns `false`; that entry counts as not given.
    /// `.` and `..` come first.
    pub(crate) fn list_from(
        self: &Rc<Inode>,
        parent_ino: u64,
        offset: u64,
        give: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> Result<(), Errno> {
        self.merge()?;
        let dots: [(&[u8], u64); 2] = [(b".", self.ino), (b"..", parent_ino)];
        for (position, (name, ino)) in (0..).zip(dots) {
            let entry =
                DirEntry { ino, file_type: FileType::Directory, next_offset: position + 1, name: Name::from(name) };
            if position >= offset && !give(&entry) {
                return Ok(());
            }
        }
        let dir = self.directory()?.borrow();
        for (&position, name) in dir.positions.range(offset.max(FIRST)..) {
            let (ino, file_type) = match dir.entries.get(name).map(|entry| &entry.target) {
                Some(Target::Inode(inode)) => (inode.ino, inode.file_type()),
                Some(Target::Lower(id, file_type)) => (self.sb.lower_ino(*id), *file_type),
                Some(Target::Whiteout) | None => continue,
            };
            if !give(&DirEntry { ino, file_type, next_offset: position + 1, name: name.clone() }) {
                break;
            }
        }
        Ok(())
    }
}
