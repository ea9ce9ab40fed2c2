//! Running commands in turn and taking their times.

use crate::contender::Entry;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// One run of a command.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What it wrote to its standard output.
    pub output: Vec<u8>,
    /// Processor time of all its threads, in user mode and in the kernel, in seconds.
    pub cpu_seconds: f64,
    /// From its start to its exit, in seconds.
    pub wall_seconds: f64,
}

/// Median, smallest and largest of several values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Figure {
    /// Of values, unless there are none. The median of an even number of them is between the two in the middle.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Figure> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let (upper, lower) = (values.len() / 2, (values.len() - 1) / 2);
        Some(Figure { median: (values[lower] + values[upper]) / 2.0, min, max })
    }
}

/// How commands are run in turn.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often each is run and counted.
    pub rounds: u32,
    /// Whether a round before those fills the host's caches.
    pub warm_up: bool,
    /// Whether all must write the same.
    pub same_output: bool,
}

/// Runs the entries in turn, round after round; answers their runs, entry by entry.
///
/// # Errors
/// If a command cannot be run or fails, or writes what the first one does not.
pub fn alternate(entries: &[Entry], plan: Plan) -> Result<Vec<Vec<Run>>> {
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); entries.len()];
    let extra = u32::from(plan.warm_up);
    for round in 0..plan.rounds + extra {
        let mut expected: Option<Vec<u8>> = None;
        for (entry, runs) in entries.iter().zip(&mut runs) {
            let run = once(&entry.command)?;
            let expected = expected.get_or_insert_with(|| run.output.clone());
            if plan.same_output && run.output != *expected {
                bail!(
                    "outputs differ: {} {:?}, {} {:?}",
                    entries[0].contender.name(),
                    String::from_utf8_lossy(expected),
                    entry.contender.name(),
                    String::from_utf8_lossy(&run.output)
                );
            }
            if round >= extra {
                runs.push(run);
            }
        }
    }
    Ok(runs)
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
    let (status, cpu_seconds) = wait(child.id())?;
    let wall_seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("{}: {status}", words.join(" "));
    }
    Ok(Run { output, cpu_seconds, wall_seconds })
}

/// Waits for a child; returns its status and the processor time that it took, in seconds.
fn wait(pid: u32) -> Result<(ExitStatus, f64)> {
    let mut status = 0;
    // SAFETY: rusage is plain integers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointers are to live variables; the child is ours and not waited for elsewhere.
    let got = unsafe { libc::wait4(pid as libc::pid_t, &mut status, 0, &mut usage) };
    if got < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok((ExitStatus::from_raw(status), seconds(usage.ru_utime) + seconds(usage.ru_stime)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::{Contender, NATIVE, Tier};

    #[test]
    fn a_figure_has_the_middle_and_the_ends() {
        assert_eq!(Figure::of([3.0, 1.0, 2.0]), Some(Figure { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Figure::of([4.0, 1.0]), Some(Figure { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Figure::of([]), None);
    }

    #[test]
    fn entries_are_run_in_turn_and_must_agree() {
        let entry = |contender, text: &str| Entry::new(contender, &["echo", text]);
        let (native, friscy) = (NATIVE, Contender::Friscy(Tier::Jit));
        let plan = Plan { rounds: 2, warm_up: true, same_output: true };
        let runs = alternate(&[entry(native, "a"), entry(friscy, "a")], plan).expect("echo runs");
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(runs[1][0].output, b"a\n");
        let error = alternate(&[entry(native, "a"), entry(friscy, "b")], plan).expect_err("they differ");
        assert_eq!(error.to_string(), "outputs differ: native \"a\\n\", jit \"b\\n\"");
        assert!(alternate(&[Entry::new(native, &["false"])], plan).is_err());
    }
}
