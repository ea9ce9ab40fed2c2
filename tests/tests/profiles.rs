//! `friscy run --profile-out` and `friscy prof`: profiles of real programs, and files that are none.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::{friscy, rootfs, rootfs_folder, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Outcome {
    outcome(Command::new(friscy()).args(arguments), b"", Duration::from_secs(120))
}

/// Standard output of a command that succeeds without a word on standard error.
#[track_caller]
fn output(arguments: &[&str]) -> String {
    let outcome = run(arguments);
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!((outcome.status, stderr.as_str()), (0, ""), "{arguments:?}");
    String::from_utf8(outcome.stdout).expect("UTF-8")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn compile(dir: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let program = dir.join(name);
    let status = Command::new("riscv64-linux-gnu-gcc")
        .args(["-O2", "-static", "-o"])
        .arg(&program)
        .arg(workspace().join("tests/hot/hot.c"))
        .args(flags)
        .status()
        .expect("riscv64-linux-gnu-gcc");
    assert!(status.success());
    program
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The numbers of lines that begin with a word, added up.
fn sum(text: &str, word: &str, field: usize) -> u64 {
    let lines = text.lines().filter(|line| line.split(' ').next() == Some(word));
    lines.map(|line| line.split(' ').nth(field).unwrap().parse::<u64>().unwrap()).sum()
}

/// The share in percent of a line of `show` that ends with `place`.
fn share(shown: &str, place: &str) -> f64 {
    let line = shown.lines().find(|line| line.ends_with(place));
    line.map_or(0.0, |line| line.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn a_static_program() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "hot", &[]);
    let profile = dir.path().join("run.prof");
    for tier in ["interp", "jit"] {
        let arguments = ["run", "--tier", tier, "--profile-out", text(&profile), text(&program), "20000000"];
        let plain = output(&["run", text(&program), "20000000"]);
        assert_eq!(output(&arguments), plain, "{tier}");
        assert_eq!(names(dir.path()), ["hot", "run.prof"]);
        let shown = output(&["prof", "show", text(&profile), text(&program)]);
        let (mix, main) = (share(&shown, " mix in /hot"), share(&shown, " main in /hot"));
        assert!(mix > 5.0 && main > 10.0 && mix + main > 98.0, "{tier}\n{shown}");
        assert!(shown.contains("run        /hot 20000000\n"), "{shown}");

        // Nearly all instructions are counted, and none twice.
        let lines = output(&["prof", "text", text(&profile)]);
        let (retired, counted) = (sum(&lines, "retired", 1), sum(&lines, "block", 5) + sum(&lines, "elsewhere", 1));
        assert!(counted <= retired && retired - counted < 500_000, "{tier}: {counted} of {retired}");
        assert!(lines.contains("steady\n"), "{tier}");

        let checked = output(&["prof", "verify", text(&profile), text(&program)]);
        assert!(checked.contains("100.00 %   0.00 %") && checked.contains("the same executable bytes"), "{checked}");
        fs::remove_file(&profile).unwrap();
    }
}

#[test]
fn a_changed_program_is_stale() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "hot", &[]);
    let profile = dir.path().join("run.prof");
    output(&["run", "--profile-out", text(&profile), text(&program)]);
    fs::create_dir(dir.path().join("new")).unwrap();
    let changed = compile(dir.path(), "new/hot", &["-fno-inline", "-Os", "-Dmix=mix2"]);
    let outcome = run(&["prof", "verify", text(&profile), text(&changed)]);
    let report = String::from_utf8_lossy(&outcome.stdout);
    assert_eq!(outcome.status, 1, "{report}");
    assert!(report.contains("the same name, other bytes"), "{report}");
}

#[test]
fn python_and_its_libraries() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one.prof"), dir.path().join("two.prof"));
    let rootfs = rootfs();
    let script = "import zlib\nfor i in range(100000): str(i)\nprint(zlib.crc32(b'x' * 3000000))";
    for path in [&one, &two] {
        let flags = ["run", "--tier", "interp", "--deterministic", "--profile-out", text(path), text(&rootfs)];
        output(&[&flags[..], &["python3", "-c", script]].concat());
    }
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap(), "a deterministic run");

    let root = rootfs_folder();
    let shown = output(&["prof", "show", "--root", text(&root), "-n", "5", text(&one)]);
    for module in ["/libz.so.1", "/libc.so.6", "/usr/bin/python3"] {
        assert!(shown.contains(module), "{module}\n{shown}");
    }
    let python = fs::canonicalize(root.join("usr/bin/python3")).unwrap();
    assert!(output(&["prof", "verify", text(&one), text(&python)]).contains("100.00 %"), "python3");

    // Twice the same is one of double weight, and wholly alike.
    let (sum, double) = (dir.path().join("sum.prof"), dir.path().join("double.prof"));
    output(&["prof", "merge", "-o", text(&sum), text(&one), text(&two)]);
    output(&["prof", "merge", "--weights", "2", "-o", text(&double), text(&one)]);
    assert_eq!(fs::read(&sum).unwrap(), fs::read(&double).unwrap());
    assert!(output(&["prof", "diff", text(&one), text(&sum)]).starts_with("overlap    100.00 %\n"));

    // As text, and back.
    let (lines, back) = (dir.path().join("lines"), dir.path().join("back.prof"));
    fs::write(&lines, output(&["prof", "text", text(&one)])).unwrap();
    output(&["prof", "text", "-o", text(&back), text(&lines)]);
    assert_eq!(fs::read(&one).unwrap(), fs::read(&back).unwrap());
}

#[test]
fn all_processes_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("run.prof");
    let script = "sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i+1 from n where i<100000) \
                  select sum(i) from n'; (perl -e 'for (1..100000) { $x += $_ } print \"$x\\n\"'); exit 3";
    let outcome = run(&["run", "--profile-out", text(&profile), text(&rootfs()), "sh", "-c", script]);
    assert_eq!((outcome.status, outcome.stdout.as_slice()), (3, &b"5000050000\n5000050000\n"[..]));
    let shown = output(&["prof", "show", text(&profile)]);
    for module in ["libsqlite3.so", "/usr/bin/perl", "/libc.so.6"] {
        assert!(shown.contains(module), "{module}\n{shown}");
    }
}

#[test]
fn a_program_that_crashes_leaves_a_profile() {
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("run.prof");
    let script = "import os\nfor i in range(100000): pass\nos.abort()";
    let outcome = run(&["run", "--profile-out", text(&profile), text(&rootfs()), "python3", "-c", script]);
    assert_eq!(outcome.status, 134);
    assert!(output(&["prof", "show", text(&profile)]).contains("/usr/bin/python3"));
}

/// Runs `friscy` with arguments that are wrong, and checks what it says.
#[track_caller]
fn refused(arguments: &[&str], message: &str) {
    let outcome = run(arguments);
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), format!("friscy: {message}\n"), "{arguments:?}");
    assert_eq!((outcome.status, outcome.stdout.len()), (125, 0), "{arguments:?}");
}

#[test]
fn where_nothing_can_be_written_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "hot", &[]);
    let missing = dir.path().join("none/run.prof");
    let run = |path: &Path, message: &str| {
        refused(&["run", "--profile-out", text(path), text(&program)], &format!("{}: {message}", path.display()));
    };
    run(&missing, "No such file or directory");
    run(dir.path(), "not a regular file");
    run(Path::new("/dev/full"), "not a regular file");
    let profile = dir.path().join("run.prof");
    assert_eq!(crate::run(&["run", "--profile-out", text(&profile), "/none.elf"]).status, 125);
    assert_eq!(names(dir.path()), ["hot"]);
}

#[test]
fn files_that_are_no_profiles_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "hot", &[]);
    let good = dir.path().join("good.prof");
    output(&["run", "--profile-out", text(&good), text(&program)]);
    let bytes = fs::read(&good).unwrap();
    let mut random = 0x1234_5678_u32;
    let noise: Vec<u8> = (0..4096)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        })
        .collect();
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    let mut later = bytes.clone();
    later[8] = 9;
    let no_profile = "not a profile: it does not begin with \"friscypf\"";
    let cut = format!("a truncated profile: 100 bytes of {}", bytes.len());
    let wrong: [(&str, &[u8], &str); 8] = [
        ("empty", b"", no_profile),
        ("elf", &fs::read(&program).unwrap(), no_profile),
        ("noise", &noise, no_profile),
        ("cut", &bytes[..100], &cut),
        ("longer", &[&bytes[..], b"x"].concat(), "1 bytes follow the profile"),
        ("changed", &changed, "a damaged profile: its checksum is wrong"),
        ("later", &later, "a profile of format version 9; this friscy reads version 1"),
        ("text", b"friscy profile 1\nretired many\n", "line 2: a number below 2^64 is wanted"),
    ];
    let output = dir.path().join("output.prof");
    for (name, bytes, message) in wrong {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let (path, message) = (text(&path), format!("{}: {message}", path.display()));
        refused(&["prof", "show", path], &message);
        refused(&["prof", "text", path], &message);
        refused(&["prof", "diff", text(&good), path], &message);
        refused(&["prof", "verify", path, text(&program)], &message);
        refused(&["prof", "merge", "-o", text(&output), text(&good), path], &message);
        assert!(!output.exists());
    }
    let noise = dir.path().join("noise");
    let outcome = run(&["prof", "verify", text(&good), text(&noise)]);
    assert_eq!(outcome.status, 125);
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("noise: not an ELF file"));
}
