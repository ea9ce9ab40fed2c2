//! What is damaged or hostile ends in an error that names it, leaves nothing behind and touches nothing.

// Not every test program uses all of it.
#[allow(dead_code)]
mod common;

use common::*;
use friscy_image::open;
use proptest::prelude::*;
use serde_json::json;
use std::fs;
use tar::{Builder, EntryType, Header};

/// A tar of one entry whose name and link are as given, unchecked.
fn raw(kind: EntryType, name: &str, link: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, &[][..]).unwrap();
    builder.into_inner().unwrap()
}

/// An image with a good layer and this one.
fn layered(stored: Vec<u8>, tar_bytes: Vec<u8>) -> Layout {
    let mut layout = Layout::new();
    let good = tar(&[("bin/sh", "x")]);
    let image = layout.image("riscv64", &[(good.clone(), good), (stored, tar_bytes)], json!({}));
    layout.add(image);
    layout
}

const ADVICE: &str = "friscy does not unpack that: make the archive without it";

#[test]
fn names_that_lead_out_are_refused() {
    let cases = [
        (EntryType::Regular, "../../etc/passwd", "", "the name is not a path below the root (it holds `..`)"),
        (EntryType::Regular, "/etc/passwd", "", "the name is not a path below the root (it is absolute)"),
        (EntryType::Link, "x", "../../etc/shadow", "the name is not a path below the root (it holds `..`)"),
        (EntryType::Link, "x", "/etc/shadow", "the name is not a path below the root (it is absolute)"),
        (EntryType::Regular, "a/.wh...", "", "the name is not a path below the root (it holds `..`)"),
    ];
    for (kind, name, link, what) in cases {
        let bytes = raw(kind, name, link);
        let layout = layered(bytes.clone(), bytes.clone());
        fails(layout.path(), &format!("layer 2 of 2: entry {name:?}: {what}; {ADVICE}"));
        if !name.contains(".wh.") {
            fails(&file(&bytes).path, &format!("entry {name:?}: {what}; {ADVICE}"));
        }
    }
}

#[test]
fn links_out_and_devices_stay_inside() {
    let mut builder = Builder::new(Vec::new());
    let mut link = Header::new_gnu();
    link.set_entry_type(EntryType::Symlink);
    link.set_size(0);
    link.set_mode(0o777);
    builder.append_link(&mut link, "up", "../../../..").unwrap();
    let mut device = Header::new_gnu();
    device.set_entry_type(EntryType::Block);
    device.set_device_major(8).unwrap();
    device.set_size(0);
    device.set_mode(0o666);
    builder.append_data(&mut device, "disk", &[][..]).unwrap();
    let mut header = Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    builder.append_data(&mut header, "up/tmp/escaped", &b"x"[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    shows(
        layered(bytes.clone(), bytes).path(),
        "/ /bin/ /bin/sh = x /disk BlockDevice /tmp/ /tmp/escaped = x /up -> ../../../..",
    );
    assert!(!std::path::Path::new("/tmp/escaped").exists());
}

#[test]
fn bombs_are_not_unpacked() {
    // One MiB of zeros a hundred times, in the test's limits of 1 MiB and a hundredfold.
    let zeros = vec![0; 24 << 20];
    for (name, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        let limit = (bomb.len() as u64 * 100).clamp(1 << 20, 1 << 24);
        let what = format!(
            "it inflates from {} to more than {limit} bytes; friscy does not unpack that: use an image that is smaller",
            bomb.len()
        );
        fails(layered(bomb.clone(), zeros.clone()).path(), &format!("layer 2 of 2: {what}"));
        assert!(bomb.len() * 100 < zeros.len(), "{name}");
        fails(&file(&bomb).path, &what);
    }
}

#[test]
fn damage_is_named() {
    let layout = Layout::simple(&[&[("bin/sh", "shell")], &[("etc/x", "1")]]);
    let archive = layout.archive();
    let inside = archive.windows(12).position(|part| part == b"{\"manifests\"").unwrap() + 5;
    let error = opened(&file(&archive[..inside]).path).unwrap_err();
    assert!(error.starts_with("after entry ") && error.contains("cut short"), "{error}");
    assert!(error.ends_with("; the archive is damaged: write or copy it anew"), "{error}");
    let zipped = gzip(&archive);
    fails(&file(&zipped[..zipped.len() / 2]).path, "the compressed data is cut short; write or copy the image anew");

    // Each blob: changed by a bit, cut by a byte, taken away.
    let mut names: Vec<_> =
        fs::read_dir(layout.path().join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        fs::write(&path, &bad).unwrap();
        let error = opened(layout.path()).unwrap_err();
        assert!(error.contains(": its digest is sha256:") && error.contains("it is damaged"), "{error}");
        fs::write(&path, &good[1..]).unwrap();
        let error = opened(layout.path()).unwrap_err();
        assert!(error.contains("bytes, not ") || error.contains("its digest is"), "{error}");
        fs::remove_file(&path).unwrap();
        let error = opened(layout.path()).unwrap_err();
        assert!(error.ends_with(" is missing; write or copy the image anew"), "{error}");
        fs::write(&path, &good).unwrap();
    }
    shows(layout.path(), "/ /bin/ /bin/sh = shell /etc/ /etc/x = 1");

    // The layer is what the manifest says, but not what the configuration says.
    let error = opened(layered(gzip(b"other"), tar(&[("a", "")])).path()).unwrap_err();
    assert!(error.starts_with("layer 2 of 2, inflated: its digest is sha256:"), "{error}");
    let text = b"no tar at all".to_vec();
    fails(
        layered(text.clone(), text).path(),
        "layer 2 of 2: neither a tar nor one compressed with gzip or zstd; write or copy the image anew",
    );
}

#[test]
fn junk_in_documents() {
    for junk in ["", "{", "[1]", "{\"manifests\": 3}", &"[".repeat(100_000)] {
        let layout = Layout::simple(&[&[("bin/sh", "shell")]]);
        fs::write(layout.path().join("index.json"), junk).unwrap();
        let error = opened(layout.path()).unwrap_err();
        assert!(error.starts_with("index.json: it is not what it should be ("), "{error}");
        let archive = tar(&[("manifest.json", junk)]);
        let error = opened(&file(&archive).path).unwrap_err();
        assert!(error.starts_with("manifest.json: it is not what it should be ("), "{error}");
    }
    let escape = json!([{ "Config": "../../../../etc/passwd", "Layers": ["/etc/shadow"] }]).to_string();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("manifest.json"), escape).unwrap();
    fails(dir.path(), "the configuration ../../../../etc/passwd is missing; write or copy the image anew");
    let mut layout = Layout::new();
    let mut index = layout.nested(&[]);
    for _ in 0..10 {
        index = layout.nested(&[index]);
    }
    layout.add(index);
    fails(layout.path(), "the index: indexes are nested more than 8 deep; write the image anew");
    let mut layout = Layout::new();
    let empty = layout.nested(&[]);
    layout.add(empty);
    fails(layout.path(), "it holds no image");
}

#[test]
fn what_is_no_image_says_so() {
    fails(&file(b"").path, "it is empty");
    fails(&file(b"hello").path, "neither an image archive, a tar or folder of a root file system, nor an ELF file");
    fails(&file(b"BZh91AY").path, "compressed with bzip2; decompress it first");
    fails(&file(&gzip(b"hello")).path, "what is compressed in it is no tar");
    fails(std::path::Path::new("/dev/null"), "neither a file nor a folder");
    let missing = open(std::path::Path::new("/nonexistent"), &options(None)).err().unwrap();
    assert_eq!(missing.to_string(), "/nonexistent: No such file or directory");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn no_archive_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in prop::option::of(any::<prop::sample::Index>()),
        form in 0..3_u8,
    ) {
        let layout = Layout::simple(&[&[("bin/sh", "shell")], &[("etc/.wh.x", "")]]);
        let mut bytes = match form {
            0 => layout.archive(),
            1 => gzip(&layout.archive()),
            _ => tar(&[("bin/sh", "shell"), ("etc/x", "1")]),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        fs::write(&path, &bytes).unwrap();
        if let Ok(image) = open(&path, &options(None)) {
            let _ = show(&*image.lower);
        }
    }
}
