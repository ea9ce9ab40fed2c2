//! Waiting for files: ppoll(2), pselect6(2), and epoll(7).

use crate::args::Args;
use crate::fd::install;
use crate::io::file;
use friscy_abi::Errno;
use friscy_abi::fcntl::O_RDWR;
use friscy_abi::layout::{EpollEvent, Pollfd, SigsetArg, Timespec};
use friscy_abi::poll::*;
use friscy_abi::sched::RLIMIT_NOFILE;
use friscy_kernel::files::{Epoll, FileRef, Keys};
use friscy_kernel::signal::SigSet;
use friscy_kernel::{Ctx, Nanos, RestartKind, SysError, SysResult, WaitFor};
use friscy_vfs::FileType;

/// Size of a signal set in bytes at the system-call interface.
const SIGSET_SIZE: u64 = 8;
/// The most events that epoll_wait(2) returns in one call here.
const MAX_EVENTS: i32 = 1 << 16;

/// The call's deadline: computed at its first execution, kept after that.
pub(crate) fn deadline(cx: &mut Ctx<'_>, timeout: Option<Nanos>) -> Option<Nanos> {
    let now = cx.kernel.now();
    let scratch = cx.scratch();
    if !scratch.again {
        scratch.deadline = timeout.map(|timeout| now.saturating_add(timeout));
    }
    scratch.deadline
}

/// Sets the mask that a waiting call is given, at its first execution.
fn mask(cx: &mut Ctx<'_>, addr: u64, size: u64) -> Result<(), Errno> {
    if addr == 0 {
        return Ok(());
    }
    if size != SIGSET_SIZE {
        return Err(Errno::EINVAL);
    }
    let set: u64 = cx.read_struct(addr)?;
    if !cx.scratch().again {
        let tid = cx.tid;
        cx.kernel.set_temporary_mask(tid, SigSet(set));
    }
    Ok(())
}

fn timeout(cx: &mut Ctx<'_>, addr: u64) -> Result<Option<Nanos>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    let time: Timespec = cx.read_struct(addr)?;
    crate::time::from_timespec(&time).map(Some)
}

/// Writes back how much of a timeout is left, as ppoll(2) and pselect6(2) do.
fn write_rest(cx: &mut Ctx<'_>, addr: u64, until: Option<Nanos>) {
    if let (Some(until), true) = (until, addr != 0) {
        let left = until.saturating_sub(cx.kernel.now());
        // A timeout in read-only memory stays as it is.
        let _ = cx.write_struct(addr, &crate::time::timespec(left));
    }
}

/// The wait of a call that watches these files.
fn wait_for(files: &[FileRef], until: Option<Nanos>) -> SysError {
    let mut keys = Keys::new();
    let mut first = until;
    for file in files {
        file.file().wait_keys(&mut keys);
        if let Some(at) = file.file().deadline() {
            first = Some(first.map_or(at, |other| other.min(at)));
        }
    }
    WaitFor::any(keys).until(first).restart(RestartKind::NoHandler).into()
}

/// ppoll(2).
pub(crate) fn ppoll(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let count = u64::from(a.u32::<1>());
    if count > cx.process().rlimits.soft(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.into());
    }
    let timeout = timeout(cx, a.u64::<2>())?;
    mask(cx, a.u64::<3>(), a.u64::<4>())?;
    let until = deadline(cx, timeout);
    let mut polls: Vec<Pollfd> = cx.read_array(a.u64::<0>(), count)?;
    let mut ready = 0;
    let mut files = Vec::with_capacity(polls.len());
    for poll in &mut polls {
        poll.revents = 0;
        if poll.fd < 0 {
            continue;
        }
        match file(cx, poll.fd) {
            Err(_) => poll.revents = POLLNVAL as u16,
            Ok(file) => {
                let wanted = u32::from(poll.events) | POLLERR | POLLHUP | POLLNVAL;
                poll.revents = (file.file().poll(cx.kernel) & wanted) as u16;
                files.push(file);
            }
        }
        ready += u64::from(poll.revents != 0);
    }
    if ready == 0 && until.is_none_or(|until| cx.kernel.now() < until) {
        return Err(wait_for(&files, until));
    }
    cx.write_bytes(a.u64::<0>(), bytemuck::cast_slice(&polls))?;
    write_rest(cx, a.u64::<2>(), until);
    Ok(ready)
}

/// pselect6(2).
pub(crate) fn pselect6(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let count = a.i32::<0>();
    if count < 0 {
        return Err(Errno::EINVAL.into());
    }
    let timeout = timeout(cx, a.u64::<4>())?;
    if a.u64::<5>() != 0 {
        let arg: SigsetArg = cx.read_struct(a.u64::<5>())?;
        mask(cx, arg.ss, arg.ss_len)?;
    }
    let until = deadline(cx, timeout);
    // Descriptors beyond the table are not looked at.
    let count = (count as usize).min(cx.task().files.borrow().len().next_multiple_of(64));
    let words = count.div_ceil(64) as u64;
    const EVENTS: [u32; 3] =
        [POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR, POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR, POLLPRI];
    let addrs = [a.u64::<1>(), a.u64::<2>(), a.u64::<3>()];
    let mut wanted: [Vec<u64>; 3] = Default::default();
    for (set, &addr) in wanted.iter_mut().zip(&addrs) {
        if addr != 0 {
            *set = cx.read_array(addr, words)?;
        }
    }
    let mut found = [vec![0u64; words as usize], vec![0u64; words as usize], vec![0u64; words as usize]];
    let mut ready = 0;
    let mut files = Vec::new();
    for fd in 0..count {
        let bit = |set: &[u64]| set.get(fd / 64).is_some_and(|word| word >> (fd % 64) & 1 != 0);
        if !wanted.iter().any(|set| bit(set)) {
            continue;
        }
        let file = file(cx, fd as i32)?;
        let events = file.file().poll(cx.kernel);
        for ((set, result), mask) in wanted.iter().zip(&mut found).zip(EVENTS) {
            if bit(set)
                && events & mask != 0
                && let Some(word) = result.get_mut(fd / 64)
            {
                *word |= 1 << (fd % 64);
                ready += 1;
            }
        }
        files.push(file);
    }
    if ready == 0 && until.is_none_or(|until| cx.kernel.now() < until) {
        return Err(wait_for(&files, until));
    }
    for (set, &addr) in found.iter().zip(&addrs) {
        if addr != 0 {
            cx.write_bytes(addr, bytemuck::cast_slice(set))?;
        }
    }
    write_rest(cx, a.u64::<4>(), until);
    Ok(ready)
}

/// epoll_create1(2).
pub(crate) fn epoll_create1(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<0>();
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL.into());
    }
    let location = cx.anonymous(FileType::Regular, &|_| String::from("anon_inode:[eventpoll]"));
    let id = cx.kernel.new_wait_id();
    let file = Epoll::new(location, id, &cx.kernel.drivers.effects);
    let file = cx.kernel.describe(Box::new(file), O_RDWR);
    Ok(install(cx, file, flags & EPOLL_CLOEXEC != 0)? as u64)
}

/// epoll_ctl(2).
pub(crate) fn epoll_ctl(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (operation, fd) = (a.u32::<1>(), a.i32::<2>());
    let event: EpollEvent =
        if operation == EPOLL_CTL_DEL { EpollEvent::default() } else { cx.read_struct(a.u64::<3>())? };
    let list = file(cx, a.i32::<0>())?;
    let watched = file(cx, fd)?;
    let epoll = list.downcast::<Epoll>().ok_or(Errno::EINVAL)?;
    match operation {
        EPOLL_CTL_ADD => epoll.add(fd, &watched, event.events, event.data)?,
        EPOLL_CTL_MOD => epoll.modify(fd, &watched, event.events, event.data)?,
        EPOLL_CTL_DEL => epoll.delete(fd, &watched)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

fn epoll_wait(cx: &mut Ctx<'_>, a: &Args, timeout: Option<Nanos>) -> SysResult {
    let max = a.i32::<2>();
    if max <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let file = file(cx, a.i32::<0>())?;
    let epoll = file.downcast::<Epoll>().ok_or(Errno::EINVAL)?;
    mask(cx, a.u64::<4>(), a.u64::<5>())?;
    let until = deadline(cx, timeout);
    let reports = epoll.collect(cx.kernel, max.min(MAX_EVENTS) as usize);
    if reports.is_empty() && until.is_none_or(|until| cx.kernel.now() < until) {
        let SysError::Block(wait) = wait_for(std::slice::from_ref(&file), until) else { return Ok(0) };
        return Err(SysError::Block(Box::new((*wait).restart(RestartKind::Never))));
    }
    let events: Vec<EpollEvent> =
        reports.iter().map(|report| EpollEvent { events: report.events, pad: 0, data: report.data }).collect();
    cx.write_bytes(a.u64::<1>(), bytemuck::cast_slice(&events))?;
    Ok(events.len() as u64)
}

/// epoll_pwait(2).
pub(crate) fn epoll_pwait(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let timeout = u64::try_from(a.i32::<3>()).ok().map(|milliseconds| milliseconds * 1_000_000);
    epoll_wait(cx, a, timeout)
}

/// epoll_pwait2(2).
pub(crate) fn epoll_pwait2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let timeout = timeout(cx, a.u64::<3>())?;
    epoll_wait(cx, a, timeout)
}
