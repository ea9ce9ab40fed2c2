//! A machine made from a bundle, and how far it is.

use crate::cpu::WebCpu;
use crate::ports::{ImportedGlue, WebClock, WebEntropy, WebTerminal, log, want_chunk};
use crate::profile::{Profiler, SampledFile};
use crate::source::{ChunkSource, Chunks};
use friscy_boundary::FileSamples;
use friscy_engine::{Config, ExitStatus, Machine, MachineStatus, Ports, Program, SpawnError, User};
use friscy_kernel::KernelConfig;
use friscy_kernel::fs::mount_system;
use friscy_kernel::ports::WindowSize;
use friscy_pack::manifest::{Entry, FORMAT, Index};
use friscy_profile::Profile;
use friscy_vfs::{Clock, ContentSource, FileSystem, FixedClock, TreeLower, Vfs};
use serde::Deserialize;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Guest instructions of a turn: a few milliseconds in an interpreter, so that slices end in time.
const FUEL: u64 = 1 << 17;

/// What the worker says at the start.
#[derive(Deserialize)]
struct Boot {
    #[serde(flatten)]
    entry: Entry,
    chunks: usize,
    /// Whether a profile is recorded.
    profile: bool,
}

/// What the machine wants next; the numbers are the worker's.
pub(crate) enum Next {
    More = 0,
    Wait = 1,
    Exited = 2,
    Failed = 3,
}

/// What a profile is made of.
struct Record {
    profiler: Profiler,
    /// What was run.
    command: Vec<Vec<u8>>,
}

/// The machine of this instance.
pub(crate) struct Session {
    machine: Machine,
    chunks: Rc<RefCell<Chunks>>,
    /// The terminal's size, once the page has said it.
    window: Rc<Cell<Option<WindowSize>>>,
    /// The first program, until it is started.
    program: Option<Program>,
    deadline: Option<u64>,
    record: Option<Record>,
    pub exit: Option<ExitStatus>,
    pub message: String,
}

impl Session {
    /// Sets a machine up.
    ///
    /// # Errors
    /// What is wrong with the bundle, for a person.
    pub fn new(config: &[u8], index: &[u8]) -> Result<Session, String> {
        std::panic::set_hook(Box::new(|info| log(&info.to_string())));
        let Boot { entry, chunks: count, profile: is_recorded } =
            serde_json::from_slice(config).map_err(|error| format!("manifest: {error}"))?;
        let Index { format, tree, chunk_ends, ahead } =
            postcard::from_bytes(index).map_err(|error| format!("index of files: {error}"))?;
        if format != FORMAT || chunk_ends.len() != count {
            return Err(format!("index of files: format {format}, {} chunks of {count}", chunk_ends.len()));
        }
        let chunks = Rc::new(RefCell::new(Chunks::new(chunk_ends, &tree, Box::new(|number| want_chunk(number)))));
        let lower = TreeLower::new(Rc::new(tree), Rc::new(ChunkSource(chunks.clone())));

        let file_clock = Rc::new(FixedClock::default());
        let clock: Rc<dyn Clock> = file_clock.clone();
        let root = FileSystem::overlay(clock.clone(), Rc::new(lower)).map_err(|errno| format!("root: {errno}"))?;
        let vfs = Rc::new(Vfs::new(clock.clone(), root));
        let devpts = mount_system(&vfs, &clock).map_err(|errno| format!("mounts: {errno}"))?;
        // The first program runs while the page still makes its terminal.
        let window = Rc::new(Cell::new(None));
        let kernel = KernelConfig {
            hwcap: friscy_isa::hwcap(),
            isa: friscy_isa::isa_string(),
            hostname: entry.hostname.clone().into_bytes(),
            ..KernelConfig::default()
        };
        // What runs ahead of time was never in the interpreter, which tells of all that ran: a profile is recorded without.
        let mut cpu = WebCpu::new(ImportedGlue).with_ahead(if is_recorded { Vec::new() } else { ahead });
        let profiler = is_recorded.then(|| cpu.profile());
        let ports = Ports {
            cpu: Box::new(cpu),
            vfs,
            file_clock,
            clock: Box::new(WebClock),
            entropy: Box::new(WebEntropy),
            terminal: Box::new(WebTerminal(window.clone())),
        };
        let mut machine = Machine::new(Config { kernel, fuel: FUEL }, ports);
        machine.kernel.drivers.devpts = Some(devpts);
        let bytes = |strings: Vec<String>| strings.into_iter().map(String::into_bytes).collect();
        let program = Program {
            argv: bytes(entry.argv),
            envp: bytes(entry.env),
            cwd: entry.cwd.into_bytes(),
            user: User { uid: entry.uid, gid: entry.gid, groups: vec![entry.gid] },
        };
        let record = profiler.map(|profiler| Record { profiler, command: program.argv.clone() });
        if record.is_some() {
            machine.kernel.keep_code_paths();
        }
        Ok(Session {
            machine,
            chunks,
            window,
            program: Some(program),
            deadline: None,
            record,
            exit: None,
            message: String::new(),
        })
    }

    /// Takes the contents of a chunk.
    pub fn chunk(&mut self, number: u32, bytes: Box<[u8]>) {
        if self.chunks.borrow_mut().arrive(number, bytes) {
            self.machine.chunk_arrived(u64::from(number));
        } else {
            log("a chunk has another length than the index of files says");
        }
    }

    /// Input, or room for output.
    pub fn terminal_ready(&mut self) {
        self.machine.host_event();
    }

    /// The terminal has a size, or another one.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.window.set(Some(WindowSize { rows, cols, xpixel: 0, ypixel: 0 }));
        self.machine.host_event();
    }

    /// Runs for about `ms` milliseconds.
    pub fn slice(&mut self, ms: u32) -> Next {
        if let Some(program) = &self.program {
            match self.machine.spawn(program.clone()) {
                Ok(_) => self.program = None,
                Err(SpawnError::NotYet(_)) => {
                    self.deadline = None;
                    return Next::Wait;
                }
                Err(error) => {
                    self.message = error.to_string();
                    return Next::Failed;
                }
            }
        }
        match self.machine.run(Some(u64::from(ms) * 1_000_000)) {
            MachineStatus::Running => Next::More,
            MachineStatus::Idle(deadline) => {
                self.deadline = deadline;
                Next::Wait
            }
            MachineStatus::Exited(status) => {
                self.exit = Some(status);
                Next::Exited
            }
        }
    }

    /// The profile of all that ran so far, as a file has it; nothing if none is recorded.
    pub fn profile(&self) -> Option<Vec<u8>> {
        let Record { profiler, command } = self.record.as_ref()?;
        let samples = profiler.samples();
        let mut profile = Profile::of_run(command, self.machine.kernel.retired, samples.elsewhere);
        for FileSamples { file, places } in &samples.files {
            let path = self.machine.kernel.code_path(file.object);
            profile.add_file(self.contents(file).as_deref(), path, places);
        }
        Some(profile.encode())
    }

    /// The bytes of a file; nothing if they are not here.
    fn contents(&self, file: &SampledFile) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(file.len).ok()?];
        let read = ChunkSource(self.chunks.clone()).read_at(file.start, &mut bytes).ok()?;
        (read == bytes.len()).then_some(bytes)
    }

    /// Milliseconds until something happens by itself, negative if nothing does.
    pub fn timer_ms(&self) -> f64 {
        let now = self.machine.kernel.now();
        self.deadline.map_or(-1.0, |deadline| deadline.saturating_sub(now) as f64 / 1e6)
    }
}
