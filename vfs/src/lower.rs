//! The read-only tree under a file system in memory.

use crate::content::ContentSource;
use crate::types::{FileType, Name, Timestamp};
use friscy_abi::Errno;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// Names a file of a lower tree. Hard links to one file have the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LowerId(pub u32);

/// Extended attributes: names and values.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// What a lower tree tells of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerStat {
    /// The kind.
    pub file_type: FileType,
    /// Permission bits, without the type.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The number of names inside the tree; for a directory 2 and one for each subdirectory, or 1 when unknown.
    pub nlink: u32,
    /// The length: of the contents, or of a symbolic link's target; otherwise 0.
    pub size: u64,
    /// The device number of a device node.
    pub rdev: u64,
    /// Last change of the contents.
    pub mtime: Timestamp,
}

/// A read-only tree of files. It never changes while it is in use.
///
/// Every method may fail with `EIO` (or the host's error) when the source of the tree fails.
pub trait Lower {
    /// The directory that is the root.
    fn root(&self) -> LowerId;

    /// What is known of a file.
    ///
    /// # Errors
    /// See the trait.
    fn stat(&self, id: LowerId) -> Result<LowerStat, Errno>;

    /// Looks a name up in a directory; `None` if it is not there.
    ///
    /// # Errors
    /// See the trait.
    fn lookup(&self, dir: LowerId, name: &[u8]) -> Result<Option<LowerId>, Errno>;

    /// All names of a directory except `.` and `..`, ordered by byte value.
    ///
    /// # Errors
    /// See the trait.
    fn list(&self, dir: LowerId) -> Result<Vec<(Name, LowerId, FileType)>, Errno>;

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// `EINVAL` if it is something else.
    fn read_link(&self, id: LowerId) -> Result<Vec<u8>, Errno>;

    /// The contents of a regular file: a source and the offset at which they begin there.
    ///
    /// # Errors
    /// `EINVAL` if it is something else.
    fn content(&self, id: LowerId) -> Result<(Rc<dyn ContentSource>, u64), Errno>;

    /// The extended attributes.
    ///
    /// # Errors
    /// See the trait.
    fn xattrs(&self, id: LowerId) -> Result<Xattrs, Errno> {
        let _ = id;
        Ok(Vec::new())
    }

    /// The number of bytes and of files in the tree, for statfs(2), where it is known without a walk.
    fn totals(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// One name that [`walk`] meets.
#[derive(Clone, Debug)]
pub struct WalkEntry {
    /// The path below the root without a leading `/`; empty for the root itself.
    pub path: Vec<u8>,
    /// The file.
    pub id: LowerId,
    /// Its metadata.
    pub stat: LowerStat,
    /// Whether an earlier entry had the same id: this one is a further hard link.
    pub seen: bool,
}

/// Calls `visit` for every name of the tree, directories before what is in them, names ordered by byte value. The
/// order depends on nothing but the tree.
///
/// # Errors
/// The first error of the tree or of `visit`.
pub fn walk<E: From<Errno>>(lower: &dyn Lower, visit: &mut dyn FnMut(WalkEntry) -> Result<(), E>) -> Result<(), E> {
    let mut seen = BTreeSet::new();
    // Directories whose names are still to be visited, the next one last; an explicit stack, since depth is the
    // image's choice.
    let mut stack = vec![(Vec::new(), lower.root())];
    while let Some((path, id)) = stack.pop() {
        let stat = lower.stat(id)?;
        let is_dir = stat.file_type.is_dir();
        visit(WalkEntry { path: path.clone(), id, stat, seen: !seen.insert(id) })?;
        if is_dir {
            for (name, child, _) in lower.list(id)?.into_iter().rev() {
                let mut child_path = path.clone();
                if !child_path.is_empty() {
                    child_path.push(b'/');
                }
                child_path.extend_from_slice(&name);
                stack.push((child_path, child));
            }
        }
    }
    Ok(())
}

/// How many symbolic links a path may cross, as in Linux.
const MAX_LINKS: u32 = 40;

/// Finds a file by its path inside the tree, following symbolic links within it; the root's parent is the root.
#[must_use]
pub fn resolve(lower: &dyn Lower, path: &[u8]) -> Option<LowerId> {
    let mut todo: VecDeque<Vec<u8>> = path.split(|&b| b == b'/').map(<[u8]>::to_vec).collect();
    let mut at = vec![lower.root()];
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                if at.len() > 1 {
                    at.pop();
                }
                continue;
            }
            _ => {}
        }
        let child = lower.lookup(*at.last()?, &name).ok()??;
        if lower.stat(child).ok()?.file_type == FileType::Symlink {
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            let target = lower.read_link(child).ok()?;
            if target.first() == Some(&b'/') {
                at.truncate(1);
            }
            for part in target.split(|&b| b == b'/').rev() {
                todo.push_front(part.to_vec());
            }
        } else {
            at.push(child);
        }
    }
    at.last().copied()
}
