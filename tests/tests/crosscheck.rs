//! `friscy run --crosscheck`: programs run to their ends with every run compared, and end as they do otherwise.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use friscy_tests::guest::{Outcome, first_difference, outcome};
use friscy_tests::places::{friscy, rootfs, workspace};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn run(flags: &[&str], image: &Path, command: &[&str]) -> Outcome {
    let mut friscy = Command::new(friscy());
    friscy.arg("run").args(flags).arg(image).args(command);
    outcome(&mut friscy, b"", Duration::from_secs(300))
}

fn compile(source: &str, dir: &Path) -> PathBuf {
    let source = workspace().join("tests").join(source);
    let program = dir.join(source.file_stem().expect("a name"));
    let status = Command::new("riscv64-linux-gnu-gcc")
        .args(["-O2", "-static", "-w", "-pthread", "-o"])
        .args([&program, &source])
        .status()
        .expect("riscv64-linux-gnu-gcc");
    assert!(status.success());
    program
}

#[track_caller]
fn check(flags: &[&str], image: &Path, command: &[&str]) {
    let want = run(&[], image, command);
    let got = run(&[&["--crosscheck"], flags].concat(), image, command);
    let said = String::from_utf8_lossy(&got.stderr);
    if let Some(difference) = first_difference(&got.stdout, &want.stdout) {
        panic!("{image:?}: {difference}{said}");
    }
    assert_eq!((got.status, &got.stderr), (want.status, &want.stderr), "{image:?}: {said}");
}

#[test]
fn compiled_code_does_what_the_interpreter_does() {
    let dir = tempfile::tempdir().unwrap();
    let hot = compile("hot/hot.c", dir.path());
    check(&["--jit-threshold", "5"], &hot, &[]);
    let said = run(&["--crosscheck", "--jit-threshold", "5", "--stats=json"], &hot, &[]).stderr;
    let said: Value = serde_json::from_slice(&said).expect("one object");
    let count = |group: &str, name: &str| said[group][name].as_u64().unwrap_or(0);
    assert!(count("compiled", "regions") > 0 && count("compiled", "entries") > 0, "{said}");
    assert!(count("compared", "runs") > 100 && count("compared", "pages") > 100, "{said}");
}

/// Shared memory, forks, signal handlers, threads, and code that is written at run time.
#[test]
fn what_programs_ask_of_the_system() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["memory", "handlers", "futexes", "clones", "ipc", "tasks", "context", "written"] {
        check(&["--jit-threshold", "1"], &compile(&format!("calls/{name}.c"), dir.path()), &[]);
    }
}

#[test]
fn a_crash_is_the_programs_own() {
    let dir = tempfile::tempdir().unwrap();
    check(&[], &compile("crash/crash.c", dir.path()), &[""]);
}

#[test]
fn debian_programs() {
    let rootfs = rootfs();
    let flags = ["--jit-threshold", "20"];
    check(&flags, &rootfs, &["bash", "-c", "seq 2000 | sort -r | gzip -9 | gunzip | sha256sum; ls /usr | wc -l"]);
    check(&flags, &rootfs, &["python3", "-c", "import json; print(sum(json.loads(str(list(range(20000))))))"]);
    check(
        &flags,
        &rootfs,
        &["perl", "-e", "my %h; $h{$_ % 97} += sqrt $_ for 1..50000; print join ' ', map { $h{$_} } 0..9"],
    );
}
