//! Timers that are read as files, timerfd_create(2).

use super::effects::{Effects, WaitPoint};
use super::{File, IoError, IoResult, Keys};
use crate::{Ctx, Kernel, Nanos};
use friscy_abi::Errno;
use friscy_abi::poll::{POLLIN, POLLRDNORM};
use friscy_vfs::Location;
use std::any::Any;
use std::cell::Cell;

/// A timer on the monotonic clock; one on the real-time clock is converted when it is set.
pub struct TimerFd {
    location: Location,
    /// Its clock.
    clock: u32,
    expires: Cell<Option<Nanos>>,
    interval: Cell<Nanos>,
    point: WaitPoint,
}

impl TimerFd {
    /// A timer that is not set.
    #[must_use]
    pub fn new(clock: u32, location: Location, id: u64, effects: &Effects) -> TimerFd {
        TimerFd {
            location,
            clock,
            expires: Cell::new(None),
            interval: Cell::new(0),
            point: WaitPoint::new(id, effects),
        }
    }

    /// The clock it was made for.
    #[must_use]
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// Sets it to expire at a monotonic time and each `interval` (0: once) after that; `None` disarms it.
    pub fn set(&self, expires: Option<Nanos>, interval: Nanos) {
        self.expires.set(expires);
        self.interval.set(interval);
        self.point.notify();
    }

    /// Time left (0: not set) and interval.
    #[must_use]
    pub fn remaining(&self, now: Nanos) -> (Nanos, Nanos) {
        let left = match self.expires.get() {
            None => 0,
            Some(at) if at > now => at - now,
            Some(at) => match self.interval.get() {
                0 => 0,
                interval => interval - (now - at) % interval,
            },
        };
        (left, self.interval.get())
    }

    /// Takes the expirations up to `now`.
    fn take(&self, now: Nanos) -> u64 {
        let Some(at) = self.expires.get().filter(|&at| at <= now) else { return 0 };
        match self.interval.get() {
            0 => {
                self.expires.set(None);
                1
            }
            interval => {
                let count = (now - at) / interval + 1;
                self.expires.set(Some(at.saturating_add(count.saturating_mul(interval))));
                count
            }
        }
    }
}

impl File for TimerFd {
    fn read(&self, cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        let out = buf.get_mut(..8).ok_or(Errno::EINVAL)?;
        match self.take(cx.kernel.now()) {
            0 => Err(IoError::WouldBlock),
            count => {
                out.copy_from_slice(&count.to_le_bytes());
                Ok(8)
            }
        }
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, k: &mut Kernel) -> u32 {
        if self.expires.get().is_some_and(|at| at <= k.now()) { POLLIN | POLLRDNORM } else { 0 }
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.point.key());
    }

    fn deadline(&self) -> Option<Nanos> {
        self.expires.get()
    }

    fn changes(&self, k: &mut Kernel) -> u64 {
        // Each expiration is a change, though nobody is told of it.
        let expired = match self.expires.get() {
            Some(at) if at <= k.now() => 1 + (k.now() - at).checked_div(self.interval.get()).unwrap_or(0),
            _ => 0,
        };
        self.point.changes().wrapping_add(expired)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
