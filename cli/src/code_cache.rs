//! Compiled code that is kept between runs: a file of the cache for each image, with code of all its programs.
//!
//! The file is this format's name, the length of a head and its CRC-32, the head ([`Head`]), and units: what a region was made
//! of ([`friscy_cpu::Origin`]), then its code. It is mapped; a unit is looked at when control comes to where it may be entered, and used if
//! its sum is right and the guest has the bytes that it was made of. A file of another version of friscy or of a host with other
//! features is as none, and is written anew.

use bytes::Bytes;
use friscy_cpu::{CodeStore, Kept};
use friscy_image::{Cache, Digest};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How the file begins.
const MAGIC: &[u8; 8] = b"friscyC1";

/// Bytes before the head: the name, its length, its sum.
const BEFORE_HEAD: usize = 16;

/// The most bytes of units in a file. The oldest go.
const MAX_BYTES: usize = 192 << 20;

/// What comes before the units.
#[derive(Serialize, Deserialize)]
struct Head {
    /// What makes such code: [`friscy_jit::version`].
    version: String,
    /// In the order in which they were kept.
    units: Vec<Place>,
}

/// Where a unit is, and what it is.
#[derive(Clone, Serialize, Deserialize)]
struct Place {
    /// Guest addresses at which it may be entered, with classes of rounding mode.
    entries: Vec<u64>,
    rounding: u8,
    /// Bytes of what it was made of, and of its code.
    origin_len: u32,
    code_len: u32,
    /// CRC-32 of both.
    crc: u32,
}

impl Place {
    fn len(&self) -> usize {
        self.origin_len as usize + self.code_len as usize
    }
}

/// A unit.
#[derive(Clone)]
struct Unit {
    place: Place,
    bytes: Bytes,
}

impl Unit {
    fn of(kept: &Kept, entries: &[u64]) -> Option<Unit> {
        let mut bytes = postcard::to_allocvec(&kept.origin).ok()?;
        let origin_len = u32::try_from(bytes.len()).ok()?;
        let code_len = u32::try_from(kept.code.len()).ok()?;
        bytes.extend(&kept.code);
        let crc = crc32fast::hash(&bytes);
        let rounding = kept.origin.rounding;
        let place = Place { entries: entries.to_vec(), rounding, origin_len, code_len, crc };
        Some(Unit { place, bytes: bytes.into() })
    }

    /// What it is, if it is whole.
    fn kept(&self) -> Option<Kept> {
        if crc32fast::hash(&self.bytes) != self.place.crc {
            return None;
        }
        let (origin, _) = self.bytes.split_at_checked(self.place.origin_len as usize)?;
        Some(Kept { origin: postcard::from_bytes(origin).ok()?, code: self.bytes.slice(origin.len()..) })
    }
}

/// What was kept of an image's code, and what is to be.
pub struct CodeCache {
    cache: Cache,
    name: String,
    units: Vec<Unit>,
    /// The units that may be entered at an address with a class of rounding mode.
    by_entry: HashMap<(u64, u8), Vec<usize>>,
    /// How many of the units were read.
    read: usize,
}

impl CodeCache {
    /// The code kept for the image that `path` names.
    pub fn open(cache: Cache, path: &Path) -> CodeCache {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = Digest::of(path.as_os_str().as_encoded_bytes()).hex().to_owned();
        // What cannot be read is written anew.
        let units = cache.code(&name).and_then(read).unwrap_or_default();
        let mut code = CodeCache { cache, name, units: Vec::new(), by_entry: HashMap::new(), read: 0 };
        code.read = units.len();
        units.into_iter().for_each(|unit| code.add(unit));
        code
    }

    fn add(&mut self, unit: Unit) {
        for &entry in &unit.place.entries {
            self.by_entry.entry((entry, unit.place.rounding)).or_default().push(self.units.len());
        }
        self.units.push(unit);
    }

    /// Whether something is new.
    pub fn has_new(&self) -> bool {
        self.units.len() > self.read
    }

    /// A file to be locked by who compiles in the background.
    pub fn lock(&self) -> Option<File> {
        self.cache.code_lock().ok()
    }

    /// Writes what is new, with what other runs have written meanwhile.
    ///
    /// # Errors
    /// The host's.
    pub fn write(&self) -> std::io::Result<()> {
        let new = &self.units[self.read..];
        if new.is_empty() {
            return Ok(());
        }
        self.cache.keep_code(&self.name, |file| {
            let mut units = file.and_then(read).unwrap_or_default();
            for unit in new {
                let Some(kept) = unit.kept() else { continue };
                // What is compiled again is of more of the same.
                let is_older = |old: &Unit| {
                    let meets =
                        old.place.rounding == unit.place.rounding && old.place.entries[..1] == unit.place.entries[..1];
                    meets && old.kept().is_none_or(|old| old.origin.agrees(&kept.origin))
                };
                units.retain(|old| !is_older(old));
                units.push(unit.clone());
            }
            let mut total: usize = units.iter().map(|unit| unit.bytes.len()).sum();
            let fits = |unit: &Unit| {
                let fits = total <= MAX_BYTES;
                total -= if fits { 0 } else { unit.bytes.len() };
                fits
            };
            let units: Vec<Unit> = units.into_iter().filter(fits).collect();
            file_of(&units)
        })
    }
}

impl CodeStore for CodeCache {
    fn candidates(&self, pc: u64, rounding: u8) -> Vec<Kept> {
        let units = self.by_entry.get(&(pc, rounding)).map(Vec::as_slice).unwrap_or_default();
        // What was compiled last is of most.
        units.iter().rev().filter_map(|&unit| self.units[unit].kept()).collect()
    }

    fn keep(&mut self, kept: Kept, entries: &[u64]) {
        if let Some(unit) = Unit::of(&kept, entries).filter(|unit| !unit.place.entries.is_empty()) {
            self.add(unit);
        }
    }
}

/// A file of these units.
fn file_of(units: &[Unit]) -> std::io::Result<Vec<u8>> {
    let places = units.iter().map(|unit| unit.place.clone()).collect();
    let head = Head { version: friscy_jit::version(), units: places };
    let head = postcard::to_allocvec(&head).map_err(std::io::Error::other)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend((head.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(&head).to_le_bytes());
    bytes.extend(head);
    units.iter().for_each(|unit| bytes.extend(&unit.bytes));
    Ok(bytes)
}

/// The units of a file; nothing if it is somebody else's, of another version, or damaged.
fn read(file: File) -> Option<Vec<Unit>> {
    let meta = file.metadata().ok()?;
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return None;
    }
    // SAFETY: files of the cache get their names when they are complete, and nobody writes to them then; the code that is in
    // them is what this user's friscy has made.
    let bytes = Bytes::from_owner(unsafe { Mmap::map(&file) }.ok()?);
    let before = bytes.get(..BEFORE_HEAD).filter(|before| before.starts_with(MAGIC))?;
    let number = |at: usize| Some(u32::from_le_bytes(before.get(at..at + 4)?.try_into().ok()?));
    let (len, crc) = (number(8)? as usize, number(12)?);
    let head = bytes.get(BEFORE_HEAD..BEFORE_HEAD.checked_add(len)?).filter(|head| crc32fast::hash(head) == crc)?;
    let head: Head = postcard::from_bytes(head).ok()?;
    if head.version != friscy_jit::version() {
        return None;
    }
    let mut at = BEFORE_HEAD + len;
    let mut units = Vec::with_capacity(head.units.len());
    for place in head.units {
        let end = at.checked_add(place.len()).filter(|end| *end <= bytes.len() && !place.entries.is_empty())?;
        units.push(Unit { bytes: bytes.slice(at..end), place });
        at = end;
    }
    Some(units)
}
