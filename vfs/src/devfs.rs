//! The nodes of `/dev`. What the devices do is the kernel's business: it goes by their numbers.

use crate::fs::{FileSystem, NewNode};
use crate::types::{Clock, makedev};
use friscy_abi::Errno;
use std::rc::Rc;

/// Names, major and minor numbers (Linux: `Documentation/admin-guide/devices.txt`) and permission bits.
const DEVICES: &[(&[u8], u32, u32, u32)] = &[
    (b"null", 1, 3, 0o666),
    (b"zero", 1, 5, 0o666),
    (b"full", 1, 7, 0o666),
    (b"random", 1, 8, 0o666),
    (b"urandom", 1, 9, 0o666),
    (b"tty", 5, 0, 0o666),
    (b"console", 5, 1, 0o620),
    (b"ptmx", 5, 2, 0o666),
];

const LINKS: &[(&[u8], &[u8])] = &[
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
];

/// A file system for `/dev`: devices, the links to `/proc/self/fd`, and the empty directories `pts` and `shm` (1777)
/// to mount on. It can be written to as any tmpfs.
///
/// # Errors
/// None in practice: the names are fixed.
pub fn devfs(clock: Rc<dyn Clock>) -> Result<Rc<FileSystem>, Errno> {
    let fs = FileSystem::in_memory("devtmpfs", clock, 0o755);
    for &(name, major, minor, mode) in DEVICES {
        fs.add(name, NewNode::CharDevice(makedev(major, minor)), mode)?;
    }
    for &(name, target) in LINKS {
        fs.add(name, NewNode::Symlink(target), 0o777)?;
    }
    fs.add(b"pts", NewNode::Directory, 0o755)?;
    fs.add(b"shm", NewNode::Directory, 0o1777)?;
    Ok(fs)
}
