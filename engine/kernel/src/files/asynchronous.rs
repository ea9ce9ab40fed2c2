//! Who gets the signals of a file, and SIGIO: fcntl(2), "Managing signals".

use super::effects::Effect;
use super::{FileRef, Keys, OpenFile};
use crate::error::WaitKey;
use crate::kernel::Kernel;
use crate::signal::{SigData, SigInfo};
use crate::{Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::fcntl::{F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, O_ASYNC};
use friscy_abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_abi::signal::{POLL_IN, POLL_OUT, SIGIO};
use std::rc::{Rc, Weak};

/// Who gets signals about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// `F_OWNER_TID`, `F_OWNER_PID` or `F_OWNER_PGRP`.
    pub kind: u32,
    /// Its number; 0 for nobody.
    pub id: u32,
}

impl Default for Owner {
    fn default() -> Owner {
        Owner { kind: F_OWNER_TID, id: 0 }
    }
}

impl Owner {
    /// As `F_SETOWN` says it: a process, or a group when negative.
    ///
    /// # Errors
    /// `EINVAL` for the one number that has no opposite.
    pub fn from_number(number: i32) -> Result<Owner, Errno> {
        match number {
            i32::MIN => Err(Errno::EINVAL),
            0.. => Ok(Owner { kind: F_OWNER_PID, id: number.unsigned_abs() }),
            _ => Ok(Owner { kind: F_OWNER_PGRP, id: number.unsigned_abs() }),
        }
    }

    /// As `F_GETOWN` tells it.
    #[must_use]
    pub fn number(self) -> i32 {
        if self.kind == F_OWNER_PGRP { (self.id as i32).wrapping_neg() } else { self.id as i32 }
    }
}

/// A description with `O_ASYNC`.
pub(super) struct Asynchronous {
    file: Weak<OpenFile>,
    keys: Keys,
    /// What poll(2) said last.
    events: u32,
    changes: u64,
}

impl Kernel {
    /// Checks that there is such an owner.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn check_owner(&self, owner: Owner) -> Result<(), Errno> {
        let exists = match owner.kind {
            _ if owner.id == 0 => true,
            F_OWNER_TID => self.tasks.contains_key(&(owner.id as Tid)),
            F_OWNER_PID => self.processes.contains_key(&(owner.id as Pid)),
            _ => !self.group_members(owner.id).is_empty(),
        };
        if exists { Ok(()) } else { Err(Errno::ESRCH) }
    }

    /// Sends a signal to a file's owner.
    pub(crate) fn signal_owner(&mut self, owner: Owner, info: SigInfo) {
        match owner.kind {
            _ if owner.id == 0 => {}
            F_OWNER_TID => self.send_to_task(owner.id, info),
            F_OWNER_PID => self.send_to_process(owner.id, info),
            _ => {
                self.send_to_group(owner.id, info);
            }
        }
    }

    /// A description got `O_ASYNC` by process `pid`, or lost it. A terminal's signals go to its foreground group, or that
    /// process, unless it has an owner.
    pub fn set_asynchronous(&mut self, file: &FileRef, pid: Pid) {
        let this = Rc::downgrade(file);
        self.drivers.asynchronous.retain(|other| other.file.strong_count() > 0 && !other.file.ptr_eq(&this));
        if file.flags() & O_ASYNC == 0 || !file.file().pollable() {
            return;
        }
        if let Some(tty) = file.downcast::<super::tty::Tty>()
            && file.owner().id == 0
        {
            file.set_owner(match tty.terminal().foreground() {
                0 => Owner { kind: F_OWNER_PID, id: pid },
                group => Owner { kind: F_OWNER_PGRP, id: group },
            });
        }
        let mut keys = Keys::new();
        file.file().wait_keys(&mut keys);
        let (events, changes) = (file.file().poll(self), file.file().changes(self));
        self.drivers.asynchronous.push(Asynchronous { file: this, keys, events, changes });
    }

    /// Something changed: tells the owners of descriptions that wait for it what they can do now.
    pub(super) fn signal_asynchronous(&mut self, key: WaitKey) {
        let mut list = std::mem::take(&mut self.drivers.asynchronous);
        let mut signals = Vec::new();
        list.retain_mut(|entry| {
            let Some(file) = entry.file.upgrade() else { return false };
            if !entry.keys.contains(&key) {
                return true;
            }
            let (events, changes) = (file.file().poll(self), file.file().changes(self));
            let became = events & !entry.events;
            if events & POLLIN != 0 && (became & POLLIN != 0 || changes != entry.changes) && file.readable() {
                signals.push((file.clone(), POLL_IN, POLLIN | POLLRDNORM));
            } else if became & POLLOUT != 0 && file.writable() {
                signals.push((file.clone(), POLL_OUT, POLLOUT | POLLWRNORM));
            }
            (entry.events, entry.changes) = (events, changes);
            true
        });
        self.drivers.asynchronous = list;
        for (file, code, band) in signals {
            let fd = file.signal_descriptor();
            let info = match file.owner_signal() {
                0 => SigInfo::kernel(SIGIO),
                signo => SigInfo { signo, errno: 0, code, data: SigData::Poll { band: i64::from(band), fd } },
            };
            self.signal_owner(file.owner(), info);
        }
    }

    /// What [`Effect::SignalOwner`] asks for.
    pub(super) fn settle_owner(&mut self, effect: Effect) {
        if let Effect::SignalOwner { owner, signo } = effect {
            self.signal_owner(owner, SigInfo::kernel(signo));
        }
    }
}
