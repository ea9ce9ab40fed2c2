//! Signal sets.

use super::{SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP, SIGSYS, SIGTRAP};

/// A set of signals: bit `n - 1` is signal `n`, as `sigset_t` at the system-call interface (8 bytes).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// SIGKILL and SIGSTOP, which can be neither blocked nor handled.
    pub const UNBLOCKABLE: SigSet = SigSet(1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1));
    /// Signals that an instruction causes; delivered before others.
    pub const SYNCHRONOUS: SigSet = SigSet(
        1 << (SIGSEGV - 1)
            | 1 << (SIGBUS - 1)
            | 1 << (SIGILL - 1)
            | 1 << (SIGTRAP - 1)
            | 1 << (SIGFPE - 1)
            | 1 << (SIGSYS - 1),
    );

    /// The set of one signal; empty for a number that is none.
    #[must_use]
    pub const fn of(signo: u32) -> SigSet {
        if signo >= 1 && signo <= 64 { SigSet(1 << (signo - 1)) } else { SigSet(0) }
    }

    /// Whether the signal is in the set.
    #[must_use]
    pub const fn has(self, signo: u32) -> bool {
        self.0 & SigSet::of(signo).0 != 0
    }

    /// Adds a signal.
    pub fn add(&mut self, signo: u32) {
        self.0 |= SigSet::of(signo).0;
    }

    /// Removes a signal.
    pub fn remove(&mut self, signo: u32) {
        self.0 &= !SigSet::of(signo).0;
    }

    /// Signals in either set.
    #[must_use]
    pub const fn or(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }

    /// Signals in both sets.
    #[must_use]
    pub const fn and(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }

    /// Signals of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }

    /// Whether no signal is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest signal in it.
    #[must_use]
    pub const fn first(self) -> Option<u32> {
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() + 1) }
    }
}
