//! Spaces with page bytes: what is where after each request, and what is known to be written.

use super::*;
use crate::{Changed, CodeMemory, RunMemory};
use friscy_boundary::{CopyFault, MemError, Prot};
use std::ops::Range;
use std::ptr::NonNull;

const PAGE: u64 = 4096;
const A: u64 = 0x10000;
const LIMIT: u64 = 1 << 20;

/// A window of which one megabyte can be committed.
struct Buffer {
    bytes: Vec<u8>,
    pages: Vec<u8>,
    size: u64,
}

impl Committed for Buffer {
    fn window(&self) -> *mut u8 {
        self.bytes.as_ptr().cast_mut()
    }

    fn ensure(&mut self, end: u64) -> Result<(), MemError> {
        if end > LIMIT {
            return Err(MemError::NoMemory);
        }
        self.size = self.size.max(end);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn pages(&self) -> NonNull<u8> {
        NonNull::from(&self.pages[0])
    }
}

fn space() -> SoftSpace<Buffer> {
    SoftSpace::new(Buffer { bytes: vec![0; LIMIT as usize], pages: vec![0; PAGE_BYTES], size: 0 })
}

fn pages(first: u64, count: u64) -> Range<u64> {
    A + first * PAGE..A + (first + count) * PAGE
}

fn byte(space: &SoftSpace<Buffer>, addr: u64) -> Option<u8> {
    let mut buf = [0xee];
    space.copy_in(addr, &mut buf).ok().map(|()| buf[0])
}

#[test]
fn copies_stop_at_the_exact_byte() {
    let mut space = space();
    assert_eq!(space.map(pages(0, 2), Prot::RW, None), Ok(Changed::Data));
    let bytes = [7; 3 * PAGE as usize];
    assert_eq!(space.copy_out(A - 10, &bytes), Err(CopyFault { copied: 0 }));
    assert_eq!(space.copy_out(A + 100, &bytes), Err(CopyFault { copied: 2 * PAGE - 100 }));
    assert_eq!(byte(&space, A + 2 * PAGE - 1), Some(7));
    assert_eq!(space.protect(pages(1, 1), Prot::R), Changed::Data);
    assert_eq!(space.copy_out(A + PAGE - 3, &bytes[..10]), Err(CopyFault { copied: 3 }));
    assert_eq!(space.protect(pages(1, 1), Prot::NONE), Changed::Data);
    let mut buf = [0; 10];
    assert_eq!(space.copy_in(A + PAGE - 3, &mut buf), Err(CopyFault { copied: 3 }));
    for addr in [0, 0xefff_ffff, 0xf000_0000, 0x1_0001_0000, u64::MAX] {
        assert_eq!(byte(&space, addr), None);
        assert_eq!(space.poke(addr, &[1]), Err(CopyFault { copied: 0 }));
    }
}

#[test]
fn pages_come_back_zero() {
    let mut space = space();
    assert_eq!(space.map(pages(0, 3), Prot::RW, None), Ok(Changed::Data));
    space.copy_out(A, &[1; 3 * PAGE as usize]).unwrap();
    assert_eq!(space.take_dirty(pages(1, 1)), [pages(1, 1)]);
    assert_eq!(space.unmap(pages(0, 2)), Changed::Data);
    assert_eq!(byte(&space, A), None);
    assert_eq!(space.discard(pages(2, 1)), Changed::Data);
    assert_eq!(space.map(pages(0, 2), Prot::RX, None), Ok(Changed::Code));
    assert_eq!([0, 1, 2].map(|page| byte(&space, A + page * PAGE)), [Some(0); 3]);
    assert_eq!(space.nonzero(), []);
    assert_eq!(space.map(LIMIT..LIMIT + PAGE, Prot::RW, None), Err(MemError::NoMemory));
}

#[test]
fn written_pages_are_known() {
    let mut space = space();
    assert_eq!(space.map(pages(0, 8), Prot::RW, None), Ok(Changed::Data));
    assert_eq!(space.load(A + PAGE, &[1; 2 * PAGE as usize]), Ok(Changed::Data));
    space.copy_out(A + 5 * PAGE - 1, &[1; 2]).unwrap();
    assert_eq!(space.take_dirty(pages(0, 8)), [pages(4, 2)]);
    assert_eq!(space.take_dirty(pages(0, 8)), []);
    assert_eq!(space.nonzero(), [pages(1, 2), pages(4, 2)]);
}

#[test]
fn pages_beyond_an_object() {
    let mut space = space();
    assert_eq!(space.map(pages(0, 4), Prot::RX, Some(A + 2 * PAGE)), Ok(Changed::Code));
    assert_eq!(space.load(A + PAGE, &[1; 2 * PAGE as usize]), Err(CopyFault { copied: PAGE }));
    assert_eq!((byte(&space, A + PAGE), byte(&space, A + 2 * PAGE)), (Some(1), None));
    assert_eq!(space.fetch(A + 2 * PAGE - 2, &mut [0; 4]), 2);
    assert!(!space.is_beyond_object(A + PAGE) && space.is_beyond_object(A + 2 * PAGE));
    space.set_object_end(pages(0, 4), A + 4 * PAGE);
    assert_eq!(byte(&space, A + 2 * PAGE), Some(0));
}

#[test]
fn pages_move_with_their_contents() {
    let mut space = space();
    assert_eq!(space.map(pages(0, 2), Prot::RW, None), Ok(Changed::Data));
    assert_eq!(space.map(pages(3, 1), Prot::R, None), Ok(Changed::Data));
    space.copy_out(A, b"abc").unwrap();
    assert_eq!(space.poke(A + 3 * PAGE, b"def"), Ok(Changed::Data));
    assert_eq!(space.move_pages(pages(0, 4), A + 20 * PAGE), Ok(Changed::Data));
    assert_eq!([0, 1, 3].map(|page| byte(&space, A + page * PAGE)), [None; 3]);
    let mut buf = [0; 3];
    space.copy_in(A + 20 * PAGE, &mut buf).unwrap();
    assert_eq!(&buf, b"abc");
    space.copy_in(A + 23 * PAGE, &mut buf).unwrap();
    assert_eq!(&buf, b"def");
    assert_eq!(byte(&space, A + 22 * PAGE), None);
    assert_eq!(space.copy_out(A + 23 * PAGE, &[1]), Err(CopyFault { copied: 0 }));
}

#[test]
fn what_is_not_zero_is_known() {
    let mut space = space();
    assert_eq!(space.map(pages(0, 2), Prot::RX, None), Ok(Changed::Code));
    assert_eq!(space.map(pages(2, 6), Prot::RW, None), Ok(Changed::Data));
    assert_eq!(space.load(A, b"code"), Ok(Changed::Code));
    space.copy_out(A + 4 * PAGE, b"data").unwrap();
    assert_eq!(space.unmap(pages(4, 1)), Changed::Data);
    assert_eq!(space.nonzero(), [pages(0, 1), pages(4, 1)]);
}
