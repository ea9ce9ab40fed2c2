//! A read-only tree as plain data: the index of a tar, the part of a web bundle's manifest that names files.

use crate::content::ContentSource;
use crate::lower::{Lower, LowerId, LowerStat, Xattrs};
use crate::types::{FileType, Name, Timestamp};
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

    pub(crate) fn file_type(&self) -> FileType {
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
    pub(crate) nodes: Vec<TreeNode>,
    pub(crate) bytes: u64,
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
