//! The tiers agree on random programs, and the programs reach what there is to reach.

use friscy_fuzz::{Totals, check};

/// Programs of one test run. `friscy-fuzz` goes on for as long as one likes.
const PROGRAMS: u64 = 1200;

#[test]
fn tiers_agree() {
    let mut totals = Totals::default();
    for seed in 0..PROGRAMS {
        if let Err(text) = check(seed, &mut totals) {
            panic!("the tiers differ\n{text}");
        }
    }
    let missing: Vec<_> = totals.coverage.missing().map(|row| row.name).collect();
    assert_eq!(missing, [""; 0], "rows of the instruction table in no program");
    assert!(totals.exits.iter().all(|&n| n >= 50), "runs by how they ended: {:?}", totals.exits);
}
