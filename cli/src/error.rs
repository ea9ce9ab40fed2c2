//! What can go wrong before, after and around the guest, and the exit status that says so.

use friscy_engine::SpawnError;
use std::io;
use std::path::{Path, PathBuf};

/// Status of an error of friscy's own.
pub const OWN_ERROR: u8 = 125;
/// Status when the command was found but cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// Status when the command was not found.
const NOT_FOUND: u8 = 127;

/// An error that ends the command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the host.
    #[error("{}: {}", path.display(), describe(source))]
    Host {
        /// Its path.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// The image cannot be opened.
    #[error("{0}")]
    Image(#[from] friscy_image::ImageError),
    /// The first process cannot be started.
    #[error("{0}")]
    Spawn(#[from] SpawnError),
    /// Anything else, said in a sentence that names what to do.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Makes an error of a host file.
    pub fn host(path: &Path, source: io::Error) -> Error {
        Error::Host { path: path.to_owned(), source }
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        match self {
            Error::Spawn(SpawnError::NotFound(_)) => NOT_FOUND,
            Error::Spawn(SpawnError::NotExecutable { .. } | SpawnError::WorkingDirectory { .. }) => NOT_EXECUTABLE,
            _ => OWN_ERROR,
        }
    }
}

/// A host error in words, without the number that `io::Error` adds.
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
