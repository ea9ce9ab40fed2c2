//! Steps: what the instructions inside a block do.

use super::{Exact, Step, exact, forward, operand_b, operand_c};
use crate::float::{self, usual_rounding};
use crate::ins::{Handler, Ins, exit, get, set, word};
use crate::memory::{self, Checked};
use friscy_fp::Rm;
use friscy_lift_ir::{Op, sem};
use friscy_seam::State;
use friscy_seam::access::window_offset;

/// The op with this position in the table, for const parameters.
const fn op(n: u8) -> Op {
    Op::ALL[n as usize]
}

/// Implements [`Step`] for a kind whose result is computed from operands and stored in slot `a`.
macro_rules! step {
    ($(#[$doc:meta])* $name:ident $(<const $op:ident>)? ($ip:ident, $st:ident, $($operand:ident),*) $result:expr) => {
        $(#[$doc])*
        pub(crate) struct $name $(<const $op: u8>)?;

        impl $(<const $op: u8>)? Step for $name $(<$op>)? {
            #[inline(always)]
            unsafe fn run<const F: u8>(
                $ip: *const Ins, $st: *mut State, _mem: *mut u8, _fuel: i64, _v: u64,
            ) -> Checked<u64> {
                // SAFETY: as the caller promises: an instruction of this kind and the current state.
                unsafe {
                    $(let $operand = step!(@read $operand $ip $st _v);)*
                    let result = $result;
                    set($st, (*$ip).a, result);
                    Ok(result)
                }
            }
        }
    };
    (@read b $ip:ident $st:ident $v:ident) => { operand_b::<F>($ip, $st, $v) };
    (@read c $ip:ident $st:ident $v:ident) => { operand_c::<F>($ip, $st, $v) };
    (@read d $ip:ident $st:ident $v:ident) => { get($st, (*$ip).d) };
    (@read imm $ip:ident $st:ident $v:ident) => { (*$ip).imm as i64 as u64 };
}

/// A total integer op has a result; `None` here would be a kind made from another op.
macro_rules! total {
    ($e:expr) => {
        match $e {
            Some(v) => v,
            None => std::hint::unreachable_unchecked(),
        }
    };
}

step! {
    /// A copy.
    Move(ip, st, b) b
}
step! {
    /// A constant of 32 bits, sign-extended.
    Const(ip, st, imm) imm
}
step! {
    /// An integer op on two slots.
    Rr<const OP>(ip, st, b, c) total!(sem::binary(const { op(OP) }, b, c))
}
step! {
    /// An integer op on a slot and an immediate.
    Ri<const OP>(ip, st, b, imm) total!(sem::binary(const { op(OP) }, b, imm))
}
step! {
    /// An integer op on one slot.
    Un<const OP>(ip, st, b) total!(sem::unary(const { op(OP) }, b))
}
step! {
    /// `b` shifted left by the immediate, plus `c`.
    ShlAdd(ip, st, b, c) (b << ((*ip).imm as u32 & 63)).wrapping_add(c)
}
step! {
    /// `b` if the condition in `d` is not zero, else `c`.
    Select(ip, st, b, c, d) if d != 0 { b } else { c }
}
/// Implements [`Step`] and [`Exact`] for floating-point ops.
macro_rules! float_step {
    ($(#[$doc:meta])* $name:ident($ip:ident, $st:ident, $($operand:ident),*) $f:ident, $rm:expr) => {
        $(#[$doc])*
        pub(crate) struct $name<const OP: u8>;

        impl<const OP: u8> Step for $name<OP> {
            const OTHERWISE: Option<Handler> = Some(exact::<Self>);

            #[inline(always)]
            unsafe fn run<const F: u8>(
                $ip: *const Ins, $st: *mut State, _mem: *mut u8, _fuel: i64, _v: u64,
            ) -> Checked<u64> {
                // SAFETY: as the caller promises: an instruction of this kind and the current state.
                unsafe {
                    $(let $operand = step!(@read $operand $ip $st _v);)*
                    match float::by_host::$f(const { op(OP) }, $($operand,)* $rm, &mut (*$st).fflags) {
                        Some(result) => {
                            set($st, (*$ip).a, result);
                            Ok(result)
                        }
                        None => Err(0),
                    }
                }
            }
        }

        impl<const OP: u8> Exact for $name<OP> {
            #[inline(always)]
            unsafe fn run_exact($ip: *const Ins, $st: *mut State) {
                const F: u8 = forward::NONE;
                let _v = 0;
                // SAFETY: as the caller promises.
                unsafe {
                    $(let $operand = step!(@read $operand $ip $st _v);)*
                    let result = Self::exact_result($($operand,)* $rm, &mut (*$st).fflags);
                    set($st, (*$ip).a, result);
                }
            }
        }

        impl<const OP: u8> $name<OP> {
            /// The result in any case; not inlined, since locals in memory would make the handler's jump a call.
            #[inline(never)]
            fn exact_result($($operand: u64,)* rm: Rm, flags: &mut u32) -> u64 {
                match float::by_integers::$f(const { op(OP) }, $($operand,)* rm, flags) {
                    Some(result) => result,
                    None => unreachable!("the exact form has every result"),
                }
            }
        }
    };
}

float_step! {
    /// A floating-point op on two slots, to nearest where it rounds.
    Fp2(ip, st, b, c) binary, Rm::Rne
}
float_step! {
    /// A floating-point op on two slots; the immediate is the rounding mode.
    Fp2Rm(ip, st, b, c) binary, float::rounding((*ip).imm, (*st).frm)
}
float_step! {
    /// A fused multiply-add to nearest.
    Fp3(ip, st, b, c, d) fused, Rm::Rne
}
float_step! {
    /// A fused multiply-add; the immediate is the rounding mode.
    Fp3Rm(ip, st, b, c, d) fused, float::rounding((*ip).imm, (*st).frm)
}
float_step! {
    /// A floating-point op on one slot in the mode that compilers emit for it.
    Fp1(ip, st, b) unary, const { usual_rounding(op(OP)) }
}
float_step! {
    /// A floating-point op on one slot; the immediate is the rounding mode.
    Fp1Rm(ip, st, b) unary, float::rounding((*ip).imm, (*st).frm)
}
step! {
    /// NaN-boxed form of an unboxed view: the canonical NaN unless it was boxed.
    Canonical(ip, st, b) friscy_fp::box_f32(friscy_fp::unbox_f32(b))
}
step! {
    /// `fflags`.
    GetFflags(ip, st,) float::flags(&mut *st) as u64
}
step! {
    /// `frm`.
    GetFrm(ip, st,) (*st).frm as u64
}

/// A constant of 64 bits, in the next element.
pub(crate) struct Const64;

impl Step for Const64 {
    const LEN: usize = 2;

    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, _: *mut u8, _: i64, _: u64) -> Checked<u64> {
        // SAFETY: a data element follows an instruction of this kind.
        unsafe {
            let v = (*ip.add(1)).datum();
            set(st, (*ip).a, v);
            Ok(v)
        }
    }
}

/// Sets `fflags` from slot `b`.
pub(crate) struct SetFflags;

impl Step for SetFflags {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, _: *mut u8, _: i64, v: u64) -> Checked<u64> {
        // SAFETY: as the caller promises.
        unsafe {
            float::set_flags(&mut *st, operand_b::<F>(ip, st, v) as u32 & 31);
        }
        Ok(0)
    }
}

/// Sets `frm` from slot `b`.
pub(crate) struct SetFrm;

impl Step for SetFrm {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, _: *mut u8, _: i64, v: u64) -> Checked<u64> {
        // SAFETY: as the caller promises.
        unsafe {
            (*st).frm = operand_b::<F>(ip, st, v) as u32 & 7;
        }
        Ok(0)
    }
}

/// A load from slot `b` plus displacement into slot `a`.
pub(crate) struct Load<const OP: u8>;

impl<const OP: u8> Step for Load<OP> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, v: u64) -> Checked<u64> {
        // SAFETY: as the caller promises; the offset is the law's.
        unsafe {
            let off = window_offset(operand_b::<F>(ip, st, v), (*ip).imm);
            let v = match const { op(OP) } {
                Op::Load8S => memory::load8s(ip, st, mem, fuel, off)?,
                Op::Load8U => memory::load8u(ip, st, mem, fuel, off)?,
                Op::Load16S => memory::load16s(ip, st, mem, fuel, off)?,
                Op::Load16U => memory::load16u(ip, st, mem, fuel, off)?,
                Op::Load32S => memory::load32s(ip, st, mem, fuel, off)?,
                Op::Load32U => memory::load32u(ip, st, mem, fuel, off)?,
                Op::LoadF32 => friscy_fp::box_f32(memory::load32u(ip, st, mem, fuel, off)? as u32),
                Op::Load64 | Op::LoadF64 => memory::load64(ip, st, mem, fuel, off)?,
                _ => unreachable!(),
            };
            set(st, (*ip).a, v);
            Ok(v)
        }
    }
}

/// A store of slot `c` to slot `b` plus displacement.
pub(crate) struct Store<const OP: u8>;

impl<const OP: u8> Step for Store<OP> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, v: u64) -> Checked<u64> {
        // SAFETY: as the caller promises; the offset is the law's.
        unsafe {
            let off = window_offset(operand_b::<F>(ip, st, v), (*ip).imm);
            let v = operand_c::<F>(ip, st, v);
            match const { op(OP) } {
                Op::Store8 => memory::store8(ip, st, mem, fuel, off, v)?,
                Op::Store16 => memory::store16(ip, st, mem, fuel, off, v)?,
                Op::Store32 | Op::StoreF32 => memory::store32(ip, st, mem, fuel, off, v)?,
                Op::Store64 | Op::StoreF64 => memory::store64(ip, st, mem, fuel, off, v)?,
                _ => unreachable!(),
            }
            Ok(0)
        }
    }
}

/// The exit of an atomic at an address that is not a multiple of its width (RISC-V manual, "Zaamo" and "Zalrsc").
#[cold]
unsafe fn misaligned(ip: *const Ins, st: *mut State, fuel: i64, off: i64) -> u64 {
    // SAFETY: `st` is the current state.
    unsafe {
        (*st).tier[word::IP] = ip as u64;
        (*st).tier[word::FUEL] = fuel as u64;
        (*st).tier[word::ADDRESS] = ((*st).window as u64).wrapping_add(off as u64);
        (*st).tier[word::FAULT_KIND] = 4;
    }
    exit::FAULT
}

/// Loads what an atomic of this width works on.
#[inline(always)]
unsafe fn atomic_load<const WIDE: bool>(
    ip: *const Ins,
    st: *mut State,
    mem: *mut u8,
    fuel: i64,
    addr: u64,
) -> Checked<u64> {
    let off = window_offset(addr, 0);
    // SAFETY: as the caller promises; the offset is the law's.
    unsafe {
        if addr & (if WIDE { 7 } else { 3 }) != 0 {
            return Err(misaligned(ip, st, fuel, off));
        }
        if WIDE { memory::load64(ip, st, mem, fuel, off) } else { memory::load32s(ip, st, mem, fuel, off) }
    }
}

/// Stores what an atomic of this width leaves.
#[inline(always)]
unsafe fn atomic_store<const WIDE: bool>(
    ip: *const Ins,
    st: *mut State,
    mem: *mut u8,
    fuel: i64,
    addr: u64,
    v: u64,
) -> Checked<()> {
    let off = window_offset(addr, 0);
    // SAFETY: as the caller promises; the offset is the law's.
    unsafe {
        if WIDE { memory::store64(ip, st, mem, fuel, off, v) } else { memory::store32(ip, st, mem, fuel, off, v) }
    }
}

/// Load-reserved.
pub(crate) struct Lr<const WIDE: bool>;

impl<const WIDE: bool> Step for Lr<WIDE> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, v: u64) -> Checked<u64> {
        // SAFETY: as the caller promises.
        unsafe {
            let addr = operand_b::<F>(ip, st, v);
            let v = atomic_load::<WIDE>(ip, st, mem, fuel, addr)?;
            (*st).reservation = addr;
            (*st).reserved_value = v;
            set(st, (*ip).a, v);
            Ok(v)
        }
    }
}

/// Store-conditional.
pub(crate) struct Sc<const WIDE: bool>;

impl<const WIDE: bool> Step for Sc<WIDE> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, v: u64) -> Checked<u64> {
        // SAFETY: as the caller promises.
        unsafe {
            let addr = operand_b::<F>(ip, st, v);
            let value = operand_c::<F>(ip, st, v);
            if addr & (if WIDE { 7 } else { 3 }) != 0 {
                return Err(misaligned(ip, st, fuel, window_offset(addr, 0)));
            }
            let mut failed = 1;
            if (*st).reservation == addr {
                // Stores do not look for reservations: one in between is seen by the value that it left.
                let reserved = (*st).reserved_value;
                let reserved = if WIDE { reserved } else { sem::sext32(reserved) };
                if atomic_load::<WIDE>(ip, st, mem, fuel, addr)? == reserved {
                    atomic_store::<WIDE>(ip, st, mem, fuel, addr, value)?;
                    failed = 0;
                }
            }
            (*st).reservation = u64::MAX;
            set(st, (*ip).a, failed);
            Ok(failed)
        }
    }
}

/// Atomic read-modify-write.
pub(crate) struct Amo<const OP: u8, const WIDE: bool>;

impl<const OP: u8, const WIDE: bool> Step for Amo<OP, WIDE> {
    #[inline(always)]
    unsafe fn run<const F: u8>(ip: *const Ins, st: *mut State, mem: *mut u8, fuel: i64, v: u64) -> Checked<u64> {
        // SAFETY: as the caller promises.
        unsafe {
            let addr = operand_b::<F>(ip, st, v);
            let operand = operand_c::<F>(ip, st, v);
            let operand = if WIDE { operand } else { sem::sext32(operand) };
            let old = atomic_load::<WIDE>(ip, st, mem, fuel, addr)?;
            let new = total!(sem::amo(const { op(OP) }, old, operand));
            atomic_store::<WIDE>(ip, st, mem, fuel, addr, new)?;
            set(st, (*ip).a, old);
            Ok(old)
        }
    }
}
