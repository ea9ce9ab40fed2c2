//! Tests of the kernel over an address space that is a table of pages.

mod elf;
mod fake;
mod futex;
mod jobs;
mod mm;
mod mm_model;
mod signals;
mod vdso;

use crate::cred::Cred;
use crate::files::FdTable;
use crate::mm::{MapRequest, Mm, VmaBacking, VmaFlags};
use crate::ports::{Clock, Input, SeededEntropy, Stream, Terminal, WindowSize};
use crate::process::{CloneRequest, Process};
use crate::{FsContext, Kernel, KernelConfig, Nanos, Task, Tid};
use fake::FakeCpu;
use friscy_boundary::Prot;
use friscy_vfs::{FileSystem, FixedClock, Vfs};
use std::rc::Rc;

/// Memory of the first task, readable and writable.
pub(super) const DATA: u64 = 0x10_0000;
pub(super) const DATA_LEN: u64 = 0x10_000;

struct NoClock;

impl Clock for NoClock {
    fn monotonic(&self) -> Nanos {
        0
    }
    fn realtime(&self) -> Nanos {
        0
    }
}

struct NoTerminal;

impl Terminal for NoTerminal {
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

/// A kernel in virtual time without tasks.
pub(super) fn empty_kernel() -> Kernel {
    let clock = Rc::new(FixedClock::default());
    let vfs = Rc::new(Vfs::new(clock.clone(), FileSystem::tmpfs(clock, 0o755)));
    let config = KernelConfig { deterministic: true, ..KernelConfig::default() };
    let ports = (Box::new(NoClock), Box::new(SeededEntropy(1)), Box::new(NoTerminal));
    Kernel::new(config, Box::new(FakeCpu::default()), vfs, ports.0, ports.1, ports.2)
}

/// A kernel whose first task, 1, has [`DATA`] mapped.
pub(super) fn kernel() -> Kernel {
    let mut k = empty_kernel();
    let mut mm = Mm::new(k.cpu.create().unwrap());
    mm.map(&k.cpu, anonymous(DATA, DATA_LEN)).unwrap();
    mm.vdso = 0x7000_0000;
    let root = k.vfs.root();
    let fs = FsContext { root: root.clone(), cwd: root, umask: 0o022 };
    let task = Task::first(1, mm, Cred::new(0, 0, Vec::new()), fs, FdTable::default(), 0);
    k.tasks.insert(1, task);
    k.processes.insert(1, Process { threads: vec![1], ..Process::new(1, 1, 1, 0) });
    k.last_pid = 1;
    k.task_mut(1).regs.x[2] = DATA + DATA_LEN;
    k.task_mut(1).regs.pc = 0x4000;
    k
}

pub(super) fn anonymous(addr: u64, len: u64) -> MapRequest {
    MapRequest {
        addr,
        len,
        prot: Prot::RW,
        flags: VmaFlags::MAYWRITE,
        backing: VmaBacking::Anonymous,
        fixed: addr != 0,
        no_replace: false,
    }
}

/// fork(2).
pub(super) fn fork(k: &mut Kernel, parent: Tid) -> Tid {
    k.clone_task(parent, &CloneRequest { exit_signal: crate::signal::SIGCHLD, ..CloneRequest::default() }).unwrap()
}

/// pthread_create(3).
pub(super) fn thread(k: &mut Kernel, parent: Tid) -> Tid {
    use friscy_abi::sched::{CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM};
    let flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    k.clone_task(parent, &CloneRequest { flags, ..CloneRequest::default() }).unwrap()
}
