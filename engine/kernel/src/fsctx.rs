//! What CLONE_FS shares: root, working directory, umask.

/// The file-system context of a task.
#[derive(Clone, Debug)]
pub struct FsContext {
    /// File mode creation mask, 9 bits.
    pub umask: u32,
}
