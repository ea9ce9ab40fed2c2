//! Sockets: socket(2) and everything that has a socket for its first argument. The family is AF_UNIX; others are not
//! supported yet.

use crate::args::Args;
use crate::fd::{install, install_pair, open_error};
use crate::io::file;
use crate::path::At;
use friscy_abi::Errno;
use friscy_abi::fcntl::O_NONBLOCK;
use friscy_abi::layout::Timeval;
use friscy_abi::socket::*;
use friscy_abi::stat::S_IFSOCK;
use friscy_kernel::files::{FileRef, IoError, SOCKET_BUFFER, Socket, SocketFile};
use friscy_kernel::{Ctx, SysResult};
use friscy_vfs::Access;
use std::rc::Rc;

/// Size of `sa_family_t`.
const FAMILY_SIZE: usize = 2;
/// Size of `struct sockaddr_un`.
const ADDRESS_SIZE: u64 = 110;

/// A socket of the caller.
pub(crate) fn socket_of(cx: &Ctx<'_>, fd: i32) -> Result<(FileRef, Rc<Socket>), Errno> {
    let file = file(cx, fd)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    let socket = file.downcast::<SocketFile>().ok_or(Errno::ENOTSOCK)?.socket().clone();
    Ok((file, socket))
}

/// Checks family, type and protocol; the answer is the type, the status flags and whether exec closes it.
fn kind_of(a: &Args) -> Result<(u32, u32, bool), Errno> {
    let (family, kind, protocol) = (a.u32::<0>(), a.u32::<1>(), a.i32::<2>());
    if kind & !(0xf | SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    if family != AF_UNIX {
        return Err(Errno::EAFNOSUPPORT);
    }
    if protocol != 0 && protocol != AF_UNIX as i32 {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let base = match kind & 0xf {
        base @ (SOCK_STREAM | SOCK_DGRAM | SOCK_SEQPACKET) => base,
        SOCK_RAW => SOCK_DGRAM,
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    let flags = if kind & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
    Ok((base, flags, kind & SOCK_CLOEXEC != 0))
}

/// socket(2).
pub(crate) fn socket(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (kind, flags, cloexec) = kind_of(a)?;
    let socket = cx.new_socket(kind);
    let file = cx.describe_socket(socket, flags);
    Ok(install(cx, file, cloexec)? as u64)
}

/// socketpair(2).
pub(crate) fn socketpair(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (kind, flags, cloexec) = kind_of(a)?;
    let (first, second) = (cx.new_socket(kind), cx.new_socket(kind));
    Socket::pair(&first, &second);
    let first = cx.describe_socket(first, flags);
    let second = cx.describe_socket(second, flags);
    install_pair(cx, a.u64::<3>(), first, second, cloexec)
}

/// Reads an address of AF_UNIX: the `sun_path`, a zero byte first for an abstract name, empty for none.
pub(crate) fn address(cx: &mut Ctx<'_>, addr: u64, len: u32) -> Result<Vec<u8>, Errno> {
    if (len as usize) < FAMILY_SIZE || u64::from(len) > ADDRESS_SIZE {
        return Err(Errno::EINVAL);
    }
    let bytes = cx.read_bytes(addr, u64::from(len))?;
    let (family, path) = bytes.split_at(FAMILY_SIZE);
    if u32::from(u16::from_le_bytes([family[0], family[1]])) != AF_UNIX {
        return Err(Errno::EINVAL);
    }
    if path.first().is_none_or(|&byte| byte == 0) {
        return Ok(path.to_vec());
    }
    let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
    Ok(path.get(..end).unwrap_or(path).to_vec())
}

/// Stores an address and its length, cut to what the caller has room for.
pub(crate) fn give_address(cx: &mut Ctx<'_>, name: &[u8], addr: u64, len_addr: u64) -> Result<(), Errno> {
    let room: u32 = cx.read_struct(len_addr)?;
    if room as i32 <= -1 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = (AF_UNIX as u16).to_le_bytes().to_vec();
    bytes.extend_from_slice(name);
    // A path ends with a zero byte, which counts; an abstract name does not.
    if name.first().is_some_and(|&byte| byte != 0) {
        bytes.push(0);
    }
    let shown = bytes.len().min(room as usize);
    cx.write_bytes(addr, bytes.get(..shown).unwrap_or(&bytes))?;
    cx.write_struct(len_addr, &(bytes.len() as u32))
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
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    let name = address(cx, a.u64::<1>(), a.u32::<2>())?;
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
    let creds = cx.ucred();
    socket.listen(a.i32::<1>(), creds)?;
    Ok(0)
}

/// connect(2).
pub(crate) fn connect(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (file, socket) = socket_of(cx, a.i32::<0>())?;
    let name = address(cx, a.u64::<1>(), a.u32::<2>())?;
    let target = find(cx, &name)?;
    let server = cx.new_socket(socket.kind());
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
    let accepted = socket.accept().map_err(|error| file.sys_error(error))?;
    let peer = accepted.peer_name().unwrap_or_default();
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
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    give_address(cx, &socket.name(), a.u64::<1>(), a.u64::<2>())?;
    Ok(0)
}

/// getpeername(2).
pub(crate) fn getpeername(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    let name = socket.peer_name()?;
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

/// getsockopt(2).
pub(crate) fn getsockopt(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    if a.u32::<1>() != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let number = |value: u32| value.to_le_bytes().to_vec();
    let value = match a.u32::<2>() {
        SO_TYPE => number(socket.kind()),
        SO_ERROR => number(socket.take_error().map_or(0, |errno| u32::from(errno.0))),
        SO_DOMAIN => number(AF_UNIX),
        SO_ACCEPTCONN => number(u32::from(socket.listening())),
        SO_PASSCRED => number(u32::from(socket.pass_creds())),
        SO_PEERCRED => bytemuck::bytes_of(&socket.peer_creds()).to_vec(),
        SO_SNDBUF | SO_RCVBUF => number(SOCKET_BUFFER as u32),
        SO_RCVLOWAT | SO_SNDLOWAT => number(1),
        SO_LINGER => vec![0; 8],
        SO_RCVTIMEO | SO_SNDTIMEO => bytemuck::bytes_of(&Timeval::default()).to_vec(),
        SO_PROTOCOL | SO_REUSEADDR | SO_REUSEPORT | SO_KEEPALIVE | SO_BROADCAST | SO_DEBUG | SO_DONTROUTE
        | SO_OOBINLINE | SO_PRIORITY => number(0),
        _ => return Err(Errno::ENOPROTOOPT.into()),
    };
    let room: u32 = cx.read_struct(a.u64::<4>())?;
    if (room as i32) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let shown = value.get(..value.len().min(room as usize)).unwrap_or(&value);
    cx.write_bytes(a.u64::<3>(), shown)?;
    cx.write_struct(a.u64::<4>(), &(shown.len() as u32))?;
    Ok(0)
}

/// setsockopt(2).
pub(crate) fn setsockopt(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    if a.u32::<1>() != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if a.u32::<4>() < 4 {
        return Err(Errno::EINVAL.into());
    }
    let value: u32 = cx.read_struct(a.u64::<3>())?;
    match a.u32::<2>() {
        SO_PASSCRED => socket.set_pass_creds(value != 0),
        // They concern speed, or what other families have.
        SO_SNDBUF | SO_RCVBUF | SO_REUSEADDR | SO_REUSEPORT | SO_KEEPALIVE | SO_BROADCAST | SO_LINGER
        | SO_OOBINLINE | SO_PRIORITY | SO_DEBUG | SO_DONTROUTE | SO_RCVLOWAT | SO_RCVTIMEO | SO_SNDTIMEO => {}
        SO_TYPE | SO_ERROR | SO_PEERCRED | SO_DOMAIN | SO_PROTOCOL | SO_ACCEPTCONN => {
            return Err(Errno::ENOPROTOOPT.into());
        }
        _ => return Err(Errno::ENOPROTOOPT.into()),
    }
    Ok(0)
}
