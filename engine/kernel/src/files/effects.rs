//! What file objects do to tasks. An object cannot reach the kernel it lives in (it may be changing because its last
//! descriptor is being dropped), so it leaves a note here; the kernel acts on the notes before any task runs again.

use super::FileRef;
use crate::Pid;
use crate::error::WaitKey;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Something a file object wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Tasks that wait for the key are to look again.
    Wake(WaitKey),
    /// A terminal's signal for every process of a group.
    SignalGroup {
        /// Process group.
        pgid: Pid,
        /// Signal number.
        signo: u32,
    },
    /// A signal for a process.
    SignalProcess {
        /// The process.
        pid: Pid,
        /// Signal number.
        signo: u32,
    },
    /// A signal for a file's owner.
    SignalOwner {
        /// Who it is.
        owner: super::Owner,
        /// Signal number.
        signo: u32,
    },
    /// The terminal of this session hung up: SIGHUP and SIGCONT for the leader, and no
    /// process has it as its controlling terminal any more.
    Hangup {
        /// Session.
        sid: Pid,
        /// The terminal's number.
        tty: u32,
        /// The foreground process group, 0 for none.
        foreground: Pid,
    },
    /// Nobody has the terminal with this number open any more, or its other side: its name goes.
    TerminalGone(u32),
}

/// The notes not yet acted upon; clones are the same list.
#[derive(Clone, Debug, Default)]
pub struct Effects(Rc<Lists>);

#[derive(Default)]
struct Lists {
    notes: RefCell<Vec<Effect>>,
    released: RefCell<Vec<FileRef>>,
}

impl std::fmt::Debug for Lists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lists").field("notes", &self.notes).finish_non_exhaustive()
    }
}

impl Effects {
    /// Adds a note; a repeated one is kept once.
    pub fn push(&self, effect: Effect) {
        let mut list = self.0.notes.borrow_mut();
        if list.last() != Some(&effect) {
            list.push(effect);
        }
    }

    /// Takes all notes, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Effect> {
        self.0.notes.take()
    }

    /// Leaves files to be closed from a file that is being closed: sockets in flight in sockets in flight would each
    /// be closed within the other, as deep as a guest likes.
    pub fn release(&self, files: impl IntoIterator<Item = FileRef>) {
        self.0.released.borrow_mut().extend(files);
    }

    /// Takes the files that are to be closed.
    #[must_use]
    pub fn take_released(&self) -> Vec<FileRef> {
        self.0.released.take()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.notes.borrow().is_empty() && self.0.released.borrow().is_empty()
    }
}

/// A place where tasks wait for an object to change.
#[derive(Debug)]
pub struct WaitPoint {
    key: WaitKey,
    changes: Cell<u64>,
    effects: Effects,
}

impl WaitPoint {
    /// A place with a number of its own.
    #[must_use]
    pub fn new(id: u64, effects: &Effects) -> WaitPoint {
        WaitPoint { key: WaitKey::Object(id), changes: Cell::new(0), effects: effects.clone() }
    }

    /// What a task waits for.
    #[must_use]
    pub fn key(&self) -> WaitKey {
        self.key
    }

    /// How often the object has changed; edge-triggered epoll compares it.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Leaves a note.
    pub fn effect(&self, effect: Effect) {
        self.effects.push(effect);
    }

    /// The object changed: everybody who waits looks again.
    pub fn notify(&self) {
        self.changes.set(self.changes.get().wrapping_add(1));
        self.effects.push(Effect::Wake(self.key));
    }

    /// Everybody who waits looks again, though nothing new can be read: for what the object's own users did to it.
    pub fn wake(&self) {
        self.effects.push(Effect::Wake(self.key));
    }

    /// The list that notes go to.
    #[must_use]
    pub fn effects(&self) -> &Effects {
        &self.effects
    }
}
