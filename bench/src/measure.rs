//! Running commands and taking their times.

use crate::programs::{Kernel, Places, QEMU, Start};
use anyhow::{Context, Result, bail};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// One run of a command.
struct Run {
    output: Vec<u8>,
    user_seconds: f64,
    wall_seconds: f64,
}

/// Median, smallest and largest of several runs.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Figure {
    /// Of values, of which there is at least one.
    fn of(mut values: Vec<f64>) -> Figure {
        values.sort_by(f64::total_cmp);
        let (min, max) = (values[0], values[values.len() - 1]);
        Figure { median: values[values.len() / 2], min, max }
    }
}

/// A kernel's figures.
pub struct KernelRow {
    /// Its name.
    pub name: String,
    /// Whether it is about floating point.
    pub floating: bool,
    /// Native user-CPU seconds.
    pub native_seconds: Figure,
    /// friscy's speed in percent of native, round by round.
    pub friscy_percent: Figure,
    /// qemu-user's.
    pub qemu_percent: Figure,
}

/// A start's figures: wall-clock seconds.
pub struct StartRow {
    /// Its name.
    pub name: String,
    /// Under friscy.
    pub friscy: Figure,
    /// Under qemu-user.
    pub qemu: Figure,
    /// On the host.
    pub host: Option<Figure>,
}

/// Runs a command and accounts for it.
fn once(words: &[String]) -> Result<Run> {
    let start = Instant::now();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be run", words[0]))?;
    let mut output = Vec::new();
    child.stdout.take().context("the output is piped")?.read_to_end(&mut output)?;
    let (status, user_seconds) = wait(child.id())?;
    let wall_seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("{}: {status}", words.join(" "));
    }
    Ok(Run { output, user_seconds, wall_seconds })
}

/// Waits for a child; returns its status and the user-CPU seconds it took.
fn wait(pid: u32) -> Result<(ExitStatus, f64)> {
    let mut status = 0;
    // SAFETY: rusage is plain integers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointers are to live variables; the child is ours and not waited for elsewhere.
    let got = unsafe { libc::wait4(pid as libc::pid_t, &mut status, 0, &mut usage) };
    if got < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let seconds = usage.ru_utime.tv_sec as f64 + usage.ru_utime.tv_usec as f64 / 1e6;
    Ok((ExitStatus::from_raw(status), seconds))
}

/// Measures a kernel natively, under friscy and under qemu-user, in turn.
pub fn kernel(kernel: &Kernel, places: &Places, rounds: u32) -> Result<KernelRow> {
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let host = vec![text(&kernel.host)];
    let friscy = vec![text(&places.friscy), String::from("run"), text(&kernel.guest)];
    let qemu = vec![String::from(QEMU), text(&kernel.guest)];
    let (mut native, mut of_friscy, mut of_qemu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let on_host = once(&host)?;
        let in_friscy = once(&friscy)?;
        let in_qemu = once(&qemu)?;
        if in_friscy.output != on_host.output || in_qemu.output != on_host.output {
            bail!(
                "outputs differ: native {:?}, friscy {:?}, qemu {:?}",
                String::from_utf8_lossy(&on_host.output),
                String::from_utf8_lossy(&in_friscy.output),
                String::from_utf8_lossy(&in_qemu.output)
            );
        }
        native.push(on_host.user_seconds);
        of_friscy.push(on_host.user_seconds / in_friscy.user_seconds * 100.0);
        of_qemu.push(on_host.user_seconds / in_qemu.user_seconds * 100.0);
    }
    Ok(KernelRow {
        name: kernel.name.clone(),
        floating: kernel.floating,
        native_seconds: Figure::of(native),
        friscy_percent: Figure::of(of_friscy),
        qemu_percent: Figure::of(of_qemu),
    })
}

/// Times a program from start to exit under each contender, in turn.
pub fn start(start: &Start, rounds: u32) -> Result<StartRow> {
    let (mut friscy, mut qemu, mut host) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let in_friscy = once(&start.friscy)?;
        let in_qemu = once(&start.qemu)?;
        let on_host = start.host.as_deref().map(once).transpose()?;
        if in_friscy.output != in_qemu.output {
            bail!("outputs differ under friscy and qemu-user");
        }
        // The first round fills the host's caches.
        if round > 0 {
            friscy.push(in_friscy.wall_seconds);
            qemu.push(in_qemu.wall_seconds);
            host.extend(on_host.map(|run| run.wall_seconds));
        }
    }
    Ok(StartRow {
        name: start.name.clone(),
        friscy: Figure::of(friscy),
        qemu: Figure::of(qemu),
        host: (!host.is_empty()).then(|| Figure::of(host)),
    })
}
