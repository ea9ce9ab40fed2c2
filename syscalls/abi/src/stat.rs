//! File modes and the flags of statx(2) and statfs(2): inode(7), stat(2).

use crate::table::constants;

/// The bits of the file type.
pub const S_IFMT: u32 = 0xf000;

constants! {
    /// The file type, the bits of `S_IFMT`.
    FILE_TYPES: u32;
    S_IFIFO = 0o10000,
    S_IFCHR = 0o20000,
    S_IFDIR = 0o40000,
    S_IFBLK = 0o60000,
    S_IFREG = 0o100000,
    S_IFLNK = 0o120000,
    S_IFSOCK = 0o140000,
}

constants! {
    /// Permission bits.
    MODE_BITS: u32;
    S_ISUID = 0o4000,
    S_ISGID = 0o2000,
    S_ISVTX = 0o1000,
    S_IRUSR = 0o400,
    S_IWUSR = 0o200,
    S_IXUSR = 0o100,
    S_IRGRP = 0o40,
    S_IWGRP = 0o20,
    S_IXGRP = 0o10,
    S_IROTH = 0o4,
    S_IWOTH = 0o2,
    S_IXOTH = 0o1,
}

constants! {
    /// Which fields statx(2) filled.
    STATX_MASK: u32;
    STATX_TYPE = 1,
    STATX_MODE = 2,
    STATX_NLINK = 4,
    STATX_UID = 8,
    STATX_GID = 0x10,
    STATX_ATIME = 0x20,
    STATX_MTIME = 0x40,
    STATX_CTIME = 0x80,
    STATX_INO = 0x100,
    STATX_SIZE = 0x200,
    STATX_BLOCKS = 0x400,
    STATX_BASIC_STATS = 0x7ff,
    STATX_BTIME = 0x800,
    STATX_MNT_ID = 0x1000,
}

constants! {
    /// Types in a directory entry.
    DIRENT_TYPES: u8;
    DT_UNKNOWN = 0,
    DT_FIFO = 1,
    DT_CHR = 2,
    DT_DIR = 4,
    DT_BLK = 6,
    DT_REG = 8,
    DT_LNK = 10,
    DT_SOCK = 12,
}

constants! {
    /// Numbers that name file systems in statfs(2).
    FS_MAGICS: u64;
    TMPFS_MAGIC = 0x102_1994,
    PROC_SUPER_MAGIC = 0x9fa0,
    SYSFS_MAGIC = 0x6265_6572,
    DEVPTS_SUPER_MAGIC = 0x1cd1,
    OVERLAYFS_SUPER_MAGIC = 0x794c_7630,
    PIPEFS_MAGIC = 0x5049_5045,
    SOCKFS_MAGIC = 0x534f_434b,
    ANON_INODE_FS_MAGIC = 0x904_1934,
    CGROUP2_SUPER_MAGIC = 0x6367_7270,
}

constants! {
    /// Mount flags in statfs(2).
    ST_FLAGS: u64;
    ST_RDONLY = 1,
    ST_NOSUID = 2,
    ST_NODEV = 4,
    ST_NOEXEC = 8,
    ST_NOATIME = 0x400,
    ST_RELATIME = 0x1000,
}
