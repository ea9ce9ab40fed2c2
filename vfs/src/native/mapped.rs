//! A host file, mapped.

use crate::content::{ContentSource, HostFile, ReadError, read_slice, sub_slice};
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// A host file mapped for reading; its pages are read by the host as they are touched.
pub struct MappedFile {
    map: Mmap,
    file: File,
}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// The host's.
    pub fn open(path: &Path) -> io::Result<MappedFile> {
        MappedFile::map(&File::open(path)?)
    }

    /// Maps an open file.
    ///
    /// # Errors
    /// The host's.
    pub fn map(file: &File) -> io::Result<MappedFile> {
        // SAFETY: the mapping is private to this value and only ever read; the module's contract is that the file does
        // not change in the meantime.
        let map = unsafe { Mmap::map(file)? };
        Ok(MappedFile { map, file: file.try_clone()? })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// All bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl ContentSource for MappedFile {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        Ok(read_slice(&self.map, off, buf))
    }

    fn host_file(&self, off: u64, len: u64) -> Option<HostFile> {
        (off == 0 && len == self.map.len() as u64).then(|| HostFile(self.file.as_raw_fd()))
    }

    fn slice(&self, off: u64, len: u64) -> Option<&[u8]> {
        sub_slice(&self.map, off, len)
    }
}
