//! Event counters, eventfd(2).

use super::effects::{Effects, WaitPoint};
use super::{File, IoError, IoResult, Keys};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_vfs::Location;
use std::any::Any;
use std::cell::Cell;

/// A counter that can be waited for.
pub struct EventFd {
    location: Location,
    count: Cell<u64>,
    semaphore: bool,
    point: WaitPoint,
}

impl EventFd {
    /// A counter that starts at `initial`; with `semaphore` each read takes one.
    #[must_use]
    pub fn new(initial: u32, semaphore: bool, location: Location, id: u64, effects: &Effects) -> EventFd {
        EventFd { location, count: Cell::new(u64::from(initial)), semaphore, point: WaitPoint::new(id, effects) }
    }
}

impl File for EventFd {
    fn read(&self, _cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        let out = buf.get_mut(..8).ok_or(Errno::EINVAL)?;
        let count = self.count.get();
        if count == 0 {
            return Err(IoError::WouldBlock);
        }
        let taken = if self.semaphore { 1 } else { count };
        out.copy_from_slice(&taken.to_le_bytes());
        self.count.set(count - taken);
        // Room for writers is news only when there was none.
        if count == u64::MAX - 1 {
            self.point.notify();
        } else {
            self.point.wake();
        }
        Ok(8)
    }

    fn write(&self, _cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        let Some(&value) = bytes.first_chunk::<8>() else { return Err(Errno::EINVAL.into()) };
        let value = u64::from_le_bytes(value);
        if value == u64::MAX {
            return Err(Errno::EINVAL.into());
        }
        // The counter never reaches 2^64 - 1.
        if value > u64::MAX - 1 - self.count.get() {
            return Err(IoError::WouldBlock);
        }
        self.count.set(self.count.get() + value);
        self.point.notify();
        Ok(8)
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        let mut events = 0;
        if self.count.get() > 0 {
            events |= POLLIN | POLLRDNORM;
        }
        if self.count.get() < u64::MAX - 1 {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.point.key());
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        self.point.changes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
