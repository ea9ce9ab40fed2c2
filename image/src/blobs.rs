//! Where the parts of an image lie: in an archive, in a folder, in a registry.

use crate::digest::Digest;
use crate::error::{ImageError, Problem};
use friscy_vfs::native::MappedFile;
use friscy_vfs::{ContentSource, Lower, MemorySource, TreeLower, resolve};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Bytes in memory or of a mapped file.
#[derive(Clone)]
pub(crate) struct Blob {
    source: Rc<dyn ContentSource>,
    start: u64,
    len: u64,
}

impl Blob {
    /// All of a file.
    pub(crate) fn whole(file: Rc<MappedFile>) -> Blob {
        let len = file.bytes().len() as u64;
        Blob { source: file, start: 0, len }
    }

    /// Bytes in memory.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Blob {
        let len = bytes.len() as u64;
        Blob { source: Rc::new(MemorySource(bytes.into())), start: 0, len }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.source.slice(self.start, self.len).unwrap_or_default()
    }
}

/// A part of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// A file with a name of its own.
    File(&'a str),
    /// A manifest or an index.
    Manifest(&'a Digest),
    /// Anything else, and its length in bytes if the image says it.
    Blob(&'a Digest, Option<u64>),
}

impl Part<'_> {
    /// Its name in an archive or a folder, by the OCI image layout specification.
    pub(crate) fn path(self) -> String {
        match self {
            Part::File(name) => name.to_owned(),
            Part::Manifest(digest) | Part::Blob(digest, _) => {
                format!("blobs/{}/{}", digest.algorithm_name(), digest.hex())
            }
        }
    }
}

/// The parts of an image.
pub(crate) trait Blobs {
    /// The part, if it is there. Its digest is not verified.
    ///
    /// # Errors
    /// The host's, or a registry's.
    fn get(&self, part: Part<'_>) -> Result<Option<Blob>, Problem>;
}

/// Parts in a tar.
pub(crate) struct Archive {
    tree: TreeLower,
    file: Rc<MappedFile>,
}

impl Archive {
    pub(crate) fn new(tree: TreeLower, file: Rc<MappedFile>) -> Archive {
        Archive { tree, file }
    }
}

impl Blobs for Archive {
    fn get(&self, part: Part<'_>) -> Result<Option<Blob>, Problem> {
        // Archives name a layer that occurs twice by a symbolic link the second time.
        let Some(id) = resolve(&self.tree, part.path().as_bytes()) else { return Ok(None) };
        let (Ok((_, start)), Ok(stat)) = (self.tree.content(id), self.tree.stat(id)) else { return Ok(None) };
        Ok(Some(Blob { source: Rc::clone(&self.file) as _, start, len: stat.size }))
    }
}

/// Parts in a folder.
pub(crate) struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub(crate) fn new(dir: &Path) -> Folder {
        Folder { dir: dir.to_owned() }
    }
}

impl Blobs for Folder {
    fn get(&self, part: Part<'_>) -> Result<Option<Blob>, Problem> {
        let name = part.path();
        // Names are the image's choice, and what they lead to need not be the image's.
        if name.is_empty() || name.split('/').any(|name| matches!(name, "" | "." | "..")) || name.contains('\0') {
            return Ok(None);
        }
        let path = self.dir.join(&name);
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() => {
                let file = MappedFile::open(&path).map_err(Problem::beside(&path))?;
                Ok(Some(Blob::whole(Rc::new(file))))
            }
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Problem::beside(&path)(error)),
        }
    }
}

/// The most bytes of an index, a manifest or a configuration. Registries take 4 MiB.
pub(crate) const MAX_DOCUMENT: u64 = 16 << 20;

/// Reads a document as JSON.
///
/// # Errors
/// It is none, or not of that kind.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(document: &str, bytes: &[u8]) -> Result<T, Problem> {
    let fail = |what: String| Problem::Document { document: document.to_owned(), what };
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(fail(format!("{} bytes are too many for such a document", bytes.len())));
    }
    serde_json::from_slice(bytes).map_err(|error| fail(format!("it is not what it should be ({error})")))
}

/// Checks bytes against the digest that the image has for them.
///
/// # Errors
/// They are others.
pub(crate) fn verify(part: &str, expected: &Digest, bytes: &[u8]) -> Result<(), Problem> {
    let found = expected.same_of(bytes);
    if found == *expected {
        return Ok(());
    }
    Err(Problem::Digest { part: part.to_owned(), expected: expected.short(), found: found.short() })
}

/// Puts an image's name to a problem.
pub(crate) trait Named<T> {
    fn named(self, image: &str) -> Result<T, ImageError>;
}

impl<T> Named<T> for Result<T, Problem> {
    fn named(self, image: &str) -> Result<T, ImageError> {
        self.map_err(|problem| problem.of(image))
    }
}
