//! Memory objects as the kernel's side keeps them: pages with the time of their last change, so that copies of them in
//! address spaces can be brought up to date.

use friscy_boundary::PAGE_SIZE;
use std::collections::BTreeMap;
use std::ops::Range;

/// A page's bytes.
type Bytes = Box<[u8]>;

/// A page that is or once was different from zero.
struct Page {
    /// When it changed last.
    changed: u64,
    /// Its bytes; none for zeros.
    bytes: Option<Bytes>,
}

/// A memory object.
#[derive(Default)]
pub(super) struct Object {
    len: u64,
    pages: BTreeMap<u64, Page>,
    changed: u64,
    len_changed: u64,
}

impl Object {
    /// An object of `len` zero bytes, made at `now`.
    pub fn new(len: u64, now: u64) -> Object {
        Object { len, pages: BTreeMap::new(), changed: now, len_changed: now }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// When it changed last.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// When its length changed last.
    pub fn len_changed(&self) -> u64 {
        self.len_changed
    }

    /// The offset behind the last page that is at least partly within the object.
    pub fn end(&self) -> u64 {
        self.len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(self.len)
    }

    /// Reads at `offset`; returns how many bytes lie within the object.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let len = self.len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let within = (at % PAGE_SIZE) as usize;
            let n = (PAGE_SIZE as usize - within).min(len - done);
            let target = &mut buf[done..done + n];
            match self.pages.get(&(at / PAGE_SIZE)).and_then(|page| page.bytes.as_ref()) {
                Some(bytes) => target.copy_from_slice(&bytes[within..within + n]),
                None => target.fill(0),
            }
            done += n;
        }
        len
    }

    /// Writes at `offset` within the object or grows it; the time is `now`.
    pub fn write(&mut self, offset: u64, bytes: &[u8], now: u64) {
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let within = (at % PAGE_SIZE) as usize;
            let (part, more) = rest.split_at((PAGE_SIZE as usize - within).min(rest.len()));
            let page = self.pages.entry(at / PAGE_SIZE).or_insert(Page { changed: now, bytes: None });
            page.changed = now;
            let target = page.bytes.get_or_insert_with(|| vec![0; PAGE_SIZE as usize].into());
            target[within..within + part.len()].copy_from_slice(part);
            at += part.len() as u64;
            rest = more;
        }
        self.changed = now;
        if at > self.len {
            self.set_len(at, now);
        }
    }

    /// Sets the length; what lies beyond it is dropped. The time is `now`.
    pub fn resize(&mut self, len: u64, now: u64) {
        if len < self.len {
            let within = (len % PAGE_SIZE) as usize;
            for (&number, page) in self.pages.range_mut(len / PAGE_SIZE..) {
                match page.bytes.as_mut() {
                    Some(bytes) if number == len / PAGE_SIZE && within > 0 => bytes[within..].fill(0),
                    _ => page.bytes = None,
                }
            }
        }
        if len != self.len {
            self.set_len(len, now);
        }
    }

    fn set_len(&mut self, len: u64, now: u64) {
        // Pages that a cut dropped count as changed when they are within the object again: copies may have missed it.
        for (_, page) in self.pages.range_mut(self.len.min(len) / PAGE_SIZE..) {
            page.changed = now;
        }
        self.len = len;
        self.len_changed = now;
        self.changed = now;
    }

    /// The pages within `range` of offsets that changed after `since`, with their offsets and bytes (none for zeros).
    pub fn changed_pages(&self, range: Range<u64>, since: u64) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
        let pages = range.start / PAGE_SIZE..range.end.min(self.end()).div_ceil(PAGE_SIZE).max(range.start / PAGE_SIZE);
        self.pages
            .range(pages)
            .filter(move |(_, page)| page.changed > since)
            .map(|(number, page)| (number * PAGE_SIZE, page.bytes.as_deref()))
    }
}
