//! Telling root file systems apart, and opening them.

use super::folder::Folder;
use super::mapped::MappedFile;
use crate::lower::Lower;
use crate::tar_index::{TarError, index_tar};
use crate::tree::TreeLower;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What lies at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImageKind {
    /// A folder.
    Folder,
    /// A tar that is not compressed.
    Tar,
    /// A compressed file, and with what.
    Compressed(&'static str),
    /// An ELF file.
    Elf,
    /// Something else.
    Other,
}

/// What compressed files begin with.
const COMPRESSED: &[(&[u8], &str)] = &[
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (b"BZh", "bzip2"),
];

impl ImageKind {
    /// Looks at what is at `path`.
    ///
    /// # Errors
    /// The host's.
    pub fn of(path: &Path) -> io::Result<ImageKind> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Ok(ImageKind::Folder);
        }
        let mut head = Vec::new();
        file.take(512).read_to_end(&mut head)?;
        if head.starts_with(b"\x7fELF") {
            return Ok(ImageKind::Elf);
        }
        if let Some((_, name)) = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Ok(ImageKind::Compressed(name));
        }
        Ok(if is_tar_header(&head) { ImageKind::Tar } else { ImageKind::Other })
    }
}

/// Whether a block is a tar header: its checksum says so. An archive without entries begins with a block of zeros.
fn is_tar_header(block: &[u8]) -> bool {
    if block.len() < 512 {
        return false;
    }
    if block.iter().all(|&b| b == 0) {
        return true;
    }
    // The checksum is computed as if its own field held spaces.
    let sum: u32 = (0..).zip(block).map(|(at, &b)| if (148..156).contains(&at) { 32 } else { u32::from(b) }).sum();
    tar::Header::from_byte_slice(block).cksum().is_ok_and(|stored| stored == sum)
}

/// Why a root file system could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// The host refused.
    #[error("{}: {source}", path.display())]
    Host {
        /// The path given.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// It is a tar, but not a good one.
    #[error("{}: {source}", path.display())]
    Tar {
        /// The path given.
        path: PathBuf,
        /// What is wrong with it.
        source: TarError,
    },
    /// It is something else.
    #[error("{}: {what}", path.display())]
    Kind {
        /// The path given.
        path: PathBuf,
        /// What it is.
        what: String,
    },
}

/// A root file system on the host.
pub struct Rootfs {
    lower: Rc<dyn Lower>,
    tree: Option<TreeLower>,
}

impl Rootfs {
    /// Opens a folder or an uncompressed tar, whichever is at `path`. A folder is not walked; of a tar only the headers
    /// are read.
    ///
    /// # Errors
    /// See [`RootfsError`]; each names the path.
    pub fn from_path(path: &Path) -> Result<Rootfs, RootfsError> {
        let host = |source| RootfsError::Host { path: path.to_owned(), source };
        let other = |what: String| Err(RootfsError::Kind { path: path.to_owned(), what });
        match ImageKind::of(path).map_err(host)? {
            ImageKind::Folder => {
                Ok(Rootfs { lower: Rc::new(Folder::open(path).map_err(host)?), tree: None })
            }
            ImageKind::Tar => {
                let file = MappedFile::open(path).map_err(host)?;
                let tree = index_tar(Cursor::new(file.bytes()))
                    .map_err(|source| RootfsError::Tar { path: path.to_owned(), source })?;
                let has = |name: &[u8]| tree.find(name).is_some();
                if has(b"oci-layout") || (has(b"manifest.json") && !has(b"bin") && !has(b"usr")) {
                    return other("an image archive; only a tar or folder of its root file system is understood".into());
                }
                let tree = TreeLower::new(Rc::new(tree), Rc::new(file));
                Ok(Rootfs { lower: Rc::new(tree.clone()), tree: Some(tree) })
            }
            ImageKind::Compressed(with) => other(format!("compressed with {with}; decompress it first")),
            ImageKind::Elf => other("an ELF file, not a root file system".into()),
            ImageKind::Other => other("neither a folder nor a tar".into()),
        }
    }

    /// The tree, to put under a file system.
    #[must_use]
    pub fn lower(&self) -> &Rc<dyn Lower> {
        &self.lower
    }

    /// The index, if the source was a tar.
    #[must_use]
    pub fn tree(&self) -> Option<&TreeLower> {
        self.tree.as_ref()
    }
}
