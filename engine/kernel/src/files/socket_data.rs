//! What sockets send and receive.

use super::socket::{DATAGRAM_QUEUE, SOCKET_BUFFER, Socket};
use super::{Endpoint, FileRef, IoError, IoResult};
use friscy_abi::Errno;
use friscy_abi::layout::Ucred;
use friscy_abi::socket::SOCK_STREAM;
use std::rc::Rc;

/// What the header of a datagram says beside its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Packet {
    /// Where it was sent.
    pub to: Endpoint,
    /// Its time to live, or hop limit.
    pub hops: i32,
    /// Its type of service, or traffic class.
    pub class: i32,
}

/// Bytes on their way, with what was sent beside them.
pub struct Message {
    pub(super) bytes: Vec<u8>,
    /// How many of them were received.
    pub(super) taken: usize,
    /// The sender's address, as [`Socket::name`] gives it; empty for an unnamed one.
    pub(super) from: Vec<u8>,
    /// Descriptors sent with it (`SCM_RIGHTS`).
    pub(super) rights: Vec<FileRef>,
    /// Who sent it (`SCM_CREDENTIALS`).
    pub(super) creds: Ucred,
    pub(super) packet: Packet,
}

impl Message {
    /// How many bytes are left to be received.
    pub(super) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.taken)
    }
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
    /// What its header says, for a datagram of UDP.
    pub packet: Packet,
}

impl Socket {
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
        if self.no_write.get() || self.inet.reset.get() {
            return Err(self.error.take().unwrap_or(Errno::EPIPE).into());
        }
        if self.inet.connecting.get() {
            return Err(IoError::WouldBlock);
        }
        let peer = match target {
            Some(target) => target.clone(),
            None if !self.connected.get() && self.is_tcp() => return Err(Errno::EPIPE.into()),
            None if !self.connected.get() => return Err(Errno::ENOTCONN.into()),
            None => match self.peer.borrow().upgrade() {
                Some(peer) => peer,
                None if self.is_tcp() => return self.send_to_nobody(bytes),
                None if self.has_peer_kind() => return Err(Errno::EPIPE.into()),
                None => return Err(Errno::ECONNREFUSED.into()),
            },
        };
        if self.is_tcp() && peer.closed.get() {
            return self.send_to_nobody(bytes);
        }
        if peer.closed.get() || peer.no_read.get() && !self.is_tcp() {
            let errno = if self.has_peer_kind() || !peer.closed.get() { Errno::EPIPE } else { Errno::ECONNREFUSED };
            return Err(errno.into());
        }
        let room = peer.capacity(self).saturating_sub(peer.queued.get());
        let count = if self.kind() == SOCK_STREAM {
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
                if self.kind() == SOCK_STREAM
                    && rights.is_empty()
                    && last.rights.is_empty()
                    && last.creds == creds
                    && last.bytes.len() < 65_536 =>
            {
                last.bytes.extend_from_slice(sent);
            }
            _ => queue.push_back(Message {
                bytes: sent.to_vec(),
                taken: 0,
                from: if self.is_tcp() { Vec::new() } else { self.name() },
                rights,
                creds,
                packet: Packet::default(),
            }),
        }
        drop(queue);
        peer.queued.set(peer.queued.get() + count);
        peer.point().notify();
        Ok(count)
    }

    /// Receives into `buf`; with `peek` everything stays where it is.
    ///
    /// # Errors
    /// `ENOTCONN`, `ECONNRESET`; a wait while nothing is there.
    pub fn receive(&self, buf: &mut [u8], peek: bool) -> IoResult<Received> {
        if self.has_peer_kind() && !self.connected.get() {
            if self.inet.connecting.get() {
                return Err(IoError::WouldBlock);
            }
            if let Some(errno) = self.error.take() {
                return Err(errno.into());
            }
            let unix_stream = self.kind() == SOCK_STREAM && !self.is_inet();
            return Err(if unix_stream { Errno::EINVAL } else { Errno::ENOTCONN }.into());
        }
        let limit = self.until_mark(buf.len());
        let buf = buf.get_mut(..limit).unwrap_or_default();
        if !peek {
            self.skip_urgent();
        }
        // A look at what is there leaves the urgent byte out, too.
        let mut skip = usize::from(self.skips_next());
        let mut queue = self.queue.borrow_mut();
        let mut received = Received::default();
        if queue.is_empty() || skip > 0 && self.queued.get() == 1 {
            // What was sent before a reset is read first, and an end that was seen stays the end.
            if self.is_tcp() && self.fin.get() {
                return Ok(received);
            }
            if let Some(errno) = self.error.take() {
                return Err(errno.into());
            }
            let ended = self.no_read.get()
                || self.inet.reset.get()
                || self.has_peer_kind() && (self.peer_closed.get() || self.fin.get());
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
            let rest = message.bytes.get(message.taken + skip..).unwrap_or_default();
            skip = 0;
            let room = buf.get_mut(received.count..).unwrap_or_default();
            let count = rest.len().min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            received.count += count;
            received.full += rest.len();
            received.creds = Some(message.creds);
            received.packet = message.packet;
            received.from.clone_from(&message.from);
            received.rights = if peek { message.rights.clone() } else { std::mem::take(&mut message.rights) };
            let whole = count == rest.len() || self.kind() != SOCK_STREAM;
            if !peek {
                freed += if self.kind() == SOCK_STREAM { count } else { rest.len() };
                message.taken += count;
            }
            if !whole || self.kind() != SOCK_STREAM {
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
            self.pass(freed);
            self.queued.set(self.queued.get() - freed);
            self.point().wake();
            if let Some(peer) = self.peer.borrow().upgrade() {
                peer.point().notify();
            }
        }
        Ok(received)
    }

    /// Bytes for an end that is gone: the first are taken and answered by a reset.
    fn send_to_nobody(&self, bytes: &[u8]) -> IoResult<usize> {
        self.reset();
        self.point().notify();
        Ok(bytes.len())
    }
}
