//! The image: which kind it is, and the tree of files made of it.

use crate::error::Error;
use friscy_kernel::fs::mount_system;
use friscy_vfs::native::{ImageKind, MappedFile, Rootfs};
use friscy_vfs::{Clock, Creds, FileSystem, FixedClock, PathContext, Vfs};
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
    /// The path of the program, when the image is nothing else.
    pub program: Option<Vec<u8>>,
}

impl Image {
    /// Opens the image at `path` and mounts what every container has.
    ///
    /// # Errors
    /// The path does not exist, cannot be read, or is no image.
    pub fn open(path: &Path) -> Result<Image, Error> {
        let file_clock = Rc::new(FixedClock::default());
        let clock: Rc<dyn Clock> = file_clock.clone();
        let kind = ImageKind::of(path).map_err(|error| Error::host(path, error))?;
        let (root, program) = if kind == ImageKind::Elf {
            let (root, program) = single_program(path, &clock)?;
            (root, Some(program))
        } else {
            let rootfs = Rootfs::from_path(path)?;
            let root = FileSystem::overlay(clock.clone(), Rc::clone(rootfs.lower()))
                .map_err(|errno| Error::Other(format!("{}: {errno}", path.display())))?;
            (root, None)
        };
        let vfs = Rc::new(Vfs::new(clock.clone(), root));
        let devpts = mount_system(&vfs, &clock).map_err(|errno| {
            Error::Other(format!("{}: /proc, /sys and /dev cannot be mounted: {errno}", path.display()))
        })?;
        Ok(Image { vfs, clock: file_clock, devpts, program })
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

    fn root_context(&self) -> PathContext {
        let root = self.vfs.root();
        PathContext { root: root.clone(), cwd: root, creds: Creds::root() }
    }
}

/// A tree with one program in it, at the root, and `/tmp`.
fn single_program(path: &Path, clock: &Rc<dyn Clock>) -> Result<(Rc<FileSystem>, Vec<u8>), Error> {
    use std::os::unix::ffi::OsStrExt;
    let name = path.file_name().map_or(&b"program"[..], |name| name.as_bytes());
    let program = [b"/", name].concat();
    let file = MappedFile::open(path).map_err(|error| Error::host(path, error))?;
    let len = file.bytes().len() as u64;
    let root = FileSystem::tmpfs(Rc::clone(clock), 0o755);
    let made = root
        .add_file(&program, 0o755, Rc::new(file), 0, len)
        .and_then(|_| root.add(b"tmp", friscy_vfs::NewNode::Directory, 0o1777));
    made.map_err(|errno| Error::Other(format!("{}: {errno}", path.display())))?;
    Ok((root, program))
}
