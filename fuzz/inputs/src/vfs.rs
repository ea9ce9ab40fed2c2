//! Operations on files, drawn from numbers, against Linux: the same ones in a folder of the host must give the same
//! errors and leave the same tree, over an empty file system in memory and over what an image holds.

use friscy_abi::{Errno, fcntl};
use friscy_vfs::{
    Creds, Extent, FileSystem, FixedClock, Location, Lower, MemorySource, NodeKind, OpenFile, PathContext, ReadError,
    Timestamp, TreeBuilder, TreeLower, TreeNode, Vfs,
};
use rustix::fs::{self as host, AtFlags, CWD, Mode, OFlags, RenameFlags};
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// Numbers that an operation is drawn from: which, two of a path, two of another, what else there is.
pub type Numbers = [u8; 8];

/// The most operations of a sequence.
const MOST: usize = 60;

/// Executes operations, eight bytes each, on both sides: the first byte's lowest bit says whether there is an image.
///
/// # Panics
/// If the sides differ.
pub fn check(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let numbers: Vec<Numbers> = rest.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok()).take(MOST).collect();
    compare(&numbers, first & 1 == 1).unwrap_or_else(|what| panic!("{what}"));
}

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

/// A path; plain ones are as many as all others, and 0 is the plainest.
fn path(shape: u8, names: u8) -> String {
    let name = |divisor: u8| NAMES[usize::from(names / divisor) % NAMES.len()];
    let (a, b, c) = (name(1), name(5), name(25));
    match shape % 28 {
        0..=7 => a.to_owned(),
        8..=15 => format!("{a}/{b}"),
        16..=19 => format!("{a}/{b}/{c}"),
        20 => format!("{a}/"),
        21 => format!("{a}/../{b}"),
        22 => format!("./{a}//{b}/."),
        23 => format!("{a}/.."),
        24 => String::new(),
        25 => ".".to_owned(),
        26 => "n".repeat(256),
        _ => format!("{a}/{b}/../{c}/"),
    }
}

fn op(numbers: &Numbers) -> Op {
    const FLAGS: [u32; 8] = [
        fcntl::O_WRONLY | fcntl::O_CREAT,
        fcntl::O_RDWR,
        fcntl::O_RDWR | fcntl::O_CREAT | fcntl::O_EXCL,
        fcntl::O_RDWR | fcntl::O_CREAT | fcntl::O_TRUNC,
        fcntl::O_RDWR | fcntl::O_NOFOLLOW,
        fcntl::O_WRONLY | fcntl::O_CREAT | fcntl::O_APPEND,
        fcntl::O_RDONLY | fcntl::O_DIRECTORY,
        fcntl::O_RDONLY,
    ];
    let [kind, p0, p1, q0, q1, what, low, high] = *numbers;
    let (p, q) = (path(p0, p1), path(q0, q1));
    let number = u64::from(low) | u64::from(high) << 8;
    // Offsets before and behind the ends of pages, up to 200,000.
    let length = match what >> 4 {
        0..=3 => number % 20,
        4..=7 => 4096 * (number % 8),
        _ => number * 3,
    };
    match kind % 44 {
        0..=7 => Op::Write(p, FLAGS[usize::from(what % 8)], length, usize::from(q0) * 35),
        8..=13 => Op::Mkdir(p, [0o755, 0o700, 0o1777][usize::from(what % 3)]),
        14..=15 => Op::Rmdir(p),
        16..=19 => Op::Unlink(p),
        20..=21 => Op::Read(p),
        22..=23 => Op::Truncate(p, length),
        24..=29 => Op::Rename(p, q, [0, 0, 0, 0, 1, 2][usize::from(what % 6)]),
        30..=32 => Op::Link(p, q),
        33..=35 => Op::Symlink(NAMES[usize::from(q1) % NAMES.len()].to_owned(), p),
        36 => Op::Chmod(p, (number % 0o10000) as u32),
        37 => Op::Readlink(p),
        38..=40 => Op::Stat(p, what & 1 == 1),
        _ => Op::List(p),
    }
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
    fs: Rc<FileSystem>,
    ctx: PathContext,
}

impl Ours {
    fn over(make: impl FnOnce(Rc<FixedClock>) -> Rc<FileSystem>) -> Ours {
        let clock = Rc::new(FixedClock::new(Timestamp::from_secs(1000)));
        let fs = make(clock.clone());
        let vfs = Vfs::new(clock, Rc::clone(&fs));
        let ctx = PathContext { root: vfs.root(), cwd: vfs.root(), creds: Creds::root() };
        Ours { vfs, fs, ctx }
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

/// Removes what lies below a folder.
fn empty(ours: &Ours, path: &str) {
    let names = ours.execute(&Op::List(path.to_owned())).expect("a directory");
    for name in names.split(' ').filter(|name| !matches!(*name, "." | "..")) {
        let below = format!("{path}/{name}");
        if ours.execute(&Op::Unlink(below.clone())).is_err() {
            empty(ours, &below);
            ours.execute(&Op::Rmdir(below)).expect("an empty directory");
        }
    }
}

/// Executes operations on both sides, with or without an image below, and compares what each says and the trees in the
/// end.
///
/// # Errors
/// What differs.
///
/// # Panics
/// If the host refuses what is needed.
pub fn compare(numbers: &[Numbers], image: bool) -> Result<(), String> {
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
    for (at, numbers) in numbers.iter().enumerate() {
        let op = op(numbers);
        let (want, got) = (linux.execute(&op), ours.execute(&op));
        if got != want {
            return Err(format!("operation {at}: {op:?} gives {got:?}, on Linux {want:?}"));
        }
    }
    let (mut want, mut got) = (Vec::new(), Vec::new());
    tree(&|op| linux.execute(op), ".", &mut want);
    tree(&|op| ours.execute(op), ".", &mut got);
    if got != want {
        return Err(format!("the tree is\n{}\nand on Linux\n{}", got.join("\n"), want.join("\n")));
    }
    empty(&ours, ".");
    match ours.fs.super_block().used_bytes() {
        0 => Ok(()),
        bytes => Err(format!("{bytes} bytes belong to files that are gone")),
    }
}
