//! How the host enters compiled code and leaves it.
//!
//! Compiled code is functions of Cranelift's `tail` convention: the number of the entry in `rdi` and fuel in `rsi`; they
//! return fuel in `rcx`, and in `rax` the guest address at which to go on, which is even, or a word of [`Left`]. `r15` is the start of the guest's window. No register survives a call.

use crate::emit::{MXCSR_SLOT, RESULT_SLOT};
use friscy_seam::State;
use friscy_seam::access::STATE_BELOW;
use std::arch::global_asm;
use std::mem::offset_of;

/// Words of [`State::tier`].
pub(crate) mod word {
    /// What an exit carries.
    pub(crate) const ARGUMENT: usize = 0;
    /// The tier itself.
    pub(crate) const TIER: usize = 1;
    /// Compiled code makes no calls below this stack pointer.
    pub(crate) const STACK_LIMIT: usize = 2;
}

/// What Rust presumes of MXCSR.
static CLEAR: u32 = friscy_fp::sse::CLEAR;

/// How much of the stack compiled code may use, in bytes.
pub(crate) const STACK_BYTES: u64 = 256 << 10;

global_asm!(
    ".pushsection .text.friscy_jit_enter,\"ax\",@progbits",
    ".globl friscy_jit_enter",
    ".hidden friscy_jit_enter",
    ".type friscy_jit_enter,@function",
    "friscy_jit_enter:",
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
    "mov r15, rsi",
    "mov [r15 - {below} + {host_sp}], rsp",
    "lea rax, [rsp - {stack}]",
    "mov [r15 - {below} + {limit}], rax",
    "mov rax, rdi",
    "mov rdi, rdx",
    "mov rsi, rcx",
    "call rax",
    "3:",
    "mov [r15 - {below} + {fuel}], rcx",
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
    // The frames of compiled code are still there: what they have spilled is read before they are dropped.
    ".globl friscy_jit_fault_landing",
    ".hidden friscy_jit_fault_landing",
    ".type friscy_jit_fault_landing,@function",
    "friscy_jit_fault_landing:",
    "lea rdi, [r15 - {below}]",
    "and rsp, -16",
    "stmxcsr [r15 - {below} + {mxcsr}]",
    "ldmxcsr [rip + {clear}]",
    "call {recover}",
    "ldmxcsr [r15 - {below} + {mxcsr}]",
    "mov rsp, [r15 - {below} + {host_sp}]",
    "mov rcx, [r15 - {below} + {fuel}]",
    "jmp 3b",
    ".globl friscy_jit_read_mxcsr",
    ".hidden friscy_jit_read_mxcsr",
    ".type friscy_jit_read_mxcsr,@function",
    "friscy_jit_read_mxcsr:",
    "stmxcsr [r15 - {below} + {result}]",
    "ret",
    // A call by which no register changes. What it is about, and its result, are words of the state.
    ".globl friscy_jit_serve",
    ".hidden friscy_jit_serve",
    ".type friscy_jit_serve,@function",
    "friscy_jit_serve:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rax",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "sub rsp, 256",
    "and rsp, -16",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "movups [rsp + 16 * \\n], xmm\\n",
    ".endr",
    "stmxcsr [r15 - {below} + {mxcsr}]",
    "ldmxcsr [rip + {clear}]",
    "lea rdi, [r15 - {below}]",
    "call {serve}",
    "ldmxcsr [r15 - {below} + {mxcsr}]",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "movups xmm\\n, [rsp + 16 * \\n]",
    ".endr",
    "lea rsp, [rbp - 72]",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rax",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".popsection",
    result = const offset_of!(State, scratch) + 8 * RESULT_SLOT,
    mxcsr = const offset_of!(State, scratch) + 8 * MXCSR_SLOT,
    clear = sym CLEAR,
    below = const STATE_BELOW,
    host_sp = const offset_of!(State, host_sp),
    fuel = const offset_of!(State, fuel),
    limit = const offset_of!(State, tier) + 8 * word::STACK_LIMIT,
    stack = const STACK_BYTES,
    recover = sym crate::fault::recover,
    serve = sym crate::emit::serve,
);

unsafe extern "C" {
    /// Runs compiled code at `code` until it returns. The state is found from `window`; it is named so that Rust knows that
    /// it changes.
    pub(crate) fn friscy_jit_enter(code: *const u8, window: *mut u8, entry: u64, fuel: i64, state: *mut State) -> u64;
    /// Calls [`crate::emit::serve`]; every register is as before.
    pub(crate) fn friscy_jit_serve();
    /// Puts MXCSR into the state's scratch words.
    pub(crate) fn friscy_jit_read_mxcsr();
    /// Where a host fault in compiled code goes on.
    pub(crate) fn friscy_jit_fault_landing();
}
