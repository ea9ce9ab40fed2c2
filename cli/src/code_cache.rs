//! Compiled code that is kept between runs: files of the cache for each image, with code of all its programs.
//!
//! A file is, in little-endian order: this format's name, the length of a head and its CRC-32, the head ([`Head`]), a record for
//! each unit ([`Record`]), a hash table that leads from places of code to units ([`Slot`]), and the units: the places at which
//! one may be entered, what it was made of ([`friscy_cpu::Origin`]), its code. Files are mapped; nothing but the head is looked
//! at before control comes to a place that is in the table. A unit is used if its sum is right and the guest has the bytes
//! that it was made of, so that a table that is damaged leads to nothing worse. A file of another version of friscy or of a
//! host with other features is as none.
//!
//! A run that has something new adds a file; from time to time all become one.

use bytes::Bytes;
use friscy_cpu::{CodeStore, Kept};
use friscy_image::{Cache, Digest};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How a file begins.
const MAGIC: &[u8; 8] = b"friscyC1";

/// Bytes before the head: the name, its length, its sum.
const BEFORE_HEAD: usize = 16;

/// The most bytes of units in a file. The oldest go.
const MAX_BYTES: usize = 256 << 20;

/// When there are so many files of an image, they become one.
const MAX_FILES: usize = 8;

/// What a file begins with.
#[derive(Serialize, Deserialize)]
struct Head {
    /// What makes such code: [`friscy_jit::version`].
    version: String,
    /// How many units there are.
    units: u32,
    /// Log2 of how many slots the table has.
    slot_bits: u8,
    /// Bytes of the whole file.
    #[serde(with = "postcard::fixint::le")]
    len: u64,
}

/// Where a unit is, and what it is. The oldest comes first.
#[derive(Clone, Copy)]
struct Record {
    /// Where it begins in the file.
    at: u64,
    /// Bytes of its places, of what it was made of, of its code.
    lens: [u32; 3],
    /// CRC-32 of all of these.
    crc: u32,
}

impl Record {
    const BYTES: usize = 24;

    fn bytes(&self) -> Vec<u8> {
        let lens = self.lens.iter().flat_map(|len| len.to_le_bytes());
        self.at.to_le_bytes().into_iter().chain(lens).chain(self.crc.to_le_bytes()).collect()
    }

    fn of(bytes: &[u8]) -> Option<Record> {
        let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let at = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
        Some(Record { at, lens: [number(8)?, number(12)?, number(16)?], crc: number(20)? })
    }

    fn len(&self) -> usize {
        self.lens.iter().map(|len| *len as usize).sum()
    }
}

/// A slot of the table: the upper half of a place, and the number of a unit and one, or 0. A place is looked for from the slot
/// that its low bits name on, until there is none.
type Slot = (u32, u32);

const SLOT_BYTES: usize = 8;

/// A unit.
#[derive(Clone)]
struct Unit {
    /// `at` means nothing.
    record: Record,
    bytes: Bytes,
}

impl Unit {
    fn of(kept: &Kept, places: &[u64]) -> Option<Unit> {
        let mut bytes: Vec<u8> = places.iter().flat_map(|place| place.to_le_bytes()).collect();
        let origin = postcard::to_allocvec(&kept.origin).ok()?;
        let lens = [bytes.len(), origin.len(), kept.code.len()].map(u32::try_from);
        let [Ok(places), Ok(origin_len), Ok(code)] = lens else { return None };
        bytes.extend(&origin);
        bytes.extend(&kept.code);
        let record = Record { at: 0, lens: [places, origin_len, code], crc: crc32fast::hash(&bytes) };
        Some(Unit { record, bytes: bytes.into() })
    }

    /// What it is, if it is whole.
    fn kept(&self) -> Option<Kept> {
        if crc32fast::hash(&self.bytes) != self.record.crc {
            return None;
        }
        let [places, origin, _] = self.record.lens.map(|len| len as usize);
        let code = places.checked_add(origin)?;
        Some(Kept { origin: postcard::from_bytes(self.bytes.get(places..code)?).ok()?, code: self.bytes.slice(code..) })
    }

    fn places(&self) -> impl Iterator<Item = u64> {
        let places = self.bytes.get(..self.record.lens[0] as usize).unwrap_or_default();
        places.chunks_exact(8).filter_map(|place| Some(u64::from_le_bytes(place.try_into().ok()?)))
    }
}

/// A file that is mapped.
struct Units {
    bytes: Bytes,
    count: usize,
    slot_bits: u8,
    /// Where the records are.
    records: usize,
}

impl Units {
    /// Nothing if the file is somebody else's, of another version, or damaged.
    fn read(file: &File) -> Option<Units> {
        let meta = file.metadata().ok()?;
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            return None;
        }
        // SAFETY: files of the cache get their names when they are complete, and nobody writes to them then; the code that is
        // in them is what this user's friscy has made.
        let bytes = Bytes::from_owner(unsafe { Mmap::map(file) }.ok()?);
        let before = bytes.get(..BEFORE_HEAD).filter(|before| before.starts_with(MAGIC))?;
        let number = |at: usize| Some(u32::from_le_bytes(before.get(at..at + 4)?.try_into().ok()?));
        let (len, crc) = (number(8)? as usize, number(12)?);
        let records = BEFORE_HEAD.checked_add(len)?;
        let head = bytes.get(BEFORE_HEAD..records).filter(|head| crc32fast::hash(head) == crc)?;
        let head: Head = postcard::from_bytes(head).ok()?;
        if head.version != friscy_jit::version() || head.len != bytes.len() as u64 || head.slot_bits > 31 {
            return None;
        }
        Some(Units { count: head.units as usize, slot_bits: head.slot_bits, records, bytes })
    }

    fn unit(&self, number: usize) -> Option<Unit> {
        let at = self.records + number * Record::BYTES;
        let record = Record::of(self.bytes.get(at..at + Record::BYTES).filter(|_| number < self.count)?)?;
        let start = usize::try_from(record.at).ok()?;
        let end = start.checked_add(record.len()).filter(|end| *end <= self.bytes.len())?;
        Some(Unit { record, bytes: self.bytes.slice(start..end) })
    }

    fn all(&self) -> impl Iterator<Item = Unit> {
        (0..self.count).filter_map(|number| self.unit(number))
    }

    /// The units that may be entered at a place.
    fn at(&self, place: u64) -> impl Iterator<Item = Unit> {
        let (table, mask) = (self.records + self.count * Record::BYTES, (1_usize << self.slot_bits) - 1);
        let slot = move |n: usize| -> Option<Slot> {
            let at = table + (place as usize).wrapping_add(n) % (mask + 1) * SLOT_BYTES;
            let bytes = self.bytes.get(at..at + SLOT_BYTES)?;
            let (tag, unit) = bytes.split_at_checked(4)?;
            Some((u32::from_le_bytes(tag.try_into().ok()?), u32::from_le_bytes(unit.try_into().ok()?)))
        };
        let found = (0..=mask).map_while(slot).take_while(|(_, unit)| *unit != 0);
        found.filter(move |(tag, _)| *tag == (place >> 32) as u32).filter_map(|(_, unit)| self.unit(unit as usize - 1))
    }
}

/// A file of these units, the oldest first.
fn file_of(units: &[Unit]) -> std::io::Result<Vec<u8>> {
    let places: usize = units.iter().map(|unit| unit.places().count()).sum();
    let slot_bits = (2 * places).max(2).next_power_of_two().trailing_zeros() as u8;
    let mut slots: Vec<Slot> = vec![(0, 0); 1 << slot_bits];
    let mask = slots.len() - 1;
    for (number, unit) in units.iter().enumerate() {
        for place in unit.places() {
            let mut at = place as usize & mask;
            while slots[at].1 != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = ((place >> 32) as u32, number as u32 + 1);
        }
    }
    let head = |len: usize| {
        let head = Head { version: friscy_jit::version(), units: units.len() as u32, slot_bits, len: len as u64 };
        postcard::to_allocvec(&head).map_err(std::io::Error::other)
    };
    let rest = units.len() * Record::BYTES + slots.len() * SLOT_BYTES;
    let data: usize = units.iter().map(|unit| unit.bytes.len()).sum();
    let len = BEFORE_HEAD + head(0)?.len() + rest + data;
    let head_bytes = head(len)?;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend(MAGIC);
    bytes.extend((head_bytes.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(&head_bytes).to_le_bytes());
    bytes.extend(&head_bytes);
    let mut at = (len - data) as u64;
    for unit in units {
        bytes.extend(Record { at, ..unit.record }.bytes());
        at += unit.bytes.len() as u64;
    }
    for (tag, unit) in slots {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(unit.to_le_bytes());
    }
    units.iter().for_each(|unit| bytes.extend(&unit.bytes));
    Ok(bytes)
}

/// What was kept of an image's code, and what is to be.
pub struct CodeCache {
    cache: Cache,
    name: String,
    /// The newest last.
    files: Vec<Units>,
    new: Vec<Unit>,
    /// The new units by the places at which they may be entered.
    by_place: HashMap<u64, Vec<usize>>,
}

impl CodeCache {
    /// The code kept for the image that `path` names.
    pub fn open(cache: Cache, path: &Path) -> CodeCache {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = Digest::of(path.as_os_str().as_encoded_bytes()).hex().to_owned();
        // What cannot be read is written anew.
        let files = cache.code(&name).iter().filter_map(|(_, file)| Units::read(file)).collect();
        CodeCache { cache, name, files, new: Vec::new(), by_place: HashMap::new() }
    }

    /// Whether something is new.
    pub fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// A file to be locked by who compiles in the background.
    pub fn lock(&self) -> Option<File> {
        self.cache.code_lock().ok()
    }

    /// Writes what is new.
    ///
    /// # Errors
    /// The host's.
    pub fn write(&self) -> std::io::Result<()> {
        if self.new.is_empty() {
            return Ok(());
        }
        self.cache.keep_code(&self.name, MAX_FILES, |files| {
            let files: Vec<Units> = files.iter().filter_map(Units::read).collect();
            let mut units: Vec<Unit> = files.iter().flat_map(Units::all).chain(self.new.iter().cloned()).collect();
            drop_older(&mut units);
            let mut total: usize = units.iter().map(|unit| unit.bytes.len()).sum();
            units.retain(|unit| {
                let fits = total <= MAX_BYTES;
                total -= if fits { 0 } else { unit.bytes.len() };
                fits
            });
            file_of(&units)
        })
    }
}

/// Drops units that others replace: what is compiled again is of more of the same.
fn drop_older(units: &mut Vec<Unit>) {
    let mut newer: HashMap<u64, Vec<Kept>> = HashMap::new();
    let mut kept = Vec::with_capacity(units.len());
    while let Some(unit) = units.pop() {
        let (Some(first), Some(is)) = (unit.places().next(), unit.kept()) else { continue };
        let same = newer.entry(first).or_default();
        if !same.iter().any(|newer| newer.origin.agrees(&is.origin)) {
            same.push(Kept { code: Bytes::new(), ..is });
            kept.push(unit);
        }
    }
    kept.reverse();
    *units = kept;
}

impl CodeStore for CodeCache {
    fn candidates(&self, place: u64) -> Vec<Kept> {
        // What was compiled last is of most.
        let new = self.by_place.get(&place).into_iter().flatten().rev().map(|&unit| self.new[unit].clone());
        let old = self.files.iter().rev().flat_map(|file| file.at(place));
        new.chain(old).filter_map(|unit| unit.kept()).collect()
    }

    fn keep(&mut self, kept: Kept, places: &[u64]) {
        if let Some(unit) = Unit::of(&kept, places).filter(|_| !places.is_empty()) {
            for &place in places {
                self.by_place.entry(place).or_default().push(self.new.len());
            }
            self.new.push(unit);
        }
    }
}
