//! Policies and priorities, sched(7): real-time tasks run before all others, the higher priority first.

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::layout::Timespec;
use friscy_abi::sched::*;
use friscy_kernel::sched::SchedParams;
use friscy_kernel::{Ctx, RestartKind, SysResult, Tid, WaitFor};

const CAP_SYS_NICE: u32 = 23;

/// What is or-ed to a policy.
const SCHED_RESET_ON_FORK: u32 = 0x4000_0000;

/// The thread that a call names, 0 being the caller.
fn target(cx: &Ctx<'_>, pid: i32) -> Result<Tid, Errno> {
    let wanted = u32::try_from(pid).map_err(|_| Errno::EINVAL)?;
    let tid = if wanted == 0 { cx.tid } else { wanted };
    if cx.kernel.tasks.contains_key(&tid) { Ok(tid) } else { Err(Errno::ESRCH) }
}

/// The least and the highest priority of a policy.
fn priority_range(policy: u32) -> Result<(u32, u32), Errno> {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok((1, 99)),
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE => Ok((0, 0)),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_yield(2): the call ends the task's turn, if another of its rank waits for one.
pub(crate) fn sched_yield(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
    let rank = cx.task().sched.rank();
    if cx.scratch().again || cx.kernel.sched.run_queue.front().is_none_or(|&(other, _)| other < rank) {
        return Ok(0);
    }
    let now = cx.kernel.now();
    Err(WaitFor::default().until(Some(now)).restart(RestartKind::Always).into())
}

/// sched_getscheduler(2).
pub(crate) fn sched_getscheduler(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = target(cx, a.i32::<0>())?;
    let params = cx.kernel.task(tid).sched;
    let flag = if params.reset_on_fork { SCHED_RESET_ON_FORK } else { 0 };
    Ok(u64::from(params.policy | flag))
}

/// Sets policy and priority, or with no policy given the priority only.
fn set(cx: &mut Ctx<'_>, pid: i32, policy: Option<u32>, addr: u64) -> SysResult {
    if addr == 0 || pid < 0 {
        return Err(Errno::EINVAL.into());
    }
    let priority: i32 = cx.read_struct(addr)?;
    let tid = target(cx, pid)?;
    let old = cx.kernel.task(tid).sched;
    let (policy, reset_on_fork) = match policy {
        Some(policy) => (policy & !SCHED_RESET_ON_FORK, policy & SCHED_RESET_ON_FORK != 0),
        None => (old.policy, old.reset_on_fork),
    };
    let (least, highest) = priority_range(policy)?;
    let priority = u32::try_from(priority).ok().filter(|priority| (least..=highest).contains(priority));
    let priority = priority.ok_or(Errno::EINVAL)?;
    let (own, theirs) = (&cx.task().cred, &cx.kernel.task(tid).cred);
    if !own.capable(CAP_SYS_NICE) {
        let same_user = own.euid == theirs.uid || own.euid == theirs.euid;
        let limit = cx.process().rlimits.soft(RLIMIT_RTPRIO);
        let raises = priority > old.priority && u64::from(priority) > limit;
        if !same_user || raises || (old.reset_on_fork && !reset_on_fork) {
            return Err(Errno::EPERM.into());
        }
    }
    cx.kernel.set_sched(tid, SchedParams { policy, priority, reset_on_fork });
    Ok(0)
}

/// sched_setscheduler(2).
pub(crate) fn sched_setscheduler(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.i32::<1>() < 0 {
        return Err(Errno::EINVAL.into());
    }
    set(cx, a.i32::<0>(), Some(a.u32::<1>()), a.u64::<2>())
}

/// sched_setparam(2).
pub(crate) fn sched_setparam(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    set(cx, a.i32::<0>(), None, a.u64::<1>())
}

/// sched_getparam(2).
pub(crate) fn sched_getparam(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u64::<1>() == 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = target(cx, a.i32::<0>())?;
    let priority = cx.kernel.task(tid).sched.priority;
    cx.write_struct(a.u64::<1>(), &priority)?;
    Ok(0)
}

/// sched_get_priority_max(2).
pub(crate) fn sched_get_priority_max(_cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    Ok(priority_range(a.u32::<0>())?.1.into())
}

/// sched_get_priority_min(2).
pub(crate) fn sched_get_priority_min(_cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    Ok(priority_range(a.u32::<0>())?.0.into())
}

/// sched_rr_get_interval(2): the length of a turn is not exact, since turns are counted in instructions.
pub(crate) fn sched_rr_get_interval(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let tid = target(cx, a.i32::<0>())?;
    let tv_nsec = if cx.kernel.task(tid).sched.policy == SCHED_FIFO { 0 } else { 4_000_000 };
    cx.write_struct(a.u64::<1>(), &Timespec { tv_sec: 0, tv_nsec })?;
    Ok(0)
}
