//! Indexing a tar: names and metadata are read, contents stay where they are.

use crate::builder::{TreeBuilder, TreeError, TreeLimits, components, lossy};
use crate::tree::{Extent, FileTree, NodeKind, TreeNode};
use crate::types::{Timestamp, makedev};
use core::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;
use tar::{Archive, Entry, EntryType, Header};

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

/// Whether a file that begins with these bytes is a tar: the checksum of its first header, 512 bytes, says so. A tar
/// without entries begins with a block of zeros.
#[must_use]
pub fn is_tar(bytes: &[u8]) -> bool {
    let Some(block) = bytes.get(..512) else { return false };
    if block.iter().all(|&b| b == 0) {
        return true;
    }
    // The checksum is computed as if its own field held spaces.
    let sum: u32 = (0..).zip(block).map(|(at, &b)| if (148..156).contains(&at) { 32 } else { u32::from(b) }).sum();
    Header::from_byte_slice(block).cksum().is_ok_and(|stored| stored == sum)
}

/// The bytes that an entry's header with its extensions (long names, PAX records) may take.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// Reads the headers of a tar (ustar, GNU or PAX) and returns the tree; extents count from the beginning of `reader`.
///
/// Missing directories are made, later entries replace earlier ones, hard links may come before the file they name.
/// Global headers and volume labels are passed over.
///
/// # Errors
/// Damaged archives, names that lead out of the tree, sparse files and unknown kinds of entry; the error names the
/// entry.
pub fn index_tar<R: Read + Seek>(reader: R) -> Result<FileTree, TarError> {
    let mut builder = TreeBuilder::new();
    add_tar(&mut builder, reader, 0, &mut |_| true)?;
    Ok(builder.finish())
}

/// Puts an image's layer, a tar, on top of what `builder` has; its extents count from `base`.
///
/// As the OCI image specification has it ("Image Layer Filesystem Changeset", Whiteouts): an entry `.wh.NAME` removes
/// NAME, `.wh..wh..opq` everything in its directory, each only as far as layers below have it, wherever in the layer
/// the entry stands.
///
/// # Errors
/// As [`index_tar`].
pub fn add_layer<R: Read + Seek>(builder: &mut TreeBuilder, reader: R, base: u64) -> Result<(), TarError> {
    let mut reader = reader;
    let mut whiteouts: Vec<(Vec<u8>, Whiteout)> = Vec::new();
    for_each_entry(&mut reader, builder.limits(), &mut |_, path| {
        if let Some(whiteout) = Whiteout::of(path) {
            whiteouts.push((path.to_vec(), whiteout));
        }
        Ok(())
    })?;
    for (path, whiteout) in whiteouts {
        let done = match &whiteout {
            Whiteout::Name(removed) => builder.remove(removed),
            Whiteout::Opaque(dir) => builder.clear(dir),
            Whiteout::Private => Ok(()),
        };
        done.map_err(|source| TarError::Entry { name: lossy(&path), source })?;
    }
    add_tar(builder, reader, base, &mut |path| Whiteout::of(path).is_none())
}

/// An entry that says what is not there.
enum Whiteout {
    /// The path of a file that is removed.
    Name(Vec<u8>),
    /// The path of a directory that is emptied.
    Opaque(Vec<u8>),
    /// What aufs kept for itself.
    Private,
}

impl Whiteout {
    fn of(path: &[u8]) -> Option<Whiteout> {
        const PREFIX: &[u8] = b".wh.";
        if !path.windows(PREFIX.len()).any(|part| part == PREFIX) {
            return None;
        }
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let start = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
        let (dir, name) = path.split_at(start);
        let private = |name: &[u8]| name.starts_with(b".wh..wh.");
        if name == b".wh..wh..opq" {
            Some(Whiteout::Opaque(dir.to_vec()))
        } else if private(name) || dir.split(|&b| b == b'/').any(private) {
            Some(Whiteout::Private)
        } else {
            let removed = name.strip_prefix(PREFIX)?;
            Some(Whiteout::Name([dir, removed].concat()))
        }
    }
}

/// Puts the entries that `wanted` says yes to into the tree.
fn add_tar<R: Read + Seek>(
    builder: &mut TreeBuilder,
    reader: R,
    base: u64,
    wanted: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<(), TarError> {
    let mut reader = reader;
    let end = reader.seek(SeekFrom::End(0)).map_err(|source| TarError::Read { after: String::new(), source })?;
    // Hard links that name a file further on: path and target, as they are written and as components.
    let mut pending: BTreeMap<Vec<u8>, Pending> = BTreeMap::new();
    for_each_entry(&mut reader, builder.limits(), &mut |entry, path| {
        if !wanted(path) {
            return Ok(());
        }
        let bad = |source| TarError::Entry { name: lossy(path), source };
        if entry.header().entry_type().is_hard_link() {
            let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
            match builder.link(path, &target) {
                Ok(()) => {}
                Err(TreeError::NoTarget(_)) => {
                    pending.insert(plain(path), Pending { path: path.to_vec(), target });
                }
                Err(source) => return Err(bad(source)),
            }
            return Ok(());
        }
        let mut node = node_of(entry, path).map_err(|error| match error {
            NodeError::Read(source) => TarError::Read { after: lossy(path), source },
            NodeError::Unsupported(what) => TarError::Unsupported { name: lossy(path), what },
        })?;
        if let NodeKind::File(extent) = &mut node.kind {
            // The reader skips contents without looking whether they are there.
            let inside = extent.offset.checked_add(extent.len).is_some_and(|at| at <= end);
            let moved = extent.offset.checked_add(base).filter(|_| inside);
            extent.offset = moved.ok_or_else(|| {
                let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short");
                TarError::Read { after: lossy(path), source }
            })?;
        }
        // A later entry takes the place of a hard link that still waits for its file.
        if !pending.is_empty() {
            pending.remove(&plain(path));
        }
        builder.insert(path, node).map_err(bad)
    })?;
    resolve_pending(builder, pending)
}

/// What is done with an entry and its path.
type Visit<'a, R> = dyn for<'b> FnMut(&mut Entry<'_, Frugal<&'b mut R>>, &[u8]) -> Result<(), TarError> + 'a;

/// Calls `visit` with each entry and its path, from the beginning of `reader`.
fn for_each_entry<R: Read + Seek>(
    reader: &mut R,
    limits: TreeLimits,
    visit: &mut Visit<'_, R>,
) -> Result<(), TarError> {
    let mut after = String::new();
    let failed = |after: &str, source| TarError::Read { after: after.to_owned(), source };
    reader.rewind().map_err(|source| failed(&after, source))?;
    let left = Rc::new(Cell::new(MAX_HEADER_BYTES));
    let mut archive = Archive::new(Frugal { reader, left: Rc::clone(&left) });
    let mut entries = archive.entries_with_seek().map_err(|source| failed(&after, source))?;
    let mut count = 0;
    loop {
        left.set(MAX_HEADER_BYTES);
        let Some(entry) = entries.next() else { return Ok(()) };
        let mut entry = entry.map_err(|source| failed(&after, source))?;
        let path = entry.path_bytes().into_owned();
        count += 1;
        if count > limits.nodes {
            return Err(TarError::Entry { name: lossy(&path), source: TreeError::TooMany(limits.nodes) });
        }
        let kind = entry.header().entry_type();
        if !matches!(kind, EntryType::XGlobalHeader) && kind.as_byte() != b'V' {
            visit(&mut entry, &path)?;
        }
        after = lossy(&path);
    }
}

/// A reader that gives an entry's header only so many bytes: the archive may claim names of any length, which are read
/// into memory. Contents are passed over by seeking.
struct Frugal<R> {
    reader: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Frugal<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 && !buf.is_empty() {
            return Err(io::Error::other("a name or an extended header is longer than 4 MiB"));
        }
        let most = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.reader.read(&mut buf[..most])?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Frugal<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

/// A hard link that names a file further on.
struct Pending {
    path: Vec<u8>,
    target: Vec<u8>,
}

/// A path without `.` and doubled slashes; as it is if it is no path in a tree.
fn plain(path: &[u8]) -> Vec<u8> {
    components(path).map_or_else(|_| path.to_vec(), |names| names.join(&b'/'))
}

/// Makes the links whose files came later. A link may name another such link, which is made first.
fn resolve_pending(builder: &mut TreeBuilder, mut pending: BTreeMap<Vec<u8>, Pending>) -> Result<(), TarError> {
    while let Some((_, first)) = pending.pop_first() {
        let mut chain = vec![first];
        while let Some(link) = chain.last().and_then(|link| pending.remove(&plain(&link.target))) {
            chain.push(link);
        }
        for link in chain.into_iter().rev() {
            builder
                .link(&link.path, &link.target)
                .map_err(|source| TarError::Entry { name: lossy(&link.path), source })?;
        }
    }
    Ok(())
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
    // Fields that do not matter for an entry are left blank by some writers.
    let rdev = |header: &Header| {
        let number = |field: io::Result<Option<u32>>| field.ok().flatten().unwrap_or(0);
        makedev(number(header.device_major()), number(header.device_minor()))
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
        EntryType::Char => NodeKind::CharDevice(rdev(header)),
        EntryType::Block => NodeKind::BlockDevice(rdev(header)),
        EntryType::Fifo => NodeKind::Fifo,
        EntryType::GNUSparse => return Err(NodeError::Unsupported("sparse files are not supported".into())),
        other => {
            let what = format!("entries of type {:?} are not supported", char::from(other.as_byte()));
            return Err(NodeError::Unsupported(what));
        }
    };
    // On Linux the mode of a symbolic link is always this; archives hold all sorts.
    let mode = if matches!(kind, NodeKind::Symlink(_)) { 0o777 } else { header.mode()? & 0o7777 };
    let (uid, gid) = (id(header.uid().unwrap_or(0)), id(header.gid().unwrap_or(0)));
    let mtime = Timestamp::from_secs(header.mtime().unwrap_or(0) as i64);
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
