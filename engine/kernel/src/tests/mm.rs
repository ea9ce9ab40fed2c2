//! The list of mappings.

use super::{anonymous, empty_kernel};
use crate::Kernel;
use crate::mm::{MMAP_BASE, MapRequest, Mm, VmaBacking, VmaFlags};
use friscy_abi::Errno;
use friscy_abi::mman::MREMAP_MAYMOVE;
use friscy_boundary::{HIGHEST_ADDRESS, PAGE_SIZE, Prot};
use std::fmt::Write;

const BASE: u64 = 0x100_0000;

fn space() -> (Kernel, Mm) {
    let k = empty_kernel();
    let mm = Mm::new(k.cpu.create().unwrap());
    (k, mm)
}

/// Mappings relative to [`BASE`], in pages: `0+2 rw, 4+1 r`.
#[track_caller]
fn check(mm: &Mm, expected: &str) {
    let mut got = String::new();
    for vma in mm.vmas.values() {
        assert!(vma.start < vma.end);
        let flag = |on, letter| if on { letter } else { "" };
        let prot = [flag(vma.prot.read, "r"), flag(vma.prot.write, "w"), flag(vma.prot.exec, "x")].concat();
        let separator = if got.is_empty() { "" } else { ", " };
        write!(got, "{separator}{}+{} {prot}", (vma.start - BASE) / 4096, vma.len() / 4096).unwrap();
    }
    assert_eq!(got, expected);
    assert_eq!(mm.total, mm.vmas.values().map(crate::mm::Vma::len).sum::<u64>());
}

fn at(page: u64) -> u64 {
    BASE + page * 4096
}

#[test]
fn neighbours_merge_and_split() {
    let (k, mut mm) = space();
    mm.map(&k.cpu, anonymous(at(0), 4096)).unwrap();
    mm.map(&k.cpu, anonymous(at(1), 4096)).unwrap();
    mm.map(&k.cpu, anonymous(at(3), 8192)).unwrap();
    check(&mm, "0+2 rw, 3+2 rw");
    mm.map(&k.cpu, anonymous(at(2), 4096)).unwrap();
    check(&mm, "0+5 rw");
    mm.protect(&k.cpu, at(1), 8192, Prot::R).unwrap();
    check(&mm, "0+1 rw, 1+2 r, 3+2 rw");
    mm.protect(&k.cpu, at(1), 4096, Prot::RW).unwrap();
    check(&mm, "0+2 rw, 2+1 r, 3+2 rw");
    mm.unmap(&k.cpu, at(1), 4096).unwrap();
    check(&mm, "0+1 rw, 2+1 r, 3+2 rw");
    mm.unmap(&k.cpu, at(0), 6 * 4096).unwrap();
    check(&mm, "");
    assert_eq!(mm.unmap(&k.cpu, at(0) + 1, 4096), Err(Errno::EINVAL));
    assert_eq!(mm.unmap(&k.cpu, at(0), 0), Err(Errno::EINVAL));
}

#[test]
fn protect_stops_at_a_gap() {
    let (k, mut mm) = space();
    mm.map(&k.cpu, anonymous(at(0), 4096)).unwrap();
    mm.map(&k.cpu, anonymous(at(2), 4096)).unwrap();
    assert_eq!(mm.protect(&k.cpu, at(0), 3 * 4096, Prot::R), Err(Errno::ENOMEM));
    check(&mm, "0+1 r, 2+1 rw");
    assert_eq!(mm.protect(&k.cpu, at(0), 0, Prot::R), Ok(()));
    assert_eq!(mm.protect(&k.cpu, 5, 1, Prot::R), Err(Errno::EINVAL));
}

#[test]
fn places() {
    let (k, mut mm) = space();
    let first = mm.map(&k.cpu, anonymous(0, 4096)).unwrap();
    assert_eq!(first, MMAP_BASE - 4096);
    assert_eq!(mm.map(&k.cpu, anonymous(0, 8192)).unwrap(), first - 8192);
    // A hole is filled before anything is placed lower.
    mm.unmap(&k.cpu, first, 4096).unwrap();
    assert_eq!(mm.map(&k.cpu, anonymous(0, 4096)).unwrap(), first);
    // A hint is honoured when it is free, rounded up.
    let hint = MapRequest { fixed: false, ..anonymous(at(0) - 5, 4096) };
    assert_eq!(mm.map(&k.cpu, hint.clone()).unwrap(), at(0));
    assert_eq!(mm.map(&k.cpu, hint).unwrap(), first - 8192 - 4096);
    // Beyond the window a hint is only a hint, and a fixed place is refused.
    let far = MapRequest { fixed: false, ..anonymous(0xc0_0000_0000, 4096) };
    assert_eq!(mm.map(&k.cpu, far.clone()).unwrap(), first - 8192 - 8192);
    assert_eq!(mm.map(&k.cpu, MapRequest { fixed: true, ..far }), Err(Errno::ENOMEM));
    assert_eq!(mm.map(&k.cpu, anonymous(0x1000, 4096)), Err(Errno::EPERM));
    let over = MapRequest { no_replace: true, ..anonymous(at(0), 4096) };
    assert_eq!(mm.map(&k.cpu, over), Err(Errno::EEXIST));
    assert_eq!(mm.map(&k.cpu, anonymous(0, HIGHEST_ADDRESS)), Err(Errno::ENOMEM));
    assert_eq!(mm.map(&k.cpu, anonymous(0, u64::MAX)), Err(Errno::ENOMEM));
    assert_eq!(mm.map(&k.cpu, anonymous(0, 0)), Err(Errno::EINVAL));
}

#[test]
fn the_heap_moves_its_end() {
    let (k, mut mm) = space();
    mm.brk_start = at(0);
    mm.brk = at(0);
    assert_eq!(mm.set_brk(&k.cpu, 0, u64::MAX), at(0));
    assert_eq!(mm.set_brk(&k.cpu, at(0) + 10, u64::MAX), at(0) + 10);
    assert_eq!(mm.set_brk(&k.cpu, at(3), u64::MAX), at(3));
    check(&mm, "0+3 rw");
    assert_eq!(mm.set_brk(&k.cpu, at(1) + 1, u64::MAX), at(1) + 1);
    check(&mm, "0+2 rw");
    mm.map(&k.cpu, MapRequest { prot: Prot::R, ..anonymous(at(6), 4096) }).unwrap();
    // One page stays free between the heap and what is above it.
    assert_eq!(mm.set_brk(&k.cpu, at(6), u64::MAX), at(1) + 1);
    assert_eq!(mm.set_brk(&k.cpu, at(5), u64::MAX), at(5));
    assert_eq!(mm.set_brk(&k.cpu, at(5) + 1, 4096), at(5));
}

#[test]
fn remap() {
    let (k, mut mm) = space();
    mm.map(&k.cpu, anonymous(at(0), 8192)).unwrap();
    k.cpu.copy_out(mm.id, at(1), b"here").unwrap();
    // It grows in place, shrinks, and moves when something is in the way.
    assert_eq!(mm.remap(&k.cpu, at(0), 8192, 4 * 4096, 0, None), Ok(at(0)));
    check(&mm, "0+4 rw");
    assert_eq!(mm.remap(&k.cpu, at(0), 4 * 4096, 8192, 0, None), Ok(at(0)));
    check(&mm, "0+2 rw");
    mm.map(&k.cpu, MapRequest { prot: Prot::R, ..anonymous(at(2), 4096) }).unwrap();
    assert_eq!(mm.remap(&k.cpu, at(0), 8192, 3 * 4096, 0, None), Err(Errno::ENOMEM));
    let moved = mm.remap(&k.cpu, at(0), 8192, 3 * 4096, MREMAP_MAYMOVE, None).unwrap();
    let mut buf = [0; 4];
    k.cpu.copy_in(mm.id, moved + 4096, &mut buf).unwrap();
    assert_eq!(&buf, b"here");
    assert_eq!(mm.remap(&k.cpu, moved, 3 * 4096, 3 * 4096, MREMAP_MAYMOVE, Some(at(0))), Ok(at(0)));
    check(&mm, "0+3 rw");
    assert_eq!(mm.remap(&k.cpu, at(9), 4096, 8192, MREMAP_MAYMOVE, None), Err(Errno::EFAULT));
    assert_eq!(mm.remap(&k.cpu, at(0), 8192, 8192, MREMAP_MAYMOVE, Some(at(1))), Err(Errno::EINVAL));
}

#[test]
fn an_object_lives_as_long_as_its_mappings() {
    let (mut k, mut mm) = space();
    let object = k.anonymous_object(8192).unwrap();
    let request = MapRequest {
        flags: VmaFlags::SHARED | VmaFlags::MAYWRITE,
        backing: VmaBacking::Object { object: object.clone(), offset: 0, file: None },
        ..anonymous(at(0), 8192)
    };
    mm.map(&k.cpu, request).unwrap();
    mm.unmap(&k.cpu, at(0), 4096).unwrap();
    assert_eq!(object.references(), 2);
    let second = mm.vmas.get(&at(1)).unwrap().mapping();
    assert_eq!(second.backing, friscy_boundary::Backing::Shared { object: object.id(), offset: 4096 });
    mm.unmap(&k.cpu, at(1), 4096).unwrap();
    assert_eq!(object.references(), 1);
}

/// The highest free place below the stack, looked for in all mappings.
fn highest_free(mm: &Mm, len: u64) -> Option<u64> {
    let mut ceiling = MMAP_BASE;
    for vma in mm.vmas.range(..MMAP_BASE).rev().map(|(_, vma)| vma) {
        if vma.end <= ceiling && ceiling - vma.end >= len {
            break;
        }
        ceiling = ceiling.min(vma.start);
    }
    ceiling.checked_sub(len)
}

#[test]
fn the_highest_free_place_is_found_whatever_was_freed_before() {
    let (k, mut mm) = space();
    let mut seed = 1u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for step in 0..3000 {
        if random(5) < 3 {
            let len = [1, 1, 2, 16][random(4) as usize] * PAGE_SIZE;
            let prot = Prot { write: step % 2 == 0, ..Prot::RW };
            let place = mm.map(&k.cpu, MapRequest { prot, ..anonymous(0, len) }).unwrap();
            assert_eq!(place % PAGE_SIZE, 0);
        } else if let Some(vma) = mm.vmas.values().nth(random(mm.vmas.len().max(1) as u64) as usize) {
            let start = vma.start + random(vma.len() / PAGE_SIZE) * PAGE_SIZE;
            let len = (1 + random(4)) * PAGE_SIZE;
            mm.unmap(&k.cpu, start, len).unwrap();
        }
        let len = (1 + random(20)) * PAGE_SIZE;
        assert_eq!(mm.find_free(0, len), highest_free(&mm, len), "step {step}");
    }
}
