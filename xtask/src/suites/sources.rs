//! Where the suites' programs come from, and building them.

use super::{Suite, each};
use crate::setup::{self, Need};
use crate::shell::{run, step};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// A program of a suite.
pub struct Program {
    /// Its name in lists.
    pub name: String,
    source: PathBuf,
    flags: Vec<String>,
}

impl Suite {
    /// Fetches and unpacks the sources, unless they are there.
    pub fn fetch(self) -> Result<PathBuf> {
        let sources = self.dir().join("source");
        if sources.is_dir() {
            return Ok(sources);
        }
        setup::setup(&[Need::Guests])?;
        step(&format!("fetching the sources of the suite {}", self.name()));
        let unfinished = self.dir().join("fetching");
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir_all(&unfinished)?;
        match self {
            Suite::Torture => fetch_torture(&unfinished)?,
            Suite::Posix => fetch_posix(&unfinished)?,
        }
        fs::rename(&unfinished, &sources)?;
        Ok(sources)
    }

    /// The programs, by name.
    pub fn programs(self) -> Result<Vec<Program>> {
        let sources = self.fetch()?;
        let mut programs = Vec::new();
        match self {
            Suite::Torture => {
                for (folder, prefix) in [("", ""), ("ieee", "ieee/")] {
                    for source in c_files(&sources.join(folder))? {
                        let mut flags = torture_flags(&source)?;
                        if folder == "ieee" {
                            flags.push(String::from("-fno-inline"));
                        }
                        programs.push(Program { name: format!("{prefix}{}", stem(&source)), source, flags });
                    }
                }
            }
            Suite::Posix => {
                let interfaces = sources.join("conformance/interfaces");
                for folder in fs::read_dir(&interfaces)? {
                    let folder = folder?.path();
                    if !folder.is_dir() {
                        continue;
                    }
                    let mut files = c_files(&folder)?;
                    let speculative = folder.join("speculative");
                    if speculative.is_dir() {
                        files.extend(c_files(&speculative)?);
                    }
                    for source in files {
                        let name = stem(&source);
                        // Numbered files are tests; some of those are only to be compiled.
                        if !name.starts_with(|c: char| c.is_ascii_digit()) || name.contains("buildonly") {
                            continue;
                        }
                        let relative = source.strip_prefix(&interfaces)?.with_extension("");
                        let include = format!("-I{}", sources.join("include").display());
                        let flags =
                            [&include, "-std=gnu99", "-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200112L", "-lpthread", "-lrt"];
                        programs.push(Program {
                            name: relative.display().to_string(),
                            source,
                            flags: flags.iter().map(ToString::to_string).collect(),
                        });
                    }
                }
            }
        }
        programs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(programs)
    }
}

/// GCC's source package holds a tar in a tar.
fn fetch_torture(into: &Path) -> Result<()> {
    run(Command::new("apt-get")
        .args(["download", "-o", "APT::Sandbox::User=root", "gcc-12-source"])
        .current_dir(into))?;
    let package = fs::read_dir(into)?.next().context("apt-get downloaded nothing")??.path();
    let unpack = "dpkg-deb --fsys-tarfile \"$1\" | tar -x --wildcards '*/gcc-12.*.tar.xz' && \
                  tar -xf usr/src/gcc-12/gcc-12.*.tar.xz --strip-components=5 --wildcards '*/gcc.c-torture/execute/*' && \
                  rm -r \"$1\" usr";
    run(Command::new("sh").args(["-ec", unpack, "sh"]).arg(package).current_dir(into))
}

/// The POSIX suite is a source package, of which apt needs an index of its own.
fn fetch_posix(into: &Path) -> Result<()> {
    let apt = into.join("apt");
    fs::create_dir_all(apt.join("sources"))?;
    fs::create_dir_all(apt.join("lists/partial"))?;
    let mut found = false;
    for file in fs::read_dir("/etc/apt/sources.list.d")?.flatten().map(|entry| entry.path()) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if file.extension().is_some_and(|extension| extension == "sources") && text.contains("debian") {
            let text = text.replace("Types: deb\n", "Types: deb-src\n");
            fs::write(apt.join("sources").join(file.file_name().unwrap_or_default()), text)?;
            found = true;
        }
    }
    let list = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    if list.lines().any(|line| line.starts_with("deb ")) {
        fs::write(apt.join("sources/main.list"), list.replace("deb ", "deb-src "))?;
        found = true;
    }
    if !found {
        bail!("apt's sources name no mirror of Debian");
    }
    let option = |name: &str, path: &str| format!("{name}={}", apt.join(path).display());
    let options = [
        String::from("Dir::Etc::SourceList=/dev/null"),
        option("Dir::Etc::SourceParts", "sources"),
        option("Dir::State::Lists", "lists"),
        String::from("APT::Sandbox::User=root"),
    ];
    let flags = || options.iter().flat_map(|option| ["-o", option.as_str()]);
    run(Command::new("apt-get").args(flags()).arg("update"))?;
    run(Command::new("apt-get").args(flags()).args(["source", "--download-only", "posixtestsuite"]).current_dir(into))?;
    let unpack = "tar -xf posixtestsuite_*.orig.tar.gz --strip-components=1 && tar -xf posixtestsuite_*.debian.tar.xz && \
                  for patch in $(cat debian/patches/series); do patch -s -p1 < debian/patches/$patch; done && \
                  rm -r apt posixtestsuite_*";
    run(Command::new("sh").args(["-ec", unpack]).current_dir(into))
}

fn c_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "c"));
    Ok(files)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The flags that a program's `dg-options` ask for.
fn torture_flags(source: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(&fs::read(source)?).into_owned();
    let mut flags = Vec::new();
    for directive in ["dg-options", "dg-additional-options"] {
        for (at, _) in text.match_indices(directive) {
            // The options are a string, in braces or not.
            let rest = text[at + directive.len()..].trim_start_matches([' ', '{']);
            let Some(rest) = rest.strip_prefix('"') else { continue };
            // An option for some targets only has a selector after it.
            let (options, after) = rest.split_once('"').unwrap_or((rest, ""));
            let selector = after.split("} }").next().unwrap_or_default();
            if !selector.trim_start().starts_with("{ target") || selector.contains("*-*-*") {
                flags.extend(options.split_whitespace().map(str::to_owned));
            }
        }
    }
    flags.push(String::from("-lm"));
    Ok(flags)
}

/// Compiles programs, as many at once as there are processors; answers the names of those that cannot be.
pub fn build(suite: Suite, programs: &[Program], bin: &Path) -> Result<BTreeSet<String>> {
    let failed = Mutex::new(BTreeSet::new());
    for folder in programs.iter().filter_map(|program| bin.join(&program.name).parent().map(Path::to_owned)) {
        fs::create_dir_all(folder)?;
    }
    each(programs, thread::available_parallelism().map_or(2, usize::from), |program| {
        let output = bin.join(&program.name);
        let refused = output.with_extension("refused");
        if !output.is_file() && !refused.is_file() {
            let unfinished = output.with_extension("unfinished");
            let optimise = if suite == Suite::Torture { "-std=gnu17" } else { "-Wno-error" };
            let compiled = Command::new("riscv64-linux-gnu-gcc")
                .args(["-w", "-O2", "-static", optimise, "-o"])
                .arg(&unfinished)
                .arg(&program.source)
                .args(&program.flags)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?;
            if compiled.success() {
                fs::rename(&unfinished, &output)?;
            } else {
                fs::write(&refused, "")?;
            }
        }
        if refused.is_file() {
            failed.lock().expect("no thread panics").insert(program.name.clone());
        }
        Ok(())
    })?;
    Ok(failed.into_inner().expect("no thread panics"))
}

/// What programs of the POSIX suite look for below their working directory: a file to map, and a program to execute.
pub fn posix_files(root: &Path, sources: &Path) -> Result<()> {
    let (mapped, stack) = ("conformance/interfaces/mlockall/3-7.c", "conformance/interfaces/sigaltstack/9-buildonly");
    for file in [mapped, stack] {
        fs::create_dir_all(root.join(file).parent().context("a folder")?)?;
    }
    fs::copy(sources.join(mapped), root.join(mapped))?;
    let program = root.join(stack).with_extension("test");
    if !program.is_file() {
        run(Command::new("riscv64-linux-gnu-gcc")
            .args(["-w", "-O2", "-static", "-std=gnu99", "-D_GNU_SOURCE", "-o"])
            .arg(program)
            .arg(sources.join(stack).with_extension("c"))
            .arg(format!("-I{}", sources.join("include").display())))?;
    }
    Ok(())
}
