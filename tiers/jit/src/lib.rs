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
mod floats;
mod host;
mod memory;
mod plan;
mod units;
mod worker;

pub use compile::inspect;

use compile::Compiler;
use friscy_lift_ir::{Region, RoundingClass};
use friscy_seam::{Code, EXIT_KINDS, Exit, MemoryFault, Prepared, Site, State, Tier};
use host::{exit, word};
use std::ops::Range;
use units::Units;
use worker::Queue;

/// The compiled tier of one address space, or of several that share code.
pub struct Jit {
    units: Units,
    by: By,
    max_bytes: usize,
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
        Jit { units: Units::new(), by: By::Caller(Box::new(Compiler::new())), max_bytes }
    }

    /// As [`Jit::new`], but every register that the state lacks is stored before every access that may fault: to be
    /// measured beside finding them at the fault.
    ///
    /// # Panics
    /// As [`Jit::new`].
    pub fn storing_all(max_bytes: usize) -> Jit {
        let mut compiler = Compiler::new();
        compiler.stores_all = true;
        Jit { units: Units::new(), by: By::Caller(Box::new(compiler)), max_bytes }
    }

    /// As [`Jit::new`], but a thread compiles: [`Tier::prepare`] says [`Prepared::Pending`].
    pub fn in_background(max_bytes: usize) -> Jit {
        Jit { units: Units::new(), by: By::Worker(Queue::new()), max_bytes }
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
        if !memory::is_there() {
            return Prepared::Refused("the host has no memory for code");
        }
        if self.units.memory.bytes() >= self.max_bytes {
            return Prepared::Full;
        }
        let Some(links) = self.units.links(region) else { return Prepared::Full };
        let compiler = match &mut self.by {
            By::Caller(compiler) => compiler,
            By::Worker(queue) => {
                let taken = queue.add(region, links);
                return if taken { Prepared::Pending } else { Prepared::Refused("the host refuses a thread") };
            }
        };
        match compiler.compile(region, &links) {
            Ok(finished) => self.units.install(region, finished).map_or(Prepared::Full, Prepared::Ready),
            Err(why) => Prepared::Refused(why),
        }
    }

    fn finished(&mut self) -> Option<(u64, RoundingClass, Prepared)> {
        let By::Worker(queue) = &mut self.by else { return None };
        let answer = queue.take()?;
        let prepared = match answer.result {
            Ok(finished) => self.units.install(&answer.region, finished).map_or(Prepared::Full, Prepared::Ready),
            Err(why) => Prepared::Refused(why),
        };
        Some((answer.region.pc, answer.region.rounding, prepared))
    }

    fn entries(&self, code: Code) -> Vec<(u64, Code)> {
        self.units.entries(code).collect()
    }

    unsafe fn enter(&mut self, code: Code, state: &mut State) -> Exit {
        let (start, entry) = self.units.start_of(code);
        state.tier[word::TIER] = self as *const Jit as u64;
        let (window, fuel) = (state.window, state.fuel);
        let st: *mut State = state;
        // SAFETY: the caller's promise: the code is alive, the state lies below the window that it was made for, the
        // handler for faults is installed. While it runs, this tier is only read, by `fault::recover`.
        let result = unsafe {
            friscy_fp::sse::clear_flags();
            let result = host::friscy_jit_enter(start, window, entry, fuel);
            (*st).fflags |= friscy_fp::sse::flags();
            result
        };
        if result & 1 == 0 {
            state.pc = result;
            return Exit::Goto { site: None };
        }
        let number = result >> 8;
        match result >> 1 & 0x7f {
            exit::SITE => {
                let site = Site(number as u32);
                state.pc = self.units.site_target(site);
                Exit::Goto { site: Some(site) }
            }
            exit::FUEL => Exit::Fuel,
            exit::BELOW => Exit::Below,
            exit::FAULT => Exit::Fault,
            exit::MISALIGNED => {
                let addr = state.tier[word::ARGUMENT];
                state.fault = MemoryFault { addr, write: false, beyond_object: false, misaligned: true };
                Exit::Fault
            }
            _ => Exit::Kind(EXIT_KINDS[number as usize % EXIT_KINDS.len()]),
        }
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
        self.units.forget(&range);
    }

    fn clear(&mut self) {
        if let By::Worker(queue) = &mut self.by {
            queue.clear();
        }
        self.units.clear();
    }

    fn code_bytes(&self) -> usize {
        self.units.memory.bytes()
    }

    fn most_code_bytes(&self) -> usize {
        self.units.most_bytes()
    }
}
