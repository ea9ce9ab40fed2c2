//! Host faults: the handler that finds a fault in guest memory by its pc, and the leaf routine that copies to and from
//! guest memory.
//!
//! A row of the fix-up table (see `friscy_seam::access`) pairs the host instruction that may fault with the place where
//! execution goes on. Faults at any other pc are not ours and go to the handler that was installed before.

use super::journal;
use friscy_seam::access::{landing_for, written};
use friscy_seam::friscy_fixup;
use std::arch::asm;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// Bit 1 of the page-fault error code that the host reports: the access was a write (Intel SDM volume 3, "Page-Fault
/// Exceptions").
const ERROR_WRITE: i64 = 2;

/// Size of the signal stack of a thread that has none.
const SIGNAL_STACK_BYTES: usize = 64 << 10;

/// The signals that are handled: two for memory, one for floating-point exceptions.
const SIGNALS: [libc::c_int; 3] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE];

/// The actions that were installed before ours, by the places in [`SIGNALS`].
static PREVIOUS: OnceLock<[libc::sigaction; 3]> = OnceLock::new();

/// Installs the handler for SIGSEGV, SIGBUS and SIGFPE in this process, once, and makes sure that the calling thread has a
/// signal stack. Every thread that touches guest memory calls this first.
pub fn install() {
    PREVIOUS.get_or_init(|| {
        SIGNALS.map(|signal| {
            // SAFETY: an all-zero sigaction is a valid value; the handler has the signature that SA_SIGINFO asks for
            // and is async-signal-safe.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                let mut previous: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handler as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
                libc::sigaction(signal, &action, &mut previous);
                previous
            }
        })
    });
    thread_local!(static READY: Cell<bool> = const { Cell::new(false) });
    READY.with(|ready| {
        if !ready.replace(true) {
            provide_signal_stack();
        }
    });
}

/// Gives the calling thread a signal stack if it has none. Its memory lives as long as the process.
fn provide_signal_stack() {
    // SAFETY: plain system calls; the stack is never freed.
    unsafe {
        let mut current: libc::stack_t = std::mem::zeroed();
        if libc::sigaltstack(std::ptr::null(), &mut current) != 0 || current.ss_flags & libc::SS_DISABLE == 0 {
            return;
        }
        let memory: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(SIGNAL_STACK_BYTES));
        let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: SIGNAL_STACK_BYTES };
        libc::sigaltstack(&stack, std::ptr::null_mut());
    }
}

/// The signal handler: tells the tier of floating-point exceptions, makes a store again that a journal waited for, resumes
/// at the landing of a known access, else does as if it were not there.
extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the host calls this with a valid siginfo and ucontext.
    let machine = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    let regs = &mut machine.gregs;
    if signal == libc::SIGFPE {
        let (pc, r15) = (regs[libc::REG_RIP as usize] as usize, regs[libc::REG_R15 as usize] as u64);
        // SAFETY: the context has the vector unit's state.
        let mxcsr = unsafe { &mut (*machine.fpregs).mxcsr };
        // SAFETY: the registers are those at the exception.
        let next = unsafe { written::raised(pc, r15, *mxcsr) };
        match next {
            Some(next) => *mxcsr = next,
            None => go_to_previous(signal, info, context),
        }
        return;
    }
    let write = regs[libc::REG_ERR as usize] & ERROR_WRITE != 0;
    let bus = signal == libc::SIGBUS;
    // SAFETY: SIGSEGV and SIGBUS carry an address.
    let addr = unsafe { (*info).si_addr() };
    if write && !bus && journal::store(addr as usize) {
        return;
    }
    if let Some(landing) = landing_for(regs[libc::REG_RIP as usize] as usize) {
        regs[libc::REG_RAX as usize] = i64::from(write) | i64::from(bus) << 1;
        regs[libc::REG_RDX as usize] = addr as i64;
        regs[libc::REG_RIP as usize] = landing as i64;
        return;
    }
    if written::contains(regs[libc::REG_RIP as usize] as usize) {
        // SAFETY: the context is valid; the fault is in translated code.
        regs[libc::REG_RIP as usize] = unsafe { land_from_written(signal, info, context) } as i64;
        return;
    }
    go_to_previous(signal, info, context);
}

/// Does as if the handler were not there.
fn go_to_previous(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // A fault of another thread while the handlers are being installed has no earlier action to go to yet: it returns
    // and faults again until it has.
    let Some(previous) = PREVIOUS.get() else { return };
    let Some(previous) = SIGNALS.iter().position(|of| *of == signal).map(|at| &previous[at]) else { return };
    match previous.sa_sigaction {
        // SAFETY: re-installing the earlier action; the access faults again under it.
        libc::SIG_DFL | libc::SIG_IGN => unsafe {
            libc::sigaction(signal, previous, std::ptr::null_mut());
        },
        // SAFETY: the earlier handler has the signature that its flags say.
        address => unsafe {
            if previous.sa_flags & libc::SA_SIGINFO != 0 {
                let f: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    std::mem::transmute(address);
                f(signal, info, context);
            } else {
                let f: extern "C" fn(libc::c_int) = std::mem::transmute(address);
                f(signal);
            }
        },
    }
}

/// Where general-purpose registers are in the host's context, by their number in instructions.
const GPRS: [libc::c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// Saves the registers at a fault in translated code; returns where execution goes on.
///
/// # Safety
/// The signal handler's arguments; the fault's pc is in translated code.
unsafe fn land_from_written(signal: libc::c_int, info: *const libc::siginfo_t, context: *const libc::c_void) -> usize {
    // SAFETY: the host calls the handler with a valid siginfo and ucontext, vector registers included.
    unsafe {
        let context = &(*context.cast::<libc::ucontext_t>()).uc_mcontext;
        let xmm = &(*context.fpregs)._xmm;
        let write = context.gregs[libc::REG_ERR as usize] & ERROR_WRITE != 0;
        written::save(&written::HostFault {
            gpr: GPRS.map(|r| context.gregs[r as usize] as u64),
            xmm: std::array::from_fn(|n| {
                let element = &xmm[n].element;
                u64::from(element[0]) | u64::from(element[1]) << 32
            }),
            pc: context.gregs[libc::REG_RIP as usize] as u64,
            address: (*info).si_addr() as u64,
            kind: u64::from(write) | u64::from(signal == libc::SIGBUS) << 1,
        })
    }
}

/// A copy that a host fault ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostFault {
    /// Bytes copied before the fault.
    pub copied: usize,
    /// The host said SIGBUS: a page beyond its object.
    pub beyond_object: bool,
}

/// Copies `len` bytes upwards; one side or both may be guest memory, which may fault.
///
/// # Errors
/// [`HostFault`] at the first byte that could not be copied.
///
/// # Safety
/// [`install`] has run on this thread. Each of the two ranges lies either in valid host memory or in the window of an
/// address space, and they do not overlap; no Rust reference to the destination exists.
pub unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) -> Result<(), HostFault> {
    let mut left = len;
    let mut how: u64 = 0;
    // SAFETY: the caller's promise; a fault lands at label 3 with the count in rcx as far as the copy came (Intel SDM
    // volume 1, "String Instructions": rcx, rsi and rdi are exact at a fault).
    unsafe {
        asm!(
            "2: rep movsb",
            "3:",
            friscy_fixup!("2b", "3b"),
            inout("rcx") left,
            inout("rdi") dst => _,
            inout("rsi") src => _,
            inout("rax") how,
            out("rdx") _,
            options(nostack, preserves_flags),
        );
    }
    if left == 0 { Ok(()) } else { Err(HostFault { copied: len - left, beyond_object: how & 2 != 0 }) }
}
