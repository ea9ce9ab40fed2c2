//! Which Internet sockets have which ports, and who gets what is sent to one.

use super::inet::Endpoint;
use super::socket::Socket;
use core::net::Ipv6Addr;
use friscy_abi::Errno;
use friscy_abi::socket::{IPPROTO_TCP, SO_REUSEADDR, SO_REUSEPORT};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// Ports that are given to sockets without one (`net.ipv4.ip_local_port_range`).
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;
/// Which sockets have which ports.
#[derive(Default)]
pub struct Ports {
    /// By protocol and port.
    bound: BTreeMap<(u32, u16), Vec<Weak<Socket>>>,
    /// The ephemeral port given out last.
    last: u16,
}

pub(super) fn alive(socket: &Weak<Socket>) -> Option<Rc<Socket>> {
    socket.upgrade().filter(|socket| !socket.closed.get())
}

impl Ports {
    /// The living sockets with a port.
    pub(super) fn at(&self, protocol: u32, port: u16) -> impl Iterator<Item = Rc<Socket>> {
        self.bound
            .get(&(protocol, port))
            .into_iter()
            .flatten()
            .filter_map(alive)
            .filter(move |socket| socket.inet.local.get().port == port)
    }

    pub(super) fn add(&mut self, socket: &Rc<Socket>) {
        let list = self.bound.entry((socket.protocol(), socket.inet.local.get().port)).or_default();
        list.retain(|other| alive(other).is_some());
        list.push(Rc::downgrade(socket));
    }

    /// Whether a socket may have an address beside those that have it.
    pub(super) fn is_free(&self, socket: &Socket, wanted: Endpoint) -> bool {
        self.at(socket.protocol(), wanted.port).all(|other| {
            let has = other.inet.local.get();
            let families_meet = match (has.is_v4(), wanted.is_v4()) {
                (true, true) | (false, false) => true,
                (true, false) => wanted.is_any() && !socket.v6_only(),
                (false, true) => has.is_any() && !other.v6_only(),
            };
            let meet = families_meet && (has.is_any() || wanted.is_any() || has.ip == wanted.ip);
            let both = |name: u32| socket.inet.flag(name) && other.inet.flag(name);
            !meet || both(SO_REUSEPORT) || both(SO_REUSEADDR) && !other.listening()
        })
    }

    pub(super) fn ephemeral(&mut self, socket: &Socket, ip: Ipv6Addr) -> Result<u16, Errno> {
        self.bound.retain(|_, list| {
            list.retain(|socket| alive(socket).is_some());
            !list.is_empty()
        });
        for _ in EPHEMERAL {
            self.last = if self.last >= *EPHEMERAL.end() || self.last < *EPHEMERAL.start() {
                *EPHEMERAL.start()
            } else {
                self.last + 1
            };
            if !self.bound.contains_key(&(socket.protocol(), self.last)) {
                return Ok(self.last);
            }
        }
        let free = EPHEMERAL.into_iter().find(|&port| self.is_free(socket, Endpoint { ip, port }));
        free.ok_or(Errno::EADDRINUSE)
    }

    /// The socket that gets what is sent from one address to another: the one whose addresses fit best.
    pub(super) fn find(&self, protocol: u32, to: Endpoint, from: Endpoint) -> Option<Rc<Socket>> {
        let tcp = protocol == IPPROTO_TCP;
        let mut best: Option<(u32, Rc<Socket>)> = None;
        for socket in self.at(protocol, to.port) {
            let local = socket.inet.local.get();
            let v4_here = local.is_v4();
            let fits = local.ip == to.ip
                || local.is_any() && (v4_here == to.is_v4() || !v4_here && to.is_v4() && !socket.v6_only());
            if !fits || tcp && !socket.listening() {
                continue;
            }
            let remote = socket.inet.remote.get();
            if !tcp && socket.connected.get() && remote.is_some_and(|remote| remote != from) {
                continue;
            }
            let score = u32::from(!tcp && socket.connected.get()) * 4
                + u32::from(local.ip == to.ip) * 2
                + u32::from(v4_here == to.is_v4());
            // The first of equals, so that a group with SO_REUSEPORT is served in order; UDP prefers the newest.
            let better = best.as_ref().is_none_or(|(other, _)| score > *other || !tcp && score == *other);
            if better {
                best = Some((score, socket));
            }
        }
        best.map(|(_, socket)| socket)
    }
}
