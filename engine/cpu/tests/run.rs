//! Guest code under the run loop: why each run stops, with which pc, registers and count of retired instructions.
//!
//! Every test runs three times: with direct calls, with each call of the boundary passing through bytes, and with
//! everything run twice and compared.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use friscy_boundary::serialised::{Loopback, Serialised};
use friscy_boundary::{Access, Backing, Cpu, Exit, Mapping, MmId, Prot, Ran, Regs};
use friscy_cpu::NativeCpu;
use friscy_interp::Interp;

const PAGE: u64 = 4096;
const CODE: u64 = 0x10000;
const DATA: u64 = 0x20000;

fn native() -> NativeCpu {
    NativeCpu::new(Box::new(|| Box::new(Interp::new(1 << 20))))
}

/// Runs `test` with direct calls, through bytes, and compared.
fn check(test: impl Fn(&mut dyn Cpu)) {
    test(&mut native());
    test(&mut Serialised::new(Loopback(native())));
    let mut compared = native().with_reference(Box::new(|| Box::new(Interp::new(1 << 20))));
    let crosscheck = compared.crosscheck().unwrap();
    test(&mut compared);
    assert_eq!(crosscheck.ended(), None);
}

/// The bytes of assembly lines; compressed instructions take two.
fn assemble(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let bits = friscy_isa::assemble(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let len = if bits & 3 == 3 { 4 } else { 2 };
        bytes.extend(&bits.to_le_bytes()[..len]);
    }
    bytes
}

fn map(cpu: &mut dyn Cpu, mm: MmId, addr: u64, pages: u64, prot: Prot) {
    cpu.map(mm, &Mapping { addr, len: pages * PAGE, prot, backing: Backing::Anonymous }).unwrap();
}

/// An address space with a page of code and a page of data.
fn load(cpu: &mut dyn Cpu, lines: &[&str]) -> MmId {
    let mm = cpu.create().unwrap();
    map(cpu, mm, CODE, 1, Prot::RX);
    map(cpu, mm, DATA, 1, Prot::RW);
    cpu.poke(mm, CODE, &assemble(lines)).unwrap();
    mm
}

fn at(pc: u64) -> Regs {
    Regs { pc, ..Regs::default() }
}

fn ran(exit: Exit, retired: u64) -> Ran {
    Ran { exit, retired }
}

#[test]
fn a_loop_ends_in_a_system_call() {
    check(|cpu| {
        let mm = load(
            cpu,
            &["addi a0,zero,100", "addi a1,zero,0", "add a1,a1,a0", "c.addi a0,-1", "bne a0,zero,-6", "ecall"],
        );
        let mut regs = at(CODE);
        assert_eq!(cpu.run(mm, &mut regs, 1 << 40), ran(Exit::Syscall, 303));
        assert_eq!((regs.pc, regs.x[10], regs.x[11]), (CODE + 18, 0, 5050));
    });
}

#[test]
fn fuel_ends_a_run_at_the_next_preemption_point() {
    check(|cpu| {
        let mm = load(cpu, &["addi a0,a0,1", "addi a0,a0,1", "addi a0,a0,1", "jal zero,-12"]);
        let mut regs = at(CODE);
        assert_eq!(cpu.run(mm, &mut regs, 10), ran(Exit::Fuel, 12));
        assert_eq!((regs.pc, regs.x[10]), (CODE, 9));
        assert_eq!(cpu.run(mm, &mut regs, 4), ran(Exit::Fuel, 4));
        assert_eq!((regs.pc, regs.x[10]), (CODE, 12));
    });
}

#[test]
fn faults_are_exact() {
    check(|cpu| {
        let mm = load(cpu, &["addi a1,zero,1", "ld a0,-8(sp)", "sd a1,0(sp)", "amoadd.d a0,a1,(sp)", "ecall"]);
        let fault = |addr, access| Exit::Fault { addr, access, beyond_object: false };
        for (sp, pc, exit, retired) in [
            (DATA, 4, fault(DATA - 8, Access::Read), 1),
            (DATA + 8, 16, Exit::Syscall, 5),
            (DATA + PAGE, 8, fault(DATA + PAGE, Access::Write), 2),
            (DATA + 12, 12, Exit::Misaligned { addr: DATA + 12 }, 3),
            (0, 4, fault(-8i64 as u64, Access::Read), 1),
            (0xffff_ffff_0000_0000, 4, fault(0xffff_fffe_ffff_fff8, Access::Read), 1),
            (0xffff_fff0, 4, fault(0xffff_ffe8, Access::Read), 1),
        ] {
            let mut regs = at(CODE);
            regs.x[2] = sp;
            assert_eq!(cpu.run(mm, &mut regs, 1000), ran(exit, retired), "sp {sp:#x}");
            assert_eq!((regs.pc, regs.x[2], regs.x[11]), (CODE + pc, sp, 1), "sp {sp:#x}");
        }
    });
}

#[test]
fn accesses_beyond_an_object() {
    check(|cpu| {
        let mm = load(cpu, &["ld a0,0(sp)"]);
        let object = cpu.object_create(PAGE).unwrap();
        let backing = Backing::Shared { object, offset: 0 };
        cpu.map(mm, &Mapping { addr: DATA, len: 2 * PAGE, prot: Prot::RWX, backing }).unwrap();
        let addr = DATA + PAGE;
        let mut regs = at(CODE);
        regs.x[2] = addr;
        let exit = |access| ran(Exit::Fault { addr, access, beyond_object: true }, 0);
        assert_eq!(cpu.run(mm, &mut regs, 1), exit(Access::Read));
        regs.pc = addr;
        assert_eq!(cpu.run(mm, &mut regs, 1), exit(Access::Execute));
        cpu.object_write(object, PAGE, &assemble(&["ecall"])).unwrap();
        assert_eq!(cpu.run(mm, &mut regs, 1), ran(Exit::Syscall, 1));
        assert_eq!(regs.pc, addr);
    });
}

#[test]
fn instructions_that_leave() {
    check(|cpu| {
        let mm = load(cpu, &["c.ebreak", "ebreak", "csrrs t0,time,zero", ".4byte 0", ".4byte 0xffffffff"]);
        for (offset, exit) in [
            (0, Exit::Breakpoint),
            (2, Exit::Breakpoint),
            (6, Exit::ReadCsr { csr: 0xc01, rd: 5 }),
            (10, Exit::Illegal { bits: 0 }),
            (12, Exit::Illegal { bits: 0xffff_ffff }),
        ] {
            let mut regs = at(CODE + offset);
            assert_eq!(cpu.run(mm, &mut regs, 100), ran(exit, 1), "offset {offset}");
            assert_eq!(regs.pc, CODE + offset);
        }
    });
}

#[test]
fn fetches_fault_where_the_instruction_is_cut_off() {
    check(|cpu| {
        let mm = load(cpu, &[]);
        let nops = [1, 0].repeat(PAGE as usize / 2 - 1);
        cpu.poke(mm, CODE, &nops).unwrap();
        cpu.poke(mm, CODE + PAGE - 2, &assemble(&["ecall"])[..2]).unwrap();
        let fetch = |addr| Exit::Fault { addr, access: Access::Execute, beyond_object: false };
        let mut regs = at(CODE + PAGE - 4);
        assert_eq!(cpu.run(mm, &mut regs, 100), ran(fetch(CODE + PAGE), 1));
        assert_eq!(regs.pc, CODE + PAGE - 2);
        // The other half appears: the same pc is an instruction now.
        map(cpu, mm, CODE + PAGE, 1, Prot::RX);
        assert_eq!(cpu.run(mm, &mut regs, 100), ran(Exit::Syscall, 1));
        for pc in [DATA, 0, 0x1_0000_0000 + CODE, !0 - 1] {
            regs.pc = pc;
            assert_eq!(cpu.run(mm, &mut regs, 100), ran(fetch(pc), 0), "pc {pc:#x}");
            assert_eq!(regs.pc, pc);
        }
    });
}

#[test]
fn jumps_into_unmapped_pages_fault_until_they_are_mapped() {
    check(|cpu| {
        let mm = load(cpu, &["lui t0,0x30", "jalr zero,0(t0)"]);
        for _ in 0..2 {
            let mut regs = at(CODE);
            let exit = Exit::Fault { addr: 0x30000, access: Access::Execute, beyond_object: false };
            assert_eq!(cpu.run(mm, &mut regs, 100), ran(exit, 2));
            assert_eq!(regs.pc, 0x30000);
        }
        map(cpu, mm, 0x30000, 1, Prot::RX);
        cpu.poke(mm, 0x30000, &assemble(&["addi a0,a0,7", "ecall"])).unwrap();
        let mut regs = at(CODE);
        assert_eq!(cpu.run(mm, &mut regs, 100), ran(Exit::Syscall, 4));
        cpu.protect(mm, 0x30000, PAGE, Prot::RW).unwrap();
        let mut regs = at(CODE);
        let exit = Exit::Fault { addr: 0x30000, access: Access::Execute, beyond_object: false };
        assert_eq!(cpu.run(mm, &mut regs, 100), ran(exit, 2));
    });
}

/// Writes an instruction over one that has run, then runs it again after whatever `make_visible` does.
fn check_modified(cpu: &mut dyn Cpu, fence: &str, make_visible: impl Fn(&mut dyn Cpu, MmId)) {
    let target = 0x30000;
    let lines = ["lui t0,0x30", "jalr ra,0(t0)", "sw a1,0(t0)", fence, "jalr ra,0(t0)", "ecall"];
    let mm = load(cpu, &lines);
    map(cpu, mm, target, 1, Prot::RWX);
    cpu.poke(mm, target, &assemble(&["addi a0,a0,1", "jalr zero,0(ra)"])).unwrap();
    let bytes = assemble(&["addi a0,a0,16"]);
    let mut regs = at(CODE);
    regs.x[11] = u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let mut retired = 0;
    loop {
        let now = cpu.run(mm, &mut regs, 100);
        retired += now.retired;
        match now.exit {
            Exit::Breakpoint => {
                make_visible(cpu, mm);
                regs.pc += 4;
            }
            exit => {
                assert_eq!(exit, Exit::Syscall);
                break;
            }
        }
    }
    assert_eq!((regs.x[10], regs.pc), (17, CODE + 20));
    assert_eq!(retired, 10);
}

#[test]
fn code_written_at_run_time_is_seen() {
    check(|cpu| check_modified(cpu, "fence.i", |_, _| ()));
    check(|cpu| check_modified(cpu, "ebreak", |cpu, mm| cpu.flush_icache(mm, 0x30000, 4)));
    check(|cpu| {
        check_modified(cpu, "ebreak", |cpu, mm| {
            cpu.protect(mm, 0x30000, PAGE, Prot::RW).unwrap();
            cpu.protect(mm, 0x30000, PAGE, Prot::RWX).unwrap();
        })
    });
}

#[test]
fn forked_code_is_shared_until_it_changes() {
    check(|cpu| {
        let parent = load(cpu, &["addi a0,a0,1", "ecall"]);
        let mut regs = at(CODE);
        assert_eq!(cpu.run(parent, &mut regs, 100), ran(Exit::Syscall, 2));
        let mappings = [
            Mapping { addr: CODE, len: PAGE, prot: Prot::RX, backing: Backing::Anonymous },
            Mapping { addr: DATA, len: PAGE, prot: Prot::RW, backing: Backing::Anonymous },
        ];
        let child = cpu.fork_from(parent, &mappings).unwrap();
        let result = |cpu: &mut dyn Cpu, mm| {
            let mut regs = at(CODE);
            assert_eq!(cpu.run(mm, &mut regs, 100), ran(Exit::Syscall, 2));
            regs.x[10]
        };
        assert_eq!((result(cpu, parent), result(cpu, child)), (1, 1));
        cpu.poke(child, CODE, &assemble(&["addi a0,a0,2"])).unwrap();
        assert_eq!((result(cpu, parent), result(cpu, child)), (1, 2));
        cpu.poke(parent, CODE, &assemble(&["addi a0,a0,3"])).unwrap();
        assert_eq!((result(cpu, parent), result(cpu, child)), (3, 2));
        // Memory is each one's own, and so are the same addresses in it.
        cpu.copy_out(child, DATA, b"child").unwrap();
        let mut seen = [0xff; 5];
        cpu.copy_in(parent, DATA, &mut seen).unwrap();
        assert_eq!(seen, [0; 5]);
        cpu.destroy(parent);
        assert_eq!(result(cpu, child), 2);
        assert_eq!(cpu.run(parent, &mut regs, 100), ran(Exit::Poisoned, 0));
    });
}

#[test]
fn translations_of_one_fork_do_not_reach_the_other() {
    check(|cpu| {
        let parent = load(cpu, &["lui t0,0x30", "jalr ra,0(t0)", "ecall"]);
        let mapping = Mapping { addr: CODE, len: PAGE, prot: Prot::RX, backing: Backing::Anonymous };
        let child = cpu.fork_from(parent, &[mapping]).unwrap();
        for (mm, add) in [(parent, 5), (child, 6)] {
            map(cpu, mm, 0x30000, 1, Prot::RX);
            cpu.poke(mm, 0x30000, &assemble(&[&format!("addi a0,a0,{add}"), "jalr zero,0(ra)"])).unwrap();
        }
        for (mm, add) in [(parent, 5), (child, 6), (parent, 5)] {
            let mut regs = at(CODE);
            assert_eq!(cpu.run(mm, &mut regs, 100), ran(Exit::Syscall, 5));
            assert_eq!(regs.x[10], add);
        }
    });
}

#[test]
fn rounding_modes_have_translations_of_their_own() {
    check(|cpu| {
        // Sets frm to a1, then converts 2.5 with the dynamic mode.
        let mm = load(cpu, &["csrrw zero,frm,a1", "fcvt.w.d a0,fa0", "ecall"]);
        for (frm, exit, value) in [
            (0, Exit::Syscall, 2),
            (3, Exit::Syscall, 3),
            (2, Exit::Syscall, 2),
            (4, Exit::Syscall, 3),
            (5, Exit::Illegal { bits: 0xc205_7553 }, 0),
            (0, Exit::Syscall, 2),
        ] {
            let mut regs = at(CODE);
            regs.x[11] = frm;
            regs.f[10] = 2.5f64.to_bits();
            assert_eq!(cpu.run(mm, &mut regs, 100).exit, exit, "frm {frm}");
            assert_eq!((regs.x[10], regs.frm), (value, frm as u32), "frm {frm}");
        }
    });
}

#[test]
fn full_code_memory_is_cleared_and_used_again() {
    let mut cpu = NativeCpu::new(Box::new(|| Box::new(Interp::new(16 << 10))));
    let mm = cpu.create().unwrap();
    map(&mut cpu, mm, CODE, 16, Prot::RX);
    // 2,000 blocks of two instructions, run twice.
    let mut lines = ["addi a0,a0,1", "jal zero,4"].repeat(2000);
    lines.push("ecall");
    cpu.poke(mm, CODE, &assemble(&lines)).unwrap();
    for _ in 0..2 {
        let mut regs = at(CODE);
        assert_eq!(cpu.run(mm, &mut regs, 1 << 40), ran(Exit::Syscall, 4001));
        assert_eq!(regs.x[10], 2000);
    }
    assert!(cpu.statistics().code_bytes <= 16 << 10);
    assert!(cpu.statistics().regions > 2000);
}

#[test]
fn thousands_of_objects_and_address_spaces() {
    let mut cpu = native();
    let objects: Vec<_> = (0..2000).map(|len| cpu.object_create(len * PAGE).unwrap()).collect();
    let spaces: Vec<_> = (0..300).map(|_| cpu.create().unwrap()).collect();
    for (&mm, &object) in spaces.iter().zip(&objects) {
        map(&mut cpu, mm, DATA, 1, Prot::RW);
        let backing = Backing::Shared { object, offset: 0 };
        cpu.map(mm, &Mapping { addr: CODE, len: PAGE, prot: Prot::RW, backing }).unwrap();
        cpu.copy_out(mm, DATA, b"here").unwrap();
    }
    spaces.into_iter().for_each(|mm| cpu.destroy(mm));
}

#[test]
fn a_fence_keeps_translations_of_code_that_cannot_have_changed() {
    let mut cpu = native();
    let mm = load(&mut cpu, &["lui t0,0x30", "jalr ra,0(t0)", "fence.i", "addi a0,a0,-1", "bne a0,zero,-16", "ecall"]);
    map(&mut cpu, mm, 0x30000, 1, Prot::RWX);
    cpu.poke(mm, 0x30000, &assemble(&["jalr zero,0(ra)"])).unwrap();
    let mut regions = 0;
    for rounds in [1, 2, 12] {
        let mut regs = at(CODE);
        regs.x[10] = rounds;
        assert_eq!(cpu.run(mm, &mut regs, 1000), ran(Exit::Syscall, 6 * rounds + 1));
        let before = std::mem::replace(&mut regions, cpu.statistics().regions);
        // The function is translated again and again, the other four regions are not.
        assert_eq!(regions, if rounds == 1 { 5 } else { before + rounds });
    }
}
