//! Paths: open(2), and the calls that make, remove and rename files, and that move the caller in the tree.

use crate::args::Args;
use crate::fd::{install, open_error};
use crate::inotify::{created, place, removed, renamed, watched};
use crate::io::file;
use friscy_abi::Errno;
use friscy_abi::fcntl::*;
use friscy_abi::inotify::{IN_ATTRIB, IN_MODIFY, IN_OPEN};
use friscy_abi::layout::OpenHow;
use friscy_abi::stat::S_IFMT;
use friscy_kernel::files::Regular;
use friscy_kernel::{Ctx, SysResult};
use friscy_vfs::{Access, FileType, Location, PathContext, Vfs};

/// Every flag that openat2(2) knows; open(2) ignores others.
const KNOWN_OPEN_FLAGS: u32 = O_ACCMODE
    | O_CREAT
    | O_EXCL
    | O_NOCTTY
    | O_TRUNC
    | O_APPEND
    | O_NONBLOCK
    | O_SYNC
    | O_ASYNC
    | O_DIRECT
    | O_LARGEFILE
    | O_DIRECTORY
    | O_NOFOLLOW
    | O_NOATIME
    | O_CLOEXEC
    | O_PATH
    | O_TMPFILE;

/// A path argument: who looks it up, and where a relative one begins.
pub(crate) struct At {
    pub context: PathContext,
    pub base: Location,
    pub path: Vec<u8>,
}

/// Where a descriptor argument of the `*at` calls leads.
///
/// # Errors
/// `EBADF`; `ENOTDIR` when a relative path would begin at a file.
fn base(cx: &Ctx<'_>, context: &PathContext, fd: i32, path: &[u8]) -> Result<Location, Errno> {
    if fd == AT_FDCWD || path.first() == Some(&b'/') {
        return Ok(context.cwd.clone());
    }
    let location = file(cx, fd)?.location().clone();
    if !path.is_empty() && !location.inode().is_dir() {
        return Err(Errno::ENOTDIR);
    }
    Ok(location)
}

impl At {
    /// Reads the path at `addr`, relative to descriptor `fd`.
    ///
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG`, `EBADF`, `ENOTDIR`.
    pub(crate) fn read(cx: &mut Ctx<'_>, fd: i32, addr: u64) -> Result<At, Errno> {
        let path = cx.read_path(addr)?;
        let context = cx.path_context();
        let base = base(cx, &context, fd, &path)?;
        Ok(At { context, base, path })
    }

    /// Finds the file; with `AT_EMPTY_PATH` in `flags` an empty path is the descriptor itself.
    ///
    /// # Errors
    /// As path_resolution(7).
    pub(crate) fn resolve(&self, cx: &Ctx<'_>, flags: u32, follow: bool) -> Result<Location, Errno> {
        if self.path.is_empty() && flags & AT_EMPTY_PATH != 0 {
            return Ok(self.base.clone());
        }
        cx.with_vfs(|vfs| vfs.resolve(&self.context, &self.base, &self.path, follow, 0))
    }
}

/// Makes a name as `act` does.
fn with_at<R>(
    cx: &mut Ctx<'_>,
    fd: i32,
    addr: u64,
    act: impl FnOnce(&Vfs, &At) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let at = At::read(cx, fd, addr)?;
    let result = cx.with_vfs(|vfs| act(vfs, &at))?;
    created(cx, &at);
    Ok(result)
}

fn open(cx: &mut Ctx<'_>, fd: i32, addr: u64, flags: u32, mode: u32, resolve: u64) -> SysResult {
    let at = At::read(cx, fd, addr)?;
    let umask = cx.task().fs.borrow().umask;
    // A 64-bit kernel sets it in whatever is opened by name.
    let large = if flags & O_PATH == 0 { O_LARGEFILE } else { 0 };
    let mode = mode & 0o7777 & !umask;
    let existed = !watched(cx) || flags & O_CREAT == 0 || place(cx, &at).is_none_or(|(_, _, file)| file.is_some());
    let opened = cx.with_vfs(|vfs| vfs.open(&at.context, &at.base, &at.path, flags, mode, resolve))?;
    if !existed {
        created(cx, &at);
    }
    if flags & O_PATH == 0 && watched(cx) {
        let watchers = &cx.kernel.drivers.watchers;
        watchers.note(opened.location(), IN_OPEN);
        if existed && flags & O_TRUNC != 0 {
            watchers.note(opened.location(), IN_MODIFY);
        }
    }
    let file = cx.open_file(opened, at.context.creds, flags & KNOWN_OPEN_FLAGS | large).map_err(open_error)?;
    Ok(install(cx, file, flags & O_CLOEXEC != 0)? as u64)
}

/// openat(2).
pub(crate) fn openat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let mut flags = a.u32::<2>();
    if flags & O_PATH != 0 {
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    }
    open(cx, a.i32::<0>(), a.u64::<1>(), flags, a.u32::<3>(), 0)
}

/// openat2(2).
pub(crate) fn openat2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let size = a.u64::<3>();
    if size < size_of::<OpenHow>() as u64 {
        return Err(Errno::EINVAL.into());
    }
    let how: OpenHow = cx.read_struct(a.u64::<2>())?;
    if size > size_of::<OpenHow>() as u64 {
        let rest = cx.read_bytes(a.u64::<2>() + size_of::<OpenHow>() as u64, size.min(4096) - 24)?;
        if rest.iter().any(|&byte| byte != 0) {
            return Err(Errno::E2BIG.into());
        }
    }
    let known = RESOLVE_FLAGS.iter().fold(0, |all, row| all | row.0);
    let makes = how.flags as u32 & O_CREAT != 0 || how.flags as u32 & O_TMPFILE == O_TMPFILE;
    if how.flags & !u64::from(KNOWN_OPEN_FLAGS) != 0
        || how.resolve & !known != 0
        || how.mode & !0o7777 != 0
        || how.mode != 0 && !makes
        || how.resolve & RESOLVE_BENEATH != 0 && how.resolve & RESOLVE_IN_ROOT != 0
    {
        return Err(Errno::EINVAL.into());
    }
    open(cx, a.i32::<0>(), a.u64::<1>(), how.flags as u32, how.mode as u32, how.resolve)
}

fn masked(cx: &Ctx<'_>, mode: u32) -> u32 {
    mode & !cx.task().fs.borrow().umask
}

/// mkdirat(2).
pub(crate) fn mkdirat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let mode = masked(cx, a.u32::<2>() & 0o1777);
    with_at(cx, a.i32::<0>(), a.u64::<1>(), |vfs, at| vfs.mkdir(&at.context, &at.base, &at.path, mode))?;
    Ok(0)
}

/// mknodat(2).
pub(crate) fn mknodat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let mode = a.u32::<2>();
    let mode = mode & S_IFMT | masked(cx, mode & 0o7777);
    let dev = u64::from(a.u32::<3>());
    with_at(cx, a.i32::<0>(), a.u64::<1>(), |vfs, at| vfs.mknod(&at.context, &at.base, &at.path, mode, dev))?;
    Ok(0)
}

/// unlinkat(2).
pub(crate) fn unlinkat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<2>();
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL.into());
    }
    let at = At::read(cx, a.i32::<0>(), a.u64::<1>())?;
    let before = place(cx, &at);
    cx.with_vfs(|vfs| {
        if flags & AT_REMOVEDIR != 0 {
            vfs.rmdir(&at.context, &at.base, &at.path)
        } else {
            vfs.unlink(&at.context, &at.base, &at.path)
        }
    })?;
    removed(cx, before);
    Ok(0)
}

/// symlinkat(2).
pub(crate) fn symlinkat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let target = cx.read_path(a.u64::<0>())?;
    if target.is_empty() {
        return Err(Errno::ENOENT.into());
    }
    with_at(cx, a.i32::<1>(), a.u64::<2>(), |vfs, at| vfs.symlink(&at.context, &target, &at.base, &at.path))?;
    Ok(0)
}

/// linkat(2).
pub(crate) fn linkat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<4>();
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let old = At::read(cx, a.i32::<0>(), a.u64::<1>())?;
    let unnamed = old.path.is_empty() && flags & AT_EMPTY_PATH != 0;
    let old = old.resolve(cx, flags, flags & AT_SYMLINK_FOLLOW != 0)?;
    // /proc/self/fd/N of an O_TMPFILE file has no name either.
    let unnamed = unnamed || flags & AT_SYMLINK_FOLLOW != 0 && old.inode().nlink() == 0;
    cx.kernel.drivers.watchers.note_self(old.inode(), IN_ATTRIB);
    with_at(cx, a.i32::<2>(), a.u64::<3>(), |vfs, at| {
        if unnamed {
            vfs.link_unnamed(&at.context, &old, &at.base, &at.path)
        } else {
            vfs.link(&at.context, &old, &at.base, &at.path)
        }
    })?;
    Ok(0)
}

/// renameat(2) and renameat2(2).
pub(crate) fn renameat2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let old = At::read(cx, a.i32::<0>(), a.u64::<1>())?;
    let flags = a.u32::<4>();
    let new = At::read(cx, a.i32::<2>(), a.u64::<3>())?;
    let (from, to) = (place(cx, &old), place(cx, &new));
    cx.with_vfs(|vfs| vfs.rename(&new.context, &old.base, &old.path, &new.base, &new.path, flags))?;
    renamed(cx, from, to);
    Ok(0)
}

/// readlinkat(2).
pub(crate) fn readlinkat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let size = a.u64::<3>();
    if size == 0 || size > i32::MAX as u64 {
        return Err(Errno::EINVAL.into());
    }
    let at = At::read(cx, a.i32::<0>(), a.u64::<1>())?;
    let location = at.resolve(cx, AT_EMPTY_PATH, false)?;
    if location.inode().file_type() != FileType::Symlink {
        return Err(if at.path.is_empty() { Errno::ENOENT } else { Errno::EINVAL }.into());
    }
    let target = cx.with_vfs(|_| location.inode().read_link())?;
    let shown = target.get(..target.len().min(size as usize)).unwrap_or(&target);
    cx.write_bytes(a.u64::<2>(), shown)?;
    Ok(shown.len() as u64)
}

/// getcwd(2).
pub(crate) fn getcwd(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (root, cwd) = {
        let fs = cx.task().fs.borrow();
        (fs.root.clone(), fs.cwd.clone())
    };
    let name = cwd.path_from(Some(&root));
    if name.deleted {
        return Err(Errno::ENOENT.into());
    }
    let mut bytes = if name.unreachable { b"(unreachable)".to_vec() } else { Vec::new() };
    bytes.extend(&name.bytes);
    bytes.push(0);
    if bytes.len() as u64 > a.u64::<1>() {
        return Err(Errno::ERANGE.into());
    }
    cx.write_bytes(a.u64::<0>(), &bytes)?;
    Ok(bytes.len() as u64)
}

fn enter(cx: &mut Ctx<'_>, location: Location) -> SysResult {
    if !location.inode().is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    let creds = cx.creds();
    location.inode().permission(&creds, Access::EXEC)?;
    cx.task().fs.borrow_mut().cwd = location;
    Ok(0)
}

/// chdir(2).
pub(crate) fn chdir(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let location = At::read(cx, AT_FDCWD, a.u64::<0>())?.resolve(cx, 0, true)?;
    enter(cx, location)
}

/// fchdir(2).
pub(crate) fn fchdir(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let location = file(cx, a.i32::<0>())?.location().clone();
    enter(cx, location)
}

/// chroot(2).
pub(crate) fn chroot(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const CAP_SYS_CHROOT: u32 = 18;
    let location = At::read(cx, AT_FDCWD, a.u64::<0>())?.resolve(cx, 0, true)?;
    if !location.inode().is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    if !cx.task().cred.capable(CAP_SYS_CHROOT) {
        return Err(Errno::EPERM.into());
    }
    cx.task().fs.borrow_mut().root = location;
    Ok(0)
}

/// umask(2).
pub(crate) fn umask(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let old = std::mem::replace(&mut cx.task().fs.borrow_mut().umask, a.u32::<0>() & 0o777);
    Ok(u64::from(old))
}

/// truncate(2).
pub(crate) fn truncate(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let len = u64::try_from(a.i64::<1>()).map_err(|_| Errno::EINVAL)?;
    let at = At::read(cx, AT_FDCWD, a.u64::<0>())?;
    let location = at.resolve(cx, 0, true)?;
    cx.check_file_size(len)?;
    cx.with_vfs(|vfs| vfs.truncate(&at.context.creds, &location, len))?;
    cx.kernel.drivers.watchers.note(&location, IN_MODIFY);
    Ok(0)
}

/// ftruncate(2).
pub(crate) fn ftruncate(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let len = u64::try_from(a.i64::<1>()).map_err(|_| Errno::EINVAL)?;
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    if !file.writable() {
        return Err(Errno::EINVAL.into());
    }
    cx.check_file_size(len)?;
    file.file().truncate(cx.kernel, len)?;
    cx.kernel.drivers.watchers.note(file.location(), IN_MODIFY);
    Ok(0)
}

/// fallocate(2).
pub(crate) fn fallocate(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (mode, offset, len) = (a.u32::<1>(), a.i64::<2>(), a.i64::<3>());
    let file = file(cx, a.i32::<0>())?;
    if !file.writable() {
        return Err(Errno::EBADF.into());
    }
    if offset < 0 || len <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let (offset, len) = (offset as u64, len as u64);
    if mode & FALLOC_FL_KEEP_SIZE == 0 {
        cx.check_file_size(offset.saturating_add(len))?;
    }
    let regular = file.downcast::<Regular>().ok_or(Errno::ESPIPE)?;
    let opened = regular.opened();
    // What tmpfs is, and memfd_create(2) makes, has no such operation.
    let in_memory = opened.inode().seals().is_some();
    match mode {
        0 => opened.allocate(offset, len)?,
        FALLOC_FL_KEEP_SIZE => opened.inode().may_allocate(offset, len)?,
        _ if mode == FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
            || mode == FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE && !in_memory =>
        {
            opened.punch_hole(offset, len).map_err(|error| open_error(error.into()))?;
        }
        FALLOC_FL_ZERO_RANGE if !in_memory => {
            opened.allocate(offset, len)?;
            opened.punch_hole(offset, len).map_err(|error| open_error(error.into()))?;
        }
        _ => return Err(Errno::EOPNOTSUPP.into()),
    }
    Ok(0)
}

/// getdents64(2).
pub(crate) fn getdents64(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    let regular = file.downcast::<Regular>().ok_or(Errno::ENOTDIR)?;
    let limit = a.u32::<2>() as usize;
    let mut out: Vec<u8> = Vec::with_capacity(limit.min(1 << 16));
    let mut next = file.offset();
    let mut too_small = false;
    cx.enter();
    regular.read_dir(cx.kernel, next, &mut |entry| {
        let length = (friscy_abi::layout::DIRENT_NAME_OFFSET + entry.name.len() + 1).next_multiple_of(8);
        if out.len() + length > limit {
            too_small = out.is_empty();
            return false;
        }
        let end = out.len() + length;
        out.extend_from_slice(&entry.ino.to_le_bytes());
        out.extend_from_slice(&entry.next_offset.to_le_bytes());
        out.extend_from_slice(&(length as u16).to_le_bytes());
        out.push(entry.file_type.dirent_type());
        out.extend_from_slice(&entry.name);
        out.resize(end, 0);
        next = entry.next_offset;
        true
    })?;
    if too_small {
        return Err(Errno::EINVAL.into());
    }
    cx.write_bytes(a.u64::<1>(), &out)?;
    file.set_offset(next);
    Ok(out.len() as u64)
}
