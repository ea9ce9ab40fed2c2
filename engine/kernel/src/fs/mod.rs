//! Generated file systems: /proc, /sys, /dev/pts. They are looked at through the vfs, which knows no kernel: while it
//! works on the kernel's behalf, the kernel is in scope for them.

mod node;
mod proc_maps;
mod proc_pid;
mod proc_root;
mod proc_state;
mod sys;
mod writes;

pub use proc_root::{RELEASE, VERSION, used_memory};
pub use writes::ProcWrite;

use crate::{Kernel, Pid};
use friscy_abi::Errno;
use friscy_abi::layout::makedev;
use friscy_abi::stat::{PROC_SUPER_MAGIC, SYSFS_MAGIC};
use friscy_vfs::{Clock, Creds, FileSystem, Location, MountFlags, NewNode, PathContext, Vfs, devfs, synthetic};
use std::rc::Rc;

scoped_tls::scoped_thread_local!(static KERNEL: Kernel);

/// Runs with the kernel that is in scope.
///
/// # Errors
/// `EIO` when none is: a generated file is used outside a system call.
fn with_kernel<R>(act: impl FnOnce(&Kernel) -> Result<R, Errno>) -> Result<R, Errno> {
    if KERNEL.is_set() { KERNEL.with(act) } else { Err(Errno::EIO) }
}

impl Kernel {
    /// Runs `act`, during which generated files can be looked at.
    pub fn in_scope<R>(&self, act: impl FnOnce() -> R) -> R {
        KERNEL.set(self, act)
    }

    /// The process that /proc/self is.
    pub(crate) fn current_pid(&self) -> Pid {
        self.tasks.get(&self.drivers.current.get()).map_or(0, |task| task.tgid)
    }
}

fn directory(vfs: &Vfs, context: &PathContext, path: &[u8], mode: u32) -> Result<Location, Errno> {
    match vfs.resolve(context, &context.root, path, true, 0) {
        Err(Errno::ENOENT) => vfs.mkdir(context, &context.root, path, mode),
        found => found,
    }
}

/// Mounts /proc, /sys, /dev, /dev/pts and /dev/shm as a container has them, making the mount points that the image
/// lacks. The answer is the file system of /dev/pts, for [`crate::files::Drivers::devpts`].
///
/// # Errors
/// `ENOTDIR` when the image has something else in a mount point's place.
pub fn mount_system(vfs: &Vfs, clock: &Rc<dyn Clock>) -> Result<Rc<FileSystem>, Errno> {
    let root = vfs.root();
    let context = PathContext { root: root.clone(), cwd: root, creds: Creds::root() };
    let secure = MountFlags { no_suid: true, no_dev: true, no_exec: true, ..MountFlags::default() };
    let proc = synthetic(clock.clone(), "proc", PROC_SUPER_MAGIC, Rc::new(proc_root::Root));
    vfs.mount(&directory(vfs, &context, b"/proc", 0o555)?, proc, b"proc", secure)?;
    let sysfs = synthetic(clock.clone(), "sysfs", SYSFS_MAGIC, Rc::new(sys::root()));
    vfs.mount(&directory(vfs, &context, b"/sys", 0o555)?, sysfs, b"sysfs", MountFlags { read_only: true, ..secure })?;
    let dev = devfs(clock.clone())?;
    let no_suid = MountFlags { no_suid: true, ..MountFlags::default() };
    vfs.mount(&directory(vfs, &context, b"/dev", 0o755)?, dev, b"tmpfs", no_suid)?;
    let pts = FileSystem::tmpfs(clock.clone(), 0o755);
    pts.add(b"ptmx", NewNode::CharDevice(makedev(5, 2)), 0o666)?;
    let at = directory(vfs, &context, b"/dev/pts", 0o755)?;
    vfs.mount(&at, pts.clone(), b"devpts", MountFlags { no_suid: true, no_exec: true, ..MountFlags::default() })?;
    let shm = FileSystem::tmpfs(clock.clone(), 0o1777);
    vfs.mount(&directory(vfs, &context, b"/dev/shm", 0o1777)?, shm, b"shm", secure)?;
    Ok(pts)
}
