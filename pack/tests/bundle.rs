//! Bundles as a whole: what is written can be read back, twice the same bytes, nothing half done.

use friscy_pack::bundle::{self, Options};
use friscy_pack::entry::{self, Wishes};
use friscy_pack::layout::{CHUNK_BYTES, LONG_CHUNK_BYTES};
use friscy_pack::manifest::{FILES, Index, MANIFEST, Manifest};
use friscy_pack::{PackError, assets, store};
use friscy_vfs::{Extent, Lower, MemorySource, NodeKind, TreeBuilder, TreeLower, TreeNode};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A tree of files with the given contents; directories are implied.
fn image(files: &[(&str, &[u8])]) -> TreeLower {
    let mut builder = TreeBuilder::new();
    let mut data = Vec::new();
    for (path, contents) in files {
        let extent = Extent { offset: data.len() as u64, len: contents.len() as u64 };
        data.extend_from_slice(contents);
        builder.insert(path.as_bytes(), TreeNode::new(NodeKind::File(extent), 0o644)).unwrap();
    }
    TreeLower::new(Rc::new(builder.finish()), Rc::new(MemorySource(data.into())))
}

/// Stands in for the web runtime.
fn fake_assets(dir: &Path) -> PathBuf {
    let dir = dir.join("assets");
    fs::create_dir(&dir).unwrap();
    for name in assets::PAGE_FILES.into_iter().chain([assets::KERNEL, assets::CPU]) {
        fs::write(dir.join(name), name).unwrap();
    }
    dir
}

fn options(lower: &dyn Lower, assets: &Path) -> Options {
    let entry = entry::complete(lower, &Wishes::default()).unwrap();
    Options { name: "test".into(), entry, assets: assets.into(), ahead: None }
}

fn write(lower: &dyn Lower, options: &Options, out: &Path) -> Result<bundle::Summary, PackError> {
    bundle::write(lower, options, out, &mut |_, _, _| {})
}

fn all_files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().chain(fs::read_dir(dir.join(FILES)).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
    found
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut inflated).unwrap();
    inflated
}

#[test]
fn contents_come_back_from_the_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let long: Vec<u8> =
        (0..LONG_CHUNK_BYTES as u32 + 17).map(|i| (i.wrapping_mul(2_654_435_769) >> 24) as u8).collect();
    let files: [(&str, &[u8]); 7] = [
        ("bin/bash", b"#!/bin/true\n"),
        ("bin/true", b"true"),
        ("etc/passwd", b"root:x:0:0:root:/:/bin/bash\n"),
        ("usr/empty", b""),
        ("usr/long", &long),
        ("usr/same", &long),
        ("zz", b"last"),
    ];
    let lower = image(&files);
    let assets = fake_assets(dir.path());
    let out = dir.path().join("out");
    let summary = write(&lower, &options(&lower, &assets), &out).unwrap();
    let written = all_files(&out);
    assert_eq!(summary.files, written.len());
    assert_eq!(summary.bytes, written.values().map(|bytes| bytes.len() as u64).sum::<u64>());

    let manifest: Manifest = serde_json::from_slice(&written[Path::new(MANIFEST)]).unwrap();
    assert_eq!(manifest.entry.argv, ["/bin/bash"]);
    assert_eq!(manifest.first, [0]);
    let read = |file: &friscy_pack::manifest::FileRef| {
        let bytes = &written[&Path::new(FILES).join(file.name())];
        assert_eq!((file.bytes, &file.sha256), (bytes.len() as u64, &store::sha256_hex(bytes)));
        inflate(bytes)
    };
    assert_eq!(read(&manifest.kernel), b"kernel.wasm");
    let index: Index = postcard::from_bytes(&read(&manifest.index)).unwrap();
    let chunks: Vec<Vec<u8>> = manifest.chunks.iter().map(read).collect();
    let mut end = 0;
    for (chunk, &chunk_end) in chunks.iter().zip(&index.chunk_ends) {
        end += chunk.len() as u64;
        assert_eq!(end, chunk_end);
        assert!(chunk.len() as u64 <= LONG_CHUNK_BYTES);
    }
    // Equal files are stored once.
    assert!(end < LONG_CHUNK_BYTES + CHUNK_BYTES);
    let data = chunks.concat();
    for (path, contents) in files {
        let node = index.tree.node(index.tree.find(path.as_bytes()).unwrap()).unwrap();
        let NodeKind::File(extent) = &node.kind else { panic!("{path} is not a file") };
        assert_eq!(&data[extent.offset as usize..][..extent.len as usize], contents, "{path}");
    }
}

#[test]
fn the_same_image_gives_the_same_bytes_in_place_of_the_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let assets = fake_assets(dir.path());
    let lower = image(&[("bin/sh", b"sh"), ("data", &[7; 2_000_000])]);
    let options = options(&lower, &assets);
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    write(&lower, &options, &one).unwrap();
    write(&lower, &options, &two).unwrap();
    assert_eq!(all_files(&one), all_files(&two));

    // An earlier bundle is replaced as a whole.
    let other = image(&[("bin/sh", b"another")]);
    write(&other, &options, &one).unwrap();
    fs::remove_dir_all(&two).unwrap();
    write(&other, &options, &two).unwrap();
    assert_eq!(all_files(&one), all_files(&two));
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let assets = fake_assets(dir.path());
    let lower = image(&[("bin/sh", b"sh")]);
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    // Empty is fine.
    write(&lower, &options(&lower, &assets), &out).unwrap();
    fs::write(out.join(MANIFEST), "{}").unwrap();
    let before = all_files(&out);
    let error = write(&lower, &options(&lower, &assets), &out).unwrap_err();
    assert!(matches!(error, PackError::ForeignOutput(_)), "{error}");
    assert_eq!(all_files(&out), before);
}

#[test]
fn an_error_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let assets = fake_assets(dir.path());
    let lower = image(&[("bin/sh", b"sh")]);
    let options = options(&lower, &assets);
    fs::remove_file(assets.join(assets::CPU)).unwrap();
    let error = write(&lower, &options, &dir.path().join("out")).unwrap_err();
    assert!(error.to_string().contains("cpu.wasm"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let error = assets::find(Some(&assets)).unwrap_err();
    assert!(error.to_string().contains("cpu.wasm"), "{error}");
}

#[test]
fn the_entry_comes_from_the_command_line_and_the_image() {
    let lower = image(&[
        ("bin/sh", b"sh"),
        ("usr/bin/env", b"env"),
        ("home/me/.profile", b""),
        ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nme:x:1000:1001::/home/me:/bin/sh\n"),
        ("etc/group", b"staff:x:50:\n"),
    ]);
    let wishes = Wishes {
        command: vec!["env".into(), "-i".into()],
        env: vec!["TERM=dumb".into(), "A=b=c".into()],
        user: Some("me:staff".into()),
        ..Wishes::default()
    };
    let entry = entry::complete(&lower, &wishes).unwrap();
    assert_eq!(entry.argv, ["/usr/bin/env", "-i"]);
    assert_eq!((entry.uid, entry.gid, entry.cwd.as_str()), (1000, 50, "/home/me"));
    assert_eq!(
        entry.env,
        [
            "HOME=/home/me",
            "HOSTNAME=friscy",
            "LANG=C.UTF-8",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM=dumb",
            "A=b=c",
        ]
    );
    let fails = |wishes: Wishes| entry::complete(&lower, &wishes).unwrap_err().to_string();
    assert_eq!(fails(Wishes { user: Some("you".into()), ..Wishes::default() }), "the image has no user you");
    assert_eq!(
        fails(Wishes { command: vec!["/bin/no".into()], ..Wishes::default() }),
        "/bin/no is not a file in the image"
    );
    assert_eq!(
        fails(Wishes { cwd: Some("/bin/sh".into()), ..Wishes::default() }),
        "/bin/sh is not a directory in the image"
    );
}
