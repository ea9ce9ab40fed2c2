//! POSIX message queues: mq_open(3), mq_timedsend(3), mq_timedreceive(3), mq_notify(3) as the C library calls them, with
//! names that have lost their slash.

use crate::args::Args;
use crate::fd::install;
use crate::io::file;
use friscy_abi::Errno;
use friscy_abi::fcntl::{O_ACCMODE, O_CLOEXEC, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY};
use friscy_abi::layout::{MqAttr, Sigevent, Timespec};
use friscy_abi::sched::RLIMIT_MSGQUEUE;
use friscy_abi::signal::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD};
use friscy_kernel::files::{COOKIE, FileRef, Mqueue, MqueueFile, Netlink, Notice, Notification, QUEUES_MAX};
use friscy_kernel::{Ctx, Nanos, SysResult};
use friscy_vfs::FileType;
use std::rc::Rc;

/// Priorities are below it (`MQ_PRIO_MAX`).
const PRIORITIES: u32 = 32_768;
/// The most messages and bytes of a message that anyone may ask for, and that an unprivileged user may.
const HARD: (i64, i64) = (65_536, 16 << 20);
const SOFT: (i64, i64) = (10, 8_192);
const CAP_SYS_RESOURCE: u32 = 24;

fn name(cx: &mut Ctx<'_>, addr: u64) -> Result<Vec<u8>, Errno> {
    let name = cx.read_cstr(addr, 256)?;
    match name.as_slice() {
        b"" => Err(Errno::ENOENT),
        b"." | b".." => Err(Errno::EACCES),
        name if name.contains(&b'/') => Err(Errno::EACCES),
        name if name.len() > 255 => Err(Errno::ENAMETOOLONG),
        _ => Ok(name),
    }
}

/// mq_open(2).
pub(crate) fn mq_open(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (flags, mode, attr) = (a.u32::<1>(), a.u32::<2>(), a.u64::<3>());
    let name = name(cx, a.u64::<0>())?;
    let attr = if flags & O_CREAT == 0 || attr == 0 { None } else { Some(cx.read_struct::<MqAttr>(attr)?) };
    let wanted = match flags & O_ACCMODE {
        O_RDONLY => 4,
        O_WRONLY => 2,
        O_RDWR => 6,
        _ => return Err(Errno::EINVAL.into()),
    };
    let cred = Rc::clone(&cx.task().cred);
    let known = cx.kernel.drivers.mqueues.get(&name).cloned();
    let queue = match known {
        Some(_) if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL => return Err(Errno::EEXIST.into()),
        Some(queue) => {
            queue.permission(&cred, wanted)?;
            queue
        }
        None if flags & O_CREAT == 0 => return Err(Errno::ENOENT.into()),
        None => {
            let (most, size) = attr.map_or(SOFT, |attr| (attr.mq_maxmsg, attr.mq_msgsize));
            let limit = if cred.capable(CAP_SYS_RESOURCE) { HARD } else { SOFT };
            if most <= 0 || size <= 0 || most > limit.0 || size > limit.1 {
                return Err(Errno::EINVAL.into());
            }
            if cx.kernel.drivers.mqueues.len() >= QUEUES_MAX {
                return Err(Errno::ENOSPC.into());
            }
            let mode = mode & !cx.task().fs.borrow().umask;
            let id = cx.kernel.new_wait_id();
            let queue = Mqueue::new(&cred, mode, most as u64, size as u64, id, &cx.kernel.drivers.effects);
            let drivers = &mut cx.kernel.drivers;
            drivers.unlinked_mqueues.retain(|queue| queue.strong_count() > 0);
            let unlinked = drivers.unlinked_mqueues.iter().filter_map(std::rc::Weak::upgrade);
            let queues = drivers.mqueues.values().cloned().chain(unlinked);
            let used: u64 = queues.map(|queue| queue.cost()).sum();
            if used.saturating_add(queue.cost()) > cx.process().rlimits.soft(RLIMIT_MSGQUEUE) {
                return Err(Errno::EMFILE.into());
            }
            let queue = Rc::new(queue);
            cx.kernel.drivers.mqueues.insert(name.clone(), Rc::clone(&queue));
            queue
        }
    };
    let shown = format!("/{}", String::from_utf8_lossy(&name));
    let location = cx.anonymous(FileType::Regular, &|_| shown.clone());
    let file = Box::new(MqueueFile::new(queue, location));
    let file = cx.kernel.describe(file, flags & (O_ACCMODE | O_NONBLOCK));
    Ok(install(cx, file, flags & O_CLOEXEC != 0)? as u64)
}

/// mq_unlink(2).
pub(crate) fn mq_unlink(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let name = name(cx, a.u64::<0>())?;
    let queue = cx.kernel.drivers.mqueues.get(&name).ok_or(Errno::ENOENT)?;
    if !queue.is_owner(&cx.task().cred) {
        return Err(Errno::EPERM.into());
    }
    if let Some(queue) = cx.kernel.drivers.mqueues.remove(&name) {
        cx.kernel.drivers.unlinked_mqueues.push(Rc::downgrade(&queue));
    }
    Ok(0)
}

/// The queue behind a descriptor.
fn queue_of(cx: &mut Ctx<'_>, fd: i32) -> Result<(FileRef, Rc<Mqueue>), Errno> {
    let file = file(cx, fd)?;
    let queue = Rc::clone(file.downcast::<MqueueFile>().ok_or(Errno::EBADF)?.queue());
    Ok((file, queue))
}

/// How long a call may still wait: its timeout is a time of CLOCK_REALTIME.
fn timeout(cx: &mut Ctx<'_>, addr: u64) -> Result<Option<Nanos>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    let time: Timespec = cx.read_struct(addr)?;
    let at = crate::time::from_timespec(&time)?;
    let left = at.saturating_sub(cx.kernel.realtime());
    Ok(crate::poll::deadline(cx, Some(left)))
}

/// Waits for the queue to change.
fn wait(cx: &mut Ctx<'_>, file: &FileRef, until: Option<Nanos>) -> SysResult {
    if file.nonblocking() {
        return Err(Errno::EAGAIN.into());
    }
    if until.is_some_and(|until| cx.kernel.now() >= until) {
        return Err(Errno::ETIMEDOUT.into());
    }
    Err(file.wait().until(until).into())
}

/// mq_timedsend(2).
pub(crate) fn mq_timedsend(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (len, priority) = (a.u64::<2>(), a.u32::<3>());
    let until = timeout(cx, a.u64::<4>())?;
    if priority >= PRIORITIES {
        return Err(Errno::EINVAL.into());
    }
    let (file, queue) = queue_of(cx, a.i32::<0>())?;
    if !file.writable() {
        return Err(Errno::EBADF.into());
    }
    if len > queue.message_size() {
        return Err(Errno::EMSGSIZE.into());
    }
    let message = cx.read_bytes(a.u64::<1>(), len)?;
    if queue.is_full() {
        return wait(cx, &file, until);
    }
    let (pid, uid) = (cx.pid(), cx.task().cred.uid);
    cx.kernel.mqueue_send(&queue, message, priority, pid, uid);
    Ok(0)
}

/// mq_timedreceive(2).
pub(crate) fn mq_timedreceive(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (addr, len, priority_addr) = (a.u64::<1>(), a.u64::<2>(), a.u64::<3>());
    let until = timeout(cx, a.u64::<4>())?;
    let (file, queue) = queue_of(cx, a.i32::<0>())?;
    if !file.readable() {
        return Err(Errno::EBADF.into());
    }
    if len < queue.message_size() {
        return Err(Errno::EMSGSIZE.into());
    }
    let Some((message, priority)) = queue.receive() else { return wait(cx, &file, until) };
    cx.write_bytes(addr, &message)?;
    if priority_addr != 0 {
        cx.write_struct(priority_addr, &priority)?;
    }
    Ok(message.len() as u64)
}

/// mq_notify(2).
pub(crate) fn mq_notify(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let event = if a.u64::<1>() == 0 { None } else { Some(cx.read_struct::<Sigevent>(a.u64::<1>())?) };
    let wish = match event {
        None => None,
        Some(event) => {
            let how = match event.sigev_notify as u32 {
                SIGEV_NONE => Notice::Nothing,
                SIGEV_SIGNAL if (0..=64).contains(&event.sigev_signo) => {
                    Notice::Signal(event.sigev_signo as u32, event.sigev_value)
                }
                // The signal's number is a descriptor, and the value the address of what is to be sent through it.
                SIGEV_THREAD => {
                    let cookie: [u8; COOKIE] = cx.read_struct(event.sigev_value)?;
                    let socket = crate::io::file(cx, event.sigev_signo)?;
                    socket.downcast::<Netlink>().ok_or(Errno::ENOTSOCK)?;
                    Notice::Cookie(socket, cookie)
                }
                _ => return Err(Errno::EINVAL.into()),
            };
            Some(Notification { pid: cx.pid(), how })
        }
    };
    let (_, queue) = queue_of(cx, a.i32::<0>())?;
    let registered = queue.notified().filter(|pid| cx.kernel.processes.contains_key(pid));
    match (wish, registered) {
        (Some(_), Some(_)) => return Err(Errno::EBUSY.into()),
        (Some(wish), None) => queue.notify(wish),
        (None, _) => queue.forget(cx.pid()),
    }
    Ok(0)
}

/// mq_getsetattr(2): only `O_NONBLOCK` can be changed.
pub(crate) fn mq_getsetattr(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let new = if a.u64::<1>() == 0 { None } else { Some(cx.read_struct::<MqAttr>(a.u64::<1>())?) };
    if new.is_some_and(|new| new.mq_flags & !i64::from(O_NONBLOCK) != 0) {
        return Err(Errno::EINVAL.into());
    }
    let (file, queue) = queue_of(cx, a.i32::<0>())?;
    let old = MqAttr {
        mq_flags: i64::from(file.flags() & O_NONBLOCK),
        mq_maxmsg: queue.max_messages() as i64,
        mq_msgsize: queue.message_size() as i64,
        mq_curmsgs: queue.len() as i64,
        ..MqAttr::default()
    };
    if a.u64::<2>() != 0 {
        cx.write_struct(a.u64::<2>(), &old)?;
    }
    if let Some(new) = new {
        file.set_flags(file.flags() & !O_NONBLOCK | new.mq_flags as u32);
    }
    Ok(0)
}
