//! Code that is hot moves to the compiled tier, by the caller or by a thread, and goes when it changes.

#![cfg(all(target_arch = "x86_64", target_os = "linux", not(feature = "software-checks")))]

use friscy_boundary::{Backing, Cpu, Exit, Mapping, MmId, PAGE_SIZE, Prot, Regs};
use friscy_cpu::{MakeCompiler, NativeCpu, Policy};
use friscy_interp::Interp;
use friscy_isa::assemble;
use friscy_jit::Jit;
use friscy_seam::Tier;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CODE: u64 = 0x2_0000;

/// Where a function is that is only called once the loop has run out: in a page of its own.
const FUNCTION: u64 = CODE + PAGE_SIZE;

/// Counts a0 down, adding it to a1, and then jumps to the function.
const LOOP: [&str; 4] = ["add a1,a1,a0", "addi a0,a0,-1", "bne a0,zero,-8", "jal zero,4084"];

struct Guest {
    cpu: NativeCpu,
    mm: MmId,
}

impl Guest {
    fn new(make: MakeCompiler) -> Guest {
        let interp = || Box::new(Interp::new(1 << 20)) as Box<dyn Tier>;
        let mut cpu =
            NativeCpu::with_compiler(Box::new(interp), make, Policy { slice: 32, hot: 2, hot_when_idle: 2, start: 0 });
        let mm = cpu.create().expect("an address space");
        let prot = Prot { read: true, write: true, exec: true };
        let mapping = Mapping { addr: CODE, len: 2 * PAGE_SIZE, prot, backing: Backing::Anonymous };
        cpu.map(mm, &mapping).expect("a mapping");
        let mut guest = Guest { cpu, mm };
        guest.write(CODE, &LOOP);
        guest.write(FUNCTION, &["addi a2,zero,1", "ecall"]);
        guest
    }

    fn write(&mut self, addr: u64, lines: &[&str]) {
        let bytes: Vec<u8> =
            lines.iter().flat_map(|line| assemble(line).expect("an instruction").to_le_bytes()).collect();
        self.cpu.copy_out(self.mm, addr, &bytes).expect("memory");
    }

    /// The sum of 1 to `count`, and what the function leaves.
    fn run(&mut self, count: u64) -> (u64, u64) {
        let mut regs = Regs { pc: CODE, ..Regs::default() };
        regs.x[10] = count;
        let ran = self.cpu.run(self.mm, &mut regs, u64::MAX);
        assert_eq!(ran.exit, Exit::Syscall);
        assert_eq!(ran.retired, 3 * count + 3);
        (regs.x[11], regs.x[12])
    }

    fn compiled(&self) -> u64 {
        self.cpu.statistics().compiled_regions
    }
}

fn at_once() -> Box<dyn Tier> {
    Box::new(Jit::new(1 << 20))
}

fn by_thread() -> Box<dyn Tier> {
    Box::new(Jit::in_background(1 << 20))
}

#[test]
fn a_hot_loop_is_compiled() {
    let mut guest = Guest::new(Rc::new(at_once));
    assert_eq!(guest.run(10), (55, 1));
    assert_eq!(guest.compiled(), 0);
    assert_eq!(guest.run(1000), (500_500, 1));
    assert!(guest.compiled() > 0);
    assert_eq!(guest.run(1000), (500_500, 1));
    assert!(guest.cpu.statistics().compiled_bytes > 0);
}

/// No run is as long as a slice.
#[test]
fn code_that_leaves_often_is_compiled() {
    let mut guest = Guest::new(Rc::new(at_once));
    for _ in 0..100 {
        assert_eq!(guest.run(5), (15, 1));
    }
    assert!(guest.compiled() > 0);
}

#[test]
fn a_thread_compiles_while_the_guest_runs() {
    let mut guest = Guest::new(Rc::new(by_thread));
    let end = Instant::now() + Duration::from_secs(60);
    while guest.compiled() == 0 {
        assert!(Instant::now() < end, "nothing was compiled");
        assert_eq!(guest.run(1000), (500_500, 1));
    }
    assert_eq!(guest.run(1000), (500_500, 1));
}

/// The function is part of what is compiled, and has never run, when it changes.
#[test]
fn code_that_changed_before_it_ran_is_not_what_was_compiled() {
    let both: [(MakeCompiler, bool); 2] = [(Rc::new(at_once), true), (Rc::new(by_thread), false)];
    for (make, at_once) in both {
        let mut guest = Guest::new(make);
        for value in 2..40 {
            // The loop is hot; what it jumps to was read with it.
            let mut regs = Regs { pc: CODE, ..Regs::default() };
            regs.x[10] = 1 << 40;
            assert_eq!(guest.cpu.run(guest.mm, &mut regs, 2000).exit, Exit::Fuel);
            if value == 2 {
                // The thread has time to compile what was read.
                std::thread::sleep(Duration::from_millis(300));
            }
            let line = format!("addi a2,zero,{value}");
            guest.write(FUNCTION, &[&line, "ecall"]);
            guest.cpu.flush_icache(guest.mm, FUNCTION, 8);
            assert_eq!(guest.run(100), (5050, value));
        }
        // The thread may have been late each time.
        assert!(guest.compiled() > 0 || !at_once);
    }
}

/// Translations go with the address space that had them; what they counted stays.
#[test]
fn counts_outlive_translations() {
    let mut guest = Guest::new(Rc::new(at_once));
    let watch = guest.cpu.watch();
    assert_eq!(watch.stats(), Default::default());
    guest.run(1000);
    let stats = watch.stats();
    assert_eq!(stats.regions + stats.again, guest.compiled());
    assert!(stats.entries > 0 && stats.host_bytes > stats.guest_bytes && stats.guest_bytes >= 2 * stats.guest_insts);
    assert_eq!(stats.invalidated, 0);
    guest.write(FUNCTION, &["addi a2,zero,3", "ecall"]);
    guest.cpu.flush_icache(guest.mm, CODE, 2 * PAGE_SIZE);
    let stats = watch.stats();
    assert_eq!(stats.invalidated, stats.regions + stats.again);
    guest.cpu.destroy(guest.mm);
    assert_eq!(watch.stats(), stats);
}
