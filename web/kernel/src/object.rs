//! Memory objects: pages that files and shared mappings are made of. They live with the kernel; address spaces have
//! copies.

use friscy_boundary::PAGE_SIZE;
use std::collections::BTreeMap;

/// The bytes of a page.
pub(crate) type PageBytes = [u8; PAGE_SIZE as usize];

/// A page and when it was last written, by the clock of [`Objects`](crate::cpu).
struct Page {
    bytes: Box<PageBytes>,
    version: u64,
}

/// One object. Pages that nobody wrote take no memory and read as zero.
pub(crate) struct Object {
    len: u64,
    pages: BTreeMap<u64, Page>,
    /// The kernel let go of it: it lives as long as it is mapped.
    pub released: bool,
    /// How many mapped areas refer to it.
    pub areas: u32,
    /// Where the contents of the file begin that it holds, and nobody changes.
    pub file: Option<u64>,
}

impl Object {
    pub fn new(len: u64) -> Object {
        Object { len, pages: BTreeMap::new(), released: false, areas: 0, file: None }
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Reads at `offset`; returns how many bytes lie before the end.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let want = self.len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let mut done = 0;
        while done < want {
            let at = offset + done as u64;
            let (page, within) = (at / PAGE_SIZE, (at % PAGE_SIZE) as usize);
            let n = (PAGE_SIZE as usize - within).min(want - done);
            match self.pages.get(&page) {
                Some(page) => buf[done..done + n].copy_from_slice(&page.bytes[within..within + n]),
                None => buf[done..done + n].fill(0),
            }
            done += n;
        }
        want
    }

    /// Writes at `offset`, growing the object; written pages get `version`.
    pub fn write(&mut self, offset: u64, bytes: &[u8], version: u64) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (page, within) = (at / PAGE_SIZE, (at % PAGE_SIZE) as usize);
            let n = (PAGE_SIZE as usize - within).min(bytes.len() - done);
            let page =
                self.pages.entry(page).or_insert_with(|| Page { bytes: Box::new([0; PAGE_SIZE as usize]), version });
            page.bytes[within..within + n].copy_from_slice(&bytes[done..done + n]);
            page.version = version;
            done += n;
        }
        self.len = self.len.max(offset.saturating_add(bytes.len() as u64));
    }

    /// Sets the length. What is cut off is zero should the object grow again; pages that change by that get `version`.
    pub fn resize(&mut self, len: u64, version: u64) {
        if len < self.len {
            let keep = len % PAGE_SIZE;
            for (&number, page) in self.pages.range_mut(len / PAGE_SIZE..) {
                let from = if number == len / PAGE_SIZE { keep as usize } else { 0 };
                page.bytes[from..].fill(0);
                page.version = version;
            }
        }
        self.len = len;
    }

    /// Pages `first..end` that were ever written, with their versions.
    pub fn pages(&self, first: u64, end: u64) -> impl Iterator<Item = (u64, &PageBytes, u64)> {
        self.pages.range(first..end.max(first)).map(|(&number, page)| (number, &*page.bytes, page.version))
    }
}
