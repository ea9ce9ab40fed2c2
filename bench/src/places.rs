//! Where things are.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The optimised friscy: beside this program, or where `FRISCY_PROGRAMS` says.
pub fn friscy() -> Result<PathBuf> {
    let dir = match env::var_os("FRISCY_PROGRAMS") {
        Some(dir) => PathBuf::from(dir),
        None => env::current_exe()?.parent().context("this program is in no folder")?.to_owned(),
    };
    let path = dir.join("friscy");
    if !path.is_file() {
        bail!("{} is not there: `cargo build --release -p friscy` makes it", path.display());
    }
    Ok(path)
}

/// The default root file system as tar and, where tests have unpacked it, as a folder.
pub fn rootfs() -> Option<(PathBuf, Option<PathBuf>)> {
    let tar = match env::var_os("FRISCY_ROOTFS") {
        Some(path) => PathBuf::from(path),
        None => fs::read_dir(workspace().join("target/friscy"))
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "tar"))?,
    };
    let folder = if tar.is_dir() { tar.clone() } else { tar.with_extension("") };
    let folder = folder.is_dir().then_some(folder);
    Some((tar, folder))
}

/// A folder for compiled programs.
pub fn scratch() -> Result<PathBuf> {
    let dir = workspace().join("target/friscy/bench");
    fs::create_dir_all(&dir)?;
    Ok(dir)
}
