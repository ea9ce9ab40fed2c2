//! Records of the cache: what an image is made of, and its tree of files, in one file.
//!
//! A record begins with eight bytes of magic and the length of its head (u64, little endian); the head is JSON; the tree
//! ([`friscy_vfs::flatten`]) follows.

use crate::digest::Digest;
use crate::model::Config;
use crate::store::{Cache, Kind};
use friscy_vfs::ContentSource;
use friscy_vfs::native::MappedFile;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Read;
use std::time::SystemTime;

/// Changes when the format does: older records are not understood then and made anew.
const MAGIC: &[u8; 8] = b"frimage1";
const HEAD: u64 = 16;

/// The head of a record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// How the user named the image when the record was made.
    pub name: String,
    /// How it is run.
    pub config: Config,
    /// Its layers, lowest first; none for a tar that is used where it lies.
    pub layers: Vec<LayerHead>,
}

/// A layer of a record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct LayerHead {
    pub diff_id: Digest,
    pub bytes: u64,
}

/// A record as bytes.
pub(crate) fn encode(head: &Head, tree: &[u8]) -> Vec<u8> {
    // Such a head can always be written.
    let json = serde_json::to_vec(head).unwrap_or_default();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(json.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(tree);
    bytes
}

/// Reads the head of a record, and where its tree begins.
pub(crate) fn decode(file: &MappedFile) -> Option<(Head, u64)> {
    let start = file.slice(0, HEAD)?;
    let len = u64::from_le_bytes(start.strip_prefix(MAGIC)?.try_into().ok()?);
    let head = serde_json::from_slice(file.slice(HEAD, len)?).ok()?;
    Some((head, HEAD + len))
}

/// An image in the cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachedImage {
    /// Its key.
    pub key: String,
    /// How the user named it first.
    pub name: String,
    /// The bytes of its layers and of its record. Layers may be shared.
    pub bytes: u64,
    /// When it was used last.
    pub used: SystemTime,
    pub(crate) layers: Vec<Digest>,
}

impl Cache {
    /// The images whose layers are all in the cache, last used first.
    #[must_use]
    pub fn images(&self) -> Vec<CachedImage> {
        let mut images: Vec<CachedImage> = self
            .files()
            .into_iter()
            .filter(|file| file.kind == Kind::Image)
            .filter_map(|file| {
                let head = read_head(&File::open(&file.path).ok()?)?;
                let there = |layer: &LayerHead| self.path(Kind::Layer, layer.diff_id.hex()).exists();
                head.layers.iter().all(there).then_some(())?;
                let layers: u64 = head.layers.iter().map(|layer| layer.bytes).sum();
                Some(CachedImage {
                    key: file.path.file_name()?.to_string_lossy().into_owned(),
                    name: head.name,
                    bytes: file.bytes.saturating_add(layers),
                    used: file.used,
                    layers: head.layers.into_iter().map(|layer| layer.diff_id).collect(),
                })
            })
            .collect();
        images.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.key.cmp(&b.key)));
        images
    }

    /// The bytes of everything in the cache.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().iter().map(|file| file.bytes).sum()
    }

    /// The key that a file of the host stands for.
    pub(crate) fn source(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        self.open(Kind::Source, name)?.take(200).read_to_string(&mut text).ok()?;
        let is_key = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_key.then_some(text)
    }

    /// Forgets a record that turned out to be of no use.
    pub(crate) fn forget(&self, key: &str) {
        let _ = fs::remove_file(self.path(Kind::Image, key));
    }
}

fn read_head(file: &File) -> Option<Head> {
    decode(&MappedFile::map(file).ok()?).map(|(head, _)| head)
}
