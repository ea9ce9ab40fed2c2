//! Handlers for frequent pairs of kinds. Which pairs are worth one was read off counts of executed pairs in compiled
//! programs; a pair that is missing here is executed as two instructions.

#[cfg(all(test, target_arch = "x86_64", target_os = "linux", not(feature = "software-checks")))]
mod tests;

use super::control::{Branch, Indirect, Jump};
use super::steps::*;
use super::table::Kind;
use super::{step_end, two};
use crate::float;
use crate::ins::Handler;
use friscy_lift_ir::{Cond, Op};

/// Handlers of one first kind: for each second kind one for each way of forwarding.
type Row = [[Handler; 3]; SECONDS.len()];

macro_rules! all_forwards {
    ($f:ident, $a:ty, $b:ty) => {
        [$f::<$a, $b, 0> as Handler, $f::<$a, $b, 1>, $f::<$a, $b, 2>]
    };
}

macro_rules! seconds {
    (steps { $($step:expr, $step_ty:ty;)* } ends { $($end:expr, $end_ty:ty;)* }) => {
        const SECONDS: &[Kind] = &[$($step,)* $($end),*];

        /// The row of a first kind.
        const fn row<A: super::Step>() -> Row {
            [$(all_forwards!(two, A, $step_ty),)* $(all_forwards!(step_end, A, $end_ty)),*]
        }
    };
}

macro_rules! firsts {
    ($($first:expr, $first_ty:ty;)*) => {
        const FIRSTS: &[Kind] = &[$($first),*];
        static PAIRS: [Row; FIRSTS.len()] = [$(row::<$first_ty>()),*];
    };
}

const fn n(op: Op) -> u8 {
    op as u8
}

seconds! {
    steps {
        Kind::Move, Move;
        Kind::Const, Const;
        Kind::Ri(Op::Add), Ri<{ n(Op::Add) }>;
        Kind::Ri(Op::Add32), Ri<{ n(Op::Add32) }>;
        Kind::Ri(Op::And), Ri<{ n(Op::And) }>;
        Kind::Ri(Op::Shl), Ri<{ n(Op::Shl) }>;
        Kind::Ri(Op::ShrU), Ri<{ n(Op::ShrU) }>;
        Kind::Ri(Op::Shl32), Ri<{ n(Op::Shl32) }>;
        Kind::Ri(Op::ShrU32), Ri<{ n(Op::ShrU32) }>;
        Kind::Rr(Op::Add), Rr<{ n(Op::Add) }>;
        Kind::Rr(Op::Sub), Rr<{ n(Op::Sub) }>;
        Kind::Rr(Op::And), Rr<{ n(Op::And) }>;
        Kind::Rr(Op::Or), Rr<{ n(Op::Or) }>;
        Kind::Rr(Op::Xor), Rr<{ n(Op::Xor) }>;
        Kind::Rr(Op::Add32), Rr<{ n(Op::Add32) }>;
        Kind::Rr(Op::Sub32), Rr<{ n(Op::Sub32) }>;
        Kind::Rr(Op::Mul), Rr<{ n(Op::Mul) }>;
        Kind::ShlAdd, ShlAdd;
        Kind::Load(Op::Load64), Load<{ n(Op::Load64) }>;
        Kind::Load(Op::Load32S), Load<{ n(Op::Load32S) }>;
        Kind::Load(Op::Load8U), Load<{ n(Op::Load8U) }>;
        Kind::Load(Op::Load16U), Load<{ n(Op::Load16U) }>;
        Kind::Load(Op::LoadF64), Load<{ n(Op::LoadF64) }>;
        Kind::Store(Op::Store64), Store<{ n(Op::Store64) }>;
        Kind::Store(Op::Store32), Store<{ n(Op::Store32) }>;
        Kind::Store(Op::Store8), Store<{ n(Op::Store8) }>;
        Kind::Store(Op::StoreF64), Store<{ n(Op::StoreF64) }>;
        Kind::Fp2(Op::FaddD), Fp2<{ n(Op::FaddD) }>;
        Kind::Fp2(Op::FmulD), Fp2<{ n(Op::FmulD) }>;
        Kind::Fp3(Op::FmaD), Fp3<{ n(Op::FmaD) }>;
    }
    ends {
        Kind::Jump(false), Jump<false>;
        Kind::Jump(true), Jump<true>;
        Kind::Indirect, Indirect;
        Kind::Branch(Cond::Eq, false), Branch<{ Cond::Eq as u8 }, false>;
        Kind::Branch(Cond::Ne, false), Branch<{ Cond::Ne as u8 }, false>;
        Kind::Branch(Cond::LtS, false), Branch<{ Cond::LtS as u8 }, false>;
        Kind::Branch(Cond::GeS, false), Branch<{ Cond::GeS as u8 }, false>;
        Kind::Branch(Cond::LtU, false), Branch<{ Cond::LtU as u8 }, false>;
        Kind::Branch(Cond::GeU, false), Branch<{ Cond::GeU as u8 }, false>;
        Kind::Branch(Cond::Eq, true), Branch<{ Cond::Eq as u8 }, true>;
        Kind::Branch(Cond::Ne, true), Branch<{ Cond::Ne as u8 }, true>;
        Kind::Branch(Cond::LtS, true), Branch<{ Cond::LtS as u8 }, true>;
        Kind::Branch(Cond::GeS, true), Branch<{ Cond::GeS as u8 }, true>;
        Kind::Branch(Cond::LtU, true), Branch<{ Cond::LtU as u8 }, true>;
        Kind::Branch(Cond::GeU, true), Branch<{ Cond::GeU as u8 }, true>;
    }
}

firsts! {
    Kind::Move, Move;
    Kind::Const, Const;
    Kind::Ri(Op::Add), Ri<{ n(Op::Add) }>;
    Kind::Ri(Op::Add32), Ri<{ n(Op::Add32) }>;
    Kind::Ri(Op::And), Ri<{ n(Op::And) }>;
    Kind::Ri(Op::Shl), Ri<{ n(Op::Shl) }>;
    Kind::Ri(Op::ShrU), Ri<{ n(Op::ShrU) }>;
    Kind::Ri(Op::ShrU32), Ri<{ n(Op::ShrU32) }>;
    Kind::Ri(Op::Shl32), Ri<{ n(Op::Shl32) }>;
    Kind::Rr(Op::Add), Rr<{ n(Op::Add) }>;
    Kind::Rr(Op::Sub), Rr<{ n(Op::Sub) }>;
    Kind::Rr(Op::And), Rr<{ n(Op::And) }>;
    Kind::Rr(Op::Or), Rr<{ n(Op::Or) }>;
    Kind::Rr(Op::Xor), Rr<{ n(Op::Xor) }>;
    Kind::Rr(Op::Add32), Rr<{ n(Op::Add32) }>;
    Kind::Rr(Op::Mul), Rr<{ n(Op::Mul) }>;
    Kind::Rr(Op::LtS), Rr<{ n(Op::LtS) }>;
    Kind::Rr(Op::LtU), Rr<{ n(Op::LtU) }>;
    Kind::Ri(Op::LtU), Ri<{ n(Op::LtU) }>;
    Kind::Fp2(Op::FltD), Fp2<{ n(Op::FltD) }>;
    Kind::Fp2(Op::FleD), Fp2<{ n(Op::FleD) }>;
    Kind::Un(Op::Zext32), Un<{ n(Op::Zext32) }>;
    Kind::Un(Op::Sext32), Un<{ n(Op::Sext32) }>;
    Kind::ShlAdd, ShlAdd;
    Kind::Load(Op::Load64), Load<{ n(Op::Load64) }>;
    Kind::Load(Op::Load32S), Load<{ n(Op::Load32S) }>;
    Kind::Load(Op::Load8U), Load<{ n(Op::Load8U) }>;
    Kind::Load(Op::LoadF64), Load<{ n(Op::LoadF64) }>;
    Kind::Store(Op::Store64), Store<{ n(Op::Store64) }>;
    Kind::Store(Op::Store32), Store<{ n(Op::Store32) }>;
    Kind::Store(Op::Store8), Store<{ n(Op::Store8) }>;
    Kind::Store(Op::StoreF64), Store<{ n(Op::StoreF64) }>;
    Kind::Fp2(Op::FaddD), Fp2<{ n(Op::FaddD) }>;
    Kind::Fp2(Op::FsubD), Fp2<{ n(Op::FsubD) }>;
    Kind::Fp2(Op::FmulD), Fp2<{ n(Op::FmulD) }>;
    Kind::Fp3(Op::FmaD), Fp3<{ n(Op::FmaD) }>;
}

/// Marks a kind that is not in a list.
const ABSENT: u8 = u8::MAX;

/// Positions of kinds in a list, by [`Kind::key`].
type Positions = [u8; Kind::KEYS];

const fn positions(kinds: &[Kind]) -> Positions {
    let mut positions = [ABSENT; Kind::KEYS];
    let mut n = 0;
    while n < kinds.len() {
        positions[kinds[n].key()] = n as u8;
        n += 1;
    }
    positions
}

static FIRST: Positions = positions(FIRSTS);
static SECOND: Positions = positions(SECONDS);

/// The handler that executes `first` and then `second`, the latter with the operand that `forward` names taken from the
/// former's result.
#[inline]
pub(crate) fn pair(first: Kind, second: Kind, forward: u8) -> Option<Handler> {
    // Pairs have the quick form of their floating-point ops in them.
    if matches!((first, second), (Kind::Fp3(_), _) | (_, Kind::Fp3(_))) && !float::has_fused() {
        return None;
    }
    let a = FIRST[first.key()];
    if a == ABSENT {
        return None;
    }
    let b = SECOND[second.key()];
    if b == ABSENT {
        return None;
    }
    Some(PAIRS[a as usize][b as usize][forward as usize])
}

const _: () = assert!(FIRSTS.len() < ABSENT as usize && SECONDS.len() < ABSENT as usize);
