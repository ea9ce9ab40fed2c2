//! A read-only tree as plain data: the index of a tar, the part of a web bundle's manifest that names files.

use crate::content::ContentSource;
use crate::lower::{Lower, LowerId, LowerStat, Xattrs};
use crate::types::{FileType, Name, Timestamp, check_name};
use friscy_abi::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Where contents lie in a [`ContentSource`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Extent {
    /// The first byte.
    pub offset: u64,
    /// The number of bytes.
    pub len: u64,
}

/// What a node of the tree is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NodeKind {
    /// A regular file and its contents.
    File(Extent),
    /// A directory: names in byte order, each with the index of its node.
    Dir(BTreeMap<Name, u32>),
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A character device and its number.
    CharDevice(u64),
    /// A block device and its number.
    BlockDevice(u64),
    /// A named pipe.
    Fifo,
}

/// One file of the tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TreeNode {
    /// What it is.
    pub kind: NodeKind,
    /// Permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Extended attributes.
    pub xattrs: Xattrs,
    /// The number of names; kept by [`TreeBuilder`].
    pub nlink: u32,
}

impl TreeNode {
    /// A directory as it is assumed where an image names a file without its parents: 0755, root's.
    #[must_use]
    pub fn implied_dir() -> TreeNode {
        TreeNode::new(NodeKind::Dir(BTreeMap::new()), 0o755)
    }

    /// A node of root's at the epoch.
    #[must_use]
    pub fn new(kind: NodeKind, mode: u32) -> TreeNode {
        TreeNode { kind, mode, uid: 0, gid: 0, mtime: Timestamp::default(), xattrs: Vec::new(), nlink: 0 }
    }

    fn file_type(&self) -> FileType {
        match self.kind {
            NodeKind::File(_) => FileType::Regular,
            NodeKind::Dir(_) => FileType::Directory,
            NodeKind::Symlink(_) => FileType::Symlink,
            NodeKind::CharDevice(_) => FileType::CharDevice,
            NodeKind::BlockDevice(_) => FileType::BlockDevice,
            NodeKind::Fifo => FileType::Fifo,
        }
    }
}

/// A read-only tree; node 0 is the root directory. Contents are only referred to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileTree {
    nodes: Vec<TreeNode>,
    bytes: u64,
}

impl FileTree {
    /// The node with index `index`.
    #[must_use]
    pub fn node(&self, index: u32) -> Option<&TreeNode> {
        self.nodes.get(index as usize)
    }

    /// All nodes. Those that no name leads to are left over from entries that later ones replaced.
    #[must_use]
    pub fn nodes(&self) -> &[TreeNode] {
        &self.nodes
    }

    /// Finds a node by its path below the root, without following symbolic links.
    #[must_use]
    pub fn find(&self, path: &[u8]) -> Option<u32> {
        let mut at = 0;
        for name in path.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
            let NodeKind::Dir(children) = &self.node(at)?.kind else { return None };
            at = *children.get(name)?;
        }
        Some(at)
    }
}

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
    /// More files than the index can count.
    #[error("too many files")]
    TooMany,
}

/// Builds a [`FileTree`] from entries in any order; later ones replace earlier ones.
#[derive(Debug)]
pub struct TreeBuilder {
    tree: FileTree,
}

impl Default for TreeBuilder {
    fn default() -> TreeBuilder {
        let mut root = TreeNode::implied_dir();
        root.nlink = 2;
        TreeBuilder { tree: FileTree { nodes: vec![root], bytes: 0 } }
    }
}

/// The components of a path in an archive: `./` and doubled slashes are dropped, what leads out of the tree is refused.
///
/// # Errors
/// [`TreeError::BadName`].
pub(crate) fn components(path: &[u8]) -> Result<Vec<&[u8]>, TreeError> {
    if path.first() == Some(&b'/') {
        return Err(TreeError::BadName("it is absolute"));
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
    /// An empty root directory.
    #[must_use]
    pub fn new() -> TreeBuilder {
        TreeBuilder::default()
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
        self.set_child(dir, last, index);
        Ok(())
    }

    /// Makes `path` a further name of the file at `target`.
    ///
    /// # Errors
    /// See [`TreeError`]; [`TreeError::NoTarget`] if nothing is at `target` (yet).
    pub fn link(&mut self, path: &[u8], target: &[u8]) -> Result<(), TreeError> {
        let names = components(path)?;
        let Some((last, parents)) = names.split_last() else { return Err(TreeError::BadName("it is empty")) };
        let mut at = 0;
        for name in components(target)? {
            at = self.child(at, name).ok_or_else(|| TreeError::NoTarget(lossy(target)))?;
        }
        if self.is_dir(at) {
            return Err(TreeError::LinkToDirectory(lossy(target)));
        }
        let dir = self.make_parents(parents)?;
        self.set_child(dir, last, at);
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

    fn is_dir(&self, index: u32) -> bool {
        matches!(self.tree.node(index), Some(TreeNode { kind: NodeKind::Dir(_), .. }))
    }

    fn push(&mut self, node: TreeNode) -> Result<u32, TreeError> {
        let index = u32::try_from(self.tree.nodes.len()).map_err(|_| TreeError::TooMany)?;
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

    fn set_child(&mut self, dir: u32, name: &[u8], index: u32) {
        let is_dir = self.is_dir(index);
        let Some(NodeKind::Dir(children)) = self.tree.nodes.get_mut(dir as usize).map(|node| &mut node.kind) else {
            return;
        };
        let old = children.insert(Name::from(name), index);
        self.count(index, 1);
        if is_dir {
            self.count(dir, 1);
        }
        if let Some(old) = old {
            self.count(old, -1);
            if self.is_dir(old) {
                self.count(dir, -1);
            }
        }
    }

    fn count(&mut self, index: u32, change: i32) {
        if let Some(node) = self.tree.nodes.get_mut(index as usize) {
            node.nlink = node.nlink.saturating_add_signed(change);
        }
    }

    fn make_parents(&mut self, names: &[&[u8]]) -> Result<u32, TreeError> {
        let mut at = 0;
        for (depth, name) in names.iter().enumerate() {
            at = match self.child(at, name) {
                Some(child) if self.is_dir(child) => child,
                Some(_) => return Err(TreeError::NotADirectory(lossy(&names[..=depth].join(&b'/')))),
                None => {
                    let child = self.push(TreeNode::implied_dir())?;
                    self.set_child(at, name, child);
                    child
                }
            };
        }
        Ok(at)
    }
}

pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A [`FileTree`] and the source its extents refer to, as a lower tree.
#[derive(Clone)]
pub struct TreeLower {
    tree: Rc<FileTree>,
    source: Rc<dyn ContentSource>,
}

impl TreeLower {
    /// Puts the two together.
    #[must_use]
    pub fn new(tree: Rc<FileTree>, source: Rc<dyn ContentSource>) -> TreeLower {
        TreeLower { tree, source }
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Rc<FileTree> {
        &self.tree
    }

    fn node(&self, id: LowerId) -> Result<&TreeNode, Errno> {
        self.tree.node(id.0).ok_or(Errno::EIO)
    }
}

impl Lower for TreeLower {
    fn root(&self) -> LowerId {
        LowerId(0)
    }

    fn stat(&self, id: LowerId) -> Result<LowerStat, Errno> {
        let node = self.node(id)?;
        let (size, rdev) = match &node.kind {
            NodeKind::File(extent) => (extent.len, 0),
            NodeKind::Symlink(target) => (target.len() as u64, 0),
            NodeKind::CharDevice(rdev) | NodeKind::BlockDevice(rdev) => (0, *rdev),
            NodeKind::Dir(_) | NodeKind::Fifo => (0, 0),
        };
        Ok(LowerStat {
            file_type: node.file_type(),
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            nlink: node.nlink,
            size,
            rdev,
            mtime: node.mtime,
        })
    }

    fn lookup(&self, dir: LowerId, name: &[u8]) -> Result<Option<LowerId>, Errno> {
        match &self.node(dir)?.kind {
            NodeKind::Dir(children) => Ok(children.get(name).map(|&index| LowerId(index))),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn list(&self, dir: LowerId) -> Result<Vec<(Name, LowerId, FileType)>, Errno> {
        let NodeKind::Dir(children) = &self.node(dir)?.kind else { return Err(Errno::ENOTDIR) };
        children
            .iter()
            .map(|(name, &index)| Ok((name.clone(), LowerId(index), self.node(LowerId(index))?.file_type())))
            .collect()
    }

    fn read_link(&self, id: LowerId) -> Result<Vec<u8>, Errno> {
        match &self.node(id)?.kind {
            NodeKind::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn content(&self, id: LowerId) -> Result<(Rc<dyn ContentSource>, u64), Errno> {
        match &self.node(id)?.kind {
            NodeKind::File(extent) => Ok((self.source.clone(), extent.offset)),
            _ => Err(Errno::EINVAL),
        }
    }

    fn xattrs(&self, id: LowerId) -> Result<Xattrs, Errno> {
        Ok(self.node(id)?.xattrs.clone())
    }

    fn totals(&self) -> (u64, u64) {
        (self.tree.bytes, self.tree.nodes.len() as u64)
    }
}
