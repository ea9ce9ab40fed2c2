//! Tars, as root file systems and as layers.

use crate::tree::{show, use_it};
use friscy_vfs::{
    FileTree, FlatLower, LowerId, MemorySource, TreeBuilder, TreeLimits, TreeLower, add_layer, flatten, index_tar,
    is_tar,
};
use std::io::Cursor;
use std::rc::Rc;

/// What the trees may hold.
const LIMITS: TreeLimits = TreeLimits { nodes: 2000, bytes: 1 << 20 };

/// Reads the bytes as a root file system's tar, as one layer, and as two layers of which the second begins in the
/// middle; each tree that comes of it, and its form as bytes, must be whole. Then the bytes are taken for that form.
///
/// # Panics
/// If a tree is not.
pub fn check(bytes: &[u8]) {
    let _ = is_tar(bytes);
    if let Ok(tree) = index_tar(Cursor::new(bytes)) {
        check_tree(&tree, bytes);
    }
    let mut builder = TreeBuilder::with_limits(LIMITS);
    if add_layer(&mut builder, Cursor::new(bytes), 0).is_ok() {
        check_tree(&builder.finish(), bytes);
    }
    let half = bytes.len() / 1024 * 512;
    let mut builder = TreeBuilder::with_limits(LIMITS);
    let both = add_layer(&mut builder, Cursor::new(&bytes[..half]), 0)
        .and_then(|()| add_layer(&mut builder, Cursor::new(&bytes[half..]), half as u64));
    if both.is_ok() {
        check_tree(&builder.finish(), bytes);
    }
    check_flat(bytes);
}

/// The tree, its form as bytes and a file system over it are the same.
fn check_tree(tree: &FileTree, contents: &[u8]) {
    assert!(tree.nodes().len() <= LIMITS.nodes as usize + 1 || contents.len() > 512 * LIMITS.nodes as usize);
    let source = Rc::new(MemorySource(contents.into()));
    let lower = TreeLower::new(Rc::new(tree.clone()), Rc::clone(&source) as _);
    let flat = Rc::new(MemorySource(flatten(tree).into()));
    let flat = FlatLower::new(flat, 0, source).expect("a tree that was written can be read");
    let shown = show(&lower);
    assert!(show(&flat) == shown, "the tree as bytes is another");
    use_it(Rc::new(flat), &shown);
}

/// Trees as bytes are not trusted either: they lie in the cache, and in bundles.
fn check_flat(bytes: &[u8]) {
    let source = Rc::new(MemorySource(bytes.into()));
    let Ok(flat) = FlatLower::new(Rc::clone(&source) as _, 0, source) else { return };
    use friscy_vfs::Lower as _;
    for id in (0..40).map(LowerId) {
        let _ = (flat.stat(id), flat.list(id).map(|names| names.len()), flat.lookup(id, b"f"), flat.xattrs(id));
        let _ = (flat.read_link(id), flat.content(id).is_ok());
    }
}
