//! `friscy aot`: what is written, and what a user sees when something is wrong.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::friscy;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn aot(elf: &Path, output: &Path) -> Outcome {
    let mut command = Command::new(friscy());
    command.arg("aot").arg(elf).arg("-o").arg(output);
    outcome(&mut command, b"", Duration::from_secs(120))
}

fn build(dir: &Path, name: &str, flags: &[&str]) -> std::path::PathBuf {
    let (source, path) = (dir.join("source.c"), dir.join(name));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let status = Command::new("riscv64-linux-gnu-gcc").args(flags).arg("-o").arg(&path).arg(&source).status();
    assert!(status.unwrap().success());
    path
}

#[test]
fn a_module_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("program.wasm");
    let outcome = aot(&build(dir.path(), "program", &["-static"]), &output);
    assert_eq!(outcome.status, 0, "{}", String::from_utf8_lossy(&outcome.stderr));
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(said.contains(" functions, ") && said.contains(" MB\n"), "{said}");
    assert!(fs::read(&output).unwrap().starts_with(b"\0asm"));
}

#[test]
fn what_is_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.wasm");
    let program = build(dir.path(), "program", &["-static"]);
    let short = dir.path().join("short");
    let bytes = fs::read(&program).unwrap();
    fs::write(&short, &bytes[..bytes.len() / 2]).unwrap();
    let text = dir.path().join("text");
    fs::write(&text, "hello\n").unwrap();
    let object = build(dir.path(), "object.o", &["-c"]);
    let cases = [
        (dir.path().join("missing"), "No such file or directory"),
        (short, "cut short"),
        (text, "not an ELF file"),
        (object, "link it first"),
        (std::env::current_exe().unwrap(), "not a riscv64 ELF file"),
    ];
    for (path, why) in cases {
        let outcome = aot(&path, &output);
        let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!(outcome.status, 125, "{said}");
        assert!(said.starts_with(&format!("friscy: {}: ", path.display())) && said.contains(why), "{said}");
        assert!(!output.exists(), "{}: a module was written", path.display());
    }
}
