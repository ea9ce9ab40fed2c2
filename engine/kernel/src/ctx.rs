//! What a system-call handler is given: the kernel, the calling task, and guest memory.

use crate::error::Scratch;
use crate::kernel::Kernel;
use crate::process::Process;
use crate::task::Task;
use crate::{Pid, Tid};
use bytemuck::{Pod, Zeroable};
use friscy_abi::Errno;
use friscy_boundary::{MmId, PAGE_SIZE};

/// A system call in progress.
pub struct Ctx<'k> {
    /// The kernel.
    pub kernel: &'k mut Kernel,
    /// The calling task; it exists while its call runs.
    pub tid: Tid,
}

/// Longest path, with its zero byte, in bytes.
pub const PATH_MAX: usize = 4096;

impl Ctx<'_> {
    /// The calling task.
    ///
    /// # Panics
    /// If the task does not exist: a bug of this kernel, which lets no task run after it was removed.
    #[inline]
    #[must_use]
    pub fn task(&self) -> &Task {
        self.kernel.task(self.tid)
    }

    /// The calling task, to be changed.
    ///
    /// # Panics
    /// As [`Ctx::task`].
    #[inline]
    pub fn task_mut(&mut self) -> &mut Task {
        self.kernel.task_mut(self.tid)
    }

    /// The calling process's id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.task().tgid
    }

    /// The calling process.
    ///
    /// # Panics
    /// As [`Ctx::task`].
    #[must_use]
    pub fn process(&self) -> &Process {
        self.kernel.process(self.task().tgid)
    }

    /// The calling process, to be changed.
    ///
    /// # Panics
    /// As [`Ctx::task`].
    pub fn process_mut(&mut self) -> &mut Process {
        let pid = self.task().tgid;
        self.kernel.process_mut(pid)
    }

    /// What the call remembers between its executions.
    pub fn scratch(&mut self) -> &mut Scratch {
        &mut self.task_mut().scratch
    }

    /// The address space of the calling task.
    #[inline]
    #[must_use]
    pub fn mm_id(&self) -> MmId {
        self.task().mm_id
    }

    /// A file would grow beyond RLIMIT_FSIZE: SIGXFSZ, and the error that is left if it does not end the process.
    pub fn too_large(&mut self) -> Errno {
        let tid = self.tid;
        self.kernel.send_to_task(tid, crate::signal::SigInfo::kernel(crate::signal::SIGXFSZ));
        Errno::EFBIG
    }

    /// Checks a new length of a file against RLIMIT_FSIZE.
    ///
    /// # Errors
    /// `EFBIG`, with SIGXFSZ.
    pub fn check_file_size(&mut self, len: u64) -> Result<(), Errno> {
        let limit = self.process().rlimits.soft(friscy_abi::sched::RLIMIT_FSIZE);
        if len > limit { Err(self.too_large()) } else { Ok(()) }
    }

    /// Checks that the address space may grow by `len` bytes (RLIMIT_AS).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn check_address_space(&self, len: u64) -> Result<(), Errno> {
        let limit = self.process().rlimits.soft(friscy_abi::sched::RLIMIT_AS);
        let total = self.task().mm.borrow().total;
        if total.saturating_add(len) > limit { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Copies guest memory at `addr` into `buf`.
    ///
    /// # Errors
    /// `EFAULT` if not all of it may be read.
    #[inline]
    pub fn read_into(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
        let mm = self.mm_id();
        self.kernel.read_mem(mm, addr, buf)
    }

    /// Copies `len` bytes of guest memory. The host's memory grows with what can be read, not with what is asked for.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read_bytes(&mut self, addr: u64, len: u64) -> Result<Vec<u8>, Errno> {
        const PART: u64 = 1 << 20;
        if len > friscy_boundary::WINDOW_SIZE {
            return Err(Errno::EFAULT);
        }
        let mut buf = Vec::new();
        while (buf.len() as u64) < len {
            let start = buf.len();
            buf.resize(start + (len - start as u64).min(PART) as usize, 0);
            let part = buf.get_mut(start..).unwrap_or_default();
            self.read_into(addr.wrapping_add(start as u64), part)?;
        }
        Ok(buf)
    }

    /// Copies `bytes` to guest memory at `addr`.
    ///
    /// # Errors
    /// `EFAULT` if not all of it may be written; what comes before the fault is written.
    #[inline]
    pub fn write_bytes(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
        let mm = self.mm_id();
        self.kernel.write_mem(mm, addr, bytes)
    }

    /// As [`Ctx::write_bytes`], but says how many bytes were written before a fault.
    pub fn write_some(&mut self, addr: u64, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        let mm = self.mm_id();
        match self.kernel.cpu.copy_out(mm, addr, bytes) {
            Ok(()) => bytes.len(),
            Err(fault) => fault.copied as usize,
        }
    }

    /// As [`Ctx::read_into`], but says how many bytes were read before a fault.
    pub fn read_some(&mut self, addr: u64, buf: &mut [u8]) -> usize {
        if buf.is_empty() {
            return 0;
        }
        let mm = self.mm_id();
        match self.kernel.cpu.copy_in(mm, addr, buf) {
            Ok(()) => buf.len(),
            Err(fault) => fault.copied as usize,
        }
    }

    /// Reads a structure or number.
    ///
    /// # Errors
    /// `EFAULT`.
    #[inline]
    pub fn read_struct<T: Pod>(&mut self, addr: u64) -> Result<T, Errno> {
        let mut value = T::zeroed();
        self.read_into(addr, bytemuck::bytes_of_mut(&mut value))?;
        Ok(value)
    }

    /// Writes a structure or number.
    ///
    /// # Errors
    /// `EFAULT`.
    #[inline]
    pub fn write_struct<T: Pod>(&mut self, addr: u64, value: &T) -> Result<(), Errno> {
        self.write_bytes(addr, bytemuck::bytes_of(value))
    }

    /// Reads an array of structures or numbers.
    ///
    /// # Errors
    /// `EFAULT`, also for a length beyond the address space.
    pub fn read_array<T: Pod>(&mut self, addr: u64, count: u64) -> Result<Vec<T>, Errno> {
        let bytes = count.checked_mul(size_of::<T>() as u64).ok_or(Errno::EFAULT)?;
        if bytes > friscy_boundary::WINDOW_SIZE {
            return Err(Errno::EFAULT);
        }
        let mut values = vec![<T as Zeroable>::zeroed(); count as usize];
        self.read_into(addr, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    /// Reads a string of at most `max` bytes with its zero byte, which is not returned.
    ///
    /// # Errors
    /// `EFAULT`; `ENAMETOOLONG` if there is no zero byte.
    pub fn read_cstr(&mut self, addr: u64, max: usize) -> Result<Vec<u8>, Errno> {
        let mm = self.mm_id();
        self.kernel.read_cstr(mm, addr, max)
    }

    /// Reads a path.
    ///
    /// # Errors
    /// As [`Ctx::read_cstr`] with [`PATH_MAX`].
    pub fn read_path(&mut self, addr: u64) -> Result<Vec<u8>, Errno> {
        self.read_cstr(addr, PATH_MAX)
    }

    /// Whether a signal waits that the task does not block.
    #[must_use]
    pub fn signal_pending(&self) -> bool {
        self.kernel.signal_pending(self.tid)
    }
}

impl Kernel {
    /// A task that is known to exist.
    ///
    /// # Panics
    /// If it does not: a bug of this kernel.
    #[inline]
    #[must_use]
    pub fn task(&self, tid: Tid) -> &Task {
        self.tasks.get(&tid).expect("a running task exists")
    }

    /// A task that is known to exist, to be changed.
    ///
    /// # Panics
    /// If it does not: a bug of this kernel.
    #[inline]
    pub fn task_mut(&mut self, tid: Tid) -> &mut Task {
        self.tasks.get_mut(&tid).expect("a running task exists")
    }

    /// The process of a task that is known to exist.
    ///
    /// # Panics
    /// If it does not: a bug of this kernel.
    #[must_use]
    pub fn process(&self, pid: Pid) -> &Process {
        self.processes.get(&pid).expect("the process of a task exists")
    }

    /// The process of a task that is known to exist, to be changed.
    ///
    /// # Panics
    /// If it does not: a bug of this kernel.
    pub fn process_mut(&mut self, pid: Pid) -> &mut Process {
        self.processes.get_mut(&pid).expect("the process of a task exists")
    }

    /// Copies from an address space.
    ///
    /// # Errors
    /// `EFAULT` if not all of it may be read.
    #[inline]
    pub fn read_mem(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
        if buf.is_empty() {
            return Ok(());
        }
        self.cpu.copy_in(mm, addr, buf).map_err(|_| Errno::EFAULT)
    }

    /// Copies to an address space.
    ///
    /// # Errors
    /// `EFAULT` if not all of it may be written.
    #[inline]
    pub fn write_mem(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.cpu.copy_out(mm, addr, bytes).map_err(|_| Errno::EFAULT)
    }

    /// Reads a string of at most `max` bytes with its zero byte, which is not returned.
    ///
    /// # Errors
    /// `EFAULT`; `ENAMETOOLONG` if there is no zero byte.
    pub fn read_cstr(&mut self, mm: MmId, addr: u64, max: usize) -> Result<Vec<u8>, Errno> {
        let mut out = Vec::new();
        let mut at = addr;
        while out.len() < max {
            let to_page_end = (PAGE_SIZE - at % PAGE_SIZE) as usize;
            let mut chunk = [0u8; 256];
            let want = to_page_end.min(chunk.len()).min(max - out.len());
            let buf = &mut chunk[..want];
            self.read_mem(mm, at, buf)?;
            if let Some(end) = buf.iter().position(|&byte| byte == 0) {
                out.extend_from_slice(&buf[..end]);
                return Ok(out);
            }
            out.extend_from_slice(buf);
            at = at.wrapping_add(want as u64);
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// Whether a signal waits that the task does not block.
    #[must_use]
    pub fn signal_pending(&self, tid: Tid) -> bool {
        let Some(task) = self.tasks.get(&tid) else { return false };
        if task.has_private_signal() {
            return true;
        }
        self.processes
            .get(&task.tgid)
            .is_some_and(|process| process.group_exit.is_some() || !process.pending.set.without(task.mask).is_empty())
    }
}
