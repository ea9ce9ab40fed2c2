//! What `--stats` says when the command has ended.

use crate::options::StatsFormat;
use friscy_seam::TierStats;
use std::fmt::Write as _;
use std::time::Duration;

/// How many runs were compared with the interpreter, and how many pages that they wrote, if they were.
type Compared = Option<(u64, u64)>;

/// The report on `retired` instructions that took `time`, on what was compiled, and what was compared.
pub fn report(format: StatsFormat, retired: u64, time: Duration, compiled: &TierStats, compared: Compared) -> String {
    match format {
        StatsFormat::Text => {
            let mut text = text(retired, time, compiled);
            if let Some((runs, pages)) = compared {
                let _ = writeln!(text, "friscy: compared {runs} runs, which wrote {pages} pages");
            }
            text
        }
        StatsFormat::Json => json(retired, time, compiled, compared),
    }
}

fn text(retired: u64, time: Duration, compiled: &TierStats) -> String {
    let (seconds, c) = (time.as_secs_f64(), compiled);
    let rate = retired as f64 / seconds / 1e6;
    let mut text = format!("friscy: {retired} instructions in {seconds:.3} s, {rate:.1} million a second\n");
    if c.regions + c.again + c.restored + c.all_refused() == 0 {
        text.push_str("friscy: nothing was compiled\n");
        return text;
    }
    let _ = writeln!(
        text,
        "friscy: compiled {} regions, {} of them again, in {:.1} ms: {} instructions, {:.2} host bytes a guest byte",
        c.regions + c.again,
        c.again,
        c.compile_nanos as f64 / 1e6,
        c.guest_insts,
        c.host_bytes as f64 / c.guest_bytes.max(1) as f64,
    );
    if c.restored > 0 {
        let _ = writeln!(text, "friscy: took back {} regions that an earlier run had compiled", c.restored);
    }
    let _ = writeln!(
        text,
        "friscy: {} attempts, {} stores added for faults, {} regions invalidated, {} refused",
        c.attempts,
        c.stores,
        c.invalidated,
        c.all_refused(),
    );
    for (why, count) in &c.refused {
        let _ = writeln!(text, "friscy: refused {count}: {why}");
    }
    let exits: Vec<String> = c
        .counts()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .filter_map(|(name, count)| Some(format!("{} {count}", name.strip_prefix("exits_")?.replace('_', " "))))
        .collect();
    let exits = if exits.is_empty() { String::from("none") } else { exits.join(", ") };
    let _ = writeln!(text, "friscy: entered compiled code {} times; exits: {exits}", c.entries);
    text
}

/// One object in a line: names and reasons are words of this program without anything to escape.
fn json(retired: u64, time: Duration, compiled: &TierStats, compared: Compared) -> String {
    let mut text = format!("{{\"instructions\":{retired},\"seconds\":{:.6},\"compiled\":{{", time.as_secs_f64());
    for (name, count) in compiled.counts() {
        let _ = write!(text, "\"{name}\":{count},");
    }
    let refused: Vec<String> = compiled.refused.iter().map(|(why, count)| format!("\"{why}\":{count}")).collect();
    let _ = write!(text, "\"refused\":{{{}}}}}", refused.join(","));
    if let Some((runs, pages)) = compared {
        let _ = write!(text, ",\"compared\":{{\"runs\":{runs},\"pages\":{pages}}}");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> TierStats {
        let mut stats = TierStats {
            regions: 2,
            again: 1,
            guest_insts: 10,
            guest_bytes: 30,
            host_bytes: 120,
            attempts: 4,
            compile_nanos: 1_500_000,
            entries: 3,
            exits_site: 2,
            ..TierStats::default()
        };
        stats.exits_kind[0] = 1;
        stats.count_refused("too large");
        stats
    }

    #[test]
    fn lines() {
        let second = Duration::from_secs(1);
        assert_eq!(
            report(StatsFormat::Text, 2_000_000, second, &some(), None),
            "friscy: 2000000 instructions in 1.000 s, 2.0 million a second\n\
             friscy: compiled 3 regions, 1 of them again, in 1.5 ms: 10 instructions, 4.00 host bytes a guest byte\n\
             friscy: 4 attempts, 0 stores added for faults, 0 regions invalidated, 1 refused\n\
             friscy: refused 1: too large\n\
             friscy: entered compiled code 3 times; exits: site 2, ecall 1\n"
        );
        assert_eq!(
            report(StatsFormat::Text, 1_000_000, second, &TierStats::default(), Some((3, 4))),
            "friscy: 1000000 instructions in 1.000 s, 1.0 million a second\nfriscy: nothing was compiled\n\
             friscy: compared 3 runs, which wrote 4 pages\n"
        );
    }

    #[test]
    fn an_object() {
        let text = report(StatsFormat::Json, 5, Duration::from_millis(500), &some(), Some((3, 4)));
        assert!(text.starts_with("{\"instructions\":5,\"seconds\":0.500000,\"compiled\":{\"regions\":2,"), "{text}");
        assert!(text.ends_with("\"refused\":{\"too large\":1}},\"compared\":{\"runs\":3,\"pages\":4}}\n"), "{text}");
        assert!(text.contains("\"exits_site\":2,") && text.contains("\"exits_ecall\":1,"), "{text}");
    }
}
