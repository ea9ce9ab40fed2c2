//! The plain evaluator: what each op means, without any cleverness. It is the first oracle of every pass and tier.
//!
//! Integer arithmetic is [`crate::sem`], floating point is `friscy_fp::soft`; what is left here is registers, memory,
//! control and counting.

mod float;

pub use float::evaluate_float;

use crate::cfg;
use crate::ir::{Block, Edge, ExitKind, Inst, Region, Target, Term, Value};
use crate::op::{Effects, Op};
use crate::sem;

/// Guest memory, as the evaluator sees it.
pub trait EvalHost {
    /// Loads `len` bytes (1, 2, 4 or 8, little-endian, zero-extended) at `offset` in the guest's window, which may lie
    /// outside of it.
    ///
    /// # Errors
    /// When any of the bytes cannot be read.
    fn load(&mut self, offset: i64, len: u32) -> Result<u64, Denied>;

    /// Stores the low `len` bytes of `value`.
    ///
    /// # Errors
    /// When any of the bytes cannot be written; then none is.
    fn store(&mut self, offset: i64, len: u32, value: u64) -> Result<(), Denied>;
}

/// Memory cannot be accessed there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied;

/// A memory fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemFault {
    /// The 64-bit guest address: the whole base register plus displacement.
    pub addr: u64,
    /// Whether it was a store or an atomic other than load-reserved.
    pub write: bool,
    /// An atomic was misaligned.
    pub misaligned: bool,
}

/// Why [`Machine::run`] returned. At every one of them pc, fuel and all registers are exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// Control goes to [`Machine::pc`], which is outside the region.
    Goto,
    /// Fuel was used up at a preemption point.
    Fuel,
    /// A memory access faulted; pc is that of the instruction, which has not happened.
    Fault(MemFault),
    /// The region ended in an exit of this kind.
    Kind(ExitKind),
}

/// The guest's registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Integer registers; `x[0]` stays zero.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// Program counter.
    pub pc: u64,
    /// Fuel left, in guest instructions: each retired one takes 1.
    pub fuel: i64,
    /// Accrued exception flags, bits 4:0.
    pub fflags: u32,
    /// Dynamic rounding mode, bits 2:0.
    pub frm: u32,
    /// Address of the current reservation, or `u64::MAX`.
    pub reservation: u64,
    /// The value that the load-reserved saw, sign-extended for 32 bits.
    pub reserved_value: u64,
}

/// What an integer op without effects gives; nothing for any other op.
pub fn evaluate_integer(op: Op, [a, b, c]: [u64; 3]) -> Option<u64> {
    match op {
        Op::Select => Some(if a != 0 { b } else { c }),
        _ => sem::binary(op, a, b).or_else(|| sem::unary(op, a)),
    }
}

impl Machine {
    /// Zero registers at `pc` with `fuel`.
    pub fn new(pc: u64, fuel: i64) -> Machine {
        let reservation = u64::MAX;
        Machine { x: [0; 32], f: [0; 32], pc, fuel, fflags: 0, frm: 0, reservation, reserved_value: 0 }
    }

    /// Runs `region` from its entry block at `self.pc` until control leaves it. If no entry is there, it leaves at once.
    pub fn run(&mut self, region: &Region, host: &mut dyn EvalHost) -> Leave {
        let entry = region.blocks.iter().position(|b| b.entry && b.pc == self.pc);
        let Some(entry) = entry else { return Leave::Goto };
        let mut values = vec![0; region.values.len()];
        let mut block = Block(entry as u32);
        loop {
            let data = &region.blocks[block.index()];
            for &id in &data.insts {
                let inst = &region.insts[id.index()];
                if let Err(fault) = self.step(inst, &mut values, host) {
                    self.pc = region.guest_pc(block, inst.guest_index);
                    self.fuel -= inst.guest_index as i64;
                    return Leave::Fault(fault);
                }
            }
            self.fuel -= data.retired as i64;
            let edge = match &data.term {
                Term::Jump(edge) => edge,
                Term::Branch { cond, args, then, els } => {
                    if cond.holds(values[args[0].index()], values[args[1].index()]) { then } else { els }
                }
                Term::Call { pc, .. } => return self.leave(*pc, true),
                Term::Indirect { base, disp, targets, .. } => {
                    let pc = values[base.index()].wrapping_add_signed(*disp as i64) & !1;
                    let leads_to = |to: Block| region.blocks[to.index()].pc == pc;
                    let inside = targets.iter().find(|edge| cfg::target_block(edge).is_some_and(leads_to));
                    let preempt = !cfg::is_shared_jump(data);
                    match inside {
                        Some(edge) if !preempt || self.fuel > 0 => edge,
                        _ => return self.leave(pc, preempt),
                    }
                }
                Term::Exit { kind, pc } => {
                    self.pc = *pc;
                    return Leave::Kind(*kind);
                }
            };
            match self.follow(region, edge, &mut values) {
                Ok(next) => block = next,
                Err(leave) => return leave,
            }
        }
    }

    fn leave(&mut self, pc: u64, preempt: bool) -> Leave {
        self.pc = pc;
        if preempt && self.fuel <= 0 { Leave::Fuel } else { Leave::Goto }
    }

    fn follow(&mut self, region: &Region, edge: &Edge, values: &mut [u64]) -> Result<Block, Leave> {
        match &edge.target {
            Target::Pc(pc) => Err(self.leave(*pc, edge.preempt)),
            Target::Block(to, args) => {
                let data = &region.blocks[to.index()];
                if edge.preempt && self.fuel <= 0 {
                    self.pc = if cfg::is_shared_jump(data) { values[args[0].index()] & !1 } else { data.pc };
                    return Err(Leave::Fuel);
                }
                // All arguments are read before any parameter is written.
                let read: Vec<u64> = args.iter().map(|v| values[v.index()]).collect();
                for (param, value) in data.params.iter().zip(read) {
                    values[param.index()] = value;
                }
                Ok(*to)
            }
        }
    }

    fn step(&mut self, inst: &Inst, values: &mut [u64], host: &mut dyn EvalHost) -> Result<(), MemFault> {
        let arg = |i: usize| inst.args.get(i).filter(|v| **v != Value::NONE).map_or(0, |v| values[v.index()]);
        let (a, b, c) = (arg(0), arg(1), arg(2));
        let register = inst.imm as usize & 31;
        let effects = inst.op.info().effects;
        let result = match inst.op {
            // A region by itself is loaded at 0.
            Op::Iconst | Op::Addr => inst.imm as u64,
            Op::GetX => self.x[register],
            Op::GetF => self.f[register],
            Op::SetX => {
                self.x[register] = a;
                return Ok(());
            }
            Op::SetF => {
                self.f[register] = a;
                return Ok(());
            }
            Op::GetFflags => self.fflags as u64,
            Op::SetFflags => {
                self.fflags = a as u32 & 31;
                return Ok(());
            }
            Op::GetFrm => self.frm as u64,
            Op::SetFrm => {
                self.frm = a as u32 & 7;
                return Ok(());
            }
            Op::Fence => return Ok(()),
            op if effects.contains(Effects::FAULT) => match memory(op) {
                Access::Plain { len, signed } => self.plain(inst, len, signed, a, b, host)?,
                Access::Atomic { len } => self.atomic(op, len, a, b, host)?,
            },
            op => match evaluate_integer(op, [a, b, c]) {
                Some(v) => v,
                None => evaluate_float(op, inst.imm, [a, b, c], self.frm, &mut self.fflags),
            },
        };
        if inst.result != Value::NONE {
            values[inst.result.index()] = result;
        }
        Ok(())
    }

    fn plain(
        &mut self,
        inst: &Inst,
        len: u32,
        signed: bool,
        base: u64,
        value: u64,
        host: &mut dyn EvalHost,
    ) -> Result<u64, MemFault> {
        let offset = base as u32 as i64 + inst.imm;
        let write = inst.op.info().effects.contains(Effects::WRITE);
        let fault = |Denied| MemFault { addr: base.wrapping_add_signed(inst.imm), write, misaligned: false };
        if write {
            return host.store(offset, len, value).map(|()| 0).map_err(fault);
        }
        let v = host.load(offset, len).map_err(fault)?;
        Ok(if signed { sign_extend(v, len) } else { v })
    }

    fn atomic(&mut self, op: Op, len: u32, addr: u64, operand: u64, host: &mut dyn EvalHost) -> Result<u64, MemFault> {
        let write = op.info().effects.contains(Effects::WRITE);
        if addr % len as u64 != 0 {
            return Err(MemFault { addr, write, misaligned: true });
        }
        let offset = addr as u32 as i64;
        let fault = |Denied| MemFault { addr, write, misaligned: false };
        match op {
            Op::Lr32 | Op::Lr64 => {
                let v = sign_extend(host.load(offset, len).map_err(fault)?, len);
                self.reservation = addr;
                self.reserved_value = v;
                Ok(v)
            }
            Op::Sc32 | Op::Sc64 => {
                if self.reservation != addr {
                    self.reservation = u64::MAX;
                    return Ok(1);
                }
                let now = sign_extend(host.load(offset, len).map_err(fault)?, len);
                if now != sign_extend(self.reserved_value, len) {
                    self.reservation = u64::MAX;
                    return Ok(1);
                }
                host.store(offset, len, operand).map_err(fault)?;
                self.reservation = u64::MAX;
                Ok(0)
            }
            _ => {
                let old = sign_extend(host.load(offset, len).map_err(fault)?, len);
                // The table has no other op with these effects.
                let new = sem::amo(op, old, sign_extend(operand, len)).unwrap_or(old);
                host.store(offset, len, new).map_err(fault)?;
                Ok(old)
            }
        }
    }
}

fn sign_extend(v: u64, len: u32) -> u64 {
    match len {
        1 => v as i8 as i64 as u64,
        2 => v as i16 as i64 as u64,
        4 => v as i32 as i64 as u64,
        _ => v,
    }
}

/// The form of a memory access.
enum Access {
    Plain { len: u32, signed: bool },
    Atomic { len: u32 },
}

fn memory(op: Op) -> Access {
    match op {
        Op::Load8S => Access::Plain { len: 1, signed: true },
        Op::Load16S => Access::Plain { len: 2, signed: true },
        Op::Load32S => Access::Plain { len: 4, signed: true },
        Op::Load8U | Op::Store8 => Access::Plain { len: 1, signed: false },
        Op::Load16U | Op::Store16 => Access::Plain { len: 2, signed: false },
        Op::Load32U | Op::LoadF32 | Op::Store32 | Op::StoreF32 => Access::Plain { len: 4, signed: false },
        Op::Load64 | Op::LoadF64 | Op::Store64 | Op::StoreF64 => Access::Plain { len: 8, signed: false },
        Op::Lr32
        | Op::Sc32
        | Op::AmoSwap32
        | Op::AmoAdd32
        | Op::AmoXor32
        | Op::AmoAnd32
        | Op::AmoOr32
        | Op::AmoMinS32
        | Op::AmoMaxS32
        | Op::AmoMinU32
        | Op::AmoMaxU32 => Access::Atomic { len: 4 },
        _ => Access::Atomic { len: 8 },
    }
}
