//! Sockets as open files.

use super::socket::Socket;
use super::{File, IoResult, Keys};
use crate::{Ctx, Kernel};
use friscy_abi::Errno;
use friscy_abi::socket::SOCK_DGRAM;
use friscy_abi::tty::FIONREAD;
use friscy_vfs::Location;
use std::any::Any;
use std::rc::Rc;

/// An open socket.
pub struct SocketFile {
    socket: Rc<Socket>,
    location: Location,
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

impl File for SocketFile {
    fn read(&self, _cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        Ok(self.socket.receive(buf, false)?.count)
    }

    fn write(&self, cx: &mut Ctx<'_>, _at: u64, bytes: &[u8]) -> IoResult<usize> {
        let creds = cx.ucred();
        self.socket.send(None, bytes, Vec::new(), creds)
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
            FIONREAD => {
                cx.write_struct(arg, &(self.socket.waiting() as u32))?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
