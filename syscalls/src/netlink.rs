//! Calls on sockets of AF_NETLINK, netlink(7): a few of those that other sockets have.

use crate::address::give_address;
use crate::args::Args;
use crate::fd::install;
use crate::io::file;
use friscy_abi::Errno;
use friscy_abi::fcntl::{O_NONBLOCK, O_RDWR};
use friscy_abi::layout::Iovec;
use friscy_abi::socket::*;
use friscy_kernel::files::{FileRef, Netlink, SOCKET_BUFFER};
use friscy_kernel::{Ctx, SysError, SysResult};
use friscy_vfs::FileType;

/// `NETLINK_ROUTE`: the only protocol there is.
const NETLINK_ROUTE: u32 = 0;
/// Size of `struct sockaddr_nl`.
const ADDRESS: u32 = 12;

/// The file of a descriptor, if it is a netlink socket.
pub(crate) fn netlink_of(cx: &Ctx<'_>, fd: i32) -> Option<FileRef> {
    file(cx, fd).ok().filter(|file| file.downcast::<Netlink>().is_some())
}

fn socket_in(file: &FileRef) -> Result<&Netlink, Errno> {
    file.downcast::<Netlink>().ok_or(Errno::ENOTSOCK)
}

/// socket(2) with AF_NETLINK.
pub(crate) fn socket(cx: &mut Ctx<'_>, kind: u32, protocol: u32) -> SysResult {
    if !matches!(kind & 0xf, SOCK_RAW | SOCK_DGRAM) {
        return Err(Errno::ESOCKTNOSUPPORT.into());
    }
    if protocol != NETLINK_ROUTE {
        return Err(Errno::EPROTONOSUPPORT.into());
    }
    let location = cx.anonymous(FileType::Socket, &|ino| format!("socket:[{ino}]"));
    let id = cx.kernel.new_wait_id();
    let socket = Netlink::new(kind & 0xf, location, id, &cx.kernel.drivers.effects);
    let nonblock = if kind & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
    let file = cx.kernel.describe(Box::new(socket), O_RDWR | nonblock);
    Ok(install(cx, file, kind & SOCK_CLOEXEC != 0)? as u64)
}

/// bind(2) and connect(2).
pub(crate) fn bind(cx: &mut Ctx<'_>, file: &FileRef, a: &Args) -> SysResult {
    if a.u32::<2>() < ADDRESS {
        return Err(Errno::EINVAL.into());
    }
    let [family, port, _groups]: [u32; 3] = cx.read_struct(a.u64::<1>())?;
    if family & 0xffff != AF_NETLINK {
        return Err(Errno::EINVAL.into());
    }
    socket_in(file)?.bind(port, cx.pid());
    Ok(0)
}

/// An address as `struct sockaddr_nl` has it.
fn sockaddr(name: &[u8]) -> Vec<u8> {
    [(AF_NETLINK as u16).to_le_bytes().as_slice(), name].concat()
}

/// getsockname(2).
pub(crate) fn getsockname(cx: &mut Ctx<'_>, file: &FileRef, a: &Args) -> SysResult {
    let name = sockaddr(&socket_in(file)?.name());
    give_address(cx, &name, a.u64::<1>(), a.u64::<2>())?;
    Ok(0)
}

/// Sends requests.
pub(crate) fn send(cx: &mut Ctx<'_>, file: &FileRef, bytes: &[u8]) -> SysResult {
    let socket = socket_in(file)?;
    socket.bind(0, cx.pid());
    socket.request(bytes);
    Ok(bytes.len() as u64)
}

/// Receives an answer into buffers: the result, the flags of the message and the sender's address, the kernel's.
pub(crate) fn receive(
    cx: &mut Ctx<'_>,
    file: &FileRef,
    parts: &[Iovec],
    flags: u32,
) -> Result<(u64, u32, Vec<u8>), SysError> {
    let total: u64 = parts.iter().map(|part| part.iov_len).sum();
    let mut buf = vec![0; total.min(1 << 20) as usize];
    let (count, full) = match socket_in(file)?.receive(&mut buf, flags & MSG_PEEK != 0) {
        Ok(received) => received,
        Err(_) if flags & MSG_DONTWAIT != 0 => return Err(Errno::EAGAIN.into()),
        Err(error) => return Err(file.sys_error(error)),
    };
    crate::message::scatter(cx, parts, 0, buf.get(..count).unwrap_or_default())?;
    let cut = if full > count { MSG_TRUNC } else { 0 };
    let result = if flags & MSG_TRUNC != 0 { full } else { count };
    Ok((result as u64, cut, sockaddr(&[0; 10])))
}

/// getsockopt(2).
pub(crate) fn getsockopt(cx: &mut Ctx<'_>, file: &FileRef, a: &Args) -> SysResult {
    let value = match (a.u32::<1>(), a.u32::<2>()) {
        (SOL_SOCKET, SO_TYPE) => socket_in(file)?.kind(),
        (SOL_SOCKET, SO_DOMAIN) => AF_NETLINK,
        (SOL_SOCKET, SO_ERROR | SO_PROTOCOL) => 0,
        (SOL_SOCKET, SO_RCVBUF | SO_SNDBUF) => SOCKET_BUFFER as u32,
        _ => return Err(Errno::ENOPROTOOPT.into()),
    };
    let room: u32 = cx.read_struct(a.u64::<4>())?;
    let bytes = value.to_le_bytes();
    let shown = bytes.get(..bytes.len().min(room as usize)).unwrap_or_default();
    cx.write_bytes(a.u64::<3>(), shown)?;
    cx.write_struct(a.u64::<4>(), &(shown.len() as u32))?;
    Ok(0)
}

/// setsockopt(2): what can be set concerns speed and messages that never come.
pub(crate) fn setsockopt(cx: &mut Ctx<'_>, file: &FileRef, a: &Args) -> SysResult {
    socket_in(file)?;
    cx.read_struct::<u32>(a.u64::<3>())?;
    Ok(0)
}
