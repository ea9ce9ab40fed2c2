//! rename(2).

use crate::inode::InodeRef;
use crate::mount::{Location, Vfs};
use crate::ops::{may_create, may_delete, want_write};
use crate::types::Access;
use crate::walk::{Found, Last, PathContext};
use friscy_abi::Errno;
use friscy_abi::fcntl::{RENAME_EXCHANGE, RENAME_NOREPLACE};
use std::rc::Rc;

/// Whether `dir` is `ancestor` or lies below it, in one file system.
fn is_within(dir: &InodeRef, ancestor: &InodeRef) -> bool {
    let mut at = dir.clone();
    loop {
        if Rc::ptr_eq(&at, ancestor) {
            return true;
        }
        match at.parent() {
            Some(parent) => at = parent,
            None => return false,
        }
    }
}

impl Vfs {
    /// renameat2(2). `flags` may be 0, `RENAME_NOREPLACE` or `RENAME_EXCHANGE`.
    ///
    /// # Errors
    /// As the man page says; `EINVAL` for other flags.
    pub fn rename(
        &self,
        ctx: &PathContext,
        old_base: &Location,
        old_path: &[u8],
        new_base: &Location,
        new_path: &[u8],
        flags: u32,
    ) -> Result<(), Errno> {
        if ![0, RENAME_NOREPLACE, RENAME_EXCHANGE].contains(&flags) {
            return Err(Errno::EINVAL);
        }
        let from = self.resolve_parent(ctx, old_base, old_path)?;
        let to = self.resolve_parent(ctx, new_base, new_path)?;
        self.rename_found(ctx, &from, &to, flags)
    }

    fn rename_found(&self, ctx: &PathContext, from: &Found, to: &Found, flags: u32) -> Result<(), Errno> {
        let (exchange, no_replace) = (flags == RENAME_EXCHANGE, flags == RENAME_NOREPLACE);
        if !Rc::ptr_eq(&from.dir.mount, &to.dir.mount) {
            return Err(Errno::EXDEV);
        }
        let Last::Name(from_name) = &from.last else { return Err(Errno::EBUSY) };
        let Last::Name(to_name) = &to.last else {
            return Err(if no_replace { Errno::EEXIST } else { Errno::EBUSY });
        };
        want_write(&from.dir)?;
        let old = from.dir.child(from_name, from.dir.inode.lookup(from_name)?);
        let new = match to.dir.inode.lookup(to_name) {
            Ok(inode) => Some(to.dir.child(to_name, inode)),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        match &new {
            Some(_) if no_replace => return Err(Errno::EEXIST),
            None if exchange => return Err(Errno::ENOENT),
            Some(new) if exchange && !new.inode.is_dir() && to.trailing_slash => return Err(Errno::ENOTDIR),
            _ => {}
        }
        let is_dir = old.inode.is_dir();
        if !is_dir && (from.trailing_slash || (!exchange && to.trailing_slash)) {
            return Err(Errno::ENOTDIR);
        }
        if is_dir && is_within(&to.dir.inode, &old.inode) {
            return Err(Errno::EINVAL);
        }
        if let Some(new) = &new {
            if new.inode.is_dir() && is_within(&from.dir.inode, &new.inode) {
                return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
            }
            if Rc::ptr_eq(&old.inode, &new.inode) {
                return Ok(());
            }
        }

        may_delete(&ctx.creds, &from.dir, &old, is_dir)?;
        match &new {
            None => may_create(&ctx.creds, &to.dir)?,
            Some(new) => {
                let want_dir = if exchange { new.inode.is_dir() } else { is_dir };
                may_delete(&ctx.creds, &to.dir, new, want_dir)?;
            }
        }
        let moves = !Rc::ptr_eq(&from.dir.inode, &to.dir.inode);
        if moves && is_dir {
            // Its `..` changes.
            old.inode.permission(&ctx.creds, Access::WRITE)?;
        }
        if let (true, true, Some(new)) = (moves, exchange, &new) {
            if new.inode.is_dir() {
                new.inode.permission(&ctx.creds, Access::WRITE)?;
            }
        }
        if old.is_mount_point() || new.as_ref().is_some_and(Location::is_mount_point) {
            return Err(Errno::EBUSY);
        }
        if let Some(new) = &new {
            if !exchange && !new.inode.is_live() && new.inode.is_dir() && !new.inode.is_empty_dir()? {
                return Err(Errno::ENOTEMPTY);
            }
        }
        let (dir, onto) = (&from.dir.inode, new.as_ref().map(|new| &new.inode));
        if let Some(renamed) = dir.live_rename(from_name, &old.inode, &to.dir.inode, to_name, onto, flags) {
            return renamed;
        }

        from.dir.inode.remove(from_name, &old.inode)?;
        if let Some(new) = &new {
            to.dir.inode.remove(to_name, &new.inode)?;
            if exchange {
                from.dir.inode.insert(from_name, &new.inode)?;
                new.inode.change_nlink(0);
            } else if new.inode.is_dir() {
                new.inode.directory_removed(&to.dir.inode);
            } else {
                new.inode.sb.unlinked(&new.inode);
            }
        }
        to.dir.inode.insert(to_name, &old.inode)?;
        old.inode.change_nlink(0);
        Ok(())
    }
}
