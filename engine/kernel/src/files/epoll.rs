//! Interest lists, epoll(7).

use super::effects::{Effects, WaitPoint};
use super::{File, FileRef, Keys, OpenFile};
use crate::{Kernel, Nanos};
use friscy_abi::Errno;
use friscy_abi::poll::{EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLONESHOT, EPOLLWAKEUP, POLLIN, POLLRDNORM};
use friscy_vfs::Location;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// Interest lists that watch interest lists may nest so deep.
const MAX_NESTING: u32 = 5;

/// One entry of an interest list.
struct Interest {
    file: Weak<OpenFile>,
    events: u32,
    data: u64,
    /// The state of the file when it was last reported, for edge-triggered entries.
    reported: Option<(u64, u32)>,
    /// An `EPOLLONESHOT` entry that has been reported.
    disabled: bool,
}

/// What epoll_wait(2) reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpollReport {
    /// Ready events.
    pub events: u32,
    /// The user's data.
    pub data: u64,
}

/// An interest list, keyed by descriptor and open file description as in Linux.
pub struct Epoll {
    location: Location,
    list: RefCell<BTreeMap<(i32, u64), Interest>>,
    /// The entry at which the next report starts, so that all get their turn.
    next: RefCell<Option<(i32, u64)>>,
    point: WaitPoint,
}

impl Epoll {
    /// An empty list.
    #[must_use]
    pub fn new(location: Location, id: u64, effects: &Effects) -> Epoll {
        Epoll { location, list: RefCell::default(), next: RefCell::default(), point: WaitPoint::new(id, effects) }
    }

    fn check(&self, file: &FileRef) -> Result<(), Errno> {
        if !file.file().pollable() || file.is_path() {
            return Err(Errno::EPERM);
        }
        match file.downcast::<Epoll>() {
            Some(inner) if std::ptr::eq(inner, self) => Err(Errno::EINVAL),
            Some(inner) if inner.watches(self, MAX_NESTING) => Err(Errno::ELOOP),
            _ => Ok(()),
        }
    }

    /// Whether it watches `other`, directly or through lists it watches; true also beyond `depth`.
    fn watches(&self, other: &Epoll, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return true };
        self.list.borrow().values().any(|interest| {
            interest.file.upgrade().is_some_and(|file| {
                file.downcast::<Epoll>().is_some_and(|inner| std::ptr::eq(inner, other) || inner.watches(other, depth))
            })
        })
    }

    /// `EPOLL_CTL_ADD`.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn add(&self, fd: i32, file: &FileRef, events: u32, data: u64) -> Result<(), Errno> {
        self.check(file)?;
        let mut list = self.list.borrow_mut();
        list.retain(|_, interest| interest.file.strong_count() > 0);
        if list.contains_key(&(fd, file.id())) {
            return Err(Errno::EEXIST);
        }
        let interest = Interest { file: Rc::downgrade(file), events, data, reported: None, disabled: false };
        list.insert((fd, file.id()), interest);
        drop(list);
        self.point.notify();
        Ok(())
    }

    /// `EPOLL_CTL_MOD`.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn modify(&self, fd: i32, file: &FileRef, events: u32, data: u64) -> Result<(), Errno> {
        self.check(file)?;
        let mut list = self.list.borrow_mut();
        let interest = list.get_mut(&(fd, file.id())).ok_or(Errno::ENOENT)?;
        if (events | interest.events) & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        *interest = Interest { events, data, reported: None, disabled: false, file: Rc::downgrade(file) };
        drop(list);
        self.point.notify();
        Ok(())
    }

    /// `EPOLL_CTL_DEL`.
    ///
    /// # Errors
    /// `ENOENT`; `EPERM` for a file that cannot be watched.
    pub fn delete(&self, fd: i32, file: &FileRef) -> Result<(), Errno> {
        if !file.file().pollable() {
            return Err(Errno::EPERM);
        }
        self.list.borrow_mut().remove(&(fd, file.id())).map(|_| ()).ok_or(Errno::ENOENT)
    }

    /// The watched files; closed ones are forgotten.
    fn files(&self) -> Vec<((i32, u64), FileRef)> {
        let mut list = self.list.borrow_mut();
        list.retain(|_, interest| interest.file.strong_count() > 0);
        list.iter().filter_map(|(&key, interest)| Some((key, interest.file.upgrade()?))).collect()
    }

    /// The events of one entry that are to be reported now.
    fn ready(&self, k: &mut Kernel, key: (i32, u64), file: &FileRef, take: bool) -> Option<EpollReport> {
        let (wanted, disabled) = {
            let list = self.list.borrow();
            let interest = list.get(&key)?;
            (interest.events, interest.disabled)
        };
        if disabled {
            return None;
        }
        let mask = (wanted & !(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)) | EPOLLERR | EPOLLHUP;
        let events = file.file().poll(k) & mask;
        if events == 0 {
            return None;
        }
        let state = (file.file().changes(k), events);
        let mut list = self.list.borrow_mut();
        let interest = list.get_mut(&key)?;
        // An edge is a change of the file, or an event that did not hold at the last report.
        if wanted & EPOLLET != 0
            && interest.reported.is_some_and(|(changes, known)| changes == state.0 && events & !known == 0)
        {
            return None;
        }
        if take {
            interest.reported = Some(state);
            interest.disabled = wanted & EPOLLONESHOT != 0;
        }
        Some(EpollReport { events, data: interest.data })
    }

    /// Takes up to `max` reports.
    pub fn collect(&self, k: &mut Kernel, max: usize) -> Vec<EpollReport> {
        let files = self.files();
        let start = match *self.next.borrow() {
            Some(next) => files.iter().position(|&(key, _)| key >= next).unwrap_or(0),
            None => 0,
        };
        let mut reports = Vec::new();
        let (late, early) = files.split_at(start.min(files.len()));
        for (key, file) in early.iter().chain(late) {
            if reports.len() >= max {
                *self.next.borrow_mut() = Some(*key);
                return reports;
            }
            reports.extend(self.ready(k, *key, file, true));
        }
        *self.next.borrow_mut() = None;
        reports
    }

    /// For /proc/PID/fdinfo: descriptor, events and data of each entry.
    #[must_use]
    pub fn entries(&self) -> Vec<(i32, u32, u64)> {
        self.list.borrow().iter().map(|(key, interest)| (key.0, interest.events, interest.data)).collect()
    }
}

impl File for Epoll {
    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, k: &mut Kernel) -> u32 {
        let ready = self.files().iter().any(|(key, file)| self.ready(k, *key, file, false).is_some());
        if ready { POLLIN | POLLRDNORM } else { 0 }
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.point.key());
        for (_, file) in self.files() {
            file.file().wait_keys(keys);
        }
    }

    fn deadline(&self) -> Option<Nanos> {
        self.files().iter().filter_map(|(_, file)| file.file().deadline()).min()
    }

    fn changes(&self, k: &mut Kernel) -> u64 {
        self.files().iter().fold(self.point.changes(), |sum, (_, file)| sum.wrapping_add(file.file().changes(k)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
