//! System V interprocess communication: shmget(2), semop(2), msgsnd(2) and relatives.

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::ipc::*;
use friscy_abi::layout::{Msginfo, Msqid, Sembuf, Semid, Seminfo, ShmTotals, Shmid, Shminfo, Timespec};
use friscy_kernel::ipc::{Attach, Msg};
use friscy_kernel::{Ctx, SysResult};

/// The most operations of one semop(2) (`SEMOPM`).
const OPERATIONS_MAX: u64 = 500;
/// Old callers set this bit of a command: the structures are those of 64 bits anyway (`IPC_64`).
const IPC_64: u32 = 0x100;

/// shmget(2).
pub(crate) fn shmget(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    Ok(cx.kernel.shmget(tid, a.i32::<0>(), a.u64::<1>(), a.u32::<2>())? as u64)
}

/// shmat(2).
pub(crate) fn shmat(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    Ok(cx.kernel.shmat(tid, Attach { id: a.i32::<0>(), addr: a.u64::<1>(), flags: a.u32::<2>() })?)
}

/// shmdt(2).
pub(crate) fn shmdt(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    cx.kernel.shmdt(tid, a.u64::<0>())?;
    Ok(0)
}

/// shmctl(2).
pub(crate) fn shmctl(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (tid, id, command, addr) = (cx.tid, a.i32::<0>(), a.u32::<1>() & !IPC_64, a.u64::<2>());
    match command {
        IPC_STAT | SHM_STAT | SHM_STAT_ANY => {
            let (id, layout) = cx.kernel.shm_stat(tid, id, command != IPC_STAT, command == SHM_STAT_ANY)?;
            cx.write_struct(addr, &layout)?;
            Ok(if command == IPC_STAT { 0 } else { id as u64 })
        }
        IPC_SET => {
            let new: Shmid = cx.read_struct(addr)?;
            cx.kernel.shm_set(tid, id, &new.shm_perm)?;
            Ok(0)
        }
        IPC_RMID => {
            cx.kernel.shm_remove(tid, id)?;
            Ok(0)
        }
        // Memory is never paged out.
        SHM_LOCK | SHM_UNLOCK => {
            cx.kernel.shm_stat(tid, id, false, true)?;
            Ok(0)
        }
        IPC_INFO => {
            let most = u64::MAX - (1 << 24);
            let info = Shminfo { shmmax: most, shmmin: 1, shmmni: 4096, shmseg: 4096, shmall: most, unused: [0; 4] };
            cx.write_struct(addr, &info)?;
            Ok(cx.kernel.ipc.shm.highest_place() as u64)
        }
        SHM_INFO => {
            let (used_ids, pages) = cx.kernel.shm_totals();
            cx.write_struct(addr, &ShmTotals { used_ids, shm_tot: pages, shm_rss: pages, ..ShmTotals::default() })?;
            Ok(cx.kernel.ipc.shm.highest_place() as u64)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// semget(2).
pub(crate) fn semget(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    Ok(cx.kernel.semget(tid, a.i32::<0>(), a.i32::<1>(), a.u32::<2>())? as u64)
}

fn operate(cx: &mut Ctx<'_>, a: &Args, timeout: u64) -> SysResult {
    let count = a.u64::<2>();
    if count == 0 || a.i32::<0>() < 0 {
        return Err(Errno::EINVAL.into());
    }
    if count > OPERATIONS_MAX {
        return Err(Errno::E2BIG.into());
    }
    let operations: Vec<Sembuf> = cx.read_array(a.u64::<1>(), count)?;
    let timeout = if timeout == 0 {
        None
    } else {
        let time: Timespec = cx.read_struct(timeout)?;
        Some(crate::time::from_timespec(&time)?)
    };
    let until = crate::poll::deadline(cx, timeout);
    let tid = cx.tid;
    cx.kernel.semop(tid, a.i32::<0>(), &operations, until)?;
    Ok(0)
}

/// semop(2).
pub(crate) fn semop(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    operate(cx, a, 0)
}

/// semtimedop(2).
pub(crate) fn semtimedop(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    operate(cx, a, a.u64::<3>())
}

/// semctl(2).
pub(crate) fn semctl(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (tid, id, num, command, arg) = (cx.tid, a.i32::<0>(), a.i32::<1>(), a.u32::<2>() & !IPC_64, a.u64::<3>());
    match command {
        GETVAL => Ok(cx.kernel.sem_value(tid, id, num)?.0 as u64),
        GETPID => Ok(u64::from(cx.kernel.sem_value(tid, id, num)?.1)),
        GETNCNT | GETZCNT => Ok(cx.kernel.sem_waiting(tid, id, num, command == GETZCNT)? as u64),
        GETALL => {
            let values = cx.kernel.sem_values(tid, id)?;
            cx.write_bytes(arg, bytemuck::cast_slice(&values))?;
            Ok(0)
        }
        SETVAL => {
            cx.kernel.sem_set_values(tid, id, Some(num), &[arg as i32])?;
            Ok(0)
        }
        SETALL => {
            let count = cx.kernel.sem_count(id)? as u64;
            let values: Vec<u16> = cx.read_array(arg, count)?;
            let values: Vec<i32> = values.into_iter().map(i32::from).collect();
            cx.kernel.sem_set_values(tid, id, None, &values)?;
            Ok(0)
        }
        IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let (id, layout) = cx.kernel.sem_stat(tid, id, command != IPC_STAT, command == SEM_STAT_ANY)?;
            cx.write_struct(arg, &layout)?;
            Ok(if command == IPC_STAT { 0 } else { id as u64 })
        }
        IPC_SET => {
            let new: Semid = cx.read_struct(arg)?;
            cx.kernel.sem_set(tid, id, &new.sem_perm)?;
            Ok(0)
        }
        IPC_RMID => {
            cx.kernel.sem_remove(tid, id)?;
            Ok(0)
        }
        IPC_INFO | SEM_INFO => {
            let (sets, semaphores) = cx.kernel.sem_totals();
            let now = command == SEM_INFO;
            let info = Seminfo {
                semmap: 1_024_000_000,
                semmni: 32_000,
                semmns: 1_024_000_000,
                semmnu: 1_024_000_000,
                semmsl: 32_000,
                semopm: OPERATIONS_MAX as i32,
                semume: OPERATIONS_MAX as i32,
                semusz: if now { sets } else { 20 },
                semvmx: 32_767,
                semaem: if now { semaphores } else { 32_767 },
            };
            cx.write_struct(arg, &info)?;
            Ok(cx.kernel.ipc.sem.highest_place() as u64)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// msgget(2).
pub(crate) fn msgget(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    Ok(cx.kernel.msgget(tid, a.i32::<0>(), a.u32::<1>())? as u64)
}

/// msgsnd(2).
pub(crate) fn msgsnd(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (id, addr, size) = (a.i32::<0>(), a.u64::<1>(), a.u64::<2>());
    let kind: i64 = cx.read_struct(addr)?;
    if size > i64::MAX as u64 || id < 0 {
        return Err(Errno::EINVAL.into());
    }
    // One byte more than any message may have is refused by the kernel.
    let bytes = cx.read_bytes(addr.wrapping_add(8), size.min(8193))?;
    let tid = cx.tid;
    cx.kernel.msgsnd(tid, id, Msg { kind, bytes }, a.u32::<3>())?;
    Ok(0)
}

/// msgrcv(2).
pub(crate) fn msgrcv(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    let message = cx.kernel.msgrcv(tid, a.i32::<0>(), a.u64::<2>(), a.i64::<3>(), a.u32::<4>())?;
    cx.write_struct(a.u64::<1>(), &message.kind)?;
    cx.write_bytes(a.u64::<1>().wrapping_add(8), &message.bytes)?;
    Ok(message.bytes.len() as u64)
}

/// msgctl(2).
pub(crate) fn msgctl(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (tid, id, command, addr) = (cx.tid, a.i32::<0>(), a.u32::<1>() & !IPC_64, a.u64::<2>());
    match command {
        IPC_STAT | MSG_STAT | MSG_STAT_ANY => {
            let (id, layout) = cx.kernel.msg_stat(tid, id, command != IPC_STAT, command == MSG_STAT_ANY)?;
            cx.write_struct(addr, &layout)?;
            Ok(if command == IPC_STAT { 0 } else { id as u64 })
        }
        IPC_SET => {
            let new: Msqid = cx.read_struct(addr)?;
            cx.kernel.msg_set(tid, id, &new)?;
            Ok(0)
        }
        IPC_RMID => {
            cx.kernel.msg_remove(tid, id)?;
            Ok(0)
        }
        IPC_INFO | MSG_INFO => {
            let info = Msginfo {
                msgpool: 512_000,
                msgmap: 16_384,
                msgmax: 8192,
                msgmnb: 16_384,
                msgmni: 32_000,
                msgssz: 16,
                msgtql: 16_384,
                msgseg: 0xffff,
                pad: 0,
            };
            cx.write_struct(addr, &info)?;
            Ok(cx.kernel.ipc.msg.highest_place() as u64)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}
