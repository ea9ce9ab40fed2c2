//! Compiles ELF files ahead of time: the functions of one become a module of wasm, which runs wherever the file is loaded.
//!
//! This crate knows ELF files, the IR and what makes wasm of it. It takes bytes and gives bytes: it must never know files of
//! the host, the engine, or where a module is used.
#![warn(missing_docs)]

mod elf;
mod error;
mod functions;
mod relocate;
mod tables;

pub use elf::is_program;
pub use error::AotError;

use elf::Program;
use friscy_lift_ir::lift::{CodeSource, FetchFault, Lifter, Limits};
use friscy_lift_ir::passes::{Inlining, Simplifier, inline_calls, optimise};
use friscy_lift_ir::{BlockData, Region, RoundingClass, Target, Term, cfg};
use friscy_wasm::ahead::{Builder, Origin};
use functions::Functions;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasmparser::{Validator, WasmFeatures};

/// The second address at which a file that may be loaded anywhere is lifted: no page of a guest is there, and no sum or
/// extension of the lower half of an address looks like an address there.
const ELSEWHERE: u64 = 0x2b5a_9e37_c6d4_a000;

/// How much of a function that is too long for one region goes into each of several.
const PART_INSTS: usize = 3000;
const PART_BLOCKS: usize = 700;

/// The same of functions by a profile: V8's optimising compiler, which such code soon comes to, takes a second for one of 200 KB,
/// and takes that from what runs beside it.
const CHOSEN_PART_INSTS: usize = 400;

/// What is compiled.
#[derive(Default)]
pub struct Options<'a> {
    /// What is compiled; all if nothing is said.
    pub only: Option<&'a Chosen>,
}

/// What of a file is compiled. Addresses are those of the file's headers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Chosen {
    /// Addresses whose functions are compiled.
    pub ranges: Vec<Range<u64>>,
    /// Where blocks begin that are known to run. Of a function with some of these no others are compiled but what control
    /// falls into from them: what is left out is left to other tiers.
    pub ran: BTreeSet<u64>,
    /// Such places where control is to be able to enter, beside those where functions begin and calls return to.
    pub entries: BTreeSet<u64>,
}

/// A module, and what it is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// The module of wasm.
    pub wasm: Vec<u8>,
    /// How many functions it has.
    pub functions: usize,
    /// How many were found in the file.
    pub found: usize,
    /// How many were left out, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
}

/// Compiles an ELF file. The same bytes give the same module.
///
/// # Errors
/// [`AotError`].
pub fn compile(bytes: &[u8], options: Options<'_>) -> Result<Module, AotError> {
    let program = Program::parse(bytes)?;
    let mut functions = Functions::find(&program);
    let found = functions.len();
    let mut work = Work::new(&program, options.only);
    let mut starts: BTreeSet<u64> = match options.only {
        Some(chosen) => functions.within(&chosen.ranges),
        None => functions.starts(),
    };
    let mut seen = starts.clone();
    while let Some(start) = starts.pop_first() {
        let targets = work.function(&functions, start);
        // What is chosen is all that is wanted.
        if options.only.is_none() {
            for target in targets {
                // What lies in the middle of a function is what did not fit into it, or is found too late.
                if program.is_code(target) && functions.may_start_at(target) && seen.insert(target) {
                    functions.add(target);
                    starts.insert(target);
                }
            }
        }
    }
    let origin = Origin {
        sha256: Sha256::digest(bytes).into(),
        is_relative: program.is_relative,
        segments: program.origin_segments(),
    };
    let functions = work.builder.functions();
    if functions == 0 {
        return Err(AotError::NoFunctions);
    }
    let (wasm, fused) = work.builder.finish(&origin);
    let features = WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL;
    let validate = |wasm: &[u8], features| {
        let valid = Validator::new_with_features(features).validate_all(wasm);
        valid.map_err(|error| AotError::Invalid(error.to_string()))
    };
    validate(&wasm, features)?;
    fused.map(|fused| validate(&fused, features | WasmFeatures::RELAXED_SIMD)).transpose()?;
    Ok(Module { wasm, functions, found: found.max(functions), left_out: work.left_out })
}

/// Compilation of one file.
struct Work<'a> {
    program: &'a Program<'a>,
    chosen: Option<&'a Chosen>,
    builder: Builder,
    lifter: Lifter,
    simplifier: Simplifier,
    region: Region,
    elsewhere: Region,
    /// All addresses at which code that was compiled is entered.
    covered: BTreeSet<u64>,
    left_out: BTreeMap<&'static str, usize>,
}

impl<'a> Work<'a> {
    fn new(program: &'a Program<'a>, chosen: Option<&'a Chosen>) -> Work<'a> {
        Work {
            program,
            chosen,
            builder: Builder::new(program.is_relative),
            lifter: Lifter::new(),
            simplifier: Simplifier::new(),
            region: Region::new(0, RoundingClass::Rne),
            elsewhere: Region::new(0, RoundingClass::Rne),
            covered: BTreeSet::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// Compiles the function at `start`; answers what it calls and jumps to.
    fn function(&mut self, functions: &Functions, start: u64) -> BTreeSet<u64> {
        let extent = functions.extent(start);
        // Places that are jumped to from outside, or through tables.
        let mut entries: BTreeSet<u64> = functions.entries(&extent);
        entries.insert(start);
        let ran = self.ran(&extent);
        if let Some(ran) = ran {
            entries.retain(|pc| ran.contains(pc));
            let more = self.chosen.into_iter().flat_map(|chosen| chosen.entries.range(extent.clone()));
            entries.extend(more.filter(|pc| ran.contains(pc)));
        }
        let mut targets = BTreeSet::new();
        if entries.is_empty() {
            *self.left_out.entry("never begun").or_default() += 1;
            return targets;
        }
        self.lift(&entries, &extent, &Limits::COMPILED);
        let of_tables = self.tables(&extent);
        if !of_tables.is_subset(&entries) {
            entries.extend(of_tables);
            self.lift(&entries, &extent, &Limits::COMPILED);
        }
        let is_long = ran.is_some() && self.region.guest_insts() > CHOSEN_PART_INSTS;
        if !is_long && !Limits::COMPILED.may_cut(&self.region) {
            self.make(&entries, &extent, &mut targets);
        } else {
            for (part, entries) in self.parts(entries, &extent) {
                self.lift(&entries, &part, &Limits::COMPILED);
                self.make(&entries, &part, &mut targets);
            }
        }
        targets.retain(|target| !self.covered.contains(target));
        targets
    }

    /// The blocks that are known to run, if there are any between these addresses.
    fn ran(&self, extent: &Range<u64>) -> Option<&'a BTreeSet<u64>> {
        let ran = &self.chosen?.ran;
        ran.range(extent.clone()).next().map(|_| ran)
    }

    /// Where jumps through tables lead in what was lifted.
    fn tables(&mut self, extent: &Range<u64>) -> BTreeSet<u64> {
        if !tables::has_jumps(&self.region) {
            return BTreeSet::new();
        }
        let ran = self.ran(extent);
        let mut region = self.region.clone();
        // Tables are found by what jumps go to by themselves, not by what they share.
        for block in &mut region.blocks {
            if let Term::Indirect { targets, .. } = &mut block.term {
                targets.clear();
            }
        }
        optimise(&mut region, &mut self.simplifier);
        let mut targets = tables::targets(&region, self.program, extent);
        targets.retain(|target| ran.is_none_or(|ran| ran.contains(target)));
        targets
    }

    /// The pieces of a function that is too long for one region, and where each is entered.
    fn parts(&mut self, mut entries: BTreeSet<u64>, extent: &Range<u64>) -> Vec<(Range<u64>, BTreeSet<u64>)> {
        loop {
            self.lift(&entries, extent, &Limits::FUNCTION);
            let of_tables = self.tables(extent);
            if of_tables.is_subset(&entries) {
                break;
            }
            entries.extend(of_tables);
        }
        let most = if self.ran(extent).is_some() { CHOSEN_PART_INSTS } else { PART_INSTS };
        let mut blocks: Vec<&BlockData> = self.region.blocks.iter().collect();
        blocks.sort_by_key(|block| block.pc);
        let mut cuts = vec![extent.start];
        let (mut insts, mut count) = (0, 0);
        for block in &blocks {
            (insts, count) = (insts + block.guest_offsets.len(), count + 1);
            if insts > most || count > PART_BLOCKS {
                cuts.push(block.pc);
                (insts, count) = (block.guest_offsets.len(), 1);
            }
        }
        cuts.push(extent.end);
        let part_of = |pc: u64| cuts.partition_point(|&cut| cut <= pc);
        let mut parts: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        for block in &blocks {
            if block.entry {
                parts.entry(part_of(block.pc)).or_default().insert(block.pc);
            }
            for edge in cfg::edges(&block.term) {
                let to = match &edge.target {
                    Target::Block(to, _) => self.region.blocks[to.index()].pc,
                    Target::Pc(pc) if extent.contains(pc) => *pc,
                    Target::Pc(_) => continue,
                };
                if part_of(to) != part_of(block.pc) || matches!(edge.target, Target::Pc(_)) {
                    parts.entry(part_of(to)).or_default().insert(to);
                }
            }
        }
        let range = |part: usize| Some(*cuts.get(part.checked_sub(1)?)?..*cuts.get(part)?);
        parts.into_iter().filter_map(|(part, entries)| Some((range(part)?, entries))).collect()
    }

    /// Improves what was lifted and makes its code; adds what it calls and jumps to to `targets`.
    fn make(&mut self, entries: &BTreeSet<u64>, extent: &Range<u64>, targets: &mut BTreeSet<u64>) {
        // What is called, and what has become known to be jumped to.
        targets.extend(cfg::targets(&self.region));
        let code = Code { program: self.program, ran: self.ran(extent), base: 0, extent, entries };
        code.improve(&mut self.lifter, &mut self.simplifier, &mut self.region);
        let is_made = self.relocate(entries, extent);
        targets.extend(cfg::targets(&self.region));
        if let Err(why) = is_made.and_then(|()| self.builder.add(&self.region)) {
            *self.left_out.entry(why).or_default() += 1;
        }
        // What is left out once would be again.
        self.covered.extend(self.region.blocks.iter().filter(|block| block.entry).map(|block| block.pc));
    }

    /// Lifts a region that is entered first at its first entry.
    fn lift(&mut self, entries: &BTreeSet<u64>, extent: &Range<u64>, limits: &Limits) {
        let code = Code { program: self.program, ran: self.ran(extent), base: 0, extent, entries };
        code.lift(limits, &mut self.lifter, &mut self.region);
    }

    /// Finds out which constants of the region depend on where the file is loaded.
    fn relocate(&mut self, entries: &BTreeSet<u64>, extent: &Range<u64>) -> Result<(), &'static str> {
        if !self.program.is_relative {
            return Ok(());
        }
        let code = Code { program: self.program, ran: self.ran(extent), base: ELSEWHERE, extent, entries };
        code.lift(&Limits::COMPILED, &mut self.lifter, &mut self.elsewhere);
        code.improve(&mut self.lifter, &mut self.simplifier, &mut self.elsewhere);
        relocate::relocate(&mut self.region, &self.elsewhere, ELSEWHERE)
    }
}

/// The code of one function, where its file is loaded at `base`. Addresses are as in the file's headers.
#[derive(Clone, Copy)]
struct Code<'a> {
    program: &'a Program<'a>,
    /// The blocks that are wanted, if not all are.
    ran: Option<&'a BTreeSet<u64>>,
    base: u64,
    extent: &'a Range<u64>,
    /// Where it is entered, first where the region begins.
    entries: &'a BTreeSet<u64>,
}

impl Code<'_> {
    /// Its entries where it is loaded.
    fn entries(&self) -> Vec<u64> {
        self.entries.iter().map(|pc| pc.wrapping_add(self.base)).collect()
    }

    fn lift(self, limits: &Limits, lifter: &mut Lifter, region: &mut Region) {
        let entries = self.entries();
        let start = self.extent.start.wrapping_add(self.base);
        let (&first, rest) = entries.split_first().unwrap_or((&start, &[]));
        let mut source = Source { code: self, is_bounded: true, entries: rest };
        lifter.lift_with_entries(first, rest, RoundingClass::Rne, &mut source, limits, region);
    }

    /// Makes calls of small functions of the file their code, and improves what was lifted.
    fn improve(self, lifter: &mut Lifter, simplifier: &mut Simplifier, region: &mut Region) {
        let entries = self.entries();
        let mut source = Source { code: self, is_bounded: false, entries: &[] };
        inline_calls(region, &entries, &Inlining::COMPILED, lifter, &mut source);
        optimise(region, simplifier);
    }
}

/// What code is lifted from.
struct Source<'a> {
    code: Code<'a>,
    /// Nothing outside the function is seen.
    is_bounded: bool,
    /// Where it is entered besides its first place.
    entries: &'a [u64],
}

impl CodeSource for Source<'_> {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        let address = pc.wrapping_sub(self.code.base);
        if self.is_bounded && !self.code.extent.contains(&address) {
            return Err(FetchFault);
        }
        self.code.program.fetch(address).ok_or(FetchFault)
    }

    fn is_wanted(&mut self, pc: u64) -> bool {
        self.code.ran.is_none_or(|ran| ran.contains(&pc.wrapping_sub(self.code.base)))
    }

    fn jump_targets(&mut self, _: &Region) -> Vec<u64> {
        self.entries.to_vec()
    }
}
