//! Simplifying a block while it is lifted: the result is what [`Simplifier`] makes of it, without a pass over it.
//!
//! For code that may never run again. A block that a later branch may split cannot be lifted so, since its values live
//! across guest instructions.
//!
//! [`Simplifier`]: crate::passes::Simplifier

use super::builder::Builder;
use crate::ir::{Block, Region, Value};
use crate::op::{Effects, Op};
use crate::passes::fold::{self, Folded};
use crate::passes::simplify::{self, Constants, DROPPED, Registers};

const NONE: Value = Value::NONE;

/// What is known while going through a block.
pub(super) struct Straight {
    registers: Registers,
    constants: Constants,
    /// Whether something may have lost its last use.
    unused: bool,
    uses: Vec<u32>,
}

impl Default for Straight {
    fn default() -> Straight {
        Straight { registers: Registers::new(), constants: Constants::new(), unused: false, uses: Vec::new() }
    }
}

impl Straight {
    /// Forgets everything, for the next block.
    pub(super) fn begin(&mut self) {
        self.registers.clear();
        self.constants.clear();
        self.unused = false;
    }

    /// Notes that a value was made that may have no use.
    pub(super) fn note_unused(&mut self) {
        self.unused = true;
    }

    /// Simplifies the terminator, and removes what is not used.
    pub(super) fn finish(&mut self, region: &mut Region, block: Block) {
        self.unused |= simplify::terminator(region, block);
        if self.unused {
            simplify::sweep(region, &[block], &mut self.uses);
        }
    }
}

/// The position of a register among [`Registers`].
fn position(op: Op, r: u8) -> usize {
    usize::from(r & 31) + if matches!(op, Op::GetF | Op::SetF) { 32 } else { 0 }
}

impl Builder<'_> {
    /// What register `r` holds.
    pub(super) fn get_known(&mut self, op: Op, r: u8) -> Value {
        let at = position(op, r);
        let known = self.straight.as_ref().map_or(NONE, |straight| straight.registers.value[at]);
        if known != NONE {
            return known;
        }
        let v = self.emit(op, [NONE; 3], r as i64);
        if let Some(straight) = &mut self.straight {
            straight.registers.value[at] = v;
        }
        v
    }

    /// Sets register `r`, unless it is `v` already. A set that nothing observed since goes.
    pub(super) fn set_known(&mut self, op: Op, r: u8, v: Value) {
        let at = position(op, r);
        if let Some(straight) = &mut self.straight {
            let registers = &mut straight.registers;
            if registers.value[at] == v {
                straight.unused = true;
                return;
            }
            if registers.set_epoch[at] == registers.epoch {
                self.insts[registers.set_at[at] as usize] = DROPPED;
                straight.unused = true;
            }
            registers.value[at] = v;
            registers.set_at[at] = self.insts.len() as u32;
            registers.set_epoch[at] = registers.epoch;
        }
        self.emit(op, [v, NONE, NONE], r as i64);
    }

    /// The constant `imm`, made once where it can be helped.
    pub(super) fn constant(&mut self, imm: i64) -> Value {
        let known = self.straight.as_ref().and_then(|straight| straight.constants.get(imm));
        known.unwrap_or_else(|| {
            let v = self.emit(Op::Iconst, [NONE; 3], imm);
            if let Some(straight) = &mut self.straight {
                straight.constants.insert(imm, v);
            }
            v
        })
    }

    /// An instruction that is neither a constant nor a register's `get` or `set`, or what it comes to.
    pub(super) fn emit_folded(&mut self, mut op: Op, mut args: [Value; 3], imm: i64) -> Value {
        let effects = op.info().effects;
        if effects == Effects::NONE {
            loop {
                let folded = fold::fold(self.region, op, args);
                if folded == Folded::Keep {
                    break;
                }
                if let Some(straight) = &mut self.straight {
                    straight.unused = true;
                }
                match folded {
                    Folded::Keep => {}
                    Folded::Same(v) => return v,
                    Folded::Const(imm) => return self.constant(imm),
                    Folded::Rewrite(to, on) => (op, args) = (to, on),
                }
            }
        } else if effects.contains(Effects::FAULT) {
            if let Some(straight) = &mut self.straight {
                straight.registers.epoch += 1;
            }
        }
        self.emit(op, args, imm)
    }
}
