//! Indexing a tar: names and metadata are read, contents stay where they are.

use crate::tree::{Extent, FileTree, NodeKind, TreeBuilder, TreeError, TreeNode, lossy};
use crate::types::{Timestamp, makedev};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use tar::{Archive, Entry, EntryType};

/// Why a tar was refused.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The archive is damaged or could not be read.
    #[error("after entry {after:?}: {source}")]
    Read {
        /// The last entry that was read; empty at the beginning.
        after: String,
        /// What went wrong.
        source: io::Error,
    },
    /// An entry has no place in a file tree.
    #[error("entry {name:?}: {source}")]
    Entry {
        /// The entry.
        name: String,
        /// What is wrong with it.
        source: TreeError,
    },
    /// An entry of a kind that is not understood.
    #[error("entry {name:?}: {what}")]
    Unsupported {
        /// The entry.
        name: String,
        /// What it is.
        what: String,
    },
}

/// A hard link that names a file further on.
struct Pending {
    path: Vec<u8>,
    target: Vec<u8>,
}

/// Reads the headers of a tar (ustar, GNU or PAX) and returns the tree; extents count from the beginning of `reader`.
///
/// Missing directories are made, later entries replace earlier ones, hard links may come before the file they name.
/// Global headers and volume labels are passed over.
///
/// # Errors
/// Damaged archives, names that lead out of the tree, sparse files and unknown kinds of entry; the error names the
/// entry.
pub fn index_tar<R: Read + Seek>(reader: R) -> Result<FileTree, TarError> {
    let mut reader = reader;
    let read_error = |source| TarError::Read { after: String::new(), source };
    let end = reader.seek(SeekFrom::End(0)).map_err(read_error)?;
    reader.rewind().map_err(read_error)?;
    let mut archive = Archive::new(reader);
    let mut builder = TreeBuilder::new();
    let mut pending: Vec<Pending> = Vec::new();
    let mut after = String::new();
    let entries = archive.entries_with_seek().map_err(|source| TarError::Read { after: after.clone(), source })?;
    for entry in entries {
        let mut entry = entry.map_err(|source| TarError::Read { after: after.clone(), source })?;
        let path = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) || kind.as_byte() == b'V' {
            continue;
        }
        if kind.is_hard_link() {
            let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
            match builder.link(&path, &target) {
                Ok(()) => {}
                Err(TreeError::NoTarget(_)) => pending.push(Pending { path: path.clone(), target }),
                Err(source) => return Err(TarError::Entry { name: lossy(&path), source }),
            }
        } else {
            let node = node_of(&mut entry, &path).map_err(|error| match error {
                NodeError::Read(source) => TarError::Read { after: lossy(&path), source },
                NodeError::Unsupported(what) => TarError::Unsupported { name: lossy(&path), what },
            })?;
            if let NodeKind::File(extent) = &node.kind {
                // The reader skips contents without looking whether they are there.
                if extent.offset.checked_add(extent.len).is_none_or(|at| at > end) {
                    let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short");
                    return Err(TarError::Read { after: lossy(&path), source });
                }
            }
            // A later entry takes the place of a hard link that still waits for its file.
            pending.retain(|link| link.path != path);
            builder.insert(&path, node).map_err(|source| TarError::Entry { name: lossy(&path), source })?;
        }
        after = lossy(&path);
    }
    resolve_pending(&mut builder, pending)?;
    Ok(builder.finish())
}

/// Makes the links whose files came later. A link may name another such link, so this repeats while it helps.
fn resolve_pending(builder: &mut TreeBuilder, mut pending: Vec<Pending>) -> Result<(), TarError> {
    loop {
        let before = pending.len();
        let mut left = Vec::new();
        let mut failed = None;
        for link in pending {
            match builder.link(&link.path, &link.target) {
                Ok(()) => {}
                Err(source @ TreeError::NoTarget(_)) => {
                    failed = Some(TarError::Entry { name: lossy(&link.path), source });
                    left.push(link);
                }
                Err(source) => return Err(TarError::Entry { name: lossy(&link.path), source }),
            }
        }
        match failed {
            None => return Ok(()),
            Some(error) if left.len() == before => return Err(error),
            Some(_) => pending = left,
        }
    }
}

enum NodeError {
    Read(io::Error),
    Unsupported(String),
}

impl From<io::Error> for NodeError {
    fn from(error: io::Error) -> NodeError {
        NodeError::Read(error)
    }
}

fn node_of<R: Read>(entry: &mut Entry<'_, R>, path: &[u8]) -> Result<TreeNode, NodeError> {
    let header = entry.header();
    let rdev = |header: &tar::Header| -> Result<u64, NodeError> {
        let major = header.device_major()?.unwrap_or(0);
        Ok(makedev(major, header.device_minor()?.unwrap_or(0)))
    };
    let kind = match header.entry_type() {
        // An old way to write a directory: a file whose name ends with a slash.
        EntryType::Regular if path.ends_with(b"/") => NodeKind::Dir(BTreeMap::new()),
        EntryType::Regular | EntryType::Continuous => {
            NodeKind::File(Extent { offset: entry.raw_file_position(), len: entry.size() })
        }
        EntryType::Directory => NodeKind::Dir(BTreeMap::new()),
        EntryType::Symlink => {
            let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
            NodeKind::Symlink(target)
        }
        EntryType::Char => NodeKind::CharDevice(rdev(header)?),
        EntryType::Block => NodeKind::BlockDevice(rdev(header)?),
        EntryType::Fifo => NodeKind::Fifo,
        EntryType::GNUSparse => return Err(NodeError::Unsupported("sparse files are not supported".into())),
        other => {
            let what = format!("entries of type {:?} are not supported", char::from(other.as_byte()));
            return Err(NodeError::Unsupported(what));
        }
    };
    // On Linux the mode of a symbolic link is always this; archives hold all sorts.
    let mode = if matches!(kind, NodeKind::Symlink(_)) { 0o777 } else { header.mode()? & 0o7777 };
    let (uid, gid) = (id(header.uid()?), id(header.gid()?));
    let mtime = Timestamp::from_secs(header.mtime()? as i64);
    let mut node = TreeNode { kind, mode, uid, gid, mtime, xattrs: Vec::new(), nlink: 0 };
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            let extension = extension?;
            apply_pax(&mut node, extension.key_bytes(), extension.value_bytes()).map_err(NodeError::Unsupported)?;
        }
    }
    Ok(node)
}

/// Ids are kept in 32 bits; what does not fit becomes Linux's overflow id.
fn id(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(65_534)
}

/// Takes what a PAX record says about an entry (names and sizes are the tar reader's).
fn apply_pax(node: &mut TreeNode, key: &[u8], value: &[u8]) -> Result<(), String> {
    let text = core::str::from_utf8(value).ok();
    match key {
        b"uid" => node.uid = text.and_then(|text| text.parse().ok()).map_or(node.uid, id),
        b"gid" => node.gid = text.and_then(|text| text.parse().ok()).map_or(node.gid, id),
        b"mtime" => node.mtime = text.and_then(parse_time).unwrap_or(node.mtime),
        _ if key.starts_with(b"GNU.sparse.") => return Err("sparse files are not supported".into()),
        _ => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                node.xattrs.push((name.to_vec(), value.to_vec()));
            }
        }
    }
    Ok(())
}

/// A PAX time: seconds, and a decimal fraction.
fn parse_time(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let sec: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nsec: u32 = digits.parse().ok()?;
    // The fraction of a negative time goes further back.
    if whole.starts_with('-') && nsec > 0 {
        return Some(Timestamp { sec: sec.checked_sub(1)?, nsec: 1_000_000_000 - nsec });
    }
    Some(Timestamp { sec, nsec })
}
