//! Files that are named by their hash.

use crate::PackError;
use crate::manifest::FileRef;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

/// SHA-256 as 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Deflates `bytes` without header. The same bytes give the same result.
#[must_use]
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::new(8));
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// Deflates `bytes` and writes the result into `dir` under the name of its hash.
///
/// # Errors
/// [`PackError::Host`].
pub fn put(dir: &Path, bytes: &[u8]) -> Result<FileRef, PackError> {
    let deflated = deflate(bytes);
    let file = FileRef { sha256: sha256_hex(&deflated), bytes: deflated.len() as u64 };
    let path = dir.join(file.name());
    fs::write(&path, &deflated).map_err(PackError::at(path))?;
    Ok(file)
}
