//! Descriptors: close(2), dup(2), fcntl(2), ioctl(2), flock(2), and calls that make descriptors of nothing.

use crate::args::Args;
use crate::io::file;
use friscy_abi::Errno;
use friscy_abi::fcntl::*;
use friscy_abi::layout::{Flock, Itimerspec, OwnerEx};
use friscy_abi::poll::{
    EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET,
};
use friscy_abi::sched::RLIMIT_NOFILE;
use friscy_abi::socket::{FIOGETOWN, FIOSETOWN, SIOCGPGRP, SIOCSPGRP};
use friscy_abi::time::{CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME};
use friscy_abi::tty::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX};
use friscy_kernel::files::{
    Descriptor, EventFd, FileRef, IoError, LockOwner, Owner, PipeEnd, RecordLock, Regular, SocketFile, TimerFd,
};
use friscy_kernel::{Ctx, SysResult, WaitFor};
use friscy_vfs::{FileType, OpenFile as Opened};
use std::rc::Rc;

/// Status flags that `F_SETFL` changes.
const SETTABLE: u32 = O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK;

/// The caller's `RLIMIT_NOFILE`.
fn limit(cx: &Ctx<'_>) -> u64 {
    cx.process().rlimits.soft(RLIMIT_NOFILE)
}

/// Gives a file the lowest free descriptor.
///
/// # Errors
/// `EMFILE`.
pub(crate) fn install(cx: &mut Ctx<'_>, file: FileRef, cloexec: bool) -> Result<i32, Errno> {
    let limit = limit(cx);
    cx.task().files.borrow_mut().insert(file, cloexec, 0, limit)
}

/// What becomes of a descriptor that was taken out of the table.
fn dropped(cx: &mut Ctx<'_>, descriptor: Descriptor) {
    let pid = cx.pid();
    cx.kernel.descriptor_closed(pid, &descriptor.file);
}

/// close(2).
pub(crate) fn close(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let descriptor = cx.task().files.borrow_mut().remove(a.i32::<0>())?;
    dropped(cx, descriptor);
    Ok(0)
}

/// close_range(2).
pub(crate) fn close_range(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (first, last, flags) = (a.u32::<0>(), a.u32::<1>(), a.u32::<2>());
    if first > last || flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & CLOSE_RANGE_UNSHARE != 0 && Rc::strong_count(&cx.task().files) > 1 {
        let copy = cx.task().files.borrow().clone();
        cx.task_mut().files = Rc::new(std::cell::RefCell::new(copy));
    }
    let open: Vec<i32> = cx.task().files.borrow().iter().map(|(fd, _)| fd).collect();
    for fd in open.into_iter().filter(|&fd| (first..=last).contains(&(fd as u32))) {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            cx.task().files.borrow_mut().set_cloexec(fd, true)?;
        } else {
            let descriptor = cx.task().files.borrow_mut().remove(fd)?;
            dropped(cx, descriptor);
        }
    }
    Ok(0)
}

/// dup(2).
pub(crate) fn dup(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    Ok(install(cx, file, false)? as u64)
}

/// dup3(2).
pub(crate) fn dup3(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (old, new, flags) = (a.i32::<0>(), a.i32::<1>(), a.u32::<2>());
    if flags & !O_CLOEXEC != 0 || old == new {
        return Err(Errno::EINVAL.into());
    }
    let file = file(cx, old)?;
    let limit = limit(cx);
    let replaced = cx.task().files.borrow_mut().replace(new, file, flags & O_CLOEXEC != 0, limit)?;
    if let Some(descriptor) = replaced {
        dropped(cx, descriptor);
    }
    Ok(new as u64)
}

/// fcntl(2).
pub(crate) fn fcntl(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (fd, command, arg) = (a.i32::<0>(), a.u32::<1>(), a.u64::<2>());
    let file = file(cx, fd)?;
    if file.is_path() && !matches!(command, F_DUPFD | F_DUPFD_CLOEXEC | F_GETFD | F_SETFD | F_GETFL) {
        return Err(Errno::EBADF.into());
    }
    Ok(match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let limit = limit(cx);
            let min = arg as i32;
            if min < 0 || min as u64 >= limit {
                return Err(Errno::EINVAL.into());
            }
            cx.task().files.borrow_mut().insert(file, command == F_DUPFD_CLOEXEC, min as u64, limit)? as u64
        }
        F_GETFD => u64::from(cx.task().files.borrow().descriptor(fd)?.cloexec),
        F_SETFD => {
            cx.task().files.borrow_mut().set_cloexec(fd, arg as u32 & FD_CLOEXEC != 0)?;
            0
        }
        F_GETFL => u64::from(file.flags()),
        F_SETFL => {
            change_flags(cx, fd, &file, file.flags() & !SETTABLE | arg as u32 & SETTABLE);
            0
        }
        F_GETLK | F_OFD_GETLK => return get_lock(cx, &file, arg, command == F_OFD_GETLK),
        F_SETLK | F_SETLKW => return set_lock(cx, &file, arg, false, command == F_SETLKW),
        F_OFD_SETLK | F_OFD_SETLKW => return set_lock(cx, &file, arg, true, command == F_OFD_SETLKW),
        F_SETOWN => {
            set_owner(cx, &file, Owner::from_number(arg as i32)?)?;
            0
        }
        F_GETOWN => file.owner().number() as i64 as u64,
        F_SETOWN_EX => {
            let owner: OwnerEx = cx.read_struct(arg)?;
            if !matches!(owner.kind as u32, F_OWNER_TID | F_OWNER_PID | F_OWNER_PGRP) {
                return Err(Errno::EINVAL.into());
            }
            set_owner(cx, &file, Owner { kind: owner.kind as u32, id: owner.pid as u32 })?;
            0
        }
        F_GETOWN_EX => {
            let owner = file.owner();
            cx.write_struct(arg, &OwnerEx { kind: owner.kind as i32, pid: owner.id as i32 })?;
            0
        }
        F_SETSIG => {
            if arg > 64 {
                return Err(Errno::EINVAL.into());
            }
            file.set_owner_signal(arg as u32);
            0
        }
        F_GETSIG => u64::from(file.owner_signal()),
        F_GETPIPE_SZ => file.downcast::<PipeEnd>().ok_or(Errno::EBADF)?.pipe().capacity() as u64,
        F_SETPIPE_SZ => file.downcast::<PipeEnd>().ok_or(Errno::EBADF)?.pipe().set_capacity(arg & 0xffff_ffff)? as u64,
        F_GETLEASE => u64::from(F_UNLCK),
        F_GET_SEALS => u64::from(sealable(&file).and_then(|inode| inode.seals()).ok_or(Errno::EINVAL)?),
        F_ADD_SEALS => {
            if !file.writable() {
                return Err(Errno::EPERM.into());
            }
            let inode = sealable(&file).ok_or(Errno::EINVAL)?;
            inode.add_seals(arg as u32, || cx.kernel.is_mapped_writable(inode))?;
            0
        }
        _ => return Err(Errno::EINVAL.into()),
    })
}

/// The inode of a file whose contents can be sealed.
fn sealable(file: &FileRef) -> Option<&friscy_vfs::InodeRef> {
    file.downcast::<Regular>().map(|regular| regular.opened().inode())
}

/// The range that a `struct flock` names: first and last byte.
fn lock_range(cx: &mut Ctx<'_>, file: &FileRef, lock: &Flock) -> Result<(u64, u64), Errno> {
    let base = match lock.l_whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => file.offset() as i64,
        SEEK_END => file.file().size(cx.kernel) as i64,
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add(lock.l_start).ok_or(Errno::EOVERFLOW)?;
    let (start, end) = match lock.l_len {
        0 => (start, i64::MAX),
        len if len > 0 => (start, start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?),
        len => (start.checked_add(len).ok_or(Errno::EINVAL)?, start - 1),
    };
    if start < 0 {
        return Err(Errno::EINVAL);
    }
    Ok((start as u64, if lock.l_len == 0 { u64::MAX } else { end as u64 }))
}

fn wanted_lock(cx: &mut Ctx<'_>, file: &FileRef, lock: &Flock, ofd: bool) -> Result<RecordLock, Errno> {
    if ofd && lock.l_pid != 0 {
        return Err(Errno::EINVAL);
    }
    let (start, end) = lock_range(cx, file, lock)?;
    let owner = if ofd { LockOwner::description(file) } else { LockOwner::Process(cx.pid()) };
    Ok(RecordLock { owner, exclusive: lock.l_type as u16 == F_WRLCK, start, end })
}

fn get_lock(cx: &mut Ctx<'_>, file: &FileRef, arg: u64, ofd: bool) -> SysResult {
    let mut lock: Flock = cx.read_struct(arg)?;
    if !matches!(lock.l_type as u16, F_RDLCK | F_WRLCK) {
        return Err(Errno::EINVAL.into());
    }
    let wanted = wanted_lock(cx, file, &lock, ofd)?;
    match cx.kernel.lock_conflict(file.lock_id(), &wanted) {
        None => lock.l_type = F_UNLCK as i16,
        Some(held) => {
            lock.l_type = if held.exclusive { F_WRLCK } else { F_RDLCK } as i16;
            lock.l_whence = SEEK_SET as i16;
            lock.l_start = held.start as i64;
            lock.l_len = if held.end == u64::MAX { 0 } else { (held.end - held.start + 1) as i64 };
            lock.l_pid = held.pid();
        }
    }
    cx.write_struct(arg, &lock)?;
    Ok(0)
}

fn set_lock(cx: &mut Ctx<'_>, file: &FileRef, arg: u64, ofd: bool, wait: bool) -> SysResult {
    let lock: Flock = cx.read_struct(arg)?;
    let wanted = wanted_lock(cx, file, &lock, ofd)?;
    let (id, tid) = (file.lock_id(), cx.tid);
    cx.kernel.lock_wait_over(tid);
    match lock.l_type as u16 {
        F_UNLCK => {
            cx.kernel.set_lock(id, wanted, true);
            return Ok(0);
        }
        F_RDLCK if !file.readable() => return Err(Errno::EBADF.into()),
        F_WRLCK if !file.writable() => return Err(Errno::EBADF.into()),
        F_RDLCK | F_WRLCK => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    match cx.kernel.lock_conflict(id, &wanted) {
        None => {
            cx.kernel.set_lock(id, wanted, false);
            Ok(0)
        }
        Some(_) if !wait => Err(Errno::EAGAIN.into()),
        Some(held) => {
            let mut keys = vec![cx.kernel.lock_key()];
            if let LockOwner::Process(pid) = held.owner {
                if !ofd {
                    cx.kernel.wait_for_lock(tid, pid)?;
                }
                keys.push(friscy_kernel::WaitKey::ProcessEnd(pid));
            }
            Err(WaitFor::any(keys).into())
        }
    }
}

/// flock(2).
pub(crate) fn flock(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    let (operation, tid) = (a.u32::<1>(), cx.tid);
    cx.kernel.lock_wait_over(tid);
    let exclusive = match operation & !LOCK_NB {
        LOCK_SH => Some(false),
        LOCK_EX => Some(true),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    match cx.kernel.flock(file.lock_id(), &file, exclusive) {
        Err(Errno::EWOULDBLOCK) if operation & LOCK_NB == 0 => Err(WaitFor::key(cx.kernel.lock_key()).into()),
        result => Ok(result.map(|()| 0)?),
    }
}

/// ioctl(2).
pub(crate) fn ioctl(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (fd, request, arg) = (a.i32::<0>(), a.u32::<1>(), a.u64::<2>());
    let file = file(cx, fd)?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    match request {
        FIOCLEX | FIONCLEX => {
            cx.task().files.borrow_mut().set_cloexec(fd, request == FIOCLEX)?;
            Ok(0)
        }
        FIONBIO | FIOASYNC => {
            let on: u32 = cx.read_struct(arg)?;
            let flag = if request == FIONBIO { O_NONBLOCK } else { O_ASYNC };
            change_flags(cx, fd, &file, if on == 0 { file.flags() & !flag } else { file.flags() | flag });
            Ok(0)
        }
        FIOSETOWN | SIOCSPGRP if file.downcast::<SocketFile>().is_some() => {
            let number: i32 = cx.read_struct(arg)?;
            set_owner(cx, &file, Owner::from_number(number)?)?;
            Ok(0)
        }
        FIOGETOWN | SIOCGPGRP if file.downcast::<SocketFile>().is_some() => {
            cx.write_struct(arg, &file.owner().number())?;
            Ok(0)
        }
        friscy_abi::tty::FIONREAD if file.downcast::<Regular>().is_some() => {
            let left = file.file().size(cx.kernel) as i64 - file.offset() as i64;
            cx.write_struct(arg, &(left as i32))?;
            Ok(0)
        }
        _ => match file.file().ioctl(cx, request, arg) {
            Ok(value) => Ok(value),
            Err(error) => Err(file.sys_error(error)),
        },
    }
}

/// pipe2(2).
pub(crate) fn pipe2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<1>();
    if flags & !(O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (reader, writer) = cx.new_pipe(flags & (O_NONBLOCK | O_DIRECT));
    install_pair(cx, a.u64::<0>(), reader, writer, flags & O_CLOEXEC != 0)
}

/// Installs two files and stores their descriptors; nothing stays installed when that fails.
pub(crate) fn install_pair(cx: &mut Ctx<'_>, addr: u64, first: FileRef, second: FileRef, cloexec: bool) -> SysResult {
    let first = install(cx, first, cloexec)?;
    let second = match install(cx, second, cloexec) {
        Ok(second) => second,
        Err(errno) => {
            let _closed = cx.task().files.borrow_mut().remove(first);
            return Err(errno.into());
        }
    };
    if let Err(errno) = cx.write_struct(addr, &[first, second]) {
        for fd in [first, second] {
            let _closed = cx.task().files.borrow_mut().remove(fd);
        }
        return Err(errno.into());
    }
    Ok(0)
}

/// eventfd2(2).
pub(crate) fn eventfd2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<1>();
    if flags & !(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let location = cx.anonymous(FileType::Regular, &|_| String::from("anon_inode:[eventfd]"));
    let id = cx.kernel.new_wait_id();
    let file = EventFd::new(a.u32::<0>(), flags & EFD_SEMAPHORE != 0, location, id, &cx.kernel.drivers.effects);
    let file = cx.kernel.describe(Box::new(file), O_RDWR | flags & EFD_NONBLOCK);
    Ok(install(cx, file, flags & EFD_CLOEXEC != 0)? as u64)
}

/// memfd_create(2).
pub(crate) fn memfd_create(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<1>();
    let (exec, no_exec) = (flags & MFD_EXEC != 0, flags & MFD_NOEXEC_SEAL != 0);
    if flags & !(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) != 0 || exec && no_exec {
        return Err(Errno::EINVAL.into());
    }
    let name = cx.read_cstr(a.u64::<0>(), 250).map_err(|errno| match errno {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        other => other,
    })?;
    let name = String::from_utf8_lossy(&name).into_owned();
    let mode = if no_exec { 0o666 } else { 0o777 };
    let location = cx.anonymous_file(mode, &|_| format!("/memfd:{name} (deleted)"));
    location.inode().set_seals(match flags {
        _ if no_exec => F_SEAL_EXEC,
        _ if flags & MFD_ALLOW_SEALING != 0 => 0,
        _ => F_SEAL_SEAL,
    });
    let creds = cx.creds();
    let file = Regular::new(Opened::new(location, true, true), creds);
    let file = cx.kernel.describe(Box::new(file), O_RDWR);
    Ok(install(cx, file, flags & MFD_CLOEXEC != 0)? as u64)
}

/// timerfd_create(2).
pub(crate) fn timerfd_create(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (clock, flags) = (a.u32::<0>(), a.u32::<1>());
    if flags & !(TFD_NONBLOCK | TFD_CLOEXEC) != 0 || !matches!(clock, CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME)
    {
        return Err(Errno::EINVAL.into());
    }
    let location = cx.anonymous(FileType::Regular, &|_| String::from("anon_inode:[timerfd]"));
    let id = cx.kernel.new_wait_id();
    let file = TimerFd::new(clock, location, id, &cx.kernel.drivers.effects);
    let file = cx.kernel.describe(Box::new(file), O_RDWR | flags & TFD_NONBLOCK);
    Ok(install(cx, file, flags & TFD_CLOEXEC != 0)? as u64)
}

/// timerfd_settime(2).
pub(crate) fn timerfd_settime(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    let timer = file.downcast::<TimerFd>().ok_or(Errno::EINVAL)?;
    let flags = a.u32::<1>();
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let spec: Itimerspec = cx.read_struct(a.u64::<2>())?;
    let value = crate::time::from_timespec(&spec.it_value)?;
    let interval = crate::time::from_timespec(&spec.it_interval)?;
    let now = cx.kernel.now();
    if a.u64::<3>() != 0 {
        let old = crate::time::itimerspec(timer.remaining(now));
        cx.write_struct(a.u64::<3>(), &old)?;
    }
    let expires = match value {
        0 => None,
        at if flags & TFD_TIMER_ABSTIME == 0 => Some(now.saturating_add(at)),
        at if timer.clock() == CLOCK_REALTIME => Some(at.saturating_sub(cx.kernel.realtime().saturating_sub(now))),
        at => Some(at),
    };
    timer.set(expires, interval);
    Ok(0)
}

/// timerfd_gettime(2).
pub(crate) fn timerfd_gettime(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    let timer = file.downcast::<TimerFd>().ok_or(Errno::EINVAL)?;
    let left = crate::time::itimerspec(timer.remaining(cx.kernel.now()));
    cx.write_struct(a.u64::<1>(), &left)?;
    Ok(0)
}

/// Whether the descriptor is open: for calls that do nothing else with it (fsync(2), fadvise64(2)).
pub(crate) fn check(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    Ok(0)
}

/// fsync(2), fdatasync(2), sync_file_range(2): only files of the host's have a slower copy to write to.
pub(crate) fn fsync(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    file.downcast::<Regular>().ok_or(Errno::EINVAL)?.opened().sync()?;
    Ok(0)
}

/// fadvise64(2).
pub(crate) fn fadvise64(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.downcast::<PipeEnd>().is_some() {
        return Err(Errno::ESPIPE.into());
    }
    if a.u32::<3>() > POSIX_FADV_NOREUSE {
        return Err(Errno::EINVAL.into());
    }
    Ok(0)
}

/// Changes status flags; `fd` is what SIGIO tells of from now on, if it is to be sent.
fn change_flags(cx: &mut Ctx<'_>, fd: i32, file: &FileRef, flags: u32) {
    let changed = file.flags() ^ flags;
    file.set_flags(flags);
    if changed & O_ASYNC != 0 {
        file.set_signal_descriptor(fd);
        let pid = cx.pid();
        cx.kernel.set_asynchronous(file, pid);
    }
}

/// Says who gets signals about a description, and about the urgent data of its socket.
fn set_owner(cx: &Ctx<'_>, file: &FileRef, owner: Owner) -> Result<(), Errno> {
    cx.kernel.check_owner(owner)?;
    file.set_owner(owner);
    if let Some(socket) = file.downcast::<SocketFile>() {
        socket.socket().set_owner(owner);
    }
    Ok(())
}

/// Turns a blocked open into a call's result.
pub(crate) fn open_error(error: IoError) -> friscy_kernel::SysError {
    match error {
        IoError::Errno(errno) => errno.into(),
        IoError::WaitFor(key) => WaitFor::key(key).into(),
        IoError::WouldBlock | IoError::WouldBlockUntil(_) => Errno::EAGAIN.into(),
        IoError::Restart => friscy_kernel::SysError::Restart(friscy_kernel::RestartKind::Sys),
    }
}
