//! The machine and its scheduler: round robin, one task at a time.

use crate::config::{Config, Ports};
use crate::trace::Trace;
use friscy_kernel::ports::SeededEntropy;
use friscy_kernel::process::ExitStatus;
use friscy_kernel::{Kernel, Nanos, RunState, Tid, WaitKey};
use friscy_vfs::{FixedClock, Timestamp};
use std::rc::Rc;

/// Where a machine stands after a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MachineStatus {
    /// There is more to run.
    Running,
    /// Every task waits: for the host, or until this time of [`Kernel::now`].
    Idle(Option<Nanos>),
    /// The first process has ended, and everything with it.
    Exited(ExitStatus),
}

/// A guest system that runs.
pub struct Machine {
    /// Tasks, files and everything else.
    pub kernel: Kernel,
    /// The least fuel of a turn.
    pub(crate) fuel: u64,
    /// What turns have at present.
    pub(crate) paced: u64,
    /// What the lengths of turns differ by is made from this.
    pub(crate) turn_seed: u64,
    pub(crate) trace: Option<Box<dyn Trace>>,
    file_clock: Rc<FixedClock>,
}

const SECOND: Nanos = 1_000_000_000;

impl Machine {
    /// A machine without processes. File systems in memory that have no bound yet get one from the guest's memory
    /// ([`friscy_vfs::Vfs::limit_memory`]).
    #[must_use]
    pub fn new(config: Config, ports: Ports) -> Machine {
        let Ports { cpu, vfs, file_clock, clock, entropy, terminal } = ports;
        let entropy = if config.kernel.deterministic { Box::new(SeededEntropy(config.kernel.seed)) } else { entropy };
        vfs.limit_memory(config.kernel.memory);
        let kernel = Kernel::new(config.kernel, cpu, vfs, clock, entropy, terminal);
        let machine = Machine {
            kernel,
            fuel: config.fuel.max(1),
            paced: config.fuel.max(1),
            turn_seed: 0,
            trace: None,
            file_clock,
        };
        machine.set_file_clock();
        machine
    }

    /// Lets somebody watch system calls.
    pub fn set_trace(&mut self, trace: Option<Box<dyn Trace>>) {
        self.trace = trace;
    }

    /// Changes the least fuel of a turn.
    pub fn set_fuel(&mut self, fuel: u64) {
        self.fuel = fuel.max(1);
        self.paced = self.fuel;
    }

    fn set_file_clock(&self) {
        let now = self.kernel.realtime();
        self.file_clock.set(Timestamp { sec: (now / SECOND) as i64, nsec: (now % SECOND) as u32 });
    }

    /// Something happened on the host's side: input, room for output, another size.
    pub fn host_event(&mut self) {
        self.kernel.pump_terminal();
        self.kernel.settle();
    }

    /// A part of a file's contents arrived that tasks may wait for.
    pub fn chunk_arrived(&mut self, chunk: u64) {
        self.kernel.wake(WaitKey::Chunk(chunk));
    }

    /// Runs tasks until all wait, the first process ends, or `budget` nanoseconds of guest time have passed (looked at
    /// between turns; `None` is no limit).
    pub fn run(&mut self, budget: Option<Nanos>) -> MachineStatus {
        let until = budget.map(|budget| self.kernel.now().saturating_add(budget));
        self.host_event();
        loop {
            let now = self.kernel.now();
            self.kernel.fire_timers(now);
            self.kernel.settle();
            if let Some(status) = self.kernel.exit_status {
                self.kernel.flush_terminal();
                return MachineStatus::Exited(status);
            }
            if until.is_some_and(|until| now >= until) {
                return MachineStatus::Running;
            }
            let Some(tid) = self.next_task() else {
                self.kernel.flush_terminal();
                let deadline = self.kernel.sched.next_deadline();
                match deadline {
                    // Virtual time passes by itself when nothing happens before.
                    Some(at) if self.kernel.is_deterministic() && !self.input_is_wanted() => {
                        self.kernel.advance(at.saturating_sub(now));
                        continue;
                    }
                    _ => return MachineStatus::Idle(deadline),
                }
            };
            self.set_file_clock();
            self.turn(tid);
            let used = self.kernel.now().saturating_sub(now);
            self.kernel.charge(tid, used);
            self.kernel.settle();
            if self.kernel.console().is_some() {
                self.kernel.flush_terminal();
            }
            if let Some(task) = self.kernel.tasks.get_mut(&tid)
                && task.state == RunState::Ready
            {
                task.switches.1 += 1;
                self.kernel.requeue(tid);
            }
            if self.kernel.terminal.readable() {
                self.host_event();
            }
        }
    }

    /// Whether the host has input that a task waits for.
    fn input_is_wanted(&mut self) -> bool {
        self.kernel.has_waiters(WaitKey::Terminal) && self.kernel.terminal.readable()
    }

    /// The task whose turn it is.
    fn next_task(&mut self) -> Option<Tid> {
        while let Some((_, tid)) = self.kernel.sched.run_queue.pop_front() {
            if let Some(task) = self.kernel.tasks.get_mut(&tid) {
                task.queued = false;
                if task.state == RunState::Ready {
                    return Some(tid);
                }
            }
        }
        None
    }
}
