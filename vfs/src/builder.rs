//! Building a tree from the entries of archives, layer upon layer.

use crate::tree::{FileTree, NodeKind, TreeNode};
use crate::types::{Name, PATH_MAX, check_name};
use std::collections::VecDeque;

/// Symbolic links that the way to an entry may cross, as in Linux.
const MAX_LINKS: u32 = 40;

/// What a name takes besides its bytes, in bytes, about.
const NAME_OVERHEAD: usize = 48;

/// Why a name could not enter a tree.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TreeError {
    /// The name leads out of the tree, or cannot exist in one.
    #[error("the name is not a path below the root ({0})")]
    BadName(&'static str),
    /// A part of the path is no directory.
    #[error("{0:?} is not a directory")]
    NotADirectory(String),
    /// A hard link to nothing.
    #[error("hard link to {0:?}, which is not in the archive")]
    NoTarget(String),
    /// A hard link to a directory.
    #[error("hard link to the directory {0:?}")]
    LinkToDirectory(String),
    /// More files than the tree may have.
    #[error("more than {0} files and directories")]
    TooMany(u32),
    /// Names, link targets and extended attributes take more bytes than the tree may hold.
    #[error("names and attributes of more than {0} bytes")]
    TooLarge(u64),
}

/// What a tree may hold, so that a hostile archive does not use up the host's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeLimits {
    /// Files and directories, those that later entries replaced included.
    pub nodes: u32,
    /// The bytes of all names, link targets and extended attributes.
    pub bytes: u64,
}

impl Default for TreeLimits {
    /// Two million files (the largest public images have a quarter of that) and 1 GiB of names.
    fn default() -> TreeLimits {
        TreeLimits { nodes: 2_000_000, bytes: 1 << 30 }
    }
}

/// Builds a [`FileTree`] from entries in any order; later ones replace earlier ones.
///
/// The way to an entry may lead over symbolic links that are in the tree already; they are followed inside it, as
/// unpacking in a chroot does: the root's parent is the root.
#[derive(Debug)]
pub struct TreeBuilder {
    tree: FileTree,
    limits: TreeLimits,
    held: u64,
}

impl Default for TreeBuilder {
    fn default() -> TreeBuilder {
        TreeBuilder::with_limits(TreeLimits::default())
    }
}

/// The components of a path in an archive: `./` and doubled slashes are dropped, what leads out of the tree is refused.
///
/// # Errors
/// [`TreeError::BadName`].
pub(crate) fn components(path: &[u8]) -> Result<Vec<&[u8]>, TreeError> {
    // Some tools write the root itself as `/`.
    if path.first() == Some(&b'/') && path.iter().any(|&b| b != b'/') {
        return Err(TreeError::BadName("it is absolute"));
    }
    if path.len() >= PATH_MAX {
        return Err(TreeError::BadName("it is longer than 4095 bytes"));
    }
    let mut names = Vec::new();
    for name in path.split(|&b| b == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(TreeError::BadName("it holds `..`")),
            _ => {
                check_name(name).map_err(|_| TreeError::BadName("a part is too long or holds a NUL"))?;
                names.push(name);
            }
        }
    }
    Ok(names)
}

impl TreeBuilder {
    /// An empty root directory, with the default limits.
    #[must_use]
    pub fn new() -> TreeBuilder {
        TreeBuilder::default()
    }

    /// An empty root directory.
    #[must_use]
    pub fn with_limits(limits: TreeLimits) -> TreeBuilder {
        let mut root = TreeNode::implied_dir();
        root.nlink = 2;
        TreeBuilder { tree: FileTree { nodes: vec![root], bytes: 0 }, limits, held: 0 }
    }

    /// Puts `node` at `path`. Missing parents are made; a directory over a directory keeps what is in it.
    ///
    /// # Errors
    /// See [`TreeError`].
    pub fn insert(&mut self, path: &[u8], node: TreeNode) -> Result<(), TreeError> {
        let names = components(path)?;
        let Some((last, parents)) = names.split_last() else {
            // The root itself: only a directory can be that.
            let NodeKind::Dir(_) = node.kind else { return Err(TreeError::BadName("it is empty")) };
            self.replace_meta(0, node);
            return Ok(());
        };
        let dir = self.make_parents(parents)?;
        if let (Some(old), NodeKind::Dir(_)) = (self.child(dir, last), &node.kind) {
            if self.is_dir(old) {
                self.replace_meta(old, node);
                return Ok(());
            }
        }
        let index = self.push(node)?;
        self.set_child(dir, last, index)
    }

    /// Makes `path` a further name of the file at `target`.
    ///
    /// # Errors
    /// See [`TreeError`]; [`TreeError::NoTarget`] if nothing is at `target` (yet).
    pub fn link(&mut self, path: &[u8], target: &[u8]) -> Result<(), TreeError> {
        let names = components(path)?;
        let Some((last, parents)) = names.split_last() else { return Err(TreeError::BadName("it is empty")) };
        let at = self.look_up(&components(target)?).ok_or_else(|| TreeError::NoTarget(lossy(target)))?;
        if self.is_dir(at) {
            return Err(TreeError::LinkToDirectory(lossy(target)));
        }
        let dir = self.make_parents(parents)?;
        self.set_child(dir, last, at)
    }

    /// Takes away what is at `path`, with everything in it; nothing if nothing is there.
    ///
    /// # Errors
    /// [`TreeError::BadName`].
    pub fn remove(&mut self, path: &[u8]) -> Result<(), TreeError> {
        let names = components(path)?;
        let Some((last, parents)) = names.split_last() else { return Err(TreeError::BadName("it is empty")) };
        let Some(dir) = self.find_dir(parents) else { return Ok(()) };
        let Some(NodeKind::Dir(children)) = self.tree.nodes.get_mut(dir as usize).map(|node| &mut node.kind) else {
            return Ok(());
        };
        if let Some(old) = children.remove(*last) {
            self.dropped(dir, old);
        }
        Ok(())
    }

    /// Takes away everything in the directory at `path`; nothing if it is none.
    ///
    /// # Errors
    /// [`TreeError::BadName`].
    pub fn clear(&mut self, path: &[u8]) -> Result<(), TreeError> {
        let Some(dir) = self.find_dir(&components(path)?) else { return Ok(()) };
        let Some(NodeKind::Dir(children)) = self.tree.nodes.get_mut(dir as usize).map(|node| &mut node.kind) else {
            return Ok(());
        };
        for old in std::mem::take(children).into_values() {
            self.dropped(dir, old);
        }
        Ok(())
    }

    /// The finished tree.
    #[must_use]
    pub fn finish(self) -> FileTree {
        self.tree
    }

    fn child(&self, dir: u32, name: &[u8]) -> Option<u32> {
        match &self.tree.node(dir)?.kind {
            NodeKind::Dir(children) => children.get(name).copied(),
            _ => None,
        }
    }

    pub(crate) fn limits(&self) -> TreeLimits {
        self.limits
    }

    fn is_dir(&self, index: u32) -> bool {
        matches!(self.tree.node(index), Some(TreeNode { kind: NodeKind::Dir(_), .. }))
    }

    fn hold(&mut self, bytes: usize) -> Result<(), TreeError> {
        self.held = self.held.saturating_add(bytes as u64);
        if self.held > self.limits.bytes { Err(TreeError::TooLarge(self.limits.bytes)) } else { Ok(()) }
    }

    fn push(&mut self, node: TreeNode) -> Result<u32, TreeError> {
        let index = self.tree.nodes.len() as u32;
        if index >= self.limits.nodes {
            return Err(TreeError::TooMany(self.limits.nodes));
        }
        let target = if let NodeKind::Symlink(target) = &node.kind { target.len() } else { 0 };
        let xattrs: usize = node.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.hold(target.saturating_add(xattrs))?;
        if let NodeKind::File(extent) = &node.kind {
            self.tree.bytes = self.tree.bytes.saturating_add(extent.len);
        }
        let nlink = if matches!(node.kind, NodeKind::Dir(_)) { 1 } else { 0 };
        self.tree.nodes.push(TreeNode { nlink, ..node });
        Ok(index)
    }

    fn replace_meta(&mut self, index: u32, node: TreeNode) {
        if let Some(old) = self.tree.nodes.get_mut(index as usize) {
            (old.mode, old.uid, old.gid, old.mtime, old.xattrs) =
                (node.mode, node.uid, node.gid, node.mtime, node.xattrs);
        }
    }

    fn set_child(&mut self, dir: u32, name: &[u8], index: u32) -> Result<(), TreeError> {
        self.hold(NAME_OVERHEAD + name.len())?;
        let is_dir = self.is_dir(index);
        let Some(NodeKind::Dir(children)) = self.tree.nodes.get_mut(dir as usize).map(|node| &mut node.kind) else {
            return Ok(());
        };
        let old = children.insert(Name::from(name), index);
        self.count(index, 1);
        if is_dir {
            self.count(dir, 1);
        }
        if let Some(old) = old {
            self.dropped(dir, old);
        }
        Ok(())
    }

    /// `old` is no longer a name in `dir`. What is in a directory goes with it, so that files with names elsewhere
    /// count their names right.
    fn dropped(&mut self, dir: u32, old: u32) {
        let mut pending = vec![(dir, old)];
        while let Some((dir, old)) = pending.pop() {
            self.count(old, -1);
            if self.is_dir(old) {
                self.count(dir, -1);
                if let Some(NodeKind::Dir(children)) = self.tree.nodes.get_mut(old as usize).map(|node| &mut node.kind)
                {
                    pending.extend(std::mem::take(children).into_values().map(|child| (old, child)));
                }
            }
        }
    }

    fn count(&mut self, index: u32, change: i32) {
        if let Some(node) = self.tree.nodes.get_mut(index as usize) {
            node.nlink = node.nlink.saturating_add_signed(change);
        }
    }

    /// Finds a file by its path; symbolic links on the way are followed, one at the end is not.
    fn look_up(&self, names: &[&[u8]]) -> Option<u32> {
        match names.split_last() {
            Some((last, parents)) => self.child(self.find_dir(parents)?, last),
            None => Some(0),
        }
    }

    /// Finds a directory by its path, over symbolic links.
    fn find_dir(&self, names: &[&[u8]]) -> Option<u32> {
        let mut walk = Walk::new(names);
        while let Some(name) = walk.next() {
            let child = self.child(walk.at(), &name)?;
            match &self.tree.node(child)?.kind {
                NodeKind::Dir(_) => walk.enter(child),
                NodeKind::Symlink(target) if walk.follow(target) => {}
                _ => return None,
            }
        }
        Some(walk.at())
    }

    fn make_parents(&mut self, names: &[&[u8]]) -> Result<u32, TreeError> {
        let mut at = 0;
        for (depth, name) in names.iter().enumerate() {
            at = match self.child(at, name) {
                Some(child) if self.is_dir(child) => child,
                Some(_) => return self.make_parents_over_links(names, depth),
                None => {
                    let child = self.push(TreeNode::implied_dir())?;
                    self.set_child(at, name, child)?;
                    child
                }
            };
        }
        Ok(at)
    }

    /// The same where `names[depth]` is no directory, but perhaps a symbolic link to one.
    fn make_parents_over_links(&mut self, names: &[&[u8]], depth: usize) -> Result<u32, TreeError> {
        let not_a_directory = || TreeError::NotADirectory(lossy(&names[..=depth].join(&b'/')));
        let mut walk = Walk::new(names);
        while let Some(name) = walk.next() {
            match self.child(walk.at(), &name) {
                Some(child) if self.is_dir(child) => walk.enter(child),
                Some(child) => match self.tree.node(child).map(|node| &node.kind) {
                    Some(NodeKind::Symlink(target)) if walk.follow(target) => {}
                    _ => return Err(not_a_directory()),
                },
                None => {
                    check_name(&name).map_err(|_| not_a_directory())?;
                    let child = self.push(TreeNode::implied_dir())?;
                    self.set_child(walk.at(), &name, child)?;
                    walk.enter(child);
                }
            }
        }
        Ok(walk.at())
    }
}

/// A walk through directories that follows symbolic links.
struct Walk {
    todo: VecDeque<Vec<u8>>,
    dirs: Vec<u32>,
    links: u32,
}

impl Walk {
    fn new(names: &[&[u8]]) -> Walk {
        Walk { todo: names.iter().map(|name| name.to_vec()).collect(), dirs: vec![0], links: 0 }
    }

    /// The directory reached.
    fn at(&self) -> u32 {
        self.dirs.last().copied().unwrap_or(0)
    }

    /// The next name to look up.
    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let name = self.todo.pop_front()?;
            match name.as_slice() {
                b"" | b"." => {}
                b".." => {
                    self.dirs.pop();
                }
                _ => return Some(name),
            }
        }
    }

    fn enter(&mut self, dir: u32) {
        self.dirs.push(dir);
    }

    /// Goes on with the target of a link; not if there were too many.
    fn follow(&mut self, target: &[u8]) -> bool {
        self.links += 1;
        if self.links > MAX_LINKS || target.len() >= PATH_MAX {
            return false;
        }
        if target.first() == Some(&b'/') {
            self.dirs.clear();
        }
        for part in target.split(|&b| b == b'/').rev() {
            self.todo.push_front(part.to_vec());
        }
        true
    }
}

pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
