//! The command `friscy-bench`.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use friscy_bench::contender::{Baseline, Field, Host, Tier};
use friscy_bench::kernels::{Kernel, wasi};
use friscy_bench::measure::{Plan, alternate};
use friscy_bench::places::{Places, installed, node_version};
use friscy_bench::report::{KernelRow, Report, StartRow, fused, geomeans};
use friscy_bench::{markdown, sevenzip, starts};
use std::io::Write;
use std::process::ExitCode;

/// Measures friscy beside native code, qemu-user and wasm.
#[derive(Parser)]
#[command(name = "friscy-bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs kernels and programs, and prints tables.
    Run {
        /// What is run.
        #[arg(long, value_enum, default_value_t = Suite::All)]
        suite: Suite,
        /// Only kernels and programs whose name contains this.
        #[arg(long, value_name = "PART")]
        only: Option<String>,
        /// How often each kernel is run; starts are run eleven times at least.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=101))]
        rounds: u32,
        /// How much of its work each kernel does: a second natively at 1. The page's engine takes long for that.
        #[arg(long, default_value_t = 1.0, value_parser = scale)]
        scale: f64,
        /// friscy's tiers.
        #[arg(long, value_enum, value_delimiter = ',', default_value = "jit")]
        tiers: Vec<Tier>,
        /// What friscy is compared with; native always is. All but qemu are about kernels, and those of wasm about all
        /// kernels but system calls.
        #[arg(long, value_enum, value_delimiter = ',', default_value = "native,scalar,qemu")]
        against: Vec<Baseline>,
        /// How results are printed.
        #[arg(long, value_enum, default_value_t = Format::Markdown)]
        format: Format,
    },
}

/// Reads a share of work.
fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse::<f64>().map_err(|error| error.to_string())?;
    if scale > 0.0 && scale <= 100.0 { Ok(scale) } else { Err(String::from("it is above 0 and at most 100")) }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Small C programs, in processor time.
    Kernels,
    /// Programs from start to exit.
    Starts,
    /// Kernels and starts.
    All,
    /// 7-Zip's own rating, which takes minutes a round and the root file system of programs.
    #[value(name = "7zip")]
    SevenZip,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Tables to read.
    Markdown,
    /// One object.
    Json,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("friscy-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let Command::Run { suite, only, rounds, scale, tiers, against, format } = cli.command;
    let wanted = |name: &str| only.as_deref().is_none_or(|part| name.contains(part));
    let places = Places::find()?;
    let host = Host { installed: &installed, fused: fused(), wasi: &|| wasi(&places.built), web: places.web.is_some() };
    let (field, notes) = Field::choose(&tiers, &against, &host);
    let mut report = Report::new(rounds, scale, node_version().filter(|_| field.has_v8()), notes);
    if matches!(suite, Suite::Kernels | Suite::All) {
        measure_kernels(&mut report, &places, &field, &wanted)?;
    }
    if matches!(suite, Suite::Starts | Suite::All) {
        measure_starts(&mut report, &places, &field, &wanted)?;
    }
    if suite == Suite::SevenZip {
        let (entries, note) = sevenzip::entries(&places, &field)?;
        report.notes.extend(note);
        if field.tiers.iter().any(|tier| tier.is_web()) {
            report.notes.push(String::from("7-Zip is not measured with the web engine"));
        }
        let runs = alternate(&entries, Plan { rounds, warm_up: false, same_output: false })?;
        report.sevenzip = sevenzip::rows(&entries, &runs)?;
    }
    for note in &report.notes {
        eprintln!("friscy-bench: {note}");
    }
    let text = match format {
        Format::Markdown => markdown::report(&report),
        Format::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).context("standard output cannot be written")
}

fn measure_kernels(report: &mut Report, places: &Places, field: &Field, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    if field.has(Baseline::Wasm) || field.has(Baseline::WasmTiered) {
        let note = "kernels of system calls are not measured in wasm: WASI has no pipe, parent or device";
        report.notes.push(note.to_owned());
    }
    let plan = Plan { rounds: report.rounds, warm_up: false, same_output: true };
    for kernel in Kernel::all()?.into_iter().filter(|kernel| wanted(&kernel.name)) {
        eprintln!("{}", kernel.name);
        let measured = || -> Result<KernelRow> {
            let entries = kernel.entries(places, field, report.scale)?;
            KernelRow::new(&kernel.name, kernel.group, &entries, &alternate(&entries, plan)?)
        };
        report.kernels.push(measured().with_context(|| format!("kernel {}", kernel.name))?);
    }
    report.geomeans = geomeans(&report.kernels);
    Ok(())
}

fn measure_starts(report: &mut Report, places: &Places, field: &Field, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    report.notes.extend(places.note());
    if field.tiers.iter().any(|tier| tier.is_web()) {
        report.notes.push(String::from("starts are not measured with the web engine"));
    }
    let plan = Plan { rounds: report.start_rounds, warm_up: true, same_output: true };
    for start in starts::starts(places, field, wanted)? {
        eprintln!("{}", start.name);
        let runs = alternate(&start.entries, plan).with_context(|| format!("start of {}", start.name))?;
        report.starts.push(StartRow::new(&start.name, &start.entries, &runs)?);
    }
    Ok(())
}
