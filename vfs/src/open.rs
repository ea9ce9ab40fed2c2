//! Opening files, and what an open file holds besides its position.

use crate::content::ReadError;
use crate::fs::NewNode;
use crate::inode::{InodeRef, Node};
use crate::live::LiveFile;
use crate::mount::{Location, Vfs};
use crate::ops::{may_create, new_inode_in, want_write};
use crate::types::{Access, Creds, DirEntry, FileType, Name};
use crate::walk::{Found, Last, PathContext, Walker};
use core::cell::RefCell;
use friscy_abi::Errno;
use friscy_abi::fcntl as abi;
use std::rc::Rc;

/// An open file's link to the tree. Position and status flags are the kernel's; so is all that pipes, sockets and
/// devices do.
pub struct OpenFile {
    location: Location,
    readable: bool,
    writable: bool,
    created: bool,
    /// The owner's side of a live regular file.
    live: Option<Rc<dyn LiveFile>>,
    /// What a generated file held when it was last read from its beginning.
    generated: RefCell<Option<Vec<u8>>>,
    /// What a generated or live directory held when it was last listed from its beginning.
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
            live: None,
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
        if let Some(live) = &self.live {
            return Ok(live.read_at(off, buf)?);
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
        if let Some(live) = &self.live {
            self.location.inode.modified();
            return Ok(live.write_at(off, data)?);
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
        match &self.live {
            Some(live) => {
                self.location.inode.modified();
                live.set_len(len)
            }
            None => self.location.inode.truncate(len),
        }
    }

    /// Writes at the end in one step, where that differs from writing at the length: in a file that others write to.
    /// Returns how many bytes, and where the file ends behind them; `None` for all other files.
    ///
    /// # Errors
    /// As [`OpenFile::write_at`].
    pub fn append(&self, data: &[u8]) -> Option<Result<(usize, u64), Errno>> {
        let live = self.live.as_ref()?;
        if !self.writable {
            return Some(Err(Errno::EBADF));
        }
        self.location.inode.modified();
        Some(live.append(data))
    }

    /// fallocate(2) without flags.
    ///
    /// # Errors
    /// As [`crate::Inode::allocate`].
    pub fn allocate(&self, off: u64, len: u64) -> Result<(), Errno> {
        match &self.live {
            Some(live) => {
                self.location.inode.modified();
                live.allocate(off, len)
            }
            None => self.location.inode.allocate(off, len),
        }
    }

    /// Makes a range read as zero.
    ///
    /// # Errors
    /// As [`crate::Inode::punch_hole`].
    pub fn punch_hole(&self, off: u64, len: u64) -> Result<(), ReadError> {
        match &self.live {
            Some(live) => {
                self.location.inode.modified();
                Ok(live.punch_hole(off, len)?)
            }
            None => self.location.inode.punch_hole(off, len),
        }
    }

    /// `SEEK_DATA`.
    ///
    /// # Errors
    /// As [`crate::Inode::next_data`].
    pub fn next_data(&self, off: u64) -> Result<u64, Errno> {
        match &self.live {
            Some(live) => live.next_data(off),
            None => self.location.inode.next_data(off),
        }
    }

    /// `SEEK_HOLE`.
    ///
    /// # Errors
    /// As [`crate::Inode::next_hole`].
    pub fn next_hole(&self, off: u64) -> Result<u64, Errno> {
        match &self.live {
            Some(live) => live.next_hole(off),
            None => self.location.inode.next_hole(off),
        }
    }

    /// fsync(2): a live file is written to its owner's storage; there is no slower copy of others.
    ///
    /// # Errors
    /// The owner's.
    pub fn sync(&self) -> Result<(), Errno> {
        self.live.as_ref().map_or(Ok(()), |live| live.sync())
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
        if let Some((live, id)) = inode.live() {
            let mut listed = self.listed.borrow_mut();
            if offset == 0 || listed.is_empty() {
                *listed = inode.live_list(live, id, parent_ino)?;
            }
            give_listed(&listed, offset, give);
            return Ok(());
        }
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
        give_listed(&listed, offset, give);
        Ok(())
    }

    fn parent_ino(&self) -> u64 {
        let at = self.location.mount_point().unwrap_or_else(|| self.location.clone());
        at.inode.parent_dir().ino
    }
}

/// Gives entries of a listing from position `offset` on until `give` returns `false`.
fn give_listed(listed: &[DirEntry], offset: u64, give: &mut dyn FnMut(&DirEntry) -> bool) {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    for entry in listed.iter().skip(skip) {
        if !give(entry) {
            break;
        }
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
        let (dir_mode, dir_uid) = {
            let dir = found.dir.inode.attr();
            (dir.mode, dir.uid)
        };
        let location = match walker.finish(found, follow, how.create) {
            Ok(location) => location,
            Err(missing) => match missing.place {
                Some(place) if how.create => match self.create(&ctx.creds, &place, &how, mode) {
                    // Somebody else made it in a live directory meanwhile.
                    Err(Errno::EEXIST) if !how.exclusive && place.dir.inode.is_live() => {
                        Walker::new(ctx, base, resolve).finish(place, follow, true).map_err(|missing| missing.errno)?
                    }
                    made => return made,
                },
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
            // As Linux with `fs.protected_regular` and `fs.protected_fifos` off, which name no symbolic links.
            let owner = location.inode.attr().uid;
            let others = owner != dir_uid && owner != ctx.creds.uid;
            if location.inode.is_symlink() && dir_mode & 0o1002 == 0o1002 && others {
                return Err(Errno::EACCES);
            }
        }
        if how.directory && !location.inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let mut live = None;
        if path_only {
            how.readable = false;
            how.writable = false;
        } else {
            live = self.may_open(&ctx.creds, &location, &how)?;
        }
        Ok(OpenFile { live, ..OpenFile::new(location, how.readable, how.writable) })
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
        let live = self.may_open(creds, location, &how)?;
        Ok(OpenFile { live, ..OpenFile::new(location.clone(), how.readable, how.writable) })
    }

    /// Checks what open(2) checks, and truncates. For a live regular file this opens it.
    fn may_open(&self, creds: &Creds, at: &Location, how: &How) -> Result<Option<Rc<dyn LiveFile>>, Errno> {
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
        if let (FileType::Regular, Some((owner, id))) = (inode.file_type(), inode.live()) {
            if !how.readable && !how.writable && !how.truncate {
                return Ok(None);
            }
            let live = owner.open(id, how.readable, how.writable || how.truncate)?;
            if how.truncate {
                live.set_len(0)?;
                inode.modified();
            }
            return Ok(Some(live));
        }
        if how.truncate && inode.file_type() == FileType::Regular && !matches!(inode.node, Node::SynthFile(_)) {
            inode.truncate(0)?;
            if !creds.is_privileged() {
                inode.strip_set_id();
            }
        }
        Ok(None)
    }

    fn create(&self, creds: &Creds, place: &Found, how: &How, mode: u32) -> Result<OpenFile, Errno> {
        let Last::Name(name) = &place.last else { return Err(Errno::EISDIR) };
        want_write(&place.dir)?;
        may_create(creds, &place.dir)?;
        let (inode, live) = match place.dir.inode.live_create(name, mode & 0o7777) {
            Some(made) => {
                let (inode, live) = made?;
                (inode, Some(live))
            }
            None => {
                let inode = new_inode_in(creds, &place.dir, NewNode::Regular, mode & 0o7777)?;
                place.dir.inode.insert(name, &inode)?;
                (inode, None)
            }
        };
        let file = OpenFile::new(place.dir.child(name, inode), how.readable, how.writable);
        Ok(OpenFile { created: true, live, ..file })
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
        let (inode, live) = match dir.inode.live_unnamed(mode & 0o7777) {
            Some(made) => {
                let (inode, live) = made?;
                (inode, Some(live))
            }
            None => {
                let inode = new_inode_in(creds, &dir, NewNode::Regular, mode & 0o7777)?;
                inode.attr.borrow_mut().nlink = 0;
                (inode, None)
            }
        };
        let name = format!("#{}", inode.ino);
        let file = OpenFile::new(dir.child(name.as_bytes(), inode), how.readable, how.writable);
        Ok(OpenFile { live, ..file })
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
