//! A report as tables in Markdown.

use crate::contender::{Contender, NATIVE, SCALAR, WASM};
use crate::kernels::Group;
use crate::measure::Figure;
use crate::report::{Geomean, KernelRow, Report, Speed, StartRow};
use crate::sevenzip::RatingRow;
use std::fmt::Write;

/// The whole report.
pub fn report(report: &Report) -> String {
    let Report { machine, cores, rounds, start_rounds, .. } = report;
    let mut text = format!(
        "{machine}, {cores} cores; medians of {rounds} rounds (starts {start_rounds}), smallest and largest in brackets\n"
    );
    if report.scale != 1.0 {
        text += &format!("\nEach kernel did {} of its work.\n", report.scale);
    }
    if let Some(node) = &report.node {
        text += &format!(
            "\nWhat V8 runs ({node}) is timed from the program's first instruction to its exit, all threads together: \
             what V8 compiles meanwhile is in it; node's or Chromium's start, loading and what is compiled before are not. \
             Wasm is `clang -O2` for wasm32-wasi, optimised by V8 before it starts; tiered is as V8 does by itself.\n"
        );
    }
    for note in &report.notes {
        text += &format!("\n{note}\n");
    }
    let all: Vec<&KernelRow> = report.kernels.iter().collect();
    let floating: Vec<&KernelRow> = all.iter().copied().filter(|row| row.group == Group::Floating).collect();
    text += &kernels(&all, &report.geomeans, NATIVE);
    text += &kernels(&floating, &report.geomeans, SCALAR);
    text += &kernels(&all, &report.geomeans, WASM);
    text += &starts(&report.starts);
    text += &ratings(&report.sevenzip);
    text
}

/// Contenders in the order of columns: friscy's tiers first, then as they were measured.
fn columns(seen: impl Iterator<Item = Contender>) -> Vec<Contender> {
    let mut columns = Vec::new();
    for contender in seen {
        if !columns.contains(&contender) {
            columns.push(contender);
        }
    }
    columns.sort_by_key(|contender| !matches!(contender, Contender::Friscy(_)));
    columns
}

/// A row of a table.
fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table.
fn head(titles: Vec<String>) -> String {
    let rule = "|---".repeat(titles.len());
    format!("\n{}{rule}|\n", line(titles))
}

fn percent(figure: Figure) -> String {
    format!("{:.1} [{:.1}–{:.1}]", figure.median, figure.min, figure.max)
}

/// Kernels in percent of a base, and the means against it; nothing if nobody was compared with it.
fn kernels(rows: &[&KernelRow], means: &[Geomean], base: Contender) -> String {
    let compared = |speed: &&Speed| speed.contender != base && speed.percent(base).is_some();
    let rows: Vec<&KernelRow> =
        rows.iter().copied().filter(|row| row.speeds.iter().any(|speed| compared(&speed))).collect();
    let columns = columns(rows.iter().flat_map(|row| &row.speeds).filter(compared).map(|speed| speed.contender));
    if columns.is_empty() {
        return String::new();
    }
    let of = match base {
        SCALAR => "scalar native",
        WASM => "wasm",
        _ => "native",
    };
    let seconds = |row: &KernelRow| {
        let speed = row.speeds.iter().find(|speed| base == WASM && speed.contender == WASM);
        speed.map_or(row.native_seconds, |speed| speed.seconds)
    };
    let fixed = ["kernel", if base == WASM { "wasm, s" } else { "native, s" }].map(String::from);
    let titles = columns.iter().map(|contender| format!("{}, % of {of}", contender.title()));
    let mut text = head(fixed.into_iter().chain(titles).collect());
    let mut group = None;
    for row in &rows {
        if group != Some(row.group) {
            group = Some(row.group);
            let name = format!("*{}*", row.group.folder());
            text += &line([name].into_iter().chain(vec![String::new(); columns.len() + 1]));
        }
        let fixed = [row.name.clone(), format!("{:.3}", seconds(row).median)];
        let cells = columns.iter().map(|&contender| {
            let speed = row.speeds.iter().find(|speed| speed.contender == contender);
            speed.and_then(|speed| speed.percent(base)).map(percent).unwrap_or_default()
        });
        text += &line(fixed.into_iter().chain(cells));
    }
    let mut done: Vec<&str> = Vec::new();
    for mean in means.iter().filter(|mean| mean.base == base) {
        if done.contains(&mean.of) {
            continue;
        }
        done.push(mean.of);
        let bold = |cell: String| if mean.headline && !cell.is_empty() { format!("**{cell}**") } else { cell };
        let cells = columns.iter().map(|&contender| {
            let mean = means.iter().find(|other| other.of == mean.of && other.contender == contender);
            bold(mean.map(|mean| format!("{:.1}", mean.percent)).unwrap_or_default())
        });
        text += &line([bold(format!("geomean, {}", mean.of)), String::new()].into_iter().chain(cells));
    }
    text
}

/// Seconds as milliseconds.
fn milliseconds(seconds: f64) -> String {
    let value = seconds * 1e3;
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// Starts in milliseconds.
fn starts(rows: &[StartRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let columns = columns(rows.iter().flat_map(|row| &row.times).map(|time| time.contender));
    let titles = columns.iter().map(|contender| format!("{} (processor time)", contender.title()));
    let mut text = head([String::from("start to exit, ms")].into_iter().chain(titles).collect());
    for row in rows {
        let cells = columns.iter().map(|&contender| {
            let mut cell = String::new();
            if let Some(time) = row.times.iter().find(|time| time.contender == contender) {
                let [median, min, max] =
                    [time.wall_seconds.median, time.wall_seconds.min, time.wall_seconds.max].map(milliseconds);
                let cpu = milliseconds(time.cpu_seconds.median);
                // Writing to a string does not fail.
                let _ = write!(cell, "{median} [{min}–{max}] ({cpu})");
            }
            cell
        });
        text += &line([row.name.clone()].into_iter().chain(cells));
    }
    text
}

/// 7-Zip's ratings.
fn ratings(rows: &[RatingRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let titles = [
        "7-Zip rating, MIPS",
        "compressing",
        "decompressing",
        "total",
        "total, % of native",
        "total by processor time",
        "that, % of native",
    ];
    let mut text = head(titles.map(String::from).to_vec());
    for row in rows {
        let rating = |figure: Figure| format!("{:.0} [{:.0}–{:.0}]", figure.median, figure.min, figure.max);
        text += &line([
            row.contender.title().to_owned(),
            rating(row.compressing),
            rating(row.decompressing),
            rating(row.total),
            row.percent_of_native.map(percent).unwrap_or_default(),
            rating(row.total_by_cpu),
            row.percent_of_native_by_cpu.map(percent).unwrap_or_default(),
        ]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{example, example_in_v8};

    #[test]
    fn tables_have_a_column_for_each_contender() {
        let want = "\
a processor, 2 cores; medians of 2 rounds (starts 11), smallest and largest in brackets

clang is not measured

| kernel | native, s | friscy, % of native | gcc, scalar, % of native | qemu-user, % of native |
|---|---|---|---|---|
| *integer* |  |  |  |  |
| sort | 1.000 | 37.5 [25.0–50.0] | 50.0 [50.0–50.0] | 10.0 [10.0–10.0] |
| *floating* |  |  |  |  |
| fft | 1.000 | 37.5 [25.0–50.0] | 50.0 [50.0–50.0] | 10.0 [10.0–10.0] |
| **geomean, integer** |  | **37.5** | **50.0** | **10.0** |
| **geomean, floating point** |  | **37.5** | **50.0** | **10.0** |
| geomean, integer without calls and interpreters |  | 37.5 | 50.0 | 10.0 |

| kernel | native, s | friscy, % of scalar native | qemu-user, % of scalar native |
|---|---|---|---|
| *floating* |  |  |  |
| fft | 1.000 | 75.0 [50.0–100.0] | 20.0 [20.0–20.0] |
| **geomean, floating point, of scalar** |  | **75.0** | **20.0** |

| start to exit, ms | friscy (processor time) | native (processor time) |
|---|---|---|
| static hello | 200 [200–200] (100) | 2.0 [2.0–2.0] (1.0) |
";
        assert_eq!(report(&example()), want);
    }

    #[test]
    fn what_v8_runs_has_a_table_of_its_own() {
        let want = "
| kernel | native, s | friscy, % of native | friscy in V8, % of native | wasm, % of native |
|---|---|---|---|---|
| *integer* |  |  |  |  |
| sort | 1.000 | 25.0 [25.0–25.0] | 12.5 [12.5–12.5] | 50.0 [50.0–50.0] |
| **geomean, integer** |  | **25.0** | **12.5** | **50.0** |
| geomean, integer without calls and interpreters |  | 25.0 | 12.5 | 50.0 |

| kernel | wasm, s | friscy in V8, % of wasm |
|---|---|---|
| *integer* |  |  |
| sort | 2.000 | 25.0 [25.0–25.0] |
| **geomean, integer, of wasm** |  | **25.0** |
";
        let text = report(&example_in_v8());
        assert!(text.ends_with(want), "{text}");
        assert!(text.contains("(node 20, V8 11)"), "{text}");
    }
}
