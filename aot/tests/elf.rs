//! Files as gcc makes them.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use friscy_aot::{AotError, Chosen, Module, Options, compile, is_program};
use friscy_wasm::ahead::{FUSED_SECTION, Found, SECTION, Table};
use goblin::elf::Elf;
use std::path::PathBuf;
use std::process::Command;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// A function with a table of jumps, one that calls through a pointer in data, and one that only that leads to.
const SOURCE: &str = r"
#include <stdio.h>
int chosen(int n, int x) {
    switch (n) {
    case 0: return x * 3;
    case 1: return x ^ 5;
    case 2: return x - 7;
    case 3: return x / 9;
    case 4: return x << 2;
    case 5: return x % 11;
    case 6: return ~x;
    default: return x;
    }
}
static int hidden(int x) { return x + 41; }
double mixed(double a, double b, double c) { return a * b + c; }
int (*volatile pointer)(int) = hidden;
int main(int argc, char **argv) {
    return printf(argv[0], chosen(argc, argc)) + pointer(argc);
}
";

/// The file that gcc makes of the source, for the guest.
fn build(name: &str, flags: &[&str]) -> Vec<u8> {
    build_of(name, SOURCE, flags)
}

/// The same of another source.
fn build_of(name: &str, source_text: &str, flags: &[&str]) -> Vec<u8> {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, out) = (dir.join(format!("{name}.c")), dir.join(name));
    std::fs::write(&source, source_text).expect("a file");
    let status = Command::new("riscv64-linux-gnu-gcc").arg("-O2").args(flags).arg("-o").arg(&out).arg(&source).status();
    assert!(status.expect("riscv64-linux-gnu-gcc").success());
    std::fs::read(&out).expect("what was built")
}

fn table(module: &Module) -> Table {
    let mut sections = Parser::new(0).parse_all(&module.wasm).filter_map(|payload| match payload.expect("a module") {
        Payload::CustomSection(section) if section.name() == SECTION => Table::parse(section.data()),
        _ => None,
    });
    sections.next().expect("a section of our format")
}

fn symbol(bytes: &[u8], name: &str) -> (u32, u32) {
    let elf = Elf::parse(bytes).expect("an ELF file");
    let found = elf.syms.iter().find(|sym| elf.strtab.get_at(sym.st_name) == Some(name)).expect("a symbol");
    (found.st_value as u32, (found.st_value + found.st_size) as u32)
}

#[track_caller]
fn check(name: &str, flags: &[&str], is_relative: bool) {
    let bytes = build(name, flags);
    assert!(is_program(&bytes));
    let module = compile(&bytes, Options::default()).expect("a module");
    assert!(module == compile(&bytes, Options::default()).expect("a module"), "{name}: not the same again");
    let table = table(&module);
    assert_eq!(table.origin.is_relative, is_relative);
    assert_eq!(table.functions() as usize, module.functions);
    for function in ["chosen", "hidden", "main"] {
        let (start, end) = symbol(&bytes, function);
        let found = table.find(start).unwrap_or_else(|| panic!("{name} has no code of {function}"));
        assert_eq!((found.start, found.code & 0x3ff), (start, 0), "{name}: {function}");
        assert!(found.end <= end + 2, "{name}: {function} ends at {:#x}", found.end);
    }
    // Its own entry, and the cases that its table leads to.
    let (start, end) = symbol(&bytes, "chosen");
    let entries = (start..end).step_by(2).filter(|&pc| table.find(pc).is_some()).count();
    assert!(entries >= 7, "{name}: {entries} entries of a function with a table");
    assert_eq!(table.find(start + 1), None);
    assert_eq!(table.target(table.cells()), None);
    check_fused(&bytes, &module, &table);
}

/// What multiplies and adds in one is in a module of its own, and that alone needs relaxed SIMD.
#[track_caller]
fn check_fused(bytes: &[u8], module: &Module, table: &Table) {
    let section = Parser::new(0).parse_all(&module.wasm).find_map(|payload| match payload.expect("a module") {
        Payload::CustomSection(section) if section.name() == FUSED_SECTION => Some(section.data().to_vec()),
        _ => None,
    });
    let fused = section.expect("a section with a module");
    let features = WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL;
    let is_valid = |features| Validator::new_with_features(features).validate_all(&fused).is_ok();
    assert!(is_valid(features | WasmFeatures::RELAXED_SIMD) && !is_valid(features));
    let (start, _) = symbol(bytes, "mixed");
    let found = table.find(start).expect("code of it");
    assert!(found.code >> Found::ENTRY_BITS >= table.plain_functions());
    let (start, _) = symbol(bytes, "chosen");
    let found = table.find(start).expect("code of it");
    assert!(found.code >> Found::ENTRY_BITS < table.plain_functions());
}

#[test]
#[allow(clippy::single_range_in_vec_init, reason = "a list of ranges, of which there is one")]
fn small_functions_become_part_of_what_calls_them() {
    const SOURCE: &str = r#"
__attribute__((noinline)) static long small(long x) { return x * 5 + 1; }
int main(int argc, char **argv) { return small(argc) ^ small(argc + 1); }
"#;
    let bytes = build_of("inlined", SOURCE, &["-static"]);
    let (start, end) = symbol(&bytes, "main");
    let only = Chosen { ranges: [u64::from(start)..u64::from(end)].to_vec(), ..Chosen::default() };
    let module = compile(&bytes, Options { only: Some(&only) }).expect("a module");
    // Its function reaches as far as what was copied, and leads there no more.
    let table = table(&module);
    let (small, small_end) = symbol(&bytes, "small");
    let found = table.find(start).expect("code of it");
    assert!(found.start <= small && small_end <= found.end, "{found:?} without {small:#x}");
    assert!((0..table.cells()).all(|cell| table.target(cell) != Some(small)));
}

#[test]
fn files_of_every_kind() {
    check("static", &["-static"], false);
    check("pie", &["-pie", "-fPIE"], true);
    check("shared", &["-shared", "-fPIC"], true);
}

#[test]
fn what_is_no_program_is_refused() {
    let refused = |bytes: &[u8]| compile(bytes, Options::default()).expect_err("no module");
    assert!(matches!(refused(b""), AotError::Elf(_)));
    assert!(matches!(refused(b"#!/bin/sh\n"), AotError::Elf(_)));
    let program = build("program", &["-static"]);
    for len in [16, 63, 64, 100, 4000, program.len() / 2] {
        assert!(matches!(refused(&program[..len]), AotError::Elf(_) | AotError::NoCode), "{len} bytes");
    }
    assert!(matches!(refused(&build("object.o", &["-c"])), AotError::NotLinked));
    let own = std::fs::read(std::env::current_exe().expect("a path")).expect("this program");
    assert!(matches!(refused(&own), AotError::Machine(_)));
    assert!(!is_program(&own));
}

#[test]
fn nonsense_in_headers_is_no_panic() {
    let program = build("damaged", &["-pie", "-fPIE"]);
    let mut seed = 1_u64;
    for _ in 0..300 {
        let mut damaged = program.clone();
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % 0x400;
            damaged[at] = (seed >> 24) as u8;
        }
        let _ = compile(&damaged, Options::default());
    }
}

#[test]
#[allow(clippy::single_range_in_vec_init, reason = "a list of ranges, of which there is one")]
fn only_what_is_wanted() {
    let bytes = build("chosen", &["-static"]);
    let (start, end) = symbol(&bytes, "chosen");
    let only = [u64::from(start) + 4..u64::from(end)];
    let module = compile(&bytes, Options { only: Some(&Chosen { ranges: only.to_vec(), ..Chosen::default() }) })
        .expect("a module");
    assert_eq!(module.functions, 1);
    assert!(table(&module).find(start).is_some());

    // Of a function of which one block ran the rest is left out; and it can be entered where control was seen.
    let chosen = Chosen { ranges: only.to_vec(), ran: [u64::from(start)].into(), entries: [].into() };
    let part = compile(&bytes, Options { only: Some(&chosen) }).expect("a module");
    assert_eq!(part.functions, 1);
    assert!(part.wasm.len() < module.wasm.len(), "{} bytes of {}", part.wasm.len(), module.wasm.len());
    let inner = u64::from(start) + 4;
    let chosen = Chosen { ran: [inner].into(), entries: [inner].into(), ..chosen };
    let inside = compile(&bytes, Options { only: Some(&chosen) }).expect("a module");
    assert!(table(&inside).find(start + 4).is_some() && table(&inside).find(start).is_none());
    // What ran of another function says nothing of this one.
    let chosen = Chosen { ran: [u64::from(end)].into(), entries: [].into(), ..chosen };
    assert_eq!(compile(&bytes, Options { only: Some(&chosen) }), Ok(module));
}
