//! Timers of processes: setitimer(2), timer_create(2).

use crate::Nanos;
use friscy_abi::layout::Sigevent;

/// One interval timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Itimer {
    /// When it fires: monotonic time for ITIMER_REAL, the process's processor time for the others.
    pub expires: Option<Nanos>,
    /// Its period, or 0.
    pub interval: Nanos,
}

/// ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF.
pub type ItimerSet = [Itimer; 3];

/// A timer of timer_create(2).
#[derive(Clone, Copy, Debug)]
pub struct PosixTimer {
    /// The clock it was made for.
    pub clock: i32,
    /// What it does.
    pub event: Sigevent,
    /// When it fires next, in monotonic time.
    pub timer: Itimer,
    /// Expirations that were merged into the signal last delivered.
    pub overrun: i32,
}
