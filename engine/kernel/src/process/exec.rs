//! execve(2), and the first program.

use super::Process;
use crate::cred::Cred;
use crate::elf::{
    Arguments, ElfFile, ExecFault, HEAD_SIZE, LoadError, MappedImage, Place, Script, StackImage, map_image, parse_elf,
    parse_script, read_full,
};
use crate::error::{SysError, SysResult};
use crate::kernel::Kernel;
use crate::mm::{MapRequest, MappedFile, Mm, VmaBacking, VmaFlags, page_up, stack_size};
use crate::sched::TimerId;
use crate::signal::{AltStack, FRAME_SIZE, SIGCHLD};
use crate::{Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::sched::RLIMIT_STACK;
use friscy_abi::stat::{S_ISGID, S_ISUID, S_IXGRP};
use friscy_boundary::{HIGHEST_ADDRESS, Prot, Regs};
use friscy_vfs::{Access, FileType, Location, PathContext};
use std::cell::RefCell;
use std::rc::Rc;

/// How many interpreters of scripts may name each other, as in Linux.
const SCRIPT_DEPTH: usize = 5;

/// What execve(2) is asked for.
#[derive(Clone, Debug)]
pub struct ExecRequest {
    /// The file, with links followed.
    pub file: Location,
    /// The path as the program is told of it (`AT_EXECFN`, and a script's argument).
    pub path: Vec<u8>,
    /// Arguments.
    pub argv: Vec<Vec<u8>>,
    /// Environment.
    pub envp: Vec<Vec<u8>>,
}

/// A program in its new address space, not running yet.
struct Loaded {
    mm: Mm,
    regs: Regs,
    comm: Vec<u8>,
    /// User and group of a set-user-ID or set-group-ID program.
    set_uid: Option<u32>,
    set_gid: Option<u32>,
}

fn base_name(path: &[u8]) -> Vec<u8> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    name.iter().copied().take(15).collect()
}

impl Kernel {
    /// execve(2): replaces the program of a task's process. On success the registers are the new program's.
    ///
    /// # Errors
    /// execve(2); [`SysError::NoReturn`] is success. A block while the file's contents are fetched.
    pub fn sys_exec(&mut self, tid: Tid, request: ExecRequest) -> SysResult {
        let ctx = self.path_context(tid);
        let cred = Rc::clone(&self.task(tid).cred);
        let stack = self.process(self.task(tid).tgid).rlimits.soft(RLIMIT_STACK);
        let loaded = match self.load(&ctx, &cred, request, stack) {
            Ok(loaded) => loaded,
            Err(LoadError::Fault(fault)) => {
                let errno = fault.errno;
                self.exec_fault = Some(fault);
                return Err(errno.into());
            }
            Err(LoadError::Sys(error)) => return Err(error),
        };
        self.commit_exec(tid, loaded);
        Err(SysError::NoReturn)
    }

    /// Why the last execve failed with `ENOEXEC`, in words.
    #[must_use]
    pub fn exec_fault(&self) -> Option<&ExecFault> {
        self.exec_fault.as_ref()
    }

    /// Makes the first process, which runs the requested program with these credentials, working directory and files.
    ///
    /// # Errors
    /// As [`Kernel::sys_exec`].
    pub fn spawn_init(
        &mut self,
        request: ExecRequest,
        cred: Cred,
        fs: crate::FsContext,
        files: crate::files::FdTable,
    ) -> Result<Pid, SysError> {
        let ctx = PathContext { root: fs.root.clone(), cwd: fs.cwd.clone(), creds: cred.file_creds() };
        let loaded = match self.load(&ctx, &cred, request, self.config.rlimits.soft(RLIMIT_STACK)) {
            Ok(loaded) => loaded,
            Err(LoadError::Fault(fault)) => {
                let errno = fault.errno;
                self.exec_fault = Some(fault);
                return Err(errno.into());
            }
            Err(LoadError::Sys(error)) => return Err(error),
        };
        let pid = self.new_pid()?;
        let now = self.now();
        let mut process = Process::new(pid, pid, pid, now);
        process.threads.push(pid);
        process.exit_signal = SIGCHLD;
        process.rlimits = self.config.rlimits.clone();
        self.processes.insert(pid, process);
        let task = crate::Task::first(pid, loaded.mm, cred, fs, files, now);
        self.tasks.insert(pid, task);
        let task = self.task_mut(pid);
        task.regs = loaded.regs;
        task.comm = loaded.comm;
        self.enqueue(pid);
        Ok(pid)
    }

    /// Finds the program behind scripts and makes its address space, with a stack as `RLIMIT_STACK` (`stack`) says.
    fn load(&mut self, ctx: &PathContext, cred: &Cred, request: ExecRequest, stack: u64) -> Result<Loaded, LoadError> {
        let ExecRequest { mut file, path, argv, envp } = request;
        let comm = base_name(&path);
        // A program without arguments gets an empty one, as in Linux since 5.18.
        let argv = if argv.is_empty() { vec![Vec::new()] } else { argv };
        let mut arguments = Arguments { argv, envp, execfn: path };
        let mut name = arguments.execfn.clone();
        let mut depth = 0;
        loop {
            arguments.check(stack)?;
            self.check_executable(ctx, &file)?;
            let mut head = [0; HEAD_SIZE];
            let count = read_full(file.inode(), 0, &mut head)?;
            let head = head.get(..count).unwrap_or(&head);
            if !head.starts_with(b"#!") {
                let elf = parse_elf(file.inode(), head)?;
                let mut loaded = self.load_elf(ctx, cred, &file, &elf, &arguments, stack)?;
                loaded.comm = comm;
                return Ok(loaded);
            }
            let fault = || ExecFault { errno: Errno::ENOEXEC, reason: String::from("its #! line names no program") };
            let Script { interpreter, argument } = parse_script(head).ok_or_else(fault)?;
            depth += 1;
            if depth > SCRIPT_DEPTH {
                return Err(Errno::ELOOP.into());
            }
            let rest = arguments.argv.split_off(1.min(arguments.argv.len()));
            arguments.argv = std::iter::once(interpreter.clone()).chain(argument).chain([name]).chain(rest).collect();
            file = self.in_scope(|| self.vfs.resolve(ctx, &ctx.cwd, &interpreter, true, 0))?;
            name = interpreter;
        }
    }

    /// Whether the file is a regular one that may be executed.
    fn check_executable(&self, ctx: &PathContext, file: &Location) -> Result<(), Errno> {
        if file.inode().file_type() != FileType::Regular || file.mount().flags().no_exec {
            return Err(Errno::EACCES);
        }
        self.vfs.access(&ctx.creds, file, Access::EXEC)
    }

    fn load_elf(
        &mut self,
        ctx: &PathContext,
        cred: &Cred,
        file: &Location,
        elf: &ElfFile,
        arguments: &Arguments,
        stack: u64,
    ) -> Result<Loaded, LoadError> {
        // Everything that can fail or wait for contents comes before the address space is made.
        let interp = match &elf.interp {
            Some(path) => {
                let at = self.in_scope(|| self.vfs.resolve(ctx, &ctx.cwd, path, true, 0))?;
                self.check_executable(ctx, &at)?;
                let mut head = [0; HEAD_SIZE];
                let count = read_full(at.inode(), 0, &mut head)?;
                let parsed = parse_elf(at.inode(), head.get(..count).unwrap_or(&head));
                let elf = parsed.map_err(|error| match error {
                    LoadError::Fault(fault) => {
                        LoadError::Fault(ExecFault { reason: format!("its interpreter: {}", fault.reason), ..fault })
                    }
                    other => other,
                })?;
                let object = self.file_object(at.inode(), false)?;
                let mapped = mapped_file(ctx, &at);
                self.note_code(&object, &mapped);
                Some((mapped, elf, object))
            }
            None => None,
        };
        let object = self.file_object(file.inode(), false)?;
        let mapped = mapped_file(ctx, file);
        self.note_code(&object, &mapped);
        let vdso = self.vdso_object()?;
        let id = self.cpu.create().map_err(|_| Errno::ENOMEM)?;
        let mut mm = Mm::new(id);
        mm.make_room_for_stack(stack_size(stack));
        let result = (|| {
            let image = map_image(&mut mm, &self.cpu, elf, &object, &mapped, Place::Program)?;
            self.map_stack(&mut mm, elf.exec_stack, stack_size(stack))?;
            let mut entry = image.entry;
            let mut base = 0;
            if let Some((mapped, elf, object)) = &interp {
                let loaded = map_image(&mut mm, &self.cpu, elf, object, mapped, Place::Anywhere)?;
                entry = loaded.entry;
                base = loaded.bias;
            }
            self.map_vdso(&mut mm, vdso)?;
            mm.brk_start = page_up(image.end).ok_or(Errno::ENOMEM)?;
            mm.brk = mm.brk_start;
            mm.exe = file.path_from(Some(&ctx.root)).proc_text();
            let meta = file.metadata();
            let trusted = !cred.no_new_privs && !file.mount().flags().no_suid;
            let set_uid = (trusted && meta.mode & S_ISUID != 0).then_some(meta.uid);
            let set_gid = (trusted && meta.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP).then_some(meta.gid);
            let auxv = self.auxv(&mm, cred, &image, elf, base, set_uid, set_gid);
            let mut random = [0; 16];
            self.entropy.fill(&mut random);
            let stack = StackImage::build(HIGHEST_ADDRESS, arguments, random, &auxv);
            self.cpu.poke(mm.id, stack.sp, &stack.bytes).map_err(|_| Errno::EFAULT)?;
            mm.args = stack.args;
            mm.env = stack.env;
            mm.auxv = stack.auxv;
            mm.stack_start = stack.sp;
            let mut regs = Regs::default();
            regs.x[2] = stack.sp;
            regs.pc = entry;
            Ok((regs, set_uid, set_gid))
        })();
        match result {
            Ok((regs, set_uid, set_gid)) => Ok(Loaded { mm, regs, comm: Vec::new(), set_uid, set_gid }),
            Err(error) => {
                self.cpu.destroy(id);
                Err(error)
            }
        }
    }

    fn map_stack(&self, mm: &mut Mm, exec: bool, size: u64) -> Result<(), Errno> {
        let request = MapRequest {
            addr: HIGHEST_ADDRESS - size,
            len: size,
            prot: Prot { exec, ..Prot::RW },
            flags: VmaFlags::STACK | VmaFlags::MAYWRITE,
            backing: VmaBacking::Anonymous,
            fixed: true,
            no_replace: true,
        };
        mm.map(&self.cpu, request).map(drop).map_err(|_| Errno::ENOMEM)
    }

    fn map_vdso(&self, mm: &mut Mm, object: crate::cpu::ObjectRef) -> Result<(), Errno> {
        let request = MapRequest {
            addr: 0,
            len: crate::vdso::IMAGE.len() as u64,
            prot: Prot::RX,
            flags: VmaFlags::VDSO,
            backing: VmaBacking::Object { object, offset: 0, file: None },
            fixed: false,
            no_replace: false,
        };
        mm.vdso = mm.map(&self.cpu, request)?;
        Ok(())
    }

    fn auxv(
        &self,
        mm: &Mm,
        cred: &Cred,
        image: &MappedImage,
        elf: &ElfFile,
        base: u64,
        set_uid: Option<u32>,
        set_gid: Option<u32>,
    ) -> Vec<(u64, u64)> {
        let euid = set_uid.unwrap_or(cred.euid);
        let egid = set_gid.unwrap_or(cred.egid);
        let secure = euid != cred.uid || egid != cred.gid;
        vec![
            (at::SYSINFO_EHDR, mm.vdso),
            (at::HWCAP, self.config.hwcap),
            (at::PAGESZ, friscy_boundary::PAGE_SIZE),
            (at::CLKTCK, 100),
            (at::PHDR, image.phdr),
            (at::PHENT, 56),
            (at::PHNUM, u64::from(elf.phnum)),
            (at::BASE, base),
            (at::FLAGS, 0),
            (at::ENTRY, image.entry),
            (at::UID, u64::from(cred.uid)),
            (at::EUID, u64::from(euid)),
            (at::GID, u64::from(cred.gid)),
            (at::EGID, u64::from(egid)),
            (at::SECURE, u64::from(secure)),
            (at::MINSIGSTKSZ, FRAME_SIZE + 16),
        ]
    }

    /// From here on nothing fails: the old program is gone.
    fn commit_exec(&mut self, tid: Tid, loaded: Loaded) {
        self.exit_owned_futexes(tid);
        let tid = self.leave_threads(tid);
        self.exit_robust_list(tid);
        self.clear_child_tid(tid);
        let task = self.task_mut(tid);
        let pid = task.tgid;
        let old = std::mem::replace(&mut task.mm, Rc::new(RefCell::new(loaded.mm)));
        task.mm_id = task.mm.borrow().id;
        task.regs = loaded.regs;
        task.comm = loaded.comm;
        task.altstack = AltStack::default();
        if loaded.set_uid.is_some() || loaded.set_gid.is_some() {
            task.parent_death_signal = 0;
        }
        task.in_syscall = false;
        task.robust_list = 0;
        // What was shared with others by clone(2) is not any more.
        task.files = own(&task.files);
        task.sighand = own(&task.sighand);
        task.sighand.borrow_mut().reset_for_exec();
        let mut cred = Cred::clone(&task.cred);
        let files = Rc::clone(&task.files);
        cred.exec(loaded.set_uid, loaded.set_gid);
        task.cred = Rc::new(cred);
        self.vfork_done(tid);
        self.release_mm(old);
        let closed = files.borrow_mut().close_on_exec();
        for descriptor in closed {
            self.descriptor_closed(pid, &descriptor.file);
        }
        let process = self.process_mut(pid);
        process.did_exec = true;
        process.dumpable = u32::from(loaded.set_uid.is_none() && loaded.set_gid.is_none());
        let timers: Vec<i32> = process.posix_timers.keys().copied().collect();
        process.posix_timers.clear();
        for id in timers {
            self.sched.set_timer(TimerId::Posix(pid, id), None);
        }
    }

    /// Ends the other threads of a process; the caller becomes the leader, with the leader's id.
    fn leave_threads(&mut self, tid: Tid) -> Tid {
        let pid = self.task(tid).tgid;
        let others: Vec<Tid> = self.process(pid).threads.iter().copied().filter(|&other| other != tid).collect();
        for other in others {
            self.exit_thread(other, 0);
        }
        if tid == pid {
            return tid;
        }
        if let Some(mut task) = self.tasks.remove(&tid) {
            task.tid = pid;
            task.queued = false;
            let vfork = std::mem::take(&mut task.vfork);
            self.tasks.insert(pid, task);
            self.process_mut(pid).threads = vec![pid];
            if vfork {
                self.wake(crate::WaitKey::VforkDone(tid));
            }
            self.enqueue(pid);
        }
        pid
    }
}

fn own<T: Clone>(shared: &Rc<RefCell<T>>) -> Rc<RefCell<T>> {
    if Rc::strong_count(shared) == 1 { Rc::clone(shared) } else { Rc::new(RefCell::new(shared.borrow().clone())) }
}

fn mapped_file(ctx: &PathContext, file: &Location) -> Rc<MappedFile> {
    let id = file.inode().id();
    Rc::new(MappedFile { path: file.path_from(Some(&ctx.root)).proc_text(), dev: id.dev, ino: id.ino })
}

/// `AT_…`, getauxval(3).
mod at {
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const SYSINFO_EHDR: u64 = 33;
    pub const MINSIGSTKSZ: u64 = 51;
}
