//! Listing, making, removing and renaming.

use super::content::HostFile;
use super::nodes::single;
use super::{HostFs, errno};
use crate::fs::NewNode;
use crate::live::{Created, LiveEntry, LiveId, LiveName};
use crate::types::{FileType, Name};
use friscy_abi::Errno;
use friscy_abi::fcntl::{RENAME_EXCHANGE, RENAME_NOREPLACE};
use rustix::fd::AsRawFd;
use rustix::fs::{
    AtFlags, Dir, FileType as HostType, Mode, OFlags, RenameFlags, linkat, mkdirat, mknodat, openat, renameat_with,
    statat, symlinkat, unlinkat,
};
use std::rc::Rc;

/// The kind that a listing names, if it does.
fn listed_type(file_type: HostType) -> Option<FileType> {
    Some(match file_type {
        HostType::RegularFile => FileType::Regular,
        HostType::Directory => FileType::Directory,
        HostType::Symlink => FileType::Symlink,
        HostType::Fifo => FileType::Fifo,
        HostType::Socket => FileType::Socket,
        HostType::CharacterDevice => FileType::CharDevice,
        HostType::BlockDevice => FileType::BlockDevice,
        HostType::Unknown => return None,
    })
}

impl HostFs {
    pub(super) fn list_names(&self, dir: LiveId) -> Result<Vec<LiveName>, Errno> {
        let fd = self.dir_fd(dir)?;
        let dev = self.dev(dir)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = self.fds.with_room(|| openat(&*fd, ".", flags, Mode::empty()))?;
        let mut names = Vec::new();
        for entry in Dir::new(readable).map_err(errno)? {
            let entry = entry.map_err(errno)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let file_type = match listed_type(entry.file_type()) {
                Some(file_type) => file_type,
                // A file that is gone by now is left out.
                None => match statat(&*fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => super::attrs::file_type(&stat),
                    Err(_) => continue,
                },
            };
            names.push(LiveName { name: Name::from(name), ino: self.ino_on(dev, entry.ino()), file_type });
        }
        Ok(names)
    }

    /// Makes a regular file; without a name where there is none.
    pub(super) fn create_file(&self, dir: LiveId, name: Option<&[u8]>, mode: u32) -> Result<Created, Errno> {
        self.may_change()?;
        let dir_fd = self.dir_fd(dir)?;
        let how = OFlags::RDWR | OFlags::CLOEXEC;
        let bits = Mode::from_raw_mode(mode & 0o777);
        let fd = match name {
            Some(name) => {
                let name = single(name)?;
                let how = how | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
                self.fds.with_room(|| openat(&*dir_fd, name, how, bits))?
            }
            None => self.fds.with_room(|| openat(&*dir_fd, ".", how | OFlags::TMPFILE, bits))?,
        };
        let stat = self.complete_mode(&fd, mode)?;
        let file = Rc::new(HostFile::new(fd));
        let entry = self.enter_created(dir, name, &stat, &file)?;
        Ok((entry, file))
    }

    /// Makes anything but a regular file.
    pub(super) fn make_other(&self, dir: LiveId, name: &[u8], new: NewNode<'_>, mode: u32) -> Result<LiveEntry, Errno> {
        self.may_change()?;
        let dir_fd = self.dir_fd(dir)?;
        let name = single(name)?;
        let bits = Mode::from_raw_mode(mode & 0o777);
        let made = match new {
            NewNode::Directory => mkdirat(&*dir_fd, name, bits),
            NewNode::Symlink(target) => symlinkat(target, &*dir_fd, name),
            NewNode::Fifo => mknodat(&*dir_fd, name, HostType::Fifo, bits, 0),
            NewNode::Socket => mknodat(&*dir_fd, name, HostType::Socket, bits, 0),
            NewNode::Regular | NewNode::CharDevice(_) | NewNode::BlockDevice(_) => return Err(Errno::EPERM),
        };
        made.map_err(errno)?;
        let entry = self.find(dir, name)?;
        if matches!(new, NewNode::Symlink(_)) || entry.stat.mode & 0o1777 == mode & 0o1777 {
            return Ok(entry);
        }
        let stat = self.complete_mode(&*self.path_fd(entry.id)?, mode)?;
        Ok(LiveEntry { stat: self.convert(&stat), ..entry })
    }

    pub(super) fn link_name(&self, id: LiveId, dir: LiveId, name: &[u8]) -> Result<(), Errno> {
        self.may_change()?;
        let dir_fd = self.dir_fd(dir)?;
        let name = single(name)?;
        let fd = self.any_fd(id)?;
        let number = fd.fd().as_raw_fd().to_string();
        linkat(&self.proc_fd, number, &*dir_fd, name, AtFlags::SYMLINK_FOLLOW).map_err(errno)?;
        self.named(id, dir, name);
        Ok(())
    }

    pub(super) fn remove_name(&self, dir: LiveId, name: &[u8], victim: LiveId, want_dir: bool) -> Result<(), Errno> {
        self.may_change()?;
        let dir_fd = self.dir_fd(dir)?;
        let name = single(name)?;
        let fd = self.path_fd(victim)?;
        let flags = if want_dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        unlinkat(&*dir_fd, name, flags).map_err(errno)?;
        self.pin(victim, fd);
        Ok(())
    }

    pub(super) fn rename_name(
        &self,
        from: (LiveId, &[u8], LiveId),
        to: (LiveId, &[u8], Option<LiveId>),
        flags: u32,
    ) -> Result<(), Errno> {
        self.may_change()?;
        let (from_dir, from_name, old) = from;
        let (to_dir, to_name, new) = to;
        let (from_fd, to_fd) = (self.dir_fd(from_dir)?, self.dir_fd(to_dir)?);
        let replaced = match new {
            Some(new) if flags != RENAME_EXCHANGE => Some((new, self.path_fd(new)?)),
            _ => None,
        };
        let host_flags = match flags {
            0 => RenameFlags::empty(),
            RENAME_NOREPLACE => RenameFlags::NOREPLACE,
            RENAME_EXCHANGE => RenameFlags::EXCHANGE,
            _ => return Err(Errno::EINVAL),
        };
        renameat_with(&*from_fd, single(from_name)?, &*to_fd, single(to_name)?, host_flags).map_err(errno)?;
        self.named(old, to_dir, to_name);
        if let (Some(new), RENAME_EXCHANGE) = (new, flags) {
            self.named(new, from_dir, from_name);
        }
        if let Some((new, fd)) = replaced {
            self.pin(new, fd);
        }
        Ok(())
    }
}
