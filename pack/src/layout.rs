//! The order of file contents in a bundle, and where chunks are cut.
//!
//! The contents of all files are laid one after another and cut into chunks. What the first program needs comes first;
//! the rest follows in the order of the tree, so that the files of a directory, which are read together, share chunks.
//! A file begins a new chunk when it would be cut in two and the current chunk is at least half full. What is needed as
//! a whole, long files and what the first program needs, is cut into longer chunks: a fetch has a cost of its own. Files
//! with equal contents are stored once.

use crate::PackError;
use crate::store::sha256_hex;
use friscy_vfs::{Extent, FileTree, FileType, Lower, LowerId, NodeKind, TreeBuilder, TreeNode, walk};
use std::collections::{BTreeMap, BTreeSet};

/// The size of a chunk before compression, in bytes, at most.
pub const CHUNK_BYTES: u64 = 512 * 1024;

/// The same of what is needed as a whole.
pub const LONG_CHUNK_BYTES: u64 = 2048 * 1024;

/// A file of so many bytes is long: it has chunks of its own.
pub const LONG_FILE_BYTES: u64 = 1024 * 1024;

/// A file's place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The file.
    pub id: LowerId,
    /// Its path below the root.
    pub path: Vec<u8>,
    /// Where its contents are in the concatenation of chunks.
    pub extent: Extent,
}

/// The finished layout: a tree whose extents refer to the concatenation of chunks.
#[derive(Debug)]
pub struct Layout {
    /// The tree.
    pub tree: FileTree,
    /// Where each chunk ends in the concatenation, ascending.
    pub chunk_ends: Vec<u64>,
    /// The number of chunks at the beginning that hold what comes first.
    pub first_chunks: u32,
    files: Vec<Placed>,
}

/// Reads a whole file of the image.
///
/// # Errors
/// [`PackError::Content`].
pub fn read_file(lower: &dyn Lower, id: LowerId, path: &[u8], len: u64) -> Result<Vec<u8>, PackError> {
    let fail = |reason: String| PackError::Content { path: String::from_utf8_lossy(path).into_owned(), reason };
    let (source, base) = lower.content(id).map_err(|errno| fail(errno.to_string()))?;
    let size = usize::try_from(len).map_err(|_| fail("too large".into()))?;
    let mut bytes = vec![0; size];
    let mut done = 0;
    while done < size {
        match source.read_at(base + done as u64, &mut bytes[done..]) {
            Ok(0) => return Err(fail("it is shorter than its metadata says".into())),
            Ok(n) => done += n,
            Err(error) => return Err(fail(error.to_string())),
        }
    }
    Ok(bytes)
}

/// Cuts a growing sequence of files into chunks.
#[derive(Default)]
struct Cutter {
    ends: Vec<u64>,
    at: u64,
}

impl Cutter {
    fn chunk_start(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn close(&mut self) {
        if self.at > self.chunk_start() {
            self.ends.push(self.at);
        }
    }

    /// Places a file of `len` bytes and returns where.
    fn place_file(&mut self, len: u64) -> Extent {
        if len < LONG_FILE_BYTES {
            return self.place(len, CHUNK_BYTES);
        }
        self.close();
        let extent = self.place(len, LONG_CHUNK_BYTES);
        self.close();
        extent
    }

    /// Places `len` bytes in chunks of at most `most` bytes and returns where.
    fn place(&mut self, len: u64, most: u64) -> Extent {
        let used = self.at - self.chunk_start();
        if used + len > most && used >= most / 2 {
            self.close();
        }
        let extent = Extent { offset: self.at, len };
        let end = self.at + len;
        while end - self.chunk_start() >= most {
            self.at = self.chunk_start() + most;
            self.ends.push(self.at);
        }
        self.at = end;
        extent
    }
}

impl Layout {
    /// Lays out everything in `lower`, the files in `first` before all others, in that order.
    ///
    /// # Errors
    /// [`PackError::Content`] when the image cannot be read.
    pub fn new(lower: &dyn Lower, first: &[LowerId]) -> Result<Layout, PackError> {
        let mut entries = Vec::new();
        walk(lower, &mut |entry| {
            entries.push(entry);
            Ok::<(), friscy_vfs::ReadError>(())
        })
        .map_err(|error| PackError::Content { path: String::new(), reason: error.to_string() })?;

        let by_id: BTreeMap<LowerId, usize> =
            entries.iter().enumerate().filter(|(_, entry)| !entry.seen).map(|(at, entry)| (entry.id, at)).collect();
        let leading: BTreeSet<LowerId> = first.iter().copied().collect();
        let order = first
            .iter()
            .filter_map(|id| by_id.get(id).copied())
            .chain((0..entries.len()).filter(|&at| !entries[at].seen && !leading.contains(&entries[at].id)));

        let mut cutter = Cutter::default();
        let mut files = Vec::new();
        let mut places: BTreeMap<LowerId, Extent> = BTreeMap::new();
        let mut by_content: BTreeMap<String, Extent> = BTreeMap::new();
        let mut first_chunks = None;
        for at in order {
            let entry = &entries[at];
            if entry.stat.file_type != FileType::Regular || places.contains_key(&entry.id) {
                continue;
            }
            if first_chunks.is_none() && !leading.contains(&entry.id) {
                cutter.close();
                first_chunks = Some(cutter.ends.len() as u32);
            }
            let len = entry.stat.size;
            let mut extent = Extent { offset: 0, len: 0 };
            if len > 0 {
                let hash = sha256_hex(&read_file(lower, entry.id, &entry.path, len)?);
                extent = match by_content.get(&hash) {
                    Some(extent) => *extent,
                    None => {
                        let extent = match first_chunks {
                            None => cutter.place(len, LONG_CHUNK_BYTES),
                            Some(_) => cutter.place_file(len),
                        };
                        by_content.insert(hash, extent);
                        files.push(Placed { id: entry.id, path: entry.path.clone(), extent });
                        extent
                    }
                };
            }
            places.insert(entry.id, extent);
        }
        cutter.close();

        let tree = build_tree(lower, &entries, &places)?;
        let all = cutter.ends.len() as u32;
        Ok(Layout { tree, chunk_ends: cutter.ends, first_chunks: first_chunks.unwrap_or(all), files })
    }

    /// The files with contents, each of equal ones once, in order.
    #[must_use]
    pub fn files(&self) -> &[Placed] {
        &self.files
    }

    /// Calls `take` with the contents of each chunk, in order.
    ///
    /// # Errors
    /// [`PackError::Content`], or what `take` returns.
    pub fn chunks(
        &self,
        lower: &dyn Lower,
        take: &mut dyn FnMut(Vec<u8>) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let mut ends = self.chunk_ends.iter();
        let mut start = 0;
        let mut end = ends.next().copied().unwrap_or(0);
        let mut chunk = Vec::new();
        for file in &self.files {
            let bytes = read_file(lower, file.id, &file.path, file.extent.len)?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let room = (end - start) as usize - chunk.len();
                let (now, later) = rest.split_at(rest.len().min(room));
                chunk.extend_from_slice(now);
                rest = later;
                if chunk.len() as u64 == end - start {
                    take(std::mem::take(&mut chunk))?;
                    start = end;
                    end = ends.next().copied().unwrap_or(end);
                }
            }
        }
        Ok(())
    }
}

/// The image's tree with new extents.
fn build_tree(
    lower: &dyn Lower,
    entries: &[friscy_vfs::WalkEntry],
    places: &BTreeMap<LowerId, Extent>,
) -> Result<FileTree, PackError> {
    let mut builder = TreeBuilder::new();
    let mut names: BTreeMap<LowerId, &[u8]> = BTreeMap::new();
    for entry in entries {
        let fail =
            |reason: String| PackError::Content { path: String::from_utf8_lossy(&entry.path).into_owned(), reason };
        if entry.seen {
            if let Some(name) = names.get(&entry.id) {
                builder.link(&entry.path, name).map_err(|error| fail(error.to_string()))?;
            }
            continue;
        }
        let stat = &entry.stat;
        let kind = match stat.file_type {
            FileType::Regular => NodeKind::File(places.get(&entry.id).copied().unwrap_or_default()),
            FileType::Directory => NodeKind::Dir(BTreeMap::new()),
            FileType::Symlink => NodeKind::Symlink(lower.read_link(entry.id).map_err(|errno| fail(errno.to_string()))?),
            FileType::CharDevice => NodeKind::CharDevice(stat.rdev),
            FileType::BlockDevice => NodeKind::BlockDevice(stat.rdev),
            FileType::Fifo => NodeKind::Fifo,
            // A socket's name without the process behind it is of no use.
            FileType::Socket => continue,
        };
        let node = TreeNode {
            uid: stat.uid,
            gid: stat.gid,
            mtime: stat.mtime,
            xattrs: lower.xattrs(entry.id).map_err(|errno| fail(errno.to_string()))?,
            ..TreeNode::new(kind, stat.mode)
        };
        builder.insert(&entry.path, node).map_err(|error| fail(error.to_string()))?;
        names.insert(entry.id, &entry.path);
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_cut_at_files_where_that_costs_little() {
        let mut cutter = Cutter::default();
        let half = CHUNK_BYTES / 2;
        assert_eq!(cutter.place_file(half), Extent { offset: 0, len: half });
        // Would be cut: begins a new chunk.
        assert_eq!(cutter.place_file(half + 1), Extent { offset: half, len: half + 1 });
        assert_eq!(cutter.ends, [half]);
        // A long file has chunks of its own, which are longer.
        let start = half + half + 1;
        let long = LONG_CHUNK_BYTES + 10;
        assert_eq!(cutter.place_file(long), Extent { offset: start, len: long });
        assert_eq!(cutter.ends, [half, start, start + LONG_CHUNK_BYTES, start + long]);
        // A chunk that is less than half full takes the beginning of the next file.
        let start = start + long;
        cutter.place_file(10);
        cutter.place_file(CHUNK_BYTES - 1);
        assert_eq!(cutter.ends.last(), Some(&(start + CHUNK_BYTES)));
        cutter.close();
        assert_eq!(cutter.ends.last(), Some(&(start + CHUNK_BYTES + 9)));
    }
}
