//! Extended attributes: xattr(7).

use crate::inode::Inode;
use crate::mount::{Location, Vfs};
use crate::ops::want_write;
use crate::types::{Access, Creds, FileType};
use friscy_abi::Errno;
use friscy_abi::stat::S_ISVTX;

/// The longest value in bytes (`XATTR_SIZE_MAX`).
const VALUE_MAX: usize = 65_536;
/// The longest name in bytes (`XATTR_NAME_MAX`).
const NAME_MAX: usize = 255;

/// How setxattr(2) treats an attribute that exists or does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XattrFlags {
    /// Make it or replace it.
    Any,
    /// `XATTR_CREATE`: it must not exist (`EEXIST`).
    Create,
    /// `XATTR_REPLACE`: it must exist (`ENODATA`).
    Replace,
}

/// Bytes that an attribute takes of its file system.
fn size(name: &[u8], value: &[u8]) -> u64 {
    (name.len() + value.len()) as u64
}

fn check(inode: &Inode, creds: &Creds, name: &[u8], write: bool) -> Result<(), Errno> {
    if inode.is_live() {
        // Those of the host's files are the host's alone.
        return Err(Errno::EOPNOTSUPP);
    }
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Errno::ERANGE);
    }
    let access = if write { Access::WRITE } else { Access::READ };
    let absent = if write { Errno::EPERM } else { Errno::ENODATA };
    if name.starts_with(b"user.") {
        // Only files and directories have them; in a sticky directory only the owner may set them.
        let file_type = inode.file_type();
        if !matches!(file_type, FileType::Regular | FileType::Directory) {
            return Err(absent);
        }
        let sticky = file_type.is_dir() && inode.attr.borrow().mode & S_ISVTX != 0;
        if write && sticky && !inode.is_owner(creds) {
            return Err(Errno::EPERM);
        }
        inode.permission(creds, access)
    } else if name.starts_with(b"trusted.") {
        if creds.is_privileged() { Ok(()) } else { Err(absent) }
    } else if name.starts_with(b"security.") {
        if write && !creds.is_privileged() { Err(Errno::EPERM) } else { Ok(()) }
    } else {
        // Access control lists (`system.`) included.
        Err(Errno::EOPNOTSUPP)
    }
}

/// Counts a change of an inode's attributes as written data. What the lower tree has was not counted.
fn charge(inode: &Inode, removed: u64, added: u64) -> Result<(), Errno> {
    let before = inode.xattr_bytes.get();
    let after = before.saturating_sub(removed) + added;
    if !inode.sb.has_room(after.saturating_sub(before)) {
        return Err(Errno::ENOSPC);
    }
    inode.xattr_bytes.set(after);
    inode.sb.charge(before, after);
    Ok(())
}

impl Vfs {
    /// getxattr(2).
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP` for a namespace that is not kept, `ERANGE` for a bad name, `EACCES`.
    pub fn get_xattr(&self, creds: &Creds, at: &Location, name: &[u8]) -> Result<Vec<u8>, Errno> {
        check(&at.inode, creds, name, false)?;
        at.inode.attr.borrow().xattrs.get(name).cloned().ok_or(Errno::ENODATA)
    }

    /// setxattr(2).
    ///
    /// # Errors
    /// As [`Vfs::get_xattr`]; `E2BIG` above 64 KiB, `EEXIST`, `ENOSPC`, `EROFS`, `EPERM`.
    pub fn set_xattr(
        &self,
        creds: &Creds,
        at: &Location,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<(), Errno> {
        if value.len() > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        want_write(at)?;
        check(&at.inode, creds, name, true)?;
        let now = at.inode.sb.now();
        let mut attr = at.inode.attr.borrow_mut();
        match (flags, attr.xattrs.contains_key(name)) {
            (XattrFlags::Create, true) => return Err(Errno::EEXIST),
            (XattrFlags::Replace, false) => return Err(Errno::ENODATA),
            _ => {}
        }
        let old = attr.xattrs.get(name).map_or(0, |old| size(name, old));
        charge(&at.inode, old, size(name, value))?;
        attr.xattrs.insert(name.to_vec(), value.to_vec());
        attr.ctime = now;
        Ok(())
    }

    /// removexattr(2).
    ///
    /// # Errors
    /// As [`Vfs::set_xattr`].
    pub fn remove_xattr(&self, creds: &Creds, at: &Location, name: &[u8]) -> Result<(), Errno> {
        want_write(at)?;
        check(&at.inode, creds, name, true)?;
        let now = at.inode.sb.now();
        let mut attr = at.inode.attr.borrow_mut();
        let old = attr.xattrs.remove(name).ok_or(Errno::ENODATA)?;
        charge(&at.inode, size(name, &old), 0)?;
        attr.ctime = now;
        Ok(())
    }

    /// listxattr(2): the names, ordered by byte value. Those of `trusted.` are seen by the privileged only.
    #[must_use]
    pub fn list_xattrs(&self, creds: &Creds, at: &Location) -> Vec<Vec<u8>> {
        let attr = at.inode.attr.borrow();
        let seen = |name: &&Vec<u8>| creds.is_privileged() || !name.starts_with(b"trusted.");
        attr.xattrs.keys().filter(seen).cloned().collect()
    }
}
