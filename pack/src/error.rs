//! Why a bundle could not be written.

use std::path::PathBuf;

/// Why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file of the host could not be read or written.
    #[error("{path}: {source}")]
    Host {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The image could not be opened.
    #[error(transparent)]
    Image(#[from] friscy_image::ImageError),
    /// A file inside the image could not be read.
    #[error("/{path} in the image: {reason}")]
    Content {
        /// The path inside the image.
        path: String,
        /// Why.
        reason: String,
    },
    /// A profile that cannot be read.
    #[error("{path}: {reason}; `friscy run --profile-out` writes profiles")]
    Profile {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The output folder holds something that friscy-pack did not write.
    #[error("{0} is not empty and not a bundle: name another folder, or empty it first")]
    ForeignOutput(PathBuf),
    /// The page and the wasm files are nowhere to be found.
    #[error(
        "the web runtime ({missing}) was not found in {looked_in}: build it with `cargo xtask web`, or name its folder \
         with --assets or FRISCY_WEB_ASSETS"
    )]
    NoAssets {
        /// The first file that is missing.
        missing: &'static str,
        /// Where it was looked for.
        looked_in: String,
    },
    /// Nothing in the image can be started.
    #[error("{0}")]
    NoEntry(String),
    /// The index could not be encoded.
    #[error("the index of files: {0}")]
    Index(#[from] postcard::Error),
}

impl PackError {
    /// Makes a function that adds `path` to an I/O error.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> PackError {
        let path = path.into();
        move |source| PackError::Host { path, source }
    }
}
