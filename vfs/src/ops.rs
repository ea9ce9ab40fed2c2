//! Making and removing names, and changing attributes.

use crate::fs::NewNode;
use crate::inode::InodeRef;
use crate::mount::{Location, Vfs};
use crate::types::{Access, Creds, FileType, Name, PATH_MAX, SetTime};
use crate::walk::{Found, Last, PathContext, Walker};
use friscy_abi::Errno;
use friscy_abi::stat as abi;

/// The most names a file may have (Linux: as ext4).
const MAX_LINKS: u32 = 65_000;

/// Checks that the mount of `at` may be changed.
pub(crate) fn want_write(at: &Location) -> Result<(), Errno> {
    if at.mount.flags().read_only { Err(Errno::EROFS) } else { Ok(()) }
}

/// Checks that a name may be made in `dir`.
pub(crate) fn may_create(creds: &Creds, dir: &Location) -> Result<(), Errno> {
    if dir.inode.is_removed_dir() {
        return Err(Errno::ENOENT);
    }
    dir.inode.permission(creds, Access::WRITE.and(Access::EXEC))
}

/// Checks that the name of `victim` may be removed from `dir`: the directory's permissions, the sticky bit, and that
/// the victim is of the kind that the call removes.
pub(crate) fn may_delete(creds: &Creds, dir: &Location, victim: &Location, want_dir: bool) -> Result<(), Errno> {
    dir.inode.permission(creds, Access::WRITE.and(Access::EXEC))?;
    let sticky = dir.inode.attr().mode & abi::S_ISVTX != 0;
    if sticky && !dir.inode.is_owner(creds) && !victim.inode.is_owner(creds) {
        return Err(Errno::EPERM);
    }
    match (want_dir, victim.inode.is_dir()) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        _ => Ok(()),
    }
}

/// The group and mode of a new file in `dir`: a set-group-ID directory gives its group on, and to directories the bit.
fn inherit(creds: &Creds, dir: &InodeRef, is_dir: bool, mode: u32) -> (u32, u32) {
    let attr = dir.attr();
    if attr.mode & abi::S_ISGID == 0 {
        return (creds.gid, mode);
    }
    if is_dir {
        return (attr.gid, mode | abi::S_ISGID);
    }
    let group_exec = abi::S_ISGID | abi::S_IXGRP;
    let strip = mode & group_exec == group_exec && !creds.in_group(attr.gid) && !creds.is_privileged();
    (attr.gid, if strip { mode & !abi::S_ISGID } else { mode })
}

/// A new inode for `dir`, without a name yet. The caller has checked that one may be made.
///
/// # Errors
/// `EPERM` in a generated directory; `ENOSPC` when the file system has as many inodes as it may.
pub(crate) fn new_inode_in(creds: &Creds, dir: &Location, new: NewNode<'_>, mode: u32) -> Result<InodeRef, Errno> {
    if matches!(dir.inode.node, crate::inode::Node::SynthDir(_)) {
        return Err(if new == NewNode::Regular { Errno::EACCES } else { Errno::EPERM });
    }
    let target = if let NewNode::Symlink(target) = new { target.len() as u64 } else { 0 };
    if !dir.inode.sb.has_room_for_file() || !dir.inode.sb.has_room(target) {
        return Err(Errno::ENOSPC);
    }
    let (gid, mode) = inherit(creds, &dir.inode, new == NewNode::Directory, mode);
    Ok(dir.inode.sb.new_inode(new, mode, creds.uid, gid))
}

/// Makes a file at `name` in `dir`. The caller has checked that one may be made.
fn make_in(creds: &Creds, dir: &Location, name: &Name, new: NewNode<'_>, mode: u32) -> Result<Location, Errno> {
    let inode = match dir.inode.live_make(name, new, mode) {
        Some(made) => made?,
        None => {
            let inode = new_inode_in(creds, dir, new, mode)?;
            dir.inode.insert(name, &inode)?;
            inode
        }
    };
    Ok(dir.child(name, inode))
}

/// Checks that `creds` may give the file a further name, as with `fs.protected_hardlinks` set: it owns the file, or
/// could read and write it and it is nothing special.
fn may_link(creds: &Creds, old: &InodeRef) -> Result<(), Errno> {
    let group_exec = abi::S_ISGID | abi::S_IXGRP;
    let mode = old.attr().mode;
    let special = old.file_type() != FileType::Regular || mode & abi::S_ISUID != 0 || mode & group_exec == group_exec;
    let usable = !special && old.permission(creds, Access::READ.and(Access::WRITE)).is_ok();
    if usable || old.is_owner(creds) { Ok(()) } else { Err(Errno::EPERM) }
}

/// Checks that `found` is free for a new name, which it returns.
fn free_name(creds: &Creds, found: &Found, is_dir: bool) -> Result<Name, Errno> {
    let Last::Name(name) = &found.last else { return Err(Errno::EEXIST) };
    match found.dir.inode.lookup(name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) if found.trailing_slash && !is_dir => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    want_write(&found.dir)?;
    may_create(creds, &found.dir)?;
    Ok(name.clone())
}

impl Vfs {
    fn make(
        &self,
        ctx: &PathContext,
        base: &Location,
        path: &[u8],
        new: NewNode<'_>,
        mode: u32,
    ) -> Result<Location, Errno> {
        let found = self.resolve_parent(ctx, base, path)?;
        let name = free_name(&ctx.creds, &found, new == NewNode::Directory)?;
        make_in(&ctx.creds, &found.dir, &name, new, mode)
    }

    /// mkdir(2). The file-creation mask is already taken from `mode`.
    ///
    /// # Errors
    /// As the man page says.
    pub fn mkdir(&self, ctx: &PathContext, base: &Location, path: &[u8], mode: u32) -> Result<Location, Errno> {
        self.make(ctx, base, path, NewNode::Directory, mode & 0o1777)
    }

    /// mknod(2), and the name that bind(2) makes (`S_IFSOCK`). `mode` holds the type, 0 meaning a regular file.
    ///
    /// # Errors
    /// As the man page says.
    pub fn mknod(
        &self,
        ctx: &PathContext,
        base: &Location,
        path: &[u8],
        mode: u32,
        rdev: u64,
    ) -> Result<Location, Errno> {
        let new = match FileType::from_mode(mode) {
            Some(FileType::Regular) => NewNode::Regular,
            Some(FileType::Directory) => return Err(Errno::EPERM),
            Some(FileType::CharDevice) => NewNode::CharDevice(rdev),
            Some(FileType::BlockDevice) => NewNode::BlockDevice(rdev),
            Some(FileType::Fifo) => NewNode::Fifo,
            Some(FileType::Socket) => NewNode::Socket,
            None if mode & abi::S_IFMT == 0 => NewNode::Regular,
            Some(FileType::Symlink) | None => return Err(Errno::EINVAL),
        };
        let found = self.resolve_parent(ctx, base, path)?;
        let name = free_name(&ctx.creds, &found, false)?;
        let is_device = matches!(new, NewNode::CharDevice(_) | NewNode::BlockDevice(_));
        if is_device && !ctx.creds.is_privileged() {
            return Err(Errno::EPERM);
        }
        make_in(&ctx.creds, &found.dir, &name, new, mode & 0o7777)
    }

    /// symlink(2).
    ///
    /// # Errors
    /// As the man page says.
    pub fn symlink(&self, ctx: &PathContext, target: &[u8], base: &Location, path: &[u8]) -> Result<Location, Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        self.make(ctx, base, path, NewNode::Symlink(target), 0o777)
    }

    /// link(2): makes `path` a further name of the file at `old`, which the caller resolved (with or without following
    /// symbolic links, as linkat(2)'s flags say).
    ///
    /// # Errors
    /// As the man page says.
    pub fn link(&self, ctx: &PathContext, old: &Location, base: &Location, path: &[u8]) -> Result<(), Errno> {
        self.link_inode(ctx, old, base, path, false)
    }

    /// As [`Vfs::link`], for the inode of an `O_TMPFILE` file: it may have no name yet.
    ///
    /// # Errors
    /// As the man page of link(2) says.
    pub fn link_unnamed(&self, ctx: &PathContext, old: &Location, base: &Location, path: &[u8]) -> Result<(), Errno> {
        self.link_inode(ctx, old, base, path, true)
    }

    fn link_inode(
        &self,
        ctx: &PathContext,
        old: &Location,
        base: &Location,
        path: &[u8],
        unnamed: bool,
    ) -> Result<(), Errno> {
        let found = self.resolve_parent(ctx, base, path)?;
        let Last::Name(name) = &found.last else { return Err(Errno::EEXIST) };
        match found.dir.inode.lookup(name) {
            Ok(_) => return Err(Errno::EEXIST),
            Err(Errno::ENOENT) if found.trailing_slash => return Err(Errno::ENOENT),
            Err(Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
        if found.dir.mount.id() != old.mount.id() {
            return Err(Errno::EXDEV);
        }
        want_write(&found.dir)?;
        may_link(&ctx.creds, &old.inode)?;
        may_create(&ctx.creds, &found.dir)?;
        if old.inode.is_dir() || matches!(found.dir.inode.node, crate::inode::Node::SynthDir(_)) {
            return Err(Errno::EPERM);
        }
        match old.inode.nlink() {
            0 if !unnamed => return Err(Errno::ENOENT),
            MAX_LINKS.. => return Err(Errno::EMLINK),
            _ => {}
        }
        if let Some(linked) = found.dir.inode.live_link(name, &old.inode) {
            return linked;
        }
        let (sb, inode) = (&old.inode.sb, &old.inode);
        if !sb.has_room_for_file() {
            return Err(Errno::ENOSPC);
        }
        sb.linked(inode);
        sb.named_again(inode);
        found.dir.inode.insert(name, inode)
    }

    /// unlink(2).
    ///
    /// # Errors
    /// As the man page says.
    pub fn unlink(&self, ctx: &PathContext, base: &Location, path: &[u8]) -> Result<(), Errno> {
        let mut walker = Walker::new(ctx, base, 0);
        let found = walker.parent(base, path)?;
        let Last::Name(name) = &found.last else { return Err(Errno::EISDIR) };
        let victim = found.dir.child(name, found.dir.inode.lookup(name)?);
        if found.trailing_slash {
            return Err(if victim.inode.is_dir() { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        want_write(&found.dir)?;
        may_delete(&ctx.creds, &found.dir, &victim, false)?;
        if victim.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        if let Some(removed) = found.dir.inode.live_remove(name, &victim.inode, false) {
            return removed;
        }
        found.dir.inode.remove(name, &victim.inode)?;
        victim.inode.sb.unlinked(&victim.inode);
        Ok(())
    }

    /// rmdir(2).
    ///
    /// # Errors
    /// As the man page says.
    pub fn rmdir(&self, ctx: &PathContext, base: &Location, path: &[u8]) -> Result<(), Errno> {
        let found = self.resolve_parent(ctx, base, path)?;
        let name = match &found.last {
            Last::Name(name) => name,
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(Errno::EBUSY),
        };
        let victim = found.dir.child(name, found.dir.inode.lookup(name)?);
        want_write(&found.dir)?;
        may_delete(&ctx.creds, &found.dir, &victim, true)?;
        if victim.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        if let Some(removed) = found.dir.inode.live_remove(name, &victim.inode, true) {
            return removed;
        }
        if !victim.inode.is_empty_dir()? {
            return Err(Errno::ENOTEMPTY);
        }
        found.dir.inode.remove(name, &victim.inode)?;
        victim.inode.directory_removed(&found.dir.inode);
        Ok(())
    }

    /// Checks what faccessat(2) asks. The credentials are those to check with: the real ids, or with `AT_EACCESS` the
    /// effective ones.
    ///
    /// # Errors
    /// `EACCES`; `EROFS` for writing a file on a read-only mount.
    pub fn access(&self, creds: &Creds, at: &Location, access: Access) -> Result<(), Errno> {
        let file_type = at.inode.file_type();
        let on_disk = matches!(file_type, FileType::Regular | FileType::Directory | FileType::Symlink);
        at.inode.permission(creds, access)?;
        if access.contains(Access::WRITE) && on_disk { want_write(at) } else { Ok(()) }
    }

    /// chmod(2); only the low 12 bits of `mode` count.
    ///
    /// # Errors
    /// `EROFS`, `EPERM` unless `creds` owns the file, `EOPNOTSUPP` for a symbolic link.
    pub fn chmod(&self, creds: &Creds, at: &Location, mode: u32) -> Result<(), Errno> {
        want_write(at)?;
        if at.inode.is_symlink() {
            return Err(Errno::EOPNOTSUPP);
        }
        if !at.inode.is_owner(creds) {
            return Err(Errno::EPERM);
        }
        at.inode.sealed_mode(mode)?;
        let now = at.inode.sb.now();
        let mut mode = mode & 0o7777;
        if !creds.is_privileged() && !creds.in_group(at.inode.attr().gid) {
            mode &= !abi::S_ISGID;
        }
        if let Some((live, id)) = at.inode.live() {
            return live.chmod(id, mode);
        }
        let mut attr = at.inode.attr.borrow_mut();
        attr.mode = mode;
        attr.ctime = now;
        Ok(())
    }

    /// chown(2); `None` leaves an id as it is.
    ///
    /// # Errors
    /// `EROFS`; `EPERM` unless privileged, or the owner giving the file to a group of its own; always `EPERM` for a
    /// change on a live file system.
    pub fn chown(&self, creds: &Creds, at: &Location, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
        want_write(at)?;
        if !creds.is_privileged() {
            let attr = at.inode.attr();
            let owner = attr.uid == creds.uid;
            let uid_ok = uid.is_none_or(|uid| owner && uid == attr.uid);
            let gid_ok = gid.is_none_or(|gid| owner && (gid == attr.gid || creds.in_group(gid)));
            // Even a change of neither id drops the bits, which takes the owner.
            let strips = !at.inode.is_dir() && at.inode.set_id_bits() != 0;
            if !uid_ok || !gid_ok || (strips && !owner) {
                return Err(Errno::EPERM);
            }
        }
        if at.inode.is_live() {
            // Files of a live file system belong to whom their owner says.
            let attr = at.inode.attr();
            let same = uid.is_none_or(|uid| uid == attr.uid) && gid.is_none_or(|gid| gid == attr.gid);
            return if same { Ok(()) } else { Err(Errno::EPERM) };
        }
        if !at.inode.is_dir() {
            at.inode.strip_set_id();
        }
        let now = at.inode.sb.now();
        let mut attr = at.inode.attr.borrow_mut();
        attr.uid = uid.unwrap_or(attr.uid);
        attr.gid = gid.unwrap_or(attr.gid);
        attr.ctime = now;
        Ok(())
    }

    /// utimensat(2), access time first.
    ///
    /// # Errors
    /// `EROFS`; `EACCES` for setting both to now without ownership or write permission, `EPERM` for anything else
    /// without ownership.
    pub fn set_times(&self, creds: &Creds, at: &Location, atime: SetTime, mtime: SetTime) -> Result<(), Errno> {
        if (atime, mtime) == (SetTime::Omit, SetTime::Omit) {
            return Ok(());
        }
        want_write(at)?;
        if !at.inode.is_owner(creds) {
            if (atime, mtime) != (SetTime::Now, SetTime::Now) {
                return Err(Errno::EPERM);
            }
            at.inode.permission(creds, Access::WRITE)?;
        }
        if let Some((live, id)) = at.inode.live() {
            return live.set_times(id, atime, mtime);
        }
        let now = at.inode.sb.now();
        let mut attr = at.inode.attr.borrow_mut();
        for (set, time) in [(atime, false), (mtime, true)] {
            let value = match set {
                SetTime::Omit => continue,
                SetTime::Now => now,
                SetTime::At(value) => value,
            };
            *(if time { &mut attr.mtime } else { &mut attr.atime }) = value;
        }
        attr.ctime = now;
        Ok(())
    }

    /// truncate(2). For a descriptor see [`crate::OpenFile::truncate`].
    ///
    /// # Errors
    /// `EISDIR`, `EINVAL` for other kinds, `EROFS`, `EACCES`, `EFBIG`.
    pub fn truncate(&self, creds: &Creds, at: &Location, len: u64) -> Result<(), Errno> {
        match at.inode.file_type() {
            FileType::Directory => return Err(Errno::EISDIR),
            FileType::Regular => {}
            _ => return Err(Errno::EINVAL),
        }
        want_write(at)?;
        at.inode.permission(creds, Access::WRITE)?;
        if matches!(at.inode.node, crate::inode::Node::SynthFile(_)) {
            return Ok(());
        }
        at.inode.truncate(len)?;
        if !creds.is_privileged() {
            at.inode.strip_set_id();
        }
        Ok(())
    }
}
