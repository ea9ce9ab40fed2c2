//! Compiled code that is kept between runs: it is taken back where it fits, and never believed where it does not.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::{friscy, rootfs, workspace};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with a cache and programs.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// Compiles a program of `tests/hot`.
    fn program(&self, source: &str, flags: &[&str]) -> PathBuf {
        let program = self.dir.path().join("program");
        let source = workspace().join("tests/hot").join(source);
        let mut gcc = Command::new("riscv64-linux-gnu-gcc");
        gcc.args(["-O2", "-static", "-no-pie", "-o"]).arg(&program).arg(source).args(flags);
        assert!(gcc.status().expect("riscv64-linux-gnu-gcc").success());
        program
    }

    fn run(&self, flags: &[&str], image: &Path, command: &[&str]) -> Outcome {
        let mut friscy = Command::new(friscy());
        friscy.env("FRISCY_CACHE", self.cache()).env("FRISCY_CODE_CACHE", "wait").arg("run").args(flags);
        outcome(friscy.arg(image).args(command), b"", Duration::from_secs(120))
    }

    /// What a run wrote, and how many regions it compiled and took back.
    fn counted(&self, flags: &[&str], image: &Path, command: &[&str]) -> (String, u64, u64) {
        let Outcome { status, stdout, stderr } = self.run(&[&["--stats=json"], flags].concat(), image, command);
        assert_eq!(status, 0, "{}", String::from_utf8_lossy(&stderr));
        let said: Value = serde_json::from_slice(&stderr).expect("one object");
        let count = |name: &str| said["compiled"][name].as_u64().unwrap_or_else(|| panic!("{name} in {said}"));
        (String::from_utf8(stdout).unwrap(), count("regions"), count("restored"))
    }

    /// The files of code in the cache.
    fn kept(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.cache().join("code"));
        let mut files: Vec<PathBuf> = files.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

const FEW: &[&str] = &["--jit-threshold", "5"];

#[test]
fn later_runs_compile_nothing_again() {
    let place = Place::new();
    let program = place.program("hot.c", &[]);
    let (first, compiled, restored) = place.counted(FEW, &program, &[]);
    assert!(compiled > 0 && restored == 0, "{compiled} compiled, {restored} taken back");
    let (second, compiled, restored) = place.counted(FEW, &program, &[]);
    assert_eq!((second, compiled), (first, 0));
    assert!(restored > 0);
}

/// A program that only starts is compiled when it has ended.
#[test]
fn what_a_short_run_leaves_is_compiled_for_the_next() {
    let place = Place::new();
    let run = || place.counted(&[], &rootfs(), &["bash", "-c", "for i in 1 2 3; do echo $((i * i)); done"]);
    let (first, _, restored) = run();
    assert_eq!((first.as_str(), restored), ("1\n4\n9\n", 0));
    let (second, _, restored) = run();
    assert_eq!(second, first);
    assert!(restored > 20, "{restored} taken back");
    // Others of the image have code of their own at the same addresses.
    let sum = ["perl", "-e", "my $s = 0; $s += $_ for 1..100000; print qq($s\\n)"];
    for _ in 0..3 {
        assert_eq!(place.counted(&[], &rootfs(), &sum).0, "5000050000\n");
    }
    assert_eq!(run().0, first);
    // In the end hardly anything is left to be compiled.
    let bytes = || place.kept().iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>();
    let grown = |_| {
        let before = bytes();
        run();
        bytes().saturating_sub(before)
    };
    let grown: Vec<u64> = (0..4).map(grown).collect();
    assert!(grown[3] < bytes() / 20, "{grown:?} of {}", bytes());
}

#[test]
fn registers_at_faults_of_kept_code_are_exact() {
    let place = Place::new();
    let program = place.program("faults.c", &[]);
    let interpreted = place.run(&["--tier", "interp"], &program, &[]).stdout;
    let words: Vec<String> = String::from_utf8_lossy(&interpreted).split(' ').map(str::to_owned).collect();
    assert!(words[0].parse::<u32>().is_ok_and(|faults| faults > 100), "{words:?}");
    let mut taken = 0;
    for _ in 0..3 {
        let (out, _, restored) = place.counted(FEW, &program, &[]);
        assert_eq!(out.as_bytes(), interpreted);
        taken += restored;
    }
    assert!(taken > 0);
}

#[test]
fn code_of_another_program_is_not_taken() {
    let place = Place::new();
    let program = place.program("hot.c", &[]);
    let (first, ..) = place.counted(FEW, &program, &[]);
    place.program("hot.c", &["-DFACTOR=40503u"]);
    let expected = place.run(&["--tier", "interp"], &program, &[]).stdout;
    let (second, compiled, _) = place.counted(FEW, &program, &[]);
    assert_eq!(second.as_bytes(), expected);
    assert!(second != first && compiled > 0);
    let (again, compiled, restored) = place.counted(FEW, &program, &[]);
    assert!(again == second && compiled == 0 && restored > 0, "{compiled} compiled, {restored} taken back");
}

#[test]
fn files_become_one_when_there_are_many() {
    let place = Place::new();
    let built = |factor: u32| place.program("hot.c", &[&format!("-DFACTOR={factor}u")]);
    let outs: Vec<String> = (1..=10).map(|factor| place.counted(FEW, &built(factor), &[]).0).collect();
    assert!((2..=8).contains(&place.kept().len()), "{:?}", place.kept());
    for (factor, out) in [(1, &outs[0]), (10, &outs[9])] {
        let (again, compiled, restored) = place.counted(FEW, &built(factor), &[]);
        assert!(again == *out && compiled == 0 && restored > 0, "{compiled} compiled, {restored} taken back");
    }
}

#[test]
fn damaged_and_foreign_files_are_as_none() {
    let place = Place::new();
    let program = place.program("hot.c", &[]);
    let (expected, ..) = place.counted(FEW, &program, &[]);
    let file = place.kept().pop().expect("a file of code");
    let whole = fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cut = |len: usize| whole[..len].to_vec();
    // The name, the version, the sum of the head, a unit; less of each.
    let damaged = [flipped(0), flipped(20), flipped(13), cut(0), cut(10), cut(40), cut(whole.len() - 1)];
    for bytes in damaged {
        fs::write(&file, &bytes).unwrap();
        let (out, compiled, restored) = place.counted(&[FEW, &["--code-cache=read"]].concat(), &program, &[]);
        assert_eq!((out, restored), (expected.clone(), 0));
        assert!(compiled > 0);
        assert_eq!(fs::read(&file).unwrap(), bytes, "read writes nothing");
    }
    // One bit of every hundredth byte of the units: those that are damaged are compiled again.
    let mut bytes = whole.clone();
    let units = whole.len() / 2;
    bytes[units..].iter_mut().step_by(100).for_each(|byte| *byte ^= 4);
    fs::write(&file, &bytes).unwrap();
    assert_eq!(place.counted(FEW, &program, &[]).0, expected);
    let (out, compiled, restored) = place.counted(FEW, &program, &[]);
    assert!(out == expected && compiled == 0 && restored > 0, "{compiled} compiled, {restored} taken back");
    // What others may have written is not executed.
    for file in place.kept() {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    }
    assert_eq!(place.counted(&[FEW, &["--code-cache=read"]].concat(), &program, &[]).2, 0);
}

/// As a user has it: the command ends, and then it is compiled.
#[test]
fn a_process_in_the_background_compiles() {
    let place = Place::new();
    let command = ["bash", "-c", "for i in 1 2 3; do echo $((i * i)); done"];
    let first = place.run(&["--code-cache=on"], &rootfs(), &command);
    assert_eq!((first.status, first.stdout.as_slice()), (0, &b"1\n4\n9\n"[..]));
    let began = Instant::now();
    while place.kept().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was kept");
        thread::sleep(Duration::from_millis(20));
    }
    let (out, _, restored) = place.counted(&["--code-cache=read"], &rootfs(), &command);
    assert!(out == "1\n4\n9\n" && restored > 20, "{restored} taken back");
}

#[test]
fn nothing_is_kept_unless_it_is_wanted() {
    let place = Place::new();
    let program = place.program("hot.c", &[]);
    for flags in [&["--code-cache=off"][..], &["--code-cache=read"], &["--tier=interp"], &["--crosscheck"]] {
        assert_eq!(place.run(flags, &program, &["200000"]).status, 0);
        assert!(place.kept().is_empty(), "{flags:?}");
    }
}
