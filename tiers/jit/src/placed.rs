//! Where compiled code is, kept from when somebody asks: profilers want to know.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// A region that was compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Host address of its code.
    pub start: usize,
    /// Bytes of code.
    pub len: usize,
    /// Guest address of its first entry.
    pub pc: u64,
}

static KEPT: AtomicBool = AtomicBool::new(false);
static PLACED: Mutex<Vec<Placed>> = Mutex::new(Vec::new());

/// Keeps what any tier of this process compiles from now on until [`take_placed`] takes it.
pub fn keep_placed() {
    KEPT.store(true, Ordering::Relaxed);
}

/// What was compiled since this was called last, in order.
pub fn take_placed() -> Vec<Placed> {
    std::mem::take(&mut *PLACED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Notes a region if somebody wants to know.
pub(crate) fn note(placed: Placed) {
    if KEPT.load(Ordering::Relaxed) {
        PLACED.lock().unwrap_or_else(PoisonError::into_inner).push(placed);
    }
}
