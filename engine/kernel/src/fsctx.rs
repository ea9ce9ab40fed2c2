//! What CLONE_FS shares: root, working directory, umask.

use crate::Tid;
use crate::cred::Cred;
use crate::kernel::Kernel;
use friscy_vfs::{Creds, Location, PathContext};

/// The file-system context of a task.
#[derive(Clone, Debug)]
pub struct FsContext {
    /// Where absolute paths begin.
    pub root: Location,
    /// Where relative paths begin.
    pub cwd: Location,
    /// File mode creation mask, 9 bits.
    pub umask: u32,
}

impl Cred {
    /// The identity by which files are reached: fsuid, fsgid and the groups.
    #[must_use]
    pub fn file_creds(&self) -> Creds {
        Creds { uid: self.fsuid, gid: self.fsgid, groups: self.groups.as_slice().into() }
    }
}

impl Kernel {
    /// Whose paths a task's are.
    #[must_use]
    pub fn path_context(&self, tid: Tid) -> PathContext {
        let task = self.task(tid);
        let fs = task.fs.borrow();
        PathContext { root: fs.root.clone(), cwd: fs.cwd.clone(), creds: task.cred.file_creds() }
    }
}
