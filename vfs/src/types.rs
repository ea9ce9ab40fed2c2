//! The small types that everything else is made of.

use core::cell::Cell;
use friscy_abi::Errno;
use friscy_abi::stat as abi;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// The name of a directory entry: 1 to 255 bytes, without `/` and NUL.
pub type Name = Rc<[u8]>;

/// The longest name in bytes (`NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;
/// The longest path in bytes, its final NUL included (`PATH_MAX`).
pub(crate) const PATH_MAX: usize = 4096;

/// A point in time since the epoch, as inodes keep it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Timestamp {
    /// Seconds, negative before 1970.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: u32,
}

impl Timestamp {
    /// `sec` seconds after the epoch.
    #[must_use]
    pub const fn from_secs(sec: i64) -> Timestamp {
        Timestamp { sec, nsec: 0 }
    }
}

/// The port that tells what time inodes are stamped with (Linux: `CLOCK_REALTIME_COARSE`).
pub trait Clock {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct FixedClock(Cell<Timestamp>);

impl FixedClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> FixedClock {
        FixedClock(Cell::new(now))
    }

    /// Moves the clock to `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.set(now);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0.get()
    }
}

/// The kind of an inode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
}

impl FileType {
    /// The bits of `S_IFMT`.
    #[must_use]
    pub const fn mode_bits(self) -> u32 {
        match self {
            FileType::Regular => abi::S_IFREG,
            FileType::Directory => abi::S_IFDIR,
            FileType::Symlink => abi::S_IFLNK,
            FileType::CharDevice => abi::S_IFCHR,
            FileType::BlockDevice => abi::S_IFBLK,
            FileType::Fifo => abi::S_IFIFO,
            FileType::Socket => abi::S_IFSOCK,
        }
    }

    /// The type that the `S_IFMT` bits of `mode` name, if they name one.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Option<FileType> {
        Some(match mode & abi::S_IFMT {
            abi::S_IFREG => FileType::Regular,
            abi::S_IFDIR => FileType::Directory,
            abi::S_IFLNK => FileType::Symlink,
            abi::S_IFCHR => FileType::CharDevice,
            abi::S_IFBLK => FileType::BlockDevice,
            abi::S_IFIFO => FileType::Fifo,
            abi::S_IFSOCK => FileType::Socket,
            _ => return None,
        })
    }

    /// The `DT_` value of a directory entry.
    #[must_use]
    pub const fn dirent_type(self) -> u8 {
        (self.mode_bits() >> 12) as u8
    }

    /// Whether this is a directory.
    #[must_use]
    pub const fn is_dir(self) -> bool {
        matches!(self, FileType::Directory)
    }

    /// Whether this is a character or block device.
    #[must_use]
    pub const fn is_device(self) -> bool {
        matches!(self, FileType::CharDevice | FileType::BlockDevice)
    }
}

/// What stat(2) tells of an inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// The device number of the file system.
    pub dev: u64,
    /// The number of the inode in its file system.
    pub ino: u64,
    /// File type and permission bits.
    pub mode: u32,
    /// The number of names; 0 after the last was removed.
    pub nlink: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The device number of a device node, otherwise 0.
    pub rdev: u64,
    /// The length in bytes.
    pub size: u64,
    /// The space taken, in units of 512 bytes.
    pub blocks: u64,
    /// The preferred size of transfers in bytes.
    pub blksize: u32,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
}

impl Metadata {
    /// The file type in `mode`.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        FileType::from_mode(self.mode).unwrap_or(FileType::Regular)
    }
}

/// What statfs(2) tells of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatFs {
    /// The magic number of the type (`TMPFS_MAGIC`, …).
    pub magic: u64,
    /// The block size in bytes.
    pub block_size: u64,
    /// All blocks.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// All inodes.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// The longest name in bytes.
    pub name_max: u64,
    /// The device number of the file system, for `f_fsid`.
    pub dev: u64,
}

/// One entry that reading a directory gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// The inode number.
    pub ino: u64,
    /// The kind.
    pub file_type: FileType,
    /// The position to continue from after this entry (`d_off`); 0 is the beginning.
    pub next_offset: u64,
    /// The name; `.` and `..` are given too.
    pub name: Name,
}

/// Who acts: the ids that permission checks use (Linux: fsuid, fsgid and supplementary groups).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Creds {
    /// The user.
    pub uid: u32,
    /// The group, which new files get.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Rc<[u32]>,
}

impl Creds {
    /// Root, without supplementary groups.
    #[must_use]
    pub fn root() -> Creds {
        Creds::default()
    }

    /// A user without supplementary groups.
    #[must_use]
    pub fn user(uid: u32, gid: u32) -> Creds {
        Creds { uid, gid, groups: Rc::from([]) }
    }

    /// Whether permission checks are skipped. User 0 has all capabilities and nobody else has any.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.uid == 0
    }

    /// Whether `gid` is the group or one of the supplementary groups.
    #[must_use]
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// What is asked of an inode's permission bits; the bits of `R_OK`, `W_OK` and `X_OK`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Access(pub u32);

impl Access {
    /// Nothing: only that the file exists.
    pub const EXISTS: Access = Access(0);
    /// Execute a file, search a directory.
    pub const EXEC: Access = Access(1);
    /// Write.
    pub const WRITE: Access = Access(2);
    /// Read.
    pub const READ: Access = Access(4);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }

    /// Whether all of `other` is in this.
    #[must_use]
    pub const fn contains(self, other: Access) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One of the two times that utimensat(2) sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTime {
    /// `UTIME_OMIT`: leave it.
    Omit,
    /// `UTIME_NOW`: the clock's time.
    Now,
    /// This time.
    At(Timestamp),
}

/// The device number of `major` and `minor`, in the encoding of `st_dev` and mknod(2).
#[must_use]
pub const fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// Checks that `name` can be the name of a directory entry.
///
/// # Errors
/// `ENAMETOOLONG` above 255 bytes, `EINVAL` for an empty name, `.`, `..`, or one that holds `/` or NUL.
pub(crate) fn check_name(name: &[u8]) -> Result<(), Errno> {
    if name.len() > NAME_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    if name.is_empty() || name == b"." || name == b".." || name.iter().any(|&b| b == b'/' || b == 0) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}
