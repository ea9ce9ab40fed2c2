//! The compiled tier for hosts that run wasm: regions become functions of wasm modules.
//!
//! A region is one function. Guest registers are locals within it and in [`State`] at calls, returns and exits. Control flow
//! is blocks and loops that nest (`structure`). Guest memory is looked at by page bytes before an access, unless it is a load
//! in the plain form ([`AccessForm`]); where an access cannot be made, the tier below goes on from the last point from which
//! that is right, and meets the fault. Functions reach each other by a table: calls by cells that say which slot, jumps by a
//! cache.
//!
//! This crate knows the IR and the seam. It must never know another tier, RISC-V encodings, files or processes.
#![warn(missing_docs)]

pub mod ahead;
mod emit;
mod exactness;
mod host;
mod layout;
mod locals;
mod module;
mod narrow;
mod plan;
mod structure;
mod units;
#[cfg(feature = "wasmtime")]
mod wasmtime;

#[cfg(feature = "wasmtime")]
pub use self::wasmtime::Wasmtime;
pub use host::{AccessForm, Attached, Host, Installed};
pub use layout::{Features, Layout};
pub use module::{ENTER_SLOT, IMPORTS, probe};

use emit::{Emitted, Emitter};
use friscy_fp::{Rm, fast};
use friscy_lift_ir::eval::evaluate_float;
use friscy_lift_ir::{Op, Region, RoundingClass, cfg};
use friscy_seam::{Ahead, Code, Exit, Left, Prepared, Site, Size, State, Tier, TierStats};
use module::{Compiled, FIRST_FUNCTION, FIRST_SLOT, first_functions, module};
use plan::Plan;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use std::ops::Range;
use units::{MAX_ENTRIES, Unit, Units};

/// How many bytes of functions make a module.
const BATCH_BYTES: usize = 16 << 10;

/// How often the tier is asked what has been finished before a smaller module is made.
const BATCH_ASKED: u32 = 64;

/// A function that is not callable yet.
struct Waiting {
    pc: u64,
    rounding: RoundingClass,
    entries: Vec<u64>,
    span: Range<u64>,
    slot: u32,
    size: Size,
    bytes: usize,
    /// Its code changed meanwhile.
    is_forgotten: bool,
}

/// The compiled tier of one address space.
pub struct Wasm<H: Host> {
    host: H,
    units: Units,
    max_bytes: usize,
    bytes: usize,
    most_bytes: usize,
    /// Functions for the next module.
    batch: Vec<(Compiled, Waiting)>,
    asked: u32,
    /// Those in modules that the host has.
    installing: Vec<(u32, Vec<Waiting>)>,
    finished: Vec<(Waiting, bool)>,
    next_module: u32,
    begun: bool,
    stats: TierStats,
    /// What was ever compiled, by entry.
    compiled: FxHashSet<(u64, RoundingClass)>,
}

impl<H: Host> Wasm<H> {
    /// A tier whose functions may have up to `max_bytes` bytes of wasm.
    pub fn new(host: H, max_bytes: usize) -> Wasm<H> {
        Wasm {
            host,
            units: Units::default(),
            max_bytes,
            bytes: 0,
            most_bytes: 0,
            batch: Vec::new(),
            asked: 0,
            installing: Vec::new(),
            finished: Vec::new(),
            next_module: 0,
            begun: false,
            stats: TierStats::default(),
            compiled: FxHashSet::default(),
        }
    }

    /// Emits a region.
    fn emit(&mut self, region: &Region) -> Result<Emitted<(Compiled, Waiting)>, Prepared> {
        let Some(links) = self.units.links(region, &mut self.host) else { return Err(Prepared::Full) };
        let (layout, features, form) = (self.host.layout(), self.host.features(), self.host.access_form());
        let plan = Plan::new(region, MAX_ENTRIES, form);
        let slot = self.units.slot();
        let number = self.batch.len() as u32 + FIRST_FUNCTION;
        let emitter = Emitter::new(region, &plan, &links, number, layout, features);
        let body = match emitter.emit() {
            Ok(body) => body,
            Err(why) => {
                self.units.free_slot(slot);
                return Ok(Err(why));
            }
        };
        let bytes = body.code.len();
        let compiled = Compiled { slot, body, ty: emit::types::CODE };
        let entries = plan.entries.iter().map(|block| region.blocks[block.index()].pc).collect();
        let waiting = Waiting {
            pc: region.pc,
            rounding: region.rounding,
            entries,
            span: region.span(),
            slot,
            size: Size::of(region),
            bytes,
            is_forgotten: false,
        };
        Ok(Ok((compiled, waiting)))
    }

    /// Gives the host what is to be a module.
    fn send(&mut self) {
        let (mut functions, waiting): (Vec<Compiled>, Vec<Waiting>) = self.batch.drain(..).unzip();
        self.asked = 0;
        let base = self.host.base_slot();
        // Until one is there, every module brings what others need.
        if !self.begun {
            functions.extend(first_functions());
        }
        let number = self.next_module;
        self.next_module += 1;
        match self.host.install(number, module(&functions, base), base + self.units.slots()) {
            Installed::Pending => self.installing.push((number, waiting)),
            installed => {
                let done = installed == Installed::Ready;
                self.begun |= done;
                self.finished.extend(waiting.into_iter().map(|waiting| (waiting, done)));
            }
        }
    }

    /// Hears what became of modules that the host has.
    fn hear_of_modules(&mut self) {
        while let Some((number, done)) = self.host.installed() {
            if let Some(at) = self.installing.iter().position(|(other, _)| *other == number) {
                let (_, waiting) = self.installing.swap_remove(at);
                self.begun |= done;
                self.finished.extend(waiting.into_iter().map(|waiting| (waiting, done)));
            } else {
                self.units.attached(number, done);
            }
        }
    }

    /// Makes a function known that the table has, unless its code changed meanwhile.
    fn add(&mut self, waiting: Waiting) -> Option<Code> {
        self.begun = true;
        if waiting.is_forgotten {
            self.units.free_slot(waiting.slot);
            return None;
        }
        let is_new = self.compiled.insert((waiting.pc, waiting.rounding));
        *(if is_new { &mut self.stats.regions } else { &mut self.stats.again }) += 1;
        self.stats.count_region(waiting.size, waiting.bytes);
        self.stats.attempts += 1;
        self.bytes += waiting.bytes;
        self.most_bytes = self.most_bytes.max(self.bytes);
        let unit =
            Unit { slot: waiting.slot, entries: waiting.entries, span: waiting.span, alive: true, is_ahead: false };
        Some(self.units.add(unit, waiting.rounding, self.host.base_slot()))
    }

    fn refuse(&mut self, why: &'static str) -> Prepared {
        self.stats.count_refused(why);
        Prepared::Refused(why)
    }

    /// What the word says that compiled code returned.
    fn exit(&self, result: u64, state: &mut State) -> Exit {
        match Left::of(result) {
            Left::Goto(pc) => {
                state.pc = pc;
                Exit::Goto { site: None, kind: None }
            }
            Left::By(site) => {
                state.pc = self.units.site_target(site, &self.host);
                Exit::Goto { site: Some(site), kind: None }
            }
            Left::Fuel => Exit::Fuel,
            Left::Below => Exit::Below,
            Left::Kind(kind) => Exit::Kind(kind),
            Left::Rerun(instructions) => Exit::Rerun { instructions },
            // Accesses that cannot be made are left to the tier below.
            Left::Fault | Left::Misaligned => Exit::Fault,
        }
    }
}

impl<H: Host> Tier for Wasm<H> {
    fn name(&self) -> &'static str {
        "wasm"
    }

    fn wants_promoted(&self) -> bool {
        true
    }

    fn prepare(&mut self, region: &Region) -> Prepared {
        if self.bytes >= self.max_bytes {
            return Prepared::Full;
        }
        match self.emit(region) {
            Ok(Ok(emitted)) => self.batch.push(emitted),
            Ok(Err(why)) => return self.refuse(why),
            Err(prepared) => return prepared,
        }
        let bytes: usize = self.batch.iter().map(|(compiled, _)| compiled.body.code.len()).sum();
        if self.host.is_immediate() || bytes >= BATCH_BYTES {
            self.send();
        }
        if !self.host.is_immediate() {
            return Prepared::Pending;
        }
        match self.finished.pop() {
            Some((waiting, true)) => self.add(waiting).map_or(Prepared::Refused("forgotten"), Prepared::Ready),
            _ => self.refuse("the engine refuses the module"),
        }
    }

    fn finished(&mut self) -> Option<(u64, RoundingClass, Prepared)> {
        if !self.batch.is_empty() {
            self.asked += 1;
            if self.asked >= BATCH_ASKED {
                self.send();
            }
        }
        self.hear_of_modules();
        while let Some((waiting, done)) = self.finished.pop() {
            let (pc, rounding) = (waiting.pc, waiting.rounding);
            if !done {
                return Some((pc, rounding, self.refuse("the engine refuses the module")));
            }
            if let Some(code) = self.add(waiting) {
                return Some((pc, rounding, Prepared::Ready(code)));
            }
        }
        None
    }

    fn is_idle(&self) -> bool {
        self.installing.is_empty()
    }

    fn entries(&self, code: Code) -> Vec<(u64, Code)> {
        self.units.entries(code).collect()
    }

    fn attach(&mut self, ahead: &Ahead) {
        // It has no function by which others are entered.
        if !self.begun && self.installing.is_empty() {
            self.send();
        }
        let number = self.next_module;
        if let Some(attached) = self.units.attach(ahead, number, &mut self.host) {
            self.next_module += 1;
            self.host.attach(number, &attached);
        }
    }

    fn hear(&mut self) {
        self.hear_of_modules();
    }

    fn find(&mut self, ahead: &Ahead, pc: u64) -> Option<(Code, Range<u64>)> {
        // What is compiled ahead of time has loads in the plain form.
        if !self.begun || self.host.access_form() != AccessForm::Plain {
            return None;
        }
        self.units.find(ahead, pc, &self.host)
    }

    unsafe fn enter(&mut self, code: Code, state: &mut State) -> Exit {
        let (slot, entry) = self.units.start_of(code);
        // SAFETY: the caller's promise: the code is alive, and the state is that of the address space.
        let result = unsafe { self.host.enter(self.host.base_slot() + slot, entry, state) };
        let exit = self.exit(result, state);
        self.stats.count_passage(exit);
        exit
    }

    fn link(&mut self, site: Site, code: Code) {
        self.units.link(site, code, &self.host);
    }

    fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code) {
        self.units.link_indirect(pc, rounding, code, self.host.base_slot());
    }

    fn site_pc(&self, site: Site) -> u64 {
        self.units.site_pc(site)
    }

    fn forget_indirect(&mut self) {
        self.units.forget_indirect();
    }

    fn forget(&mut self, range: Range<u64>) {
        let waiting = self.batch.iter_mut().map(|(_, waiting)| waiting);
        let waiting = waiting.chain(self.installing.iter_mut().flat_map(|(_, waiting)| waiting));
        for waiting in waiting.chain(self.finished.iter_mut().map(|(waiting, _)| waiting)) {
            waiting.is_forgotten |= waiting.span.start < range.end && range.start < waiting.span.end;
        }
        self.stats.invalidated += self.units.forget(&range, self.host.base_slot()) as u64;
    }

    fn clear(&mut self) {
        self.batch.clear();
        self.finished.clear();
        // Numbers of modules are not used again, so that what comes of them is known to be nobody's; neither are the slots
        // that they fill then.
        self.units.clear(!self.installing.is_empty() || self.units.is_attaching());
        self.installing.clear();
        self.bytes = 0;
        // The table may be another one by now.
        self.begun = false;
    }

    fn stats(&self) -> TierStats {
        self.stats.clone()
    }

    fn code_bytes(&self) -> usize {
        self.bytes
    }

    fn most_code_bytes(&self) -> usize {
        self.most_bytes
    }
}

/// Computes a floating-point op as compiled code asks: `what` has the op in bits 7:0 and the rounding mode above. Singles
/// are in the low halves of operands and result.
pub fn float(state: &mut State, what: u32, args: [u64; 3]) -> u64 {
    let op = Op::ALL[what as usize & 0xff];
    let rm = what >> 8;
    if let Some(rm) = Rm::from_bits(if rm == 7 { state.frm } else { rm }) {
        if let Some(result) = quick(op, rm, args, &mut state.fflags) {
            return result;
        }
    }
    evaluate_float(op, rm.into(), args, state.frm, &mut state.fflags)
}

/// The common ops by the host's arithmetic, where that shows the flags too.
fn quick(op: Op, rm: Rm, [a, b, c]: [u64; 3], flags: &mut u32) -> Option<u64> {
    let (s, t, u) = (a as u32, b as u32, c as u32);
    Some(match op {
        Op::FaddD => fast::add_f64(a, b, rm, flags)?,
        Op::FsubD => fast::sub_f64(a, b, rm, flags)?,
        Op::FmulD => fast::mul_f64(a, b, rm, flags)?,
        Op::FdivD => fast::div_f64(a, b, rm, flags)?,
        Op::FsqrtD => fast::sqrt_f64(a, rm, flags)?,
        Op::FmaD => fast::fma_f64(a, b, c, rm, flags)?,
        Op::FmsD => fast::fms_f64(a, b, c, rm, flags)?,
        Op::FnmsD => fast::fnms_f64(a, b, c, rm, flags)?,
        Op::FnmaD => fast::fnma_f64(a, b, c, rm, flags)?,
        Op::CvtF32F64 => fast::f64_to_f32(a, rm, flags)?.into(),
        Op::FaddS => fast::add_f32(s, t, rm, flags)?.into(),
        Op::FsubS => fast::sub_f32(s, t, rm, flags)?.into(),
        Op::FmulS => fast::mul_f32(s, t, rm, flags)?.into(),
        Op::FdivS => fast::div_f32(s, t, rm, flags)?.into(),
        Op::FsqrtS => fast::sqrt_f32(s, rm, flags)?.into(),
        Op::FmaS => fast::fma_f32(s, t, u, rm, flags)?.into(),
        Op::FmsS => fast::fms_f32(s, t, u, rm, flags)?.into(),
        Op::FnmsS => fast::fnms_f32(s, t, u, rm, flags)?.into(),
        Op::FnmaS => fast::fnma_f32(s, t, u, rm, flags)?.into(),
        _ => return None,
    })
}

/// Makes a module of one region, to be looked at: its function is the only one that it does not import. Guest address 0 is
/// at 0x1000_0000 of the memory, the state at 0x1_0000, page bytes at 0x10_0000; what reaches other code, at made-up
/// addresses from 0x20_0000 on.
///
/// # Errors
/// Why the region cannot be compiled.
pub fn inspect(region: &Region, features: Features, form: AccessForm) -> Result<Vec<u8>, &'static str> {
    let layout = Layout { window: 0x1000_0000, state: 0x1_0000, pages: 0x10_0000 };
    let targets: BTreeSet<u64> = cfg::targets(region).collect();
    let cells = (0x20_4000..).step_by(size_of::<layout::Cell>());
    let links =
        emit::Links { cells: targets.into_iter().zip(cells).collect(), cache: 0x20_0000, placing: emit::Placing::Here };
    let plan = Plan::new(region, MAX_ENTRIES, form);
    let body = Emitter::new(region, &plan, &links, FIRST_FUNCTION, layout, features).emit()?;
    let compiled = Compiled { slot: FIRST_SLOT, body, ty: emit::types::CODE };
    Ok(module(&[compiled], 0))
}
