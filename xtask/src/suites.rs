//! Conformance suites that others wrote, from Debian's source packages: GCC's torture programs, which are about what code
//! computes, and the POSIX test suite, which is about what the system does.
//!
//! A program passes when it ends with status 0. Those that do not are listed with reasons in `tests/suites/NAME.txt`; a
//! program that fails without being listed is a failure, and so is one that is listed and passes. A program of the POSIX
//! suite says by status 4 that it is about something unsupported, and by 5 that it is untested; such a program is listed
//! by one of these words, and then has to say so.

use crate::rootfs;
use crate::setup::{self, Need};
use crate::shell::{cache_dir, run, step, target_dir, workspace};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suite {
    /// GCC's gcc.c-torture/execute.
    Torture,
    /// The POSIX test suite's conformance/interfaces.
    Posix,
}

/// How much of a suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All of it.
    All,
    /// Every so many programs, in the order of their names.
    Sample,
}

/// What runs the programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Runner {
    /// friscy.
    Friscy,
    /// qemu-user, the referee.
    Qemu,
}

/// A program of a suite.
struct Program {
    /// Its name in lists.
    name: String,
    source: PathBuf,
    flags: Vec<String>,
}

/// The status of a program of the POSIX suite about something that is not supported, and the word it is listed by.
const UNSUPPORTED: (i32, &str) = (4, "unsupported");

/// The status of a program of the POSIX suite that does not test what it is about, and the word it is listed by.
const UNTESTED: (i32, &str) = (5, "untested");

/// How many programs passed and did not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Programs that ended with status 0.
    pub passed: usize,
    /// Programs that are listed as saying themselves that they cannot tell.
    pub untold: usize,
    /// Programs that are listed as not passing.
    pub listed: usize,
    /// Programs whose outcome is not the one expected, with what happened.
    pub wrong: Vec<String>,
    /// Programs that this compiler does not build.
    pub not_built: usize,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Suite::Torture => "torture",
            Suite::Posix => "posix",
        }
    }

    /// One of how many programs is in the sample.
    fn stride(self) -> usize {
        match self {
            Suite::Torture => 16,
            Suite::Posix => 12,
        }
    }

    /// How long a program may take.
    fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Suite::Torture => 60,
            Suite::Posix => 240,
        })
    }

    /// Programs that run at once: those of the POSIX suite sleep most of the time.
    fn jobs(self) -> usize {
        match self {
            Suite::Torture => 2,
            Suite::Posix => 6,
        }
    }

    fn dir(self) -> PathBuf {
        cache_dir().join("suites").join(self.name())
    }

    /// Fetches and unpacks the sources, unless they are there.
    fn fetch(self) -> Result<PathBuf> {
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
    fn programs(self) -> Result<Vec<Program>> {
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
fn build(suite: Suite, programs: &[Program], bin: &Path) -> Result<BTreeSet<String>> {
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

/// Does something with each item, on some threads; the first error ends it.
pub fn each<T: Sync>(items: &[T], threads: usize, work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let error = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(found) = work(item) {
                        error.lock().expect("no thread panics").get_or_insert(found);
                        next.store(items.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    error.into_inner().expect("no thread panics").map_or(Ok(()), Err)
}

/// Programs of the POSIX suite that want to be run as a user without privileges.
const AS_USER: [&str; 1] = ["sched_setscheduler/17-6"];

/// What programs of the POSIX suite look for below their working directory: a file to map, and a program to execute.
fn posix_files(root: &Path, sources: &Path) -> Result<()> {
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

/// Waits for a program; `None` when it was killed because it took too long.
fn wait(command: &mut Command, limit: Duration) -> Result<Option<ExitStatus>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Lines `NAME: REASON` of a list; empty lines and those that begin with # do not count.
pub fn read_list(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, reason) =
                line.split_once(": ").with_context(|| format!("{}: {line}: no reason", path.display()))?;
            Ok((name.to_owned(), reason.to_owned()))
        })
        .collect()
}

/// Builds and runs a suite.
pub fn suite(suite: Suite, extent: Extent, runner: Runner, filter: Option<&str>) -> Result<Outcome> {
    let mut programs = suite.programs()?;
    if extent == Extent::Sample {
        programs = programs.into_iter().step_by(suite.stride()).collect();
    }
    if let Some(filter) = filter {
        programs.retain(|program| program.name.contains(filter));
    }
    let list = workspace().join("tests/suites").join(format!("{}.txt", suite.name()));
    let listed = if runner == Runner::Friscy { read_list(&list)? } else { BTreeMap::new() };
    // The programs see a root file system with themselves, a shell and what a system has.
    let root = suite.dir().join("root");
    let bin = root.join("suite");
    for folder in ["tmp", "bin", "etc", "root"] {
        fs::create_dir_all(root.join(folder))?;
    }
    // Some programs are run as a user who may not do everything.
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    if suite == Suite::Posix {
        posix_files(&root, &suite.fetch()?)?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    let rootfs = rootfs::assemble(rootfs::Set::Default)?;
    rootfs::unpack(&rootfs)?;
    let busybox = rootfs.with_extension("").join("usr/bin/busybox");
    for name in ["sh", "sleep", "true", "ls", "cat"] {
        let place = root.join("bin").join(name);
        if !place.exists() {
            fs::copy(&busybox, &place).with_context(|| format!("{}", busybox.display()))?;
        }
    }
    step(&format!("building {} programs of the suite {}", programs.len(), suite.name()));
    let refused = build(suite, &programs, &bin)?;
    programs.retain(|program| !refused.contains(&program.name));
    step(&format!("running {} programs", programs.len()));
    let outcome = Mutex::new(Outcome { not_built: refused.len(), ..Outcome::default() });
    let friscy = target_dir().join("release/friscy");
    each(&programs, suite.jobs(), |program| {
        let mut command = match runner {
            Runner::Friscy => {
                let mut command = Command::new(&friscy);
                command.arg("run");
                if AS_USER.contains(&program.name.as_str()) {
                    command.args(["-u", "65534:65534"]);
                }
                // Neither as the first process, which signals treat differently, nor in its group: kill(2) takes the
                // negative of its number for everybody.
                command.arg(&root).args(["/bin/sh", "-c", "setsid \"$0\"; exit $?"]);
                command.arg(Path::new("/suite").join(&program.name));
                command
            }
            Runner::Qemu => {
                let mut command = Command::new("qemu-riscv64-static");
                command.arg(bin.join(&program.name)).current_dir(root.join("tmp"));
                command
            }
        };
        let status = wait(&mut command, suite.limit())?;
        let passed = status.is_some_and(|status| status.success());
        let said = [UNSUPPORTED, UNTESTED]
            .into_iter()
            .find(|(code, _)| status.and_then(|status| status.code()) == Some(*code));
        let said = said.map(|(_, word)| word).filter(|_| suite == Suite::Posix);
        let mut outcome = outcome.lock().expect("no thread panics");
        let what = || status.map_or_else(|| String::from("took too long"), |status| status.to_string());
        let word = listed.get(&program.name).map(String::as_str);
        match (passed, word) {
            (true, None) => outcome.passed += 1,
            (true, Some(_)) => outcome.wrong.push(format!("{}: passes, and is listed as failing", program.name)),
            (false, None) => outcome.wrong.push(format!("{}: {}", program.name, said.map_or_else(what, str::to_owned))),
            (false, Some(word)) if Some(word) == said => outcome.untold += 1,
            (false, Some("unsupported" | "untested")) => {
                outcome.wrong.push(format!(
                    "{}: {}, and is listed as saying that it cannot tell",
                    program.name,
                    what()
                ));
            }
            (false, Some(_)) => outcome.listed += 1,
        }
        Ok(())
    })?;
    let mut outcome = outcome.into_inner().expect("no thread panics");
    outcome.wrong.sort();
    Ok(outcome)
}

/// Runs a suite and says how it went; answers whether it went as expected.
pub fn command(which: Suite, extent: Extent, runner: Runner, filter: Option<&str>) -> Result<bool> {
    let outcome = suite(which, extent, runner, filter)?;
    for line in &outcome.wrong {
        println!("test {}/{line} FAILED", which.name());
    }
    println!(
        "{}: {} passed, {} say that they cannot tell, {} listed as not passing, {} wrong; {} are not built by this compiler",
        which.name(),
        outcome.passed,
        outcome.untold,
        outcome.listed,
        outcome.wrong.len(),
        outcome.not_built
    );
    Ok(outcome.wrong.is_empty() && outcome.passed > 0)
}
