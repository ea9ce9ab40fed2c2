//! The run loop over the evaluator: what the engine does, without any cleverness.

use crate::memory::Model;
use friscy_boundary::{Access, Exit, Ran, Regs};
use friscy_lift_ir::eval::{Leave, Machine};
use friscy_lift_ir::passes::{self, Simplifier};
use friscy_lift_ir::{CodeSource, ExitKind, Lifter, Limits, Region, RoundingClass};
use std::collections::BTreeMap;

/// The evaluator with the regions that it has lifted.
pub struct Evaluator {
    /// The guest's memory.
    pub memory: Model,
    limits: Limits,
    optimise: bool,
    lifter: Lifter,
    simplifier: Simplifier,
    regions: BTreeMap<(u64, RoundingClass), Region>,
}

impl Evaluator {
    /// An evaluator of regions within `limits`, after all passes or none.
    pub fn new(memory: Model, limits: Limits, optimise: bool) -> Evaluator {
        Evaluator {
            memory,
            limits,
            optimise,
            lifter: Lifter::new(),
            simplifier: Simplifier::new(),
            regions: BTreeMap::new(),
        }
    }

    /// As `friscy_boundary::Cpu::run`; nothing if what the program does is not specified: it runs code that it has
    /// written since the last `fence.i`.
    pub fn run(&mut self, regs: &mut Regs, fuel: u64) -> Option<Ran> {
        let mut machine = Machine::new(regs.pc & !1, fuel as i64);
        machine.x = regs.x;
        machine.f = regs.f;
        machine.fflags = regs.fflags;
        machine.frm = regs.frm;
        let exit = self.run_machine(&mut machine)?;
        regs.x = machine.x;
        regs.f = machine.f;
        regs.pc = machine.pc;
        regs.fflags = machine.fflags;
        regs.frm = machine.frm;
        Some(Ran { exit, retired: fuel.wrapping_sub(machine.fuel as u64) })
    }

    fn run_machine(&mut self, machine: &mut Machine) -> Option<Exit> {
        loop {
            if self.memory.stale {
                return None;
            }
            let key = (machine.pc, RoundingClass::of(machine.frm));
            let region = match self.regions.entry(key) {
                std::collections::btree_map::Entry::Occupied(region) => region.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => {
                    let mut region = Region::new(key.0, key.1);
                    self.lifter.lift(key.0, key.1, &mut self.memory, &self.limits, &mut region);
                    if self.optimise {
                        let policy = passes::Inlining::COMPILED;
                        passes::inline_calls(&mut region, &[], &policy, &mut self.lifter, &mut self.memory);
                        passes::optimise(&mut region, &mut self.simplifier);
                    }
                    place.insert(region)
                }
            };
            let leave = machine.run(region, &mut self.memory);
            if self.memory.stale && self.memory.is_writable_code(key.0) {
                return None;
            }
            match leave {
                Leave::Goto | Leave::Kind(ExitKind::ModeChange) => {}
                Leave::Kind(ExitKind::FenceI) => {
                    self.memory.stale = false;
                    self.regions.clear();
                }
                Leave::Fuel => return Some(Exit::Fuel),
                Leave::Fault(fault) if fault.misaligned => return Some(Exit::Misaligned { addr: fault.addr }),
                Leave::Fault(fault) => {
                    let (at, beyond_object) = self.memory.denied;
                    // The window offset of an access agrees with its address in the low 32 bits.
                    let skipped = (at as u32).wrapping_sub(fault.addr as u32);
                    let access = if fault.write { Access::Write } else { Access::Read };
                    let addr = fault.addr.wrapping_add(u64::from(skipped));
                    return Some(Exit::Fault { addr, access, beyond_object });
                }
                Leave::Kind(kind) => return Some(self.exit(kind, machine.pc)),
            }
        }
    }

    fn exit(&mut self, kind: ExitKind, pc: u64) -> Exit {
        let bits = self.memory.fetch(pc).unwrap_or(0);
        match kind {
            ExitKind::Ecall => Exit::Syscall,
            ExitKind::Ebreak => Exit::Breakpoint,
            ExitKind::Csr => Exit::ReadCsr { csr: (bits >> 20) as u16, rd: (bits >> 7 & 31) as u8 },
            ExitKind::FetchFault => {
                let addr = self.memory.fetch_fault(pc);
                Exit::Fault { addr, access: Access::Execute, beyond_object: false }
            }
            ExitKind::Illegal | ExitKind::FenceI | ExitKind::ModeChange => Exit::Illegal { bits },
        }
    }
}
