//! The committed vDSO is what its source assembles to.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use crate::vdso::{IMAGE, RT_SIGRETURN};
use goblin::elf::Elf;
use std::process::Command;

#[test]
fn it_is_what_its_source_assembles_to() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/vdso");
    let out = std::env::temp_dir().join(format!("friscy-vdso-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    let run = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).current_dir(source).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {args:?}");
    };
    let object = out.join("vdso.o").to_string_lossy().into_owned();
    let image = out.join("vdso.so").to_string_lossy().into_owned();
    run("riscv64-linux-gnu-as", &["-march=rv64g", "-o", &object, "vdso.s"]);
    let link = "-shared -nostdlib --hash-style=both --build-id=none --eh-frame-hdr -soname=linux-vdso.so.1 \
                -Bsymbolic -s -T vdso.lds -o";
    let mut args: Vec<&str> = link.split_whitespace().collect();
    args.extend([image.as_str(), object.as_str()]);
    run("riscv64-linux-gnu-ld", &args);
    let built = std::fs::read(&image).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    assert!(built == IMAGE, "src/vdso/vdso.so is stale");
}

#[test]
fn symbols() {
    let elf = Elf::parse(IMAGE).unwrap();
    let names: Vec<(&str, u64)> = elf
        .dynsyms
        .iter()
        .filter(|symbol| symbol.is_function())
        .map(|symbol| (elf.dynstrtab.get_at(symbol.st_name).unwrap(), symbol.st_value))
        .collect();
    let address = |name: &str| names.iter().find(|row| row.0 == name).map(|row| row.1);
    assert_eq!(address("__vdso_rt_sigreturn"), Some(RT_SIGRETURN));
    for name in ["clock_gettime", "clock_getres", "gettimeofday", "getcpu", "flush_icache"] {
        assert!(address(&format!("__vdso_{name}")).is_some(), "{name}");
    }
    // Unwinders know a signal frame by `li a7, 139; ecall`.
    let at = RT_SIGRETURN as usize;
    assert_eq!(IMAGE[at..at + 8], [0x93, 0x08, 0xb0, 0x08, 0x73, 0, 0, 0]);
    assert!(IMAGE.len() < 4096);
}
