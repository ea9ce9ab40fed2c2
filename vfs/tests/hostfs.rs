//! A host folder mounted live: what one side does the other sees, and nothing outside the folder is ever reached.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]
#![cfg(target_os = "linux")]

use friscy_abi::Errno;
use friscy_abi::fcntl::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY,
    RENAME_EXCHANGE, RENAME_NOREPLACE,
};
use friscy_vfs::native::{HostFs, Owner};
use friscy_vfs::{
    Creds, FileSystem, FileType, FixedClock, Location, Metadata, MountFlags, OpenFile, PathContext, ReadError, SetTime,
    Timestamp, Vfs, XattrFlags,
};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The user that friscy's own files appear to belong to here.
const USER: u32 = 1000;

/// A host folder `top/shared` beside a `top/secret` that must never be reached, and a guest's tree with the folder at
/// `/mnt` and a file `/secret` of its own.
struct Bed {
    top: tempfile::TempDir,
    vfs: Vfs,
    ctx: PathContext,
}

fn bed_with(read_only: bool) -> Bed {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(top.path().join("shared")).unwrap();
    fs::write(top.path().join("secret"), "the host's").unwrap();
    let clock = Rc::new(FixedClock::default());
    let root = FileSystem::tmpfs(clock.clone(), 0o755);
    let vfs = Vfs::new(clock.clone(), root);
    let at = vfs.root();
    let ctx = PathContext { root: at.clone(), cwd: at.clone(), creds: Creds::root() };
    let mnt = vfs.mkdir(&ctx, &at, b"/mnt", 0o755).unwrap();
    let own = vfs.open(&ctx, &at, b"/secret", O_CREAT | O_WRONLY, 0o644, 0).unwrap();
    own.write_at(&ctx.creds, 0, b"the guest's").unwrap();
    let host = HostFs::open(&top.path().join("shared"), read_only, Owner { uid: USER, gid: USER }).unwrap();
    let live = FileSystem::live(clock, Rc::new(host)).unwrap();
    vfs.mount(&mnt, live, b"shared", MountFlags { no_dev: true, no_suid: true, ..MountFlags::default() }).unwrap();
    Bed { top, vfs, ctx }
}

fn bed() -> Bed {
    bed_with(false)
}

impl Bed {
    fn host(&self, path: &str) -> PathBuf {
        self.top.path().join("shared").join(path)
    }

    fn at(&self, path: &str) -> Result<Location, Errno> {
        self.vfs.resolve(&self.ctx, &self.ctx.root, path.as_bytes(), false, 0)
    }

    fn stat(&self, path: &str) -> Metadata {
        self.at(path).unwrap().metadata()
    }

    fn open(&self, path: &str, flags: u32) -> Result<OpenFile, Errno> {
        self.open_from(&self.ctx.root, path, flags)
    }

    fn open_from(&self, base: &Location, path: &str, flags: u32) -> Result<OpenFile, Errno> {
        self.vfs.open(&self.ctx, base, path.as_bytes(), flags, 0o644, 0)
    }

    fn read(&self, path: &str) -> Result<String, Errno> {
        self.open(path, O_RDONLY).map(|file| contents(&file))
    }

    fn mkdir(&self, path: &str) -> Result<Location, Errno> {
        self.vfs.mkdir(&self.ctx, &self.ctx.root, path.as_bytes(), 0o755)
    }

    fn rename(&self, from: &str, to: &str, flags: u32) -> Result<(), Errno> {
        let root = &self.ctx.root;
        self.vfs.rename(&self.ctx, root, from.as_bytes(), root, to.as_bytes(), flags)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        self.vfs.unlink(&self.ctx, &self.ctx.root, path.as_bytes())
    }

    fn rmdir(&self, path: &str) -> Result<(), Errno> {
        self.vfs.rmdir(&self.ctx, &self.ctx.root, path.as_bytes())
    }

    fn names(&self, path: &str) -> Vec<String> {
        let dir = self.open(path, O_RDONLY | O_DIRECTORY).unwrap();
        let mut names = Vec::new();
        dir.read_dir(0, &mut |entry| {
            names.push(String::from_utf8_lossy(&entry.name).into_owned());
            true
        })
        .unwrap();
        names.sort();
        names
    }
}

fn contents(file: &OpenFile) -> String {
    let mut buf = vec![0; 1 << 16];
    let n = file.read_at(0, &mut buf).unwrap();
    String::from_utf8_lossy(&buf[..n]).into_owned()
}

fn write(file: &OpenFile, off: u64, data: &str) -> Result<usize, ReadError> {
    file.write_at(&Creds::root(), off, data.as_bytes())
}

#[test]
fn each_side_sees_the_other_at_once() {
    let bed = bed();
    fs::write(bed.host("a"), "one").unwrap();
    let file = bed.open("/mnt/a", O_RDWR).unwrap();
    assert_eq!(contents(&file), "one");
    fs::write(bed.host("a"), "longer").unwrap();
    assert_eq!(contents(&file), "longer");
    assert_eq!(bed.stat("/mnt/a").size, 6);
    write(&file, 1, "xyz").unwrap();
    assert_eq!(fs::read_to_string(bed.host("a")).unwrap(), "lxyzer");
    file.truncate(2).unwrap();
    assert_eq!(fs::read_to_string(bed.host("a")).unwrap(), "lx");
    file.allocate(0, 10).unwrap();
    assert_eq!(bed.host("a").metadata().unwrap().len(), 10);
    file.sync().unwrap();
    // A name that the host makes is there, one that it removes is not.
    assert_eq!(bed.read("/mnt/b").err(), Some(Errno::ENOENT));
    fs::write(bed.host("b"), "new").unwrap();
    assert_eq!(bed.read("/mnt/b"), Ok("new".into()));
    fs::remove_file(bed.host("b")).unwrap();
    assert_eq!(bed.read("/mnt/b").err(), Some(Errno::ENOENT));
    assert_eq!(bed.names("/mnt"), [".", "..", "a"]);
}

#[test]
fn flags_of_open() {
    let bed = bed();
    fs::write(bed.host("a"), "text").unwrap();
    assert_eq!(bed.open("/mnt/a", O_CREAT | O_EXCL | O_WRONLY).err(), Some(Errno::EEXIST));
    assert!(!bed.open("/mnt/a", O_CREAT | O_WRONLY).unwrap().created());
    let file = bed.open("/mnt/a", O_WRONLY | O_APPEND).unwrap();
    fs::write(bed.host("a"), "text and").unwrap();
    assert_eq!(file.append(b" more").unwrap(), Ok((5, 13)));
    assert_eq!(fs::read_to_string(bed.host("a")).unwrap(), "text and more");
    assert_eq!(file.read_at(0, &mut [0]).err(), Some(ReadError::Failed(Errno::EBADF)));
    bed.open("/mnt/a", O_RDWR | O_TRUNC).unwrap();
    assert_eq!(bed.host("a").metadata().unwrap().len(), 0);
    // A description goes on writing what its mode would no longer let anybody open.
    let file = bed.vfs.open(&bed.ctx, &bed.ctx.root, b"/mnt/r", O_CREAT | O_RDWR, 0o444, 0).unwrap();
    assert!(file.created());
    write(&file, 0, "kept").unwrap();
    assert_eq!(bed.host("r").metadata().unwrap().permissions().mode() & 0o7777, 0o444);
    // Without a name, until it gets one.
    let file = bed.open("/mnt", O_TMPFILE | O_RDWR).unwrap();
    write(&file, 0, "nameless").unwrap();
    assert_eq!(file.inode().nlink(), 0);
    bed.vfs.link_unnamed(&bed.ctx, file.location(), &bed.ctx.root, b"/mnt/named").unwrap();
    assert_eq!(fs::read_to_string(bed.host("named")).unwrap(), "nameless");
}

#[test]
fn files_without_names_stay_usable() {
    let bed = bed();
    let file = bed.open("/mnt/a", O_CREAT | O_RDWR).unwrap();
    write(&file, 0, "gone").unwrap();
    bed.unlink("/mnt/a").unwrap();
    assert!(!bed.host("a").exists());
    assert_eq!((contents(&file).as_str(), file.inode().nlink(), file.inode().len()), ("gone", 0, 4));
    bed.mkdir("/mnt/d").unwrap();
    let dir = bed.open("/mnt/d", O_RDONLY).unwrap();
    bed.rmdir("/mnt/d").unwrap();
    assert_eq!(dir.read_dir(0, &mut |_| true).err(), Some(Errno::ENOENT));
    assert_eq!(bed.open_from(dir.location(), "new", O_CREAT | O_WRONLY).err(), Some(Errno::ENOENT));
    // What a rename replaces, as well.
    let old = bed.open("/mnt/old", O_CREAT | O_RDWR).unwrap();
    write(&old, 0, "old").unwrap();
    bed.open("/mnt/new", O_CREAT | O_RDWR).unwrap();
    bed.rename("/mnt/new", "/mnt/old", 0).unwrap();
    assert_eq!(contents(&old), "old");
    assert_eq!(bed.read("/mnt/old"), Ok(String::new()));
}

#[test]
fn names_links_and_renames() {
    let bed = bed();
    bed.mkdir("/mnt/d").unwrap();
    bed.open("/mnt/d/f", O_CREAT | O_WRONLY).unwrap();
    let f = bed.at("/mnt/d/f").unwrap();
    bed.vfs.link(&bed.ctx, &f, &bed.ctx.root, b"/mnt/hard").unwrap();
    assert_eq!(bed.stat("/mnt/hard").ino, bed.host("d/f").metadata().unwrap().ino());
    assert_eq!(bed.stat("/mnt/hard").nlink, 2);
    assert!(Rc::ptr_eq(bed.at("/mnt/hard").unwrap().inode(), f.inode()));
    bed.rename("/mnt/d", "/mnt/e", 0).unwrap();
    assert!(bed.host("e/f").exists());
    assert_eq!(bed.at("/mnt/e/f").unwrap().path_from(None).bytes, b"/mnt/e/f");
    bed.mkdir("/mnt/full").unwrap();
    bed.open("/mnt/full/x", O_CREAT | O_WRONLY).unwrap();
    assert_eq!(bed.rename("/mnt/e", "/mnt/full", 0), Err(Errno::ENOTEMPTY));
    assert_eq!(bed.rename("/mnt/e", "/mnt/full", RENAME_NOREPLACE), Err(Errno::EEXIST));
    assert_eq!(bed.rename("/mnt/e", "/mnt/e/below", 0), Err(Errno::EINVAL));
    assert_eq!(bed.rename("/mnt/hard", "/secret2", 0), Err(Errno::EXDEV));
    assert_eq!(bed.rename("/secret", "/mnt/secret", 0), Err(Errno::EXDEV));
    assert_eq!(bed.rmdir("/mnt/full"), Err(Errno::ENOTEMPTY));
    bed.rename("/mnt/e", "/mnt/full", RENAME_EXCHANGE).unwrap();
    assert!(bed.host("full/f").exists() && bed.host("e/x").exists());
    assert_eq!(bed.unlink("/mnt/full"), Err(Errno::EISDIR));
    assert_eq!(bed.rmdir("/mnt/full/f"), Err(Errno::ENOTDIR));
    bed.vfs.symlink(&bed.ctx, b"no/where", &bed.ctx.root, b"/mnt/sym").unwrap();
    assert_eq!(fs::read_link(bed.host("sym")).unwrap(), Path::new("no/where"));
    assert_eq!(bed.at("/mnt/sym").unwrap().inode().read_link(), Ok(b"no/where".to_vec()));
    let sym = bed.at("/mnt/sym").unwrap();
    bed.vfs.link(&bed.ctx, &sym, &bed.ctx.root, b"/mnt/sym2").unwrap();
    assert_eq!(fs::read_link(bed.host("sym2")).unwrap(), Path::new("no/where"));
    // Who holds a directory that the host moves goes on with it, and `..` stays inside.
    let held = bed.at("/mnt/e").unwrap();
    fs::rename(bed.host("e"), bed.top.path().join("moved")).unwrap();
    assert_eq!(bed.open_from(&held, "../../secret", O_RDONLY).map(|file| contents(&file)), Ok("the guest's".into()));
    assert_eq!(bed.at("/mnt/e").err(), Some(Errno::ENOENT));
}

#[test]
fn attributes() {
    let bed = bed();
    fs::write(bed.host("f"), "").unwrap();
    let f = bed.at("/mnt/f").unwrap();
    let creds = &bed.ctx.creds;
    assert_eq!((bed.stat("/mnt/f").uid, bed.stat("/mnt/f").gid), (USER, USER));
    bed.vfs.chmod(creds, &f, 0o6751).unwrap();
    assert_eq!(bed.host("f").metadata().unwrap().permissions().mode() & 0o7777, 0o751);
    assert_eq!(bed.vfs.chown(creds, &f, Some(USER), None), Ok(()));
    assert_eq!(bed.vfs.chown(creds, &f, Some(0), None), Err(Errno::EPERM));
    let times = [SetTime::At(Timestamp { sec: 7, nsec: 8 }), SetTime::At(Timestamp { sec: -9, nsec: 10 })];
    bed.vfs.set_times(creds, &f, times[0], times[1]).unwrap();
    let meta = bed.host("f").metadata().unwrap();
    assert_eq!((meta.atime(), meta.atime_nsec(), meta.mtime(), meta.mtime_nsec()), (7, 8, -9, 10));
    bed.vfs.set_times(creds, &f, SetTime::Omit, SetTime::At(Timestamp { sec: 5, nsec: 0 })).unwrap();
    assert_eq!((bed.stat("/mnt/f").atime.sec, bed.stat("/mnt/f").mtime.sec), (7, 5));
    symlink("x", bed.host("l")).unwrap();
    let l = bed.at("/mnt/l").unwrap();
    bed.vfs.set_times(creds, &l, SetTime::Omit, SetTime::At(Timestamp { sec: 3, nsec: 0 })).unwrap();
    assert_eq!(bed.host("l").symlink_metadata().unwrap().mtime(), 3);
    assert_eq!(bed.vfs.set_xattr(creds, &f, b"user.a", b"b", XattrFlags::Any), Err(Errno::EOPNOTSUPP));
    // Permissions are the host's as they are now.
    let user = Creds::user(USER + 1, USER + 1);
    assert_eq!(bed.vfs.access(&user, &f, friscy_vfs::Access::READ), Err(Errno::EACCES));
    fs::set_permissions(bed.host("f"), fs::Permissions::from_mode(0o604)).unwrap();
    assert_eq!(bed.vfs.access(&user, &f, friscy_vfs::Access::READ), Ok(()));
    let (told, statfs) = (rustix::fs::statvfs(bed.host("")).unwrap(), f.inode().super_block().statfs());
    assert_eq!((statfs.block_size, statfs.blocks), (told.f_bsize, told.f_blocks));
}

#[test]
fn a_read_only_folder() {
    let bed = bed_with(true);
    fs::write(bed.host("f"), "text").unwrap();
    assert_eq!(bed.read("/mnt/f"), Ok("text".into()));
    let f = bed.at("/mnt/f").unwrap();
    let (ctx, root, creds) = (&bed.ctx, &bed.ctx.root, &bed.ctx.creds);
    // The mount itself is writable here: the file system refuses by itself.
    assert_eq!(bed.open("/mnt/f", O_RDWR).err(), Some(Errno::EROFS));
    assert_eq!(bed.open("/mnt/f", O_RDONLY | O_TRUNC).err(), Some(Errno::EROFS));
    assert_eq!(bed.open("/mnt/g", O_CREAT | O_WRONLY).err(), Some(Errno::EROFS));
    assert_eq!(bed.open("/mnt", O_TMPFILE | O_WRONLY).err(), Some(Errno::EROFS));
    assert_eq!(bed.mkdir("/mnt/d").err(), Some(Errno::EROFS));
    assert_eq!(bed.vfs.symlink(ctx, b"x", root, b"/mnt/l").err(), Some(Errno::EROFS));
    assert_eq!(bed.vfs.mknod(ctx, root, b"/mnt/p", 0o010_644, 0).err(), Some(Errno::EROFS));
    assert_eq!(bed.vfs.link(ctx, &f, root, b"/mnt/h").err(), Some(Errno::EROFS));
    assert_eq!(bed.rename("/mnt/f", "/mnt/g", 0), Err(Errno::EROFS));
    assert_eq!(bed.unlink("/mnt/f"), Err(Errno::EROFS));
    assert_eq!(bed.vfs.chmod(creds, &f, 0o600), Err(Errno::EROFS));
    assert_eq!(bed.vfs.truncate(creds, &f, 0), Err(Errno::EROFS));
    assert_eq!(bed.vfs.set_times(creds, &f, SetTime::Now, SetTime::Now), Err(Errno::EROFS));
    assert_eq!(fs::read_to_string(bed.host("f")).unwrap(), "text");
}

#[test]
fn links_are_resolved_in_the_guests_tree() {
    let bed = bed();
    let secret = bed.top.path().join("secret");
    symlink(&secret, bed.host("absolute")).unwrap();
    symlink("../secret", bed.host("relative")).unwrap();
    symlink("../".repeat(60) + &secret.to_string_lossy()[1..], bed.host("many")).unwrap();
    symlink("..", bed.host("up")).unwrap();
    symlink("/proc/self/root/etc/passwd", bed.host("magic")).unwrap();
    for (path, found) in [
        ("/mnt/absolute", Err(Errno::ENOENT)),
        ("/mnt/relative", Ok("the guest's".into())),
        ("/mnt/many", Err(Errno::ENOENT)),
        ("/mnt/up/secret", Ok("the guest's".into())),
        ("/mnt/up/up/../../secret", Err(Errno::ENOENT)),
        ("/mnt/magic", Err(Errno::ENOENT)),
        ("/mnt/../secret", Ok("the guest's".into())),
        ("/mnt/../../../../secret", Ok("the guest's".into())),
    ] {
        assert_eq!(bed.read(path), found, "{path}");
    }
    assert_eq!(bed.open("/mnt/relative", O_RDONLY | O_NOFOLLOW).err(), Some(Errno::ELOOP));
    // Making a file through a link to outside makes it in the guest.
    symlink("../made", bed.host("make")).unwrap();
    bed.open("/mnt/make", O_CREAT | O_WRONLY).unwrap();
    assert!(!bed.top.path().join("made").exists());
    assert!(bed.at("/made").is_ok());
}

#[test]
fn only_files_and_directories_are_opened() {
    let bed = bed();
    let root = &bed.ctx.root;
    bed.vfs.mknod(&bed.ctx, root, b"/mnt/fifo", 0o010_640, 0).unwrap();
    assert!(bed.host("fifo").metadata().unwrap().file_type().is_fifo());
    assert_eq!(bed.host("fifo").metadata().unwrap().permissions().mode() & 0o777, 0o640);
    bed.vfs.mknod(&bed.ctx, root, b"/mnt/socket", 0o140_644, 0).unwrap();
    assert!(bed.host("socket").metadata().unwrap().file_type().is_socket());
    assert_eq!(bed.vfs.mknod(&bed.ctx, root, b"/mnt/null", 0o020_666, 0x103).err(), Some(Errno::EPERM));
    // Opening the host's would wait for a writer: the name is opened, the kernel does the rest.
    let fifo = bed.open("/mnt/fifo", O_RDONLY).unwrap();
    assert_eq!(fifo.inode().file_type(), FileType::Fifo);
    assert_eq!(bed.open("/mnt/socket", O_RDWR).err(), Some(Errno::ENXIO));
    // What the kernel keeps at a name stays while nobody uses it, and goes with the name.
    bed.at("/mnt/fifo").unwrap().inode().attach(Some(Rc::new(7u32)));
    drop(fifo);
    assert!(bed.at("/mnt/fifo").unwrap().inode().attachment().is_some());
    bed.unlink("/mnt/fifo").unwrap();
    bed.vfs.mknod(&bed.ctx, root, b"/mnt/fifo", 0o010_640, 0).unwrap();
    assert!(bed.at("/mnt/fifo").unwrap().inode().attachment().is_none());
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        bed.host("zero"),
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::from_raw_mode(0o666),
        rustix::fs::makedev(1, 5),
    );
    // Only root can make one.
    if made.is_ok() {
        assert_eq!(bed.open("/mnt/zero", O_RDONLY).err(), Some(Errno::EACCES));
        assert_eq!(bed.stat("/mnt/zero").rdev, 0x105);
    }
}

#[test]
fn the_hosts_proc_is_not_entered() {
    for path in ["/proc", "/proc/self", "/proc/version"] {
        let opened = HostFs::open(Path::new(path), false, Owner { uid: 0, gid: 0 });
        assert_eq!(opened.err().map(|error| error.kind()), Some(std::io::ErrorKind::Unsupported), "{path}");
    }
    assert!(HostFs::open(Path::new("/dev/null"), false, Owner { uid: 0, gid: 0 }).is_err());
    let clock = Rc::new(FixedClock::default());
    let host = HostFs::open(Path::new("/"), true, Owner { uid: 0, gid: 0 }).unwrap();
    let vfs = Vfs::new(clock.clone(), FileSystem::live(clock, Rc::new(host)).unwrap());
    let ctx = PathContext { root: vfs.root(), cwd: vfs.root(), creds: Creds::root() };
    assert_eq!(vfs.resolve(&ctx, &ctx.root, b"/proc", true, 0).err(), Some(Errno::EACCES));
    assert!(vfs.resolve(&ctx, &ctx.root, b"/tmp", true, 0).is_ok());
}

#[test]
fn one_file_is_mounted() {
    let bed = bed();
    let (file, clock) = (bed.host("file"), Rc::new(FixedClock::default()));
    fs::write(&file, "one").unwrap();
    let host = HostFs::open(&file, false, Owner { uid: 0, gid: 0 }).unwrap();
    let at = bed.at("/secret").unwrap();
    bed.vfs.mount(&at, FileSystem::live(clock, Rc::new(host)).unwrap(), b"file", MountFlags::default()).unwrap();
    assert_eq!(bed.read("/secret"), Ok("one".into()));
    write(&bed.open("/secret", O_WRONLY | O_TRUNC).unwrap(), 0, "two").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "two");
    assert_eq!(bed.unlink("/secret"), Err(Errno::EBUSY));
    assert_eq!(bed.at("/secret").unwrap().path_from(None).bytes, b"/secret");
    // As on Linux, it is the file that is mounted, not its name.
    fs::remove_file(&file).unwrap();
    assert_eq!(bed.read("/secret"), Ok("two".into()));
}

#[test]
fn listings_are_stable_and_trees_deep() {
    let bed = bed();
    for index in 0..1500 {
        fs::write(bed.host(&format!("f{index}")), "").unwrap();
    }
    let dir = bed.open("/mnt", O_RDONLY).unwrap();
    let (mut offset, mut seen) = (0, 0);
    loop {
        let mut batch = Vec::new();
        dir.read_dir(offset, &mut |entry| {
            if batch.len() == 7 {
                return false;
            }
            batch.push(entry.clone());
            true
        })
        .unwrap();
        let Some(last) = batch.last() else { break };
        offset = last.next_offset;
        for entry in batch {
            if !entry.name.starts_with(b".") {
                let path = format!("/mnt/{}", String::from_utf8_lossy(&entry.name));
                assert_eq!(bed.stat(&path).ino, entry.ino);
                bed.unlink(&path).unwrap();
                seen += 1;
            }
        }
    }
    assert_eq!((seen, bed.names("/mnt").len()), (1500, 2));

    // Deeper than any path is long, and than descriptors are kept.
    let mut at = bed.at("/mnt").unwrap();
    for _ in 0..3_000 {
        at = bed.vfs.mkdir(&bed.ctx, &at, b"d", 0o755).unwrap();
    }
    bed.open_from(&at, "bottom", O_CREAT | O_WRONLY).unwrap();
    // Descriptors on the way were closed: from the root down again.
    let half = bed.vfs.resolve(
        &bed.ctx,
        &bed.ctx.root,
        [b"/mnt".as_slice(), &b"/d".repeat(1000)].concat().as_slice(),
        true,
        0,
    );
    assert!(half.unwrap().metadata().ino > 0);
    assert!(bed.vfs.resolve(&bed.ctx, &at, b"bottom", true, 0).is_ok());
    assert!(bed.vfs.resolve(&bed.ctx, &at, b"../../d/d/bottom", true, 0).is_ok());
    // Another file under a name on the way: what was below is stale, not replaced.
    fs::rename(bed.host("d"), bed.host("e")).unwrap();
    fs::create_dir(bed.host("d")).unwrap();
    drop(at);
    std::process::Command::new("rm").arg("-rf").arg(bed.host("e")).status().unwrap();
}

#[test]
fn a_file_that_was_replaced_is_stale() {
    let bed = bed();
    bed.mkdir("/mnt/d").unwrap();
    bed.open("/mnt/d/f", O_CREAT | O_WRONLY).unwrap();
    let f = bed.at("/mnt/d/f").unwrap();
    // Many others are used meanwhile, so that its descriptor is closed.
    let crowd = |bed: &Bed| {
        for index in 0..600 {
            bed.open(&format!("/mnt/crowd{index}"), O_CREAT | O_WRONLY).unwrap();
            let _ = bed.at(&format!("/mnt/crowd{index}")).unwrap().metadata();
        }
    };
    let held: Vec<Location> = (0..600)
        .map(|index| {
            bed.open(&format!("/mnt/held{index}"), O_CREAT | O_WRONLY).unwrap();
            bed.at(&format!("/mnt/held{index}")).unwrap()
        })
        .collect();
    crowd(&bed);
    fs::rename(bed.host("d"), bed.top.path().join("away")).unwrap();
    symlink(bed.top.path().join("away"), bed.host("d")).unwrap();
    assert_eq!(bed.vfs.truncate(&bed.ctx.creds, &f, 3), Err(Errno::ESTALE));
    assert_eq!(bed.vfs.chmod(&bed.ctx.creds, &f, 0o600), Err(Errno::ESTALE));
    assert_eq!(bed.top.path().join("away/f").metadata().unwrap().len(), 0);
    drop(held);
}

/// The host swaps a folder and a link to outside while the guest goes through the name.
#[test]
fn races_with_the_host_do_not_escape() {
    let bed = bed();
    let outside = bed.top.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), "the host's").unwrap();
    fs::create_dir(bed.host("d")).unwrap();
    fs::write(bed.host("d/f"), "shared").unwrap();
    symlink(&outside, bed.host("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (d, link, flag) = (bed.host("d"), bed.host("link"), stop.clone());
    let swapper = std::thread::spawn(move || {
        let mut swaps = 0u32;
        while !flag.load(Ordering::Relaxed) {
            let cwd = rustix::fs::CWD;
            rustix::fs::renameat_with(cwd, &d, cwd, &link, rustix::fs::RenameFlags::EXCHANGE).unwrap();
            swaps += 1;
        }
        swaps
    });
    let begin = std::time::Instant::now();
    let (mut shared, mut refused) = (0u32, 0u32);
    // A busy machine may not exchange them for a while.
    while begin.elapsed().as_secs() < if shared > 10 && refused > 10 { 1 } else { 30 } {
        for flags in [O_RDONLY, O_RDONLY | O_NOFOLLOW, O_RDWR | O_CREAT] {
            match bed.open("/mnt/d/f", flags) {
                Ok(file) => {
                    assert_eq!(contents(&file), "shared");
                    shared += 1;
                }
                // The link leads to nothing in the guest; a directory is stale between its look-up and its use.
                Err(Errno::ENOENT | Errno::ESTALE | Errno::ENOTDIR) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        let _ = bed.open("/mnt/d/new", O_CREAT | O_WRONLY);
        let _ = bed.unlink("/mnt/d/new");
        let _ = bed.mkdir("/mnt/d/dir");
        let _ = bed.rename("/mnt/d/dir", "/mnt/d/dir2", 0);
        let _ = bed.rmdir("/mnt/d/dir2");
    }
    stop.store(true, Ordering::Relaxed);
    let swaps = swapper.join().unwrap();
    assert!(shared > 10 && refused > 10, "{shared} {refused} {swaps}");
    let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["f"]);
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "the host's");
    assert_eq!(fs::read_to_string(bed.top.path().join("secret")).unwrap(), "the host's");
}
