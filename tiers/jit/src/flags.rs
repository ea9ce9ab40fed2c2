//! The accrued exception flags while compiled code runs.
//!
//! Reading MXCSR waits on many processors for all of the arithmetic before, and compilers read the flags at each square root and
//! `isless` (they take back what a comparison sets). So compiled code runs with the exceptions unmasked whose flags are
//! not set: the host reports the first of each kind, [`State::fflags`] has the flag from then on, and the exception is
//! masked. A program that clears flags again and again, or computes with subnormals, is left to gather them in MXCSR,
//! which then is read.

use crate::emit::MXCSR_SLOT;
use friscy_fp::sse;
use friscy_seam::{GATHERS, State};

/// How many exceptions may be reported to an address space. Each takes some microseconds.
const MAX_REPORTS: u32 = 64;

/// The RISC-V flags' bits.
const FLAGS: u32 = 31;

/// MXCSR for compiled code that starts with the flags in the state, where it is noted whether MXCSR has to be read.
pub(crate) fn begin(state: &mut State) -> u32 {
    if state.reports > MAX_REPORTS {
        state.fflags |= GATHERS;
        return sse::CLEAR;
    }
    sse::reporting(state.fflags)
}

/// Brings the flags of compiled code that has ended into the state; MXCSR is as it was left.
pub(crate) fn end(state: &mut State) {
    state.fflags = state.fflags & FLAGS | sse::flags();
    sse::clear_flags();
}

/// Takes an exception down that the host reports; returns MXCSR to go on with. Called from a signal handler.
///
/// # Safety
/// `state` is that which compiled code runs with.
pub(crate) unsafe fn report(state: *mut State, mxcsr: u32) -> u32 {
    // SAFETY: compiled code, the only user of the state, has stopped.
    let state = unsafe { &mut *state };
    let (flags, mxcsr) = sse::reported(mxcsr);
    state.reports = if flags.is_some() { state.reports.saturating_add(1) } else { MAX_REPORTS + 1 };
    state.fflags |= flags.unwrap_or(0);
    if state.reports <= MAX_REPORTS {
        return mxcsr;
    }
    state.fflags |= GATHERS;
    sse::gathering(mxcsr)
}

/// Makes `flags` the accrued ones while compiled code waits; it goes on with the word of MXCSR in the state.
pub(crate) fn set(state: &mut State, flags: u32) {
    state.fflags = flags & FLAGS | state.fflags & GATHERS;
    state.scratch[MXCSR_SLOT] = u64::from(if gathers(state) { sse::CLEAR } else { sse::reporting(flags) });
}

/// Adds `flags` to the accrued ones while compiled code waits.
pub(crate) fn add(state: &mut State, flags: u32) {
    state.fflags |= flags & FLAGS;
    if !gathers(state) {
        state.scratch[MXCSR_SLOT] = u64::from(sse::reporting(state.fflags));
    }
}

fn gathers(state: &State) -> bool {
    state.fflags & GATHERS != 0
}
