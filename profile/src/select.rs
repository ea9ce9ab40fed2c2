//! Choosing hot code: what is worth compiling ahead of time.

use crate::model::{Block, ModuleId, Profile};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Code that was chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selected {
    /// Addresses as the module's ELF headers count: a whole function, or a block that lies in none.
    pub range: Range<u64>,
    /// Instructions that the profile counts in it.
    pub instructions: u64,
}

/// All that was chosen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// By module, the first chosen first.
    pub modules: BTreeMap<ModuleId, Vec<Selected>>,
    /// Instructions counted in what was chosen.
    pub covered: u64,
    /// Instructions counted in all.
    pub total: u64,
    /// Bytes of what was chosen.
    pub bytes: u64,
}

/// Of so many counted instructions one makes a block a place that a run probably comes to from outside of what is compiled.
const ENTRY_SHARE: u64 = 4096;

impl Selection {
    /// The share of counts that is covered, 0 to 1; 1 of an empty profile.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        if self.total == 0 { 1.0 } else { self.covered as f64 / self.total as f64 }
    }

    /// How many counted instructions make a block a place where compiled code is to be entered.
    #[must_use]
    pub fn entry_instructions(&self) -> u64 {
        (self.total / ENTRY_SHARE).max(1)
    }
}

/// Chooses the smallest set of blocks that has `percent` (99, say) of the counts, grown to the functions that they lie in;
/// `functions` are ranges of each module, in the order of their starts. Hotter blocks come first. What would exceed
/// `max_bytes` together with what was chosen before it is left out.
#[must_use]
pub fn select(
    profile: &Profile,
    functions: &BTreeMap<ModuleId, Vec<Range<u64>>>,
    percent: f64,
    max_bytes: u64,
) -> Selection {
    let mut hottest: Vec<(u64, ModuleId, Block)> = Vec::new();
    for (id, module) in &profile.modules {
        hottest.extend(module.blocks.iter().map(|(block, count)| (count.instructions, *id, *block)));
    }
    hottest.retain(|(instructions, ..)| *instructions > 0);
    hottest.sort_by_key(|&(instructions, id, block)| (Reverse(instructions), id, block));
    let total = hottest.iter().fold(0_u64, |sum, (instructions, ..)| sum.saturating_add(*instructions));
    let target = ((total as f64 * percent.clamp(0.0, 100.0) / 100.0).ceil() as u64).min(total);

    let mut selection = Selection { total, ..Selection::default() };
    let mut chosen: BTreeSet<(ModuleId, Block)> = BTreeSet::new();
    let mut hot: u64 = 0;
    for (instructions, id, block) in hottest {
        if hot >= target || selection.covered >= target {
            break;
        }
        hot = hot.saturating_add(instructions);
        if chosen.contains(&(id, block)) {
            continue;
        }
        let alone = block.offset..block.offset.saturating_add(u64::from(block.len));
        let range = functions.get(&id).and_then(|functions| around(functions, block.offset)).unwrap_or(alone);
        let bytes = selection.bytes.saturating_add(range.end.saturating_sub(range.start));
        if bytes > max_bytes {
            continue;
        }
        let mut within: u64 = 0;
        for (block, count) in
            profile.modules.get(&id).into_iter().flat_map(|module| module.blocks.range(starts(&range)))
        {
            if chosen.insert((id, *block)) {
                within = within.saturating_add(count.instructions);
            }
        }
        selection.bytes = bytes;
        selection.covered = selection.covered.saturating_add(within);
        selection.modules.entry(id).or_default().push(Selected { range, instructions: within });
    }
    selection
}

/// The last function that starts at or before an address and holds it.
fn around(functions: &[Range<u64>], address: u64) -> Option<Range<u64>> {
    let before = functions.partition_point(|range| range.start <= address);
    functions.get(..before)?.iter().rev().find(|range| range.contains(&address)).cloned()
}

/// The blocks that start in a range.
fn starts(range: &Range<u64>) -> Range<Block> {
    let first = |offset| Block { offset, len: 0, hash: 0, loose: 0 };
    first(range.start)..first(range.end.max(range.start))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of functions, of which there may be one")]
mod tests {
    use super::*;
    use crate::model::{Count, Module};

    const ID: ModuleId = ModuleId([7; 32]);

    fn profile(blocks: &[(u64, u32, u64)]) -> Profile {
        let mut module = Module::default();
        for &(offset, len, instructions) in blocks {
            let count = Count { instructions, ..Count::default() };
            module.blocks.insert(Block { offset, len, hash: 1, loose: 2 }, count);
        }
        Profile { modules: BTreeMap::from([(ID, module)]), ..Profile::default() }
    }

    #[track_caller]
    fn check(percent: f64, max_bytes: u64, expected: &[Range<u64>], covered: u64, bytes: u64) {
        // Two hot blocks in a function, one in another, one outside of functions, one cold.
        let profile = profile(&[(0x100, 8, 500), (0x120, 8, 300), (0x200, 4, 150), (0x300, 12, 40), (0x400, 4, 10)]);
        let functions = BTreeMap::from([(ID, vec![0x100..0x140, 0x1f0..0x210, 0x400..0x480])]);
        let selection = select(&profile, &functions, percent, max_bytes);
        let ranges: Vec<_> =
            selection.modules.get(&ID).into_iter().flatten().map(|selected| selected.range.clone()).collect();
        assert_eq!((ranges.as_slice(), selection.covered, selection.bytes), (expected, covered, bytes));
        assert_eq!(selection.total, 1000);
    }

    #[test]
    fn hot_blocks_are_grown_to_functions() {
        check(99.0, u64::MAX, &[0x100..0x140, 0x1f0..0x210, 0x300..0x30c], 990, 0x40 + 0x20 + 12);
        check(
            100.0,
            u64::MAX,
            &[0x100..0x140, 0x1f0..0x210, 0x300..0x30c, 0x400..0x480],
            1000,
            0x40 + 0x20 + 12 + 0x80,
        );
        check(50.0, u64::MAX, &[0x100..0x140], 800, 0x40);
        check(0.0, u64::MAX, &[], 0, 0);
        check(f64::NAN, u64::MAX, &[], 0, 0);
    }

    #[test]
    fn all_that_ran_is_known_if_blocks_without_samples_are() {
        let of = |blocks| profile(blocks).modules[&ID].clone();
        let module = of(&[(0x100, 8, 500), (0x120, 8, 0), (0x200, 4, 1)]);
        assert_eq!(module.ran(), [0x100, 0x120, 0x200].into());
        assert_eq!(module.sampled(2), [0x100].into());
        assert_eq!(of(&[(0x100, 8, 500), (0x200, 4, 1)]).ran(), [].into());
    }

    #[test]
    fn a_budget_leaves_out_what_does_not_fit() {
        check(99.0, 0x40, &[0x100..0x140], 800, 0x40);
        check(99.0, 0x30, &[0x1f0..0x210, 0x300..0x30c], 190, 0x20 + 12);
        check(100.0, 3, &[], 0, 0);
    }

    #[test]
    fn nothing_is_covered_wholly() {
        let selection = select(&Profile::default(), &BTreeMap::new(), 99.0, 100);
        assert_eq!((selection.coverage(), selection.bytes), (1.0, 0));
    }

    #[test]
    fn counts_at_the_limit() {
        let profile = profile(&[(0, 4, u64::MAX), (8, 4, u64::MAX)]);
        let selection = select(&profile, &BTreeMap::new(), 100.0, u64::MAX);
        assert_eq!(selection.total, u64::MAX);
        assert!(!selection.modules.is_empty());
    }

    #[test]
    fn of_nested_functions_the_inner_one_is_taken() {
        let profile = profile(&[(0x120, 4, 9)]);
        let functions = BTreeMap::from([(ID, vec![0x100..0x200, 0x110..0x130, 0x118..0x11c])]);
        let selection = select(&profile, &functions, 99.0, u64::MAX);
        assert_eq!(selection.modules[&ID], [Selected { range: 0x110..0x130, instructions: 9 }]);
    }
}
