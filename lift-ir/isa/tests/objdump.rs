//! The referee is GNU binutils: its disassembler on all halfwords, on samples of every row and on real programs, its assembler
//! on the text of every row.
//!
//! Real programs are read from the root file system that the variable `FRISCY_ROOTFS` names. Without it, the test says so
//! and only samples are compared.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

#[path = "tools/gnu.rs"]
mod gnu;
#[path = "tools/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use friscy_isa::{Extension, Flags, Inst, Op, ROWS, decode, disassemble};
use gnu::{Line, gnu_assemble, objdump, scratch, text_section};
use random::Random;

/// Arguments of `objdump` for a file that holds nothing but code.
const RAW: [&str; 5] = ["-D", "-b", "binary", "-m", "riscv:rv64"];

/// Why a line of a listing says something else than our disassembler.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Difference {
    /// Both see data: `c.unimp` after calls that do not return, and constants between functions.
    Data,
    /// An instruction of an extension that the table does not have.
    OtherExtension,
    /// `c.addi16sp` by zero is reserved (manual, "Integer Register-Immediate Operations" of C); binutils shows it.
    ReservedAddi16sp,
    /// A reserved rounding mode, which binutils shows as `unknown`.
    ReservedRm,
    /// Conversions that are always exact have a rounding mode all the same; binutils knows only zero.
    ExactConversion,
    /// `objdump` also names privileged CSRs and those of RV32, which no user program can access.
    OtherCsr,
    /// `objdump` shows Zba, Zbb and Zbs as data in files that do not claim them; programs that choose code at run time have
    /// them.
    NotClaimed,
    /// None of these.
    Wrong,
}

/// Vector and scalar cryptography instructions, which libraries choose at run time by what `riscv_hwprobe` says. By encoding,
/// since `objdump` shows most of them as data.
fn is_other_extension(line: &Line) -> bool {
    let opcode = line.bits & 0x7f;
    let width = line.bits >> 12 & 7;
    let funct7 = line.bits >> 25;
    if line.len != 4 {
        return false;
    }
    match opcode {
        // V and the vector cryptography extensions: loads, stores, arithmetic.
        0x07 | 0x27 => matches!(width, 0 | 5 | 6 | 7),
        0x57 | 0x77 => true,
        // Zbc, Zbkb and Zbkx: clmul, clmulr, clmulh, pack, packh, xperm4, xperm8; Zkn: aes64es to aes64dsm, aes64ks2.
        0x33 => {
            matches!((funct7, width), (0x05, 1..=3) | (0x04, 4 | 7) | (0x14, 2 | 4))
                || width == 0 && matches!(funct7, 0x19 | 0x1b | 0x1d | 0x1f | 0x3f)
        }
        0x3b => funct7 == 0x04 && width == 4,
        // Zknh and Zksh: sha256, sha512, sm3; Zkn: aes64im, aes64ks1i; Zbkb: brev8.
        0x13 => width == 1 && matches!(funct7, 0x08 | 0x18) || width == 5 && line.bits >> 20 == 0x687,
        _ => false,
    }
}

fn is_data(text: &str) -> bool {
    [".byte", ".2byte", ".4byte", ".8byte", ".insn", "c.unimp", "unimp"]
        .contains(&text.split('\t').next().unwrap_or_default())
}

fn compare(line: &Line) -> Option<Difference> {
    let inst = decode(line.bits);
    let ours = inst.map(|inst| disassemble(&inst, line.pc));
    if ours.as_deref() == Some(&line.text) {
        assert_eq!(inst.map(|inst| inst.len), Some(line.len));
        return None;
    }
    let flags = inst.map_or(Flags::NONE, |inst| inst.op.info().flags);
    Some(match inst {
        None if is_other_extension(line) => Difference::OtherExtension,
        None if is_data(&line.text) => Difference::Data,
        None if line.bits == 0x6101 => Difference::ReservedAddi16sp,
        None if line.text.ends_with(",unknown") => Difference::ReservedRm,
        Some(Inst { op: Op::FcvtDS | Op::FcvtDW | Op::FcvtDWu, rm, .. }) if rm != 0 && is_data(&line.text) => {
            Difference::ExactConversion
        }
        Some(inst) if is_data(&line.text) && inst.op.info().extension >= Extension::Zba => Difference::NotClaimed,
        Some(inst) if flags.contains(Flags::CSR) && (inst.imm >> 8 & 3 != 0 || inst.imm >> 5 == 0xc80 >> 5) => {
            Difference::OtherCsr
        }
        _ => Difference::Wrong,
    })
}

/// Compares a listing; returns how many lines differ for which reason, and asserts that each has a reason.
fn compare_all(what: &str, lines: &[Line]) -> BTreeMap<Difference, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        if let Some(difference) = compare(line) {
            let ours = decode(line.bits).map(|inst| disassemble(&inst, line.pc));
            assert_ne!(difference, Difference::Wrong, "{what}: {line:x?}, ours: {ours:?}");
            *counts.entry(difference).or_default() += 1;
        }
    }
    counts
}

#[test]
fn all_halfwords() {
    let path = scratch("halfwords");
    let halfwords = (0..=u16::MAX).filter(|half| half & 3 != 3).collect::<Vec<_>>();
    std::fs::write(&path, halfwords.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<_>>())
        .expect("scratch is writable");
    let lines = objdump(&path, &RAW);
    std::fs::remove_file(&path).expect("it was written above");
    assert_eq!(lines.iter().map(|line| line.bits as u16).collect::<Vec<_>>(), halfwords);
    let counts = compare_all("halfwords", &lines);
    assert_eq!(counts, BTreeMap::from([(Difference::Data, 2_408), (Difference::ReservedAddi16sp, 1)]));
}

/// Compares 32-bit encodings in a file that claims every extension of the table.
fn compare_words(words: &[u32]) -> BTreeMap<Difference, usize> {
    let source = words.iter().fold(String::new(), |source, bits| source + &format!(".insn 4, {bits:#x}\n"));
    let object = gnu_assemble("words", &source);
    let lines = objdump(&object, &[]);
    std::fs::remove_file(object).expect("it was written above");
    assert_eq!(lines.iter().map(|line| line.bits).collect::<Vec<_>>(), words);
    let counts = compare_all("words", &lines);
    assert!(!counts.contains_key(&Difference::NotClaimed), "{counts:?}");
    counts
}

#[test]
fn samples_of_every_row() {
    let mut random = Random(4);
    let mut words = Vec::new();
    for row in &ROWS {
        for _ in 0..100 {
            if let Some(inst) = row.sample(random.next()) {
                words.push(inst.bits);
            }
        }
    }
    let counts = compare_words(&words);
    assert!(counts.keys().eq([&Difference::ExactConversion, &Difference::OtherCsr]), "{counts:?}");
}

/// GNU as, given our text of an instruction, makes the same bits, and so do we.
#[test]
fn text_of_every_row_assembles() {
    let mut random = Random(5);
    let mut source = String::from(".option norvc\n");
    let mut expected = Vec::new();
    for row in &ROWS {
        for _ in 0..50 {
            let Some(inst) = row.sample(random.next()) else { continue };
            let text = disassemble(&inst, 0);
            let is_exact_conversion = row.asm.ends_with("rm?") && inst.rm != 0;
            // Targets are relocations for an assembler, and it has no word for an empty fence set or for reserved fields.
            if row.asm.ends_with("target") || is_exact_conversion || text.contains("unknown") || text.starts_with('.') {
                continue;
            }
            assert_eq!(friscy_isa::assemble(&text), Ok(inst.bits), "{text}");
            writeln!(source, "{text}").expect("writing to a string");
            expected.push((inst.bits, text));
        }
    }
    let object = gnu_assemble("texts", &source);
    let lines = objdump(&object, &[]);
    std::fs::remove_file(object).expect("it was written above");
    assert_eq!(lines.len(), expected.len());
    for (line, (bits, text)) in lines.iter().zip(&expected) {
        assert_eq!(line.bits, *bits, "{text}");
    }
}

/// What compilers and people write for Zba, Zbb and Zbs.
#[test]
fn bit_manipulation_sources() {
    let mnemonics = ROWS.iter().filter(|row| row.extension >= Extension::Zba && row.flags == Flags::NONE);
    let mut source = String::from(".option norvc\n");
    let mut names = Vec::new();
    for row in mnemonics {
        let operands = row.asm.replace("rd", "a0").replace("rs1", "s11").replace("rs2", "t6").replace("shamt", "31");
        writeln!(source, "{} {operands}", row.name).expect("writing to a string");
        names.push((row.name, friscy_isa::assemble(&format!("{} {operands}", row.name))));
    }
    assert_eq!(names.len(), 8 + 24 + 8, "instructions of Zba, Zbb and Zbs");
    let object = gnu_assemble("bits", &source);
    let lines = objdump(&object, &[]);
    std::fs::remove_file(object).expect("it was written above");
    assert_eq!(compare_all("bits", &lines), BTreeMap::new());
    let theirs = lines.iter().map(|line| (line.text.split('\t').next().unwrap_or_default(), Ok(line.bits)));
    assert_eq!(theirs.collect::<Vec<_>>(), names);
}

#[test]
fn real_programs() {
    let Some(root) = std::env::var_os("FRISCY_ROOTFS") else {
        eprintln!("FRISCY_ROOTFS is not set: no real programs are compared, only samples of every row");
        return;
    };
    let root = Path::new(&root);
    // Of a tar, the folder beside it is read that it was unpacked into.
    let folder = if root.is_file() { root.with_extension("") } else { root.to_owned() };
    let root = folder.as_path();
    assert!(root.is_dir(), "{} is not there: unpack the tar beside itself", root.display());
    let library = |name: &str| root.join("usr/lib/riscv64-linux-gnu").join(name);
    let files =
        [library("libc.so.6"), root.join("usr/bin/bash"), root.join("usr/bin/python3.13"), library("libcrypto.so.3")];
    let mut found = 0;
    for file in files.iter().filter(|file| file.exists()) {
        found += 1;
        let text = text_section(file);
        let lines = objdump(&text, &RAW);
        std::fs::remove_file(text).expect("it was written above");
        let counts = compare_all(&file.display().to_string(), &lines);
        // What the referee takes for data is shown to it again in a file that claims these extensions.
        let hidden = lines.iter().filter(|line| compare(line) == Some(Difference::NotClaimed)).map(|line| line.bits);
        compare_words(&hidden.collect::<Vec<_>>());
        let data = counts.get(&Difference::Data).copied().unwrap_or_default();
        assert!(data * 5_000 < lines.len(), "{}: {data} lines of data", file.display());
        eprintln!("{}: {} lines, not compared: {counts:?}", file.display(), lines.len());
        assert!(lines.len() > 100_000, "{}: only {} lines", file.display(), lines.len());
    }
    assert!(found >= 3, "the root file system lacks libc, bash or python3.13");
}
