//! POSIX message queues, mq_overview(7).

use super::effects::{Effects, WaitPoint};
use super::{File, FileRef, Keys, Netlink};
use crate::cred::Cred;
use crate::signal::{SigData, SigInfo};
use crate::{Kernel, Pid};
use friscy_abi::Errno;
use friscy_abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_abi::signal::SI_MESGQ;
use friscy_vfs::Location;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// The most queues (`/proc/sys/fs/mqueue/queues_max`).
pub const QUEUES_MAX: usize = 256;

/// What a message costs beside its bytes, for `RLIMIT_MSGQUEUE`.
const MESSAGE_COST: u64 = 48;

/// Who is told when a message arrives in an empty queue.
#[derive(Clone)]
pub struct Notification {
    /// The process.
    pub pid: Pid,
    /// How it is told.
    pub how: Notice,
}

/// How a process is told that a message arrived.
#[derive(Clone)]
pub enum Notice {
    /// Not at all (`SIGEV_NONE`).
    Nothing,
    /// By a signal, 0 being none, with `si_value`.
    Signal(u32, u64),
    /// By a cookie that comes through a netlink socket: the C library starts the thread of `SIGEV_THREAD` then.
    Cookie(FileRef, [u8; COOKIE]),
}

/// The length of the cookie in bytes. Its last byte says what happened.
pub const COOKIE: usize = 32;
/// A message arrived.
const WOKEN_UP: u8 = 1;
/// The registration ended otherwise.
const REMOVED: u8 = 2;

impl Notification {
    /// Sends the cookie, if there is one.
    fn send_cookie(&self, what: u8) {
        if let Notice::Cookie(socket, mut cookie) = self.how.clone()
            && let Some(socket) = socket.downcast::<Netlink>()
        {
            cookie[COOKIE - 1] = what;
            socket.deliver(cookie.to_vec());
        }
    }
}

/// A queue, named or with its name removed.
pub struct Mqueue {
    uid: u32,
    gid: u32,
    mode: u32,
    max_messages: u64,
    message_size: u64,
    messages: RefCell<BTreeMap<Reverse<u32>, VecDeque<Vec<u8>>>>,
    count: Cell<u64>,
    notification: RefCell<Option<Notification>>,
    point: WaitPoint,
}

impl Mqueue {
    /// An empty queue of `cred`'s for messages of up to `message_size` bytes.
    #[must_use]
    pub fn new(cred: &Cred, mode: u32, max_messages: u64, message_size: u64, id: u64, effects: &Effects) -> Mqueue {
        Mqueue {
            uid: cred.euid,
            gid: cred.egid,
            mode: mode & 0o777,
            max_messages,
            message_size,
            messages: RefCell::default(),
            count: Cell::new(0),
            notification: RefCell::default(),
            point: WaitPoint::new(id, effects),
        }
    }

    /// Checks that `cred` may read (4) and write (2) as the bits of `wanted` say.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn permission(&self, cred: &Cred, wanted: u32) -> Result<(), Errno> {
        const CAP_DAC_OVERRIDE: u32 = 1;
        let shift = if cred.euid == self.uid {
            6
        } else if cred.egid == self.gid || cred.in_group(self.gid) {
            3
        } else {
            0
        };
        let granted = self.mode >> shift & wanted == wanted || cred.capable(CAP_DAC_OVERRIDE);
        if granted { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether `cred` may remove its name: the owner may, and a privileged user.
    #[must_use]
    pub fn is_owner(&self, cred: &Cred) -> bool {
        const CAP_FOWNER: u32 = 3;
        cred.euid == self.uid || cred.capable(CAP_FOWNER)
    }

    /// What the queue may come to hold, as `RLIMIT_MSGQUEUE` counts.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.max_messages.saturating_mul(self.message_size.saturating_add(MESSAGE_COST))
    }

    /// The most messages.
    #[must_use]
    pub fn max_messages(&self) -> u64 {
        self.max_messages
    }

    /// The most bytes of a message.
    #[must_use]
    pub fn message_size(&self) -> u64 {
        self.message_size
    }

    /// Messages in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count.get()
    }

    /// Whether no message is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    /// Whether there is room for no other message.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count.get() >= self.max_messages
    }

    /// What a task waits for.
    #[must_use]
    pub fn point(&self) -> &WaitPoint {
        &self.point
    }

    /// Takes the oldest of the messages with the highest priority.
    pub fn receive(&self) -> Option<(Vec<u8>, u32)> {
        let mut messages = self.messages.borrow_mut();
        let mut first = messages.first_entry()?;
        let Reverse(priority) = *first.key();
        let message = first.get_mut().pop_front()?;
        if first.get().is_empty() {
            first.remove();
        }
        self.count.set(self.count.get() - 1);
        self.point.notify();
        Some((message, priority))
    }

    fn push(&self, message: Vec<u8>, priority: u32) {
        self.messages.borrow_mut().entry(Reverse(priority)).or_default().push_back(message);
        self.count.set(self.count.get() + 1);
        self.point.notify();
    }

    /// The process that is told of a message.
    #[must_use]
    pub fn notified(&self) -> Option<Pid> {
        self.notification.borrow().as_ref().map(|notification| notification.pid)
    }

    /// Says who is told.
    pub fn notify(&self, notification: Notification) {
        *self.notification.borrow_mut() = Some(notification);
    }

    /// Ends the registration of a process, if it has one.
    pub fn forget(&self, pid: Pid) {
        if self.notified() == Some(pid)
            && let Some(notification) = self.notification.take()
        {
            notification.send_cookie(REMOVED);
        }
    }
}

/// An open queue.
pub struct MqueueFile {
    queue: Rc<Mqueue>,
    location: Location,
}

impl MqueueFile {
    /// Opens a queue.
    #[must_use]
    pub fn new(queue: Rc<Mqueue>, location: Location) -> MqueueFile {
        MqueueFile { queue, location }
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &Rc<Mqueue> {
        &self.queue
    }
}

impl File for MqueueFile {
    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        let mut events = 0;
        if !self.queue.is_empty() {
            events |= POLLIN | POLLRDNORM;
        }
        if !self.queue.is_full() {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.queue.point.key());
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        self.queue.point.changes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Kernel {
    /// Puts a message of process `sender` into a queue that has room, and tells who wanted to be told, once, unless a
    /// task waits for the message anyway (mq_notify(3)).
    pub fn mqueue_send(&mut self, queue: &Mqueue, message: Vec<u8>, priority: u32, sender: Pid, uid: u32) {
        let waited_for = self.has_waiters(queue.point.key());
        let was_empty = queue.is_empty();
        queue.push(message, priority);
        if !was_empty || waited_for {
            return;
        }
        let Some(notification) = queue.notification.take() else { return };
        notification.send_cookie(WOKEN_UP);
        if let Notification { pid, how: Notice::Signal(signo @ 1.., value) } = notification {
            let data = SigData::Value { pid: sender as i32, uid, value };
            self.send_to_process(pid, SigInfo { signo, errno: 0, code: SI_MESGQ, data });
        }
    }
}
