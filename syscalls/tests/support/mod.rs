//! A guest without code: a kernel over flat memory, in which a test makes system calls by hand.

#![allow(dead_code, reason = "each test file uses a part of it")]

use bytemuck::Pod;
use friscy_abi::Errno;
use friscy_boundary::{CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs};
use friscy_kernel::cred::Cred;
use friscy_kernel::files::FdTable;
use friscy_kernel::mm::Mm;
use friscy_kernel::ports::{Clock, Input, SeededEntropy, Stream, Terminal, WindowSize};
use friscy_kernel::{
    Ctx, FsContext, Kernel, KernelConfig, Nanos, Process, Scratch, SysError, SysResult, Task, Tid, WaitFor,
};
use friscy_syscalls::TABLE;
use friscy_vfs::{FileSystem, FixedClock, Vfs};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Where memory starts.
pub const BASE: u64 = 0x10_0000;
/// How much there is.
const SIZE: usize = 4 << 20;

/// Memory that is always mapped; mappings are taken note of by the kernel alone.
struct FlatCpu {
    memory: Vec<u8>,
    objects: BTreeMap<ObjectId, Vec<u8>>,
    next: u32,
}

impl FlatCpu {
    fn range(&self, addr: u64, len: usize) -> Result<std::ops::Range<usize>, CopyFault> {
        let start = addr.checked_sub(BASE).ok_or(CopyFault { copied: 0 })?;
        let end = start.checked_add(len as u64).ok_or(CopyFault { copied: 0 })?;
        if end > SIZE as u64 {
            return Err(CopyFault { copied: (SIZE as u64).saturating_sub(start).min(len as u64) });
        }
        Ok(start as usize..end as usize)
    }
}

impl Cpu for FlatCpu {
    fn create(&mut self) -> Result<MmId, MemError> {
        self.next += 1;
        Ok(MmId(self.next))
    }
    fn fork_from(&mut self, _: MmId, _: &[Mapping]) -> Result<MmId, MemError> {
        self.create()
    }
    fn destroy(&mut self, _: MmId) {}
    fn map(&mut self, _: MmId, _: &Mapping) -> Result<(), MemError> {
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
    fn copy_in(&mut self, _: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let range = self.range(addr, buf.len());
        if let Err(fault) = range {
            let part = fault.copied as usize;
            if let Ok(range) = self.range(addr, part) {
                buf[..part].copy_from_slice(&self.memory[range]);
            }
            return Err(fault);
        }
        buf.copy_from_slice(&self.memory[range?]);
        Ok(())
    }
    fn copy_out(&mut self, _: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        let range = self.range(addr, bytes.len())?;
        self.memory[range].copy_from_slice(bytes);
        Ok(())
    }
    fn poke(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.copy_out(mm, addr, bytes)
    }
    fn flush_icache(&mut self, _: MmId, _: u64, _: u64) {}
    fn run(&mut self, _: MmId, _: &mut Regs, _: u64) -> Ran {
        Ran { exit: Exit::Illegal { bits: 0 }, retired: 0 }
    }
    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        self.next += 1;
        self.objects.insert(ObjectId(self.next), vec![0; len as usize]);
        Ok(ObjectId(self.next))
    }
    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        let Some(bytes) = self.objects.get(&object) else { return 0 };
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        count
    }
    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        let content = self.objects.get_mut(&object).ok_or(MemError::NoSuch)?;
        let end = offset as usize + bytes.len();
        content.resize(content.len().max(end), 0);
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }
    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError> {
        self.objects.get_mut(&object).ok_or(MemError::NoSuch)?.resize(len as usize, 0);
        Ok(())
    }
    fn object_release(&mut self, object: ObjectId) {
        self.objects.remove(&object);
    }
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

/// The host's side of the terminal.
#[derive(Default)]
pub struct Host {
    /// What will be typed.
    pub input: VecDeque<u8>,
    /// What was written.
    pub output: Vec<u8>,
    /// The window; none when the streams are no terminal.
    pub window: Option<WindowSize>,
    /// The window is still to come.
    pub window_pending: bool,
}

struct HostTerminal(Rc<RefCell<Host>>);

impl Terminal for HostTerminal {
    fn read(&mut self, buf: &mut [u8]) -> Input {
        let mut host = self.0.borrow_mut();
        let count = host.input.len().min(buf.len());
        for (slot, byte) in buf.iter_mut().zip(host.input.drain(..count)) {
            *slot = byte;
        }
        if count == 0 { Input::None } else { Input::Bytes(count) }
    }
    fn readable(&mut self) -> bool {
        !self.0.borrow().input.is_empty()
    }
    fn write(&mut self, _: Stream, bytes: &[u8]) -> usize {
        self.0.borrow_mut().output.extend_from_slice(bytes);
        bytes.len()
    }
    fn writable(&mut self, _: Stream) -> bool {
        true
    }
    fn window(&self) -> Option<WindowSize> {
        self.0.borrow().window
    }
    fn window_pending(&self) -> bool {
        self.0.borrow().window_pending
    }
}

/// What a call did.
#[derive(Debug)]
pub enum Done {
    /// Its result.
    Value(u64),
    /// Its error.
    Fails(Errno),
    /// It waits.
    Waits(Box<WaitFor>),
    /// It has no result.
    NoReturn,
}

/// A process without code, and where its next argument in memory goes.
pub struct Guest {
    pub kernel: Kernel,
    pub tid: Tid,
    pub host: Rc<RefCell<Host>>,
    next: u64,
}

impl Guest {
    /// A guest of root's with an empty tree of files and no terminal.
    pub fn new() -> Guest {
        Guest::with_window(None)
    }

    /// A guest whose descriptors 0 to 2 are a terminal, when a window is given.
    pub fn with_window(window: Option<WindowSize>) -> Guest {
        Guest::on(Host { window, ..Host::default() })
    }

    /// A guest on such a host.
    pub fn on(host: Host) -> Guest {
        let clock = Rc::new(FixedClock::default());
        let dyn_clock: Rc<dyn friscy_vfs::Clock> = clock.clone();
        let vfs = Rc::new(Vfs::new(dyn_clock.clone(), FileSystem::tmpfs(dyn_clock.clone(), 0o755)));
        let pts = friscy_kernel::fs::mount_system(&vfs, &dyn_clock).unwrap();
        let host = Rc::new(RefCell::new(host));
        let config = KernelConfig { deterministic: true, ..KernelConfig::default() };
        let cpu = FlatCpu { memory: vec![0; SIZE], objects: BTreeMap::new(), next: 0 };
        let mut kernel = Kernel::new(
            config,
            Box::new(cpu),
            vfs,
            Box::new(NoClock),
            Box::new(SeededEntropy(1)),
            Box::new(HostTerminal(host.clone())),
        );
        kernel.drivers.devpts = Some(pts);
        let mut guest = Guest { kernel, tid: 1, host, next: BASE };
        guest.add_process(1, 0, 1, 1);
        let streams = guest.kernel.standard_streams(1).unwrap();
        for file in streams {
            guest.kernel.task(1).files.borrow_mut().insert(file, false, 0, 64).unwrap();
        }
        guest
    }

    /// Adds a process with one task; its files are empty.
    pub fn add_process(&mut self, pid: u32, parent: u32, pgid: u32, sid: u32) {
        let mm = Mm::new(self.kernel.cpu.create().unwrap());
        let root = self.kernel.vfs.root();
        let fs = FsContext { root: root.clone(), cwd: root, umask: 0o22 };
        let now = self.kernel.now();
        let mut process = Process::new(pid, pgid, sid, now);
        process.parent = parent;
        process.threads.push(pid);
        if let Some(parent) = self.kernel.processes.get(&parent) {
            process.tty = parent.tty;
        }
        self.kernel.processes.insert(pid, process);
        let task = Task::first(pid, mm, Cred::new(0, 0, Vec::new()), fs, FdTable::default(), now);
        self.kernel.tasks.insert(pid, task);
    }

    /// Executes a call as another task.
    pub fn as_task<R>(&mut self, tid: Tid, act: impl FnOnce(&mut Guest) -> R) -> R {
        let own = std::mem::replace(&mut self.tid, tid);
        let result = act(self);
        self.tid = own;
        result
    }

    /// Executes a call for the first time.
    pub fn call(&mut self, name: &str, args: &[u64]) -> Done {
        self.kernel.task_mut(self.tid).scratch = Scratch::default();
        self.execute(name, args)
    }

    /// Executes a call again that waited.
    pub fn again(&mut self, name: &str, args: &[u64]) -> Done {
        self.kernel.task_mut(self.tid).scratch.again = true;
        self.execute(name, args)
    }

    fn execute(&mut self, name: &str, args: &[u64]) -> Done {
        let row = TABLE.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no call {name}"));
        let task = self.kernel.task_mut(self.tid);
        task.regs.x[17] = u64::from(row.number);
        task.regs.x[10..16].fill(0);
        task.regs.x[10..10 + args.len()].copy_from_slice(args);
        let tid = self.tid;
        let result: SysResult = friscy_syscalls::dispatch(&mut Ctx { kernel: &mut self.kernel, tid });
        self.kernel.settle_effects();
        match result {
            Ok(value) => Done::Value(value),
            Err(SysError::Errno(errno)) => Done::Fails(errno),
            Err(SysError::Block(wait)) => Done::Waits(wait),
            Err(SysError::NoReturn) => Done::NoReturn,
            Err(SysError::Restart(kind)) => panic!("{name} restarts: {kind:?}"),
        }
    }

    /// The result of a call that must succeed.
    #[track_caller]
    pub fn ok(&mut self, name: &str, args: &[u64]) -> u64 {
        match self.call(name, args) {
            Done::Value(value) => value,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The error of a call that must fail.
    #[track_caller]
    pub fn fails(&mut self, name: &str, args: &[u64], errno: Errno) {
        match self.call(name, args) {
            Done::Fails(other) => assert_eq!(other, errno, "{name}"),
            other => panic!("{name}: {other:?}, not {errno}"),
        }
    }

    /// A call that must wait.
    #[track_caller]
    pub fn waits(&mut self, name: &str, args: &[u64]) -> Box<WaitFor> {
        match self.call(name, args) {
            Done::Waits(wait) => wait,
            other => panic!("{name}: {other:?}, it does not wait"),
        }
    }

    /// Puts bytes into memory and returns where.
    pub fn put(&mut self, bytes: &[u8]) -> u64 {
        let at = self.room(bytes.len());
        let mm = self.kernel.task(self.tid).mm_id;
        self.kernel.write_mem(mm, at, bytes).unwrap();
        at
    }

    /// Puts a structure into memory and returns where.
    pub fn put_struct<T: Pod>(&mut self, value: &T) -> u64 {
        self.put(bytemuck::bytes_of(value))
    }

    /// A zero-terminated string in memory.
    pub fn str(&mut self, text: &str) -> u64 {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(&bytes)
    }

    /// Room for so many bytes.
    pub fn room(&mut self, len: usize) -> u64 {
        let at = self.next;
        self.next += (len as u64).next_multiple_of(16).max(16);
        at
    }

    /// Bytes in memory.
    pub fn get(&mut self, addr: u64, len: usize) -> Vec<u8> {
        let mm = self.kernel.task(self.tid).mm_id;
        let mut bytes = vec![0; len];
        self.kernel.read_mem(mm, addr, &mut bytes).unwrap();
        bytes
    }

    /// A structure in memory.
    pub fn get_struct<T: Pod>(&mut self, addr: u64) -> T {
        let mut value = T::zeroed();
        let mm = self.kernel.task(self.tid).mm_id;
        self.kernel.read_mem(mm, addr, bytemuck::bytes_of_mut(&mut value)).unwrap();
        value
    }

    /// Opens a path relative to the working directory.
    #[track_caller]
    pub fn open(&mut self, path: &str, flags: u32) -> u64 {
        let path = self.str(path);
        self.ok("openat", &[AT_FDCWD, path, u64::from(flags), 0o644])
    }

    /// Writes to a descriptor.
    #[track_caller]
    pub fn write(&mut self, fd: u64, bytes: &[u8]) -> u64 {
        let at = self.put(bytes);
        self.ok("write", &[fd, at, bytes.len() as u64])
    }

    /// Reads from a descriptor.
    #[track_caller]
    pub fn read(&mut self, fd: u64, len: usize) -> Vec<u8> {
        let at = self.room(len);
        let count = self.ok("read", &[fd, at, len as u64]);
        self.get(at, count as usize)
    }

    /// Both ends of a new pipe.
    #[track_caller]
    pub fn pipe(&mut self, flags: u32) -> (u64, u64) {
        let at = self.room(8);
        self.ok("pipe2", &[at, u64::from(flags)]);
        let [reader, writer]: [i32; 2] = self.get_struct(at);
        (reader as u64, writer as u64)
    }
}

/// `AT_FDCWD` in a register.
pub const AT_FDCWD: u64 = -100i64 as u64;
