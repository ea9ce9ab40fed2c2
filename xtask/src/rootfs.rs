//! Root file systems: Debian trixie for riscv64, from Debian's packages.
//!
//! `mmdebstrap` fetches packages with apt, which checks signatures, and only unpacks them: no maintainer script runs.
//! What scripts would have made and a shell needs is added here; Python's modules are compiled as its package's script
//! does, by that Python under qemu-user.

mod sets;

pub use self::sets::Set;

use self::sets::Recipe;
use crate::setup::{self, Need, is_root};
use crate::shell::{cache_dir, read, run, step};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the mirror where apt's configuration has none for Debian.
const MIRROR_VARIABLE: &str = "FRISCY_DEBIAN_MIRROR";

/// The release that tests and figures are about.
const CODENAME: &str = "trixie";

/// The alias that has been consistent when the index under the codename was not.
const ALIAS: &str = "stable";

/// Files dated later than this get this date, so that the same packages give the same bytes.
const SOURCE_DATE_EPOCH: &str = "1767225600";

/// Changes when the recipe below does.
const RECIPE: u32 = 2;

/// Makes the tar if it is not there, prints where it is, and copies it.
pub fn command(set: Set, output: Option<&Path>) -> Result<()> {
    let tar = assemble(set)?;
    let shown = match output {
        Some(output) => {
            fs::copy(&tar, output).with_context(|| format!("{} cannot be written", output.display()))?;
            output
        }
        None => &tar,
    };
    println!("{}", shown.display());
    Ok(())
}

/// Answers the path of the tar, made now or before.
pub fn assemble(set: Set) -> Result<PathBuf> {
    let recipe = set.recipe();
    let mut digest = Sha256::new();
    let Recipe { packages, files, links, hooks } = &recipe;
    digest.update(format!("{RECIPE} {CODENAME} {SOURCE_DATE_EPOCH} {packages:?} {files:?} {links:?} {hooks:?}"));
    let key: String = digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let tar = cache_dir().join(format!("{}-{CODENAME}-{key}.tar", set.prefix()));
    if tar.is_file() {
        return Ok(tar);
    }
    setup::setup(&[Need::Rootfs])?;
    step(&format!("assembling a Debian {CODENAME} root file system for riscv64 (minutes)"));
    fs::create_dir_all(cache_dir())?;
    let mirror = mirror()?;
    let unfinished = cache_dir().join(format!("unfinished-{key}.tar"));
    if let Err(first) = bootstrap(&recipe, CODENAME, &mirror, &unfinished) {
        step(&format!("{first:#}; looking at the alias {ALIAS}"));
        let codename = codename_of(ALIAS, &mirror)?;
        if codename != CODENAME {
            bail!("{mirror} gives no consistent {CODENAME}, and {ALIAS} is {codename} there: try again later");
        }
        bootstrap(&recipe, ALIAS, &mirror, &unfinished)?;
    }
    fs::rename(&unfinished, &tar)?;
    Ok(tar)
}

/// Unpacks the tar beside itself, where tests look for a folder of the same name, unless that was done before.
pub fn unpack(tar: &Path) -> Result<()> {
    let folder = tar.with_extension("");
    if folder.is_dir() {
        return Ok(());
    }
    step("unpacking the root file system for the referee");
    let unfinished = tar.with_extension("unpacking");
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished)?;
    run(Command::new("tar").arg("-C").arg(&unfinished).arg("-xf").arg(tar))?;
    fs::rename(&unfinished, &folder)?;
    Ok(())
}

/// Runs mmdebstrap for a suite.
fn bootstrap(recipe: &Recipe, suite: &str, mirror: &Mirror, output: &Path) -> Result<()> {
    let extra = cache_dir().join("extra");
    let _ = fs::remove_dir_all(&extra);
    for (path, contents) in &recipe.files {
        let path = extra.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&extra))?;
        fs::write(path, contents)?;
    }
    for (path, target) in &recipe.links {
        let path = extra.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&extra))?;
        std::os::unix::fs::symlink(target, path)?;
    }
    let add = format!("cp -rP --no-preserve=ownership '{}'/. \"$1\"/", extra.display());
    let line = format!("deb [arch=riscv64 signed-by={}] {} {suite} main", mirror.keyring, mirror.uri);
    // Host names of this machine and its mirror, and what apt fetched, are no part of the image.
    let clean = "rm -rf \"$1\"/etc/resolv.conf \"$1\"/etc/hostname \"$1\"/etc/apt/sources.list \
                 \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*.bin \"$1\"/var/cache/apt/archives/*.deb \"$1\"/var/log/*";
    let mut command = Command::new("mmdebstrap");
    command
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH)
        .arg(if is_root() { "--mode=root" } else { "--mode=auto" })
        .args(["--architectures=riscv64", "--variant=extract"])
        .arg("--aptopt=Apt::Install-Recommends \"false\"")
        .arg(format!("--include={}", recipe.packages.join(",")))
        .args(recipe.hooks.iter().map(|hook| format!("--extract-hook={hook}")))
        .arg(format!("--extract-hook={clean}"))
        .arg(format!("--extract-hook={add}"))
        .arg(suite)
        .arg(output)
        .arg(line);
    let result = run(&mut command);
    let _ = fs::remove_dir_all(&extra);
    if result.is_err() {
        let _ = fs::remove_file(output);
    }
    result
}

/// Where Debian's packages come from.
struct Mirror {
    uri: String,
    keyring: String,
}

impl std::fmt::Display for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.uri)
    }
}

/// The mirror that this host's apt uses.
fn mirror() -> Result<Mirror> {
    let keyring = String::from("/usr/share/keyrings/debian-archive-keyring.gpg");
    if let Ok(uri) = env::var(MIRROR_VARIABLE) {
        return Ok(Mirror { uri, keyring });
    }
    let format = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(REPO_URI)";
    let mut targets = read(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    if !targets.contains("|Debian|Debian|") {
        // Without package lists apt does not know whose repositories its sources are.
        let needs: &[Need] = &[];
        setup::setup(needs)?;
        let mut update = if is_root() { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root() {
            update.arg("apt-get");
        }
        run(update.arg("update"))?;
        targets = read(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    }
    let uri = targets.lines().find_map(|line| line.strip_prefix("Packages|Debian|Debian|"));
    let uri =
        uri.with_context(|| format!("apt's sources name no mirror of Debian; {MIRROR_VARIABLE}=http://… names one"))?;
    Ok(Mirror { uri: uri.trim_end_matches('/').to_owned(), keyring })
}

/// The codename that a suite's Release file has. The file is only a hint here: mmdebstrap checks the signed one.
fn codename_of(suite: &str, mirror: &Mirror) -> Result<String> {
    let file = cache_dir().join("Release");
    let uri = format!("{}/dists/{suite}/Release", mirror.uri);
    run(Command::new("/usr/lib/apt/apt-helper").arg("download-file").arg(&uri).arg(&file))?;
    let text = fs::read_to_string(&file)?;
    let _ = fs::remove_file(&file);
    let codename = text.lines().find_map(|line| line.strip_prefix("Codename: "));
    Ok(codename.with_context(|| format!("{uri} has no Codename"))?.trim().to_owned())
}
