//! Where things are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The optimised command `friscy`.
///
/// # Panics
/// If it was not built.
pub fn friscy() -> PathBuf {
    let programs = match env::var_os("FRISCY_PROGRAMS") {
        Some(dir) => PathBuf::from(dir),
        None => {
            let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
            target.join("release")
        }
    };
    let path = programs.join("friscy");
    assert!(path.is_file(), "{} is not there: `cargo build --release -p friscy` makes it", path.display());
    path
}

/// The root file system that tests run, a tar or a folder.
///
/// # Panics
/// If there is none.
pub fn rootfs() -> PathBuf {
    if let Some(path) = env::var_os("FRISCY_ROOTFS") {
        return path.into();
    }
    let cache = workspace().join("target/friscy");
    let newest = fs::read_dir(&cache)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("debian-")))
        .max_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok());
    newest.expect("no root file system in target/friscy: `cargo xtask rootfs` makes it")
}

/// The same root file system as a folder. A tar is unpacked once, beside it, which root must do.
///
/// # Panics
/// If it cannot be unpacked.
pub fn rootfs_folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let tar = rootfs();
            if tar.is_dir() {
                return tar;
            }
            let folder = tar.with_extension("");
            // The tar's name has a key of its contents, and a folder gets its name when it is complete.
            if folder.is_dir() {
                return folder;
            }
            let unfinished = tar.with_extension(format!("unpacking-{}", std::process::id()));
            fs::create_dir_all(&unfinished).expect("a folder beside the tar");
            let status = Command::new("tar").arg("-C").arg(&unfinished).arg("-xf").arg(&tar).status();
            assert!(status.is_ok_and(|status| status.success()), "{} cannot be unpacked", tar.display());
            if fs::rename(&unfinished, &folder).is_err() {
                // Another test program was faster.
                let _ = fs::remove_dir_all(&unfinished);
            }
            folder
        })
        .clone()
}

/// A file of the web runtime, as `cargo xtask web` builds it.
///
/// # Panics
/// If it was not built.
pub fn web_asset(name: &str) -> PathBuf {
    let assets = env::var_os("FRISCY_WEB_ASSETS").map_or_else(
        || {
            let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
            target.join("web-assets")
        },
        PathBuf::from,
    );
    let path = assets.join(name);
    assert!(path.is_file(), "{} is not there: `cargo xtask web` makes it", path.display());
    path
}
