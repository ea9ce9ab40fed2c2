//! Sockets: socket(2) and everything that has a socket for its first argument. The family is AF_UNIX; others are not
//! supported yet.

use crate::args::Args;
use crate::fd::{install, install_pair, open_error};
use crate::io::{broken_pipe, file, iovecs};
use crate::path::At;
use friscy_abi::Errno;
use friscy_abi::fcntl::O_NONBLOCK;
use friscy_abi::layout::{Cmsghdr, Iovec, Mmsghdr, Msghdr, Timespec, Timeval, Ucred};
use friscy_abi::socket::*;
use friscy_abi::stat::S_IFSOCK;
use friscy_kernel::files::{FileRef, IoError, SOCKET_BUFFER, Socket, SocketFile};
use friscy_kernel::{Ctx, SysError, SysResult};
use friscy_vfs::Access;
use std::rc::Rc;

/// Size of `sa_family_t`.
const FAMILY_SIZE: usize = 2;
/// Size of `struct sockaddr_un`.
const ADDRESS_SIZE: u64 = 110;
/// The most bytes of control messages that are looked at.
const CONTROL_MAX: u64 = 65_536;
/// The most descriptors in one message (`SCM_MAX_FD`).
const RIGHTS_MAX: usize = 253;

/// A socket of the caller.
fn socket_of(cx: &Ctx<'_>, fd: i32) -> Result<(FileRef, Rc<Socket>), Errno> {
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
fn address(cx: &mut Ctx<'_>, addr: u64, len: u32) -> Result<Vec<u8>, Errno> {
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
fn give_address(cx: &mut Ctx<'_>, name: &[u8], addr: u64, len_addr: u64) -> Result<(), Errno> {
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
fn find(cx: &mut Ctx<'_>, name: &[u8]) -> Result<Rc<Socket>, Errno> {
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
        SO_SNDBUF | SO_RCVBUF | SO_REUSEADDR | SO_REUSEPORT | SO_KEEPALIVE | SO_BROADCAST | SO_LINGER | SO_OOBINLINE
        | SO_PRIORITY | SO_DEBUG | SO_DONTROUTE | SO_RCVLOWAT | SO_RCVTIMEO | SO_SNDTIMEO => {}
        SO_TYPE | SO_ERROR | SO_PEERCRED | SO_DOMAIN | SO_PROTOCOL | SO_ACCEPTCONN => {
            return Err(Errno::ENOPROTOOPT.into());
        }
        _ => return Err(Errno::ENOPROTOOPT.into()),
    }
    Ok(0)
}

/// A message to be sent.
struct Outgoing {
    bytes: Vec<u8>,
    target: Option<Rc<Socket>>,
    rights: Vec<FileRef>,
    creds: Ucred,
}

fn send(cx: &mut Ctx<'_>, fd: i32, message: Outgoing, flags: u32) -> SysResult {
    let (file, socket) = socket_of(cx, fd)?;
    if flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if message.target.is_some() && socket.kind() != SOCK_DGRAM {
        let connected = socket.peer_name().is_ok();
        return Err(if connected { Errno::EISCONN } else { Errno::EOPNOTSUPP }.into());
    }
    let waits = !file.nonblocking() && flags & MSG_DONTWAIT == 0;
    let mut done = cx.scratch().done as usize;
    let mut rights = if done == 0 { message.rights } else { Vec::new() };
    loop {
        let rest = message.bytes.get(done..).unwrap_or_default();
        if rest.is_empty() && done > 0 {
            return Ok(done as u64);
        }
        match socket.send(message.target.as_ref(), rest, rights.clone(), message.creds) {
            Ok(sent) => {
                done += sent;
                rights.clear();
                if done >= message.bytes.len() {
                    return Ok(done as u64);
                }
            }
            Err(IoError::WouldBlock) if waits => {
                cx.scratch().done = done as u64;
                let mut wait = file.wait();
                if let Some(target) = &message.target {
                    wait.keys.push(target.point().key());
                }
                return Err(wait.into());
            }
            Err(_) if done > 0 => return Ok(done as u64),
            Err(IoError::WouldBlock) => return Err(Errno::EAGAIN.into()),
            Err(error) => {
                if flags & MSG_NOSIGNAL == 0 && socket.kind() != SOCK_DGRAM {
                    broken_pipe(cx, error);
                }
                return Err(open_error(error));
            }
        }
    }
}

/// sendto(2).
pub(crate) fn sendto(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    socket_of(cx, a.i32::<0>())?;
    let bytes = cx.read_bytes(a.u64::<1>(), a.u64::<2>().min(0x7fff_f000))?;
    let target = if a.u64::<4>() == 0 {
        None
    } else {
        let name = address(cx, a.u64::<4>(), a.u32::<5>())?;
        Some(find(cx, &name)?)
    };
    let creds = cx.ucred();
    send(cx, a.i32::<0>(), Outgoing { bytes, target, rights: Vec::new(), creds }, a.u32::<3>())
}

/// Reads what is to be sent beside a message.
fn control(cx: &mut Ctx<'_>, header: &Msghdr, rights: &mut Vec<FileRef>, creds: &mut Ucred) -> Result<(), Errno> {
    if header.msg_controllen == 0 {
        return Ok(());
    }
    if header.msg_controllen > CONTROL_MAX {
        return Err(Errno::ENOBUFS);
    }
    const HEAD: usize = size_of::<Cmsghdr>();
    let bytes = cx.read_bytes(header.msg_control, header.msg_controllen)?;
    let mut at = 0usize;
    while let Some(head) = bytes.get(at..at + HEAD) {
        let head: Cmsghdr = bytemuck::pod_read_unaligned(head);
        let length = usize::try_from(head.cmsg_len).map_err(|_| Errno::EINVAL)?;
        let data = at.checked_add(length).and_then(|end| bytes.get(at + HEAD..end)).ok_or(Errno::EINVAL)?;
        if head.cmsg_level as u32 == SOL_SOCKET {
            match head.cmsg_type as u32 {
                SCM_RIGHTS => {
                    for number in data.chunks_exact(4) {
                        let fd = i32::from_le_bytes([number[0], number[1], number[2], number[3]]);
                        rights.push(file(cx, fd)?);
                    }
                    if rights.len() > RIGHTS_MAX {
                        return Err(Errno::EINVAL);
                    }
                }
                SCM_CREDENTIALS => {
                    let claimed = data.get(..size_of::<Ucred>()).ok_or(Errno::EINVAL)?;
                    let claimed: Ucred = bytemuck::pod_read_unaligned(claimed);
                    let cred = &cx.task().cred;
                    let own = claimed.pid as u32 == cx.pid()
                        && [cred.uid, cred.euid, cred.suid].contains(&claimed.uid)
                        && [cred.gid, cred.egid, cred.sgid].contains(&claimed.gid);
                    if !own && cred.euid != 0 {
                        return Err(Errno::EPERM);
                    }
                    *creds = claimed;
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        at += length.max(HEAD).next_multiple_of(8);
    }
    Ok(())
}

fn send_message(cx: &mut Ctx<'_>, fd: i32, header: &Msghdr, flags: u32) -> SysResult {
    socket_of(cx, fd)?;
    let mut bytes = Vec::new();
    for part in iovecs(cx, header.msg_iov, header.msg_iovlen)? {
        bytes.extend(cx.read_bytes(part.iov_base, part.iov_len)?);
    }
    let target = if header.msg_name == 0 || header.msg_namelen == 0 {
        None
    } else {
        let name = address(cx, header.msg_name, header.msg_namelen)?;
        Some(find(cx, &name)?)
    };
    let mut creds = cx.ucred();
    let mut rights = Vec::new();
    control(cx, header, &mut rights, &mut creds)?;
    send(cx, fd, Outgoing { bytes, target, rights, creds }, flags)
}

/// sendmsg(2).
pub(crate) fn sendmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let header: Msghdr = cx.read_struct(a.u64::<1>())?;
    send_message(cx, a.i32::<0>(), &header, a.u32::<2>())
}

/// sendmmsg(2).
pub(crate) fn sendmmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let count = u64::from(a.u32::<2>()).min(1024);
    let mut sent = 0;
    for at in 0..count {
        let addr = a.u64::<1>().wrapping_add(at * size_of::<Mmsghdr>() as u64);
        let mut message: Mmsghdr = cx.read_struct(addr)?;
        // Only the first may wait: the others were not promised.
        let flags = a.u32::<3>() | if sent > 0 { MSG_DONTWAIT } else { 0 };
        match send_message(cx, a.i32::<0>(), &message.msg_hdr, flags) {
            Ok(length) => {
                message.msg_len = length as u32;
                cx.write_struct(addr, &message)?;
                sent += 1;
            }
            Err(_) if sent > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// recvfrom(2).
pub(crate) fn recvfrom(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let part = Iovec { iov_base: a.u64::<1>(), iov_len: a.u64::<2>() };
    let mut header = Msghdr::default();
    let (count, from) = receive(cx, a.i32::<0>(), &[part], &mut header, a.u32::<3>())?;
    if a.u64::<4>() != 0 {
        give_address(cx, &from, a.u64::<4>(), a.u64::<5>())?;
    }
    Ok(count)
}

/// Receives into buffers; flags and control messages go to `header`. The answer is the result and the sender.
fn receive(
    cx: &mut Ctx<'_>,
    fd: i32,
    parts: &[Iovec],
    header: &mut Msghdr,
    flags: u32,
) -> Result<(u64, Vec<u8>), SysError> {
    let (file, socket) = socket_of(cx, fd)?;
    if flags & MSG_OOB != 0 {
        return Err(Errno::EINVAL.into());
    }
    let total: u64 = parts.iter().map(|part| part.iov_len).sum();
    let mut buf = vec![0; total.min(1 << 20) as usize];
    let received = match socket.receive(&mut buf, flags & MSG_PEEK != 0) {
        Ok(received) => received,
        Err(IoError::WouldBlock) if flags & MSG_DONTWAIT != 0 => return Err(Errno::EAGAIN.into()),
        Err(error) => return Err(file.sys_error(error)),
    };
    let mut rest = buf.get(..received.count).unwrap_or_default();
    for part in parts {
        let count = rest.len().min(part.iov_len as usize);
        let (now, later) = rest.split_at(count);
        cx.write_bytes(part.iov_base, now)?;
        rest = later;
    }
    let mut out = 0;
    let cut = socket.kind() != SOCK_STREAM && received.full > received.count;
    if cut {
        out |= MSG_TRUNC;
    }
    let mut items: Vec<(u32, Vec<u8>)> = Vec::new();
    if let (Some(creds), true) = (received.creds, socket.pass_creds()) {
        items.push((SCM_CREDENTIALS, bytemuck::bytes_of(&creds).to_vec()));
    }
    let mut control_at = 0u64;
    let room = header.msg_controllen;
    if !received.rights.is_empty() {
        let space = room.saturating_sub(items.len() as u64 * 32 + 16) / 4;
        let mut numbers = Vec::new();
        for file in received.rights {
            if numbers.len() as u64 / 4 >= space {
                out |= MSG_CTRUNC;
                break;
            }
            match install(cx, file, flags & MSG_CMSG_CLOEXEC != 0) {
                Ok(fd) => numbers.extend(fd.to_le_bytes()),
                Err(_) => out |= MSG_CTRUNC,
            }
        }
        if !numbers.is_empty() {
            items.push((SCM_RIGHTS, numbers));
        }
    }
    for (kind, data) in items {
        let length = (size_of::<Cmsghdr>() + data.len()) as u64;
        if control_at + length > room {
            out |= MSG_CTRUNC;
            break;
        }
        let head = Cmsghdr { cmsg_len: length, cmsg_level: SOL_SOCKET as i32, cmsg_type: kind as i32 };
        cx.write_struct(header.msg_control + control_at, &head)?;
        cx.write_bytes(header.msg_control + control_at + 16, &data)?;
        control_at = (control_at + length.next_multiple_of(8)).min(room);
    }
    header.msg_controllen = control_at;
    header.msg_flags = (out | flags & MSG_CMSG_CLOEXEC) as i32;
    let count = if cut && flags & MSG_TRUNC != 0 { received.full } else { received.count };
    Ok((count as u64, received.from))
}

fn receive_message(cx: &mut Ctx<'_>, fd: i32, addr: u64, flags: u32) -> SysResult {
    let mut header: Msghdr = cx.read_struct(addr)?;
    let parts = iovecs(cx, header.msg_iov, header.msg_iovlen)?;
    let (count, from) = receive(cx, fd, &parts, &mut header, flags)?;
    if header.msg_name != 0 {
        let mut name = if from.is_empty() { Vec::new() } else { (AF_UNIX as u16).to_le_bytes().to_vec() };
        name.extend_from_slice(&from);
        let shown = name.get(..name.len().min(header.msg_namelen as usize)).unwrap_or(&name);
        cx.write_bytes(header.msg_name, shown)?;
        header.msg_namelen = name.len() as u32;
    }
    cx.write_struct(addr, &header)?;
    Ok(count)
}

/// recvmsg(2).
pub(crate) fn recvmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    receive_message(cx, a.i32::<0>(), a.u64::<1>(), a.u32::<2>())
}

/// recvmmsg(2).
pub(crate) fn recvmmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u64::<4>() != 0 {
        let time: Timespec = cx.read_struct(a.u64::<4>())?;
        crate::time::from_timespec(&time)?;
    }
    let count = u64::from(a.u32::<2>()).min(1024);
    let mut received = 0;
    for at in 0..count {
        let addr = a.u64::<1>().wrapping_add(at * size_of::<Mmsghdr>() as u64);
        let flags = a.u32::<3>() & !MSG_WAITFORONE | if received > 0 { MSG_DONTWAIT } else { 0 };
        match receive_message(cx, a.i32::<0>(), addr, flags) {
            Ok(length) => {
                let len_at = addr.wrapping_add(size_of::<Msghdr>() as u64);
                cx.write_struct(len_at, &(length as u32))?;
                received += 1;
            }
            Err(_) if received > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(received)
}
