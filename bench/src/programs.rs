//! What is measured: kernels, compiled for guest and host, and programs whose start is timed.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder of the optimised programs.
const PROGRAMS: &str = "FRISCY_PROGRAMS";
/// Names the root file system, a folder or a tar.
const ROOTFS: &str = "FRISCY_ROOTFS";
/// The referee, and the baseline for start-up.
pub const QEMU: &str = "qemu-riscv64-static";

/// Where things are.
pub struct Places {
    /// The program `friscy`.
    pub friscy: PathBuf,
    /// Folder of compiled kernels.
    pub built: PathBuf,
    /// The root file system as a folder, if one was named.
    pub rootfs: Option<PathBuf>,
}

/// A kernel for both sides.
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Whether it is about floating point.
    pub floating: bool,
    /// Compiled for the host.
    pub host: PathBuf,
    /// Compiled for the guest.
    pub guest: PathBuf,
}

/// A program whose start to exit is timed.
pub struct Start {
    /// What the table calls it.
    pub name: String,
    /// The command under friscy.
    pub friscy: Vec<String>,
    /// The command under qemu-user.
    pub qemu: Vec<String>,
    /// The command on the host, where there is one.
    pub host: Option<Vec<String>>,
}

/// The kernels about floating point; the others are integer code.
const FLOATING: [&str; 5] = ["fft", "intdoubles", "mandelbrot", "matmul", "nbody"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Places {
    /// Finds everything, or says what is missing.
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
        if rootfs.is_none() {
            eprintln!("{ROOTFS} names no root file system: only kernels and the static program are measured");
        }
        Ok(Places { friscy, built, rootfs })
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

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{:?} cannot be run", command.get_program()))?;
    if !status.success() {
        bail!("{:?}: {status}", command.get_program());
    }
    Ok(())
}

fn compile(compiler: &str, flags: &[&str], source: &Path, output: &Path) -> Result<()> {
    run(Command::new(compiler).args(["-O2", "-o"]).arg(output).args(flags).arg(source).arg("-lm"))
}

/// Compiles the kernels that are wanted.
pub fn kernels(places: &Places, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Kernel>> {
    let mut sources: Vec<PathBuf> = fs::read_dir(workspace().join("bench/kernels"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    let mut kernels = Vec::new();
    for source in sources {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !wanted(&name) {
            continue;
        }
        let host = places.built.join(format!("{name}.host"));
        let guest = places.built.join(format!("{name}.guest"));
        compile("gcc", &[], &source, &host)?;
        compile("riscv64-linux-gnu-gcc", &["-static"], &source, &guest)?;
        kernels.push(Kernel { floating: FLOATING.contains(&name.as_str()), name, host, guest });
    }
    Ok(kernels)
}

/// The programs whose start is timed, those that are wanted.
pub fn starts(places: &Places, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Start>> {
    let hello = places.built.join("hello.c");
    fs::write(&hello, "#include <stdio.h>\nint main(void)\n{\n    puts(\"hello\");\n    return 0;\n}\n")?;
    let (host, guest) = (places.built.join("hello.host"), places.built.join("hello.guest"));
    compile("gcc", &["-static"], &hello, &host)?;
    compile("riscv64-linux-gnu-gcc", &["-static"], &hello, &guest)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let friscy = text(&places.friscy);
    let mut starts = vec![Start {
        name: String::from("static hello"),
        friscy: vec![friscy.clone(), String::from("run"), text(&guest)],
        qemu: vec![String::from(QEMU), text(&guest)],
        host: Some(vec![text(&host)]),
    }];
    if let Some(rootfs) = &places.rootfs {
        let commands: [(&str, &[&str]); 5] = [
            ("bash -c :", &["/usr/bin/bash", "-c", ":"]),
            ("perl", &["/usr/bin/perl", "-e", "print qq(hello\\n)"]),
            ("sqlite3", &["/usr/bin/sqlite3", ":memory:", "select 1"]),
            ("lua5.4", &["/usr/bin/lua5.4", "-e", "print(1)"]),
            ("python3 hello", &["/usr/bin/python3", "-c", "print('hello')"]),
        ];
        for (name, command) in commands {
            let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
            let mut under_friscy = vec![friscy.clone(), String::from("run"), text(rootfs)];
            under_friscy.extend(owned(command));
            let inside = rootfs.join(command[0].trim_start_matches('/'));
            let mut under_qemu = vec![String::from(QEMU), String::from("-L"), text(rootfs), text(&inside)];
            under_qemu.extend(owned(&command[1..]));
            starts.push(Start { name: name.to_owned(), friscy: under_friscy, qemu: under_qemu, host: None });
        }
    }
    starts.retain(|start| wanted(&start.name));
    Ok(starts)
}
