//! The run loop: from one exit of a tier to the next until something leaves the address space.

use crate::lift::{Translator, fetch_bits};
use crate::translate::{CodeMemory, Key, Translations, Untranslatable};
use friscy_boundary::{Access, Exit, Level, Regs};
use friscy_lift_ir::{ExitKind, RoundingClass};
use friscy_seam::{Exit as TierExit, State};
use std::ops::Range;

/// Why the loop stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// For the kernel to handle.
    Exit(Exit),
    /// `fence.i`: code that may have changed is to be forgotten, then the loop goes on at pc.
    FenceI,
}

/// An address space's memory, as the run loop sees it.
pub trait RunMemory: CodeMemory {
    /// Whether a fetch from `addr` fails because its page lies beyond the mapped object.
    fn is_beyond_object(&self, addr: u64) -> bool;

    /// The executable ranges whose bytes may change without a request: those that are writable, or are an object's own
    /// pages, which may be writable elsewhere.
    fn changeable_code(&self) -> Vec<Range<u64>>;
}

/// Puts a task's registers into the hart's state. A run starts without a reservation.
pub fn load(state: &mut State, regs: &Regs, fuel: u64) {
    state.x = regs.x;
    state.x[0] = 0;
    state.f = regs.f;
    // Bit 0 of a program counter cannot be set (RISC-V unprivileged manual, "Base Instruction-Length Encoding").
    state.pc = regs.pc & !1;
    state.fflags = regs.fflags & 0x1f;
    state.frm = regs.frm & 7;
    state.fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
    state.reservation = u64::MAX;
}

/// Gets a task's registers out of the hart's state; returns how many instructions retired since [`load`].
pub fn store(state: &State, regs: &mut Regs, fuel: u64) -> u64 {
    regs.x = state.x;
    regs.f = state.f;
    regs.pc = state.pc;
    regs.fflags = state.fflags;
    regs.frm = state.frm;
    i64::try_from(fuel).unwrap_or(i64::MAX).wrapping_sub(state.fuel) as u64
}

/// Runs from `state.pc` until something leaves the loop, with translations that are not shared.
///
/// # Safety
/// `state.window` and `state.pages` are those of `memory`, `translations` have only code that `memory` has, and the
/// handler for host faults is installed.
pub unsafe fn run(
    state: &mut State,
    translations: &mut Translations,
    memory: &dyn RunMemory,
    translator: &mut Translator,
) -> Stop {
    // SAFETY: the caller's promise. What is not shared is never elsewhere.
    unsafe { run_shared(state, translations, memory, translator) }.unwrap_or(Stop::Exit(Exit::Poisoned))
}

/// As [`run`], with translations that may be shared. Returns nothing when the address space needs others to go on at
/// `state.pc`.
///
/// # Safety
/// As [`run`]; shared translations fit `memory`.
pub unsafe fn run_shared(
    state: &mut State,
    translations: &mut Translations,
    memory: &dyn RunMemory,
    translator: &mut Translator,
) -> Option<Stop> {
    let mut link = None;
    let mut compiled_link = None;
    // For how many instructions compiled code has to be passed over.
    let mut below = 0;
    loop {
        let key = Key { pc: state.pc, rounding: RoundingClass::of(state.frm) };
        let passes = std::mem::take(&mut below);
        let compiled = match translations.compiled_code(key, memory) {
            Ok(compiled) => compiled.filter(|_| passes == 0),
            Err(why) => return untranslatable(why, memory),
        };
        let exit = if let Some(code) = compiled {
            link = None;
            let clears = translations.compiled_clears();
            if let Some((site, _)) = compiled_link.take().filter(|(_, before)| *before == clears) {
                translations.link_compiled(site, key, code);
            }
            let slice = translations.slice(Level::Compiled);
            let Some(tier) = translations.compiler() else { return Some(Stop::Exit(Exit::Poisoned)) };
            let held = state.fuel.saturating_sub(slice).max(0);
            state.fuel -= held;
            let fuel = state.fuel;
            // SAFETY: `code` was made or found just now; the rest is the caller's promise.
            let exit = unsafe { tier.enter(code, state) };
            translations.ran(Level::Compiled, fuel - state.fuel, (exit == TierExit::Fuel).then_some(state.pc));
            state.fuel += held;
            match exit {
                // It goes on when the sample is taken.
                TierExit::Fuel if state.fuel > 0 => continue,
                TierExit::Goto { site, .. } => {
                    compiled_link = Some((site, clears));
                    continue;
                }
                TierExit::Below => {
                    below = 1;
                    continue;
                }
                TierExit::Rerun { instructions } => {
                    below = i64::try_from(instructions).unwrap_or(i64::MAX).saturating_add(1);
                    continue;
                }
                exit => exit,
            }
        } else {
            let clears = translations.clears();
            let code = match translations.get(key, memory, translator) {
                Ok(code) => code,
                Err(Untranslatable::Restored) => continue,
                Err(why) => return untranslatable(why, memory),
            };
            if let Some((site, kind)) = link.take().filter(|_| passes == 0 && clears == translations.clears()) {
                translations.link(site, kind, key, code);
            }
            // Compiled code came here: if it does so often, that is to be compiled as well.
            if compiled_link.take().is_some() {
                translations.arrive(key, memory, translator);
                if clears != translations.clears() {
                    continue;
                }
            }
            let held = state.fuel.saturating_sub(translations.slice(Level::First)).max(0);
            state.fuel -= held;
            let fuel = state.fuel;
            // SAFETY: as above.
            let exit = unsafe { translations.tier().enter(code, state) };
            translations.ran(Level::First, fuel - state.fuel, (exit == TierExit::Fuel).then_some(state.pc));
            below = (passes - (fuel - state.fuel)).max(0);
            state.fuel += held;
            match exit {
                TierExit::Goto { site, kind } => {
                    link = Some((site, kind));
                    continue;
                }
                // The slice is over, at a preemption point.
                TierExit::Fuel if state.fuel > 0 => {
                    let key = Key { pc: state.pc, rounding: RoundingClass::of(state.frm) };
                    translations.sample(key, memory, translator);
                    continue;
                }
                exit => exit,
            }
        };
        let stop = match exit {
            TierExit::Kind(ExitKind::ModeChange) | TierExit::Goto { .. } => continue,
            TierExit::Below | TierExit::Rerun { .. } => continue,
            TierExit::Kind(ExitKind::FenceI) => Stop::FenceI,
            TierExit::Kind(kind) => Stop::Exit(leave(kind, state.pc, memory)),
            TierExit::Fuel => Stop::Exit(Exit::Fuel),
            TierExit::Fault => Stop::Exit(memory_fault(state)),
        };
        return Some(stop);
    }
}

/// Why the loop stops when there is no translation; nothing if the address space needs others.
fn untranslatable(why: Untranslatable, memory: &dyn RunMemory) -> Option<Stop> {
    match why {
        Untranslatable::Fetch(addr) => Some(Stop::Exit(fetch_fault(memory, addr))),
        Untranslatable::Refused(_) | Untranslatable::Restored => Some(Stop::Exit(Exit::Poisoned)),
        Untranslatable::Elsewhere => None,
    }
}

fn memory_fault(state: &State) -> Exit {
    let fault = state.fault;
    if fault.misaligned {
        return Exit::Misaligned { addr: fault.addr };
    }
    let access = if fault.write { Access::Write } else { Access::Read };
    Exit::Fault { addr: fault.addr, access, beyond_object: fault.beyond_object }
}

fn fetch_fault(memory: &dyn RunMemory, addr: u64) -> Exit {
    Exit::Fault { addr, access: Access::Execute, beyond_object: memory.is_beyond_object(addr) }
}

/// The exit for a kind that ends a run; what the instruction was is read again.
fn leave(kind: ExitKind, pc: u64, memory: &dyn RunMemory) -> Exit {
    let bits = match fetch_bits(memory, pc) {
        Ok(bits) => bits,
        Err(addr) => return fetch_fault(memory, addr),
    };
    match kind {
        ExitKind::Ecall => Exit::Syscall,
        ExitKind::Ebreak => Exit::Breakpoint,
        ExitKind::Csr => Exit::ReadCsr { csr: (bits >> 20) as u16, rd: (bits >> 7 & 31) as u8 },
        // The other kinds never come here; an instruction that cannot be told is one that cannot be run.
        ExitKind::Illegal | ExitKind::FenceI | ExitKind::ModeChange | ExitKind::FetchFault => Exit::Illegal { bits },
    }
}
