//! Mounts, `..`, names of open files, generated file systems, openat2's flags.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use friscy_abi::{Errno, fcntl};
use friscy_vfs::*;
use std::cell::RefCell;
use std::rc::Rc;

struct Machine {
    vfs: Vfs,
    ctx: PathContext,
    clock: Rc<FixedClock>,
}

impl Machine {
    fn over(make: impl FnOnce(Rc<FixedClock>) -> Rc<FileSystem>) -> Machine {
        let clock = Rc::new(FixedClock::new(Timestamp::from_secs(1000)));
        let vfs = Vfs::new(clock.clone(), make(clock.clone()));
        let ctx = PathContext { root: vfs.root(), cwd: vfs.root(), creds: Creds::root() };
        Machine { vfs, ctx, clock }
    }

    fn new() -> Machine {
        Machine::over(|clock| FileSystem::tmpfs(clock, 0o755))
    }

    fn try_at(&self, path: &str) -> Result<Location, Errno> {
        self.vfs.resolve(&self.ctx, &self.ctx.cwd, path.as_bytes(), true, 0)
    }

    fn at(&self, path: &str) -> Location {
        self.try_at(path).unwrap_or_else(|errno| panic!("{path}: {errno}"))
    }

    fn mkdir(&self, path: &str) -> Location {
        self.vfs.mkdir(&self.ctx, &self.ctx.cwd, path.as_bytes(), 0o755).unwrap()
    }

    fn open(&self, path: &str, flags: u32) -> Result<OpenFile, Errno> {
        self.vfs.open(&self.ctx, &self.ctx.cwd, path.as_bytes(), flags, 0o644, 0)
    }

    fn write(&self, path: &str, data: &[u8]) -> OpenFile {
        let file = self.open(path, fcntl::O_CREAT | fcntl::O_RDWR).unwrap();
        file.write_at(&self.ctx.creds, 0, data).unwrap();
        file
    }

    fn read(&self, path: &str) -> Result<String, Errno> {
        let file = self.open(path, fcntl::O_RDONLY)?;
        let mut buf = [0; 100];
        let n = file.read_at(0, &mut buf).unwrap();
        Ok(String::from_utf8_lossy(&buf[..n]).into_owned())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        self.vfs.rename(&self.ctx, &self.ctx.cwd, from.as_bytes(), &self.ctx.cwd, to.as_bytes(), 0)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        self.vfs.unlink(&self.ctx, &self.ctx.cwd, path.as_bytes())
    }

    fn rmdir(&self, path: &str) -> Result<(), Errno> {
        self.vfs.rmdir(&self.ctx, &self.ctx.cwd, path.as_bytes())
    }

    fn symlink(&self, target: &str, path: &str) {
        self.vfs.symlink(&self.ctx, target.as_bytes(), &self.ctx.cwd, path.as_bytes()).unwrap();
    }

    fn mount(&self, path: &str, fs: Rc<FileSystem>) -> MountRef {
        self.vfs.mount(&self.at(path), fs, b"src", MountFlags::default()).unwrap()
    }

    fn name(&self, at: &Location) -> String {
        String::from_utf8(at.path_from(Some(&self.ctx.root)).proc_text()).unwrap()
    }

    fn names(&self, path: &str) -> Vec<String> {
        let mut names = Vec::new();
        let dir = self.open(path, fcntl::O_DIRECTORY).unwrap();
        dir.read_dir(0, &mut |entry| {
            names.push(String::from_utf8(entry.name.to_vec()).unwrap());
            true
        })
        .unwrap();
        names
    }
}

#[test]
fn names_of_open_files_follow_what_happens() {
    let m = Machine::new();
    m.mkdir("a");
    let deep = m.mkdir("a/b");
    let file = m.write("a/b/f", b"x");
    assert_eq!(m.name(file.location()), "/a/b/f");
    m.rename("a", "z").unwrap();
    assert_eq!((m.name(file.location()), m.name(&deep)), ("/z/b/f".into(), "/z/b".into()));
    m.rename("z/b/f", "g").unwrap();
    assert_eq!(m.name(file.location()), "/g");
    m.unlink("g").unwrap();
    assert_eq!(m.name(file.location()), "/g (deleted)");
    assert_eq!(file.inode().nlink(), 0);
    m.rmdir("z/b").unwrap();
    assert_eq!(m.name(&deep), "/z/b (deleted)");
    // `..` of a removed directory is what it was, and nothing can be made in it.
    assert!(m.vfs.resolve(&m.ctx, &deep, b"..", true, 0).unwrap().same(&m.at("z")));
    assert_eq!(m.vfs.mkdir(&m.ctx, &deep, b"new", 0o755).unwrap_err(), Errno::ENOENT);
    m.rmdir("z").unwrap();
    assert_eq!(m.name(&deep), "/z/b (deleted)");
}

#[test]
fn mounts_hide_cross_and_go_up() {
    let m = Machine::new();
    m.mkdir("mnt");
    m.write("mnt/below", b"");
    let fs = FileSystem::tmpfs(m.clock.clone(), 0o700);
    let mount = m.mount("mnt", fs.clone());
    assert_eq!(m.try_at("mnt/below").unwrap_err(), Errno::ENOENT);
    m.mkdir("mnt/in");
    m.mkdir("mnt/in/deep");
    assert_eq!(m.name(&m.at("mnt/in/deep")), "/mnt/in/deep");
    assert!(m.at("mnt/in/../..").same(&m.vfs.root()));
    assert!(m.at("../../mnt/..").same(&m.vfs.root()));
    assert_ne!(m.at("mnt").metadata().dev, m.at("/").metadata().dev);
    assert_eq!(m.rename("mnt/in", "out"), Err(Errno::EXDEV));
    assert_eq!((m.rmdir("mnt"), m.rename("mnt", "other")), (Err(Errno::EBUSY), Err(Errno::EBUSY)));

    // A second mount on top, and one inside it.
    m.mount("mnt", FileSystem::tmpfs(m.clock.clone(), 0o755));
    assert_eq!(m.try_at("mnt/in").unwrap_err(), Errno::ENOENT);
    assert_eq!(m.vfs.unmount(&m.at("mnt"), false), Ok(()));
    assert!(m.try_at("mnt/in").is_ok());
    m.mount("mnt/in", FileSystem::tmpfs(m.clock.clone(), 0o755));
    assert_eq!(m.vfs.unmount(&m.at("mnt"), false), Err(Errno::EBUSY));
    assert_eq!(m.vfs.unmount(&m.at("mnt/in"), false), Ok(()));

    // Read-only: nothing changes, reading works.
    mount.set_flags(MountFlags { read_only: true, ..MountFlags::default() });
    assert_eq!(m.vfs.mkdir(&m.ctx, &m.ctx.cwd, b"mnt/new", 0o755).unwrap_err(), Errno::EROFS);
    assert_eq!(m.vfs.mkdir(&m.ctx, &m.ctx.cwd, b"mnt/in", 0o755).unwrap_err(), Errno::EEXIST);
    assert_eq!(m.rmdir("mnt/in/deep"), Err(Errno::EROFS));
    assert_eq!(m.open("mnt/f", fcntl::O_CREAT | fcntl::O_WRONLY).err(), Some(Errno::EROFS));
    assert_eq!(m.vfs.chmod(&m.ctx.creds, &m.at("mnt/in"), 0o700), Err(Errno::EROFS));

    let held = m.at("mnt/in");
    let rows: Vec<_> = m.vfs.mounts(&m.ctx.root).into_iter().map(|row| (row.mount_point, row.root)).collect();
    assert_eq!(rows, [(b"/".to_vec(), b"/".to_vec()), (b"/mnt".to_vec(), b"/".to_vec())]);
    assert_eq!(m.vfs.unmount(&m.at("mnt"), true), Ok(()));
    assert_eq!(m.vfs.unmount(&m.at("mnt"), true), Err(Errno::EINVAL));
    // What was open stays usable.
    assert!(m.vfs.resolve(&m.ctx, &held, b"deep", true, 0).is_ok());
    assert_eq!(m.vfs.root().inode().lookup(b"mnt").unwrap().lookup(b"below").unwrap().len(), 0);
}

#[test]
fn bound_directories_and_files() {
    let m = Machine::new();
    m.mkdir("data");
    m.mkdir("data/sub");
    m.mkdir("view");
    m.write("data/sub/f", b"same");
    m.write("host", b"outer");
    m.vfs.bind(&m.at("view"), &m.at("data/sub"), MountFlags::default()).unwrap();
    assert_eq!(m.read("view/f").unwrap(), "same");
    assert_eq!(m.name(&m.at("view/f")), "/view/f");
    assert!(m.at("view/..").same(&m.vfs.root()));
    m.vfs.bind(&m.at("data/sub/f"), &m.at("host"), MountFlags::default()).unwrap();
    assert_eq!(m.read("data/sub/f").unwrap(), "outer");
    assert_eq!(m.name(&m.at("data/sub/f")), "/data/sub/f");
    assert_eq!(m.unlink("data/sub/f"), Err(Errno::EBUSY));
    assert_eq!(m.vfs.bind(&m.at("view"), &m.at("host"), MountFlags::default()).err(), Some(Errno::ENOTDIR));
    let info = m.vfs.mounts(&m.ctx.root);
    assert!(info.iter().any(|row| row.root == b"/data/sub" && row.mount_point == b"/view"));
}

#[test]
fn a_changed_root_is_not_left() {
    let m = Machine::new();
    m.mkdir("jail");
    m.mkdir("jail/etc");
    m.symlink("/etc", "jail/link");
    m.mkdir("etc");
    let ctx = PathContext { root: m.at("jail"), cwd: m.at("jail/etc"), creds: Creds::root() };
    let at = |path: &[u8]| m.vfs.resolve(&ctx, &ctx.cwd, path, true, 0).unwrap();
    assert!(at(b"../../../..").same(&ctx.root));
    assert!(at(b"/link").same(&m.at("jail/etc")));
    assert_eq!(m.at("jail/etc").path_from(Some(&ctx.root)).bytes, b"/etc");
    assert!(m.at("etc").path_from(Some(&ctx.root)).unreachable);
}

#[test]
fn flags_of_openat2() {
    let m = Machine::new();
    m.mkdir("d");
    m.mkdir("d/e");
    m.symlink("e", "d/in");
    m.symlink("../other", "d/out");
    m.symlink("/d/e", "d/abs");
    m.mkdir("other");
    m.mkdir("d/mnt");
    m.mount("d/mnt", FileSystem::tmpfs(m.clock.clone(), 0o755));
    let base = m.at("d");
    let try_at = |path: &str, flags| m.vfs.resolve(&m.ctx, &base, path.as_bytes(), true, flags).map(|at| m.name(&at));
    let ok = |path: &str| Ok(path.to_owned());
    assert_eq!(try_at("in", fcntl::RESOLVE_BENEATH), ok("/d/e"));
    assert_eq!(try_at("e/..", fcntl::RESOLVE_BENEATH), ok("/d"));
    for path in ["out", "abs", "..", "/d", "e/../.."] {
        assert_eq!(try_at(path, fcntl::RESOLVE_BENEATH), Err(Errno::EXDEV), "{path}");
    }
    assert_eq!(try_at("..", fcntl::RESOLVE_IN_ROOT), ok("/d"));
    assert_eq!(try_at("/e", fcntl::RESOLVE_IN_ROOT), ok("/d/e"));
    assert_eq!(try_at("abs", fcntl::RESOLVE_IN_ROOT), Err(Errno::ENOENT));
    assert_eq!(try_at("in", fcntl::RESOLVE_NO_SYMLINKS), Err(Errno::ELOOP));
    assert_eq!(try_at("mnt", fcntl::RESOLVE_NO_XDEV), Err(Errno::EXDEV));
    assert_eq!(try_at("e", fcntl::RESOLVE_NO_XDEV), ok("/d/e"));
}

#[test]
fn chains_of_forty_links_and_no_more() {
    let m = Machine::new();
    m.write("0", b"end");
    for n in 1..=41 {
        m.symlink(&format!("{}", n - 1), &format!("{n}"));
    }
    assert_eq!(m.read("40").unwrap(), "end");
    assert_eq!(m.read("41"), Err(Errno::ELOOP));
}

#[test]
fn listings_go_on_after_changes() {
    let m = Machine::new();
    for n in 0..10 {
        m.write(&format!("f{n}"), b"");
    }
    let dir = m.open("/", fcntl::O_DIRECTORY).unwrap();
    let mut seen = Vec::new();
    let mut at = 0;
    for round in 0..100 {
        let before = seen.len();
        dir.read_dir(at, &mut |entry| {
            if seen.len() == before + 2 {
                return false;
            }
            seen.push(String::from_utf8(entry.name.to_vec()).unwrap());
            at = entry.next_offset;
            true
        })
        .unwrap();
        if seen.len() == before {
            break;
        }
        if round == 1 {
            m.unlink("f0").unwrap();
            m.unlink("f5").unwrap();
            m.write("new", b"");
            m.rename("f9", "late").unwrap();
        }
    }
    assert_eq!(seen, [".", "..", "f0", "f1", "f2", "f3", "f4", "f6", "f7", "f8", "new", "late"]);
}

fn lower() -> Rc<dyn Lower> {
    let mut builder = TreeBuilder::new();
    let file = |offset| TreeNode::new(NodeKind::File(Extent { offset, len: 4 }), 0o644);
    builder.insert(b"etc/one", file(0)).unwrap();
    builder.insert(b"etc/two", file(4)).unwrap();
    builder.link(b"again", b"etc/one").unwrap();
    builder.insert(b"bin", TreeNode::new(NodeKind::Symlink(b"usr/bin".to_vec()), 0o777)).unwrap();
    builder.insert(b"usr/bin/sh", file(8)).unwrap();
    Rc::new(TreeLower::new(Rc::new(builder.finish()), Rc::new(MemorySource(Rc::from(*b"1111222233334444")))))
}

#[test]
fn an_overlay_changes_only_above() {
    let m = Machine::over(|clock| FileSystem::overlay(clock, lower()).unwrap());
    assert_eq!(m.read("bin/sh").unwrap(), "3333");
    // Removed before the directory was listed, and listed without it; made again.
    m.unlink("etc/two").unwrap();
    assert_eq!(m.read("etc/two"), Err(Errno::ENOENT));
    assert_eq!(m.names("etc"), [".", "..", "one"]);
    m.write("etc/two", b"new");
    assert_eq!((m.names("etc").len(), m.read("etc/two").unwrap()), (4, "new".into()));
    // All names of a file see a change, whichever was used.
    m.write("again", b"9");
    assert_eq!(m.read("etc/one").unwrap(), "9111");
    assert_eq!(m.at("again").metadata().ino, m.at("etc/one").metadata().ino);
    m.unlink("again").unwrap();
    assert_eq!(m.at("etc/one").metadata().nlink, 1);
    assert_eq!(m.read("etc/one").unwrap(), "9111");
    // Whole directories move with what they hold.
    m.rename("usr", "opt").unwrap();
    assert_eq!((m.read("opt/bin/sh").unwrap(), m.read("usr/bin/sh")), ("3333".into(), Err(Errno::ENOENT)));
    assert_eq!(m.rmdir("opt"), Err(Errno::ENOTEMPTY));
    m.mkdir("usr");
    assert_eq!(m.names("usr"), [".", ".."]);
    assert_eq!(m.names("/"), [".", "..", "bin", "etc", "usr", "opt"]);
    assert_eq!(m.at("opt/bin/sh").inode().unmodified().map(|(_, extent)| extent), Some(Extent { offset: 8, len: 4 }));
    m.vfs.chmod(&m.ctx.creds, &m.at("opt/bin/sh"), 0o700).unwrap();
    assert!(m.at("opt/bin/sh").inode().unmodified().is_some());
    assert_eq!(m.at("/").super_used(), 4 + 3);
}

trait SuperUsed {
    fn super_used(&self) -> u64;
}

impl SuperUsed for Location {
    fn super_used(&self) -> u64 {
        self.inode().super_block().used_bytes()
    }
}

struct Proc {
    magic: RefCell<Option<Location>>,
}

struct Counter(RefCell<u32>);

impl SynthFile for Counter {
    fn read(&self) -> Result<Vec<u8>, Errno> {
        *self.0.borrow_mut() += 1;
        Ok(format!("read {}\n", self.0.borrow()).into_bytes())
    }
    fn write(&self, _off: u64, data: &[u8]) -> Result<usize, Errno> {
        *self.0.borrow_mut() = u32::from(data[0]);
        Ok(data.len())
    }
    fn attr(&self) -> SynthAttr {
        SynthAttr::root(0o644)
    }
}

struct Link(Option<Location>);

impl SynthLink for Link {
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        Ok(self.0.as_ref().map_or(b"1".to_vec(), |at| at.path_from(None).proc_text()))
    }
    fn follow(&self) -> Result<Option<Location>, Errno> {
        Ok(self.0.clone())
    }
}

impl SynthDir for Proc {
    fn lookup(&self, name: &[u8]) -> Option<SynthNode> {
        match name {
            b"count" => Some(SynthNode::File(Rc::new(Counter(RefCell::new(0))))),
            b"self" => Some(SynthNode::Link(Rc::new(Link(None)))),
            b"fd" => Some(SynthNode::Link(Rc::new(Link(self.magic.borrow().clone())))),
            b"1" => Some(SynthNode::Dir(Rc::new(Proc { magic: RefCell::new(None) }))),
            _ => None,
        }
    }
    fn list(&self) -> Vec<(Vec<u8>, FileType)> {
        vec![(b"1".to_vec(), FileType::Directory), (b"count".to_vec(), FileType::Regular)]
    }
}

#[test]
fn generated_file_systems() {
    let m = Machine::new();
    m.mkdir("proc");
    let root = Rc::new(Proc { magic: RefCell::new(None) });
    m.mount("proc", synthetic(m.clock.clone(), "proc", 0x9fa0, root.clone()));
    assert_eq!(m.names("proc"), [".", "..", "1", "count"]);
    assert_eq!(m.names("proc/self"), [".", "..", "1", "count"]);
    assert_eq!(m.name(&m.at("proc/self/self/count")), "/proc/1/1/count");
    assert!(m.at("proc/self/..").same(&m.at("proc")));
    assert_eq!(m.at("proc/count").metadata().ino, m.at("proc/count").metadata().ino);

    let file = m.open("proc/count", fcntl::O_RDWR).unwrap();
    let mut buf = [0; 20];
    assert_eq!(file.read_at(0, &mut buf[..4]), Ok(4));
    assert_eq!(file.read_at(4, &mut buf[4..]), Ok(3));
    assert_eq!(&buf[..7], b"read 1\n");
    assert_eq!(file.write_at(&m.ctx.creds, 0, b"\x09"), Ok(1));
    assert_eq!(file.read_at(0, &mut buf), Ok(8));
    assert_eq!(&buf[..8], b"read 10\n");

    let mkdir = m.vfs.mkdir(&m.ctx, &m.ctx.cwd, b"proc/x", 0o755);
    assert_eq!((mkdir.err(), m.unlink("proc/count")), (Some(Errno::EPERM), Err(Errno::EPERM)));
    assert_eq!(m.open("proc/x", fcntl::O_CREAT | fcntl::O_WRONLY).err(), Some(Errno::EACCES));
    assert_eq!(m.rename("proc/count", "proc/x"), Err(Errno::EPERM));

    // Magic links lead to the file whatever became of its name.
    let open = m.write("gone", b"still here");
    *root.magic.borrow_mut() = Some(open.location().clone());
    m.unlink("gone").unwrap();
    assert_eq!(m.read("proc/fd").unwrap(), "still here");
    let link = m.vfs.resolve(&m.ctx, &m.ctx.cwd, b"proc/fd", false, 0).unwrap();
    assert_eq!(link.inode().read_link().unwrap(), b"/gone (deleted)");
    let pipe = m.vfs.anonymous(FileType::Fifo, 0o600, 0, 0, &|ino| format!("pipe:[{ino}]"));
    *root.magic.borrow_mut() = Some(pipe.clone());
    assert!(m.at("proc/fd").same(&pipe));
    assert_eq!(m.name(&pipe), format!("pipe:[{}]", pipe.metadata().ino));
    let no_magic = m.vfs.resolve(&m.ctx, &m.ctx.cwd, b"proc/fd", true, fcntl::RESOLVE_NO_MAGICLINKS);
    assert_eq!(no_magic.err(), Some(Errno::ELOOP));
}

#[test]
fn device_nodes() {
    let m = Machine::new();
    m.mkdir("dev");
    m.mount("dev", devfs(m.clock.clone()).unwrap());
    let null = m.at("dev/null").metadata();
    assert_eq!((null.mode, null.rdev), (0o020_666, makedev(1, 3)));
    assert_eq!(
        m.vfs.resolve(&m.ctx, &m.ctx.cwd, b"dev/stdin", false, 0).unwrap().inode().read_link().unwrap(),
        b"/proc/self/fd/0"
    );
    assert_eq!(m.at("dev/shm").metadata().mode, 0o041_777);
    assert!(m.open("dev/null", fcntl::O_RDWR).is_ok());
    m.at("dev").mount().set_flags(MountFlags { no_dev: true, ..MountFlags::default() });
    assert_eq!(m.open("dev/null", fcntl::O_RDWR).err(), Some(Errno::EACCES));
}

#[test]
fn unnamed_files_can_get_a_name() {
    let m = Machine::new();
    m.mkdir("d");
    let file = m.open("d", fcntl::O_TMPFILE | fcntl::O_RDWR).unwrap();
    file.write_at(&m.ctx.creds, 0, b"late").unwrap();
    assert_eq!(m.names("d"), [".", ".."]);
    assert!(m.name(file.location()).starts_with("/d/#"));
    assert_eq!(m.vfs.link(&m.ctx, file.location(), &m.ctx.cwd, b"named"), Err(Errno::ENOENT));
    m.vfs.link_unnamed(&m.ctx, file.location(), &m.ctx.cwd, b"named").unwrap();
    assert_eq!((m.read("named").unwrap(), file.inode().nlink()), ("late".into(), 1));
    assert_eq!(m.name(file.location()), "/named");
    assert_eq!(m.open("d", fcntl::O_TMPFILE).err(), Some(Errno::EINVAL));
}

#[test]
fn extended_attributes() {
    let m = Machine::new();
    m.write("f", b"");
    let (at, root, user) = (m.at("f"), Creds::root(), Creds::user(5, 5));
    assert_eq!(m.vfs.get_xattr(&root, &at, b"user.x"), Err(Errno::ENODATA));
    assert_eq!(m.vfs.get_xattr(&root, &at, b"system.posix_acl_access"), Err(Errno::ENOTSUP));
    m.vfs.set_xattr(&root, &at, b"user.x", b"1", XattrFlags::Create).unwrap();
    m.vfs.set_xattr(&root, &at, b"trusted.y", b"2", XattrFlags::Any).unwrap();
    assert_eq!(m.vfs.set_xattr(&root, &at, b"user.x", b"1", XattrFlags::Create), Err(Errno::EEXIST));
    assert_eq!(m.vfs.set_xattr(&root, &at, b"user.z", b"1", XattrFlags::Replace), Err(Errno::ENODATA));
    assert_eq!(m.vfs.set_xattr(&user, &at, b"user.x", b"2", XattrFlags::Any), Err(Errno::EACCES));
    assert_eq!(m.vfs.get_xattr(&user, &at, b"user.x"), Ok(b"1".to_vec()));
    assert_eq!(m.vfs.list_xattrs(&user, &at), [b"user.x".to_vec()]);
    assert_eq!(m.vfs.list_xattrs(&root, &at), [b"trusted.y".to_vec(), b"user.x".to_vec()]);
    assert_eq!(m.vfs.remove_xattr(&root, &at, b"user.x"), Ok(()));
    assert_eq!(m.vfs.remove_xattr(&root, &at, b"user.x"), Err(Errno::ENODATA));
}

#[test]
fn deep_trees_are_dropped_without_recursion() {
    let clock = Rc::new(FixedClock::default());
    let fs = FileSystem::tmpfs(clock, 0o755);
    let path = "d/".repeat(200_000);
    fs.add(path.as_bytes(), NewNode::Directory, 0o755).unwrap();
    drop(fs);
}

/// A check by hand: `FRISCY_ROOTFS_TAR=rootfs.tar cargo test -p friscy-vfs`. Without the variable nothing is read.
#[test]
fn a_given_root_file_system_loads() {
    let Some(path) = std::env::var_os("FRISCY_ROOTFS_TAR") else { return };
    let file = native::MappedFile::open(path.as_ref()).unwrap();
    let tree = index_tar(std::io::Cursor::new(file.bytes())).unwrap();
    let lower = Rc::new(TreeLower::new(Rc::new(tree), Rc::new(file)));
    let m = Machine::over(|clock| FileSystem::overlay(clock, lower).unwrap());
    assert!(m.at("/bin/sh").metadata().size > 0);
}
