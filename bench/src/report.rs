//! What was measured, as JSON has it and Markdown shows it.

use crate::contender::{Contender, Entry, NATIVE, SCALAR, WASM};
use crate::kernels::Group;
use crate::measure::{Figure, Run};
use crate::sevenzip::RatingRow;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs;

/// Starts are short: each is timed this often at least.
const MIN_STARTS: u32 = 11;

/// Everything that was measured in one run of the bench.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The processor, as Linux names it.
    pub machine: String,
    /// How many of its cores there are.
    pub cores: usize,
    /// Versions of node and V8, if V8 runs somebody.
    pub node: Option<String>,
    /// How often each kernel was run, and 7-Zip.
    pub rounds: u32,
    /// How much of its work each kernel did.
    pub scale: f64,
    /// How often each start was timed.
    pub start_rounds: u32,
    /// What was not measured, and why.
    pub notes: Vec<String>,
    /// Kernels, in the order of their groups.
    pub kernels: Vec<KernelRow>,
    /// Geometric means over kernels.
    pub geomeans: Vec<Geomean>,
    /// Programs from start to exit.
    pub starts: Vec<StartRow>,
    /// 7-Zip's own rating.
    pub sevenzip: Vec<RatingRow>,
}

impl Report {
    /// An empty one about this machine.
    pub fn new(rounds: u32, scale: f64, node: Option<String>, notes: Vec<String>) -> Report {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let machine = field(&cpuinfo, "model name").unwrap_or("unknown").to_owned();
        let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
        let (kernels, geomeans, starts, sevenzip) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Report {
            machine,
            cores,
            node,
            rounds,
            scale,
            start_rounds: rounds.max(MIN_STARTS),
            notes,
            kernels,
            geomeans,
            starts,
            sevenzip,
        }
    }
}

/// Whether this processor has fused multiply-adds.
pub fn fused() -> bool {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    field(&cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "fma"))
}

fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
    line.split_once(": ").map(|(_, value)| value)
}

/// A kernel's figures.
#[derive(Debug, Serialize)]
pub struct KernelRow {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub group: Group,
    /// Processor seconds natively.
    pub native_seconds: Figure,
    /// Of the others.
    pub speeds: Vec<Speed>,
}

/// How fast a contender ran a kernel.
#[derive(Debug, Serialize)]
pub struct Speed {
    /// Who ran it.
    pub contender: Contender,
    /// Processor seconds: where V8 runs it, from the program's first instruction to its exit, of all threads, so with
    /// what V8 compiles meanwhile.
    pub seconds: Figure,
    /// Where V8 runs it, the seconds that pass besides: node's or Chromium's start and end, loading, and what is compiled
    /// before.
    pub outside_seconds: Option<Figure>,
    /// Speed in percent of native code's, over the rounds' ratios.
    pub percent_of_native: Figure,
    /// Speed in percent of native code's without vectors, for kernels about floating point where that was measured.
    pub percent_of_scalar: Option<Figure>,
    /// Speed in percent of what is compiled straight to wasm, where V8 runs both.
    pub percent_of_wasm: Option<Figure>,
}

impl Speed {
    /// Against a base, if it was measured.
    pub fn percent(&self, base: Contender) -> Option<Figure> {
        match base {
            SCALAR => self.percent_of_scalar,
            WASM => self.percent_of_wasm,
            _ => Some(self.percent_of_native),
        }
    }
}

impl KernelRow {
    /// A row of what was measured: the entries' runs, native code's among them.
    ///
    /// # Errors
    /// If native code was not run.
    pub fn new(name: &str, group: Group, entries: &[Entry], runs: &[Vec<Run>]) -> Result<KernelRow> {
        let of = |contender| {
            let at = entries.iter().position(|entry| entry.contender == contender);
            at.and_then(|at| runs.get(at)).map(Vec::as_slice)
        };
        let native = of(NATIVE).context("native code was not run")?;
        let scalar = if group == Group::Floating { of(SCALAR) } else { None };
        let wasm = |contender: Contender| if contender.in_v8() && contender != WASM { of(WASM) } else { None };
        let mut speeds = Vec::new();
        for (entry, runs) in entries.iter().zip(runs).filter(|(entry, _)| entry.contender != NATIVE) {
            speeds.push(Speed {
                contender: entry.contender,
                seconds: program_seconds(runs).context("nothing was run")?,
                outside_seconds: Figure::of(runs.iter().filter_map(Run::outside_seconds)),
                percent_of_native: percent(native, runs).context("nothing was run")?,
                percent_of_scalar: scalar.and_then(|scalar| percent(scalar, runs)),
                percent_of_wasm: wasm(entry.contender).and_then(|wasm| percent(wasm, runs)),
            });
        }
        let native_seconds = program_seconds(native).context("nothing was run")?;
        Ok(KernelRow { name: name.to_owned(), group, native_seconds, speeds })
    }
}

fn cpu_seconds(runs: &[Run]) -> Option<Figure> {
    Figure::of(runs.iter().map(|run| run.cpu_seconds))
}

fn program_seconds(runs: &[Run]) -> Option<Figure> {
    Figure::of(runs.iter().map(Run::program_seconds))
}

/// Speeds in percent of the base's, round by round.
fn percent(base: &[Run], runs: &[Run]) -> Option<Figure> {
    // The clock's own resolution keeps ratios finite.
    let seconds = |run: &Run| run.program_seconds().max(1e-6);
    Figure::of(base.iter().zip(runs).map(|(base, run)| seconds(base) / seconds(run) * 100.0))
}

/// A geometric mean over the kernels of some groups.
#[derive(Debug, PartialEq, Serialize)]
pub struct Geomean {
    /// What the kernels are about.
    pub of: &'static str,
    /// Whether it is one of the two that stand for friscy's speed.
    pub headline: bool,
    /// Whose speed.
    pub contender: Contender,
    /// What 100 % is.
    pub base: Contender,
    /// Mean of the kernels' medians.
    pub percent: f64,
}

/// The means: name, whether it is a headline, groups, base. Calls and interpreters are integer code.
const MEANS: [(&str, bool, &[Group], Contender); 14] = [
    ("integer", true, &[Group::Integer, Group::Calls, Group::Interpreters], NATIVE),
    ("floating point", true, &[Group::Floating], NATIVE),
    ("floating point, of scalar", true, &[Group::Floating], SCALAR),
    ("integer without calls and interpreters", false, &[Group::Integer], NATIVE),
    ("calls", false, &[Group::Calls], NATIVE),
    ("interpreters", false, &[Group::Interpreters], NATIVE),
    ("memory", false, &[Group::Memory], NATIVE),
    ("system calls", false, &[Group::System], NATIVE),
    ("the C library's functions", false, &[Group::Libc], NATIVE),
    ("integer, of wasm", true, &[Group::Integer, Group::Calls, Group::Interpreters], WASM),
    ("floating point, of wasm", true, &[Group::Floating], WASM),
    ("calls, of wasm", false, &[Group::Calls], WASM),
    ("interpreters, of wasm", false, &[Group::Interpreters], WASM),
    ("memory, of wasm", false, &[Group::Memory], WASM),
];

/// All means over the rows, mean by mean, for each contender that ran one of their kernels.
pub fn geomeans(rows: &[KernelRow]) -> Vec<Geomean> {
    let mut contenders = Vec::new();
    for speed in rows.iter().flat_map(|row| &row.speeds) {
        if !contenders.contains(&speed.contender) {
            contenders.push(speed.contender);
        }
    }
    let mut means = Vec::new();
    for (of, headline, groups, base) in MEANS {
        for &contender in &contenders {
            let rows = rows.iter().filter(|row| groups.contains(&row.group));
            let speeds = rows.flat_map(|row| &row.speeds).filter(|speed| speed.contender == contender);
            if let Some(percent) = geomean(speeds.filter_map(|speed| Some(speed.percent(base)?.median))) {
                means.push(Geomean { of, headline, contender, base, percent });
            }
        }
    }
    means
}

/// The geometric mean of positive values.
fn geomean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

/// A program's figures from start to exit.
#[derive(Debug, Serialize)]
pub struct StartRow {
    /// What the table calls it.
    pub name: String,
    /// Each contender's times.
    pub times: Vec<StartTime>,
}

/// How long a program took.
#[derive(Debug, Serialize)]
pub struct StartTime {
    /// Who ran it.
    pub contender: Contender,
    /// Seconds from start to exit.
    pub wall_seconds: Figure,
    /// Processor seconds of all threads.
    pub cpu_seconds: Figure,
}

impl StartRow {
    /// A row of what was measured.
    ///
    /// # Errors
    /// If an entry was not run.
    pub fn new(name: &str, entries: &[Entry], runs: &[Vec<Run>]) -> Result<StartRow> {
        let mut times = Vec::new();
        for (entry, runs) in entries.iter().zip(runs) {
            times.push(StartTime {
                contender: entry.contender,
                wall_seconds: Figure::of(runs.iter().map(|run| run.wall_seconds)).context("nothing was run")?,
                cpu_seconds: cpu_seconds(runs).context("nothing was run")?,
            });
        }
        Ok(StartRow { name: name.to_owned(), times })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::contender::{Baseline, Tier};
    use crate::measure::Times;

    const JIT: Contender = Contender::Friscy(Tier::Jit);

    fn runs(seconds: &[f64]) -> Vec<Run> {
        let run = |&seconds: &f64| Run { cpu_seconds: seconds, wall_seconds: seconds * 2.0, ..Run::default() };
        seconds.iter().map(run).collect()
    }

    fn row(name: &str, group: Group) -> KernelRow {
        let entries = [NATIVE, SCALAR, Contender::Other(Baseline::Qemu), JIT].map(|who| Entry::new(who, &["x"]));
        let runs = [runs(&[1.0, 1.0]), runs(&[2.0, 2.0]), runs(&[10.0, 10.0]), runs(&[4.0, 2.0])];
        KernelRow::new(name, group, &entries, &runs).expect("all were run")
    }

    /// A report of two kernels and a start.
    pub(crate) fn example() -> Report {
        let kernels = vec![row("sort", Group::Integer), row("fft", Group::Floating)];
        let entries = [NATIVE, JIT].map(|who| Entry::new(who, &["x"]));
        let start = StartRow::new("static hello", &entries, &[runs(&[0.001]), runs(&[0.1])]).expect("all were run");
        Report {
            machine: String::from("a processor"),
            cores: 2,
            node: None,
            rounds: 2,
            scale: 1.0,
            start_rounds: 11,
            notes: vec![String::from("clang is not measured")],
            geomeans: geomeans(&kernels),
            kernels,
            starts: vec![start],
            sevenzip: Vec::new(),
        }
    }

    #[test]
    fn a_geometric_mean_weighs_ratios() {
        assert_eq!(geomean([2.0, 8.0].into_iter()).map(|mean| (mean * 1e6).round()), Some(4e6));
        assert_eq!(geomean(std::iter::empty()), None);
    }

    #[test]
    fn percents_are_medians_of_the_rounds_ratios() {
        let row = row("fft", Group::Floating);
        let speed = row.speeds.last().expect("friscy's");
        assert_eq!(speed.percent_of_native, Figure { median: 37.5, min: 25.0, max: 50.0 });
        assert_eq!(speed.percent_of_scalar, Some(Figure { median: 75.0, min: 50.0, max: 100.0 }));
    }

    /// A report of a kernel that V8 runs too.
    pub(crate) fn example_in_v8() -> Report {
        let v8 = Contender::Friscy(Tier::V8);
        let entries = [NATIVE, WASM, JIT, v8].map(|who| Entry::new(who, &["x"]));
        let told = |cpu_seconds| {
            let program = Some(Times { wall_seconds: cpu_seconds, cpu_seconds });
            vec![Run { cpu_seconds: cpu_seconds + 0.5, wall_seconds: cpu_seconds + 0.5, program, ..Run::default() }]
        };
        let runs = [runs(&[1.0]), told(2.0), runs(&[4.0]), told(8.0)];
        let kernels = vec![KernelRow::new("sort", Group::Integer, &entries, &runs).expect("all were run")];
        let (geomeans, node) = (geomeans(&kernels), Some(String::from("node 20, V8 11")));
        Report { node, notes: Vec::new(), kernels, geomeans, starts: Vec::new(), ..example() }
    }

    #[test]
    fn what_v8_runs_counts_from_its_first_instruction() {
        let report = example_in_v8();
        let [wasm, jit, v8] = &report.kernels[0].speeds[..] else { panic!("three of them") };
        let one = |median| Some(Figure { median, min: median, max: median });
        assert_eq!((Some(v8.seconds), v8.outside_seconds), (one(8.0), one(0.5)));
        assert_eq!((Some(v8.percent_of_native), v8.percent_of_wasm), (one(12.5), one(25.0)));
        assert_eq!((Some(wasm.percent_of_native), wasm.percent_of_wasm), (one(50.0), None));
        assert_eq!((jit.outside_seconds, jit.percent_of_wasm), (None, None));
    }

    #[test]
    fn each_mean_has_the_kernels_of_its_groups() {
        let rows = [row("sort", Group::Integer), row("triad", Group::Memory)];
        let means = geomeans(&rows);
        let of_jit: Vec<_> = means.iter().filter(|mean| mean.contender == JIT).map(|mean| mean.of).collect();
        assert_eq!(of_jit, ["integer", "integer without calls and interpreters", "memory"]);
    }

    #[test]
    fn json_names_contenders_groups_and_units() {
        let json = serde_json::to_value(example()).expect("plain data");
        assert_eq!(json["rounds"], 2);
        assert_eq!(json["notes"][0], "clang is not measured");
        let fft = &json["kernels"][1];
        assert_eq!((&fft["name"], &fft["group"]), (&"fft".into(), &"floating".into()));
        assert_eq!(fft["native_seconds"]["median"], 1.0);
        assert_eq!(fft["speeds"][2]["contender"], "jit");
        assert_eq!(fft["speeds"][2]["percent_of_scalar"]["median"], 75.0);
        assert!(json["kernels"][0]["speeds"][2]["percent_of_scalar"].is_null());
        let mean = &json["geomeans"][0];
        assert_eq!((&mean["of"], &mean["base"]), (&"integer".into(), &"native".into()));
        assert_eq!(json["starts"][0]["times"][1]["cpu_seconds"]["median"], 0.1);
    }
}
