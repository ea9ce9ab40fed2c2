//! Conformance suites that others wrote, from Debian's source packages: GCC's torture programs, which are about what code
//! computes, and the POSIX test suite, which is about what the system does.
//!
//! A program passes when it ends with status 0. Those that do not are listed with reasons in `tests/suites/NAME.txt`; a
//! program that fails without being listed is a failure, and so is one that is listed and passes. A program of the POSIX
//! suite says by status 4 that it is about something unsupported, and by 5 that it is untested; such a program is listed
//! by one of these words, and then has to say so. One whose reason begins with `timing: ` may fail beside others, and has
//! to pass by itself, once of three times.
//!
//! How each program of the POSIX suite ended, in friscy and for the referee, is in `tests/suites/posix.results.txt`.

mod results;
mod sources;

pub use self::results::{Outcome, read_list};

use self::results::Verdict;
use self::sources::{Program, build, posix_files};
use crate::rootfs;
use crate::shell::{cache_dir, commit, step, target_dir, workspace};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
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

    /// How long a program may take; `reason` is that for which it is listed. On a busy machine programs with thousands
    /// of threads or processes take minutes.
    fn limit(self, reason: Option<&str>) -> Duration {
        Duration::from_secs(match (self, reason) {
            (_, Some("waits for ever")) | (Suite::Torture, _) => 60,
            (Suite::Posix, _) => 600,
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

/// Builds and runs a suite.
pub fn suite(suite: Suite, extent: Extent, runner: Runner, filter: Option<&str>) -> Result<Outcome> {
    let begun = commit()?;
    let mut programs = suite.programs()?;
    if extent == Extent::Sample {
        programs = programs.into_iter().step_by(suite.stride()).collect();
    }
    if let Some(filter) = filter {
        programs.retain(|program| program.name.contains(filter));
    }
    let list = workspace().join("tests/suites").join(format!("{}.txt", suite.name()));
    let listed = read_list(&list)?;
    // The programs see a root file system with themselves, a shell and what a system has.
    let root = suite.dir().join("root");
    let bin = root.join("suite");
    for folder in ["tmp", "bin", "etc", "root", "proc", "dev"] {
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
    let verdicts = Mutex::new(BTreeMap::new());
    let reason = |program: &Program| listed.get(&program.name).map(String::as_str);
    each(&programs, suite.jobs(), |program| {
        let verdict = run_program(suite, runner, &root, program, reason(program))?;
        verdicts.lock().expect("no thread panics").insert(program.name.clone(), verdict);
        Ok(())
    })?;
    let mut verdicts = verdicts.into_inner().expect("no thread panics");
    for program in programs.iter().filter(|program| reason(program).is_some_and(results::is_timing)) {
        for _ in 0..3 {
            if verdicts[&program.name] == Verdict::Passed {
                break;
            }
            verdicts.insert(program.name.clone(), run_program(suite, runner, &root, program, reason(program))?);
        }
    }
    let mut outcome = Outcome { not_built: refused.len(), ..Outcome::default() };
    for (name, verdict) in &verdicts {
        let reason = listed.get(name).map(String::as_str).filter(|_| runner == Runner::Friscy);
        outcome.add(name, verdict, reason);
    }
    if suite == Suite::Posix && extent == Extent::All && filter.is_none() {
        results::record(&list.with_extension("results.txt"), runner, begun, &verdicts)?;
    }
    Ok(outcome)
}

/// Runs a program; answers how it ended.
fn run_program(suite: Suite, runner: Runner, root: &Path, program: &Program, reason: Option<&str>) -> Result<Verdict> {
    const USER: &str = "65534:65534";
    let as_user = AS_USER.contains(&program.name.as_str());
    let mut command = match runner {
        Runner::Friscy => {
            let mut command = Command::new(target_dir().join("release/friscy"));
            command.arg("run");
            if as_user {
                command.args(["-u", USER]);
            }
            command.arg(root);
            command
        }
        Runner::Qemu => {
            // As little as a container's root may it set the time.
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set=-sys_time", "sh"]).arg(workspace().join("tests/referee.sh")).arg(root);
            if as_user {
                command.env("REFEREE_USER", USER);
            }
            command
        }
    };
    // Neither as the first process, which signals treat differently, nor in its group: kill(2) takes the negative of its
    // number for everybody.
    command.args(["/bin/sh", "-c", "setsid \"$0\"; exit $?"]).arg(Path::new("/suite").join(&program.name));
    let status = wait(&mut command, suite.limit(reason))?;
    Ok(Verdict::new(status, suite == Suite::Posix))
}

/// Runs a suite and says how it went.
pub fn command(which: Suite, extent: Extent, runner: Runner, filter: Option<&str>) -> Result<Outcome> {
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
    Ok(outcome)
}
