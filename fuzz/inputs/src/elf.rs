//! Programs: what the loader makes of them, and what runs then.

use friscy_boundary::{HIGHEST_ADDRESS, PAGE_SIZE};
use friscy_cpu::NativeCpu;
use friscy_engine::{Config, Machine, MachineStatus, Ports, Program, SpawnError};
use friscy_interp::Interp;
use friscy_kernel::ports::{Clock, Input, SeededEntropy, Stream, Terminal, WindowSize};
use friscy_kernel::{KernelConfig, Nanos};
use friscy_seam::Tier;
use friscy_vfs::{Creds, FileSystem, FixedClock, PathContext, Vfs};
use std::rc::Rc;

/// Runs of one nanosecond, each at least a turn, before a program is given up.
const TURNS: usize = 30;
/// Instructions of a turn.
const FUEL: u64 = 500;
/// Bytes of memory that the guest is told of.
const MEMORY: u64 = 64 << 20;
/// Bytes of translated code.
const CODE_BYTES: usize = 1 << 20;

/// Starts the bytes as a program, which may name itself as `/i` as its interpreter, and runs it for a moment.
///
/// # Panics
/// If the kernel does, or a program was started whose mappings are not what mappings must be.
pub fn check(bytes: &[u8]) {
    let _ = run(bytes);
}

/// As [`check`], and answers why the program was not started.
///
/// # Errors
/// The engine's.
///
/// # Panics
/// As [`check`].
pub fn run(bytes: &[u8]) -> Result<(), SpawnError> {
    let mut machine = machine(bytes);
    let program =
        Program { argv: vec![b"/p".to_vec(), b"x".to_vec()], envp: vec![b"A=b".to_vec()], ..Program::default() };
    if let Err(error) = machine.spawn(program) {
        assert!(machine.kernel.tasks.is_empty() && machine.kernel.processes.is_empty(), "a process of nothing");
        return Err(error);
    }
    for _ in 0..TURNS {
        check_mappings(&machine);
        if !matches!(machine.run(Some(1)), MachineStatus::Running) {
            break;
        }
    }
    let _ = machine.kernel.take_crashes();
    Ok(())
}

fn check_mappings(machine: &Machine) {
    for task in machine.kernel.tasks.values() {
        let mm = task.mm.borrow();
        let mut end = 0;
        for (start, vma) in &mm.vmas {
            assert!(*start == vma.start && vma.start < vma.end, "{vma:x?}");
            assert!(vma.start >= end && vma.end <= HIGHEST_ADDRESS, "{vma:x?}");
            assert!(vma.start % PAGE_SIZE == 0 && vma.end % PAGE_SIZE == 0, "{vma:x?}");
            end = vma.end;
        }
        assert_eq!(mm.total, mm.vmas.values().map(|vma| vma.end - vma.start).sum::<u64>());
    }
}

fn machine(bytes: &[u8]) -> Machine {
    let file_clock = Rc::new(FixedClock::default());
    let clock: Rc<dyn friscy_vfs::Clock> = file_clock.clone();
    let root = FileSystem::tmpfs(clock.clone(), 0o755);
    let vfs = Rc::new(Vfs::new(clock, root));
    let at = vfs.root();
    let context = PathContext { root: at.clone(), cwd: at.clone(), creds: Creds::root() };
    for path in [b"/p", b"/i"] {
        let flags = friscy_abi::fcntl::O_CREAT | friscy_abi::fcntl::O_WRONLY;
        let file = vfs.open(&context, &at, path, flags, 0o755, 0).expect("a file");
        file.write_at(&context.creds, 0, bytes).expect("a file");
    }
    let tier = || Box::new(Interp::new(CODE_BYTES)) as Box<dyn Tier>;
    let ports = Ports {
        cpu: Box::new(NativeCpu::new(Box::new(tier))),
        vfs,
        file_clock,
        clock: Box::new(Nothing),
        entropy: Box::new(SeededEntropy(1)),
        terminal: Box::new(Nothing),
    };
    let kernel = KernelConfig { deterministic: true, memory: MEMORY, ..KernelConfig::default() };
    Machine::new(Config { kernel, fuel: FUEL }, ports)
}

/// Neither time passes nor does anybody type.
struct Nothing;

impl Clock for Nothing {
    fn monotonic(&self) -> Nanos {
        0
    }
    fn realtime(&self) -> Nanos {
        0
    }
}

impl Terminal for Nothing {
    fn read(&mut self, _: &mut [u8]) -> Input {
        Input::None
    }
    fn readable(&mut self) -> bool {
        false
    }
    fn write(&mut self, _: Stream, bytes: &[u8]) -> usize {
        bytes.len()
    }
    fn writable(&mut self, _: Stream) -> bool {
        true
    }
    fn window(&self) -> Option<WindowSize> {
        None
    }
}
