//! Watches on files, inotify(7). What this guest does to files through system calls is seen; what a mapping writes is
//! not, as in Linux.

use super::effects::{Effects, WaitPoint};
use super::{File, IoError, IoResult, Keys};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::inotify::*;
use friscy_abi::poll::{POLLIN, POLLRDNORM};
use friscy_abi::tty::FIONREAD;
use friscy_vfs::{InodeId, InodeRef, Location};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

/// The most events of one instance that wait to be read (`fs.inotify.max_queued_events`).
const QUEUE_MAX: usize = 16_384;
/// Size of the fixed part of `struct inotify_event`, in bytes.
const HEADER: usize = 16;

/// An event that waits to be read.
#[derive(Clone, PartialEq, Eq)]
struct Event {
    wd: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Event {
    /// As it is read: the name is padded with zero bytes to a multiple of the fixed part's size.
    fn bytes(&self) -> Vec<u8> {
        let len = if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(HEADER) };
        let mut out = self.wd.to_le_bytes().to_vec();
        out.extend(self.mask.to_le_bytes());
        out.extend(self.cookie.to_le_bytes());
        out.extend((len as u32).to_le_bytes());
        out.extend(&self.name);
        out.resize(HEADER + len, 0);
        out
    }
}

struct Watch {
    inode: InodeRef,
    mask: u32,
}

/// What an instance watches and what it has seen.
pub struct Watches {
    watches: RefCell<BTreeMap<i32, Watch>>,
    last: Cell<i32>,
    queue: RefCell<VecDeque<Event>>,
    point: WaitPoint,
}

/// Every instance; clones are the same list.
#[derive(Clone, Default)]
pub struct Watchers(Rc<RefCell<Vec<Weak<Watches>>>>);

/// An instance as an open file.
pub struct Inotify {
    watches: Rc<Watches>,
    location: Location,
}

impl Watches {
    fn push(&self, event: Event) {
        let mut queue = self.queue.borrow_mut();
        // An event like the one before it says nothing new.
        if queue.back() == Some(&event) {
            return;
        }
        if queue.len() > QUEUE_MAX {
            return;
        }
        let full = queue.len() == QUEUE_MAX;
        let overflow = Event { wd: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: Vec::new() };
        queue.push_back(if full { overflow } else { event });
        drop(queue);
        self.point.notify();
    }

    fn note(&self, inode: InodeId, event: u32, cookie: u32, name: &[u8]) {
        let watches = self.watches.borrow();
        let hit =
            watches.iter().filter(|(_, watch)| watch.inode.id() == inode && watch.mask & event & IN_ALL_EVENTS != 0);
        let hit: Vec<(i32, u32)> = hit.map(|(&wd, watch)| (wd, watch.mask)).collect();
        drop(watches);
        for (wd, mask) in hit {
            self.push(Event { wd, mask: event, cookie, name: name.to_vec() });
            if mask & IN_ONESHOT != 0 {
                self.remove(wd);
            }
        }
    }

    /// Ends a watch, which the reader is told.
    fn remove(&self, wd: i32) -> bool {
        let had = self.watches.borrow_mut().remove(&wd).is_some();
        if had {
            self.push(Event { wd, mask: IN_IGNORED, cookie: 0, name: Vec::new() });
        }
        had
    }

    fn forget(&self, inode: InodeId) {
        let watches = self.watches.borrow();
        let gone: Vec<i32> = watches.iter().filter(|(_, watch)| watch.inode.id() == inode).map(|(&wd, _)| wd).collect();
        drop(watches);
        for wd in gone {
            self.remove(wd);
        }
    }
}

impl Watchers {
    /// Whether nobody watches anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn each(&self, act: impl Fn(&Watches)) {
        self.0.borrow_mut().retain(|watches| watches.strong_count() > 0);
        let all: Vec<Rc<Watches>> = self.0.borrow().iter().filter_map(Weak::upgrade).collect();
        for watches in all {
            act(&watches);
        }
    }

    /// Something happened to a file: whoever watches it, or the directory that holds it, is told.
    pub fn note(&self, at: &Location, event: u32) {
        if self.is_empty() {
            return;
        }
        let event = event | if at.inode().is_dir() { IN_ISDIR } else { 0 };
        let parent = at.parent_entry();
        self.each(|watches| {
            if let Some((dir, name)) = &parent {
                watches.note(dir.id(), event, 0, name);
            }
            watches.note(at.inode().id(), event, 0, b"");
        });
    }

    /// Something happened to a name in a directory.
    pub fn note_name(&self, dir: &InodeRef, name: &[u8], event: u32, is_dir: bool, cookie: u32) {
        if self.is_empty() {
            return;
        }
        let event = event | if is_dir { IN_ISDIR } else { 0 };
        self.each(|watches| watches.note(dir.id(), event, cookie, name));
    }

    /// Something happened to a file itself, whatever its name is; watches on one that was deleted end.
    pub fn note_self(&self, inode: &InodeRef, event: u32) {
        if self.is_empty() {
            return;
        }
        self.each(|watches| {
            watches.note(inode.id(), event, 0, b"");
            if event & IN_DELETE_SELF != 0 {
                watches.forget(inode.id());
            }
        });
    }
}

impl Inotify {
    /// An instance that watches nothing yet.
    #[must_use]
    pub fn new(location: Location, id: u64, effects: &Effects, all: &Watchers) -> Inotify {
        let watches = Rc::new(Watches {
            watches: RefCell::default(),
            last: Cell::new(0),
            queue: RefCell::default(),
            point: WaitPoint::new(id, effects),
        });
        all.0.borrow_mut().push(Rc::downgrade(&watches));
        Inotify { watches, location }
    }

    /// inotify_add_watch(2): the watch's number, the one that the file has already if it is watched.
    ///
    /// # Errors
    /// `EEXIST` with `IN_MASK_CREATE`.
    pub fn add(&self, at: &Location, mask: u32) -> Result<i32, Errno> {
        let mut watches = self.watches.watches.borrow_mut();
        let found = watches.iter_mut().find(|(_, watch)| watch.inode.id() == at.inode().id());
        if let Some((&wd, watch)) = found {
            if mask & IN_MASK_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            watch.mask = if mask & IN_MASK_ADD != 0 { watch.mask | mask } else { mask };
            return Ok(wd);
        }
        let wd = self.watches.last.get().wrapping_add(1).max(1);
        self.watches.last.set(wd);
        watches.insert(wd, Watch { inode: at.inode().clone(), mask });
        Ok(wd)
    }

    /// inotify_rm_watch(2).
    ///
    /// # Errors
    /// `EINVAL` for a number that is no watch.
    pub fn remove(&self, wd: i32) -> Result<(), Errno> {
        if self.watches.remove(wd) { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

impl File for Inotify {
    fn read(&self, _cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        let mut queue = self.watches.queue.borrow_mut();
        let mut count = 0;
        while let Some(event) = queue.front() {
            let bytes = event.bytes();
            let Some(slot) = buf.get_mut(count..count + bytes.len()) else { break };
            slot.copy_from_slice(&bytes);
            count += bytes.len();
            queue.pop_front();
        }
        match count {
            0 if queue.is_empty() => Err(IoError::WouldBlock),
            0 => Err(Errno::EINVAL.into()),
            _ => Ok(count),
        }
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        if self.watches.queue.borrow().is_empty() { 0 } else { POLLIN | POLLRDNORM }
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.watches.point.key());
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        self.watches.point.changes()
    }

    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let waiting: usize = self.watches.queue.borrow().iter().map(|event| event.bytes().len()).sum();
        cx.write_struct(arg, &(waiting as u32))?;
        Ok(0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
