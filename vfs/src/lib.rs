//! Paths, inodes, mounts and the data of open files, with Linux semantics.
//!
//! This crate knows file trees and their contents; it must never know guest memory or processes. Callers pass root,
//! working directory and credentials in a [`PathContext`]; the time comes from a [`Clock`]. Everything is
//! single-threaded (`Rc`), and only the module `native` touches the host.
//!
//! * An [`Inode`] is a file of any kind; [`FileSystem`] makes and owns them.
//! * A [`FileSystem`] in memory may stand on a read-only [`Lower`] (a [`FileTree`] read from a tar, a host folder):
//!   names and contents stay in the lower until they change.
//! * A [`LiveFs`] is a tree that others change too (a folder of the host's): every operation goes to it.
//! * A [`Location`] is an inode together with the mount and the name through which it was reached.
//! * [`Vfs`] holds the mounts and does everything that begins with a path.
#![warn(missing_docs)]

mod builder;
mod content;
mod devfs;
mod dir;
mod file;
mod flat;
mod fs;
mod inode;
mod live;
mod lower;
mod mount;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod open;
mod ops;
mod rename;
mod seals;
mod synth;
mod tar_index;
mod tree;
mod types;
mod walk;
mod xattr;

pub use builder::{TreeBuilder, TreeError, TreeLimits};
pub use content::{ChunkId, Content, ContentId, ContentSource, ExternalContent, HostFile, MemorySource, ReadError};
pub use devfs::devfs;
pub use flat::{FlatError, FlatLower, flatten};
pub use fs::{FileSystem, NewNode, SuperBlock};
pub use inode::{Inode, InodeId, InodeRef};
pub use live::{Created, LiveEntry, LiveFile, LiveFs, LiveId, LiveName, LiveStat};
pub use lower::{Lower, LowerId, LowerStat, WalkEntry, Xattrs, resolve, walk};
pub use mount::{Location, Mount, MountFlags, MountInfo, MountRef, PathName, Vfs};
pub use open::OpenFile;
pub use synth::{SynthAttr, SynthDir, SynthFile, SynthLink, SynthNode, synthetic};
pub use tar_index::{TarError, add_layer, index_tar, is_tar};
pub use tree::{Extent, FileTree, NodeKind, TreeLower, TreeNode};
pub use types::{
    Access, Clock, Creds, DirEntry, FileType, FixedClock, Metadata, Name, SetTime, StatFs, Timestamp, makedev,
};
pub use walk::{Found, Last, PathContext};
pub use xattr::XattrFlags;
