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

/// The first offset above the guest's window, in bytes.
pub const WINDOW_SIZE: u64 = 0xf000_0000;

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
