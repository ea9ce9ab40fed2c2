//! Where jumps by registers have led, and where functions begin: what a function's tables lead to is not in its code.

use friscy_lift_ir::{ExitKind, JumpKind, Region, Term};
use std::ops::Range;

/// Guest addresses, in order when asked for.
#[derive(Default)]
struct Places {
    places: Vec<u64>,
    /// How many of the first are in order, each once.
    settled: usize,
}

/// How many places are noted before they are put in order.
const MAX_NOTED: usize = 1 << 16;

impl Places {
    fn note(&mut self, pc: u64) {
        self.places.push(pc);
        if self.places.len() - self.settled >= MAX_NOTED {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.settled != self.places.len() {
            self.places.sort_unstable();
            self.places.dedup();
            self.settled = self.places.len();
        }
    }

    /// Those in `range`; what was noted since [`Places::settle`] is not among them.
    fn within(&self, range: Range<u64>) -> &[u64] {
        let places = &self.places[..self.settled];
        let at = |pc| places.partition_point(|place| *place < pc);
        &places[at(range.start)..at(range.end.max(range.start))]
    }
}

/// What is known of jumps and calls from code that ran in the first tier. Code may have changed since.
#[derive(Default)]
pub(crate) struct Jumps {
    /// Where jumps by registers led that are neither calls nor returns.
    led_to: Places,
    /// Where calls lead.
    called: Places,
    /// Where control comes back from system calls.
    resumed: Places,
}

impl Jumps {
    /// Code of the first tier was made of this block.
    pub(crate) fn made(&mut self, block: &Region) {
        match block.blocks[0].term {
            Term::Call { pc, .. } => self.called.note(pc),
            Term::Exit { kind: ExitKind::Ecall, pc } => self.resumed.note(pc.wrapping_add(4)),
            _ => {}
        }
    }

    /// A jump by a register led to `pc`.
    pub(crate) fn led_to(&mut self, pc: u64, kind: JumpKind) {
        match kind {
            JumpKind::Jump => self.led_to.note(pc),
            JumpKind::Call | JumpKind::ReturnCall => self.called.note(pc),
            JumpKind::Return => {}
        }
    }

    /// Makes everything known to [`Jumps::targets`].
    pub(crate) fn settle(&mut self) {
        self.led_to.settle();
        self.called.settle();
        self.resumed.settle();
    }

    /// The function that has the code at `pc`, which reaches from where calls lead before it to where others lead behind it,
    /// and where jumps by registers led in it.
    pub(crate) fn targets(&self, pc: u64) -> (Range<u64>, &[u64]) {
        let start = self.called.within(0..pc.saturating_add(1)).last().copied().unwrap_or(0);
        let end = self.called.within(pc.saturating_add(1)..u64::MAX).first().copied().unwrap_or(u64::MAX);
        (start..end, self.led_to.within(start..end))
    }

    /// Where control comes back from system calls in `range`.
    pub(crate) fn resumed(&self, range: Range<u64>) -> &[u64] {
        self.resumed.within(range)
    }

    /// Whether a jump by a register led to `pc`.
    pub(crate) fn lead_to(&self, pc: u64) -> bool {
        !self.led_to.within(pc..pc.saturating_add(1)).is_empty()
    }

    /// Whether a call led to `pc`.
    pub(crate) fn is_called(&self, pc: u64) -> bool {
        !self.called.within(pc..pc.saturating_add(1)).is_empty()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Jumps::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_its_own_targets() {
        let mut jumps = Jumps::default();
        for (pc, kind) in [(0x2000, JumpKind::Call), (0x1000, JumpKind::Call), (0x1040, JumpKind::Jump)] {
            jumps.led_to(pc, kind);
        }
        for (pc, kind) in [(0x2010, JumpKind::Jump), (0x1020, JumpKind::Jump), (0x1020, JumpKind::Jump)] {
            jumps.led_to(pc, kind);
        }
        jumps.led_to(0x1030, JumpKind::Return);
        assert_eq!(jumps.targets(0x1000).1, [0; 0]);
        jumps.settle();
        assert_eq!(jumps.targets(0x1000).1, [0x1020, 0x1040]);
        assert_eq!(jumps.targets(0x1fff).1, [0x1020, 0x1040]);
        assert_eq!(jumps.targets(0x2000).1, [0x2010]);
        assert_eq!(jumps.targets(0xfff).1, [0; 0]);
        assert_eq!([0x1020, 0x1022, 0x1030].map(|pc| jumps.lead_to(pc)), [true, false, false]);
    }
}
