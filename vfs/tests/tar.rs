//! Tars of all dialects become trees; what has no place in a tree is refused by name.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use friscy_abi::Errno;
use friscy_vfs::native::{Folder, MappedFile};
use friscy_vfs::{
    Extent, FileTree, FileType, FlatLower, Lower, MemorySource, NodeKind, Timestamp, TreeBuilder, TreeError,
    TreeLimits, TreeLower, TreeNode, add_layer, flatten, index_tar, is_tar, makedev, resolve, walk,
};
use proptest::prelude::*;
use std::io::Cursor;
use std::rc::Rc;
use tar::{Builder, EntryType, Header};

fn header(kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(1_000_000);
    header
}

/// Puts a name into a header as it is, with nothing checked.
fn raw_name(header: &mut Header, name: &[u8]) {
    header.as_old_mut().name = [0; 100];
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_cksum();
}

struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Tar {
        Tar(Builder::new(Vec::new()))
    }

    fn file(mut self, name: &str, data: &[u8]) -> Tar {
        self.0.append_data(&mut header(EntryType::Regular, data.len()), name, data).unwrap();
        self
    }

    fn dir(mut self, name: &str, mode: u32) -> Tar {
        let mut header = header(EntryType::Directory, 0);
        header.set_mode(mode);
        self.0.append_data(&mut header, name, &[][..]).unwrap();
        self
    }

    fn link(mut self, kind: EntryType, name: &str, target: &str) -> Tar {
        self.0.append_link(&mut header(kind, 0), name, target).unwrap();
        self
    }

    fn raw(mut self, name: &[u8], kind: EntryType, data: &[u8]) -> Tar {
        let mut header = header(kind, data.len());
        raw_name(&mut header, name);
        self.0.append(&header, data).unwrap();
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    fn tree(self) -> FileTree {
        index_tar(Cursor::new(self.bytes())).unwrap()
    }

    fn error(self) -> String {
        index_tar(Cursor::new(self.bytes())).unwrap_err().to_string()
    }
}

fn node<'a>(tree: &'a FileTree, path: &str) -> &'a TreeNode {
    tree.node(tree.find(path.as_bytes()).unwrap_or_else(|| panic!("{path} is missing"))).unwrap()
}

/// Paths and links of a tree, a line each.
fn show(lower: &dyn Lower) -> String {
    let mut text = String::new();
    walk::<Errno>(lower, &mut |entry| {
        let path = String::from_utf8(entry.path).unwrap();
        text += &format!("/{path} {:?} {:o} {}", entry.stat.file_type, entry.stat.mode, entry.stat.size);
        if !entry.stat.file_type.is_dir() {
            text += &format!(" links {}{}", entry.stat.nlink, if entry.seen { " again" } else { "" });
        }
        if entry.stat.file_type == FileType::Symlink {
            text += &format!(" -> {}", String::from_utf8(lower.read_link(entry.id)?).unwrap());
        }
        if entry.stat.file_type == FileType::Regular {
            let (source, base) = lower.content(entry.id)?;
            let mut data = vec![0; entry.stat.size as usize];
            assert_eq!(source.read_at(base, &mut data).unwrap(), data.len());
            text += &format!(" {:?}", String::from_utf8_lossy(&data));
        }
        text.push('\n');
        Ok(())
    })
    .unwrap();
    text
}

/// The same tree as bytes.
fn flat(tree: &FileTree, contents: &[u8]) -> FlatLower {
    let bytes = [b"before", flatten(tree).as_slice()].concat();
    FlatLower::new(Rc::new(MemorySource(bytes.into())), 6, Rc::new(MemorySource(contents.into()))).unwrap()
}

#[test]
fn contents_stay_where_they_are() {
    let tar = Tar::new()
        .raw(b"/", EntryType::Directory, b"")
        .dir("./", 0o711)
        .dir("./etc/", 0o750)
        .file("./etc/name", b"friscy\n");
    let bytes = tar.bytes();
    let tree = index_tar(Cursor::new(&bytes)).unwrap();
    assert_eq!(node(&tree, "").mode, 0o711);
    assert_eq!(node(&tree, "etc").mode, 0o750);
    let file = node(&tree, "etc/name");
    assert_eq!((file.mode, file.uid, file.gid, file.mtime), (0o644, 7, 8, Timestamp::from_secs(1_000_000)));
    let NodeKind::File(Extent { offset, len }) = file.kind else { panic!("not a file") };
    assert_eq!(&bytes[offset as usize..(offset + len) as usize], b"friscy\n");
}

#[test]
fn directories_are_implied_and_get_their_metadata_later() {
    let tree = Tar::new().file("a/b/c", b"x").dir("a/b", 0o700).tree();
    assert_eq!((node(&tree, "a").mode, node(&tree, "a/b").mode), (0o755, 0o700));
    assert_eq!((node(&tree, "").nlink, node(&tree, "a").nlink, node(&tree, "a/b").nlink), (3, 3, 2));
    assert_eq!(node(&tree, "a/b/c").nlink, 1);
}

#[test]
fn long_names_in_both_dialects() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let gnu = Tar::new().file(&long, b"gnu").link(EntryType::Symlink, "link", &long).tree();
    assert_eq!(node(&gnu, &long).nlink, 1);
    assert_eq!(node(&gnu, "link").kind, NodeKind::Symlink(long.clone().into_bytes()));

    let mut pax = Builder::new(Vec::new());
    let records: [(&str, &[u8]); 4] = [
        ("path", long.as_bytes()),
        ("mtime", b"1700000000.25"),
        ("uid", b"3000000"),
        ("SCHILY.xattr.user.note", b"kept"),
    ];
    pax.append_pax_extensions(records).unwrap();
    let mut head = header(EntryType::Regular, 3);
    raw_name(&mut head, b"short");
    pax.append(&head, &b"pax"[..]).unwrap();
    let tree = index_tar(Cursor::new(pax.into_inner().unwrap())).unwrap();
    let file = node(&tree, &long);
    assert_eq!(file.mtime, Timestamp { sec: 1_700_000_000, nsec: 250_000_000 });
    assert_eq!((file.uid, file.gid), (3_000_000, 8));
    assert_eq!(file.xattrs, [(b"user.note".to_vec(), b"kept".to_vec())]);
}

#[test]
fn hard_links_come_in_any_order() {
    // A link to a later file, one through another link, and one to an earlier file.
    let tree = Tar::new()
        .link(EntryType::Link, "bin/sh", "bin/box")
        .link(EntryType::Link, "bin/ash", "./bin/sh")
        .file("bin/box", b"box")
        .link(EntryType::Link, "usr/box", "bin/box")
        .tree();
    let index = tree.find(b"bin/box");
    for name in [&b"bin/sh"[..], b"bin/ash", b"usr/box"] {
        assert_eq!(tree.find(name), index);
    }
    assert_eq!(node(&tree, "bin/box").nlink, 4);
    let error = Tar::new().link(EntryType::Link, "x", "nowhere").error();
    assert_eq!(error, r#"entry "x": hard link to "nowhere", which is not in the archive"#);
    let error = Tar::new().dir("d", 0o755).link(EntryType::Link, "x", "d").error();
    assert_eq!(error, r#"entry "x": hard link to the directory "d""#);
}

#[test]
fn later_entries_replace_earlier_ones() {
    let tree = Tar::new()
        .file("a", b"old")
        .file("a", b"newer")
        .link(EntryType::Symlink, "bin", "usr/bin")
        .dir("bin", 0o755)
        .file("bin/x", b"")
        .dir("d/e", 0o755)
        .file("d", b"")
        .tree();
    assert!(matches!(node(&tree, "a").kind, NodeKind::File(Extent { len: 5, .. })));
    assert!(tree.find(b"bin/x").is_some());
    assert!(matches!(node(&tree, "d").kind, NodeKind::File(_)));
    // A directory again keeps what is in it; a file is no directory.
    let tree = Tar::new().file("a/b", b"").dir("a", 0o700).tree();
    assert!(tree.find(b"a/b").is_some());
    assert_eq!(Tar::new().file("a", b"").file("a/b", b"").error(), r#"entry "a/b": "a" is not a directory"#);
}

#[test]
fn devices_and_pipes() {
    let mut builder = Builder::new(Vec::new());
    for (name, kind) in [("null", EntryType::Char), ("loop", EntryType::Block), ("pipe", EntryType::Fifo)] {
        let mut head = header(kind, 0);
        head.set_device_major(1).unwrap();
        head.set_device_minor(300).unwrap();
        builder.append_data(&mut head, name, &[][..]).unwrap();
    }
    let tree = index_tar(Cursor::new(builder.into_inner().unwrap())).unwrap();
    assert_eq!(node(&tree, "null").kind, NodeKind::CharDevice(makedev(1, 300)));
    assert_eq!(node(&tree, "loop").kind, NodeKind::BlockDevice(makedev(1, 300)));
    assert_eq!(node(&tree, "pipe").kind, NodeKind::Fifo);
}

#[test]
fn hostile_names_are_refused_by_name() {
    let raw = |name: &[u8]| Tar::new().raw(name, EntryType::Regular, b"").error();
    assert_eq!(raw(b"../up"), r#"entry "../up": the name is not a path below the root (it holds `..`)"#);
    assert_eq!(raw(b"a/../b"), r#"entry "a/../b": the name is not a path below the root (it holds `..`)"#);
    assert_eq!(raw(b"/etc/passwd"), r#"entry "/etc/passwd": the name is not a path below the root (it is absolute)"#);
    let error = Tar::new().file("a", b"").link(EntryType::Link, "b", "../a").error();
    assert_eq!(error, r#"entry "b": the name is not a path below the root (it holds `..`)"#);
    let long = "x".repeat(256);
    assert!(Tar::new().file(&long, b"").error().ends_with("(a part is too long or holds a NUL)"));
}

#[test]
fn damage_is_named() {
    let bytes = Tar::new().file("first", b"1").file("second", &[b'2'; 2000]).bytes();
    let error = index_tar(Cursor::new(&bytes[..2000])).unwrap_err().to_string();
    assert_eq!(error, r#"after entry "second": the archive is cut short"#);
    let mut bad = bytes.clone();
    bad[1024 + 10] ^= 1;
    let error = index_tar(Cursor::new(&bad)).unwrap_err().to_string();
    assert!(error.starts_with(r#"after entry "first": "#), "{error}");
    let mut head = header(EntryType::GNUSparse, 0);
    head.as_gnu_mut().unwrap().realsize = *b"00000000000\0";
    raw_name(&mut head, b"holes");
    let mut builder = Builder::new(Vec::new());
    builder.append(&head, &[][..]).unwrap();
    let error = index_tar(Cursor::new(builder.into_inner().unwrap())).unwrap_err().to_string();
    assert_eq!(error, r#"entry "holes": sparse files are not supported"#);
    // Blank numbers are none that were damaged.
    let mut blank = Header::new_old();
    blank.set_mode(0o600);
    blank.set_size(0);
    raw_name(&mut blank, b"blank");
    let mut builder = Builder::new(Vec::new());
    builder.append(&blank, &[][..]).unwrap();
    let tree = index_tar(Cursor::new(builder.into_inner().unwrap())).unwrap();
    assert_eq!((node(&tree, "blank").mode, node(&tree, "blank").uid), (0o600, 0));
}

#[test]
fn the_tree_builder_refuses_what_a_tar_may_not_hold() {
    let mut builder = TreeBuilder::new();
    let file = TreeNode::new(NodeKind::Fifo, 0o600);
    assert_eq!(builder.insert(b".", file.clone()), Err(TreeError::BadName("it is empty")));
    assert_eq!(builder.insert(b"a/./b//c", file), Ok(()));
    assert!(builder.finish().find(b"a/b/c").is_some());
}

#[test]
fn a_tar_and_the_folder_it_unpacks_to_are_the_same_tree() {
    let bytes = Tar::new()
        .dir("./", 0o755)
        .dir("bin", 0o755)
        .file("bin/box", b"contents")
        .link(EntryType::Link, "bin/sh", "bin/box")
        .link(EntryType::Symlink, "sh", "/bin/sh")
        .file("var/big", &vec![b'x'; 100_000])
        .bytes();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.tar");
    std::fs::write(&path, &bytes).unwrap();
    let unpacked = dir.path().join("root");
    tar::Archive::new(Cursor::new(&bytes)).unpack(&unpacked).unwrap();
    // The crate does not set these.
    for made in ["", "bin", "var"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(unpacked.join(made), mode).unwrap();
    }
    let tree = Rc::new(index_tar(Cursor::new(&bytes)).unwrap());
    let text = show(&TreeLower::new(Rc::clone(&tree), Rc::new(MappedFile::open(&path).unwrap())));
    assert_eq!(text, show(&Folder::open(&unpacked).unwrap()));
    assert_eq!(text, show(&flat(&tree, &bytes)));
    assert!(text.starts_with("/ Directory 755 0\n/bin Directory 755 0\n/bin/box Regular 644 8 links 2 \"contents\"\n"));
    assert!(text.contains("/bin/sh Regular 644 8 links 2 again"));
    assert!(text.contains("/sh Symlink 777 7 links 1 -> /bin/sh\n"));
}

#[test]
fn a_folder_is_never_left() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("root");
    std::fs::create_dir(&top).unwrap();
    std::fs::write(dir.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink(dir.path(), top.join("out")).unwrap();
    let folder = Folder::open(&top).unwrap();
    let out = folder.lookup(folder.root(), b"out").unwrap().unwrap();
    assert_eq!(folder.stat(out).unwrap().file_type, FileType::Symlink);
    assert_eq!(folder.lookup(out, b"secret"), Err(Errno::ENOTDIR));
    assert_eq!(folder.list(out).unwrap_err(), Errno::ENOTDIR);
    // A directory that turns into a link while it is in use is not followed either.
    std::fs::create_dir(top.join("d")).unwrap();
    let d = folder.lookup(folder.root(), b"d").unwrap().unwrap();
    std::fs::remove_dir(top.join("d")).unwrap();
    std::os::unix::fs::symlink(dir.path(), top.join("d")).unwrap();
    assert_eq!(folder.lookup(d, b"secret"), Err(Errno::ENOTDIR));
    // Nor is a file.
    std::fs::write(top.join("f"), "mine").unwrap();
    let f = folder.lookup(folder.root(), b"f").unwrap().unwrap();
    std::fs::remove_file(top.join("f")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), top.join("f")).unwrap();
    let (source, base) = folder.content(f).unwrap();
    assert_eq!(source.read_at(base, &mut [0; 4]), Err(Errno::ELOOP.into()));
}

/// Puts layers on one another and shows the result.
fn layered(layers: Vec<Tar>) -> String {
    let mut builder = TreeBuilder::new();
    let mut contents = Vec::new();
    for layer in layers {
        let bytes = layer.bytes();
        add_layer(&mut builder, Cursor::new(&bytes), contents.len() as u64).unwrap();
        contents.extend(bytes);
    }
    let tree = Rc::new(builder.finish());
    let text = show(&TreeLower::new(Rc::clone(&tree), Rc::new(MemorySource(contents.as_slice().into()))));
    assert_eq!(text, show(&flat(&tree, &contents)));
    text
}

#[test]
fn whiteouts_hide_what_is_below_and_nothing_else() {
    let base = || {
        Tar::new().dir("d", 0o700).file("d/a", b"a").file("d/b", b"b").dir("e/f", 0o755).file("e/f/g", b"g").link(
            EntryType::Link,
            "again",
            "e/f/g",
        )
    };
    let names = |text: String| -> String {
        text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned() + " ").collect()
    };
    let over = |layer: Tar| names(layered(vec![base(), layer]));
    assert_eq!(over(Tar::new()), "/ /again /d /d/a /d/b /e /e/f /e/f/g ");
    assert_eq!(over(Tar::new().file("d/.wh.a", b"")), "/ /again /d /d/b /e /e/f /e/f/g ");
    assert_eq!(over(Tar::new().file(".wh.e", b"").file("d/.wh.none", b"")), "/ /again /d /d/a /d/b ");
    assert_eq!(over(Tar::new().file("d/.wh..wh..opq", b"")), "/ /again /d /e /e/f /e/f/g ");
    assert_eq!(over(Tar::new().file(".wh..wh..opq", b"")), "/ ");
    // What a layer adds stays, whether it comes before or after the whiteout.
    for first in [true, false] {
        let opaque = |tar: Tar| tar.file("d/.wh..wh..opq", b"").file("e/.wh.f", b"");
        let adds = |tar: Tar| tar.file("d/c", b"c").file("e/f/h", b"h").file("d/a", b"new");
        let layer = if first { adds(opaque(Tar::new())) } else { opaque(adds(Tar::new())) };
        let text = layered(vec![base(), layer]);
        assert!(text.contains("/d/a Regular 644 3 links 1 \"new\""), "{text}");
        assert_eq!(names(text), "/ /again /d /d/a /d/c /e /e/f /e/f/h ");
    }
    // A hard link's other name keeps the file, and the count is right.
    assert!(layered(vec![base(), Tar::new().file(".wh.e", b"")]).contains("/again Regular 644 1 links 1 \"g\""));
    // What aufs kept for itself is no file.
    assert_eq!(over(Tar::new().dir(".wh..wh.plnk", 0o755).file(".wh..wh.plnk/12.34", b"")), over(Tar::new()));
    let mut builder = TreeBuilder::new();
    let bad = Tar::new().raw(b"d/.wh...", EntryType::Regular, b"").bytes();
    let error = add_layer(&mut builder, Cursor::new(bad), 0).unwrap_err().to_string();
    assert_eq!(error, r#"entry "d/.wh...": the name is not a path below the root (it holds `..`)"#);
}

#[test]
fn links_on_the_way_are_followed_inside_the_tree() {
    let base = || Tar::new().dir("usr/lib", 0o755).link(EntryType::Symlink, "lib", "usr/lib");
    let text = layered(vec![base(), Tar::new().file("lib/x", b"x")]);
    assert!(text.contains("/usr/lib/x Regular") && text.contains("/lib Symlink"), "{text}");
    let text = layered(vec![base(), Tar::new().file("lib/x", b"x"), Tar::new().file("lib/.wh.x", b"")]);
    assert!(!text.contains("/x "), "{text}");
    // Out of the root is the root.
    for target in ["../../..", "/", "/../usr/.."] {
        let text = layered(vec![Tar::new().link(EntryType::Symlink, "up", target), Tar::new().file("up/etc/x", b"x")]);
        assert!(text.contains("/etc/x Regular"), "{text}");
    }
    // One that leads to itself leads nowhere.
    let looped = Tar::new().link(EntryType::Symlink, "l", "l/m").file("l/x", b"");
    assert_eq!(looped.error(), r#"entry "l/x": "l" is not a directory"#);
    // A directory takes the place of a link.
    let text = layered(vec![base(), Tar::new().dir("lib", 0o711)]);
    assert!(text.contains("/lib Directory 711"), "{text}");
}

#[test]
fn paths_are_resolved_as_in_a_chroot() {
    let tar = Tar::new().file("usr/bin/x", b"").link(EntryType::Symlink, "bin", "../usr/./bin").link(
        EntryType::Symlink,
        "l",
        "l",
    );
    let bytes = tar.bytes();
    let tree = index_tar(Cursor::new(&bytes)).unwrap();
    let lower = flat(&tree, &bytes);
    let there = resolve(&lower, b"/usr/bin/x");
    assert!(there.is_some());
    assert_eq!(resolve(&lower, b"bin/../bin/x"), there);
    assert_eq!(resolve(&lower, b"l"), None);
    assert_eq!(resolve(&lower, b"bin/y"), None);
}

#[test]
fn a_tree_has_limits() {
    let limits = TreeLimits { nodes: 3, bytes: 1000 };
    let error = |tar: Tar| {
        add_layer(&mut TreeBuilder::with_limits(limits), Cursor::new(tar.bytes()), 0).unwrap_err().to_string()
    };
    let many = Tar::new().file("a", b"").file("b", b"").file("c", b"");
    assert_eq!(error(many), r#"entry "c": more than 3 files and directories"#);
    let long = Tar::new().link(EntryType::Symlink, "a", &"x".repeat(1000));
    assert_eq!(error(long), r#"entry "a": names and attributes of more than 1000 bytes"#);
    let deep = Tar::new().file(&"d/".repeat(2100), b"");
    assert_eq!(
        index_tar(Cursor::new(deep.bytes())).unwrap_err().to_string().rsplit(": ").next(),
        Some("the name is not a path below the root (it is longer than 4095 bytes)")
    );
    // A name of 5 MiB is not read into memory.
    let mut head = header(EntryType::GNULongName, 5 << 20);
    raw_name(&mut head, b"././@LongLink");
    let mut builder = Builder::new(Vec::new());
    builder.append(&head, &vec![b'x'; 5 << 20][..]).unwrap();
    let error = index_tar(Cursor::new(builder.into_inner().unwrap())).unwrap_err().to_string();
    assert_eq!(error, r#"after entry "": a name or an extended header is longer than 4 MiB"#);
    // A chain of links in the worst order takes no time that grows with its square.
    let mut chain = Tar::new();
    for at in 0..20_000 {
        chain = chain.link(EntryType::Link, &format!("l{at}"), &format!("l{}", at + 1));
    }
    let tree = chain.file("l20000", b"").tree();
    assert_eq!(node(&tree, "l0").nlink, 20_001);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_tar_panics_and_no_bytes_are_trusted(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        tree_changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let long = "n/".repeat(120);
        let good = Tar::new().dir("d", 0o755).file(&long, b"1").file("d/.wh.x", b"").link(EntryType::Link, "h", "d/f")
            .file("d/f", &[7; 700]).link(EntryType::Symlink, "s", "d").file("s/t", b"t").bytes();
        let mut bytes = good.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            // The checksum of the header is set right, or only it would ever be looked at.
            bytes[at] = byte;
            let block = at / 512 * 512;
            if let Some(header) = bytes.get_mut(block..block + 512) {
                let mut fixed = Header::from_byte_slice(header).clone();
                fixed.set_cksum();
                header.copy_from_slice(fixed.as_bytes());
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = is_tar(&bytes);
        let mut builder = TreeBuilder::new();
        let _ = add_layer(&mut builder, Cursor::new(&bytes), 0);
        let _ = flatten(&builder.finish());

        let mut flattened = flatten(&index_tar(Cursor::new(&good)).unwrap());
        for (at, byte) in tree_changes {
            let at = at.index(flattened.len());
            flattened[at] = byte;
        }
        let source = Rc::new(MemorySource(good.as_slice().into()));
        if let Ok(lower) = FlatLower::new(Rc::new(MemorySource(flattened.into())), 0, source) {
            for id in 0..20 {
                let id = friscy_vfs::LowerId(id);
                let _ = (lower.stat(id), lower.list(id), lower.lookup(id, b"f"), lower.xattrs(id));
                let _ = (lower.read_link(id), lower.content(id).is_ok());
            }
        }
    }
}
