//! Descriptors of the host that are kept open: a bounded number, the one used last stays longest.

use crate::live::LiveId;
use core::cell::RefCell;
use friscy_abi::Errno;
use rustix::fd::OwnedFd;
use rustix::io::Errno as HostErrno;
use std::collections::BTreeMap;
use std::rc::Rc;

/// So many descriptors (`O_PATH`) of files that nobody has open are kept.
const KEPT: usize = 256;

#[derive(Default)]
struct Kept {
    /// By file: the descriptor, and when it was used.
    open: BTreeMap<LiveId, (Rc<OwnedFd>, u64)>,
    /// By time of use: the file.
    used: BTreeMap<u64, LiveId>,
    clock: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Descriptors(RefCell<Kept>);

impl Descriptors {
    /// The descriptor of a file, if it is open.
    pub(super) fn get(&self, id: LiveId) -> Option<Rc<OwnedFd>> {
        let kept = &mut *self.0.borrow_mut();
        let (fd, used) = kept.open.get_mut(&id)?;
        kept.used.remove(used);
        kept.clock += 1;
        *used = kept.clock;
        kept.used.insert(kept.clock, id);
        Some(fd.clone())
    }

    /// Keeps a descriptor, and closes the one not used for longest where there are too many.
    pub(super) fn keep(&self, id: LiveId, fd: Rc<OwnedFd>) {
        self.close(id);
        let kept = &mut *self.0.borrow_mut();
        while kept.open.len() >= KEPT {
            let Some((_, oldest)) = kept.used.pop_first() else { break };
            kept.open.remove(&oldest);
        }
        kept.clock += 1;
        kept.open.insert(id, (fd, kept.clock));
        kept.used.insert(kept.clock, id);
    }

    /// Closes the descriptor of a file.
    pub(super) fn close(&self, id: LiveId) {
        let kept = &mut *self.0.borrow_mut();
        if let Some((_, used)) = kept.open.remove(&id) {
            kept.used.remove(&used);
        }
    }

    /// Closes all; returns whether there were any.
    pub(super) fn close_all(&self) -> bool {
        let kept = core::mem::take(&mut *self.0.borrow_mut());
        !kept.open.is_empty()
    }

    /// Does something that may need a new descriptor. When the host has none left, those that are only kept make
    /// room once.
    pub(super) fn with_room<T>(&self, mut act: impl FnMut() -> Result<T, HostErrno>) -> Result<T, Errno> {
        let mut retried = false;
        loop {
            match act() {
                Err(HostErrno::INTR) => {}
                Err(HostErrno::MFILE | HostErrno::NFILE) if !retried && self.close_all() => retried = true,
                // It is friscy that has no descriptors left: to the guest that is the system.
                Err(HostErrno::MFILE) => return Err(Errno::ENFILE),
                result => return result.map_err(super::errno),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor() -> Rc<OwnedFd> {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        Rc::new(openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap())
    }

    #[test]
    fn the_one_not_used_for_longest_is_closed() {
        let fds = Descriptors::default();
        for id in 0..KEPT as u64 {
            fds.keep(LiveId(id), descriptor());
        }
        assert!(fds.get(LiveId(0)).is_some());
        fds.keep(LiveId(1000), descriptor());
        assert!(fds.get(LiveId(0)).is_some());
        assert!(fds.get(LiveId(1)).is_none());
        assert!(fds.get(LiveId(2)).is_some());
        assert_eq!(fds.0.borrow().open.len(), KEPT);
        assert_eq!(fds.0.borrow().used.len(), KEPT);
    }

    #[test]
    fn room_is_made_once() {
        let fds = Descriptors::default();
        fds.keep(LiveId(7), descriptor());
        let mut calls = 0;
        let result: Result<(), Errno> = fds.with_room(|| {
            calls += 1;
            Err(HostErrno::MFILE)
        });
        assert_eq!((result, calls), (Err(Errno::ENFILE), 2));
        assert!(fds.get(LiveId(7)).is_none());
    }
}
