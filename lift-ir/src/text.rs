//! The text form of regions: what file tests and people read.
//!
//! ```text
//! region 0x10000 rne
//! block0 @0x10000 entry [0 4]:
//!     +0 v0 = get.x x10
//!     +0 v1 = iconst 1
//!     +0 v2 = add.i64 v0, v1
//!     +0 set.x x10, v2
//!     br.ne v2, v1, block0 preempt, 0x10008
//! ```
//!
//! A block's header gives its parameters, its guest address, whether it is an entry, and the offsets of the guest
//! instructions that retire in it; each instruction begins with the offset of the one it was lifted from. A register comes
//! before the operands, every other immediate after them. Values are numbered in the order of the text, whatever their
//! numbers in the region are, so that printing what was parsed gives the same text.

mod parse;

pub use parse::{ParseError, parse};

use crate::cfg;
use crate::ir::{Block, Edge, ExitKind, Inst, JumpKind, Region, RoundingClass, Target, Term, Value};
use crate::op::{ImmKind, Op};
use std::fmt::{self, Display, Formatter, Write};

const RM_NAMES: [(i64, &str); 6] = [(0, "rne"), (1, "rtz"), (2, "rdn"), (3, "rup"), (4, "rmm"), (7, "dyn")];

const ROUNDING_NAMES: [(RoundingClass, &str); 3] =
    [(RoundingClass::Rne, "rne"), (RoundingClass::Dynamic, "dynamic"), (RoundingClass::Invalid, "invalid")];

const JUMP_NAMES: [(JumpKind, &str); 4] = [
    (JumpKind::Jump, "jump"),
    (JumpKind::Call, "call"),
    (JumpKind::Return, "return"),
    (JumpKind::ReturnCall, "return_call"),
];

const EXIT_NAMES: [(ExitKind, &str); 7] = [
    (ExitKind::Ecall, "ecall"),
    (ExitKind::Ebreak, "ebreak"),
    (ExitKind::Illegal, "illegal"),
    (ExitKind::FenceI, "fence_i"),
    (ExitKind::ModeChange, "mode_change"),
    (ExitKind::Csr, "csr"),
    (ExitKind::FetchFault, "fetch_fault"),
];

fn name_of<T: PartialEq>(names: &[(T, &'static str)], key: T) -> &'static str {
    names.iter().find(|(k, _)| *k == key).map_or("?", |(_, name)| name)
}

fn by_name<T: Copy>(names: &[(T, &'static str)], name: &str) -> Option<T> {
    names.iter().find(|(_, n)| *n == name).map(|(k, _)| *k)
}

/// Numbers are decimal while they are small.
fn number(out: &mut String, v: i64) -> fmt::Result {
    if (-4096..=4096).contains(&v) { write!(out, "{v}") } else { write!(out, "{:#x}", v as u64) }
}

/// What values are called in the text.
struct Names(Vec<u32>);

impl Names {
    fn new(region: &Region) -> Names {
        let mut names = Names(vec![u32::MAX; region.values.len()]);
        let mut next = 0;
        let mut define = |v: Value| {
            if let Some(name) = names.0.get_mut(v.index()) {
                *name = next;
                next += 1;
            }
        };
        for block in &region.blocks {
            block.params.iter().for_each(|&v| define(v));
            block.insts.iter().for_each(|id| define(region.insts[id.index()].result));
        }
        names
    }

    /// Prints a value; one without definition prints as `v?`, which does not parse.
    fn put(&self, out: &mut String, v: Value) -> fmt::Result {
        match self.0.get(v.index()) {
            Some(&name) if name != u32::MAX => write!(out, "v{name}"),
            _ => out.write_str("v?"),
        }
    }

    fn list(&self, out: &mut String, values: &[Value]) -> fmt::Result {
        for (i, &v) in values.iter().enumerate() {
            if i != 0 {
                out.write_str(", ")?;
            }
            self.put(out, v)?;
        }
        Ok(())
    }
}

/// Prints a region in text form.
pub fn print(region: &Region) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = print_region(&mut out, region);
    out
}

impl Display for Region {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self))
    }
}

fn print_region(out: &mut String, region: &Region) -> fmt::Result {
    let names = Names::new(region);
    writeln!(out, "region {:#x} {}", region.pc, name_of(&ROUNDING_NAMES, region.rounding))?;
    for (at, data) in region.blocks.iter().enumerate() {
        write!(out, "{}", Block(at as u32))?;
        if !data.params.is_empty() {
            for (i, &param) in data.params.iter().enumerate() {
                out.write_str(if i == 0 { "(" } else { ", " })?;
                names.put(out, param)?;
                write!(out, ": {}", region.values[param.index()].ty.name())?;
            }
            out.write_str(")")?;
        }
        write!(out, " @{:#x}", data.pc)?;
        out.write_str(if data.entry { " entry" } else { "" })?;
        out.write_str(if data.is_inlined { " inlined [" } else { " [" })?;
        for (i, offset) in data.guest_offsets.iter().enumerate() {
            write!(out, "{}{offset}", if i == 0 { "" } else { " " })?;
        }
        out.write_str("]:\n")?;
        for id in &data.insts {
            let inst = &region.insts[id.index()];
            let offset = data.guest_offsets.get(inst.guest_index as usize).copied().unwrap_or(0);
            write!(out, "    +{offset} ")?;
            print_inst(out, &names, inst)?;
        }
        print_term(out, &names, &data.term)?;
    }
    Ok(())
}

fn print_inst(out: &mut String, names: &Names, inst: &Inst) -> fmt::Result {
    if inst.result != Value::NONE {
        names.put(out, inst.result)?;
        out.write_str(" = ")?;
    }
    let info = inst.op.info();
    out.write_str(info.name)?;
    let mut separator = " ";
    if info.imm == ImmKind::Reg {
        let class = if matches!(inst.op, Op::GetX | Op::SetX) { 'x' } else { 'f' };
        write!(out, " {class}{}", inst.imm)?;
        separator = ", ";
    }
    for &arg in &inst.args[..info.args.len()] {
        out.write_str(separator)?;
        names.put(out, arg)?;
        separator = ", ";
    }
    match info.imm {
        ImmKind::None | ImmKind::Reg => {}
        ImmKind::Rm => {
            out.write_str(separator)?;
            out.write_str(name_of(&RM_NAMES, inst.imm))?;
        }
        ImmKind::Const | ImmKind::Disp | ImmKind::Order => {
            out.write_str(separator)?;
            number(out, inst.imm)?;
        }
    }
    out.write_str("\n")
}

fn print_edge(out: &mut String, names: &Names, edge: &Edge) -> fmt::Result {
    match &edge.target {
        Target::Block(block, args) => {
            write!(out, "{block}")?;
            if !args.is_empty() {
                out.write_str("(")?;
                names.list(out, args)?;
                out.write_str(")")?;
            }
        }
        Target::Pc(pc) => write!(out, "{pc:#x}")?,
    }
    out.write_str(if edge.preempt { " preempt" } else { "" })
}

fn print_term(out: &mut String, names: &Names, term: &Term) -> fmt::Result {
    out.write_str("    ")?;
    match term {
        Term::Jump(_) => out.write_str("jump ")?,
        Term::Branch { cond, args, .. } => {
            write!(out, "br.{} ", cond.name())?;
            names.list(out, args)?;
            out.write_str(", ")?;
        }
        Term::Call { pc, return_pc } => write!(out, "call {pc:#x}, {return_pc:#x}")?,
        Term::Indirect { base, disp, kind, targets } => {
            write!(out, "indirect.{} ", name_of(&JUMP_NAMES, *kind))?;
            names.put(out, *base)?;
            write!(out, ", {disp}{}", if targets.is_empty() { "" } else { ", " })?;
        }
        Term::Exit { kind, pc } => write!(out, "exit.{} {pc:#x}", name_of(&EXIT_NAMES, *kind))?,
    }
    for (i, edge) in cfg::edges(term).enumerate() {
        if i != 0 {
            out.write_str(", ")?;
        }
        print_edge(out, names, edge)?;
    }
    out.write_str("\n")
}
