//! A host folder, or one host file, as a live file system: what `friscy run -v` mounts.
//!
//! Nothing outside the folder can be reached, whatever the guest does and whatever happens to the folder meanwhile:
//!
//! * The host resolves one name at a time, relative to the descriptor of a directory that was itself reached so from
//!   the root, and follows no symbolic link (`O_PATH | O_NOFOLLOW`). A name holds no `/` and is neither `.` nor `..`.
//!   Symbolic links are read and resolved by the guest's side, in the guest's tree; so is `..`.
//! * A file is known by device and inode number. Where its descriptor was closed to save descriptors it is looked for
//!   where it was last, and is `ESTALE` unless the same file is found there.
//! * Only regular files and directories are ever opened, through `/proc/self/fd` and the descriptor whose kind was
//!   checked. Devices, pipes and sockets are names with attributes: opening them is the guest kernel's affair.
//! * The host's `/proc` is not entered: friscy's own memory is a file there.
//! * Set-user-ID and set-group-ID bits are never given to a file, and owners are never changed.
//!
//! Files of friscy's own user and group appear as those of the user that the guest runs as; all others as nobody's
//! (65534), as in a user namespace.

mod attrs;
mod content;
mod fds;
mod names;
mod nodes;

use self::fds::Descriptors;
use self::nodes::{Node, Nodes};
use crate::fs::NewNode;
use crate::live::{Created, LiveEntry, LiveFile, LiveFs, LiveId, LiveName, LiveStat};
use crate::types::{SetTime, StatFs};
use core::cell::RefCell;
use friscy_abi::Errno;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, fstat, fstatfs, openat};
use rustix::io::Errno as HostErrno;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// `f_type` of procfs.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// Who is who on the two sides.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The user that friscy's own files appear to belong to.
    pub uid: u32,
    /// The group that files of friscy's own group appear to belong to.
    pub gid: u32,
}

/// A host folder or file that is mounted. See the module.
pub struct HostFs {
    nodes: RefCell<Nodes>,
    fds: Descriptors,
    /// `/proc/self/fd`, through which a descriptor is opened again for reading and writing.
    proc_fd: OwnedFd,
    root_dev: u64,
    read_only: bool,
    /// The owner on the host whose files are the guest user's.
    host: Owner,
    guest: Owner,
}

/// The number of the root.
const ROOT: LiveId = LiveId(1);

fn errno(error: HostErrno) -> Errno {
    u16::try_from(error.raw_os_error()).map_or(Errno::EIO, Errno)
}

fn is_procfs(fd: &OwnedFd) -> Result<bool, HostErrno> {
    Ok(u64::try_from(fstatfs(fd)?.f_type).is_ok_and(|magic| magic == PROC_SUPER_MAGIC))
}

impl HostFs {
    /// Opens the folder or regular file at `path`, symbolic links followed. With `read_only` nothing of it can be
    /// changed, whatever the mount's options are by then.
    ///
    /// # Errors
    /// The host's; [`io::ErrorKind::Unsupported`] for anything but a folder or a regular file, for one in the host's
    /// `/proc`, and on a host without `/proc`.
    pub fn open(path: &Path, read_only: bool, guest: Owner) -> io::Result<HostFs> {
        let unsupported = |what: &str| io::Error::new(io::ErrorKind::Unsupported, what);
        let path_only = OFlags::PATH | OFlags::CLOEXEC;
        let proc_fd = openat(CWD, "/proc/self/fd", path_only | OFlags::DIRECTORY, Mode::empty());
        let proc_fd = proc_fd.map_err(|_| unsupported("mounting needs the host's /proc"))?;
        if !is_procfs(&proc_fd)? {
            return Err(unsupported("mounting needs the host's /proc"));
        }
        let root = openat(CWD, path, path_only, Mode::empty())?;
        if is_procfs(&root)? {
            return Err(unsupported("the host's /proc cannot be mounted"));
        }
        let stat = fstat(&root)?;
        let file_type = attrs::file_type(&stat);
        if !(file_type.is_dir() || file_type == crate::FileType::Regular) {
            return Err(unsupported("it is neither a folder nor a regular file"));
        }
        let host = Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
        Ok(HostFs {
            nodes: RefCell::new(Nodes::new(ROOT, Node::root(&stat, file_type, root))),
            fds: Descriptors::default(),
            proc_fd,
            root_dev: stat.st_dev,
            read_only,
            host,
            guest,
        })
    }

    fn may_change(&self) -> Result<(), Errno> {
        if self.read_only { Err(Errno::EROFS) } else { Ok(()) }
    }
}

impl LiveFs for HostFs {
    fn root(&self) -> Result<LiveEntry, Errno> {
        let stat = fstat(&*self.path_fd(ROOT)?).map_err(errno)?;
        Ok(LiveEntry { id: ROOT, ino: self.guest_ino(&stat), stat: self.convert(&stat) })
    }

    fn stat(&self, id: LiveId) -> Result<LiveStat, Errno> {
        Ok(self.convert(&self.host_stat(id)?))
    }

    fn lookup(&self, dir: LiveId, name: &[u8]) -> Result<LiveEntry, Errno> {
        self.find(dir, name)
    }

    fn list(&self, dir: LiveId) -> Result<Vec<LiveName>, Errno> {
        self.list_names(dir)
    }

    fn read_link(&self, id: LiveId) -> Result<Vec<u8>, Errno> {
        let fd = self.path_fd(id)?;
        // The link that the descriptor itself is.
        Ok(rustix::fs::readlinkat(&*fd, "", Vec::new()).map_err(errno)?.into_bytes())
    }

    fn open(&self, id: LiveId, read: bool, write: bool) -> Result<Rc<dyn LiveFile>, Errno> {
        self.open_content(id, read, write)
    }

    fn create(&self, dir: LiveId, name: &[u8], mode: u32) -> Result<Created, Errno> {
        self.create_file(dir, Some(name), mode)
    }

    fn create_unnamed(&self, dir: LiveId, mode: u32) -> Result<Created, Errno> {
        self.create_file(dir, None, mode)
    }

    fn make(&self, dir: LiveId, name: &[u8], new: NewNode<'_>, mode: u32) -> Result<LiveEntry, Errno> {
        self.make_other(dir, name, new, mode)
    }

    fn link(&self, id: LiveId, dir: LiveId, name: &[u8]) -> Result<(), Errno> {
        self.link_name(id, dir, name)
    }

    fn remove(&self, dir: LiveId, name: &[u8], victim: LiveId, want_dir: bool) -> Result<(), Errno> {
        self.remove_name(dir, name, victim, want_dir)
    }

    fn rename(
        &self,
        from: (LiveId, &[u8], LiveId),
        to: (LiveId, &[u8], Option<LiveId>),
        flags: u32,
    ) -> Result<(), Errno> {
        self.rename_name(from, to, flags)
    }

    fn chmod(&self, id: LiveId, mode: u32) -> Result<(), Errno> {
        self.change_mode(id, mode)
    }

    fn set_times(&self, id: LiveId, atime: SetTime, mtime: SetTime) -> Result<(), Errno> {
        self.change_times(id, atime, mtime)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        self.host_statfs()
    }

    fn forget(&self, id: LiveId) {
        let node = self.nodes.borrow_mut().forget(id);
        drop(node);
        self.fds.close(id);
    }
}
