//! Attributes, as the host has them and as the guest sees them.

use super::{HostFs, errno};
use crate::live::{LiveId, LiveStat};
use crate::types::{FileType, SetTime, StatFs, Timestamp, makedev};
use friscy_abi::Errno;
use friscy_abi::stat as abi;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{
    AtFlags, Mode, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, chmodat, fstat, fstatfs, utimensat,
};
use rustix::io::Errno as HostErrno;

/// Whom files of others on the host seem to belong to: the kernel's overflow id.
const NOBODY: u32 = 65_534;

/// Permission bits that a file can be given: all but set-user-ID and set-group-ID.
const GIVEN: u32 = 0o1777;

pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_mode(stat.st_mode).unwrap_or(FileType::Regular)
}

fn time(sec: i64, nsec: u64) -> Timestamp {
    Timestamp { sec, nsec: u32::try_from(nsec).unwrap_or(0) }
}

impl HostFs {
    /// The inode number that the guest sees: the host's, except in file systems mounted inside the folder, where one
    /// is made of both numbers.
    pub(super) fn guest_ino(&self, stat: &Stat) -> u64 {
        self.ino_on(stat.st_dev, stat.st_ino)
    }

    pub(super) fn ino_on(&self, dev: u64, ino: u64) -> u64 {
        if dev == self.root_dev { ino } else { crate::synth::derive_ino(dev, &ino.to_le_bytes()) }
    }

    pub(super) fn convert(&self, stat: &Stat) -> LiveStat {
        let file_type = file_type(stat);
        let is_device = file_type.is_device();
        LiveStat {
            file_type,
            mode: stat.st_mode & 0o7777,
            uid: if stat.st_uid == self.host.uid { self.guest.uid } else { NOBODY },
            gid: if stat.st_gid == self.host.gid { self.guest.gid } else { NOBODY },
            nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
            blksize: u32::try_from(stat.st_blksize).unwrap_or(4096),
            rdev: if is_device { makedev(rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) } else { 0 },
            atime: time(stat.st_atime, stat.st_atime_nsec),
            mtime: time(stat.st_mtime, stat.st_mtime_nsec),
            ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Sets the bits of the file that a descriptor is of, by its name in `/proc/self/fd`: `O_PATH` descriptors take no
    /// fchmod(2), and any other name could have become another file's.
    fn chmod_fd(&self, fd: &OwnedFd, mode: u32) -> Result<(), Errno> {
        let name = fd.as_raw_fd().to_string();
        chmodat(&self.proc_fd, name, Mode::from_raw_mode(mode), AtFlags::empty()).map_err(errno)
    }

    /// chmod(2). A directory keeps its set-group-ID bit if that is asked for; otherwise the two bits are left out.
    pub(super) fn change_mode(&self, id: LiveId, mode: u32) -> Result<(), Errno> {
        self.may_change()?;
        let fd = self.any_fd(id)?;
        let fd = fd.fd();
        let now = fstat(fd).map_err(errno)?;
        if file_type(&now) == FileType::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        let kept = if file_type(&now).is_dir() { now.st_mode & abi::S_ISGID & mode } else { 0 };
        self.chmod_fd(fd, (mode & GIVEN) | kept)
    }

    /// Gives a new file the bits that were asked for, where the umask of friscy's own process took some away. Not every
    /// file system of the host's has them: the file stays as it is then.
    pub(super) fn complete_mode(&self, fd: &OwnedFd, mode: u32) -> Result<Stat, Errno> {
        let stat = fstat(fd).map_err(errno)?;
        let inherited = stat.st_mode & abi::S_ISGID;
        let wanted = (mode & GIVEN) | inherited;
        if file_type(&stat) == FileType::Symlink || stat.st_mode & 0o7777 == wanted {
            return Ok(stat);
        }
        let _ = self.chmod_fd(fd, wanted);
        fstat(fd).map_err(errno)
    }

    pub(super) fn change_times(&self, id: LiveId, atime: SetTime, mtime: SetTime) -> Result<(), Errno> {
        self.may_change()?;
        let spec = |set: SetTime| match set {
            SetTime::Omit => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            SetTime::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            SetTime::At(at) => Timespec { tv_sec: at.sec, tv_nsec: at.nsec.into() },
        };
        let times = Timestamps { last_access: spec(atime), last_modification: spec(mtime) };
        let fd = self.any_fd(id)?;
        let fd = fd.fd();
        match utimensat(fd, "", &times, AtFlags::EMPTY_PATH) {
            // Hosts before Linux 5.8.
            Err(HostErrno::INVAL) if self.kind(id)? != FileType::Symlink => {
                utimensat(&self.proc_fd, fd.as_raw_fd().to_string(), &times, AtFlags::empty())
            }
            result => result,
        }
        .map_err(errno)
    }

    pub(super) fn host_statfs(&self) -> Result<StatFs, Errno> {
        let told = fstatfs(&*self.path_fd(super::ROOT)?).map_err(errno)?;
        Ok(StatFs {
            magic: u64::try_from(told.f_type).unwrap_or(0),
            block_size: u64::try_from(told.f_bsize).unwrap_or(4096),
            blocks: told.f_blocks,
            blocks_free: told.f_bavail,
            files: told.f_files,
            files_free: told.f_ffree,
            name_max: u64::try_from(told.f_namelen).unwrap_or(255),
            dev: 0,
        })
    }
}
