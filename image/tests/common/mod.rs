//! Images made by hand: layers as tars, layouts as folders, archives of them.

use flate2::Compression;
use flate2::write::GzEncoder;
use friscy_image::{Cache, Config, Digest, Image, Limits, Options, open};
use friscy_vfs::{FileType, Lower, walk};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// A tar of files, as `(name, contents)`; a name that ends with `/` is a directory, `name -> target` a symbolic link.
pub fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, contents) in entries {
        let mut header = Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(0);
        if let Some((name, target)) = name.split_once(" -> ") {
            header.set_entry_type(EntryType::Symlink);
            builder.append_link(&mut header, name, target).unwrap();
        } else if name.ends_with('/') {
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, name, &[][..]).unwrap();
        } else {
            header.set_size(contents.len() as u64);
            builder.append_data(&mut header, name, contents.as_bytes()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// An OCI layout that is being made.
pub struct Layout {
    pub dir: tempfile::TempDir,
    manifests: Vec<Value>,
}

impl Layout {
    pub fn new() -> Layout {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Layout { dir, manifests: Vec::new() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a blob and answers what refers to it.
    pub fn blob(&self, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(self.blob_path(&digest.to_string()), bytes).unwrap();
        json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.to_string(), "size": bytes.len() })
    }

    pub fn blob_path(&self, digest: &str) -> PathBuf {
        self.path().join("blobs").join(digest.replace(':', "/"))
    }

    /// Writes an image: `layers` as they are stored and as tars.
    pub fn image(&self, architecture: &str, layers: &[(Vec<u8>, Vec<u8>)], config: Value) -> Value {
        let diff_ids: Vec<String> = layers.iter().map(|(_, tar)| Digest::of(tar).to_string()).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.blob(&serde_json::to_vec(&config).unwrap());
        let layers: Vec<Value> = layers.iter().map(|(stored, _)| self.blob(stored)).collect();
        self.blob(&serde_json::to_vec(&json!({ "schemaVersion": 2, "config": config, "layers": layers })).unwrap())
    }

    /// Writes an index of these.
    pub fn nested(&self, manifests: &[Value]) -> Value {
        self.blob(&serde_json::to_vec(&json!({ "schemaVersion": 2, "manifests": manifests })).unwrap())
    }

    /// Adds something to `index.json`.
    pub fn add(&mut self, manifest: Value) -> &mut Layout {
        self.manifests.push(manifest);
        let index = json!({ "schemaVersion": 2, "manifests": self.manifests });
        fs::write(self.path().join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
        self
    }

    /// One image for riscv64 whose layers are not compressed.
    pub fn simple(layers: &[&[(&str, &str)]]) -> Layout {
        let layers: Vec<_> = layers.iter().map(|layer| (tar(layer), tar(layer))).collect();
        let mut layout = Layout::new();
        let image = layout.image("riscv64", &layers, json!({}));
        layout.add(image);
        layout
    }

    /// The layout as a tar.
    pub fn archive(&self) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        builder.append_dir_all("", self.path()).unwrap();
        builder.into_inner().unwrap()
    }
}

/// Adds to a descriptor for whom it is, or how it is called.
pub fn with(mut descriptor: Value, key: &str, value: Value) -> Value {
    descriptor[key] = value;
    descriptor
}

pub fn platform(descriptor: Value, os: &str, architecture: &str) -> Value {
    with(descriptor, "platform", json!({ "os": os, "architecture": architecture }))
}

/// A file with these contents.
pub struct Temporary {
    _dir: tempfile::TempDir,
    pub path: PathBuf,
}

pub fn file(bytes: &[u8]) -> Temporary {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    fs::write(&path, bytes).unwrap();
    // What changed a moment ago is not remembered.
    std::thread::sleep(std::time::Duration::from_millis(60));
    Temporary { _dir: dir, path }
}

pub fn options(cache: Option<&Path>) -> Options {
    let cache = cache.map(|dir| Cache::at(dir, 1 << 30));
    let limits = Limits { always: 1 << 20, ratio: 100, never: 1 << 24 };
    Options { limits, ..Options::with_cache(cache) }
}

/// Paths of an image, with contents of files and targets of links, a line each.
pub fn show(lower: &dyn Lower) -> String {
    let mut text = String::new();
    walk::<friscy_vfs::ReadError>(lower, &mut |entry| {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        match entry.stat.file_type {
            FileType::Regular => {
                let (source, base) = lower.content(entry.id)?;
                let mut data = vec![0; entry.stat.size as usize];
                assert_eq!(source.read_at(base, &mut data)?, data.len());
                // Small files of a folder are not mapped.
                assert!(source.slice(base, entry.stat.size).is_none_or(|slice| slice == data));
                text += &format!("/{path} = {}\n", String::from_utf8_lossy(&data));
            }
            FileType::Symlink => {
                let target = lower.read_link(entry.id)?;
                text += &format!("/{path} -> {}\n", String::from_utf8_lossy(&target));
            }
            FileType::Directory if path.is_empty() => text += "/\n",
            FileType::Directory => text += &format!("/{path}/\n"),
            other => text += &format!("/{path} {other:?}\n"),
        }
        Ok(())
    })
    .unwrap();
    text
}

/// Opens with and without a cache, the former twice, and answers what all gave.
#[track_caller]
pub fn opened(path: &Path) -> Result<(String, Config), String> {
    let cache = tempfile::tempdir().unwrap();
    let read = |image: Image| (show(&*image.lower), image.config);
    let [plain, first, second] = [None, Some(cache.path()), Some(cache.path())]
        .map(|cache| open(path, &options(cache)).map(read).map_err(|error| error.to_string()));
    assert_eq!(plain, first);
    assert_eq!(first, second);
    if plain.is_err() {
        assert_eq!(leftovers(cache.path()), "");
    }
    let name = path.to_str().unwrap();
    plain.map_err(|error| error.strip_prefix(name).and_then(|error| error.strip_prefix(": ")).unwrap_or(&error).into())
}

/// Files that are not complete.
pub fn leftovers(cache: &Path) -> String {
    let entries = fs::read_dir(cache.join("parts")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned() + " ").collect()
}

#[track_caller]
pub fn shows(path: &Path, expected: &str) {
    let (text, _) = opened(path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ").trim(), expected);
}

#[track_caller]
pub fn fails(path: &Path, expected: &str) {
    assert_eq!(opened(path).map(|(text, _)| text), Err(expected.to_owned()));
}
