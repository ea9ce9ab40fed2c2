//! Which 64-bit values are held in locals of 32 bits: those that are the sign extension of their low half, and that are
//! mostly used by that half.
//!
//! RISC-V's instructions on words sign-extend what they compute, so that such values are most of what a program on `int`s
//! has. An engine's compiler makes an instruction of each extension and of each truncation.

use crate::plan::{Plan, is_access};
use friscy_lift_ir::held::Held;
use friscy_lift_ir::{Block, Inst, Op, Region, Target, Term, Type, Value, cfg};

/// What is known of a region's values.
#[derive(Default)]
pub(crate) struct Narrow {
    /// The value is its low half, sign-extended.
    is: Vec<bool>,
    /// Its local has the low half only.
    held: Vec<bool>,
}

impl Narrow {
    /// Whether a value is the sign extension of its low half.
    pub(crate) fn is(&self, v: Value) -> bool {
        self.is[v.index()]
    }

    /// Whether its local, if it has one, is of 32 bits.
    pub(crate) fn holds(&self, v: Value) -> bool {
        self.held.get(v.index()).copied().unwrap_or(false)
    }

    /// Works a region out.
    pub(crate) fn new(region: &Region, plan: &Plan) -> Narrow {
        let mut narrow = Narrow { is: vec![false; region.values.len()], held: Vec::new() };
        for &block in &plan.order {
            for &param in &region.blocks[block.index()].params {
                let is_plain = plan.held(param) == Held::Plain && region.values[param.index()].ty == Type::I64;
                narrow.is[param.index()] = is_plain;
            }
        }
        let edges = cfg::edges_within(region, &plan.order);
        // Parameters are taken for narrow until something comes to them that is not.
        loop {
            for inst in plan.order.iter().flat_map(|block| &region.blocks[block.index()].insts) {
                let inst = &region.insts[inst.index()];
                if inst.result != Value::NONE {
                    narrow.is[inst.result.index()] = narrow.makes(region, inst);
                }
            }
            let mut changed = false;
            for edge in &edges {
                let params = &region.blocks[edge.to.index()].params;
                for (param, arg) in params.iter().zip(edge.args) {
                    if narrow.is[param.index()] && !narrow.is[arg.index()] {
                        narrow.is[param.index()] = false;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        narrow.held = narrow.choose(region, plan);
        narrow
    }

    /// Whether an instruction's result is the sign extension of its low half.
    fn makes(&self, region: &Region, inst: &Inst) -> bool {
        let [x, y, z] = inst.args;
        match inst.op {
            Op::Iconst => inst.imm == i64::from(inst.imm as i32),
            Op::And => {
                let mask = region.as_const(y).is_some_and(|mask| (0..=i64::from(i32::MAX)).contains(&mask));
                mask || self.is(x) && self.is(y)
            }
            Op::Or | Op::Xor => self.is(x) && self.is(y),
            Op::Select => self.is(y) && self.is(z),
            op => is_small(op),
        }
    }

    /// The values that are better held so: more of what uses them asks for the low half than for all.
    fn choose(&self, region: &Region, plan: &Plan) -> Vec<bool> {
        let mut gain = vec![0i32; region.values.len()];
        for &block in &plan.order {
            let data = &region.blocks[block.index()];
            for id in &data.insts {
                let inst = &region.insts[id.index()];
                for (n, v) in inst.args.iter().enumerate().filter(|(_, v)| **v != Value::NONE) {
                    gain[v.index()] += match self.use_of(inst, n) {
                        Use::Low => 1,
                        Use::All => -1,
                        Use::None => 0,
                    };
                }
            }
            self.count_term(region, block, &mut gain);
        }
        let is_held = |(v, gain): (usize, i32)| {
            let value = Value(v as u32);
            let makes = region.def(value).is_none_or(|inst| is_made_low(inst.op));
            self.is[v] && makes && gain >= 0
        };
        gain.into_iter().enumerate().map(is_held).collect()
    }

    fn count_term(&self, region: &Region, block: Block, gain: &mut [i32]) {
        let term = &region.blocks[block.index()].term;
        match term {
            Term::Branch { args, .. } => {
                let by_low = args.iter().all(|v| self.is(*v));
                args.iter().for_each(|v| gain[v.index()] += if by_low { 1 } else { -1 });
            }
            Term::Indirect { base, .. } => gain[base.index()] -= 1,
            _ => {}
        }
        for edge in cfg::edges(term) {
            if let Target::Block(to, args) = &edge.target {
                for (param, arg) in region.blocks[to.index()].params.iter().zip(args) {
                    gain[arg.index()] += if self.is(*param) { 1 } else { -1 };
                }
            }
        }
    }

    /// How an instruction uses an operand.
    fn use_of(&self, inst: &Inst, operand: usize) -> Use {
        let low = |is_low| if is_low { Use::Low } else { Use::All };
        match inst.op {
            Op::SetX | Op::SetF => Use::None,
            Op::Sext32 | Op::Zext32 | Op::Sext8 | Op::Sext16 | Op::Zext16 | Op::Clz32 | Op::Ctz32 | Op::Popcnt32 => {
                Use::Low
            }
            Op::Store8 | Op::Store16 | Op::Store32 => Use::Low,
            Op::And | Op::Or | Op::Xor => low(self.is(inst.result)),
            Op::Select => low(operand == 0 || self.is(inst.result)),
            Op::Eq | Op::Ne | Op::LtS | Op::LtU => low(self.is(inst.args[0]) && self.is(inst.args[1])),
            op if op.is_word() => Use::Low,
            // An address is 32 bits.
            op if is_access(op) => low(operand == 0),
            Op::CvtF32S32 | Op::CvtF32U32 | Op::CvtF64S32 | Op::CvtF64U32 | Op::BitsF32 => Use::Low,
            _ => Use::All,
        }
    }
}

#[derive(Clone, Copy)]
enum Use {
    Low,
    All,
    None,
}

/// Whether an op's result is the sign extension of its low half whatever its operands are.
fn is_small(op: Op) -> bool {
    op.is_word()
        || matches!(op, Op::Sext32 | Op::Sext8 | Op::Sext16 | Op::Zext16)
        || matches!(op, Op::Eq | Op::Ne | Op::LtS | Op::LtU)
        || matches!(op, Op::Clz32 | Op::Ctz32 | Op::Popcnt32)
        || matches!(op, Op::Load8S | Op::Load8U | Op::Load16S | Op::Load16U | Op::Load32S)
}

/// Whether the low half of an op's result can be made by itself.
fn is_made_low(op: Op) -> bool {
    is_small(op) || matches!(op, Op::And | Op::Or | Op::Xor | Op::Select)
}
