//! The machine over a cpu that plays scripts: turns, waiting, time, signals.

use friscy_abi::layout::Timespec;
use friscy_boundary::{Access, CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, PAGE_SIZE, Prot, Ran, Regs};
use friscy_engine::{Call, Config, ExitStatus, Machine, MachineStatus, Ports, Program, SpawnError, Trace};
use friscy_kernel::ports::{Clock, Input, SeededEntropy, Stream, Terminal, WindowSize};
use friscy_kernel::{Kernel, Nanos, SysResult};
use friscy_vfs::{FileSystem, FixedClock, MemorySource, Vfs};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

const SECOND: u64 = 1_000_000_000;

/// What a task does in one run of the cpu.
#[derive(Clone, Copy)]
enum Step {
    /// Retires so many instructions and then makes a system call.
    Call(u64, u64, [u64; 5]),
    /// Runs until its fuel is used up.
    Spin,
    /// Reads a control and status register into x5.
    Csr(u16),
    /// Touches an address.
    Touch(u64),
}

type Seen = Rc<RefCell<Vec<(u64, u64)>>>;

/// Memory as a table of pages; every task plays the script from the step that its pc says, 4 bytes a step.
struct ScriptCpu {
    script: Vec<Step>,
    pages: BTreeMap<(MmId, u64), Vec<u8>>,
    objects: BTreeMap<ObjectId, Vec<u8>>,
    next: u32,
    /// x10 and x5 at the start of each run.
    seen: Seen,
}

const START: u64 = 0x1_0078;

impl ScriptCpu {
    fn bytes(
        &mut self,
        mm: MmId,
        addr: u64,
        len: usize,
        mut each: impl FnMut(&mut u8, usize),
    ) -> Result<(), CopyFault> {
        for at in 0..len {
            let addr = addr + at as u64;
            let page = self.pages.get_mut(&(mm, addr / PAGE_SIZE)).ok_or(CopyFault { copied: at as u64 })?;
            page.resize(PAGE_SIZE as usize, 0);
            each(&mut page[(addr % PAGE_SIZE) as usize], at);
        }
        Ok(())
    }
}

impl Cpu for ScriptCpu {
    fn create(&mut self) -> Result<MmId, MemError> {
        self.next += 1;
        Ok(MmId(self.next))
    }
    fn fork_from(&mut self, parent: MmId, _: &[Mapping]) -> Result<MmId, MemError> {
        let id = self.create()?;
        let copies: Vec<_> = self
            .pages
            .iter()
            .filter(|(key, _)| key.0 == parent)
            .map(|(key, page)| ((id, key.1), page.clone()))
            .collect();
        self.pages.extend(copies);
        Ok(id)
    }
    fn destroy(&mut self, mm: MmId) {
        self.pages.retain(|key, _| key.0 != mm);
    }
    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        for page in mapping.addr / PAGE_SIZE..(mapping.addr + mapping.len) / PAGE_SIZE {
            self.pages.insert((mm, page), Vec::new());
        }
        Ok(())
    }
    fn unmap(&mut self, _: MmId, _: u64, _: u64) -> Result<(), MemError> {
        Ok(())
    }
    fn protect(&mut self, _: MmId, _: u64, _: u64, _: Prot) -> Result<(), MemError> {
        Ok(())
    }
    fn discard(&mut self, _: MmId, _: u64, _: u64) -> Result<(), MemError> {
        Ok(())
    }
    fn move_pages(&mut self, _: MmId, _: u64, _: u64, _: u64) -> Result<(), MemError> {
        Ok(())
    }
    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let len = buf.len();
        self.bytes(mm, addr, len, |byte, at| buf[at] = *byte)
    }
    fn copy_out(&mut self, mm: MmId, addr: u64, from: &[u8]) -> Result<(), CopyFault> {
        self.bytes(mm, addr, from.len(), |byte, at| *byte = from[at])
    }
    fn poke(&mut self, mm: MmId, addr: u64, from: &[u8]) -> Result<(), CopyFault> {
        self.copy_out(mm, addr, from)
    }
    fn flush_icache(&mut self, _: MmId, _: u64, _: u64) {}
    fn run(&mut self, _: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        self.seen.borrow_mut().push((regs.x[10], regs.x[5]));
        let step = self.script.get((regs.pc.wrapping_sub(START) / 4) as usize).copied();
        let (exit, retired) = match step {
            Some(Step::Call(retired, number, args)) => {
                regs.x[17] = number;
                regs.x[10..15].copy_from_slice(&args);
                (Exit::Syscall, retired)
            }
            Some(Step::Spin) => (Exit::Fuel, fuel),
            Some(Step::Csr(csr)) => (Exit::ReadCsr { csr, rd: 5 }, 10),
            Some(Step::Touch(addr)) => (Exit::Fault { addr, access: Access::Read, beyond_object: false }, 0),
            None => (Exit::Illegal { bits: 0 }, 0),
        };
        Ran { exit, retired }
    }
    fn object_create(&mut self, _: u64) -> Result<ObjectId, MemError> {
        self.next += 1;
        Ok(ObjectId(self.next))
    }
    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        let content = self.objects.get(&object).map_or(&[][..], Vec::as_slice);
        let from = content.get(offset as usize..).unwrap_or_default();
        let count = from.len().min(buf.len());
        buf[..count].copy_from_slice(&from[..count]);
        count
    }
    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        let content = self.objects.entry(object).or_default();
        let end = offset as usize + bytes.len();
        content.resize(content.len().max(end), 0);
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }
    fn object_resize(&mut self, _: ObjectId, _: u64) -> Result<(), MemError> {
        Ok(())
    }
    fn object_release(&mut self, _: ObjectId) {}
}

struct StoppedClock;

impl Clock for StoppedClock {
    fn monotonic(&self) -> Nanos {
        0
    }
    fn realtime(&self) -> Nanos {
        0
    }
}

/// Goes on by so many nanoseconds each time that it is looked at.
struct LookedAt {
    step: Rc<Cell<Nanos>>,
    now: Cell<Nanos>,
}

impl Clock for LookedAt {
    fn monotonic(&self) -> Nanos {
        self.now.set(self.now.get() + self.step.get());
        self.now.get()
    }
    fn realtime(&self) -> Nanos {
        0
    }
}

struct Streams {
    out: Rc<RefCell<Vec<u8>>>,
    input: Rc<RefCell<Vec<u8>>>,
}

impl Terminal for Streams {
    fn read(&mut self, buf: &mut [u8]) -> Input {
        let mut input = self.input.borrow_mut();
        let count = input.len().min(buf.len());
        buf[..count].copy_from_slice(&input[..count]);
        input.drain(..count);
        if count == 0 { Input::None } else { Input::Bytes(count) }
    }
    fn readable(&mut self) -> bool {
        !self.input.borrow().is_empty()
    }
    fn write(&mut self, _: Stream, bytes: &[u8]) -> usize {
        self.out.borrow_mut().extend_from_slice(bytes);
        bytes.len()
    }
    fn writable(&mut self, _: Stream) -> bool {
        true
    }
    fn window(&self) -> Option<WindowSize> {
        None
    }
}

/// A program of one segment; what it does is the script.
fn image() -> Vec<u8> {
    let mut elf = vec![0u8; 128];
    elf[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    let fields: [(usize, u64, usize); 13] = [
        (16, 2, 2),
        (18, 243, 2),
        (20, 1, 4),
        (24, START, 8),
        (32, 64, 8),
        (52, 64, 2),
        (54, 56, 2),
        (56, 1, 2),
        (64, 1, 4),
        (68, 7, 4),
        (80, 0x1_0000, 8),
        (96, 128, 8),
        (104, 0x2000, 8),
    ];
    for (at, value, len) in fields {
        elf[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
    }
    elf
}

struct Bench {
    machine: Machine,
    seen: Seen,
    out: Rc<RefCell<Vec<u8>>>,
    input: Rc<RefCell<Vec<u8>>>,
}

fn start(script: &[Step], deterministic: bool) -> Bench {
    start_by(script, deterministic, Box::new(StoppedClock))
}

fn start_by(script: &[Step], deterministic: bool, host_clock: Box<dyn Clock>) -> Bench {
    let clock = Rc::new(FixedClock::default());
    let fs = FileSystem::tmpfs(clock.clone(), 0o755);
    for (name, bytes) in [(&b"run"[..], image()), (b"text", b"hello".to_vec())] {
        let len = bytes.len() as u64;
        fs.add_file(name, 0o755, Rc::new(MemorySource(bytes.into())), 0, len).unwrap();
    }
    let seen = Seen::default();
    let (out, input) = (Rc::default(), Rc::default());
    let cpu = ScriptCpu {
        script: script.to_vec(),
        pages: BTreeMap::new(),
        objects: BTreeMap::new(),
        next: 0,
        seen: seen.clone(),
    };
    let mut config = Config { fuel: 1000, ..Config::default() };
    config.kernel.deterministic = deterministic;
    let ports = Ports {
        cpu: Box::new(cpu),
        vfs: Rc::new(Vfs::new(clock.clone(), fs)),
        file_clock: clock,
        clock: host_clock,
        entropy: Box::new(SeededEntropy(1)),
        terminal: Box::new(Streams { out: Rc::clone(&out), input: Rc::clone(&input) }),
    };
    let mut machine = Machine::new(config, ports);
    machine.spawn(Program { argv: vec![b"/run".to_vec()], ..Program::default() }).unwrap();
    Bench { machine, seen, out, input }
}

const EXIT: u64 = 94;
const WRITE: u64 = 64;
const READ: u64 = 63;
const NANOSLEEP: u64 = 101;
const CLONE: u64 = 220;
const GETPID: u64 = 172;
const WAIT4: u64 = 260;
const KILL: u64 = 129;

/// In the zero part of the segment.
const BUFFER: u64 = 0x1_1000;

fn exit(status: u64) -> Step {
    Step::Call(1, EXIT, [status, 0, 0, 0, 0])
}

fn sleep_for(bench: &mut Bench, seconds: i64) {
    let mm = bench.machine.kernel.task(1).mm_id;
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let mut bytes = time.tv_sec.to_le_bytes().to_vec();
    bytes.extend(time.tv_nsec.to_le_bytes());
    bench.machine.kernel.write_mem(mm, BUFFER, &bytes).unwrap();
}

#[test]
fn the_first_process_ends_the_machine() {
    let mut bench = start(&[exit(7)], true);
    assert_eq!(bench.machine.run(None), MachineStatus::Exited(ExitStatus::Exited(7)));
    assert_eq!(bench.machine.kernel.retired, 1);
}

#[test]
fn output_goes_to_the_host() {
    let mut bench = start(&[Step::Call(1, WRITE, [1, BUFFER, 2, 0, 0]), exit(0)], true);
    let mm = bench.machine.kernel.task(1).mm_id;
    bench.machine.kernel.write_mem(mm, BUFFER, b"hi").unwrap();
    bench.machine.run(None);
    assert_eq!(&*bench.out.borrow(), b"hi");
    assert_eq!(bench.seen.borrow()[1].0, 2);
}

#[test]
fn virtual_time_skips_what_nobody_uses() {
    let mut bench = start(&[Step::Call(1, NANOSLEEP, [BUFFER, 0, 0, 0, 0]), exit(0)], true);
    sleep_for(&mut bench, 3600);
    let before = bench.machine.kernel.now();
    assert_eq!(bench.machine.run(None), MachineStatus::Exited(ExitStatus::Exited(0)));
    assert_eq!(bench.machine.kernel.now() - before, 3600 * SECOND + 2);
}

#[test]
fn a_real_clock_is_waited_for() {
    let mut bench = start(&[Step::Call(1, NANOSLEEP, [BUFFER, 0, 0, 0, 0]), exit(0)], false);
    sleep_for(&mut bench, 5);
    let now = bench.machine.kernel.now();
    assert_eq!(bench.machine.run(None), MachineStatus::Idle(Some(now + 5 * SECOND)));
    assert_eq!(bench.machine.run(None), MachineStatus::Idle(Some(now + 5 * SECOND)));
}

#[test]
fn a_read_waits_for_the_host() {
    let mut bench = start(&[Step::Call(1, READ, [0, BUFFER, 8, 0, 0]), exit(0)], true);
    assert_eq!(bench.machine.run(None), MachineStatus::Idle(None));
    bench.input.borrow_mut().extend_from_slice(b"abc");
    assert_eq!(bench.machine.run(None), MachineStatus::Exited(ExitStatus::Exited(0)));
    assert_eq!(bench.seen.borrow()[1].0, 3);
}

#[test]
fn a_budget_ends_a_run_between_turns() {
    let mut bench = start(&[Step::Spin], true);
    assert_eq!(bench.machine.run(Some(2500)), MachineStatus::Running);
    // The third turn is the first at whose end 2500 are over; a turn is shorter than 1000 by up to a sixteenth.
    let retired = bench.machine.kernel.retired;
    assert!((3 * 938..=3000).contains(&retired), "{retired}");
    assert_eq!(bench.machine.run(Some(1)), MachineStatus::Running);
    let turn = bench.machine.kernel.retired - retired;
    assert!((938..=1000).contains(&turn), "{turn}");
}

#[test]
fn turns_differ_in_length() {
    let mut bench = start(&[Step::Spin], true);
    let mut ends = vec![0];
    for _ in 0..8 {
        assert_eq!(bench.machine.run(Some(1)), MachineStatus::Running);
        ends.push(bench.machine.kernel.retired);
    }
    let lengths: std::collections::BTreeSet<u64> = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(lengths.len() > 4, "{lengths:?}");
}

#[test]
fn turns_are_as_long_as_code_is_quick() {
    let step = Rc::new(Cell::new(10_000));
    let mut bench = start_by(&[Step::Spin], false, Box::new(LookedAt { step: Rc::clone(&step), now: Cell::default() }));
    let mut turn = || {
        let before = bench.machine.kernel.retired;
        let mut budget = 0;
        // Time for a turn, before and in which the clock is looked at.
        while bench.machine.kernel.retired == before {
            budget += step.get();
            assert_eq!(bench.machine.run(Some(budget)), MachineStatus::Running);
        }
        bench.machine.kernel.retired - before
    };
    let first: Vec<u64> = (0..10).map(|_| turn()).collect();
    assert!(first[0] <= 1000 && (1500..=2000).contains(&first[1]), "{first:?}");
    assert!((60_000..=64_000).contains(&first[9]), "{first:?}");
    // Code that is slow all of a sudden makes one long turn.
    step.set(200_000_000);
    assert!(turn() >= 60_000);
    assert!(turn() <= 1000);
}

#[test]
fn tasks_take_turns() {
    // Both processes spin; the parent is asked first.
    let mut bench = start(&[Step::Call(1, CLONE, [17, 0, 0, 0, 0]), Step::Spin], true);
    bench.machine.run(Some(10_000));
    let retired: Vec<u64> = bench.machine.kernel.tasks.values().map(|task| task.retired).collect();
    assert_eq!(retired.len(), 2);
    assert!(retired[0].abs_diff(retired[1]) <= 1000, "{retired:?}");
    // The child saw 0, the parent the child's id.
    let results: Vec<u64> = bench.machine.kernel.tasks.values().map(|task| task.regs.x[10]).collect();
    assert_eq!(results, [2, 0]);
}

#[test]
fn wait_returns_the_status_of_a_killed_child() {
    let script = [
        Step::Call(1, CLONE, [17, 0, 0, 0, 0]),
        Step::Call(1, KILL, [2, 9, 0, 0, 0]),
        Step::Call(1, WAIT4, [u64::MAX, BUFFER, 0, 0, 0]),
        exit(0),
    ];
    let mut bench = start(&script, true);
    bench.machine.run(None);
    let results: Vec<u64> = bench.seen.borrow().iter().map(|seen| seen.0).collect();
    assert_eq!(results, [0, 2, 0, 2]);
}

#[test]
fn counters() {
    let mut bench = start(&[Step::Csr(0xc02), Step::Csr(0xc01), exit(0)], true);
    let now = bench.machine.kernel.now();
    bench.machine.run(None);
    let values: Vec<u64> = bench.seen.borrow().iter().map(|seen| seen.1).collect();
    assert_eq!(values, [0, 10, (now + 20) / 100]);
}

#[test]
fn a_fault_ends_the_process_by_a_signal() {
    let mut bench = start(&[Step::Touch(16)], true);
    let status = ExitStatus::Signaled { signo: 11, core: false };
    assert_eq!(bench.machine.run(None), MachineStatus::Exited(status));
    let (tid, pc, info) = bench.machine.kernel.last_fault().unwrap();
    assert_eq!((tid, pc, info.signo, info.code), (1, START, 11, 1));
}

struct Log(Rc<RefCell<Vec<String>>>);

impl Trace for Log {
    fn enter(&mut self, _: &mut Kernel, call: &Call) {
        self.0.borrow_mut().push(format!("{} {}", call.tid, call.number));
    }
    fn leave(&mut self, _: &mut Kernel, call: &Call, result: &SysResult) {
        self.0.borrow_mut().push(format!("{} {} {}", call.tid, call.number, result.is_ok()));
    }
}

#[test]
fn a_trace_sees_each_call_once() {
    let mut bench = start(&[Step::Call(1, GETPID, [0; 5]), exit(0)], true);
    let log = Rc::new(RefCell::new(Vec::new()));
    bench.machine.set_trace(Some(Box::new(Log(Rc::clone(&log)))));
    bench.machine.run(None);
    assert_eq!(*log.borrow(), ["1 172", "1 172 true", "1 94", "1 94 false"]);
}

#[test]
fn programs_that_do_not_start() {
    let mut bench = start(&[], true);
    let mut spawn = |name: &[u8], cwd: &[u8]| {
        let program = Program { argv: vec![name.to_vec()], cwd: cwd.to_vec(), ..Program::default() };
        bench.machine.spawn(program).map_err(|error| error.to_string())
    };
    assert_eq!(spawn(b"/none", b""), Err(String::from("/none: not found")));
    assert_eq!(spawn(b"none", b""), Err(String::from("none: not found")));
    assert_eq!(spawn(b"", b""), Err(String::from(": not found")));
    let reason = "/text: cannot be executed: it is neither an ELF image nor a script";
    assert_eq!(spawn(b"/text", b""), Err(String::from(reason)));
    assert_eq!(spawn(b"/run", b"/text"), Err(String::from("working directory /text: not a directory")));
    assert_eq!(spawn(b"./run", b"/new/dir/../.."), Ok(2));
    let not_found = SpawnError::NotFound(b"x".to_vec());
    assert_eq!(not_found.to_string(), "x: not found");
}
