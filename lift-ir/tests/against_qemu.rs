//! Each instruction that computes or accesses memory, on random operands, lifted and evaluated, gives what `qemu-riscv64`
//! gives: registers, flags and memory, in every rounding mode.
//!
//! One program holds all cases: each loads its operands, executes one instruction and stores the results.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

mod common;

use common::{CODE, Code, DATA, DATA_LEN, Memory, Random};
use friscy_isa::{COMPRESSED, Flags, Inst, Op, disassemble, encode};
use friscy_lift_ir::eval::{Leave, Machine};
use friscy_lift_ir::passes::{self, Simplifier};
use friscy_lift_ir::{ExitKind, Lifter, Limits, Region, RoundingClass};
use std::fmt::Write;
use std::process::Command;

const SAMPLES: usize = 24;
/// The registers that cases use: `x10` to `x13` and `f10` to `f13`.
const FIRST: usize = 10;
const COUNT: usize = 4;

struct Case {
    inst: Inst,
    x: [u64; COUNT],
    f: [u64; COUNT],
    frm: u32,
}

/// What an instruction leaves behind.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    x: Vec<u64>,
    f: Vec<u64>,
    fflags: u64,
}

fn cases(random: &mut Random) -> Vec<Case> {
    let mut cases = Vec::new();
    let compressed = COMPRESSED.iter().filter(|row| !matches!(row.name, "c.addi4spn" | "c.addi16sp"));
    for row in Op::ALL.iter().map(|op| op.info()).chain(compressed) {
        let skipped = [Flags::CONTROL, Flags::TRAP, Flags::CSR, Flags::FENCE];
        if skipped.iter().any(|f| row.flags.intersects(*f)) || row.op == Op::Auipc {
            continue;
        }
        let memory = row.flags.intersects(Flags::LOAD) || row.flags.intersects(Flags::STORE);
        let mut left = SAMPLES;
        while left != 0 {
            let Some(mut inst) = row.sample(random.next() as u32) else { continue };
            let layout = &row.layout;
            let register = |random: &mut Random| (FIRST + random.below(COUNT as u64) as usize) as u8;
            let rd_is_rs1 = layout.rd == layout.rs1;
            if layout.rd.is_present() {
                inst.rd = register(random);
            }
            if layout.rs1.is_present() {
                inst.rs1 = if rd_is_rs1 { inst.rd } else { register(random) };
            }
            if layout.rs2.is_present() {
                inst.rs2 = register(random);
            }
            if layout.rs3.is_present() {
                inst.rs3 = register(random);
            }
            if memory && !layout.rs1.is_present() {
                break; // Relative to the stack pointer, which no case sets.
            }
            if inst.rm > 4 && row.flags == Flags::NONE {
                inst.rm = 7;
            }
            let Some(bits) = encode(&inst) else { continue };
            inst.bits = bits;
            let mut x = [0; COUNT].map(|_| random.operand());
            if memory {
                x[inst.rs1 as usize - FIRST] =
                    (DATA + random.below(DATA_LEN as u64 / 8) * 8).wrapping_sub(inst.imm as u64);
            }
            let f = [0; COUNT].map(|_| random.float());
            cases.push(Case { inst, x, f, frm: random.below(5) as u32 });
            left -= 1;
        }
    }
    cases
}

fn assembly(cases: &[Case], memory: &Memory) -> String {
    let mut s = String::from(
        ".option norelax\n.option arch, +c\n.text\n.globl _start\n_start:\nla x31, inputs\nla x30, outputs\n",
    );
    for case in cases {
        s.push_str("ld x5,64(x31)\nfscsr x5\n");
        for i in 0..COUNT {
            let _ = write!(s, "ld x{0},{1}(x31)\nfld f{0},{2}(x31)\n", FIRST + i, i * 8, 32 + i * 8);
        }
        let _ = match case.inst.len {
            2 => writeln!(s, ".2byte {:#x}\n.balign 4", case.inst.bits),
            _ => writeln!(s, ".4byte {:#x}", case.inst.bits),
        };
        s.push_str("frflags x5\nsd x5,64(x30)\n");
        for i in 0..COUNT {
            let _ = write!(s, "sd x{0},{1}(x30)\nfsd f{0},{2}(x30)\n", FIRST + i, i * 8, 32 + i * 8);
        }
        s.push_str("addi x31,x31,72\naddi x30,x30,72\n");
    }
    let len = cases.len() * 72;
    let _ = write!(
        s,
        "li a0,1\nla a1,outputs\nli a2,{len}\nli a7,64\necall\nli a0,1\nli a1,{DATA}\nli a2,{DATA_LEN}\nli a7,64\necall\n\
         li a0,0\nli a7,93\necall\n.data\n.balign 8\ninputs:\n"
    );
    for case in cases {
        for v in case.x.iter().chain(&case.f).chain([&((case.frm << 5) as u64)]) {
            let _ = writeln!(s, ".quad {v:#x}");
        }
    }
    let _ = writeln!(s, ".bss\n.balign 8\noutputs: .zero {len}\n.section .scratch,\"aw\",@progbits");
    for byte in &memory.0 {
        let _ = writeln!(s, ".byte {byte}");
    }
    s
}

/// What qemu says: the outcome of each case, and memory afterwards.
fn referee(cases: &[Case], memory: &Memory) -> (Vec<Outcome>, Memory) {
    let folder = std::env::temp_dir().join(format!("friscy-lift-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the program");
    let (source, elf) = (folder.join("cases.s"), folder.join("cases"));
    std::fs::write(&source, assembly(cases, memory)).expect("the program's source can be written");
    let built = Command::new("riscv64-linux-gnu-gcc")
        .args(["-nostdlib", "-static", "-march=rv64gc", "-Wl,-Ttext-segment=0x400000"])
        .arg(format!("-Wl,--section-start=.scratch={DATA:#x}"))
        .arg(&source)
        .arg("-o")
        .arg(&elf)
        .output()
        .expect("riscv64-linux-gnu-gcc runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new("qemu-riscv64-static").arg(&elf).output();
    let ran = ran.expect("qemu-riscv64-static runs");
    assert!(ran.status.success(), "{:?} {}", ran.status, String::from_utf8_lossy(&ran.stderr));
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    let (results, memory) = ran.stdout.split_at(cases.len() * 72);
    let outcomes = results.chunks_exact(72).map(|record| {
        let word = |i: usize| u64::from_le_bytes(record[i * 8..i * 8 + 8].try_into().expect("8 bytes"));
        Outcome { x: (0..COUNT).map(word).collect(), f: (COUNT..2 * COUNT).map(word).collect(), fflags: word(8) }
    });
    (outcomes.collect(), Memory(memory.to_vec()))
}

#[test]
fn instructions_do_what_qemu_says() {
    let mut random = Random(1);
    let cases = cases(&mut random);
    let mut memory = Memory((0..DATA_LEN).map(|_| random.next() as u8).collect());
    let (outcomes, end) = referee(&cases, &memory);
    assert_eq!(outcomes.len(), cases.len());
    let mut lifter = Lifter::new();
    let mut simplifier = Simplifier::new();
    let mut region = Region::new(0, RoundingClass::Rne);
    // Reservations outlive cases: a store-conditional may follow a load-reserved of an earlier one.
    let mut machine = Machine::new(CODE, 0);
    for (case, want) in cases.iter().zip(&outcomes) {
        let mut code = Code::default();
        code.push(case.inst.bits, case.inst.len);
        code.push(0x0010_0073, 4);
        lifter.lift(CODE, RoundingClass::of(case.frm), &mut code, &Limits::COLD, &mut region);
        machine.pc = CODE;
        machine.x[FIRST..FIRST + COUNT].copy_from_slice(&case.x);
        machine.f[FIRST..FIRST + COUNT].copy_from_slice(&case.f);
        machine.frm = case.frm;
        machine.fflags = 0;
        let text = disassemble(&case.inst, CODE);
        // Every other case takes the passes too.
        if case.x[0] & 1 == 0 {
            passes::optimise(&mut region, &mut simplifier);
        }
        let leave = machine.run(&region, &mut memory);
        assert_eq!(leave, Leave::Kind(ExitKind::Ebreak), "{text}");
        let got = Outcome {
            x: machine.x[FIRST..FIRST + COUNT].to_vec(),
            f: machine.f[FIRST..FIRST + COUNT].to_vec(),
            fflags: machine.fflags as u64,
        };
        // qemu before 8.0 counts beyond bit 31 in `ctzw` of a value whose low word is zero.
        if case.inst.op == Op::Ctzw && case.x[case.inst.rs1 as usize - FIRST] as u32 == 0 {
            assert_eq!(got.x[case.inst.rd as usize - FIRST], 32, "{text}");
            continue;
        }
        assert_eq!(got, *want, "{text}, x {:x?}, f {:x?}, frm {}\n{region}", case.x, case.f, case.frm);
    }
    assert!(memory == end, "memory differs");
}
