//! Timers of processes: setitimer(2), timer_create(2), and what is due.

use crate::error::Nanos;
use crate::kernel::Kernel;
use crate::sched::TimerId;
use crate::signal::{SIGALRM, SIGKILL, SIGPROF, SIGVTALRM, SIGXCPU, SigData, SigInfo};
use crate::{Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::layout::Sigevent;
use friscy_abi::sched::{RLIM_INFINITY, RLIMIT_CPU};
use friscy_abi::signal::{SI_TIMER, SIGEV_NONE, SIGEV_THREAD_ID};

/// One interval timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Itimer {
    /// When it fires: monotonic time, or the process's processor time for ITIMER_VIRTUAL and ITIMER_PROF.
    pub expires: Option<Nanos>,
    /// Its period, or 0.
    pub interval: Nanos,
}

impl Itimer {
    /// Moves the expiry past `now` by whole periods; returns how many periods beyond the first have passed.
    fn advance(&mut self, now: Nanos) -> u64 {
        let Some(at) = self.expires else { return 0 };
        if self.interval == 0 {
            self.expires = None;
            return 0;
        }
        let missed = now.saturating_sub(at) / self.interval;
        self.expires = Some(at.saturating_add(self.interval.saturating_mul(missed + 1)));
        missed
    }
}

/// ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF.
pub type ItimerSet = [Itimer; 3];

/// What a processor clock counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuClock {
    /// The time of all threads of a process.
    Process(Pid),
    /// That of one thread.
    Thread(Tid),
}

/// A timer of timer_create(2).
#[derive(Clone, Copy, Debug)]
pub struct PosixTimer {
    /// The clock it was made for.
    pub clock: i32,
    /// What it does.
    pub event: Sigevent,
    /// When it fires next: in monotonic time, or processor time if `cpu` says whose.
    pub timer: Itimer,
    /// Whose processor time it measures.
    pub cpu: Option<CpuClock>,
    /// Told apart from when it was armed before: a signal of then is dropped.
    pub armed: u32,
    /// Expirations since the signal was queued.
    pub missed: u64,
    /// What timer_getoverrun(2) says: of the signal taken last.
    pub overrun: i32,
}

impl Kernel {
    /// Acts on everything that is due at `now`.
    pub fn fire_timers(&mut self, now: Nanos) {
        while let Some(id) = self.sched.pop_due(now) {
            match id {
                TimerId::Wait(tid) => self.unblock(tid),
                TimerId::Real(pid) => {
                    let Some(process) = self.processes.get_mut(&pid) else { continue };
                    process.itimers[0].advance(now);
                    let next = process.itimers[0].expires;
                    self.sched.set_timer(id, next);
                    self.send_to_process(pid, SigInfo::kernel(SIGALRM));
                }
                TimerId::Posix(pid, timer) => self.fire_posix(pid, timer, now),
            }
        }
    }

    fn fire_posix(&mut self, pid: Pid, id: i32, now: Nanos) {
        let Some(timer) = self.processes.get_mut(&pid).and_then(|process| process.posix_timers.get_mut(&id)) else {
            return;
        };
        let missed = timer.timer.advance(now);
        let next = if timer.cpu.is_some() { None } else { timer.timer.expires };
        let (event, armed) = (timer.event, timer.armed);
        let notify = event.sigev_notify as u32;
        if notify == SIGEV_NONE {
            self.sched.set_timer(TimerId::Posix(pid, id), next);
            return;
        }
        self.sched.set_timer(TimerId::Posix(pid, id), next);
        // A timer has one signal: while that is queued, expirations are counted.
        let queued = self.timer_is_queued(pid, id, armed);
        let Some(timer) = self.process_mut(pid).posix_timers.get_mut(&id) else { return };
        timer.missed = if queued { timer.missed.saturating_add(missed + 1) } else { missed };
        if queued {
            return;
        }
        let info = SigInfo {
            signo: event.sigev_signo as u32,
            errno: 0,
            code: SI_TIMER,
            data: SigData::Timer { id, overrun: 0, value: event.sigev_value, armed },
        };
        let target = event.sigev_notify_thread_id as Tid;
        if notify == SIGEV_THREAD_ID {
            // Nobody gets it when the thread has ended.
            if self.tasks.get(&target).is_some_and(|task| task.tgid == pid) {
                self.send_to_task(target, info);
            }
        } else {
            self.send_to_process(pid, info);
        }
    }

    /// Whether a POSIX timer's signal waits in a queue of its process.
    fn timer_is_queued(&self, pid: Pid, id: i32, armed: u32) -> bool {
        let Some(process) = self.processes.get(&pid) else { return false };
        let mut threads = process.threads.iter().filter_map(|tid| self.tasks.get(tid));
        process.pending.has_timer(id, armed) || threads.any(|task| task.pending.has_timer(id, armed))
    }

    /// A signal was taken from a queue: a timer may queue its next one, and tells how many times it fired meanwhile.
    /// Answers whether the signal is to be dropped, because its timer was armed anew or deleted.
    pub(crate) fn signal_taken(&mut self, pid: Pid, info: &mut SigInfo) -> bool {
        let SigData::Timer { id, overrun, armed, .. } = &mut info.data else { return false };
        let now = self.now();
        let Some(timer) = self.processes.get_mut(&pid).and_then(|process| process.posix_timers.get_mut(id)) else {
            return true;
        };
        if timer.armed != *armed {
            return true;
        }
        if timer.cpu.is_none() && timer.timer.expires.is_some_and(|at| now >= at) {
            timer.missed = timer.missed.saturating_add(timer.timer.advance(now) + 1);
            let next = timer.timer.expires;
            self.sched.set_timer(TimerId::Posix(pid, *id), next);
        }
        timer.overrun = i32::try_from(timer.missed).unwrap_or(i32::MAX);
        timer.missed = 0;
        *overrun = timer.overrun;
        false
    }

    /// What a processor clock shows; 0 when nobody is left that it counts for.
    #[must_use]
    pub fn cpu_clock(&self, clock: CpuClock) -> Nanos {
        match clock {
            CpuClock::Process(pid) => self.cpu_time(pid),
            CpuClock::Thread(tid) => self.tasks.get(&tid).map_or(0, |task| task.user_time + task.system_time),
        }
    }

    /// Processor time of a process in nanoseconds.
    #[must_use]
    pub fn cpu_time(&self, pid: Pid) -> Nanos {
        let usage = self.usage_of(pid);
        usage.user_time.saturating_add(usage.system_time)
    }

    /// setitimer(2): sets (if given: value and interval, value 0 disarms) and returns the old value and interval.
    ///
    /// # Errors
    /// `EINVAL` for an unknown timer.
    pub fn itimer(&mut self, pid: Pid, which: usize, new: Option<(Nanos, Nanos)>) -> Result<(Nanos, Nanos), Errno> {
        if which > 2 {
            return Err(Errno::EINVAL);
        }
        let now = self.itimer_clock(pid, which);
        let process = self.process_mut(pid);
        let slot = process.itimers.get_mut(which).ok_or(Errno::EINVAL)?;
        // A timer that is about to fire is never reported as disarmed.
        let old = (slot.expires.map_or(0, |at| at.saturating_sub(now).max(1_000)), slot.interval);
        if let Some((value, interval)) = new {
            *slot = Itimer { expires: (value != 0).then(|| now.saturating_add(value)), interval };
            let expires = slot.expires;
            if which == 0 {
                self.sched.set_timer(TimerId::Real(pid), expires);
            }
        }
        Ok(old)
    }

    /// Arms or disarms a POSIX timer: first expiry in monotonic time, or that of its processor clock, and period.
    ///
    /// # Errors
    /// `EINVAL` for an unknown timer.
    pub fn posix_timer_set(&mut self, pid: Pid, id: i32, expires: Option<Nanos>, interval: Nanos) -> Result<(), Errno> {
        let timer = self.process_mut(pid).posix_timers.get_mut(&id).ok_or(Errno::EINVAL)?;
        timer.timer = Itimer { expires, interval: if expires.is_some() { interval } else { 0 } };
        timer.armed = timer.armed.wrapping_add(1);
        timer.missed = 0;
        timer.overrun = 0;
        let cpu = timer.cpu.is_some();
        self.sched.set_timer(TimerId::Posix(pid, id), expires.filter(|_| !cpu));
        if cpu {
            self.process_mut(pid).cpu_timers |= expires.is_some();
        }
        Ok(())
    }

    /// Removes a POSIX timer.
    ///
    /// # Errors
    /// `EINVAL` for an unknown timer.
    pub fn posix_timer_delete(&mut self, pid: Pid, id: i32) -> Result<(), Errno> {
        self.process_mut(pid).posix_timers.remove(&id).ok_or(Errno::EINVAL)?;
        self.sched.set_timer(TimerId::Posix(pid, id), None);
        Ok(())
    }

    /// Makes a POSIX timer, disarmed, and returns its id. As in Linux ids count up, and are used again when they have
    /// wrapped.
    ///
    /// # Errors
    /// `EAGAIN` when `RLIMIT_SIGPENDING` is reached: each timer has a place for its signal.
    pub fn posix_timer_create(
        &mut self,
        pid: Pid,
        clock: i32,
        cpu: Option<CpuClock>,
        event: Sigevent,
    ) -> Result<i32, Errno> {
        if !self.signal_room(pid) {
            return Err(Errno::EAGAIN);
        }
        let process = self.process_mut(pid);
        let id = loop {
            let id = process.next_timer;
            process.next_timer = id.checked_add(1).unwrap_or(0);
            if !process.posix_timers.contains_key(&id) {
                break id;
            }
        };
        let timer = PosixTimer { clock, event, timer: Itimer::default(), cpu, armed: 0, missed: 0, overrun: 0 };
        process.posix_timers.insert(id, timer);
        Ok(id)
    }

    /// Counts processor time for a task, and fires the timers that measure it.
    pub fn charge(&mut self, tid: Tid, user: Nanos) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.user_time += user;
        let pid = task.tgid;
        self.check_cpu_limit(pid);
        let Some(process) = self.processes.get(&pid) else { return };
        if process.cpu_timers {
            self.check_cpu_timers(pid);
        }
        let Some(process) = self.processes.get(&pid) else { return };
        if process.itimers[1].expires.is_none() && process.itimers[2].expires.is_none() {
            return;
        }
        for (which, signo) in [(1, SIGVTALRM), (2, SIGPROF)] {
            let used = self.itimer_clock(pid, which);
            let Some(timer) = self.process_mut(pid).itimers.get_mut(which) else { continue };
            if timer.expires.is_some_and(|at| used >= at) {
                timer.advance(used);
                self.send_to_process(pid, SigInfo::kernel(signo));
            }
        }
    }

    /// What an interval timer counts: ITIMER_VIRTUAL no time in system calls.
    fn itimer_clock(&self, pid: Pid, which: usize) -> Nanos {
        match which {
            0 => self.now(),
            1 => self.usage_of(pid).user_time,
            _ => self.cpu_time(pid),
        }
    }

    /// Fires the POSIX timers of a process that measure processor time.
    fn check_cpu_timers(&mut self, pid: Pid) {
        let Some(process) = self.processes.get(&pid) else { return };
        let armed: Vec<(i32, CpuClock, Nanos)> = process
            .posix_timers
            .iter()
            .filter_map(|(&id, timer)| Some((id, timer.cpu?, timer.timer.expires?)))
            .collect();
        for &(id, clock, at) in &armed {
            let now = self.cpu_clock(clock);
            if now >= at {
                self.fire_posix(pid, id, now);
            }
        }
        let process = self.process_mut(pid);
        process.cpu_timers =
            process.posix_timers.values().any(|timer| timer.cpu.is_some() && timer.timer.expires.is_some());
    }

    /// RLIMIT_CPU: SIGXCPU every second from the soft limit on, SIGKILL at the hard limit (getrlimit(2)).
    fn check_cpu_limit(&mut self, pid: Pid) {
        const SECOND: Nanos = 1_000_000_000;
        let Some(process) = self.processes.get(&pid) else { return };
        let Some(limit) = process.rlimits.0.get(RLIMIT_CPU as usize).copied() else { return };
        if limit.rlim_cur == RLIM_INFINITY && limit.rlim_max == RLIM_INFINITY {
            return;
        }
        let warned = process.cpu_limit_seen;
        let used = self.cpu_time(pid) / SECOND;
        if used >= limit.rlim_max {
            self.send_to_process(pid, SigInfo::kernel(SIGKILL));
        } else if used >= limit.rlim_cur && used > warned {
            self.process_mut(pid).cpu_limit_seen = used;
            self.send_to_process(pid, SigInfo::kernel(SIGXCPU));
        }
    }
}
