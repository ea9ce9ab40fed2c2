//! The machine that executes a sequence.

use crate::Step;
use crate::draw::{ARENA, ARENA_LEN, TEXT};
use crate::driver::{Driver, Sequence};
use friscy_cpu::NativeCpu;
use friscy_engine::{Call, Config, Machine, MachineStatus, Ports, Program, Trace};
use friscy_interp::Interp;
use friscy_kernel::ports::{Clock, Input, SeededEntropy, Stream, Terminal, WindowSize};
use friscy_kernel::signal::SigInfo;
use friscy_kernel::{Kernel, KernelConfig, Nanos, SysResult};
use friscy_seam::Tier;
use friscy_vfs::{FileSystem, FixedClock, MountFlags, PathContext, Vfs};
use std::cell::RefCell;
use std::rc::Rc;

/// How a sequence ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Calls made, without the ones that open what sequences start with.
    pub calls: u64,
    /// Tasks at the end.
    pub tasks: usize,
    /// Calls by whether they succeeded, failed, or did neither at once.
    pub results: [u64; 3],
}

/// Turns and idle moments after which a sequence must have ended: each turn makes a call or ends a task.
const TURNS: u64 = 200_000;

/// Memory that files of the guest may take.
const FILES: u64 = 32 << 20;

/// Shared translations are not what is tested.
const CODE_BYTES: usize = 1 << 20;

/// A program that is `nop`s and a jump to their start, with an arena that may be written.
fn program() -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..1023 {
        text.extend(0x13_u32.to_le_bytes());
    }
    // jal x0, -4092
    let distance = -4092_i32 as u32;
    let jump = (distance >> 20 & 1) << 31
        | (distance >> 1 & 0x3ff) << 21
        | (distance >> 11 & 1) << 20
        | (distance >> 12 & 0xff) << 12
        | 0x6f;
    text.extend(jump.to_le_bytes());
    let mut elf = Vec::new();
    elf.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend([2u16, 243].into_iter().flat_map(u16::to_le_bytes));
    elf.extend(1u32.to_le_bytes());
    elf.extend([TEXT, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    elf.extend(5u32.to_le_bytes());
    elf.extend([64u16, 56, 2, 0, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    for (flags, offset, at, in_file, in_memory) in
        [(5u32, 0x1000u64, TEXT, 0x1000u64, 0x1000u64), (6, 0, ARENA, 0, ARENA_LEN)]
    {
        elf.extend([1, flags].into_iter().flat_map(u32::to_le_bytes));
        elf.extend([offset, at, at, in_file, in_memory, 0x1000].into_iter().flat_map(u64::to_le_bytes));
    }
    elf.resize(0x1000, 0);
    elf.extend(text);
    elf
}

struct NoClock;

impl Clock for NoClock {
    fn monotonic(&self) -> Nanos {
        0
    }
    fn realtime(&self) -> Nanos {
        0
    }
}

/// A terminal with some input that takes all output.
struct Console {
    input: usize,
}

impl Terminal for Console {
    fn read(&mut self, buf: &mut [u8]) -> Input {
        let count = self.input.min(buf.len());
        self.input -= count;
        buf[..count].fill(b'\n');
        if count == 0 { Input::None } else { Input::Bytes(count) }
    }
    fn readable(&mut self) -> bool {
        self.input > 0
    }
    fn write(&mut self, _: Stream, bytes: &[u8]) -> usize {
        bytes.len()
    }
    fn writable(&mut self, _: Stream) -> bool {
        true
    }
    fn window(&self) -> Option<WindowSize> {
        Some(WindowSize { rows: 24, cols: 80, xpixel: 0, ypixel: 0 })
    }
}

/// The descriptors that a sequence starts with are made by these calls, in this order from 3 on.
const PRELUDE: &[(&str, [u16; 6])] = &[
    ("openat", [0, 0, 1, 0, 0, 0]),
    ("openat", [0, 2, 0, 0, 0, 0]),
    ("pipe2", [0; 6]),
    ("socketpair", [1, 0, 0, 0, 0, 0]),
    ("eventfd2", [0; 6]),
    ("epoll_create1", [0; 6]),
    ("timerfd_create", [0; 6]),
    ("inotify_init1", [0; 6]),
    ("socket", [2, 0, 0, 0, 0, 0]),
    ("socket", [2, 1, 0, 0, 0, 0]),
    ("memfd_create", [0; 6]),
    ("openat", [0, 23, 2, 0, 0, 0]),
    ("openat", [0, 8, 0, 0, 0, 0]),
    ("rt_sigaction", [1, 5000, 0, 2, 0, 0]),
];

/// Prints calls and counts their results.
struct Watch {
    results: Rc<RefCell<[u64; 3]>>,
    shown: bool,
}

impl Trace for Watch {
    fn enter(&mut self, kernel: &mut Kernel, call: &Call) {
        if self.shown {
            eprintln!("[{}] {}", call.tid, friscy_syscalls::line(kernel, call.tid, call.number, &call.args, None));
        }
    }

    fn leave(&mut self, kernel: &mut Kernel, call: &Call, result: &SysResult) {
        let what = match result {
            Ok(_) => 0,
            Err(friscy_kernel::SysError::Errno(_)) => 1,
            Err(_) => 2,
        };
        self.results.borrow_mut()[what] += 1;
        if self.shown && kernel.tasks.contains_key(&call.tid) {
            eprintln!(
                "[{}] {}",
                call.tid,
                friscy_syscalls::line(kernel, call.tid, call.number, &call.args, Some(result))
            );
        }
    }
}

/// The tree of files that sequences start with.
fn files(clock: &Rc<FixedClock>) -> (Rc<Vfs>, Rc<FileSystem>) {
    let clock: Rc<dyn friscy_vfs::Clock> = clock.clone();
    let root = FileSystem::tmpfs(clock.clone(), 0o755);
    root.set_limit(FILES);
    let vfs = Rc::new(Vfs::new(clock.clone(), root));
    let at = vfs.root();
    let context = PathContext { root: at.clone(), cwd: at.clone(), creds: friscy_vfs::Creds::root() };
    let made = "the tree can be made";
    for dir in ["/bin", "/work", "/work/dir", "/mem", "/dev", "/proc", "/sys", "/tmp"] {
        vfs.mkdir(&context, &at, dir.as_bytes(), 0o777).expect(made);
    }
    for (target, link) in [("file", "/work/link"), ("loop", "/work/loop"), ("nothing", "/work/dangling")] {
        vfs.symlink(&context, target.as_bytes(), &at, link.as_bytes()).expect(made);
    }
    let text = b"some text\n".repeat(1000);
    let elf = program();
    for (path, bytes, mode) in [
        ("/work/file", &text[..], 0o644),
        ("/work/dir/inner", b"inner", 0o600),
        ("/bin/prog", &elf, 0o755),
        ("/bin/script", b"#!/bin/prog one\n", 0o755),
    ] {
        let flags = friscy_abi::fcntl::O_CREAT | friscy_abi::fcntl::O_WRONLY;
        let file = vfs.open(&context, &at, path.as_bytes(), flags, mode, 0).expect(made);
        file.write_at(&context.creds, 0, bytes).expect(made);
    }
    vfs.mknod(&context, &at, b"/work/fifo", 0o010_666, 0).expect(made);
    let memory = FileSystem::tmpfs(clock.clone(), 0o1777);
    memory.set_limit(1 << 20);
    let place = vfs.resolve(&context, &at, b"/mem", true, 0).expect(made);
    vfs.mount(&place, memory, b"tmpfs", MountFlags::default()).expect(made);
    let pts = friscy_kernel::fs::mount_system(&vfs, &clock).expect(made);
    (vfs, pts)
}

/// Executes a sequence.
///
/// # Panics
/// If the kernel does, or the sequence does not end.
pub fn run(steps: &[Step]) -> Outcome {
    execute(steps, false)
}

/// As [`run`], and prints every call on standard error.
///
/// # Panics
/// As [`run`].
pub fn run_shown(steps: &[Step]) -> Outcome {
    execute(steps, true)
}

fn execute(steps: &[Step], shown: bool) -> Outcome {
    let file_clock = Rc::new(FixedClock::default());
    let (vfs, devpts) = files(&file_clock);
    let tier = || Box::new(Interp::new(CODE_BYTES)) as Box<dyn Tier>;
    let opening = crate::steps_of_calls(PRELUDE);
    let sequence = Sequence { steps: opening.iter().chain(steps).copied().collect(), made: 0 };
    let sequence = Rc::new(RefCell::new(sequence));
    let driver = Driver { inner: Box::new(NativeCpu::new(Box::new(tier))), sequence: Rc::clone(&sequence) };
    let ports = Ports {
        cpu: Box::new(driver),
        vfs,
        file_clock,
        clock: Box::new(NoClock),
        entropy: Box::new(SeededEntropy(1)),
        terminal: Box::new(Console { input: 10 }),
    };
    let mut kernel = KernelConfig { deterministic: true, memory: 64 << 20, ..KernelConfig::default() };
    kernel.rlimits.0[friscy_abi::sched::RLIMIT_NPROC as usize].rlim_cur = 32;
    // A task makes one call a turn, so that sequences of several tasks interleave.
    let mut machine = Machine::new(Config { kernel, fuel: 1 }, ports);
    machine.kernel.drivers.devpts = Some(devpts);
    let results = Rc::new(RefCell::new([0; 3]));
    machine.set_trace(Some(Box::new(Watch { results: Rc::clone(&results), shown })));
    let first = Program {
        argv: vec![b"/bin/prog".to_vec()],
        envp: vec![b"A=b".to_vec()],
        cwd: b"/work".to_vec(),
        ..Program::default()
    };
    machine.spawn(first).expect("the program starts");
    let mut most = 0;
    for turn in 0.. {
        assert!(turn < TURNS, "the sequence does not end");
        if turn == TURNS / 2 {
            // A timer that goes off again and again keeps a process from being idle, and is no fault.
            machine.kernel.send_to_process(1, SigInfo::kernel(9));
        }
        most = most.max(machine.kernel.tasks.len());
        match machine.run(Some(1)) {
            MachineStatus::Running => {}
            MachineStatus::Exited(_) => break,
            // All tasks wait. A signal lets each go on until the sequence is at its end.
            MachineStatus::Idle(_) => {
                let signo = if sequence.borrow().steps.is_empty() { 9 } else { 10 };
                let pids: Vec<u32> = machine.kernel.processes.keys().copied().collect();
                for pid in pids {
                    for signo in [signo, 18] {
                        machine.kernel.send_to_process(pid, SigInfo::kernel(signo));
                    }
                }
                machine.kernel.settle();
                if signo == 10 && turn % 64 == 63 {
                    sequence.borrow_mut().steps.clear();
                }
            }
        }
    }
    let calls = sequence.borrow().made.saturating_sub(opening.len() as u64);
    let results = *results.borrow();
    Outcome { calls, tasks: most, results }
}
