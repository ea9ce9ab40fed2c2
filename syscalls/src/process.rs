//! Processes: clone(2), execve(2), exit(2), wait4(2), process groups and sessions.

use crate::args::Args;
use crate::path::At;
use friscy_abi::Errno;
use friscy_abi::fcntl::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};
use friscy_abi::layout::{CloneArgs, Rusage};
use friscy_abi::sched::*;
use friscy_abi::signal::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT};
use friscy_kernel::files::PidFd;
use friscy_kernel::process::{CloneRequest, ExecRequest, ExitStatus, Usage, WaitReport, WaitWhat, WaitWhich};
use friscy_kernel::signal::{SigData, SigInfo};
use friscy_kernel::{Ctx, SysError, SysResult, WaitFor, WaitKey};
use friscy_vfs::FileType;

/// The longest argument or environment string (`MAX_ARG_STRLEN`).
const STRING_MAX: usize = 131_072;
/// The most bytes of strings and pointers together: a quarter of the default stack limit.
const STRINGS_MAX: usize = 6 << 20;

/// clone(2): flags, stack, parent_tid, tls, child_tid on riscv64.
pub(crate) fn clone(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u64::<0>() & 0xffff_ffff;
    // The descriptor's place is that of the parent's id.
    if flags & CLONE_PIDFD != 0 && flags & CLONE_PARENT_SETTID != 0 {
        return Err(Errno::EINVAL.into());
    }
    let request = CloneRequest {
        flags: flags & !(CSIGNAL | CLONE_PIDFD),
        exit_signal: (flags & CSIGNAL) as u32,
        stack: a.u64::<1>(),
        parent_tid: a.u64::<2>(),
        tls: a.u64::<3>(),
        child_tid: a.u64::<4>(),
    };
    make(cx, &request, (flags & CLONE_PIDFD != 0).then_some(a.u64::<2>()))
}

/// Makes the child, and stores a descriptor of it at `pidfd` before it can run.
fn make(cx: &mut Ctx<'_>, request: &CloneRequest, pidfd: Option<u64>) -> SysResult {
    if pidfd.is_some() && request.flags & CLONE_THREAD != 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = cx.tid;
    let first = !cx.scratch().again;
    if let (Some(addr), true) = (pidfd, first) {
        // A place that cannot be written is told before there is a child.
        let before: u32 = cx.read_struct(addr)?;
        cx.write_struct(addr, &before)?;
    }
    let result = cx.kernel.sys_clone(tid, request);
    if let (Some(addr), true, Ok(_) | Err(SysError::Block(_))) = (pidfd, first, &result) {
        let child = cx.scratch().value as u32;
        // The child exists by now: a table without room leaves the place as it is.
        if let Ok(fd) = install_pidfd(cx, child, 0) {
            let _ = cx.write_struct(addr, &fd);
        }
    }
    result
}

fn install_pidfd(cx: &mut Ctx<'_>, pid: u32, flags: u32) -> Result<i32, Errno> {
    let location = cx.anonymous(FileType::Regular, &|_| String::from("anon_inode:[pidfd]"));
    let file = cx.kernel.describe(Box::new(PidFd::new(pid, location)), friscy_abi::fcntl::O_RDWR | flags);
    crate::fd::install(cx, file, true)
}

/// clone3(2).
pub(crate) fn clone3(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const FIRST_VERSION: u64 = 64;
    let size = a.u64::<1>();
    if size < FIRST_VERSION {
        return Err(Errno::EINVAL.into());
    }
    if size > 4096 {
        return Err(Errno::E2BIG.into());
    }
    let bytes = cx.read_bytes(a.u64::<0>(), size)?;
    let known = bytes.len().min(size_of::<CloneArgs>());
    if bytes.get(known..).unwrap_or_default().iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG.into());
    }
    let mut args = CloneArgs::default();
    bytemuck::bytes_of_mut(&mut args)[..known].copy_from_slice(&bytes[..known]);
    let known_flags = 0xffff_ffff | CLONE_CLEAR_SIGHAND;
    let both_ids = CLONE_PIDFD | CLONE_PARENT_SETTID;
    if args.flags & !known_flags != 0
        || args.flags & (CLONE_DETACHED | CSIGNAL) != 0
        || args.flags & (CLONE_THREAD | CLONE_PARENT) != 0 && args.exit_signal != 0
        || args.flags & both_ids == both_ids && args.pidfd == args.parent_tid
        || args.set_tid != 0
        || args.set_tid_size != 0
        || args.exit_signal > 64
        || (args.stack == 0) != (args.stack_size == 0)
    {
        return Err(Errno::EINVAL.into());
    }
    let request = CloneRequest {
        flags: args.flags & !CLONE_PIDFD,
        exit_signal: args.exit_signal as u32,
        stack: args.stack.wrapping_add(args.stack_size),
        parent_tid: args.parent_tid,
        tls: args.tls,
        child_tid: args.child_tid,
    };
    make(cx, &request, (args.flags & CLONE_PIDFD != 0).then_some(args.pidfd))
}

/// Reads an array of strings that a null pointer ends.
fn strings(cx: &mut Ctx<'_>, addr: u64, total: &mut usize) -> Result<Vec<Vec<u8>>, Errno> {
    let mut list = Vec::new();
    if addr == 0 {
        return Ok(list);
    }
    for at in 0u64.. {
        let pointer: u64 = cx.read_struct(addr.wrapping_add(at * 8))?;
        if pointer == 0 {
            break;
        }
        let string = cx.read_cstr(pointer, STRING_MAX).map_err(|errno| match errno {
            Errno::ENAMETOOLONG => Errno::E2BIG,
            other => other,
        })?;
        *total += string.len() + 9;
        if *total > STRINGS_MAX {
            return Err(Errno::E2BIG);
        }
        list.push(string);
    }
    Ok(list)
}

fn exec(cx: &mut Ctx<'_>, fd: i32, path: u64, argv: u64, envp: u64, flags: u32) -> SysResult {
    let at = At::read(cx, fd, path)?;
    let file = at.resolve(cx, flags, flags & AT_SYMLINK_NOFOLLOW == 0)?;
    if file.inode().file_type() == FileType::Symlink {
        return Err(Errno::ELOOP.into());
    }
    let mut total = 0;
    let argv = strings(cx, argv, &mut total)?;
    let envp = strings(cx, envp, &mut total)?;
    let path = if fd == AT_FDCWD || at.path.first() == Some(&b'/') {
        at.path
    } else if at.path.is_empty() {
        format!("/dev/fd/{fd}").into_bytes()
    } else {
        let mut path = format!("/dev/fd/{fd}/").into_bytes();
        path.extend(at.path);
        path
    };
    let tid = cx.tid;
    cx.kernel.sys_exec(tid, ExecRequest { file, path, argv, envp })
}

/// execve(2).
pub(crate) fn execve(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    exec(cx, AT_FDCWD, a.u64::<0>(), a.u64::<1>(), a.u64::<2>(), 0)
}

/// execveat(2).
pub(crate) fn execveat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<4>();
    if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL.into());
    }
    exec(cx, a.i32::<0>(), a.u64::<1>(), a.u64::<2>(), a.u64::<3>(), flags)
}

/// exit(2).
pub(crate) fn exit(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    cx.kernel.exit_thread(tid, a.u32::<0>() as u8);
    Err(SysError::NoReturn)
}

/// exit_group(2).
pub(crate) fn exit_group(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let pid = cx.pid();
    cx.kernel.exit_group(pid, ExitStatus::Exited(a.u32::<0>() as u8));
    Err(SysError::NoReturn)
}

/// A `struct rusage`.
pub(crate) fn rusage(usage: &Usage) -> Rusage {
    Rusage {
        ru_utime: crate::time::timeval(usage.user_time),
        ru_stime: crate::time::timeval(usage.system_time),
        ru_maxrss: (usage.max_rss / 1024) as i64,
        ru_nvcsw: usage.voluntary as i64,
        ru_nivcsw: usage.involuntary as i64,
        ..Rusage::default()
    }
}

/// Waits for a child to change; `None` with `WNOHANG`.
fn wait(cx: &mut Ctx<'_>, which: WaitWhich, options: u32) -> Result<Option<WaitReport>, SysError> {
    let (tid, pid) = (cx.tid, cx.pid());
    match cx.kernel.wait_child(tid, which, options)? {
        Some(report) => Ok(Some(report)),
        None if options & WNOHANG != 0 => Ok(None),
        None => Err(WaitFor::key(WaitKey::ChildOf(pid)).into()),
    }
}

/// wait4(2).
pub(crate) fn wait4(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let options = a.u32::<2>();
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let which = match a.i32::<0>() {
        i32::MIN => return Err(Errno::ESRCH.into()),
        -1 => WaitWhich::Any,
        0 => WaitWhich::Group(cx.process().pgid),
        pid @ 1.. => WaitWhich::Pid(pid as u32),
        group => WaitWhich::Group(group.unsigned_abs()),
    };
    let Some(report) = wait(cx, which, options | WEXITED)? else { return Ok(0) };
    if a.u64::<1>() != 0 {
        cx.write_struct(a.u64::<1>(), &report.wstatus())?;
    }
    if a.u64::<3>() != 0 {
        cx.write_struct(a.u64::<3>(), &rusage(&report.usage))?;
    }
    Ok(u64::from(report.pid))
}

/// waitid(2).
pub(crate) fn waitid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (kind, id, mut options) = (a.u32::<0>(), a.i32::<1>(), a.u32::<3>());
    let mut refuses_to_wait = false;
    let known = WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
    if options & !known != 0 || options & (WEXITED | WUNTRACED | WCONTINUED) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let which = match kind {
        P_ALL => WaitWhich::Any,
        P_PID if id > 0 => WaitWhich::Pid(id as u32),
        P_PGID if id == 0 => WaitWhich::Group(cx.process().pgid),
        P_PGID if id > 0 => WaitWhich::Group(id as u32),
        P_PIDFD => {
            if id < 0 {
                return Err(Errno::EINVAL.into());
            }
            let file = crate::io::file(cx, id)?;
            let pid = file.downcast::<PidFd>().ok_or(Errno::EBADF)?.pid();
            // A descriptor that does not block makes the call fail where WNOHANG makes it report nothing.
            refuses_to_wait = file.flags() & friscy_abi::fcntl::O_NONBLOCK != 0 && options & WNOHANG == 0;
            options |= if refuses_to_wait { WNOHANG } else { 0 };
            WaitWhich::Pid(pid)
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let report = wait(cx, which, options)?;
    if refuses_to_wait && report.is_none() {
        return Err(Errno::EAGAIN.into());
    }
    if a.u64::<2>() != 0 {
        let info = report.as_ref().map_or([0; 128], |report| child_info(report).to_bytes());
        cx.write_bytes(a.u64::<2>(), &info)?;
    }
    if a.u64::<4>() != 0
        && let Some(report) = &report
    {
        cx.write_struct(a.u64::<4>(), &rusage(&report.usage))?;
    }
    Ok(0)
}

fn child_info(report: &WaitReport) -> SigInfo {
    let (code, status) = match report.what {
        WaitWhat::Ended(ExitStatus::Exited(status)) => (CLD_EXITED, i32::from(status)),
        WaitWhat::Ended(ExitStatus::Signaled { signo, core }) => {
            (if core { CLD_DUMPED } else { CLD_KILLED }, signo as i32)
        }
        WaitWhat::Stopped(signo) => (CLD_STOPPED, signo as i32),
        WaitWhat::Continued => (CLD_CONTINUED, SIGCONT as i32),
    };
    let data = SigData::Child { pid: report.pid as i32, uid: report.uid, status, utime: 0, stime: 0 };
    SigInfo { signo: SIGCHLD, errno: 0, code, data }
}

/// pidfd_open(2).
pub(crate) fn pidfd_open(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    use friscy_abi::fcntl::O_NONBLOCK;
    let (pid, flags) = (a.i32::<0>(), a.u32::<1>());
    if pid <= 0 || flags & !O_NONBLOCK != 0 {
        return Err(Errno::EINVAL.into());
    }
    let pid = pid as u32;
    if !cx.kernel.processes.contains_key(&pid) {
        let is_thread = cx.kernel.tasks.contains_key(&pid);
        return Err(if is_thread { Errno::ENOENT } else { Errno::ESRCH }.into());
    }
    Ok(install_pidfd(cx, pid, flags)? as u64)
}

/// The process whose directory in /proc a file is.
fn proc_directory(cx: &Ctx<'_>, file: &friscy_kernel::files::FileRef) -> Result<u32, Errno> {
    let path = file.location().path_from(None).bytes;
    let number = path.strip_prefix(b"/proc/").and_then(|number| std::str::from_utf8(number).ok());
    let pid = number.and_then(|number| number.parse().ok()).ok_or(Errno::EBADF)?;
    if cx.kernel.processes.contains_key(&pid) { Ok(pid) } else { Err(Errno::ESRCH) }
}

/// pidfd_send_signal(2).
pub(crate) fn pidfd_send_signal(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u32::<3>() != 0 {
        return Err(Errno::EINVAL.into());
    }
    let file = crate::io::file(cx, a.i32::<0>())?;
    let pid = match file.downcast::<PidFd>() {
        Some(pidfd) => pidfd.pid(),
        None => proc_directory(cx, &file)?,
    };
    let (tid, signo) = (cx.tid, a.u32::<1>());
    if a.u64::<2>() == 0 {
        cx.kernel.kill(tid, pid as i32, signo)?;
    } else {
        let own = pid == cx.pid();
        let info = crate::signals::queued_info(cx, signo, a.u64::<2>(), own)?;
        cx.kernel.kill_with(tid, pid as i32, info)?;
    }
    Ok(0)
}

/// getpid(2).
pub(crate) fn getpid(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
    Ok(u64::from(cx.pid()))
}

/// getppid(2).
pub(crate) fn getppid(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
    Ok(u64::from(cx.process().parent))
}

/// gettid(2).
pub(crate) fn gettid(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
    Ok(u64::from(cx.tid))
}

/// setpgid(2).
pub(crate) fn setpgid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    cx.kernel.setpgid(tid, a.i32::<0>(), a.i32::<1>())?;
    Ok(0)
}

/// getpgid(2).
pub(crate) fn getpgid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    Ok(u64::from(cx.kernel.getpgid(cx.tid, a.i32::<0>())?))
}

/// getsid(2).
pub(crate) fn getsid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    Ok(u64::from(cx.kernel.getsid(cx.tid, a.i32::<0>())?))
}

/// setsid(2).
pub(crate) fn setsid(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
    let tid = cx.tid;
    Ok(u64::from(cx.kernel.setsid(tid)?))
}

/// set_tid_address(2).
pub(crate) fn set_tid_address(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    Ok(u64::from(cx.kernel.set_tid_address(tid, a.u64::<0>())?))
}

/// set_robust_list(2).
pub(crate) fn set_robust_list(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u64::<1>() != size_of::<friscy_abi::layout::RobustListHead>() as u64 {
        return Err(Errno::EINVAL.into());
    }
    cx.task_mut().robust_list = a.u64::<0>();
    Ok(0)
}

/// get_robust_list(2).
pub(crate) fn get_robust_list(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = if a.i32::<0>() == 0 { cx.tid } else { a.u32::<0>() };
    let head = cx.kernel.tasks.get(&tid).ok_or(Errno::ESRCH)?.robust_list;
    cx.write_struct(a.u64::<1>(), &head)?;
    cx.write_struct(a.u64::<2>(), &(size_of::<friscy_abi::layout::RobustListHead>() as u64))?;
    Ok(0)
}
