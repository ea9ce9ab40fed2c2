//! The referee: the instructions themselves, run by qemu's user-mode emulation in a guest program made from the table.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::table::TABLE;

/// One execution of an instruction.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The three source registers, floating-point or integer as the instruction has them.
    pub args: [u64; 3],
    /// `fcsr` before: rounding mode in bits 7:5, flags in bits 4:0.
    pub fcsr: u32,
}

/// Result register and flags after an instruction.
pub type Outcome = (u64, u32);

/// Reads records of five doublewords (row, sources, `fcsr`), calls the row's routine, writes result and flags.
const MAIN: &str = "
    .option norelax
    .text
    .globl _start
_start:
1:  li a7, 63
    li a0, 0
    la a1, input
    li a2, 163840
    ecall
    blez a0, 3f
    la s0, input
    add s1, s0, a0
    la s2, output
2:  ld t0, 0(s0)
    ld a0, 8(s0)
    ld a1, 16(s0)
    ld a2, 24(s0)
    ld a3, 32(s0)
    fmv.d.x fa0, a0
    fmv.d.x fa1, a1
    fmv.d.x fa2, a2
    fscsr a3
    slli t0, t0, 3
    la t1, rows
    add t1, t1, t0
    ld t1, 0(t1)
    jalr t1
    frflags a1
    sd a0, 0(s2)
    sd a1, 8(s2)
    addi s0, s0, 40
    addi s2, s2, 16
    bltu s0, s1, 2b
    li a7, 64
    li a0, 1
    la a1, output
    sub a2, s2, a1
    ecall
    j 1b
3:  li a7, 93
    li a0, 0
    ecall
    .bss
    .align 4
input: .space 163840
output: .space 65536
";

fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        let mut source = String::from(MAIN);
        let mut rows = String::from("    .data\n    .align 3\nrows:\n");
        source.push_str("    .text\n");
        for (index, row) in TABLE.iter().enumerate() {
            writeln!(source, "row{index}:\n    {}", row.asm).unwrap();
            if row.asm.split_ascii_whitespace().nth(1).is_some_and(|args| args.starts_with("fa0")) {
                source.push_str("    fmv.x.d a0, fa0\n");
            }
            source.push_str("    ret\n");
            writeln!(rows, "    .dword row{index}").unwrap();
        }
        source.push_str(&rows);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (asm, program) = (folder.join("fp-referee.s"), folder.join("fp-referee"));
        fs::write(&asm, source).expect("the test folder is writable");
        let status = Command::new("riscv64-linux-gnu-gcc")
            .args(["-march=rv64gc", "-mabi=lp64d", "-nostdlib", "-static", "-o"])
            .args([&program, &asm])
            .status()
            .expect("riscv64-linux-gnu-gcc is installed");
        assert!(status.success(), "the referee does not assemble");
        program
    })
}

/// What the cases give in the instruction of this row.
pub fn outcomes(row: usize, cases: &[Case]) -> Vec<Outcome> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = format!("fp-{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
    let (input, output) = (folder.join(format!("{run}.in")), folder.join(format!("{run}.out")));
    let mut bytes = Vec::with_capacity(cases.len() * 40);
    for case in cases {
        for word in [row as u64, case.args[0], case.args[1], case.args[2], case.fcsr.into()] {
            bytes.extend(word.to_le_bytes());
        }
    }
    fs::write(&input, bytes).expect("the test folder is writable");
    let status = Command::new("qemu-riscv64-static")
        .arg(guest())
        .stdin(File::open(&input).expect("it was just written"))
        .stdout(Stdio::from(File::create(&output).expect("the test folder is writable")))
        .status()
        .expect("qemu-riscv64-static is installed");
    assert!(status.success(), "the referee ends with {status}");
    let bytes = fs::read(&output).expect("it was just written");
    fs::remove_file(&input).and(fs::remove_file(&output)).expect("they were just written");
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let outcomes: Vec<_> = bytes.chunks(16).map(|pair| (word(&pair[..8]), word(&pair[8..]) as u32)).collect();
    assert_eq!(outcomes.len(), cases.len());
    outcomes
}
