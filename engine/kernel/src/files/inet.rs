//! Sockets of the families AF_INET and AF_INET6 over the loopback interface, the only one there is: ip(7), ipv6(7),
//! tcp(7), udp(7). Addresses are kept as IPv6 ones, those of IPv4 mapped into them (RFC 4291, 2.5.5.2).

use super::inet_ports::alive;
use super::socket::Socket;
use super::socket_data::{Message, Packet};
use super::{IoError, IoResult};
use crate::Ctx;
use core::net::{Ipv4Addr, Ipv6Addr};
use friscy_abi::Errno;
use friscy_abi::layout::Ucred;
use friscy_abi::poll::{POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use friscy_abi::socket::{
    AF_INET, AF_INET6, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDPLITE, IPV6_TCLASS,
    IPV6_UNICAST_HOPS, SO_LINGER, SO_REUSEPORT, SOCK_STREAM, SOL_SOCKET, UDPLITE_RECV_CSCOV, UDPLITE_SEND_CSCOV,
};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

/// The longest datagram: 65,535 bytes less the headers of IPv4 and UDP.
const DATAGRAM_MAX: usize = 65_507;

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The address; one of IPv4 is mapped.
    pub ip: Ipv6Addr,
    /// The port, 0 for none.
    pub port: u16,
}

impl Default for Endpoint {
    fn default() -> Endpoint {
        Endpoint { ip: Ipv6Addr::UNSPECIFIED, port: 0 }
    }
}

impl Endpoint {
    /// Reads what follows the family in `struct sockaddr_in` or `struct sockaddr_in6`.
    ///
    /// # Errors
    /// `EINVAL` for too few bytes, `EAFNOSUPPORT` for another family.
    pub fn decode(family: u32, bytes: &[u8]) -> Result<Endpoint, Errno> {
        let port = bytes.first_chunk::<2>().map(|&port| u16::from_be_bytes(port)).ok_or(Errno::EINVAL)?;
        let ip = match family {
            AF_INET => {
                let ip: [u8; 4] = bytes.get(2..6).and_then(|ip| ip.try_into().ok()).ok_or(Errno::EINVAL)?;
                Ipv4Addr::from(ip).to_ipv6_mapped()
            }
            AF_INET6 => {
                let ip: [u8; 16] = bytes.get(6..22).and_then(|ip| ip.try_into().ok()).ok_or(Errno::EINVAL)?;
                Ipv6Addr::from(ip)
            }
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        Ok(Endpoint { ip, port })
    }

    /// What follows the family in the address that a socket of the family `domain` shows.
    #[must_use]
    pub fn encode(self, domain: u32) -> Vec<u8> {
        let mut out = self.port.to_be_bytes().to_vec();
        let ip = self.ip.octets();
        if domain == AF_INET6 {
            out.extend([0; 4]);
            out.extend(ip);
            out.extend([0; 4]);
        } else {
            out.extend(ip.get(12..).unwrap_or_default());
            out.extend([0; 8]);
        }
        out
    }

    pub(super) fn is_v4(self) -> bool {
        self.ip.to_ipv4_mapped().is_some()
    }

    /// Whether it is the wildcard of its family.
    pub(super) fn is_any(self) -> bool {
        self.ip.is_unspecified() || self.ip.to_ipv4_mapped().is_some_and(|ip| ip.is_unspecified())
    }

    /// Whether the loopback interface has the address.
    fn is_local(self) -> bool {
        self.ip.is_loopback() || self.ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
    }

    /// Where something sent there goes: to the loopback interface for a wildcard.
    fn destination(self) -> Endpoint {
        match self.ip.to_ipv4_mapped() {
            Some(ip) if ip.is_unspecified() => Endpoint { ip: Ipv4Addr::LOCALHOST.to_ipv6_mapped(), ..self },
            None if self.ip.is_unspecified() => Endpoint { ip: Ipv6Addr::LOCALHOST, ..self },
            _ => self,
        }
    }

    /// The address that something sent to this one comes from, unless the sender is bound to one.
    fn source(self) -> Ipv6Addr {
        if self.is_v4() { Ipv4Addr::LOCALHOST.to_ipv6_mapped() } else { Ipv6Addr::LOCALHOST }
    }
}

/// What a message says of its header, instead of the socket's options.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// Time to live, or hop limit.
    pub hops: Option<i32>,
    /// Type of service, or traffic class.
    pub class: Option<i32>,
}

/// What a socket of these families has beside what all sockets have.
#[derive(Default)]
pub struct Inet {
    pub(super) local: Cell<Endpoint>,
    pub(super) remote: Cell<Option<Endpoint>>,
    /// The wildcard of its address was replaced, and its port given, without being asked for: disconnecting undoes it.
    given: Cell<(bool, bool)>,
    /// A listener has no room for the connection yet.
    pub(super) connecting: Cell<bool>,
    /// What became of a connect(2) that did not wait is to be told by the next one.
    untold: Cell<bool>,
    /// The connection was reset or refused: nothing can be sent any more.
    pub(super) reset: Cell<bool>,
    /// Clients that a listener has no room for, with the other ends that are to be theirs.
    late: RefCell<VecDeque<(Weak<Socket>, Rc<Socket>)>>,
    /// Options by level and name, as they were set.
    options: RefCell<BTreeMap<(u32, u32), u64>>,
}

impl Inet {
    /// An option as it was set, if it was.
    #[must_use]
    pub fn option(&self, level: u32, name: u32) -> Option<u64> {
        self.options.borrow().get(&(level, name)).copied()
    }

    /// Keeps an option.
    pub fn set_option(&self, level: u32, name: u32, value: u64) {
        self.options.borrow_mut().insert((level, name), value);
    }

    pub(super) fn flag(&self, name: u32) -> bool {
        self.option(SOL_SOCKET, name).is_some_and(|value| value != 0)
    }

    /// Whether closing resets the connection: `SO_LINGER` is on with a time of 0.
    pub(super) fn lingers_for_nothing(&self) -> bool {
        self.option(SOL_SOCKET, SO_LINGER) == Some(1)
    }
}

impl Socket {
    /// The connection is gone: by a reset of the other end, or because the other end is not there.
    pub(super) fn reset(&self) {
        // Who knew that the other end sends no more learns only that it does not receive either (Linux, tcp_reset).
        let errno = if self.fin.get() { Errno::EPIPE } else { Errno::ECONNRESET };
        self.error.set(Some(errno));
        self.inet.reset.set(true);
        self.point().notify();
    }

    /// Events of poll(2) that hold, beside errors and what waits to be read (Linux, tcp_poll and datagram_poll).
    pub(super) fn inet_events(&self) -> u32 {
        const READ: u32 = POLLIN | POLLRDNORM;
        const WRITE: u32 = POLLOUT | POLLWRNORM;
        if self.inet.connecting.get() {
            return 0;
        }
        let reset = self.inet.reset.get();
        let no_read = self.no_read.get() || self.fin.get() || reset;
        let no_write = self.no_write.get() || reset;
        let mut events = if no_read { READ | POLLRDHUP } else { 0 };
        if no_read && no_write || self.is_tcp() && !self.connected.get() {
            events |= POLLHUP;
        }
        if no_write || !self.is_tcp() || self.peer().is_none_or(|peer| peer.has_room(self)) {
            events |= WRITE;
        }
        events
    }

    /// A connection was accepted: the next of those that found no room takes its place.
    pub(super) fn admit_late(&self) {
        while !self.backlog_full() {
            let Some((client, server)) = self.inet.late.borrow_mut().pop_front() else { return };
            if let Some(client) = alive(&client) {
                client.inet.connecting.set(false);
                client.join(self, server);
            }
        }
    }

    /// The listener is gone: who waits for room is refused.
    pub(super) fn refuse_late(&self) {
        for (client, _) in self.inet.late.take() {
            if let Some(client) = alive(&client) {
                client.refuse();
            }
        }
    }

    /// The wildcard of its family.
    pub(super) fn any_address(&self) -> Ipv6Addr {
        if self.domain() == AF_INET { Ipv4Addr::UNSPECIFIED.to_ipv6_mapped() } else { Ipv6Addr::UNSPECIFIED }
    }

    /// `IP_TTL` or `IPV6_UNICAST_HOPS`, as `to` is of one family or the other; 64 where none was chosen.
    fn hops(&self, to: Endpoint) -> i32 {
        let (level, name) = if to.is_v4() { (IPPROTO_IP, IP_TTL) } else { (IPPROTO_IPV6, IPV6_UNICAST_HOPS) };
        self.inet.option(level, name).map(|value| value as i32).filter(|&hops| hops >= 0).unwrap_or(64)
    }

    /// `IP_TOS` or `IPV6_TCLASS`.
    fn class(&self, to: Endpoint) -> i32 {
        let (level, name) = if to.is_v4() { (IPPROTO_IP, IP_TOS) } else { (IPPROTO_IPV6, IPV6_TCLASS) };
        self.inet.option(level, name).map(|value| value as i32).filter(|&class| class >= 0).unwrap_or(0)
    }

    /// Replaces a wildcard by the address that what is sent to `to` comes from.
    fn set_source(&self, to: Endpoint) {
        let local = self.inet.local.get();
        if local.is_any() {
            self.inet.local.set(Endpoint { ip: to.source(), ..local });
            self.inet.given.set((true, self.inet.given.get().1));
        }
    }

    fn refuse(&self) {
        self.inet.connecting.set(false);
        self.error.set(Some(Errno::ECONNREFUSED));
        self.inet.reset.set(true);
        self.point().notify();
    }

    /// Forgets whom it is connected with.
    pub(super) fn disconnect(&self) {
        let (ip, port) = self.inet.given.take();
        let mut local = self.inet.local.get();
        if ip {
            local.ip = self.any_address();
        }
        if port {
            local.port = 0;
        }
        self.inet.local.set(local);
        self.connected.set(false);
        self.inet.remote.set(None);
        self.inet.reset.set(false);
        self.inet.untold.set(false);
        self.fin.set(false);
    }
}

/// Whether the checksum of a datagram of UDP-Lite covers what its receiver wants to be covered, if it said so; 0 means
/// all of it (udplite(7)).
fn coverage_suffices(sender: &Socket, receiver: &Socket, len_bytes: usize) -> bool {
    const UDPLITE_HEADER: u64 = 8;
    let option = |socket: &Socket, name| socket.inet.option(IPPROTO_UDPLITE, name);
    let covered = option(sender, UDPLITE_SEND_CSCOV).unwrap_or(0);
    let partial = covered != 0 && covered < len_bytes as u64 + UDPLITE_HEADER;
    let wanted = option(receiver, UDPLITE_RECV_CSCOV);
    !partial || wanted.is_none_or(|wanted| wanted != 0 && wanted <= covered)
}

impl Ctx<'_> {
    /// Binds a socket to an address; port 0 is one that is free.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`; `EINVAL` if it is bound already.
    pub fn bind_inet(&mut self, socket: &Rc<Socket>, to: Endpoint) -> Result<(), Errno> {
        if socket.inet.local.get().port != 0 {
            return Err(Errno::EINVAL);
        }
        if !to.is_any() && !to.is_local() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let ports = &mut self.kernel.drivers.ports;
        let port = match to.port {
            0 => ports.ephemeral(socket, to.ip)?,
            port if ports.is_free(socket, to) => port,
            _ => return Err(Errno::EADDRINUSE),
        };
        socket.inet.local.set(Endpoint { port, ..to });
        ports.add(socket);
        Ok(())
    }

    /// Gives a socket without a port one.
    fn autobind(&mut self, socket: &Rc<Socket>) -> Result<(), Errno> {
        if socket.inet.local.get().port != 0 {
            return Ok(());
        }
        let any =
            if socket.domain() == AF_INET { Ipv4Addr::UNSPECIFIED.to_ipv6_mapped() } else { Ipv6Addr::UNSPECIFIED };
        self.bind_inet(socket, Endpoint { ip: any, port: 0 })
    }

    /// listen(2).
    ///
    /// # Errors
    /// As [`Socket::listen`].
    pub fn listen(&mut self, socket: &Rc<Socket>, backlog: i32) -> Result<(), Errno> {
        if socket.is_tcp() {
            if socket.connected.get() {
                return Err(Errno::EINVAL);
            }
            self.autobind(socket)?;
            let local = socket.inet.local.get();
            let taken = self.kernel.drivers.ports.at(IPPROTO_TCP, local.port).any(|other| {
                !Rc::ptr_eq(&other, socket)
                    && other.listening()
                    && other.inet.local.get() == local
                    && !(other.inet.flag(SO_REUSEPORT) && socket.inet.flag(SO_REUSEPORT))
            });
            if taken {
                return Err(Errno::EADDRINUSE);
            }
        }
        let creds = self.ucred();
        socket.listen(backlog, creds)
    }

    /// connect(2) to an Internet address.
    ///
    /// # Errors
    /// `ENETUNREACH`, `ECONNREFUSED`, `EISCONN`, `EALREADY`; `EINPROGRESS` with `nonblocking`; a wait while the listener
    /// has no room.
    pub fn connect_inet(&mut self, socket: &Rc<Socket>, to: Endpoint, nonblocking: bool) -> IoResult<()> {
        let to = to.destination();
        if socket.kind() == SOCK_STREAM {
            return self.connect_tcp(socket, to, nonblocking);
        }
        if !to.is_local() || to.is_v4() && socket.v6_only() {
            return Err(Errno::ENETUNREACH.into());
        }
        self.autobind(socket)?;
        socket.set_source(to);
        socket.inet.remote.set(Some(to));
        socket.connected.set(true);
        Ok(())
    }

    fn connect_tcp(&mut self, socket: &Rc<Socket>, to: Endpoint, nonblocking: bool) -> IoResult<()> {
        let inet = &socket.inet;
        if inet.connecting.get() {
            let again = self.task().scratch.again;
            return Err(if again { IoError::WouldBlock } else { Errno::EALREADY.into() });
        }
        if inet.untold.replace(false) {
            if let Some(errno) = socket.error.take() {
                socket.disconnect();
                return Err(errno.into());
            }
            if socket.connected.get() {
                return Ok(());
            }
        }
        if socket.connected.get() && !inet.reset.get() || socket.listening() {
            return Err(Errno::EISCONN.into());
        }
        socket.disconnect();
        if !to.is_local() || to.is_v4() && socket.v6_only() {
            return Err(Errno::ENETUNREACH.into());
        }
        self.autobind(socket)?;
        socket.set_source(to);
        let local = inet.local.get();
        if local.is_v4() != to.is_v4() {
            return Err(Errno::ENETUNREACH.into());
        }
        inet.remote.set(Some(to));
        let Some(listener) = self.kernel.drivers.ports.find(IPPROTO_TCP, to, local) else {
            if nonblocking {
                inet.untold.set(true);
                socket.refuse();
                return Err(Errno::EINPROGRESS.into());
            }
            socket.disconnect();
            return Err(Errno::ECONNREFUSED.into());
        };
        let server = self.new_socket(listener.domain(), SOCK_STREAM, 0);
        server.inet.local.set(to);
        server.inet.remote.set(Some(local));
        server.inet.options.replace(listener.inet.options.borrow().clone());
        inet.untold.set(nonblocking);
        if listener.backlog_full() {
            inet.connecting.set(true);
            inet.untold.set(true);
            listener.inet.late.borrow_mut().push_back((Rc::downgrade(socket), server));
            return Err(if nonblocking { Errno::EINPROGRESS.into() } else { IoError::WouldBlock });
        }
        socket.join(&listener, server);
        if nonblocking { Err(Errno::EINPROGRESS.into()) } else { Ok(()) }
    }

    /// Dissolves the association of a datagram socket, or a TCP connection (connect(2) with `AF_UNSPEC`).
    pub fn disconnect(&mut self, socket: &Rc<Socket>) {
        if !socket.has_peer_kind() {
            *socket.peer.borrow_mut() = Weak::new();
        }
        if socket.is_tcp() {
            if let Some(peer) = socket.peer() {
                peer.reset();
            }
            *socket.peer.borrow_mut() = Weak::new();
            socket.queue.take();
            socket.queued.set(0);
            socket.urgent.clear();
        }
        socket.disconnect();
    }

    /// Sends a datagram to `to`, or where the socket is connected.
    ///
    /// # Errors
    /// `EDESTADDRREQ`, `EMSGSIZE`, `ENETUNREACH`; `ECONNREFUSED` when an earlier one found nobody.
    pub fn send_udp(
        &mut self,
        socket: &Rc<Socket>,
        to: Option<Endpoint>,
        bytes: &[u8],
        creds: Ucred,
        header: Header,
    ) -> IoResult<usize> {
        if let Some(errno) = socket.error.take() {
            return Err(errno.into());
        }
        if socket.no_write.get() {
            return Err(Errno::EPIPE.into());
        }
        if bytes.len() > DATAGRAM_MAX {
            return Err(Errno::EMSGSIZE.into());
        }
        let to = to.or(socket.inet.remote.get().filter(|_| socket.connected.get())).ok_or(Errno::EDESTADDRREQ)?;
        if to.port == 0 {
            return Err(Errno::EINVAL.into());
        }
        let to = to.destination();
        if !to.is_local() || to.is_v4() && socket.v6_only() {
            return Err(Errno::ENETUNREACH.into());
        }
        self.autobind(socket)?;
        let local = socket.inet.local.get();
        let from = if local.is_any() { Endpoint { ip: to.source(), ..local } } else { local };
        let Some(receiver) = self.kernel.drivers.ports.find(socket.protocol(), to, from) else {
            // An ICMP message comes back, which a connected socket learns of.
            if socket.connected.get() {
                socket.error.set(Some(Errno::ECONNREFUSED));
                socket.point().notify();
            }
            return Ok(bytes.len());
        };
        // Without room, or a reader, it is lost.
        let room = receiver.capacity(socket).saturating_sub(receiver.queued.get());
        if bytes.len() <= room && !receiver.no_read.get() && coverage_suffices(socket, &receiver, bytes.len()) {
            let from = from.encode(receiver.domain());
            let packet = Packet {
                to,
                hops: header.hops.unwrap_or_else(|| socket.hops(to)),
                class: header.class.unwrap_or_else(|| socket.class(to)),
            };
            let message = Message { bytes: bytes.to_vec(), taken: 0, from, rights: Vec::new(), creds, packet };
            receiver.queue.borrow_mut().push_back(message);
            receiver.queued.set(receiver.queued.get() + bytes.len());
            receiver.point().notify();
        }
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_as_their_socket_has_them() {
        let v4 = Endpoint::decode(AF_INET, &[0x1f, 0x90, 127, 0, 0, 1]).unwrap();
        assert_eq!(v4.ip, Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert_eq!(v4.port, 8080);
        assert_eq!(v4.encode(AF_INET), [0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mapped = v4.encode(AF_INET6);
        assert_eq!(mapped.len(), 26);
        assert_eq!(Endpoint::decode(AF_INET6, &mapped), Ok(v4));
        assert_eq!(Endpoint::decode(AF_INET, &[0x1f, 0x90, 127, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(Endpoint::decode(AF_INET6, &mapped[..21]), Err(Errno::EINVAL));
    }

    #[test]
    fn wildcards_mean_the_loopback_interface() {
        let any = Endpoint { ip: Ipv6Addr::UNSPECIFIED, port: 1 };
        assert_eq!(any.destination().ip, Ipv6Addr::LOCALHOST);
        let any = Endpoint { ip: Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), port: 1 };
        assert!(any.is_any() && any.destination().is_local());
        assert!(Endpoint { ip: Ipv4Addr::new(127, 9, 9, 9).to_ipv6_mapped(), port: 1 }.is_local());
        assert!(!Endpoint { ip: Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped(), port: 1 }.is_local());
    }
}
