//! What reads the host: mapped files and host folders.
//!
//! Nothing outside this module touches the host. Files and folders that images are read from must not change while they
//! are in use: a mapped file that is cut short makes reading it fail with the host's `SIGBUS`. A [`HostFs`] may change.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "what the native host is reached through")]

mod folder;
mod hostfs;
mod mapped;

pub use folder::Folder;
pub use hostfs::{HostFs, Owner};
pub use mapped::MappedFile;
