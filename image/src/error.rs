//! Why an image could not be opened.

use friscy_vfs::TarError;
use std::io;
use std::path::{Path, PathBuf};

/// Why an image could not be opened: the image as the user named it, and what is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{image}: {problem}")]
pub struct ImageError {
    /// The path or the reference.
    pub image: String,
    /// What is wrong with it.
    #[source]
    pub problem: Box<Problem>,
}

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The host refused.
    #[error("{}", words(.0))]
    Host(io::Error),
    /// The host refused to read or write a file that is not the image itself.
    #[error("{}: {}", path.display(), words(source))]
    Beside {
        /// The file.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// It is none of the forms in which images come.
    #[error("{0}")]
    Kind(String),
    /// A document of the image is not what it has to be.
    #[error("{document}: {what}; write the image anew")]
    Document {
        /// Its name in the image.
        document: String,
        /// What is wrong with it.
        what: String,
    },
    /// Something that the image refers to is not in it.
    #[error("{0} is missing; write or copy the image anew")]
    Missing(String),
    /// Contents are not what their digest says.
    #[error("{part}: its digest is {found}, not {expected}: it is damaged; write or copy the image anew")]
    Digest {
        /// The part, as `layer 2 of 3`.
        part: String,
        /// What the image says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A tar inside the image, or the image itself, cannot be used.
    #[error("{}{source}; {}", prefix(part), advice(source))]
    Tar {
        /// Which, as `layer 2 of 3`; empty for the image itself.
        part: String,
        /// What is wrong with it.
        source: TarError,
    },
    /// Compressed data is damaged.
    #[error("{}{what}; write or copy the image anew", prefix(part))]
    Damaged {
        /// Which, as `layer 2 of 3`; empty for the image itself.
        part: String,
        /// What is wrong with it.
        what: String,
    },
    /// It would take more room than an image may.
    #[error("{}{what}; friscy does not unpack that: use an image that is smaller", prefix(part))]
    Limit {
        /// Which, as `layer 2 of 3`; empty for the image itself.
        part: String,
        /// What is too large.
        what: String,
    },
    /// It is not for riscv64.
    #[error(
        "it is for {0}, and friscy runs linux/riscv64: build it with `docker buildx build --platform linux/riscv64` from \
         a base image that has riscv64, such as `FROM debian:trixie`"
    )]
    Platform(String),
    /// There are several images in it.
    #[error("it holds several images: name one as {0}")]
    Several(String),
    /// A registry did not give it.
    #[error("{0}")]
    Registry(String),
}

impl Problem {
    /// Names the image.
    pub(crate) fn of(self, image: &str) -> ImageError {
        ImageError { image: image.to_owned(), problem: Box::new(self) }
    }

    /// A function that makes an error of a file that is not the image itself.
    pub(crate) fn beside(path: &Path) -> impl FnOnce(io::Error) -> Problem {
        let path = path.to_owned();
        move |source| Problem::Beside { path, source }
    }
}

/// A host error in words, without the number that `io::Error` adds.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

fn prefix(part: &str) -> String {
    if part.is_empty() { String::new() } else { format!("{part}: ") }
}

fn advice(error: &TarError) -> &'static str {
    match error {
        TarError::Read { .. } => "the archive is damaged: write or copy it anew",
        TarError::Entry { .. } | TarError::Unsupported { .. } => {
            "friscy does not unpack that: make the archive without it"
        }
    }
}
