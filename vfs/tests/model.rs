//! Operations on files, drawn at random, against Linux: the same ones in a folder of the host must give the same errors
//! and leave the same tree, over an empty file system in memory and over what an image holds.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use friscy_abi::{Errno, fcntl};
use friscy_vfs::*;
use proptest::prelude::*;
use rustix::fs::{self as host, AtFlags, CWD, Mode, OFlags, RenameFlags};
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// The names that paths are made of: few, so that operations meet.
const NAMES: [&str; 5] = ["a", "b", "c", "link", "old"];

/// What an operation says, apart from its errors.
type Said = Result<String, u16>;

#[derive(Clone, Debug)]
enum Op {
    Mkdir(String, u32),
    Rmdir(String),
    Unlink(String),
    /// Opens with flags, writes so many bytes at an offset where the flags allow, and reads the length.
    Write(String, u32, u64, usize),
    Read(String),
    Truncate(String, u64),
    Rename(String, String, u32),
    Link(String, String),
    Symlink(String, String),
    Chmod(String, u32),
    Readlink(String),
    Stat(String, bool),
    List(String),
}

fn path() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(&NAMES[..]);
    prop_oneof![
        8 => name().prop_map(str::to_owned),
        8 => (name(), name()).prop_map(|(a, b)| format!("{a}/{b}")),
        4 => (name(), name(), name()).prop_map(|(a, b, c)| format!("{a}/{b}/{c}")),
        1 => name().prop_map(|a| format!("{a}/")),
        1 => (name(), name()).prop_map(|(a, b)| format!("{a}/../{b}")),
        1 => (name(), name()).prop_map(|(a, b)| format!("./{a}//{b}/.")),
        1 => name().prop_map(|a| format!("{a}/..")),
        1 => Just(String::new()),
        1 => Just(".".to_owned()),
        1 => Just("n".repeat(256)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let flags = prop::sample::select(vec![
        fcntl::O_RDWR,
        fcntl::O_WRONLY | fcntl::O_CREAT,
        fcntl::O_RDWR | fcntl::O_CREAT | fcntl::O_EXCL,
        fcntl::O_RDWR | fcntl::O_CREAT | fcntl::O_TRUNC,
        fcntl::O_RDWR | fcntl::O_NOFOLLOW,
        fcntl::O_WRONLY | fcntl::O_CREAT | fcntl::O_APPEND,
        fcntl::O_RDONLY | fcntl::O_DIRECTORY,
        fcntl::O_RDONLY,
    ]);
    let length = || prop_oneof![Just(0u64), 1u64..20, Just(4096u64), 1u64..200_000];
    prop_oneof![
        6 => (path(), prop::sample::select(vec![0o755u32, 0o700, 0o1777])).prop_map(|(p, m)| Op::Mkdir(p, m)),
        2 => path().prop_map(Op::Rmdir),
        4 => path().prop_map(Op::Unlink),
        8 => (path(), flags, length(), 0usize..9000).prop_map(|(p, f, o, n)| Op::Write(p, f, o, n)),
        2 => path().prop_map(Op::Read),
        2 => (path(), length()).prop_map(|(p, n)| Op::Truncate(p, n)),
        6 => (path(), path(), prop_oneof![4 => Just(0u32), 1 => Just(1u32), 1 => Just(2u32)])
            .prop_map(|(p, q, f)| Op::Rename(p, q, f)),
        3 => (path(), path()).prop_map(|(p, q)| Op::Link(p, q)),
        3 => (prop::sample::select(&NAMES[..]), path()).prop_map(|(t, p)| Op::Symlink(t.to_owned(), p)),
        1 => (path(), 0u32..0o10000).prop_map(|(p, m)| Op::Chmod(p, m)),
        1 => path().prop_map(Op::Readlink),
        3 => (path(), any::<bool>()).prop_map(|(p, f)| Op::Stat(p, f)),
        2 => path().prop_map(Op::List),
    ]
}

/// What both sides tell of a file: the size and the number of names of directories are their file system's business.
fn told(mode: u32, size: u64, nlink: u32) -> String {
    match mode & 0o170000 {
        0o040000 => format!("{mode:o}"),
        _ => format!("{mode:o} {size} {nlink}"),
    }
}

fn bytes(offset: u64, len: usize) -> Vec<u8> {
    (0..len).map(|i| (offset as usize + i * 7) as u8 | 1).collect()
}

fn sum(data: &[u8]) -> u64 {
    data.iter().fold(data.len() as u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

/// Linux, in a folder.
struct Linux {
    dir: OwnedFd,
}

impl Linux {
    fn read(&self, path: &str) -> Result<Vec<u8>, rustix::io::Errno> {
        let file = host::openat(&self.dir, path, OFlags::RDONLY, Mode::empty())?;
        let mut data = vec![0; 400_000];
        let n = rustix::io::pread(&file, &mut data, 0)?;
        data.truncate(n);
        Ok(data)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, rustix::io::Errno> {
        let dir = host::openat(&self.dir, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let mut names = Vec::new();
        for entry in host::Dir::read_from(&dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn stat(&self, path: &str, follow: bool) -> Result<String, rustix::io::Errno> {
        let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        let stat = host::statat(&self.dir, path, flags)?;
        Ok(told(stat.st_mode, stat.st_size as u64, stat.st_nlink as u32))
    }

    fn execute(&self, op: &Op) -> Said {
        let nothing = |()| String::new();
        match op {
            Op::Mkdir(p, mode) => host::mkdirat(&self.dir, p.as_str(), Mode::from_raw_mode(*mode)).map(nothing),
            Op::Rmdir(p) => host::unlinkat(&self.dir, p.as_str(), AtFlags::REMOVEDIR).map(nothing),
            Op::Unlink(p) => host::unlinkat(&self.dir, p.as_str(), AtFlags::empty()).map(nothing),
            Op::Write(p, flags, offset, len) => {
                let how = OFlags::from_bits_retain(*flags);
                host::openat(&self.dir, p.as_str(), how, Mode::from_raw_mode(0o640)).and_then(|file| {
                    if flags & 3 != fcntl::O_RDONLY && flags & fcntl::O_APPEND == 0 {
                        rustix::io::pwrite(&file, &bytes(*offset, *len), *offset)?;
                    }
                    let stat = host::fstat(&file)?;
                    Ok(told(stat.st_mode, stat.st_size as u64, stat.st_nlink as u32))
                })
            }
            Op::Read(p) => self.read(p).map(|data| format!("{} {:x}", data.len(), sum(&data))),
            Op::Truncate(p, len) => host::openat(&self.dir, p.as_str(), OFlags::WRONLY, Mode::empty())
                .and_then(|file| host::ftruncate(&file, *len))
                .map(nothing),
            Op::Rename(p, q, flags) => {
                let flags = RenameFlags::from_bits_retain(*flags);
                host::renameat_with(&self.dir, p.as_str(), &self.dir, q.as_str(), flags).map(nothing)
            }
            Op::Link(p, q) => host::linkat(&self.dir, p.as_str(), &self.dir, q.as_str(), AtFlags::empty()).map(nothing),
            Op::Symlink(target, p) => host::symlinkat(target.as_str(), &self.dir, p.as_str()).map(nothing),
            Op::Chmod(p, mode) => {
                host::chmodat(&self.dir, p.as_str(), Mode::from_raw_mode(*mode), AtFlags::empty()).map(nothing)
            }
            Op::Readlink(p) => {
                host::readlinkat(&self.dir, p.as_str(), Vec::new()).map(|target| target.to_string_lossy().into_owned())
            }
            Op::Stat(p, follow) => self.stat(p, *follow),
            Op::List(p) => self.names(p).map(|names| names.join(" ")),
        }
        .map_err(|errno| errno.raw_os_error() as u16)
    }
}

/// friscy's file systems.
struct Ours {
    vfs: Vfs,
    ctx: PathContext,
}

impl Ours {
    fn over(make: impl FnOnce(Rc<FixedClock>) -> Rc<FileSystem>) -> Ours {
        let clock = Rc::new(FixedClock::new(Timestamp::from_secs(1000)));
        let vfs = Vfs::new(clock.clone(), make(clock));
        let ctx = PathContext { root: vfs.root(), cwd: vfs.root(), creds: Creds::root() };
        Ours { vfs, ctx }
    }

    fn at(&self, path: &str, follow: bool) -> Result<Location, Errno> {
        self.vfs.resolve(&self.ctx, &self.ctx.cwd, path.as_bytes(), follow, 0)
    }

    fn open(&self, path: &str, flags: u32) -> Result<OpenFile, Errno> {
        self.vfs.open(&self.ctx, &self.ctx.cwd, path.as_bytes(), flags, 0o640, 0)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let file = self.open(path, fcntl::O_RDONLY)?;
        let mut data = vec![0; 400_000];
        let n = file.read_at(0, &mut data).map_err(|error| match error {
            ReadError::Failed(errno) => errno,
            other => panic!("{path}: {other:?}"),
        })?;
        data.truncate(n);
        Ok(data)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Errno> {
        let mut names = Vec::new();
        self.open(path, fcntl::O_RDONLY | fcntl::O_DIRECTORY)?.read_dir(0, &mut |entry| {
            names.push(String::from_utf8_lossy(&entry.name).into_owned());
            true
        })?;
        names.sort();
        Ok(names)
    }

    fn stat(&self, path: &str, follow: bool) -> Result<String, Errno> {
        let meta = self.at(path, follow)?.metadata();
        Ok(told(meta.mode, meta.size, meta.nlink))
    }

    fn execute(&self, op: &Op) -> Said {
        let (vfs, ctx, cwd) = (&self.vfs, &self.ctx, &self.ctx.cwd);
        let nothing = |()| String::new();
        match op {
            Op::Mkdir(p, mode) => vfs.mkdir(ctx, cwd, p.as_bytes(), *mode).map(|_| String::new()),
            Op::Rmdir(p) => vfs.rmdir(ctx, cwd, p.as_bytes()).map(nothing),
            Op::Unlink(p) => vfs.unlink(ctx, cwd, p.as_bytes()).map(nothing),
            Op::Write(p, flags, offset, len) => self.open(p, *flags).and_then(|file| {
                if flags & 3 != fcntl::O_RDONLY && flags & fcntl::O_APPEND == 0 {
                    file.write_at(&ctx.creds, *offset, &bytes(*offset, *len)).map_err(|error| match error {
                        ReadError::Failed(errno) => errno,
                        other => panic!("{p}: {other:?}"),
                    })?;
                }
                let meta = file.location().metadata();
                Ok(told(meta.mode, meta.size, meta.nlink))
            }),
            Op::Read(p) => self.read(p).map(|data| format!("{} {:x}", data.len(), sum(&data))),
            Op::Truncate(p, len) => self.open(p, fcntl::O_WRONLY).and_then(|file| file.truncate(*len)).map(nothing),
            Op::Rename(p, q, flags) => vfs.rename(ctx, cwd, p.as_bytes(), cwd, q.as_bytes(), *flags).map(nothing),
            Op::Link(p, q) => self.at(p, false).and_then(|old| vfs.link(ctx, &old, cwd, q.as_bytes())).map(nothing),
            Op::Symlink(target, p) => vfs.symlink(ctx, target.as_bytes(), cwd, p.as_bytes()).map(|_| String::new()),
            Op::Chmod(p, mode) => self.at(p, true).and_then(|at| vfs.chmod(&ctx.creds, &at, *mode)).map(nothing),
            Op::Readlink(p) => self
                .at(p, false)
                .and_then(|at| at.inode().read_link().map(|target| String::from_utf8_lossy(&target).into_owned())),
            Op::Stat(p, follow) => self.stat(p, *follow),
            Op::List(p) => self.names(p).map(|names| names.join(" ")),
        }
        .map_err(|errno| errno.0)
    }
}

/// What lies below a folder, a line a file.
fn tree(execute: &dyn Fn(&Op) -> Said, path: &str, lines: &mut Vec<String>) {
    let names = execute(&Op::List(path.to_owned())).expect("a directory");
    for name in names.split(' ').filter(|name| !matches!(*name, "." | "..")) {
        let below = format!("{path}/{name}");
        let stat = execute(&Op::Stat(below.clone(), false)).expect("a file");
        let is_file = stat.starts_with("100");
        let contents = if is_file { execute(&Op::Read(below.clone())).expect("a file") } else { String::new() };
        lines.push(format!("{below} {stat} {contents}"));
        if stat.starts_with('4') {
            tree(execute, &below, lines);
        }
    }
}

/// What the image holds, and Linux's folder at first.
const IMAGE: [(&str, &str); 4] = [("old", "contents"), ("a/old", "more"), ("a/b/old", ""), ("c/link", "deep")];

fn lower() -> Rc<dyn Lower> {
    let mut builder = TreeBuilder::new();
    let mut contents = Vec::new();
    for dir in ["a", "a/b", "c"] {
        builder.insert(dir.as_bytes(), TreeNode::new(NodeKind::Dir(Default::default()), 0o755)).expect("a directory");
    }
    for (path, text) in IMAGE {
        let extent = Extent { offset: contents.len() as u64, len: text.len() as u64 };
        contents.extend_from_slice(text.as_bytes());
        builder.insert(path.as_bytes(), TreeNode::new(NodeKind::File(extent), 0o644)).expect("a file");
    }
    builder.link(b"b", b"a/old").expect("a link");
    Rc::new(TreeLower::new(Rc::new(builder.finish()), Rc::new(MemorySource(Rc::from(contents)))))
}

/// Executes operations on both sides, and compares.
fn compare(ops: &[Op], image: bool) -> Result<(), TestCaseError> {
    rustix::process::umask(Mode::empty());
    let folder = tempfile::tempdir().expect("a folder");
    // Paths go up once at most.
    let inside = folder.path().join("w");
    std::fs::create_dir(&inside).expect("a folder");
    host::chmod(&inside, Mode::from_raw_mode(0o755)).expect("a mode");
    if image {
        for (path, text) in IMAGE {
            let path = inside.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(&path, text).expect("a file");
            host::chmod(&path, Mode::from_raw_mode(0o644)).expect("a mode");
        }
        for dir in ["a", "a/b", "c"] {
            host::chmod(inside.join(dir), Mode::from_raw_mode(0o755)).expect("a mode");
        }
        std::fs::hard_link(inside.join("a/old"), inside.join("b")).expect("a link");
    }
    let linux = Linux { dir: host::openat(CWD, &inside, OFlags::DIRECTORY, Mode::empty()).expect("a folder") };
    let ours = Ours::over(|clock| match image {
        true => FileSystem::overlay(clock, lower()).expect("an overlay"),
        false => FileSystem::tmpfs(clock, 0o755),
    });
    for (at, op) in ops.iter().enumerate() {
        let (want, got) = (linux.execute(op), ours.execute(op));
        prop_assert_eq!(&got, &want, "operation {}: {:?}", at, op);
    }
    let (mut want, mut got) = (Vec::new(), Vec::new());
    tree(&|op| linux.execute(op), ".", &mut want);
    tree(&|op| ours.execute(op), ".", &mut got);
    prop_assert_eq!(got, want);
    Ok(())
}

proptest! {
    #[test]
    fn files_in_memory_do_as_linux(ops in prop::collection::vec(op(), 1..60)) {
        compare(&ops, false)?;
    }

    #[test]
    fn what_an_image_holds_changes_as_on_linux(ops in prop::collection::vec(op(), 1..60)) {
        compare(&ops, true)?;
    }
}
