//! What files hold: written chunks over a lower source, holes, limits, objects of the caller's.

use friscy_abi::Errno;
use friscy_vfs::{
    ChunkId, ContentSource, Creds, ExternalContent, FileSystem, FixedClock, InodeRef, MemorySource, NewNode, ReadError,
    Timestamp,
};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

fn fs() -> Rc<FileSystem> {
    FileSystem::tmpfs(Rc::new(FixedClock::default()), 0o755)
}

fn over(data: &[u8]) -> (Rc<FileSystem>, InodeRef) {
    let fs = fs();
    let source = Rc::new(MemorySource(Rc::from(data)));
    let inode = fs.add_file(b"f", 0o644, source, 0, data.len() as u64).unwrap();
    (fs, inode)
}

fn all(inode: &InodeRef) -> Vec<u8> {
    let mut data = vec![0xaa; inode.len() as usize + 10];
    let n = inode.read_at(0, &mut data).unwrap();
    data.truncate(n);
    data
}

#[derive(Clone, Debug)]
enum Op {
    Write(u32, usize, u8),
    Truncate(u32),
    Punch(u32, u32),
    Read(u32, usize),
    Externalise,
    TakeBack,
}

fn op() -> impl Strategy<Value = Op> {
    let offset = prop_oneof![0u32..300_000, (0u32..5).prop_map(|n| n * 65_536), (1u32..5).prop_map(|n| n * 65_536 - 1)];
    let offset2 = offset.clone();
    let offset3 = offset.clone();
    let len = prop_oneof![0usize..10, 0usize..150_000, Just(65_536usize)];
    prop_oneof![
        8 => (offset.clone(), len.clone(), any::<u8>()).prop_map(|(o, n, b)| Op::Write(o, n, b)),
        3 => offset2.prop_map(Op::Truncate),
        2 => (offset, 0u32..150_000).prop_map(|(o, n)| Op::Punch(o, n)),
        4 => (offset3, len).prop_map(|(o, n)| Op::Read(o, n)),
        1 => Just(Op::Externalise),
        1 => Just(Op::TakeBack),
    ]
}

/// An object of the caller's, as plain bytes.
struct Object(RefCell<Vec<u8>>);

impl ExternalContent for Object {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        let data = self.0.borrow();
        let from = data.get(off as usize..).unwrap_or_default();
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }
    fn write_at(&self, off: u64, data: &[u8]) -> Result<usize, Errno> {
        let mut held = self.0.borrow_mut();
        let end = off as usize + data.len();
        if held.len() < end {
            held.resize(end, 0);
        }
        held[off as usize..end].copy_from_slice(data);
        Ok(data.len())
    }
    fn len(&self) -> u64 {
        self.0.borrow().len() as u64
    }
    fn set_len(&self, len: u64) -> Result<(), Errno> {
        self.0.borrow_mut().resize(len as usize, 0);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_is_like_a_vector(lower_len in 0usize..250_000, ops in prop::collection::vec(op(), 1..30)) {
        let lower: Vec<u8> = (0..lower_len).map(|at| (at % 251) as u8 + 1).collect();
        let (fs, inode) = over(&lower);
        let mut model = lower;
        for op in ops {
            match op {
                Op::Write(off, len, byte) => {
                    let data = vec![byte; len];
                    prop_assert_eq!(inode.write_at(u64::from(off), &data), Ok(len));
                    let end = off as usize + len;
                    if len > 0 {
                        model.resize(model.len().max(end), 0);
                        model[off as usize..end].copy_from_slice(&data);
                    }
                }
                Op::Truncate(len) => {
                    inode.truncate(u64::from(len)).unwrap();
                    model.resize(len as usize, 0);
                }
                Op::Punch(off, len) => {
                    inode.punch_hole(u64::from(off), u64::from(len)).unwrap();
                    let end = (off as usize + len as usize).min(model.len());
                    if let Some(part) = model.get_mut(off as usize..end) {
                        part.fill(0);
                    }
                }
                Op::Read(off, len) => {
                    let mut got = vec![0xaa; len];
                    let n = inode.read_at(u64::from(off), &mut got).unwrap();
                    let from = model.get(off as usize..).unwrap_or_default();
                    prop_assert_eq!(&got[..n], &from[..from.len().min(len)]);
                }
                Op::Externalise => inode.set_external(Rc::new(Object(RefCell::new(all(&inode))))).unwrap(),
                Op::TakeBack => inode.clear_external().unwrap(),
            }
            prop_assert_eq!(inode.len(), model.len() as u64);
            let mut at = 0;
            while let Ok(data) = inode.next_data(at) {
                prop_assert!(model[at as usize..data as usize].iter().all(|&b| b == 0));
                at = inode.next_hole(data).unwrap();
            }
            prop_assert!(model[at as usize..].iter().all(|&b| b == 0));
        }
        prop_assert_eq!(all(&inode), model);
        inode.truncate(0).unwrap();
        prop_assert_eq!(fs.super_block().used_bytes(), 0);
    }
}

#[test]
fn holes_take_no_memory() {
    let fs = fs();
    let inode = fs.add(b"f", NewNode::Regular, 0o644).unwrap();
    inode.truncate(100 << 30).unwrap();
    inode.write_at(50 << 30, b"x").unwrap();
    assert_eq!(inode.len(), 100 << 30);
    assert_eq!(fs.super_block().used_bytes(), 1);
    assert_eq!(inode.metadata().blocks, 8);
    assert_eq!((inode.next_data(0), inode.next_hole(50 << 30)), (Ok(50 << 30), Ok((50 << 30) + 65_536)));
    assert_eq!(inode.next_data((50 << 30) + 65_536), Err(Errno::ENXIO));
    assert_eq!(inode.write_at(u64::MAX - 5, b"long text"), Err(Errno::EFBIG.into()));
    assert_eq!(inode.write_at(i64::MAX as u64, b"x"), Err(Errno::EFBIG.into()));
    assert_eq!(inode.truncate(1 << 63), Err(Errno::EFBIG));
}

#[test]
fn a_limit_gives_enospc_and_memory_comes_back() {
    let fs = fs();
    fs.set_limit(100_000);
    let inode = fs.add(b"f", NewNode::Regular, 0o644).unwrap();
    assert_eq!(inode.write_at(0, &[1; 60_000]), Ok(60_000));
    // What fits is written, in whole pages.
    assert_eq!(inode.write_at(60_000, &[2; 60_000]), Ok(36_864));
    assert_eq!(inode.write_at(96_864, &[3; 60_000]), Err(Errno::ENOSPC.into()));
    assert_eq!(inode.write_at(0, &[4; 60_000]), Ok(60_000));
    assert_eq!(fs.super_block().statfs().blocks_free, (100_000 - 96_864) / 4096);
    inode.truncate(10).unwrap();
    assert_eq!(fs.super_block().used_bytes(), 10);
    assert_eq!(inode.allocate(0, 200_000), Err(Errno::ENOSPC));
    assert_eq!((inode.allocate(0, 50_000), inode.len()), (Ok(()), 50_000));
    let unnamed = fs.unnamed_file(0o600, 0, 0);
    unnamed.write_at(0, &[5; 1000]).unwrap();
    assert_eq!(fs.super_block().used_bytes(), 1010);
    drop(unnamed);
    assert_eq!(fs.super_block().used_bytes(), 10);
}

/// A source of which only some chunks of 1000 bytes are here.
struct Remote {
    here: Cell<u64>,
}

impl ContentSource for Remote {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        let chunk = off / 1000;
        if self.here.get() & 1 << chunk == 0 {
            return Err(ReadError::NotYet(ChunkId(chunk)));
        }
        let n = buf.len().min((1000 - off % 1000) as usize);
        buf[..n].fill(b'0' + chunk as u8);
        Ok(n)
    }
}

#[test]
fn missing_chunks_are_asked_for_and_nothing_changes_meanwhile() {
    let fs = fs();
    let source = Rc::new(Remote { here: Cell::new(0b0001) });
    let inode = fs.add_file(b"f", 0o644, source.clone(), 0, 3500).unwrap();
    let mut buf = [0; 4000];
    assert_eq!(inode.read_at(500, &mut buf), Ok(500));
    assert_eq!(inode.read_at(1000, &mut buf), Err(ReadError::NotYet(ChunkId(1))));
    let version = inode.version();
    assert_eq!(inode.write_at(10, b"x"), Err(ReadError::NotYet(ChunkId(1))));
    assert_eq!((inode.version(), inode.metadata().blocks), (version, 8));
    assert_eq!(fs.super_block().used_bytes(), 0);
    // Replacing everything needs nothing from below, and neither does cutting it off.
    assert_eq!(inode.write_at(0, &[b'w'; 3500]), Ok(3500));
    let other = fs.add_file(b"g", 0o644, source.clone(), 0, 3500).unwrap();
    other.truncate(0).unwrap();
    assert_eq!(other.write_at(0, b"new"), Ok(3));
    let third = fs.add_file(b"h", 0o644, source.clone(), 0, 3500).unwrap();
    source.here.set(0b1111);
    assert_eq!(third.write_at(10, b"x"), Ok(1));
    assert_eq!(third.read_at(0, &mut buf), Ok(3500));
    assert_eq!((&buf[8..13], buf[1000], buf[3499]), (&b"00x00"[..], b'1', b'3'));
}

#[test]
fn versions_and_identity() {
    let (_fs, inode) = over(b"hello");
    let id = inode.content_id();
    assert_eq!(inode.with_slice(1, 3, <[u8]>::to_vec), Some(b"ell".to_vec()));
    assert_eq!(inode.with_slice(1, 5, <[u8]>::to_vec), None);
    let before = inode.version();
    inode.read_at(0, &mut [0; 3]).unwrap();
    assert_eq!(inode.version(), before);
    inode.write_at(0, b"J").unwrap();
    assert_eq!((inode.version(), inode.content_id(), all(&inode)), (before + 1, id, b"Jello".to_vec()));
    assert_eq!(inode.with_slice(1, 3, <[u8]>::to_vec), None);
    assert!(inode.unmodified().is_none());
}

#[test]
fn times_follow_what_happens() {
    let clock = Rc::new(FixedClock::new(Timestamp::from_secs(100)));
    let fs = FileSystem::tmpfs(clock.clone(), 0o755);
    let inode = fs.add(b"f", NewNode::Regular, 0o4755).unwrap();
    let times = || {
        let meta = inode.metadata();
        (meta.atime.sec, meta.mtime.sec, meta.ctime.sec)
    };
    assert_eq!(times(), (100, 100, 100));
    clock.set(Timestamp::from_secs(200));
    inode.write_at(0, b"x").unwrap();
    assert_eq!(times(), (100, 200, 200));
    clock.set(Timestamp::from_secs(300));
    inode.accessed();
    assert_eq!(times(), (300, 200, 200));
    // relatime: a second read soon after leaves it.
    clock.set(Timestamp::from_secs(400));
    inode.accessed();
    assert_eq!(times(), (300, 200, 200));
    clock.set(Timestamp::from_secs(300 + 86_400));
    inode.accessed();
    assert_eq!(times().0, 300 + 86_400);
    assert_eq!(inode.permission(&Creds::user(5, 5), friscy_vfs::Access::WRITE), Err(Errno::EACCES));
    inode.strip_set_id();
    assert_eq!(inode.metadata().mode, 0o100_755);
}
