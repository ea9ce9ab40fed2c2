//! Moving bytes: read(2), write(2) and their relatives, lseek(2), sendfile(2), copy_file_range(2), splice(2).

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::fcntl::{O_APPEND, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use friscy_abi::layout::Iovec;
use friscy_abi::signal::SIGPIPE;
use friscy_kernel::files::{FileRef, IoError, PipeEnd, Regular};
use friscy_kernel::signal::SigInfo;
use friscy_kernel::{Ctx, SysError, SysResult, WaitFor};

/// The most that one call moves (`MAX_RW_COUNT`).
const MAX_COUNT: u64 = 0x7fff_f000;
/// Bytes between a file and guest memory at a time.
const CHUNK: usize = 1 << 17;
/// The most buffers of readv(2) and writev(2) (`UIO_MAXIOV`).
const IOV_MAX: u64 = 1024;

/// The open file of a descriptor of the caller.
///
/// # Errors
/// `EBADF`.
#[inline]
pub(crate) fn file(cx: &Ctx<'_>, fd: i32) -> Result<FileRef, Errno> {
    cx.task().files.borrow().get(fd).cloned()
}

/// Reads from a file into guest memory: at its offset, or at `at`.
fn read_to(cx: &mut Ctx<'_>, file: &FileRef, at: Option<u64>, addr: u64, count: u64) -> SysResult {
    let count = count.min(MAX_COUNT);
    let mut buffer = cx.kernel.drivers.take_buffer(count.min(CHUNK as u64) as usize);
    let result = read_chunks(cx, file, at, addr, count, &mut buffer);
    cx.kernel.drivers.return_buffer(buffer);
    result
}

fn read_chunks(
    cx: &mut Ctx<'_>,
    file: &FileRef,
    at: Option<u64>,
    addr: u64,
    count: u64,
    buffer: &mut [u8],
) -> SysResult {
    let mut done = 0u64;
    loop {
        let want = (count - done).min(CHUNK as u64) as usize;
        let buf = buffer.get_mut(..want).unwrap_or_default();
        let read = match at {
            None => file.read(cx, buf),
            Some(at) => file.pread(cx, at.wrapping_add(done), buf),
        };
        let read = match read {
            Ok(read) => read,
            Err(_) if done > 0 => return Ok(done),
            Err(error) => return Err(file.sys_error(error)),
        };
        let written = cx.write_some(addr.wrapping_add(done), buf.get(..read).unwrap_or_default());
        done += written as u64;
        if written < read {
            // What could not be stored was not read, as far as a file with offsets goes.
            if at.is_none() && file.file().seekable() {
                file.set_offset(file.offset().wrapping_sub((read - written) as u64));
            }
            return if done > 0 { Ok(done) } else { Err(Errno::EFAULT.into()) };
        }
        if read < want || done >= count || !file.file().seekable() {
            return Ok(done);
        }
    }
}

/// Raises SIGPIPE for a write without readers.
pub(crate) fn broken_pipe(cx: &mut Ctx<'_>, error: IoError) {
    if error == IoError::Errno(Errno::EPIPE) {
        let (tid, pid, uid) = (cx.tid, cx.pid(), cx.task().cred.uid);
        cx.kernel.send_to_task(tid, SigInfo::user(SIGPIPE, friscy_abi::signal::SI_USER, pid, uid));
    }
}

/// Writes guest memory to a file: at its offset, or at `at`. `before` bytes of the whole call were written by earlier
/// buffers. A blocking stream takes everything before the call ends.
fn write_from(cx: &mut Ctx<'_>, file: &FileRef, at: Option<u64>, addr: u64, count: u64, before: u64) -> SysResult {
    let count = count.min(MAX_COUNT);
    let mut buffer = cx.kernel.drivers.take_buffer(count.min(CHUNK as u64) as usize);
    let result = write_chunks(cx, file, at, addr, count, before, &mut buffer);
    cx.kernel.drivers.return_buffer(buffer);
    result
}

/// Whether a long write to the file lets others have their turns: one to a stream that takes whatever it is given, such
/// as a terminal, would keep everybody else, and signals, waiting for seconds.
fn gives_turns(file: &FileRef) -> bool {
    !file.file().seekable() && !file.nonblocking()
}

/// Ends a turn in the middle of a call, which goes on at once if nobody else can.
fn turn(cx: &Ctx<'_>) -> SysError {
    WaitFor::default().until(Some(cx.kernel.now())).into()
}

fn write_chunks(
    cx: &mut Ctx<'_>,
    file: &FileRef,
    at: Option<u64>,
    addr: u64,
    count: u64,
    before: u64,
    buffer: &mut [u8],
) -> SysResult {
    let mut done = cx.scratch().done.saturating_sub(before);
    if done > count {
        // An earlier execution got beyond this buffer.
        return Ok(count);
    }
    if count == 0 {
        if !file.writable() {
            return Err(Errno::EBADF.into());
        }
        return Ok(0);
    }
    while done < count {
        let want = (count - done).min(CHUNK as u64) as usize;
        let buf = buffer.get_mut(..want).unwrap_or_default();
        let got = cx.read_some(addr.wrapping_add(done), buf);
        if got == 0 {
            return if done > 0 { Ok(done) } else { Err(Errno::EFAULT.into()) };
        }
        let bytes = buf.get(..got).unwrap_or_default();
        let written = match at {
            None => file.write(cx, bytes),
            Some(at) => file.pwrite(cx, at.wrapping_add(done), bytes),
        };
        match written {
            Ok(written) => {
                done += written as u64;
                if got < want && written == got {
                    // The next byte cannot be read.
                    return Ok(done);
                }
                if done < count && written == CHUNK && gives_turns(file) {
                    cx.scratch().done = before + done;
                    return Err(turn(cx));
                }
            }
            Err(error @ (IoError::WouldBlock | IoError::WouldBlockUntil(_))) if !file.nonblocking() => {
                cx.scratch().done = before + done;
                return Err(file.sys_error(error));
            }
            Err(error) if done + before > 0 => {
                if !matches!(error, IoError::WouldBlock) {
                    broken_pipe(cx, error);
                }
                return Ok(done);
            }
            Err(error) => {
                broken_pipe(cx, error);
                return Err(file.sys_error(error));
            }
        }
    }
    Ok(done)
}

/// read(2).
pub(crate) fn read(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if a.u64::<2>() == 0 {
        return if file.readable() { Ok(0) } else { Err(Errno::EBADF.into()) };
    }
    read_to(cx, &file, None, a.u64::<1>(), a.u64::<2>())
}

/// write(2).
pub(crate) fn write(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    write_from(cx, &file, None, a.u64::<1>(), a.u64::<2>(), 0)
}

fn position(at: i64) -> Result<u64, Errno> {
    u64::try_from(at).map_err(|_| Errno::EINVAL)
}

/// pread64(2).
pub(crate) fn pread64(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let at = position(a.i64::<3>())?;
    let file = file(cx, a.i32::<0>())?;
    read_to(cx, &file, Some(at), a.u64::<1>(), a.u64::<2>())
}

/// pwrite64(2).
pub(crate) fn pwrite64(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let at = position(a.i64::<3>())?;
    let file = file(cx, a.i32::<0>())?;
    if !file.file().seekable() {
        return Err(Errno::ESPIPE.into());
    }
    write_from(cx, &file, Some(at), a.u64::<1>(), a.u64::<2>(), 0)
}

/// Reads the buffers of readv(2) and the like.
///
/// # Errors
/// `EINVAL` for too many buffers or too many bytes; `EFAULT`.
pub(crate) fn iovecs(cx: &mut Ctx<'_>, addr: u64, count: u64) -> Result<Vec<Iovec>, Errno> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let buffers: Vec<Iovec> = cx.read_array(addr, count)?;
    let mut total = 0u64;
    for buffer in &buffers {
        total = total.checked_add(buffer.iov_len).filter(|&sum| sum <= i64::MAX as u64).ok_or(Errno::EINVAL)?;
    }
    Ok(buffers)
}

fn read_vector(cx: &mut Ctx<'_>, fd: i32, addr: u64, count: u64, at: Option<u64>) -> SysResult {
    let file = file(cx, fd)?;
    if !file.readable() {
        return Err(Errno::EBADF.into());
    }
    let mut done = 0;
    for buffer in iovecs(cx, addr, count)?.into_iter().filter(|buffer| buffer.iov_len > 0) {
        match read_to(cx, &file, at.map(|at| at.wrapping_add(done)), buffer.iov_base, buffer.iov_len) {
            Ok(read) => {
                done += read;
                if read < buffer.iov_len {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn write_vector(cx: &mut Ctx<'_>, fd: i32, addr: u64, count: u64, at: Option<u64>) -> SysResult {
    let file = file(cx, fd)?;
    if !file.writable() {
        return Err(Errno::EBADF.into());
    }
    let mut done = 0;
    for buffer in iovecs(cx, addr, count)?.into_iter().filter(|buffer| buffer.iov_len > 0) {
        match write_from(cx, &file, at.map(|at| at.wrapping_add(done)), buffer.iov_base, buffer.iov_len, done) {
            Ok(written) => {
                done += written;
                if written < buffer.iov_len {
                    break;
                }
            }
            Err(error @ SysError::Block(_)) => return Err(error),
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// readv(2).
pub(crate) fn readv(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    read_vector(cx, a.i32::<0>(), a.u64::<1>(), a.u64::<2>(), None)
}

/// writev(2).
pub(crate) fn writev(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    write_vector(cx, a.i32::<0>(), a.u64::<1>(), a.u64::<2>(), None)
}

/// preadv(2).
pub(crate) fn preadv(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let at = position(a.i64::<3>())?;
    seekable(cx, a.i32::<0>())?;
    read_vector(cx, a.i32::<0>(), a.u64::<1>(), a.u64::<2>(), Some(at))
}

/// pwritev(2).
pub(crate) fn pwritev(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let at = position(a.i64::<3>())?;
    seekable(cx, a.i32::<0>())?;
    write_vector(cx, a.i32::<0>(), a.u64::<1>(), a.u64::<2>(), Some(at))
}

/// preadv2(2).
pub(crate) fn preadv2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    known_rwf(a.u32::<5>())?;
    if a.i64::<3>() == -1 { readv(cx, a) } else { preadv(cx, a) }
}

/// pwritev2(2).
pub(crate) fn pwritev2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    known_rwf(a.u32::<5>())?;
    if a.i64::<3>() == -1 { writev(cx, a) } else { pwritev(cx, a) }
}

/// The flags of preadv2(2) that only hint or promise what holds anyway.
fn known_rwf(flags: u32) -> Result<(), Errno> {
    use friscy_abi::fcntl::{RWF_DSYNC, RWF_HIPRI, RWF_SYNC};
    if flags & !(RWF_HIPRI | RWF_DSYNC | RWF_SYNC) == 0 { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

fn seekable(cx: &Ctx<'_>, fd: i32) -> Result<(), Errno> {
    if file(cx, fd)?.file().seekable() { Ok(()) } else { Err(Errno::ESPIPE) }
}

/// lseek(2).
pub(crate) fn lseek(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let file = file(cx, a.i32::<0>())?;
    if file.is_path() {
        return Err(Errno::EBADF.into());
    }
    if !file.file().seekable() {
        return Err(Errno::ESPIPE.into());
    }
    let offset = a.i64::<1>();
    let from = match a.u32::<2>() {
        SEEK_SET => 0,
        SEEK_CUR => file.offset(),
        SEEK_END => file.file().size(cx.kernel),
        whence @ (SEEK_DATA | SEEK_HOLE) => {
            let regular = file.downcast::<Regular>().ok_or(Errno::EINVAL)?;
            let opened = regular.opened();
            let inode = opened.inode();
            if offset < 0 || offset as u64 >= inode.len() {
                return Err(Errno::ENXIO.into());
            }
            let at =
                if whence == SEEK_DATA { opened.next_data(offset as u64)? } else { opened.next_hole(offset as u64)? };
            if whence == SEEK_DATA && at >= inode.len() {
                return Err(Errno::ENXIO.into());
            }
            file.set_offset(at);
            return Ok(at);
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    // Character devices without positions stay at 0.
    if file.downcast::<friscy_kernel::files::Device>().is_some() {
        return Ok(0);
    }
    let at = (from as i64).checked_add(offset).filter(|&at| at >= 0).ok_or(Errno::EINVAL)? as u64;
    file.set_offset(at);
    Ok(at)
}

/// Moves up to `count` bytes from one file to another, at given offsets or at the files' own. `sends` is what the
/// error means when the destination blocks after part was moved: it is not lost, since the source's offset goes back.
fn transfer(
    cx: &mut Ctx<'_>,
    from: &FileRef,
    to: &FileRef,
    from_at: Option<u64>,
    to_at: Option<u64>,
    count: u64,
) -> SysResult {
    let count = count.min(MAX_COUNT);
    let mut done = cx.scratch().done;
    let mut buffer = cx.kernel.drivers.take_buffer(CHUNK);
    let result = loop {
        let want = (count - done.min(count)).min(CHUNK as u64) as usize;
        if want == 0 {
            break Ok(done);
        }
        let buf = buffer.get_mut(..want).unwrap_or_default();
        let read = match from_at {
            None => from.read(cx, buf),
            Some(at) => from.pread(cx, at.wrapping_add(done), buf),
        };
        let read = match read {
            Ok(0) => break Ok(done),
            Ok(read) => read,
            Err(_) if done > 0 => break Ok(done),
            Err(error) => break Err(from.sys_error(error)),
        };
        let bytes = buf.get(..read).unwrap_or_default();
        let mut written = 0;
        let stop = loop {
            let rest = bytes.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break None;
            }
            let result = match to_at {
                None => to.write(cx, rest),
                Some(at) => to.pwrite(cx, at.wrapping_add(done + written as u64), rest),
            };
            match result {
                Ok(count) => written += count,
                Err(error) => break Some(error),
            }
        };
        done += written as u64;
        if let Some(error) = stop {
            if from_at.is_none() && from.file().seekable() {
                from.set_offset(from.offset().wrapping_sub((read - written) as u64));
            }
            break match error {
                IoError::WouldBlock if !to.nonblocking() => {
                    cx.scratch().done = done;
                    Err(to.wait().into())
                }
                _ if done > 0 => Ok(done),
                error => {
                    broken_pipe(cx, error);
                    Err(to.sys_error(error))
                }
            };
        }
        if !from.file().seekable() {
            break Ok(done);
        }
        if written == CHUNK && gives_turns(to) {
            cx.scratch().done = done;
            break Err(turn(cx));
        }
    };
    cx.kernel.drivers.return_buffer(buffer);
    result
}

/// sendfile(2).
pub(crate) fn sendfile(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let to = file(cx, a.i32::<0>())?;
    let from = file(cx, a.i32::<1>())?;
    if !to.writable() || !from.readable() {
        return Err(Errno::EBADF.into());
    }
    if !from.file().seekable() || to.flags() & O_APPEND != 0 {
        return Err(Errno::EINVAL.into());
    }
    let pointer = a.u64::<2>();
    let at = if pointer == 0 { None } else { Some(position(cx.read_struct::<i64>(pointer)?)?) };
    let moved = transfer(cx, &from, &to, at, None, a.u64::<3>())?;
    if let Some(at) = at {
        cx.write_struct(pointer, &(at + moved))?;
    }
    Ok(moved)
}

/// copy_file_range(2).
pub(crate) fn copy_file_range(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let from = file(cx, a.i32::<0>())?;
    let to = file(cx, a.i32::<2>())?;
    if !to.writable() || !from.readable() || to.flags() & O_APPEND != 0 {
        return Err(Errno::EBADF.into());
    }
    if a.u32::<5>() != 0 {
        return Err(Errno::EINVAL.into());
    }
    let is_dir = |file: &FileRef| file.location().inode().is_dir();
    if is_dir(&from) || is_dir(&to) {
        return Err(Errno::EISDIR.into());
    }
    if from.downcast::<Regular>().is_none() || to.downcast::<Regular>().is_none() {
        return Err(Errno::EINVAL.into());
    }
    let read_offset = |cx: &mut Ctx<'_>, pointer: u64| -> Result<Option<u64>, Errno> {
        if pointer == 0 { Ok(None) } else { Ok(Some(position(cx.read_struct::<i64>(pointer)?)?)) }
    };
    let from_at = read_offset(cx, a.u64::<1>())?;
    let to_at = read_offset(cx, a.u64::<3>())?;
    let count = a.u64::<4>().min(MAX_COUNT);
    if from.lock_id() == to.lock_id() {
        let (start, target) = (from_at.unwrap_or(from.offset()), to_at.unwrap_or(to.offset()));
        if start < target.saturating_add(count) && target < start.saturating_add(count) {
            return Err(Errno::EINVAL.into());
        }
    }
    let moved = transfer(cx, &from, &to, from_at, to_at, count)?;
    for (pointer, at) in [(a.u64::<1>(), from_at), (a.u64::<3>(), to_at)] {
        if let Some(at) = at {
            cx.write_struct(pointer, &(at + moved))?;
        }
    }
    Ok(moved)
}

/// splice(2).
pub(crate) fn splice(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let from = file(cx, a.i32::<0>())?;
    let to = file(cx, a.i32::<2>())?;
    let (from_pipe, to_pipe) = (from.downcast::<PipeEnd>().is_some(), to.downcast::<PipeEnd>().is_some());
    if !from_pipe && !to_pipe {
        return Err(Errno::EINVAL.into());
    }
    if (from_pipe && a.u64::<1>() != 0) || (to_pipe && a.u64::<3>() != 0) {
        return Err(Errno::ESPIPE.into());
    }
    // Bytes that the destination does not take would be lost: it must have room first.
    let writable = to.file().poll(cx.kernel) & (friscy_abi::poll::POLLOUT | friscy_abi::poll::POLLERR) != 0;
    if !writable {
        return Err(to.sys_error(IoError::WouldBlock));
    }
    let at = |cx: &mut Ctx<'_>, pointer: u64| -> Result<Option<u64>, Errno> {
        if pointer == 0 { Ok(None) } else { Ok(Some(position(cx.read_struct::<i64>(pointer)?)?)) }
    };
    let from_at = at(cx, a.u64::<1>())?;
    let to_at = at(cx, a.u64::<3>())?;
    let moved = transfer(cx, &from, &to, from_at, to_at, a.u64::<4>().min(4096))?;
    for (pointer, at) in [(a.u64::<1>(), from_at), (a.u64::<3>(), to_at)] {
        if let Some(at) = at {
            cx.write_struct(pointer, &(at + moved))?;
        }
    }
    Ok(moved)
}
