//! What programs gave: against the list of those that do not pass, and by name in a file.

use super::Runner;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::path::Path;
use std::process::ExitStatus;

/// How a program ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// With status 0.
    Passed,
    /// By saying that what it is about is not supported: status 4 in the POSIX suite.
    Unsupported,
    /// By saying that it does not test what it is about: status 5 in the POSIX suite.
    Untested,
    /// Otherwise, with what happened.
    Failed(String),
}

impl Verdict {
    /// Of a status, `None` for a program that took too long. `tells` is whether statuses 4 and 5 mean something.
    pub fn new(status: Option<ExitStatus>, tells: bool) -> Verdict {
        let Some(status) = status else { return Verdict::Failed(String::from("did not end")) };
        match status.code() {
            Some(0) => Verdict::Passed,
            Some(4) if tells => Verdict::Unsupported,
            Some(5) if tells => Verdict::Untested,
            Some(code) => Verdict::Failed(format!("status {code}")),
            None => Verdict::Failed(status.to_string()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Passed => "passed",
            Verdict::Unsupported => "unsupported",
            Verdict::Untested => "untested",
            Verdict::Failed(what) => what,
        })
    }
}

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

impl Outcome {
    /// Whether all went as expected.
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.passed > 0
    }

    /// Counts a program; `reason` is that for which it is listed.
    pub fn add(&mut self, name: &str, verdict: &Verdict, reason: Option<&str>) {
        match (verdict, reason) {
            (Verdict::Passed, None) => self.passed += 1,
            (Verdict::Passed, Some(reason)) if is_timing(reason) => self.passed += 1,
            (Verdict::Passed, Some(_)) => self.wrong.push(format!("{name}: passes, and is listed as failing")),
            (Verdict::Unsupported | Verdict::Untested, Some(reason)) if reason == verdict.to_string() => {
                self.untold += 1;
            }
            (_, Some("unsupported" | "untested")) => {
                self.wrong.push(format!("{name}: {verdict}, and is listed as saying that it cannot tell"));
            }
            (_, Some(reason)) if !is_timing(reason) => self.listed += 1,
            (verdict, _) => self.wrong.push(format!("{name}: {verdict}")),
        }
    }
}

/// Whether a program with this reason measures time so closely that it fails on a busy machine. It has to pass by itself,
/// once of three times.
pub fn is_timing(reason: &str) -> bool {
    reason.starts_with("timing: ")
}

/// Lines `NAME: REASON` of a list; empty lines and those that begin with # do not count.
pub fn read_list(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    parse_list(&text).with_context(|| format!("{}", path.display()))
}

fn parse_list(text: &str) -> Result<BTreeMap<String, String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, reason) = line.split_once(": ").with_context(|| format!("{line}: no reason"))?;
            Ok((name.to_owned(), reason.to_owned()))
        })
        .collect()
}

/// The verdicts of a whole suite by name, friscy's and the referee's, as a file: lines `NAME: FRISCY, REFEREE`.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Table {
    /// When each was run last, in the order of [`RUNNERS`].
    runs: [String; 2],
    verdicts: BTreeMap<String, [String; 2]>,
}

/// The runners in the order of the file's columns, with the words that it names them by.
const RUNNERS: [(Runner, &str); 2] = [(Runner::Friscy, "friscy"), (Runner::Qemu, "qemu-user")];

/// What stands for a verdict that there is not.
const NONE: &str = "-";

impl Table {
    /// Reads a file that [`Table`] was displayed to.
    pub fn parse(text: &str) -> Result<Table> {
        let mut table = Table::default();
        for (run, (_, name)) in table.runs.iter_mut().zip(RUNNERS) {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("# {name}: ")));
            *run = line.unwrap_or(NONE).to_owned();
        }
        for (name, verdicts) in parse_list(text)? {
            let (friscy, referee) = verdicts.split_once(", ").with_context(|| format!("{name}: one verdict"))?;
            table.verdicts.insert(name, [friscy.to_owned(), referee.to_owned()]);
        }
        Ok(table)
    }

    /// Replaces a runner's verdicts.
    fn set(&mut self, runner: Runner, run: String, verdicts: &BTreeMap<String, Verdict>) {
        let column = RUNNERS.iter().position(|&(other, _)| other == runner).unwrap_or_default();
        self.runs[column] = run;
        for columns in self.verdicts.values_mut() {
            columns[column] = String::from(NONE);
        }
        for (name, verdict) in verdicts {
            let columns = self.verdicts.entry(name.clone()).or_insert_with(|| [NONE, NONE].map(String::from));
            columns[column] = verdict.to_string();
        }
        self.verdicts.retain(|_, columns| columns.iter().any(|verdict| verdict != NONE));
    }

    /// Programs that pass for the referee, do not in friscy, and are not listed with a reason.
    #[cfg(test)]
    fn worse(&self, listed: &BTreeMap<String, String>) -> Vec<&str> {
        let worse = |[friscy, referee]: &[String; 2]| referee == "passed" && friscy != "passed";
        let names = self.verdicts.iter().filter(|(name, verdicts)| worse(verdicts) && !listed.contains_key(*name));
        names.map(|(name, _)| name.as_str()).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "# How each program of the suite ended when the suite was last run whole: NAME: FRISCY, QEMU-USER.\n",
        )?;
        f.write_str("# `cargo xtask suite` writes this, with `--runner qemu` the second column.\n")?;
        for ((_, name), run) in RUNNERS.iter().zip(&self.runs) {
            writeln!(f, "# {name}: {run}")?;
        }
        f.write_char('\n')?;
        for (name, [friscy, referee]) in &self.verdicts {
            writeln!(f, "{name}: {friscy}, {referee}")?;
        }
        Ok(())
    }
}

/// Puts the verdicts of a whole run into a file; `begun` says when and of which commit it was.
pub fn record(path: &Path, runner: Runner, begun: String, verdicts: &BTreeMap<String, Verdict>) -> Result<()> {
    let mut table = Table::parse(&fs::read_to_string(path).unwrap_or_default())?;
    table.set(runner, begun, verdicts);
    fs::write(path, table.to_string()).with_context(|| format!("{}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::workspace;

    #[test]
    fn outcomes_are_expected_or_wrong() {
        let failed = Verdict::Failed(String::from("status 1"));
        let mut outcome = Outcome::default();
        outcome.add("passes", &Verdict::Passed, None);
        outcome.add("late", &Verdict::Passed, Some("timing: allows 3 ms"));
        outcome.add("known", &failed, Some("wants what Linux does not do"));
        outcome.add("cannot", &Verdict::Untested, Some("untested"));
        assert!(outcome.is_good());
        assert_eq!((outcome.passed, outcome.listed, outcome.untold), (2, 1, 1));
        outcome.add("a", &Verdict::Passed, Some("wants what Linux does not do"));
        outcome.add("b", &failed, None);
        outcome.add("c", &Verdict::Untested, Some("unsupported"));
        outcome.add("d", &failed, Some("untested"));
        outcome.add("e", &Verdict::Unsupported, None);
        outcome.add("f", &failed, Some("timing: allows 3 ms"));
        let wrong = outcome.wrong.iter().filter_map(|line| line.split(':').next()).collect::<String>();
        assert_eq!(wrong, "abcdef");
    }

    #[test]
    fn verdicts_are_kept_by_runner() {
        let verdicts = |pairs: &[(&str, Verdict)]| {
            pairs.iter().map(|(name, verdict)| ((*name).to_owned(), verdict.clone())).collect()
        };
        let mut table = Table::default();
        table.set(Runner::Qemu, String::from("then"), &verdicts(&[("a/1", Verdict::Passed), ("b/1", Verdict::Passed)]));
        let friscy = verdicts(&[("a/1", Verdict::Passed), ("b/1", Verdict::Failed(String::from("did not end")))]);
        table.set(Runner::Friscy, String::from("now"), &friscy);
        assert_eq!(Table::parse(&table.to_string()).expect("what was written"), table);
        assert_eq!(table.worse(&BTreeMap::new()), ["b/1"]);
        assert!(
            table
                .to_string()
                .ends_with("# friscy: now\n# qemu-user: then\n\na/1: passed, passed\nb/1: did not end, passed\n")
        );
        table.set(Runner::Qemu, String::from("later"), &verdicts(&[]));
        assert!(table.to_string().ends_with("a/1: passed, -\nb/1: did not end, -\n"));
    }

    #[test]
    fn what_passes_for_the_referee_passes_in_friscy() {
        let suites = workspace().join("tests/suites");
        let text = fs::read_to_string(suites.join("posix.results.txt")).expect("results of the POSIX suite");
        let table = Table::parse(&text).expect("results");
        assert!(table.verdicts.len() > 1000, "{} programs", table.verdicts.len());
        assert!(table.verdicts.values().flatten().all(|verdict| verdict != NONE), "each runner ran each program");
        let listed = read_list(&suites.join("posix.txt")).expect("the list");
        assert_eq!(table.worse(&listed), [""; 0]);
    }
}
