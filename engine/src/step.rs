//! A task's turn: guest code, system calls, signals.

use crate::machine::Machine;
use crate::trace::Call;
use friscy_abi::Errno;
use friscy_boundary::{Exit, Ran, Regs};
use friscy_kernel::signal::Delivered;
use friscy_kernel::{Ctx, RestartKind, Scratch, SysError, SysResult, Tid};

/// Length of the `ecall` and `csrr` instructions.
const INSTRUCTION: u64 = 4;

/// Nanoseconds after which a turn ends at a system call: what one call does may take as long as many instructions.
const TURN: u64 = 10_000_000;

/// Nanoseconds that a turn of computing alone is to take: fuel follows how fast code runs, which tiers make differ by tens.
const PACE: u64 = 3_000_000;

/// How many times the least fuel a turn may have.
const MOST_FUEL: u64 = 64;

/// The time is looked at after so many system calls, and after each that gave a number like the bytes of a page.
const CALLS: u32 = 16;
const LARGE: i64 = 4096;

/// Fuel that a system call costs which is executed again after a signal.
const RETRY: u64 = 1000;

const A0: usize = 10;
const A7: usize = 17;

/// Control and status registers that a user may read, RISC-V unprivileged manual, "Zicntr".
mod csr {
    pub const CYCLE: u16 = 0xc00;
    pub const TIME: u16 = 0xc01;
    pub const INSTRET: u16 = 0xc02;
}

/// Nanoseconds of a tick of the `time` register: it counts at 10 MHz.
const TICK: u64 = 100;

/// What a system call leaves its task to do.
enum Next {
    /// Go on.
    Go,
    /// Nothing: it waits or is gone.
    Off,
    /// A signal interrupts the call, which is in progress still.
    Interrupted(RestartKind),
}

impl Machine {
    /// Runs a task until its fuel is used up, it waits, or it ends.
    pub(crate) fn turn(&mut self, tid: Tid) {
        let mut fuel = self.fuel_of_turn();
        if self.kernel.stays_stopped(tid) {
            return;
        }
        let (start, whole) = (self.kernel.now(), fuel);
        let end = start.saturating_add(TURN);
        let mut calls = 0;
        loop {
            let Some(task) = self.kernel.tasks.get(&tid) else { return };
            let mut interrupted = None;
            let called = task.in_syscall;
            if called {
                calls += 1;
                match self.syscall(tid) {
                    Next::Go => {}
                    Next::Off => return,
                    Next::Interrupted(kind) => interrupted = Some(kind),
                }
            }
            if interrupted.is_some() || self.kernel.needs_attention(tid) {
                let delivered = self.kernel.deliver_signals(tid, interrupted);
                self.kernel.settle();
                if delivered == Delivered::Off {
                    return;
                }
                if self.kernel.tasks.get(&tid).is_some_and(|task| task.in_syscall) {
                    // A call that is tried again costs fuel, so that others have their turn.
                    fuel = fuel.saturating_sub(RETRY);
                    if fuel == 0 {
                        return;
                    }
                    continue;
                }
            }
            if fuel == 0 || self.kernel.is_outranked(tid) {
                return;
            }
            let Some(task) = self.kernel.tasks.get(&tid) else { return };
            let looks = called && (calls % CALLS == 0 || task.regs.x[A0] as i64 >= LARGE);
            if looks && self.kernel.now() >= end {
                return;
            }
            let Some(task) = self.kernel.tasks.get_mut(&tid) else { return };
            let Ran { exit, retired } = self.kernel.cpu.run(task.mm_id, &mut task.regs, fuel);
            task.retired += retired;
            if exit == Exit::Syscall {
                task.in_syscall = true;
                task.scratch = Scratch::default();
            }
            self.kernel.retired += retired;
            self.kernel.advance(retired);
            fuel = fuel.saturating_sub(retired);
            match exit {
                Exit::Syscall => {}
                Exit::Fuel => {
                    fuel = 0;
                    if calls == 0 {
                        self.pace(whole, self.kernel.now().saturating_sub(start));
                    }
                }
                Exit::ReadCsr { csr, rd } => self.read_csr(tid, csr, rd),
                other => self.kernel.cpu_fault(tid, other),
            }
        }
    }

    /// Makes turns longer or shorter by what one took that used up its fuel, in nanoseconds.
    fn pace(&mut self, fuel: u64, took: u64) {
        if took > 0 && self.kernel.has_host_time() {
            let fitting = u128::from(fuel) * u128::from(PACE) / u128::from(took);
            let most = self.paced.saturating_mul(2).min(self.fuel.saturating_mul(MOST_FUEL));
            self.paced = u64::try_from(fitting).unwrap_or(u64::MAX).clamp(self.fuel, most);
        }
    }

    /// The fuel of the next turn: somewhat less than a whole turn's, by another amount each time. A turn ends at one of
    /// the few preemption points of a loop, so that turns of one length all end at the same one; if a lock is held
    /// there, nobody else ever gets it.
    fn fuel_of_turn(&mut self) -> u64 {
        // Knuth's multiplicative generator, whose upper bits are good.
        self.turn_seed = self.turn_seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.paced - (self.turn_seed >> 33) % (self.paced / 16 + 1)
    }

    /// Executes the system call at a task's pc.
    fn syscall(&mut self, tid: Tid) -> Next {
        let result = if self.trace.is_some() {
            self.traced_syscall(tid)
        } else {
            friscy_syscalls::dispatch(&mut Ctx { kernel: &mut self.kernel, tid })
        };
        self.kernel.settle();
        let Some(task) = self.kernel.tasks.get_mut(&tid) else { return Next::Off };
        match result {
            Ok(value) => finish(task, value),
            Err(SysError::Errno(errno)) => finish(task, errno.to_ret()),
            Err(SysError::NoReturn) => task.in_syscall = false,
            Err(SysError::Restart(kind)) => return Next::Interrupted(kind),
            Err(SysError::Block(wait)) => {
                if wait.restart != RestartKind::Uninterruptible {
                    let stopped = std::mem::take(&mut task.scratch.stopped);
                    if stopped || self.kernel.needs_attention(tid) {
                        return Next::Interrupted(wait.restart);
                    }
                }
                self.kernel.block(tid, wait);
                return Next::Off;
            }
        }
        if let Some(mask) = task.saved_mask.take() {
            self.kernel.set_mask(tid, mask);
        }
        Next::Go
    }

    fn traced_syscall(&mut self, tid: Tid) -> SysResult {
        let call = self.kernel.tasks.get(&tid).map(|task| call_of(tid, &task.regs));
        let again = self.kernel.tasks.get(&tid).is_some_and(|task| task.scratch.again);
        if let (Some(trace), Some(call), false) = (&mut self.trace, &call, again) {
            trace.enter(&mut self.kernel, call);
        }
        let result = friscy_syscalls::dispatch(&mut Ctx { kernel: &mut self.kernel, tid });
        if let (Some(trace), Some(call)) = (&mut self.trace, &call) {
            trace.leave(&mut self.kernel, call, &result);
        }
        result
    }

    fn read_csr(&mut self, tid: Tid, csr: u16, rd: u8) {
        let value = match csr {
            csr::TIME => self.kernel.now() / TICK,
            csr::CYCLE | csr::INSTRET => self.kernel.retired,
            _ => {
                self.kernel.cpu_fault(tid, Exit::Illegal { bits: 0 });
                return;
            }
        };
        if let Some(task) = self.kernel.tasks.get_mut(&tid) {
            if let Some(slot) = task.regs.x.get_mut(usize::from(rd))
                && rd != 0
            {
                *slot = value;
            }
            task.regs.pc = task.regs.pc.wrapping_add(INSTRUCTION);
        }
    }
}

fn finish(task: &mut friscy_kernel::Task, value: u64) {
    debug_assert!(Errno::from_ret(value).is_none_or(|errno| errno.0 < 512), "a restart error reached user mode");
    task.in_syscall = false;
    task.regs.x[A0] = value;
    task.regs.pc = task.regs.pc.wrapping_add(INSTRUCTION);
}

fn call_of(tid: Tid, regs: &Regs) -> Call {
    let mut args = [0; 6];
    args.copy_from_slice(&regs.x[A0..A0 + 6]);
    Call { tid, number: regs.x[A7], args }
}
