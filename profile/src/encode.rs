//! The file format: magic, version, length, sections, checksum (`docs/profiles.md`).

use crate::model::{Module, ModuleId, Name, Profile};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What a profile begins with.
pub const MAGIC: [u8; 8] = *b"friscypf";

/// The version that is written and read.
pub const VERSION: u16 = 1;

/// Magic, version, length of the sections.
const HEAD_BYTES: usize = 8 + 2 + 8;

/// The SHA-256 of everything before it.
const CHECKSUM_BYTES: usize = 32;

/// Sections that a reader must know have numbers below this; others it may skip.
const OPTIONAL: u8 = 128;

/// Section of producers, labels and totals.
const HEADER: u8 = 1;
/// Section of modules and their blocks.
const MODULES: u8 = 2;

/// Why bytes are no profile.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// They begin otherwise.
    #[error("not a profile: it does not begin with \"friscypf\"")]
    Magic,
    /// Written by another version.
    #[error("a profile of format version {0}; this friscy reads version {VERSION}")]
    Version(u16),
    /// Bytes are missing.
    #[error("a truncated profile: {have} bytes of {want}")]
    Truncated {
        /// How many there are.
        have: u64,
        /// How many there must be.
        want: u64,
    },
    /// There is more than the profile.
    #[error("{0} bytes follow the profile")]
    Trailing(u64),
    /// Bytes have changed.
    #[error("a damaged profile: its checksum is wrong")]
    Checksum,
    /// A section that is not known and must be.
    #[error("a profile with section {0}, which this friscy does not know")]
    Section(u8),
    /// A section is missing.
    #[error("a profile without its section of {0}")]
    Missing(&'static str),
    /// The contents are not what a profile has.
    #[error("a malformed profile: its section of {0} cannot be decoded")]
    Malformed(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Header {
    producers: BTreeSet<Name>,
    labels: BTreeSet<Name>,
    retired: u64,
    elsewhere: u64,
}

impl Profile {
    /// The bytes of a file; the same for equal profiles.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let header = Header {
            producers: self.producers.clone(),
            labels: self.labels.clone(),
            retired: self.retired,
            elsewhere: self.elsewhere,
        };
        let mut sections = Vec::new();
        for (tag, bytes) in [(HEADER, pack(&header)), (MODULES, pack(&self.modules))] {
            sections.push(tag);
            sections.extend((bytes.len() as u64).to_le_bytes());
            sections.extend(bytes);
        }
        let mut file = Vec::with_capacity(HEAD_BYTES + sections.len() + CHECKSUM_BYTES);
        file.extend(MAGIC);
        file.extend(VERSION.to_le_bytes());
        file.extend((sections.len() as u64).to_le_bytes());
        file.extend(sections);
        let checksum = Sha256::digest(&file);
        file.extend(checksum);
        file
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Profile::encode`] does not write, but optional sections.
    pub fn decode(file: &[u8]) -> Result<Profile, DecodeError> {
        let whole = file;
        let have = whole.len() as u64;
        let least = (HEAD_BYTES + CHECKSUM_BYTES) as u64;
        let (magic, file) = take::<8>(file).ok_or(DecodeError::Magic)?;
        if magic != MAGIC {
            return Err(DecodeError::Magic);
        }
        let short = DecodeError::Truncated { have, want: least };
        let (version, file) = take::<2>(file).ok_or_else(|| short.clone())?;
        let version = u16::from_le_bytes(version);
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let (len, file) = take::<8>(file).ok_or_else(|| short.clone())?;
        let want = u64::from_le_bytes(len).saturating_add(least);
        if have < want {
            return Err(DecodeError::Truncated { have, want });
        }
        if have > want {
            return Err(DecodeError::Trailing(have - want));
        }
        let (summed, checksum) = whole.split_at_checked(whole.len() - CHECKSUM_BYTES).ok_or(short)?;
        if Sha256::digest(summed).as_slice() != checksum {
            return Err(DecodeError::Checksum);
        }
        sections(file.get(..file.len() - CHECKSUM_BYTES).unwrap_or_default())
    }
}

fn sections(mut rest: &[u8]) -> Result<Profile, DecodeError> {
    const LIST: DecodeError = DecodeError::Malformed("sections");
    let mut header: Option<Header> = None;
    let mut modules: Option<BTreeMap<ModuleId, Module>> = None;
    while let Some((&tag, after)) = rest.split_first() {
        let (len, after) = take::<8>(after).ok_or(LIST)?;
        let len = usize::try_from(u64::from_le_bytes(len)).map_err(|_| LIST)?;
        let (bytes, after) = after.split_at_checked(len).ok_or(LIST)?;
        rest = after;
        match tag {
            HEADER if header.is_none() => header = Some(unpack(bytes, "totals")?),
            MODULES if modules.is_none() => modules = Some(unpack(bytes, "modules")?),
            HEADER | MODULES => return Err(LIST),
            OPTIONAL.. => {}
            _ => return Err(DecodeError::Section(tag)),
        }
    }
    let header = header.ok_or(DecodeError::Missing("totals"))?;
    let modules = modules.ok_or(DecodeError::Missing("modules"))?;
    let Header { producers, labels, retired, elsewhere } = header;
    Ok(Profile { producers, labels, retired, elsewhere, modules })
}

fn take<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk::<N>().map(|(first, rest)| (*first, rest))
}

fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    // Only a type without a length known beforehand fails, and there is none.
    postcard::to_allocvec(value).unwrap_or_default()
}

/// Decodes what [`pack`] would write, and nothing else: order and form are part of the format.
fn unpack<T: Serialize + DeserializeOwned>(bytes: &[u8], name: &'static str) -> Result<T, DecodeError> {
    let value: T = postcard::from_bytes(bytes).map_err(|_| DecodeError::Malformed(name))?;
    if pack(&value) == bytes { Ok(value) } else { Err(DecodeError::Malformed(name)) }
}
