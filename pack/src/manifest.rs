//! `manifest.json` and the index of files: what the page reads first.

use friscy_vfs::FileTree;
use serde::{Deserialize, Serialize};

/// The version of the bundle format that this crate writes and the page reads.
pub const FORMAT: u32 = 2;

/// The name of the manifest in a bundle.
pub const MANIFEST: &str = "manifest.json";

/// The folder of a bundle that holds everything that is named by its hash.
pub const FILES: &str = "files";

/// A file below [`FILES`]: deflated data without header, named by the hash of the deflated bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileRef {
    /// SHA-256 of the file's bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

impl FileRef {
    /// The file's name below [`FILES`].
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.z", self.sha256.get(..32).unwrap_or(&self.sha256))
    }
}

/// What is started, and as whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The program's absolute path and its arguments.
    pub argv: Vec<String>,
    /// `NAME=value`, in order.
    pub env: Vec<String>,
    /// The working directory, absolute.
    pub cwd: String,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The host name.
    pub hostname: String,
}

/// The bundle's table of contents. Everything in it is public as soon as the bundle is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The program and version that wrote it.
    pub producer: String,
    /// What the page calls the image.
    pub name: String,
    /// The kernel's instance.
    pub kernel: FileRef,
    /// The instance that runs one address space.
    pub cpu: FileRef,
    /// An [`Index`].
    pub index: FileRef,
    /// The contents of files, in the order of [`Index::chunk_ends`].
    pub chunks: Vec<FileRef>,
    /// Chunks that the first program needs: fetched before it starts.
    pub first: Vec<u32>,
    /// Chunks with code that ran when the profile was recorded, that with most instructions first: fetched when the first
    /// program has started.
    #[serde(default)]
    pub then: Vec<u32>,
    /// Modules that were compiled ahead of time, in the order of their numbers.
    pub modules: Vec<FileRef>,
    /// What is started.
    pub entry: Entry,
}

/// The index of files, in postcard's encoding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Index {
    /// [`FORMAT`].
    pub format: u32,
    /// The tree; its extents lie in the concatenation of all chunks.
    pub tree: FileTree,
    /// Where each chunk ends in that concatenation, in bytes, ascending.
    pub chunk_ends: Vec<u64>,
    /// Files of which there are modules that were compiled ahead of time.
    pub ahead: Vec<Ahead>,
}

/// A file that was compiled ahead of time. Its executable segments are what the module's own section says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ahead {
    /// Where its contents begin in the concatenation of all chunks.
    pub offset: u64,
    /// The module's place in [`Manifest::modules`].
    pub module: u32,
    /// It may be loaded anywhere.
    pub is_relative: bool,
    /// How many functions the module has.
    pub functions: u32,
    /// Through how many places they leave for known addresses.
    pub places: u32,
    /// What of the file is executable.
    pub segments: Vec<Segment>,
}

/// An executable part of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: u32,
    /// The address of that, as the file's headers count.
    pub address: u32,
    /// Bytes.
    pub len: u32,
}
