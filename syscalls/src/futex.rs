//! futex(2).

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::layout::Timespec;
use friscy_abi::sched::*;
use friscy_kernel::{Ctx, SysResult};

/// futex(2).
pub(crate) fn futex(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = cx.tid;
    let (addr, operation, value) = (a.u64::<0>(), a.u32::<1>(), a.u32::<2>());
    let private = operation & FUTEX_PRIVATE_FLAG != 0;
    let realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    match command {
        FUTEX_WAIT | FUTEX_WAIT_BITSET => {
            let deadline = if a.u64::<3>() == 0 || cx.scratch().again {
                None
            } else {
                let time: Timespec = cx.read_struct(a.u64::<3>())?;
                let time = crate::time::from_timespec(&time)?;
                // FUTEX_WAIT's timeout is relative, FUTEX_WAIT_BITSET's absolute.
                Some(if command == FUTEX_WAIT {
                    cx.kernel.now().saturating_add(time)
                } else {
                    crate::time::monotonic(cx, realtime, time)
                })
            };
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
            let (woken, moved) = cx.kernel.futex_requeue(tid, addr, to, private, value, most, expected)?;
            Ok(u64::from(woken + if expected.is_some() { moved } else { 0 }))
        }
        FUTEX_WAKE_OP => {
            let (most, addr2, encoded) = (a.u32::<3>(), a.u64::<4>(), a.u32::<5>());
            Ok(u64::from(cx.kernel.futex_wake_op(tid, addr, addr2, private, value, most, encoded)?))
        }
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => {
            let deadline = if a.u64::<3>() == 0 || cx.scratch().again {
                None
            } else {
                let time: Timespec = cx.read_struct(a.u64::<3>())?;
                let time = crate::time::from_timespec(&time)?;
                // FUTEX_LOCK_PI's timeout is always one of CLOCK_REALTIME.
                Some(crate::time::monotonic(cx, realtime || command == FUTEX_LOCK_PI, time))
            };
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
