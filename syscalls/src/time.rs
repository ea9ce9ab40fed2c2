//! Clocks and timers: clock_gettime(2), nanosleep(2), setitimer(2), timer_create(2).

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::layout::{Itimerspec, Itimerval, Sigevent, Timespec, Timeval, Timezone, Tms};
use friscy_abi::signal::{SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID};
use friscy_abi::time::*;
use friscy_kernel::timer::CpuClock;
use friscy_kernel::{Ctx, Nanos, RestartKind, SysResult, WaitFor};

const SECOND: Nanos = 1_000_000_000;
/// Nanoseconds of a clock tick, `sysconf(_SC_CLK_TCK)` is 100.
const TICK: Nanos = 10_000_000;
/// Resolution of the coarse clocks (a tick of a 250 Hz kernel).
const COARSE: Nanos = 4_000_000;

/// Nanoseconds of a `struct timespec`.
///
/// # Errors
/// `EINVAL` for negative seconds or nanoseconds that are not below one second.
pub(crate) fn from_timespec(time: &Timespec) -> Result<Nanos, Errno> {
    if time.tv_sec < 0 || !(0..SECOND as i64).contains(&time.tv_nsec) {
        return Err(Errno::EINVAL);
    }
    Ok((time.tv_sec as u64).saturating_mul(SECOND).saturating_add(time.tv_nsec as u64))
}

/// A `struct timespec` of nanoseconds.
pub(crate) fn timespec(nanos: Nanos) -> Timespec {
    Timespec { tv_sec: (nanos / SECOND) as i64, tv_nsec: (nanos % SECOND) as i64 }
}

/// A `struct timeval` of nanoseconds.
pub(crate) fn timeval(nanos: Nanos) -> Timeval {
    Timeval { tv_sec: (nanos / SECOND) as i64, tv_usec: (nanos % SECOND / 1_000) as i64 }
}

/// Nanoseconds of a `struct timeval`.
pub(crate) fn from_timeval(time: &Timeval) -> Result<Nanos, Errno> {
    if time.tv_sec < 0 || !(0..1_000_000).contains(&time.tv_usec) {
        return Err(Errno::EINVAL);
    }
    Ok((time.tv_sec as u64).saturating_mul(SECOND).saturating_add(time.tv_usec as u64 * 1_000))
}

/// A `struct itimerspec` of time left and interval.
pub(crate) fn itimerspec((value, interval): (Nanos, Nanos)) -> Itimerspec {
    Itimerspec { it_interval: timespec(interval), it_value: timespec(value) }
}

/// What a clock shows.
///
/// # Errors
/// `EINVAL` for a clock that there is not.
fn clock(cx: &Ctx<'_>, clock: i32) -> Result<Nanos, Errno> {
    if clock < 0 {
        return processor_clock(cx, clock).map(|clock| cx.kernel.cpu_clock(clock));
    }
    Ok(match clock as u32 {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI | CLOCK_REALTIME_ALARM => cx.kernel.realtime(),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => {
            cx.kernel.now()
        }
        CLOCK_PROCESS_CPUTIME_ID => cx.kernel.cpu_time(cx.pid()),
        CLOCK_THREAD_CPUTIME_ID => cx.task().user_time + cx.task().system_time,
        _ => return Err(Errno::EINVAL),
    })
}

/// What the clocks of clock_getcpuclockid(3) count: the process or thread is in the upper bits, inverted.
fn processor_clock(cx: &Ctx<'_>, clock: i32) -> Result<CpuClock, Errno> {
    const THREAD: i32 = 4;
    let id = !(clock >> 3) as u32;
    if clock & 3 == 3 {
        return Err(Errno::EINVAL);
    }
    if clock & THREAD != 0 {
        let tid = if id == 0 { cx.tid } else { id };
        cx.kernel.tasks.get(&tid).filter(|task| task.tgid == cx.pid()).ok_or(Errno::EINVAL)?;
        return Ok(CpuClock::Thread(tid));
    }
    let pid = if id == 0 { cx.pid() } else { id };
    if cx.kernel.processes.contains_key(&pid) { Ok(CpuClock::Process(pid)) } else { Err(Errno::EINVAL) }
}

/// clock_gettime(2).
pub(crate) fn clock_gettime(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let now = clock(cx, a.i32::<0>())?;
    cx.write_struct(a.u64::<1>(), &timespec(now))?;
    Ok(0)
}

/// clock_getres(2).
pub(crate) fn clock_getres(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    clock(cx, a.i32::<0>())?;
    let coarse = matches!(a.u32::<0>(), CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE);
    if a.u64::<1>() != 0 {
        cx.write_struct(a.u64::<1>(), &timespec(if coarse { COARSE } else { 1 }))?;
    }
    Ok(0)
}

/// clock_settime(2): a container's root may not set the time either.
pub(crate) fn clock_settime(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    // Processor clocks of others are negative; of the rest only this one can be set.
    if a.i32::<0>() >= 0 && a.u32::<0>() != CLOCK_REALTIME {
        return Err(Errno::EINVAL.into());
    }
    let time: Timespec = cx.read_struct(a.u64::<1>())?;
    if a.i32::<0>() < 0 {
        processor_clock(cx, a.i32::<0>())?;
    } else {
        settable(from_timespec(&time)?)?;
    }
    Err(Errno::EPERM.into())
}

/// Whether a time may be set: Linux wants one that 30 years of running do not overflow.
fn settable(time: Nanos) -> Result<(), Errno> {
    const YEARS_30: u64 = 30 * 365 * 24 * 3600 * SECOND;
    if time > i64::MAX as u64 - YEARS_30 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// settimeofday(2), refused as clock_settime(2) is.
pub(crate) fn settimeofday(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u64::<0>() != 0 {
        let time: Timeval = cx.read_struct(a.u64::<0>())?;
        settable(from_timeval(&time)?)?;
    }
    if a.u64::<1>() != 0 {
        cx.read_struct::<Timezone>(a.u64::<1>())?;
    }
    Err(Errno::EPERM.into())
}

/// gettimeofday(2).
pub(crate) fn gettimeofday(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u64::<0>() != 0 {
        let now = timeval(cx.kernel.realtime());
        cx.write_struct(a.u64::<0>(), &now)?;
    }
    if a.u64::<1>() != 0 {
        cx.write_struct(a.u64::<1>(), &Timezone::default())?;
    }
    Ok(0)
}

/// Waits for a monotonic time; `rest` is where what is left goes when a signal handler ends a relative wait.
fn sleep_until(cx: &mut Ctx<'_>, until: Nanos, rest: u64) -> SysResult {
    let now = cx.kernel.now();
    if now >= until {
        return Ok(0);
    }
    if rest != 0 {
        // If a handler runs, the call ends with EINTR: the rest must be there before that.
        let _ = cx.write_struct(rest, &timespec(until - now));
    }
    Err(WaitFor::default().until(Some(until)).restart(RestartKind::NoHandler).into())
}

/// nanosleep(2).
pub(crate) fn nanosleep(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let time: Timespec = cx.read_struct(a.u64::<0>())?;
    let until = crate::poll::deadline(cx, Some(from_timespec(&time)?)).unwrap_or(0);
    sleep_until(cx, until, a.u64::<1>())
}

/// clock_nanosleep(2).
pub(crate) fn clock_nanosleep(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let id = a.u32::<0>();
    let realtime = match id {
        CLOCK_REALTIME | CLOCK_TAI | CLOCK_REALTIME_ALARM => true,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => false,
        CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => return Err(Errno::EOPNOTSUPP.into()),
        _ => return Err(Errno::EINVAL.into()),
    };
    let time: Timespec = cx.read_struct(a.u64::<2>())?;
    let time = from_timespec(&time)?;
    if a.u32::<1>() & TIMER_ABSTIME == 0 {
        let until = crate::poll::deadline(cx, Some(time)).unwrap_or(0);
        return sleep_until(cx, until, a.u64::<3>());
    }
    sleep_until(cx, monotonic(cx, realtime, time), 0)
}

/// An absolute time of a clock in monotonic time.
pub(crate) fn monotonic(cx: &Ctx<'_>, realtime: bool, at: Nanos) -> Nanos {
    if realtime {
        let ahead = at.saturating_sub(cx.kernel.realtime());
        cx.kernel.now().saturating_add(ahead)
    } else {
        at
    }
}

/// getitimer(2).
pub(crate) fn getitimer(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let pid = cx.pid();
    let (value, interval) = cx.kernel.itimer(pid, a.u32::<0>() as usize, None)?;
    cx.write_struct(a.u64::<1>(), &Itimerval { it_interval: timeval(interval), it_value: timeval(value) })?;
    Ok(0)
}

/// setitimer(2).
pub(crate) fn setitimer(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let new: Itimerval = if a.u64::<1>() == 0 { Itimerval::default() } else { cx.read_struct(a.u64::<1>())? };
    let new = (from_timeval(&new.it_value)?, from_timeval(&new.it_interval)?);
    let pid = cx.pid();
    let (value, interval) = cx.kernel.itimer(pid, a.u32::<0>() as usize, Some(new))?;
    if a.u64::<2>() != 0 {
        cx.write_struct(a.u64::<2>(), &Itimerval { it_interval: timeval(interval), it_value: timeval(value) })?;
    }
    Ok(0)
}

/// times(2).
pub(crate) fn times(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let usage = cx.kernel.usage_of(cx.pid());
    let children = cx.process().children_usage;
    if a.u64::<0>() != 0 {
        let tms = Tms {
            tms_utime: (usage.user_time / TICK) as i64,
            tms_stime: (usage.system_time / TICK) as i64,
            tms_cutime: (children.user_time / TICK) as i64,
            tms_cstime: (children.system_time / TICK) as i64,
        };
        cx.write_struct(a.u64::<0>(), &tms)?;
    }
    Ok(cx.kernel.now() / TICK)
}

/// timer_create(2).
pub(crate) fn timer_create(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let id = a.i32::<0>();
    let cpu = match id as u32 {
        CLOCK_PROCESS_CPUTIME_ID => Some(CpuClock::Process(cx.pid())),
        CLOCK_THREAD_CPUTIME_ID => Some(CpuClock::Thread(cx.tid)),
        _ if id < 0 => Some(processor_clock(cx, id)?),
        CLOCK_MONOTONIC_RAW | CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE => return Err(Errno::EOPNOTSUPP.into()),
        _ => clock(cx, id).map(|_| None)?,
    };
    let event: Sigevent = if a.u64::<1>() == 0 {
        Sigevent { sigev_signo: SIGALRM as i32, sigev_notify: SIGEV_SIGNAL as i32, ..Sigevent::default() }
    } else {
        cx.read_struct(a.u64::<1>())?
    };
    match event.sigev_notify as u32 {
        SIGEV_NONE => {}
        SIGEV_SIGNAL | SIGEV_THREAD | SIGEV_THREAD_ID => {
            let thread = event.sigev_notify_thread_id as u32;
            let known = event.sigev_notify as u32 != SIGEV_THREAD_ID || cx.process().threads.contains(&thread);
            if !(1..=64).contains(&event.sigev_signo) || !known {
                return Err(Errno::EINVAL.into());
            }
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    let pid = cx.pid();
    let timer = cx.kernel.posix_timer_create(pid, id, cpu, event)?;
    if a.u64::<1>() == 0
        && let Some(timer_state) = cx.process_mut().posix_timers.get_mut(&timer)
    {
        // Without an event the value is the timer's id.
        timer_state.event.sigev_value = timer as u64;
    }
    if let Err(errno) = cx.write_struct(a.u64::<2>(), &timer) {
        cx.kernel.posix_timer_delete(pid, timer)?;
        return Err(errno.into());
    }
    Ok(0)
}

fn timer_left(cx: &Ctx<'_>, id: i32) -> Result<(Nanos, Nanos), Errno> {
    let timer = cx.process().posix_timers.get(&id).ok_or(Errno::EINVAL)?;
    let now = timer.cpu.map_or_else(|| cx.kernel.now(), |clock| cx.kernel.cpu_clock(clock));
    let left = timer.timer.expires.map_or(0, |at| at.saturating_sub(now).max(1));
    Ok((left, timer.timer.interval))
}

/// timer_settime(2).
pub(crate) fn timer_settime(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let id = a.i32::<0>();
    if a.u64::<2>() == 0 {
        return Err(Errno::EINVAL.into());
    }
    let new: Itimerspec = cx.read_struct(a.u64::<2>())?;
    let (value, interval) = (from_timespec(&new.it_value)?, from_timespec(&new.it_interval)?);
    let old = timer_left(cx, id)?;
    let timer = cx.process().posix_timers.get(&id).ok_or(Errno::EINVAL)?;
    let (clock, cpu) = (timer.clock, timer.cpu);
    let now = cpu.map_or_else(|| cx.kernel.now(), |clock| cx.kernel.cpu_clock(clock));
    let expires = match value {
        0 => None,
        at if a.u32::<1>() & TIMER_ABSTIME != 0 && cpu.is_some() => Some(at),
        at if a.u32::<1>() & TIMER_ABSTIME != 0 => {
            Some(monotonic(cx, clock as u32 == CLOCK_REALTIME || clock as u32 == CLOCK_TAI, at))
        }
        after => Some(now.saturating_add(after)),
    };
    let pid = cx.pid();
    cx.kernel.posix_timer_set(pid, id, expires, interval)?;
    if a.u64::<3>() != 0 {
        cx.write_struct(a.u64::<3>(), &itimerspec(old))?;
    }
    Ok(0)
}

/// timer_gettime(2).
pub(crate) fn timer_gettime(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let left = timer_left(cx, a.i32::<0>())?;
    cx.write_struct(a.u64::<1>(), &itimerspec(left))?;
    Ok(0)
}

/// timer_getoverrun(2).
pub(crate) fn timer_getoverrun(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let timer = cx.process().posix_timers.get(&a.i32::<0>()).ok_or(Errno::EINVAL)?;
    Ok(timer.overrun as u64)
}

/// timer_delete(2).
pub(crate) fn timer_delete(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let pid = cx.pid();
    cx.kernel.posix_timer_delete(pid, a.i32::<0>())?;
    Ok(0)
}
