//! `siginfo_t` and queues of pending signals.

use super::{SIGCONT, SIGRTMIN, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SigSet};
use friscy_abi::signal::{SI_KERNEL, SI_USER};
use std::collections::VecDeque;

/// The part of `siginfo_t` that depends on the signal's origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SigData {
    /// kill(2), tgkill(2): sender's process and real user id.
    Kill {
        /// `si_pid`.
        pid: i32,
        /// `si_uid`.
        uid: u32,
    },
    /// sigqueue(3) and the like: sender and `si_value`.
    Value {
        /// `si_pid`.
        pid: i32,
        /// `si_uid`.
        uid: u32,
        /// `si_value`.
        value: u64,
    },
    /// A POSIX timer.
    Timer {
        /// `si_timerid`.
        id: i32,
        /// `si_overrun`.
        overrun: i32,
        /// `si_value`.
        value: u64,
        /// Which arming of the timer it is of; no part of `siginfo_t`.
        armed: u32,
    },
    /// SIGCHLD; waitid(2) reports the same fields.
    Child {
        /// `si_pid`.
        pid: i32,
        /// `si_uid`.
        uid: u32,
        /// `si_status`: exit status or signal.
        status: i32,
        /// `si_utime` in clock ticks.
        utime: u64,
        /// `si_stime` in clock ticks.
        stime: u64,
    },
    /// A fault: the address.
    Fault {
        /// `si_addr`.
        addr: u64,
    },
    /// SIGIO.
    Poll {
        /// `si_band`.
        band: i64,
        /// `si_fd`.
        fd: i32,
    },
    /// As rt_sigqueueinfo(2) gave it: bytes 16 to 127.
    Raw([u8; 112]),
}

/// A signal with what is known of its cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SigInfo {
    /// Signal number, 1 to 64.
    pub signo: u32,
    /// `si_errno`.
    pub errno: i32,
    /// `si_code`, see `friscy_abi::signal`.
    pub code: i32,
    /// The rest.
    pub data: SigData,
}

impl SigInfo {
    /// A signal sent by the kernel itself (`SI_KERNEL`).
    #[must_use]
    pub fn kernel(signo: u32) -> SigInfo {
        SigInfo { signo, errno: 0, code: SI_KERNEL, data: SigData::Kill { pid: 0, uid: 0 } }
    }

    /// A signal sent by kill(2) (`SI_USER`) or tgkill(2) (`SI_TKILL`).
    #[must_use]
    pub fn user(signo: u32, code: i32, pid: u32, uid: u32) -> SigInfo {
        SigInfo { signo, errno: 0, code, data: SigData::Kill { pid: pid as i32, uid } }
    }

    /// A signal caused by an instruction at a memory address.
    #[must_use]
    pub fn fault(signo: u32, code: i32, addr: u64) -> SigInfo {
        SigInfo { signo, errno: 0, code, data: SigData::Fault { addr } }
    }

    /// What is left of a signal for which there was no room in the queue: that it is pending.
    #[must_use]
    pub fn lost(signo: u32) -> SigInfo {
        SigInfo { signo, errno: 0, code: SI_USER, data: SigData::Kill { pid: 0, uid: 0 } }
    }

    fn is_lost(&self) -> bool {
        *self == SigInfo::lost(self.signo)
    }

    /// Whether it takes a place of its own in the queue, which `RLIMIT_SIGPENDING` bounds. A timer's has the place
    /// that was taken when the timer was made.
    fn takes_place(&self) -> bool {
        !self.is_lost() && !matches!(self.data, SigData::Timer { .. })
    }

    /// The 128 bytes of `siginfo_t` on riscv64.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 128] {
        let mut out = [0u8; 128];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(slot) = out.get_mut(at..at + bytes.len()) {
                slot.copy_from_slice(bytes);
            }
        };
        put(0, &self.signo.to_le_bytes());
        put(4, &self.errno.to_le_bytes());
        put(8, &self.code.to_le_bytes());
        match self.data {
            SigData::Kill { pid, uid } => {
                put(16, &pid.to_le_bytes());
                put(20, &uid.to_le_bytes());
            }
            SigData::Value { pid, uid, value } => {
                put(16, &pid.to_le_bytes());
                put(20, &uid.to_le_bytes());
                put(24, &value.to_le_bytes());
            }
            SigData::Timer { id, overrun, value, .. } => {
                put(16, &id.to_le_bytes());
                put(20, &overrun.to_le_bytes());
                put(24, &value.to_le_bytes());
            }
            SigData::Child { pid, uid, status, utime, stime } => {
                put(16, &pid.to_le_bytes());
                put(20, &uid.to_le_bytes());
                put(24, &status.to_le_bytes());
                put(32, &utime.to_le_bytes());
                put(40, &stime.to_le_bytes());
            }
            SigData::Fault { addr } => put(16, &addr.to_le_bytes()),
            SigData::Poll { band, fd } => {
                put(16, &band.to_le_bytes());
                put(24, &fd.to_le_bytes());
            }
            SigData::Raw(raw) => put(16, &raw),
        }
        out
    }

    /// A `siginfo_t` as a program gives it to rt_sigqueueinfo(2); the signal number is set to `signo`.
    #[must_use]
    pub fn from_bytes(signo: u32, bytes: &[u8; 128]) -> SigInfo {
        let word = |at: usize| {
            let mut four = [0u8; 4];
            four.copy_from_slice(&bytes[at..at + 4]);
            i32::from_le_bytes(four)
        };
        let mut raw = [0u8; 112];
        raw.copy_from_slice(&bytes[16..]);
        SigInfo { signo, errno: word(4), code: word(8), data: SigData::Raw(raw) }
    }
}

/// Signals that wait for delivery.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// The signals that are queued.
    pub set: SigSet,
    queue: VecDeque<SigInfo>,
}

impl Pending {
    /// Queues a signal. A standard signal that is already pending is merged with it; real-time ones queue up, and those
    /// of timers. Returns whether it was queued.
    pub fn push(&mut self, info: SigInfo) -> bool {
        let queues_up = info.signo >= SIGRTMIN || matches!(info.data, SigData::Timer { .. });
        if self.set.has(info.signo) && (!queues_up || info.is_lost()) {
            return false;
        }
        self.set.add(info.signo);
        self.queue.push_back(info);
        true
    }

    /// How many of the signals count against `RLIMIT_SIGPENDING`.
    #[must_use]
    pub fn places(&self) -> usize {
        self.queue.iter().filter(|info| info.takes_place()).count()
    }

    /// Whether the signal of a POSIX timer, armed for the `arming`th time, is queued.
    #[must_use]
    pub fn has_timer(&self, timer: i32, arming: u32) -> bool {
        let its =
            |info: &SigInfo| matches!(info.data, SigData::Timer { id, armed, .. } if (id, armed) == (timer, arming));
        self.queue.iter().any(its)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes the next signal of `allowed`: synchronous ones first, then the lowest number, in the order of queueing.
    pub fn take(&mut self, allowed: SigSet) -> Option<SigInfo> {
        let ready = self.set.and(allowed);
        let signo = ready.and(SigSet::SYNCHRONOUS).first().or(ready.first())?;
        self.take_signo(signo)
    }

    fn take_signo(&mut self, signo: u32) -> Option<SigInfo> {
        let at = self.queue.iter().position(|info| info.signo == signo)?;
        let info = self.queue.remove(at)?;
        if !self.queue.iter().any(|other| other.signo == signo) {
            self.set.remove(signo);
        }
        Some(info)
    }

    /// Drops every signal of `set`.
    pub fn discard(&mut self, set: SigSet) {
        if self.set.and(set).is_empty() {
            return;
        }
        self.set = self.set.without(set);
        self.queue.retain(|info| !set.has(info.signo));
    }
}

/// The signals that stop a process.
pub const STOP_SIGNALS: SigSet =
    SigSet(1 << (SIGSTOP - 1) | 1 << (SIGTSTP - 1) | 1 << (SIGTTIN - 1) | 1 << (SIGTTOU - 1));

/// SIGCONT as a set.
pub const CONT_SIGNAL: SigSet = SigSet(1 << (SIGCONT - 1));
