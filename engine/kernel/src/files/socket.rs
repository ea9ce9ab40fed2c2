//! Sockets of the family AF_UNIX, unix(7): streams, sequences of packets, datagrams; file descriptors as messages.

use super::effects::{Effects, WaitPoint};
use super::{FileRef, IoError, IoResult};
use friscy_abi::Errno;
use friscy_abi::layout::Ucred;
use friscy_abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use friscy_abi::socket::{SOCK_SEQPACKET, SOCK_STREAM};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// How many bytes wait at a receiver before senders block (`net.core.wmem_default`).
pub const SOCKET_BUFFER: usize = 212_992;
/// How many datagrams wait at a receiver (`net.unix.max_dgram_qlen`).
const DATAGRAM_QUEUE: usize = 512;
/// The longest queue of connections (`net.core.somaxconn`).
const MAX_BACKLOG: usize = 4096;

/// Bytes on their way, with what was sent beside them.
pub struct Message {
    bytes: Vec<u8>,
    /// How many of them were received.
    taken: usize,
    /// The sender's address as in `sun_path`; empty for an unnamed one.
    from: Vec<u8>,
    /// Descriptors sent with it (`SCM_RIGHTS`).
    rights: Vec<FileRef>,
    /// Who sent it (`SCM_CREDENTIALS`).
    creds: Ucred,
}

/// What a receive gave.
#[derive(Default)]
pub struct Received {
    /// Bytes stored.
    pub count: usize,
    /// Length of the whole message, for one that was cut (`MSG_TRUNC`).
    pub full: usize,
    /// Sender's address.
    pub from: Vec<u8>,
    /// Descriptors sent with it.
    pub rights: Vec<FileRef>,
    /// Who sent it; absent at the end of a stream.
    pub creds: Option<Ucred>,
}

/// A socket.
pub struct Socket {
    kind: u32,
    /// Its own address as in `sun_path`.
    name: RefCell<Vec<u8>>,
    peer: RefCell<Weak<Socket>>,
    /// It is, or was, connected.
    connected: Cell<bool>,
    /// The other end is gone.
    peer_closed: Cell<bool>,
    queue: RefCell<VecDeque<Message>>,
    /// Bytes in the queue.
    queued: Cell<usize>,
    /// Connections not accepted yet; present while it listens.
    pending: RefCell<Option<VecDeque<Rc<Socket>>>>,
    backlog: Cell<usize>,
    no_read: Cell<bool>,
    no_write: Cell<bool>,
    pub(super) closed: Cell<bool>,
    own_creds: Cell<Ucred>,
    peer_creds: Cell<Ucred>,
    pass_creds: Cell<bool>,
    error: Cell<Option<Errno>>,
    point: WaitPoint,
}

impl Socket {
    /// A socket of `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET` that is neither bound nor connected.
    #[must_use]
    pub fn new(kind: u32, creds: Ucred, id: u64, effects: &Effects) -> Rc<Socket> {
        Rc::new(Socket {
            kind,
            name: RefCell::default(),
            peer: RefCell::default(),
            connected: Cell::new(false),
            peer_closed: Cell::new(false),
            queue: RefCell::default(),
            queued: Cell::new(0),
            pending: RefCell::new(None),
            backlog: Cell::new(0),
            no_read: Cell::new(false),
            no_write: Cell::new(false),
            closed: Cell::new(false),
            own_creds: Cell::new(creds),
            peer_creds: Cell::default(),
            pass_creds: Cell::new(false),
            error: Cell::new(None),
            point: WaitPoint::new(id, effects),
        })
    }

    /// Connects two sockets with each other (socketpair(2)).
    pub fn pair(a: &Rc<Socket>, b: &Rc<Socket>) {
        for (one, other) in [(a, b), (b, a)] {
            *one.peer.borrow_mut() = Rc::downgrade(other);
            one.connected.set(true);
            one.peer_creds.set(other.own_creds.get());
        }
    }

    /// `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET`.
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// Its address as in `sun_path`, empty when unnamed.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        self.name.borrow().clone()
    }

    /// Gives it an address.
    ///
    /// # Errors
    /// `EINVAL` if it has one.
    pub fn set_name(&self, name: Vec<u8>) -> Result<(), Errno> {
        if !self.name.borrow().is_empty() {
            return Err(Errno::EINVAL);
        }
        *self.name.borrow_mut() = name;
        Ok(())
    }

    /// The other end's address.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn peer_name(&self) -> Result<Vec<u8>, Errno> {
        self.peer.borrow().upgrade().map(|peer| peer.name()).ok_or(Errno::ENOTCONN)
    }

    /// Who the other end was when the connection was made (`SO_PEERCRED`).
    #[must_use]
    pub fn peer_creds(&self) -> Ucred {
        self.peer_creds.get()
    }

    /// Whether messages come with the sender's credentials (`SO_PASSCRED`).
    #[must_use]
    pub fn pass_creds(&self) -> bool {
        self.pass_creds.get()
    }

    /// Sets `SO_PASSCRED`.
    pub fn set_pass_creds(&self, on: bool) {
        self.pass_creds.set(on);
    }

    /// Takes the pending error (`SO_ERROR`).
    pub fn take_error(&self) -> Option<Errno> {
        self.error.take()
    }

    /// Whether it listens (`SO_ACCEPTCONN`).
    #[must_use]
    pub fn listening(&self) -> bool {
        self.pending.borrow().is_some()
    }

    /// Where tasks wait for it.
    #[must_use]
    pub fn point(&self) -> &WaitPoint {
        &self.point
    }

    fn has_peer_kind(&self) -> bool {
        self.kind == SOCK_STREAM || self.kind == SOCK_SEQPACKET
    }

    /// listen(2).
    ///
    /// # Errors
    /// `EOPNOTSUPP` for datagrams, `EINVAL` without an address or when connected.
    pub fn listen(&self, backlog: i32, creds: Ucred) -> Result<(), Errno> {
        if !self.has_peer_kind() {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.name.borrow().is_empty() || self.connected.get() {
            return Err(Errno::EINVAL);
        }
        self.backlog.set(usize::try_from(backlog).unwrap_or(MAX_BACKLOG).min(MAX_BACKLOG));
        self.own_creds.set(creds);
        self.pending.borrow_mut().get_or_insert_default();
        self.point.notify();
        Ok(())
    }

    /// Connects to `target`. For streams a connection waits there to be accepted; `server` is its other end, a new
    /// socket.
    ///
    /// # Errors
    /// `ECONNREFUSED`, `EISCONN`, `EPROTOTYPE`; a wait while the queue of connections is full.
    pub fn connect(self: &Rc<Socket>, target: &Rc<Socket>, server: Rc<Socket>) -> IoResult<()> {
        if self.kind != target.kind {
            return Err(Errno::EPROTOTYPE.into());
        }
        if target.closed.get() {
            return Err(Errno::ECONNREFUSED.into());
        }
        if !self.has_peer_kind() {
            *self.peer.borrow_mut() = Rc::downgrade(target);
            self.connected.set(true);
            return Ok(());
        }
        if self.connected.get() {
            return Err(Errno::EISCONN.into());
        }
        let mut pending = target.pending.borrow_mut();
        let queue = pending.as_mut().ok_or(Errno::ECONNREFUSED)?;
        if queue.len() > target.backlog.get() {
            return Err(IoError::WaitFor(target.point.key()));
        }
        server.own_creds.set(target.own_creds.get());
        *server.name.borrow_mut() = target.name();
        Socket::pair(self, &server);
        queue.push_back(server);
        drop(pending);
        target.point.notify();
        self.point.notify();
        Ok(())
    }

    /// Takes the next connection.
    ///
    /// # Errors
    /// `EINVAL` if it does not listen, `EOPNOTSUPP` for datagrams; a wait while there is none.
    pub fn accept(&self) -> IoResult<Rc<Socket>> {
        if !self.has_peer_kind() {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let mut pending = self.pending.borrow_mut();
        let socket = pending.as_mut().ok_or(Errno::EINVAL)?.pop_front().ok_or(IoError::WouldBlock)?;
        drop(pending);
        self.point.notify();
        Ok(socket)
    }

    /// Sends to the other end, or to `target`. Returns how many bytes went.
    ///
    /// # Errors
    /// `EPIPE`, `ENOTCONN`, `ECONNREFUSED`, `EMSGSIZE`; a wait while the receiver's queue is full.
    pub fn send(
        self: &Rc<Socket>,
        target: Option<&Rc<Socket>>,
        bytes: &[u8],
        rights: Vec<FileRef>,
        creds: Ucred,
    ) -> IoResult<usize> {
        if self.no_write.get() {
            return Err(Errno::EPIPE.into());
        }
        let peer = match target {
            Some(target) => target.clone(),
            None if !self.connected.get() => return Err(Errno::ENOTCONN.into()),
            None => match self.peer.borrow().upgrade() {
                Some(peer) => peer,
                None if self.has_peer_kind() => return Err(Errno::EPIPE.into()),
                None => return Err(Errno::ECONNREFUSED.into()),
            },
        };
        if peer.closed.get() || peer.no_read.get() {
            let errno = if self.has_peer_kind() || !peer.closed.get() { Errno::EPIPE } else { Errno::ECONNREFUSED };
            return Err(errno.into());
        }
        let room = SOCKET_BUFFER.saturating_sub(peer.queued.get());
        let count = if self.kind == SOCK_STREAM {
            if room == 0 {
                return Err(IoError::WouldBlock);
            }
            bytes.len().min(room)
        } else {
            if bytes.len() > SOCKET_BUFFER - 32 {
                return Err(Errno::EMSGSIZE.into());
            }
            if bytes.len() > room || peer.queue.borrow().len() >= DATAGRAM_QUEUE {
                return Err(IoError::WouldBlock);
            }
            bytes.len()
        };
        let sent = bytes.get(..count).unwrap_or(bytes);
        let mut queue = peer.queue.borrow_mut();
        match queue.back_mut() {
            // Bytes of a stream join those before them, unless something was sent beside either.
            Some(last)
                if self.kind == SOCK_STREAM
                    && rights.is_empty()
                    && last.rights.is_empty()
                    && last.creds == creds
                    && last.bytes.len() < 65_536 =>
            {
                last.bytes.extend_from_slice(sent);
            }
            _ => queue.push_back(Message { bytes: sent.to_vec(), taken: 0, from: self.name(), rights, creds }),
        }
        drop(queue);
        peer.queued.set(peer.queued.get() + count);
        peer.point.notify();
        Ok(count)
    }

    /// Receives into `buf`; with `peek` everything stays where it is.
    ///
    /// # Errors
    /// `ENOTCONN`, `ECONNRESET`; a wait while nothing is there.
    pub fn receive(&self, buf: &mut [u8], peek: bool) -> IoResult<Received> {
        if self.has_peer_kind() && !self.connected.get() {
            return Err(if self.kind == SOCK_STREAM { Errno::EINVAL } else { Errno::ENOTCONN }.into());
        }
        let mut queue = self.queue.borrow_mut();
        let mut received = Received::default();
        if queue.is_empty() {
            if let Some(errno) = self.error.take() {
                return Err(errno.into());
            }
            let ended = self.no_read.get() || self.has_peer_kind() && (self.peer_closed.get() || self.peer_stopped());
            return if ended { Ok(received) } else { Err(IoError::WouldBlock) };
        }
        let mut freed = 0;
        let mut at = 0;
        while let Some(message) = queue.get_mut(at) {
            // A stream's read goes on into the next message unless something comes beside it.
            if at > 0 && (!message.rights.is_empty() || received.creds.is_some_and(|creds| creds != message.creds)) {
                break;
            }
            if received.count > 0 && !received.rights.is_empty() {
                break;
            }
            let rest = message.bytes.get(message.taken..).unwrap_or_default();
            let room = buf.get_mut(received.count..).unwrap_or_default();
            let count = rest.len().min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            received.count += count;
            received.full += rest.len();
            received.creds = Some(message.creds);
            received.from.clone_from(&message.from);
            received.rights = if peek { message.rights.clone() } else { std::mem::take(&mut message.rights) };
            let whole = count == rest.len() || self.kind != SOCK_STREAM;
            if !peek {
                freed += if self.kind == SOCK_STREAM { count } else { rest.len() };
                message.taken += count;
            }
            if !whole || self.kind != SOCK_STREAM {
                if !peek && whole {
                    queue.remove(at);
                }
                break;
            }
            if peek {
                at += 1;
            } else {
                queue.remove(at);
            }
            if received.count == buf.len() {
                break;
            }
            // From here on only messages without descriptors follow.
            if !received.rights.is_empty() {
                break;
            }
        }
        drop(queue);
        if freed > 0 || !peek {
            self.queued.set(self.queued.get() - freed);
            self.point.wake();
            if let Some(peer) = self.peer.borrow().upgrade() {
                peer.point.notify();
            }
        }
        Ok(received)
    }

    fn peer_stopped(&self) -> bool {
        self.peer.borrow().upgrade().is_none_or(|peer| peer.no_write.get())
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn shutdown(&self, read: bool, write: bool) -> Result<(), Errno> {
        if self.has_peer_kind() && !self.connected.get() {
            return Err(Errno::ENOTCONN);
        }
        if read {
            self.no_read.set(true);
        }
        if write {
            self.no_write.set(true);
        }
        self.point.notify();
        if let Some(peer) = self.peer.borrow().upgrade() {
            peer.point.notify();
        }
        Ok(())
    }

    /// How many bytes the next receive could give: of a stream all, else of the next message.
    #[must_use]
    pub fn waiting(&self) -> usize {
        if self.kind == SOCK_STREAM {
            return self.queued.get();
        }
        self.queue.borrow().front().map_or(0, |message| message.bytes.len())
    }

    /// The other end.
    #[must_use]
    pub fn peer(&self) -> Option<Rc<Socket>> {
        self.peer.borrow().upgrade()
    }

    /// The last descriptor is gone.
    pub(super) fn close(&self) {
        self.closed.set(true);
        if let Some(pending) = self.pending.take() {
            for waiting in pending {
                waiting.close();
            }
        }
        let unread = !self.queue.take().is_empty();
        if self.has_peer_kind()
            && let Some(peer) = self.peer.borrow().upgrade()
        {
            peer.peer_closed.set(true);
            if unread {
                peer.error.set(Some(Errno::ECONNRESET));
            }
            peer.point.notify();
        }
        self.point.notify();
    }

    /// Events of poll(2) that hold.
    #[must_use]
    pub fn events(&self) -> u32 {
        if let Some(pending) = &*self.pending.borrow() {
            return if pending.is_empty() { 0 } else { POLLIN | POLLRDNORM };
        }
        let mut events = 0;
        let streamy = self.has_peer_kind();
        let ended = streamy && self.connected.get() && (self.peer_closed.get() || self.peer_stopped());
        if !self.queue.borrow().is_empty() || ended || self.no_read.get() {
            events |= POLLIN | POLLRDNORM;
        }
        if ended || self.no_read.get() {
            events |= POLLRDHUP;
        }
        if self.error.get().is_some() {
            events |= POLLERR;
        }
        if streamy && (!self.connected.get() || self.peer_closed.get() || (self.no_read.get() && self.no_write.get())) {
            events |= POLLHUP;
        }
        let room = self
            .peer
            .borrow()
            .upgrade()
            .is_none_or(|peer| peer.queued.get() < SOCKET_BUFFER && peer.queue.borrow().len() < DATAGRAM_QUEUE);
        if room || !streamy && !self.connected.get() {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }
}
