//! The layout of interpreter code, and how a handler goes on to the next.

use friscy_lift_ir::JumpKind;
use friscy_seam::State;
use friscy_seam::lines::Line;

/// One instruction: 16 bytes on 64-bit hosts, 12 on wasm32. Longer ones use the following element for data.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ins {
    /// Handler, or in a data element a pointer-sized datum.
    pub h: Word,
    /// Destination slot, or low byte of the retired count.
    pub a: u8,
    /// First operand's slot; for memory accesses the base register's.
    pub b: u8,
    /// Second operand's slot.
    pub c: u8,
    /// Third operand's slot, or high byte of the retired count.
    pub d: u8,
    /// Immediate, displacement in bytes, or distance to the target in bytes from this element.
    pub imm: i32,
}

/// The first field of an [`Ins`].
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union Word {
    /// A handler.
    pub handler: Handler,
    /// A distance in bytes.
    pub distance: isize,
    /// A jump cache.
    pub cache: *const JumpEntry,
}

/// One line of a jump cache, which maps guest addresses of indirect jumps to code.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct JumpEntry {
    /// [`jump_key`] of its guest address; 0 where empty.
    pub key: u64,
    /// Its code.
    pub ip: *const Ins,
}

/// Lines of a jump cache, a power of two.
pub(crate) const JUMP_CACHE_LINES: usize = 4096;

/// What tells guest addresses apart in a jump cache: never 0, and bit 0, which no jump target has, costs nothing.
#[inline(always)]
pub(crate) fn jump_key(pc: u64) -> u64 {
    pc | 1
}

impl Line for JumpEntry {
    fn is_of(&self, pc: u64) -> bool {
        self.key == jump_key(pc)
    }
}

impl Ins {
    /// An element that carries a 64-bit datum in the fields behind `h`.
    pub fn data(distance: isize, datum: u64) -> Ins {
        let [a, b, c, d, i @ ..] = datum.to_le_bytes();
        Ins { h: Word { distance }, a, b, c, d, imm: i32::from_le_bytes(i) }
    }

    /// The datum of [`Ins::data`].
    #[inline(always)]
    pub fn datum(&self) -> u64 {
        let low = u32::from_le_bytes([self.a, self.b, self.c, self.d]) as u64;
        low | (self.imm as u32 as u64) << 32
    }

    /// The retired count of a block's last instruction, kept in `a` and `d`.
    #[inline(always)]
    pub fn retired(&self) -> i64 {
        self.a as i64 | (self.d as i64) << 8
    }
}

/// Fills the argument registers that host shifts and multiplications want for themselves.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type Pad = std::mem::MaybeUninit<u64>;

/// A handler. On x86-64 `ip` is in rdi, `st` in rsi, `mem` in r8 and fuel in r9, which the fault landing relies on;
/// rdx and rcx stay free. The result is an exit code of [`exit`].
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type Handler = unsafe extern "C" fn(*const Ins, *mut State, Pad, Pad, *mut u8, i64) -> u64;
/// A handler. The result is an exit code of [`exit`].
#[cfg(target_arch = "wasm32")]
pub(crate) type Handler = unsafe extern "C" fn(*const Ins, *mut State, *mut u8, i64) -> u64;

/// The kinds of jumps by registers, by their numbers in code.
pub(crate) const JUMP_KINDS: [JumpKind; 4] = [JumpKind::Jump, JumpKind::Call, JumpKind::Return, JumpKind::ReturnCall];

/// Exit codes: the low byte says what, the rest carries a site or the number of a kind.
pub(crate) mod exit {
    /// Debug builds return to a loop after each instruction, so that their stack does not grow.
    pub const CONTINUE: u64 = 0;
    /// To `state.pc` by a site, whose number is in the upper bits.
    pub const GOTO_SITE: u64 = 1;
    /// To `state.pc` by an indirect jump, the number of whose kind is in the upper bits.
    pub const GOTO: u64 = 2;
    /// Fuel used up.
    pub const FUEL: u64 = 3;
    /// Memory fault; `state.tier` holds the instruction, the fuel, the host address and its kind.
    pub const FAULT: u64 = 4;
    /// This plus the `ExitKind`.
    pub const KIND: u64 = 16;
}

/// Words of `State::tier`.
pub(crate) mod word {
    /// Instruction: where to go on in debug builds, or what faulted.
    pub const IP: usize = 0;
    /// Fuel that goes with it.
    pub const FUEL: usize = 1;
    /// Host address of a fault.
    pub const ADDRESS: usize = 2;
    /// Bit 0: write, bit 1: beyond the object, bit 2: misaligned.
    pub const FAULT_KIND: usize = 3;
}

/// What comes after an instruction.
pub(crate) enum Next {
    /// The instruction there, with so much fuel.
    Go(*const Ins, i64),
    /// The instruction there, with so much fuel, by a handler that is not its own.
    By(Handler, *const Ins, i64),
    /// Leaving with an exit code.
    Exit(u64),
}

/// The end of every handler. Going on is a jump in optimised builds; the handler has nothing left to do and no local
/// whose address is known elsewhere, so the compiler needs no stack for it.
///
/// In wasm a call is made a jump only where the function has no other way out, so that leaving is one more handler.
///
/// # Safety
/// [`Next::Go`] and [`Next::By`] have an instruction of live code; `st` and `mem` are those the tier was entered with.
#[inline(always)]
pub(crate) unsafe fn finish(next: Next, st: *mut State, mem: *mut u8) -> u64 {
    #[cfg(debug_assertions)]
    match next {
        // SAFETY: as the caller promises.
        Next::Go(ip, fuel) => unsafe {
            let _ = mem;
            (*st).tier[word::IP] = ip as u64;
            (*st).tier[word::FUEL] = fuel as u64;
            exit::CONTINUE
        },
        // SAFETY: as the caller promises.
        Next::By(handler, ip, fuel) => unsafe { call(handler, ip, st, mem, fuel) },
        Next::Exit(code) => code,
    }
    #[cfg(all(not(debug_assertions), not(target_arch = "wasm32")))]
    match next {
        // SAFETY: as the caller promises.
        Next::Go(ip, fuel) => unsafe { call((*ip).h.handler, ip, st, mem, fuel) },
        // SAFETY: as the caller promises.
        Next::By(handler, ip, fuel) => unsafe { call(handler, ip, st, mem, fuel) },
        Next::Exit(code) => code,
    }
    #[cfg(all(not(debug_assertions), target_arch = "wasm32"))]
    {
        let (handler, ip, fuel) = match next {
            // SAFETY: as the caller promises.
            Next::Go(ip, fuel) => (unsafe { (*ip).h.handler }, ip, fuel),
            Next::By(handler, ip, fuel) => (handler, ip, fuel),
            Next::Exit(code) => (leave as Handler, std::ptr::null(), code as i64),
        };
        // SAFETY: as the caller promises; `leave` looks at nothing but its last argument.
        unsafe { call(handler, ip, st, mem, fuel) }
    }
}

/// Calls a handler.
///
/// # Safety
/// As [`finish`]; the handler is of the instruction's kind.
#[inline(always)]
unsafe fn call(handler: Handler, ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64) -> u64 {
    #[cfg(not(target_arch = "wasm32"))]
    // SAFETY: as the caller promises.
    unsafe {
        handler(ip, st, Pad::uninit(), Pad::uninit(), mem, fuel)
    }
    #[cfg(target_arch = "wasm32")]
    // SAFETY: as the caller promises.
    unsafe {
        handler(ip, st, mem, fuel)
    }
}

/// The handler that returns an exit code, which comes in the place of fuel.
#[cfg(all(not(debug_assertions), target_arch = "wasm32"))]
unsafe extern "C" fn leave(_: *const Ins, _: *mut State, _: *mut u8, code: i64) -> u64 {
    code as u64
}

/// Reads a slot.
///
/// # Safety
/// `st` is valid.
#[inline(always)]
pub(crate) unsafe fn get(st: *mut State, slot: u8) -> u64 {
    // SAFETY: the state begins with 256 slots: 32 integer registers, 32 floating-point registers, 192 scratch.
    unsafe { *(st as *const u64).add(slot as usize) }
}

/// Writes a slot.
///
/// # Safety
/// `st` is valid.
#[inline(always)]
pub(crate) unsafe fn set(st: *mut State, slot: u8, v: u64) {
    // SAFETY: as for `get`.
    unsafe { *(st as *mut u64).add(slot as usize) = v }
}

const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(State, x) == 0 && offset_of!(State, f) == 256 && offset_of!(State, scratch) == 512);
    assert!(friscy_seam::SCRATCH_SLOTS == 192);
};
