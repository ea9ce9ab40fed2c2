//! Which handler executes which kind of instruction.

use super::control::{Branch, Exit, Indirect, Jump, ModeChange, Stub};
use super::steps::*;
use super::{end, exact, one};
use crate::float;
use crate::ins::Handler;
use friscy_lift_ir::{Cond, Op};
use friscy_seam::EXIT_KINDS;

/// A kind of instruction: its form, and the op that it computes where the form is of several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Copy of `b`.
    Move,
    /// 32-bit constant.
    Const,
    /// 64-bit constant in the next element.
    Const64,
    /// Integer op on `b` and `c`.
    Rr(Op),
    /// Integer op on `b` and the immediate.
    Ri(Op),
    /// Integer op on `b`.
    Un(Op),
    /// `(b << imm) + c`.
    ShlAdd,
    /// `d != 0 ? b : c`.
    Select,
    /// Load from `b` + imm.
    Load(Op),
    /// Store of `c` to `b` + imm.
    Store(Op),
    /// Load-reserved; 64 bits if set.
    Lr(bool),
    /// Store-conditional; 64 bits if set.
    Sc(bool),
    /// Read-modify-write.
    Amo(Op),
    /// Floating-point op on `b` and `c`, to nearest where it rounds.
    Fp2(Op),
    /// Floating-point op on `b` and `c` in mode imm.
    Fp2Rm(Op),
    /// Fused multiply-add to nearest.
    Fp3(Op),
    /// Fused multiply-add in mode imm.
    Fp3Rm(Op),
    /// Floating-point op on `b` in its usual mode.
    Fp1(Op),
    /// Floating-point op on `b` in mode imm.
    Fp1Rm(Op),
    /// Boxed form of an unboxed view.
    Canonical,
    /// Read `fflags`.
    GetFflags,
    /// Write `fflags`.
    SetFflags,
    /// Read `frm`.
    GetFrm,
    /// Write `frm`.
    SetFrm,
    /// Edge; a preemption point if set.
    Jump(bool),
    /// Two-way branch; the taken edge is a preemption point if set.
    Branch(Cond, bool),
    /// Jump through the cache.
    Indirect,
    /// Exit by a site.
    Stub,
    /// Exit for good, by number of its kind.
    Exit(u8),
    /// Exit unless the class of rounding mode still fits.
    ModeChange(u8),
    /// Not an instruction: the data of the one before.
    Data,
}

macro_rules! per_op {
    ($op:expr, $wrap:ident $step:ident [$($o:ident)*]) => {
        match $op {
            $(Op::$o => Some($wrap::<$step<{ Op::$o as u8 }>> as Handler),)*
            _ => None,
        }
    };
}

macro_rules! per_amo {
    ($op:expr, [$($o:ident $wide:literal)*]) => {
        match $op {
            $(Op::$o => Some(one::<Amo<{ Op::$o as u8 }, $wide>> as Handler),)*
            _ => None,
        }
    };
}

macro_rules! per_cond {
    ($cond:expr, $preempt:expr, [$($c:ident)*]) => {
        match ($cond, $preempt) {
            $((Cond::$c, false) => end::<Branch<{ Cond::$c as u8 }, false>> as Handler,
              (Cond::$c, true) => end::<Branch<{ Cond::$c as u8 }, true>> as Handler,)*
        }
    };
}

macro_rules! per_number {
    ($n:expr, $end:ident [$($i:literal)*]) => {
        match $n {
            $($i => Some(end::<$end<$i>> as Handler),)*
            _ => None,
        }
    };
}

/// How many keys kinds of one form take: as many as there are ops, which are more than there is of anything else.
const FORM_KEYS: usize = Op::ALL.len();

/// The handlers by [`Kind::key`].
static HANDLERS: [Option<Handler>; Kind::KEYS] = {
    let mut handlers = [None; Kind::KEYS];
    let mut n = 0;
    while n < Op::ALL.len() {
        let op = Op::ALL[n];
        let kinds = [
            Kind::Rr(op),
            Kind::Ri(op),
            Kind::Un(op),
            Kind::Load(op),
            Kind::Store(op),
            Kind::Amo(op),
            Kind::Fp2(op),
            Kind::Fp2Rm(op),
            Kind::Fp3(op),
            Kind::Fp3Rm(op),
            Kind::Fp1(op),
            Kind::Fp1Rm(op),
        ];
        enter_handlers(&mut handlers, &kinds);
        n += 1;
    }
    let mut n = 0;
    while n < Cond::ALL.len() {
        let cond = Cond::ALL[n];
        enter_handlers(&mut handlers, &[Kind::Branch(cond, false), Kind::Branch(cond, true)]);
        n += 1;
    }
    let mut n = 0;
    while n < EXIT_KINDS.len() {
        enter_handlers(&mut handlers, &[Kind::Exit(n as u8), Kind::ModeChange(n as u8)]);
        n += 1;
    }
    let others = [
        Kind::Move,
        Kind::Const,
        Kind::Const64,
        Kind::ShlAdd,
        Kind::Select,
        Kind::Lr(false),
        Kind::Lr(true),
        Kind::Sc(false),
        Kind::Sc(true),
        Kind::Canonical,
        Kind::GetFflags,
        Kind::SetFflags,
        Kind::GetFrm,
        Kind::SetFrm,
        Kind::Jump(false),
        Kind::Jump(true),
        Kind::Indirect,
        Kind::Stub,
    ];
    enter_handlers(&mut handlers, &others);
    handlers
};

const fn enter_handlers(handlers: &mut [Option<Handler>; Kind::KEYS], kinds: &[Kind]) {
    let mut n = 0;
    while n < kinds.len() {
        handlers[kinds[n].key()] = kinds[n].find_handler();
        n += 1;
    }
}

impl Kind {
    /// One more than the largest [`Kind::key`].
    pub const KEYS: usize = 33 * FORM_KEYS;

    /// A number that tells kinds apart.
    #[inline]
    pub const fn key(self) -> usize {
        let (form, of) = match self {
            Kind::Move => (0, 0),
            Kind::Const => (1, 0),
            Kind::Const64 => (2, 0),
            Kind::Rr(op) => (3, op as usize),
            Kind::Ri(op) => (4, op as usize),
            Kind::Un(op) => (5, op as usize),
            Kind::ShlAdd => (6, 0),
            Kind::Select => (8, 0),
            Kind::Load(op) => (9, op as usize),
            Kind::Store(op) => (10, op as usize),
            Kind::Lr(wide) => (11, wide as usize),
            Kind::Sc(wide) => (12, wide as usize),
            Kind::Amo(op) => (13, op as usize),
            Kind::Fp2(op) => (14, op as usize),
            Kind::Fp2Rm(op) => (15, op as usize),
            Kind::Fp3(op) => (16, op as usize),
            Kind::Fp3Rm(op) => (17, op as usize),
            Kind::Fp1(op) => (18, op as usize),
            Kind::Fp1Rm(op) => (19, op as usize),
            Kind::Canonical => (20, 0),
            Kind::GetFflags => (21, 0),
            Kind::SetFflags => (22, 0),
            Kind::GetFrm => (23, 0),
            Kind::SetFrm => (24, 0),
            Kind::Jump(preempt) => (25, preempt as usize),
            Kind::Branch(cond, preempt) => (26, (cond as usize) << 1 | preempt as usize),
            Kind::Indirect => (27, 0),
            Kind::Stub => (28, 0),
            Kind::Exit(n) => (29, n as usize),
            Kind::ModeChange(n) => (30, n as usize),
            Kind::Data => (32, 0),
        };
        form * FORM_KEYS + of
    }

    /// The handler of this kind, if it is one that lowering may make.
    #[inline]
    pub fn handler(self) -> Option<Handler> {
        match self {
            Kind::Fp3(op) if !float::has_fused() => {
                per_op!(op, exact Fp3 [FmaS FmsS FnmsS FnmaS FmaD FmsD FnmsD FnmaD])
            }
            Kind::Fp3Rm(op) if !float::has_fused() => {
                per_op!(op, exact Fp3Rm [FmaS FmsS FnmsS FnmaS FmaD FmsD FnmsD FnmaD])
            }
            _ => HANDLERS[self.key()],
        }
    }

    /// As [`Kind::handler`], told from scratch.
    const fn find_handler(self) -> Option<Handler> {
        Some(match self {
            Kind::Move => one::<Move> as Handler,
            Kind::Const => one::<Const>,
            Kind::Const64 => one::<Const64>,
            Kind::Rr(op) => {
                return per_op!(op, one Rr [
                    Add Sub And Or Xor Shl ShrU ShrS Rotl Rotr Mul MulhS MulhU MulhSU DivS DivU RemS RemU Eq Ne LtS
                    LtU MinS MinU MaxS MaxU Add32 Sub32 Shl32 ShrU32 ShrS32 Rotl32 Rotr32 Mul32 DivS32 DivU32 RemS32
                    RemU32
                ]);
            }
            Kind::Ri(op) => {
                return per_op!(op, one Ri [
                    Add And Or Xor Shl ShrU ShrS Rotl Rotr Mul Eq Ne LtS LtU Add32 Shl32 ShrU32 ShrS32 Rotl32 Rotr32
                    Mul32
                ]);
            }
            Kind::Un(op) => {
                return per_op!(op, one Un [
                    Sext8 Sext16 Sext32 Zext16 Zext32 Clz Ctz Popcnt Clz32 Ctz32 Popcnt32 Bswap OrcB
                ]);
            }
            Kind::ShlAdd => one::<ShlAdd>,
            Kind::Select => one::<Select>,
            Kind::Load(op) => {
                return per_op!(op, one Load [
                    Load8S Load8U Load16S Load16U Load32S Load32U Load64 LoadF32 LoadF64
                ]);
            }
            Kind::Store(op) => {
                return per_op!(op, one Store [Store8 Store16 Store32 Store64 StoreF32 StoreF64]);
            }
            Kind::Lr(false) => one::<Lr<false>>,
            Kind::Lr(true) => one::<Lr<true>>,
            Kind::Sc(false) => one::<Sc<false>>,
            Kind::Sc(true) => one::<Sc<true>>,
            Kind::Amo(op) => {
                return per_amo!(op, [
                    AmoSwap32 false AmoAdd32 false AmoXor32 false AmoAnd32 false AmoOr32 false AmoMinS32 false
                    AmoMaxS32 false AmoMinU32 false AmoMaxU32 false AmoSwap64 true AmoAdd64 true AmoXor64 true
                    AmoAnd64 true AmoOr64 true AmoMinS64 true AmoMaxS64 true AmoMinU64 true AmoMaxU64 true
                ]);
            }
            Kind::Fp2(op) => {
                return per_op!(op, one Fp2 [
                    FaddS FsubS FmulS FdivS FaddD FsubD FmulD FdivD FminS FmaxS FminD FmaxD FeqS FltS FleS FeqD FltD
                    FleD FsgnjS FsgnjnS FsgnjxS FsgnjD FsgnjnD FsgnjxD
                ]);
            }
            Kind::Fp2Rm(op) => {
                return per_op!(op, one Fp2Rm [FaddS FsubS FmulS FdivS FaddD FsubD FmulD FdivD]);
            }
            Kind::Fp3(op) => return per_op!(op, one Fp3 [FmaS FmsS FnmsS FnmaS FmaD FmsD FnmsD FnmaD]),
            Kind::Fp3Rm(op) => return per_op!(op, one Fp3Rm [FmaS FmsS FnmsS FnmaS FmaD FmsD FnmsD FnmaD]),
            Kind::Fp1(op) => {
                return per_op!(op, one Fp1 [
                    FsqrtS FsqrtD FclassS FclassD CvtS32F32 CvtU32F32 CvtS64F32 CvtU64F32 CvtS32F64 CvtU32F64
                    CvtS64F64 CvtU64F64 CvtF32S32 CvtF32U32 CvtF32S64 CvtF32U64 CvtF64S32 CvtF64U32 CvtF64S64
                    CvtF64U64 CvtF32F64 CvtF64F32 BitsF32
                ]);
            }
            Kind::Fp1Rm(op) => {
                return per_op!(op, one Fp1Rm [
                    FsqrtS FsqrtD CvtS32F32 CvtU32F32 CvtS64F32 CvtU64F32 CvtS32F64 CvtU32F64 CvtS64F64 CvtU64F64
                    CvtF32S32 CvtF32U32 CvtF32S64 CvtF32U64 CvtF64S64 CvtF64U64 CvtF32F64
                ]);
            }
            Kind::Canonical => one::<Canonical>,
            Kind::GetFflags => one::<GetFflags>,
            Kind::SetFflags => one::<SetFflags>,
            Kind::GetFrm => one::<GetFrm>,
            Kind::SetFrm => one::<SetFrm>,
            Kind::Jump(false) => end::<Jump<false>>,
            Kind::Jump(true) => end::<Jump<true>>,
            Kind::Branch(cond, preempt) => per_cond!(cond, preempt, [Eq Ne LtS GeS LtU GeU]),
            Kind::Indirect => end::<Indirect>,
            Kind::Stub => end::<Stub>,
            Kind::Exit(n) => return per_number!(n, Exit [0 1 2 3 4 5 6]),
            Kind::ModeChange(n) => return per_number!(n, ModeChange [0 1 2]),
            Kind::Data => return None,
        })
    }
}
