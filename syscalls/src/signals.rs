//! Signals: sigaction(2), sigprocmask(2), kill(2), sigaltstack(2), sigsuspend(2), sigtimedwait(2).

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::fcntl::O_RDWR;
use friscy_abi::layout::{SigStack, Sigaction, Timespec};
use friscy_abi::poll::{SFD_CLOEXEC, SFD_NONBLOCK};
use friscy_abi::signal::{SI_TKILL, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK};
use friscy_kernel::files::SignalFd;
use friscy_kernel::signal::{SigAction, SigInfo, SigSet};
use friscy_kernel::{Ctx, RestartKind, SysError, SysResult, WaitFor, WaitKey};
use friscy_vfs::FileType;

/// Size of a signal set in bytes at the system-call interface.
const SIGSET_SIZE: u64 = 8;
/// Register number of the stack pointer.
const SP: usize = 2;

fn check_size(size: u64) -> Result<(), Errno> {
    if size == SIGSET_SIZE { Ok(()) } else { Err(Errno::EINVAL) }
}

/// rt_sigaction(2).
pub(crate) fn rt_sigaction(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    check_size(a.u64::<3>())?;
    let new = if a.u64::<1>() == 0 {
        None
    } else {
        let new: Sigaction = cx.read_struct(a.u64::<1>())?;
        Some(SigAction { handler: new.sa_handler, flags: new.sa_flags, mask: SigSet(new.sa_mask) })
    };
    let tid = cx.tid;
    let old = cx.kernel.sigaction(tid, a.u32::<0>(), new)?;
    if a.u64::<2>() != 0 {
        let old = Sigaction { sa_handler: old.handler, sa_flags: old.flags, sa_mask: old.mask.0 };
        cx.write_struct(a.u64::<2>(), &old)?;
    }
    Ok(0)
}

/// rt_sigprocmask(2).
pub(crate) fn rt_sigprocmask(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    check_size(a.u64::<3>())?;
    let old = cx.task().mask;
    if a.u64::<1>() != 0 {
        let set = SigSet(cx.read_struct(a.u64::<1>())?);
        let new = match a.u32::<0>() {
            SIG_BLOCK => old.or(set),
            SIG_UNBLOCK => old.without(set),
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL.into()),
        };
        let tid = cx.tid;
        cx.kernel.set_mask(tid, new);
    }
    if a.u64::<2>() != 0 {
        cx.write_struct(a.u64::<2>(), &old.0)?;
    }
    Ok(0)
}

/// rt_sigpending(2).
pub(crate) fn rt_sigpending(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u64::<1>() > SIGSET_SIZE {
        return Err(Errno::EINVAL.into());
    }
    let set = cx.kernel.pending_set(cx.tid).and(cx.task().mask);
    let bytes = set.0.to_le_bytes();
    cx.write_bytes(a.u64::<0>(), bytes.get(..a.u64::<1>() as usize).unwrap_or(&bytes))?;
    Ok(0)
}

/// rt_sigsuspend(2).
pub(crate) fn rt_sigsuspend(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    check_size(a.u64::<1>())?;
    let set: u64 = cx.read_struct(a.u64::<0>())?;
    if !cx.scratch().again {
        let tid = cx.tid;
        cx.kernel.set_temporary_mask(tid, SigSet(set));
    }
    Err(WaitFor::default().restart(RestartKind::NoHandler).into())
}

/// rt_sigreturn(2).
pub(crate) fn rt_sigreturn(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
    let tid = cx.tid;
    cx.kernel.sigreturn(tid);
    Err(SysError::NoReturn)
}

/// rt_sigtimedwait(2).
pub(crate) fn rt_sigtimedwait(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    check_size(a.u64::<3>())?;
    let set = SigSet(cx.read_struct(a.u64::<0>())?).without(SigSet::UNBLOCKABLE);
    let timeout = if a.u64::<2>() == 0 {
        None
    } else {
        let time: Timespec = cx.read_struct(a.u64::<2>())?;
        Some(crate::time::from_timespec(&time)?)
    };
    let until = crate::poll::deadline(cx, timeout);
    let tid = cx.tid;
    if let Some(info) = cx.kernel.take_signal(tid, set) {
        if a.u64::<1>() != 0 {
            cx.write_bytes(a.u64::<1>(), &info.to_bytes())?;
        }
        return Ok(u64::from(info.signo));
    }
    if until.is_some_and(|until| cx.kernel.now() >= until) {
        return Err(Errno::EAGAIN.into());
    }
    Err(WaitFor::key(WaitKey::SignalFor(cx.pid())).until(until).restart(RestartKind::Never).into())
}

/// signalfd4(2).
pub(crate) fn signalfd4(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (fd, flags) = (a.i32::<0>(), a.u32::<3>());
    check_size(a.u64::<2>())?;
    if flags & !(SFD_CLOEXEC | SFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let set = SigSet(cx.read_struct(a.u64::<1>())?);
    if fd != -1 {
        let file = crate::io::file(cx, fd)?;
        file.downcast::<SignalFd>().ok_or(Errno::EINVAL)?.set(set);
        return Ok(fd as u64);
    }
    let location = cx.anonymous(FileType::Regular, &|_| String::from("anon_inode:[signalfd]"));
    let file = cx.kernel.describe(Box::new(SignalFd::new(set, location)), O_RDWR | flags & SFD_NONBLOCK);
    Ok(crate::fd::install(cx, file, flags & SFD_CLOEXEC != 0)? as u64)
}

/// sigaltstack(2).
pub(crate) fn sigaltstack(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let sp = cx.task().regs.x[SP];
    let current = cx.task().altstack;
    if a.u64::<0>() != 0 {
        let new: SigStack = cx.read_struct(a.u64::<0>())?;
        cx.task_mut().altstack.set(sp, new.ss_sp, new.ss_flags as u32, new.ss_size)?;
    }
    if a.u64::<1>() != 0 {
        let flags = current.reported_flags(sp) as i32;
        let old = SigStack { ss_sp: current.sp, ss_flags: flags, pad: 0, ss_size: current.size };
        cx.write_struct(a.u64::<1>(), &old)?;
    }
    Ok(0)
}

/// kill(2).
pub(crate) fn kill(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    cx.kernel.kill(tid, a.i32::<0>(), a.u32::<1>())?;
    Ok(0)
}

/// tkill(2).
pub(crate) fn tkill(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    cx.kernel.tgkill(tid, None, a.u32::<0>(), a.u32::<1>())?;
    Ok(0)
}

/// tgkill(2).
pub(crate) fn tgkill(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.i32::<0>() <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = cx.tid;
    cx.kernel.tgkill(tid, Some(a.u32::<0>()), a.u32::<1>(), a.u32::<2>())?;
    Ok(0)
}

/// The `siginfo_t` of rt_sigqueueinfo(2): a user may not claim that the kernel or kill(2) sent it to others. Whether
/// there is such a signal is looked at when the target is found.
pub(crate) fn queued_info(cx: &mut Ctx<'_>, signo: u32, addr: u64, own: bool) -> Result<SigInfo, Errno> {
    let bytes: [u8; 128] = cx.read_struct(addr)?;
    let info = SigInfo::from_bytes(signo, &bytes);
    if (info.code >= 0 || info.code == SI_TKILL) && !own {
        return Err(Errno::EPERM);
    }
    Ok(info)
}

/// rt_sigqueueinfo(2).
pub(crate) fn rt_sigqueueinfo(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let own = a.u32::<0>() == cx.pid();
    let info = queued_info(cx, a.u32::<1>(), a.u64::<2>(), own)?;
    if a.i32::<0>() <= 0 {
        return Err(Errno::ESRCH.into());
    }
    let tid = cx.tid;
    cx.kernel.kill_with(tid, a.i32::<0>(), info)?;
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
pub(crate) fn rt_tgsigqueueinfo(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let own = a.u32::<0>() == cx.pid();
    let info = queued_info(cx, a.u32::<2>(), a.u64::<3>(), own)?;
    if a.i32::<0>() <= 0 || a.i32::<1>() <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = cx.tid;
    cx.kernel.tgkill_with(tid, Some(a.u32::<0>()), a.u32::<1>(), info)?;
    Ok(0)
}

/// restart_syscall(2): calls are restarted by executing them again, so nobody makes this one.
pub(crate) fn restart_syscall(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let _ = (cx, a);
    Err(Errno::EINTR.into())
}
