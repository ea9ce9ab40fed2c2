//! What a tier that compiles has done, for people: counted where code is made and where it is left for the run loop,
//! never in translated code.

use crate::{EXIT_KINDS, Exit};
use friscy_lift_ir::{ExitKind, Region};
use std::collections::BTreeMap;

/// Counts of one tier, or of several together.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TierStats {
    /// Regions compiled that were not compiled before.
    pub regions: u64,
    /// Regions compiled again: with more entries, or after what there was had been forgotten.
    pub again: u64,
    /// Regions that were compiled by another process and taken back.
    pub restored: u64,
    /// Regions refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Guest instructions in what was compiled.
    pub guest_insts: u64,
    /// Their bytes, see [`Size`].
    pub guest_bytes: u64,
    /// Bytes of host code that was made of them.
    pub host_bytes: u64,
    /// How often code was generated for what was compiled: once for each region, and once more each time that a register
    /// was not found at an access.
    pub attempts: u64,
    /// Registers and bases that are stored before an access, since no place has them there.
    pub stores: u64,
    /// Time spent compiling, refused regions included, in nanoseconds.
    pub compile_nanos: u64,
    /// Regions forgotten because code changed.
    pub invalidated: u64,
    /// How often the run loop entered compiled code.
    pub entries: u64,
    /// How often compiled code was left for the run loop: at a place that may be linked.
    pub exits_site: u64,
    /// By an indirect jump to where nothing was known.
    pub exits_indirect: u64,
    /// Because fuel was used up.
    pub exits_fuel: u64,
    /// For the tier below.
    pub exits_below: u64,
    /// To run a loop once more up to a memory fault.
    pub exits_rerun: u64,
    /// By a memory fault.
    pub exits_fault: u64,
    /// By each exit kind, in the order of [`EXIT_KINDS`].
    pub exits_kind: [u64; EXIT_KINDS.len()],
}

/// How much guest code a region is of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Size {
    /// Instructions.
    pub insts: u64,
    /// Their bytes. A region knows where its instructions start; the last one of a block counts two bytes if another block
    /// starts behind these, else four.
    pub bytes: u64,
}

impl Size {
    /// A region's.
    pub fn of(region: &Region) -> Size {
        let mut starts: Vec<u64> = region.blocks.iter().map(|block| block.pc).collect();
        starts.sort_unstable();
        let mut size = Size::default();
        for block in &region.blocks {
            if let Some(&last) = block.guest_offsets.last() {
                let behind = block.pc.wrapping_add(u64::from(last) + 2);
                let length = if starts.binary_search(&behind).is_ok() { 2 } else { 4 };
                size.insts += block.guest_offsets.len() as u64;
                size.bytes += u64::from(last) + length;
            }
        }
        size
    }
}

impl TierStats {
    /// Counts a region of which `host_bytes` bytes of code were made.
    pub fn count_region(&mut self, size: Size, host_bytes: usize) {
        self.guest_insts += size.insts;
        self.guest_bytes += size.bytes;
        self.host_bytes += host_bytes as u64;
    }

    /// Counts a region that was refused.
    pub fn count_refused(&mut self, why: &'static str) {
        *self.refused.entry(why).or_default() += 1;
    }

    /// Counts one passage through compiled code, which ended so.
    #[inline]
    pub fn count_passage(&mut self, exit: Exit) {
        self.entries += 1;
        *match exit {
            Exit::Goto { site: Some(_), .. } => &mut self.exits_site,
            Exit::Goto { site: None, .. } => &mut self.exits_indirect,
            Exit::Fuel => &mut self.exits_fuel,
            Exit::Below => &mut self.exits_below,
            Exit::Rerun { .. } => &mut self.exits_rerun,
            Exit::Fault => &mut self.exits_fault,
            Exit::Kind(kind) => &mut self.exits_kind[number_of(kind)],
        } += 1;
    }

    /// Adds what another tier has done.
    pub fn add(&mut self, other: &TierStats) {
        for (mine, theirs) in self.counts_mut().into_iter().zip(other.counts()) {
            *mine.1 += theirs.1;
        }
        for (&why, count) in &other.refused {
            *self.refused.entry(why).or_default() += count;
        }
    }

    /// Every count but the refusals, with its name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.clone().counts_mut().into_iter().map(|(name, count)| (name, *count)).collect()
    }

    /// How many regions were refused.
    pub fn all_refused(&self) -> u64 {
        self.refused.values().sum()
    }

    fn counts_mut(&mut self) -> Vec<(&'static str, &mut u64)> {
        let mut counts = vec![
            ("regions", &mut self.regions),
            ("again", &mut self.again),
            ("restored", &mut self.restored),
            ("guest_insts", &mut self.guest_insts),
            ("guest_bytes", &mut self.guest_bytes),
            ("host_bytes", &mut self.host_bytes),
            ("attempts", &mut self.attempts),
            ("stores", &mut self.stores),
            ("compile_nanos", &mut self.compile_nanos),
            ("invalidated", &mut self.invalidated),
            ("entries", &mut self.entries),
            ("exits_site", &mut self.exits_site),
            ("exits_indirect", &mut self.exits_indirect),
            ("exits_fuel", &mut self.exits_fuel),
            ("exits_below", &mut self.exits_below),
            ("exits_rerun", &mut self.exits_rerun),
            ("exits_fault", &mut self.exits_fault),
        ];
        counts.extend(EXIT_KINDS.iter().map(|&kind| name_of(kind)).zip(&mut self.exits_kind));
        counts
    }
}

/// The place of a kind in [`EXIT_KINDS`].
fn number_of(kind: ExitKind) -> usize {
    EXIT_KINDS.iter().position(|&other| other == kind).unwrap_or(0)
}

fn name_of(kind: ExitKind) -> &'static str {
    match kind {
        ExitKind::Ecall => "exits_ecall",
        ExitKind::Ebreak => "exits_ebreak",
        ExitKind::Illegal => "exits_illegal",
        ExitKind::FenceI => "exits_fence_i",
        ExitKind::ModeChange => "exits_mode_change",
        ExitKind::Csr => "exits_csr",
        ExitKind::FetchFault => "exits_fetch_fault",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use friscy_lift_ir::RoundingClass;

    #[test]
    fn every_passage_has_one_exit() {
        let mut stats = TierStats::default();
        let others = [
            Exit::Goto { site: None, kind: None },
            Exit::Fuel,
            Exit::Below,
            Exit::Rerun { instructions: 1 },
            Exit::Fault,
            Exit::Fault,
        ];
        for exit in EXIT_KINDS.iter().map(|&kind| Exit::Kind(kind)).chain(others) {
            stats.count_passage(exit);
        }
        assert_eq!((stats.entries, stats.exits_fault), (13, 2));
        let exits = stats.counts().into_iter().filter(|(name, _)| name.starts_with("exits_"));
        assert_eq!(exits.map(|(_, count)| count).sum::<u64>(), stats.entries);
    }

    #[test]
    fn sums_have_every_count() {
        let mut one = TierStats::default();
        for (value, (_, count)) in one.counts_mut().into_iter().enumerate() {
            *count = value as u64 + 1;
        }
        one.count_refused("too large");
        let mut sum = one.clone();
        sum.add(&one);
        sum.add(&TierStats::default());
        for ((name, once), (_, twice)) in one.counts().into_iter().zip(sum.counts()) {
            assert_eq!(twice, 2 * once, "{name}");
        }
        assert_eq!(sum.refused, BTreeMap::from([("too large", 2)]));
    }

    #[test]
    fn bytes_of_a_region() {
        let mut region = Region::new(0x1000, RoundingClass::Rne);
        for (pc, offsets) in [(0x1000, vec![0, 2]), (0x1004, vec![0, 4]), (0x2000, vec![])] {
            let block = region.push_block(pc);
            region.blocks[block.index()].guest_offsets = offsets;
        }
        let mut stats = TierStats::default();
        stats.count_region(Size::of(&region), 100);
        assert_eq!((stats.guest_insts, stats.guest_bytes, stats.host_bytes), (4, 12, 100));
    }
}
