//! How handlers reach guest memory. Where the host's MMU guards the guest's window, an access is one instruction whose
//! fault is found by pc; elsewhere a byte a page is checked first.

use crate::ins::Ins;
use friscy_seam::State;

/// What a failed access makes its handler return.
pub(crate) type Checked<T> = Result<T, u64>;

#[cfg(all(target_arch = "x86_64", not(feature = "software-checks")))]
mod host {
    use super::*;
    use std::arch::asm;

    /// An access with its row in the fix-up table. `ip`, `st` and fuel are pinned where the landing expects them;
    /// they are there already, as a handler's arguments.
    macro_rules! guarded {
        ($insn:literal, $ip:ident, $st:ident, $fuel:ident, $($operands:tt)*) => {
            asm!(
                concat!("2: ", $insn),
                ".pushsection friscy_fixup,\"aR\",@progbits",
                ".balign 4",
                ".long 2b - .",
                ".long friscy_interp_fault_landing - .",
                ".popsection",
                in("rdi") $ip,
                in("rsi") $st,
                in("r9") $fuel,
                $($operands)*
            )
        };
    }

    macro_rules! loads {
        ($($(#[$doc:meta])* $name:ident $insn:literal;)*) => {$(
            $(#[$doc])*
            ///
            /// # Safety
            /// `mem` is the guest's window with its guards, `off` an offset that the law for addresses yields, and
            /// the fault handler is installed.
            #[inline(always)]
            pub(crate) unsafe fn $name(
                ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, off: i64,
            ) -> Checked<u64> {
                let v: u64;
                // SAFETY: reads within the window or its guards; a fault goes to the landing, which never returns
                // here.
                unsafe {
                    guarded!($insn, ip, st, fuel,
                        v = lateout(reg) v, m = in(reg) mem, o = in(reg) off,
                        options(nostack, preserves_flags, readonly));
                }
                Ok(v)
            }
        )*};
    }

    loads! {
        /// Unsigned byte.
        load8u "movzx {v:e}, byte ptr [{m} + {o}]";
        /// Signed byte.
        load8s "movsx {v}, byte ptr [{m} + {o}]";
        /// Unsigned 16 bits.
        load16u "movzx {v:e}, word ptr [{m} + {o}]";
        /// Signed 16 bits.
        load16s "movsx {v}, word ptr [{m} + {o}]";
        /// Unsigned 32 bits.
        load32u "mov {v:e}, dword ptr [{m} + {o}]";
        /// Signed 32 bits.
        load32s "movsxd {v}, dword ptr [{m} + {o}]";
        /// 64 bits.
        load64 "mov {v}, qword ptr [{m} + {o}]";
    }

    macro_rules! stores {
        ($($(#[$doc:meta])* $name:ident $insn:literal $class:ident;)*) => {$(
            $(#[$doc])*
            ///
            /// # Safety
            /// As for loads.
            #[inline(always)]
            pub(crate) unsafe fn $name(
                ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, off: i64, v: u64,
            ) -> Checked<()> {
                // SAFETY: writes within the window or its guards; a fault goes to the landing.
                unsafe {
                    stores!(@asm $class, $insn, ip, st, fuel, mem, off, v);
                }
                Ok(())
            }
        )*};
        (@asm byte, $insn:literal, $ip:ident, $st:ident, $fuel:ident, $mem:ident, $off:ident, $v:ident) => {
            guarded!($insn, $ip, $st, $fuel,
                v = in(reg_byte) $v as u8, m = in(reg) $mem, o = in(reg) $off,
                options(nostack, preserves_flags))
        };
        (@asm word, $insn:literal, $ip:ident, $st:ident, $fuel:ident, $mem:ident, $off:ident, $v:ident) => {
            guarded!($insn, $ip, $st, $fuel,
                v = in(reg) $v, m = in(reg) $mem, o = in(reg) $off,
                options(nostack, preserves_flags))
        };
    }

    stores! {
        /// Low 8 bits.
        store8 "mov byte ptr [{m} + {o}], {v}" byte;
        /// Low 16 bits.
        store16 "mov word ptr [{m} + {o}], {v:x}" word;
        /// Low 32 bits.
        store32 "mov dword ptr [{m} + {o}], {v:e}" word;
        /// 64 bits.
        store64 "mov qword ptr [{m} + {o}], {v}" word;
    }
}

#[cfg(any(not(target_arch = "x86_64"), feature = "software-checks"))]
mod host {
    use super::*;
    use crate::ins::{exit, word};
    use friscy_seam::access::{WINDOW_SIZE, page};

    #[cold]
    #[inline(never)]
    unsafe fn fault(ip: *const Ins, st: *mut State, fuel: i64, off: i64, kind: u64) -> u64 {
        // SAFETY: `st` is the state that the tier was entered with.
        unsafe {
            (*st).tier[word::IP] = ip as u64;
            (*st).tier[word::FUEL] = fuel as u64;
            (*st).tier[word::ADDRESS] = off as u64;
            (*st).tier[word::FAULT_KIND] = kind;
        }
        exit::FAULT
    }

    /// Checks the pages one by one and marks them dirty for a write: 0, or the exit once the fault is recorded. The
    /// answer is one number since handlers that need stack in wasm do not call the next one in tail position.
    #[cold]
    #[inline(never)]
    unsafe fn check_slowly(ip: *const Ins, st: *mut State, fuel: i64, off: i64, len: u64, write: bool) -> u64 {
        // SAFETY: as the caller promises.
        match unsafe { first_bad(st, off, len, write) } {
            Ok(()) => 0,
            // SAFETY: as above.
            Err((at, kind)) => unsafe { fault(ip, st, fuel, at, kind) },
        }
    }

    /// Checks the pages one by one and marks them dirty for a write. Returns the first bad offset and its kind.
    #[inline(always)]
    unsafe fn first_bad(st: *mut State, off: i64, len: u64, write: bool) -> Result<(), (i64, u64)> {
        let need = if write { page::WRITE } else { page::READ };
        for step in [0, len as i64 - 1] {
            let at = off.wrapping_add(step);
            let kind = write as u64;
            if at as u64 >= WINDOW_SIZE {
                return Err((at.max(off), kind));
            }
            // SAFETY: the page table covers the window.
            let p = unsafe { &mut *(*st).pages.add((at as u64 >> 12) as usize) };
            // As Linux has it: what the mapping does not allow comes before what the object does not have.
            let beyond = *p & page::BEYOND != 0;
            if *p & need == 0 || beyond {
                let kind = if *p & need != 0 { kind | 2 } else { kind };
                return Err((if step == 0 { off } else { at & !4095 }, kind));
            }
        }
        if write {
            for step in [0, len as i64 - 1] {
                // SAFETY: as above.
                unsafe { *(*st).pages.add((off.wrapping_add(step) as u64 >> 12) as usize) |= page::DIRTY };
            }
        }
        Ok(())
    }

    #[inline(always)]
    unsafe fn check(ip: *const Ins, st: *mut State, fuel: i64, off: i64, len: u64, write: bool) -> Checked<()> {
        let want = if write { page::WRITE | page::DIRTY } else { page::READ };
        if (off as u64) < WINDOW_SIZE && off as u64 & 4095 <= 4096 - len {
            // SAFETY: the page table covers the window.
            let have = unsafe { *(*st).pages.add((off as u64 >> 12) as usize) };
            if have & (want | page::BEYOND) == want {
                return Ok(());
            }
        }
        // SAFETY: as the caller promises.
        unsafe {
            match check_slowly(ip, st, fuel, off, len, write) {
                0 => Ok(()),
                exit => Err(exit),
            }
        }
    }

    macro_rules! loads {
        ($($name:ident $read:ty, $as:ty;)*) => {$(
            /// A load, checked.
            ///
            /// # Safety
            /// `mem` is the guest's window and `st.pages` describes it.
            #[inline(always)]
            pub(crate) unsafe fn $name(
                ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, off: i64,
            ) -> Checked<u64> {
                // SAFETY: the check proves the bytes mapped; the pointer is within the window.
                unsafe {
                    check(ip, st, fuel, off, size_of::<$read>() as u64, false)?;
                    Ok((mem.wrapping_add(off as usize) as *const $read).read_unaligned() as $as as u64)
                }
            }
        )*};
    }

    loads! {
        load8u u8, u64;
        load8s i8, i64;
        load16u u16, u64;
        load16s i16, i64;
        load32u u32, u64;
        load32s i32, i64;
        load64 u64, u64;
    }

    macro_rules! stores {
        ($($name:ident $write:ty;)*) => {$(
            /// A store, checked.
            ///
            /// # Safety
            /// As for loads.
            #[inline(always)]
            pub(crate) unsafe fn $name(
                ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, off: i64, v: u64,
            ) -> Checked<()> {
                // SAFETY: as for loads.
                unsafe {
                    check(ip, st, fuel, off, size_of::<$write>() as u64, true)?;
                    (mem.wrapping_add(off as usize) as *mut $write).write_unaligned(v as $write);
                    Ok(())
                }
            }
        )*};
    }

    stores! {
        store8 u8;
        store16 u16;
        store32 u32;
        store64 u64;
    }
}

pub(crate) use host::*;
