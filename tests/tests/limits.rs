//! Guests without bounds: each name of `limits/bombs.c` takes of one thing until it is refused, or for ever. What it is
//! told, how it ends, and what friscy itself takes of the host meanwhile. docs/limits.md has the limits.
//!
//! `FRISCY_LIMIT_TESTS=large` means the larger ones instead, which need a minute and thousands of the host's mappings
//! and descriptors: `cargo xtask full` runs them.

use friscy_tests::guest::tail;
use friscy_tests::places::{friscy, workspace};
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Seconds that a guest may take: many times what it does.
const LIMIT: Duration = Duration::from_secs(120);

/// What guests may use unless it is said otherwise, and in bytes how much friscy then takes, and how far it may be above
/// when it is noticed.
const MEMORY_FLAG: &str = "--memory=256m";
const MEMORY: u64 = 256 << 20;
const EXCESS: u64 = 96 << 20;

/// How long a signal may take to end a guest.
const PROMPTLY: Duration = Duration::from_secs(10);

/// What a guest that uses too much is told of.
const KILLED: &str = "friscy: out of memory (--memory 256m): bombs (process 1) was killed\r\n";

/// A guest, what it prints and ends with, and how many descriptors and mappings friscy may take.
struct Bomb {
    name: &'static str,
    flags: &'static [&'static str],
    stdout: &'static str,
    /// How standard error begins.
    stderr: &'static str,
    status: i32,
    descriptors: usize,
    mappings: usize,
}

/// One that ends by itself.
const fn bomb(name: &'static str, stdout: &'static str) -> Bomb {
    Bomb { name, flags: &[], stdout, stderr: "", status: 0, descriptors: 64, mappings: 500 }
}

/// One that uses memory until it is killed.
const fn hog(name: &'static str) -> Bomb {
    Bomb { stderr: KILLED, status: 137, descriptors: 1000, mappings: 1000, ..bomb(name, "") }
}

const QUICK: &[Bomb] = &[
    Bomb {
        flags: &["--pids-limit", "200"],
        descriptors: 264,
        mappings: 3000,
        ..bomb("fork", "fork: EAGAIN after 199\nall killed: 1\na process again: 7\n")
    },
    Bomb {
        flags: &["--pids-limit=-1", "--user=1000", "--ulimit=nproc=100"],
        descriptors: 164,
        mappings: 3000,
        ..bomb("fork", "fork: EAGAIN after 99\nall killed: 1\na process again: 7\n")
    },
    Bomb {
        flags: &["--pids-limit", "50"],
        descriptors: 128,
        mappings: 1000,
        ..bomb("tree", "fork: EAGAIN\na process again: 7\n")
    },
    Bomb { flags: &["--pids-limit", "300"], mappings: 2000, ..bomb("threads", "pthread_create: EAGAIN after 299\n") },
    Bomb { mappings: 40_000, ..bomb("mmap-small", "mmap: ENOMEM\nmany: 1\n") },
    Bomb { mappings: 40_000, ..bomb("mprotect", "mprotect: ENOMEM\nmany: 1\n") },
    bomb("mmap-large", "mmap: ENOMEM\nmany: 1\n"),
    hog("touch"),
    Bomb {
        stderr: "friscy: out of memory (--memory 256m): bombs (process 2) was killed\r\n",
        ..bomb("touch-child", "killed by 9\na process again: 7\n")
    },
    hog("touch-shared"),
    bomb(
        "files",
        "open(\"/\", O_RDONLY): EMFILE, after many\n\
         dup(1): EMFILE, after many\n\
         pipe(pair): EMFILE, after many\n\
         epoll_create1(0): EMFILE, after many\n\
         inotify_init(): EMFILE, after many\n\
         eventfd(0, 0): EMFILE, after many\n\
         timerfd_create(CLOCK_MONOTONIC, 0): EMFILE, after many\n\
         memfd_create(\"m\", 0): EMFILE, after many\n\
         socket(AF_UNIX, SOCK_STREAM, 0): EMFILE, after many\n\
         socket(AF_INET, SOCK_STREAM, 0): EMFILE, after many\n\
         socketpair(AF_UNIX, SOCK_STREAM, 0, pair): EMFILE, after many\n\
         open(\"/dev/ptmx\", O_RDWR): EMFILE, after many\n",
    ),
    bomb("open", "open: EMFILE after 1021\n"),
    Bomb { flags: &["--ulimit", "nofile=20000"], ..bomb("open", "open: EMFILE after 19997\n") },
    Bomb { flags: &["--ulimit", "nofile=1048576"], ..hog("open") },
    hog("pipes"),
    bomb("sockets", "socketpair: EMFILE\n"),
    bomb("rights", "in flight: 50000\na process again: 7\n"),
    Bomb { stderr: "friscy: bombs (process 1) was killed by SIGSEGV: ", status: 139, ..bomb("recurse", "") },
    bomb("arguments", "arguments: E2BIG\nenvironment: E2BIG\n"),
    bomb("tmp", "/tmp: write: ENOSPC\n/tmp: open: ENOSPC\nmany: 1\na process again: 7\n"),
    bomb("shm", "/dev/shm: write: ENOSPC\n/dev/shm: open: ENOSPC\nmany: 1\na process again: 7\n"),
    bomb("attributes", "setxattr: ENOSPC\n"),
    bomb("directories", "mkdir: ENOSPC\nmany: 1\ngetcwd: ERANGE\na process again: 7\n"),
    bomb("timers", "timer_create: EAGAIN after 7800\n"),
    bomb("signals", "sigqueue: EAGAIN after 7800\n"),
    bomb("expiry", "signals: 1\n"),
    bomb("mq", "mq_open: EMFILE after 9\n"),
    Bomb {
        // Each segment is a memory file of the host's.
        descriptors: 4160,
        ..bomb("sysv", "msgget: ENOSPC after 32000\nsemget: ENOSPC after 32000\nshmget: ENOSPC after 4096\n")
    },
    hog("messages"),
    bomb("rounds", "done\n"),
    bomb("exec", "done\n"),
    Bomb {
        descriptors: 600,
        mappings: 8000,
        ..bomb("many", "there: 500 processes, 1000 threads\nanswered: 500 processes, 1000 threads\nended: 500\n")
    },
];

const LARGE: &[Bomb] = &[
    Bomb {
        flags: &["--memory=1g"],
        descriptors: 4160,
        mappings: 57_338 + 500,
        ..bomb("fork", "fork: EAGAIN after 4095\nall killed: 1\na process again: 7\n")
    },
    Bomb {
        flags: &["--pids-limit", "400"],
        descriptors: 464,
        mappings: 6000,
        ..bomb("tree", "fork: EAGAIN\na process again: 7\n")
    },
    Bomb { mappings: 10_000, ..bomb("threads", "pthread_create: EAGAIN after 4095\n") },
    Bomb { mappings: 57_338 + 500, ..bomb("mmap-fork", "fork: ENOMEM\nsome: 1\na process again: 7\n") },
];

/// A test that is given the program.
type Check = fn(&Path) -> Result<(), String>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let dir = tempfile::tempdir().expect("a folder");
    let program: Arc<PathBuf> = Arc::new(dir.path().join("bombs"));
    compile(&program);
    let large = std::env::var_os("FRISCY_LIMIT_TESTS").is_some_and(|what| what == "large");
    let mut trials: Vec<Trial> = if large { LARGE } else { QUICK }
        .iter()
        .map(|bomb| {
            let program = Arc::clone(&program);
            let name = [&[bomb.name], bomb.flags].concat().join(" ");
            Trial::test(name, move || check(bomb, &program).map_err(Failed::from))
        })
        .collect();
    if !large {
        let signals: [(&str, Check); 4] = [
            ("a_signal_ends_who_sleeps", |program| ends_by_one(program, "asleep")),
            ("a_signal_ends_who_computes_first", |program| ends_by_one(program, "busy")),
            ("the_fourth_signal_ends_anybody", fourth_ends_anybody),
            ("output_that_nobody_reads_waits", unread_output),
        ];
        for (name, run) in signals {
            let program = Arc::clone(&program);
            trials.push(Trial::test(name, move || run(&program).map_err(Failed::from)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn compile(program: &Path) {
    let out = Command::new("riscv64-linux-gnu-gcc")
        .args(["-O1", "-static", "-w", "-pthread", "-fno-optimize-sibling-calls", "-o"])
        .args([program, &workspace().join("tests/limits/bombs.c")])
        .output()
        .expect("riscv64-linux-gnu-gcc");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn start(program: &Path, flags: &[&str], command: &[&str]) -> Child {
    Command::new(friscy())
        .arg("run")
        .args(flags)
        .arg(program)
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("friscy starts")
}

/// What friscy took of the host: the most that was seen.
#[derive(Default, Debug)]
struct Usage {
    /// Bytes of anonymous and shared memory.
    memory: u64,
    descriptors: usize,
    mappings: usize,
}

impl Usage {
    fn look(&mut self, child: &Child) {
        let at = Path::new("/proc").join(child.id().to_string());
        let status = fs::read_to_string(at.join("status")).unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0)
        };
        self.memory = self.memory.max((kilobytes("RssAnon:") + kilobytes("RssShmem:")) << 10);
        self.descriptors = self.descriptors.max(fs::read_dir(at.join("fd")).map_or(0, Iterator::count));
        let maps = fs::read(at.join("maps")).unwrap_or_default();
        self.mappings = self.mappings.max(maps.iter().filter(|&&byte| byte == b'\n').count());
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// The status as a shell reports it, or what was not so after `limit`, when the child is killed.
fn wait(child: &mut Child, limit: Duration, mut meanwhile: impl FnMut(&Child)) -> Result<i32, String> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
        }
        if begin.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("it still runs after {limit:?}"));
        }
        meanwhile(child);
        thread::sleep(Duration::from_millis(10));
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, want: &T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{what}: {got:?}, not {want:?}")) }
}

fn at_most<T: PartialOrd + std::fmt::Debug>(what: &str, got: T, most: T) -> Result<(), String> {
    if got <= most { Ok(()) } else { Err(format!("{what}: {got:?}, more than {most:?}")) }
}

fn check(bomb: &Bomb, program: &Path) -> Result<(), String> {
    let memory = bomb.flags.iter().all(|flag| !flag.starts_with("--memory")).then_some(MEMORY_FLAG);
    let flags: Vec<&str> = bomb.flags.iter().copied().chain(memory).collect();
    let mut child = start(program, &flags, &[bomb.name]);
    let stdout = drain(child.stdout.take().expect("a pipe"));
    let stderr = drain(child.stderr.take().expect("a pipe"));
    let mut usage = Usage::default();
    let status = wait(&mut child, LIMIT, |child| usage.look(child));
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    let (stdout, stderr) = (tail(&stdout), tail(&stderr));
    let status = status.map_err(|error| format!("{error}\n{stdout}{stderr}"))?;
    same("standard output", &stdout.as_str(), &bomb.stdout)?;
    if !stderr.starts_with(bomb.stderr) || bomb.stderr.is_empty() && !stderr.is_empty() {
        return Err(format!("standard error: {stderr:?}, not {:?}", bomb.stderr));
    }
    same("status", &status, &bomb.status)?;
    at_most("memory", usage.memory, MEMORY + EXCESS)?;
    at_most("descriptors", usage.descriptors, bomb.descriptors)?;
    at_most("mappings", usage.mappings, bomb.mappings)
}

fn terminate(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::TERM).expect("friscy runs");
}

/// Starts a guest and waits until it is where it stays.
fn start_ready(program: &Path, command: &[&str]) -> Child {
    let mut child = start(program, &[MEMORY_FLAG], command);
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    thread::sleep(Duration::from_millis(100));
    child
}

fn ends_by_one(program: &Path, name: &str) -> Result<(), String> {
    let mut child = start_ready(program, &[name]);
    terminate(&child);
    same("status", &wait(&mut child, PROMPTLY, |_| ())?, &143)
}

/// A first process that does not care is ended all the same when somebody insists.
fn fourth_ends_anybody(program: &Path) -> Result<(), String> {
    for how in ["ignores", "blocks", "handles"] {
        let mut child = start_ready(program, &["stubborn", how]);
        for _ in 0..3 {
            terminate(&child);
            thread::sleep(Duration::from_millis(300));
            same(how, &child.try_wait().map_err(|error| error.to_string())?, &None)?;
        }
        terminate(&child);
        same("status", &wait(&mut child, PROMPTLY, |_| ())?, &143)?;
    }
    Ok(())
}

fn unread_output(program: &Path) -> Result<(), String> {
    let mut child = start(program, &[MEMORY_FLAG], &["output"]);
    let mut pipe = child.stdout.take().expect("a pipe");
    let mut usage = Usage::default();
    let end = Instant::now() + Duration::from_millis(700);
    while Instant::now() < end {
        usage.look(&child);
        thread::sleep(Duration::from_millis(20));
    }
    // It goes on when it is read, as long as somebody does.
    let mut bytes = vec![0; 32 << 20];
    let read = pipe.read_exact(&mut bytes);
    drop(pipe);
    let status = wait(&mut child, PROMPTLY, |_| ())?;
    at_most("memory", usage.memory, 16 << 20)?;
    read.map_err(|error| error.to_string())?;
    if bytes.iter().any(|&byte| byte != b'x') {
        return Err(String::from("other bytes than were written"));
    }
    same("status", &status, &141)
}
