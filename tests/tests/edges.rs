//! Who may know whom: every dependency between crates of the workspace, and no other; and where the host's clock, files,
//! threads and environment may be used.

use friscy_tests::places::workspace;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The edges that are allowed. What a crate does not need, it does not know: an edge that is allowed but not used is
/// taken out here, too.
const ALLOWED: &[(&str, &[&str])] = &[
    ("friscy-isa", &[]),
    ("friscy-fp", &[]),
    ("friscy-lift-ir", &["friscy-isa", "friscy-fp"]),
    ("friscy-seam", &["friscy-lift-ir"]),
    ("friscy-interp", &["friscy-seam", "friscy-lift-ir", "friscy-fp"]),
    ("friscy-jit", &["friscy-seam", "friscy-lift-ir", "friscy-fp"]),
    ("friscy-wasm", &["friscy-seam", "friscy-lift-ir", "friscy-fp"]),
    ("friscy-boundary", &[]),
    ("friscy-cpu", &["friscy-boundary", "friscy-seam", "friscy-lift-ir"]),
    ("friscy-abi", &[]),
    ("friscy-vfs", &["friscy-abi"]),
    ("friscy-kernel", &["friscy-abi", "friscy-boundary", "friscy-vfs"]),
    ("friscy-syscalls", &["friscy-abi", "friscy-boundary", "friscy-kernel", "friscy-vfs"]),
    ("friscy-engine", &["friscy-abi", "friscy-boundary", "friscy-kernel", "friscy-syscalls", "friscy-vfs"]),
    ("friscy-image", &["friscy-vfs"]),
    ("friscy-profile", &["friscy-boundary", "friscy-isa"]),
    ("friscy-aot", &["friscy-lift-ir", "friscy-wasm"]),
    ("friscy-pack", &["friscy-aot", "friscy-image", "friscy-profile", "friscy-vfs", "friscy-wasm"]),
    ("friscy-web-messages", &["friscy-boundary"]),
    (
        "friscy-web-cpu",
        &["friscy-boundary", "friscy-cpu", "friscy-interp", "friscy-seam", "friscy-wasm", "friscy-web-messages"],
    ),
    (
        "friscy-web-kernel",
        &[
            "friscy-boundary",
            "friscy-engine",
            "friscy-isa",
            "friscy-kernel",
            "friscy-pack",
            "friscy-profile",
            "friscy-vfs",
            "friscy-web-messages",
        ],
    ),
    (
        "friscy",
        &[
            "friscy-abi",
            "friscy-aot",
            "friscy-boundary",
            "friscy-cpu",
            "friscy-engine",
            "friscy-image",
            "friscy-interp",
            "friscy-isa",
            "friscy-jit",
            "friscy-kernel",
            "friscy-lift-ir",
            "friscy-pack",
            "friscy-profile",
            "friscy-seam",
            "friscy-syscalls",
            "friscy-vfs",
            "friscy-wasm",
        ],
    ),
    (
        "friscy-fuzz",
        &[
            "friscy-boundary",
            "friscy-cpu",
            "friscy-interp",
            "friscy-isa",
            "friscy-jit",
            "friscy-lift-ir",
            "friscy-seam",
            "friscy-wasm",
        ],
    ),
    (
        "friscy-fuzz-calls",
        &[
            "friscy-abi",
            "friscy-boundary",
            "friscy-cpu",
            "friscy-engine",
            "friscy-fuzz",
            "friscy-interp",
            "friscy-kernel",
            "friscy-seam",
            "friscy-syscalls",
            "friscy-vfs",
        ],
    ),
    (
        "friscy-fuzz-inputs",
        &[
            "friscy-abi",
            "friscy-boundary",
            "friscy-cpu",
            "friscy-engine",
            "friscy-image",
            "friscy-interp",
            "friscy-kernel",
            "friscy-seam",
            "friscy-vfs",
        ],
    ),
    ("friscy-bench", &[]),
    ("friscy-tests", &[]),
    ("xtask", &[]),
];

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(workspace())
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn crates_depend_only_on_what_they_may_know() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, edges)| (*name, edges.iter().copied().collect())).collect();
    assert_eq!(allowed.keys().copied().collect::<BTreeSet<_>>(), names, "the table and the workspace");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let edges: BTreeSet<&str> = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            // Tests may know more.
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|dependency| names.contains(dependency))
            .collect();
        assert_eq!(edges, allowed[name], "{name}");
    }
}

/// Crates that run in the browser as well: they reach the host through ports.
const PORTABLE: [&str; 12] = [
    "aot",
    "lift-ir",
    "tiers/seam",
    "tiers/interp",
    "engine/boundary",
    "engine/cpu",
    "engine/kernel",
    "engine/src",
    "profile",
    "syscalls",
    "vfs",
    "web/messages",
];

/// Modules of those crates that are for native hosts only.
const NATIVE: [&str; 3] = ["engine/cpu/src/native", "engine/src/native.rs", "vfs/src/native"];

/// What only native modules may use.
const BANNED: [&str; 7] =
    ["std::time", "std::fs", "std::thread", "std::env", "std::net", "std::process::", "std::os::"];

#[test]
fn portable_code_does_not_touch_the_host() {
    let root = workspace();
    let mut found = Vec::new();
    for folder in PORTABLE {
        sources(&root.join(folder), &mut |path| {
            let relative = path.strip_prefix(&root).expect("below the root");
            if NATIVE.iter().any(|native| relative.starts_with(native)) {
                return;
            }
            let text = fs::read_to_string(path).expect("a source file");
            // What follows are tests, which run natively.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (at, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if BANNED.iter().any(|banned| code.contains(banned)) {
                    found.push(format!("{}:{}: {}", relative.display(), at + 1, line.trim()));
                }
            }
        });
    }
    let law = fs::read(root.join("portable-clippy.toml")).expect("the file of banned names");
    for folder in PORTABLE {
        let conf = root.join(folder).ancestors().map(|above| above.join("clippy.toml")).find(|file| file.is_file());
        let conf = conf.expect("a clippy.toml above");
        assert!(fs::read(&conf).expect("it can be read") == law, "{folder}: clippy reads {}", conf.display());
    }
    assert!(found.is_empty(), "the host is reached through ports only:\n{}", found.join("\n"));
}

/// Calls `visit` with each Rust source file in the `src` folders below.
fn sources(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "tests" | "benches" | "examples" | "target") {
                sources(&path, visit);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            visit(&path);
        }
    }
}

#[test]
fn the_page_of_system_calls_is_the_tables() {
    let friscy = friscy_tests::places::friscy();
    let output = Command::new(friscy).arg("syscalls").output().expect("friscy");
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = workspace().join("docs/syscalls.md");
    if std::env::var_os("FRISCY_BLESS").is_some() {
        fs::write(&path, &page).expect("docs can be written");
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    assert!(have == page, "docs/syscalls.md is old: `friscy syscalls > docs/syscalls.md` writes it anew");
}
