//! Links `friscy` statically and at a fixed address, so that a start neither loads nor relocates anything: of a short
//! program's start to exit, loading the C library and relocating tables of handlers was a fifth.
//!
//! rustc's own switch for this, the target feature `crt-static`, cannot be given to one package, and given to all it
//! forbids procedural macros. What differs is which libraries `-lc` and its like find: here, linker scripts that name
//! the archives.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// The libraries that the standard library asks for, and the archives in their place.
const ARCHIVES: [(&str, &str); 7] = [
    ("gcc_s", "-l:libgcc_eh.a -l:libgcc.a"),
    ("c", "-l:libc.a"),
    ("m", "-l:libm.a"),
    ("rt", "-l:librt.a"),
    ("pthread", "-l:libpthread.a"),
    ("util", "-l:libutil.a"),
    ("dl", "-l:libdl.a"),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let of = |name: &str| env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_OS") != "linux" || of("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    println!("cargo:rustc-link-arg-bins=-no-pie");
    // Without the archives, or where another compiler than the host's links, it stays a dynamic program.
    if of("HOST") == of("TARGET") && ["libc.a", "libgcc_eh.a"].into_iter().all(has) {
        let scripts = Path::new(&of("OUT_DIR")).join("archives");
        if link_scripts(&scripts).is_ok() {
            println!("cargo:rustc-link-arg-bins=-static");
            println!("cargo:rustc-link-arg-bins=-L{}", scripts.display());
        }
    }
}

/// Whether the host's compiler knows where an archive is.
fn has(archive: &str) -> bool {
    let found = Command::new("cc").arg(format!("-print-file-name={archive}")).output();
    found.is_ok_and(|output| {
        let path = String::from_utf8_lossy(&output.stdout);
        let path = Path::new(path.trim());
        path.is_absolute() && path.exists()
    })
}

fn link_scripts(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (library, archives) in ARCHIVES {
        fs::write(folder.join(format!("lib{library}.so")), format!("INPUT({archives})\n"))?;
    }
    Ok(())
}
