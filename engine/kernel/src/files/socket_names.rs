//! Names of sockets: abstract ones, and those in the file tree, unix(7).

use super::FileRef;
use super::SocketFile;
use super::socket::Socket;
use crate::Ctx;
use friscy_abi::Errno;
use friscy_abi::layout::Ucred;
use friscy_vfs::Location;
use std::rc::{Rc, Weak};

/// What a socket's name in the file tree carries: the socket bound there, while it lives.
struct BoundHere(Weak<Socket>);

impl Ctx<'_> {
    /// The caller's process and effective ids, as `SCM_CREDENTIALS` shows them.
    #[must_use]
    pub fn ucred(&self) -> Ucred {
        let cred = &self.task().cred;
        Ucred { pid: self.pid() as i32, uid: cred.euid, gid: cred.egid }
    }

    /// A new socket. Protocol 0 is the usual one of the family and kind.
    pub fn new_socket(&mut self, domain: u32, kind: u32, protocol: u32) -> Rc<Socket> {
        let id = self.kernel.new_wait_id();
        let creds = self.ucred();
        let socket = Socket::new(domain, kind, protocol, creds, id, &self.kernel.drivers.effects);
        socket.inet.local.set(super::Endpoint { ip: socket.any_address(), port: 0 });
        socket
    }

    /// A description of a socket.
    pub fn describe_socket(&mut self, socket: Rc<Socket>, flags: u32) -> FileRef {
        let location = self.anonymous(friscy_vfs::FileType::Socket, &|ino| format!("socket:[{ino}]"));
        let file = SocketFile::new(socket, location);
        self.kernel.describe(Box::new(file), friscy_abi::fcntl::O_RDWR | flags)
    }

    /// Binds a socket to an abstract name (which starts with a zero byte), or finds a free one for an empty name.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EINVAL` if it is bound already.
    pub fn bind_abstract(&mut self, socket: &Rc<Socket>, name: Vec<u8>) -> Result<(), Errno> {
        let names = &mut self.kernel.drivers.socket_names;
        names.retain(|_, socket| socket.upgrade().is_some_and(|socket| !socket.closed.get()));
        let name = if name.is_empty() {
            (0u32..0x10_0000)
                .map(|number| format!("\0{number:05x}").into_bytes())
                .find(|name| !names.contains_key(name))
                .ok_or(Errno::ENOSPC)?
        } else {
            name
        };
        if names.contains_key(&name) {
            return Err(Errno::EADDRINUSE);
        }
        socket.set_name(name.clone())?;
        names.insert(name, Rc::downgrade(socket));
        Ok(())
    }

    /// Marks the inode of a name in the file tree as that of a socket.
    pub fn bind_inode(&mut self, socket: &Rc<Socket>, location: &Location) {
        location.inode().attach(Some(Rc::new(BoundHere(Rc::downgrade(socket)))));
    }

    /// The socket with an abstract name.
    ///
    /// # Errors
    /// `ECONNREFUSED`.
    pub fn abstract_socket(&self, name: &[u8]) -> Result<Rc<Socket>, Errno> {
        let socket = self.kernel.drivers.socket_names.get(name).and_then(Weak::upgrade);
        socket.filter(|socket| !socket.closed.get()).ok_or(Errno::ECONNREFUSED)
    }

    /// The socket bound to an inode.
    ///
    /// # Errors
    /// `ECONNREFUSED`.
    pub fn socket_at(&self, location: &Location) -> Result<Rc<Socket>, Errno> {
        let attached = location.inode().attachment().ok_or(Errno::ECONNREFUSED)?;
        let bound = attached.downcast_ref::<BoundHere>().ok_or(Errno::ECONNREFUSED)?;
        bound.0.upgrade().filter(|socket| !socket.closed.get()).ok_or(Errno::ECONNREFUSED)
    }
}
