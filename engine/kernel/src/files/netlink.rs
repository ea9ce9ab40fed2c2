//! Netlink sockets of the family NETLINK_ROUTE, netlink(7), rtnetlink(7): links and addresses can be listed, and there
//! is the loopback interface alone. That is what getifaddrs(3) and getaddrinfo(3) ask for.

use super::effects::{Effects, WaitPoint};
use super::interface::{INDEX, MTU};
use super::{File, IoError, IoResult, Keys};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use friscy_abi::socket::{AF_INET, AF_INET6, AF_UNSPEC, IFF_LOOPBACK, IFF_LOWER_UP, IFF_RUNNING, IFF_UP};
use friscy_vfs::Location;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Size of `struct nlmsghdr`, in bytes.
const HEADER: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_MULTI: u16 = 2;
const NLM_F_ACK: u16 = 4;
const NLM_F_ROOT: u16 = 0x100;
const NLM_F_MATCH: u16 = 0x200;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;

const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_FLAGS: u16 = 8;

/// `ARPHRD_LOOPBACK`.
const LOOPBACK_HARDWARE: u16 = 772;
/// `IFA_F_PERMANENT`.
const PERMANENT: u8 = 0x80;
/// `RT_SCOPE_HOST`.
const SCOPE_HOST: u8 = 254;

/// A socket of NETLINK_ROUTE.
pub struct Netlink {
    location: Location,
    kind: u32,
    port: Cell<u32>,
    answers: RefCell<VecDeque<Vec<u8>>>,
    point: WaitPoint,
}

/// Adds an attribute: length, type, value, padding to a multiple of 4.
fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend((value.len() as u16 + 4).to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// `struct ifinfomsg` of the loopback interface, and its attributes.
fn link() -> Vec<u8> {
    let flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP;
    let mut out = vec![AF_UNSPEC as u8, 0];
    out.extend(LOOPBACK_HARDWARE.to_le_bytes());
    out.extend(INDEX.to_le_bytes());
    out.extend(flags.to_le_bytes());
    out.extend([0; 4]);
    attribute(&mut out, IFLA_IFNAME, b"lo\0");
    attribute(&mut out, IFLA_TXQLEN, &1000u32.to_le_bytes());
    attribute(&mut out, IFLA_MTU, &MTU.to_le_bytes());
    attribute(&mut out, IFLA_ADDRESS, &[0; 6]);
    attribute(&mut out, IFLA_BROADCAST, &[0; 6]);
    out
}

/// `struct ifaddrmsg` of an address of the loopback interface, and its attributes.
fn address(family: u32) -> Vec<u8> {
    let prefix = if family == AF_INET { 8 } else { 128 };
    let mut out = vec![family as u8, prefix, PERMANENT, SCOPE_HOST];
    out.extend(INDEX.to_le_bytes());
    if family == AF_INET {
        attribute(&mut out, IFA_ADDRESS, &[127, 0, 0, 1]);
        attribute(&mut out, IFA_LOCAL, &[127, 0, 0, 1]);
        attribute(&mut out, IFA_LABEL, b"lo\0");
    } else {
        attribute(&mut out, IFA_ADDRESS, &core::net::Ipv6Addr::LOCALHOST.octets());
    }
    attribute(&mut out, IFA_FLAGS, &u32::from(PERMANENT).to_le_bytes());
    out
}

impl Netlink {
    /// A socket without a port; `kind` is `SOCK_RAW` or `SOCK_DGRAM`.
    #[must_use]
    pub fn new(kind: u32, location: Location, id: u64, effects: &Effects) -> Netlink {
        let point = WaitPoint::new(id, effects);
        Netlink { location, kind, port: Cell::new(0), answers: RefCell::default(), point }
    }

    /// `SOCK_RAW` or `SOCK_DGRAM`.
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// Its address: what follows the family in `struct sockaddr_nl`.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        [0u16.to_le_bytes().as_slice(), &self.port.get().to_le_bytes(), &[0; 4]].concat()
    }

    /// Gives it a port, once: the number asked for, or one made of the caller's id.
    pub fn bind(&self, wanted: u32, pid: u32) {
        if self.port.get() == 0 {
            self.port.set(if wanted == 0 { pid } else { wanted });
        }
    }

    /// Takes requests and queues the answers.
    pub fn request(&self, mut bytes: &[u8]) {
        while let Some(header) = bytes.first_chunk::<HEADER>() {
            let [l0, l1, l2, l3, k0, k1, f0, f1, rest @ ..] = *header;
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            let kind = u16::from_le_bytes([k0, k1]);
            let flags = u16::from_le_bytes([f0, f1]);
            let sequence = rest.first_chunk::<4>().map_or(0, |&bytes| u32::from_le_bytes(bytes));
            let Some(body) = bytes.get(HEADER..length) else { return };
            self.answer(kind, flags, sequence, body.first().map_or(AF_UNSPEC, |&family| u32::from(family)), header);
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        self.point.notify();
    }

    /// Queues what the kernel has to say of itself.
    pub(crate) fn deliver(&self, message: Vec<u8>) {
        self.answers.borrow_mut().push_back(message);
        self.point.notify();
    }

    fn answer(&self, kind: u16, flags: u16, sequence: u32, family: u32, header: &[u8; HEADER]) {
        let dump = flags & (NLM_F_ROOT | NLM_F_MATCH) != 0;
        let mut out = Vec::new();
        let mut add = |kind: u16, flags: u16, body: &[u8]| {
            out.extend((HEADER as u32 + body.len() as u32).to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(flags.to_le_bytes());
            out.extend(sequence.to_le_bytes());
            out.extend(self.port.get().to_le_bytes());
            out.extend(body);
            out.resize(out.len().next_multiple_of(4), 0);
        };
        let error = |errno: i32| [errno.to_le_bytes().as_slice(), header].concat();
        match kind {
            RTM_GETLINK if dump => add(RTM_NEWLINK, NLM_F_MULTI, &link()),
            RTM_GETLINK => add(RTM_NEWLINK, 0, &link()),
            RTM_GETADDR if dump => {
                for one in [AF_INET, AF_INET6] {
                    if family == AF_UNSPEC || family == one {
                        add(RTM_NEWADDR, NLM_F_MULTI, &address(one));
                    }
                }
            }
            RTM_GETROUTE if dump => {}
            // Nothing can be changed.
            _ => {
                add(NLMSG_ERROR, 0, &error(-i32::from(Errno::EPERM.0)));
                self.answers.borrow_mut().push_back(out);
                return;
            }
        }
        if dump {
            // Linux sends the end as a message of its own.
            let list = std::mem::take(&mut out);
            if !list.is_empty() {
                self.answers.borrow_mut().push_back(list);
            }
            let mut end = ((HEADER + 4) as u32).to_le_bytes().to_vec();
            end.extend(NLMSG_DONE.to_le_bytes());
            end.extend(NLM_F_MULTI.to_le_bytes());
            end.extend(sequence.to_le_bytes());
            end.extend(self.port.get().to_le_bytes());
            end.extend(0i32.to_le_bytes());
            self.answers.borrow_mut().push_back(end);
            return;
        }
        if flags & NLM_F_ACK != 0 {
            add(NLMSG_ERROR, 0, &error(0));
        }
        self.answers.borrow_mut().push_back(out);
    }

    /// Takes the next answer into `buf`, or looks at it. Returns how many bytes were stored and how many there are.
    ///
    /// # Errors
    /// A wait while there is none.
    pub fn receive(&self, buf: &mut [u8], peek: bool) -> IoResult<(usize, usize)> {
        let mut answers = self.answers.borrow_mut();
        let Some(answer) = answers.front() else { return Err(IoError::WouldBlock) };
        let count = answer.len().min(buf.len());
        buf.iter_mut().zip(answer).for_each(|(slot, &byte)| *slot = byte);
        let full = answer.len();
        if !peek {
            answers.pop_front();
        }
        Ok((count, full))
    }
}

impl File for Netlink {
    fn read(&self, _cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        Ok(self.receive(buf, false)?.0)
    }

    fn write(&self, cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        self.bind(0, cx.pid());
        self.request(bytes);
        Ok(bytes.len())
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        let readable = if self.answers.borrow().is_empty() { 0 } else { POLLIN | POLLRDNORM };
        readable | POLLOUT | POLLWRNORM
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.point.key());
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        self.point.changes()
    }

    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        super::interface::ioctl(cx, request, arg)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
