//! futex(2).

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::layout::{FutexWaitv, Timespec};
use friscy_abi::sched::*;
use friscy_abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME};
use friscy_kernel::{Ctx, Nanos, SysResult};

/// The monotonic time at which a wait ends whose `struct timespec` is at `addr`, if there is one. A call that goes on has
/// it from before.
fn deadline(cx: &mut Ctx<'_>, addr: u64, realtime: bool, relative: bool) -> Result<Option<Nanos>, Errno> {
    if addr == 0 || cx.scratch().again {
        return Ok(None);
    }
    let time: Timespec = cx.read_struct(addr)?;
    let time = crate::time::from_timespec(&time)?;
    Ok(Some(if relative { cx.kernel.now().saturating_add(time) } else { crate::time::monotonic(cx, realtime, time) }))
}

/// futex_waitv(2).
pub(crate) fn futex_waitv(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (addr, count, clock) = (a.u64::<0>(), a.u32::<1>(), a.u32::<4>());
    if a.u32::<2>() != 0 || count == 0 || count > FUTEX_WAITV_MAX || addr == 0 {
        return Err(Errno::EINVAL.into());
    }
    if a.u64::<3>() != 0 && !matches!(clock, CLOCK_REALTIME | CLOCK_MONOTONIC) {
        return Err(Errno::EINVAL.into());
    }
    let deadline = deadline(cx, a.u64::<3>(), clock == CLOCK_REALTIME, false)?;
    let mut words = Vec::with_capacity(count as usize);
    for index in 0..u64::from(count) {
        let wait: FutexWaitv = cx.read_struct(addr.wrapping_add(index * size_of::<FutexWaitv>() as u64))?;
        let private = wait.flags & FUTEX_PRIVATE_FLAG != 0;
        if wait.flags & !FUTEX_PRIVATE_FLAG != FUTEX2_SIZE_U32 || wait.reserved != 0 {
            return Err(Errno::EINVAL.into());
        }
        words.push((wait.uaddr, private, u32::try_from(wait.val).map_err(|_| Errno::EINVAL)?));
    }
    let tid = cx.tid;
    cx.kernel.futex_waitv(tid, &words, deadline)
}

/// futex(2).
pub(crate) fn futex(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    let (addr, operation, value) = (a.u64::<0>(), a.u32::<1>(), a.u32::<2>());
    let private = operation & FUTEX_PRIVATE_FLAG != 0;
    let realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    if realtime && !matches!(command, FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2) {
        return Err(Errno::ENOSYS.into());
    }
    match command {
        FUTEX_WAIT | FUTEX_WAIT_BITSET => {
            let deadline = deadline(cx, a.u64::<3>(), realtime, command == FUTEX_WAIT)?;
            let bitset = if command == FUTEX_WAIT { FUTEX_BITSET_MATCH_ANY } else { a.u32::<5>() };
            cx.kernel.futex_wait(tid, addr, private, value, bitset, deadline)
        }
        FUTEX_WAKE | FUTEX_WAKE_BITSET => {
            let bitset = if command == FUTEX_WAKE { FUTEX_BITSET_MATCH_ANY } else { a.u32::<5>() };
            Ok(u64::from(cx.kernel.futex_wake(tid, addr, private, value, bitset)?))
        }
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let (most, to) = (a.u32::<3>(), a.u64::<4>());
            if value as i32 <= -1 || (most as i32) < 0 {
                return Err(Errno::EINVAL.into());
            }
            let expected = (command == FUTEX_CMP_REQUEUE).then(|| a.u32::<5>());
            Ok(u64::from(cx.kernel.futex_requeue(tid, addr, to, private, value, most, expected)?))
        }
        FUTEX_WAIT_REQUEUE_PI => {
            let deadline = deadline(cx, a.u64::<3>(), realtime, false)?;
            if addr == a.u64::<4>() {
                return Err(Errno::EINVAL.into());
            }
            cx.kernel.futex_wait_requeue(tid, addr, a.u64::<4>(), private, value, deadline)
        }
        FUTEX_CMP_REQUEUE_PI => {
            let (most, to) = (a.u32::<3>(), a.u64::<4>());
            if value != 1 || (most as i32) < 0 || addr == to {
                return Err(Errno::EINVAL.into());
            }
            Ok(u64::from(cx.kernel.futex_requeue_owner(tid, addr, to, private, most, a.u32::<5>())?))
        }
        FUTEX_WAKE_OP => {
            let (most, addr2, encoded) = (a.u32::<3>(), a.u64::<4>(), a.u32::<5>());
            Ok(u64::from(cx.kernel.futex_wake_op(tid, addr, addr2, private, value, most, encoded)?))
        }
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => {
            // FUTEX_LOCK_PI's timeout is always one of CLOCK_REALTIME.
            let deadline = deadline(cx, a.u64::<3>(), realtime || command == FUTEX_LOCK_PI, false)?;
            cx.kernel.futex_lock(tid, addr, private, true, deadline)
        }
        FUTEX_TRYLOCK_PI => cx.kernel.futex_lock(tid, addr, private, false, None),
        FUTEX_UNLOCK_PI => {
            cx.kernel.futex_unlock(tid, addr, private)?;
            Ok(0)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}
