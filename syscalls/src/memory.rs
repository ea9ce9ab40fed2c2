//! Memory: mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2) and relatives.

use crate::args::Args;
use crate::io::file;
use friscy_abi::Errno;
use friscy_abi::layout::Iovec;
use friscy_abi::mman::*;
use friscy_abi::sched::{RLIMIT_DATA, RLIMIT_MEMLOCK};
use friscy_boundary::{PAGE_SIZE, Prot, WINDOW_SIZE};
use friscy_kernel::files::{Device, DeviceKind, Regular};
use friscy_kernel::mm::{MapRequest, MappedFile, VmaBacking, VmaFlags, page_up};
use friscy_kernel::{Ctx, SysResult};
use std::rc::Rc;

/// `CAP_IPC_LOCK`.
const CAP_IPC_LOCK: u32 = 14;
/// `CAP_SYS_PTRACE`.
const CAP_SYS_PTRACE: u32 = 19;

fn protection(bits: u32) -> Result<Prot, Errno> {
    if bits & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(Prot {
        // RISC-V has no page that can be written or executed and not read.
        read: bits & (PROT_READ | PROT_WRITE | PROT_EXEC) != 0,
        write: bits & PROT_WRITE != 0,
        exec: bits & PROT_EXEC != 0,
    })
}

/// mmap(2).
pub(crate) fn mmap(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (addr, len, flags, offset) = (a.u64::<0>(), a.u64::<1>(), a.u32::<3>(), a.u64::<5>());
    let prot = protection(a.u32::<2>())?;
    if len == 0 || offset % PAGE_SIZE != 0 {
        return Err(Errno::EINVAL.into());
    }
    if len > WINDOW_SIZE {
        // The offset counts pages with its sign: from a negative one a file's end is soon passed.
        let first = (offset as i64 >> PAGE_SIZE.trailing_zeros()) as u64;
        let wraps = page_up(len).is_some_and(|len| first.checked_add(len / PAGE_SIZE).is_none());
        return Err(if wraps { Errno::EOVERFLOW } else { Errno::ENOMEM }.into());
    }
    let shared = match flags & MAP_TYPE {
        MAP_PRIVATE => false,
        MAP_SHARED | MAP_SHARED_VALIDATE => true,
        _ => return Err(Errno::EINVAL.into()),
    };
    let mut properties = if shared { VmaFlags::SHARED } else { VmaFlags::MAYWRITE };
    let locks = flags & MAP_LOCKED != 0;
    if locks {
        properties |= VmaFlags::LOCKED;
    }
    if locks || cx.task().mm.borrow().lock_future {
        check_locked(cx, page_up(len).ok_or(Errno::ENOMEM)?, Errno::EAGAIN)?;
    }
    let backing = if flags & MAP_ANONYMOUS != 0 {
        if shared {
            let object = cx.kernel.anonymous_object(page_up(len).ok_or(Errno::ENOMEM)?)?;
            properties |= VmaFlags::MAYWRITE;
            VmaBacking::Object { object, offset: 0, file: None }
        } else {
            VmaBacking::Anonymous
        }
    } else {
        let file = file(cx, a.i32::<4>())?;
        if file.downcast::<Device>().is_some_and(|device| device.kind() == DeviceKind::Zero) && !shared {
            VmaBacking::Anonymous
        } else {
            let regular =
                file.downcast::<Regular>().ok_or(if file.is_path() { Errno::EBADF } else { Errno::ENODEV })?;
            let inode = regular.opened().inode();
            if inode.is_dir() {
                return Err(Errno::ENODEV.into());
            }
            if !file.readable() || shared && prot.write && !file.writable() {
                return Err(Errno::EACCES.into());
            }
            let sealed = inode.is_write_sealed();
            if shared && prot.write && sealed {
                return Err(Errno::EPERM.into());
            }
            if prot.exec && file.location().mount().flags().no_exec {
                return Err(Errno::EPERM.into());
            }
            // What is written to memory would not reach the host: such a mapping stays unwritable.
            let may_write = shared && file.writable() && !sealed && (prot.write || !inode.is_live());
            if may_write {
                properties |= VmaFlags::MAYWRITE;
            }
            let meta = inode.metadata();
            let root = cx.task().fs.borrow().root.clone();
            let path = file.location().path_from(Some(&root)).proc_text();
            let object = cx.kernel.file_object(inode, may_write)?;
            if !file.location().mount().flags().no_atime {
                inode.accessed();
            }
            let mapped = MappedFile { path, dev: meta.dev, ino: meta.ino };
            if prot.exec {
                cx.kernel.note_code(&object, &mapped);
            }
            VmaBacking::Object { object, offset, file: Some(Rc::new(mapped)) }
        }
    };
    let request = MapRequest {
        addr,
        len,
        prot,
        flags: properties,
        backing,
        fixed: flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0,
        no_replace: flags & MAP_FIXED_NOREPLACE != 0,
    };
    cx.check_address_space(page_up(len).ok_or(Errno::ENOMEM)?)?;
    let mm = Rc::clone(&cx.task().mm);
    let place = mm.borrow_mut().map(&cx.kernel.cpu, request)?;
    Ok(place)
}

/// munmap(2).
pub(crate) fn munmap(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let mm = Rc::clone(&cx.task().mm);
    mm.borrow_mut().unmap(&cx.kernel.cpu, a.u64::<0>(), a.u64::<1>())?;
    Ok(0)
}

/// mprotect(2).
pub(crate) fn mprotect(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let bits = a.u32::<2>();
    if bits & (PROT_GROWSDOWN | PROT_GROWSUP) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let prot = protection(bits)?;
    let mm = Rc::clone(&cx.task().mm);
    mm.borrow_mut().protect(&cx.kernel.cpu, a.u64::<0>(), a.u64::<1>(), prot)?;
    Ok(0)
}

/// mremap(2).
pub(crate) fn mremap(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<3>();
    let (may_move, keep) = (flags & MREMAP_MAYMOVE != 0, flags & MREMAP_DONTUNMAP != 0);
    if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
        || flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 && !may_move
        || keep && a.u64::<1>() != a.u64::<2>()
    {
        return Err(Errno::EINVAL.into());
    }
    let to = (flags & MREMAP_FIXED != 0).then_some(a.u64::<4>());
    if a.u64::<2>() > a.u64::<1>() {
        cx.check_address_space(a.u64::<2>() - a.u64::<1>())?;
        let locked = cx.task().mm.borrow().find(a.u64::<0>()).is_some_and(|vma| vma.flags.contains(VmaFlags::LOCKED));
        if locked {
            check_locked(cx, a.u64::<2>() - a.u64::<1>(), Errno::EAGAIN)?;
        }
    }
    let mm = Rc::clone(&cx.task().mm);
    let moved = mm.borrow_mut().remap(&cx.kernel.cpu, a.u64::<0>(), a.u64::<1>(), a.u64::<2>(), flags, to)?;
    Ok(moved)
}

/// Whether all of a range is mapped, and aligned.
fn covered(cx: &Ctx<'_>, addr: u64, len: u64) -> Result<(), Errno> {
    if addr % PAGE_SIZE != 0 {
        return Err(Errno::EINVAL);
    }
    let end = page_up(len).and_then(|len| addr.checked_add(len)).ok_or(Errno::ENOMEM)?;
    if end == addr || cx.task().mm.borrow().covers(addr, end) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// madvise(2).
pub(crate) fn madvise(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (addr, len, advice) = (a.u64::<0>(), a.u64::<1>(), a.u32::<2>());
    if addr % PAGE_SIZE != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mm = Rc::clone(&cx.task().mm);
    let flags = |set: VmaFlags, clear: VmaFlags| mm.borrow_mut().set_flags(addr, len, set, clear);
    match advice {
        MADV_DONTNEED | MADV_FREE => mm.borrow_mut().discard(&cx.kernel.cpu, addr, len)?,
        MADV_DONTFORK => flags(VmaFlags::DONTFORK, VmaFlags::empty())?,
        MADV_DOFORK => flags(VmaFlags::empty(), VmaFlags::DONTFORK)?,
        MADV_WIPEONFORK => flags(VmaFlags::WIPEONFORK, VmaFlags::empty())?,
        MADV_KEEPONFORK => flags(VmaFlags::empty(), VmaFlags::WIPEONFORK)?,
        MADV_NORMAL | MADV_RANDOM | MADV_SEQUENTIAL | MADV_WILLNEED | MADV_HUGEPAGE | MADV_NOHUGEPAGE
        | MADV_DONTDUMP | MADV_DODUMP | MADV_COLD | MADV_PAGEOUT | MADV_MERGEABLE | MADV_UNMERGEABLE
        | MADV_POPULATE_READ | MADV_POPULATE_WRITE => covered(cx, addr, len)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// brk(2).
pub(crate) fn brk(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let limit = cx.process().rlimits.soft(RLIMIT_DATA);
    let mm = Rc::clone(&cx.task().mm);
    let more = a.u64::<0>().saturating_sub(mm.borrow().brk);
    if more > 0 && cx.check_address_space(more).is_err() {
        return Ok(mm.borrow().brk);
    }
    let end = mm.borrow_mut().set_brk(&cx.kernel.cpu, a.u64::<0>(), limit);
    Ok(end)
}

/// msync(2): mappings of a file are its contents. Which pages were written is not known, so that a range that may be
/// written counts as written.
pub(crate) fn msync(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<2>();
    if flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0 || flags & MS_ASYNC != 0 && flags & MS_SYNC != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (start, len) = (a.u64::<0>(), a.u64::<1>());
    covered(cx, start, len)?;
    let end = page_up(len).and_then(|len| start.checked_add(len)).ok_or(Errno::ENOMEM)?;
    let mm = Rc::clone(&cx.task().mm);
    for vma in mm.borrow().overlapping(start, end) {
        if flags & MS_INVALIDATE != 0 && vma.flags.contains(VmaFlags::LOCKED) {
            return Err(Errno::EBUSY.into());
        }
        if let VmaBacking::Object { object, .. } = &vma.backing
            && vma.is_shared()
            && vma.prot.write
            && flags & (MS_SYNC | MS_ASYNC) != 0
        {
            cx.kernel.object_written(object);
        }
    }
    Ok(0)
}

/// Whether `more` bytes may be locked beside those that are: `EPERM` when none may, `full` when too many are.
fn check_locked(cx: &Ctx<'_>, more: u64, full: Errno) -> Result<(), Errno> {
    if cx.task().cred.capable(CAP_IPC_LOCK) {
        return Ok(());
    }
    let limit = cx.process().rlimits.soft(RLIMIT_MEMLOCK);
    if limit == 0 {
        return Err(Errno::EPERM);
    }
    let locked = cx.task().mm.borrow().locked();
    if locked.saturating_add(more) > limit { Err(full) } else { Ok(()) }
}

/// The pages that mlock(2) and munlock(2) are about: address and length.
fn lock_range(a: &Args) -> Result<(u64, u64), Errno> {
    let start = a.u64::<0>() & !(PAGE_SIZE - 1);
    let len = a.u64::<1>().checked_add(a.u64::<0>() - start).and_then(page_up).ok_or(Errno::EINVAL)?;
    start.checked_add(len).ok_or(Errno::EINVAL)?;
    Ok((start, len))
}

/// mlock(2): nothing is ever paged out, but what is locked is counted.
pub(crate) fn mlock(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (start, len) = lock_range(a)?;
    check_locked(cx, len, Errno::ENOMEM)?;
    let mm = Rc::clone(&cx.task().mm);
    mm.borrow_mut().set_flags(start, len, VmaFlags::LOCKED, VmaFlags::empty())?;
    Ok(0)
}

/// munlock(2).
pub(crate) fn munlock(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (start, len) = lock_range(a)?;
    let mm = Rc::clone(&cx.task().mm);
    mm.borrow_mut().set_flags(start, len, VmaFlags::empty(), VmaFlags::LOCKED)?;
    Ok(0)
}

/// mlock2(2).
pub(crate) fn mlock2(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u32::<2>() & !1 != 0 {
        return Err(Errno::EINVAL.into());
    }
    mlock(cx, a)
}

/// mlockall(2).
pub(crate) fn mlockall(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let flags = a.u32::<0>();
    if flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || flags & (MCL_CURRENT | MCL_FUTURE) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let mm = Rc::clone(&cx.task().mm);
    let current = flags & MCL_CURRENT != 0;
    let more = if current { mm.borrow().total - mm.borrow().locked() } else { 0 };
    check_locked(cx, more, Errno::ENOMEM)?;
    let mut mm = mm.borrow_mut();
    mm.lock_future = flags & MCL_FUTURE != 0;
    if current {
        mm.set_all_flags(VmaFlags::LOCKED, VmaFlags::empty());
    }
    Ok(0)
}

/// munlockall(2).
pub(crate) fn munlockall(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
    let mut mm = cx.task().mm.borrow_mut();
    mm.lock_future = false;
    mm.set_all_flags(VmaFlags::empty(), VmaFlags::LOCKED);
    Ok(0)
}

/// mincore(2): everything that is mapped is in memory.
pub(crate) fn mincore(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    covered(cx, a.u64::<0>(), a.u64::<1>())?;
    let pages = page_up(a.u64::<1>()).ok_or(Errno::ENOMEM)? / PAGE_SIZE;
    cx.write_bytes(a.u64::<2>(), &vec![1; pages as usize])?;
    Ok(0)
}

/// membarrier(2): tasks take turns, so every barrier has happened.
pub(crate) fn membarrier(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let _ = cx;
    let known = MEMBARRIER_CMD_GLOBAL
        | MEMBARRIER_CMD_GLOBAL_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        | MEMBARRIER_CMD_PRIVATE_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
        | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
    match a.u32::<0>() {
        MEMBARRIER_CMD_QUERY => Ok(u64::from(known)),
        command if command.is_power_of_two() && command & known != 0 && a.u32::<1>() == 0 => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// The buffers of another process, and whether the caller may touch them: ptrace(2)'s rule.
fn other_memory(cx: &mut Ctx<'_>, a: &Args) -> Result<(friscy_boundary::MmId, Vec<Iovec>, Vec<Iovec>), Errno> {
    if a.u64::<5>() != 0 {
        return Err(Errno::EINVAL);
    }
    let local = crate::io::iovecs(cx, a.u64::<1>(), a.u64::<2>())?;
    let remote = crate::io::iovecs(cx, a.u64::<3>(), a.u64::<4>())?;
    let target = cx.kernel.tasks.get(&a.u32::<0>()).ok_or(Errno::ESRCH)?;
    let (own, other) = (&cx.task().cred, &target.cred);
    let same = [other.uid, other.euid, other.suid].iter().all(|&uid| uid == own.uid)
        && [other.gid, other.egid, other.sgid].iter().all(|&gid| gid == own.gid);
    if !same && !own.capable(CAP_SYS_PTRACE) && target.tgid != cx.pid() {
        return Err(Errno::EPERM);
    }
    Ok((target.mm_id, local, remote))
}

/// Pairs of addresses, local and remote, with how many bytes lie together at both.
fn spans(local: &[Iovec], remote: &[Iovec]) -> Vec<(u64, u64, u64)> {
    let (mut out, mut remote, mut skip) = (Vec::new(), remote.iter(), 0);
    let mut there = remote.next();
    for here in local {
        let mut at = 0;
        while at < here.iov_len {
            let Some(part) = there else { return out };
            let count = (here.iov_len - at).min(part.iov_len - skip);
            if count > 0 {
                out.push((here.iov_base.wrapping_add(at), part.iov_base.wrapping_add(skip), count));
            }
            at += count;
            skip += count;
            if skip == part.iov_len {
                (there, skip) = (remote.next(), 0);
            }
        }
    }
    out
}

/// Bytes moved at a time between address spaces.
const MOVE: u64 = 1 << 16;

fn move_memory(cx: &mut Ctx<'_>, a: &Args, write: bool) -> SysResult {
    let (other, local, remote) = other_memory(cx, a)?;
    let own = cx.mm_id();
    let mut done = 0u64;
    for (here, there, count) in spans(&local, &remote) {
        let (from, to) = if write { ((own, here), (other, there)) } else { ((other, there), (own, here)) };
        let mut at = 0;
        while at < count {
            let mut buf = vec![0; (count - at).min(MOVE) as usize];
            let moved = cx.kernel.read_mem(from.0, from.1.wrapping_add(at), &mut buf);
            if moved.and_then(|()| cx.kernel.write_mem(to.0, to.1.wrapping_add(at), &buf)).is_err() {
                return if done + at > 0 { Ok(done + at) } else { Err(Errno::EFAULT.into()) };
            }
            at += buf.len() as u64;
        }
        done += count;
    }
    Ok(done)
}

/// process_vm_readv(2).
pub(crate) fn process_vm_readv(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    move_memory(cx, a, false)
}

/// process_vm_writev(2).
pub(crate) fn process_vm_writev(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    move_memory(cx, a, true)
}
