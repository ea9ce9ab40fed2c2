//! Every form of an image gives the same files and configuration.

// Not every test program uses all of it.
#[allow(dead_code)]
mod common;

use common::*;
use friscy_image::{Config, Digest, open};
use serde_json::json;
use std::fs;
use std::path::Path;

const BASE: &[(&str, &str)] =
    &[("bin/", ""), ("bin/sh", "shell"), ("etc/a", "1"), ("etc/b", "2"), ("lib -> usr/lib", "")];
const UPPER: &[(&str, &str)] = &[("etc/.wh.a", ""), ("etc/c", "3"), ("lib/x", "4")];
const MERGED: &str =
    "/ /bin/ /bin/sh = shell /etc/ /etc/b = 2 /etc/c = 3 /lib -> usr/lib /usr/ /usr/lib/ /usr/lib/x = 4";

#[test]
fn layouts_and_archives_of_them() {
    let layout = Layout::simple(&[BASE, UPPER]);
    shows(layout.path(), MERGED);
    let archive = layout.archive();
    shows(&file(&archive).path, MERGED);
    shows(&file(&gzip(&archive)).path, MERGED);
    shows(&file(&zstd(&archive)).path, MERGED);
}

#[test]
fn layers_are_compressed_with_anything_whatever_their_media_type() {
    let mut layout = Layout::new();
    let layers = [(gzip(&tar(BASE)), tar(BASE)), (zstd(&tar(UPPER)), tar(UPPER)), (Vec::new(), Vec::new())];
    let image = layout.image("riscv64", &layers, json!({}));
    layout.add(image);
    shows(layout.path(), MERGED);
}

#[test]
fn root_file_systems_and_programs() {
    let text = "/ /bin/ /bin/sh = shell /etc/ /etc/a = 1 /etc/b = 2 /lib -> usr/lib";
    let plain = file(&tar(BASE));
    shows(&plain.path, text);
    shows(&file(&gzip(&tar(BASE))).path, text);
    shows(&file(&zstd(&tar(BASE))).path, text);
    let unpacked = tempfile::tempdir().unwrap();
    tar::Archive::new(fs::File::open(&plain.path).unwrap()).unpack(unpacked.path()).unwrap();
    shows(unpacked.path(), text);
    // Files of a root file system may have the names of an archive's.
    let odd = tar(&[("usr/x", "1"), ("manifest.json", "[]x"), ("index.json", "{}")]);
    shows(&file(&odd).path, "/ /index.json = {} /manifest.json = []x /usr/ /usr/x = 1");
    // A whiteout is a file like any other there.
    shows(&file(&tar(&[(".wh.x", "1")])).path, "/ /.wh.x = 1");

    let program = file(b"\x7fELF and so on");
    let (text, config) = opened(&program.path).unwrap();
    assert_eq!(text, "/\n/image = \x7fELF and so on\n/tmp/\n");
    assert_eq!(config.argv(None, &[b"arg".to_vec()]), [b"/image".to_vec(), b"arg".to_vec()]);
    let image = open(&program.path, &options(None)).unwrap();
    assert!(image.is_program);
    // Its name may be that of a folder that a machine has.
    let sys = program.path.with_file_name("sys");
    fs::rename(&program.path, &sys).unwrap();
    let (text, config) = opened(&sys).unwrap();
    assert_eq!(text, "/\n/bin/\n/bin/sys = \x7fELF and so on\n/tmp/\n");
    assert_eq!(config.argv(None, &[]), [b"/bin/sys".to_vec()]);
}

/// The folders of a `docker save` archive: before version 25, and from then on.
fn docker(layout: &Layout, image: &serde_json::Value, both: bool) -> Vec<u8> {
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(layout.blob_path(image["digest"].as_str().unwrap())).unwrap()).unwrap();
    let hex = |descriptor: &serde_json::Value| descriptor["digest"].as_str().unwrap()[7..].to_owned();
    let blob =
        |descriptor: &serde_json::Value| fs::read_to_string(layout.blob_path(descriptor["digest"].as_str().unwrap()));
    let layers = manifest["layers"].as_array().unwrap();
    let config = hex(&manifest["config"]);
    if both {
        let paths: Vec<String> = layers.iter().map(|layer| format!("blobs/sha256/{}", hex(layer))).collect();
        let list =
            json!([{ "Config": format!("blobs/sha256/{config}"), "RepoTags": ["test:latest"], "Layers": paths }]);
        fs::write(layout.path().join("manifest.json"), list.to_string()).unwrap();
        return layout.archive();
    }
    let mut entries = vec![(format!("{config}.json"), blob(&manifest["config"]).unwrap())];
    let mut paths = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        entries.push((format!("layer{at}/VERSION"), "1.0".into()));
        entries.push((format!("layer{at}/layer.tar"), blob(layer).unwrap()));
        // A layer that occurs again is a link.
        entries.push((format!("again{at}/layer.tar -> ../layer{at}/layer.tar"), String::new()));
        paths.push(format!("again{at}/layer.tar"));
    }
    let list = json!([{ "Config": format!("{config}.json"), "RepoTags": null, "Layers": paths }]);
    entries.push(("manifest.json".into(), list.to_string()));
    let entries: Vec<(&str, &str)> = entries.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    tar(&entries)
}

#[test]
fn docker_save_of_both_ages() {
    let mut layout = Layout::new();
    let config = json!({ "Entrypoint": ["/e"], "Cmd": null, "Env": ["A=1"], "WorkingDir": "/w", "User": "u:g" });
    let image = layout.image("riscv64", &[(tar(BASE), tar(BASE)), (tar(UPPER), tar(UPPER))], config);
    layout.add(image.clone());
    for both in [false, true] {
        let archive = file(&docker(&layout, &image, both));
        shows(&archive.path, MERGED);
        let (_, config) = opened(&archive.path).unwrap();
        let expected = Config {
            entrypoint: vec!["/e".into()],
            cmd: vec![],
            env: vec!["A=1".into()],
            working_dir: "/w".into(),
            user: "u:g".into(),
        };
        assert_eq!(config, expected);
    }
    // An index that names what was not saved does not matter while the manifest is complete.
    let other = json!({ "digest": format!("sha256:{}", "0".repeat(64)), "size": 1 });
    layout.add(other);
    shows(&file(&docker(&layout, &image, true)).path, MERGED);
}

#[test]
fn the_platform_is_chosen() {
    let mut layout = Layout::new();
    let ours = layout.image("riscv64", &[(tar(BASE), tar(BASE))], json!({}));
    let theirs = layout.image("amd64", &[(tar(UPPER), tar(UPPER))], json!({}));
    let attestation = platform(layout.blob(b"{}"), "unknown", "unknown");
    // Nor are signatures.
    let config = with(layout.blob(b"{}"), "mediaType", json!("application/vnd.example.signature+json"));
    let signature = layout.blob(json!({ "config": config, "layers": [] }).to_string().as_bytes());
    layout.add(signature);
    let inner = layout.nested(&[
        platform(theirs.clone(), "linux", "amd64"),
        attestation,
        platform(ours.clone(), "linux", "riscv64"),
    ]);
    let outer = layout.nested(&[inner]);
    layout.add(outer);
    shows(layout.path(), "/ /bin/ /bin/sh = shell /etc/ /etc/a = 1 /etc/b = 2 /lib -> usr/lib");

    let advice = ", and friscy runs linux/riscv64: build it with `docker buildx build --platform linux/riscv64` from a \
                  base image that has riscv64, such as `FROM debian:trixie`";
    let mut layout = Layout::new();
    let arm = with(layout.blob(b"{}"), "platform", json!({ "os": "linux", "architecture": "arm", "variant": "v7" }));
    let index = layout.nested(&[platform(layout.blob(b"{}"), "linux", "amd64"), arm]);
    layout.add(index);
    fails(layout.path(), &format!("it is for linux/amd64, linux/arm/v7{advice}"));
    // Where the index says nothing, the configuration does; what the index says wrongly it puts right.
    for claimed in [false, true] {
        let mut layout = Layout::new();
        let image = layout.image("amd64", &[(tar(BASE), tar(BASE))], json!({}));
        layout.add(if claimed { platform(image, "linux", "riscv64") } else { image });
        fails(layout.path(), &format!("it is for linux/amd64{advice}"));
    }
}

#[test]
fn several_images_are_told_apart_by_name() {
    let mut layout = Layout::new();
    let names = [("1.0", "a"), ("registry.example/test:2.0", "b")];
    for (name, contents) in names {
        let layer = tar(&[("x", contents)]);
        let image = layout.image("riscv64", &[(layer.clone(), layer)], json!({}));
        layout.add(with(image, "annotations", json!({ "org.opencontainers.image.ref.name": name })));
    }
    let archive = file(&layout.archive());
    let complaint = "it holds several images: name one as FILE:NAME, with one of ";
    let error = opened(&archive.path).unwrap_err();
    assert!(error.starts_with(complaint) && error.contains("1.0") && error.contains("test:2.0"), "{error}");
    for path in [layout.path(), archive.path.as_path()] {
        for (name, text) in [("1.0", "/ /x = a"), ("2.0", "/ /x = b"), ("registry.example/test:2.0", "/ /x = b")] {
            shows(Path::new(&format!("{}:{name}", path.display())), text);
        }
    }
    let error = opened(Path::new(&format!("{}:3.0", layout.path().display()))).unwrap_err();
    assert!(error.contains("the image 3.0 (there are: "), "{error}");
}

#[test]
fn digests_of_both_kinds() {
    let mut layout = Layout::new();
    fs::create_dir(layout.path().join("blobs/sha512")).unwrap();
    let layer = tar(BASE);
    let like = Digest::parse(&format!("sha512:{}", "0".repeat(128))).unwrap();
    let image = layout.image("riscv64", &[], json!({}));
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(layout.blob_path(image["digest"].as_str().unwrap())).unwrap()).unwrap();
    let digest = like.same_of(&layer).to_string();
    fs::write(layout.blob_path(&digest), &layer).unwrap();
    let config = json!({ "os": "linux", "architecture": "riscv64", "rootfs": { "diff_ids": [digest] } });
    manifest["config"] = layout.blob(config.to_string().as_bytes());
    manifest["layers"] = json!([{ "digest": digest, "size": layer.len() }]);
    let manifest = layout.blob(manifest.to_string().as_bytes());
    layout.add(manifest);
    shows(layout.path(), "/ /bin/ /bin/sh = shell /etc/ /etc/a = 1 /etc/b = 2 /lib -> usr/lib");
}
