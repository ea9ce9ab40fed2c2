//! What regular files hold: a part that still lies in a read-only source, pages written since, or an object of the
//! caller's.

use core::ops::Bound;
use core::sync::atomic::{AtomicU64, Ordering};
use friscy_abi::Errno;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Written data is kept in chunks of this many bytes; a hole of a whole chunk takes no memory.
const CHUNK: u64 = 64 * 1024;

/// The longest file in bytes (Linux: `MAX_LFS_FILESIZE`).
pub(crate) const MAX_FILE_SIZE: u64 = i64::MAX as u64;

/// Names a chunk of a content source that is not here yet; its meaning belongs to the source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChunkId(pub u64);

/// Why contents could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The data has to be fetched first: wait until chunk `.0` is there, then repeat the call. Nothing was changed.
    #[error("chunk {} is not here yet", .0.0)]
    NotYet(ChunkId),
    /// It failed.
    #[error("{0}")]
    Failed(Errno),
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> ReadError {
        ReadError::Failed(errno)
    }
}

/// Names an open file of the host. Natively it is a descriptor, open as long as the source that told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostFile(pub i32);

/// Bytes that never change, read by offset: a tar, a host file, chunks that are fetched on demand.
pub trait ContentSource {
    /// Reads up to `buf.len()` bytes at `off` and returns how many; fewer than asked only at the end of the source, or
    /// where the next chunk is missing (at least one byte in that case).
    ///
    /// # Errors
    /// [`ReadError::NotYet`] when not even one byte is here; `EIO` when the source fails.
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError>;

    /// The file of the host that holds the `len` bytes at `off`, and nothing else, if there is one that is open.
    fn host_file(&self, off: u64, len: u64) -> Option<HostFile> {
        let _ = (off, len);
        None
    }

    /// The bytes themselves, where the source has them in memory as one slice.
    fn slice(&self, off: u64, len: u64) -> Option<&[u8]> {
        let _ = (off, len);
        None
    }
}

/// A content source that owns its bytes.
#[derive(Debug, Clone)]
pub struct MemorySource(pub Rc<[u8]>);

impl ContentSource for MemorySource {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        Ok(read_slice(&self.0, off, buf))
    }

    fn slice(&self, off: u64, len: u64) -> Option<&[u8]> {
        sub_slice(&self.0, off, len)
    }
}

/// Copies what `data` holds at `off` and returns how much.
pub(crate) fn read_slice(data: &[u8], off: u64, buf: &mut [u8]) -> usize {
    let Some(from) = usize::try_from(off).ok().and_then(|off| data.get(off..)) else { return 0 };
    let n = from.len().min(buf.len());
    buf[..n].copy_from_slice(&from[..n]);
    n
}

/// The part of `data` at `off` of `len` bytes, if it is inside.
pub(crate) fn sub_slice(data: &[u8], off: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(off).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    data.get(start..end)
}

/// Contents that the caller holds, for a file that is mapped shared: the inode reads and writes through it.
pub trait ExternalContent {
    /// Reads at `off`; returns how many bytes, fewer than asked only at the end.
    ///
    /// # Errors
    /// Whatever read(2) shall return.
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError>;
    /// Writes at `off`, growing the file where needed; returns how many bytes.
    ///
    /// # Errors
    /// Whatever write(2) shall return.
    fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, Errno>;
    /// The length in bytes.
    fn len(&self) -> u64;
    /// Whether it holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Sets the length; what is new reads as zero.
    ///
    /// # Errors
    /// Whatever ftruncate(2) shall return.
    fn set_len(&self, len: u64) -> Result<(), Errno>;
}

/// A key for one file's contents, never given to another file in the same program run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContentId(pub u64);

impl ContentId {
    pub(crate) fn fresh() -> ContentId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        ContentId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The part of a file that nobody wrote to yet.
#[derive(Clone)]
pub(crate) struct LowerPart {
    pub source: Rc<dyn ContentSource>,
    /// Where the file begins in the source.
    pub base: u64,
    /// How much of the file's beginning comes from the source.
    pub len: u64,
}

/// The contents of a regular file.
///
/// A byte comes from its chunk, else from the lower part, else it is zero. A chunk may be shorter than [`CHUNK`]; what
/// is missing at its end is zero. While there is an external object the rest is empty, and the inode reads, writes and
/// sets the length through the object itself. Bytes at and above `len` are always zero in a chunk and never in the lower part.
#[derive(Default)]
pub struct Content {
    len: u64,
    lower: Option<LowerPart>,
    chunks: BTreeMap<u64, Vec<u8>>,
    /// The bytes of memory that `chunks` take.
    held: u64,
    external: Option<Rc<dyn ExternalContent>>,
}

impl Content {
    pub(crate) fn from_lower(lower: LowerPart) -> Content {
        Content { len: lower.len, lower: Some(lower), ..Content::default() }
    }

    pub(crate) fn len(&self) -> u64 {
        self.external.as_ref().map_or(self.len, |external| external.len())
    }

    /// The bytes of memory that chunks take.
    pub(crate) fn upper_bytes(&self) -> u64 {
        self.held
    }

    /// The space taken, in units of 512 bytes.
    pub(crate) fn blocks(&self) -> u64 {
        if let Some(external) = &self.external {
            return external.len().div_ceil(4096) * 8;
        }
        let lower_len = self.lower.as_ref().map_or(0, |lower| lower.len);
        let shadowed: u64 = self.chunks.keys().map(|&index| lower_len.saturating_sub(index * CHUNK).min(CHUNK)).sum();
        let upper: u64 = self.chunks.values().map(|chunk| (chunk.len() as u64).div_ceil(4096) * 8).sum();
        upper + (lower_len - shadowed).div_ceil(4096) * 8
    }

    /// Whether every byte still comes from the lower source.
    pub(crate) fn lower_only(&self) -> Option<&LowerPart> {
        let lower = self.lower.as_ref()?;
        (self.external.is_none() && self.chunks.is_empty() && lower.len == self.len).then_some(lower)
    }

    pub(crate) fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        if off >= self.len {
            return Ok(0);
        }
        let want = (self.len - off).min(buf.len() as u64) as usize;
        let mut done = 0;
        while done < want {
            let at = off + done as u64;
            match self.read_run(at, &mut buf[done..want]) {
                Ok(n) => done += n,
                // What is here is returned; the caller comes back for the rest.
                Err(ReadError::NotYet(_)) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Reads from one place only: a chunk, the lower part or a hole. Always makes progress; `out` lies inside the file.
    fn read_run(&self, at: u64, out: &mut [u8]) -> Result<usize, ReadError> {
        let (index, within) = (at / CHUNK, (at % CHUNK) as usize);
        if let Some(chunk) = self.chunks.get(&index) {
            let n = out.len().min(CHUNK as usize - within);
            let copied = read_slice(chunk, within as u64, &mut out[..n]);
            out[copied..n].fill(0);
            return Ok(n);
        }
        let next_chunk = self.chunks.range((Bound::Excluded(index), Bound::Unbounded)).next();
        let until = next_chunk.map_or(u64::MAX, |(&next, _)| next * CHUNK);
        let n = (until - at).min(out.len() as u64) as usize;
        match &self.lower {
            Some(lower) if at < lower.len => {
                let n = (lower.len - at).min(n as u64) as usize;
                match lower.source.read_at(lower.base + at, &mut out[..n])? {
                    // The source is shorter than its index says.
                    0 => Err(ReadError::Failed(Errno::EIO)),
                    n => Ok(n),
                }
            }
            _ => {
                out[..n].fill(0);
                Ok(n)
            }
        }
    }

    /// The bytes themselves where one slice holds them.
    pub(crate) fn lower_slice(&self, off: u64, len: u64) -> Option<&[u8]> {
        let lower = self.lower_only()?;
        if off.checked_add(len)? > lower.len {
            return None;
        }
        lower.source.slice(lower.base + off, len)
    }

    /// How many more bytes of memory writing `len` bytes at `off` would take, at most.
    pub(crate) fn growth(&self, off: u64, len: u64) -> u64 {
        if len == 0 {
            return 0;
        }
        let last = (off + len - 1) / CHUNK;
        (off / CHUNK..=last)
            .map(|index| {
                let end = (off + len - index * CHUNK).min(CHUNK);
                let held = self.chunks.get(&index).map_or(0, |chunk| chunk.len() as u64);
                let needed = if held == 0 { end.max(self.lower_in_chunk(index)) } else { end };
                needed.saturating_sub(held)
            })
            .sum()
    }

    fn lower_in_chunk(&self, index: u64) -> u64 {
        self.lower.as_ref().map_or(0, |lower| lower.len.saturating_sub(index * CHUNK).min(CHUNK))
    }

    /// Makes the chunks that `off..off + len` touches writable, copying up what they hold below.
    ///
    /// The first error leaves the file as it was to every reader.
    fn copy_up(&mut self, off: u64, len: u64) -> Result<(), ReadError> {
        if len == 0 {
            return Ok(());
        }
        for index in off / CHUNK..=(off + len - 1) / CHUNK {
            let start = index * CHUNK;
            let below = self.lower_in_chunk(index);
            if below == 0 || self.chunks.contains_key(&index) {
                continue;
            }
            // Bytes about to be overwritten altogether need not be read.
            let mut chunk = vec![0; below as usize];
            if off > start || off + len < start + below {
                let mut done = 0;
                while done < chunk.len() {
                    done += self.read_run(start + done as u64, &mut chunk[done..])?;
                }
            }
            self.held += chunk.len() as u64;
            self.chunks.insert(index, chunk);
        }
        Ok(())
    }

    pub(crate) fn write_at(&mut self, off: u64, data: &[u8]) -> Result<usize, ReadError> {
        if data.is_empty() {
            return Ok(0);
        }
        if off >= MAX_FILE_SIZE {
            return Err(Errno::EFBIG.into());
        }
        let data = &data[..data.len().min((MAX_FILE_SIZE - off) as usize)];
        self.copy_up(off, data.len() as u64)?;
        let mut done = 0;
        while done < data.len() {
            let at = off + done as u64;
            let within = (at % CHUNK) as usize;
            let n = (data.len() - done).min(CHUNK as usize - within);
            let chunk = self.chunks.entry(at / CHUNK).or_default();
            if chunk.len() < within + n {
                self.held += (within + n - chunk.len()) as u64;
                chunk.resize(within + n, 0);
            }
            chunk[within..within + n].copy_from_slice(&data[done..done + n]);
            done += n;
        }
        self.len = self.len.max(off + data.len() as u64);
        Ok(data.len())
    }

    pub(crate) fn set_len(&mut self, len: u64) -> Result<(), Errno> {
        if len > MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        if len < self.len {
            self.chunks.split_off(&len.div_ceil(CHUNK));
            if let Some(chunk) = self.chunks.get_mut(&(len / CHUNK)) {
                chunk.truncate((len % CHUNK) as usize);
            }
            self.recount();
            if let Some(lower) = &mut self.lower {
                lower.len = lower.len.min(len);
                if lower.len == 0 {
                    self.lower = None;
                }
            }
        }
        self.len = len;
        Ok(())
    }

    fn recount(&mut self) {
        self.held = self.chunks.values().map(|chunk| chunk.len() as u64).sum();
    }

    /// Makes `off..off + len` read as zero without changing the length.
    pub(crate) fn punch_hole(&mut self, off: u64, len: u64) -> Result<(), ReadError> {
        let end = off.saturating_add(len).min(self.len());
        if off >= end {
            return Ok(());
        }
        if let Some(external) = &self.external {
            let zeros = [0; 4096];
            let mut at = off;
            while at < end {
                let n = (end - at).min(zeros.len() as u64) as usize;
                at += external.write_at(at, &zeros[..n])?.max(1) as u64;
            }
            return Ok(());
        }
        // Only chunks that hold something, or lie over the lower part, have anything to be cleared.
        let lower_len = self.lower.as_ref().map_or(0, |lower| lower.len);
        if off < lower_len {
            self.copy_up(off, end.min(lower_len) - off)?;
        }
        for (&index, chunk) in self.chunks.range_mut(off / CHUNK..=(end - 1) / CHUNK) {
            let from = off.saturating_sub(index * CHUNK).min(chunk.len() as u64) as usize;
            let to = (end - index * CHUNK).min(chunk.len() as u64) as usize;
            chunk[from..to].fill(0);
        }
        // A chunk over a hole may go when nothing in it is left.
        self.chunks.retain(|&index, chunk| {
            index * CHUNK < off
                || (index + 1) * CHUNK > end
                || index * CHUNK < lower_len
                || chunk.iter().any(|&b| b != 0)
        });
        self.recount();
        Ok(())
    }

    /// The first offset at or after `off` that holds data (`SEEK_DATA`), or the end of the file.
    pub(crate) fn next_data(&self, off: u64) -> u64 {
        if self.external.is_some() || off < self.lower.as_ref().map_or(0, |lower| lower.len) {
            return off.min(self.len());
        }
        let chunk = self.chunks.range(off / CHUNK..).next();
        chunk.map_or(self.len, |(&index, _)| (index * CHUNK).max(off)).min(self.len)
    }

    /// The first offset at or after `off` inside a hole (`SEEK_HOLE`), or the end of the file.
    pub(crate) fn next_hole(&self, off: u64) -> u64 {
        if self.external.is_some() {
            return self.len();
        }
        let mut at = off.max(self.lower.as_ref().map_or(0, |lower| lower.len));
        while at < self.len && self.chunks.contains_key(&(at / CHUNK)) {
            at = (at / CHUNK + 1) * CHUNK;
        }
        at.min(self.len)
    }

    pub(crate) fn external(&self) -> Option<Rc<dyn ExternalContent>> {
        self.external.clone()
    }

    /// From now on everything goes through `external`; what was held here is dropped.
    pub(crate) fn set_external(&mut self, external: Rc<dyn ExternalContent>) {
        *self = Content { external: Some(external), ..Content::default() };
    }

    /// Takes the contents back from the external object.
    pub(crate) fn take_back(&mut self) -> Result<(), ReadError> {
        let Some(external) = self.external.clone() else { return Ok(()) };
        let mut own = Content { len: external.len(), ..Content::default() };
        let mut buf = vec![0; CHUNK as usize];
        let mut at = 0;
        while at < own.len {
            let n = external.read_at(at, &mut buf)?;
            if n == 0 {
                break;
            }
            let part = &buf[..n];
            if part.iter().any(|&b| b != 0) {
                own.write_at(at, part)?;
            }
            at += n as u64;
        }
        own.len = external.len();
        *self = own;
        Ok(())
    }
}
