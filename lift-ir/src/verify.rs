//! The verifier. A region is well-formed when
//!
//! 1. it has a block 0, which is an entry at the region's pc;
//! 2. entry blocks have no parameters, since control may come to them from outside;
//! 3. an instruction's operands are as many as its op's and of their types, the other slots being empty, and its result has
//!    the op's type;
//! 4. each value that is used has one definition, which is where its table entry says;
//! 5. a definition dominates its uses, control entering at any entry;
//! 6. an edge to a block leads to one of the region, with arguments of its parameters' number and types;
//! 7. immediates are in range: registers 1 to 31 (integer) or 0 to 31, rounding modes 0 to 4 or 7, and 7 only where the
//!    rounding class is dynamic, displacements of 12 bits, ordering bits 0 to 3, fences 0 to 0xfff;
//! 8. guest offsets ascend from 0, `retired` is their number, and guest indices ascend below it; in a block without guest
//!    instructions they are 0, and nothing may fault;
//! 9. `set.frm` is the last instruction of its block, which exits with `mode_change`;
//! 10. only a block without guest instructions may exit with `fetch_fault`;
//! 11. where an indirect jump is known to lead are blocks, no two at one address, along edges that are no preemption points;
//!     no other kind of indirect jump has such; one in a block without guest instructions goes to its first parameter.

use crate::cfg;
use crate::ir::{Block, BlockData, Def, Edge, ExitKind, InstId, JumpKind, Region, RoundingClass, Target, Term, Value};
use crate::op::{Effects, ImmKind, Op, Type};
use std::fmt;

/// The first rule found broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// The rule's number in the module's list.
    pub rule: u8,
    /// Where.
    pub block: Block,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (rule {})", self.block, self.message, self.rule)
    }
}

impl std::error::Error for Broken {}

/// Checks that a region is well-formed.
///
/// # Errors
/// The first rule that is broken.
pub fn verify(region: &Region) -> Result<(), Broken> {
    match region.blocks.first() {
        Some(block) if block.entry && block.pc == region.pc => {}
        _ => return Err(broken(1, Block(0), "block 0 is no entry at the region's pc")),
    }
    for (at, data) in region.blocks.iter().enumerate() {
        for to in cfg::edges(&data.term).filter_map(cfg::target_block) {
            if to.index() >= region.blocks.len() {
                return Err(broken(6, Block(at as u32), format!("there is no {to}")));
            }
        }
        if let Some(id) = data.insts.iter().find(|id| id.index() >= region.insts.len()) {
            return Err(broken(3, Block(at as u32), format!("{id:?} is not in the table")));
        }
    }
    let places = Places::new(region)?;
    for (at, data) in region.blocks.iter().enumerate() {
        check_block(region, &places, Block(at as u32), data)?;
    }
    Ok(())
}

fn broken(rule: u8, block: Block, message: impl Into<String>) -> Broken {
    Broken { rule, block, message: message.into() }
}

/// Where each value is defined, and which blocks dominate which.
struct Places {
    /// Block and position of each value's definition; parameters are at position 0, instructions from 1.
    defined: Vec<Option<(Block, usize)>>,
    /// The immediate dominator of each block; `None` for entries and unreachable blocks.
    idom: Vec<Option<Block>>,
    reachable: Vec<bool>,
}

impl Places {
    fn new(region: &Region) -> Result<Places, Broken> {
        let mut defined = vec![None; region.values.len()];
        for (at, data) in region.blocks.iter().enumerate() {
            let block = Block(at as u32);
            let params = data.params.iter().enumerate().map(|(i, &v)| (v, Def::Param(block, i as u16), 0));
            let results = data.insts.iter().enumerate().filter_map(|(i, &id)| {
                let v = region.insts.get(id.index())?.result;
                (v != Value::NONE).then_some((v, Def::Inst(id), i + 1))
            });
            for (v, def, position) in params.chain(results) {
                let Some(value) = region.values.get(v.index()) else {
                    return Err(broken(4, block, format!("{v:?} is not in the table")));
                };
                if value.def != def || defined[v.index()].replace((block, position)).is_some() {
                    return Err(broken(4, block, format!("{v:?} is defined elsewhere too")));
                }
            }
        }
        let (idom, reachable) = cfg::dominators(region);
        Ok(Places { defined, idom, reachable })
    }

    /// Whether the definition of `v` dominates position `at` of `block`.
    fn reaches(&self, v: Value, block: Block, at: usize) -> bool {
        let Some(Some((home, position))) = self.defined.get(v.index()) else { return false };
        if *home == block {
            return *position < at;
        }
        // Nothing executes in an unreachable block.
        if !self.reachable[block.index()] {
            return true;
        }
        let mut up = self.idom[block.index()];
        while let Some(b) = up {
            if b == *home {
                return true;
            }
            up = self.idom[b.index()];
        }
        false
    }
}

fn check_block(region: &Region, places: &Places, block: Block, data: &BlockData) -> Result<(), Broken> {
    if data.entry && !data.params.is_empty() {
        return Err(broken(2, block, "an entry has parameters"));
    }
    let ascend = data.guest_offsets.first().is_none_or(|o| *o == 0) && data.guest_offsets.is_sorted_by(|a, b| a < b);
    if !ascend || data.retired as usize != data.guest_offsets.len() {
        return Err(broken(8, block, "guest offsets do not ascend from 0 or are not what retires"));
    }
    let mut index = 0;
    for (i, &id) in data.insts.iter().enumerate() {
        check_inst(region, places, block, i + 1, id)?;
        let inst = &region.insts[id.index()];
        let count = data.guest_offsets.len();
        let placed = match count {
            0 => inst.guest_index == 0 && !inst.op.info().effects.contains(Effects::FAULT),
            _ => (index..count as u16).contains(&inst.guest_index),
        };
        if !placed {
            return Err(broken(8, block, format!("guest index {} is out of order", inst.guest_index)));
        }
        index = inst.guest_index;
        let exits = matches!(data.term, Term::Exit { kind: ExitKind::ModeChange, .. });
        if inst.op == Op::SetFrm && !(i + 1 == data.insts.len() && exits) {
            return Err(broken(9, block, "set.frm does not end the block"));
        }
    }
    if matches!(data.term, Term::Exit { kind: ExitKind::FetchFault, .. }) && !data.guest_offsets.is_empty() {
        return Err(broken(10, block, "fetch_fault after instructions of the block"));
    }
    check_term(region, places, block, data)
}

fn check_use(region: &Region, places: &Places, block: Block, at: usize, v: Value, ty: Type) -> Result<(), Broken> {
    match region.values.get(v.index()) {
        None => Err(broken(3, block, format!("{v:?} is not in the table"))),
        Some(value) if value.ty != ty => {
            Err(broken(3, block, format!("{v:?} is {}, not {}", value.ty.name(), ty.name())))
        }
        Some(_) if places.defined[v.index()].is_none() => Err(broken(4, block, format!("{v:?} is not defined"))),
        Some(_) if !places.reaches(v, block, at) => Err(broken(5, block, format!("{v:?} does not reach its use"))),
        Some(_) => Ok(()),
    }
}

fn check_inst(region: &Region, places: &Places, block: Block, at: usize, id: InstId) -> Result<(), Broken> {
    let inst = &region.insts[id.index()];
    let info = inst.op.info();
    for (i, &arg) in inst.args.iter().enumerate() {
        match info.args.get(i) {
            Some(&ty) => check_use(region, places, block, at, arg, ty)?,
            None if arg == Value::NONE => {}
            None => return Err(broken(3, block, format!("{} has an operand too many", info.name))),
        }
    }
    let result = region.values.get(inst.result.index()).map(|v| v.ty);
    if result != info.result || (info.result.is_none() && inst.result != Value::NONE) {
        return Err(broken(3, block, format!("{} has another result", info.name)));
    }
    let lowest_register = if matches!(inst.op, Op::GetX | Op::SetX) { 1 } else { 0 };
    let in_range = match info.imm {
        ImmKind::None => inst.imm == 0,
        ImmKind::Const => true,
        ImmKind::Disp => (-2048..2048).contains(&inst.imm),
        ImmKind::Reg => (lowest_register..32).contains(&inst.imm),
        ImmKind::Rm => match inst.imm {
            0..=4 => true,
            7 => region.rounding == RoundingClass::Dynamic,
            _ => false,
        },
        ImmKind::Order if inst.op == Op::Fence => (0..0x1000).contains(&inst.imm),
        ImmKind::Order => (0..4).contains(&inst.imm),
    };
    if !in_range {
        return Err(broken(7, block, format!("{} has the immediate {}", info.name, inst.imm)));
    }
    Ok(())
}

fn check_term(region: &Region, places: &Places, block: Block, data: &BlockData) -> Result<(), Broken> {
    let end = usize::MAX;
    match &data.term {
        Term::Branch { args, .. } => {
            for &v in args {
                check_use(region, places, block, end, v, Type::I64)?;
            }
        }
        Term::Indirect { base, disp, kind, targets } => {
            check_use(region, places, block, end, *base, Type::I64)?;
            if !(-2048..2048).contains(disp) {
                return Err(broken(7, block, "the displacement of a jump is out of range"));
            }
            let mut pcs = Vec::new();
            for edge in targets {
                match cfg::target_block(edge).map(|to| region.blocks[to.index()].pc) {
                    Some(pc) if !edge.preempt && !pcs.contains(&pc) => pcs.push(pc),
                    _ => return Err(broken(11, block, "an indirect jump is known to lead where it cannot")),
                }
            }
            let is_first = *disp == 0 && data.params.first() == Some(base);
            if data.guest_offsets.is_empty() && !(is_first && *kind == JumpKind::Jump) {
                return Err(broken(11, block, "a shared jump does not go to its first parameter"));
            }
            if !targets.is_empty() && !matches!(kind, JumpKind::Jump | JumpKind::Return) {
                return Err(broken(11, block, "an indirect jump of this kind has no known targets"));
            }
        }
        _ => {}
    }
    for edge in cfg::edges(&data.term) {
        check_edge(region, places, block, edge)?;
    }
    Ok(())
}

fn check_edge(region: &Region, places: &Places, block: Block, edge: &Edge) -> Result<(), Broken> {
    let Target::Block(to, args) = &edge.target else { return Ok(()) };
    let target = &region.blocks[to.index()];
    if target.params.len() != args.len() {
        return Err(broken(6, block, format!("{to} has {} parameters", target.params.len())));
    }
    for (&arg, &param) in args.iter().zip(&target.params) {
        let ty = region.values.get(param.index()).map_or(Type::I64, |v| v.ty);
        check_use(region, places, block, usize::MAX, arg, ty)?;
    }
    Ok(())
}
