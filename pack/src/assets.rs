//! Where the web runtime is: the bundled page and the two wasm instances, as `cargo xtask web` builds them.

use crate::PackError;
use std::env;
use std::path::{Path, PathBuf};

/// Names the folder of the web runtime.
pub const ASSETS_VARIABLE: &str = "FRISCY_WEB_ASSETS";

/// The wasm instances in the folder.
pub const KERNEL: &str = "kernel.wasm";
/// See [`KERNEL`].
pub const CPU: &str = "cpu.wasm";

/// The files that go into a bundle as they are.
pub const PAGE_FILES: [&str; 7] =
    ["index.html", "early.js", "main.js", "worker.js", "page.css", "main.js.LEGAL.txt", "page.css.LEGAL.txt"];

/// Finds the web runtime: the folder `named`, else the one that [`ASSETS_VARIABLE`] names, else `web-assets` beside or
/// above the program (`target/web-assets` for one that cargo built), else `../share/friscy/web`.
///
/// # Errors
/// [`PackError::NoAssets`] with the first file that is missing.
pub fn find(named: Option<&Path>) -> Result<PathBuf, PackError> {
    let mut candidates = Vec::new();
    if let Some(dir) = named {
        candidates.push(dir.to_path_buf());
    } else if let Some(dir) = env::var_os(ASSETS_VARIABLE) {
        candidates.push(dir.into());
    } else if let Ok(program) = env::current_exe() {
        // Tests run from target/debug/deps.
        for dir in program.ancestors().skip(1).take(3) {
            candidates.push(dir.join("web-assets"));
        }
        if let Some(prefix) = program.parent().and_then(Path::parent) {
            candidates.push(prefix.join("share/friscy/web"));
        }
    }
    let mut missing = PAGE_FILES[0];
    for dir in &candidates {
        match PAGE_FILES.into_iter().chain([KERNEL, CPU]).find(|name| !dir.join(name).is_file()) {
            None => return Ok(dir.clone()),
            Some(name) => missing = name,
        }
    }
    let looked_in = candidates.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(PackError::NoAssets { missing, looked_in })
}
