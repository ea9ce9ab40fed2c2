//! The rating that 7-Zip's own benchmark gives, `7za b -mmt1`.

use crate::contender::{Contender, Entry, Field, NATIVE};
use crate::measure::{Figure, Run};
use crate::places::Places;
use crate::starts::inside;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::path::Path;

/// What 7-Zip prints of one run, in millions of its instructions a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rating {
    /// Mean over dictionaries, compressing.
    pub compressing: f64,
    /// The same, decompressing.
    pub decompressing: f64,
    /// Mean of both, by wall time: what else the machine does lowers it.
    pub total: f64,
}

/// A contender's ratings.
#[derive(Debug, Serialize)]
pub struct RatingRow {
    /// Who ran it.
    pub contender: Contender,
    /// Rating when compressing.
    pub compressing: Figure,
    /// Rating when decompressing.
    pub decompressing: Figure,
    /// Mean of both, by wall time.
    pub total: Figure,
    /// That for the share of the time that the host gave a processor to the program and, under friscy, its compiler:
    /// what the wall-clock rating would be on an idle machine.
    pub total_by_cpu: Figure,
    /// The total by wall time in percent of native code's, if that was run.
    pub percent_of_native: Option<Figure>,
    /// The same by processor time.
    pub percent_of_native_by_cpu: Option<Figure>,
}

impl Rating {
    /// Reads what it prints: the line `Avr:` ends each half with its rating, `Tot:` ends with the mean of both.
    ///
    /// # Errors
    /// If it has no such lines.
    pub fn parse(output: &str) -> Result<Rating> {
        let line = |name: &str| {
            let line = output.lines().find_map(|line| line.trim_start().strip_prefix(name));
            line.with_context(|| format!("7-Zip printed no line {name}"))
        };
        let last = |text: &str| {
            let word = text.split_whitespace().last().context("7-Zip's line has no number")?;
            word.parse::<f64>().with_context(|| format!("7-Zip's rating is {word:?}"))
        };
        let means = line("Avr:")?;
        let (left, right) = means.split_once('|').context("7-Zip's means have no two halves")?;
        Ok(Rating { compressing: last(left)?, decompressing: last(right)?, total: last(line("Tot:")?)? })
    }
}

/// Where Debian's releases have the program that needs no plug-ins; scripts in `/usr/bin` would need a shell.
const PATHS: [&str; 2] = ["/usr/lib/7zip/7za", "/usr/bin/7zz"];

/// Who runs the benchmark, and a sentence if the host cannot.
///
/// # Errors
/// If the root file system has no 7-Zip.
pub fn entries(places: &Places, field: &Field) -> Result<(Vec<Entry>, Option<String>)> {
    const ARGUMENTS: [&str; 2] = ["b", "-mmt1"];
    let Some(rootfs) = &places.rootfs else {
        bail!("7-Zip's rating needs FRISCY_ROOTFS: `cargo xtask rootfs --set programs` makes one");
    };
    let Some(guest) = PATHS.into_iter().find(|path| rootfs.join(&path[1..]).is_file()) else {
        bail!("{} has no 7-Zip: `cargo xtask rootfs --set programs` makes one", rootfs.display());
    };
    let mut entries = Vec::new();
    let mut note = None;
    match PATHS.into_iter().find(|path| Path::new(path).is_file()) {
        Some(host) => entries.push(Entry::new(NATIVE, &[&[host], &ARGUMENTS[..]].concat())),
        None => note = Some(String::from("native 7-Zip is not measured: there is none here (Debian: 7zip)")),
    }
    entries.extend(inside(places, field, &[&[guest], &ARGUMENTS[..]].concat()));
    Ok((entries, note))
}

/// A rating and the part of the wall-clock time in which the host ran the program.
struct Measured {
    rating: Rating,
    share: f64,
}

impl Measured {
    fn of(run: &Run) -> Result<Measured> {
        let rating = Rating::parse(&String::from_utf8_lossy(&run.output))?;
        Ok(Measured { rating, share: run.cpu_seconds.max(1e-6) / run.wall_seconds.max(1e-6) })
    }

    fn by_cpu(&self) -> f64 {
        self.rating.total / self.share
    }
}

/// Rows of what was measured.
///
/// # Errors
/// If an output has no rating.
pub fn rows(entries: &[Entry], runs: &[Vec<Run>]) -> Result<Vec<RatingRow>> {
    let mut ratings: Vec<(Contender, Vec<Measured>)> = Vec::new();
    for (entry, runs) in entries.iter().zip(runs) {
        let measured: Result<Vec<Measured>> = runs.iter().map(Measured::of).collect();
        ratings.push((entry.contender, measured.with_context(|| entry.command.join(" "))?));
    }
    let native = ratings.iter().find(|(contender, _)| *contender == NATIVE).map(|(_, ratings)| ratings);
    let mut rows = Vec::new();
    for (contender, ratings) in &ratings {
        let figure = |of: fn(&Measured) -> f64| Figure::of(ratings.iter().map(of)).context("nothing was run");
        let percent = |of: fn(&Measured) -> f64| {
            Figure::of(native?.iter().zip(ratings).map(|(native, rating)| of(rating) / of(native) * 100.0))
        };
        rows.push(RatingRow {
            contender: *contender,
            compressing: figure(|one| one.rating.compressing)?,
            decompressing: figure(|one| one.rating.decompressing)?,
            total: figure(|one| one.rating.total)?,
            total_by_cpu: figure(Measured::by_cpu)?,
            percent_of_native: percent(|one| one.rating.total),
            percent_of_native_by_cpu: percent(Measured::by_cpu),
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Tier;

    const OUTPUT: &str = "
7-Zip (z) 25.01 (riscv64) : Copyright (c) 1999-2025 Igor Pavlov : 2025-08-03
 64-bit locale=C.UTF-8 Threads:2 OPEN_MAX:1024

RAM size:    4096 MB,  # CPU hardware threads:   1
RAM usage:    437 MB,  # Benchmark threads:      1

                       Compressing  |                  Decompressing
Dict     Speed Usage    R/U Rating  |      Speed Usage    R/U Rating
         KiB/s     %   MIPS   MIPS  |      KiB/s     %   MIPS   MIPS

22:       1437    99   1411   1398  |      16939   100   1450   1447
23:       1403   100   1433   1430  |      16633   100   1443   1440
----------------------------------  | ------------------------------
Avr:      1420    99   1422   1414  |      16786   100   1446   1443
Tot:              99   1434   1429
";

    #[test]
    fn a_rating_is_read_from_the_last_lines() {
        let rating = Rating::parse(OUTPUT).expect("it has a rating");
        assert_eq!(rating, Rating { compressing: 1414.0, decompressing: 1443.0, total: 1429.0 });
        assert_eq!(Rating::parse("Killed").unwrap_err().to_string(), "7-Zip printed no line Avr:");
        assert!(Rating::parse("Avr: 1 | x\nTot: 3").is_err());
    }

    #[test]
    fn ratings_are_compared_with_the_native_one() {
        let half = OUTPUT.replace("1434   1429", "1434    714.5");
        let entries = [NATIVE, Contender::Friscy(Tier::Jit)].map(|who| Entry::new(who, &["7zz"]));
        let run =
            |output: &str, cpu_seconds| Run { output: output.into(), cpu_seconds, wall_seconds: 8.0, program: None };
        let runs = [vec![run(OUTPUT, 8.0)], vec![run(&half, 4.0)]];
        let rows = rows(&entries, &runs).expect("both have ratings");
        assert_eq!(rows[1].percent_of_native.map(|figure| figure.median), Some(50.0));
        assert_eq!(rows[1].percent_of_native_by_cpu.map(|figure| figure.median), Some(100.0));
        assert!(super::rows(&entries, &[vec![Run::default()], Vec::new()]).is_err());
    }
}
