//! Sockets: socket(2) and most of what has a socket for its first argument. The families are AF_UNIX, and AF_INET and
//! AF_INET6 over the loopback interface.

use crate::address::{Address, address, give_address, sockaddr};
use crate::args::Args;
use crate::fd::{install, install_pair, open_error};
use crate::io::file;
use crate::netlink;
use crate::path::At;
use friscy_abi::Errno;
use friscy_abi::fcntl::O_NONBLOCK;
use friscy_abi::socket::*;
use friscy_abi::stat::S_IFSOCK;
use friscy_kernel::files::{FileRef, IoError, Socket, SocketFile};
use friscy_kernel::{Ctx, SysResult};
use friscy_vfs::Access;
use std::rc::Rc;

/// A socket of the caller.
pub(crate) fn socket_of(cx: &Ctx<'_>, fd: i32) -> Result<(FileRef, Rc<Socket>), Errno> {
    let file = file(cx, fd)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    let socket = file.downcast::<SocketFile>().ok_or(Errno::ENOTSOCK)?.socket().clone();
    Ok((file, socket))
}

/// What socket(2) and socketpair(2) are asked for.
struct Request {
    domain: u32,
    kind: u32,
    protocol: u32,
    flags: u32,
    cloexec: bool,
}

/// Checks family, type and protocol.
fn request(a: &Args) -> Result<Request, Errno> {
    let (domain, kind, protocol) = (a.u32::<0>(), a.u32::<1>(), a.u32::<2>());
    if kind & !(0xf | SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let base = kind & 0xf;
    let kind_of_socket = match (domain, base) {
        (AF_UNIX, SOCK_STREAM | SOCK_DGRAM | SOCK_SEQPACKET) if protocol == 0 || protocol == AF_UNIX => base,
        (AF_UNIX, SOCK_RAW) if protocol == 0 || protocol == AF_UNIX => SOCK_DGRAM,
        (AF_UNIX, SOCK_STREAM | SOCK_DGRAM | SOCK_SEQPACKET | SOCK_RAW) => return Err(Errno::EPROTONOSUPPORT),
        (AF_INET | AF_INET6, SOCK_STREAM) if protocol == 0 || protocol == IPPROTO_TCP => base,
        (AF_INET | AF_INET6, SOCK_DGRAM) if matches!(protocol, 0 | IPPROTO_UDP | IPPROTO_UDPLITE) => base,
        // A container has no right to make packets of its own.
        (AF_INET | AF_INET6, SOCK_RAW) if protocol != 0 => return Err(Errno::EPERM),
        (AF_INET, SOCK_DGRAM) if protocol == IPPROTO_ICMP => return Err(Errno::EACCES),
        (AF_INET | AF_INET6, SOCK_STREAM | SOCK_DGRAM | SOCK_RAW) => return Err(Errno::EPROTONOSUPPORT),
        (AF_UNIX | AF_INET | AF_INET6, _) => return Err(Errno::ESOCKTNOSUPPORT),
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    let flags = if kind & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
    Ok(Request { domain, kind: kind_of_socket, protocol, flags, cloexec: kind & SOCK_CLOEXEC != 0 })
}

/// socket(2).
pub(crate) fn socket(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u32::<0>() == AF_NETLINK && a.u32::<1>() & !(0xf | SOCK_CLOEXEC | SOCK_NONBLOCK) == 0 {
        return netlink::socket(cx, a.u32::<1>(), a.u32::<2>());
    }
    let request = request(a)?;
    let socket = cx.new_socket(request.domain, request.kind, request.protocol);
    let file = cx.describe_socket(socket, request.flags);
    Ok(install(cx, file, request.cloexec)? as u64)
}

/// socketpair(2).
pub(crate) fn socketpair(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let request = request(a)?;
    if request.domain != AF_UNIX {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let first = cx.new_socket(request.domain, request.kind, request.protocol);
    let second = cx.new_socket(request.domain, request.kind, request.protocol);
    Socket::pair(&first, &second);
    let first = cx.describe_socket(first, request.flags);
    let second = cx.describe_socket(second, request.flags);
    install_pair(cx, a.u64::<3>(), first, second, request.cloexec)
}

/// The socket at an address.
pub(crate) fn find(cx: &mut Ctx<'_>, name: &[u8]) -> Result<Rc<Socket>, Errno> {
    match name.first() {
        None => Err(Errno::EINVAL),
        Some(0) => cx.abstract_socket(name),
        Some(_) => {
            let context = cx.path_context();
            let at = At { base: context.cwd.clone(), context, path: name.to_vec() };
            let location = at.resolve(cx, 0, true)?;
            location.inode().permission(&at.context.creds, Access::WRITE)?;
            cx.socket_at(&location)
        }
    }
}

/// bind(2).
pub(crate) fn bind(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if let Some(file) = netlink::netlink_of(cx, a.i32::<0>()) {
        return netlink::bind(cx, &file, a);
    }
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    let name = match address(cx, &socket, a.u64::<1>(), a.u32::<2>())? {
        Address::Unix(name) => name,
        Address::Inet(to) => {
            cx.bind_inet(&socket, to)?;
            return Ok(0);
        }
        Address::None if socket.is_inet() => return Err(Errno::EAFNOSUPPORT.into()),
        Address::None => return Err(Errno::EINVAL.into()),
    };
    if name.first().is_none_or(|&byte| byte == 0) {
        cx.bind_abstract(&socket, name)?;
        return Ok(0);
    }
    let context = cx.path_context();
    let mode = S_IFSOCK | 0o777 & !cx.task().fs.borrow().umask;
    let made = cx.with_vfs(|vfs| vfs.mknod(&context, &context.cwd, &name, mode, 0));
    let location = made.map_err(|errno| if errno == Errno::EEXIST { Errno::EADDRINUSE } else { errno })?;
    if let Err(errno) = socket.set_name(name.clone()) {
        // As in Linux the name is made before it turns out that the socket has one.
        cx.with_vfs(|vfs| vfs.unlink(&context, &context.cwd, &name))?;
        return Err(errno.into());
    }
    cx.bind_inode(&socket, &location);
    Ok(0)
}

/// listen(2).
pub(crate) fn listen(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    cx.listen(&socket, a.i32::<1>())?;
    Ok(0)
}

/// connect(2).
pub(crate) fn connect(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if let Some(file) = netlink::netlink_of(cx, a.i32::<0>()) {
        return netlink::bind(cx, &file, a);
    }
    let (file, socket) = socket_of(cx, a.i32::<0>())?;
    let name = match address(cx, &socket, a.u64::<1>(), a.u32::<2>())? {
        Address::Unix(name) => name,
        Address::None => {
            cx.disconnect(&socket);
            return Ok(0);
        }
        Address::Inet(to) => {
            let nonblocking = file.nonblocking();
            let result = cx.connect_inet(&socket, to, nonblocking);
            let result = socket.limit_wait(cx, SO_SNDTIMEO, Errno::EINPROGRESS, result);
            return result.map(|()| 0).map_err(|error| file.sys_error(error));
        }
    };
    let target = find(cx, &name)?;
    let server = cx.new_socket(AF_UNIX, socket.kind(), 0);
    match socket.connect(&target, server) {
        Ok(()) => Ok(0),
        Err(IoError::WaitFor(_)) if file.nonblocking() => Err(Errno::EAGAIN.into()),
        Err(error) => Err(open_error(error)),
    }
}

fn accept_with(cx: &mut Ctx<'_>, a: &Args, flags: u32) -> SysResult {
    if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (file, socket) = socket_of(cx, a.i32::<0>())?;
    let accepted = socket.accept();
    let accepted = socket.limit_wait(cx, SO_RCVTIMEO, Errno::EAGAIN, accepted);
    let accepted = accepted.map_err(|error| file.sys_error(error))?;
    let peer = accepted.peer_name().unwrap_or_default();
    let peer = sockaddr(&accepted, &peer);
    let nonblock = if flags & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
    let accepted = cx.describe_socket(accepted, nonblock);
    if a.u64::<1>() != 0 {
        give_address(cx, &peer, a.u64::<1>(), a.u64::<2>())?;
    }
    Ok(install(cx, accepted, flags & SOCK_CLOEXEC != 0)? as u64)
}

/// accept(2).
pub(crate) fn accept(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    accept_with(cx, a, 0)
}

/// accept4(2).
pub(crate) fn accept4(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    accept_with(cx, a, a.u32::<3>())
}

/// getsockname(2).
pub(crate) fn getsockname(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if let Some(file) = netlink::netlink_of(cx, a.i32::<0>()) {
        return netlink::getsockname(cx, &file, a);
    }
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    give_address(cx, &sockaddr(&socket, &socket.name()), a.u64::<1>(), a.u64::<2>())?;
    Ok(0)
}

/// getpeername(2).
pub(crate) fn getpeername(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    let name = sockaddr(&socket, &socket.peer_name()?);
    give_address(cx, &name, a.u64::<1>(), a.u64::<2>())?;
    Ok(0)
}

/// shutdown(2).
pub(crate) fn shutdown(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    match a.u32::<1>() {
        SHUT_RD => socket.shutdown(true, false)?,
        SHUT_WR => socket.shutdown(false, true)?,
        SHUT_RDWR => socket.shutdown(true, true)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}
