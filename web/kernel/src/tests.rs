//! The kernel's end of the boundary over address spaces in the same program. Guest code is not run here: its accesses are
//! checked in software in wasm only. The browser tests do.

use crate::{Glue, WebCpu};
use friscy_boundary::{Backing, Cpu, Mapping, MemError, MmId, ObjectId, Prot};
use friscy_cpu::soft::{Committed, PAGE_BYTES, SoftSpace};
use friscy_web_messages::{Reply, Request, decode, encode};
use std::collections::BTreeMap;
use std::ptr::NonNull;

const A: u64 = 0x1_0000;
const PAGE: u64 = 4096;
const LIMIT: u64 = 1 << 20;

/// A window of which one megabyte can be committed.
struct Buffer {
    bytes: Vec<u8>,
    pages: Vec<u8>,
}

impl Committed for Buffer {
    fn window(&self) -> *mut u8 {
        self.bytes.as_ptr().cast_mut()
    }

    fn ensure(&mut self, end: u64) -> Result<(), MemError> {
        if end > LIMIT { Err(MemError::NoMemory) } else { Ok(()) }
    }

    fn size(&self) -> u64 {
        LIMIT
    }

    fn pages(&self) -> NonNull<u8> {
        NonNull::from(&self.pages[0])
    }
}

fn empty() -> SoftSpace<Buffer> {
    SoftSpace::new(Buffer { bytes: vec![0; LIMIT as usize], pages: vec![0; PAGE_BYTES] })
}

#[derive(Default)]
struct Local {
    spaces: BTreeMap<u32, SoftSpace<Buffer>>,
    next: u32,
}

impl Glue for Local {
    fn create(&mut self) -> Option<u32> {
        self.next += 1;
        self.spaces.insert(self.next, empty());
        Some(self.next)
    }

    fn fork(&mut self, parent: u32) -> Option<u32> {
        let from = self.spaces.get(&parent)?;
        let mut child = empty();
        // All mappings of these tests can be read and written.
        for addr in (A..LIMIT).step_by(PAGE as usize) {
            let mut bytes = vec![0; PAGE as usize];
            if from.peek(addr, &mut bytes).is_ok() {
                let _ = child.map(addr..addr + PAGE, Prot::RW, None).ok()?;
                let _ = child.load(addr, &bytes).ok()?;
            }
        }
        self.next += 1;
        self.spaces.insert(self.next, child);
        Some(self.next)
    }

    fn destroy(&mut self, space: u32) {
        self.spaces.remove(&space);
    }

    fn call(&mut self, space: u32, request: &[u8]) -> Option<Vec<u8>> {
        let space = self.spaces.get_mut(&space)?;
        let read = |len: u64, copy: &dyn Fn(&mut [u8]) -> bool| {
            let mut bytes = vec![0; len as usize];
            let got = if copy(&mut bytes) { bytes.as_slice() } else { &[] };
            encode(&Reply::Bytes(got))
        };
        Some(match decode(request)? {
            Request::Map { addr, len, prot, object_end } => {
                encode(&Reply::Memory(space.map(addr..addr + len, prot, object_end).map(|_| ())))
            }
            Request::Unmap { addr, len } => {
                let _ = space.unmap(addr..addr + len);
                encode(&Reply::Memory(Ok(())))
            }
            Request::Discard { addr, len } => {
                let _ = space.discard(addr..addr + len);
                encode(&Reply::Memory(Ok(())))
            }
            Request::SetObjectEnd { addr, len, end } => {
                space.set_object_end(addr..addr + len, end);
                encode(&Reply::Memory(Ok(())))
            }
            Request::CopyIn { addr, len } => read(len, &|buf| space.copy_in(addr, buf).is_ok()),
            Request::Peek { addr, len } => read(len, &|buf| space.peek(addr, buf).is_ok()),
            Request::CopyOut { addr, bytes } => encode(&Reply::Copied(space.copy_out(addr, bytes))),
            Request::Load { addr, bytes } => encode(&Reply::Copied(space.load(addr, bytes).map(|_| ()))),
            Request::TakeDirty { addr, len } => {
                let dirty = space.take_dirty(addr..addr + len);
                encode(&Reply::Ranges(dirty.into_iter().map(|r| (r.start, r.end - r.start)).collect()))
            }
            other => panic!("{other:?} is not tested here"),
        })
    }
}

fn machine() -> (WebCpu<Local>, MmId, ObjectId) {
    let mut cpu = WebCpu::new(Local::default());
    let mm = cpu.create().unwrap();
    let object = cpu.object_create(PAGE + 10).unwrap();
    cpu.object_write(object, PAGE, b"0123456789").unwrap();
    (cpu, mm, object)
}

fn map(cpu: &mut WebCpu<Local>, mm: MmId, backing: Backing) -> Mapping {
    let mapping = Mapping { addr: A, len: 3 * PAGE, prot: Prot::RW, backing };
    cpu.map(mm, &mapping).unwrap();
    mapping
}

fn read(cpu: &mut WebCpu<Local>, mm: MmId, addr: u64) -> Option<[u8; 4]> {
    let mut buf = [0xee; 4];
    cpu.copy_in(mm, addr, &mut buf).ok().map(|()| buf)
}

#[test]
fn a_private_mapping_is_a_copy_and_ends_where_its_object_does() {
    let (mut cpu, mm, object) = machine();
    map(&mut cpu, mm, Backing::Private { object, offset: 0 });
    assert_eq!(read(&mut cpu, mm, A), Some([0; 4]));
    assert_eq!(read(&mut cpu, mm, A + PAGE + 8), Some(*b"89\0\0"));
    assert_eq!(read(&mut cpu, mm, A + 2 * PAGE), None);
    cpu.copy_out(mm, A + PAGE, b"mine").unwrap();
    assert_eq!(read(&mut cpu, mm, A + PAGE), Some(*b"mine"));
    let mut held = [0; 4];
    assert_eq!((cpu.object_read(object, PAGE, &mut held), &held), (4, b"0123"));
    // Discarded pages are the object's again.
    cpu.discard(mm, A + PAGE, PAGE).unwrap();
    assert_eq!(read(&mut cpu, mm, A + PAGE), Some(*b"0123"));
    // A longer object has the third page.
    cpu.object_resize(object, 3 * PAGE).unwrap();
    assert_eq!(read(&mut cpu, mm, A + 2 * PAGE), Some([0; 4]));
}

#[test]
fn a_shared_page_is_seen_by_all_and_stays_in_the_object() {
    let (mut cpu, mm, object) = machine();
    let mapping = map(&mut cpu, mm, Backing::Shared { object, offset: 0 });
    let child = cpu.fork_from(mm, &[mapping]).unwrap();
    cpu.copy_out(child, A + PAGE, b"both").unwrap();
    assert_eq!(read(&mut cpu, mm, A + PAGE), Some(*b"both"));
    cpu.object_write(object, PAGE, b"file").unwrap();
    assert_eq!(read(&mut cpu, mm, A + PAGE), Some(*b"file"));
    assert_eq!(read(&mut cpu, child, A + PAGE), Some(*b"file"));
    // The object lives as long as it is mapped.
    cpu.object_release(object);
    cpu.destroy(mm);
    assert_eq!(read(&mut cpu, child, A + PAGE), Some(*b"file"));
    assert_eq!(cpu.objects(), 1);
    cpu.destroy(child);
    assert_eq!(cpu.objects(), 0);
}

#[test]
fn a_child_gets_copies_of_private_pages_and_only_the_mappings_named() {
    let (mut cpu, mm, _) = machine();
    let mapping = map(&mut cpu, mm, Backing::Anonymous);
    cpu.copy_out(mm, A, b"same").unwrap();
    let child = cpu.fork_from(mm, &[Mapping { len: PAGE, ..mapping }]).unwrap();
    cpu.copy_out(mm, A, b"mine").unwrap();
    assert_eq!(read(&mut cpu, child, A), Some(*b"same"));
    assert_eq!(read(&mut cpu, child, A + PAGE), None);
    assert_eq!(read(&mut cpu, mm, A + PAGE), Some([0; 4]));
}
