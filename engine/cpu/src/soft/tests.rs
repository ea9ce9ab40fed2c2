//! Spaces with page bytes: what is where after each request, and what is known to be written.

use super::*;
use crate::{Changed, CodeMemory, RunMemory};
use friscy_boundary::{Backing, CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, Prot, Regs};
use friscy_interp::Interp;
use std::collections::BTreeMap;
use std::ops::Range;

const PAGE: u64 = 4096;
const A: u64 = 0x10000;
const LIMIT: u64 = 1 << 20;

/// A window of which one megabyte can be committed.
struct Buffer {
    bytes: Vec<u8>,
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
}

fn space() -> SoftSpace<Buffer> {
    SoftSpace::new(Buffer { bytes: vec![0; LIMIT as usize], size: 0 })
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
    assert_eq!(space.span(A + 8 * PAGE - 10, 100, true), 10);
    assert_eq!(space.span(A + 2 * PAGE - 10, 100, true), 0);
    assert_eq!(space.span(A - 10, 100, false), 0);
    assert_eq!(space.span(A + 10, 100, false), 100);
    assert_eq!(space.unmap(pages(4, 1)), Changed::Data);
    assert_eq!(space.nonzero(), [pages(0, 1), pages(4, 1), pages(7, 1)]);
    assert_eq!(space.retain(&[pages(2, 2), pages(5, 1)]), Changed::Code);
    let mapped = (0..9).map(|page| byte(&space, A + page * PAGE).is_some()).collect::<Vec<_>>();
    assert_eq!(mapped, [false, false, true, true, false, true, false, false, false]);
}

/// Instances in the same program. An address space whose number is in `failed` answers nothing.
#[derive(Default)]
struct Instances {
    instances: BTreeMap<u32, Instance<Buffer>>,
    made: u32,
    failed: Option<u32>,
}

impl Pool for Instances {
    fn create(&mut self) -> Option<u32> {
        self.made += 1;
        let memory = Buffer { bytes: vec![0; LIMIT as usize], size: 0 };
        self.instances.insert(self.made, Instance::new(memory, Box::new(Interp::new(1 << 16))));
        Some(self.made)
    }

    fn fork(&mut self, parent: u32) -> Option<u32> {
        let number = self.create()?;
        let mut child = self.instances.remove(&number)?;
        child.memory().copy_from(self.instances.get_mut(&parent)?.memory());
        self.instances.insert(number, child);
        Some(number)
    }

    fn destroy(&mut self, number: u32) {
        assert!(self.instances.remove(&number).is_some());
    }

    fn call(&mut self, number: u32, request: &[u8]) -> Option<Vec<u8>> {
        let instance = self.instances.get_mut(&number).filter(|_| self.failed != Some(number))?;
        Some(instance.handle(request).unwrap())
    }

    fn read(&mut self, number: u32, addr: u64, buf: &mut [u8]) -> usize {
        let Some(instance) = self.instances.get_mut(&number) else { return 0 };
        let n = instance.memory().span(addr, buf.len(), false);
        instance.memory().copy_in(addr, &mut buf[..n]).unwrap();
        n
    }

    fn write(&mut self, number: u32, addr: u64, bytes: &[u8]) -> usize {
        let Some(instance) = self.instances.get_mut(&number) else { return 0 };
        let n = instance.memory().span(addr, bytes.len(), true);
        instance.memory().copy_out(addr, &bytes[..n]).unwrap();
        n
    }
}

fn map(cpu: &mut impl Cpu, mm: MmId, range: Range<u64>, prot: Prot, backing: Backing) -> Mapping {
    let mapping = Mapping { addr: range.start, len: range.end - range.start, prot, backing };
    cpu.map(mm, &mapping).unwrap();
    mapping
}

/// An object of pages of `a`, of `b`, and so on.
fn object(cpu: &mut impl Cpu, pages: u8) -> ObjectId {
    let object = cpu.object_create(0).unwrap();
    for page in 0..pages {
        cpu.object_write(object, u64::from(page) * PAGE, &[b'a' + page; PAGE as usize]).unwrap();
    }
    object
}

#[track_caller]
fn check_bytes(cpu: &mut impl Cpu, mm: MmId, first: u64, expected: &[Option<u8>]) {
    let mut seen = Vec::new();
    for page in first..first + expected.len() as u64 {
        let mut buf = [0];
        seen.push(cpu.copy_in(mm, A + page * PAGE, &mut buf).ok().map(|()| buf[0]));
    }
    assert_eq!(seen, expected);
}

#[test]
fn views_of_objects_in_instances() {
    let mut cpu = PooledCpu::new(Instances::default());
    let object = object(&mut cpu, 2);
    cpu.object_write(object, 2 * PAGE, b"c").unwrap();
    let mm = cpu.create().unwrap();
    map(&mut cpu, mm, pages(0, 4), Prot::RW, Backing::Private { object, offset: 0 });
    map(&mut cpu, mm, pages(4, 2), Prot::RW, Backing::Shared { object, offset: PAGE });
    check_bytes(&mut cpu, mm, 0, &[Some(b'a'), Some(b'b'), Some(b'c'), None, Some(b'b'), Some(b'c'), None]);

    // Private stores stay, shared ones reach the object and whoever shares it.
    cpu.copy_out(mm, A, b"x").unwrap();
    cpu.copy_out(mm, A + 4 * PAGE, b"y").unwrap();
    let mut content = [0; 3];
    assert_eq!(cpu.object_read(object, 0, &mut content[..1]), 1);
    assert_eq!(cpu.object_read(object, PAGE, &mut content[1..2]), 1);
    assert_eq!(&content[..2], b"ay");
    let other = cpu.create().unwrap();
    map(&mut cpu, other, pages(0, 3), Prot::RW, Backing::Shared { object, offset: 0 });
    check_bytes(&mut cpu, other, 0, &[Some(b'a'), Some(b'y'), Some(b'c')]);
    cpu.poke(other, A + PAGE, b"z").unwrap();
    check_bytes(&mut cpu, mm, 4, &[Some(b'z')]);
    // A store behind the end of the object does not make it longer.
    cpu.copy_out(other, A + 2 * PAGE, b"123").unwrap();
    assert_eq!(cpu.object_read(object, 2 * PAGE, &mut content), 1);
    assert_eq!(content[0], b'1');

    // Discarding brings the object's bytes back, but for shared pages.
    cpu.discard(mm, A, 6 * PAGE).unwrap();
    check_bytes(&mut cpu, mm, 0, &[Some(b'a'), Some(b'z'), Some(b'1'), None, Some(b'z'), Some(b'1')]);

    // Cutting the object makes pages vanish; growing it again brings zeros.
    cpu.object_resize(object, PAGE + 1).unwrap();
    check_bytes(&mut cpu, other, 0, &[Some(b'a'), Some(b'z'), None]);
    cpu.object_resize(object, 3 * PAGE).unwrap();
    check_bytes(&mut cpu, other, 0, &[Some(b'a'), Some(b'z'), Some(0)]);
    let mut buf = [9; 2];
    cpu.copy_in(other, A + PAGE, &mut buf).unwrap();
    assert_eq!(buf, [b'z', 0]);

    // Views outlive the kernel's reference, the object does not outlive its views.
    cpu.object_release(object);
    cpu.copy_out(other, A, b"q").unwrap();
    cpu.move_pages(mm, A + 4 * PAGE, A + 14 * PAGE, PAGE).unwrap();
    cpu.copy_out(other, A + PAGE, b"r").unwrap();
    check_bytes(&mut cpu, mm, 14, &[Some(b'r')]);
    cpu.destroy(other);
    assert_eq!(cpu.object_read(object, 0, &mut buf), 2);
    cpu.unmap(mm, A, 14 * PAGE).unwrap();
    assert_eq!(cpu.object_read(object, 0, &mut buf), 2);
    map(&mut cpu, mm, pages(14, 1), Prot::RW, Backing::Anonymous);
    assert_eq!(cpu.object_read(object, 0, &mut buf), 0);
}

#[test]
fn instances_fork() {
    let mut cpu = PooledCpu::new(Instances::default());
    let object = object(&mut cpu, 1);
    let parent = cpu.create().unwrap();
    let anonymous = map(&mut cpu, parent, pages(0, 2), Prot::RW, Backing::Anonymous);
    let shared = map(&mut cpu, parent, pages(4, 1), Prot::RW, Backing::Shared { object, offset: 0 });
    map(&mut cpu, parent, pages(6, 1), Prot::RW, Backing::Anonymous);
    cpu.copy_out(parent, A, b"1").unwrap();
    let child = cpu.fork_from(parent, &[shared, anonymous]).unwrap();
    check_bytes(&mut cpu, child, 0, &[Some(b'1'), Some(0), None, None, Some(b'a'), None, None]);
    cpu.copy_out(child, A, b"2").unwrap();
    cpu.copy_out(child, A + 4 * PAGE, b"3").unwrap();
    check_bytes(&mut cpu, parent, 0, &[Some(b'1'), Some(0), None, None, Some(b'3'), None, Some(0)]);

    cpu.pool().failed = Some(child.0);
    let mut regs = Regs::default();
    assert_eq!(cpu.run(child, &mut regs, 1).exit, Exit::Poisoned);
    assert_eq!(cpu.protect(child, A, PAGE, Prot::R), Err(MemError::NoMemory));
    cpu.destroy(child);
    assert_eq!(cpu.protect(child, A, PAGE, Prot::R), Err(MemError::NoSuch));
    assert_eq!(cpu.run(parent, &mut regs, 1).exit, Exit::Fault {
        addr: 0,
        access: friscy_boundary::Access::Execute,
        beyond_object: false
    });
}
