//! A tier by itself, on regions of many blocks: larger ones than the engine gives it today.

use crate::compare::{Executor, LARGE};
use crate::memory::{Model, Object, PAGES, guessed_targets};
use friscy_boundary::{Access, Exit, PAGE_SIZE, Ran, Regs};
use friscy_cpu::native::{Hart, Memfd, NativeSpace, Pages, install};
use friscy_cpu::{CodeMemory, RunMemory, load, store};
use friscy_lift_ir::lift::Limits;
use friscy_lift_ir::passes::{Inlining, Simplifier, inline_calls, optimise};
use friscy_lift_ir::{CodeSource, ExitKind, FetchFault, Lifter, Region, RoundingClass};
use friscy_seam::{Code, Exit as TierExit, Prepared, Tier};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A single instruction.
const ONE: Limits = Limits { max_insts: 1, max_blocks: 1, follow_calls_return_site: false };

/// A tier with the memory that it runs in.
pub struct OnTier {
    name: &'static str,
    space: NativeSpace,
    state: Hart,
    tier: Box<dyn Tier>,
    codes: BTreeMap<(u64, RoundingClass), Code>,
    region: Region,
    lifter: Lifter,
    simplifier: Simplifier,
}

impl OnTier {
    /// Maps the pages and fills them.
    pub fn new(name: &'static str, tier: Box<dyn Tier>, memory: &Model) -> OnTier {
        let mut space = NativeSpace::new().expect("an address space can be made");
        let object = Rc::new(Memfd::new(c"friscy-fuzz", PAGE_SIZE).expect("an object can be made"));
        for page in PAGES {
            let pages = match page.object {
                Object::None => Pages::Anonymous,
                Object::Page => Pages::Shared(object.clone(), 0),
                Object::Beyond => Pages::Shared(object.clone(), PAGE_SIZE),
            };
            let _ = space.map(page.addr..page.addr + PAGE_SIZE, page.prot, pages).expect("a page can be mapped");
            if page.object != Object::Beyond {
                let _ = space.poke(page.addr, memory.page(page.addr)).expect("a mapped page can be written");
            }
        }
        // SAFETY: the executor keeps both, and the state has no destructor.
        let state = unsafe { space.hart() };
        let region = Region::new(0, RoundingClass::Rne);
        let (lifter, simplifier) = (Lifter::new(), Simplifier::new());
        OnTier { name, space, state, tier, codes: BTreeMap::new(), region, lifter, simplifier }
    }

    /// The translation for where the state is; an exit if no instruction can be fetched there.
    fn code(&mut self, limits: &Limits) -> Result<Code, Exit> {
        let key = (self.state.pc, RoundingClass::of(self.state.frm));
        let is_kept = limits.max_insts > 1;
        if let Some(&code) = self.codes.get(&key).filter(|_| is_kept) {
            return Ok(code);
        }
        let mut source = Fetch(&self.space);
        if source.fetch(key.0).is_err() {
            let addr = if source.half(key.0).is_err() { key.0 } else { key.0.wrapping_add(2) };
            let beyond_object = self.space.is_beyond_object(addr);
            return Err(Exit::Fault { addr, access: Access::Execute, beyond_object });
        }
        self.lifter.lift(key.0, key.1, &mut source, limits, &mut self.region);
        if self.tier.wants_promoted() {
            inline_calls(&mut self.region, &[], &Inlining::COMPILED, &mut self.lifter, &mut source);
            optimise(&mut self.region, &mut self.simplifier);
        } else {
            self.simplifier.run(&mut self.region);
        }
        match self.tier.prepare(&self.region) {
            Prepared::Ready(code) => {
                if is_kept {
                    self.codes.insert(key, code);
                }
                Ok(code)
            }
            Prepared::Full if !self.codes.is_empty() => {
                self.forget();
                self.code(limits)
            }
            _ => Err(Exit::Poisoned),
        }
    }

    fn forget(&mut self) {
        self.codes.clear();
        self.tier.clear();
    }

    fn run_state(&mut self) -> Exit {
        // The place to link, or none for the jump cache.
        let mut link = None;
        // As long as there is more fuel, an instruction by itself has no loop to be made for: there is no tier below.
        let mut single_until = i64::MAX;
        loop {
            let limits = if self.state.fuel >= single_until { &ONE } else { &LARGE };
            let known = self.codes.len();
            let code = match self.code(limits) {
                Ok(code) => code,
                Err(exit) => return exit,
            };
            // Sites of what was forgotten are gone.
            match link.take().filter(|_| self.codes.len() >= known) {
                Some(Some(site)) => self.tier.link(site, code),
                Some(None) => self.tier.link_indirect(self.state.pc, RoundingClass::of(self.state.frm), code),
                None => {}
            }
            // SAFETY: the code was made or found just now from this space's memory, whose window the state has; what the
            // guest changes is forgotten at `fence.i`; the handler for host faults is installed.
            match unsafe { self.tier.enter(code, &mut self.state) } {
                TierExit::Goto { site, .. } => link = Some(site),
                TierExit::Below => single_until = self.state.fuel,
                TierExit::Rerun { instructions } => {
                    single_until = self.state.fuel.saturating_sub_unsigned(instructions)
                }
                TierExit::Kind(ExitKind::ModeChange) => {}
                TierExit::Kind(ExitKind::FenceI) => self.forget(),
                TierExit::Kind(kind) => return self.exit(kind),
                TierExit::Fuel => return Exit::Fuel,
                TierExit::Fault => {
                    let fault = self.state.fault;
                    if fault.misaligned {
                        return Exit::Misaligned { addr: fault.addr };
                    }
                    let access = if fault.write { Access::Write } else { Access::Read };
                    return Exit::Fault { addr: fault.addr, access, beyond_object: fault.beyond_object };
                }
            }
        }
    }

    fn exit(&self, kind: ExitKind) -> Exit {
        let bits = Fetch(&self.space).fetch(self.state.pc).unwrap_or(0);
        match kind {
            ExitKind::Ecall => Exit::Syscall,
            ExitKind::Ebreak => Exit::Breakpoint,
            ExitKind::Csr => Exit::ReadCsr { csr: (bits >> 20) as u16, rd: (bits >> 7 & 31) as u8 },
            _ => Exit::Illegal { bits },
        }
    }
}

/// Instruction fetch from an address space.
struct Fetch<'a>(&'a NativeSpace);

impl Fetch<'_> {
    fn half(&self, pc: u64) -> Result<u32, FetchFault> {
        let mut bytes = [0; 2];
        if self.0.fetch(pc, &mut bytes) == 2 { Ok(u32::from(u16::from_le_bytes(bytes))) } else { Err(FetchFault) }
    }
}

impl CodeSource for Fetch<'_> {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        let low = self.half(pc)?;
        if low & 3 == 3 { Ok(low | self.half(pc.wrapping_add(2))? << 16) } else { Ok(low) }
    }

    fn jump_targets(&mut self, region: &Region) -> Vec<u64> {
        guessed_targets(region)
    }
}

impl Executor for OnTier {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Option<Ran> {
        install();
        load(&mut self.state, regs, fuel);
        let exit = self.run_state();
        Some(Ran { exit, retired: store(&self.state, regs, fuel) })
    }

    fn read(&mut self, addr: u64, page: &mut [u8]) {
        self.space.copy_in(addr, page).expect("the page can be read");
    }
}
