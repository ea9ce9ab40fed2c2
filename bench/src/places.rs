//! Where things are.

use crate::contender::{Contender, Entry, Tier};
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the folder of the optimised programs.
const PROGRAMS: &str = "FRISCY_PROGRAMS";
/// Names the folder of the web runtime.
const ASSETS: &str = "FRISCY_WEB_ASSETS";
/// Names the program `node`, where it is another than the search path has.
const NODE: &str = "FRISCY_NODE";
/// Names the root file system, a folder or a tar.
const ROOTFS: &str = "FRISCY_ROOTFS";
/// The referee, and the baseline for starts.
pub const QEMU: &str = "qemu-riscv64-static";

/// How often a command is run before later runs of it are measured: each compiles what the one before has come to.
const FILLS: usize = 3;

/// Where things are.
pub struct Places {
    /// The program `friscy`.
    pub friscy: PathBuf,
    /// What runs a program under node, if it was built.
    pub web: Option<Web>,
    /// Folder of what the bench compiles.
    pub built: PathBuf,
    /// The root file system as a folder, if one was named.
    pub rootfs: Option<PathBuf>,
}

/// What runs a program in friscy's web engine.
pub struct Web {
    /// The program `friscy-pack`.
    pack: PathBuf,
    /// The folder of the web runtime.
    assets: PathBuf,
}

impl Web {
    /// In the folder of the optimised programs, with the runtime where it is named, or beside that folder.
    fn find(programs: &Path) -> Option<Web> {
        let beside = || Some(programs.parent()?.join("web-assets"));
        let assets = env::var_os(ASSETS).map(PathBuf::from).or_else(beside)?;
        let pack = programs.join("friscy-pack");
        (pack.is_file() && assets.join(RUNNER).is_file()).then_some(Web { pack, assets })
    }
}

/// The web runtime's runner for node.
const RUNNER: &str = "run.mjs";

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

impl Places {
    /// Finds everything.
    ///
    /// # Errors
    /// If `friscy` was not built, or a folder cannot be made or unpacked.
    pub fn find() -> Result<Places> {
        let programs = match env::var_os(PROGRAMS) {
            Some(folder) => PathBuf::from(folder),
            None => env::current_exe()?.parent().context("the program is in no folder")?.to_owned(),
        };
        let friscy = programs.join("friscy");
        if !friscy.is_file() {
            bail!("{}: missing; build it by `cargo build --release -p friscy`", friscy.display());
        }
        let built = workspace().join("target/friscy/bench");
        fs::create_dir_all(&built).with_context(|| format!("{} cannot be made", built.display()))?;
        let rootfs = env::var_os(ROOTFS).map(|path| unpacked(Path::new(&path))).transpose()?;
        Ok(Places { friscy, web: Web::find(&programs), built, rootfs })
    }

    /// A sentence about a missing root file system, for those who measure what is in it.
    pub fn note(&self) -> Option<String> {
        let note = format!("{ROOTFS} names no root file system: of programs only the static one is measured");
        self.rootfs.is_none().then_some(note)
    }

    /// Entry of friscy's web engine for a guest's static program, which is packed for it.
    ///
    /// # Errors
    /// If it cannot be packed.
    pub fn web(&self, tier: Tier, program: &Path) -> Result<Entry> {
        let Web { pack, assets } = self.web.as_ref().context("the web runtime was not built")?;
        let bundle = program.with_extension("bundle");
        run(Command::new(pack).arg("-q").arg("--assets").arg(assets).arg("-o").arg(&bundle).arg(program))?;
        let runner = match tier {
            Tier::Chromium => workspace().join("web/bench/chromium.mjs"),
            _ => assets.join(RUNNER),
        };
        let (runner, bundle) = (runner.to_string_lossy(), bundle.to_string_lossy());
        Ok(Entry::new(Contender::Friscy(tier), &[&node(), &runner, "--time", &bundle]))
    }

    /// friscy's entry for a guest's program: an image, and the command in it where it is more than a program.
    pub fn friscy(&self, tier: Tier, image: &Path, command: &[&str]) -> Entry {
        let (friscy, image) = (self.friscy.to_string_lossy(), image.to_string_lossy());
        let words = |flags: [&'static str; 2]| [&[&*friscy, "run"], &flags[..], &[&*image], command].concat();
        let flags = match tier {
            Tier::Interp => ["--tier", "interp"],
            Tier::Later => {
                let fill = words(["--code-cache", "wait"]);
                for _ in 0..FILLS {
                    // One that fails is told of when it is measured.
                    let _ = Command::new(fill[0]).args(&fill[1..]).stdin(Stdio::null()).stdout(Stdio::null()).status();
                }
                ["--code-cache", "read"]
            }
            _ => ["--code-cache", "off"],
        };
        Entry::new(Contender::Friscy(tier), &words(flags))
    }
}

/// The root file system as a folder, which qemu-user needs: a tar is unpacked beside itself.
fn unpacked(image: &Path) -> Result<PathBuf> {
    if image.is_dir() {
        return Ok(image.to_owned());
    }
    let folder = image.with_extension("");
    if !folder.is_dir() {
        let unfinished = image.with_extension("unfinished");
        fs::create_dir_all(&unfinished)?;
        run(Command::new("tar").arg("-xf").arg(image).arg("-C").arg(&unfinished))?;
        fs::rename(&unfinished, &folder)?;
    }
    Ok(folder)
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{:?} cannot be run", command.get_program()))?;
    if !status.success() {
        bail!("{:?}: {status}", command.get_program());
    }
    Ok(())
}

/// The program that is node.
pub fn node() -> String {
    env::var(NODE).unwrap_or_else(|_| String::from("node"))
}

/// The version of node and of V8 in it, if there is one.
pub fn node_version() -> Option<String> {
    let versions = "const { node, v8 } = process.versions; console.log(`node ${node}, V8 ${v8}`)";
    let output = Command::new(node()).args(["-e", versions]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether there is a program of that path, or the search path has one of that name.
pub fn installed(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}
