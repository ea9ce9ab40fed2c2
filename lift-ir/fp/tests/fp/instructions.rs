//! Every row, result and flags, on millions of operands.

use friscy_fp::{NX, Rm};

use crate::operands::{self, Random};
use crate::referee::{self, Case};
use crate::table::TABLE;

/// Cases a row; with all rows more than two million.
const CASES: usize = 80_000;

/// Compares the rows whose index leaves the remainder `part` when divided by four.
fn check(part: usize) {
    for (index, row) in TABLE.iter().enumerate().filter(|(index, _)| index % 4 == part) {
        let mut random = Random(0x1234_5678_9abc_def1 + index as u64);
        let cases: Vec<Case> = (0..CASES)
            .map(|_| {
                // Half of all code rounds to nearest, and that is where the fast paths are.
                let rm = if random.below(2) == 0 { 0 } else { random.below(5) as u32 };
                // NX alone decides paths; now and then any flags, to see that they stay.
                let flags = if random.below(8) == 0 { random.below(32) as u32 } else { random.below(2) as u32 * NX };
                Case { args: operands::sources(row.sources, &mut random), fcsr: rm << 5 | flags }
            })
            .collect();
        for (case, want) in cases.iter().zip(referee::outcomes(index, &cases)) {
            let rm = Rm::from_bits(case.fcsr >> 5).expect("a valid mode");
            for (name, run) in row.by {
                let mut flags = case.fcsr & 31;
                let result = run(case.args, rm, &mut flags);
                assert_eq!(
                    (result, flags),
                    want,
                    "{name}: {}, {rm:?}, {:#x?}: {result:#x}, not {:#x}",
                    row.asm,
                    case,
                    want.0
                );
            }
        }
    }
}

#[test]
fn rows_0_mod_4() {
    check(0);
}

#[test]
fn rows_1_mod_4() {
    check(1);
}

#[test]
fn rows_2_mod_4() {
    check(2);
}

#[test]
fn rows_3_mod_4() {
    check(3);
}

#[test]
fn millions_of_cases_run() {
    assert!(TABLE.len() * CASES > 2_000_000);
}
