//! What files are: stat(2), access(2), chmod(2), chown(2), utimensat(2), statfs(2), extended attributes.

use crate::args::Args;
use crate::io::file;
use crate::path::At;
use friscy_abi::Errno;
use friscy_abi::fcntl::*;
use friscy_abi::inotify::IN_ATTRIB;
use friscy_abi::layout::{Stat, Statfs, Statx, StatxTimestamp, Timespec, major, minor};
use friscy_abi::stat::{
    ST_NOATIME, ST_NODEV, ST_NOEXEC, ST_NOSUID, ST_RDONLY, ST_RELATIME, STATX_BASIC_STATS, STATX_MNT_ID,
};
use friscy_abi::time::{UTIME_NOW, UTIME_OMIT};
use friscy_kernel::files::stat_of;
use friscy_kernel::{Ctx, SysResult};
use friscy_vfs::{Access, Creds, Location, SetTime, Timestamp, XattrFlags};
use std::rc::Rc;

/// The longest name of an extended attribute, with its zero byte.
const XATTR_NAME: usize = 256;
/// The longest value of one.
const XATTR_SIZE: u64 = 65_536;

/// fstat(2).
pub(crate) fn fstat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let stat: Stat = {
        let files = cx.task().files.borrow();
        stat_of(&files.get(a.i32::<0>())?.location().metadata())
    };
    cx.write_struct(a.u64::<1>(), &stat)?;
    Ok(0)
}

/// Finds what `dirfd`, `path` and flags of the stat calls name.
fn stat_target(cx: &mut Ctx<'_>, fd: i32, addr: u64, flags: u32) -> Result<Location, Errno> {
    let known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
    if flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    // A null path with AT_EMPTY_PATH is an empty one, as in Linux since 6.11.
    if flags & AT_EMPTY_PATH != 0 && addr == 0 && fd >= 0 {
        return Ok(file(cx, fd)?.location().clone());
    }
    At::read(cx, fd, addr)?.resolve(cx, flags, flags & AT_SYMLINK_NOFOLLOW == 0)
}

/// newfstatat(2).
pub(crate) fn newfstatat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let location = stat_target(cx, a.i32::<0>(), a.u64::<1>(), a.u32::<3>())?;
    cx.write_struct(a.u64::<2>(), &stat_of(&location.metadata()))?;
    Ok(0)
}

/// statx(2).
pub(crate) fn statx(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u32::<3>() & 0x8000_0000 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let location = stat_target(cx, a.i32::<0>(), a.u64::<1>(), a.u32::<2>())?;
    let meta = location.metadata();
    let time = |time: Timestamp| StatxTimestamp { tv_sec: time.sec, tv_nsec: time.nsec, pad: 0 };
    let statx = Statx {
        stx_mask: STATX_BASIC_STATS | STATX_MNT_ID,
        stx_blksize: meta.blksize,
        stx_nlink: meta.nlink,
        stx_uid: meta.uid,
        stx_gid: meta.gid,
        stx_mode: meta.mode as u16,
        stx_ino: meta.ino,
        stx_size: meta.size,
        stx_blocks: meta.blocks,
        stx_atime: time(meta.atime),
        stx_ctime: time(meta.ctime),
        stx_mtime: time(meta.mtime),
        stx_rdev_major: major(meta.rdev),
        stx_rdev_minor: minor(meta.rdev),
        stx_dev_major: major(meta.dev),
        stx_dev_minor: minor(meta.dev),
        stx_mnt_id: u64::from(location.mount().id()),
        ..Statx::default()
    };
    cx.write_struct(a.u64::<4>(), &statx)?;
    Ok(0)
}

fn check_access(cx: &mut Ctx<'_>, fd: i32, addr: u64, mode: u32, flags: u32) -> SysResult {
    if mode & !(R_OK | W_OK | X_OK) != 0 || flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut at = At::read(cx, fd, addr)?;
    if flags & AT_EACCESS == 0 {
        let cred = &cx.task().cred;
        at.context.creds = Creds { uid: cred.uid, gid: cred.gid, groups: Rc::from(cred.groups.as_slice()) };
    }
    let location = at.resolve(cx, flags, flags & AT_SYMLINK_NOFOLLOW == 0)?;
    cx.with_vfs(|vfs| vfs.access(&at.context.creds, &location, Access(mode)))?;
    Ok(0)
}

/// faccessat(2) as the kernel has it: without flags.
pub(crate) fn faccessat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    check_access(cx, a.i32::<0>(), a.u64::<1>(), a.u32::<2>(), 0)
}

/// faccessat2(2).
pub(crate) fn faccessat2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    check_access(cx, a.i32::<0>(), a.u64::<1>(), a.u32::<2>(), a.u32::<3>())
}

fn change_mode(cx: &mut Ctx<'_>, location: &Location, mode: u32) -> SysResult {
    let creds = cx.creds();
    cx.with_vfs(|vfs| vfs.chmod(&creds, location, mode & 0o7777))?;
    cx.kernel.drivers.watchers.note(location, IN_ATTRIB);
    Ok(0)
}

/// fchmod(2).
pub(crate) fn fchmod(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    change_mode(cx, file.location(), a.u32::<1>())
}

/// fchmodat(2) as the kernel has it: without flags.
pub(crate) fn fchmodat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let location = At::read(cx, a.i32::<0>(), a.u64::<1>())?.resolve(cx, 0, true)?;
    change_mode(cx, &location, a.u32::<2>())
}

/// fchmodat2(2).
pub(crate) fn fchmodat2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<3>();
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let follow = flags & AT_SYMLINK_NOFOLLOW == 0;
    let location = At::read(cx, a.i32::<0>(), a.u64::<1>())?.resolve(cx, flags, follow)?;
    change_mode(cx, &location, a.u32::<2>())
}

fn change_owner(cx: &mut Ctx<'_>, location: &Location, uid: u32, gid: u32) -> SysResult {
    let creds = cx.creds();
    let given = |id: u32| (id != u32::MAX).then_some(id);
    cx.with_vfs(|vfs| vfs.chown(&creds, location, given(uid), given(gid)))?;
    cx.kernel.drivers.watchers.note(location, IN_ATTRIB);
    Ok(0)
}

/// fchown(2).
pub(crate) fn fchown(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    change_owner(cx, file.location(), a.u32::<1>(), a.u32::<2>())
}

/// fchownat(2).
pub(crate) fn fchownat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<4>();
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let follow = flags & AT_SYMLINK_NOFOLLOW == 0;
    let location = At::read(cx, a.i32::<0>(), a.u64::<1>())?.resolve(cx, flags, follow)?;
    change_owner(cx, &location, a.u32::<2>(), a.u32::<3>())
}

fn set_time(time: &Timespec) -> Result<SetTime, Errno> {
    match time.tv_nsec as u64 {
        UTIME_NOW => Ok(SetTime::Now),
        UTIME_OMIT => Ok(SetTime::Omit),
        nsec if nsec < 1_000_000_000 => Ok(SetTime::At(Timestamp { sec: time.tv_sec, nsec: nsec as u32 })),
        _ => Err(Errno::EINVAL),
    }
}

/// utimensat(2).
pub(crate) fn utimensat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<3>();
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (atime, mtime) = if a.u64::<2>() == 0 {
        (SetTime::Now, SetTime::Now)
    } else {
        let [atime, mtime]: [Timespec; 2] = cx.read_struct(a.u64::<2>())?;
        (set_time(&atime)?, set_time(&mtime)?)
    };
    if (atime, mtime) == (SetTime::Omit, SetTime::Omit) {
        return Ok(0);
    }
    let location = if a.u64::<1>() == 0 {
        // futimens(3): the descriptor itself.
        if a.i32::<0>() == AT_FDCWD {
            return Err(Errno::EFAULT.into());
        }
        file(cx, a.i32::<0>())?.location().clone()
    } else {
        At::read(cx, a.i32::<0>(), a.u64::<1>())?.resolve(cx, flags, flags & AT_SYMLINK_NOFOLLOW == 0)?
    };
    let creds = cx.creds();
    cx.with_vfs(|vfs| vfs.set_times(&creds, &location, atime, mtime))?;
    cx.kernel.drivers.watchers.note(&location, IN_ATTRIB);
    Ok(0)
}

fn file_system(cx: &mut Ctx<'_>, location: &Location, addr: u64) -> SysResult {
    let fs = location.mount().file_system().super_block().statfs();
    let flags = location.mount().flags();
    // ST_VALID says that the flags mean something.
    let mut shown = 0x20 | ST_RELATIME;
    for (on, flag) in [
        (flags.read_only, ST_RDONLY),
        (flags.no_suid, ST_NOSUID),
        (flags.no_dev, ST_NODEV),
        (flags.no_exec, ST_NOEXEC),
        (flags.no_atime, ST_NOATIME),
    ] {
        if on {
            shown |= flag;
        }
    }
    let statfs = Statfs {
        f_type: fs.magic as i64,
        f_bsize: fs.block_size as i64,
        f_blocks: fs.blocks,
        f_bfree: fs.blocks_free,
        f_bavail: fs.blocks_free,
        f_files: fs.files,
        f_ffree: fs.files_free,
        f_fsid: [fs.dev as i32, (fs.dev >> 32) as i32],
        f_namelen: fs.name_max as i64,
        f_frsize: fs.block_size as i64,
        f_flags: shown as i64,
        f_spare: [0; 4],
    };
    cx.write_struct(addr, &statfs)?;
    Ok(0)
}

/// statfs(2).
pub(crate) fn statfs(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let location = At::read(cx, AT_FDCWD, a.u64::<0>())?.resolve(cx, 0, true)?;
    file_system(cx, &location, a.u64::<1>())
}

/// fstatfs(2).
pub(crate) fn fstatfs(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let location = file(cx, a.i32::<0>())?.location().clone();
    file_system(cx, &location, a.u64::<1>())
}

/// The file of an extended-attribute call.
fn by_path(cx: &mut Ctx<'_>, addr: u64, follow: bool) -> Result<Location, Errno> {
    At::read(cx, AT_FDCWD, addr)?.resolve(cx, 0, follow)
}

fn by_fd(cx: &Ctx<'_>, fd: i32) -> Result<Location, Errno> {
    let file = file(cx, fd)?;
    if file.is_path() { Err(Errno::EBADF) } else { Ok(file.location().clone()) }
}

fn attribute_name(cx: &mut Ctx<'_>, addr: u64) -> Result<Vec<u8>, Errno> {
    let name = cx.read_cstr(addr, XATTR_NAME).map_err(|errno| match errno {
        Errno::ENAMETOOLONG => Errno::ERANGE,
        other => other,
    })?;
    if name.is_empty() { Err(Errno::ERANGE) } else { Ok(name) }
}

/// Stores a value of which the caller may first ask the size.
fn give(cx: &mut Ctx<'_>, addr: u64, size: u64, value: &[u8]) -> SysResult {
    if size > 0 {
        if value.len() as u64 > size {
            return Err(Errno::ERANGE.into());
        }
        cx.write_bytes(addr, value)?;
    }
    Ok(value.len() as u64)
}

fn set_attribute(cx: &mut Ctx<'_>, location: &Location, a: &Args) -> SysResult {
    let flags = match a.u32::<4>() {
        0 => XattrFlags::Any,
        XATTR_CREATE => XattrFlags::Create,
        XATTR_REPLACE => XattrFlags::Replace,
        _ => return Err(Errno::EINVAL.into()),
    };
    let name = attribute_name(cx, a.u64::<1>())?;
    if a.u64::<3>() > XATTR_SIZE {
        return Err(Errno::E2BIG.into());
    }
    let value = cx.read_bytes(a.u64::<2>(), a.u64::<3>())?;
    let creds = cx.creds();
    cx.with_vfs(|vfs| vfs.set_xattr(&creds, location, &name, &value, flags))?;
    cx.kernel.drivers.watchers.note(location, IN_ATTRIB);
    Ok(0)
}

fn get_attribute(cx: &mut Ctx<'_>, location: &Location, a: &Args) -> SysResult {
    let name = attribute_name(cx, a.u64::<1>())?;
    let creds = cx.creds();
    let value = cx.with_vfs(|vfs| vfs.get_xattr(&creds, location, &name))?;
    give(cx, a.u64::<2>(), a.u64::<3>(), &value)
}

fn list_attributes(cx: &mut Ctx<'_>, location: &Location, a: &Args) -> SysResult {
    let creds = cx.creds();
    let names = cx.with_vfs(|vfs| vfs.list_xattrs(&creds, location));
    let list: Vec<u8> = names
        .into_iter()
        .flat_map(|mut name| {
            name.push(0);
            name
        })
        .collect();
    give(cx, a.u64::<1>(), a.u64::<2>(), &list)
}

fn remove_attribute(cx: &mut Ctx<'_>, location: &Location, a: &Args) -> SysResult {
    let name = attribute_name(cx, a.u64::<1>())?;
    let creds = cx.creds();
    cx.with_vfs(|vfs| vfs.remove_xattr(&creds, location, &name))?;
    cx.kernel.drivers.watchers.note(location, IN_ATTRIB);
    Ok(0)
}

macro_rules! attribute_calls {
    ($($act:ident: $path:ident, $link:ident, $fd:ident;)*) => {$(
        /// The call on a path, following symbolic links, xattr(7).
        pub(crate) fn $path(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
            let location = by_path(cx, a.u64::<0>(), true)?;
            $act(cx, &location, a)
        }

        /// The call on a path, not following a symbolic link, xattr(7).
        pub(crate) fn $link(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
            let location = by_path(cx, a.u64::<0>(), false)?;
            $act(cx, &location, a)
        }

        /// The call on a descriptor, xattr(7).
        pub(crate) fn $fd(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
            let location = by_fd(cx, a.i32::<0>())?;
            $act(cx, &location, a)
        }
    )*};
}

attribute_calls! {
    set_attribute: setxattr, lsetxattr, fsetxattr;
    get_attribute: getxattr, lgetxattr, fgetxattr;
    list_attributes: listxattr, llistxattr, flistxattr;
    remove_attribute: removexattr, lremovexattr, fremovexattr;
}
