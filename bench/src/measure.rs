//! Running commands in turn and taking their times.

use crate::contender::Entry;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
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
    /// What the program in it took by itself, if the command tells.
    pub program: Option<Times>,
}

impl Run {
    /// Processor seconds of the program: from its first instruction to its exit if that was told, else of the command.
    pub fn program_seconds(&self) -> f64 {
        self.program.map_or(self.cpu_seconds, |program| program.cpu_seconds)
    }

    /// Seconds that passed besides the program's, if those were told.
    pub fn outside_seconds(&self) -> Option<f64> {
        self.program.map(|program| self.wall_seconds - program.wall_seconds)
    }
}

/// What a program took from its first instruction to its exit, without what starts first: node, loading, compiling.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Times {
    /// Seconds.
    pub wall_seconds: f64,
    /// Processor seconds of all threads.
    pub cpu_seconds: f64,
}

impl Times {
    /// How a line of standard error begins that tells them, as `web/bench/clock.mjs` writes it.
    const MARK: &str = "program-time ";

    /// From such a line.
    fn parse(line: &str) -> Option<Times> {
        serde_json::from_str(line.strip_prefix(Times::MARK)?).ok()
    }
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
            let run = once(entry)?;
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

/// Runs an entry's command and accounts for it.
fn once(entry: &Entry) -> Result<Run> {
    let words = &entry.command;
    let tells = entry.contender.in_v8();
    let start = Instant::now();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if tells { Stdio::piped() } else { Stdio::inherit() })
        .spawn()
        .with_context(|| format!("{} cannot be run", words[0]))?;
    let told = child.stderr.take().map(|errors| thread::spawn(|| listen(errors)));
    let mut output = Vec::new();
    child.stdout.take().context("the output is piped")?.read_to_end(&mut output)?;
    let (status, cpu_seconds) = wait(child.id())?;
    let wall_seconds = start.elapsed().as_secs_f64();
    let program = told.and_then(|thread| thread.join().ok()).flatten();
    if !status.success() {
        bail!("{}: {status}", words.join(" "));
    }
    if tells && program.is_none() {
        bail!("{}: it does not tell its time", words.join(" "));
    }
    Ok(Run { output, cpu_seconds, wall_seconds, program })
}

/// Passes on what a command writes to standard error, but for the times that it tells.
fn listen(errors: impl Read) -> Option<Times> {
    let mut told = None;
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        match Times::parse(&line) {
            Some(times) => told = Some(times),
            None => eprintln!("{line}"),
        }
    }
    told
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
    fn times_are_told_among_other_lines() {
        let errors = "a warning\nprogram-time {\"wall_seconds\":2.5,\"cpu_seconds\":1}\n";
        let times = Times { wall_seconds: 2.5, cpu_seconds: 1.0 };
        assert_eq!(listen(errors.as_bytes()), Some(times));
        assert_eq!(listen(&b"program-time soon\n"[..]), None);
        let run = Run { cpu_seconds: 1.5, ..Run::default() };
        assert_eq!(run.program_seconds(), 1.5);
        assert_eq!(Run { program: Some(times), ..run }.program_seconds(), 1.0);
    }

    #[test]
    fn who_must_tell_its_time_and_does_not_fails() {
        let plan = Plan { rounds: 1, warm_up: false, same_output: true };
        let v8 = Contender::Friscy(Tier::V8);
        let error = alternate(&[Entry::new(v8, &["true"])], plan).expect_err("it is silent");
        assert_eq!(error.to_string(), "true: it does not tell its time");
        let line = "program-time {\"wall_seconds\":2,\"cpu_seconds\":1}";
        let runs = alternate(&[Entry::new(v8, &["sh", "-c", &format!("echo '{line}' >&2")])], plan).expect("it tells");
        assert_eq!(runs[0][0].program.map(|times| times.wall_seconds), Some(2.0));
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
