//! What can be seen of the compiled tier from outside: `friscy run` with `--stats` and `--perf-map`.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::{friscy, workspace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

fn run(arguments: &[&str]) -> Outcome {
    outcome(Command::new(friscy()).arg("run").args(arguments), b"", Duration::from_secs(120))
}

/// A program with a hot loop, at an address that is known.
fn hot(dir: &Path) -> PathBuf {
    compile("hot", dir)
}

fn compile(name: &str, dir: &Path) -> PathBuf {
    let program = dir.join(name);
    let status = Command::new("riscv64-linux-gnu-gcc")
        .args(["-O2", "-static", "-no-pie", "-o"])
        .args([&program, &workspace().join(format!("tests/hot/{name}.c"))])
        .arg("-lm")
        .status()
        .expect("riscv64-linux-gnu-gcc");
    assert!(status.success());
    program
}

#[test]
fn exception_flags_are_those_of_the_referee() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("flags", dir.path());
    // With how many instructions of each are compiled at least.
    for (part, least) in [("read", 20), ("tiny", 10), ("converted", 100)] {
        let want = outcome(Command::new("qemu-riscv64-static").arg(&program).arg(part), b"", Duration::from_secs(120));
        assert_eq!(want.status, 0);
        let got = run(&["--jit-threshold", "1", "--stats=json", program.to_str().expect("UTF-8"), part]);
        assert_eq!(String::from_utf8_lossy(&got.stdout), String::from_utf8_lossy(&want.stdout));
        let said: Value = serde_json::from_slice(&got.stderr).expect("one object");
        assert!(said["compiled"]["guest_insts"].as_u64().is_some_and(|count| count > least), "{part}: {said}");
    }
}

/// What a program says under the referee and, compiled as soon as it can be, here; returns the counts.
fn agrees(name: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(name, dir.path());
    let want = outcome(Command::new("qemu-riscv64-static").arg(&program), b"", Duration::from_secs(120));
    assert_eq!(want.status, 0);
    let got = run(&["--jit-threshold", "1", "--stats=json", program.to_str().expect("UTF-8")]);
    assert_eq!(String::from_utf8_lossy(&got.stdout), String::from_utf8_lossy(&want.stdout));
    serde_json::from_slice(&got.stderr).expect("one object")
}

#[test]
fn divisions_by_constants_are_those_of_the_referee() {
    let said = agrees("divide");
    assert!(said["compiled"]["guest_insts"].as_u64().is_some_and(|count| count > 500), "{said}");
}

#[test]
fn a_loop_that_only_loads_is_exact_where_memory_ends() {
    let said = agrees("scan");
    assert!(said["compiled"]["exits_rerun"].as_u64().is_some_and(|count| count >= 3), "{said}");
}

fn stats(flags: &[&str], program: &Path) -> Value {
    let outcome = run(&[&["--stats=json"], flags, &[program.to_str().expect("UTF-8")]].concat());
    assert_eq!(outcome.status, 0);
    serde_json::from_slice(&outcome.stderr).expect("one object")
}

#[test]
fn statistics_say_what_was_compiled() {
    let dir = tempfile::tempdir().unwrap();
    let program = hot(dir.path());
    let said = stats(&["--jit-threshold", "5"], &program);
    let count = |name: &str| said["compiled"][name].as_u64().unwrap_or_else(|| panic!("{name} in {said}"));
    assert!(said["instructions"].as_u64().is_some_and(|count| count > 10_000_000), "{said}");
    assert!(count("regions") > 0 && count("compile_nanos") > 0, "{said}");
    assert!(count("attempts") >= count("regions") + count("again"), "{said}");
    // An instruction takes two or four bytes, and at least a byte of the host's.
    let (insts, bytes) = (count("guest_insts"), count("guest_bytes"));
    assert!(2 * insts <= bytes && bytes <= 4 * insts && count("host_bytes") > insts, "{said}");
    let exits = said["compiled"].as_object().expect("an object").iter().filter(|(name, _)| name.starts_with("exits_"));
    assert_eq!(exits.map(|(_, count)| count.as_u64().unwrap_or(0)).sum::<u64>(), count("entries"), "{said}");
    assert!(count("entries") > 0, "{said}");
    assert_eq!(said["compiled"]["refused"], serde_json::json!({}), "{said}");
    let interpreted = stats(&["--tier", "interp"], &program);
    assert_eq!(interpreted["compiled"]["regions"], 0);
    assert_eq!(interpreted["compiled"]["entries"], 0);
}

#[test]
fn statistics_in_lines() {
    let dir = tempfile::tempdir().unwrap();
    let program = hot(dir.path());
    let text = |arguments: &[&str]| String::from_utf8(run(arguments).stderr).expect("UTF-8");
    let said = text(&["--stats", "--jit-threshold", "5", program.to_str().unwrap()]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains(" instructions in ") && lines[0].ends_with(" million a second"), "{said}");
    assert!(lines[1].starts_with("friscy: compiled ") && !lines[1].starts_with("friscy: compiled 0"), "{said}");
    assert!(lines[1].contains(" regions, ") && lines[1].ends_with(" host bytes a guest byte"), "{said}");
    assert!(lines[2].contains(" attempts, ") && lines[2].ends_with(" 0 refused"), "{said}");
    assert!(lines[3].starts_with("friscy: entered compiled code ") && lines[3].contains("; exits: "), "{said}");
    let said = text(&["--stats", "--tier", "interp", program.to_str().unwrap()]);
    assert!(said.ends_with("friscy: nothing was compiled\n"), "{said}");
}

/// Each line is a region, named by the function that it begins in.
#[test]
fn perf_finds_names_of_compiled_code() {
    let dir = tempfile::tempdir().unwrap();
    let mut friscy = Command::new(friscy());
    friscy.args(["run", "--perf-map", "--jit-threshold", "5"]).arg(hot(dir.path())).arg("40000000");
    let mut child = friscy.stdout(Stdio::null()).spawn().unwrap();
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.id()));
    assert!(child.wait().unwrap().success());
    let text = fs::read_to_string(&map).unwrap();
    fs::remove_file(&map).unwrap();
    let mut end = 0;
    let mut names = Vec::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| u64::from_str_radix(parts[at], 16).unwrap_or_else(|_| panic!("{line}"));
        let (start, len) = (number(0), number(1));
        assert!(parts.len() == 3 && len > 0 && (end <= start || end == 0), "{text}");
        end = start + len;
        names.push(parts[2].strip_prefix("riscv:").unwrap_or_else(|| panic!("{line}")));
    }
    assert!(names.iter().any(|name| name.starts_with("main+0x") || name.starts_with("mix+0x")), "{text}");
}

#[test]
fn a_link_in_the_place_of_the_perf_map_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (program, target) = (hot(dir.path()), dir.path().join("target"));
    let script = "ln -s \"$1\" /tmp/perf-$$.map; exec \"$2\" run --perf-map \"$3\" 10";
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("echo $$; {script}"), "sh"]).arg(&target).arg(friscy()).arg(&program);
    let outcome = outcome(&mut shell, b"", Duration::from_secs(60));
    let pid = String::from_utf8(outcome.stdout).unwrap();
    let map = format!("/tmp/perf-{}.map", pid.trim());
    fs::remove_file(&map).unwrap();
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), format!("friscy: {map}: File exists\n"));
    assert_eq!(outcome.status, 125);
    assert!(!target.exists());
}

#[test]
fn a_function_is_shown_as_each_engine_is_given_it() {
    let dir = tempfile::tempdir().unwrap();
    let program = hot(dir.path());
    let lift = |flags: &[&str]| {
        let mut command = Command::new(friscy());
        let shown =
            outcome(command.args(["lift", "--at", "main"]).args(flags).arg(&program), b"", Duration::from_secs(60));
        assert_eq!(shown.status, 0, "{}", String::from_utf8_lossy(&shown.stderr));
        String::from_utf8(shown.stdout).expect("UTF-8")
    };
    assert!(lift(&[]).starts_with("region 0x"));
    assert!(lift(&["--clif"]).contains("call_indirect"));
    let module = lift(&["--wat"]);
    assert!(module.starts_with("(module") && module.contains("loop ;; label"), "{module}");
}
