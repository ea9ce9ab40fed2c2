//! The handlers, one a kind of instruction and one for each frequent pair of kinds.
//!
//! What a kind does is a [`Step`], or an [`End`] if it ends a block. A handler is a step followed by [`go`], or two of
//! them: a pair leaves the second instruction's element in place and only skips its dispatch, so faults and jumps into
//! the middle need nothing special. What a step cannot do by few instructions, it leaves to a handler of its own, which
//! begins the instruction anew: a call in the middle of a handler would make it save registers on its quick way, too.

mod control;
mod pairs;
mod steps;
mod table;

pub(crate) use pairs::pair;
pub(crate) use table::Kind;

#[cfg(not(target_arch = "wasm32"))]
use crate::ins::Pad;
use crate::ins::{Handler, Ins, Next, finish, get};
use crate::memory::Checked;
use friscy_seam::State;

/// Which operand of a pair's second instruction is the first's result, so that it need not be read back.
pub(crate) mod forward {
    /// None.
    pub const NONE: u8 = 0;
    /// The one in slot `b`.
    pub const B: u8 = 1;
    /// The one in slot `c`.
    pub const C: u8 = 2;
}

/// What the instructions inside a block do.
pub(crate) trait Step {
    /// Elements it takes.
    const LEN: usize = 1;

    /// The handler that executes the instruction if [`Step::run`] answers `Err`; without one, that is an exit code.
    const OTHERWISE: Option<Handler> = None;

    /// Executes the instruction at `ip`: the result is also stored. `v` stands for the operand that `F` names.
    ///
    /// # Safety
    /// `ip` points to an instruction of this kind, `st` and `mem` are those that the tier was entered with.
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, v: u64) -> Checked<u64>;
}

/// A step with a form that computes its result in any case, without the host's floating-point instructions.
pub(crate) trait Exact: Step {
    /// Executes the instruction at `ip`.
    ///
    /// # Safety
    /// As [`Step::run`].
    unsafe fn run_exact(ip: *const Ins, st: *mut State);
}

/// What comes after a step that answered `Err`.
#[inline(always)]
fn otherwise<A: Step>(exit: u64, ip: *const Ins, fuel: i64) -> Next {
    match A::OTHERWISE {
        Some(handler) => Next::By(handler, ip, fuel),
        None => Next::Exit(exit),
    }
}

/// What the last instruction of a block does.
pub(crate) trait End {
    /// Executes it and says what comes next.
    ///
    /// # Safety
    /// As [`Step::run`].
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, fuel: i64, v: u64) -> Next;
}

/// The operand in slot `b`.
#[inline(always)]
unsafe fn operand_b<const F: u8>(ip: *const Ins, st: *mut State, v: u64) -> u64 {
    // SAFETY: the caller's `ip` and `st` are valid.
    if F == forward::B { v } else { unsafe { get(st, (*ip).b) } }
}

/// The operand in slot `c`.
#[inline(always)]
unsafe fn operand_c<const F: u8>(ip: *const Ins, st: *mut State, v: u64) -> u64 {
    // SAFETY: the caller's `ip` and `st` are valid.
    if F == forward::C { v } else { unsafe { get(st, (*ip).c) } }
}

/// Declares generic functions of the handler's signature.
macro_rules! handler {
    ($(#[$doc:meta])* fn $name:ident<$($g:ident: $bound:ident),* $(; const $f:ident)?>
     ($ip:ident, $st:ident, $mem:ident, $fuel:ident) $body:block) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As [`Step::run`].
        #[cfg(not(target_arch = "wasm32"))]
        pub(crate) unsafe extern "C" fn $name<$($g: $bound,)* $(const $f: u8)?>(
            $ip: *const Ins, $st: *mut State, _: Pad, _: Pad, $mem: *mut u8, $fuel: i64,
        ) -> u64 {
            // SAFETY: as the caller promises.
            unsafe { $body }
        }

        $(#[$doc])*
        ///
        /// # Safety
        /// As [`Step::run`].
        #[cfg(target_arch = "wasm32")]
        pub(crate) unsafe extern "C" fn $name<$($g: $bound,)* $(const $f: u8)?>(
            $ip: *const Ins, $st: *mut State, $mem: *mut u8, $fuel: i64,
        ) -> u64 {
            // SAFETY: as the caller promises.
            unsafe { $body }
        }
    };
}

handler! {
    /// One step.
    fn one<A: Step>(ip, st, mem, fuel) {
        let next = match A::run::<{ forward::NONE }>(ip, st, mem, fuel, 0) {
            Ok(_) => Next::Go(ip.add(A::LEN), fuel),
            Err(exit) => otherwise::<A>(exit, ip, fuel),
        };
        finish(next, st, mem)
    }
}

handler! {
    /// One step in its exact form; not inlined, so that only here registers are saved.
    #[cold]
    #[inline(never)]
    fn exact<A: Exact>(ip, st, mem, fuel) {
        A::run_exact(ip, st);
        finish(Next::Go(ip.add(A::LEN), fuel), st, mem)
    }
}

handler! {
    /// Two steps.
    fn two<A: Step, B: Step; const F>(ip, st, mem, fuel) {
        let next = match A::run::<{ forward::NONE }>(ip, st, mem, fuel, 0) {
            Ok(v) => {
                let ip = ip.add(A::LEN);
                match B::run::<F>(ip, st, mem, fuel, v) {
                    Ok(_) => Next::Go(ip.add(B::LEN), fuel),
                    Err(exit) => otherwise::<B>(exit, ip, fuel),
                }
            }
            Err(exit) => otherwise::<A>(exit, ip, fuel),
        };
        finish(next, st, mem)
    }
}

handler! {
    /// The end of a block.
    fn end<A: End>(ip, st, mem, fuel) {
        finish(A::run::<{ forward::NONE }>(ip, st, fuel, 0), st, mem)
    }
}

handler! {
    /// A step and the end of a block.
    fn step_end<A: Step, B: End; const F>(ip, st, mem, fuel) {
        let next = match A::run::<{ forward::NONE }>(ip, st, mem, fuel, 0) {
            Ok(v) => B::run::<F>(ip.add(A::LEN), st, fuel, v),
            Err(exit) => otherwise::<A>(exit, ip, fuel),
        };
        finish(next, st, mem)
    }
}
