//! The compiled tier: regions become host code by Cranelift.
//!
//! A region is one function. Guest registers are values within it and in [`State`] at calls, returns and exits; what an
//! access that may fault needs of them is stored before it, or found in the places that the code generator reports
//! ([`fault`]). The start of the guest's window is in a register of its own, with the state a fixed way below it
//! ([`friscy_seam::access::STATE_BELOW`]).
//!
//! This crate knows the IR and the seam. It must never know another tier, RISC-V encodings, files or processes.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a thread compiles")]

mod compile;
mod emit;
mod fault;
mod flags;
mod floats;
mod host;
mod jump_cache;
mod live;
mod memory;
mod placed;
mod plan;
mod saved;
mod symbol;
mod units;
mod worker;

pub use compile::{inspect, version};
pub use placed::{Placed, keep_placed, take_placed};
pub use worker::without_threads;

use bytes::Bytes;
use compile::{Compiler, Finished};
use emit::Emitted;
use friscy_lift_ir::{Region, RoundingClass};
use friscy_seam::{Code, Exit, Left, MemoryFault, Prepared, Site, Size, State, Tier, TierStats};
use host::word;
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, Instant};
use units::Units;
use worker::{Answer, Queue};

/// The compiled tier of one address space, or of several that share code.
pub struct Jit {
    units: Units,
    by: By,
    max_bytes: usize,
    stats: TierStats,
    /// See [`Jit::by_way_of_bytes`].
    saves: bool,
    /// What was ever compiled, by entry.
    compiled: FxHashSet<(u64, RoundingClass)>,
}

/// Who compiles.
enum By {
    /// Whoever asks.
    Caller(Box<Compiler>),
    /// A thread.
    Worker(Queue),
}

impl Jit {
    /// A tier whose code may take up to `max_bytes` bytes of host memory, and that compiles when it is asked to.
    ///
    /// # Panics
    /// If Cranelift does not know this host, which is an x86-64.
    pub fn new(max_bytes: usize) -> Jit {
        Jit::by(By::Caller(Box::new(Compiler::new())), max_bytes)
    }

    /// As [`Jit::new`], but every register that the state lacks is stored before every access that may fault: to be
    /// measured beside finding them at the fault.
    ///
    /// # Panics
    /// As [`Jit::new`].
    pub fn storing_all(max_bytes: usize) -> Jit {
        let mut compiler = Compiler::new();
        compiler.stores_all = true;
        Jit::by(By::Caller(Box::new(compiler)), max_bytes)
    }

    /// As [`Jit::new`], but all code goes by way of bytes, as what another process has kept: to be compared.
    ///
    /// # Panics
    /// As [`Jit::new`].
    pub fn by_way_of_bytes(max_bytes: usize) -> Jit {
        Jit { saves: true, ..Jit::new(max_bytes) }
    }

    /// As [`Jit::new`], but a thread compiles: [`Tier::prepare`] says [`Prepared::Pending`].
    pub fn in_background(max_bytes: usize) -> Jit {
        Jit::by(By::Worker(Queue::new()), max_bytes)
    }

    fn by(by: By, max_bytes: usize) -> Jit {
        let (stats, compiled) = (TierStats::default(), FxHashSet::default());
        Jit { units: Units::new(), by, max_bytes, stats, saves: false, compiled }
    }

    /// Makes a region's code known, or says why there is none.
    fn install(&mut self, region: &Region, result: Emitted<Finished>, time: Duration) -> Prepared {
        self.stats.compile_nanos += u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut finished = match result {
            Ok(finished) => finished,
            Err(why) => return self.refuse(why),
        };
        if self.saves {
            match saved::save(&finished).and_then(|bytes| saved::restore(&bytes.into())) {
                Some(again) => finished = again,
                None => return self.refuse("what was saved is not what can be restored"),
            }
        }
        let (bytes, attempts, stores) = (finished.code.len(), finished.attempts, finished.stores);
        let Some(code) = self.place(region, finished) else { return Prepared::Full };
        let is_new = self.compiled.insert((region.pc, region.rounding));
        *(if is_new { &mut self.stats.regions } else { &mut self.stats.again }) += 1;
        self.stats.count_region(Size::of(region), bytes);
        self.stats.attempts += attempts as u64;
        self.stats.stores += stores as u64;
        Prepared::Ready(code)
    }

    /// Gives a region's code its place. Nothing if there is no room.
    fn place(&mut self, region: &Region, finished: Finished) -> Option<Code> {
        let len = finished.code.len();
        let code = self.units.install(region, finished)?;
        placed::note(Placed { start: self.units.start_of(code).0 as usize, len, pc: region.pc });
        Some(code)
    }

    /// What the word says that compiled code returned.
    fn exit(&self, result: u64, state: &mut State) -> Exit {
        match Left::of(result) {
            Left::Goto(pc) => {
                state.pc = pc;
                Exit::Goto { site: None, kind: None }
            }
            Left::By(site) => {
                state.pc = self.units.site_target(site);
                Exit::Goto { site: Some(site), kind: None }
            }
            Left::Fuel => Exit::Fuel,
            Left::Below => Exit::Below,
            Left::Kind(kind) => Exit::Kind(kind),
            Left::Fault => Exit::Fault,
            Left::Rerun(instructions) => Exit::Rerun { instructions },
            Left::Misaligned => {
                let addr = state.tier[word::ARGUMENT];
                state.fault = MemoryFault { addr, write: false, beyond_object: false, misaligned: true };
                Exit::Fault
            }
        }
    }

    fn translate(&mut self, region: Cow<'_, Region>) -> Prepared {
        if matches!(self.by, By::Worker(_)) && worker::is_without() {
            self.by = By::Caller(Box::new(Compiler::new()));
        }
        if !memory::is_there() {
            return self.refuse("the host has no memory for code");
        }
        if self.units.memory.bytes() >= self.max_bytes {
            return Prepared::Full;
        }
        let compiler = match &mut self.by {
            By::Caller(compiler) => compiler,
            By::Worker(queue) => {
                let taken = queue.add(region.into_owned());
                return if taken { Prepared::Pending } else { self.refuse("the host refuses a thread") };
            }
        };
        let begin = Instant::now();
        let result = compiler.compile(&region);
        self.install(&region, result, begin.elapsed())
    }

    fn refuse(&mut self, why: &'static str) -> Prepared {
        self.stats.count_refused(why);
        Prepared::Refused(why)
    }
}

impl Tier for Jit {
    fn name(&self) -> &'static str {
        "jit"
    }

    fn wants_promoted(&self) -> bool {
        true
    }

    fn prepare(&mut self, region: &Region) -> Prepared {
        self.translate(Cow::Borrowed(region))
    }

    fn prepare_owned(&mut self, region: Region) -> Prepared {
        self.translate(Cow::Owned(region))
    }

    fn finished(&mut self) -> Option<(u64, RoundingClass, Prepared)> {
        let By::Worker(queue) = &mut self.by else { return None };
        let Answer { region, result, time, .. } = queue.take()?;
        let prepared = self.install(&region, result, time);
        Some((region.pc, region.rounding, prepared))
    }

    fn is_idle(&self) -> bool {
        match &self.by {
            By::Caller(_) => true,
            By::Worker(queue) => queue.leaves_one_idle(),
        }
    }

    fn entries(&self, code: Code) -> Vec<(u64, Code)> {
        self.units.entries(code).collect()
    }

    fn save(&self, code: Code) -> Option<Vec<u8>> {
        saved::save(&self.units.finished(code))
    }

    fn restore(&mut self, outline: &Region, saved: Bytes) -> Prepared {
        if !memory::is_there() {
            return self.refuse("the host has no memory for code");
        }
        if self.units.memory.bytes() >= self.max_bytes {
            return Prepared::Full;
        }
        let Some(finished) = saved::restore(&saved) else { return self.refuse("what was kept is damaged") };
        let Some(code) = self.place(outline, finished) else { return Prepared::Full };
        self.stats.restored += 1;
        Prepared::Ready(code)
    }

    unsafe fn enter(&mut self, code: Code, state: &mut State) -> Exit {
        let (start, entry) = self.units.start_of(code);
        state.tier[word::TIER] = self as *const Jit as u64;
        let (window, fuel) = (state.window, state.fuel);
        let st: *mut State = state;
        // SAFETY: the caller's promise: the code is alive, the state lies below the window that it was made for, the
        // handler for faults is installed. While it runs, this tier is only read, by `fault::recover`.
        let result = unsafe {
            friscy_fp::sse::set_mxcsr(flags::begin(&mut *st));
            let result = host::friscy_jit_enter(start, window, entry, fuel, st);
            flags::end(&mut *st);
            result
        };
        let exit = self.exit(result, state);
        self.stats.count_passage(exit);
        exit
    }

    fn link(&mut self, site: Site, code: Code) {
        self.units.link(site, code);
    }

    fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code) {
        self.units.link_indirect(pc, rounding, code);
    }

    fn site_pc(&self, site: Site) -> u64 {
        self.units.site_pc(site)
    }

    fn forget_indirect(&mut self) {
        self.units.forget_indirect();
    }

    fn forget(&mut self, range: Range<u64>) {
        if let By::Worker(queue) = &mut self.by {
            queue.forget(&range);
        }
        self.stats.invalidated += self.units.forget(&range) as u64;
    }

    fn clear(&mut self) {
        if let By::Worker(queue) = &mut self.by {
            queue.clear();
        }
        self.units.clear();
    }

    fn stats(&self) -> TierStats {
        self.stats.clone()
    }

    fn code_bytes(&self) -> usize {
        self.units.memory.bytes()
    }

    fn most_code_bytes(&self) -> usize {
        self.units.most_bytes()
    }
}
