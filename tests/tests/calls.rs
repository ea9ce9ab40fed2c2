//! System calls against Linux: each program of `calls/` is compiled for the host and for riscv64; what it prints on the
//! host's kernel is what it must print in friscy. Rows of the system-call table that say `full` rest on these.

use friscy_tests::guest::{first_difference, outcome};
use friscy_tests::places::{friscy, workspace};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// What a program ends with whose subject the host's kernel does not have.
const NOT_HERE: i32 = 77;

fn compile(compiler: &str, source: &Path, program: &Path) {
    let out = Command::new(compiler)
        .args(["-O1", "-static", "-w", "-pthread", "-o"])
        .arg(program)
        .arg(source)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(out.status.success(), "{compiler}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A program that is about riscv64 itself: prints the same under qemu-user, and asserts by itself, run with the argument
/// `exact`, what qemu-user does otherwise than Linux.
#[track_caller]
fn check_riscv(name: &str) {
    check_riscv_with(name, &[]);
}

/// The same with options of `friscy run`.
#[track_caller]
fn check_riscv_with(name: &str, options: &[&str]) {
    let source = workspace().join("tests/calls").join(name).with_extension("c");
    let dir = tempfile::tempdir().unwrap();
    let guest = dir.path().join(name);
    compile("riscv64-linux-gnu-gcc", &source, &guest);
    let want = outcome(&mut Command::new(&guest), b"", LIMIT);
    let got = outcome(Command::new(friscy()).arg("run").args(options).arg(&guest), b"", LIMIT);
    if let Some(difference) = first_difference(&got.stdout, &want.stdout) {
        panic!("{difference}{}", String::from_utf8_lossy(&got.stderr));
    }
    assert_eq!(got.status, want.status);
    let exact = outcome(Command::new(friscy()).arg("run").args(options).arg(&guest).arg("exact"), b"", LIMIT);
    assert_eq!((exact.status, String::from_utf8_lossy(&exact.stdout).as_ref()), (0, ""));
}

#[track_caller]
fn check(name: &str) {
    let source = workspace().join("tests/calls").join(name).with_extension("c");
    let dir = tempfile::tempdir().unwrap();
    let (native, guest) = (dir.path().join("native"), dir.path().join(name));
    compile("gcc", &source, &native);
    compile("riscv64-linux-gnu-gcc", &source, &guest);
    let want = outcome(&mut Command::new(&native), b"", LIMIT);
    if want.status == NOT_HERE {
        eprintln!("skipped: the host's kernel does not have what {name} is about");
        return;
    }
    let got = outcome(Command::new(friscy()).arg("run").arg(&guest), b"", LIMIT);
    if let Some(difference) = first_difference(&got.stdout, &want.stdout) {
        panic!("{difference}{}", String::from_utf8_lossy(&got.stderr));
    }
    assert_eq!(got.status, want.status);
}

#[test]
fn context() {
    check_riscv("context");
}

#[test]
fn files() {
    check("files");
}

#[test]
fn ipc() {
    check("ipc");
}

#[test]
fn limits() {
    check("limits");
}

#[test]
fn lite() {
    check("lite");
}

#[test]
fn loopback() {
    check("loopback");
}

#[test]
fn names() {
    check("names");
}

#[test]
fn queues() {
    check("queues");
}

#[test]
fn streams() {
    check("streams");
}

#[test]
fn tasks() {
    check("tasks");
}

#[test]
fn watches() {
    check("watches");
}

#[test]
fn urgent() {
    check("urgent");
}

#[test]
fn jobs() {
    check("jobs");
}

#[test]
fn locks() {
    check("locks");
}

#[test]
fn memory() {
    check("memory");
}

#[test]
fn handlers() {
    check("handlers");
}

#[test]
fn seals() {
    check("seals");
}

#[test]
fn futexes() {
    check("futexes");
}

#[test]
fn large() {
    check("large");
}

#[test]
fn restarts() {
    check("restarts");
}

#[test]
fn timers() {
    check("timers");
}

#[test]
fn terminals() {
    check("terminals");
}

#[test]
fn clones() {
    check("clones");
}

#[test]
fn bands() {
    check("bands");
}

/// Interpreted, compiled when it is hot, and compiled as soon as it was seen once.
#[test]
fn written() {
    check_riscv_with("written", &["--tier", "interp"]);
    check_riscv("written");
    check_riscv_with("written", &["--jit-threshold", "1"]);
}
