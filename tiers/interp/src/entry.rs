//! Entering interpreter code, and leaving it by an exit or a fault.

use crate::code::{CodeSpace, FaultForm};
use crate::float;
use crate::ins::{Ins, JUMP_KINDS, exit, get, word};
use friscy_lift_ir::ExitKind;
use friscy_seam::{Code, EXIT_KINDS, Exit, MemoryFault, Site, State};

#[cfg(target_arch = "x86_64")]
mod host {
    use super::*;
    use std::arch::global_asm;
    use std::mem::offset_of;

    // `friscy_interp_enter` saves what a callee must and remembers its frame, so that a fault anywhere in a chain of
    // handlers can drop their frames: they hold nothing that needs dropping. The landing gets rdi, rsi and r9 from
    // the access, rdx and rax from the host's fault handler.
    global_asm!(
        ".pushsection .text.friscy_interp_enter,\"ax\",@progbits",
        ".globl friscy_interp_enter",
        ".type friscy_interp_enter,@function",
        "friscy_interp_enter:",
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        "push rbx",
        ".cfi_adjust_cfa_offset 8",
        "push r12",
        ".cfi_adjust_cfa_offset 8",
        "push r13",
        ".cfi_adjust_cfa_offset 8",
        "push r14",
        ".cfi_adjust_cfa_offset 8",
        "push r15",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov [rsi + {host_sp}], rsp",
        "mov r8, rdx",
        "mov r9, rcx",
        "call [rdi]",
        "3:",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop r15",
        ".cfi_adjust_cfa_offset -8",
        "pop r14",
        ".cfi_adjust_cfa_offset -8",
        "pop r13",
        ".cfi_adjust_cfa_offset -8",
        "pop r12",
        ".cfi_adjust_cfa_offset -8",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8",
        "pop rbp",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        ".globl friscy_interp_fault_landing",
        ".hidden friscy_interp_fault_landing",
        ".type friscy_interp_fault_landing,@function",
        "friscy_interp_fault_landing:",
        "mov [rsi + {tier}], rdi",
        "mov [rsi + {tier} + 8], r9",
        "mov [rsi + {tier} + 16], rdx",
        "mov [rsi + {tier} + 24], rax",
        "mov rsp, [rsi + {host_sp}]",
        "mov eax, {fault}",
        "jmp 3b",
        ".popsection",
        host_sp = const offset_of!(State, host_sp),
        tier = const offset_of!(State, tier),
        fault = const exit::FAULT,
    );

    unsafe extern "C" {
        fn friscy_interp_enter(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64) -> u64;
    }

    /// Runs one chain of handlers.
    ///
    /// # Safety
    /// As `enter`.
    pub(super) unsafe fn chain(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { friscy_interp_enter(ip, st, mem, fuel) }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod host {
    use super::*;

    /// Runs one chain of handlers.
    ///
    /// # Safety
    /// As `enter`.
    pub(super) unsafe fn chain(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { ((*ip).h.handler)(ip, st, mem, fuel) }
    }
}

/// Runs `code` until it exits.
///
/// # Safety
/// `code` is alive in `space`; `state.window` and `state.pages` are those of the address space it was made from.
pub(crate) unsafe fn enter(space: &CodeSpace, code: Code, state: &mut State) -> Exit {
    // SAFETY: as the caller promises.
    let mut result = unsafe { run(space.start_of(code), state) };
    while let Some(ip) = (result & 0xff == exit::GOTO).then(|| space.second_line(state)).flatten() {
        // SAFETY: jump caches have live code only.
        result = unsafe { run(ip, state) };
    }
    match result & 0xff {
        exit::GOTO_SITE => Exit::Goto { site: Some(Site((result >> 8) as u32)), kind: None },
        exit::GOTO => Exit::Goto { site: None, kind: JUMP_KINDS.get((result >> 8) as usize).copied() },
        exit::FUEL => Exit::Fuel,
        exit::FAULT => fault(space, state),
        kind => Exit::Kind(kind_of(kind - exit::KIND)),
    }
}

/// Runs from `ip` until an exit, whose code is the result.
///
/// # Safety
/// As [`enter`], `ip` being an instruction of live code.
pub(crate) unsafe fn run(ip: *const Ins, state: &mut State) -> u64 {
    let mem = state.window;
    let fuel = state.fuel;
    let st: *mut State = state;
    // SAFETY: as the caller promises; debug builds come back after each instruction with the next in `tier`.
    unsafe {
        float::begin();
        let mut result = host::chain(ip, st, mem, fuel);
        while result == exit::CONTINUE {
            let ip = (*st).tier[word::IP] as *const Ins;
            result = host::chain(ip, st, mem, (*st).tier[word::FUEL] as i64);
        }
        float::flags(&mut *st);
        result
    }
}

fn kind_of(n: u64) -> ExitKind {
    EXIT_KINDS[n as usize]
}

/// Makes pc and fuel those of the instruction that faulted, and computes the guest address from its operands.
fn fault(space: &CodeSpace, state: &mut State) -> Exit {
    let ip = state.tier[word::IP] as *const Ins;
    let fuel = state.tier[word::FUEL] as i64;
    let row = space.fault_row(ip);
    state.pc = row.pc;
    state.fuel = fuel - row.guest_index as i64;
    // SAFETY: `ip` is an instruction of live code: it has just run.
    let ins = unsafe { &*ip };
    let st: *mut State = state;
    // SAFETY: `st` is the state just borrowed.
    let base = unsafe { get(st, ins.b) };
    let disp = match row.form {
        FaultForm::Displaced => ins.imm,
        FaultForm::Atomic { .. } => 0,
    };
    let addr = base.wrapping_add(disp as i64 as u64);
    let kind = state.tier[word::FAULT_KIND];
    // What the host saw may be a later page of the same access.
    let law = friscy_seam::access::window_offset(base, disp);
    let seen = if cfg!(all(target_arch = "x86_64", not(feature = "software-checks"))) {
        state.tier[word::ADDRESS].wrapping_sub(state.window as u64) as i64
    } else {
        state.tier[word::ADDRESS] as i64
    };
    let beyond = seen.wrapping_sub(law);
    let addr = if (1..8).contains(&beyond) { addr.wrapping_add(beyond as u64) } else { addr };
    state.fault = MemoryFault {
        addr,
        write: kind & 1 != 0 || row.form == FaultForm::Atomic { write: true },
        beyond_object: kind & 2 != 0,
        misaligned: kind & 4 != 0,
    };
    Exit::Fault
}
