//! The contents of the image's files: chunks that arrive when they are asked for.

use friscy_vfs::{ChunkId, ContentSource, FileTree, NodeKind, ReadError};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// How many chunks of one file are asked for at a time: a program's file is needed as a whole when it is mapped.
const AHEAD: usize = 24;

/// The chunks of a bundle, here or not yet.
pub struct Chunks {
    /// Where each ends in their concatenation, ascending.
    ends: Vec<u64>,
    data: Vec<Option<Box<[u8]>>>,
    /// Asked for and not here.
    wanted: Vec<bool>,
    /// Files of more than one chunk, by where they begin, with their ends.
    long_files: BTreeMap<u64, u64>,
    want: Box<dyn FnMut(u32)>,
}

impl Chunks {
    /// None are here; `want` is called with the number of each that is needed, once. `tree` says which belong together.
    pub fn new(ends: Vec<u64>, tree: &FileTree, want: Box<dyn FnMut(u32)>) -> Chunks {
        let count = ends.len();
        let mut chunks = Chunks {
            ends,
            data: (0..count).map(|_| None).collect(),
            wanted: vec![false; count],
            long_files: BTreeMap::new(),
            want,
        };
        for node in tree.nodes() {
            if let NodeKind::File(extent) = &node.kind
                && extent.len > 0
                && chunks.at(extent.offset) != chunks.at(extent.offset.saturating_add(extent.len) - 1)
            {
                chunks.long_files.insert(extent.offset, extent.offset.saturating_add(extent.len));
            }
        }
        chunks
    }

    /// Takes the contents of a chunk. What does not have the right length is not taken.
    pub fn arrive(&mut self, number: u32, bytes: Box<[u8]>) -> bool {
        let index = number as usize;
        let Some(range) = self.range(index) else { return false };
        if bytes.len() as u64 != range.end - range.start {
            return false;
        }
        self.data[index] = Some(bytes);
        true
    }

    /// The chunk that holds the byte at `offset`, or the number of chunks if none does.
    fn at(&self, offset: u64) -> usize {
        self.ends.partition_point(|&end| end <= offset)
    }

    fn range(&self, index: usize) -> Option<Range<u64>> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        Some(start..end)
    }

    /// Asks for a chunk, and for those after it that belong to the same long file.
    fn ask(&mut self, index: usize, offset: u64) {
        let file_end = self.long_files.range(..=offset).next_back().map_or(0, |(_, &end)| end);
        let last = if file_end > offset { self.at(file_end - 1) } else { index };
        for index in index..=last.min(index + AHEAD - 1) {
            if let (Some(wanted), Some(None)) = (self.wanted.get_mut(index), self.data.get(index))
                && !*wanted
            {
                *wanted = true;
                (self.want)(index as u32);
            }
        }
    }
}

/// [`Chunks`] as a source of contents.
#[derive(Clone)]
pub struct ChunkSource(pub Rc<RefCell<Chunks>>);

impl ContentSource for ChunkSource {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        let mut chunks = self.0.borrow_mut();
        let mut done = 0;
        while done < buf.len() {
            let Some(at) = off.checked_add(done as u64) else { break };
            let index = chunks.at(at);
            let Some(range) = chunks.range(index) else { break };
            let Some(Some(data)) = chunks.data.get(index) else {
                if done > 0 {
                    break;
                }
                chunks.ask(index, at);
                return Err(ReadError::NotYet(ChunkId(index as u64)));
            };
            let within = (at - range.start) as usize;
            let n = (data.len() - within).min(buf.len() - done);
            buf[done..done + n].copy_from_slice(&data[within..within + n]);
            done += n;
        }
        Ok(done)
    }
}
