//! The same random calls on the vfs and on the host's own file system: each must give the same error, and in the end
//! the same tree. Run by root, half the calls are an unprivileged user's.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]
#![cfg(target_os = "linux")]

mod ops;

use friscy_abi::{Errno, fcntl};
use friscy_vfs::native::{Folder, MappedFile};
use friscy_vfs::{
    Creds, FileSystem, FileType, FixedClock, Lower, NewNode, OpenFile, PathContext, ReadError, TreeLower, Vfs,
    index_tar,
};
use ops::{Op, op};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::Path;
use std::rc::Rc;

/// The tree under test lies this deep, so that no `..` leads to names of others on the host.
fn nest() -> String {
    format!("{}t", "x/".repeat(12))
}

/// What a call gave: an error, or something to compare.
type Outcome = Result<String, Errno>;

/// Ids for `Chown`: unchanged, root, the unprivileged user.
const IDS: [u32; 3] = [u32::MAX, 0, USER];
const USER: u32 = 12_345;

fn describe(mode: u32, nlink: u32, size: u64, uid: u32, gid: u32) -> String {
    let is_dir = mode & 0o170_000 == 0o040_000;
    // Sizes and link counts of directories are the file system's own affair.
    let (nlink, size) = if is_dir { (0, 0) } else { (nlink, size) };
    format!("{mode:o} links {nlink} size {size} owner {uid}:{gid}")
}

struct Guest {
    vfs: Vfs,
    root: PathContext,
    user: PathContext,
}

impl Guest {
    fn new(fs: Rc<FileSystem>, clock: Rc<FixedClock>, me: (u32, u32)) -> Guest {
        let vfs = Vfs::new(clock, fs);
        let top = vfs.root();
        let mut creds = [Creds::user(me.0, me.1), Creds::user(USER, USER)];
        for creds in &mut creds {
            creds.groups = groups().into();
        }
        let find = PathContext { root: top.clone(), cwd: top.clone(), creds: Creds::root() };
        let cwd = vfs.resolve(&find, &top, nest().as_bytes(), true, 0).unwrap();
        let [root, user] = creds.map(|creds| PathContext { root: top.clone(), cwd: cwd.clone(), creds });
        Guest { root, user, vfs }
    }

    fn run(&self, op: &Op, as_user: bool) -> Outcome {
        let ctx = if as_user { &self.user } else { &self.root };
        let (vfs, base, creds) = (&self.vfs, &ctx.cwd, &ctx.creds);
        let find = |path: &str, follow| vfs.resolve(ctx, base, path.as_bytes(), follow, 0);
        let done = |result: Result<(), Errno>| result.map(|()| String::new());
        match op {
            Op::Mkdir(p, m) => vfs.mkdir(ctx, base, p.as_bytes(), *m).map(|_| String::new()),
            Op::Rmdir(p) => done(vfs.rmdir(ctx, base, p.as_bytes())),
            Op::Unlink(p) => done(vfs.unlink(ctx, base, p.as_bytes())),
            Op::Rename(a, b, f) => done(vfs.rename(ctx, base, a.as_bytes(), base, b.as_bytes(), *f)),
            Op::Link(a, b, follow) => done(find(a, *follow).and_then(|old| vfs.link(ctx, &old, base, b.as_bytes()))),
            Op::Symlink(t, p) => vfs.symlink(ctx, t.as_bytes(), base, p.as_bytes()).map(|_| String::new()),
            Op::Write(p, f, m) => {
                let file = vfs.open(ctx, base, p.as_bytes(), *f, *m, 0)?;
                if *f & fcntl::O_PATH != 0 {
                    return Ok(String::new());
                }
                if file.inode().file_type() == FileType::Fifo {
                    // What pipes do is not this crate's business; without a reader, opening for writing fails.
                    let writes_only = file.writable() && !file.readable();
                    return if writes_only { Err(Errno::ENXIO) } else { Ok("fifo".to_owned()) };
                }
                let mut head = [0; 16];
                let read = flat(file.read_at(0, &mut head)).map(|n| head[..n].to_vec());
                let wrote = flat(file.write_at(creds, 3, b"some data"));
                Ok(format!("{read:?} {wrote:?}"))
            }
            Op::Truncate(p, n) => done(find(p, true).and_then(|at| vfs.truncate(creds, &at, u64::from(*n)))),
            Op::Mknod(p) => vfs.mknod(ctx, base, p.as_bytes(), 0o010_644, 0).map(|_| String::new()),
            Op::Readlink(p) => {
                let target = find(p, false)?.inode().read_link()?;
                Ok(String::from_utf8(target).unwrap())
            }
            Op::Stat(p, follow) => {
                let meta = find(p, *follow)?.metadata();
                Ok(describe(meta.mode, meta.nlink, meta.size, meta.uid, meta.gid))
            }
            Op::Access(p, a) => done(find(p, true).and_then(|at| vfs.access(creds, &at, friscy_vfs::Access(*a)))),
            Op::Chmod(p, m) => done(find(p, true).and_then(|at| vfs.chmod(creds, &at, *m))),
            Op::Chown(p, u, g) => {
                let id = |index: u32| Some(IDS[index as usize]).filter(|&id| id != u32::MAX);
                done(find(p, false).and_then(|at| vfs.chown(creds, &at, id(*u), id(*g))))
            }
            Op::Readdir(p) => {
                let file = vfs.open(ctx, base, p.as_bytes(), fcntl::O_DIRECTORY, 0, 0)?;
                Ok(list(&file)?.join(" "))
            }
            Op::Touch(p) => {
                let at = find(p, true)?;
                let now = friscy_vfs::SetTime::Now;
                done(vfs.set_times(creds, &at, now, now))
            }
        }
    }

    fn tree(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let mut pending = vec![(String::from("."), self.root.cwd.clone())];
        while let Some((path, at)) = pending.pop() {
            let meta = at.metadata();
            let mut line = describe(meta.mode, meta.nlink, meta.size, meta.uid, meta.gid);
            if at.inode().is_dir() {
                // Without privileges not everything can be looked at.
                let listed = self.vfs.open_location(&self.root.creds, &at, 0).and_then(|file| list(&file));
                for name in listed.unwrap_or_default() {
                    let Ok(child) = self.vfs.resolve(&self.root, &at, name.as_bytes(), false, 0) else { continue };
                    let seen = child.path_from(Some(&self.root.cwd));
                    let child_path = format!("{path}/{name}");
                    assert_eq!(String::from_utf8(seen.bytes).unwrap(), child_path[1..]);
                    assert!(!seen.deleted);
                    pending.push((child_path, child));
                }
            } else if at.inode().is_symlink() {
                line += &format!(" -> {}", String::from_utf8_lossy(&at.inode().read_link().unwrap()));
            } else if meta.file_type() == FileType::Regular
                && at.inode().permission(&self.root.creds, friscy_vfs::Access::READ).is_ok()
            {
                let mut data = vec![0; meta.size as usize + 1];
                let n = at.inode().read_at(0, &mut data).unwrap();
                data.truncate(n);
                line += &format!(" {:?}", String::from_utf8_lossy(&data));
            }
            all.insert(path, line);
        }
        all
    }
}

fn flat(result: Result<usize, ReadError>) -> Result<usize, Errno> {
    result.map_err(|error| match error {
        ReadError::Failed(errno) => errno,
        ReadError::NotYet(_) => unreachable!("everything is here"),
    })
}

fn list(file: &OpenFile) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    file.read_dir(2, &mut |entry| {
        names.push(String::from_utf8(entry.name.to_vec()).unwrap());
        true
    })?;
    names.sort();
    Ok(names)
}

fn groups() -> Vec<u32> {
    let mut list = [0; 64];
    // SAFETY: the array has room for the 64 entries named.
    let n = unsafe { libc::getgroups(64, list.as_mut_ptr()) };
    list[..usize::try_from(n).unwrap_or(0)].to_vec()
}

/// The host's side: calls relative to a descriptor, by the C library.
struct Host {
    dir: std::fs::File,
}

fn check(result: i64) -> Result<i64, Errno> {
    if result >= 0 {
        return Ok(result);
    }
    Err(Errno(std::io::Error::last_os_error().raw_os_error().unwrap() as u16))
}

/// Turns the thread into another user for the file system's eyes, and back when dropped.
struct FsUser;

impl FsUser {
    fn new(as_user: bool) -> FsUser {
        let id = if as_user { USER } else { 0 };
        // SAFETY: these calls take plain numbers and concern this thread only.
        unsafe {
            libc::setfsgid(id);
            libc::setfsuid(id);
        }
        FsUser
    }
}

impl Drop for FsUser {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            libc::setfsuid(0);
            libc::setfsgid(0);
        }
    }
}

impl Host {
    fn run(&self, op: &Op, as_user: bool) -> Outcome {
        use std::os::fd::AsRawFd;
        let dir = self.dir.as_raw_fd();
        let text = |path: &str| CString::new(path).unwrap();
        let _user = FsUser::new(as_user);
        let done = |result: i32| check(i64::from(result)).map(|_| String::new());
        // SAFETY: every pointer below is to a string or structure that outlives the call.
        unsafe {
            match op {
                Op::Mkdir(p, m) => done(libc::mkdirat(dir, text(p).as_ptr(), *m)),
                Op::Rmdir(p) => done(libc::unlinkat(dir, text(p).as_ptr(), libc::AT_REMOVEDIR)),
                Op::Unlink(p) => done(libc::unlinkat(dir, text(p).as_ptr(), 0)),
                Op::Rename(a, b, f) => {
                    let (a, b) = (text(a), text(b));
                    check(libc::syscall(libc::SYS_renameat2, dir, a.as_ptr(), dir, b.as_ptr(), *f))
                        .map(|_| String::new())
                }
                Op::Link(a, b, follow) => {
                    let flags = if *follow { libc::AT_SYMLINK_FOLLOW } else { 0 };
                    done(libc::linkat(dir, text(a).as_ptr(), dir, text(b).as_ptr(), flags))
                }
                Op::Symlink(t, p) => done(libc::symlinkat(text(t).as_ptr(), dir, text(p).as_ptr())),
                Op::Write(p, f, m) => {
                    let fd =
                        check(i64::from(libc::openat(dir, text(p).as_ptr(), *f as i32 | libc::O_NONBLOCK, *m)))? as i32;
                    let mut head = [0u8; 16];
                    let mut stat = core::mem::zeroed::<libc::stat>();
                    libc::fstat(fd, &mut stat);
                    let answer = if *f & fcntl::O_PATH != 0 {
                        String::new()
                    } else if stat.st_mode & libc::S_IFMT == libc::S_IFIFO {
                        "fifo".to_owned()
                    } else {
                        let n = check(libc::pread(fd, head.as_mut_ptr().cast(), 16, 0) as i64);
                        let read = n.map(|n| head[..n as usize].to_vec());
                        let wrote =
                            check(libc::pwrite(fd, b"some data".as_ptr().cast(), 9, 3) as i64).map(|n| n as usize);
                        format!("{read:?} {wrote:?}")
                    };
                    libc::close(fd);
                    Ok(answer)
                }
                Op::Truncate(p, n) => {
                    // There is no call relative to a descriptor; the name of the descriptor's directory will do.
                    let full = format!("/proc/self/fd/{dir}/{}", &**p);
                    if p.is_empty() {
                        return Err(Errno::ENOENT);
                    }
                    if p.len() < 4096 && full.len() >= 4096 {
                        return Err(Errno::ENAMETOOLONG);
                    }
                    done(libc::truncate(text(&full).as_ptr(), i64::from(*n)))
                }
                Op::Mknod(p) => done(libc::mknodat(dir, text(p).as_ptr(), 0o010_644, 0)),
                Op::Readlink(p) => {
                    let mut buf = [0u8; 5000];
                    let n = check(libc::readlinkat(dir, text(p).as_ptr(), buf.as_mut_ptr().cast(), 5000) as i64);
                    // readlinkat(2) of an empty path means the descriptor itself.
                    if p.is_empty() {
                        Err(Errno::ENOENT)
                    } else {
                        n.map(|n| String::from_utf8_lossy(&buf[..n as usize]).into_owned())
                    }
                }
                Op::Stat(p, follow) => {
                    let mut stat = core::mem::zeroed::<libc::stat>();
                    let flags = if *follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
                    check(i64::from(libc::fstatat(dir, text(p).as_ptr(), &mut stat, flags)))?;
                    Ok(describe(stat.st_mode, stat.st_nlink as u32, stat.st_size as u64, stat.st_uid, stat.st_gid))
                }
                Op::Access(p, a) => {
                    // access(2) goes by the real ids, which stay root's; so the effective ones are asked for.
                    check(libc::syscall(libc::SYS_faccessat2, dir, text(p).as_ptr(), *a, libc::AT_EACCESS))
                        .map(|_| String::new())
                }
                Op::Chmod(p, m) => done(libc::fchmodat(dir, text(p).as_ptr(), *m, 0)),
                Op::Chown(p, u, g) => {
                    let (u, g) = (IDS[*u as usize], IDS[*g as usize]);
                    done(libc::fchownat(dir, text(p).as_ptr(), u, g, libc::AT_SYMLINK_NOFOLLOW))
                }
                Op::Readdir(p) => {
                    let flags = libc::O_DIRECTORY;
                    let fd = check(i64::from(libc::openat(dir, text(p).as_ptr(), flags)))? as i32;
                    let mut names: Vec<String> = std::fs::read_dir(format!("/proc/self/fd/{fd}"))
                        .unwrap()
                        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                        .collect();
                    libc::close(fd);
                    names.sort();
                    Ok(names.join(" "))
                }
                Op::Touch(p) => done(libc::utimensat(dir, text(p).as_ptr(), core::ptr::null(), 0)),
            }
        }
    }
}

fn host_tree(top: &Path) -> BTreeMap<String, String> {
    use std::os::unix::fs::MetadataExt;
    let mut all = BTreeMap::new();
    let mut pending = vec![(String::from("."), top.to_owned())];
    while let Some((path, at)) = pending.pop() {
        let Ok(meta) = std::fs::symlink_metadata(&at) else { continue };
        let mut line = describe(meta.mode(), meta.nlink() as u32, meta.size(), meta.uid(), meta.gid());
        if meta.is_dir() {
            for entry in std::fs::read_dir(&at).into_iter().flatten() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                pending.push((format!("{path}/{name}"), at.join(name)));
            }
        } else if meta.is_symlink() {
            line += &format!(" -> {}", std::fs::read_link(&at).unwrap().display());
        } else if let Some(Ok(data)) = meta.is_file().then(|| std::fs::read(&at)) {
            line += &format!(" {:?}", String::from_utf8_lossy(&data));
        }
        all.insert(path, line);
    }
    all
}

/// Runs `before` on the host, puts the result under an overlay (or starts both from nothing), and runs `ops` on both.
fn compare(before: &[(Op, bool)], ops: &[(Op, bool)], overlay: bool) {
    // SAFETY: plain numbers.
    let me = unsafe {
        libc::umask(0);
        (libc::geteuid(), libc::getegid())
    };
    let is_root = me.0 == 0;
    let outer = tempfile::tempdir().unwrap();
    let top = outer.path().join(nest());
    std::fs::create_dir_all(&top).unwrap();
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    for part in top.ancestors().take(13) {
        chmod(part, 0o755);
    }
    chmod(&top, 0o777);
    // Without this setting Linux lets users link to files of others.
    let protected = std::fs::read_to_string("/proc/sys/fs/protected_hardlinks").is_ok_and(|text| text.trim() == "1");
    let host = Host { dir: std::fs::File::open(&top).unwrap() };
    let clock = Rc::new(FixedClock::default());
    let copy = tempfile::tempdir().unwrap();
    let fs = if overlay {
        for (op, as_user) in before {
            // tar does not tell that pipes are linked.
            if !is_root && matches!(op, Op::Mknod(_)) {
                continue;
            }
            let _ = host.run(op, *as_user && is_root);
        }
        let below = copy.path().join("t");
        // A folder's owner becomes root; to be the same user inside as outside takes a tar.
        let (tool, from) =
            if is_root { ("cp -a \"$1\" \"$0\"", outer.path()) } else { ("tar -C \"$1\" -cf \"$0\" .", outer.path()) };
        let status = std::process::Command::new("sh").arg("-c").arg(tool).arg(&below).arg(from).status().unwrap();
        if !status.success() {
            // A file without read permission cannot be copied by its owner.
            assert!(!is_root);
            return;
        }
        let lower: Rc<dyn Lower> = if below.is_dir() {
            Rc::new(Folder::open(&below).unwrap())
        } else {
            let file = MappedFile::open(&below).unwrap();
            Rc::new(TreeLower::new(Rc::new(index_tar(std::io::Cursor::new(file.bytes())).unwrap()), Rc::new(file)))
        };
        FileSystem::overlay(clock.clone(), lower).unwrap()
    } else {
        let fs = FileSystem::tmpfs(clock.clone(), 0o755);
        fs.add(nest().as_bytes(), NewNode::Directory, 0o777).unwrap();
        let vfs = Vfs::new(clock.clone(), fs.clone());
        let root = PathContext { root: vfs.root(), cwd: vfs.root(), creds: Creds::root() };
        for depth in 0..=nest().matches('/').count() + 1 {
            let path = format!("/{}", nest().split('/').take(depth).collect::<Vec<_>>().join("/"));
            let at = vfs.resolve(&root, &root.cwd, path.as_bytes(), true, 0).unwrap();
            vfs.chown(&Creds::root(), &at, Some(me.0), Some(me.1)).unwrap();
        }
        fs
    };
    let guest = Guest::new(fs, clock, me);
    for (step, (op, as_user)) in ops.iter().enumerate() {
        let as_user = *as_user && is_root && (protected || !matches!(op, Op::Link(..)));
        let wanted = host.run(op, as_user);
        let got = guest.run(op, as_user);
        assert_eq!(got, wanted, "step {step}: {op:?} (user: {as_user}) after {:?}", &ops[..step]);
    }
    let (mut inside, mut outside) = (guest.tree(), host_tree(&top));
    if !is_root {
        // The host looks at full paths, for which permissions may be missing.
        inside.retain(|path, _| outside.contains_key(path));
        outside.retain(|path, _| inside.contains_key(path));
        // So that the folder can be removed.
        let _ = std::process::Command::new("chmod").arg("-R").arg("u+rwx").arg(outer.path()).status();
    }
    assert_eq!(inside, outside);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tmpfs_is_like_the_host(ops in prop::collection::vec((op(), prop::bool::weighted(0.3)), 1..200)) {
        compare(&[], &ops, false);
    }

    #[test]
    fn overlay_is_like_the_host(
        before in prop::collection::vec((op(), prop::bool::weighted(0.3)), 10..100),
        ops in prop::collection::vec((op(), prop::bool::weighted(0.3)), 1..100),
    ) {
        compare(&before, &ops, true);
    }
}
