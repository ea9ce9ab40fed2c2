//! Translations that address spaces share: the same files at the same addresses are translated once, and nobody runs
//! code that is not in its own address space.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use friscy_boundary::{Access, Backing, Cpu, Exit, Mapping, MmId, ObjectId, Prot, Regs};
use friscy_cpu::NativeCpu;
use friscy_interp::Interp;

const PAGE: u64 = 4096;
const MAIN: u64 = 0x10000;
const LIBRARY: u64 = 0x40000;

fn cpu() -> NativeCpu {
    NativeCpu::new(Box::new(|| Box::new(Interp::new(1 << 20))))
}

/// An object of pages, each with the code given for it.
fn object(cpu: &mut NativeCpu, pages: &[&[&str]]) -> ObjectId {
    let object = cpu.object_create(pages.len() as u64 * PAGE).unwrap();
    for (page, lines) in pages.iter().enumerate() {
        let code = lines.iter().flat_map(|line| friscy_isa::assemble(line).unwrap().to_le_bytes());
        cpu.object_write(object, page as u64 * PAGE, &code.collect::<Vec<u8>>()).unwrap();
    }
    object
}

fn map(cpu: &mut NativeCpu, mm: MmId, addr: u64, pages: u64, object: ObjectId) {
    let backing = Backing::Private { object, offset: 0 };
    cpu.map(mm, &Mapping { addr, len: pages * PAGE, prot: Prot::RX, backing }).unwrap();
}

fn space(cpu: &mut NativeCpu, mappings: &[(u64, u64, ObjectId)]) -> MmId {
    let mm = cpu.create().unwrap();
    for &(addr, pages, object) in mappings {
        map(cpu, mm, addr, pages, object);
    }
    mm
}

/// Runs from [`MAIN`] and returns `a0` at the system call, or the address that could not be fetched.
fn run(cpu: &mut NativeCpu, mm: MmId) -> Result<u64, u64> {
    let mut regs = Regs { pc: MAIN, ..Regs::default() };
    regs.x[6] = LIBRARY;
    match cpu.run(mm, &mut regs, 1000).exit {
        Exit::Syscall => Ok(regs.x[10]),
        Exit::Fault { addr, access: Access::Execute, beyond_object: false } => {
            assert_eq!(regs.pc, addr);
            Err(addr)
        }
        exit => panic!("{exit:?}"),
    }
}

/// Calls the library.
const CALLER: &[&str] = &["addi a0,a0,1", "jalr ra,0(t1)", "ecall"];

#[test]
fn the_same_program_is_translated_once() {
    let mut cpu = cpu();
    let main = object(&mut cpu, &[CALLER]);
    let library = object(&mut cpu, &[&["addi a0,a0,10", "jalr zero,0(ra)"]]);
    let first = space(&mut cpu, &[(MAIN, 1, main), (LIBRARY, 1, library)]);
    assert_eq!(run(&mut cpu, first), Ok(11));
    let regions = cpu.statistics().regions;
    cpu.destroy(first);
    let second = space(&mut cpu, &[(MAIN, 1, main), (LIBRARY, 1, library)]);
    assert_eq!(run(&mut cpu, second), Ok(11));
    assert_eq!(cpu.statistics().regions, regions);
}

#[test]
fn another_program_at_the_same_address_is_its_own() {
    let mut cpu = cpu();
    let library = object(&mut cpu, &[&["addi a0,a0,10", "jalr zero,0(ra)"]]);
    let mut spaces = Vec::new();
    for add in 1..4 {
        let main = object(&mut cpu, &[&[&format!("addi a0,a0,{add}"), "jalr ra,0(t1)", "ecall"]]);
        spaces.push((add, space(&mut cpu, &[(MAIN, 1, main), (LIBRARY, 1, library)])));
    }
    for _ in 0..3 {
        for &(add, mm) in &spaces {
            assert_eq!(run(&mut cpu, mm), Ok(10 + add));
        }
    }
}

#[test]
fn what_one_has_not_mapped_it_does_not_run() {
    let mut cpu = cpu();
    let main = object(&mut cpu, &[CALLER]);
    let [ten, twenty] = ["addi a0,a0,10", "addi a0,a0,20"].map(|add| object(&mut cpu, &[&[add, "jalr zero,0(ra)"]]));
    let first = space(&mut cpu, &[(MAIN, 1, main), (LIBRARY, 1, ten)]);
    let second = space(&mut cpu, &[(MAIN, 1, main)]);
    for _ in 0..2 {
        assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Ok(11), Err(LIBRARY)));
    }
    map(&mut cpu, second, LIBRARY, 1, twenty);
    for _ in 0..2 {
        assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Ok(11), Ok(21)));
    }
    cpu.unmap(first, LIBRARY, PAGE).unwrap();
    assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Err(LIBRARY), Ok(21)));
    map(&mut cpu, second, LIBRARY, 1, ten);
    map(&mut cpu, first, LIBRARY, 1, twenty);
    assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Ok(21), Ok(11)));
    cpu.protect(first, LIBRARY, PAGE, Prot::R).unwrap();
    assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Err(LIBRARY), Ok(11)));
}

#[test]
fn spaces_that_shared_part_when_they_map_differently() {
    let mut cpu = cpu();
    let main = object(&mut cpu, &[CALLER]);
    let [ten, twenty] = ["addi a0,a0,10", "addi a0,a0,20"].map(|add| object(&mut cpu, &[&[add, "jalr zero,0(ra)"]]));
    let first = space(&mut cpu, &[(MAIN, 1, main)]);
    let second = space(&mut cpu, &[(MAIN, 1, main)]);
    assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Err(LIBRARY), Err(LIBRARY)));
    // Both map something there before either has run it.
    map(&mut cpu, first, LIBRARY, 1, ten);
    map(&mut cpu, second, LIBRARY, 1, twenty);
    for _ in 0..2 {
        assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Ok(11), Ok(21)));
    }
}

#[test]
fn a_part_of_an_image_is_not_all_of_it() {
    let mut cpu = cpu();
    // From the first page to the third by a direct jump.
    let main = object(&mut cpu, &[&["addi a0,a0,1", "jal zero,8188"], &[], &["addi a0,a0,2", "ecall"]]);
    let first = space(&mut cpu, &[(MAIN, 3, main)]);
    let second = space(&mut cpu, &[(MAIN, 1, main)]);
    for _ in 0..3 {
        assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Ok(3), Err(MAIN + 2 * PAGE)));
    }
    cpu.unmap(first, MAIN + 2 * PAGE, PAGE).unwrap();
    assert_eq!(run(&mut cpu, first), Err(MAIN + 2 * PAGE));
}

#[test]
fn changed_code_is_ones_own() {
    let mut cpu = cpu();
    let main = object(&mut cpu, &[CALLER]);
    let library = object(&mut cpu, &[&["addi a0,a0,10", "jalr zero,0(ra)"]]);
    let mappings = [(MAIN, 1, main), (LIBRARY, 1, library)];
    let [first, second] = [(); 2].map(|()| space(&mut cpu, &mappings));
    assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Ok(11), Ok(11)));
    let patch = friscy_isa::assemble("addi a0,a0,30").unwrap().to_le_bytes();
    cpu.poke(second, LIBRARY, &patch).unwrap();
    for _ in 0..2 {
        assert_eq!((run(&mut cpu, first), run(&mut cpu, second)), (Ok(11), Ok(31)));
    }
    // A fork has what its parent has, patched or not.
    let whole = [(MAIN, main), (LIBRARY, library)].map(|(addr, object)| {
        let backing = Backing::Private { object, offset: 0 };
        Mapping { addr, len: PAGE, prot: Prot::RX, backing }
    });
    let child = cpu.fork_from(second, &whole).unwrap();
    cpu.poke(second, LIBRARY, &friscy_isa::assemble("addi a0,a0,40").unwrap().to_le_bytes()).unwrap();
    assert_eq!((run(&mut cpu, second), run(&mut cpu, child)), (Ok(41), Ok(31)));
    let part = cpu.fork_from(first, &whole[..1]).unwrap();
    assert_eq!((run(&mut cpu, first), run(&mut cpu, part)), (Ok(11), Err(LIBRARY)));
    // Who maps the file after it was written gets the new bytes.
    cpu.object_write(library, 0, &patch).unwrap();
    let third = space(&mut cpu, &mappings);
    assert_eq!(run(&mut cpu, third), Ok(31));
}

#[test]
fn stores_through_a_shared_mapping_are_seen_after_a_fence() {
    let mut cpu = cpu();
    let main = object(&mut cpu, &[&["jalr ra,0(t1)", "sw a1,0(a2)", "fence.i", "jalr ra,0(t1)", "ecall"]]);
    let library = object(&mut cpu, &[&["addi a0,a0,10", "jalr zero,0(ra)"]]);
    let mm = space(&mut cpu, &[(MAIN, 1, main), (LIBRARY, 1, library)]);
    let backing = Backing::Shared { object: library, offset: 0 };
    cpu.map(mm, &Mapping { addr: 0x50000, len: PAGE, prot: Prot::RW, backing }).unwrap();
    let mut regs = Regs { pc: MAIN, ..Regs::default() };
    regs.x[6] = LIBRARY;
    regs.x[11] = u64::from(friscy_isa::assemble("addi a0,a0,30").unwrap());
    regs.x[12] = 0x50000;
    assert_eq!(cpu.run(mm, &mut regs, 1000).exit, Exit::Syscall);
    assert_eq!(regs.x[10], 40);
}

#[test]
fn only_so_many_translations_are_kept() {
    let mut cpu = cpu();
    for add in 0..70 {
        let main = object(&mut cpu, &[&[&format!("addi a0,a0,{add}"), "ecall"]]);
        let mm = space(&mut cpu, &[(MAIN, 1, main)]);
        assert_eq!(run(&mut cpu, mm), Ok(add));
        cpu.destroy(mm);
        cpu.object_release(main);
    }
    assert_eq!(cpu.statistics().regions, 64);
}
