//! The demonstration: a Debian shell in a browser tab, and in the terminal.

use crate::shell::{cache_dir, cargo, run, step, target_dir};
use crate::{rootfs, setup, web};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Builds the commands with optimisation, and answers the folder they are in.
pub fn build_commands() -> Result<PathBuf> {
    step("building friscy and friscy-pack");
    run(cargo().args(["build", "--release", "-p", "friscy", "-p", "friscy-pack"]))?;
    Ok(target_dir().join("release"))
}

/// Makes everything, packs and serves.
pub fn demo(port: u16, no_serve: bool) -> Result<()> {
    setup::setup(&setup::DEMO)?;
    web::check_node()?;
    let rootfs = rootfs::assemble(rootfs::Set::Default)?;
    let programs = build_commands()?;
    let assets = web::build()?;
    let bundle = cache_dir().join("bundle");
    step("packing");
    run(Command::new(programs.join("friscy-pack")).arg(&rootfs).arg("-o").arg(&bundle).arg("--assets").arg(&assets))?;
    let friscy = programs.join("friscy");
    println!("\nIn this terminal:  {} run {}", friscy.display(), rootfs.display());
    if no_serve {
        println!("In a browser:      {} serve {}", friscy.display(), bundle.display());
        return Ok(());
    }
    println!("In a browser (until ^C):");
    run(Command::new(friscy).arg("serve").arg("--port").arg(port.to_string()).arg(&bundle))
}
