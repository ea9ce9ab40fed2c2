//! Names the version of what makes code: all that its sources are, so that what is kept of another version is told apart.

#![allow(clippy::disallowed_methods, reason = "it runs while friscy is built")]

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Adds every source file below `path`, in order.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| files(entry, found));
    } else {
        found.push(path.to_owned());
    }
}

fn main() {
    let mut hasher = DefaultHasher::new();
    let mut found = Vec::new();
    for place in
        ["src", "build.rs", "../seam/src", "../../lift-ir/src", "../../lift-ir/isa/src", "../../lift-ir/fp/src"]
    {
        println!("cargo::rerun-if-changed={place}");
        files(Path::new(place), &mut found);
    }
    // The code generator's version is in there.
    let lock = "../../Cargo.lock";
    println!("cargo::rerun-if-changed={lock}");
    found.push(lock.into());
    for path in found {
        fs::read(&path).unwrap_or_default().hash(&mut hasher);
    }
    for variable in ["CARGO_PKG_VERSION", "PROFILE", "OPT_LEVEL", "DEBUG"] {
        env::var(variable).unwrap_or_default().hash(&mut hasher);
    }
    println!("cargo::rustc-env=FRISCY_JIT_SOURCES={:016x}", hasher.finish());
}
