//! Running everything twice: first by a reference, then, when what that wrote was taken back, by the tiers that are
//! checked. At the first difference nothing runs any more.
//!
//! Fuel is exact at every preemption point on all tiers, so that both runs end at the same one, and the first at which
//! they differ is found by repeating both with less fuel.
//!
//! Code that a guest changes may be seen by one run and not yet by the other until its `fence.i`, as RISC-V allows: a guest
//! that has none where it needs one differs from itself.

use super::code::Code;
use super::journal::{Journal, PageDifference};
use super::sharing::Sharing;
use super::space::{Hart, NativeSpace};
use crate::lift::Translator;
use crate::run::RunMemory;
use friscy_boundary::{Exit, MmId, Ran, Regs};
use friscy_seam::Tier;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Fuel between two comparisons, in guest instructions: few enough that the pages they can write are no burden.
const SLICE: u64 = 1 << 16;

/// The most pages that are told of.
const MAX_PAGES: usize = 8;

/// What one of two runs came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Registers and pc.
    pub regs: Regs,
    /// Why it stopped.
    pub exit: Exit,
    /// Instructions that were retired since the point from which both ran.
    pub retired: u64,
}

/// A difference between the reference and what is checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// pc of the last point at which both were known to be the same.
    pub same_pc: u64,
    /// Instructions that the address space had retired there.
    pub same_retired: u64,
    /// What the reference came to from there.
    pub reference: Side,
    /// What the checked tiers came to.
    pub checked: Side,
    /// Pages of memory in which they differ, at most eight.
    pub pages: Vec<PageDifference>,
    /// Whether it was there each time that the runs were repeated; if not, it is somewhere in what was run.
    pub repeated: bool,
}

/// Why nothing runs any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// There is a difference.
    Differs(Box<Difference>),
    /// The host had no memory or no mappings left to compare with.
    Unable,
}

/// Looks at the comparisons of a [`super::NativeCpu`], from outside of the machine that has it.
#[derive(Clone, Default)]
pub struct Crosscheck(Rc<RefCell<Log>>);

#[derive(Default)]
struct Log {
    comparisons: u64,
    pages: u64,
    ended: Option<Ended>,
}

impl Crosscheck {
    /// Why nothing runs any more; nothing while all is well.
    pub fn ended(&self) -> Option<Ended> {
        self.0.borrow().ended.clone()
    }

    /// How many runs were compared, and how many pages of memory that they wrote.
    pub fn compared(&self) -> (u64, u64) {
        let log = self.0.borrow();
        (log.comparisons, log.pages)
    }
}

/// An address space that runs.
pub(super) struct Subject<'a> {
    pub memory: &'a mut NativeSpace,
    pub state: &'a mut Hart,
    pub code: &'a mut Code,
    pub sharing: &'a mut Sharing,
    pub translator: &'a mut Translator,
}

/// The reference's side of an address space.
struct Reference {
    code: Code,
    retired: u64,
}

/// The reference, and what came of comparing with it.
pub(super) struct Check {
    sharing: Sharing,
    spaces: BTreeMap<MmId, Reference>,
    crosscheck: Crosscheck,
}

/// What two runs from the same point came to.
struct Pair {
    reference: Side,
    checked: Side,
    pages: Vec<PageDifference>,
}

impl Pair {
    fn is_same(&self) -> bool {
        self.reference == self.checked && self.pages.is_empty()
    }
}

impl Check {
    /// Compares with what tiers do that `make_tier` makes.
    pub fn new(make_tier: Box<dyn Fn() -> Box<dyn Tier>>) -> Check {
        Check { sharing: Sharing::new(make_tier, None), spaces: BTreeMap::new(), crosscheck: Crosscheck::default() }
    }

    /// Looks at the comparisons.
    pub fn crosscheck(&self) -> Crosscheck {
        self.crosscheck.clone()
    }

    /// As [`friscy_boundary::Cpu::fork_from`]; `same` if the child has all that the parent has.
    pub fn fork(&mut self, parent: MmId, child: MmId, same: bool) {
        if let Some(Reference { code, retired }) = self.spaces.get(&parent) {
            let forked = Reference { code: code.fork(same, &mut self.sharing), retired: *retired };
            self.spaces.insert(child, forked);
        }
    }

    /// As [`friscy_boundary::Cpu::destroy`].
    pub fn destroy(&mut self, mm: MmId) {
        self.spaces.remove(&mm);
    }

    /// The reference's code of an address space, and what makes it.
    pub fn code(&mut self, mm: MmId) -> Option<(&mut Code, &mut Sharing)> {
        self.spaces.get_mut(&mm).map(|space| (&mut space.code, &mut self.sharing))
    }

    /// Runs as [`friscy_boundary::Cpu::run`] says, and compares.
    ///
    /// # Safety
    /// As for [`Code::run`].
    pub unsafe fn run(&mut self, mm: MmId, mut subject: Subject<'_>, regs: &mut Regs, fuel: u64) -> Ran {
        let mut retired = 0;
        while self.crosscheck.0.borrow().ended.is_none() {
            let slice = fuel.saturating_sub(retired).min(SLICE);
            // SAFETY: the caller's promise.
            match unsafe { self.slice(mm, &mut subject, regs, slice) } {
                Ok(ran) => {
                    retired += ran.retired;
                    if ran.exit != Exit::Fuel || retired >= fuel {
                        return Ran { exit: ran.exit, retired };
                    }
                }
                Err(ended) => self.crosscheck.0.borrow_mut().ended = Some(ended),
            }
        }
        Ran { exit: Exit::Poisoned, retired }
    }

    /// # Safety
    /// As for [`Code::run`].
    unsafe fn slice(&mut self, mm: MmId, subject: &mut Subject<'_>, regs: &mut Regs, fuel: u64) -> Result<Ran, Ended> {
        let journal = subject.memory.begin_journal().map_err(|_| Ended::Unable)?;
        let Check { sharing, spaces, crosscheck } = self;
        let space = spaces.entry(mm).or_insert_with(|| Reference { code: Code::new(sharing), retired: 0 });
        let fences = (space.code.fences(), subject.code.fences());
        let mut runs = Runs { subject, code: &mut space.code, sharing, journal: &journal, start: regs.clone(), fences };
        // SAFETY: the caller's promise.
        let pair = unsafe { runs.both(fuel) }?;
        if pair.is_same() {
            let mut log = crosscheck.0.borrow_mut();
            log.comparisons += 1;
            log.pages += journal.count() as u64;
            space.retired += pair.checked.retired;
            *regs = pair.checked.regs;
            return Ok(Ran { exit: pair.checked.exit, retired: pair.checked.retired });
        }
        // SAFETY: the caller's promise.
        let mut difference = unsafe { runs.locate(fuel, pair) }?;
        difference.same_retired += space.retired;
        *regs = difference.reference.regs.clone();
        Err(Ended::Differs(Box::new(difference)))
    }
}

/// Runs of both sides from one point.
struct Runs<'a, 'b> {
    subject: &'a mut Subject<'b>,
    /// The reference's.
    code: &'a mut Code,
    sharing: &'a mut Sharing,
    journal: &'a Journal,
    start: Regs,
    /// How often code was read anew when the runs began, by the reference and by what is checked.
    fences: (u64, u64),
}

impl Runs<'_, '_> {
    /// Runs the reference, takes back what it wrote, and runs what is checked.
    ///
    /// # Safety
    /// As for [`Code::run`].
    unsafe fn both(&mut self, fuel: u64) -> Result<Pair, Ended> {
        let Subject { memory, state, code, sharing, translator } = &mut *self.subject;
        let mut regs = self.start.clone();
        // SAFETY: the caller's promise.
        let ran = unsafe { self.code.run((memory, state), self.sharing, translator, &mut regs, fuel) };
        let reference = Side { regs, exit: ran.exit, retired: ran.retired };
        self.journal.take_back(true);
        let mut regs = self.start.clone();
        // SAFETY: the caller's promise.
        let ran = unsafe { code.run((memory, state), sharing, translator, &mut regs, fuel) };
        let checked = Side { regs, exit: ran.exit, retired: ran.retired };
        if self.journal.has_failed() {
            return Err(Ended::Unable);
        }
        Ok(Pair { reference, checked, pages: self.journal.differences(MAX_PAGES) })
    }

    /// Takes back what the last run wrote, code included.
    fn rewind(&mut self) {
        self.journal.take_back(false);
        let fences = (self.code.fences(), self.subject.code.fences());
        if fences != self.fences {
            self.fences = fences;
            let Subject { memory, code, sharing, .. } = &mut *self.subject;
            let changeable = memory.changeable_code();
            code.forget(&changeable, memory, sharing);
            self.code.forget(&changeable, memory, self.sharing);
        }
    }

    /// Finds the first preemption point at which both differ, when they did after `fuel`.
    ///
    /// # Safety
    /// As for [`Code::run`].
    unsafe fn locate(&mut self, fuel: u64, first: Pair) -> Result<Difference, Ended> {
        // Up to `same` both agree, with fuel for `apart` they do not. The first run only repeats what was.
        let (mut same, mut same_pc) = (0, self.start.pc);
        let (mut apart, mut pair, mut repeated) = (fuel, first, true);
        let mut middle = fuel;
        loop {
            self.rewind();
            // SAFETY: the caller's promise.
            let found = unsafe { self.both(middle) }?;
            if !found.is_same() {
                (apart, pair) = (middle, found);
            } else if found.checked.exit == Exit::Fuel && found.checked.retired < apart {
                (same, same_pc) = (found.checked.retired, found.checked.regs.pc);
            } else {
                repeated = false;
                break;
            }
            if apart.saturating_sub(same) <= 1 {
                break;
            }
            middle = same + (apart - same) / 2;
        }
        let Pair { mut reference, mut checked, pages } = pair;
        reference.retired = reference.retired.saturating_sub(same);
        checked.retired = checked.retired.saturating_sub(same);
        Ok(Difference { same_pc, same_retired: same, reference, checked, pages, repeated })
    }
}
