//! The web runtime: two wasm instances, and the bundled page and worker.

use crate::setup::{self, Need, WasmToolchain, wasm_toolchain};
use crate::shell::{cargo, run, step, succeeds, target_dir, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// The instances: package, library, and the name the runtime knows it by.
const INSTANCES: [(&str, &str, &str); 2] = [
    ("friscy-web-kernel", "friscy_web_kernel.wasm", "kernel.wasm"),
    ("friscy-web-cpu", "friscy_web_cpu.wasm", "cpu.wasm"),
];

/// Builds everything, and answers the folder, which is where programs that cargo built look for it.
pub fn build() -> Result<PathBuf> {
    setup::setup(&[Need::Node, Need::Wasm])?;
    step("building the wasm instances");
    let wasm_target = workspace().join("target/wasm");
    let mut command = match wasm_toolchain().context("no compiler for wasm32")? {
        WasmToolchain::Rustup => cargo(),
        WasmToolchain::Debian => {
            let mut command = Command::new("/usr/bin/cargo");
            command
                .current_dir(workspace())
                .env("RUSTC", "/usr/bin/rustc")
                // Building the standard library is an unstable option of cargo's.
                .env("RUSTC_BOOTSTRAP", "1")
                .env_remove("CARGO")
                .env_remove("RUSTUP_TOOLCHAIN")
                .arg("-Zbuild-std=std,panic_abort")
                .args(["--config", "target.wasm32-unknown-unknown.linker=\"wasm-ld-19\""]);
            command
        }
    };
    command.args(["build", "--release", "--target", TARGET]).env("CARGO_TARGET_DIR", &wasm_target);
    for (package, _, _) in INSTANCES {
        command.args(["-p", package]);
    }
    run(&mut command)?;
    let web = workspace().join("web");
    step("building the page");
    if !up_to_date(&web) {
        run(Command::new("npm").args(["ci", "--no-fund", "--no-audit"]).current_dir(&web))?;
    }
    let assets = target_dir().join("web-assets");
    fs::create_dir_all(&assets)?;
    run(Command::new("node").arg("page/build.mjs").arg(&assets).current_dir(&web))?;
    for (_, library, name) in INSTANCES {
        let from = wasm_target.join(TARGET).join("release").join(library);
        fs::copy(&from, assets.join(name)).with_context(|| format!("{} is not there", from.display()))?;
    }
    Ok(assets)
}

/// Whether npm installed what the lock file says.
fn up_to_date(web: &std::path::Path) -> bool {
    let modified = |path: &str| fs::metadata(web.join(path)).and_then(|meta| meta.modified()).ok();
    match (modified("package-lock.json"), modified("node_modules/.package-lock.json")) {
        (Some(lock), Some(installed)) => installed >= lock,
        _ => false,
    }
}

/// Fails with a sentence if node is too old.
pub fn check_node() -> Result<()> {
    let test = "process.exit(Number(process.versions.node.split('.')[0]) >= 18 ? 0 : 1)";
    if !succeeds(Command::new("node").args(["-e", test])) {
        bail!("node 18 or later is needed");
    }
    Ok(())
}
