//! Opening files, and what an open file holds besides its position.

use crate::content::ReadError;
use crate::fs::NewNode;
use crate::inode::{InodeRef, Node};
use crate::mount::{Location, Vfs};
use crate::ops::{may_create, new_inode_in, want_write};
use crate::types::{Access, Creds, DirEntry, FileType, Name};
use crate::walk::{Found, Last, PathContext, Walker};
use core::cell::RefCell;
use friscy_abi::Errno;
use friscy_abi::fcntl as abi;

/// An open file's link to the tree. Position and status flags are the kernel's; so is all that pipes, sockets and
/// devices do.
pub struct OpenFile {
    location: Location,
    readable: bool,
    writable: bool,
    created: bool,
    /// What a generated file held when it was last read from its beginning.
    generated: RefCell<Option<Vec<u8>>>,
    /// What a generated directory held when it was last listed from its beginning.
    listed: RefCell<Vec<DirEntry>>,
}

impl OpenFile {
    /// Opens a file that needs no look-up and no checks: an anonymous inode, a pipe's end.
    #[must_use]
    pub fn new(location: Location, readable: bool, writable: bool) -> OpenFile {
        OpenFile {
            location,
            readable,
            writable,
            created: false,
            generated: RefCell::new(None),
            listed: RefCell::default(),
        }
    }

    /// Where it was opened.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The inode.
    #[must_use]
    pub fn inode(&self) -> &InodeRef {
        &self.location.inode
    }

    /// Whether reading was asked for.
    #[must_use]
    pub fn readable(&self) -> bool {
        self.readable
    }

    /// Whether writing was asked for.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.writable
    }

    /// Whether opening made the file.
    #[must_use]
    pub fn created(&self) -> bool {
        self.created
    }

    /// Reads at `off` and notes the access.
    ///
    /// # Errors
    /// `EBADF` unless opened for reading, `EISDIR`, `EINVAL` for kinds that the kernel reads itself, and
    /// [`ReadError::NotYet`].
    pub fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        if !self.readable {
            return Err(Errno::EBADF.into());
        }
        if let Node::SynthFile(file) = &self.location.inode.node {
            let mut generated = self.generated.borrow_mut();
            if off == 0 || generated.is_none() {
                *generated = Some(file.read()?);
            }
            return Ok(generated.as_ref().map_or(0, |data| crate::content::read_slice(data, off, buf)));
        }
        let n = self.location.inode.read_at(off, buf)?;
        if n > 0 && !self.location.mount.flags().no_atime {
            self.location.inode.accessed();
        }
        Ok(n)
    }

    /// Writes at `off`. A write by an unprivileged user drops set-user-ID bits: `creds` says who writes.
    ///
    /// # Errors
    /// `EBADF` unless opened for writing; otherwise as [`crate::Inode::write_at`].
    pub fn write_at(&self, creds: &Creds, off: u64, data: &[u8]) -> Result<usize, ReadError> {
        if !self.writable {
            return Err(Errno::EBADF.into());
        }
        if let Node::SynthFile(file) = &self.location.inode.node {
            return Ok(file.write(off, data)?);
        }
        let n = self.location.inode.write_at(off, data)?;
        if n > 0 && !creds.is_privileged() {
            self.location.inode.strip_set_id();
        }
        Ok(n)
    }

    /// ftruncate(2).
    ///
    /// # Errors
    /// `EINVAL` unless this is a regular file open for writing; `EFBIG`.
    pub fn truncate(&self, len: u64) -> Result<(), Errno> {
        if !self.writable || self.location.inode.is_dir() {
            return Err(Errno::EINVAL);
        }
        if matches!(self.location.inode.node, Node::SynthFile(_)) {
            return Ok(());
        }
        self.location.inode.truncate(len)
    }

    /// Reads a directory from position `offset` (0 or a `next_offset` given before) until `give` returns `false`;
    /// that entry counts as not given.
    ///
    /// # Errors
    /// `ENOTDIR`; `ENOENT` for a removed directory; the lower tree's error.
    pub fn read_dir(&self, offset: u64, give: &mut dyn FnMut(&DirEntry) -> bool) -> Result<(), Errno> {
        let inode = &self.location.inode;
        if inode.is_removed_dir() {
            return Err(Errno::ENOENT);
        }
        let parent_ino = self.parent_ino();
        let Node::SynthDir(dir) = &inode.node else {
            inode.list_from(parent_ino, offset, give)?;
            if !self.location.mount.flags().no_atime {
                inode.accessed();
            }
            return Ok(());
        };
        let mut listed = self.listed.borrow_mut();
        if offset == 0 || listed.is_empty() {
            let dots: [(&[u8], u64); 2] = [(b".", inode.ino), (b"..", parent_ino)];
            let dots = dots.into_iter().map(|(name, ino)| (name.to_vec(), FileType::Directory, ino));
            let rest = dir.list().into_iter().map(|(name, file_type)| {
                let ino = crate::synth::derive_ino(inode.ino, &name);
                (name, file_type, ino)
            });
            *listed = (1..)
                .zip(dots.chain(rest))
                .map(|(next_offset, (name, file_type, ino))| DirEntry {
                    ino,
                    file_type,
                    next_offset,
                    name: Name::from(name),
                })
                .collect();
        }
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        for entry in listed.iter().skip(skip) {
            if !give(entry) {
                break;
            }
        }
        Ok(())
    }

    fn parent_ino(&self) -> u64 {
        let at = self.location.mount_point().unwrap_or_else(|| self.location.clone());
        at.inode.parent_dir().ino
    }
}

impl Vfs {
    /// openat2(2): `flags` are `O_*` bits, `mode` the permission bits of a new file, the file-creation mask already
    /// taken away, `resolve` openat2's own flags. Bits that concern only the descriptor are ignored. What opening a
    /// device, a fifo or a terminal does is the caller's to do; so is `O_PATH`'s restriction of later calls.
    ///
    /// # Errors
    /// As the man page says; `ENXIO` for a socket's name.
    pub fn open(
        &self,
        ctx: &PathContext,
        base: &Location,
        path: &[u8],
        flags: u32,
        mode: u32,
        resolve: u64,
    ) -> Result<OpenFile, Errno> {
        let path_only = flags & abi::O_PATH != 0;
        let mut how = How::new(flags);
        let mut walker = Walker::new(ctx, base, resolve);
        if flags & abi::O_TMPFILE == abi::O_TMPFILE && !path_only {
            return self.open_unnamed(walker, base, path, &how, mode);
        }
        let found = walker.parent(base, path)?;
        let follow = !(how.no_follow || how.create && how.exclusive);
        let location = match walker.finish(found, follow, how.create) {
            Ok(location) => location,
            Err(missing) => match missing.place {
                Some(place) if how.create => return self.create(&ctx.creds, &place, &how, mode),
                _ => return Err(missing.errno),
            },
        };
        if how.create {
            if how.exclusive {
                return Err(Errno::EEXIST);
            }
            if location.inode.is_dir() {
                return Err(Errno::EISDIR);
            }
        }
        if how.directory && !location.inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if path_only {
            how.readable = false;
            how.writable = false;
        } else {
            self.may_open(&ctx.creds, &location, &how)?;
        }
        Ok(OpenFile::new(location, how.readable, how.writable))
    }

    /// Opens a file that is already found, with the checks of open(2): a magic link's target, an `O_PATH` descriptor
    /// again.
    ///
    /// # Errors
    /// As open(2).
    pub fn open_location(&self, creds: &Creds, location: &Location, flags: u32) -> Result<OpenFile, Errno> {
        let how = How::new(flags);
        if how.directory && !location.inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        self.may_open(creds, location, &how)?;
        Ok(OpenFile::new(location.clone(), how.readable, how.writable))
    }

    fn may_open(&self, creds: &Creds, at: &Location, how: &How) -> Result<(), Errno> {
        let inode = &at.inode;
        let access = how.access();
        match inode.file_type() {
            FileType::Symlink => return Err(Errno::ELOOP),
            FileType::Directory if access.contains(Access::WRITE) => return Err(Errno::EISDIR),
            FileType::CharDevice | FileType::BlockDevice if at.mount.flags().no_dev => return Err(Errno::EACCES),
            FileType::Regular if access.contains(Access::WRITE) => want_write(at)?,
            _ => {}
        }
        inode.permission(creds, access)?;
        if how.no_atime && !inode.is_owner(creds) {
            return Err(Errno::EPERM);
        }
        if inode.file_type() == FileType::Socket {
            return Err(Errno::ENXIO);
        }
        if how.truncate && inode.file_type() == FileType::Regular && !matches!(inode.node, Node::SynthFile(_)) {
            inode.truncate(0)?;
            if !creds.is_privileged() {
                inode.strip_set_id();
            }
        }
        Ok(())
    }

    fn create(&self, creds: &Creds, place: &Found, how: &How, mode: u32) -> Result<OpenFile, Errno> {
        let Last::Name(name) = &place.last else { return Err(Errno::EISDIR) };
        want_write(&place.dir)?;
        may_create(creds, &place.dir)?;
        let inode = new_inode_in(creds, &place.dir, NewNode::Regular, mode & 0o7777)?;
        place.dir.inode.insert(name, &inode)?;
        let mut file = OpenFile::new(place.dir.child(name, inode), how.readable, how.writable);
        file.created = true;
        Ok(file)
    }

    fn open_unnamed(
        &self,
        mut walker: Walker<'_>,
        base: &Location,
        path: &[u8],
        how: &How,
        mode: u32,
    ) -> Result<OpenFile, Errno> {
        if !how.writable {
            return Err(Errno::EINVAL);
        }
        let found = walker.parent(base, path)?;
        let creds = &walker.ctx.creds.clone();
        let dir = walker.finish(found, !how.no_follow, false).map_err(|missing| missing.errno)?;
        if !dir.inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        want_write(&dir)?;
        dir.inode.permission(creds, Access::WRITE.and(Access::EXEC))?;
        if matches!(dir.inode.node, Node::SynthDir(_)) {
            return Err(Errno::EOPNOTSUPP);
        }
        let inode = new_inode_in(creds, &dir, NewNode::Regular, mode & 0o7777)?;
        inode.attr.borrow_mut().nlink = 0;
        let name = format!("#{}", inode.ino);
        Ok(OpenFile::new(dir.child(name.as_bytes(), inode), how.readable, how.writable))
    }
}

/// The flags of open(2) that matter here.
struct How {
    readable: bool,
    writable: bool,
    create: bool,
    exclusive: bool,
    truncate: bool,
    directory: bool,
    no_follow: bool,
    no_atime: bool,
}

impl How {
    fn new(flags: u32) -> How {
        // O_PATH ignores everything but O_DIRECTORY and O_NOFOLLOW.
        let flags = if flags & abi::O_PATH != 0 { flags & (abi::O_DIRECTORY | abi::O_NOFOLLOW) } else { flags };
        let mode = flags & abi::O_ACCMODE;
        How {
            // Access mode 3 asks for both permissions and gives neither; only ioctl(2) works on it.
            readable: mode == abi::O_RDONLY || mode == abi::O_RDWR,
            writable: mode == abi::O_WRONLY || mode == abi::O_RDWR,
            create: flags & abi::O_CREAT != 0,
            exclusive: flags & abi::O_EXCL != 0,
            truncate: flags & abi::O_TRUNC != 0,
            directory: flags & abi::O_DIRECTORY != 0,
            no_follow: flags & abi::O_NOFOLLOW != 0,
            no_atime: flags & abi::O_NOATIME != 0,
        }
    }

    fn access(&self) -> Access {
        let neither = !self.readable && !self.writable;
        let mut access = Access::EXISTS;
        if self.readable || neither {
            access = access.and(Access::READ);
        }
        if self.writable || neither || self.truncate {
            access = access.and(Access::WRITE);
        }
        access
    }
}
