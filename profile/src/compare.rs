//! Comparing profiles with each other, and with the files they are about.

use crate::executable::Executable;
use crate::model::{Module, Profile};

/// How much of a module's counts still holds for a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Staleness {
    /// Instructions of all blocks.
    pub instructions: u64,
    /// Of blocks whose bytes are the same in the file.
    pub same: u64,
    /// Of other blocks whose mnemonics are.
    pub alike: u64,
}

/// Checks the blocks of a module against a file.
#[must_use]
pub fn check(module: &Module, file: &Executable) -> Staleness {
    let mut found = Staleness::default();
    for (block, count) in &module.blocks {
        let add = |sum: &mut u64| *sum = sum.saturating_add(count.instructions);
        add(&mut found.instructions);
        if file.has(block) {
            add(&mut found.same);
        } else if file.block(block.offset).is_some_and(|there| there.loose == block.loose) {
            add(&mut found.alike);
        }
    }
    found
}

impl Profile {
    /// Drops the blocks of a file's module whose bytes are others in the file; answers how many instructions were counted in
    /// them.
    pub fn drop_stale(&mut self, file: &Executable) -> u64 {
        let Some(module) = self.modules.get_mut(&file.id) else { return 0 };
        let before = module.instructions();
        module.blocks.retain(|block, _| file.has(block));
        before - module.instructions()
    }
}

/// How alike two profiles are, 0 to 1: the sum over all blocks of the smaller of its shares in both.
#[must_use]
pub fn overlap(a: &Profile, b: &Profile) -> f64 {
    // Sums of numbers so large that integers do not hold them.
    let all = |profile: &Profile| {
        let counts = profile.modules.values().flat_map(|module| module.blocks.values());
        counts.map(|count| count.instructions as f64).sum::<f64>().max(1.0)
    };
    let (all_a, all_b) = (all(a), all(b));
    let mut sum = 0.0;
    for (id, module) in &a.modules {
        let Some(other) = b.modules.get(id) else { continue };
        for (block, count) in &module.blocks {
            let there = other.blocks.get(block).map_or(0, |count| count.instructions);
            sum += f64::min(count.instructions as f64 / all_a, there as f64 / all_b);
        }
    }
    sum
}
