//! Tables that jumps lead through: their targets become entries of the function. They are hints only, since code that is
//! entered by a jump is looked up by where the jump leads.

use crate::elf::Program;
use friscy_lift_ir::{JumpKind, Op, Region, Term, Value};
use std::collections::BTreeSet;
use std::ops::Range;

/// The most entries of one table.
const MAX_ENTRIES: u64 = 1024;

/// Where the jumps of a region may lead within its function. Constants of the region are addresses of the file's headers.
pub(crate) fn targets(region: &Region, program: &Program<'_>, extent: &Range<u64>) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for block in &region.blocks {
        if let Term::Indirect { base, disp: 0, kind: JumpKind::Jump, .. } = block.term {
            through(region, program, extent, base, &mut found);
        }
    }
    found
}

/// Whether a region has jumps that may lead through tables.
pub(crate) fn has_jumps(region: &Region) -> bool {
    region.blocks.iter().any(|block| matches!(block.term, Term::Indirect { kind: JumpKind::Jump, .. }))
}

/// Follows what a jump's address is loaded from.
fn through(region: &Region, program: &Program<'_>, extent: &Range<u64>, base: Value, found: &mut BTreeSet<u64>) {
    let Some(inst) = region.def(base) else { return };
    match inst.op {
        // A distance, loaded from a table, from what mostly is the table's own start.
        Op::Add => {
            for (load, from) in [(inst.args[0], inst.args[1]), (inst.args[1], inst.args[0])] {
                if let (Some(table), Some(from)) = (loaded(region, load, Op::Load32S), region.as_address(from)) {
                    let read =
                        |at| program.constant(at).map(|b| from.wrapping_add(i32::from_le_bytes(b) as i64 as u64));
                    list(table, 4, extent, read, found);
                    return;
                }
            }
        }
        Op::Load32S => {
            if let Some(table) = loaded(region, base, Op::Load32S) {
                list(table, 4, extent, |at| program.constant(at).map(|b| u32::from_le_bytes(b).into()), found);
            }
        }
        Op::Load64 => {
            if let Some(table) = loaded(region, base, Op::Load64) {
                list(table, 8, extent, |at| program.constant(at).map(u64::from_le_bytes), found);
            }
        }
        _ => {}
    }
}

/// The constant part of the address that `v` is loaded from, by that op.
fn loaded(region: &Region, v: Value, op: Op) -> Option<u64> {
    let inst = region.def(v).filter(|inst| inst.op == op)?;
    let sum = region.def(inst.args[0]).filter(|sum| sum.op == Op::Add)?;
    let table = region.as_address(sum.args[0]).or_else(|| region.as_address(sum.args[1]))?;
    Some(table.wrapping_add_signed(inst.imm))
}

/// Adds a table's targets, up to the first that is none.
fn list(table: u64, size: u64, extent: &Range<u64>, read: impl Fn(u64) -> Option<u64>, found: &mut BTreeSet<u64>) {
    for n in 0..MAX_ENTRIES {
        match table.checked_add(n * size).and_then(&read) {
            Some(target) if extent.contains(&target) && target % 2 == 0 => found.insert(target),
            _ => return,
        };
    }
}
