//! A tree as bytes that are used as they are: nothing is decoded before it is asked for, so a mapped file of a million
//! names is open at once and takes no memory.
//!
//! All numbers are little endian. A header of 64 bytes: magic; numbers of nodes, of names and of pool bytes (u64 each);
//! the contents' total (u64). Then the nodes, 64 bytes each:
//!
//! | offset | type | what |
//! |---|---|---|
//! | 0 | u32 | kind: 0 file, 1 directory, 2 symbolic link, 3 character device, 4 block device, 5 pipe |
//! | 4 | 4 × u32 | mode, uid, gid, nlink |
//! | 20 | u32 | mtime, nanoseconds |
//! | 24 | i64 | mtime, seconds |
//! | 32, 40 | u64 | file: offset and length; directory: first name and count; link: place and length in the pool; device: number |
//! | 48, 56 | u64 | extended attributes: place and length in the pool |
//!
//! Then the names, 16 bytes each: place in the pool (u64), length (u32), node (u32); those of a directory are adjacent,
//! in byte order. Then the pool: names, link targets, and extended attributes as length (u32), name, length, value.
//!
//! The bytes are not trusted: whatever they hold, reading them ends, with `EIO` at worst.

use crate::content::ContentSource;
use crate::lower::{Lower, LowerId, LowerStat, Xattrs};
use crate::tree::{FileTree, NodeKind};
use crate::types::{FileType, Name, Timestamp};
use friscy_abi::Errno;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

const MAGIC: &[u8; 8] = b"frtree01";
const HEADER: usize = 64;
const NODE: usize = 64;
const NAME: usize = 16;

/// The bytes are no flat tree, or one cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a tree of files, or cut short")]
pub struct FlatError;

/// Writes a tree as bytes. Nodes that no name leads to are left out; the order is that of [`crate::walk`] breadth
/// first, so equal trees give equal bytes.
#[must_use]
pub fn flatten(tree: &FileTree) -> Vec<u8> {
    let mut order: Vec<u32> = vec![0];
    let mut renumbered: BTreeMap<u32, u32> = BTreeMap::from([(0, 0)]);
    let mut nodes = Vec::new();
    let mut names = Vec::new();
    let mut pool = Vec::new();
    let mut bytes = 0_u64;
    let mut name_count = 0_u64;
    let mut next = 0;
    while let Some(&index) = order.get(next) {
        next += 1;
        let Some(node) = tree.node(index) else { continue };
        let (kind, first, second) = match &node.kind {
            NodeKind::File(extent) => {
                bytes = bytes.saturating_add(extent.len);
                (0, extent.offset, extent.len)
            }
            NodeKind::Dir(children) => {
                let first = name_count;
                for (name, &child) in children {
                    let number = *renumbered.entry(child).or_insert_with(|| {
                        order.push(child);
                        order.len() as u32 - 1
                    });
                    names.extend_from_slice(&(pool.len() as u64).to_le_bytes());
                    names.extend_from_slice(&(name.len() as u32).to_le_bytes());
                    names.extend_from_slice(&number.to_le_bytes());
                    pool.extend_from_slice(name);
                    name_count += 1;
                }
                (1, first, children.len() as u64)
            }
            NodeKind::Symlink(target) => {
                pool.extend_from_slice(target);
                (2, (pool.len() - target.len()) as u64, target.len() as u64)
            }
            NodeKind::CharDevice(number) => (3, *number, 0),
            NodeKind::BlockDevice(number) => (4, *number, 0),
            NodeKind::Fifo => (5, 0, 0),
        };
        let xattrs = pool.len() as u64;
        for (name, value) in &node.xattrs {
            for part in [name, value] {
                pool.extend_from_slice(&(part.len() as u32).to_le_bytes());
                pool.extend_from_slice(part);
            }
        }
        for number in [kind, node.mode, node.uid, node.gid, node.nlink, node.mtime.nsec] {
            nodes.extend_from_slice(&number.to_le_bytes());
        }
        nodes.extend_from_slice(&node.mtime.sec.to_le_bytes());
        for number in [first, second, xattrs, pool.len() as u64 - xattrs] {
            nodes.extend_from_slice(&number.to_le_bytes());
        }
    }
    let mut flat = Vec::with_capacity(HEADER + nodes.len() + names.len() + pool.len());
    flat.extend_from_slice(MAGIC);
    for number in [order.len() as u64, name_count, pool.len() as u64, bytes] {
        flat.extend_from_slice(&number.to_le_bytes());
    }
    flat.resize(HEADER, 0);
    for part in [nodes, names, pool] {
        flat.extend_from_slice(&part);
    }
    flat
}

/// A tree written by [`flatten`] and the source its extents refer to, as a lower tree.
#[derive(Clone)]
pub struct FlatLower {
    flat: Rc<dyn ContentSource>,
    /// Where the tree begins in `flat`.
    base: u64,
    nodes: u64,
    names: u64,
    pool: u64,
    bytes: u64,
    source: Rc<dyn ContentSource>,
}

impl FlatLower {
    /// Puts the tree at `base` of `flat`, which must have its bytes in memory, and the source together. Only the
    /// header is read.
    ///
    /// # Errors
    /// [`FlatError`] if the header is none or promises more than there is.
    pub fn new(flat: Rc<dyn ContentSource>, base: u64, source: Rc<dyn ContentSource>) -> Result<FlatLower, FlatError> {
        let header = flat.slice(base, HEADER as u64).ok_or(FlatError)?;
        if !header.starts_with(MAGIC) {
            return Err(FlatError);
        }
        let (nodes, names, pool, bytes) =
            (u64_at(header, 8), u64_at(header, 16), u64_at(header, 24), u64_at(header, 32));
        let len = nodes
            .checked_mul(NODE as u64)
            .and_then(|len| len.checked_add(names.checked_mul(NAME as u64)?))
            .and_then(|len| len.checked_add(pool)?.checked_add(HEADER as u64))
            .ok_or(FlatError)?;
        flat.slice(base, len).ok_or(FlatError)?;
        Ok(FlatLower { flat, base, nodes, names, pool, bytes, source })
    }

    fn part(&self, off: u64, len: u64) -> Result<&[u8], Errno> {
        let at = self.base.checked_add(off).ok_or(Errno::EIO)?;
        self.flat.slice(at, len).ok_or(Errno::EIO)
    }

    fn node(&self, id: LowerId) -> Result<Node<'_>, Errno> {
        let index = u64::from(id.0);
        if index >= self.nodes {
            return Err(Errno::EIO);
        }
        let node = Node(self.part(HEADER as u64 + index * NODE as u64, NODE as u64)?);
        if node.kind() > 5 { Err(Errno::EIO) } else { Ok(node) }
    }

    fn pooled(&self, off: u64, len: u64) -> Result<&[u8], Errno> {
        if off.checked_add(len).is_none_or(|end| end > self.pool) {
            return Err(Errno::EIO);
        }
        self.part(HEADER as u64 + self.nodes * NODE as u64 + self.names * NAME as u64 + off, len)
    }

    /// The name with this number, and its node.
    fn name(&self, number: u64) -> Result<(&[u8], LowerId), Errno> {
        if number >= self.names {
            return Err(Errno::EIO);
        }
        let row = self.part(HEADER as u64 + self.nodes * NODE as u64 + number * NAME as u64, NAME as u64)?;
        let name = self.pooled(u64_at(row, 0), u64::from(u32_at(row, 8)))?;
        Ok((name, LowerId(u32_at(row, 12))))
    }

    /// The numbers of a directory's names: the first, and the one after the last.
    fn names_of(&self, dir: LowerId) -> Result<(u64, u64), Errno> {
        let node = self.node(dir)?;
        if node.kind() != 1 {
            return Err(Errno::ENOTDIR);
        }
        let end = node.first().checked_add(node.second()).filter(|&end| end <= self.names).ok_or(Errno::EIO)?;
        Ok((node.first(), end))
    }
}

/// A node's 64 bytes.
struct Node<'a>(&'a [u8]);

impl Node<'_> {
    fn kind(&self) -> u32 {
        u32_at(self.0, 0)
    }

    fn file_type(&self) -> FileType {
        match self.kind() {
            1 => FileType::Directory,
            2 => FileType::Symlink,
            3 => FileType::CharDevice,
            4 => FileType::BlockDevice,
            5 => FileType::Fifo,
            _ => FileType::Regular,
        }
    }

    fn first(&self) -> u64 {
        u64_at(self.0, 32)
    }

    fn second(&self) -> u64 {
        u64_at(self.0, 40)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
}

impl Lower for FlatLower {
    fn root(&self) -> LowerId {
        LowerId(0)
    }

    fn stat(&self, id: LowerId) -> Result<LowerStat, Errno> {
        let node = self.node(id)?;
        let file_type = node.file_type();
        let (size, rdev) = match file_type {
            FileType::Regular | FileType::Symlink => (node.second(), 0),
            FileType::CharDevice | FileType::BlockDevice => (0, node.first()),
            _ => (0, 0),
        };
        let mtime = Timestamp { sec: u64_at(node.0, 24) as i64, nsec: u32_at(node.0, 20) };
        Ok(LowerStat {
            file_type,
            mode: u32_at(node.0, 4),
            uid: u32_at(node.0, 8),
            gid: u32_at(node.0, 12),
            nlink: u32_at(node.0, 16),
            size,
            rdev,
            mtime,
        })
    }

    fn lookup(&self, dir: LowerId, name: &[u8]) -> Result<Option<LowerId>, Errno> {
        let (mut low, mut high) = self.names_of(dir)?;
        while low < high {
            let middle = low + (high - low) / 2;
            let (have, child) = self.name(middle)?;
            match have.cmp(name) {
                Ordering::Equal => return Ok(Some(child)),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn list(&self, dir: LowerId) -> Result<Vec<(Name, LowerId, FileType)>, Errno> {
        let (first, end) = self.names_of(dir)?;
        (first..end)
            .map(|number| {
                let (name, child) = self.name(number)?;
                Ok((Name::from(name), child, self.node(child)?.file_type()))
            })
            .collect()
    }

    fn read_link(&self, id: LowerId) -> Result<Vec<u8>, Errno> {
        let node = self.node(id)?;
        if node.kind() != 2 {
            return Err(Errno::EINVAL);
        }
        Ok(self.pooled(node.first(), node.second())?.to_vec())
    }

    fn content(&self, id: LowerId) -> Result<(Rc<dyn ContentSource>, u64), Errno> {
        let node = self.node(id)?;
        if node.kind() == 0 { Ok((Rc::clone(&self.source), node.first())) } else { Err(Errno::EINVAL) }
    }

    fn xattrs(&self, id: LowerId) -> Result<Xattrs, Errno> {
        let node = self.node(id)?;
        let mut rest = self.pooled(u64_at(node.0, 48), u64_at(node.0, 56))?;
        let mut part = || {
            let len = u32_at(rest, 0) as usize;
            let end = len.checked_add(4)?;
            let part = rest.get(4..end)?.to_vec();
            rest = rest.get(end..)?;
            Some((part, rest.is_empty()))
        };
        let mut xattrs = Vec::new();
        let mut at_end = u64_at(node.0, 56) == 0;
        while !at_end {
            let (name, _) = part().ok_or(Errno::EIO)?;
            let (value, end) = part().ok_or(Errno::EIO)?;
            xattrs.push((name, value));
            at_end = end;
        }
        Ok(xattrs)
    }

    fn totals(&self) -> (u64, u64) {
        (self.bytes, self.nodes)
    }
}
