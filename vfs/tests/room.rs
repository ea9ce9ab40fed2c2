//! What the guest makes takes room, whatever it is: further names, targets of links, extended attributes.

use friscy_abi::Errno;
use friscy_vfs::{
    Creds, Extent, FileSystem, FixedClock, Location, Lower, MemorySource, NodeKind, PathContext, TreeBuilder,
    TreeLower, TreeNode, Vfs, XattrFlags,
};
use std::rc::Rc;

struct Room {
    fs: Rc<FileSystem>,
    vfs: Vfs,
    ctx: PathContext,
}

impl Room {
    fn over(fs: Rc<FileSystem>) -> Room {
        let vfs = Vfs::new(Rc::new(FixedClock::default()), Rc::clone(&fs));
        let ctx = PathContext { root: vfs.root(), cwd: vfs.root(), creds: Creds::root() };
        Room { fs, vfs, ctx }
    }

    fn tmpfs() -> Room {
        Room::over(FileSystem::tmpfs(Rc::new(FixedClock::default()), 0o755))
    }

    fn at(&self, path: &str) -> Location {
        self.vfs.resolve(&self.ctx, &self.ctx.cwd, path.as_bytes(), false, 0).unwrap()
    }

    fn make(&self, path: &str) -> Result<(), Errno> {
        self.vfs.mknod(&self.ctx, &self.ctx.cwd, path.as_bytes(), 0o100_644, 0).map(drop)
    }

    fn link(&self, old: &str, new: &str) -> Result<(), Errno> {
        self.vfs.link(&self.ctx, &self.at(old), &self.ctx.cwd, new.as_bytes())
    }

    fn unlink(&self, path: &str) {
        self.vfs.unlink(&self.ctx, &self.ctx.cwd, path.as_bytes()).unwrap();
    }

    fn rename(&self, old: &str, new: &str) {
        self.vfs.rename(&self.ctx, &self.ctx.cwd, old.as_bytes(), &self.ctx.cwd, new.as_bytes(), 0).unwrap();
    }

    fn set(&self, path: &str, name: &str, len: usize) -> Result<(), Errno> {
        self.vfs.set_xattr(&self.ctx.creds, &self.at(path), name.as_bytes(), &vec![7; len], XattrFlags::Any)
    }

    fn used(&self) -> u64 {
        self.fs.super_block().used_bytes()
    }

    fn files(&self) -> u64 {
        let told = self.fs.super_block().statfs();
        told.files - told.files_free
    }
}

/// As tmpfs counts them.
#[test]
fn further_names_count_as_files() {
    let room = Room::tmpfs();
    room.fs.set_file_limit(4);
    room.make("a").unwrap();
    room.link("a", "b").unwrap();
    room.link("a", "c").unwrap();
    assert_eq!(room.files(), 4);
    assert_eq!((room.link("a", "d"), room.make("d")), (Err(Errno::ENOSPC), Err(Errno::ENOSPC)));
    // Whichever name goes.
    room.unlink("a");
    assert_eq!(room.files(), 3);
    room.make("d").unwrap();
    assert_eq!(room.link("d", "e"), Err(Errno::ENOSPC));
    room.rename("d", "b");
    assert_eq!(room.files(), 3);
    room.unlink("b");
    room.unlink("c");
    assert_eq!(room.files(), 1);
}

#[test]
fn targets_of_symbolic_links_take_bytes() {
    let room = Room::tmpfs();
    room.fs.set_limit(1000);
    let make = |path: &str, len| room.vfs.symlink(&room.ctx, &vec![b'x'; len], &room.ctx.cwd, path.as_bytes());
    make("a", 900).unwrap();
    assert_eq!((make("b", 101).err(), room.used()), (Some(Errno::ENOSPC), 900));
    make("b", 100).unwrap();
    room.unlink("a");
    assert_eq!(room.used(), 100);
}

#[test]
fn extended_attributes_take_bytes() {
    let room = Room::tmpfs();
    room.fs.set_limit(1000);
    room.make("a").unwrap();
    room.set("a", "user.1", 500).unwrap();
    assert_eq!((room.set("a", "user.2", 489), room.used()), (Err(Errno::ENOSPC), 506));
    room.set("a", "user.2", 488).unwrap();
    room.set("a", "user.1", 0).unwrap();
    assert_eq!(room.used(), 500);
    room.vfs.remove_xattr(&room.ctx.creds, &room.at("a"), b"user.2").unwrap();
    assert_eq!(room.used(), 6);
    room.unlink("a");
    assert_eq!(room.used(), 0);
}

/// What the image brought was never counted, so that it does not count when it goes either.
#[test]
fn what_the_image_has_is_free() {
    let mut builder = TreeBuilder::new();
    let mut file = TreeNode::new(NodeKind::File(Extent { offset: 0, len: 4 }), 0o644);
    file.xattrs = vec![(b"user.old".to_vec(), vec![1; 300])];
    builder.insert(b"a", file).unwrap();
    builder.link(b"b", b"a").unwrap();
    builder.insert(b"s", TreeNode::new(NodeKind::Symlink(vec![b'x'; 50]), 0o777)).unwrap();
    let source = Rc::new(MemorySource(b"data".as_slice().into()));
    let lower: Rc<dyn Lower> = Rc::new(TreeLower::new(Rc::new(builder.finish()), source));
    let room = Room::over(FileSystem::overlay(Rc::new(FixedClock::default()), lower).unwrap());
    let before = room.files();
    room.make("own").unwrap();
    room.link("a", "c").unwrap();
    assert_eq!(room.files(), before + 2);
    room.set("a", "user.old", 10).unwrap();
    assert_eq!(room.used(), 18);
    for path in ["a", "b", "c", "s"] {
        room.unlink(path);
    }
    assert_eq!((room.files(), room.used()), (before + 1, 0));
}
