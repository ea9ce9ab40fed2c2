//! Sockets as open files.

use super::socket::Socket;
use super::{File, FileRef, Header, IoError, IoResult, Keys};
use crate::{Ctx, Kernel, Nanos};
use friscy_abi::Errno;
use friscy_abi::layout::Ucred;
use friscy_abi::socket::{SIOCATMARK, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET};
use friscy_abi::tty::{FIONREAD, TIOCOUTQ};
use friscy_vfs::Location;
use std::any::Any;
use std::rc::Rc;

/// A socket with its place in the file tree (`socket:[number]`).
pub struct SocketFile {
    socket: Rc<Socket>,
    location: Location,
}

/// Where a message is sent to.
#[derive(Clone)]
pub enum Target {
    /// A socket of AF_UNIX.
    Unix(Rc<Socket>),
    /// An Internet address.
    Inet(super::Endpoint),
}

impl SocketFile {
    /// Opens a socket.
    #[must_use]
    pub fn new(socket: Rc<Socket>, location: Location) -> SocketFile {
        SocketFile { socket, location }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Rc<Socket> {
        &self.socket
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.socket.close();
    }
}

impl Socket {
    /// `SO_RCVTIMEO` or `SO_SNDTIMEO` in nanoseconds.
    fn timeout(&self, name: u32) -> Option<Nanos> {
        self.inet.option(SOL_SOCKET, name).filter(|&time| time != 0)
    }

    /// Makes a wait one that ends after `SO_RCVTIMEO` or `SO_SNDTIMEO` (`name`), with `late` as its error.
    pub fn limit_wait<T>(&self, cx: &mut Ctx<'_>, name: u32, late: Errno, result: IoResult<T>) -> IoResult<T> {
        let (Err(IoError::WouldBlock), Some(timeout)) = (&result, self.timeout(name)) else { return result };
        let now = cx.kernel.now();
        let scratch = cx.scratch();
        let until = if scratch.again { scratch.deadline.unwrap_or(now) } else { now.saturating_add(timeout) };
        scratch.deadline = Some(until);
        Err(if now >= until { late.into() } else { IoError::WouldBlockUntil(until) })
    }

    /// Sends to the other end, or to `target`. Returns how many bytes went.
    ///
    /// # Errors
    /// As [`Socket::send`] and [`Ctx::send_udp`].
    pub fn send_to(
        self: &Rc<Socket>,
        cx: &mut Ctx<'_>,
        target: Option<&Target>,
        bytes: &[u8],
        rights: Vec<FileRef>,
        creds: Ucred,
        header: Header,
    ) -> IoResult<usize> {
        let result = match target {
            Some(Target::Unix(target)) => self.send(Some(target), bytes, rights, creds),
            Some(Target::Inet(to)) => cx.send_udp(self, Some(*to), bytes, creds, header),
            None if self.is_inet() && self.kind() == SOCK_DGRAM => cx.send_udp(self, None, bytes, creds, header),
            None => self.send(None, bytes, rights, creds),
        };
        self.limit_wait(cx, SO_SNDTIMEO, Errno::EAGAIN, result)
    }
}

impl File for SocketFile {
    fn read(&self, cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        let result = self.socket.receive(buf, false);
        Ok(self.socket.limit_wait(cx, SO_RCVTIMEO, Errno::EAGAIN, result)?.count)
    }

    fn write(&self, cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        let creds = cx.ucred();
        self.socket.send_to(cx, None, bytes, Vec::new(), creds, Header::default())
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, _k: &mut Kernel) -> u32 {
        self.socket.events()
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(self.socket.point().key());
        // A datagram socket's room is its receiver's.
        if self.socket.kind() == SOCK_DGRAM
            && let Some(peer) = self.socket.peer()
        {
            keys.push(peer.point().key());
        }
    }

    fn changes(&self, _k: &mut Kernel) -> u64 {
        self.socket.point().changes()
    }

    fn ioctl(&self, cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
        match request {
            FIONREAD if self.socket.listening() => Err(Errno::EINVAL.into()),
            FIONREAD => {
                cx.write_struct(arg, &(self.socket.waiting() as u32))?;
                Ok(0)
            }
            SIOCATMARK if self.socket.kind() == SOCK_STREAM => {
                cx.write_struct(arg, &u32::from(self.socket.at_mark()))?;
                Ok(0)
            }
            SIOCATMARK if !self.socket.is_inet() => Err(Errno::EOPNOTSUPP.into()),
            // Whatever was sent has arrived.
            TIOCOUTQ => {
                cx.write_struct(arg, &0u32)?;
                Ok(0)
            }
            _ => super::interface::ioctl(cx, request, arg),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
