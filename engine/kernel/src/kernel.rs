//! The kernel: every task and process, and the ports to the host.

use crate::cpu::{CpuRef, ObjectRef};
use crate::elf::ExecFault;
use crate::files::Drivers;
use crate::futex::Futexes;
use crate::objects::FileObjects;
use crate::ports::{Clock, Entropy, Terminal};
use crate::process::Process;
use crate::sched::Scheduler;
use crate::signal::SigInfo;
use crate::task::Task;
use crate::{Nanos, Pid, Tid};
use friscy_boundary::Cpu;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the machine decides once.
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// `AT_HWCAP`: bit `n` is the extension of the `n`th letter, from the instruction table.
    pub hwcap: u64,
    /// The `isa` line of /proc/cpuinfo, such as `rv64imafdc_zicsr`.
    pub isa: String,
    /// What riscv_hwprobe(2) answers, by key; other keys are unknown.
    pub hwprobe: Vec<(u16, u64)>,
    /// Processors that the guest is told of.
    pub cpus: u32,
    /// Bytes of memory that the guest is told of.
    pub memory: u64,
    /// The most threads of all processes together; `None` for as many as the system has room for.
    pub pids_limit: Option<u64>,
    /// Resource limits of the first process.
    pub rlimits: crate::rlimit::Rlimits,
    /// Host name, uname(2).
    pub hostname: Vec<u8>,
    /// Time passes with retired instructions and entropy is seeded.
    pub deterministic: bool,
    /// The time of the clock CLOCK_REALTIME at the start of a deterministic run.
    pub epoch: Nanos,
    /// The seed of a deterministic run.
    pub seed: u64,
}

/// The most threads of all processes together unless it is said otherwise: fewer than the host's mappings are enough
/// for, so that who makes processes without end hears of it by `EAGAIN`.
pub const DEFAULT_PIDS_LIMIT: u64 = 4_096;

impl Default for KernelConfig {
    fn default() -> KernelConfig {
        KernelConfig {
            hwcap: 0x112d,
            isa: String::from("rv64imafdc_zicsr_zifencei"),
            // IMA with F, D and C; misaligned scalar accesses are fast; the time register counts at 10 MHz.
            hwprobe: vec![(0, 0), (1, 0), (2, 0), (3, 1), (4, 3), (5, 3), (7, 0xeffe_ffff), (8, 10_000_000), (9, 3)],
            cpus: 1,
            memory: 2 << 30,
            pids_limit: Some(DEFAULT_PIDS_LIMIT),
            rlimits: crate::rlimit::Rlimits::default(),
            hostname: b"friscy".to_vec(),
            deterministic: false,
            epoch: 1_767_225_600_000_000_000,
            seed: 1,
        }
    }
}

/// Where the time comes from.
enum Time {
    Host {
        clock: Box<dyn Clock>,
        boot: Nanos,
    },
    /// Nanoseconds since the start: one a retired instruction, more when all tasks wait.
    Virtual(Nanos),
}

/// Everything there is of the guest's system.
pub struct Kernel {
    /// The address spaces.
    pub cpu: CpuRef,
    /// The tree of files.
    pub vfs: Rc<friscy_vfs::Vfs>,
    /// Random bytes.
    pub entropy: Box<dyn Entropy>,
    /// The host's terminal or standard streams.
    pub terminal: Box<dyn Terminal>,
    /// What was decided at the start.
    pub config: KernelConfig,
    /// Threads by id.
    pub tasks: BTreeMap<Tid, Task>,
    /// Processes by id, zombies included.
    pub processes: BTreeMap<Pid, Process>,
    /// State of device and file drivers.
    pub drivers: Drivers,
    /// System V interprocess communication.
    pub ipc: crate::ipc::Ipc,
    /// Run queue, waits, deadlines.
    pub sched: Scheduler,
    /// How the first process ended, once it has.
    pub exit_status: Option<crate::process::ExitStatus>,
    /// Signals queued since the start.
    pub signals_sent: u64,
    /// Instructions retired by all tasks.
    pub retired: u64,
    pub(crate) futexes: Futexes,
    pub(crate) file_objects: FileObjects,
    pub(crate) vdso: Option<ObjectRef>,
    pub(crate) exec_fault: Option<ExecFault>,
    pub(crate) crashes: Vec<crate::crash::Crash>,
    pub(crate) last_fault: Option<(Tid, u64, SigInfo)>,
    /// Processes that were killed and end before any task runs again.
    pub(crate) dying: Vec<Pid>,
    pub(crate) next_wait_id: u64,
    pub(crate) last_pid: Pid,
    time: Time,
}

impl Kernel {
    /// A kernel without tasks.
    #[must_use]
    pub fn new(
        config: KernelConfig,
        cpu: Box<dyn Cpu>,
        vfs: Rc<friscy_vfs::Vfs>,
        clock: Box<dyn Clock>,
        entropy: Box<dyn Entropy>,
        terminal: Box<dyn Terminal>,
    ) -> Kernel {
        let time = if config.deterministic {
            Time::Virtual(0)
        } else {
            let boot = clock.monotonic();
            Time::Host { clock, boot }
        };
        Kernel {
            cpu: CpuRef::new(cpu),
            vfs,
            entropy,
            terminal,
            config,
            tasks: BTreeMap::new(),
            processes: BTreeMap::new(),
            drivers: Drivers::default(),
            ipc: crate::ipc::Ipc::default(),
            sched: Scheduler::default(),
            exit_status: None,
            signals_sent: 0,
            retired: 0,
            futexes: Futexes::default(),
            file_objects: FileObjects::default(),
            vdso: None,
            exec_fault: None,
            crashes: Vec::new(),
            last_fault: None,
            dying: Vec::new(),
            next_wait_id: 0,
            last_pid: 0,
            time,
        }
    }

    /// CLOCK_MONOTONIC and CLOCK_BOOTTIME: nanoseconds since the machine's start, plus one second so that it is
    /// never 0.
    #[must_use]
    pub fn now(&self) -> Nanos {
        const START: Nanos = 1_000_000_000;
        match &self.time {
            Time::Host { clock, boot } => clock.monotonic().saturating_sub(*boot) + START,
            Time::Virtual(now) => now + START,
        }
    }

    /// Whether [`Kernel::now`] is the host's time, not one that instructions make.
    #[must_use]
    pub fn has_host_time(&self) -> bool {
        matches!(self.time, Time::Host { .. })
    }

    /// CLOCK_REALTIME: nanoseconds since 1970.
    #[must_use]
    pub fn realtime(&self) -> Nanos {
        match &self.time {
            Time::Host { clock, .. } => clock.realtime(),
            Time::Virtual(now) => self.config.epoch.saturating_add(*now),
        }
    }

    /// Lets virtual time pass; host time passes by itself.
    pub fn advance(&mut self, by: Nanos) {
        if let Time::Virtual(now) = &mut self.time {
            *now = now.saturating_add(by);
        }
    }

    /// Whether time is virtual: waiting is skipping to the next deadline.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        matches!(self.time, Time::Virtual(_))
    }
}
