//! Sockets that programs of this guest talk to each other with: unix(7), and tcp(7) and udp(7) over the loopback
//! interface. What they send and receive is in `socket_data.rs`, names are in `socket_names.rs` and `inet.rs`.

use super::effects::{Effects, WaitPoint};
use super::inet::Inet;
use super::socket_data::Message;
use super::urgent::Urgent;
use super::{IoError, IoResult};
use friscy_abi::Errno;
use friscy_abi::layout::Ucred;
use friscy_abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use friscy_abi::socket::{
    AF_INET6, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, SO_RCVBUF, SO_SNDBUF, SOCK_SEQPACKET, SOCK_STREAM,
    SOL_SOCKET,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// How many bytes wait at a receiver before senders block (`net.core.wmem_default`).
pub const SOCKET_BUFFER: usize = 212_992;
/// How many bytes of a TCP connection wait at the receiver at most, as long as it does not read: half of the buffer that
/// it begins with (`net.ipv4.tcp_rmem`).
const TCP_RECEIVE: usize = 65_536;
/// How many wait at the sender besides: what Linux's buffer grows to on the loopback interface.
const TCP_SEND: usize = 2_561_024;
/// How many datagrams wait at a receiver (`net.unix.max_dgram_qlen`).
pub(super) const DATAGRAM_QUEUE: usize = 512;
/// The longest queue of connections (`net.core.somaxconn`).
const MAX_BACKLOG: usize = 4096;

/// A socket.
pub struct Socket {
    domain: u32,
    kind: u32,
    /// `IPPROTO_TCP`, `IPPROTO_UDP` or `IPPROTO_UDPLITE`; 0 in the family AF_UNIX.
    protocol: u32,
    /// Its own address as in `sun_path`.
    name: RefCell<Vec<u8>>,
    /// What the families AF_INET and AF_INET6 have, and the options of every family.
    pub(super) inet: Inet,
    pub(super) peer: RefCell<Weak<Socket>>,
    /// It is, or was, connected.
    pub(super) connected: Cell<bool>,
    /// The other end is gone.
    pub(super) peer_closed: Cell<bool>,
    /// The other end sends nothing any more.
    pub(super) fin: Cell<bool>,
    pub(super) queue: RefCell<VecDeque<Message>>,
    pub(super) queued: Cell<usize>,
    /// Connections not accepted yet; present while it listens.
    pub(super) pending: RefCell<Option<VecDeque<Rc<Socket>>>>,
    backlog: Cell<usize>,
    pub(super) no_read: Cell<bool>,
    pub(super) no_write: Cell<bool>,
    pub(super) closed: Cell<bool>,
    pub(super) urgent: Urgent,
    own_creds: Cell<Ucred>,
    peer_creds: Cell<Ucred>,
    pass_creds: Cell<bool>,
    pub(super) error: Cell<Option<Errno>>,
    point: WaitPoint,
}

impl Socket {
    /// A socket of `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET` that is neither bound nor connected.
    /// Protocol 0 is the usual one.
    #[must_use]
    pub fn new(domain: u32, kind: u32, protocol: u32, creds: Ucred, id: u64, effects: &Effects) -> Rc<Socket> {
        Rc::new(Socket {
            domain,
            kind,
            protocol: match (domain, kind) {
                (AF_UNIX, _) => 0,
                (_, SOCK_STREAM) => IPPROTO_TCP,
                _ if protocol == IPPROTO_UDPLITE => IPPROTO_UDPLITE,
                _ => IPPROTO_UDP,
            },
            name: RefCell::default(),
            inet: Inet::default(),
            peer: RefCell::default(),
            connected: Cell::new(false),
            peer_closed: Cell::new(false),
            fin: Cell::new(false),
            queue: RefCell::default(),
            queued: Cell::new(0),
            pending: RefCell::new(None),
            backlog: Cell::new(0),
            no_read: Cell::new(false),
            no_write: Cell::new(false),
            closed: Cell::new(false),
            urgent: Urgent::default(),
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

    /// What the families AF_INET and AF_INET6 have, and the options of every family.
    #[must_use]
    pub fn inet(&self) -> &Inet {
        &self.inet
    }

    /// `AF_UNIX`, `AF_INET` or `AF_INET6`.
    #[must_use]
    pub fn domain(&self) -> u32 {
        self.domain
    }

    /// Whether an Internet socket has no port yet.
    #[must_use]
    pub fn is_unbound(&self) -> bool {
        self.inet.local.get().port == 0
    }

    /// Whether it is of the family AF_INET or AF_INET6.
    #[must_use]
    pub fn is_inet(&self) -> bool {
        self.domain != AF_UNIX
    }

    /// `IPPROTO_TCP`, `IPPROTO_UDP` or `IPPROTO_UDPLITE`; 0 in the family AF_UNIX.
    #[must_use]
    pub fn protocol(&self) -> u32 {
        self.protocol
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.is_inet() && self.kind == SOCK_STREAM
    }

    /// `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET`.
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// What follows the family in its address: `sun_path`, empty when unnamed; port and host of an Internet address.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        if self.is_inet() { self.inet.local.get().encode(self.domain) } else { self.name.borrow().clone() }
    }

    /// Gives it an address of AF_UNIX.
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

    /// The other end's address, as [`Socket::name`] gives its own.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn peer_name(&self) -> Result<Vec<u8>, Errno> {
        if self.is_inet() {
            let remote = self.inet.remote.get().filter(|_| self.connected.get() && !self.inet.reset.get());
            return remote.map(|remote| remote.encode(self.domain)).ok_or(Errno::ENOTCONN);
        }
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

    pub(super) fn has_peer_kind(&self) -> bool {
        self.kind == SOCK_STREAM || self.kind == SOCK_SEQPACKET
    }

    /// How many bytes that `sender` sent may wait at it.
    pub(super) fn capacity(&self, sender: &Socket) -> usize {
        if !self.is_tcp() {
            return SOCKET_BUFFER;
        }
        // A size that was set stays, and half of it is for what Linux keeps beside the bytes.
        let half = |socket: &Socket, name, usual| {
            socket.inet.option(SOL_SOCKET, name).map_or(usual, |size| usize::try_from(size / 2).unwrap_or(usual))
        };
        half(self, SO_RCVBUF, TCP_RECEIVE) + half(sender, SO_SNDBUF, TCP_SEND)
    }

    /// listen(2).
    ///
    /// # Errors
    /// `EOPNOTSUPP` for datagrams, `EINVAL` without an address or when connected.
    pub fn listen(&self, backlog: i32, creds: Ucred) -> Result<(), Errno> {
        if !self.has_peer_kind() {
            return Err(Errno::EOPNOTSUPP);
        }
        if !self.is_inet() && self.name.borrow().is_empty() || self.connected.get() {
            return Err(Errno::EINVAL);
        }
        self.backlog.set(usize::try_from(backlog).unwrap_or(MAX_BACKLOG).min(MAX_BACKLOG));
        self.own_creds.set(creds);
        self.pending.borrow_mut().get_or_insert_default();
        self.point.notify();
        Ok(())
    }

    /// Whether no connection can be added to those that wait to be accepted.
    pub(super) fn backlog_full(&self) -> bool {
        self.pending.borrow().as_ref().is_some_and(|queue| queue.len() > self.backlog.get())
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
        if !target.listening() {
            return Err(Errno::ECONNREFUSED.into());
        }
        if target.backlog_full() {
            return Err(IoError::WaitFor(target.point.key()));
        }
        *server.name.borrow_mut() = target.name();
        self.join(target, server);
        Ok(())
    }

    /// Makes the connection between this socket and `server`, which waits at `listener` to be accepted.
    pub(super) fn join(self: &Rc<Socket>, listener: &Socket, server: Rc<Socket>) {
        server.own_creds.set(listener.own_creds.get());
        Socket::pair(self, &server);
        listener.pending.borrow_mut().get_or_insert_default().push_back(server);
        listener.point.notify();
        self.point.notify();
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
        self.admit_late();
        self.point.wake();
        Ok(socket)
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn shutdown(&self, read: bool, write: bool) -> Result<(), Errno> {
        if self.is_tcp() && self.listening() {
            // A listener that is shut down for reading listens no more.
            if read {
                self.stop_listening();
            }
            return Ok(());
        }
        if (self.has_peer_kind() || self.is_inet()) && (!self.connected.get() || self.inet.reset.get()) {
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
            if write && self.has_peer_kind() {
                peer.fin.set(true);
            }
            peer.point.notify();
        }
        Ok(())
    }

    /// How many bytes the next receive could give: of a stream all, else of the next message.
    #[must_use]
    pub fn waiting(&self) -> usize {
        if self.kind == SOCK_STREAM {
            return self.before_mark();
        }
        self.queue.borrow().front().map_or(0, Message::len)
    }

    /// The other end.
    #[must_use]
    pub fn peer(&self) -> Option<Rc<Socket>> {
        self.peer.borrow().upgrade()
    }

    /// The last descriptor is gone.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.stop_listening();
        let queue = self.queue.take();
        let unread = !queue.is_empty();
        self.point.effects().release(queue.into_iter().flat_map(|message| message.rights));
        if self.has_peer_kind()
            && let Some(peer) = self.peer.borrow().upgrade()
        {
            if self.is_tcp() && (unread || self.inet.lingers_for_nothing()) {
                peer.reset();
            } else {
                peer.fin.set(true);
                peer.peer_closed.set(true);
                if unread {
                    peer.error.set(Some(Errno::ECONNRESET));
                }
            }
            peer.point.notify();
        }
        self.point.notify();
    }

    /// Nobody will accept the connections that wait, and no more come.
    fn stop_listening(&self) {
        let Some(pending) = self.pending.take() else { return };
        for waiting in pending {
            if waiting.is_tcp() {
                waiting.closed.set(true);
                if let Some(client) = waiting.peer() {
                    client.reset();
                }
            } else {
                waiting.close();
            }
        }
        self.refuse_late();
        self.point.notify();
    }

    /// Events of poll(2) that hold.
    #[must_use]
    pub fn events(&self) -> u32 {
        if let Some(pending) = &*self.pending.borrow() {
            return if pending.is_empty() { 0 } else { POLLIN | POLLRDNORM };
        }
        let mut events = if self.error.get().is_some() { POLLERR } else { 0 };
        let readable = if self.skips_next() { self.queued.get() > 1 } else { !self.queue.borrow().is_empty() };
        if readable {
            events |= POLLIN | POLLRDNORM;
        }
        if self.has_urgent() {
            events |= POLLPRI;
        }
        if self.is_inet() {
            return events | self.inet_events();
        }
        let streamy = self.has_peer_kind();
        let ended = streamy && self.connected.get() && (self.peer_closed.get() || self.fin.get());
        if ended || self.no_read.get() {
            events |= POLLIN | POLLRDNORM | POLLRDHUP;
        }
        if streamy && (!self.connected.get() || self.peer_closed.get() || (self.no_read.get() && self.no_write.get())) {
            events |= POLLHUP;
        }
        let room = self.peer.borrow().upgrade().is_none_or(|peer| peer.has_room(self));
        if room || !streamy && !self.connected.get() {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    pub(super) fn has_room(&self, sender: &Socket) -> bool {
        self.queued.get() < self.capacity(sender)
            && (self.has_peer_kind() || self.queue.borrow().len() < DATAGRAM_QUEUE)
    }

    /// Whether an AF_INET6 socket takes part in IPv6 alone (`IPV6_V6ONLY`).
    pub(super) fn v6_only(&self) -> bool {
        use friscy_abi::socket::{IPPROTO_IPV6, IPV6_V6ONLY};
        self.domain == AF_INET6 && self.inet.option(IPPROTO_IPV6, IPV6_V6ONLY).unwrap_or(0) != 0
    }
}
