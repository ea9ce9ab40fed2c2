//! What `friscy run` does around the command: its flags as docker has them, and what it says of a crash.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::{friscy, rootfs, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn run(arguments: &[&str]) -> Outcome {
    outcome(Command::new(friscy()).arg("run").args(arguments), b"", Duration::from_secs(60))
}

fn compile(dir: &Path) -> PathBuf {
    let program = dir.join("crash");
    let status = Command::new("riscv64-linux-gnu-gcc")
        .args(["-O2", "-static", "-o"])
        .args([&program, &workspace().join("tests/crash/crash.c")])
        .status()
        .expect("riscv64-linux-gnu-gcc");
    assert!(status.success());
    program
}

/// The text without the digits of hexadecimal numbers: addresses are the compiler's and the loader's business.
fn without_addresses(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split("0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("0x…");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}

#[track_caller]
fn check_crash(program: &Path, flags: &[&str], how: &str, status: i32, expected: &str) {
    let mut arguments = flags.to_vec();
    arguments.extend([program.to_str().expect("UTF-8"), how]);
    let outcome = run(&arguments);
    let text = without_addresses(&outcome.stderr);
    // What is below main is the C library's.
    let shown: String = text.lines().filter(|line| !line.contains("_start")).map(|line| format!("{line}\n")).collect();
    assert_eq!(shown, expected, "{how}");
    assert_eq!(outcome.status, status, "{how}");
}

#[test]
fn a_crash_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path());
    let program = program.as_path();
    check_crash(
        program,
        &[],
        "",
        139,
        "friscy: crash (process 1) was killed by SIGSEGV: nothing is mapped at address 0x…\n\
         friscy: at 0x… inner+0x… in /crash\n",
    );
    check_crash(
        program,
        &["--backtrace"],
        "",
        139,
        "friscy: crash (process 1) was killed by SIGSEGV: nothing is mapped at address 0x…\n\
         friscy:   0: 0x… inner+0x… in /crash\n\
         friscy:   1: 0x… outer+0x… in /crash\n\
         friscy:   2: 0x… main+0x… in /crash\n",
    );
    check_crash(
        program,
        &["--backtrace"],
        "jump",
        139,
        "friscy: crash (process 1) was killed by SIGSEGV: nothing is mapped at address 0x…\n\
         friscy:   0: 0x… where no code is mapped\n\
         friscy:   1: 0x… main+0x… in /crash\n",
    );
    let text = without_addresses(&run(&["--backtrace", program.to_str().unwrap(), "abort"]).stderr);
    assert!(text.starts_with("friscy: crash (process 1) was killed by SIGABRT\n"), "{text}");
    assert!(text.contains(": 0x… abort+0x… in /crash\n") && text.contains(": 0x… main+0x… in /crash\n"), "{text}");
}

#[test]
fn a_backtrace_goes_through_signal_frames() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path());
    let text = without_addresses(&run(&["--backtrace", program.to_str().unwrap(), "handler"]).stderr);
    let names: Vec<&str> =
        text.lines().skip(1).filter_map(|line| line.split(": 0x… ").nth(1)?.split("+0x…").next()).collect();
    assert_eq!(names[..3], ["inner", "outer", "in memory that is no file"], "{text}");
    assert!(names[3..].contains(&"raise") && names[3..].contains(&"main"), "{text}");
}

#[test]
fn other_processes_crash_silently_unless_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path());
    let program = program.to_str().unwrap();
    let quiet = run(&["-e", "X=1", program, "child"]);
    assert_eq!(without_addresses(&quiet.stderr).matches("was killed by").count(), 1);
    let told = without_addresses(&run(&["--backtrace", program, "child"]).stderr);
    assert_eq!(told.matches("was killed by SIGSEGV").count(), 2, "{told}");
}

#[test]
fn an_unknown_system_call_is_told_of_once() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = run(&[compile(dir.path()).to_str().unwrap(), "call"]);
    assert_eq!(outcome.stdout, b"-1\n-1\n");
    assert_eq!(
        String::from_utf8_lossy(&outcome.stderr),
        "friscy: the guest made system call 5000, which is not known here: ENOSYS\r\n"
    );
}

#[test]
fn a_read_only_root_and_file_systems_in_memory() {
    let rootfs = rootfs();
    let script =
        "touch /x; echo $?; touch /mnt/a/b/x && ls /mnt/a/b; echo 1 > /dev/null && echo null; stat -fc %T /mnt/a/b";
    let outcome = run(&["--read-only", "--tmpfs", "/mnt/a/b", rootfs.to_str().unwrap(), "sh", "-c", script]);
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "1\nx\nnull\ntmpfs\n");
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "touch: cannot touch '/x': Read-only file system\n");
}

#[test]
fn resource_limits() {
    let rootfs = rootfs();
    let flags = ["--ulimit", "nofile=64:128", "--ulimit", "stack=1048576", "--ulimit", "core=-1"];
    let script = "ulimit -Sn; ulimit -Hn; ulimit -Ss; ulimit -Sc";
    let outcome = run(&[&flags[..], &[rootfs.to_str().unwrap(), "sh", "-c", script]].concat());
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "64\n128\n1024\nunlimited\n");
    let wrong = run(&["--ulimit", "files=1", rootfs.to_str().unwrap()]);
    assert_eq!(wrong.status, 125);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the names are cpu, fsize, data, stack"));
}

#[test]
fn man_pages_and_completions_name_every_flag() {
    let output = |arguments: &[&str]| {
        let outcome = outcome(Command::new(friscy()).args(arguments), b"", Duration::from_secs(10));
        assert_eq!(outcome.status, 0);
        String::from_utf8_lossy(&outcome.stdout).into_owned()
    };
    let (help, man, bash) = (output(&["run", "--help"]), output(&["man", "run"]), output(&["completions", "bash"]));
    let flags: Vec<&str> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.split(['=', '[', '`', ',']).next().unwrap_or(word))
        .collect();
    assert!(flags.contains(&"--read-only") && flags.len() > 10, "{flags:?}");
    for flag in flags {
        assert!(man.replace("\\-", "-").contains(flag), "{flag} in the man page");
        assert!(bash.contains(flag), "{flag} in the completions");
    }
}

#[test]
fn a_guest_that_allocates_without_end_is_killed() {
    let rootfs = rootfs();
    let rootfs = rootfs.to_str().unwrap();
    let hog = "a = []\nwhile True: a.append(bytearray(1 << 20))";
    let alone = run(&["--memory", "128m", rootfs, "python3", "-c", hog]);
    assert_eq!(alone.status, 137);
    assert_eq!(
        String::from_utf8_lossy(&alone.stderr),
        "friscy: out of memory (--memory 128m): python3 (process 1) was killed\r\n"
    );
    let script = format!("python3 -c '{hog}'; echo $?");
    let child = run(&["--memory", "128m", rootfs, "bash", "-c", &script]);
    assert_eq!(String::from_utf8_lossy(&child.stdout), "137\n");
    assert_eq!(child.status, 0);
}

#[test]
fn a_guest_that_forks_without_end_gets_eagain() {
    let rootfs = rootfs();
    let bomb = "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(100)\n        n += 1\nexcept BlockingIOError as e: print(n, e.errno)";
    // As on Linux root is held by the container's limit only.
    for flags in [&["-u", "1000", "--ulimit", "nproc=100"][..], &["--ulimit", "nproc=50", "--pids-limit", "100"]] {
        let outcome = run(&[flags, &[rootfs.to_str().unwrap(), "python3", "-S", "-c", bomb]].concat());
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), "99 11\n", "{stderr}");
    }
}

/// Code that is compiled as soon as it was seen once does what the interpreter does: on an interpreter with its jump
/// tables, floating point, deep recursion, exceptions through frames, signals in the middle of loops, and forks.
#[test]
fn compiled_code_is_as_interpreted_code() {
    let rootfs = rootfs();
    let script = "import os, re, signal, hashlib, json, math\n\
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\n\
        def deep(n): return deep(n - 1) + 1 if n else 0\n\
        seen = []\n\
        signal.signal(signal.SIGALRM, lambda *a: seen.append(1))\n\
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)\n\
        print(fib(18), deep(800), sum(math.sin(i) * math.sqrt(i) for i in range(20000)))\n\
        while len(seen) < 3: pass\n\
        signal.setitimer(signal.ITIMER_REAL, 0)\n\
        print(hashlib.sha256(b'x' * 300000).hexdigest(), len(re.findall('(a|b)+c', 'ababc' * 4000)))\n\
        print(len(json.dumps([{str(i): [i / 7, None, True]} for i in range(3000)])))\n\
        def boom(n):\n    if n == 0: raise KeyError(n)\n    boom(n - 1)\n\
        for _ in range(200):\n    try: boom(20)\n    except KeyError: pass\n\
        pid = os.fork()\n\
        if pid == 0: os._exit(fib(15) % 256)\n\
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
    let run_with = |flags: &[&str]| {
        let command = [rootfs.to_str().expect("UTF-8"), "python3", "-c", script];
        let outcome = run(&[flags, &command[..]].concat());
        assert_eq!(outcome.status, 0, "{}", String::from_utf8_lossy(&outcome.stderr));
        String::from_utf8(outcome.stdout).expect("UTF-8")
    };
    let interpreted = run_with(&["--tier", "interp"]);
    assert_eq!(interpreted.lines().count(), 4);
    assert_eq!(run_with(&["--tier", "jit", "--jit-threshold", "1"]), interpreted);
}
