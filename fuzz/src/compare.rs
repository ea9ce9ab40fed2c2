//! Running a program on all executors side by side.

use crate::evaluator::Evaluator;
use crate::memory::{Model, Object, PAGES, PATCH};
#[cfg(not(feature = "software-checks"))]
use crate::native as cpu;
use crate::program::{Image, Program};
use crate::random::Random;
#[cfg(feature = "software-checks")]
use crate::soft as cpu;
use friscy_boundary::{Access, Exit, PAGE_SIZE, Ran, Regs};
use friscy_isa::{Coverage, decode};
use friscy_lift_ir::{CodeSource, Limits};
use std::fmt;

/// Regions of several blocks.
pub(crate) const LARGE: Limits = Limits { max_insts: 500, max_blocks: 50, follow_calls_return_site: true };

/// What was executed so far.
#[derive(Clone, Default, Debug)]
pub struct Totals {
    /// Programs.
    pub programs: u64,
    /// Runs of each executor.
    pub slices: u64,
    /// Guest instructions of the first executor.
    pub retired: u64,
    /// The slices by how they ended: system call, fuel, data fault, fetch fault, misaligned, breakpoint, illegal, counter
    /// read.
    pub exits: [u64; 8],
    /// Rows of the instruction table that were in programs.
    pub coverage: Coverage,
}

/// Where two executors differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The executor that differs from the evaluator of one block at a time.
    pub executor: &'static str,
    /// The run, from 0.
    pub slice: usize,
    /// What differs: what the evaluator has, then the other.
    pub what: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} differs in run {}: {}", self.executor, self.slice, self.what.join("; "))
    }
}

/// Something that executes programs.
pub(crate) trait Executor {
    fn name(&self) -> &'static str;

    /// As `friscy_boundary::Cpu::run`; nothing if what the program does is not specified.
    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Option<Ran>;

    /// Reads a page that may be read.
    fn read(&mut self, addr: u64, page: &mut [u8]);

    /// Whether a load that may not be made ends its run.
    fn sees_faults(&self) -> bool {
        true
    }
}

struct Plain(&'static str, Evaluator);

impl Executor for Plain {
    fn name(&self) -> &'static str {
        self.0
    }

    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Option<Ran> {
        self.1.run(regs, fuel)
    }

    fn read(&mut self, addr: u64, page: &mut [u8]) {
        page.copy_from_slice(self.1.memory.page(addr));
    }
}

/// Runs `program` on all executors.
///
/// # Errors
/// The first difference.
pub fn compare(program: &Program, totals: &mut Totals) -> Result<(), Difference> {
    let image = program.layout();
    let memory = program.memory(&image);
    note(&image, totals);
    let plain = |name, limits, optimise| Plain(name, Evaluator::new(program.memory(&image), limits, optimise));
    // Little room for code now and then, so that it is cleared and made again.
    let room = if program.kernel & 7 == 0 { 24 << 10 } else { 1 << 20 };
    let mut first = plain("evaluator", Limits::COLD, false);
    let mut others = cpu::executors(&memory, room);
    others.push(Box::new(plain("evaluator of large regions", LARGE, false)));
    others.push(Box::new(plain("evaluator of optimised regions", LARGE, true)));
    let mut regs = program.regs.clone();
    regs.pc = image.address(0);
    let mut kernel = Random(program.kernel);
    for (slice, &fuel) in program.slices.iter().enumerate() {
        let before = regs.clone();
        let Some(ran) = first.run(&mut regs, fuel) else { return Ok(()) };
        totals.slices += 1;
        totals.retired += ran.retired;
        totals.exits[number_of(ran.exit)] += 1;
        if matches!(ran.exit, Exit::Fault { access: Access::Read, .. }) {
            others.retain(|other| other.sees_faults());
        }
        for other in &mut others {
            let mut theirs = before.clone();
            let what = differences(&mut first, other.as_mut(), &regs, ran, &mut theirs, fuel);
            if !what.is_empty() {
                return Err(Difference { executor: other.name(), slice, what });
            }
        }
        go_on(&mut regs, ran.exit, &mut first.1.memory, &image, &mut kernel);
    }
    Ok(())
}

/// Marks the instructions of a program as seen.
fn note(image: &Image, totals: &mut Totals) {
    totals.programs += 1;
    let mut at = 0;
    while let Some(bytes) = image.code.get(at..).filter(|rest| rest.len() >= 2) {
        let half = |i: usize| {
            u32::from(bytes.get(i).copied().unwrap_or(0)) | u32::from(bytes.get(i + 1).copied().unwrap_or(0)) << 8
        };
        if let Some(inst) = decode(half(0) | half(2) << 16) {
            totals.coverage.mark(&inst);
        }
        at += if half(0) & 3 == 3 { 4 } else { 2 };
    }
}

fn number_of(exit: Exit) -> usize {
    match exit {
        Exit::Syscall => 0,
        Exit::Fuel => 1,
        Exit::Fault { access: Access::Execute, .. } => 3,
        Exit::Fault { .. } => 2,
        Exit::Misaligned { .. } => 4,
        Exit::Breakpoint => 5,
        Exit::Illegal { .. } | Exit::LostFault | Exit::Poisoned => 6,
        Exit::ReadCsr { .. } => 7,
    }
}

/// Runs one slice on another executor and says how it differs.
fn differences(
    first: &mut dyn Executor,
    other: &mut dyn Executor,
    regs: &Regs,
    ran: Ran,
    theirs: &mut Regs,
    fuel: u64,
) -> Vec<String> {
    let mut what = Vec::new();
    let Some(other_ran) = other.run(theirs, fuel) else {
        return vec!["not specified".to_string()];
    };
    let mut same = |name: &str, a: u64, b: u64| {
        if a != b {
            what.push(format!("{name} {a:#x} / {b:#x}"));
        }
    };
    same("pc", regs.pc, theirs.pc);
    same("retired", ran.retired, other_ran.retired);
    same("fflags", regs.fflags.into(), theirs.fflags.into());
    same("frm", regs.frm.into(), theirs.frm.into());
    for r in 0..32 {
        same(&format!("x{r}"), regs.x[r], theirs.x[r]);
        same(&format!("f{r}"), regs.f[r], theirs.f[r]);
    }
    if ran.exit != other_ran.exit {
        what.push(format!("exit {:x?} / {:x?}", ran.exit, other_ran.exit));
    }
    let (mut a, mut b) = (vec![0; PAGE_SIZE as usize], vec![0; PAGE_SIZE as usize]);
    for page in PAGES.iter().filter(|page| page.prot.write && page.object != Object::Beyond) {
        first.read(page.addr, &mut a);
        other.read(page.addr, &mut b);
        if let Some(at) = (0..a.len()).find(|&i| a[i] != b[i]) {
            let addr = page.addr + at as u64;
            what.push(format!("byte at {addr:#x} {:#x} / {:#x}", a[at], b[at]));
        }
    }
    what
}

/// What the kernel does between two runs: it steps over what stopped the program, or continues elsewhere.
fn go_on(regs: &mut Regs, exit: Exit, memory: &mut Model, image: &Image, kernel: &mut Random) {
    let len = match memory.fetch(regs.pc) {
        Ok(bits) if bits & 3 != 3 => 2,
        _ => 4,
    };
    match exit {
        Exit::Fuel => {}
        Exit::Fault { access: Access::Execute, .. } | Exit::LostFault | Exit::Poisoned => {
            regs.pc = image.address(kernel.below(image.addresses.len() as u64) as usize);
        }
        Exit::ReadCsr { rd, .. } => {
            if rd != 0 {
                regs.x[rd as usize & 31] = kernel.bits();
            }
            regs.pc = regs.pc.wrapping_add(4);
        }
        Exit::Syscall => {
            regs.x[10] = kernel.integer();
            regs.pc = regs.pc.wrapping_add(4);
        }
        // Behind the end is nothing to step over.
        Exit::Illegal { .. } if regs.pc >= image.address(usize::MAX) && regs.pc < PATCH => {
            regs.pc = image.address(kernel.below(image.addresses.len() as u64) as usize);
        }
        _ => regs.pc = regs.pc.wrapping_add(len),
    }
    // An invalid mode makes most floating-point instructions illegal: it is left at the first one, most times.
    let stuck = regs.frm > 4 && matches!(exit, Exit::Illegal { .. });
    if kernel.one_in(8) || stuck && !kernel.one_in(4) {
        regs.frm = kernel.frm();
    }
}
