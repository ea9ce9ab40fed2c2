//! The one linear pass for cold code: register forwarding within a block, folding, dead code.
//!
//! Cost matters more than the last improvement: code that runs once is simplified too.

use super::fold::{self, Folded};
use crate::cfg;
use crate::ir::{Block, Edge, ExitKind, InstId, JumpKind, Region, Target, Term, Value};
use crate::op::{Effects, Op};

/// Marks an instruction's place as empty until the block is compacted.
pub(crate) const DROPPED: InstId = InstId(u32::MAX);
const CONST_SLOTS: usize = 16;

/// The pass, with its buffers.
///
/// Within a block, a `get` after a `get` or `set` of the same register becomes the value known; a `set` of what the
/// register already holds goes, and so does a `set` that another one overwrites with nothing in between that may leave;
/// constants and identities fold; instructions nobody uses go.
#[derive(Default)]
pub struct Simplifier {
    /// What each value is replaced by.
    replacement: Vec<Value>,
    /// How often each value is used.
    uses: Vec<u32>,
    order: Vec<Block>,
    scratch: Vec<InstId>,
    cfg: cfg::Scratch,
}

/// What is known of the guest registers while going through a block.
pub(crate) struct Registers {
    /// The value that each register holds, integer registers first: `get` and `set` as an index of 0 to 63.
    pub value: [Value; 64],
    /// Where in the block's new list each register was last set.
    pub set_at: [u32; 64],
    /// The value of `epoch` when it was set there; nothing observed the set while they are equal.
    pub set_epoch: [u32; 64],
    pub epoch: u32,
}

impl Registers {
    pub fn new() -> Registers {
        Registers { value: [Value::NONE; 64], set_at: [0; 64], set_epoch: [0; 64], epoch: 1 }
    }

    /// Forgets everything, for the next block.
    pub fn clear(&mut self) {
        self.value = [Value::NONE; 64];
        self.epoch += 1;
    }
}

/// Constants already in the block, by a hash of their bits.
pub(crate) struct Constants {
    constants: [i64; CONST_SLOTS],
    values: [Value; CONST_SLOTS],
}

impl Constants {
    /// None.
    pub fn new() -> Constants {
        Constants { constants: [0; CONST_SLOTS], values: [Value::NONE; CONST_SLOTS] }
    }

    /// Forgets everything, for the next block.
    pub fn clear(&mut self) {
        self.values = [Value::NONE; CONST_SLOTS];
    }

    fn slot(imm: i64) -> usize {
        let bits = imm as u64;
        ((bits ^ (bits >> 4) ^ (bits >> 12)) as usize) % CONST_SLOTS
    }

    /// The value that is `imm`, if one is known.
    pub fn get(&self, imm: i64) -> Option<Value> {
        let slot = Constants::slot(imm);
        let v = self.values[slot];
        (v != Value::NONE && self.constants[slot] == imm).then_some(v)
    }

    /// Notes that `v` is `imm`.
    pub fn insert(&mut self, imm: i64, v: Value) {
        let slot = Constants::slot(imm);
        self.constants[slot] = imm;
        self.values[slot] = v;
    }
}

impl Simplifier {
    /// Creates the pass.
    pub fn new() -> Simplifier {
        Simplifier::default()
    }

    /// Simplifies `region` in place. Values of removed instructions stay in the tables, unused.
    pub fn run(&mut self, region: &mut Region) {
        self.replacement.clear();
        self.replacement.extend((0..region.values.len() as u32).map(Value));
        let mut order = std::mem::take(&mut self.order);
        // Definitions come before uses in this order, so replacements are known when a use is seen.
        cfg::reverse_postorder(region, &mut self.cfg, &mut order);
        let mut registers = Registers::new();
        for &block in &order {
            registers.clear();
            self.forward(region, block, &mut registers);
        }
        sweep(region, &order, &mut self.uses);
        self.order = order;
    }

    fn forward(&mut self, region: &mut Region, block: Block, registers: &mut Registers) {
        let mut constants = Constants::new();
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let old = std::mem::take(&mut region.blocks[block.index()].insts);
        for &id in &old {
            let mut inst = region.insts[id.index()];
            for arg in &mut inst.args {
                if *arg != Value::NONE {
                    *arg = self.replacement[arg.index()];
                }
            }
            let register = inst.imm as usize & 31;
            match inst.op {
                Op::GetX | Op::GetF => {
                    let at = register + if inst.op == Op::GetF { 32 } else { 0 };
                    if registers.value[at] != Value::NONE {
                        self.replacement[inst.result.index()] = registers.value[at];
                        continue;
                    }
                    registers.value[at] = inst.result;
                }
                Op::SetX | Op::SetF => {
                    let at = register + if inst.op == Op::SetF { 32 } else { 0 };
                    if registers.value[at] == inst.args[0] {
                        continue;
                    }
                    if registers.set_epoch[at] == registers.epoch {
                        out[registers.set_at[at] as usize] = DROPPED;
                    }
                    registers.value[at] = inst.args[0];
                    registers.set_at[at] = out.len() as u32;
                    registers.set_epoch[at] = registers.epoch;
                }
                Op::Iconst => {
                    if let Some(v) = constants.get(inst.imm) {
                        self.replacement[inst.result.index()] = v;
                        continue;
                    }
                    constants.insert(inst.imm, inst.result);
                }
                _ => {
                    let effects = inst.op.info().effects;
                    if effects.contains(Effects::FAULT) {
                        registers.epoch += 1;
                    } else if effects == Effects::NONE {
                        loop {
                            match fold::fold(region, inst.op, inst.args) {
                                Folded::Keep => break,
                                Folded::Same(v) => {
                                    self.replacement[inst.result.index()] = v;
                                    break;
                                }
                                Folded::Const(imm) => {
                                    inst.op = Op::Iconst;
                                    inst.args = [Value::NONE; 3];
                                    inst.imm = imm;
                                    break;
                                }
                                Folded::Rewrite(op, args) => {
                                    inst.op = op;
                                    inst.args = args;
                                }
                            }
                        }
                        if self.replacement[inst.result.index()] != inst.result {
                            continue;
                        }
                        if inst.op == Op::Iconst {
                            if let Some(v) = constants.get(inst.imm) {
                                self.replacement[inst.result.index()] = v;
                                continue;
                            }
                            constants.insert(inst.imm, inst.result);
                        }
                    }
                }
            }
            region.insts[id.index()] = inst;
            out.push(id);
        }
        region.blocks[block.index()].insts = out;
        self.scratch = old;
        let replacement = &self.replacement;
        let term = &mut region.blocks[block.index()].term;
        cfg::for_each_term_value(term, |v| *v = replacement[v.index()]);
        terminator(region, block);
    }
}

/// Simplifies a block's terminator by what defines its operands; tells whether any may have lost a use.
pub(crate) fn terminator(region: &mut Region, block: Block) -> bool {
    let term = &region.blocks[block.index()].term;
    if let Term::Indirect { base, disp, kind, targets } = term {
        let Some(address) = region.as_const(*base) else { return false };
        let pc = address.wrapping_add(i64::from(*disp)) as u64 & !1;
        let leads_to = |edge: &&Edge| cfg::target_block(edge).is_some_and(|to| region.blocks[to.index()].pc == pc);
        if let Some(edge) = targets.iter().find(leads_to) {
            let preempt = !cfg::is_shared_jump(&region.blocks[block.index()]);
            region.blocks[block.index()].term = Term::Jump(Edge { preempt, ..edge.clone() });
            return true;
        }
        return direct_jump(region, block, pc, *kind);
    }
    let Term::Branch { cond: before, args: compared, .. } = *term else { return false };
    let (cond, args) = fold::fold_condition(region, before, compared);
    let known = match (region.as_const(args[0]), region.as_const(args[1])) {
        (Some(a), Some(b)) => Some(cond.holds(a as u64, b as u64)),
        _ if args[0] == args[1] => Some(cond.holds(0, 0)),
        _ => None,
    };
    let term = &mut region.blocks[block.index()].term;
    match (known, term) {
        (Some(taken), term) => {
            let placeholder = Term::Exit { kind: ExitKind::Illegal, pc: 0 };
            if let Term::Branch { then, els, .. } = std::mem::replace(term, placeholder) {
                *term = Term::Jump(if taken { then } else { els });
            }
        }
        (None, Term::Branch { cond: c, args: a, .. }) => {
            *c = cond;
            *a = args;
        }
        _ => {}
    }
    known.is_some() || args != compared
}

/// `auipc` and `jalr` make a call or jump to a known place. Whatever the registers hint at (RISC-V unprivileged manual, "Unconditional
/// Jumps"), that is no return: LuaJIT calls far functions by way of `t0`, which is a link register.
fn direct_jump(region: &mut Region, block: Block, pc: u64, kind: JumpKind) -> bool {
    let data = &region.blocks[block.index()];
    // The instruction that sets the link register, if the `jalr` has one, is the block's last.
    let link = data
        .insts
        .last()
        .map(|id| region.insts[id.index()])
        .filter(|inst| inst.op == Op::SetX && inst.guest_index as usize + 1 == data.guest_offsets.len());
    let term = match (kind, link.and_then(|inst| region.as_const(inst.args[0]))) {
        (JumpKind::Jump | JumpKind::Return, None) => Term::Jump(Edge { target: Target::Pc(pc), preempt: true }),
        (JumpKind::Call | JumpKind::ReturnCall, Some(return_pc)) => Term::Call { pc, return_pc: return_pc as u64 },
        _ => return false,
    };
    region.blocks[block.index()].term = term;
    true
}

/// Removes what is dropped or unused.
pub(crate) fn sweep(region: &mut Region, order: &[Block], uses: &mut Vec<u32>) {
    uses.clear();
    uses.resize(region.values.len(), 0);
    for &block in order {
        let data = &region.blocks[block.index()];
        for &id in &data.insts {
            if id != DROPPED {
                for arg in region.insts[id.index()].args {
                    if arg != Value::NONE {
                        uses[arg.index()] += 1;
                    }
                }
            }
        }
        cfg::for_each_term_value_ref(&data.term, |v| uses[v.index()] += 1);
    }
    for &block in order.iter().rev() {
        let data = &mut region.blocks[block.index()];
        for slot in data.insts.iter_mut().rev() {
            if *slot == DROPPED {
                continue;
            }
            let inst = &region.insts[slot.index()];
            if inst.result != Value::NONE && uses[inst.result.index()] == 0 && inst.op.info().effects.removable() {
                for arg in inst.args {
                    if arg != Value::NONE {
                        uses[arg.index()] -= 1;
                    }
                }
                *slot = DROPPED;
            }
        }
        data.insts.retain(|&id| id != DROPPED);
    }
}
