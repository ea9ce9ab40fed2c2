//! Ends: what the last instruction of a block does. Each takes off the block's retired count from the fuel; those
//! that are preemption points exit when none is left.

use super::{End, operand_b, operand_c};
use crate::ins::{Ins, JUMP_CACHE_LINES, Next, exit, jump_key};
use friscy_lift_ir::{Cond, ExitKind, RoundingClass};
use friscy_seam::lines::first_way;
use friscy_seam::{State, number_of};

/// Leaves with everything exact.
#[inline(always)]
unsafe fn leave(st: *mut State, fuel: i64, pc: u64, code: u64) -> Next {
    // SAFETY: `st` is the current state.
    unsafe {
        (*st).pc = pc;
        (*st).fuel = fuel;
    }
    Next::Exit(code)
}

/// The element `distance` bytes away.
#[inline(always)]
unsafe fn at(ip: *const Ins, distance: isize) -> *const Ins {
    // SAFETY: distances lead to elements of the same arena.
    unsafe { ip.byte_offset(distance) }
}

/// An edge to `imm`; the next element holds its guest address.
pub(crate) struct Jump<const PREEMPT: bool>;

impl<const PREEMPT: bool> End for Jump<PREEMPT> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, fuel: i64, _: u64) -> Next {
        // SAFETY: as the caller promises; a data element follows.
        unsafe {
            let fuel = fuel - (*ip).retired();
            if PREEMPT && fuel <= 0 {
                return leave(st, fuel, (*ip.add(1)).datum(), exit::FUEL);
            }
            Next::Go(at(ip, (*ip).imm as isize), fuel)
        }
    }
}

/// A branch on slots `b` and `c`: taken to `imm`, else to the distance in the next element, whose datum is the taken
/// edge's guest address. Only a taken branch may be a preemption point.
pub(crate) struct Branch<const COND: u8, const PREEMPT: bool>;

impl<const COND: u8, const PREEMPT: bool> End for Branch<COND, PREEMPT> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, fuel: i64, v: u64) -> Next {
        // SAFETY: as the caller promises; a data element follows.
        unsafe {
            let b = operand_b::<F>(ip, st, v);
            let c = operand_c::<F>(ip, st, v);
            let fuel = fuel - (*ip).retired();
            let taken = const { Cond::ALL[COND as usize] }.holds(b, c);
            if PREEMPT && taken && fuel <= 0 {
                return leave(st, fuel, (*ip.add(1)).datum(), exit::FUEL);
            }
            let distance = if taken { (*ip).imm as isize } else { (*ip.add(1)).h.distance };
            Next::Go(at(ip, distance), fuel)
        }
    }
}

/// An indirect jump to slot `b` plus the immediate, through the jump cache in the next element, which has its kind too.
pub(crate) struct Indirect;

impl End for Indirect {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, fuel: i64, v: u64) -> Next {
        // SAFETY: as the caller promises; a data element follows; a cache has so many lines.
        unsafe {
            let pc = operand_b::<F>(ip, st, v).wrapping_add((*ip).imm as i64 as u64) & !1;
            let fuel = fuel - (*ip).retired();
            // The second line is looked at outside.
            let line = (*ip.add(1)).h.cache.add(first_way(pc, JUMP_CACHE_LINES));
            if fuel <= 0 {
                return leave(st, fuel, pc, exit::FUEL);
            }
            if (*line).key == jump_key(pc) {
                return Next::Go((*line).ip, fuel);
            }
            leave(st, fuel, pc, exit::GOTO | (*ip.add(1)).datum() << 8)
        }
    }
}

/// Leaves for the guest address in the next element; the immediate is the site's number. Takes no fuel: it stands
/// behind an edge.
pub(crate) struct Stub;

impl End for Stub {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, fuel: i64, _: u64) -> Next {
        // SAFETY: as the caller promises; a data element follows.
        unsafe {
            let site = (*ip).imm as u32 as u64;
            leave(st, fuel, (*ip.add(1)).datum(), exit::GOTO_SITE | site << 8)
        }
    }
}

/// Leaves for good at the guest address in the next element.
pub(crate) struct Exit<const KIND: u8>;

impl<const KIND: u8> End for Exit<KIND> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, fuel: i64, _: u64) -> Next {
        // SAFETY: as the caller promises; a data element follows.
        unsafe { leave(st, fuel - (*ip).retired(), (*ip.add(1)).datum(), exit::KIND + KIND as u64) }
    }
}

/// `frm` was written: goes on to `imm` if regions of class `CLASS` still fit, else leaves for the guest address in the
/// next element.
pub(crate) struct ModeChange<const CLASS: u8>;

impl<const CLASS: u8> End for ModeChange<CLASS> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, fuel: i64, _: u64) -> Next {
        // SAFETY: as the caller promises; a data element follows.
        unsafe {
            let fuel = fuel - (*ip).retired();
            if RoundingClass::of((*st).frm) as u8 == CLASS {
                return Next::Go(at(ip, (*ip).imm as isize), fuel);
            }
            let code = exit::KIND + const { number_of(ExitKind::ModeChange) };
            leave(st, fuel, (*ip.add(1)).datum(), code)
        }
    }
}
