//! Lowering: an IR region becomes interpreter code.
//!
//! Guest registers keep their slots. A value is computed right into the register that it is set to, where nothing in
//! between may fault or look at the register; other values live in scratch slots while they have uses left. Constants
//! become immediates. The result is position-independent: edges are distances.

#[cfg(all(test, target_arch = "x86_64", target_os = "linux", not(feature = "software-checks")))]
mod tests;

use crate::code::{FaultForm, FaultRow};
use crate::float::usual_rounding;
use crate::handlers::{Kind, forward, pair};
use crate::ins::JUMP_KINDS;
use crate::ins::{Ins, JumpEntry, Word};
use friscy_lift_ir::op::Effects;
use friscy_lift_ir::{Block, BlockData, Edge, ExitKind, Inst, Op, Region, Target, Term, Value};
use friscy_seam::number_of;

/// A field that holds the distance to an edge's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchField {
    /// The immediate of the element.
    Imm,
    /// The pointer-sized datum of the element behind it.
    Distance,
}

impl PatchField {
    /// Makes the edge of the element at `at` lead to the one at `target`.
    pub fn patch(self, code: &mut [Ins], at: usize, target: usize) {
        let distance = (target as isize - at as isize) * size_of::<Ins>() as isize;
        match self {
            PatchField::Imm => code[at].imm = distance as i32,
            PatchField::Distance => code[at + 1].h = Word { distance },
        }
    }
}

/// An edge that leaves the unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    /// Element with the edge.
    pub at: u32,
    /// Which field.
    pub field: PatchField,
    /// Element that exits while the edge is not linked.
    pub stub: u32,
}

/// No slot.
const NO_SLOT: u16 = u16::MAX;
/// First scratch slot.
const SCRATCH: u16 = 64;
/// One past the last slot.
const SLOTS: u16 = 256;
/// How far ahead a `set` is looked for.
const LOOK_AHEAD: usize = 8;

/// What is known of a value while its block is lowered.
#[derive(Clone, Copy)]
struct Known {
    /// The value it is the same bits as.
    root: Value,
    /// Uses that are still to come (roots only).
    uses: u32,
    /// Slot that holds it, or [`NO_SLOT`].
    slot: u16,
    /// A shift that the addition right behind it does itself.
    folded: bool,
}

/// The lowering of one region, with buffers that are used again for the next.
pub(crate) struct Lower {
    /// Code of the region.
    pub code: Vec<Ins>,
    /// Rows for the instructions that may fault, in order of position.
    pub faults: Vec<FaultRow>,
    /// Edges that leave it.
    pub patches: Vec<Patch>,
    kinds: Vec<Kind>,
    /// Start of each block in `code`.
    starts: Vec<u32>,
    /// Edges inside the region, patched when all blocks have their place.
    inner: Vec<(u32, PatchField, Block)>,
    /// Edges that leave it.
    outer: Vec<(u32, PatchField, u64)>,
    known: Vec<Known>,
    /// What each slot holds.
    holder: [Value; SLOTS as usize],
    /// Scratch slots that are free again.
    free: Vec<u16>,
    /// First scratch slot that the block has not used yet.
    fresh: u16,
    /// Scratch slots whose last use is the instruction being lowered: free after it.
    ending: Vec<u16>,
    /// Cost from each element to its block's end, for choosing pairs.
    cost: Vec<u32>,
    /// Whether frequent pairs of instructions get a handler of their own.
    pub fuses: bool,
}

impl Default for Lower {
    fn default() -> Lower {
        Lower {
            code: Vec::new(),
            faults: Vec::new(),
            patches: Vec::new(),
            kinds: Vec::new(),
            starts: Vec::new(),
            inner: Vec::new(),
            outer: Vec::new(),
            known: Vec::new(),
            holder: [Value::NONE; SLOTS as usize],
            free: Vec::new(),
            fresh: SCRATCH,
            ending: Vec::new(),
            cost: Vec::new(),
            fuses: true,
        }
    }
}

/// Lowering refuses a region for a reason that is not the guest's doing; none is expected of lifted code.
type Refusable<T> = Result<T, &'static str>;

impl Lower {
    /// Lowers `region`; indirect jumps will look into `cache`.
    pub fn lower(&mut self, region: &Region, cache: *const JumpEntry) -> Refusable<()> {
        self.code.clear();
        self.faults.clear();
        self.patches.clear();
        self.kinds.clear();
        self.starts.clear();
        self.inner.clear();
        self.outer.clear();
        self.known.clear();
        let unknown = Known { root: Value::NONE, uses: 0, slot: NO_SLOT, folded: false };
        self.known.resize(region.values.len(), unknown);
        for block in &region.blocks {
            self.starts.push(self.code.len() as u32);
            self.block(region, block, cache)?;
        }
        for (at, field, block) in self.inner.drain(..) {
            let target = self.starts[block.index()];
            field.patch(&mut self.code, at as usize, target as usize);
        }
        for n in 0..self.outer.len() {
            let (at, field, pc) = self.outer[n];
            let stub = self.code.len() as u32;
            self.emit(Kind::Stub, 0, 0, 0, 0, 0)?;
            self.emit_data(0, pc);
            field.patch(&mut self.code, at as usize, stub as usize);
            self.patches.push(Patch { at, field, stub });
        }
        if self.fuses {
            self.fuse();
        }
        Ok(())
    }

    fn block(&mut self, region: &Region, block: &BlockData, cache: *const JumpEntry) -> Refusable<()> {
        if !block.params.is_empty() {
            return Err("promoted regions are for compiling tiers");
        }
        self.holder[..self.fresh as usize].fill(Value::NONE);
        self.fresh = SCRATCH;
        self.ending.clear();
        self.free.clear();
        self.find_roots(region, block);
        for (n, &id) in block.insts.iter().enumerate() {
            let inst = region.insts[id.index()];
            self.inst(region, block, n, &inst)?;
            self.free.append(&mut self.ending);
        }
        self.term(region, block, cache)
    }

    /// Finds which values are the same bits as others, and counts uses.
    fn find_roots(&mut self, region: &Region, block: &BlockData) {
        let mut current = [Value::NONE; SCRATCH as usize];
        for &id in &block.insts {
            let inst = &region.insts[id.index()];
            let args = inst.op.info().args.len();
            let same = match inst.op {
                Op::GetX | Op::GetF => {
                    let register = register_slot(inst) as usize;
                    if current[register] == Value::NONE {
                        current[register] = inst.result;
                    }
                    current[register]
                }
                Op::Unbox | Op::BitsI64 | Op::BitsF64 => self.root(inst.args[0]),
                Op::Box if region.def(inst.args[0]).is_none_or(|d| d.op != Op::Unbox) => self.root(inst.args[0]),
                _ => {
                    for &a in &inst.args[..args] {
                        let root = self.root(a);
                        self.known[root.index()].uses += 1;
                    }
                    if matches!(inst.op, Op::SetX | Op::SetF) {
                        current[register_slot(inst) as usize] = self.root(inst.args[0]);
                    }
                    inst.result
                }
            };
            if inst.result != Value::NONE {
                self.known[inst.result.index()].root = same;
            }
        }
        let used: &[Value] = match &block.term {
            Term::Branch { args, .. } => args,
            Term::Indirect { base, .. } => std::slice::from_ref(base),
            _ => &[],
        };
        for &v in used {
            let root = self.root(v);
            self.known[root.index()].uses += 1;
        }
    }

    fn root(&self, v: Value) -> Value {
        self.known[v.index()].root
    }

    fn inst(&mut self, region: &Region, block: &BlockData, n: usize, inst: &Inst) -> Refusable<()> {
        let op = inst.op;
        if self.kinds.len() > u16::MAX as usize * 16 {
            return Err("region too large");
        }
        match op {
            Op::Iconst | Op::Unbox | Op::BitsI64 | Op::BitsF64 => Ok(()),
            Op::Addr => Err("an address that depends on where a file is loaded"),
            Op::Box if self.root(inst.result) != inst.result => Ok(()),
            Op::GetX | Op::GetF => {
                if self.root(inst.result) == inst.result {
                    let register = register_slot(inst);
                    self.place(inst.result, register);
                }
                Ok(())
            }
            Op::SetX | Op::SetF => self.set(region, inst),
            Op::Fence => Ok(()),
            Op::SetFflags | Op::SetFrm => {
                let kind = if op == Op::SetFrm { Kind::SetFrm } else { Kind::SetFflags };
                let b = self.operand(region, inst.args[0])?;
                self.emit(kind, 0, b, 0, 0, 0)
            }
            Op::Store8 | Op::Store16 | Op::Store32 | Op::Store64 | Op::StoreF32 | Op::StoreF64 => {
                let [b, c] = self.operands(region, [inst.args[0], inst.args[1]])?;
                self.fault_row(block, inst, FaultForm::Displaced);
                self.emit(Kind::Store(op), 0, b, c, 0, inst.imm as i32)
            }
            _ => self.computed(region, block, n, inst),
        }
    }

    /// An instruction with a result that is computed.
    fn computed(&mut self, region: &Region, block: &BlockData, n: usize, inst: &Inst) -> Refusable<()> {
        let op = inst.op;
        let pure = op.info().effects == Effects::NONE;
        if pure && self.known[inst.result.index()].uses == 0 {
            for &a in &inst.args[..op.info().args.len()] {
                self.release(a);
            }
            return Ok(());
        }
        let imm = inst.imm as i32;
        let [x, y, z] = inst.args;
        if self.folds_into_add(region, block, n, inst) {
            self.known[inst.result.index()].folded = true;
            self.release(y);
            return Ok(());
        }
        let (kind, b, c, d, imm) = match op {
            Op::Add => match self.scaled(region, x, y) {
                Some((scaled, shift, other)) => {
                    let [b, c] = self.operands(region, [scaled, other])?;
                    (Kind::ShlAdd, b, c, 0, shift)
                }
                None => self.two(region, op, x, y)?,
            },
            _ if op.info().args.len() == 2 && is_integer(op) => self.two(region, op, x, y)?,
            Op::Select => {
                let [d, b, c] = self.operands(region, [x, y, z])?;
                (Kind::Select, b, c, d, 0)
            }
            Op::Lr32 | Op::Lr64 => {
                let b = self.operand(region, x)?;
                (Kind::Lr(op == Op::Lr64), b, 0, 0, 0)
            }
            Op::Sc32 | Op::Sc64 => {
                let [b, c] = self.operands(region, [x, y])?;
                (Kind::Sc(op == Op::Sc64), b, c, 0, 0)
            }
            Op::GetFflags => (Kind::GetFflags, 0, 0, 0, 0),
            Op::GetFrm => (Kind::GetFrm, 0, 0, 0, 0),
            Op::Box => (Kind::Canonical, self.operand(region, x)?, 0, 0, 0),
            _ if between(op, Op::Load8S, Op::LoadF64) => (Kind::Load(op), self.operand(region, x)?, 0, 0, imm),
            _ if between(op, Op::Sext8, Op::OrcB) => (Kind::Un(op), self.operand(region, x)?, 0, 0, 0),
            _ if between(op, Op::AmoSwap32, Op::AmoMaxU64) => {
                let [b, c] = self.operands(region, [x, y])?;
                (Kind::Amo(op), b, c, 0, 0)
            }
            _ if op.info().args.len() == 3 => {
                let [b, c, d] = self.operands(region, [x, y, z])?;
                (if imm == 0 { Kind::Fp3(op) } else { Kind::Fp3Rm(op) }, b, c, d, imm)
            }
            _ if op.info().args.len() == 2 => {
                let [b, c] = self.operands(region, [x, y])?;
                (if imm == 0 { Kind::Fp2(op) } else { Kind::Fp2Rm(op) }, b, c, 0, imm)
            }
            _ => {
                let b = self.operand(region, x)?;
                let usual = imm == usual_rounding(op) as i32 || Kind::Fp1Rm(op).handler().is_none();
                (if usual { Kind::Fp1(op) } else { Kind::Fp1Rm(op) }, b, 0, 0, imm)
            }
        };
        if op.info().effects.contains(Effects::FAULT) {
            let form = match kind {
                Kind::Load(_) => FaultForm::Displaced,
                Kind::Lr(_) => FaultForm::Atomic { write: false },
                _ => FaultForm::Atomic { write: true },
            };
            // A move that saves what the destination holds comes before the access.
            let a = self.destination(region, block, n, inst)?;
            self.fault_row(block, inst, form);
            return self.emit(kind, a, b, c, d, imm);
        }
        let a = self.destination(region, block, n, inst)?;
        self.emit(kind, a, b, c, d, imm)
    }

    /// An integer op on two values, the second an immediate where it can be.
    fn two(&mut self, region: &Region, op: Op, x: Value, y: Value) -> Refusable<(Kind, u8, u8, u8, i32)> {
        let (x, y) = match commutes(op) && self.const_of(region, x).is_some() {
            true => (y, x),
            false => (x, y),
        };
        if let Some(imm) = self.const_of(region, y).and_then(|c| i32::try_from(c).ok()) {
            let (op, imm) = match (op, imm.checked_neg()) {
                (Op::Sub, Some(negated)) => (Op::Add, negated),
                _ => (op, imm),
            };
            if imm != 0 && Kind::Ri(op).handler().is_some() {
                let b = self.operand(region, x)?;
                self.release(y);
                return Ok((Kind::Ri(op), b, 0, 0, imm));
            }
        }
        let [b, c] = self.operands(region, [x, y])?;
        Ok((Kind::Rr(op), b, c, 0, 0))
    }

    /// If one summand is a shift that was left to this addition: what to shift, by how much, and the other summand.
    fn scaled(&self, region: &Region, x: Value, y: Value) -> Option<(Value, i32, Value)> {
        let (shift, other) = match (self.known[self.root(x).index()].folded, self.known[self.root(y).index()].folded) {
            (true, _) => (x, y),
            (_, true) => (y, x),
            _ => return None,
        };
        let def = region.def(self.root(shift))?;
        let amount = self.const_of(region, def.args[1])?;
        Some((def.args[0], amount as i32 & 63, other))
    }

    /// Whether instruction `n` is a shift by a constant whose only use is an addition right behind it.
    fn folds_into_add(&self, region: &Region, block: &BlockData, n: usize, inst: &Inst) -> bool {
        if inst.op != Op::Shl
            || self.known[inst.result.index()].uses != 1
            || self.const_of(region, inst.args[1]).is_none()
        {
            return false;
        }
        let next = block.insts[n + 1..]
            .iter()
            .map(|id| &region.insts[id.index()])
            .find(|i| !matches!(i.op, Op::Iconst | Op::GetX | Op::GetF));
        next.is_some_and(|add| {
            let other = |v: Value| !self.known[self.root(v).index()].folded;
            add.op == Op::Add
                && (self.root(add.args[0]) == inst.result && other(add.args[1])
                    || self.root(add.args[1]) == inst.result && other(add.args[0]))
        })
    }

    fn const_of(&self, region: &Region, v: Value) -> Option<i64> {
        region.as_const(self.root(v))
    }

    /// The slot to compute the result of instruction `n` into.
    fn destination(&mut self, region: &Region, block: &BlockData, n: usize, inst: &Inst) -> Refusable<u8> {
        let v = inst.result;
        let slot = match self.register_ahead(region, block, n, v) {
            Some(register) => {
                self.evict(register)?;
                register
            }
            None => self.scratch()?,
        };
        self.place(v, slot);
        if self.known[v.index()].uses == 0 && slot >= SCRATCH {
            self.holder[slot as usize] = Value::NONE;
            self.free.push(slot);
        }
        Ok(slot as u8)
    }

    /// The register that `v`, the result of instruction `n`, is about to be set to, if computing it there at once
    /// cannot be noticed.
    fn register_ahead(&self, region: &Region, block: &BlockData, n: usize, v: Value) -> Option<u16> {
        let rest = &block.insts[n + 1..];
        let mut touched = 0u64;
        for id in rest.iter().take(LOOK_AHEAD) {
            let inst = &region.insts[id.index()];
            match inst.op {
                Op::SetX | Op::SetF => {
                    let register = register_slot(inst);
                    if self.root(inst.args[0]) == v {
                        return (touched & 1 << register == 0).then_some(register);
                    }
                    touched |= 1 << register;
                }
                Op::GetX | Op::GetF => touched |= 1 << register_slot(inst),
                op if op.info().effects.contains(Effects::FAULT) => return None,
                _ => {}
            }
        }
        None
    }

    /// `set.x`, `set.f`.
    fn set(&mut self, region: &Region, inst: &Inst) -> Refusable<()> {
        let register = register_slot(inst);
        let v = self.root(inst.args[0]);
        let slot = self.known[v.index()].slot;
        if slot == register && self.holder[register as usize] == v {
            self.release(v);
            return Ok(());
        }
        match region.as_const(v).filter(|_| slot == NO_SLOT) {
            Some(c) => {
                self.evict(register)?;
                self.constant(register as u8, c)?;
            }
            None => {
                let from = self.locate(region, v)?;
                self.evict(register)?;
                self.emit(Kind::Move, register as u8, from, 0, 0, 0)?;
            }
        }
        let slot = self.known[v.index()].slot;
        if slot >= SCRATCH {
            if slot != NO_SLOT {
                self.holder[slot as usize] = Value::NONE;
                self.free.push(slot);
            }
            self.known[v.index()].slot = register;
        }
        self.holder[register as usize] = v;
        self.release(v);
        Ok(())
    }

    fn constant(&mut self, slot: u8, c: i64) -> Refusable<()> {
        match i32::try_from(c) {
            Ok(imm) => self.emit(Kind::Const, slot, 0, 0, 0, imm),
            Err(_) => {
                self.emit(Kind::Const64, slot, 0, 0, 0, 0)?;
                self.emit_data(0, c as u64);
                Ok(())
            }
        }
    }

    /// The slots that hold `values`; takes one use of each.
    fn operands<const N: usize>(&mut self, region: &Region, values: [Value; N]) -> Refusable<[u8; N]> {
        let mut slots = [0; N];
        for (slot, v) in slots.iter_mut().zip(values) {
            *slot = self.operand(region, v)?;
        }
        Ok(slots)
    }

    /// The slot that holds `v`; takes one of its uses.
    fn operand(&mut self, region: &Region, v: Value) -> Refusable<u8> {
        let slot = self.locate(region, v)?;
        self.release(v);
        Ok(slot)
    }

    /// The slot that holds `v`, which is made first if `v` is a constant that no slot holds yet.
    fn locate(&mut self, region: &Region, v: Value) -> Refusable<u8> {
        let v = self.root(v);
        let slot = self.known[v.index()].slot;
        if slot != NO_SLOT {
            return Ok(slot as u8);
        }
        match region.as_const(v) {
            Some(0) => Ok(0),
            Some(c) => {
                let slot = self.scratch()?;
                self.constant(slot as u8, c)?;
                self.place(v, slot);
                Ok(slot as u8)
            }
            None => Err("a value is used outside its block"),
        }
    }

    /// Takes one use of `v`; its scratch slot is free after the last.
    fn release(&mut self, v: Value) {
        let v = self.root(v);
        let known = &mut self.known[v.index()];
        debug_assert!(known.uses > 0, "{v} is used more often than counted");
        known.uses = known.uses.saturating_sub(1);
        if known.uses == 0 && known.slot >= SCRATCH && known.slot != NO_SLOT {
            let slot = known.slot;
            known.slot = NO_SLOT;
            self.holder[slot as usize] = Value::NONE;
            self.ending.push(slot);
        }
    }

    fn place(&mut self, v: Value, slot: u16) {
        self.known[v.index()].slot = slot;
        self.holder[slot as usize] = v;
    }

    fn scratch(&mut self) -> Refusable<u16> {
        if let Some(slot) = self.free.pop() {
            return Ok(slot);
        }
        let slot = self.fresh;
        if slot == SLOTS {
            return Err("too many values alive at once");
        }
        self.fresh += 1;
        Ok(slot)
    }

    /// Saves what `register` holds if it is still needed and held nowhere else.
    fn evict(&mut self, register: u16) -> Refusable<()> {
        let v = self.holder[register as usize];
        if v == Value::NONE || self.known[v.index()].slot != register {
            return Ok(());
        }
        if self.known[v.index()].uses == 0 {
            self.known[v.index()].slot = NO_SLOT;
            return Ok(());
        }
        let other = (0..SCRATCH).find(|&s| s != register && self.holder[s as usize] == v);
        match other {
            Some(slot) => self.known[v.index()].slot = slot,
            None => {
                let slot = self.scratch()?;
                self.emit(Kind::Move, slot as u8, register as u8, 0, 0, 0)?;
                self.place(v, slot);
            }
        }
        Ok(())
    }

    fn fault_row(&mut self, block: &BlockData, inst: &Inst, form: FaultForm) {
        let offset = block.guest_offsets.get(inst.guest_index as usize).copied().unwrap_or(0);
        self.faults.push(FaultRow {
            index: self.code.len() as u32,
            guest_index: inst.guest_index,
            pc: block.pc.wrapping_add(offset as u64),
            form,
        });
    }

    fn term(&mut self, region: &Region, block: &BlockData, cache: *const JumpEntry) -> Refusable<()> {
        let [low, high, over @ ..] = block.retired.to_le_bytes();
        if over != [0, 0] {
            return Err("block too long");
        }
        match &block.term {
            Term::Jump(edge) => self.jump(region, low, high, edge),
            Term::Call { pc, .. } => {
                let edge = Edge { target: Target::Pc(*pc), preempt: true };
                self.jump(region, low, high, &edge)
            }
            Term::Branch { cond, args, then, els } => {
                let [b, c] = self.operands(region, [args[0], args[1]])?;
                let (cond, then, els) = match els.preempt && !then.preempt {
                    true => (cond.negate(), els, then),
                    false => (*cond, then, els),
                };
                if els.preempt {
                    return Err("both edges of a branch are preemption points");
                }
                let at = self.code.len() as u32;
                let pc = self.edge(region, at, PatchField::Imm, then);
                self.edge(region, at, PatchField::Distance, els);
                self.emit(Kind::Branch(cond, then.preempt), low, b, c, high, 0)?;
                self.emit_data(0, pc);
                Ok(())
            }
            Term::Indirect { base, disp, kind, .. } => {
                let b = self.operand(region, *base)?;
                self.emit(Kind::Indirect, low, b, 0, high, *disp)?;
                let number = JUMP_KINDS.iter().position(|other| other == kind).unwrap_or(JUMP_KINDS.len());
                self.emit_data(0, number as u64);
                if let Some(data) = self.code.last_mut() {
                    data.h = Word { cache };
                }
                Ok(())
            }
            Term::Exit { kind: ExitKind::ModeChange, pc } => {
                let at = self.code.len() as u32;
                self.outer.push((at, PatchField::Imm, *pc));
                self.emit(Kind::ModeChange(region.rounding as u8), low, 0, 0, high, 0)?;
                self.emit_data(0, *pc);
                Ok(())
            }
            Term::Exit { kind, pc } => {
                self.emit(Kind::Exit(number_of(*kind) as u8), low, 0, 0, high, 0)?;
                self.emit_data(0, *pc);
                Ok(())
            }
        }
    }

    fn jump(&mut self, region: &Region, low: u8, high: u8, edge: &Edge) -> Refusable<()> {
        let at = self.code.len() as u32;
        let pc = self.edge(region, at, PatchField::Imm, edge);
        self.emit(Kind::Jump(edge.preempt), low, 0, 0, high, 0)?;
        self.emit_data(0, pc);
        Ok(())
    }

    /// Remembers an edge of the element at `at`; returns its guest address.
    fn edge(&mut self, region: &Region, at: u32, field: PatchField, edge: &Edge) -> u64 {
        match &edge.target {
            Target::Pc(pc) => {
                self.outer.push((at, field, *pc));
                *pc
            }
            Target::Block(block, _) => {
                self.inner.push((at, field, *block));
                region.blocks[block.index()].pc
            }
        }
    }

    fn emit(&mut self, kind: Kind, a: u8, b: u8, c: u8, d: u8, imm: i32) -> Refusable<()> {
        let handler = kind.handler().ok_or("an op has no handler")?;
        self.code.push(Ins { h: Word { handler }, a, b, c, d, imm });
        self.kinds.push(kind);
        Ok(())
    }

    fn emit_data(&mut self, distance: isize, datum: u64) {
        self.code.push(Ins::data(distance, datum));
        self.kinds.push(Kind::Data);
    }

    /// Gives pairs of instructions their own handlers where that leaves the fewest dispatches to each block's end.
    fn fuse(&mut self) {
        let len = self.code.len();
        self.cost.clear();
        self.cost.resize(len + 2, 0);
        for i in (0..len).rev() {
            let kind = self.kinds[i];
            if kind == Kind::Data {
                // Reached only over an instruction's end: costs nothing itself.
                self.cost[i] = self.cost[i + 1];
                continue;
            }
            let next = i + 1;
            let ends = matches!(
                kind,
                Kind::Jump(_) | Kind::Branch(..) | Kind::Indirect | Kind::Stub | Kind::Exit(_) | Kind::ModeChange(_)
            );
            if ends {
                self.cost[i] = 1;
                continue;
            }
            let single = 1 + self.cost[next];
            self.cost[i] = single;
            if kind == Kind::Const64 || next >= len {
                continue;
            }
            let second = self.kinds[next];
            let (first_ins, second_ins) = (self.code[i], self.code[next]);
            let forwards = if matches!(kind, Kind::Store(_)) {
                forward::NONE
            } else if reads_b(second) && second_ins.b == first_ins.a {
                forward::B
            } else if reads_c(second) && second_ins.c == first_ins.a {
                forward::C
            } else {
                forward::NONE
            };
            let ends_too = matches!(second, Kind::Jump(_) | Kind::Branch(..) | Kind::Indirect);
            let after = if ends_too { 0 } else { self.cost[next + 1] };
            if 1 + after < single {
                if let Some(handler) = pair(kind, second, forwards) {
                    self.cost[i] = 1 + after;
                    self.code[i].h = Word { handler };
                }
            }
        }
    }
}

/// The slot of the register that a `get` or `set` names.
fn register_slot(inst: &Inst) -> u16 {
    let register = (inst.imm & 31) as u16;
    if matches!(inst.op, Op::GetF | Op::SetF) { 32 + register } else { register }
}

/// Whether `op` stands between two rows of the op table, both included.
fn between(op: Op, first: Op, last: Op) -> bool {
    (first as u8..=last as u8).contains(&(op as u8))
}

/// The integer ops of two operands.
fn is_integer(op: Op) -> bool {
    between(op, Op::Add, Op::MaxU) || between(op, Op::Add32, Op::RemU32)
}

fn commutes(op: Op) -> bool {
    matches!(
        op,
        Op::Add
            | Op::And
            | Op::Or
            | Op::Xor
            | Op::Mul
            | Op::Eq
            | Op::Ne
            | Op::Add32
            | Op::Mul32
            | Op::MinS
            | Op::MinU
            | Op::MaxS
            | Op::MaxU
    )
}

/// Whether slot `b` is an operand of this kind of second instruction.
fn reads_b(kind: Kind) -> bool {
    !matches!(kind, Kind::Const | Kind::Const64 | Kind::Jump(_) | Kind::GetFflags | Kind::GetFrm)
}

/// Whether slot `c` is.
fn reads_c(kind: Kind) -> bool {
    matches!(kind, Kind::Rr(_) | Kind::ShlAdd | Kind::Store(_) | Kind::Fp2(_) | Kind::Fp3(_) | Kind::Branch(..))
}
