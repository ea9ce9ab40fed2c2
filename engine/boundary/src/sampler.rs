//! Samples for a profile: where the guest is after every so many instructions.
//!
//! Code runs with so much fuel that it stops, at a preemption point, when a sample is due; so that a sample is always a
//! place that control came to by a jump. What a sample stands for are the instructions since the last one of the same
//! tier. How many that are differs from sample to sample, lest loops of a fitting length show the same place each time.
//!
//! There is one sampler for all address spaces of a machine. It is plain data: where an address space is elsewhere, the
//! sampler goes there with each run, and comes back.

use serde::{Deserialize, Serialize};

/// Instructions between samples of the first tier, about: those of a slice, by which hot code is found.
const FIRST: i64 = 4096;

/// The same of compiled code, which is only left for them.
const COMPILED: i64 = 1 << 18;

/// A place, and the instructions that it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Guest address; none if the code there is not what was mapped.
    pub pc: Option<u64>,
    /// Retired instructions.
    pub instructions: u64,
}

/// What executes code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// The first tier.
    First,
    /// The compiled tier.
    Compiled,
}

/// How far one tier is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Interval {
    /// Instructions between samples, about.
    every: i64,
    /// Instructions until the next one.
    left: i64,
    /// Instructions since the last one.
    since: i64,
}

/// Takes samples.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sampler {
    first: Interval,
    compiled: Interval,
    random: u64,
    taken: Vec<Sample>,
}

impl Default for Sampler {
    fn default() -> Sampler {
        let interval = |every| Interval { every, left: every, since: 0 };
        Sampler {
            first: interval(FIRST),
            compiled: interval(COMPILED),
            random: 0x9e37_79b9_7f4a_7c15,
            taken: Vec::new(),
        }
    }
}

impl Sampler {
    fn interval(&mut self, level: Level) -> &mut Interval {
        match level {
            Level::First => &mut self.first,
            Level::Compiled => &mut self.compiled,
        }
    }

    /// The fuel until the next sample.
    pub fn fuel(&mut self, level: Level) -> i64 {
        self.interval(level).left.max(1)
    }

    /// Code has run and used `fuel`; if it ended at a preemption point, that is at `pc`.
    pub fn ran(&mut self, level: Level, fuel: i64, pc: Option<u64>) {
        let interval = self.interval(level);
        interval.left = interval.left.saturating_sub(fuel);
        interval.since = interval.since.saturating_add(fuel);
        let Some(pc) = pc.filter(|_| interval.left <= 0) else { return };
        let sample = Sample { pc: Some(pc), instructions: interval.since.unsigned_abs() };
        interval.since = 0;
        self.taken.push(sample);
        // Marsaglia, "Xorshift RNGs": uniform enough.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let random = (self.random >> 32) as i64;
        let interval = self.interval(level);
        interval.left = interval.every / 2 + random % interval.every;
    }

    /// Code at `pc` runs for the first time: a sample that stands for nothing.
    pub fn came_to(&mut self, pc: u64) {
        self.taken.push(Sample { pc: Some(pc), instructions: 0 });
    }

    /// Forgets where the samples since the last [`Sampler::take`] are whose code is not what was mapped.
    pub fn forget_places(&mut self, is_other: impl Fn(u64) -> bool) {
        for sample in &mut self.taken {
            sample.pc = sample.pc.filter(|&pc| !is_other(pc));
        }
    }

    /// The samples since the last call.
    pub fn take(&mut self) -> impl Iterator<Item = Sample> + '_ {
        self.taken.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_for_all_instructions_but_the_last() {
        let mut sampler = Sampler::default();
        let mut all = 0;
        for turn in 0..10_000_u64 {
            let fuel = sampler.fuel(Level::First).min(1000);
            all += fuel;
            // A system call every third turn.
            sampler.ran(Level::First, fuel, (turn % 3 != 0).then_some(turn));
            sampler.ran(Level::Compiled, 3, Some(turn));
        }
        let samples: Vec<Sample> = sampler.take().collect();
        let sum: u64 = samples.iter().map(|sample| sample.instructions).sum();
        assert_eq!(sum as i64 + sampler.first.since, all);
        let mean = sum / samples.len() as u64;
        assert!((3900..4900).contains(&mean), "{mean}");
        assert_eq!(sampler.take().count(), 0);
        assert_eq!(sampler.compiled.since, 30_000);
    }

    #[test]
    fn code_that_changed_has_no_place() {
        let mut sampler = Sampler::default();
        sampler.came_to(0x1000);
        sampler.ran(Level::First, FIRST, Some(0x2000));
        sampler.forget_places(|pc| pc == 0x2000);
        let samples: Vec<Sample> = sampler.take().collect();
        let sample = |pc, instructions| Sample { pc, instructions };
        assert_eq!(samples, [sample(Some(0x1000), 0), sample(None, FIRST as u64)]);
    }

    /// A loop of 64 instructions with two places to stop at, 16 instructions apart.
    #[test]
    fn loops_of_a_fitting_length_are_seen_in_proportion() {
        let mut sampler = Sampler::default();
        let mut at = 0_i64;
        for _ in 0..20_000 {
            let due = at + sampler.fuel(Level::First);
            let stop = (due..).find(|stop| matches!(stop % 64, 0 | 16)).unwrap();
            sampler.ran(Level::First, stop - at, Some(stop.rem_euclid(64) as u64));
            at = stop;
        }
        let share = |pc| sampler.taken.iter().filter(|sample| sample.pc == Some(pc)).count() as f64 / 20_000.0;
        assert!((share(16) - 0.25).abs() < 0.02, "{}", share(16));
        assert!((share(0) - 0.75).abs() < 0.02, "{}", share(0));
    }
}
