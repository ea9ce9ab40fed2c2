//! A host folder as a lower tree, read as it is asked for.

use crate::content::{self, ContentSource, ReadError, read_slice, sub_slice};
use crate::lower::{Lower, LowerId, LowerStat};
use crate::types::{FileType, Name, Timestamp, makedev};
use core::cell::{OnceCell, RefCell};
use friscy_abi::Errno;
use memmap2::Mmap;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::{Errno as HostErrno, pread};
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

/// Descriptors of directories that are kept open.
const OPEN_DIRS: usize = 64;
/// Files of at least this many bytes are mapped at the first read; smaller ones are opened for each read, so that many
/// of them use up neither descriptors nor mappings.
const MAP_FROM: u64 = 64 * 1024;

/// A file of the folder that was looked up.
struct HostNode {
    parent: u32,
    name: Name,
    stat: LowerStat,
}

#[derive(Default)]
struct Known {
    nodes: Vec<HostNode>,
    names: BTreeMap<(u32, Name), u32>,
    /// Files with several names, by the host's device and inode number.
    links: BTreeMap<(u64, u64), u32>,
    dirs: BTreeMap<u32, Rc<OwnedFd>>,
}

struct Shared {
    root: Rc<OwnedFd>,
    /// The owner and group of the root folder appear as root's: an unprivileged user's unpacked image shall look as
    /// it did when packed.
    owner: (u32, u32),
    known: RefCell<Known>,
}

/// A host folder. Nothing is read before it is asked for, and symbolic links of the host's are never followed: names
/// are opened one at a time, relative to the directory that holds them.
pub struct Folder(Rc<Shared>);

fn errno(error: HostErrno) -> Errno {
    u16::try_from(error.raw_os_error()).map_or(Errno::EIO, Errno)
}

impl Folder {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// The host's.
    pub fn open(path: &Path) -> std::io::Result<Folder> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, path, flags, Mode::empty())?;
        let stat = fstat(&root)?;
        let shared = Shared { root: Rc::new(root), owner: (stat.st_uid, stat.st_gid), known: RefCell::default() };
        let root_stat = shared.convert(&stat);
        shared.known.borrow_mut().nodes.push(HostNode { parent: 0, name: Name::from([]), stat: root_stat });
        Ok(Folder(Rc::new(shared)))
    }
}

impl Shared {
    fn convert(&self, stat: &Stat) -> LowerStat {
        let file_type = FileType::from_mode(stat.st_mode).unwrap_or(FileType::Regular);
        let size = match file_type {
            FileType::Regular | FileType::Symlink => u64::try_from(stat.st_size).unwrap_or(0),
            _ => 0,
        };
        LowerStat {
            file_type,
            mode: stat.st_mode & 0o7777,
            uid: if stat.st_uid == self.owner.0 { 0 } else { stat.st_uid },
            gid: if stat.st_gid == self.owner.1 { 0 } else { stat.st_gid },
            nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            size,
            rdev: if file_type.is_device() {
                makedev(rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev))
            } else {
                0
            },
            mtime: Timestamp { sec: stat.st_mtime, nsec: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) },
        }
    }

    fn node<R>(&self, id: LowerId, get: impl FnOnce(&HostNode) -> R) -> Result<R, Errno> {
        self.known.borrow().nodes.get(id.0 as usize).map(get).ok_or(Errno::EIO)
    }

    /// Enters what `stat` tells of `name` in `dir`, unless it is known already.
    fn enter(&self, dir: u32, name: &Name, stat: &Stat) -> LowerId {
        let known = &mut *self.known.borrow_mut();
        if let Some(&id) = known.names.get(&(dir, name.clone())) {
            return LowerId(id);
        }
        let converted = self.convert(stat);
        let key = (stat.st_dev, stat.st_ino);
        let several = converted.nlink > 1 && !converted.file_type.is_dir();
        let id = match known.links.get(&key) {
            Some(&id) if several => id,
            _ => {
                let id = known.nodes.len() as u32;
                known.nodes.push(HostNode { parent: dir, name: name.clone(), stat: converted });
                if several {
                    known.links.insert(key, id);
                }
                id
            }
        };
        known.names.insert((dir, name.clone()), id);
        LowerId(id)
    }

    /// A descriptor for a directory, good for looking names up.
    fn dir_fd(&self, id: u32) -> Result<Rc<OwnedFd>, Errno> {
        // Up to a directory that is open, then down again.
        let mut names = Vec::new();
        let mut at = id;
        let mut fd = loop {
            if at == 0 {
                break self.root.clone();
            }
            let known = self.known.borrow();
            if let Some(fd) = known.dirs.get(&at) {
                break fd.clone();
            }
            let node = known.nodes.get(at as usize).ok_or(Errno::EIO)?;
            names.push((at, node.name.clone()));
            at = node.parent;
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for (id, name) in names.into_iter().rev() {
            fd = Rc::new(openat(&*fd, &*name, flags, Mode::empty()).map_err(errno)?);
            let dirs = &mut self.known.borrow_mut().dirs;
            if dirs.len() >= OPEN_DIRS {
                dirs.pop_first();
            }
            dirs.insert(id, fd.clone());
        }
        Ok(fd)
    }

    /// Opens a regular file for reading.
    fn open_file(&self, id: LowerId) -> Result<OwnedFd, Errno> {
        let (parent, name) = self.node(id, |node| (node.parent, node.name.clone()))?;
        let dir = self.dir_fd(parent)?;
        // Whatever the name is by now, opening it must not wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = openat(&*dir, &*name, flags, Mode::empty()).map_err(errno)?;
        let stat = fstat(&fd).map_err(errno)?;
        if FileType::from_mode(stat.st_mode) == Some(FileType::Regular) { Ok(fd) } else { Err(Errno::EIO) }
    }
}

impl Lower for Folder {
    fn root(&self) -> LowerId {
        LowerId(0)
    }

    fn stat(&self, id: LowerId) -> Result<LowerStat, Errno> {
        self.0.node(id, |node| node.stat.clone())
    }

    fn lookup(&self, dir: LowerId, name: &[u8]) -> Result<Option<LowerId>, Errno> {
        let name = Name::from(name);
        if let Some(&id) = self.0.known.borrow().names.get(&(dir.0, name.clone())) {
            return Ok(Some(LowerId(id)));
        }
        let fd = self.0.dir_fd(dir.0)?;
        match statat(&*fd, &*name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(self.0.enter(dir.0, &name, &stat))),
            Err(HostErrno::NOENT) => Ok(None),
            Err(error) => Err(errno(error)),
        }
    }

    fn list(&self, dir: LowerId) -> Result<Vec<(Name, LowerId, FileType)>, Errno> {
        let fd = self.0.dir_fd(dir.0)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = openat(&*fd, ".", flags, Mode::empty()).map_err(errno)?;
        let mut names: Vec<Name> = Vec::new();
        for entry in Dir::new(readable).map_err(errno)? {
            let entry = entry.map_err(errno)?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(Name::from(name));
            }
        }
        names.sort_unstable();
        let mut listed = Vec::with_capacity(names.len());
        for name in names {
            let stat = statat(&*fd, &*name, AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
            let id = self.0.enter(dir.0, &name, &stat);
            let file_type = self.0.node(id, |node| node.stat.file_type)?;
            listed.push((name, id, file_type));
        }
        Ok(listed)
    }

    fn read_link(&self, id: LowerId) -> Result<Vec<u8>, Errno> {
        let (parent, name) = self.0.node(id, |node| (node.parent, node.name.clone()))?;
        let fd = self.0.dir_fd(parent)?;
        Ok(readlinkat(&*fd, &*name, Vec::new()).map_err(errno)?.into_bytes())
    }

    fn content(&self, id: LowerId) -> Result<(Rc<dyn ContentSource>, u64), Errno> {
        let len = self.0.node(id, |node| match node.stat.file_type {
            FileType::Regular => Ok(node.stat.size),
            _ => Err(Errno::EINVAL),
        })??;
        Ok((Rc::new(HostFile { shared: self.0.clone(), id, len, map: OnceCell::new(), file: OnceCell::new() }), 0))
    }
}

/// A regular file of the folder.
struct HostFile {
    shared: Rc<Shared>,
    id: LowerId,
    len: u64,
    map: OnceCell<Mmap>,
    /// Open once a guest maps it.
    file: OnceCell<OwnedFd>,
}

impl HostFile {
    fn mapped(&self) -> Result<&Mmap, Errno> {
        if let Some(map) = self.map.get() {
            return Ok(map);
        }
        let fd = self.shared.open_file(self.id)?;
        // SAFETY: the mapping is private to this value and only ever read; the module's contract is that the file does
        // not change in the meantime.
        let map = unsafe { Mmap::map(&fd) }.map_err(|_| Errno::EIO)?;
        Ok(self.map.get_or_init(|| map))
    }
}

impl ContentSource for HostFile {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        if self.len >= MAP_FROM {
            return Ok(read_slice(self.mapped()?, off, buf));
        }
        let fd = self.shared.open_file(self.id)?;
        let mut done = 0;
        while done < buf.len() {
            match pread(&fd, &mut buf[done..], off + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(HostErrno::INTR) => {}
                Err(error) => return Err(errno(error).into()),
            }
        }
        Ok(done)
    }

    fn slice(&self, off: u64, len: u64) -> Option<&[u8]> {
        if self.len < MAP_FROM {
            return None;
        }
        sub_slice(self.mapped().ok()?, off, len)
    }

    fn host_file(&self, off: u64, len: u64) -> Option<content::HostFile> {
        if self.len < MAP_FROM || off != 0 || len != self.len {
            return None;
        }
        if self.file.get().is_none() {
            let _ = self.file.set(self.shared.open_file(self.id).ok()?);
        }
        self.file.get().map(|fd| content::HostFile(fd.as_raw_fd()))
    }
}
