//! The tables.

use crate::measure::{Figure, KernelRow, StartRow};
use std::fs;

/// One line about the machine.
pub fn machine(rounds: u32) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, value)| value).to_owned()
    };
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    format!("{}, {cores} cores; medians of {rounds} rounds, smallest and largest in brackets", field("model name"))
}

fn percent(figure: Figure) -> String {
    format!("{:.1} [{:.1}–{:.1}]", figure.median, figure.min, figure.max)
}

fn milliseconds(figure: Figure) -> String {
    let [median, min, max] = [figure.median, figure.min, figure.max].map(|seconds| seconds * 1e3);
    if median < 100.0 {
        format!("{median:.1} [{min:.1}–{max:.1}]")
    } else {
        format!("{median:.0} [{min:.0}–{max:.0}]")
    }
}

/// The geometric mean of positive values.
fn geomean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

/// Kernels in percent of native.
pub fn kernels(rows: &[KernelRow]) {
    if rows.is_empty() {
        return;
    }
    println!("| kernel | native, s | friscy, % of native | qemu-user, % of native |");
    println!("|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {:.3} | {} | {} |",
            row.name,
            row.native_seconds.median,
            percent(row.friscy_percent),
            percent(row.qemu_percent)
        );
    }
    type Belongs = fn(&KernelRow) -> bool;
    let groups: [(&str, Belongs); 3] = [
        ("geomean, integer", |row| !row.floating),
        ("geomean, floating point", |row| row.floating),
        ("geomean, all", |_| true),
    ];
    for (name, belongs) in groups {
        let of = |figure: &dyn Fn(&KernelRow) -> f64| geomean(rows.iter().filter(|row| belongs(row)).map(figure));
        if let (Some(friscy), Some(qemu)) = (of(&|row| row.friscy_percent.median), of(&|row| row.qemu_percent.median)) {
            println!("| **{name}** | | **{friscy:.1}** | {qemu:.1} |");
        }
    }
    println!();
}

/// Starts in milliseconds.
pub fn starts(rows: &[StartRow]) {
    if rows.is_empty() {
        return;
    }
    println!("| start to exit, ms | friscy | qemu-user | native |");
    println!("|---|---|---|---|");
    for row in rows {
        let host = row.host.map(milliseconds).unwrap_or_default();
        println!("| {} | {} | {} | {host} |", row.name, milliseconds(row.friscy), milliseconds(row.qemu));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometric_mean_weighs_ratios() {
        assert_eq!(geomean([2.0, 8.0].into_iter()).map(|mean| (mean * 1e6).round()), Some(4e6));
        assert_eq!(geomean(std::iter::empty()), None);
    }
}
