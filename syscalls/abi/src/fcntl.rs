//! Opening files and `fcntl`: open(2), fcntl(2), openat2(2), and the `AT_` flags.

use crate::table::constants;

/// The bits of the access mode.
pub const O_ACCMODE: u32 = 3;
/// Reading only.
pub const O_RDONLY: u32 = 0;
/// The current directory in the place of a descriptor.
pub const AT_FDCWD: i32 = -100;
/// Check with the effective ids (faccessat2(2)); the same bit as `AT_REMOVEDIR`.
pub const AT_EACCESS: u32 = 0x200;
/// Existence, in faccessat(2).
pub const F_OK: u32 = 0;

constants! {
    /// Flags of openat(2); the access mode is the low two bits.
    OPEN_FLAGS: u32;
    O_WRONLY = 1,
    O_RDWR = 2,
    O_CREAT = 0x40,
    O_EXCL = 0x80,
    O_NOCTTY = 0x100,
    O_TRUNC = 0x200,
    O_APPEND = 0x400,
    O_NONBLOCK = 0x800,
    O_DSYNC = 0x1000,
    O_ASYNC = 0x2000,
    O_DIRECT = 0x4000,
    O_DIRECTORY = 0x1_0000,
    O_NOFOLLOW = 0x2_0000,
    O_NOATIME = 0x4_0000,
    O_CLOEXEC = 0x8_0000,
    O_SYNC = 0x10_1000,
    O_PATH = 0x20_0000,
    O_TMPFILE = 0x41_0000,
}

constants! {
    /// Flags of the `*at` calls.
    AT_FLAGS: u32;
    AT_SYMLINK_NOFOLLOW = 0x100,
    AT_REMOVEDIR = 0x200,
    AT_SYMLINK_FOLLOW = 0x400,
    AT_NO_AUTOMOUNT = 0x800,
    AT_EMPTY_PATH = 0x1000,
    AT_STATX_FORCE_SYNC = 0x2000,
    AT_STATX_DONT_SYNC = 0x4000,
    AT_RECURSIVE = 0x8000,
}

constants! {
    /// Mode of faccessat(2).
    ACCESS_MODES: u32;
    X_OK = 1,
    W_OK = 2,
    R_OK = 4,
}

constants! {
    /// Commands of fcntl(2).
    FCNTL_COMMANDS: u32;
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_GETLK = 5,
    F_SETLK = 6,
    F_SETLKW = 7,
    F_SETOWN = 8,
    F_GETOWN = 9,
    F_SETSIG = 10,
    F_GETSIG = 11,
    F_SETOWN_EX = 15,
    F_GETOWN_EX = 16,
    F_OFD_GETLK = 36,
    F_OFD_SETLK = 37,
    F_OFD_SETLKW = 38,
    F_SETLEASE = 1024,
    F_GETLEASE = 1025,
    F_NOTIFY = 1026,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
    F_ADD_SEALS = 1033,
    F_GET_SEALS = 1034,
    F_GET_RW_HINT = 1035,
    F_SET_RW_HINT = 1036,
    F_GET_FILE_RW_HINT = 1037,
    F_SET_FILE_RW_HINT = 1038,
}

constants! {
    /// Kinds of owner of `F_SETOWN_EX`.
    OWNERS: u32;
    F_OWNER_TID = 0,
    F_OWNER_PID = 1,
    F_OWNER_PGRP = 2,
}

constants! {
    /// Descriptor flags.
    FD_FLAGS: u32;
    FD_CLOEXEC = 1,
}

constants! {
    /// Kinds of record lock.
    LOCK_TYPES: u16;
    F_RDLCK = 0,
    F_WRLCK = 1,
    F_UNLCK = 2,
}

/// The seal that keeps a file from becoming executable, or from not being so any more: Linux 6.3.
pub const F_SEAL_EXEC: u32 = 0x20;
/// Flag of memfd_create(2), Linux 6.3: never executable.
pub const MFD_NOEXEC_SEAL: u32 = 8;
/// Flag of memfd_create(2), Linux 6.3: executable.
pub const MFD_EXEC: u32 = 0x10;

constants! {
    /// File seals of memfd_create(2).
    SEALS: u32;
    F_SEAL_SEAL = 1,
    F_SEAL_SHRINK = 2,
    F_SEAL_GROW = 4,
    F_SEAL_WRITE = 8,
    F_SEAL_FUTURE_WRITE = 0x10,
}

constants! {
    /// Operations of flock(2).
    FLOCK_OPERATIONS: u32;
    LOCK_SH = 1,
    LOCK_EX = 2,
    LOCK_NB = 4,
    LOCK_UN = 8,
}

constants! {
    /// Whence of lseek(2).
    SEEK_WHENCE: u32;
    SEEK_SET = 0,
    SEEK_CUR = 1,
    SEEK_END = 2,
    SEEK_DATA = 3,
    SEEK_HOLE = 4,
}

constants! {
    /// Modes of fallocate(2).
    FALLOCATE_MODES: u32;
    FALLOC_FL_KEEP_SIZE = 1,
    FALLOC_FL_PUNCH_HOLE = 2,
    FALLOC_FL_COLLAPSE_RANGE = 8,
    FALLOC_FL_ZERO_RANGE = 0x10,
    FALLOC_FL_INSERT_RANGE = 0x20,
    FALLOC_FL_UNSHARE_RANGE = 0x40,
}

constants! {
    /// Flags of renameat2(2).
    RENAME_FLAGS: u32;
    RENAME_NOREPLACE = 1,
    RENAME_EXCHANGE = 2,
    RENAME_WHITEOUT = 4,
}

constants! {
    /// Flags of setxattr(2).
    XATTR_FLAGS: u32;
    XATTR_CREATE = 1,
    XATTR_REPLACE = 2,
}

constants! {
    /// Resolution flags of openat2(2).
    RESOLVE_FLAGS: u64;
    RESOLVE_NO_XDEV = 1,
    RESOLVE_NO_MAGICLINKS = 2,
    RESOLVE_NO_SYMLINKS = 4,
    RESOLVE_BENEATH = 8,
    RESOLVE_IN_ROOT = 0x10,
    RESOLVE_CACHED = 0x20,
}

constants! {
    /// Flags of memfd_create(2).
    MEMFD_FLAGS: u32;
    MFD_CLOEXEC = 1,
    MFD_ALLOW_SEALING = 2,
    MFD_HUGETLB = 4,
}

constants! {
    /// Flags of close_range(2).
    CLOSE_RANGE_FLAGS: u32;
    CLOSE_RANGE_UNSHARE = 2,
    CLOSE_RANGE_CLOEXEC = 4,
}

constants! {
    /// Advice of fadvise64(2).
    FADVICE: u32;
    POSIX_FADV_NORMAL = 0,
    POSIX_FADV_RANDOM = 1,
    POSIX_FADV_SEQUENTIAL = 2,
    POSIX_FADV_WILLNEED = 3,
    POSIX_FADV_DONTNEED = 4,
    POSIX_FADV_NOREUSE = 5,
}

constants! {
    /// Flags of splice(2).
    SPLICE_FLAGS: u32;
    SPLICE_F_MOVE = 1,
    SPLICE_F_NONBLOCK = 2,
    SPLICE_F_MORE = 4,
    SPLICE_F_GIFT = 8,
}

constants! {
    /// Flags of preadv2(2).
    RWF_FLAGS: u32;
    RWF_HIPRI = 1,
    RWF_DSYNC = 2,
    RWF_SYNC = 4,
    RWF_NOWAIT = 8,
    RWF_APPEND = 0x10,
}

/// The bit that a 64-bit kernel sets in every description's flags; C libraries for riscv64 define it as 0.
pub const O_LARGEFILE: u32 = 0x8000;
