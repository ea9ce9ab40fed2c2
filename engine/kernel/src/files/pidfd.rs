//! Descriptors that name processes, pidfd_open(2).

use super::{File, Keys};
use crate::error::WaitKey;
use crate::{Kernel, Pid};
use friscy_abi::poll::{POLLIN, POLLRDNORM};
use friscy_vfs::Location;
use std::any::Any;

/// A process by name: readable once it has ended. Ids are reused late, so the number tells processes apart.
pub struct PidFd {
    pid: Pid,
    location: Location,
}

impl PidFd {
    /// Names a process.
    #[must_use]
    pub fn new(pid: Pid, location: Location) -> PidFd {
        PidFd { pid, location }
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl File for PidFd {
    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, k: &mut Kernel) -> u32 {
        let lives = k.processes.get(&self.pid).is_some_and(|process| process.zombie.is_none());
        if lives { 0 } else { POLLIN | POLLRDNORM }
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(WaitKey::ProcessEnd(self.pid));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
