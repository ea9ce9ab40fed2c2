//! What the compiled tier's two early decisions cost, an instruction at a time: `cargo bench -p friscy-fuzz`.
//!
//! - **State at a fault**: a loop of loads and stores, with registers found when an access faults, and with every changed
//!   register stored before each access.
//! - **Calls**: recursion, calls through a register to two functions by turns, and returns by `longjmp` from a chain of
//!   calls, with fuel and stack looked at, and the interpreter beside.

#![allow(missing_docs, reason = "criterion's macros")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use friscy_boundary::Regs;
use friscy_fuzz::{Item, Program, Timed};
use friscy_interp::Interp;
use friscy_isa::{Inst, Op, assemble};
use friscy_jit::Jit;
use friscy_seam::Tier;

/// Guest instructions of one measurement.
const FUEL: u64 = 1_000_000;
const CODE_BYTES: usize = 1 << 20;
/// A page that is read and written, and the end of it.
const DATA: u64 = 0x42000;
const STACK: u64 = 0x43000;

fn line(text: &str) -> Item {
    Item::Raw { bits: assemble(text).unwrap_or_else(|error| panic!("{text}: {error:?}")), len: 4 }
}

/// A branch or jump to an item.
fn to(op: Op, rd: u8, rs1: u8, rs2: u8, item: usize) -> Item {
    Item::To(Inst { op, rd, rs1, rs2, rs3: 0, rm: 0, imm: 0, len: 4, bits: 0 }, item)
}

fn program(items: Vec<Item>) -> Program {
    let mut regs = Regs::default();
    (regs.x[2], regs.x[8]) = (STACK, DATA);
    Program { items, start: 0, table: vec![], fill: Some(1), regs, slices: vec![], kernel: 1 }
}

/// A hash over a page, written back.
fn hash() -> Program {
    let body = "lw t2,0(t0)\nslli t3,t2,7\nsrli t4,t2,9\nxor t5,t3,t4\nadd t6,t5,a0\nxori a0,t6,85\nlw a1,4(t0)\n\
                add a0,a0,a1\nsw a0,8(t0)\naddi t0,t0,4\naddi t1,t1,-1";
    let mut items = vec![line("addi t0,s0,0"), line("addi t1,zero,1000")];
    items.extend(body.lines().map(line));
    items.push(to(Op::Bne, 0, 6, 0, 2));
    items.push(to(Op::Jal, 0, 0, 0, 0));
    program(items)
}

fn recursion() -> Program {
    let fib = 3;
    let mut items = vec![line("addi a0,zero,16"), to(Op::Jal, 1, 0, 0, fib), to(Op::Jal, 0, 0, 0, 0)];
    items.extend([line("addi t0,zero,2"), to(Op::Bltu, 0, 10, 5, 18)]);
    items.extend(["addi sp,sp,-24", "sd ra,0(sp)", "sd a0,8(sp)", "addi a0,a0,-1"].map(line));
    items.push(to(Op::Jal, 1, 0, 0, fib));
    items.extend(["ld t0,8(sp)", "sd a0,16(sp)", "addi a0,t0,-2"].map(line));
    items.push(to(Op::Jal, 1, 0, 0, fib));
    items.extend(["ld t0,16(sp)", "add a0,a0,t0", "ld ra,0(sp)", "addi sp,sp,24", "jalr zero,0(ra)"].map(line));
    program(items)
}

fn by_register() -> Program {
    let mut items = vec![Item::AddressOf(9, 6), Item::AddressOf(18, 8), line("jalr ra,0(s1)"), line("jalr ra,0(s2)")];
    items.extend([line("addi s3,s3,1"), to(Op::Jal, 0, 0, 0, 2)]);
    items.extend(["addi a0,a0,1", "jalr zero,0(ra)", "xori a0,a0,3", "jalr zero,0(ra)"].map(line));
    program(items)
}

/// Eight calls, and back past all of them.
fn long_jump() -> Program {
    let (after, f, leave) = (4, 5, 11);
    let mut items =
        vec![line("addi s2,sp,0"), Item::AddressOf(19, after), line("addi a0,zero,8"), to(Op::Jal, 1, 0, 0, f)];
    items.push(to(Op::Jal, 0, 0, 0, 0));
    items.push(to(Op::Beq, 0, 10, 0, leave));
    items.extend(["addi sp,sp,-16", "sd ra,0(sp)", "addi a0,a0,-1"].map(line));
    items.push(to(Op::Jal, 1, 0, 0, f));
    items.push(line("jalr zero,0(ra)"));
    items.extend(["addi sp,s2,0", "jalr zero,0(s3)"].map(line));
    program(items)
}

fn measure(c: &mut Criterion, group: &str, program: &Program, tiers: Vec<(&str, Box<dyn Tier>)>) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(FUEL));
    for (name, tier) in tiers {
        let mut timed = Timed::new(program, tier);
        let retired = timed.run(FUEL);
        assert!(retired >= FUEL, "{name} stopped after {retired} instructions");
        group.bench_function(name, |b| b.iter(|| timed.run(FUEL)));
    }
    group.finish();
}

fn spikes(c: &mut Criterion) {
    let jit = || Box::new(Jit::new(CODE_BYTES)) as Box<dyn Tier>;
    let stores = || Box::new(Jit::storing_all(CODE_BYTES)) as Box<dyn Tier>;
    let interp = || Box::new(Interp::new(CODE_BYTES)) as Box<dyn Tier>;
    measure(c, "state at a fault", &hash(), vec![("found", jit()), ("stored", stores()), ("interpreter", interp())]);
    for (name, program) in [("fib", recursion()), ("calls by register", by_register()), ("longjmp", long_jump())] {
        measure(c, name, &program, vec![("compiled", jit()), ("interpreter", interp())]);
    }
}

criterion_group!(benches, spikes);
criterion_main!(benches);
