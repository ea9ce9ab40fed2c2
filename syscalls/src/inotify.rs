//! inotify(7), and what calls that change the tree tell watchers.

use crate::args::Args;
use crate::fd::install;
use crate::io::file;
use crate::path::At;
use friscy_abi::Errno;
use friscy_abi::fcntl::{AT_FDCWD, O_NONBLOCK, O_RDONLY};
use friscy_abi::inotify::*;
use friscy_kernel::files::Inotify;
use friscy_kernel::{Ctx, SysResult};
use friscy_vfs::{Access, FileType, InodeRef, Last, Location};

/// inotify_init1(2).
pub(crate) fn inotify_init1(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<0>();
    if flags & !(IN_CLOEXEC | IN_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let location = cx.anonymous(FileType::Regular, &|_| String::from("anon_inode:inotify"));
    let id = cx.kernel.new_wait_id();
    let drivers = &cx.kernel.drivers;
    let file = Inotify::new(location, id, &drivers.effects, &drivers.watchers);
    let nonblock = if flags & IN_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
    let file = cx.kernel.describe(Box::new(file), O_RDONLY | nonblock);
    Ok(install(cx, file, flags & IN_CLOEXEC != 0)? as u64)
}

/// inotify_add_watch(2).
pub(crate) fn inotify_add_watch(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let mask = a.u32::<2>();
    let file = file(cx, a.i32::<0>())?;
    if mask & IN_ALL_EVENTS == 0 || mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
        return Err(Errno::EINVAL.into());
    }
    let inotify = file.downcast::<Inotify>().ok_or(Errno::EINVAL)?;
    let at = At::read(cx, AT_FDCWD, a.u64::<1>())?;
    let location = at.resolve(cx, 0, mask & IN_DONT_FOLLOW == 0)?;
    if mask & IN_ONLYDIR != 0 && !location.inode().is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    location.inode().permission(&at.context.creds, Access::READ)?;
    Ok(inotify.add(&location, mask)? as u64)
}

/// inotify_rm_watch(2).
pub(crate) fn inotify_rm_watch(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    file.downcast::<Inotify>().ok_or(Errno::EINVAL)?.remove(a.i32::<1>())?;
    Ok(0)
}

/// Whether anybody watches files.
pub(crate) fn watched(cx: &Ctx<'_>) -> bool {
    !cx.kernel.drivers.watchers.is_empty()
}

/// The directory and the name that a path ends with, and the file there, if there is one: to be asked before a call
/// changes it. `None` when nobody watches files, or the path leads nowhere.
pub(crate) fn place(cx: &Ctx<'_>, at: &At) -> Option<(InodeRef, Vec<u8>, Option<Location>)> {
    if !watched(cx) {
        return None;
    }
    let found = cx.with_vfs(|vfs| vfs.resolve_parent(&at.context, &at.base, &at.path)).ok()?;
    let Last::Name(name) = found.last else { return None };
    let file = cx.with_vfs(|vfs| vfs.resolve(&at.context, &found.dir, &name, false, 0)).ok();
    Some((found.dir.inode().clone(), name.to_vec(), file))
}

/// A call made something: whoever watches its directory is told.
pub(crate) fn created(cx: &Ctx<'_>, at: &At) {
    if let Some((dir, name, Some(file))) = place(cx, at) {
        cx.kernel.drivers.watchers.note_name(&dir, &name, IN_CREATE, file.inode().is_dir(), 0);
    }
}

/// A file lost a name: what [`place`] said of it before.
pub(crate) fn removed(cx: &Ctx<'_>, before: Option<(InodeRef, Vec<u8>, Option<Location>)>) {
    let Some((dir, name, Some(file))) = before else { return };
    let watchers = &cx.kernel.drivers.watchers;
    let is_dir = file.inode().is_dir();
    if !is_dir {
        watchers.note_self(file.inode(), IN_ATTRIB);
    }
    if is_dir || file.inode().nlink() == 0 {
        watchers.note_self(file.inode(), IN_DELETE_SELF);
    }
    watchers.note_name(&dir, &name, IN_DELETE, is_dir, 0);
}

/// A file got another name, and what had it is gone: what [`place`] said of both before.
pub(crate) fn renamed(
    cx: &mut Ctx<'_>,
    old: Option<(InodeRef, Vec<u8>, Option<Location>)>,
    new: Option<(InodeRef, Vec<u8>, Option<Location>)>,
) {
    let (Some((old_dir, old_name, Some(file))), Some((new_dir, new_name, over))) = (old, new) else { return };
    let cookie = cx.kernel.new_wait_id() as u32;
    let watchers = &cx.kernel.drivers.watchers;
    let is_dir = file.inode().is_dir();
    watchers.note_name(&old_dir, &old_name, IN_MOVED_FROM, is_dir, cookie);
    watchers.note_name(&new_dir, &new_name, IN_MOVED_TO, is_dir, cookie);
    let over = over.filter(|over| over.inode().id() != file.inode().id());
    if let Some(over) = &over {
        watchers.note_self(over.inode(), IN_ATTRIB);
    }
    watchers.note_self(file.inode(), IN_MOVE_SELF);
    if let Some(over) = over
        && (over.inode().is_dir() || over.inode().nlink() == 0)
    {
        watchers.note_self(over.inode(), IN_DELETE_SELF);
    }
}
