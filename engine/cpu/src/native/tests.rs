//! Address spaces: what is where after each request, and where accesses fault.

// A list of one range of addresses is meant as such.
#![allow(clippy::single_range_in_vec_init)]

use super::*;
use crate::{Changed, CodeMemory};
use friscy_boundary::{CopyFault, MemError, Prot};
use std::ops::Range;
use std::rc::Rc;

const PAGE: u64 = 4096;
const A: u64 = 0x10000;

fn space() -> NativeSpace {
    NativeSpace::new().unwrap()
}

fn pages(first: u64, count: u64) -> Range<u64> {
    A + first * PAGE..A + (first + count) * PAGE
}

fn file(pages: u64) -> Rc<Memfd> {
    let file = Memfd::new(c"object", 0).unwrap();
    for page in 0..pages {
        file.write(page * PAGE, &[b'a' + page as u8; PAGE as usize]).unwrap();
    }
    Rc::new(file)
}

/// The byte at `addr`, or nothing if it may not be read.
fn byte(space: &NativeSpace, addr: u64) -> Option<u8> {
    let mut buf = [0xee];
    match space.copy_in(addr, &mut buf) {
        Ok(()) => Some(buf[0]),
        Err(fault) => {
            assert_eq!((fault.copied, buf[0]), (0, 0xee));
            None
        }
    }
}

#[track_caller]
fn put(space: &NativeSpace, addr: u64, byte: u8) {
    space.copy_out(addr, &[byte]).unwrap();
}

fn map(space: &mut NativeSpace, range: Range<u64>, prot: Prot, pages: Pages) {
    let changed = space.map(range, prot, pages).unwrap();
    assert_eq!(changed == Changed::Code, prot.exec);
}

#[test]
fn copies_stop_at_the_exact_byte() {
    let mut space = space();
    map(&mut space, pages(0, 2), Prot::RW, Pages::Anonymous);
    let bytes = [7; 3 * PAGE as usize];
    assert_eq!(space.copy_out(A - 10, &bytes), Err(CopyFault { copied: 0 }));
    assert_eq!(space.copy_out(A + 100, &bytes), Err(CopyFault { copied: 2 * PAGE - 100 }));
    let mut buf = [0; 3 * PAGE as usize];
    assert_eq!(space.copy_in(A + 50, &mut buf), Err(CopyFault { copied: 2 * PAGE - 50 }));
    assert_eq!(&buf[..51], [[0; 50].as_slice(), &[7]].concat());
    assert_eq!(buf[(2 * PAGE) as usize - 51..][..3], [7, 0, 0]);
    assert_eq!(space.protect(pages(1, 1), Prot::R), Ok(Changed::Data));
    assert_eq!(space.copy_out(A + PAGE - 3, &bytes[..10]), Err(CopyFault { copied: 3 }));
    assert_eq!(space.protect(pages(1, 1), Prot::NONE), Ok(Changed::Data));
    assert_eq!(space.copy_in(A + PAGE - 3, &mut buf[..10]), Err(CopyFault { copied: 3 }));
}

#[test]
fn addresses_have_64_bits() {
    let space = space();
    for addr in [0, 0xefff_ffff, 0xf000_0000, 0xffff_ffff, 0x1_0001_0000, u64::MAX] {
        assert_eq!(byte(&space, addr), None, "{addr:#x}");
        assert_eq!(space.copy_out(addr, &[1, 2]), Err(CopyFault { copied: 0 }), "{addr:#x}");
    }
}

#[test]
fn unmapped_and_replaced_pages_come_back_zero() {
    let mut space = space();
    map(&mut space, pages(0, 4), Prot::RW, Pages::Anonymous);
    for page in 0..4 {
        put(&space, A + page * PAGE, 1);
    }
    assert_eq!(space.unmap(pages(1, 1)), Ok(Changed::Data));
    assert_eq!(byte(&space, A + PAGE), None);
    map(&mut space, pages(1, 2), Prot::RW, Pages::Anonymous);
    let found: Vec<_> = (0..4).map(|page| byte(&space, A + page * PAGE)).collect();
    assert_eq!(found, [Some(1), Some(0), Some(0), Some(1)]);
    assert_eq!(space.discard(pages(3, 1)), Ok(Changed::Data));
    assert_eq!(byte(&space, A + 3 * PAGE), Some(0));
}

#[test]
fn views_of_a_file() {
    let file = file(3);
    file.resize(2 * PAGE + 5).unwrap();
    let mut space = space();
    map(&mut space, pages(0, 4), Prot::RW, Pages::Private(file.clone(), 0));
    map(&mut space, pages(4, 1), Prot::RW, Pages::Shared(file.clone(), PAGE));
    put(&space, A, b'x');
    put(&space, A + 4 * PAGE, b'y');
    let mut content = [0; 1];
    file.read(0, &mut content);
    assert_eq!(content, *b"a");
    assert_eq!(byte(&space, A + PAGE), Some(b'y'));
    // The rest of the last page reads as zero; the page after it has no object.
    assert_eq!(byte(&space, A + 2 * PAGE + 4), Some(b'c'));
    assert_eq!(byte(&space, A + 2 * PAGE + 5), Some(0));
    assert_eq!(byte(&space, A + 3 * PAGE), None);
    // SAFETY: the source lies in the window.
    let fault = unsafe { copy((&raw mut content).cast(), space.window().wrapping_add((A + 3 * PAGE) as usize), 1) };
    assert_eq!(fault, Err(HostFault { copied: 0, beyond_object: true }));
    assert_eq!(space.discard(pages(0, 1)), Ok(Changed::Data));
    assert_eq!(byte(&space, A), Some(b'a'));
}

#[test]
fn poke_writes_whatever_the_protections() {
    let file = file(1);
    let mut space = space();
    map(&mut space, pages(0, 1), Prot::NONE, Pages::Anonymous);
    map(&mut space, pages(1, 1), Prot::RX, Pages::Private(file.clone(), 0));
    assert_eq!(space.poke(A + PAGE - 1, b"pq"), Ok(Changed::Code));
    assert_eq!(space.poke(A + 2 * PAGE - 1, b"pq"), Err(CopyFault { copied: 1 }));
    assert_eq!(byte(&space, A + PAGE - 1), None);
    assert_eq!(byte(&space, A + PAGE), Some(b'q'));
    assert_eq!(space.copy_out(A + PAGE, b"r"), Err(CopyFault { copied: 0 }));
    let mut content = [0; 1];
    file.read(0, &mut content);
    assert_eq!(content, *b"a");
    let child = space.fork(&[A..A + 2 * PAGE]).unwrap();
    assert_eq!(byte(&child, A + PAGE), Some(b'q'));
}

#[test]
fn fetch_needs_exec_permission() {
    let mut space = space();
    map(&mut space, pages(0, 1), Prot::RW, Pages::Anonymous);
    map(&mut space, pages(1, 1), Prot { read: false, write: false, exec: true }, Pages::Private(file(1), 0));
    map(&mut space, pages(2, 1), Prot::R, Pages::Anonymous);
    let mut buf = [0; 8];
    assert_eq!(space.fetch(A + PAGE - 4, &mut buf), 0);
    assert_eq!(space.fetch(A + 2 * PAGE - 4, &mut buf), 4);
    assert_eq!(buf, *b"aaaa\0\0\0\0");
    assert_eq!(byte(&space, A + PAGE), None);
    assert_eq!(space.fetch(0x1_0000_0000 + A + PAGE, &mut buf), 0);
}

fn check_fork(freeze: bool) {
    let file = file(2);
    let mut parent = space();
    map(&mut parent, pages(0, 4), Prot::RW, Pages::Anonymous);
    map(&mut parent, pages(4, 2), Prot::RW, Pages::Private(file.clone(), 0));
    map(&mut parent, pages(6, 2), Prot::RW, Pages::Shared(file.clone(), 0));
    map(&mut parent, pages(20, 1), Prot::RW, Pages::Anonymous);
    put(&parent, A, 1);
    put(&parent, A + 2 * PAGE, 2);
    put(&parent, A + 5 * PAGE, 3);
    assert_eq!(parent.protect(pages(2, 1), Prot::NONE), Ok(Changed::Data));
    let mut child = parent.fork_with(&[pages(0, 8)], freeze).unwrap();
    let see = |space: &NativeSpace| (0..8).map(|page| byte(space, A + page * PAGE)).collect::<Vec<_>>();
    let both = [Some(1), Some(0), None, Some(0), Some(b'a'), Some(3), Some(b'a'), Some(b'b')];
    assert_eq!((see(&parent), see(&child)), (both.to_vec(), both.to_vec()));
    assert_eq!(byte(&child, A + 20 * PAGE), None);

    // What either writes now is its own, but for shared pages.
    put(&parent, A, 11);
    put(&child, A + PAGE, 12);
    put(&child, A + 4 * PAGE, 13);
    put(&child, A + 7 * PAGE, 14);
    assert_eq!(child.protect(pages(2, 1), Prot::RW), Ok(Changed::Data));
    assert_eq!(byte(&child, A + 2 * PAGE), Some(2));
    put(&child, A + 2 * PAGE, 15);
    assert_eq!(child.protect(pages(2, 1), Prot::NONE), Ok(Changed::Data));
    let seen = [Some(11), Some(0), None, Some(0), Some(b'a'), Some(3), Some(b'a'), Some(14)];
    assert_eq!(see(&parent), seen);
    let seen = [Some(1), Some(12), None, Some(0), Some(13), Some(3), Some(b'a'), Some(14)];
    assert_eq!(see(&child), seen);

    // The next generation has what was written after the first fork, also behind protections.
    for freeze in [freeze, !freeze] {
        let mut grandchild = child.fork_with(&[pages(0, 8)], freeze).unwrap();
        assert_eq!(see(&grandchild), seen);
        assert_eq!(grandchild.protect(pages(2, 1), Prot::R), Ok(Changed::Data));
        assert_eq!(byte(&grandchild, A + 2 * PAGE), Some(15));
        assert_eq!(see(&child), seen);
    }

    // Discarded and newly mapped pages are zero, not what was frozen.
    assert_eq!(parent.discard(pages(0, 1)), Ok(Changed::Data));
    map(&mut parent, pages(2, 2), Prot::RW, Pages::Anonymous);
    let seen = [Some(0), Some(0), Some(0), Some(0), Some(b'a'), Some(3), Some(b'a'), Some(14)];
    assert_eq!(see(&parent), seen);
    let child = parent.fork_with(&[pages(0, 8)], freeze).unwrap();
    assert_eq!(see(&child), seen);
}

#[test]
fn fork_copies_small_memory() {
    check_fork(false);
}

#[test]
fn fork_freezes_large_memory() {
    check_fork(true);
}

#[test]
fn large_memory_is_frozen() {
    let mut parent = space();
    let range = A..A + (20 << 20);
    map(&mut parent, range.clone(), Prot::RW, Pages::Anonymous);
    parent.copy_out(A, &vec![5; 20 << 20]).unwrap();
    let child = parent.fork(std::slice::from_ref(&range)).unwrap();
    assert!(parent.anonymous.is_none() && child.anonymous.is_none());
    put(&parent, range.end - 1, 6);
    assert_eq!((byte(&parent, range.end - 1), byte(&child, range.end - 1)), (Some(6), Some(5)));
}

#[test]
fn memory_that_was_written_again_is_frozen_anew() {
    let mut parent = space();
    let range = A..A + (8 << 20);
    map(&mut parent, range.clone(), Prot::RW, Pages::Anonymous);
    parent.copy_out(A, &vec![5; 4 << 20]).unwrap();
    let first = parent.fork(std::slice::from_ref(&range)).unwrap();
    parent.copy_out(A + PAGE, &vec![6; 6 << 20]).unwrap();
    assert_eq!(parent.protect(pages(1, 1), Prot::NONE), Ok(Changed::Data));
    let second = parent.fork(std::slice::from_ref(&range)).unwrap();
    assert_eq!(parent.protect(pages(1, 1), Prot::RW), Ok(Changed::Data));
    parent.copy_out(A, &vec![7; 2 * PAGE as usize]).unwrap();
    let see = |space: &NativeSpace| [0, 1, 2, 1536, 1537, 2047].map(|page| byte(space, A + page * PAGE));
    assert_eq!(see(&parent), [7, 7, 6, 6, 0, 0].map(Some));
    assert_eq!(see(&first), [5, 5, 5, 0, 0, 0].map(Some));
    assert_eq!(see(&second), [Some(5), None, Some(6), Some(6), Some(0), Some(0)]);
}

#[test]
fn pages_move_with_their_contents() {
    for freeze in [false, true] {
        let file = file(3);
        let mut space = space();
        map(&mut space, pages(0, 2), Prot::RW, Pages::Anonymous);
        map(&mut space, pages(2, 3), Prot::RW, Pages::Private(file.clone(), 0));
        put(&space, A + PAGE, 1);
        put(&space, A + 3 * PAGE, 2);
        let _child = space.fork_with(&[pages(0, 5)], freeze).unwrap();
        put(&space, A, 3);
        assert_eq!(space.protect(pages(3, 1), Prot::R), Ok(Changed::Data));
        assert_eq!(space.move_pages(pages(0, 5), A + 100 * PAGE), Ok(Changed::Data));
        let at = |page: u64| byte(&space, A + page * PAGE);
        assert_eq!([at(0), at(1), at(2), at(3), at(4)], [None; 5]);
        assert_eq!([at(100), at(101), at(102), at(103), at(104)], [3, 1, b'a', 2, b'c'].map(Some));
        assert_eq!(space.copy_out(A + 103 * PAGE, &[1]), Err(CopyFault { copied: 0 }));
    }
}

/// The host's own count of mappings within the window of `space`.
fn host_count(space: &NativeSpace) -> usize {
    let base = space.window() as u64;
    let window = base..base + 0xffff_ffff;
    std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .filter(|line| {
            let (start, rest) = line.split_once('-').unwrap();
            let (end, _) = rest.split_once(' ').unwrap();
            let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
            start < window.end && end > window.start
        })
        .count()
}

#[test]
fn a_guest_over_its_share_is_told() {
    let mut space = space();
    space.set_share(100);
    map(&mut space, pages(0, 400), Prot::RW, Pages::Anonymous);
    let mut refused = None;
    for page in (1..400).step_by(2) {
        if let Err(error) = space.protect(pages(page, 1), Prot::R) {
            refused = Some((page, error));
            break;
        }
        put(&space, A + (page - 1) * PAGE, 1);
        assert_eq!(space.host_mappings(), host_count(&space));
    }
    assert_eq!(refused, Some((97, MemError::NoMemory)));
    // Giving back is always possible, and makes room again.
    assert_eq!(space.host_mappings(), 99);
    assert_eq!(space.protect(pages(0, 400), Prot::RW), Ok(Changed::Data));
    assert_eq!((space.host_mappings(), host_count(&space)), (3, 3));
}

#[test]
fn the_count_of_mappings_is_never_too_low() {
    let file = file(40);
    let mut space = space();
    map(&mut space, pages(0, 40), Prot::RW, Pages::Private(file.clone(), 0));
    map(&mut space, pages(40, 40), Prot::RW, Pages::Anonymous);
    map(&mut space, pages(80, 40), Prot::RW, Pages::Shared(file, 0));
    let mut random = 1u64;
    for _ in 0..2000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let page = (random >> 33) % 116;
        let range = pages(page, 1 + (random >> 50) % 4);
        match (random >> 60) % 6 {
            0 => drop(space.unmap(range).unwrap()),
            1 => drop(space.map(range, Prot::RW, Pages::Anonymous).unwrap()),
            2 => drop(space.protect(range, Prot::NONE).unwrap()),
            3 => drop(space.protect(range, Prot::R).unwrap()),
            4 => drop(space.protect(range, Prot::RW).unwrap()),
            _ => drop(space.copy_out(range.start, &[1])),
        }
        // The host shows its list in pieces: what other threads map meanwhile can make a mapping appear twice.
        assert!((0..10).any(|_| space.host_mappings() >= host_count(&space)));
    }
}

#[test]
fn a_file_of_the_host_is_mapped_itself() {
    let host = file(2);
    host.resize(2 * PAGE - 100).unwrap();
    // A length that is not the file's would show bytes that are none of the object's, or hide some.
    for len in [0, 2 * PAGE - 101, 2 * PAGE] {
        assert_eq!(Memfd::of_file(host.raw(), len).err(), Some(MemError::NoSuch));
    }
    assert_eq!(Memfd::of_file(-1, 0).err(), Some(MemError::NoSuch));
    let object = Rc::new(Memfd::of_file(host.raw(), 2 * PAGE - 100).unwrap());
    let mut space = space();
    map(&mut space, pages(0, 3), Prot::RW, Pages::Private(object.clone(), 0));
    assert_eq!([byte(&space, A), byte(&space, A + 2 * PAGE - 101)], [Some(b'a'), Some(b'b')]);
    assert_eq!([byte(&space, A + 2 * PAGE - 1), byte(&space, A + 2 * PAGE)], [Some(0), None]);
    put(&space, A, b'x');
    let mut buf = [0; 2];
    assert_eq!(object.read(0, &mut buf), 2);
    assert_eq!(buf, *b"aa");
}
