//! The law for guest addresses, and the fix-up table by which host faults in leaf routines are found by pc.
//!
//! An access uses bits 31:0 of the base register, zero-extended, plus the sign-extended displacement.

/// Permission bits of a page byte (hosts that check in software).
pub mod page {
    /// Loads allowed.
    pub const READ: u8 = 1;
    /// Stores allowed.
    pub const WRITE: u8 = 2;
    /// Instruction fetch allowed.
    pub const EXEC: u8 = 4;
    /// The page is mapped.
    pub const MAPPED: u8 = 8;
    /// The page was written since the bit was last cleared.
    pub const DIRTY: u8 = 16;
    /// Mapped, but beyond its object's end (SIGBUS).
    pub const BEYOND: u8 = 32;
    /// Translations were made from the page.
    pub const CODE: u8 = 64;
}

/// The first guest address that may be mapped.
pub const LOWEST_ADDRESS: u64 = 0x1_0000;

/// The first offset above the guest's window, in bytes.
pub const WINDOW_SIZE: u64 = 0xf000_0000;

/// How far below the window's start a state lies that translated code addresses relative to it, in bytes: within the
/// guard, beyond the reach of displacements.
pub const STATE_BELOW: usize = 16 << 10;

/// The offset in the guest's window at which an access of the law's form is made. Negative displacements of small
/// bases and sums beyond the window land in guards.
#[inline(always)]
pub const fn window_offset(base: u64, disp: i32) -> i64 {
    (base as u32 as i64) + disp as i64
}

/// One row of the fix-up table, as `friscy_fixup!` emits it: when a host fault's pc is at `at`, execution goes on at
/// `landing`. Both are relative to the address of the field that holds them.
#[repr(C)]
pub struct Fixup {
    /// The access.
    pub at: i32,
    /// Where to go on. The host address that faulted is in `rdx` there and bit 0 of `rax` says write, bit 1 SIGBUS.
    pub landing: i32,
}

/// The assembly text of one [`Fixup`] row: a host fault of the instruction at label `$at` goes on at label `$landing`.
/// `rax` and `rdx` are clobbered on that way. The section is retained by flag: nothing refers to its rows by name, and
/// linkers that collect such sections would drop them.
#[macro_export]
macro_rules! friscy_fixup {
    ($at:literal, $landing:literal) => {
        concat!(
            ".pushsection friscy_fixup,\"aR\",@progbits\n",
            ".balign 4\n",
            ".long ",
            $at,
            " - .\n",
            ".long ",
            $landing,
            " - .\n",
            ".popsection"
        )
    };
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
unsafe extern "C" {
    #[link_name = "__start_friscy_fixup"]
    static FIXUPS_START: Fixup;
    #[link_name = "__stop_friscy_fixup"]
    static FIXUPS_END: Fixup;
}

/// The landing for a host pc, if the fix-up table has one. Called from a signal handler: it neither allocates nor locks.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub fn landing_for(pc: usize) -> Option<usize> {
    let start = &raw const FIXUPS_START;
    let end = &raw const FIXUPS_END;
    let mut row = start;
    while row < end {
        // SAFETY: `row` lies between the section's start and end symbols, which the linker sets around whole rows.
        let (at, landing) = unsafe {
            let at = &raw const (*row).at;
            let landing = &raw const (*row).landing;
            ((at as usize).wrapping_add_signed(*at as isize), (landing as usize).wrapping_add_signed(*landing as isize))
        };
        if at == pc {
            return Some(landing);
        }
        // SAFETY: stays within or one past the section.
        row = unsafe { row.add(1) };
    }
    None
}

/// Host code that a tier writes while it runs: where it is, and where execution goes on after a host fault in it. It keeps
/// the start of the window in `r15`, with its state [`STATE_BELOW`] that.
///
/// The words of [`State::scratch`](crate::State::scratch) hold at the landing what [`written::word`] says; `rsp` is as at
/// the fault.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod written {
    use crate::State;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static START: AtomicUsize = AtomicUsize::new(0);
    static END: AtomicUsize = AtomicUsize::new(0);
    static LANDING: AtomicUsize = AtomicUsize::new(0);
    static REPORT: OnceLock<Report> = OnceLock::new();

    /// What a tier does when the host reports a floating-point exception of such code: it is given MXCSR, with the flags
    /// of the exception, and returns that with which the instruction is executed again.
    pub type Report = unsafe fn(*mut State, u32) -> u32;

    /// Places in the saved words.
    pub mod word {
        /// General-purpose registers, by their number in instructions.
        pub const GPR: usize = 0;
        /// Low halves of vector registers.
        pub const XMM: usize = 16;
        /// Program counter of the fault.
        pub const PC: usize = 32;
        /// The host address that faulted.
        pub const ADDRESS: usize = 33;
        /// Bit 0: a write; bit 1: SIGBUS.
        pub const KIND: usize = 34;
    }

    /// What the host's fault handler knows.
    pub struct HostFault {
        /// General-purpose registers, by their number in instructions.
        pub gpr: [u64; 16],
        /// Low halves of vector registers.
        pub xmm: [u64; 16],
        /// Program counter of the fault.
        pub pc: u64,
        /// The host address that faulted.
        pub address: u64,
        /// Bit 0: a write; bit 1: SIGBUS.
        pub kind: u64,
    }

    /// Says where all such code of this process is, once, before any of it runs.
    pub fn declare(start: usize, end: usize, landing: usize, report: Report) {
        let _ = REPORT.set(report);
        LANDING.store(landing, Ordering::Relaxed);
        START.store(start, Ordering::Relaxed);
        END.store(end, Ordering::Release);
    }

    /// Whether `pc` is in such code. Called from a signal handler: it neither allocates nor locks.
    pub fn contains(pc: usize) -> bool {
        pc < END.load(Ordering::Acquire) && pc >= START.load(Ordering::Relaxed)
    }

    /// Tells the tier of a floating-point exception at `pc`, if that is in such code; returns MXCSR with which it goes on.
    /// Called from a signal handler.
    ///
    /// # Safety
    /// `r15` is the register's value at the exception.
    pub unsafe fn raised(pc: usize, r15: u64, mxcsr: u32) -> Option<u32> {
        let report = REPORT.get().filter(|_| contains(pc))?;
        // SAFETY: such code keeps the start of the window there, and is the only user of its state while it runs.
        Some(unsafe { report((r15 as usize - super::STATE_BELOW) as *mut State, mxcsr) })
    }

    /// Saves what is known of a fault in such code and returns the landing. Called from a signal handler.
    ///
    /// # Safety
    /// The fault is in such code, so that `r15` is the start of a window with its state.
    pub unsafe fn save(fault: &HostFault) -> usize {
        let state = (fault.gpr[15] as usize - super::STATE_BELOW) as *mut State;
        // SAFETY: the caller's promise; translated code is the only user of the state while it runs.
        unsafe {
            let scratch = &mut (*state).scratch;
            scratch[word::GPR..][..16].copy_from_slice(&fault.gpr);
            scratch[word::XMM..][..16].copy_from_slice(&fault.xmm);
            scratch[word::PC] = fault.pc;
            scratch[word::ADDRESS] = fault.address;
            scratch[word::KIND] = fault.kind;
        }
        LANDING.load(Ordering::Relaxed)
    }
}
