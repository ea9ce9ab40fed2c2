//! The image, and the tree of files made of it.

use crate::error::Error;
use friscy_abi::Errno;
use friscy_image::{Config, Options, Pull};
use friscy_kernel::fs::mount_system;
use friscy_vfs::{Clock, Creds, FileSystem, FixedClock, MountFlags, PathContext, Vfs};
use std::io::IsTerminal;
use std::path::Path;
use std::rc::Rc;

/// The tree of files that a machine starts with.
pub struct Image {
    /// The tree.
    pub vfs: Rc<Vfs>,
    /// What stamps its times.
    pub clock: Rc<FixedClock>,
    /// The file system of /dev/pts.
    pub devpts: Rc<FileSystem>,
    /// What the image says about how it is run.
    pub config: Config,
}

impl Image {
    /// Opens the image at `path` and mounts what every container has.
    ///
    /// # Errors
    /// The path does not exist, cannot be read, or is no image.
    pub fn open(path: &Path, pull: Pull) -> Result<Image, Error> {
        let file_clock = Rc::new(FixedClock::default());
        let clock: Rc<dyn Clock> = file_clock.clone();
        let notify = |what: &str| {
            if std::io::stderr().is_terminal() {
                eprintln!("friscy: {what}");
            }
        };
        let image = friscy_image::open(path, &Options { pull, notify, ..Options::from_env() })?;
        let root = FileSystem::overlay(clock.clone(), image.lower)
            .map_err(|errno| Error::Other(format!("{}: {errno}", path.display())))?;
        let vfs = Rc::new(Vfs::new(clock.clone(), root));
        let devpts = mount_system(&vfs, &clock).map_err(|errno| {
            Error::Other(format!("{}: /proc, /sys and /dev cannot be mounted: {errno}", path.display()))
        })?;
        Ok(Image { vfs, clock: file_clock, devpts, config: image.config })
    }

    /// The whole of a file, or nothing if it cannot be read.
    pub fn read(&self, path: &str) -> Vec<u8> {
        let context = self.root_context();
        let mut bytes = Vec::new();
        let Ok(file) = self.vfs.open(&context, &context.root, path.as_bytes(), friscy_abi::fcntl::O_RDONLY, 0, 0)
        else {
            return bytes;
        };
        let mut part = vec![0; 64 << 10];
        while let Ok(count @ 1..) = file.read_at(bytes.len() as u64, &mut part) {
            bytes.extend_from_slice(&part[..count]);
        }
        bytes
    }

    /// Whether there is anything at a path, symbolic links followed.
    pub fn exists(&self, path: &str) -> bool {
        let context = self.root_context();
        self.vfs.resolve(&context, &context.root, path.as_bytes(), true, 0).is_ok()
    }

    /// Replaces a file's contents, in the writable layer, if its folder exists.
    pub fn write(&self, path: &str, contents: &str) {
        use friscy_abi::fcntl::{O_CREAT, O_TRUNC, O_WRONLY};
        let context = self.root_context();
        // Images without /etc go without these files.
        if let Ok(file) =
            self.vfs.open(&context, &context.root, path.as_bytes(), O_WRONLY | O_CREAT | O_TRUNC, 0o644, 0)
        {
            let _ = file.write_at(&context.creds, 0, contents.as_bytes());
        }
    }

    /// Mounts empty file systems in memory.
    ///
    /// # Errors
    /// A folder that cannot be made or mounted on.
    pub fn mount_tmpfs(&self, dirs: &[String]) -> Result<(), Error> {
        let context = self.root_context();
        for dir in dirs {
            let failed = |errno| Error::Other(format!("--tmpfs {dir}: {errno}"));
            if !dir.starts_with('/') {
                return Err(Error::Other(format!("--tmpfs {dir}: not an absolute path")));
            }
            self.make_dirs(&context, dir).map_err(failed)?;
            let place = self.vfs.resolve(&context, &context.root, dir.as_bytes(), true, 0).map_err(failed)?;
            let clock: Rc<dyn Clock> = self.clock.clone();
            self.vfs
                .mount(&place, FileSystem::tmpfs(clock, 0o1777), b"tmpfs", MountFlags::default())
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Forbids changes of the root file system. What is mounted in it (/dev, /proc, `--tmpfs`) stays as it is.
    pub fn make_read_only(&self) {
        let root = self.vfs.root();
        root.mount().set_flags(MountFlags { read_only: true, ..root.mount().flags() });
    }

    /// Makes a folder and those above it, where they are missing.
    fn make_dirs(&self, context: &PathContext, path: &str) -> Result<(), Errno> {
        for (at, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
            match self.vfs.mkdir(context, &context.root, &path.as_bytes()[..at], 0o755) {
                Ok(_) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn root_context(&self) -> PathContext {
        let root = self.vfs.root();
        PathContext { root: root.clone(), cwd: root, creds: Creds::root() }
    }
}
