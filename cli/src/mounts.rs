//! `-v HOST:GUEST[:ro|rw]`: folders and files of the host in the guest's tree.

use crate::error::Error;
use crate::image::Image;
use friscy_abi::Errno;
use friscy_engine::User;
use friscy_vfs::native::{HostFs, Owner};
use friscy_vfs::{Clock, Creds, FileSystem, Location, MountFlags, PathContext, Vfs};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

/// One `-v`.
#[derive(Debug, PartialEq, Eq)]
struct Volume {
    /// What is mounted.
    host: PathBuf,
    /// The parts of the path where it is mounted; never empty.
    guest: Vec<Vec<u8>>,
    read_only: bool,
}

impl Volume {
    fn parse(text: &OsStr) -> Result<Volume, String> {
        let shown = text.to_string_lossy();
        let wrong =
            |what: &str| format!("-v {shown}: {what}; write -v HOST:GUEST, -v HOST:GUEST:ro or -v HOST:GUEST:rw");
        let parts: Vec<&[u8]> = text.as_bytes().split(|&byte| byte == b':').collect();
        let (host, guest, read_only) = match parts[..] {
            [host, guest] => (host, guest, false),
            [host, guest, b"ro"] => (host, guest, true),
            [host, guest, b"rw"] => (host, guest, false),
            [_, _, option] => return Err(wrong(&format!("option {}: unknown", String::from_utf8_lossy(option)))),
            _ => return Err(wrong("two paths are needed, with a colon between them")),
        };
        if host.is_empty() {
            return Err(wrong("the path on this machine is empty"));
        }
        if guest.first() != Some(&b'/') {
            return Err(wrong("the path in the guest must begin with /"));
        }
        let mut names = Vec::new();
        for name in guest.split(|&byte| byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => {
                    names.pop();
                }
                name => names.push(name.to_vec()),
            }
        }
        if names.is_empty() {
            return Err(wrong("the guest's root cannot be mounted over"));
        }
        Ok(Volume { host: PathBuf::from(OsStr::from_bytes(host)), guest: names, read_only })
    }

    fn guest_path(&self) -> Vec<u8> {
        self.guest.iter().flat_map(|name| [b"/", &name[..]].concat()).collect()
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.guest_path()).into_owned()
    }
}

/// What is to be mounted.
enum Wish<'a> {
    Volume(Volume),
    Tmpfs(&'a String),
}

impl Wish<'_> {
    /// How deep in the tree it is mounted.
    fn depth(&self) -> usize {
        match self {
            Wish::Volume(volume) => volume.guest.len(),
            Wish::Tmpfs(dir) => dir.split('/').filter(|name| !name.is_empty()).count(),
        }
    }
}

/// Mounts what `-v` and `--tmpfs` name, those that others lie in first. `user` is whom friscy's own files appear to
/// belong to.
///
/// # Errors
/// One that is written wrongly, is not there, or cannot be mounted; the error names it.
pub fn mount(image: &Image, volumes: &[OsString], tmpfs: &[String], user: &User) -> Result<(), Error> {
    let mut wishes: Vec<Wish<'_>> = tmpfs.iter().map(Wish::Tmpfs).collect();
    for option in volumes {
        wishes.push(Wish::Volume(Volume::parse(option).map_err(Error::Other)?));
    }
    wishes.sort_by_key(Wish::depth);
    if !volumes.is_empty() {
        allow_descriptors();
    }
    let owner = Owner { uid: user.uid, gid: user.gid };
    let mut taken: Vec<&Volume> = Vec::new();
    for wish in &wishes {
        match wish {
            Wish::Tmpfs(dir) => image.mount_tmpfs(std::slice::from_ref(*dir))?,
            Wish::Volume(volume) => {
                if taken.iter().any(|other| other.guest == volume.guest) {
                    return Err(Error::Other(format!("-v: two are to be mounted at {}", volume.shown())));
                }
                mount_volume(image, volume, owner)?;
                taken.push(volume);
            }
        }
    }
    Ok(())
}

/// Lets friscy have as many descriptors as the host allows it: files that the guest has open on the host are open here.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // With fewer, opening fails earlier.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn mount_volume(image: &Image, volume: &Volume, owner: Owner) -> Result<(), Error> {
    let failed = |errno: Errno| {
        Error::Other(format!("-v: {} cannot be mounted at {}: {errno}", volume.host.display(), volume.shown()))
    };
    let host = HostFs::open(&volume.host, volume.read_only, owner);
    let host = host.map_err(|error| Error::host(&volume.host, error))?;
    let clock: Rc<dyn Clock> = image.clock.clone();
    let fs = FileSystem::live(clock, Rc::new(host)).map_err(failed)?;
    let at = mount_point(&image.vfs, &volume.guest, fs.root().is_dir()).map_err(failed)?;
    let flags = MountFlags { read_only: volume.read_only, no_suid: true, no_dev: true, ..MountFlags::default() };
    image.vfs.mount(&at, fs, volume.host.as_os_str().as_bytes(), flags).map_err(failed)?;
    Ok(())
}

/// The place of a mount: it is made if it is not there, with the folders above it.
fn mount_point(vfs: &Vfs, names: &[Vec<u8>], is_dir: bool) -> Result<Location, Errno> {
    let root = vfs.root();
    let context = PathContext { root: root.clone(), cwd: root.clone(), creds: Creds::root() };
    let mut at = root;
    for (index, name) in names.iter().enumerate() {
        at = match vfs.resolve(&context, &at, name, true, 0) {
            Err(Errno::ENOENT) if is_dir || index + 1 < names.len() => vfs.mkdir(&context, &at, name, 0o755)?,
            Err(Errno::ENOENT) => vfs.mknod(&context, &at, name, 0o644, 0)?,
            found => found?,
        };
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, guest: &str, read_only: bool) {
        let volume = Volume::parse(OsStr::new(text)).unwrap();
        assert_eq!(volume.host, PathBuf::from(host));
        assert_eq!(volume.guest_path(), guest.as_bytes());
        assert_eq!(volume.read_only, read_only);
    }

    #[test]
    fn what_docker_understands() {
        check(".:/work", ".", "/work", false);
        check("/a b:/c:ro", "/a b", "/c", true);
        check("../x:/c/./d//../e/:rw", "../x", "/c/e", false);
        check("f:/../f", "f", "/f", false);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, what) in [
            ("/only", "two paths"),
            (":/x", "empty"),
            ("/x:", "must begin with /"),
            ("/x:relative", "must begin with /"),
            ("/x:/", "root"),
            ("/x:/a/..", "root"),
            ("/x:/y:rx", "rx"),
            ("/x:/y:ro:z", "two paths"),
        ] {
            let error = Volume::parse(OsStr::new(text)).unwrap_err();
            assert!(error.starts_with(&format!("-v {text}: ")) && error.contains(what), "{error}");
        }
    }
}
