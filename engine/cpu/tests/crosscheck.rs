//! Comparing with a reference: what is wrong is found and where, and what is right goes on as if nobody looked.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use friscy_boundary::{Access, Backing, Cpu, Exit, Mapping, MmId, Prot, Ran, Regs};
use friscy_cpu::{Difference, Ended, NativeCpu, PageDifference};
use friscy_interp::Interp;
use friscy_lift_ir::{Region, RoundingClass};
use friscy_seam::{Code, Exit as TierExit, Prepared, Site, State, Tier};
use std::ops::Range;

const PAGE: u64 = 4096;
const CODE: u64 = 0x10000;
const DATA: u64 = 0x20000;

/// The interpreter, but for what `spoil` does whenever it stops.
struct Spoilt {
    interp: Interp,
    spoil: fn(&mut State),
}

impl Tier for Spoilt {
    fn name(&self) -> &'static str {
        "spoilt"
    }

    fn wants_promoted(&self) -> bool {
        self.interp.wants_promoted()
    }

    fn prepare(&mut self, region: &Region) -> Prepared {
        self.interp.prepare(region)
    }

    unsafe fn enter(&mut self, code: Code, state: &mut State) -> TierExit {
        // SAFETY: the caller's promise.
        let exit = unsafe { self.interp.enter(code, state) };
        (self.spoil)(state);
        exit
    }

    fn link(&mut self, site: Site, code: Code) {
        self.interp.link(site, code);
    }

    fn link_indirect(&mut self, pc: u64, rounding: RoundingClass, code: Code) {
        self.interp.link_indirect(pc, rounding, code);
    }

    fn site_pc(&self, site: Site) -> u64 {
        self.interp.site_pc(site)
    }

    fn forget_indirect(&mut self) {
        self.interp.forget_indirect();
    }

    fn forget(&mut self, range: Range<u64>) {
        self.interp.forget(range);
    }

    fn clear(&mut self) {
        self.interp.clear();
    }

    fn code_bytes(&self) -> usize {
        self.interp.code_bytes()
    }

    fn most_code_bytes(&self) -> usize {
        self.interp.most_code_bytes()
    }
}

/// Stores 1 to 1000 to the first word of data, in turns of three instructions after two.
const COUNT: &[&str] = &["addi a1,zero,1000", "addi a0,zero,0", "addi a0,a0,1", "sd a0,0(a2)", "bne a0,a1,-8", "ecall"];

/// Where a turn of [`COUNT`] begins.
const TURN: u64 = CODE + 8;

fn interp() -> Interp {
    Interp::new(1 << 20)
}

fn load(cpu: &mut NativeCpu, lines: &[&str]) -> MmId {
    let mm = cpu.create().unwrap();
    for (addr, prot) in [(CODE, Prot::RX), (DATA, Prot::RW)] {
        cpu.map(mm, &Mapping { addr, len: PAGE, prot, backing: Backing::Anonymous }).unwrap();
    }
    let code = lines.iter().flat_map(|line| friscy_isa::assemble(line).unwrap().to_le_bytes());
    cpu.poke(mm, CODE, &code.collect::<Vec<u8>>()).unwrap();
    mm
}

fn start() -> Regs {
    let mut regs = Regs { pc: CODE, ..Regs::default() };
    regs.x[12] = DATA;
    regs
}

/// Runs [`COUNT`] with a tier that is spoilt so, which must be found.
fn spoilt_by(spoil: fn(&mut State)) -> Difference {
    let make = move || Box::new(Spoilt { interp: interp(), spoil }) as Box<dyn Tier>;
    let mut cpu = NativeCpu::new(Box::new(make)).with_reference(Box::new(|| Box::new(interp())));
    let crosscheck = cpu.crosscheck().unwrap();
    let mm = load(&mut cpu, COUNT);
    let mut regs = start();
    assert_eq!(cpu.run(mm, &mut regs, 1 << 20), Ran { exit: Exit::Poisoned, retired: 0 });
    // Nothing runs any more.
    assert_eq!(cpu.run(mm, &mut start(), 1 << 20), Ran { exit: Exit::Poisoned, retired: 0 });
    let Some(Ended::Differs(difference)) = crosscheck.ended() else { panic!("{:?}", crosscheck.ended()) };
    assert_eq!(regs, difference.reference.regs);
    assert!(difference.repeated);
    *difference
}

/// The difference is in the turn that counts to 500, the reference being right.
#[track_caller]
fn check_place(difference: &Difference) {
    assert_eq!((difference.same_pc, difference.same_retired), (TURN, 2 + 3 * 499));
    assert_eq!((difference.reference.retired, difference.reference.exit), (3, Exit::Fuel));
    assert_eq!((difference.reference.regs.pc, difference.reference.regs.x[10]), (TURN, 500));
}

#[test]
fn a_wrong_register_is_found() {
    let difference = spoilt_by(|state| state.x[15] = u64::from(state.x[10] >= 500));
    check_place(&difference);
    let mut right = difference.checked.clone();
    assert_eq!(std::mem::take(&mut right.regs.x[15]), 1);
    assert_eq!(right, difference.reference);
    assert!(difference.pages.is_empty());
}

#[test]
fn wrong_flags_are_found() {
    let difference = spoilt_by(|state| state.fflags = 0x10 * u32::from(state.x[10] >= 500));
    check_place(&difference);
    assert_eq!((difference.reference.regs.fflags, difference.checked.regs.fflags), (0, 0x10));
}

#[test]
fn a_wrong_floating_point_register_is_found() {
    let difference = spoilt_by(|state| state.f[31] = u64::from(state.x[10] >= 500));
    check_place(&difference);
    assert_eq!((difference.reference.regs.f[31], difference.checked.regs.f[31]), (0, 1));
}

#[test]
fn a_wrong_count_is_found() {
    let difference = spoilt_by(|state| state.fuel -= i64::from(state.x[10] >= 500));
    check_place(&difference);
    assert_eq!(difference.checked.retired, 4);
}

#[test]
fn a_wrong_byte_of_memory_is_found() {
    let difference = spoilt_by(|state| {
        if state.x[10] >= 500 {
            // SAFETY: a mapped page of the window.
            unsafe { *state.window.add(DATA as usize + 0x123) = 0xff };
        }
    });
    check_place(&difference);
    assert_eq!(difference.checked, difference.reference);
    let page = PageDifference {
        addr: DATA + 0x123,
        bytes: 1,
        reference: vec![0; 8],
        checked: vec![0xff, 0, 0, 0, 0, 0, 0, 0],
    };
    assert_eq!(difference.pages, [page]);
}

#[test]
fn a_wrong_end_is_found() {
    let difference = spoilt_by(|state| {
        if state.x[10] == 1000 {
            state.pc = CODE;
        }
    });
    assert_eq!((difference.same_pc, difference.same_retired), (TURN, 2 + 3 * 999));
    assert_eq!((difference.reference.exit, difference.reference.regs.pc), (Exit::Syscall, CODE + 20));
    assert_ne!(difference.checked.regs.pc, CODE + 20);
}

/// An address space whose writes are compared is as one whose writes are not, between runs.
#[test]
fn what_is_right_goes_on() {
    let mut cpu = NativeCpu::new(Box::new(|| Box::new(interp()))).with_reference(Box::new(|| Box::new(interp())));
    let crosscheck = cpu.crosscheck().unwrap();
    let mm = load(&mut cpu, COUNT);
    let object = cpu.object_create(PAGE).unwrap();
    let backing = Backing::Shared { object, offset: 0 };
    for addr in [DATA + PAGE, DATA + 2 * PAGE] {
        cpu.map(mm, &Mapping { addr, len: PAGE, prot: Prot::RW, backing }).unwrap();
    }
    let read = |cpu: &mut NativeCpu, mm, addr| {
        let mut bytes = [0; 8];
        cpu.copy_in(mm, addr, &mut bytes).map(|()| u64::from_le_bytes(bytes))
    };
    let count = |cpu: &mut NativeCpu, mm, to| {
        let mut regs = start();
        regs.x[12] = to;
        (cpu.run(mm, &mut regs, 1 << 20), regs.x[10])
    };
    let all = (Ran { exit: Exit::Syscall, retired: 3 * 1000 + 3 }, 1000);
    assert_eq!(count(&mut cpu, mm, DATA), all);
    assert_eq!(read(&mut cpu, mm, DATA), Ok(1000));
    // The kernel writes between two runs, to pages that were written and to one that was not.
    for addr in [DATA, DATA + PAGE] {
        cpu.copy_out(mm, addr, &[7; 8]).unwrap();
    }
    assert_eq!(count(&mut cpu, mm, DATA + PAGE), all);
    assert_eq!(read(&mut cpu, mm, DATA), Ok(u64::from_le_bytes([7; 8])));
    assert_eq!(read(&mut cpu, mm, DATA + 2 * PAGE), Ok(1000));
    cpu.map(mm, &Mapping { addr: DATA + 4 * PAGE, len: 4 * PAGE, prot: Prot::RW, backing: Backing::Anonymous })
        .unwrap();
    for addr in [DATA + 4 * PAGE, DATA + 6 * PAGE] {
        assert_eq!(count(&mut cpu, mm, addr), all);
        cpu.copy_out(mm, DATA + 4 * PAGE + 10, &[9; 3 * PAGE as usize]).unwrap();
        assert_eq!(count(&mut cpu, mm, addr), all);
        assert_eq!(read(&mut cpu, mm, addr), Ok(1000));
        assert_eq!(read(&mut cpu, mm, DATA + 5 * PAGE), Ok(u64::from_le_bytes([9; 8])));
    }
    // A fork has what its parent had, and what it writes is its own.
    let range = |addr, backing| Mapping { addr, len: PAGE, prot: Prot::RW, backing };
    let mappings = [Mapping { prot: Prot::RX, ..range(CODE, Backing::Anonymous) }, range(DATA, Backing::Anonymous)];
    let child = cpu.fork_from(mm, &mappings).unwrap();
    assert_eq!(count(&mut cpu, child, DATA), all);
    assert_eq!(read(&mut cpu, mm, DATA), Ok(u64::from_le_bytes([7; 8])));
    // What may not be written faults, before and after.
    cpu.protect(mm, DATA, PAGE, Prot::R).unwrap();
    let fault = Exit::Fault { addr: DATA, access: Access::Write, beyond_object: false };
    assert_eq!(count(&mut cpu, mm, DATA), (Ran { exit: fault, retired: 3 }, 1));
    assert!(cpu.copy_out(mm, DATA, &[1]).is_err());
    cpu.unmap(mm, DATA + PAGE, PAGE).unwrap();
    assert_eq!(count(&mut cpu, mm, DATA + PAGE).0.retired, 3);
    cpu.object_resize(object, 0).unwrap();
    let beyond = Exit::Fault { addr: DATA + 2 * PAGE, access: Access::Write, beyond_object: true };
    assert_eq!(count(&mut cpu, mm, DATA + 2 * PAGE), (Ran { exit: beyond, retired: 3 }, 1));
    assert_eq!(crosscheck.ended(), None);
    assert!(crosscheck.compared().0 >= 6 && crosscheck.compared().1 >= 3, "{:?}", crosscheck.compared());
}
