//! The character devices without state: null, zero, full, random, urandom.

use super::{File, IoResult};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::layout::makedev;
use friscy_abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_vfs::Location;
use std::any::Any;

/// Which device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceKind {
    /// /dev/null, 1:3.
    Null,
    /// /dev/zero, 1:5.
    Zero,
    /// /dev/full, 1:7.
    Full,
    /// /dev/random and /dev/urandom, 1:8 and 1:9.
    Random,
}

impl DeviceKind {
    /// The device with this number, if it is one of these.
    #[must_use]
    pub fn from_rdev(rdev: u64) -> Option<DeviceKind> {
        const NULL: u64 = makedev(1, 3);
        const ZERO: u64 = makedev(1, 5);
        const FULL: u64 = makedev(1, 7);
        const RANDOM: u64 = makedev(1, 8);
        const URANDOM: u64 = makedev(1, 9);
        Some(match rdev {
            NULL => DeviceKind::Null,
            ZERO => DeviceKind::Zero,
            FULL => DeviceKind::Full,
            RANDOM | URANDOM => DeviceKind::Random,
            _ => return None,
        })
    }
}

/// An open device.
pub struct Device {
    kind: DeviceKind,
    location: Location,
}

impl Device {
    /// Opens a device whose node is at `location`.
    #[must_use]
    pub fn new(kind: DeviceKind, location: Location) -> Device {
        Device { kind, location }
    }

    /// Which device it is.
    #[must_use]
    pub fn kind(&self) -> DeviceKind {
        self.kind
    }
}

impl File for Device {
    fn read(&self, cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        match self.kind {
            DeviceKind::Null => return Ok(0),
            DeviceKind::Zero | DeviceKind::Full => buf.fill(0),
            DeviceKind::Random => cx.kernel.entropy.fill(buf),
        }
        Ok(buf.len())
    }

    fn write(&self, _cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        match self.kind {
            DeviceKind::Full => Err(Errno::ENOSPC.into()),
            _ => Ok(bytes.len()),
        }
    }

    fn seekable(&self) -> bool {
        true
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM
    }

    fn pollable(&self) -> bool {
        self.kind == DeviceKind::Random
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
