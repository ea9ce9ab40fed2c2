//! What holds of every tree of files that was accepted.

use friscy_vfs::{
    Creds, FileSystem, FileType, FixedClock, Lower, LowerStat, PathContext, ReadError, Vfs, Xattrs, resolve, walk,
};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most bytes of a file that are read.
const READ: u64 = 1 << 20;

/// What a tree has at a path: what is known of it, contents or target, attributes.
pub type Shown = BTreeMap<Vec<u8>, (LowerStat, Vec<u8>, Xattrs)>;

/// Reads a tree, from which every path must lead where the walk went.
///
/// # Panics
/// If something of the tree cannot be read, or its parts do not fit together.
pub fn show(lower: &dyn Lower) -> Shown {
    let mut all = Shown::new();
    let mut names: BTreeMap<_, u32> = BTreeMap::new();
    walk::<ReadError>(lower, &mut |entry| {
        let data = match entry.stat.file_type {
            FileType::Regular => {
                let (source, base) = lower.content(entry.id)?;
                let mut data = vec![0; entry.stat.size.min(READ) as usize];
                assert_eq!(source.read_at(base, &mut data)?, data.len(), "contents end early");
                data
            }
            FileType::Symlink => lower.read_link(entry.id)?,
            _ => Vec::new(),
        };
        if !entry.stat.file_type.is_dir() {
            *names.entry((entry.id, entry.stat.nlink)).or_default() += 1;
            assert_eq!(resolve_parent(lower, &entry.path), Some(entry.id), "{:?}", entry.path);
        }
        let xattrs = lower.xattrs(entry.id)?;
        assert!(all.insert(entry.path, (entry.stat, data, xattrs)).is_none(), "a path twice");
        Ok(())
    })
    .expect("the tree can be read");
    for ((id, nlink), count) in names {
        assert_eq!(nlink, count, "names of {id:?}");
    }
    all
}

/// What the last name of a path leads to, in the directory that the rest leads to.
fn resolve_parent(lower: &dyn Lower, path: &[u8]) -> Option<friscy_vfs::LowerId> {
    let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let dir = resolve(lower, &path[..start])?;
    lower.lookup(dir, &path[start..]).ok().flatten()
}

/// Everything of a tree is found in a file system over it, and the files in it can be made, changed and removed.
///
/// # Panics
/// If not.
pub fn use_it(lower: Rc<dyn Lower>, shown: &Shown) {
    let clock = Rc::new(FixedClock::default());
    let fs = FileSystem::overlay(clock.clone(), lower).expect("a file system");
    let vfs = Vfs::new(clock, Rc::clone(&fs));
    let ctx = PathContext { root: vfs.root(), cwd: vfs.root(), creds: Creds::root() };
    let paths = || shown.iter().filter(|(path, _)| !path.is_empty() && path.len() < 4000);
    for (path, (stat, data, _)) in paths() {
        let found = vfs.resolve(&ctx, &ctx.cwd, path, false, 0).expect("a path of the tree");
        let meta = found.metadata();
        assert_eq!((meta.file_type(), meta.mode & 0o7777), (stat.file_type, stat.mode & 0o7777), "{path:?}");
        if stat.file_type == FileType::Regular {
            let mut read = vec![0; data.len()];
            assert_eq!(found.inode().read_at(0, &mut read).ok(), Some(data.len()));
            assert!(read == *data, "contents of {path:?}");
        }
    }
    // Names below a directory are behind it in this order.
    for (path, (stat, ..)) in paths().rev() {
        let gone = match stat.file_type {
            FileType::Directory => vfs.rmdir(&ctx, &ctx.cwd, path),
            _ => vfs.unlink(&ctx, &ctx.cwd, path),
        };
        let long = shown.keys().any(|other| other.len() >= 4000);
        assert!(gone.is_ok() || long, "{path:?} stays: {gone:?}");
    }
    assert_eq!(fs.super_block().used_bytes(), 0, "bytes of files that are gone");
}
